"""From pieces to what a model reads: special tokens, padding, one column per output.

The pieces of all texts lie in flat arrays.  Three slots are appended to them, for
[CLS], [SEP] and [PAD].  `layout` says which slot each position of each row shows, so
every output is one look-up: ids, offsets and word indices are table[slots].
"""

from typing import NamedTuple

import numpy as np

CLS, SEP, PAD = 0, 1, 2            # slots, counted from the end of the pieces
NO_WORD = -1                       # the word index of a special token


class Layout(NamedTuple):
    """What each position shows; N positions in all, row after row."""
    slots: np.ndarray              # (N,) a piece, or n + CLS, n + SEP, n + PAD
    types: np.ndarray              # (N,) 0 in the first segment and padding, else 1
    splits: np.ndarray             # (R + 1,) row r owns splits[r]:splits[r + 1]
    n: int                         # the number of pieces


class Tables(NamedTuple):
    """What each slot holds: the n pieces, then the three special slots."""
    ids: np.ndarray                # (n + 3,)
    starts: np.ndarray             # (n + 3,)
    ends: np.ndarray               # (n + 3,)
    words: np.ndarray              # (n + 3,)  NO_WORD for the special slots


def tables(pieces, special_ids):
    """Append the slots of [CLS], [SEP] and [PAD] to the pieces.

    Args:
        pieces: Pieces; a column that is None stays None.
        special_ids: the ids of [CLS], [SEP] and [PAD].
    """
    def extend(column, tail):
        return None if column is None else np.concatenate(
            [column, np.array(tail, column.dtype)])

    return Tables(extend(pieces.ids, special_ids), extend(pieces.starts, [0, 0, 0]),
                  extend(pieces.ends, [0, 0, 0]), extend(pieces.words, [NO_WORD] * 3))


def layout(rows, n, options):
    """Put special tokens and padding around the texts of every row.

    A row is seven segments, (pads) [CLS] a [SEP] b [SEP] (pads), some of length 0.

    Args:
        rows: Rows.
        n: the number of pieces.
        options: Options.

    Returns:
        Layout
    """
    count = len(rows.sample)
    cls, sep, pad = n + CLS, n + SEP, n + PAD
    starts = np.tile([pad, cls, 0, sep, 0, sep, pad], (count, 1))             # (R, 7)
    starts[:, 2], starts[:, 4] = rows.a[:, 0], rows.b[:, 0]
    sizes = np.zeros_like(starts)                                             # (R, 7)
    sizes[:, 2] = rows.a[:, 1] - rows.a[:, 0]
    sizes[:, 4] = rows.b[:, 1] - rows.b[:, 0]
    if options.add_special_tokens:
        sizes[:, [1, 3]], sizes[:, 5] = 1, rows.pair
    if options.padding is not None:
        lengths = sizes.sum(1)
        pads = width(lengths[rows.main].max(), options) - lengths
        sizes[:, 6 if options.padding_side == "right" else 0] = np.maximum(pads, 0)
    sizes, ends = sizes.ravel(), sizes.cumsum()                               # (7 R,)
    # Four bytes are quicker than eight, and enough for less than 2 billion tokens.
    small = np.int32 if ends[-1] + n < 2**31 else np.int64
    shifts = (starts.ravel() - (ends - sizes)).astype(small)                  # (7 R,)
    slots = np.arange(ends[-1], dtype=small)                                  # (N,)
    slots += np.repeat(shifts, sizes)
    np.minimum(slots, pad, out=slots)                            # all pads: one slot
    segments = np.tile(np.array([0, 0, 0, 0, 1, 1, 0], np.int8), count)       # (7 R,)
    types = np.repeat(segments, sizes)                                        # (N,)
    return Layout(slots, types, np.concatenate([[0], ends[6::7]]), n)


