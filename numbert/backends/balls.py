"""Arrays of balls: intervals that are certain to hold the exact number.

A ball is a midpoint and a radius.  Each operation on balls gives a ball that holds the
result, whatever the exact operands in their balls were (van der Hoeven 2009, Johansson
2017).  The balls are those of Arb, through python-flint.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

try:
    from flint import arb, arb_mat
except ImportError as error:
    raise ImportError("python-flint is not installed, expected it for proven digits: "
                      'pip install "numbert[exact]"') from error


class Balls(np.ndarray):
    """An array of balls; arithmetic with it gives arrays of balls."""

    def to_float64(self) -> np.ndarray:
        """Return the nearest float64 to each exact value.

        Where `undecided` is true the ball is too wide to tell, and its midpoint is
        rounded; 0 if the ball holds 0.
        """
        return _mapped(lambda x: _ends(x)[1], self, float)

    def undecided(self) -> np.ndarray:
        """Return whether the ball is too wide to tell the nearest float64."""
        return _mapped(lambda x: len({*_ends(x)}) > 1, self, bool)

    def radius(self) -> np.ndarray:
        """Return the radius of each ball, rounded up."""
        return _mapped(lambda x: math.nextafter(_ends(arb(x).rad().upper())[2],
                                                math.inf), self, float)

    def digits(self) -> np.ndarray:
        """Return how many decimal digits of each value are proven; inf if all are.

        That is the logarithm of midpoint over radius; a ball that holds 0 proves none.
        """
        return _mapped(_digits, self, float)


def balls(values) -> Any:
    """Return numbers, or an array of balls, as Balls; float64 numbers stay exact."""
    values = np.asarray(values)
    if values.dtype != object:
        values = values.astype(int if values.dtype.kind in "iub" else float)
    return _mapped(arb, values, object).view(Balls)


def _mapped(function, values, dtype) -> np.ndarray:
    """Return an array of what a function makes of each entry."""
    found = np.frompyfunc(function, 1, 1)(np.asarray(values))
    return np.asarray(found, object).astype(dtype, copy=False)


def _ends(x) -> tuple[float, float, float]:
    """Return the float64 nearest to the lower end, midpoint and upper end of a ball."""
    x = arb(x)
    if not x.is_finite():
        return math.nan, math.nan, math.nan
    (mid, e), (rad, f) = x.mid().man_exp(), x.rad().man_exp()
    mid, rad, e, f = int(mid), int(rad), int(e), int(f)
    if rad == 0:
        return (_rounded(mid, e),) * 3
    if max(mid.bit_length() + e, rad.bit_length() + f) < -1100:    # less than any float
        return (0.0,) * 3
    shared = min(e, f)
    mid, rad = mid << (e - shared), rad << (f - shared)
    middle = 0.0 if abs(mid) <= rad else _rounded(mid, shared)
    return _rounded(mid - rad, shared), middle, _rounded(mid + rad, shared)


def _rounded(mantissa: int, exponent: int) -> float:
    """Return mantissa 2^exponent, rounded once: a quotient of integers is."""
    if mantissa.bit_length() + exponent < -1100:
        return 0.0
    if exponent >= 0:
        return float(mantissa << exponent)
    return mantissa / (1 << -exponent)


def _digits(x) -> float:
    x = arb(x)
    if x.is_exact():
        return math.inf
    if not x.is_finite() or x.contains(0):
        return 0.0
    return float((abs(x.mid()) / x.rad()).log().mid()) / math.log(10)


def each(function):
    """Return a function that applies another to each ball of an array."""
    return lambda x: _mapped(function, x, object).view(Balls)


exp, log, rsqrt = each(arb.exp), each(arb.log), each(arb.rsqrt)
erf, tanh = each(arb.erf), each(arb.tanh)


def _root(x):
    """The square root of a number that can't be negative, though its ball may reach."""
    return arb(0, x.upper().sqrt().upper()) if x.contains(0) else x.sqrt()


root = each(_root)


def midpoints(x) -> np.ndarray:
    """x (...) -> out (...): the midpoints of balls, as float64."""
    return _mapped(lambda ball: float(arb(ball).mid()), x, float)


def matmul(a, b):
    """a (..., n, k), b (..., k, m) -> out (..., n, m), one product of matrices each."""
    lead, n, m = a.shape[:-2], a.shape[-2], b.shape[-1]
    out = np.empty((*lead, n, m), object)
    for place in np.ndindex(lead):
        left, right = (arb_mat(x.shape[0], x.shape[1], x.ravel().tolist())
                       for x in (a[place], b[place] if b.ndim > 2 else b))
        out[place] = np.array((left * right).entries(), object).reshape(n, m)
    return out.view(Balls)
