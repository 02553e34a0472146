"""The quick way for a sentence: remember the pieces of every word.

White space, punctuation and CJK characters are barriers: no step of the normaliser
looks across them.  So the text between two barriers always has the same pieces, and a
dict from such texts to their pieces gives the same result as `encode_plain`.
"""

import unicodedata
from itertools import groupby
from typing import NamedTuple

import numpy as np

from ..definition.tables import (CJK, MARK, MN, NFD, PUNCT, REMOVED, SPACE, SPACES,
                                 flags, frozen_flags)

# Both limits together keep the cache below some 50 MB.
MAX_WORDS = 1 << 16         # a cache of this many words is emptied
MAX_KEY = 64                # longer words are not remembered
GIANT = 1000                # characters; such a word is handled as an array
TO_SPACE = dict.fromkeys(SPACES, " ")


class Word(NamedTuple):
    """The pieces of a stretch of text; offsets and words count from its start."""

    ids: list[int]
    pieces: list[tuple[int, int, int, int]]     # (id, start, end, number of the word)
    n_words: int


def as_word(ids, starts, ends, words):
    """Make a Word of the four lists that `encode_one` returns."""
    return Word(ids, list(zip(ids, starts, ends, words)), words[-1] + 1 if words else 0)


class WordCache(dict):
    """A dict {stretch of text without white space: Word}, filled when asked.

    Args:
        solve: function text -> its pieces, four lists.
        barriers: the flags of the characters that are words by themselves.
        lowercase: whether to lower-case ASCII text before looking it up.
    """

    def __init__(self, solve, barriers, lowercase):
        super().__init__()
        self.solve, self.barriers, self.lowercase = solve, barriers, lowercase

    def __missing__(self, text):
        parts = ["".join(group) for _, group in groupby(text, self._part_key)]
        if len(parts) < 2:
            word = as_word(*self.solve(text))
        else:
            word = as_word(*self.join(parts, gap=0))
        if len(self) >= MAX_WORDS:
            self.clear()
        if len(text) <= MAX_KEY:
            self[text] = word
        return word

    def _part_key(self, char):
        """Return equal keys for neighbours in one part; a barrier is its own part."""
        return object() if flags(char) & self.barriers else None

    def encode(self, text, offsets=True):
        """Encode a text without added tokens; return the lists of `encode_one`."""
        if self.lowercase and text.isascii():
            text = text.lower()
        if not text.isprintable():      # a quick sign that there is no space but " "
            text = text.translate(TO_SPACE)
        if offsets:
            return self.join(text.split(" "), gap=1)
        ids: list[int] = []
        for part in text.split(" "):
            ids += self[part].ids
        return ids, None, None, None

    def join(self, parts, gap):
        """Return the four lists of `parts` with `gap` characters between them."""
        ids: list[int] = []
        starts: list[int] = []
        ends: list[int] = []
        words: list[int] = []
        at = number = 0
        for part in parts:
            part_ids, pieces, n_words = self[part]
            ids += part_ids
            for _, start, end, word in pieces:
                starts.append(at + start)
                ends.append(at + end)
                words.append(number + word)
            at += len(part) + gap
            number += n_words
        return ids, starts, ends, words


def solver(encode_plain, unknown, accents):
    """Return the function that cuts a new word: text -> its pieces, four lists.

    Args:
        encode_plain: the definition, a function of a text.
        unknown: function word -> the id of the unknown token.
        accents: whether accents are stripped.
    """
    def solve(text):
        if len(text) >= GIANT:
            return _giant(text, encode_plain, unknown, accents)
        return encode_plain(text)
    return solve


def _giant(text, encode_plain, unknown, accents):
    """Encode a very long word without a Python object for each character."""
    codes = np.frombuffer(text.encode("utf-32-le"), "<u4")
    kinds = np.frombuffer(frozen_flags(), np.uint8)[codes]
    drop = REMOVED | MN if accents else REMOVED
    if (kinds & (MARK | SPACE | PUNCT | CJK)).any() or _some_become_words(codes, kinds):
        return encode_plain(text)
    kept = np.flatnonzero((kinds & drop) == 0)
    if len(kept) > 100:
        first, last = int(kept[0]), int(kept[-1])
        return [unknown(text[first:])], [first], [last + 1], [0]
    ids, starts, ends, words = encode_plain("".join(text[i] for i in kept))
    return (ids, [int(kept[i]) for i in starts], [int(kept[i - 1]) + 1 for i in ends],
            words)


def _some_become_words(codes, kinds):
    """Whether a character decomposes into one that splits a word or is dropped."""
    for code in np.unique(codes[kinds & NFD > 0]).tolist():
        parts = unicodedata.normalize("NFD", chr(code))
        if flags(parts[0]) & MN or any(flags(c) & (MARK | PUNCT) for c in parts):
            return True
    return False