def width(longest, options):
    """Return the width of padded rows; rows that are longer stay as they are.

    Args:
        longest: the length of the longest row that is not overflow.
        options: Options.
    """
    wide = options.max_length if options.padding == "max_length" else longest
    multiple = options.pad_to_multiple_of or 1
    return -(-wide // multiple) * multiple


def columns(table, place, keys):
    """Return the flat values of each output.

    Args:
        table: Tables.
        place: Layout.
        keys: the names of the outputs, in order.

    Returns:
        dict of name -> (N,), or (N, 2) for "offset_mapping"
    """
    make = {
        "input_ids": lambda: table.ids[place.slots],
        "token_type_ids": lambda: place.types,
        "attention_mask": lambda: place.slots != place.n + PAD,
        "special_tokens_mask": lambda: place.slots >= place.n,
        "offset_mapping": lambda: np.stack([table.starts[place.slots],
                                            table.ends[place.slots]], axis=1),
    }
    return {key: make[key]().astype(np.int64, copy=False) for key in keys}


def as_arrays(flat, splits):
    """Cut flat values into rows; (N, ...) -> (R, T, ...), or (R,) of unequal arrays."""
    sizes = np.diff(splits)
    if (sizes == sizes[0]).all():
        return flat.reshape(len(sizes), sizes[0], *flat.shape[1:])
    out = np.empty(len(sizes), object)
    for r, row in enumerate(np.split(flat, splits[1:-1])):
        out[r] = row
    return out


def as_lists(flat, splits):
    """Cut flat values into rows of Python numbers, or of tuples for (N, 2)."""
    values = flat.tolist() if flat.ndim == 1 else list(zip(*flat.T.tolist()))
    bounds = splits.tolist()
    return [values[start:stop] for start, stop in zip(bounds, bounds[1:])]


class OneRow:
    """The outputs of one row as lists: for few tokens, lists are quicker than arrays.

    Args:
        parts: one or two texts as (ids, starts, ends, words), four lists.
        special_ids: the ids of [CLS], [SEP] and [PAD].
        options: Options.
    """

    def __init__(self, parts, special_ids, options):
        self.a = parts[0]
        self.b = parts[1] if len(parts) == 2 else None
        self.special_ids = special_ids
        self.add_special_tokens = options.add_special_tokens
        self.pad_left = options.padding_side == "left"
        self.size = sum([len(part[0]) for part in parts])
        if options.add_special_tokens:
            self.size += 1 + len(parts)
        self.pads = 0

    def pad(self, wide):
        """Pad the row to `wide` tokens if it is shorter, and return it."""
        self.pads = max(wide - self.size, 0)
        self.size += self.pads
        return self

    def column(self, name):
        """Return an output, or starts, ends, word_ids, sequence_ids, as a list."""
        a, b = self.a, self.b
        if name == "input_ids":
            cls, sep, pad = self.special_ids
            return self._frame(a[0], b and b[0], cls, sep, sep, pad)
        if name == "starts":
            return self._frame(a[1], b and b[1], 0, 0, 0, 0)
        if name == "ends":
            return self._frame(a[2], b and b[2], 0, 0, 0, 0)
        if name == "offset_mapping":
            return list(zip(self.column("starts"), self.column("ends")))
        if name == "word_ids":
            return self._frame(a[3], b and b[3], *[None] * 4)
        text_a, text_b, *special = MARKS[name]
        return self._frame([text_a] * len(a[0]), b and [text_b] * len(b[0]), *special)

    def _frame(self, a, b, cls, sep_a, sep_b, pad):
        """Return (pads) [CLS] a [SEP] b [SEP] (pads), given what stands for each."""
        special = self.add_special_tokens
        row = [cls, *a, sep_a] if special else list(a)
        if b is not None:
            row += b
            if special:
                row.append(sep_b)
        if not self.pads:
            return row
        pads = [pad] * self.pads
        return pads + row if self.pad_left else row + pads


# The values for a, b, [CLS], the [SEP] after a, the [SEP] after b, and [PAD].
MARKS = {
    "token_type_ids": (0, 1, 0, 0, 1, 0),
    "attention_mask": (1, 1, 1, 1, 1, 0),
    "special_tokens_mask": (0, 0, 1, 1, 1, 1),
    "sequence_ids": (0, 1, None, None, None, None),
}
