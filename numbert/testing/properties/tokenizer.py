"""Laws T1 to T15 and T20 to T27, of how a text becomes pieces.

See `targets.TokenizerTarget` for what `tokenizer` is.  Texts given to the laws that put
texts together should hold no special token, such as [MASK], nor a part of one.
"""

from __future__ import annotations

import string
import unicodedata

from .laws import DIALECT, EXACT, Words, law, require, same

# What every version of Unicode, and every dialect, sees in the same way.
SPACES = tuple(" \t\n\r\xa0\u1680\u2003\u2028\u202f\u205f\u3000")
NOTHING = tuple("\x00\ufffd\x01\x7f\u200b\xad\u2060\ufeff")
PUNCTUATION = tuple(string.punctuation.replace("[", "").replace("]", "")
                    + "\xa1\xab\xbf\u2014\u2026\u3001\u3002\uff01")
IDEOGRAPHS = tuple("\u4e2d\u4e00\u9fff\u3400\u4dbf\uf900\ufa2d\U00020000\U0002a6d6"
                   "\U0002a700\U0002b740\U0002ceaf\U0002f800\U0002fa1d")
NOT_IDEOGRAPHS = tuple("\u304b\u30ab\u4dc0\u4dff\ua000\u33ff\u3105\U0001f600")
ACCENTS = tuple("\u0300\u0301\u0302\u0303\u0308\u030a\u030c\u0327\u0328\u0323")


def pieces(tokenizer, text) -> list[str]:
    """Return the tokens of a text, without [CLS] and [SEP]."""
    return list(tokenizer.encode(text, add_special_tokens=False)["tokens"])


def bare(token: str, first: bool) -> str:
    """Return a piece without the ## of a continuation."""
    return token if first or not token.startswith("##") else token[2:]


def in_word(row) -> list[list[str]]:
    """Group the tokens of a row into words: a ## piece belongs to the one before."""
    words: list[list[str]] = []
    for token in row:
        if token.startswith("##") and words:
            words[-1].append(token)
        else:
            words.append([token])
    return words


def is_plain(tokenizer, word: str) -> bool:
    """Whether normalising leaves a word as it is, and it is one word."""
    return word.isascii() and word.isalnum() and not (
        tokenizer.lowercase and word != word.lower())


def greedy(vocab, word: str) -> list[str] | None:
    """Cut a word into the longest pieces from left to right; None if it fails."""
    out, at = [], 0
    while at < len(word):
        prefix = "##" if at else ""
        sizes = [n for n in range(1, len(word) - at + 1)
                 if prefix + word[at:at + n] in vocab]
        if not sizes:
            return None
        out.append(prefix + word[at:at + max(sizes)])
        at += max(sizes)
    return out


# ------------------------------------------------------------- whatever the text is

@law("T1", "tokenizer", EXACT,
     catches="crashes on empty text, on control characters, on long words, or "
             "on characters beyond 16 bits (H6, H7)")
def never_raises(tokenizer, text, pair):
    """Every text, and every pair of texts, can be encoded."""
    for given in ((text,), (text, pair)):
        try:
            tokenizer.encode(*given)
        except Exception as error:
            require(False, "encode raised an exception", got=error, text=given,
                    expected=Words("tokens, as any text of Unicode has some"))


@law("T2", "tokenizer", EXACT,
     catches="a cache that mixes texts up, options of one call that last into "
             "the next, randomness")
def keeps_no_state(tokenizer, text, between):
    """The same text gives the same tokens, whatever was encoded in between."""
    first = tokenizer.encode(text)
    tokenizer.encode(between, max_length=3, truncation="longest_first")
    same(tokenizer.encode(text), first, "the second encoding", text)


@law("T3", "tokenizer", EXACT,
     catches="ids that are off by one or that belong to another vocabulary "
             "file, [UNK] without its id (H15)")
