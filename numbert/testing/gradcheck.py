"""Check backward passes against finite differences, in float64.

    report = check_model(model, {"input_ids": ids, "labels": labels})
    assert report.ok, report

One parameter at a time moves along a random direction d of length 1.  The slope of the
objective is compared with the inner product of the gradient and d, so a report names
the parameter whose gradient is wrong.  `full=True` moves one entry at a time instead.

How far may the two differ?  Central differences D(h) = (f(x + hd) - f(x - hd)) / 2h
have an error of c2 h^2 + c4 h^4 + ..., plus rounding.  Richardson's extrapolation of
D(h), D(h/2), D(h/4) removes h^2 and then h^4.  The bound of a comparison has three
parts:

- the last change that the extrapolation makes, which is larger than what is left;
- rounding: eps over h, times the size of the numbers that f is computed from.  Their
  size counts, not that of f, which vanishes where they cancel;
- what a kink within reach, as in ReLU, would add.

So you choose no tolerance.  Where even the best h leaves a bound too wide to see an
error of 0.05 %, the verdict is "unsure", not "ok".
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..bert.scope import Run, Scope
from ..system.numbers import generator

STEPS = (2e-2, 2e-3, 2e-4)      # the steps h to try, until one is fine enough
SAFETY = 4                      # a right gradient is off by at most 4 bounds
RESOLUTION = 1e-4               # the bound to reach, relative to the gradient's size
ROUNDING = 64                   # how far rounding moves f, in eps times its scale


class Comparison(NamedTuple):
    """The slope along one direction, by the gradient and by finite differences."""

    name: str
    where: tuple[int, ...] | None       # the entry that moved; None: a direction
    analytic: float
    numeric: float
    bound: float                        # on the error of `numeric`
    verdict: str                        # "ok", "wrong" or "unsure"

    def __str__(self) -> str:
        place = "" if self.where is None else f"[{', '.join(map(str, self.where))}]"
        error = abs(self.analytic - self.numeric)
        size = abs(self.numeric) or math.nan
        return (f"{self.verdict:6} {self.name}{place}: gradient {self.analytic:.9g}, "
                f"differences {self.numeric:.9g} +- {self.bound:.1g}, "
                f"off by {error:.2g} ({100 * error / size:.3g} %)")


@dataclass
class Report:
    """All comparisons.  Printed, it lists those that are not ok.

    ok: whether every gradient is right, as far as the check can see.
    wrong, unsure: the names of the parameters with that verdict, each once.
    """

    comparisons: list[Comparison]

    def names(self, verdict: str) -> list[str]:
        """Return the names of the parameters with this verdict."""
        return list(dict.fromkeys(c.name for c in self.comparisons
                                  if c.verdict == verdict))

    @property
    def wrong(self) -> list[str]:
        """The parameters whose gradient is wrong."""
        return self.names("wrong")

    @property
    def unsure(self) -> list[str]:
        """The parameters for which finite differences are too coarse to tell."""
        return self.names("unsure")

    @property
    def ok(self) -> bool:
        """Whether something was compared and nothing is wrong or unsure."""
        return bool(self.comparisons) and not self.wrong and not self.unsure

    def __str__(self) -> str:
        names = {c.name for c in self.comparisons}
        lines = [str(c) for c in self.comparisons if c.verdict != "ok"]
        return "\n".join([f"{len(names)} gradients checked along "
                          f"{len(self.comparisons)} directions: {len(self.wrong)} "
                          f"wrong, {len(self.unsure)} unsure", *lines])

    def _repr_html_(self) -> str:
        from ..system.html import table
        bad = [c for c in self.comparisons if c.verdict != "ok"]
        return table(str(self).partition("\n")[0], (
            "parameter", "verdict", "gradient", "differences", "bound"), [
                (c.name, c.verdict, c.analytic, c.numeric, c.bound)
                for c in bad or self.comparisons], most=12)


# --------------------------------------------------------------------- any function

def check(objective: Callable[[dict], Any], values: Mapping[str, np.ndarray],
          gradients: Mapping[str, np.ndarray], *, directions: int = 3,
          full: bool = False, fixed: Mapping[str, Any] | None = None, rng=0) -> Report:
    """Compare the gradients of any function with finite differences.

    Args:
        objective: objective({name: array}) -> number, or (number, scale).  Scale is the
            size of the terms whose sum the number is, at these arrays; default:
            |number|.  Give it where large terms cancel inside.  The objective must
            depend on nothing else: draw dropout from a fresh generator each time.
        values: {name: array}, float64: the place to check at.
        gradients: {name: array}: the gradients to check.
        directions: how many random directions to try for each name.
        full: check every single entry instead, one by one.
        fixed: {name: index of the entries that do not move}.
        rng: seed or generator of the directions.

    Returns:
        a Report.

    Raises:
        ValueError, TypeError: a gradient of the wrong shape, a number that is not
            finite, or values that are not float64.
    """
    rng = generator(rng)
    here, report = as_pair(objective(dict(values))), []
    if not math.isfinite(here[0]):
        raise ValueError(f"the objective is {here[0]}, expected a finite number: if it "
                         "is a loss, check that not every label is ignored")
    for name, gradient in gradients.items():
        value = checked(name, values, gradient)
        free = np.ones(value.shape, bool)
        if fixed and name in fixed:
            free[fixed[name]] = False
        size = float(np.linalg.norm(gradient[free])) / math.sqrt(max(free.sum(), 1))
        terms = float(np.abs(gradient * value).sum())
        for where, d in each_direction(free, directions, full, rng):
            along = on_line(objective, values, name, d, here, terms)
            analytic = float(np.vdot(gradient, d))
            numeric, bound = slope(along, max(abs(analytic), size))
            judged = verdict(analytic, numeric, bound, size, here[1])
            report.append(Comparison(name, where, analytic, numeric, bound, judged))
    return Report(report)


def on_line(objective: Callable, values: Mapping, name: str, d: np.ndarray,
            here: tuple[float, float], terms: float) -> Callable[[float], tuple]:
    """Return along(t) -> (f, scale), the objective where the value moved by t d.

    here: along(0), as far as the objective knows.  terms: the size of gradient * x.  To
    first order f is a constant plus the sum of these, so rounding them, or x + td,
    moves f by eps times their size even where f vanishes.
    """
    def along(t):
        f, scale = here if t == 0 else as_pair(
            objective({**values, name: values[name] + t * d}))
        return f, scale + terms
    return along


def as_pair(found) -> tuple[float, float]:
    """Return what an objective gave as (f, scale of its terms)."""
    f, scale = found if isinstance(found, tuple) else (found, abs(found))
    return float(f), float(scale)


def checked(name: str, values: Mapping, gradient) -> np.ndarray:
    """Return the value of this name; refuse one whose gradient can't be checked."""
    value = np.asarray(values[name])
    if value.dtype != np.float64:
        raise TypeError(f"{name} is {value.dtype}, expected float64: build with "
                        "dtype='float64', as finite differences need the digits")
    if np.shape(gradient) != value.shape:
        raise ValueError(f"the gradient of {name} has shape {np.shape(gradient)}, "
                         f"expected {value.shape}: return one of the shape of {name}")
    if not np.isfinite(gradient).all():
        raise ValueError(f"the gradient of {name} holds nan or infinity, expected "
                         "finite numbers: look for a 0 / 0 or an overflow in its "
                         "backward pass")
    return value


