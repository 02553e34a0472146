"""Loss terms: from a caller's labels to a loss, and from the loss back to the outputs.

A model class lists the terms of its loss.  A term names an output, the argument of
`forward` that holds its labels, and the function that checks them: see `Term`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..bert.losses import IGNORE_INDEX
from ..system.numbers import is_number, is_whole_number, plain
from .inputs import array, class_labels, floats, integers, shaped
from .tensors import is_tensor, kind, namespace

PROBLEM_TYPES = ("regression", "single_label_classification",
                 "multi_label_classification")


class Targets(NamedTuple):
    """Checked labels, and the loss that compares an output with them."""

    loss: str                   # cross_entropy, mse or bce_with_logits, of bert/losses
    labels: np.ndarray          # as that function takes them

    @property
    def used(self) -> int:
        """The number of labels that the loss is a mean over."""
        if self.loss == "cross_entropy":
            return int((self.labels != IGNORE_INDEX).sum())
        return self.labels.size


class Term(NamedTuple):
    """One term of a model's loss.  The loss adds up its terms, each times its weight.

    output: the name of the output that is compared with the labels.
    labels: the name of the argument of `forward` that holds them.
    targets: checks them: targets(name, labels, config, shape) -> Targets, where name is
        `labels`, for the errors, and shape is that of input_ids.
    tap: its name in a Trace, if the loss has several terms.
    """

    output: str
    labels: str
    targets: Callable[..., Targets]
    weight: float = 1.0
    tap: str = "loss"


class TermLoss(NamedTuple):
    """The computed loss of a term, ready for its backward."""

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
    xp = namespace(labels)
    ends = xp.full_like(labels[:, :1], IGNORE_INDEX)                   # (B, 1)
    following = xp.concat([labels[:, 1:], ends], axis=1)               # (B, T)
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
    return Targets("cross_entropy", namespace(labels).where(
        labels < length, labels.clip(0), IGNORE_INDEX))


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
    numbers = shaped(name, floats(name, labels, float), *shapes)
    return Targets("mse" if kind == "regression" else "bce_with_logits",
                   numbers.reshape(batch, classes))


def problem_type(config, labels) -> str:
    """Return config.problem_type or, if that is None, the type that the labels suggest.

    HF: one output means regression; otherwise integer labels mean one class per text,
    and others several.  Hugging Face also writes this into the config; numbert doesn't.

    Raises:
        ValueError: no loss is known for config.problem_type.
    """
    if config.problem_type is not None:
        if config.problem_type not in PROBLEM_TYPES:
            raise ValueError(f"problem_type is {config.problem_type!r:.80}, expected "
                             f"one of {', '.join(PROBLEM_TYPES)}, or None: labels have "
                             "no loss without it, so set it in the configuration")
        return config.problem_type
    if config.num_labels == 1:
        return "regression"
    is_integer = kind(array("labels", labels)) in "iu"
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
    if isinstance(totals, tuple) and len(totals) == len(terms) and all(
            type(x) in (int, float) and x > 0 for x in totals):
        return list(totals)             # no array, which torch.compile would stop at
    found = array("label_totals", totals)
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
    labels = words.labels.reshape(-1)                                  # (B T,)
    places = namespace(labels).argwhere(labels != IGNORE_INDEX)[:, 0]  # (P,)
    return places, (words._replace(labels=labels[places]), *others)


def reads_padding(terms, targets, padding) -> bool:
    """Whether the loss reads an output at padding.   padding (B, T), boolean

    HF: the softmax that finds the ends of an answer runs over the padding, too.
    """
    return any(term.targets is position_targets or x.labels.shape == padding.shape
               and bool(((x.labels != IGNORE_INDEX) & padding).any())
               for term, x in zip(terms, targets))


# ----------------------------------------------------------------- there and back

def tap(run, name: str, value) -> None:
    """Show a number to every trace of a run."""
    for trace in run.traces:
        trace.record(name, value)


def total_loss(run, terms, targets, outputs: dict, totals=None):
    """Return the loss () and what its backward needs, or (None, ()) without targets.

    run: has the leaf operations, and the traces that record the loss.
    totals: what to divide the sum of each term by; None means its number of labels.
    """
    loss, term_losses = None, []
    for i, (term, (name, labels)) in enumerate(zip(terms, targets)):
        output = outputs[term.output]
        if name != "cross_entropy" and not is_tensor(labels):
            labels = labels.astype(output.dtype)
        part, saved = getattr(run.ops, name)(
            output, labels, count=None if totals is None else totals[i])
        if len(terms) > 1:
            tap(run, term.tap, part)
        part = part if term.weight == 1 else term.weight * part
        loss = part if loss is None else loss + part
        term_losses.append(TermLoss(term, name, saved))
    if loss is not None:
        tap(run, "loss", loss)
    return loss, tuple(term_losses)


def output_gradients(run, term_losses, dloss, dtype, shapes: dict, given: dict) -> list:
    """Return the gradient of each output: through the loss, plus what was given for it.

    Args:
        run: has the leaf operations, and the traces that record gradients.
        term_losses: from total_loss.
        dloss: the gradient of the loss; None means 1 if nothing is given, else 0.
        shapes: {name of an output: its shape, or None if it is absent}.
        given: {name of an output: its gradient}.

    Returns:
        a list in the order of `shapes`; None for an output that is absent.
    """
    check_start(term_losses, dloss, shapes, given)
    if dloss is None and not given:
        dloss = 1.0
    total = {name: None if shape is None else np.zeros(shape, dtype)
             for name, shape in shapes.items()}
    if dloss is not None:
        tap(run, "loss", np.asarray(dloss, dtype))
        for term, name, saved in term_losses:
            dpart = float(dloss) * term.weight
            if len(term_losses) > 1:
                tap(run, term.tap, np.asarray(dpart, dtype))
            total[term.output] += getattr(run.ops, f"{name}_backward")(dpart, saved)
    for name, d in given.items():
        what = f"the gradient of {name}"
        total[name] += shaped(what, floats(what, d, dtype), shapes[name])
    return list(total.values())


def check_start(term_losses, dloss, shapes: dict, given: dict) -> None:
    """Refuse a backward pass that has nothing to start from, or the wrong thing.

    The arguments are those of output_gradients.
    """
    for name in given:
        if shapes.get(name) is None:
            there = [name for name, shape in shapes.items() if shape is not None]
            raise ValueError(f"a gradient is given for {name}, expected one for "
                             f"{', '.join(there)} or loss, the outputs of this forward "
                             f"pass: leave {name} out")
    if dloss is None and not given and not term_losses:
        raise ValueError("no gradient is given, and this forward pass had no loss, "
                         "expected one of these to start from: pass labels to forward, "
                         "or to backward the gradient of an output "
                         f"({', '.join(shapes)})")
    if dloss is not None and not term_losses:
        raise ValueError(f"a gradient is given for loss ({dloss!r}), expected none, as "
                         "this forward pass had no labels and so no loss: pass labels "
                         "to forward")
    if dloss is not None and not is_number(plain(dloss)):
        raise ValueError(f"the gradient of loss is {dloss!r}, expected one number: "
                         "leave it out for 1")


# ------------------------------------------------------------- positions to score

def positions_to_keep(keep, shape):
    """Return the positions that logits_to_keep asks for, or None if it asks for all.

    keep: 0 for all, n for the last n, positions (P,) or (B, P), or booleans (B, T).
    Positions are numbered row by row, from 0 to B T - 1.
    -> (B, P), or (P,) for booleans
    """
    if keep is None or isinstance(keep, int) and keep == 0:
        return None
    batch, length = shape
    numbers = np.arange(batch * length).reshape(shape)                 # (B, T)
    keep = np.asarray(array("logits_to_keep", keep))
    if keep.dtype == bool:
        return numbers[shaped("logits_to_keep", keep, shape)]
    if keep.ndim == 0:
        if not is_whole_number(keep) or keep < 0:
            raise ValueError(f"logits_to_keep is {keep}, expected a whole number >= 0: "
                             "use 0 for all positions")
        return numbers[:, -int(keep):] if keep else None
    positions = integers("logits_to_keep", np.where(keep < 0, keep + length, keep),
                         length, "the number of tokens")
    if keep.ndim == 1:
        return numbers[:, positions]
    shaped("logits_to_keep", positions, (batch, keep.shape[-1]))
    return numbers[np.arange(batch)[:, None], positions]
