"""Text as arrays of letters, ready to be cut into words and looked up.

A letter is a small number.  It stands for all characters that the normaliser turns
into the same one: "E", "e" and "é" are one letter of an uncased vocabulary.  Words with
the same letters have the same pieces at the same places, so a word is cut only once,
however it is written.
"""

import unicodedata

import numpy as np

from ..definition.tables import (CJK, CODE_POINTS, LOWER, MARK, MN, NFD, PUNCT, REMOVED,
                                 SPACE, frozen_flags, lower_map)
from .keytable import MAX_LETTERS

GAP, INSIDE, ALONE = 0, 1, 2        # white space; part of a word; a word by itself
PAD = MAX_LETTERS + 8               # zeros after the last letter, which `pack` may read
# A two-byte letter is a code point.  No text has surrogates, so theirs can mean more.
HARD, HARD_ALONE = 0xD800, 0xD801           # needs more than two bytes
UNKNOWN, UNKNOWN_ALONE = 0xD802, 0xD803     # one character, not in the vocabulary
DROPPED = 0xD804                            # removed by `clean`
NOTHING_ABOVE = 0x30000     # code points from here on are unknown, dropped, or marks


class Letters:
    """How characters become letters.

    Args:
        table: the letter of each code point, uint8 (256,) or uint16 (1114112,).
        kinds: GAP, INSIDE or ALONE for each letter, uint8.
        simple: for each letter, whether all its characters become exactly it, bool.
    """

    def __init__(self, table, kinds, simple):
        self.table, self.kinds, self.simple = table, kinds, simple
        self.dtype = table.dtype

    def read(self, text):
        """Return the letters of a text, then PAD zeros, and the kind of each character.

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
    """Return the Letters for ASCII text, one byte each."""
    flags = np.frombuffer(frozen_flags(), np.uint8)[:128]
    table = np.arange(256).astype(np.uint8)
    if lowercase:
        table[:128] = np.frombuffer(bytes(range(128)).lower(), np.uint8)
    kinds = _kinds(flags, PUNCT)
    table[:128][flags & REMOVED > 0] = 0xFF     # not 0, which ends a word
    kinds = np.concatenate([kinds, np.full(128, INSIDE, np.uint8)])
    return Letters(table, kinds, np.arange(256) < 128)


def unicode_letters(vocab, lowercase, accents, chinese_chars):
    """Return the Letters for any text, two bytes each.

    Args:
        vocab: {piece: id}.
        lowercase, accents, chinese_chars: the normaliser's options.
    """
    alphabet = np.array(sorted(set(map(ord, "".join(vocab)))), np.intp)
    all_flags = np.frombuffer(frozen_flags(), np.uint8)
    size = NOTHING_ABOVE if alphabet.max(initial=0) < NOTHING_ABOVE else CODE_POINTS
    flags = all_flags[:size]
    kinds = _kinds(flags, PUNCT | CJK if chinese_chars else PUNCT)
    alone = kinds == ALONE
    to = np.arange(size, dtype=np.uint32)       # what the character becomes,
    simple = flags & REMOVED == 0               # if it becomes one character
    if accents:
        simple &= flags & (MN | MARK | NFD) == 0
    for code, target in _single_changes(flags, lowercase, accents):
        simple[code] = target is not None and kinds[target] == kinds[code]
        to[code] = target if simple[code] else code
    known = np.zeros(size, bool)
    known[alphabet] = True

    table = np.full(CODE_POINTS, UNKNOWN, np.uint16)
    low = table[:size]
    low[:] = to
    low[to > 0xFFFF] = HARD + alone[to > 0xFFFF]
    strange = simple & ~known[to] & (kinds != GAP)
    low[strange] = UNKNOWN + alone[strange]
    table[size:][all_flags[size:] & MN > 0] = HARD
    table[all_flags & REMOVED > 0] = DROPPED

    kind_of = kinds[:0x10000].copy()
    kind_of[[HARD, UNKNOWN, DROPPED]] = INSIDE
    kind_of[[HARD_ALONE, UNKNOWN_ALONE]] = ALONE
    letter_is_simple = np.zeros(0x10000, bool)
    letter_is_simple[low[simple]] = True
    letter_is_simple[[HARD, HARD_ALONE]] = False
    return Letters(table, kind_of, letter_is_simple)


def _kinds(flags, alone):
    """Return GAP, INSIDE or ALONE by flags; a character with `alone` is a word."""
    kinds = np.full(len(flags), INSIDE, np.uint8)
    kinds[flags & alone > 0] = ALONE
    kinds[flags & SPACE > 0] = GAP
    return kinds


def _single_changes(flags, lowercase, accents):
    """Yield (code, the code that it becomes) for each character that changes.

    The second is None if it becomes several characters.  Marks are left out, because
    their neighbours decide what becomes of them.
    """
    lowers = lower_map() if lowercase else {}
    changing = flags & ((NFD if accents else 0) | (LOWER if lowercase else 0)) > 0
    changing[0xAC00:0xD7A4] = False             # Hangul syllables become two or three
    for code in np.flatnonzero(changing).tolist():
        if accents and flags[code] & (MN | MARK):
            continue
        if accents and flags[code] & NFD:
            parts = unicodedata.normalize("NFD", chr(code))
            first = parts[0]
            stays = [part for part in parts[1:] if not flags[ord(part)] & MN]
            if stays:
                yield code, None
                continue
        else:
            first = chr(code)
        last = lowers.get(ord(first), first)
        yield code, ord(last) if len(last) == 1 else None
