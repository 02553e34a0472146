"""Knowledge distillation: learn from a teacher's probabilities and from the labels.

Hinton, Vinyals & Dean 2015, section 2.
"""

from __future__ import annotations

import numpy as np

from ..bert import losses
from ..bert.losses import IGNORE_INDEX
from ..bert.ops import rows, softmax
from .objectives import Objective, label_counts, labels_lie_at_tokens


def distillation(logits, teacher, labels, temperature=2.0, weight=0.5, count=None):
    """Return (1 - weight) times the loss of the labels + weight times the teacher's.

    logits (R, K), teacher (R, K), labels (R,) -> loss ()

    The loss of the labels is the cross-entropy.  The teacher's, for a row with the
    teacher's logits v and the student's z, is

        - T^2 sum_k softmax(v / T)_k log softmax(z / T)_k.

    The sum's gradient shrinks like 1 / T^2; the factor T^2 makes up for that.  Both
    losses are means over the rows, without those whose label is -100.
    count: divide by this instead of the number of rows that count.
    """
    used = labels != IGNORE_INDEX                          # (R,)
    count = int(used.sum()) if count is None else count
    hard, hard_saved = losses.cross_entropy(logits, labels, count=count)
    probs, _ = softmax(teacher / temperature)              # (R, K)
    logp = losses.log_softmax(logits / temperature)        # (R, K)
    each = -(probs * logp).sum(-1)                         # (R,)
    soft = temperature ** 2 * each.sum(where=used, dtype=logits.dtype) / max(count, 1)
    loss = (1 - weight) * hard + weight * soft
    return loss, (hard_saved, probs, logp, used, count, temperature, weight)


def distillation_backward(dloss, saved):
    """dloss () -> dlogits (R, K); the teacher's logits and the labels are constants.

    d/du of -sum_k p_k log softmax(u)_k is softmax(u) - p, as in cross_entropy.
    Here p = softmax(v / T) and u = z / T, so d/dz of the teacher's part is
    T (softmax(z / T) - softmax(v / T)): z / T uses up one of the two factors T.
    Both parts of the loss read z, so their gradients add.
    """
    hard_saved, probs, logp, used, count, temperature, weight = saved
    dlogits = losses.cross_entropy_backward(dloss * (1 - weight), hard_saved)
    soft = (np.exp(logp) - probs) * used[:, None]          # (R, K)
    return dlogits + soft * (dloss * weight * temperature / max(count, 1))


def from_teacher(teacher, temperature: float = 2.0, weight: float = 0.5) -> Objective:
    """The objective of a student of this teacher, for `train(objective=...)`.

    Args:
        teacher: a trained model of the same class and number of outputs, for the same
            vocabulary; it is only evaluated, without dropout.
        temperature: T > 0; higher ones show more of the teacher's lesser guesses.
        weight: of the soft part, in [0, 1].

    Raises:
        ValueError: a temperature or weight out of range; a model without classes.
    """
    if not temperature > 0 or not 0 <= weight <= 1:
        raise ValueError(f"temperature is {temperature} and weight {weight}, expected "
                         "a temperature above 0 and a weight from 0 to 1: 2 and 0.5 "
                         "are usual")
    kind, problem = type(teacher).__name__, teacher.config.problem_type
    if len(teacher.terms) != 1 or problem in ("regression",
                                              "multi_label_classification"):
        raise ValueError(f"teacher is a {kind} of problem_type {problem}, which gives "
                         "no probabilities of classes, expected a model with one "
                         "cross-entropy loss: load a BertForSequenceClassification, "
                         "say")
    term, = teacher.terms

    def gradients(model, part, totals, rng, hand_on=None):
        targets, = model.targets(part)
        if targets.loss != "cross_entropy":
            raise ValueError("the labels are numbers, expected one class each, as a "
                             "teacher gives probabilities of classes: leave the "
                             "teacher out")
        inputs = {name: x for name, x in part.items() if name != term.labels}
        packed = labels_lie_at_tokens(targets.labels, part)
        out, saved = model.forward(**inputs, rng=rng, packed=packed, once=True)
        logits = out[term.output]
        taught = teacher(**inputs, packed=packed)[term.output]
        if taught.shape != logits.shape:
            raise ValueError(f"the teacher's logits have shape {taught.shape}, "
                             f"expected the student's, {logits.shape}: give both the "
                             "same classes")
        labels = targets.labels.reshape(-1)                # (R,)
        used = np.flatnonzero(labels != IGNORE_INDEX)      # few of them in masked LM
        loss, loss_saved = distillation(
            rows(logits)[used], rows(taught)[used].astype(logits.dtype),
            labels[used], temperature, weight, totals[0])
        dlogits = np.zeros_like(logits)
        rows(dlogits)[used] = distillation_backward(1.0, loss_saved)
        return float(loss), model.backward(saved, hand_on=hand_on,
                                           **{term.output: dlogits})

    return Objective(label_counts, gradients)
