"""Padding of rows that were encoded earlier, which data collators need.

A call pads its own rows in `rows.layout`.
"""

from collections.abc import Mapping

import numpy as np

from . import options
from .batch import BatchEncoding

# What to pad each output with; other outputs are left as they are.
FILL = {
    "input_ids": lambda tokenizer: tokenizer.pad_token_id,
    "token_type_ids": lambda tokenizer: tokenizer.pad_token_type_id,
    "attention_mask": lambda tokenizer: 0,
    "special_tokens_mask": lambda tokenizer: 1,
}
NO_PAD_TOKEN = ("pad_token is None, expected a token to pad with: set one with "
                "tokenizer.add_special_tokens({'pad_token': '[PAD]'})")


def pad(tokenizer, encoded_inputs, padding=True, max_length=None,
        pad_to_multiple_of=None, padding_side=None, return_attention_mask=None,
        return_tensors=None, verbose=True):
    """Pad encoded rows to one width.

    Args:
        tokenizer: gives the pad token, the side and the maximal length.
        encoded_inputs: an encoding of one row or of a batch, or a list of encodings.
        padding: as in a tokenizer call.
        max_length: tokens, for padding="max_length".
        pad_to_multiple_of: round the width up to a multiple of this.
        padding_side: "right", "left", or None for the tokenizer's.
        return_attention_mask: None means "if the model takes one".
        return_tensors: None (lists), "np" or "pt".
        verbose: warn when max_length has no effect.

    Returns:
        BatchEncoding

    Raises:
        ValueError: no input_ids, outputs with different numbers of rows, or no pad
            token.
        TypeError: values that are not lists, arrays or tensors of numbers.
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
                continue          # HF: a mask that nobody asked for is not padded
            fill = FILL[name](tokenizer)
            columns[name] = [_extend(row, [fill] * n, side)
                             for row, n in zip(columns[name], pads)]
    if not batched:
        columns = {name: rows[0] for name, rows in columns.items()}
    return BatchEncoding(columns, tensor_type=return_tensors)


def _extend(row, pads, side):
    return row + pads if side == "right" else pads + row


def _columns(encoded_inputs):
    """Return (dict of name -> list of rows, whether it is a batch, kind of tensor)."""
    if isinstance(encoded_inputs, (list, tuple)) and encoded_inputs:
        if not all(isinstance(row, Mapping) for row in encoded_inputs):
            raise TypeError("encoded_inputs is a list of "
                            f"{type(encoded_inputs[0]).__name__}, expected an encoding "
                            "or a list of them: pass what the tokenizer returned")
        names = list(encoded_inputs[0])
        encoded_inputs = {name: [row[name] for row in encoded_inputs] for name in names}
    if not isinstance(encoded_inputs, Mapping) or "input_ids" not in encoded_inputs:
        found = f"encoded_inputs is {encoded_inputs!r}"
        if isinstance(encoded_inputs, Mapping):
            found = f"encoded_inputs has the keys {list(encoded_inputs)}"
        raise ValueError(f"{found}, expected an encoding with 'input_ids': pass what "
                         "the tokenizer returned")
    tensors = _tensor_kind(encoded_inputs["input_ids"])
    columns = {name: _lists(name, value) for name, value in encoded_inputs.items()}
    ids = columns["input_ids"]
    batched = not ids or isinstance(ids[0], list)
    if not batched:
        return {name: [value] for name, value in columns.items()}, False, tensors
    for name, rows in columns.items():
        if len(rows) != len(ids):
            raise ValueError(f"the number of rows in {name} is {len(rows)}, expected "
                             f"{len(ids)}, that of input_ids: pass one for each row")
    return columns, True, tensors


def _tensor_kind(ids):
    """Return "np" or "pt" if ids is (a list of) arrays or tensors, else None."""
    first = ids[0] if isinstance(ids, (list, tuple)) and ids else ids
    if isinstance(first, np.ndarray):
        return "np"
    return "pt" if type(first).__module__.partition(".")[0] == "torch" else None


def _lists(name, value):
    """Turn rows in any form into nested lists of numbers."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, (int, float)):
        return value
    if not isinstance(value, (list, tuple)):
        raise TypeError(f"{name} is {value!r}, expected a list, an array or a tensor "
                        "of numbers: convert it, or leave it out")
    return [_lists(name, item) for item in value]