def each_direction(free: np.ndarray, directions: int, full: bool,
                   rng) -> Iterator[tuple[tuple[int, ...] | None, np.ndarray]]:
    """Yield (entry, direction of length 1); only free entries move.

    The entry is None for a random direction, which moves all of them.
    """
    if full:
        for where in np.argwhere(free):
            d = np.zeros(free.shape)
            d[tuple(where)] = 1
            yield tuple(int(i) for i in where), d
    elif free.any():
        for _ in range(directions):
            d = rng.standard_normal(free.shape) * free
            yield None, d / np.linalg.norm(d)


def slope(along: Callable[[float], tuple], size: float) -> tuple[float, float]:
    """Return the derivative of along(t) at t = 0, and a bound on its error.

    along(t) -> (f, scale of f's terms).  size: how large slopes are expected to be.
    Smaller steps are tried while the bound is wider than RESOLUTION times size.
    """
    best = math.nan, math.inf
    for h in STEPS:
        found = richardson(along, h)
        if not best[1] <= found[1]:
            best = found
        if best[1] <= RESOLUTION * size:
            break
    return best


def richardson(along: Callable[[float], tuple], h: float) -> tuple[float, float]:
    """Return the same from the steps h, h/2 and h/4; see the top of this file."""
    f, scale = along(0)
    slopes, bends = [], []
    for step in (h, h / 2, h / 4):
        (above, s), (below, r) = along(step), along(-step)
        slopes.append((above - below) / (2 * step))
        bends.append((above + below - 2 * f) / step)
        scale = max(scale, s, r)
    d1, d2, d4 = slopes
    first, second = (4 * d2 - d1) / 3, (4 * d4 - d2) / 3       # without h^2
    final = (16 * second - first) / 15                         # without h^4
    # The bends of a smooth f shrink in proportion to h; those of a kink stay the same.
    kink = abs(bends[2] - bends[0] / 4)
    rounding = ROUNDING * np.finfo(np.float64).eps * scale / (h / 4)
    return final, abs(final - second) + kink + rounding


