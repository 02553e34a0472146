"""Loss terms: from a caller's labels to a loss, and from the loss back to the outputs.

A model class lists the terms of its loss.  A term names an output and an argument of
`forward`, and how the labels given there are checked: see `Term`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..bert.losses import IGNORE_INDEX
from .inputs import class_labels, integers, shaped


class Targets(NamedTuple):
    """Checked labels, and the loss that compares an output with them."""

    loss: str                   # the name of a pair in bert/losses.py
    labels: np.ndarray          # as cross_entropy, mse or bce_with_logits want them

    @property
    def used(self) -> int:
        """How many labels the loss is a mean over."""
        if self.loss == "cross_entropy":
            return int((self.labels != IGNORE_INDEX).sum())
        return self.labels.size


class Term(NamedTuple):
    """One term of a model's loss, which is the sum of its terms, each times its weight.

    output: the name of the output that is judged.
    labels: the name of the argument of `forward` that says what is right.
    targets: targets(name, labels, config, shape) -> Targets, or an error that names the
        labels; shape is that of input_ids.
    """

    output: str
    labels: str
    targets: Callable[..., Targets]
    weight: float = 1.0


class Judged(NamedTuple):
    """A term after its loss has been computed: what its backward needs."""

    term: Term
    loss: str                   # the name of the pair
    saved: tuple


# --------------------------------------------------------------- checks of the labels

def word_targets(name, labels, config, shape) -> Targets:
    """Word piece ids (B, T), -100 where there is nothing to predict."""
    return Targets("cross_entropy", class_labels(
        name, labels, config.vocab_size, shape, limit_name="vocab_size"))


def next_word_targets(name, labels, config, shape) -> Targets:
    """The same, moved one place: the label of t is what follows, labels[t + 1]."""
    labels = word_targets(name, labels, config, shape).labels
    following = np.full(shape, IGNORE_INDEX)                           # (B, T)
    following[:, :-1] = labels[:, 1:]
    return Targets("cross_entropy", following)


def order_targets(name, labels, config, shape) -> Targets:
    """Next sentence labels (B,) or (B, 1): 0 = B follows A, 1 = B is random."""
    batch = shape[0]
    return Targets("cross_entropy", class_labels(
        name, labels, 2, (batch,), (batch, 1), limit_name="the number of classes"))


def token_targets(name, labels, config, shape) -> Targets:
    """One label per token (B, T), -100 to ignore."""
    return Targets("cross_entropy", class_labels(
        name, labels, config.num_labels, shape))


def choice_targets(name, labels, config, shape) -> Targets:
    """The right choice of each question (B,), out of M."""
    return Targets("cross_entropy", class_labels(
        name, labels, shape[1], shape[:1], limit_name="the number of choices"))


def position_targets(name, labels, config, shape) -> Targets:
    """Where an answer starts or ends: a token of each text, (B,) or (B, 1).

    HF: a negative position counts as 0, and one beyond the text is ignored.
    """
    batch, length = shape
    labels = shaped(name, integers(name, labels), (batch,), (batch, 1)).reshape(-1)
    return Targets("cross_entropy", np.where(
        labels < length, np.maximum(labels, 0), IGNORE_INDEX))


def class_targets(name, labels, config, shape) -> Targets:
    """Labels of whole texts, for the problem type that config or labels name.

    single_label_classification: (B,) or (B, 1) integers below K;
    multi_label_classification: (B, K) numbers from 0 to 1;
    regression: (B, K) numbers, or (B,) when K = 1.
    """
    (batch, *_), classes = shape, config.num_labels
    kind = problem_type(config, labels)
    if kind == "single_label_classification":
        return Targets("cross_entropy", class_labels(
            name, labels, classes, (batch,), (batch, 1)))
    shapes = [(batch, classes)] + [(batch,)] * (kind == "regression" and classes == 1)
    numbers = shaped(name, np.asarray(labels, float), *shapes)
    return Targets("mse" if kind == "regression" else "bce_with_logits",
                   numbers.reshape(batch, classes))


def problem_type(config, labels) -> str:
    """config.problem_type or, where that is None, what the labels look like.

    HF: one output means regression; integer labels mean one class each, any others
    several.  Hugging Face also writes the answer into the config; numbert never does.
    """
    if config.problem_type is not None:
        return config.problem_type
    if config.num_labels == 1:
        return "regression"
    is_integer = np.issubdtype(np.asarray(labels).dtype, np.integer)
    return "single_label_classification" if is_integer else "multi_label_classification"


def checked_targets(terms, config, shape, labels: dict) -> tuple[Targets, ...]:
    """The targets of every term; none if the labels of any term are missing.

    HF: a loss of two terms is computed only if the labels of both are given.
    """
    found = tuple(term.targets(term.labels, labels[term.labels], config, shape)
                  for term in terms if labels.get(term.labels) is not None)
    return found if len(found) == len(terms) else ()


def labelled(targets):
    """The positions with a label of the first term, and the targets with only these.

    -> places (P,), numbered row by row, and the targets
    """
    words, *others = targets
    places = np.flatnonzero(words.labels != IGNORE_INDEX)              # (P,)
    return places, (words._replace(labels=words.labels.reshape(-1)[places]), *others)


# ----------------------------------------------------------------- there and back

def total_loss(ops, terms, targets, outputs: dict, totals=None):
    """The loss (), and what its backward needs; (None, ()) without targets.

    ops: the table of leaf operations.
    totals: what the sum of each term is divided by; None means its number of labels.
    """
    loss, judged = None, []
    for i, (term, (name, labels)) in enumerate(zip(terms, targets)):
        output = outputs[term.output]
        if name != "cross_entropy":
            labels = labels.astype(output.dtype)
        part, saved = getattr(ops, name)(
            output, labels, count=None if totals is None else totals[i])
        part = part if term.weight == 1 else term.weight * part
        loss = part if loss is None else loss + part
        judged.append(Judged(term, name, saved))
    return loss, tuple(judged)


def output_gradients(ops, judged, dloss, dtype, shapes: dict, given: dict) -> list:
    """The gradient of each output: through the loss, plus what was given for it.

    Args:
        judged: from total_loss.
        dloss: the gradient of the loss; None means 1 if nothing is given, else 0.
        shapes: {name of an output: its shape, or None if it is absent}.
        given: {name of an output: its gradient}.

    Returns:
        a list in the order of shapes; None for an output that is absent.
    """
    for name in given:
        if shapes.get(name) is None:
            there = [name for name, shape in shapes.items() if shape is not None]
            raise ValueError(f"{name} has a gradient, but is no output of this forward "
                             f"pass: expected {', '.join(there)}, or loss")
    if dloss is None and not given:
        if not judged:
            raise ValueError("there is no loss to go back from: pass labels to "
                             "forward, or the gradient of an output "
                             f"({', '.join(shapes)})")
        dloss = 1.0
    if dloss is not None and not judged:
        raise ValueError("loss has a gradient, but forward had no labels: pass labels")
    total = {name: None if shape is None else np.zeros(shape, dtype)
             for name, shape in shapes.items()}
    if dloss is not None:
        for term, name, saved in judged:
            backward = getattr(ops, f"{name}_backward")
            total[term.output] += backward(float(dloss) * term.weight, saved)
    for name, d in given.items():
        total[name] += shaped(f"the gradient of {name}", np.asarray(d), shapes[name])
    return list(total.values())


# ------------------------------------------------------------- positions to score

def positions_to_keep(keep, shape):
    """Which positions logits_to_keep asks for, numbered row by row; None means all.

    keep: 0 for all, n for the last n, positions (P,) or (B, P), or booleans (B, T).
    -> (B, P), or (P,) for booleans
    """
    batch, length = shape
    numbers = np.arange(batch * length).reshape(shape)                 # (B, T)
    keep = np.asarray(keep)
    if keep.dtype == bool:
        return numbers[shaped("logits_to_keep", keep, shape)]
    if keep.ndim == 0:
        if keep < 0:
            raise ValueError(f"logits_to_keep is {keep}, expected a number >= 0: 0 "
                             "keeps all positions")
        return numbers[:, -int(keep):] if keep else None
    positions = integers("logits_to_keep", np.where(keep < 0, keep + length, keep),
                         length, "the number of tokens")
    if keep.ndim == 1:
        return numbers[:, positions]
    shaped("logits_to_keep", positions, (batch, keep.shape[-1]))
    return numbers[np.arange(batch)[:, None], positions]
