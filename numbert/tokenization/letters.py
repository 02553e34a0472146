"""Text as arrays of letters, ready to be cut into words and looked up.

A letter is a small number that stands for a character and for all others that the
normaliser turns into the same one: "E", "e" and "é" are one letter of an uncased
vocabulary.  Words of the same letters have the same pieces at the same places, so a word
has to be solved once only, however it is written.
"""

import unicodedata

import numpy as np

from .keytable import MAX_LETTERS
from .tables import (
    CJK, CODE_POINTS, LOWER, MARK, MN, NFD, PUNCT, REMOVED, SPACE, frozen_flags, lower_map)

GAP, INSIDE, ALONE = 0, 1, 2        # white space; part of a word; a word by itself
PAD = MAX_LETTERS + 8               # zeros after the last letter, which `pack` may read
# Two-byte letters are code points; those of surrogates, which no text has, are free.
HARD, HARD_ALONE = 0xD800, 0xD801           # needs more than a two-byte letter
UNKNOWN, UNKNOWN_ALONE = 0xD802, 0xD803     # one character, not in the vocabulary
DROPPED = 0xD804                            # removed by `clean`


class Letters:
    """How characters become letters.

    Args:
        table: letter of each code point, uint8 (256,) or uint16 (1114112,).
        kinds: GAP, INSIDE or ALONE for each letter, uint8.
        simple: for each letter, is it what the normaliser makes of it?  bool.
    """

    def __init__(self, table, kinds, simple):
        self.table, self.kinds, self.simple = table, kinds, simple
        self.dtype = table.dtype

    def read(self, text):
        """The letters of `text`, PAD zeros behind them, and the kind of each character.

        -> letters (len(text) + PAD,) uint8 or uint16, kinds (len(text),) uint8
        """
        if self.dtype == np.uint8:
            raw = text.encode("ascii")
            letters = raw.translate(self.table.tobytes()) + bytes(PAD)
            kinds = raw.translate(self.kinds[self.table].tobytes())
            return np.frombuffer(letters, np.uint8), np.frombuffer(kinds, np.uint8)
        codes = np.frombuffer(text.encode("utf-32-le"), "<u4")
        letters = np.zeros(len(codes) + PAD, np.uint16)
        letters[:len(codes)] = self.table[codes]
        return letters, self.kinds[letters[:len(codes)]]


def ascii_letters(lowercase):
    """Letters for text in ASCII: one byte each."""
    flags = np.frombuffer(frozen_flags(), np.uint8)[:128]
    table = np.arange(256).astype(np.uint8)
    if lowercase:
        table[:128] = np.frombuffer(bytes(range(128)).lower(), np.uint8)
    kinds = _kinds(flags, PUNCT)
    table[:128][flags & REMOVED > 0] = 0xFF     # not 0, which ends a word
    kinds = np.concatenate([kinds, np.full(128, INSIDE, np.uint8)])
    return Letters(table, kinds, np.arange(256) < 128)


def unicode_letters(vocab, lowercase, accents, chinese_chars):
    """Letters for any text: two bytes each.

    Args:
        vocab: {piece: id}.
        lowercase, accents, chinese_chars: the normaliser's options.
    """
    flags = np.frombuffer(frozen_flags(), np.uint8)
    kinds = _kinds(flags, PUNCT | CJK if chinese_chars else PUNCT)
    codes = np.arange(CODE_POINTS, dtype=np.uint32)
    to = codes.copy()                           # what the character becomes,
    simple = flags & REMOVED == 0               # if it becomes one character
    if accents:
        simple &= flags & (MN | MARK | NFD) == 0
    for code, target in _single_changes(flags, lowercase, accents):
        same_kind = target is not None and kinds[target] == kinds[code]
        simple[code] = same_kind
        to[code] = target if same_kind else code
    known = np.zeros(CODE_POINTS, bool)
    known[np.array(sorted(set(map(ord, "".join(vocab)))), np.intp)] = True
    table = to.astype(np.uint16)
    alone = kinds == ALONE
    hard = to > 0xFFFF
    table[hard] = HARD + alone[hard]
    strange = simple & ~known[to] & (kinds != GAP)
    table[strange] = UNKNOWN + alone[strange]
    table[flags & REMOVED > 0] = DROPPED
    kind_of = kinds[:0x10000].copy()
    kind_of[[HARD, UNKNOWN, DROPPED]] = INSIDE
    kind_of[[HARD_ALONE, UNKNOWN_ALONE]] = ALONE
    return Letters(table, kind_of, _simple_letters(table, simple))


def _kinds(flags, alone):
    """GAP, INSIDE or ALONE by flags; `alone` is what makes a character a word."""
    kinds = np.full(len(flags), INSIDE, np.uint8)
    kinds[flags & alone > 0] = ALONE
    kinds[flags & SPACE > 0] = GAP
    return kinds


def _single_changes(flags, lowercase, accents):
    """(code, code that it becomes, None if that is not a single one) where it changes.

    Marks are left out: what becomes of them depends on the marks around them.
    """
    lowers = lower_map() if lowercase else {}
    changing = flags & ((NFD if accents else 0) | (LOWER if lowercase else 0)) > 0
    changing[0xAC00:0xD7A4] = False             # Hangul syllables become two or three
    for code in np.flatnonzero(changing).tolist():
        if accents and flags[code] & (MN | MARK):
            continue
        if accents and flags[code] & NFD:
            first, *marks = unicodedata.normalize("NFD", chr(code))
            rest_goes = all(flags[ord(mark)] & MN for mark in marks)
            if not rest_goes or flags[ord(first)] & (MN | MARK):
                yield code, None
                continue
        else:
            first = chr(code)
        last = lowers.get(ord(first), first)
        yield code, ord(last) if len(last) == 1 else None


def _simple_letters(table, simple):
    """For each two-byte letter, do only characters that become it have it?"""
    out = np.zeros(0x10000, bool)
    out[table[simple]] = True
    out[[HARD, HARD_ALONE]] = False
    return out