def verdict(analytic: float, numeric: float, bound: float, size: float, scale: float
            ) -> str:
    """Return "ok", "wrong" or "unsure" for one comparison.

    size: of the gradient in a typical direction; scale: of f's terms.
    """
    error = abs(analytic - numeric)
    if not error <= SAFETY * bound:
        return "wrong"
    claim = max(abs(analytic), size)
    zero = claim <= ROUNDING * np.finfo(np.float64).eps * scale
    return "ok" if zero or bound <= RESOLUTION * max(abs(numeric), claim) else "unsure"


# ------------------------------------------------------- op pairs, blocks and models

def check_pair(forward: Callable, backward: Callable, *arguments, rng=0,
               **options) -> Report:
    """Check an op: forward(*arguments) -> (out, saved) and backward(dout, saved).

    backward returns the gradients of forward's float arrays in their order, or one
    array for the first of them.  None claims that a gradient is zero.  The objective
    is the inner product of out and a random cotangent.  The report calls the
    arguments argument0, argument1, ...  options: directions, full, fixed; see `check`.
    """
    rng = generator(rng)
    names = [f"argument{i}" for i, x in enumerate(arguments) if is_float_array(x)]
    out, saved = forward(*arguments)
    dout = rng.standard_normal(np.shape(out))
    found = backward(np.asarray(dout)[()], saved)

    def objective(values):
        moved = [values.get(f"argument{i}", x) for i, x in enumerate(arguments)]
        return inner_product(forward(*moved)[0], dout)

    values = {f"argument{i}": x for i, x in enumerate(arguments)}
    return check(objective, values, claimed(names, found, values), rng=rng, **options)


def check_block(forward: Callable, backward: Callable, config, params: dict, *inputs,
                dropout_seed: int | None = None, rng=0, **options) -> Report:
    """Check a block: forward(p, *inputs) -> (out, saved) and backward(dout, saved, g).

    Args:
        forward, backward: the block.  backward returns the gradients of the float
            inputs in their order, or one array for the first of them; None claims that
            a gradient is zero.  It adds the gradients of params to g.
        config: what the block reads from p.run.config.
        params: {name: array} under the block's scope.
        inputs: the other arguments; the report calls them input0, input1, ...
        dropout_seed: turns dropout on, drawn from this seed in every evaluation.
        rng, **options: see `check`.
    """
    rng = generator(rng)

    def run(p, arguments):
        drop = None if dropout_seed is None else np.random.default_rng(dropout_seed)
        return forward(Scope(p, Run(config, rng=drop, keep=True)), *arguments)

    out, saved = run(params, inputs)
    dout = rng.standard_normal(out.shape)
    grads: dict[str, np.ndarray] = {}
    found = backward(dout, saved, Scope(grads, Run(config)))
    names = [f"input{i}" for i, x in enumerate(inputs) if is_float_array(x)]
    values = {**params, **{f"input{i}": x for i, x in enumerate(inputs)}}
    grads |= claimed(names, found, values)

    def objective(moved):
        arguments = [moved[f"input{i}"] for i in range(len(inputs))]
        return inner_product(run(moved, arguments)[0], dout)

    return check(objective, values, with_zeros(grads, params), rng=rng, **options)


