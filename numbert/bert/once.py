"""Leaf operations for a run that goes backward once, as a step of training does.

GELU's backward multiplies by the slope at x.  Where it is certain that a backward
follows, the slope is computed while x is in the cache, and kept in place of x and
Phi(x): that saves memory and time.  The numbers are the same, bit by bit.
"""

from types import SimpleNamespace

from . import ops
from .erf import in_blocks
from .scope import NUMPY


def gelu(x):
    """x Phi(x), as ops.gelu computes it.

    x (...) -> out (...)                   Hendrycks & Gimpel 2016
    """
    def with_slope(x):
        out, saved = ops.gelu(x)
        return out, ops.gelu_backward(1.0, saved)
    return in_blocks(with_slope, x, 2)                     # out and its slope (...)


def gelu_backward(dout, slope):
    """dout (...) -> dx (...): the chain rule"""
    return dout * slope


ONCE = SimpleNamespace(**{**vars(NUMPY), "gelu": gelu, "gelu_backward": gelu_backward})