def ids_are_in_the_vocabulary(tokenizer, text):
    """Every id is that of its token in the vocabulary."""
    row = tokenizer.encode(text)
    same(list(row["ids"]), [tokenizer.vocab.get(token) for token in row["tokens"]],
         "the ids", text)


# -------------------------------------------------------------------- putting together

@law("T6", "tokenizer", EXACT,
     catches="white space that is not recognised, such as tabs, U+00A0, U+3000 "
             "or U+2028, and empty words between two spaces (H7)")
def white_space_only_separates(tokenizer, words, gaps):
    """How wide the white space is, and which, does not matter.

    words: n texts.  gaps: at least n + 1 strings of white space.
    """
    spaced = gaps[0] + "".join(w + gap for w, gap in zip(words, gaps[1:]))
    same(pieces(tokenizer, spaced), pieces(tokenizer, " ".join(words)), "the tokens",
         spaced)


@law("T7", "tokenizer", EXACT,
     catches="words that depend on their neighbours: lost first or last words, "
             "a ## at the start of a word, wrong splitting at spaces")
def texts_side_by_side(tokenizer, a, b):
    """The tokens of "a b" are those of a, then those of b."""
    same(pieces(tokenizer, f"{a} {b}"), pieces(tokenizer, a) + pieces(tokenizer, b),
         "the tokens", f"{a} {b}")


@law("T26", "tokenizer", EXACT,
     catches="a tokenizer that looks ahead across spaces, or that cuts the end "
             "of a text off")
def what_follows_changes_nothing_before(tokenizer, text, more):
    """The tokens of a text stay as they are when more words follow."""
    row = pieces(tokenizer, text)
    same(pieces(tokenizer, f"{text} {more}")[:len(row)], row, "the first tokens",
         f"{text} {more}")


# ------------------------------------------------------------------------- cleaning

@law("T8", "tokenizer", DIALECT, needs=["normalize"],
     catches="steps in the wrong order, such as lower-casing after accents are "
             "stripped, or not done everywhere")
def cleaning_twice_changes_nothing(tokenizer, text):
    """A normalised text stays as it is when it is normalised again, but for spaces.

    Some rare characters are exceptions: marks that are younger than the tables.
    """
    once = tokenizer.normalize(text)
    if not any(unicodedata.combining(c) for c in once):
        same(tokenizer.normalize(once).split(), once.split(), "normalised twice", text)


@law("T9", "tokenizer", EXACT,
     catches="accents that are stripped only in one of their two forms: no "
             "decomposition, or a wrong order of marks (H1)")
def composition_does_not_matter(tokenizer, text):
    """In uncased mode, NFC and NFD of a text have the same tokens.

    Exceptions: characters that NFC replaces for good, such as U+F900, and marks that
    are kept.
    """
    composed = unicodedata.normalize("NFC", text)
    apart = unicodedata.normalize("NFD", text)
    if not tokenizer.lowercase or unicodedata.normalize("NFD", composed) != apart or \
            any("\uf900" <= c <= "\ufaff" or c >= "\U0001d000" for c in text) or \
            any(unicodedata.category(c) == "Mc" or c in YOUNG for c in apart):
        return
    same(pieces(tokenizer, composed), pieces(tokenizer, apart), "the tokens of NFC",
         text)


YOUNG = {chr(c) for first, last in ((0x8d3, 0x8e2), (0x1df5, 0x1dff), (0xa8c5, 0xa8c5),
                                    (0x1ac0, 0x1aff), (0xd81, 0xd81), (0xafa, 0xaff))
         for c in range(first, last + 1)}      # marks since Unicode 9


@law("T10", "tokenizer", DIALECT,
     catches="lower-casing that is left out or that is done for ASCII only, or "
             "in the wrong order with accents (H13)")
def case_does_not_matter(tokenizer, text):
    """In uncased mode a text and its lower case have the same tokens.

    Exceptions: Greek sigma, Turkish dotted I, and what lowers to several characters.
    """
    lowered = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    if tokenizer.lowercase and not set(text) & set("\u03a3\u0130\u03c2I\u1e9e"):
        same(pieces(tokenizer, text), pieces(tokenizer, lowered), "the tokens", text)


