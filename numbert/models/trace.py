"""Trace: record what happens inside a run, by the names of its taps.

A tap's name is its scope and a name of its own, as in
`bert.encoder.layer.3.attention.self.probs`; scopes are Hugging Face's module names.
A forward pass records values under these names, and a backward pass the gradients of
these values under `grad:` and the same name.  `numbert.taps(model)` lists all names.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from ..system import versions
from .tensors import to_host

GRADIENT = "grad:"          # starts the names that a backward pass records
BACKBONE = "bert."          # starts the backbone's names in all models but BertModel
PARTS = ("embeddings.", "encoder.", "pooler.")          # of the backbone


class Trace(Mapping):
    """A dictionary of the tapped arrays whose names match a pattern.

    The arrays are copies, in the order of computation.  Names and patterns may be
    written with or without `bert.`.

    Args:
        *patterns: shell patterns, such as "*.probs" or "*layer.0.*"; none means all.
            In a backward pass a pattern selects gradients by the name of their tap;
            "grad:*" selects nothing else.

    Attributes:
        arrays: {name: array}, what was recorded.
        metadata: {"class": ..., "dtype": ..., "numbert": ..., "numpy": ...}, texts that
            say which model and which versions computed them.

    Example:
        trace = Trace("*.probs")
        output, saved = model.forward(input_ids, labels=labels, trace=trace)
        trace["encoder.layer.0.attention.self.probs"]           # (B, N, T, S)
        model.backward(saved, trace=trace)
        trace["grad:encoder.layer.0.attention.self.probs"]      # (B, N, T, S)
    """

    __eq__, __hash__ = object.__eq__, object.__hash__    # not by comparing arrays

    def __init__(self, *patterns: str):
        self.patterns = patterns or ("*",)
        self.arrays: dict[str, np.ndarray] = {}
        self.metadata: dict[str, str] = {}

    def record(self, name: str, value) -> None:
        """Keep a copy of `value` if its name matches a pattern.

        A later run replaces it.
        """
        if any(fits(name, pattern) for pattern in self.patterns):
            self.arrays[name] = np.array(to_host(value), subok=True)   # balls stay

    def __getitem__(self, name: str) -> np.ndarray:
        for spelling in spellings(name):
            if spelling in self.arrays:
                return self.arrays[spelling]
        raise KeyError(f"tap {name!r} was not recorded, expected one of "
                       f"{', '.join(self.arrays) or 'none'}: record it with a "
                       "pattern that matches its name")

    def __iter__(self):
        return iter(self.arrays)

    def __len__(self) -> int:
        return len(self.arrays)

    def __repr__(self) -> str:
        names = list(self.arrays)
        some = names if len(names) < 4 else [*names[:2], "...", names[-1]]
        return f"<Trace of {len(self)} arrays{': ' * bool(some)}{', '.join(some)}>"

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.arrays)

    def _repr_html_(self) -> str:
        from ..system.html import described, rms, table
        return table(f"Trace, {len(self)} arrays", ("name", "shape", "RMS"), [
            (name, described(x)[0], "" if (size := rms(x)) is None else size)
            for name, x in self.items()])

    def save(self, path) -> None:
        """Write arrays, their order and metadata into one safetensors file.

        The file appears whole or not at all.

        Raises:
            OSError: it could not be written.
        """
        from ..system.saving import atomic_file, write_tensors
        with atomic_file(path) as temporary:
            write_tensors(self.arrays, temporary,
                          {**self.metadata, "order": "\n".join(self)})

    @classmethod
    def load(cls, path) -> "Trace":
        """Read a file that `save` wrote, or any other of safetensors.

        Taps keep their order; from a file that does not store it, they are sorted.

        Raises:
            OSError, ValueError: the file is absent or damaged.
        """
        from safetensors import SafetensorError, safe_open
        trace = cls()
        try:
            with safe_open(str(Path(path)), framework="numpy") as file:
                trace.metadata = dict(file.metadata() or {})
                order, names = trace.metadata.pop("order", ""), sorted(file.keys())
                if sorted(order.split("\n")) == names:
                    names = order.split("\n")
                trace.arrays = {name: file.get_tensor(name) for name in names}
        except SafetensorError as error:
            raise ValueError(f"{path} is not a whole safetensors file ({error}), "
                             "expected one that Trace.save wrote: save it again"
                             ) from None
        return trace

    def compare(self, other) -> "Comparison":
        """Return the largest absolute difference at each tap that both traces have.

        They come in the order of this trace, so the first large one shows the first
        step that is wrong.  A NaN, on one side or on both, is an infinite difference.

        Args:
            other: a Trace, or any mapping from names to arrays.

        Raises:
            ValueError: a tap has two shapes, or there is no common tap.
        """
        theirs = {spelling: name for name in other for spelling in spellings(name)}
        theirs |= {name: name for name in other}           # the same spelling first
        pairs = {name: theirs[name] for name in self if name in theirs}
        if not pairs:
            raise ValueError("the two traces have no tap in common, expected at least "
                             "one: record both with patterns that match the same names")
        for name, twin in pairs.items():
            if self[name].shape != np.shape(other[twin]):
                raise ValueError(f"tap {name} has shape {self[name].shape} in one "
                                 f"trace and {np.shape(other[twin])} in the other, "
                                 "expected the same: record both on the same input")
        return Comparison(
            ((name, difference(self[name], other[twin]))
             for name, twin in pairs.items()),
            only_here=[name for name in self if name not in pairs],
            only_there=[name for name in other if name not in pairs.values()])


class Comparison(list):
    """Pairs (tap, largest absolute difference), in the order of computation.

    Attributes:
        only_here, only_there: the taps that the other trace, or this one, lacks.
    """

    def __init__(self, pairs=(), only_here=(), only_there=()):
        super().__init__(pairs)
        self.only_here, self.only_there = list(only_here), list(only_there)

    def __repr__(self) -> str:
        lines = [f"{size:9.3g}  {name}" for name, size in self]
        lines += [f"  missing  {name} (in the other trace)" for name in self.only_here]
        lines += [f"  missing  {name} (in this trace)" for name in self.only_there]
        return "\n".join(lines)


class Within:
    """Forwards tapped values to a trace, adding a prefix to each name; see `within`."""

    def __init__(self, prefix: str, trace):
        self.prefix, self.trace = prefix, trace

    def record(self, name: str, value) -> None:
        """Record `value` under its name with the prefix; `grad:` stays in front."""
        plain = name.removeprefix(GRADIENT)
        first = GRADIENT if plain != name else ""
        self.trace.record(f"{first}{self.prefix}{plain}", value)


def within(prefix: str, trace):
    """Return what records in `trace` under names with a prefix; None without a trace.

    prefix: "grad:", or the place of a model inside a larger one, as in "encoder.".
    """
    return None if trace is None else Within(prefix, checked_trace(trace))


def spellings(name: str) -> tuple[str, ...]:
    """Return a tap's name as it is, and its other spelling: with or without `bert.`."""
    plain = name.removeprefix(GRADIENT)
    first = GRADIENT if plain != name else ""
    if plain.startswith(PARTS):
        return name, f"{first}{BACKBONE}{plain}"
    inner = plain.removeprefix(BACKBONE)
    return (name, first + inner) if inner != plain else (name,)


