"""Trace: record what happens inside a run, by the names of its taps.

A tap's name is its scope and a name of its own, as in
`bert.encoder.layer.3.attention.self.probs`; scopes are Hugging Face's module names.
Taps record activations in a forward pass, and in a backward pass the gradients of
these under the same names.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np


class Trace:
    """A dictionary of the tapped arrays whose names match a pattern.

    Args:
        *patterns: shell patterns, such as "*.probs" or "*layer.0.*"; none means all.

    Example:
        trace = Trace("*.probs")
        model(input_ids, trace=trace)
        trace["encoder.layer.0.attention.self.probs"]      # (B, N, T, S)
    """

    def __init__(self, *patterns: str):
        self.patterns = patterns or ("*",)
        self.arrays: dict[str, np.ndarray] = {}

    def record(self, name: str, value) -> None:
        """Keep `value` if its name matches a pattern; a later run replaces it."""
        if any(fnmatchcase(name, pattern) for pattern in self.patterns):
            self.arrays[name] = value

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self.arrays:
            raise KeyError(f"tap {name!r} was not recorded, expected one of "
                           f"{', '.join(self.arrays) or 'none'}: record it with a "
                           "pattern that matches its name")
        return self.arrays[name]

    def __iter__(self):
        return iter(self.arrays)

    def __len__(self) -> int:
        return len(self.arrays)

    def __contains__(self, name) -> bool:
        return name in self.arrays

    def items(self):
        """Pairs of name and array, in the order of this trace."""
        return self.arrays.items()

    def save(self, path) -> None:
        """Write all arrays into one safetensors file; their order is not kept."""
        from safetensors.numpy import save_file
        save_file({name: np.ascontiguousarray(x) for name, x in self.items()},
                  str(Path(path)))

    @classmethod
    def load(cls, path) -> "Trace":
        """Read a file that `save` wrote; the taps are then sorted by name."""
        from safetensors.numpy import load_file
        trace = cls()
        trace.arrays = dict(sorted(load_file(str(Path(path))).items()))
        return trace

    def compare(self, other) -> list[tuple[str, float]]:
        """Return the largest absolute difference at each tap that both traces have.

        They come in the order of this trace.  In a trace that was recorded, not loaded,
        the first large one shows the first module that is wrong.

        Raises:
            ValueError: a tap has two shapes, or there is no common tap.
        """
        names = [name for name in self if name in other]
        if not names:
            raise ValueError("the two traces have no tap in common, expected at least "
                             "one: record both with patterns that match the same names")
        for name in names:
            if self[name].shape != np.shape(other[name]):
                raise ValueError(f"tap {name} has shape {self[name].shape} in one "
                                 f"trace and {np.shape(other[name])} in the other, "
                                 "expected the same: record both on the same input")
        return [(name, float(np.max(np.abs(self[name] - other[name]), initial=0)))
                for name in names]
