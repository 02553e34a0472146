"""Laws of how a text becomes pieces: T1 to T13, T20 to T27, T32, T33.

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
NOT_IDEOGRAPHS = tuple("\ud55c\u304b\u30ab\u4dc0\u4dff\ua000\u33ff\u3105\U0001f600")
ACCENTS = tuple("\u0300\u0301\u0303\u0308\u030a\u0327\u0323"
                "\u05b4\u064b\u0951\u3099")
APART = (("\ufb01", "fi"), ("\uff41", "a"), ("\u2460", "1"), ("\xf8", "o"),
         ("\xdf", "ss"), ("\u0142", "l"), ("\xe6", "ae"), ("\xb2", "2"),
         ("\u0131", "i"),
         ("\u03b1", ""), ("\u044f", ""), ("\u5b57", ""), ("\u0939", ""))


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
        except NotImplementedError:         # the target does not have it
            raise
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
    if tokenizer.lowercase and not set(text) & set("\u03a3\u0130\u03c2\u1e9e"):
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


@law("T32", "tokenizer", EXACT,
     catches="NFKD or case folding for NFD and lower case, transliteration, letters "
             "of other scripts that are dropped")
def lookalikes_stay_apart(tokenizer, char, plain):
    """Characters that only look alike, such as a ligature and its letters, differ.

    char, plain: one of APART, as for the letters of other scripts and nothing.
    """
    row, other = pieces(tokenizer, char), pieces(tokenizer, plain)
    require(row != other or row == ["[UNK]"], "the tokens", got=row, text=char,
            expected=Words(f"others than those of {plain!r}"))


@law("T33", "tokenizer", DIALECT,
     catches="the sigma at the end of a Greek word lower-cased by another rule (H14)")
def sigma_is_lowered_by_the_dialect(tokenizer, word):
    """A sigma at the end of a word becomes the final sigma.

    Dialects: not in Hugging Face's Rust library, which lowers each letter alone.
    word: a word of Greek letters without accents.
    """
    if tokenizer.lowercase and word:
        last = "\u03c3" if tokenizer.dialect == "hf-fast" else "\u03c2"
        same(pieces(tokenizer, word + "\u03a3"), pieces(tokenizer, word + last),
             "the tokens", word + "\u03a3")


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
        require(len(alone) == 1, "the tokens", got=alone, text=char,
                expected=Words("one token"))
        same(pieces(tokenizer, given),
             pieces(tokenizer, before) + alone + pieces(tokenizer, after),
             "the tokens", given)
    elif char not in tokenizer.vocab:
        row = pieces(tokenizer, char + char)
        require(len(in_word(row)) == 1, "the tokens", got=row, text=char + char,
                expected=Words("one word"))


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