@law("T20", "tokenizer", EXACT,
     catches="control characters, NUL, U+FFFD or zero-width characters that "
             "are kept, become [UNK] or split a word (H7)")
def control_characters_are_nothing(tokenizer, text, place, char):
    """A control character can stand anywhere and changes nothing."""
    given = text[:place] + char + text[place:]
    same(pieces(tokenizer, given), pieces(tokenizer, text), "the tokens", given)


@law("T27", "tokenizer", EXACT,
     catches="accents that are kept in uncased mode, or stripped in cased mode "
             "(H1, H2)")
def accents_vanish_exactly_in_uncased_mode(tokenizer, word, accent):
    """A letter with an accent is the bare letter in uncased mode, and only there."""
    given = word + accent
    if tokenizer.lowercase:
        same(pieces(tokenizer, given), pieces(tokenizer, word), "the tokens", given)
        both = unicodedata.normalize("NFC", given)
        same(pieces(tokenizer, both), pieces(tokenizer, word), "the tokens", both)
    elif pieces(tokenizer, word) != ["[UNK]"]:
        row = pieces(tokenizer, given)
        require(row != pieces(tokenizer, word), "the tokens", got=row, text=given,
                expected=Words("others than those of the bare letter"))


# ------------------------------------------------------------------------- splitting

@law("T21", "tokenizer", DIALECT,
     catches="ideographs that are not words of their own, wrong ends of a CJK "
             "block, kana or Hangul that are split too (H3)")
def ideographs_stand_alone(tokenizer, before, char, after):
    """A CJK ideograph is a word of its own; kana and other symbols are not.

    Dialects: Hugging Face's Rust tokenizers leave U+2B820 to U+2B91F out.
    """
    given = before + char + after
    if char in IDEOGRAPHS:
        alone = pieces(tokenizer, char)
        same(pieces(tokenizer, given),
             pieces(tokenizer, before) + alone + pieces(tokenizer, after),
             "the tokens", given)
    elif char not in tokenizer.vocab:
        row = pieces(tokenizer, char + char)
        require(len(row) == 1 or row[1].startswith("##"), "the tokens", got=row,
                expected=Words("one word"), text=char + char)


@law("T22", "tokenizer", EXACT,
     catches="punctuation that stays with its word, such as the ASCII symbols "
             "$ + < = > ^ ` | ~, or that of other scripts (H16)")
def punctuation_stands_alone(tokenizer, before, char, after):
    """A punctuation mark is a word of its own, and what stands around it two texts."""
    if after and unicodedata.combining(after[0]):
        return
    given, alone = before + char + after, pieces(tokenizer, char)
    require(len(alone) == 1, "the tokens", got=alone, text=char,
            expected=Words("one token"))
    same(pieces(tokenizer, given),
         pieces(tokenizer, before) + alone + pieces(tokenizer, after), "the tokens",
         given)


@law("T23", "tokenizer", EXACT,
     catches="special tokens that are lower-cased, split, found without regard "
             "to case, or that join their neighbours (H8)")
def special_tokens_are_whole(tokenizer, before, special, after):
    """[MASK] in a text is one token; [mask] is not that token."""
    given = before + special + after
    same(pieces(tokenizer, given),
         pieces(tokenizer, before) + [special] + pieces(tokenizer, after),
         "the tokens", given)
    if special.lower() != special:
        row = pieces(tokenizer, special.lower())
        require(special == "[UNK]" or special not in row, "the tokens", got=row,
                expected=Words(f"no {special}, which has upper-case letters"),
                text=special.lower())


# ------------------------------------------------------------------------ word pieces

@law("T11", "tokenizer", EXACT,
     catches="pieces that are not the longest, letters that are lost or "
             "doubled within a word, text that is lower-cased in cased mode")
