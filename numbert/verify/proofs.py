"""Proven digits for a real checkpoint: what its formula gives, and who gets how close.

`numbert.exact(model)` turns all parameters into balls at once, about 100 bytes for each
number.  That is fine for a small model.  Here a matrix becomes balls only for the
product that reads it, and an embedding only for the rows that are looked up.  So a
sentence through BERT base takes about a minute, and a quarter of a gigabyte besides the
weights in float64 and float32.

    proof = prove(model, tokenizer(text, return_tensors="np"))
    proof.output.last_hidden_state.digits().min()       # digits that are proven
    for step in proof.steps:                            # and those of plain NumPy
        print(step.name, step.float64.median, step.float32.median)
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from ..models.trace import Trace
from .run import LEFT_OUT

# Of the midpoints.  A layer of a trained model widens a ball by 3 to 7 digits, 10 to 23
# bits, because it can't know which errors would cancel.
BITS, BITS_PER_LAYER = 128, 32


class Digits(NamedTuple):
    """How many decimal digits of the entries of a tensor are right.

    An entry x of which the exact value is y has log10(|y| / |x - y|) right digits, and
    infinitely many if the two are equal.
    """

    median: float
    worst: float


class Step(NamedTuple):
    """One tensor of the computation, in three precisions."""

    name: str
    shape: tuple[int, ...]
    proven: float           # the fewest digits that are proven of an entry
    float64: Digits
    float32: Digits


class Proof(NamedTuple):
    """What `prove` finds."""

    output: Any             # of the model's forward, in arrays of balls
    plain: tuple            # the same in float64, and in float32
    steps: list[Step]       # one for each tap, in the order of computation
    bits: int

    def __repr__(self) -> str:
        return f"<Proof of {len(self.steps)} steps, {self.bits} bits>"


def prove(model, inputs: Mapping, bits: int | None = None,
          done: Callable[[], Any] = lambda: None) -> Proof:
    """Compute a forward pass with balls, and compare plain NumPy with it at each tap.

    Args:
        model: any of the nine classes; its parameters are taken as exact numbers.
        inputs: {name: array}, the arguments of its forward.
        bits: the precision of the midpoints, about 0.3 digits each; by default
            `enough_bits`.
        done: called after each step; `count_steps` says how often.

    Raises:
        ImportError: python-flint is not installed.
        TypeError, ValueError: see `numbert.exact`, and the model's forward.
    """
    from ..backends.exact import check_exact
    check_exact(model, BITS if bits is None else bits)
    bits = enough_bits(model) if bits is None else bits
    traces = Trace(), Trace()
    plain = tuple(in_dtype(model, dtype)(**inputs, trace=trace)
                  for dtype, trace in zip(("float64", "float32"), traces))
    steps = Steps(traces, done)
    exact = copy.copy(model)
    exact.ops = table()
    with precision(bits):
        output = exact(**inputs, trace=steps)
    return Proof(output, plain, steps.found, bits)


def enough_bits(model) -> int:
    """Return a precision that proves more digits than float64 has, in most models."""
    return BITS + BITS_PER_LAYER * model.config.num_hidden_layers


def count_steps(model) -> int:
    """Return how many steps `prove` will compare: the taps of a forward pass.

    A loss, which only a call with labels has, is not counted.
    """
    from ..models.taps import taps
    return sum(not name.endswith((*LEFT_OUT, "loss")) for name in taps(model))


def precision(bits: int):
    """Return a context in which balls have midpoints of so many bits."""
    from flint import ctx
    return ctx.workprec(bits)


def in_dtype(model, dtype: str):
    """Return the same model with parameters of another dtype; the arrays may be shared.
    """
    other = copy.copy(model)
    other.params = {name: x.astype(dtype, copy=False)
                    for name, x in model.params.items()}
    return other


def table() -> SimpleNamespace:
    """Return the exact operations, for parameters that are plain numbers.

    Products and LayerNorm take float arrays as they are: each entry becomes a ball of
    radius 0 when it is used.  A look-up must make balls of what it found.
    """
    from ..backends.balls import balls
    from ..backends.exact import EXACT

    def embedding(ids, rows, padding_idx=None):
        """ids (...), rows (V, C) -> out (..., C)"""
        return balls(rows[ids]), None

    return SimpleNamespace(**{**vars(EXACT), "embedding": embedding,
                              "word_embedding": embedding})


class Steps:
    """A trace that compares each tensor with two others, and keeps only the digits."""

    def __init__(self, traces, done):
        self.traces, self.done, self.found = traces, done, []

    def record(self, name: str, value) -> None:
        """Compare a tensor; what shows the same as another tap is left out."""
        if not name.endswith(LEFT_OUT):
            self.found.append(compared(name, value, *(x[name] for x in self.traces)))
            self.done()


def compared(name: str, exact, float64, float32) -> Step:
    """Return how many digits of an array of balls are proven, and right in two others.
    """
    return Step(name, exact.shape, float(exact.digits().min(initial=np.inf)),
                right_digits(exact, float64), right_digits(exact, float32))


def right_digits(exact, plain) -> Digits:
    """Return how many digits of plain numbers are right: at least these.

    exact (...) of balls, plain (...) -> two numbers

    The error is the largest that the ball allows.  So what is said is proven too.
    """
    error = np.frompyfunc(lambda ball: float(ball.abs_upper()), 1, 1)(
        np.asarray(exact - np.asarray(plain, float))).astype(float)
    size = np.abs(exact.to_float64())
    with np.errstate(divide="ignore", invalid="ignore"):
        digits = np.where(error == 0, np.inf, -np.log10(error / size))
    # A ball that holds 0, or every number, leaves none: -inf or nan.
    digits = np.fmax(digits, 0).reshape(-1)
    if not digits.size:
        return Digits(np.inf, np.inf)
    # The lower median: a mean of two middle entries may be one of a number and inf.
    return Digits(float(np.sort(digits)[(digits.size - 1) // 2]), float(digits.min()))


# ----------------------------------------------------------------- sentence vectors

def sentence_vector(hidden, counts, pooling, steps, bits: int):
    """Pool hidden states, and take the steps after it, with balls.

    hidden (B, T, C) of balls, counts (B, T) True = counts -> out (B, E)

    Args:
        pooling: names of POOLINGS, whose results are joined.
        steps: ("unit",) or ("cut", count), one after the other.
        bits: the precision of the midpoints.

    Raises:
        ValueError: a pooling or a step has no exact form here.
    """
    from ..backends.balls import Balls
    check_sentence(pooling, steps)
    with precision(bits):
        places = [np.flatnonzero(row) for row in counts]           # (T',) each
        out = np.array([
            np.concatenate([POOLINGS[name](x[at], at) for name in pooling])
            for x, at in zip(hidden, places)], object).view(Balls)     # (B, E)
        for name, *arguments in steps:
            out = STEPS[name](out, *arguments).view(Balls)
    return out


def check_sentence(pooling, steps) -> None:
    """Refuse a pooling or a step that has no exact form here."""
    for kind, names, known in (("pooling", pooling, POOLINGS),
                               ("a step after pooling", [x[0] for x in steps], STEPS)):
        for name in names:
            if name not in known:
                raise ValueError(f"{kind} is {name!r}, expected one of "
                                 f"{', '.join(known)}: prove the hidden states instead")


def mean(x, at):
    """x (T, C), at (T,) -> out (C,)"""
    return x.sum(0) / len(x)


def mean_by_root(x, at):
    """x (T, C), at (T,) -> out (C,)"""
    return x.sum(0) * ball(len(x)).rsqrt()


def mean_by_place(x, at):
    """x (T, C), at (T,) -> out (C,): at are their places in the text, from 0."""
    weights = (at + 1).astype(object)                              # (T,)
    return (x * weights[:, None]).sum(0) / weights.sum()


def largest(x, at):
    """x (T, C), at (T,) -> out (C,): the largest, even where balls overlap."""
    return np.frompyfunc(lambda a, b: a.max(b), 2, 1).reduce(x, axis=0)


def unit(x):
    """x (n, C) -> out (n, C)"""
    squares = (x * x).sum(-1, keepdims=True)
    return x * np.frompyfunc(lambda square: square.rsqrt(), 1, 1)(squares)


def ball(number):
    """Return a whole number as a ball."""
    from ..backends.balls import balls
    return balls(number).item()


POOLINGS: dict[str, Callable] = {
    "cls": lambda x, at: x[0], "max": largest, "mean": mean,
    "mean_sqrt_len_tokens": mean_by_root, "weightedmean": mean_by_place,
    "lasttoken": lambda x, at: x[-1]}
STEPS: dict[str, Callable] = {"unit": unit, "cut": lambda x, count: x[:, :count]}
