"""The arguments of a tokenizer call, checked once and in one place."""

import warnings
from typing import NamedTuple, Optional

from ...system.numbers import is_whole_number

LARGE_INTEGER = int(1e20)          # a model_max_length above this means "no limit"
VERY_LARGE_INTEGER = int(1e30)     # the model_max_length of a tokenizer that has none

PADDINGS = ("longest", "max_length", "do_not_pad")
TRUNCATIONS = ("longest_first", "only_first", "only_second", "do_not_truncate")
SIDES = ("right", "left")


class Options(NamedTuple):
    """How rows are shortened and filled up.  None as a strategy means: don't."""
    padding: Optional[str]                # None, "longest" or "max_length"
    truncation: Optional[str]             # None, "longest_first", "only_first", ...
    max_length: Optional[int]             # in tokens, special tokens included
    stride: int = 0                       # tokens that neighbouring windows share
    pad_to_multiple_of: Optional[int] = None
    padding_side: str = "right"
    truncation_side: str = "right"
    add_special_tokens: bool = True
    overflow: bool = False                # keep the windows after the first


def resolve(padding, truncation, max_length, model_max_length, pad_to_multiple_of=None,
            verbose=True):
    """What a call's padding, truncation and max_length mean together.

    Args:
        padding: False, True, or one of `PADDINGS`.
        truncation: None, False, True, or one of `TRUNCATIONS`.
        max_length: tokens, or None for the model's own maximum.
        model_max_length: tokens; above `LARGE_INTEGER` it counts as "no limit".
        pad_to_multiple_of: the width is rounded up to a multiple of this.
        verbose: warn when max_length has no effect.

    Returns:
        (padding, truncation, max_length) as `Options` holds them.

    Raises:
        ValueError: an unknown strategy, or values that contradict each other.
        TypeError: a length that is not an integer.
    """
    max_length = _count("max_length", max_length)
    pad_to_multiple_of = _count("pad_to_multiple_of", pad_to_multiple_of)
    if max_length is not None and padding is False and truncation is None:
        truncation = "longest_first"      # HF: max_length alone asks for truncation
    fill = _strategy("padding", padding, "longest", PADDINGS)
    cut = _strategy("truncation", truncation, "longest_first", TRUNCATIONS)
    if padding is True and cut is None and max_length is not None and verbose:
        warnings.warn("max_length is ignored with padding=True and no truncation; use "
                      "padding='max_length' to pad to it.", stacklevel=4)
    if max_length is None and (cut or fill == "max_length"):
        if model_max_length > LARGE_INTEGER:
            cut, fill = None, None if fill == "max_length" else fill
        else:
            max_length = model_max_length
    if fill and cut and pad_to_multiple_of and max_length % pad_to_multiple_of:
        raise ValueError(
            f"max_length={max_length} is not a multiple of pad_to_multiple_of="
            f"{pad_to_multiple_of}, so rows can't be both cut and padded to it; take "
            f"{max_length // pad_to_multiple_of * pad_to_multiple_of}, for example.")
    return fill, cut, max_length


def side(name, value):
    """Check that `value` is "right" or "left" and return it."""
    if value not in SIDES:
        raise ValueError(f"{name} must be 'right' or 'left', got {value!r}.")
    return value


def stride(value):
    """Check that `value` is a number of tokens, 0 or more, and return it as an int."""
    checked = _count("stride", value)
    if checked is None:
        raise TypeError("stride must be an integer, got None; use 0 for no overlap.")
    return checked


def flag(name, value, or_none=False):
    """Check that the setting `value` is a bool (or None) and return it."""
    if isinstance(value, bool) or or_none and value is None:
        return value
    wanted = "True, False or None" if or_none else "True or False"
    raise TypeError(f"{name} must be {wanted}, got {value!r}.")


def limit(value):
    """model_max_length as an int; None means no limit."""
    if value is None:
        return VERY_LARGE_INTEGER
    if isinstance(value, float) and value.is_integer():
        return int(value)               # some files have 1e30
    if is_whole_number(value):
        return int(value)
    raise TypeError("model_max_length must be an integer (tokens), or None for no "
                    f"limit, got {value!r}.")


def _strategy(name, value, default, allowed):
    """`value` as a strategy name, or None for "don't"."""
    if value is None or value is False:
        return None
    if value is True:
        return default
    value = getattr(value, "value", value)          # an enum member of transformers
    if value not in allowed:
        raise ValueError(f"{name} must be True, False or one of {', '.join(allowed)}; "
                         f"got {value!r}.")
    return None if value.startswith("do_not") else value


def _count(name, value):
    """`value` as a non-negative int, or None."""
    if value is None:
        return None
    if not is_whole_number(value):
        raise TypeError(f"{name} must be an integer, got {value!r}.")
    if value < 0:
        raise ValueError(f"{name} must be 0 or more, got {value}.")
    return int(value)
