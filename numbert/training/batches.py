"""From examples to batches: padding, and the order of the data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..bert.losses import IGNORE_INDEX

MEGABATCH = 50      # batches among which examples are sorted by length


def collate(examples: Sequence[dict], rng=None, *, pad_token_id: int = 0,
            pad_to_multiple_of: int = 1) -> dict[str, np.ndarray]:
    """Put examples together into one batch, padded to the longest of them.

    Args:
        examples: dicts with the same names.  Each holds input_ids (..., T) and may hold
            attention_mask, token_type_ids, labels and others, arrays or numbers.
        rng: unused here; a collate that draws at random needs it.
        pad_token_id: what input_ids are padded with.
        pad_to_multiple_of: round the length up to a multiple of this.

    Returns:
        {name: array (B, ...)}.  Arrays of one length are stacked; arrays as long as
        their example's input_ids are padded at the end of the last axis: input_ids with
        pad_token_id, labels with -100, others with 0.  attention_mask is added if
        absent, with 0 at the padding.

    Raises:
        ValueError: the examples hold different names, or arrays that do not fit
            together.
    """
    check_names(examples)
    rows = [{name: array(name, value, i) for name, value in example.items()}
            for i, example in enumerate(examples)]
    lengths = [row["input_ids"].shape[-1] for row in rows]
    longest = -(-max(lengths) // pad_to_multiple_of) * pad_to_multiple_of
    if "attention_mask" not in rows[0]:
        for row in rows:
            row["attention_mask"] = np.ones(row["input_ids"].shape, np.int64)
    fills = {"input_ids": pad_token_id, "labels": IGNORE_INDEX}
    ragged = longest > min(lengths)
    return {name: stacked(name, [row[name] for row in rows],
                          lengths if ragged else [], longest, fills.get(name, 0))
            for name in rows[0]}


def array(name: str, value, i: int) -> np.ndarray:
    """Return one value of example i as an array, if its rows have one length."""
    try:
        return np.asarray(value)
    except ValueError:
        raise ValueError(f"{name} of example {i} of a batch is ragged, expected rows "
                         "of one length: pad them") from None


def check_names(examples: Sequence[dict]) -> None:
    """Refuse a batch that is empty or whose examples do not hold the same names."""
    if not len(examples):
        raise ValueError("the batch holds no examples, expected at least one: leave "
                         "empty batches out")
    names = set(examples[0])
    if "input_ids" not in names:
        raise ValueError(f"an example holds {', '.join(sorted(names)) or 'nothing'}, "
                         "expected input_ids among them: encode texts with a tokenizer")
    for i, example in enumerate(examples):
        if set(example) != names:
            raise ValueError(
                f"example {i} of a batch holds {', '.join(sorted(example))}, expected "
                f"{', '.join(sorted(names))}, as in example 0: give all the same names")


def stacked(name, arrays, lengths, longest, fill) -> np.ndarray:
    """Stack arrays of one name to (B, ...), padded if they have an entry per token.

    lengths: tokens of each example; empty if all have `longest`.
    """
    tokens = lengths and all(x.ndim and x.shape[-1] == length
                             for x, length in zip(arrays, lengths))
    if tokens:
        arrays = [np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, longest - x.shape[-1])],
                         constant_values=fill) for x in arrays]
    shapes = {x.shape for x in arrays}
    if len(shapes) > 1:
        raise ValueError(f"{name} has shapes {sorted(shapes)} in one batch, expected "
                         "one shape, or in each example the length of its input_ids: "
                         "pad it, or pass a collate of your own")
    return np.stack(arrays)


def epoch_order(count: int, seed: int, epoch: int, lengths=None,
                batch_size: int = 1) -> np.ndarray:
    """Return the order in which one epoch goes through the data.

    It depends on the arguments alone, so one number is enough to find a place in it.

    Args:
        count: how many examples there are.
        seed, epoch: which of the random orders.
        lengths (count,): put examples of similar length into the same batch.  The
            examples of 50 batches at a time, drawn at random, are sorted by length and
            cut into batches; then the batches are shuffled.
        batch_size: used with `lengths` only.

    Returns:
        (count,) a permutation of 0 ... count - 1.
    """
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(count)
    if lengths is None:
        return order
    lengths, size = np.asarray(lengths), MEGABATCH * batch_size
    whole: list[np.ndarray] = []
    rest: list[np.ndarray] = []
    for start in range(0, count, size):
        mega = order[start:start + size]
        mega = mega[np.argsort(lengths[mega], kind="stable")]
        for first in range(0, len(mega), batch_size):
            batch = mega[first:first + batch_size]
            (whole if len(batch) == batch_size else rest).append(batch)
    whole = [whole[i] for i in rng.permutation(len(whole))]
    return np.concatenate([*whole, *rest])      # the one small batch must be the last


def in_parts(indices: np.ndarray, parts: int) -> list[np.ndarray]:
    """Cut a batch into at most `parts` parts of nearly equal size, none of them empty.
    """
    return np.array_split(indices, min(parts, len(indices)))
