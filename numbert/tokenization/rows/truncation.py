"""Truncation: which pieces of each sample go into which row.

A row is two slices of the flat pieces, one for each text; the special tokens are put
around them later.  Without truncation there is one row per sample.  With it, a text
that is too long is cut into windows of equal size.  The first window is the sample's
row, and the others are its overflow.
"""

from typing import NamedTuple

import numpy as np

SMALLER = "pass a smaller stride or a larger max_length"


class Rows(NamedTuple):
    """Output rows as slices of the flat pieces; R rows for B samples, R >= B."""
    sample: np.ndarray       # (R,) the sample that a row comes from, ascending
    a: np.ndarray            # (R, 2) start and stop of the first text's pieces
    b: np.ndarray            # (R, 2) of the second text's; empty where there is none
    pair: np.ndarray         # (R,) bool, whether there is a second text
    main: np.ndarray         # (R,) bool, False for overflow


def added(pair):
    """Count the special tokens of a row: [CLS] a [SEP], or [CLS] a [SEP] b [SEP]."""
    return 2 + pair


def lengths_to_keep(a, b, room, strategy):
    """Return how many pieces of each text to keep, if together they are too long.

    Args:
        a, b: the lengths of the texts in pieces; b is None for a single text.
        room: the pieces that fit, special tokens not counted; a + b > room.
        strategy: "longest_first", "only_first" or "only_second".

    Returns:
        (pieces of a, pieces of b)

    Raises:
        ValueError: the text to be cut is not long enough, or there is none.
    """
    if strategy == "only_second" and b is None:
        raise ValueError("truncation is 'only_second', expected a second text in every "
                         "sample: pass text_pair, or truncation='only_first'")
    if room == 0:
        return 0, 0
    if b is None:
        return room, 0
    excess = a + b - room
    if strategy != "longest_first":
        length = a if strategy == "only_first" else b
        if length <= excess:
            raise ValueError(
                f"the length of the text to cut is {length}, expected more than "
                f"{excess}, to fit {a} + {b} pieces into {room} with "
                f"truncation={strategy!r}: pass truncation='longest_first', or a "
                "larger max_length")
        return (a - excess, b) if strategy == "only_first" else (a, b - excess)
    # Shorten the longer text until both are equally long, then both alike.  HF: if the
    # room is odd, the text that was longer keeps one piece more; on a tie the second.
    short, long = min(a, b), max(a, b)
    long = max(short, room - short)
    if short + long > room:
        short, long = room // 2, room - room // 2
    return (long, short) if a > b else (short, long)


def windows(start, stop, keep, stride, side):
    """Cut pieces start:stop into windows of `keep` pieces that overlap by `stride`.

    Args:
        start, stop: the text's slice of the pieces.
        keep: pieces per window.
        stride: pieces that a window shares with the one before, less than keep.
        side: "right" counts windows from the start of the text, "left" from its end.

    Returns:
        list of (start, stop): first the row to keep, then its overflow

    Raises:
        ValueError: stride >= keep in a text that must be cut.
    """
    if stop - start <= keep:
        return [(start, stop)]
    if keep == 0:       # HF: nothing is kept, and the overflow is the whole text
        return [(start, start), (start, stop)]
    if stride >= keep:
        raise ValueError(f"stride is {stride}, expected less than {keep}, the pieces "
                         f"in a window of this text: {SMALLER}")
    step = keep - stride
    count = -(-(stop - start - keep) // step) + 1       # up to the far end
    if side == "right":
        return [(first, min(first + keep, stop))
                for first in range(start, start + count * step, step)]
    return [(max(last - keep, start), last)
            for last in range(stop, stop - count * step, -step)]


def sample_windows(a, b, room, options):
    """Cut one sample into windows: first the row to keep, then its overflow.

    Args:
        a, b: (start, stop) of its texts' pieces; b is None for a single text.
        room: the pieces that fit.
        options: Options.

    Returns:
        list of (slice of a, slice of b); a single text has (0, 0) for b
    """
    size_a, size_b = a[1] - a[0], None if b is None else b[1] - b[0]
    if size_a + (size_b or 0) <= room:
        return [(a, b or (0, 0))]
    keep_a, keep_b = lengths_to_keep(size_a, size_b, room, options.truncation)
    side, stride = options.truncation_side, options.stride
    first_a, *rest_a = windows(a[0], a[1], keep_a, stride, side)
    first_b, *rest_b = [(0, 0)]
    if b is not None:
        first_b, *rest_b = windows(b[0], b[1], keep_b, stride, side)
    rows = [(first_a, first_b)]
    # HF: each overflow window of one text is paired with all windows of the other.
    if options.overflow:
        rows += [(x, y) for x in rest_a for y in [first_b, *rest_b]]
        rows += [(first_a, y) for y in rest_b]
    return rows


def plan(a, b, pair, options):
    """Cut all samples of a batch into rows.

    Args:
        a, b: (B, 2), each sample's slices of the flat pieces.
        pair: (B,) bool, whether there is a second text.
        options: Options.

    Returns:
        Rows

    Raises:
        ValueError: see `room_for` and `lengths_to_keep`.
    """
    count = len(a)
    sample, main = np.arange(count), np.ones(count, bool)
    if options.truncation is None:
        return Rows(sample, a, b, pair, main)
    rooms = [room_for(options, False), room_for(options, pair.any())]
    room = np.array(rooms)[pair.astype(int)]                 # (B,)
    a, b = a.copy(), b.copy()
    overflow = []                                           # (sample, a slice, b slice)
    too_long = (a[:, 1] - a[:, 0]) + (b[:, 1] - b[:, 0]) > room
    for i in np.flatnonzero(too_long).tolist():
        first, second = tuple(a[i].tolist()), tuple(b[i].tolist())
        (a[i], b[i]), *rest = sample_windows(
            first, second if pair[i] else None, int(room[i]), options)
        overflow += [(i, *slices) for slices in rest]
    if not overflow:
        return Rows(sample, a, b, pair, main)
    extra, extra_a, extra_b = (np.array(column) for column in zip(*overflow))
    sample = np.concatenate([sample, extra])
    order = np.argsort(sample, kind="stable")  # a sample, then its overflow
    return Rows(sample[order], np.concatenate([a, extra_a])[order],
                np.concatenate([b, extra_b])[order], pair[sample[order]], order < count)


def room_for(options, pair):
    """Return how many pieces fit into a row beside its special tokens.

    Raises:
        ValueError: max_length is too small for the special tokens, or stride is too
            large.
    """
    specials = added(bool(pair)) if options.add_special_tokens else 0
    room = options.max_length - specials
    if room < 0:
        raise ValueError(
            f"max_length is {options.max_length}, expected at least {specials}, the "
            "number of special tokens: pass more, or add_special_tokens=False")
    most = max(options.max_length - 2, 0)       # HF: with special tokens or without
    if options.stride > most:
        raise ValueError(f"stride is {options.stride}, expected at most {most} with "
                         f"max_length={options.max_length}: {SMALLER}")
    return room
