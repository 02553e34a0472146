"""The types of values in arguments and files, each defined once for every check.

A file may say "False" or 12.0 where False or 12 is meant; Python would use either
without complaint.
"""

from __future__ import annotations

import operator
from numbers import Real
from typing import Any

import numpy as np


def is_whole_number(value) -> bool:
    """Whether a value is a whole number, of Python or NumPy, and not a boolean.

    Anything that Python accepts as an index counts, even an array of shape ().
    """
    if isinstance(value, bool) or getattr(value, "dtype", None) == bool:
        return False                    # older versions of NumPy take them as an index
    try:
        operator.index(value)
    except TypeError:
        return False
    return True


def is_number(value) -> bool:
    """Whether a value is a real number, of Python or NumPy, and not a boolean."""
    return isinstance(value, Real) and not isinstance(value, bool)


def plain(value) -> Any:
    """Return a NumPy number as a Python one, which JSON can hold; leave others alone.
    """
    scalar = hasattr(value, "item") and not getattr(value, "shape", ())
    return value.item() if scalar else value


KINDS = {
    "bool": (lambda value: isinstance(value, bool), "True or False"),
    "int": (is_whole_number, "a whole number"),
    "float": (is_number, "a number"),
    "str": (lambda value: isinstance(value, str), "a text"),
    "dict": (lambda value: isinstance(value, dict), "an object"),
    "list[int]": (lambda value: isinstance(value, list)
                  and all(map(is_whole_number, value)), "a list of whole numbers"),
    "list[str]": (lambda value: isinstance(value, list)
                  and all(isinstance(item, str) for item in value), "a list of texts"),
    "None": (lambda value: value is None, "None"),
}


def check_kind(name: str, value, kind: str,
               remedy: str = "correct it, or leave it out") -> None:
    """Refuse a value that has none of the types in `kind`.

    HF: a strict dataclass checks its fields like this, but refuses 1 as a float; here
    a whole number is a number, too.

    Args:
        name: of the setting, for the error.
        kind: types of KINDS, as in an annotation: "int | None".
        remedy: what the error says to do.

    Raises:
        ValueError: the value has none of these types.
    """
    known = [KINDS[part] for part in kind.split(" | ")]
    if not any(fits(value) for fits, _ in known):
        expected = " or ".join(words for _, words in known)
        raise ValueError(f"{name} is {value!r:.80}, expected {expected}: {remedy}")


def generator(rng) -> np.random.Generator:
    """Return a numpy Generator: `rng` itself, or a new one from a seed.

    rng: a Generator, or a seed: a whole number >= 0 or a list of these.  None draws a
    seed from the operating system.

    Raises:
        TypeError, ValueError: it is none of these.
    """
    try:
        if isinstance(rng, (bool, np.bool_)):
            raise TypeError
        return np.random.default_rng(rng)
    except (TypeError, ValueError) as error:
        raise type(error)(f"rng is {rng!r}, expected a whole number >= 0 or a numpy "
                          "Generator: pass a seed, as in rng=0") from None