def pieces_make_up_the_word_and_are_the_longest(tokenizer, word):
    """Pieces, put together, are the word; no longer piece of the vocabulary fits."""
    row = pieces(tokenizer, word)
    if not is_plain(tokenizer, word) or row == ["[UNK]"]:
        return
    same("".join(bare(token, not i) for i, token in enumerate(row)), word,
         "the pieces put together", word)
    at = 0
    for i, token in enumerate(row):
        prefix, size = "##" if at else "", len(bare(token, not i))
        longer = [prefix + word[at:end] for end in range(at + size + 1, len(word) + 1)
                  if prefix + word[at:end] in tokenizer.vocab]
        require(not longer, "a piece", got=token, text=word,
                expected=longer[-1] if longer else "")
        at += size


@law("T12", "tokenizer", DIALECT,
     catches="[UNK] for a piece instead of the word, the longest word "
             "miscounted (in bytes, 99, 200), a word given up too early (H4, "
             "H5)")
def unknown_exactly_when_the_cut_fails(tokenizer, word):
    """A word is [UNK] if the greedy cut fails or it is too long, and only then.

    Dialects: the longest word has 100 characters for Hugging Face, 200 for Google.
    """
    if is_plain(tokenizer, word):
        row = pieces(tokenizer, word)
        fails = greedy(tokenizer.vocab, word) is None or len(word) > tokenizer.max_word
        require((row == ["[UNK]"]) == fails and ("[UNK]" in row) == fails,
                f"the tokens of a word of {len(word)} characters", got=row, text=word,
                expected=Words("[UNK]" if fails else "pieces, none of them [UNK]"))


@law("T13", "tokenizer", EXACT,
     catches="a vocabulary read wrongly: spaces or line ends in entries, ids "
             "off by one, entries lost (H15)")
def words_of_the_vocabulary_are_themselves(tokenizer, word):
    """A word that the vocabulary has is one token."""
    plain = is_plain(tokenizer, word) or word.isalpha() and not tokenizer.lowercase
    if plain and word in tokenizer.vocab and unicodedata.is_normalized("NFC", word):
        same(pieces(tokenizer, word), [word], "the tokens", word)


@law("T25", "tokenizer", EXACT,
     catches="a quick search (a trie, a cache, many words at once) that finds "
             "other pieces than the plain loop (H17)")
def the_cut_is_greedy(tokenizer, words):
    """Every word is cut as the plain loop of the paper cuts it."""
    words = [word for word in words if is_plain(tokenizer, word)
             and len(word) <= min(tokenizer.max_word, 100)]
    expected = [token for word in words
                for token in greedy(tokenizer.vocab, word) or ["[UNK]"]]
    same(pieces(tokenizer, " ".join(words)), expected, "the tokens", " ".join(words))


# ---------------------------------------------------------------- back to the text

def is_kept_mark(tokenizer, char) -> bool:
    """Whether normalising keeps a combining mark."""
    return bool(unicodedata.combining(char) and tokenizer.normalize(char).strip())


@law("T15", "tokenizer", EXACT, needs=["offsets", "normalize"],
     catches="offsets in bytes or UTF-16, in the normalised text, shifted by "
             "dropped or added characters, off by one, and spans that shrink "
             "or cover a neighbour (H6)")
def offsets_point_into_the_text(tokenizer, text):
    """Offsets are in order, and what stands there is the piece once normalised."""
    row = tokenizer.encode(text, add_special_tokens=False)
    spans = [tuple(span) for span in row["offsets"]]
    same(len(spans), len(row["tokens"]), "the number of offsets", text)
    starts = [start for start, _ in spans]
    require(starts == sorted(starts) and all(0 <= a < b <= len(text) for a, b in spans),
            "the offsets", got=spans, text=text,
            expected=Words(f"in order, not empty, from 0 to {len(text)}"))
    if any(is_kept_mark(tokenizer, c) for c in unicodedata.normalize("NFD", text)):
        return                                  # they may change places
    for token, (start, end) in zip(row["tokens"], spans):
        there = text[start:end]
        if token not in tokenizer.special:
            # A character that becomes several is shared by its pieces.
            wide = any(len(tokenizer.normalize(c).strip()) > 1 for c in there)
            clean = tokenizer.normalize(there).strip()
            first = not token.startswith("##") or clean == token
            piece = bare(token, first)
            require(piece in clean if wide else piece == clean,
                    f"what stands at ({start}, {end})", got=clean, expected=piece,
                    text=text)


