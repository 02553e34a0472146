"""Padding of rows that were encoded earlier, which data collators need.

A call pads its own rows in `rows.layout`.
"""

from collections.abc import Collection, Mapping

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
NUMBERS = {int, float, bool}


def pad(tokenizer, encoded_inputs, padding=True, max_length=None,
        pad_to_multiple_of=None, padding_side=None, return_attention_mask=None,
        return_tensors=None, verbose=True):
    """Pad encoded rows to one width.

    Args:
        tokenizer: gives the pad token, the side and the maximal length.
        encoded_inputs: an encoding of one row or of a batch, or a list of encodings.
            Texts, None and whatever else is in them pass as they are.
        padding: as in a tokenizer call.
        max_length: tokens, for padding="max_length".
        pad_to_multiple_of: round the width up to a multiple of this.
        padding_side: "right", "left", or None for the tokenizer's.
        return_attention_mask: None means "if model_input_names has it".
        return_tensors: None (lists), "np" or "pt".
        verbose: warn when max_length has no effect.

    Returns:
        BatchEncoding

    Raises:
        ValueError: no input_ids, outputs with different numbers of rows, or no pad
            token.
        TypeError: what is to be padded is not a list, array or tensor of numbers.
    """
    columns, batched, tensors = _columns(encoded_inputs)
    return_tensors = return_tensors or tensors
    strategy, _, max_length = options.resolve(
        padding, None, max_length, tokenizer.model_max_length, verbose=verbose)
    side = options.side("padding_side", padding_side or tokenizer.padding_side)
    if strategy:
        check_pad_token(tokenizer)
    if return_attention_mask is None:
        return_attention_mask = "attention_mask" in tokenizer.model_input_names
    ids = columns["input_ids"]
    if return_attention_mask and "attention_mask" not in columns:
        columns["attention_mask"] = [[1] * len(row) for row in ids]
    if strategy and ids:
        wide = max_length if strategy == "max_length" else max(map(len, ids))
        multiple = pad_to_multiple_of or 1
        pads = [max(-(-wide // multiple) * multiple - len(row), 0) for row in ids]
        fills = {name: FILL[name](tokenizer) for name in columns if name in FILL}
        if not return_attention_mask:
            fills.pop("attention_mask", None)   # HF: nobody asked for it: not padded
        columns.update(_padded(columns, fills, pads, side))
    if not batched:
        columns = {name: rows[0] for name, rows in columns.items()}
    return BatchEncoding(columns, tensor_type=return_tensors)


def check_pad_token(tokenizer):
    """Raise ValueError unless a tokenizer has a token to pad with."""
    if tokenizer.pad_token is None:
        raise ValueError(f"the pad_token{tokenizer.origin} is None, expected a token "
                         "to pad with: set one with tokenizer.add_special_tokens("
                         "{'pad_token': '[PAD]'})")


def _padded(columns, fills, pads, side):
    """Return the columns of `fills` with pads[i] more values in row i, on one side."""
    def extend(row, more):
        return row + more if side == "right" else more + row

    return {name: [extend(row, [fill] * n) for row, n in zip(columns[name], pads)]
            for name, fill in fills.items()}


def _columns(encoded_inputs):
    """Return {name: list of rows}, whether it was a batch, and the kind of tensor.

    HF: what is not padded is left as it is, unless the ids are arrays or tensors.
    """
    if isinstance(encoded_inputs, (list, tuple)) and encoded_inputs:
        encoded_inputs = _by_name(encoded_inputs)
    if not isinstance(encoded_inputs, Mapping) or "input_ids" not in encoded_inputs:
        found = f"encoded_inputs is {encoded_inputs!r}"
        if isinstance(encoded_inputs, Mapping):
            found = f"encoded_inputs has the keys {list(encoded_inputs)}"
        raise ValueError(f"{found}, expected an encoding with 'input_ids': pass what "
                         "the tokenizer returned")
    tensors = _tensor_kind(encoded_inputs["input_ids"])
    columns = {name: _lists(value) if tensors or name in FILL else value
               for name, value in encoded_inputs.items()}
    ids = columns["input_ids"]
    batched = isinstance(ids, list) and (not ids or isinstance(ids[0], list))
    if not batched:
        columns = {name: [value] for name, value in columns.items()}
    for name, rows in columns.items():
        _check_rows(name, rows, len(columns["input_ids"]), batched)
    return columns, batched, tensors


def _by_name(encodings):
    """Return {name: list of values}, given a list of encodings."""
    for i, row in enumerate(encodings):
        if not isinstance(row, Mapping):
            raise TypeError(f"encoded_inputs[{i}] is {row!r}, expected an encoding, as "
                            "in a list of them: pass what the tokenizer returned")
        for name in encodings[0]:
            if name not in row:
                raise ValueError(f"row {i} of encoded_inputs has no {name!r}, expected "
                                 "the keys of row 0: add it, or remove it from row 0")
    return {name: [row[name] for row in encodings] for name in encodings[0]}


def _check_rows(name, rows, count, batched):
    """Raise an error unless a column has one row for each row of ids, of its kind."""
    if not isinstance(rows, Collection):
        raise TypeError(f"{name} is {rows!r}, expected {count} rows as in input_ids: "
                        "pass one for each row")
    if len(rows) != count:
        raise ValueError(f"the number of rows in {name} is {len(rows)}, expected "
                         f"{count} as in input_ids: pass one for each row")
    for i, row in enumerate(rows if name in FILL else ()):
        good = isinstance(row, list)
        if not good or name == "input_ids" and not {*map(type, row)} <= NUMBERS:
            here = f"{name}[{i}]" if batched else name
            raise TypeError(f"{here} is {row!r}, expected a list of numbers: convert "
                            "it, or leave it out")


def _tensor_kind(ids):
    """Return "np" or "pt" if ids is (a list of) arrays or tensors, else None."""
    first = ids[0] if isinstance(ids, (list, tuple)) and ids else ids
    if isinstance(first, np.ndarray):
        return "np"
    return "pt" if type(first).__module__.partition(".")[0] == "torch" else None


def _lists(value):
    """Turn arrays and tensors, also inside of lists, into lists of Python numbers."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, (list, tuple)):
        return list(value) if {*map(type, value)} <= NUMBERS else [*map(_lists, value)]
    return value
