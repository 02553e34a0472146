"""An exact hash table on NumPy arrays, which looks up thousands of words at once.

A key is a word of up to 32 letters, packed into unsigned 64-bit numbers: `pack` reads
8 letters of one byte, or 4 of two bytes, as one number.  Whole keys are compared, so
two words are never mixed up.  The table uses open addressing with linear probing
(Knuth, The Art of Computer Programming, volume 3, section 6.4, algorithm L), and takes
each step for all keys that still need it.
"""

import numpy as np

MAX_LETTERS = 32
MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)      # 2**64 / golden ratio: Knuth, 6.4


def widths(dtype):
    """Return how many 64-bit numbers a key may take, for letters of this dtype."""
    per_number = 8 // np.dtype(dtype).itemsize
    return tuple(w for w in (1, 2, 4, 8) if w * per_number <= MAX_LETTERS)


def width_of(lengths, dtype):
    """Return the width of each word's key, 0 for a word that is too long.

    lengths (n,) -> out (n,)
    """
    per_number = 8 // np.dtype(dtype).itemsize
    by_length = np.zeros(MAX_LETTERS + 2, np.int8)
    for width in reversed(widths(dtype)):
        by_length[1:width * per_number + 1] = width
    return by_length[np.minimum(lengths, MAX_LETTERS + 1)]


def pack(letters, starts, lengths, width):
    """Return the keys of words, `width` arrays (n,) of uint64.

    Args:
        letters: (m,), uint8 or uint16; no letter is 0, and MAX_LETTERS + 8 zeros follow
            the last word.
        starts, lengths: (n,); word i is letters[starts[i]:starts[i] + lengths[i]].
        width: of the keys.
    """
    size = letters.dtype.itemsize
    per_number = 8 // size
    masks = np.array([(1 << 8 * size * n) - 1 for n in range(per_number + 1)],
                     np.uint64)
    # numbers[i] is the 8 bytes from letter i on: they overlap, and nothing is copied.
    n = len(letters) - per_number + 1
    numbers = np.ndarray((n,), "<u8", letters, strides=(size,))
    keys = []
    for skip in range(0, width * per_number, per_number):
        own = np.clip(lengths - skip, 0, per_number)
        keys.append(numbers[starts + skip] & masks[own])
    return keys


class KeyTable:
    """A dict {key: number} for keys of one width.

    Args:
        width: the number of arrays that a batch of keys consists of.
    """

    def __init__(self, width):
        self.keys = [np.zeros(0, np.uint64)] * width
        self.values = np.zeros(0, np.int32)         # -1 for an empty slot
        self.used = 0

    def copy(self):
        """Return a copy of the table."""
        out = KeyTable(len(self.keys))
        out.keys = [column.copy() for column in self.keys]
        out.values, out.used = self.values.copy(), self.used
        return out

    def find(self, keys):
        """Return the number of each key, -1 if it is absent.  `width` x (n,) -> (n,)"""
        if not self.used:
            return np.full(len(keys[0]), -1, np.int32)
        slots = self._home(keys)
        out = self.values[slots]
        wrong = ~self._holds(slots, keys)
        todo = np.flatnonzero(wrong & (out >= 0))       # another key's: look next door
        out[wrong] = -1
        slots = slots[todo]
        while todo.size:
            slots = (slots + 1) & (len(self.values) - 1)
            value = self.values[slots]
            same = self._holds(slots, [column[todo] for column in keys])
            out[todo[same]] = value[same]
            going_on = ~same & (value >= 0)
            todo, slots = todo[going_on], slots[going_on]
        return out

    def add(self, keys, first):
        """Number the keys that are not in the table yet: first, first + 1, ...

        Args:
            keys: `width` arrays (n,); a key may occur several times.
            first: the first new number.

        Returns:
            (numbers, new): the number of every key, (n,) int32, and the place in `keys`
            of each new one, in the order of their numbers
        """
        self._make_room(len(keys[0]))
        out = np.empty(len(keys[0]), np.int32)
        todo, slots, new = np.arange(len(out)), self._home(keys), np.zeros(0, np.intp)
        while todo.size:
            free = self.values[slots] < 0
            self.values[slots[free]] = todo[free]       # if several, the last wins
            won = np.zeros(len(todo), bool)
            won[free] = self.values[slots[free]] == todo[free]
            for mine, column in zip(self.keys, keys):
                mine[slots[won]] = column[todo[won]]
            number = first + len(new)
            new = np.concatenate([new, todo[won]])
            self.values[slots[won]] = np.arange(number, first + len(new))
            same = self._holds(slots, [column[todo] for column in keys])
            out[todo[same]] = self.values[slots[same]]
            todo = todo[~same]
            slots = (slots[~same] + 1) & (len(self.values) - 1)
        self.used += len(new)
        return out, new

    def _holds(self, slots, keys):
        """Whether each slot holds its key.  (n,), `width` x (n,) -> (n,) bool"""
        same = self.keys[0][slots] == keys[0]
        for mine, column in zip(self.keys[1:], keys[1:]):
            same &= mine[slots] == column
        return same

    def _home(self, keys):
        """Return the slot where the search for each key begins."""
        mixed = keys[0] * MULTIPLIER
        for column in keys[1:]:
            mixed = ((mixed >> np.uint64(32)) ^ mixed ^ column) * MULTIPLIER
        bits = len(self.values).bit_length() - 1
        return (mixed >> np.uint64(64 - bits)).astype(np.intp)

    def _make_room(self, n):
        """Grow the table so that it is at most half full with n more keys."""
        size = max(len(self.values), 1024)
        while size < 2 * (self.used + n):
            size *= 2
        if size == len(self.values):
            return
        full = np.flatnonzero(self.values >= 0)
        keys, values = [column[full] for column in self.keys], self.values[full]
        self.keys = [np.zeros(size, np.uint64) for _ in keys]
        self.values = np.full(size, -1, np.int32)
        self.used = 0
        if len(full):
            _, order = self.add(keys, 0)
            full = np.flatnonzero(self.values >= 0)
            self.values[full] = values[order[self.values[full]]]
