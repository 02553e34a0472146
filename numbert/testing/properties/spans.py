"""Laws T14, T15, T24, T28 and T29: the way back, from pieces to the text.

See `targets.TokenizerTarget` for what `tokenizer` is.
"""

from __future__ import annotations

import unicodedata

from .laws import EXACT, Words, law, require, same
from .tokenizer import bare, in_word, pieces


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
    pair = tokenizer.encode("a b", text)
    second = [tuple(span) for span, which in zip(pair["offsets"], pair["sequence_ids"])
              if which == 1]
    same(second, spans, "the offsets of the text as the second of a pair", text)
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
