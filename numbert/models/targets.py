"""From a caller's labels to a loss, and from the loss back to the logits."""

from __future__ import annotations

import numpy as np

from ..bert import losses
from .inputs import class_labels, integers, shaped
from ..bert.ops import rows


def mean_cross_entropy(logits, labels, ignore_index=losses.IGNORE_INDEX, weight=1.0):
    """Cross-entropy over all leading axes of the logits.

    logits (..., K), labels (R,) -> loss (), and its part for logits_gradients
    weight: of this loss in the total, for the gradient.
    """
    loss, saved = losses.cross_entropy(rows(logits), labels, ignore_index)
    return loss, (losses.cross_entropy_backward, saved, weight)


def word_labels(config, labels, shape):
    """Word piece ids (B, T), -100 where there is nothing to predict; or None."""
    return None if labels is None else class_labels(
        "labels", labels, config.vocab_size, shape, limit_name="vocab_size")


def sentence_labels(name, labels, batch):
    """Next sentence labels (B,): 0 = is next, 1 = is random; or None."""
    return None if labels is None else class_labels(
        name, labels, 2, (batch,), (batch, 1), limit_name="the number of classes")


def answer_positions(name, positions, shape):
    """Token positions (B,), clamped to [0, T]; T itself is ignored by the loss.

    HF: a negative position becomes 0, one past the end is ignored.
    """
    batch, length = shape
    positions = shaped(name, integers(name, positions), (batch,), (batch, 1))
    return np.clip(positions.reshape(-1), 0, length)


def problem_type(config, labels) -> str:
    """config.problem_type, or what the labels say where it is None.

    HF: one output is regression, integer labels mean one class each, others several;
    Hugging Face also writes the answer into the config, numbert never does.
    """
    if config.problem_type is not None:
        return config.problem_type
    if config.num_labels == 1:
        return "regression"
    is_integer = np.issubdtype(np.asarray(labels).dtype, np.integer)
    return "single_label_classification" if is_integer else "multi_label_classification"


def class_targets(config, labels, batch):
    """The problem type and the checked labels that go with it; or None.

    single_label_classification: (B,) or (B, 1) integers below K;
    multi_label_classification: (B, K) numbers in [0, 1];
    regression: (B, K) numbers, or (B,) when K = 1.
    """
    if labels is None:
        return None
    kind, classes = problem_type(config, labels), config.num_labels
    if kind == "single_label_classification":
        return kind, class_labels("labels", labels, classes, (batch,), (batch, 1))
    shapes = [(batch, classes)] + [(batch,)] * (kind == "regression" and classes == 1)
    targets = shaped("labels", np.asarray(labels, float), *shapes)
    return kind, targets.reshape(batch, classes)


def classification_loss(logits, targets):
    """The loss of a problem type: cross-entropy, binary cross-entropy or squares.

    logits (B, K) -> loss (), and its part for logits_gradients
    """
    kind, labels = targets
    if kind == "single_label_classification":
        return mean_cross_entropy(logits, labels)
    labels = labels.astype(logits.dtype)
    if kind == "regression":
        loss, saved = losses.mse(logits, labels)
        return loss, (losses.mse_backward, saved, 1.0)
    loss, saved = losses.bce_with_logits(logits, labels)
    return loss, (losses.bce_with_logits_backward, saved, 1.0)


def logits_gradients(saved, dloss, dtype, given: dict) -> list:
    """The gradient of each logits output: through the loss, plus what is given for it.

    Args:
        saved: a model's Saved.
        dloss: gradient of the loss; None means 1 if nothing is given, else 0.
        given: {output name: gradient or None}, in the order of saved.shapes.
    """
    if dloss is None and all(d is None for d in given.values()):
        if saved.loss is None:
            raise ValueError("there is no loss to go back from: pass labels to "
                             "forward, or the gradient of an output "
                             f"({', '.join(given)})")
        dloss = 1.0
    if dloss is not None and saved.loss is None:
        raise ValueError("loss has a gradient, but forward had no labels")
    totals = []
    for i, (shape, (name, d)) in enumerate(zip(saved.shapes, given.items())):
        total = np.zeros(shape, dtype)
        if dloss is not None:
            backward, loss_saved, weight = saved.loss[i]
            total += backward(float(dloss) * weight, loss_saved).reshape(shape)
        if d is not None:
            total += shaped(f"the gradient of {name}", np.asarray(d), shape)
        totals.append(total)
    return totals


def positions_to_keep(keep, shape):
    """An index into the hidden states (B, T, C), of shape (B, T), for logits_to_keep.

    keep: 0 for all, n for the last n, positions (P,) or (B, P), or booleans (B, T).
    """
    batch, length = shape
    keep = np.asarray(keep)
    if keep.dtype == bool:
        return np.nonzero(shaped("logits_to_keep", keep, (batch, length)))
    if keep.ndim == 0:
        if keep < 0:
            raise ValueError(f"logits_to_keep is {keep}, expected a number >= 0")
        return slice(None), slice(-int(keep) if keep else None, None)
    positions = integers("logits_to_keep", np.where(keep < 0, keep + length, keep),
                         length, "the number of tokens")
    if keep.ndim == 1:
        return slice(None), positions
    shaped("logits_to_keep", positions, (batch, keep.shape[-1]))
    return np.arange(batch)[:, None], positions
