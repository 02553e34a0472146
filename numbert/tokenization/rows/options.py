"""The options of a tokenizer call, checked once and in one place."""

import warnings
from typing import Any, NamedTuple, Optional

from ...system.numbers import is_whole_number

LARGE_INTEGER = int(1e20)          # a larger model_max_length means "no limit"
VERY_LARGE_INTEGER = int(1e30)     # the model_max_length of a tokenizer without one

PADDINGS = ("longest", "max_length", "do_not_pad")
TRUNCATIONS = ("longest_first", "only_first", "only_second", "do_not_truncate")
SIDES = ("right", "left")
NOT_A_COUNT = ("{} is {!r}, expected a whole number, 0 or more: leave it out for the "
               "default")


class Arguments(NamedTuple):
    """The arguments of a call but for its texts, as they were passed, in their order.

    `TokenizerBase.__call__` says what they mean.
    """
    add_special_tokens: Any
    padding: Any
    truncation: Any
    max_length: Any
    stride: Any
    is_split_into_words: Any
    pad_to_multiple_of: Any
    padding_side: Any
    return_tensors: Any
    return_token_type_ids: Any
    return_attention_mask: Any
    return_overflowing_tokens: Any
    return_special_tokens_mask: Any
    return_offsets_mapping: Any
    return_length: Any
    verbose: Any
    split_special_tokens: Any


class Options(NamedTuple):
    """The options of one call, checked."""
    padding: Optional[str]                # None, "longest" or "max_length"
    truncation: Optional[str]             # None, "longest_first", "only_first", ...
    max_length: Optional[int]             # in tokens, special tokens included
    stride: int                           # tokens that neighbouring windows share
    pad_to_multiple_of: Optional[int]
    padding_side: str
    truncation_side: str
    add_special_tokens: bool
    overflow: bool                        # keep the windows after the first
    keys: tuple                           # the outputs with one value per token
    length: bool                          # also return the number of tokens per row
    tensors: Optional[str]                # None for lists, "np" or "pt"
    words: bool                           # the texts are lists of words
    split: bool                           # split special tokens like other text
    warn: bool                            # of rows that are too long for the model


def resolve(padding, truncation, max_length, model_max_length, pad_to_multiple_of=None,
            verbose=True):
    """Work out what padding, truncation and max_length of a call mean together.

    Args:
        padding: False, True, or one of `PADDINGS`.
        truncation: None, False, True, or one of `TRUNCATIONS`.
        max_length: tokens, or None for the model's own maximum.
        model_max_length: tokens; above `LARGE_INTEGER` it means "no limit".
        pad_to_multiple_of: round the width of padded rows up to a multiple of this.
        verbose: warn when max_length has no effect.

    Returns:
        (padding, truncation, max_length) as `Options` holds them

    Raises:
        ValueError: an unknown strategy, or values that contradict each other.
        TypeError: a length that is not a whole number.
    """
    max_length = _count("max_length", max_length)
    pad_to_multiple_of = _count("pad_to_multiple_of", pad_to_multiple_of)
    if max_length is not None and padding is False and truncation is None:
        truncation = "longest_first"      # HF: max_length alone asks for truncation
    fill = _strategy("padding", padding, "longest", PADDINGS)
    cut = _strategy("truncation", truncation, "longest_first", TRUNCATIONS)
    if padding is True and cut is None and max_length is not None and verbose:
        warnings.warn("max_length has no effect with padding=True and no truncation: "
                      "pass padding='max_length' to pad to it", stacklevel=4)
    if max_length is None and (cut or fill == "max_length"):
        if model_max_length > LARGE_INTEGER:
            cut, fill = None, None if fill == "max_length" else fill
        else:
            max_length = model_max_length
    if fill and cut and pad_to_multiple_of and max_length % pad_to_multiple_of:
        nearest = max(max_length // pad_to_multiple_of, 1) * pad_to_multiple_of
        raise ValueError(
            f"max_length is {max_length}, expected a multiple of {pad_to_multiple_of} "
            "(pad_to_multiple_of) if rows are both cut and padded: pass "
            f"{nearest}, for example")
    return fill, cut, max_length


def side(name, value):
    """Return `value` if it is "right" or "left"."""
    if value not in SIDES:
        raise ValueError(f"{name} is {value!r}, expected 'right' or 'left': leave it "
                         "out for the default")
    return value


def stride(value):
    """Return `value` as an int if it is a number of tokens, 0 or more."""
    checked = _count("stride", value)
    if checked is None:
        raise TypeError("stride is None, expected a whole number, 0 or more: pass 0 "
                        "for no overlap")
    return checked


def flag(name, value, or_none=False):
    """Return the setting `value` if it is a bool (or None)."""
    if isinstance(value, bool) or or_none and value is None:
        return value
    wanted = "True, False or None" if or_none else "True or False"
    raise TypeError(f"{name} is {value!r}, expected {wanted}: leave it out for the "
                    "default")


def strings(name, value):
    """Return the setting `value` as a list, if it is a list of str (or None)."""
    if value is None:
        return None
    if not isinstance(value, (list, tuple)) or not {*map(type, value)} <= {str}:
        raise TypeError(f"{name} is {value!r}, expected a list of str: leave it out "
                        "for the default")
    return list(value)


def limit(value):
    """Return model_max_length as an int; None means no limit."""
    if value is None:
        return VERY_LARGE_INTEGER
    if isinstance(value, float) and value.is_integer():
        return int(value)               # some files have 1e30
    if is_whole_number(value):
        return int(value)
    raise TypeError(f"model_max_length is {value!r}, expected a whole number of "
                    "tokens: pass None for no limit")


def _strategy(name, value, default, allowed):
    """Return the name of a strategy, or None if `value` means "don't"."""
    if value is None or value is False:
        return None
    if value is True:
        return default
    value = getattr(value, "value", value)          # an enum member of transformers
    if value not in allowed:
        raise ValueError(f"{name} is {value!r}, expected True, False or one of "
                         f"{', '.join(allowed)}: leave it out for the default")
    return None if value.startswith("do_not") else value


def _count(name, value):
    """Return `value` as an int, 0 or more, or None if it is None."""
    if value is None:
        return None
    if not is_whole_number(value):
        raise TypeError(NOT_A_COUNT.format(name, value))
    if value < 0:
        raise ValueError(NOT_A_COUNT.format(name, value))
    return int(value)