@law("T28", "tokenizer", EXACT, needs=["offsets"],
     catches="spans that miss letters or overlap, [UNK] that covers only a "
             "part of its word")
def offsets_cover_the_text(tokenizer, text):
    """In ASCII text every character that is not a space has exactly one token."""
    if text.isascii() and text.isprintable():
        spans = tokenizer.encode(text, add_special_tokens=False)["offsets"]
        covered = [i for start, end in spans for i in range(start, end)]
        same(covered, [i for i, c in enumerate(text) if c != " "],
             "the characters that the offsets cover", text)


@law("T29", "tokenizer", EXACT, needs=["word_ids"],
     catches="words counted per piece or across both texts, special tokens "
             "with a word")
def word_ids_number_the_words(tokenizer, text, pair):
    """In each text words count from 0; the pieces of a word share its number."""
    row = tokenizer.encode(text, pair)
    numbers, special = list(row["word_ids"]), row["special_tokens_mask"]
    same([n is None for n in numbers], [bool(s) for s in special],
         "the tokens without a word", (text, pair))
    last = None
    for token, n, before in zip(row["tokens"], numbers, [None, *numbers]):
        if n is None:
            last = None
            continue
        step = 0 if last is None else n - last
        good = n == 0 if last is None else step in (0, 1)
        if token.startswith("##") and last is not None and token != "##":
            good = good and step == 0
        require(good, "the words", got=numbers, text=(text, pair),
                expected=Words("0, 1, ... for each text; ## goes on with its word"))
        last = n


@law("T14", "tokenizer", EXACT, needs=["decode"],
     catches="decoding that keeps ##, joins words, drops or doubles tokens, or "
             "leaves special tokens in (D)")
def decoding_and_encoding_again(tokenizer, text):
    """Decoded ids, encoded again, are the same ids.

    Not where the text has unknown words, or where clean-up joins "do not" to "don't".
    """
    row = tokenizer.encode(text, add_special_tokens=False)
    tokens, ids = list(row["tokens"]), list(row["ids"])
    words = ["".join(bare(token, not i) for i, token in enumerate(word))
             for word in in_word(tokens)]
    if "[UNK]" in tokens or any(pieces(tokenizer, word) != group for word, group
                                in zip(words, in_word(tokens))):
        return                                  # a text that began with "##", say
    back = tokenizer.decode(ids)
    require("  " not in back and back == back.strip(), "the decoded text", got=back,
            expected=Words("single spaces, and none around it"), text=text)
    if not ("do" in words and "not" in words):
        same("".join(back.split()), "".join(words), "the letters of the decoded text",
             text)
        same(pieces(tokenizer, back), tokens, "the tokens of the decoded text", text)
    full = list(tokenizer.encode(text)["ids"])
    if not set(tokens) & set(tokenizer.special):
        same(tokenizer.decode(full, skip_special_tokens=True), back,
             "the decoded text without special tokens", text)


@law("T24", "tokenizer", EXACT, needs=["reload"],
     catches="settings that are not saved, such as lower-casing, and "
             "vocabularies that change on the way (H2, H15)")
def saving_and_loading(tokenizer, text):
    """A tokenizer that was saved and loaded does what it did before."""
    again = tokenizer.reload()
    same(dict(again.vocab), dict(tokenizer.vocab), "the vocabulary")
    same(again.encode(text), tokenizer.encode(text), "the encoding", text)