def fits(name: str, pattern: str) -> bool:
    """Whether a tap's name matches a pattern, with or without `grad:` and `bert.`."""
    names = spellings(name)
    return any(fnmatchcase(x, pattern)
               for x in (*names, *(x.removeprefix(GRADIENT) for x in names)))


def difference(a, b) -> float:
    """Return the largest |a - b|, computed in float64; infinite where either is NaN."""
    a, b = np.asarray(a, float), np.asarray(b, float)
    with np.errstate(invalid="ignore"):                    # inf - inf is NaN, but equal
        size = np.where(a == b, 0, np.abs(a - b))
    return float(np.max(np.where(np.isnan(size), np.inf, size), initial=0))


def checked_trace(trace):
    """Return the trace that a caller passed; raise TypeError if it has no `record`."""
    if not callable(getattr(trace, "record", None)):
        raise TypeError(f"trace is {trace!r}, expected a Trace: make one with "
                        "numbert.Trace(), and read it after the call")
    return trace


def end_run(trace, model, backward=False) -> None:
    """Store which model a Trace recorded; warn about patterns that matched no tap.

    trace: the one that the caller passed; a recorder that is not a Trace is ignored.
    backward: whether to look at the patterns of gradients too.
    """
    if not isinstance(trace, Trace):
        return
    package, found = __name__.partition(".")[0], versions()
    trace.metadata = {
        "class": type(model).__name__, "dtype": str(model.dtype),
        "numbert": found["numbert"], "numpy": found["numpy"]}
    unmatched = [pattern for pattern in trace.patterns
                 if (backward or not pattern.startswith(GRADIENT))
                 and not any(fits(name, pattern) for name in trace)]
    if unmatched:
        level, frame = 1, sys._getframe()      # up to the line of the caller, outside
        while frame.f_back and frame.f_globals.get("__name__", "").startswith(package):
            level, frame = level + 1, frame.f_back
        warnings.warn(f"{', '.join(map(repr, unmatched))} matched no tap of this run, "
                      "expected patterns of at least one: numbert.taps(model) lists "
                      "them", stacklevel=level)
