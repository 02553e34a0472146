"""What training minimises: a model's own loss, shared out over parts of a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class Objective(NamedTuple):
    """A loss that is right for a batch computed part by part.

    A loss is a sum of terms, each a mean over its own number of labels (masked LM: the
    masked tokens; next sentence: the sentences).  Parts of a batch hold different
    numbers of labels, so the mean over the batch is not the mean of the parts' means:
    each part has to know the totals.

    counts(model, part) -> one number per term: how many labels count in this part.
    gradients(model, part, totals, rng) -> (loss, grads): this part's share of the
        batch's loss, that is its sum over labels divided by the batch's totals, and the
        gradient of that share.  rng: for dropout, or None.
    """

    counts: Callable[[Any, dict], tuple[int, ...]]
    gradients: Callable[[Any, dict, tuple[int, ...], Any], tuple[float, dict]]


def label_counts(model, part: dict) -> tuple[int, ...]:
    """How many labels each term of the model's own loss is a mean over."""
    raise NotImplementedError


def label_gradients(model, part: dict, totals, rng) -> tuple[float, dict]:
    """This part's share of the model's own loss, and its gradient."""
    raise NotImplementedError


LABELS = Objective(label_counts, label_gradients)
