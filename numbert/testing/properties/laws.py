"""What a law is, and how one is stated: the tools that all properties are written with.

A property is a plain function.  Its first argument is what is tested, the others are
data; it raises AssertionError if the law is broken.

    @law("T6", "tokenizer", EXACT, catches="lost or doubled tokens at white space")
    def white_space_only_separates(tokenizer, words, gaps): ...

    white_space_only_separates.law          # its Law
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

EXACT = "exact"                 # holds for every right implementation, to the bit
APPROXIMATE = "approximate"     # holds up to rounding: judged by error over a bound
DIALECT = "dialect"             # holds for some published tokenizers and not for others
LEVELS = ("tokenizer", "masking", "operation", "forward", "backward", "generation",
          "training")
SHOWN = 300                     # characters of a value in a message


class Law(NamedTuple):
    """What is known about a property.

    id: as T15; the letter says of what: Tokenizer, Masking, N for the network.
    level: one of LEVELS.
    kind: EXACT, APPROXIMATE or DIALECT.
    catches: the bugs that break it, in words.
    needs: what the target must have, beside what every target of the level has.
    model: the class of model that it is about, by Hugging Face's name.
    """

    id: str
    level: str
    kind: str
    catches: str
    needs: tuple[str, ...] = ()
    model: str = "BertModel"


class Broken(AssertionError):
    """A law is broken."""


def law(id: str, level: str, kind: str, *, catches: str, needs: Iterable[str] = (),
        model: str = "BertModel") -> Callable:
    """Make a function a property: its message and its docstring say what it catches."""
    about = Law(id, level, kind, catches, tuple(needs), model)

    def decorate(function):
        def checked(*args, **named):
            try:
                return function(*args, **named)
            except Broken as error:
                raise Broken(f"{error}\n{id} ({kind}), {function.__name__}, catches: "
                             f"{catches}") from None

        check: Any = functools.wraps(function)(checked)
        check.law = about
        check.__doc__ = f"{function.__doc__.rstrip()}\n\n    Law {id}, {kind}.  " \
                        f"Catches: {catches}.\n    "
        return check
    return decorate


# ------------------------------------------------------------------ exact comparisons

def shown(value) -> str:
    """Return a value as ASCII, so that a message shows every code point; cut if long.
    """
    text = ascii(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def require(ok, what: str, *, got, expected, text=None) -> None:
    """Raise Broken unless ok.

    what: "the tokens"; expected: a value, or words that say what was expected.
    text: the text that it happened with.
    """
    if not ok:
        words = expected if isinstance(expected, Words) else shown(expected)
        place = "" if text is None else f"\n  for {shown(text)}"
        raise Broken(f"{what}:\n  got      {shown(got)}\n  expected {words}{place}")


class Words(str):
    """What was expected, in words."""


def same(got, expected, what: str, text=None) -> None:
    """Raise Broken unless two plain values are equal."""
    require(got == expected, what, got=got, expected=expected, text=text)


def same_bits(got, expected, what: str) -> None:
    """Raise Broken unless two arrays are equal, entry by entry, nan beside nan."""
    got, expected = np.asarray(got), np.asarray(expected)
    require(got.shape == expected.shape, f"the shape of {what}", got=got.shape,
            expected=expected.shape)
    wrong = (got != expected) & ~((got != got) & (expected != expected))
    if wrong.any():
        size = np.where(wrong, np.abs(got - expected), -1.0)
        at = np.unravel_index(np.nanargmax(np.where(np.isnan(size), np.inf, size)),
                              size.shape)
        raise Broken(f"{what}, at {[int(i) for i in at]}:\n  got      {got[at]!r}\n"
                     f"  expected {expected[at]!r}, to the bit\n"
                     f"  {int(wrong.sum())} of {wrong.size} entries differ")


# ------------------------------------------------------------------------- rounding

def rounding(dtype, terms: int, steps: int = 1, scale: float = 1.0) -> float:
    """Bound the rounding of a computation: how far two right ones may be apart.

    Args:
        dtype: the precision.
        terms: the longest sum, such as the hidden size.  Rounding errors are nearly
            independent, so they grow with its square root.
        steps: how many such sums come one after another.  Each may stretch the errors
            of those before, hence the generous factor.
        scale: the size of the numbers.
    """
    eps = float(np.finfo(dtype).eps)
    return 16 * (2 * math.sqrt(terms) + 8) * steps * eps * scale


def near(got, expected, what: str, *, terms: int, steps: int = 1, scale=None,
         dtype=None) -> float:
    """Raise Broken unless two arrays differ by rounding only; return error / bound.

    terms, steps: see `rounding`.  scale: the size of what was added up; by default
    the largest entry.  dtype: the precision; by default that of `got`.
    """
    got, expected = np.asarray(got), np.asarray(expected)
    require(got.shape == expected.shape, f"the shape of {what}", got=got.shape,
            expected=expected.shape)
    if not got.size:
        return 0.0
    if scale is None:
        scale = float(np.nanmax(np.abs(expected), initial=0.0)) or 1.0
    bound = rounding(got.dtype if dtype is None else dtype, terms, steps, scale)
    error = distance(got, expected)
    at = np.unravel_index(error.argmax(), error.shape)
    if not error[at] <= bound:
        raise Broken(f"{what}, at {[int(i) for i in at]}:\n  got      {got[at]!r}\n"
                     f"  expected {expected[at]!r}\n  off by   {error[at]:.3g}, "
                     f"{error[at] / bound:.3g} times the bound for rounding")
    return float(error[at] / bound) if bound else 0.0


def distance(x, y) -> np.ndarray:
    """|x - y| in float64; 0 where both are the same or nan, infinite beside one nan."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    with np.errstate(invalid="ignore"):
        apart = np.abs(x - y)
    apart = np.where((x == y) | (np.isnan(x) & np.isnan(y)), 0, apart)
    return np.where(np.isnan(apart), np.inf, apart)


def missing(target: Any, needs: Iterable[str]) -> list[str]:
    """Return what a target lacks of what a law needs: attributes that are None."""
    return [name for name in needs if getattr(target, name, None) is None]
