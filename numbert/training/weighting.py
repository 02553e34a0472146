"""Class weights and label smoothing: some labels count for more, none counts alone.

Szegedy et al. 2016, "Rethinking the Inception Architecture", section 7 (smoothing).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..bert.losses import IGNORE_INDEX, log_softmax
from ..bert.ops import rows
from ..system.numbers import is_number
from .objectives import Objective, label_counts, labels_lie_at_tokens


def soft_cross_entropy(logits, labels, weights=None, smoothing=0.0, count=None):
    """The mean of -sum_k t_k log p_k over all labels that are not -100.

    logits (..., K), labels (...) -> loss ()

        t_k = w_k ((1 - e) 1[k = label] + e / K)

    A share e = smoothing of each label is spread evenly over all K classes, so that a
    model which is surer than 1 - e pays for it.  weights (K,): w; None means 1 for all.
    count: divide by this instead of the sum of the labels' weights.
    """
    labels, logp = labels.reshape(-1), log_softmax(rows(logits))       # (R,), (R, K)
    used = labels != IGNORE_INDEX                                      # (R,)
    safe = np.where(used, labels, 0)                                   # (R,)
    soft = np.full_like(logp, smoothing / logp.shape[-1])              # (R, K)
    soft[np.arange(len(logp)), safe] += 1 - smoothing
    if weights is not None:
        soft *= np.asarray(weights, logp.dtype)
    if count is None:
        count = int(used.sum()) if weights is None else \
            float(np.asarray(weights)[safe].sum(where=used))
    total = -(soft * logp).sum(-1).sum(where=used, dtype=logits.dtype)
    loss = total / count if count else total * float("nan")
    return loss, (logits.shape, logp, soft, used, count)


def soft_cross_entropy_backward(dloss, saved):
    """dloss () -> dlogits (..., K): ((sum_k t_k) softmax - t) / count, 0 where ignored

    The loss of a row is a sum over k of t_k times the cross-entropy of the class k,
    whose derivative is softmax - one-hot_k.
    """
    shape, logp, soft, used, count = saved
    dlogits = np.exp(logp) * soft.sum(-1, keepdims=True) - soft        # (R, K)
    dlogits *= dloss / (count or 1)
    dlogits[~used] = 0
    return dlogits.reshape(shape)


def from_weights(weights: Sequence[float] | None = None, smoothing: float = 0.0
                 ) -> Objective:
    """The loss of a model's labels, weighted and smoothed, for `train(objective=...)`.

    Args:
        weights: a number above 0 for each class, in the order of their ids.  A label of
            weight 2 counts as much as two of weight 1.  None: all count the same.
        smoothing: the share of each label, from 0 to 1, that is spread evenly over all
            classes; see `soft_cross_entropy`.

    Raises:
        ValueError: a weight or the smoothing is out of range.  In training: the model's
            loss is not one cross-entropy, or it has another number of classes.
    """
    check_smoothing(smoothing)
    each = None if weights is None else np.array(checked_weights(weights))

    def counts(model, part):
        found = label_counts(model, part)
        if each is None:
            return found
        labels = class_labels(model, part, each)
        return (float(each[labels[labels != IGNORE_INDEX]].sum()),)

    def gradients(model, part, totals, rng, hand_on=None):
        labels, (term,) = class_labels(model, part, each), model.terms
        inputs = {name: x for name, x in part.items() if name != term.labels}
        out, saved = model.forward(**inputs, rng=rng, return_dict=True, once=True,
                                   packed=labels_lie_at_tokens(labels, part))
        loss, loss_saved = soft_cross_entropy(out[term.output], labels, each, smoothing,
                                              totals[0])
        dlogits = soft_cross_entropy_backward(1.0, loss_saved)
        return float(loss), model.backward(saved, hand_on=hand_on,
                                           **{term.output: dlogits})

    return Objective(counts, gradients)


def check_smoothing(smoothing) -> None:
    """Refuse a share that is not from 0 to 1."""
    if not (is_number(smoothing) and 0 <= smoothing <= 1):
        raise ValueError(f"smoothing is {smoothing!r}, expected a number from 0 to 1: "
                         "0.1 is usual (--label-smoothing)")


def checked_weights(weights: Sequence[float]) -> list[float]:
    """Return the weights of classes as a list of floats.

    Raises:
        ValueError: one is not a number above 0.
    """
    for weight in weights:
        if not (is_number(weight) and 0 < weight < math.inf):
            raise ValueError(f"a class weight is {weight!r}, expected a number above "
                             "0: to train without a class, leave its examples out")
    return [float(weight) for weight in weights]


def balanced_weights(labels: np.ndarray, classes: int) -> list[float]:
    """Return weights with which each class counts as much as any other in all.

    labels (R,) -> (K,): R / (classes that occur * the number of labels of this class),
    and 1 for a class that does not occur.  Their mean over the labels is 1.
    """
    tally = np.bincount(labels, minlength=classes)                     # (K,)
    weights = len(labels) / (np.count_nonzero(tally) * np.maximum(tally, 1))
    return np.where(tally, weights, 1.0).tolist()


def class_labels(model, part: dict, weights) -> np.ndarray:
    """Return the labels (R,) of a part, once it is known that the model suits them."""
    targets = model.targets(part)
    if len(targets) != 1 or targets[0].loss != "cross_entropy":
        raise ValueError(f"model is a {type(model).__name__} whose loss is of "
                         f"{', '.join(x.loss for x in targets)}, expected one "
                         "cross_entropy for class weights and smoothing: leave both "
                         "out")
    if weights is not None and len(weights) != model.config.num_labels:
        raise ValueError(f"there are {len(weights)} class weights, expected one for "
                         f"each of the model's {model.config.num_labels} classes: "
                         "correct them")
    return targets[0].labels.reshape(-1)
