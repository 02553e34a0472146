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
        rng: not used; a collate that masks or draws would.
        pad_token_id: what input_ids are padded with.
        pad_to_multiple_of: round the length up.

    Returns:
        {name: array (B, ...)}.  Arrays of one length are stacked; arrays as long as
        their example's input_ids are padded at the end of the last axis: input_ids with
        pad_token_id, labels with -100, others with 0.  attention_mask is made if it is
        not there: 0 at the padding.

    Raises:
        ValueError: an example lacks a name or has one too many, or its arrays do not
            fit together.
    """
    check_names(examples)
    rows = [{name: np.asarray(value) for name, value in example.items()}
            for example in examples]
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


def check_names(examples: Sequence[dict]) -> None:
    """Refuse a batch that is empty or whose examples do not hold the same names."""
    if not len(examples):
        raise ValueError("a batch of no examples: expected at least one")
    names = set(examples[0])
    if "input_ids" not in names:
        raise ValueError(f"an example holds {', '.join(sorted(names)) or 'nothing'}, "
                         "expected input_ids among them: encode texts with a tokenizer")
    for i, example in enumerate(examples):
        if set(example) != names:
            raise ValueError(
                f"example {i} of a batch holds {', '.join(sorted(example))}, but "
                f"example 0 holds {', '.join(sorted(names))}: all must hold the same")


def stacked(name, arrays, lengths, longest, fill) -> np.ndarray:
    """Arrays of one name as one array (B, ...), padded if they go along with tokens.

    lengths: tokens of each example; empty if all are `longest`.
    """
    tokens = lengths and all(x.ndim and x.shape[-1] == length
                             for x, length in zip(arrays, lengths))
    if tokens:
        arrays = [np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, longest - x.shape[-1])],
                         constant_values=fill) for x in arrays]
    shapes = {x.shape for x in arrays}
    if len(shapes) > 1:
        raise ValueError(f"{name} has shapes {sorted(shapes)} in one batch: expected "
                         "one shape, or in each example the length of its input_ids")
    return np.stack(arrays)


def epoch_order(count: int, seed: int, epoch: int, lengths=None,
                batch_size: int = 1) -> np.ndarray:
    """The order in which one epoch goes through the data.

    A function of its arguments alone, so a position in the data is only a number.

    Args:
        count: how many examples there are.
        seed, epoch: which of the random orders.
        lengths (count,): put examples of similar length into the same batch.  Among
            the examples of every 50 batches, drawn at random, those of a batch are
            neighbours in length; the batches themselves are in random order.
        batch_size: for `lengths`.

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
    """A batch cut into at most `parts` parts of nearly equal size, none empty."""
    return np.array_split(indices, min(parts, len(indices)))
