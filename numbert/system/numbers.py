"""Numbers in arguments: which kinds there are, so that every check agrees."""

from __future__ import annotations

import operator
from numbers import Real
from typing import Any


def is_whole_number(value) -> bool:
    """Whether a value is a whole number, of Python or NumPy, and not a boolean.

    Whatever Python takes as an index counts: also an array of one integer, shape ().
    """
    try:
        operator.index(value)
    except TypeError:
        return False
    return not isinstance(value, bool)


def is_number(value) -> bool:
    """Whether a value is a real number, of Python or NumPy, and not a boolean."""
    return isinstance(value, Real) and not isinstance(value, bool)


def plain(value) -> Any:
    """Return a number of NumPy as one of Python, which JSON knows; others as they are.
    """
    scalar = hasattr(value, "item") and not getattr(value, "shape", ())
    return value.item() if scalar else value
