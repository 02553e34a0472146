"""Padding rows that were encoded earlier, as data collators do.

The padding of fresh rows is part of `rows.layout`.
"""

from collections.abc import Mapping

import numpy as np

from . import options
from .batch import BatchEncoding

# What each input is padded with, given the tokenizer.  Others are left as they are.
FILL = {
    "input_ids": lambda tokenizer: tokenizer.pad_token_id,
    "token_type_ids": lambda tokenizer: tokenizer.pad_token_type_id,
    "attention_mask": lambda tokenizer: 0,
    "special_tokens_mask": lambda tokenizer: 1,
}


def pad(tokenizer, encoded_inputs, padding=True, max_length=None,
        pad_to_multiple_of=None, padding_side=None, return_attention_mask=None,
        return_tensors=None, verbose=True):
    """Pad encoded rows to one width.

    Args:
        tokenizer: whose pad token, sides and lengths are used.
        encoded_inputs: an encoding of one row or of a batch, or a list of encodings.
        padding: as in a tokenizer call.
        max_length: tokens, for padding="max_length".
        pad_to_multiple_of: the width is rounded up to a multiple of this.
        padding_side: "right", "left", or None for the tokenizer's.
        return_attention_mask: None means if the model takes one.
        return_tensors: None (lists), "np" or "pt".
        verbose: warn when max_length has no effect.

    Returns:
        BatchEncoding

    Raises:
        ValueError: no input_ids, rows of a batch that don't belong together, or no pad
            token.
        TypeError: values that are neither lists nor arrays of ints.
    """
    columns, batched, tensors = _columns(encoded_inputs)
    return_tensors = return_tensors or tensors
    strategy, _, max_length = options.resolve(
        padding, None, max_length, tokenizer.model_max_length, verbose=verbose)
    side = options.side("padding_side", padding_side or tokenizer.padding_side)
    if strategy and tokenizer.pad_token is None:
        raise ValueError(NO_PAD_TOKEN)
    if return_attention_mask is None:
        return_attention_mask = "attention_mask" in tokenizer.model_input_names
    ids = columns["input_ids"]
    if return_attention_mask and "attention_mask" not in columns:
        columns["attention_mask"] = [[1] * len(row) for row in ids]
    if strategy and ids:
        wide = max_length if strategy == "max_length" else max(map(len, ids))
        multiple = pad_to_multiple_of or 1
        pads = [max(-(-wide // multiple) * multiple - len(row), 0) for row in ids]
        for name in columns.keys() & FILL.keys():
            if name == "attention_mask" and not return_attention_mask:
                continue          # HF: a mask that isn't asked for isn't padded either
            fill = FILL[name](tokenizer)
            columns[name] = [_extend(row, [fill] * n, side)
                             for row, n in zip(columns[name], pads)]
    if not batched:
        columns = {name: rows[0] for name, rows in columns.items()}
    return BatchEncoding(columns, tensor_type=return_tensors)


NO_PAD_TOKEN = ("Padding needs a pad token, and this tokenizer has none; set one with "
                "tokenizer.add_special_tokens({'pad_token': '[PAD]'}).")


def _extend(row, pads, side):
    return row + pads if side == "right" else pads + row


def _columns(encoded_inputs):
    """The inputs as (dict of name -> list of rows, was it a batch, tensor kind)."""
    if isinstance(encoded_inputs, (list, tuple)) and encoded_inputs:
        if not all(isinstance(row, Mapping) for row in encoded_inputs):
            raise TypeError("pad() takes an encoding or a list of them, got a list of "
                            f"{type(encoded_inputs[0]).__name__}.")
        names = list(encoded_inputs[0])
        encoded_inputs = {name: [row[name] for row in encoded_inputs] for name in names}
    if not isinstance(encoded_inputs, Mapping) or "input_ids" not in encoded_inputs:
        found = encoded_inputs
        if isinstance(encoded_inputs, Mapping):
            found = list(encoded_inputs)
        raise ValueError(f"pad() needs 'input_ids'; it was given {found!r}.")
    tensors = _tensor_kind(encoded_inputs["input_ids"])
    columns = {name: _lists(name, value) for name, value in encoded_inputs.items()}
    ids = columns["input_ids"]
    batched = not ids or isinstance(ids[0], list)
    if not batched:
        return {name: [value] for name, value in columns.items()}, False, tensors
    for name, rows in columns.items():
        if len(rows) != len(ids):
            raise ValueError(f"the number of rows is {len(ids)} in input_ids, but "
                             f"{name} has {len(rows)}.")
    return columns, True, tensors


def _tensor_kind(ids):
    """ "np" or "pt" if ids is (a list of) arrays or tensors, else None."""
    first = ids[0] if isinstance(ids, (list, tuple)) and ids else ids
    if isinstance(first, np.ndarray):
        return "np"
    return "pt" if type(first).__module__.partition(".")[0] == "torch" else None


def _lists(name, value):
    """Rows in any form as nested lists of numbers."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, (int, float)):
        return value
    if not isinstance(value, (list, tuple)):
        raise TypeError(f"{name} must be a list, an array or a tensor of numbers, got "
                        f"{value!r}.")
    return [_lists(name, item) for item in value]
