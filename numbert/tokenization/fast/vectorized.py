"""The quick way for documents and large batches: some 100,000 characters at a time.

Comparing the kinds of neighbouring characters cuts such a block into words.  One
look-up in a hash table gives each word its number (lexicon.py).  Then the pieces of all
words are copied out.
"""

import threading

import numpy as np

from .letters import ALONE, INSIDE, ascii_letters, unicode_letters
from .lexicon import Lexicon

BLOCK = 1 << 17             # characters; they fit into the processor's cache


class Reader:
    """The two lexicons of one vocabulary: for text in ASCII, and for any text.

    Args:
        vocab: {piece: id}.
        options: dict of lowercase, accents and chinese_chars.
        solve, unknown: as for Lexicon.
    """

    def __init__(self, vocab, options, solve, unknown):
        self.vocab, self.options = vocab, options
        self.solve, self.unknown = solve, unknown
        self.lexicons: dict[bool, Lexicon] = {}
        self.lock = threading.Lock()        # a lexicon changes: one thread at a time

    def lexicon(self, is_ascii):
        """Return the lexicon for ASCII text or for any text."""
        if is_ascii not in self.lexicons:
            letters = (ascii_letters(self.options["lowercase"]) if is_ascii
                       else unicode_letters(self.vocab, **self.options))
            self.lexicons[is_ascii] = Lexicon(
                letters, self.vocab, self.solve, self.unknown)
        return self.lexicons[is_ascii]


def encode_many(reader, texts, offsets=True):
    """Return the pieces of texts without added tokens.

    Args:
        reader: a Reader.
        texts: a list of str.
        offsets: False for ids alone.

    Returns:
        [ids, starts, ends, words], each int32 (n,), or [ids] without offsets; and
        counts (B, 2), how many pieces and how many words each text has
    """
    counts = np.zeros((len(texts), 2), np.int64)
    columns = [np.zeros(0, np.int32) for _ in range(4 if offsets else 1)]
    used = 0
    for first, parts, at in blocks(reader, texts):
        with reader.lock:
            *block, new_counts = _encode_block(
                reader, parts, offsets, at, counts[first, 1])
        end = used + len(block[0])
        for column, new in zip(columns, block):
            if end > len(column):       # grows in place, without a second copy
                column.resize(end + end // 8, refcheck=False)
            column[used:end] = new
        used = end
        counts[first:first + len(parts)] += new_counts
    for column in columns:
        column.resize(used, refcheck=False)
    return columns, counts


def blocks(reader, texts):
    """Divide texts into blocks; yield (number of the first text, [text, ...], start).

    A block is a few short texts, or a part of a long one from character `start` on.
    """
    first, size = 0, 0
    for i, text in enumerate(texts):
        if size + len(text) > BLOCK and i > first:
            yield first, texts[first:i], 0
            first, size = i, 0
        if len(text) > BLOCK:
            start = 0
            while start < len(text):
                stop = cut_at(reader, text, start)
                yield i, [text[start:stop]], start
                start = stop
            first, size = i + 1, 0
        else:
            size += len(text) + 1
    if first < len(texts):
        yield first, texts[first:], 0


def cut_at(reader, text, start):
    """Return where a block of `text` that begins at `start` may end.

    It ends within BLOCK characters, after white space or a character that is a word by
    itself.  Only if there is none, it is longer.
    """
    stop, step = start + BLOCK, min(BLOCK, 1000)
    while stop < len(text):
        window = text[stop - step:stop]
        _, kinds = reader.lexicon(window.isascii()).letters.read(window)
        cuts = np.flatnonzero(kinds != INSIDE)
        if cuts.size:
            return stop - len(window) + int(cuts[-1]) + 1
        stop += step
    return len(text)


def find_words(kinds):
    """Find where words begin and end.  kinds (n,) -> starts (words,), ends (words,)"""
    inside = np.zeros(len(kinds) + 2, bool)
    inside[1:-1] = kinds == INSIDE
    alone = kinds == ALONE
    starts = np.flatnonzero(inside[1:-1] & ~inside[:-2] | alone)
    ends = np.flatnonzero(inside[1:-1] & ~inside[2:] | alone) + 1
    return starts, ends


def _encode_block(reader, parts, offsets, at, first_word):
    """Return ids, starts, ends and words of a block, then counts as `encode_many`.

    The first text may be the rest of a text, from its character `at` and its word
    `first_word` on.
    """
    text = " ".join(parts)
    lexicon = reader.lexicon(text.isascii())
    letters, kinds = lexicon.letters.read(text)
    starts, ends = find_words(kinds)                                # (words,)
    numbers = lexicon.look_up(text, letters, starts, ends)          # (words,)
    first, n_pieces, n_words = (column[numbers] for column in lexicon.words.columns)
    piece_ends, word_ends = _ends(n_pieces), _ends(n_words)         # (words + 1,)
    n_all = int(piece_ends[-1])

    lengths = np.fromiter(map(len, parts), np.int64, len(parts))
    origin = _ends(lengths + 1)[:-1]                                # (B,) of each text
    bounds = np.append(np.searchsorted(starts, origin), len(starts))    # (B + 1,) words
    counts = np.diff(np.stack([piece_ends[bounds], word_ends[bounds]], 1), axis=0)

    pieces = lexicon.pieces.columns
    where = np.repeat(first - piece_ends[:-1], n_pieces) + np.arange(n_all)
    ids = pieces[0][where]                                          # (pieces,)
    if not offsets:
        return ids, counts
    per_text = np.diff(bounds)
    place = starts + np.repeat(at - origin, per_text)
    word = word_ends[:-1] + np.repeat(first_word - word_ends[bounds[:-1]], per_text)
    place = np.repeat(place.astype(np.int32), n_pieces)
    word = np.repeat(word.astype(np.int32), n_pieces)
    return ids, pieces[1][where] + place, pieces[2][where] + place, \
        pieces[3][where] + word, counts


def _ends(counts):
    """Return 0, then where each of several runs ends.  (n,) -> (n + 1,) int64"""
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