def check_model(model, inputs: Mapping[str, Any], *, cotangents=None,
                dropout_seed: int | None = None, rng=0, **options) -> Report:
    """Check the gradients of a model's loss, or of its outputs.

    Args:
        model: any of the nine classes in float64, or one with the same interface:
            `params`, forward(**inputs, rng=...) -> (out, saved), and backward(saved) or
            backward(saved, <output>=gradient).
        inputs: the arguments of forward.  Pass labels to check the loss.
        cotangents: {output: gradient}, or names of outputs, which get random gradients.
            The objective is then the inner product of these gradients and the outputs;
            the loss counts only if it is named.
        dropout_seed: turns dropout on, drawn from this seed in every evaluation.
        rng, **options: see `check`.

    Inputs that have a gradient (inputs_embeds, encoder_hidden_states) are checked too.
    HF: looking up [PAD] has an effect but no gradient, so that row of the word
    embeddings does not move if [PAD] is among the input_ids.
    HF: a query that may attend to nothing passes a gradient to its scores, which have
    no effect.  Such inputs are reported as wrong: leave them out.
    """
    rng = generator(rng)
    twin = copy.copy(model)

    def run(values):
        twin.params = {name: values[name] for name in model.params}
        given = {name: values.get(name, x) for name, x in inputs.items()}
        drop = None if dropout_seed is None else np.random.default_rng(dropout_seed)
        return twin.forward(**given, rng=drop)

    values = {**model.params, **{name: x for name, x in inputs.items()
                                 if is_float_array(x)}}
    out, saved = run(values)
    if cotangents is None:
        cotangents = {"loss": np.float64(1)}
    elif not isinstance(cotangents, Mapping):
        cotangents = {name: rng.standard_normal(np.shape(out[name]))
                      for name in cotangents}
    gradients = twin.backward(saved, **cotangents)
    learnt = {name: x for name, x in values.items() if name in model.params
              or name.endswith(("inputs_embeds", "encoder_hidden_states"))}

    def objective(values):
        out, _ = run(values)
        terms = [inner_product(out[name], d) for name, d in cotangents.items()]
        return sum(f for f, _ in terms), sum(scale for _, scale in terms)

    fixed = {**pad_row(model, inputs), **(options.pop("fixed", None) or {})}
    try:
        return check(objective, values, with_zeros(gradients, learnt), rng=rng,
                     fixed=fixed, **options)
    finally:                  # a model of two halves shares the halves with its twin
        twin.params = {name: values[name] for name in model.params}


def is_float_array(x) -> bool:
    """Whether x has a gradient."""
    return isinstance(x, np.ndarray) and x.dtype.kind == "f"


def inner_product(out, dout) -> tuple[float, float]:
    """Return the sum of out times dout, and the scale of its rounding errors."""
    terms = np.asarray(out) * dout
    return math.fsum(terms.ravel()), 1 + float(np.abs(terms).sum())


def claimed(names: Sequence[str], found, values: Mapping) -> dict:
    """Return {name: gradient} for what a backward returned.

    One array is the gradient of the first name.  In a tuple, None claims that a
    gradient is zero, and so does leaving it out at the end.
    """
    if not isinstance(found, tuple):
        names, found = names[:1], (found,)
    gradients = {name: g for name, g in zip(names, found) if g is not None}
    return with_zeros(gradients, {name: values[name] for name in names})


def with_zeros(gradients: Mapping, params: Mapping) -> dict:
    """Add a gradient of zero for each parameter that has none."""
    return {**{name: np.zeros(x.shape) for name, x in params.items()}, **gradients}


def pad_row(model, inputs: Mapping) -> dict[str, Sequence[int]]:
    """Return {name: [row]} of the word embeddings' row for [PAD], if it is used."""
    config = getattr(model, "config", None)
    pad, ids = getattr(config, "pad_token_id", None), inputs.get("input_ids")
    if pad is None or ids is None or not (np.asarray(ids) == pad).any():
        return {}
    return {name: [pad] for name in model.params
            if name.endswith("word_embeddings.weight")}
