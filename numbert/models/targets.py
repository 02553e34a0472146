"""Loss terms: from a caller's labels to a loss, and from the loss back to the outputs.

A model class lists the terms of its loss.  A term names an output, the argument of
`forward` that holds its labels, and the function that checks them: see `Term`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..bert.losses import IGNORE_INDEX
from .inputs import class_labels, integers, shaped


class Targets(NamedTuple):
    """Checked labels, and the loss that compares an output with them."""

    loss: str                   # cross_entropy, mse or bce_with_logits, of bert/losses
    labels: np.ndarray          # as that function takes them

    @property
    def used(self) -> int:
        """How many labels the loss averages over."""
        if self.loss == "cross_entropy":
            return int((self.labels != IGNORE_INDEX).sum())
        return self.labels.size


class Term(NamedTuple):
    """One term of a model's loss.  The loss adds up its terms, each times its weight.

    output: the name of the output that is compared with the labels.
    labels: the name of the argument of `forward` that holds them.
    targets: checks them: targets(name, labels, config, shape) -> Targets, where name is
        `labels`, for the errors, and shape is that of input_ids.
    """

    output: str
    labels: str
    targets: Callable[..., Targets]
    weight: float = 1.0


class Judged(NamedTuple):
    """A term whose loss has been computed, and what its backward needs."""

    term: Term
    loss: str                   # the loss in Targets
    saved: tuple                # from that loss


# --------------------------------------------------------------- checks of the labels

def word_targets(name, labels, config, shape) -> Targets:
    """Word piece ids (B, T), -100 where there is nothing to predict."""
    return Targets("cross_entropy", class_labels(
        name, labels, config.vocab_size, shape, limit_name="vocab_size"))


def next_word_targets(name, labels, config, shape) -> Targets:
    """Word piece ids (B, T), moved by one: the target at t is the label at t + 1."""
    labels = word_targets(name, labels, config, shape).labels
    following = np.full(shape, IGNORE_INDEX)                           # (B, T)
    following[:, :-1] = labels[:, 1:]
    return Targets("cross_entropy", following)


def order_targets(name, labels, config, shape) -> Targets:
    """Next sentence labels (B,) or (B, 1): 0 = sentence B follows A, 1 = it doesn't."""
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
    """The token at which each answer starts or ends, (B,) or (B, 1).

    HF: a negative position counts as 0, and one beyond the last token is ignored.
    """
    batch, length = shape
    labels = shaped(name, integers(name, labels), (batch,), (batch, 1)).reshape(-1)
    return Targets("cross_entropy", np.where(
        labels < length, np.maximum(labels, 0), IGNORE_INDEX))


def class_targets(name, labels, config, shape) -> Targets:
    """Labels of whole texts, as `problem_type` reads them.

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
    """Return config.problem_type or, if that is None, the type that the labels suggest.

    HF: one output means regression; otherwise integer labels mean one class per text,
    and others several.  Hugging Face also writes this into the config; numbert doesn't.
    """
    if config.problem_type is not None:
        return config.problem_type
    if config.num_labels == 1:
        return "regression"
    is_integer = np.issubdtype(np.asarray(labels).dtype, np.integer)
    return "single_label_classification" if is_integer else "multi_label_classification"


def checked_targets(terms, config, shape, labels: dict) -> tuple[Targets, ...]:
    """Return the targets of every term, or () if the labels of any term are missing.

    HF: a loss of two terms is computed only if the labels of both are given.
    """
    found = tuple(term.targets(term.labels, labels[term.labels], config, shape)
                  for term in terms if labels.get(term.labels) is not None)
    return found if len(found) == len(terms) else ()


def checked_totals(terms, totals):
    """Return label_totals, one number above 0 for each term of the loss; or None."""
    if totals is None:
        return None
    found = np.asarray(totals)
    if found.shape != (len(terms),) or found.dtype.kind not in "iuf" or \
            not (found > 0).all():
        raise ValueError(f"label_totals is {totals!r}, expected {len(terms)} numbers "
                         "above 0, one for each term of the loss: leave it out to "
                         "divide by the numbers of labels")
    return found.tolist()


def labelled(targets):
    """Find the positions labelled in the first term; keep only these in its targets.

    -> places (P,), numbered row by row, and the targets
    """
    words, *others = targets
    places = np.flatnonzero(words.labels != IGNORE_INDEX)              # (P,)
    return places, (words._replace(labels=words.labels.reshape(-1)[places]), *others)


# ----------------------------------------------------------------- there and back

def total_loss(ops, terms, targets, outputs: dict, totals=None):
    """Return the loss () and what its backward needs, or (None, ()) without targets.

    ops: the table of leaf operations.
    totals: what to divide the sum of each term by; None means its number of labels.
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
    """Return the gradient of each output: through the loss, plus what was given for it.

    Args:
        judged: from total_loss.
        dloss: the gradient of the loss; None means 1 if nothing is given, else 0.
        shapes: {name of an output: its shape, or None if it is absent}.
        given: {name of an output: its gradient}.

    Returns:
        a list in the order of `shapes`; None for an output that is absent.
    """
    for name in given:
        if shapes.get(name) is None:
            there = [name for name, shape in shapes.items() if shape is not None]
            raise ValueError(f"{name} has a gradient, but is not an output of this "
                             f"forward pass, expected {', '.join(there)} or loss: "
                             f"leave {name} out")
    if dloss is None and not given:
        if not judged:
            raise ValueError("there is no loss to start from: pass labels to forward, "
                             "or to backward the gradient of an output "
                             f"({', '.join(shapes)})")
        dloss = 1.0
    if dloss is not None and not judged:
        raise ValueError("loss has a gradient, but forward had no labels, so there is "
                         "no loss: pass labels to forward")
    if np.ndim(dloss) or np.asarray(dloss).dtype.kind not in "iufO":
        raise ValueError(f"the gradient of loss is {dloss!r}, expected one number: "
                         "leave it out for 1")
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
    """Return the positions that logits_to_keep asks for, or None if it asks for all.

    keep: 0 for all, n for the last n, positions (P,) or (B, P), or booleans (B, T).
    Positions are numbered row by row, from 0 to B T - 1.
    -> (B, P), or (P,) for booleans
    """
    batch, length = shape
    numbers = np.arange(batch * length).reshape(shape)                 # (B, T)
    keep = np.asarray(keep)
    if keep.dtype == bool:
        return numbers[shaped("logits_to_keep", keep, shape)]
    if keep.ndim == 0:
        if keep < 0:
            raise ValueError(f"logits_to_keep is {keep}, expected a whole number >= 0: "
                             "use 0 for all positions")
        return numbers[:, -int(keep):] if keep else None
    positions = integers("logits_to_keep", np.where(keep < 0, keep + length, keep),
                         length, "the number of tokens")
    if keep.ndim == 1:
        return numbers[:, positions]
    shaped("logits_to_keep", positions, (batch, keep.shape[-1]))
    return numbers[np.arange(batch)[:, None], positions]
