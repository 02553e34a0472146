"""Which pieces of each sample go into which output row.

A row is two slices of the flat pieces, one per text, around which the special tokens
are put later. Without truncation there is one row per sample.  With it, a text that is
too long is cut into windows of equal size; the first is the sample's row and the others
are its overflow.
"""

from typing import NamedTuple

import numpy as np

CONTINUES = "windows must move forward; take a smaller stride or a larger max_length."


class Rows(NamedTuple):
    """Output rows as slices of the flat pieces; R rows for B samples, R >= B."""
    sample: np.ndarray       # (R,) the sample a row comes from, ascending
    a: np.ndarray            # (R, 2) start and stop of the first text's pieces
    b: np.ndarray            # (R, 2) of the second text's; empty where there is none
    pair: np.ndarray         # (R,) bool, whether there is a second text
    main: np.ndarray         # (R,) bool, False for overflow


def added(pair):
    """How many special tokens a row gets: [CLS] a [SEP], or [CLS] a [SEP] b [SEP]."""
    return 2 + pair


def lengths_to_keep(a, b, room, strategy):
    """How many pieces of a pair of texts are kept, if they are too long together.

    Args:
        a, b: the lengths of the texts in pieces; b is None for a single text.
        room: the pieces that fit, special tokens not counted; a + b > room.
        strategy: "longest_first", "only_first" or "only_second".

    Returns:
        (kept of a, kept of b)

    Raises:
        ValueError: the text that is to be cut isn't long enough, or doesn't exist.
    """
    if strategy == "only_second" and b is None:
        raise ValueError("truncation='only_second' needs a second text in every "
                         "sample; pass text_pair, or take 'only_first'.")
    if room == 0:
        return 0, 0
    if b is None:
        return room, 0
    excess = a + b - room
    if strategy != "longest_first":
        length = a if strategy == "only_first" else b
        if length <= excess:
            raise ValueError(
                f"truncation={strategy!r} can't make a sample of {a} + {b} pieces fit "
                f"into {room}: {excess} must go, but that text has only {length}; take "
                "'longest_first', or a larger max_length.")
        return (a - excess, b) if strategy == "only_first" else (a, b - excess)
    # Shorten the longer text down to the shorter one, then both alike.  HF: of an odd
    # number of pieces the originally longer text gets the odd one, and on a tie the
    # second.
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
        list of (start, stop), the first of them the row to keep and the rest its
        overflow

    Raises:
        ValueError: stride >= keep in a text that must be cut.
    """
    if stop - start <= keep:
        return [(start, stop)]
    if keep == 0:       # HF: nothing is kept, and the overflow is the whole text
        return [(start, start), (start, stop)]
    if stride >= keep:
        raise ValueError(f"stride={stride} is not less than the number of pieces that "
                         f"are kept of a text, {keep}: {CONTINUES}")
    step = keep - stride
    count = -(-(stop - start - keep) // step) + 1       # up to the far end
    if side == "right":
        return [(first, min(first + keep, stop))
                for first in range(start, start + count * step, step)]
    return [(max(last - keep, start), last)
            for last in range(stop, stop - count * step, -step)]


def sample_windows(a, b, room, options):
    """The windows of one sample as pairs of slices: the row to keep, then the overflow.

    Args:
        a, b: (start, stop) of its texts' pieces; b is None for a single text.
        room: pieces that fit.
        options: Options.

    Returns:
        list of (a slice, b slice); b's is (0, 0) for a single text
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
    if options.overflow:      # HF: every overflow of one text with all of the other
        rows += [(x, y) for x in rest_a for y in [first_b, *rest_b]]
        rows += [(first_a, y) for y in rest_b]
    return rows


def plan(a, b, pair, options):
    """Cut all samples of a batch into rows.

    Args:
        a, b: (B, 2) each sample's slices of the flat pieces.
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
    """The pieces that fit into a row beside its special tokens.

    Raises:
        ValueError: max_length can't even hold the special tokens, or stride is too
            large.
    """
    specials = added(bool(pair)) if options.add_special_tokens else 0
    room = options.max_length - specials
    if room < 0:
        raise ValueError(
            f"max_length={options.max_length} has no room for the {specials} special "
            f"tokens; take at least {specials}, or add_special_tokens=False.")
    if options.stride > max(options.max_length - 2, 0):     # HF: special tokens or not
        raise ValueError(f"stride={options.stride} is too large for max_length="
                         f"{options.max_length}: {CONTINUES}")
    return room
