"""What training minimises: a model's own loss, shared out over parts of a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..bert.losses import IGNORE_INDEX
from ..system.parallel import cores, in_threads
from ..models.targets import problem_type


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
    """How many labels each term of the model's own loss is a mean over.

    Raises:
        ValueError: the part holds no labels, so there is no loss.
    """
    kind = type(model).__name__
    if kind == "BertForQuestionAnswering":
        # HF: a position outside the text is ignored.
        length = np.shape(part["input_ids" if "input_ids" in part else
                               "inputs_embeds"])[1]
        return tuple(int((labels(model, part, name) < length).sum())
                     for name in ("start_positions", "end_positions"))
    targets = labels(model, part, "labels")
    if kind == "BertLMHeadModel":
        targets = targets[:, 1:]                # the first token is never predicted
    if kind == "BertForSequenceClassification" and problem_type(
            model.config, targets) != "single_label_classification":
        return (targets.size,)
    counted = (targets, labels(model, part, "next_sentence_label")) \
        if kind == "BertForPreTraining" else (targets,)
    return tuple(int((x != IGNORE_INDEX).sum()) for x in counted)


def labels(model, part: dict, name: str) -> np.ndarray:
    """The labels of this name, or an error that says what the model needs."""
    if part.get(name) is None:
        raise ValueError(f"the examples hold {', '.join(sorted(part))}, but "
                         f"{type(model).__name__} learns from {name}: add it to each")
    return np.asarray(part[name])


def label_gradients(model, part: dict, totals, rng) -> tuple[float, dict]:
    """This part's share of the model's own loss, and its gradient.

    A term's mean over the n labels of the part, times n / total, is its sum divided by
    the total; so the weight of each term changes by that factor.
    """
    out, saved = model.forward(**part, rng=rng, return_dict=True)
    shares = [count / total if total else 0.0
              for count, total in zip(label_counts(model, part), totals)]
    loss = float(shares[0] * out.loss) if shares[0] else 0.0
    if len(shares) > 1:
        loss = sum(share * weight * mean_of(term)
                   for share, (_, term, weight) in zip(shares, saved.loss) if share)
    terms = tuple((backward, term, weight * share)
                  for share, (backward, term, weight) in zip(shares, saved.loss))
    return loss, model.backward(saved._replace(loss=terms))


def mean_of(term) -> float:
    """The value of a cross-entropy term, from what it saved."""
    logp, safe, used, count = term
    return float(-logp[np.arange(len(logp)), safe].sum(where=used) / count)


LABELS = Objective(label_counts, label_gradients)


def batch_gradients(model, parts: Sequence[dict], objective: Objective = LABELS,
                    rng=None, threads: int | None = None) -> tuple[float, dict | None]:
    """The loss of a batch and its gradient, computed part by part.

    The parts are added up in their order, so the result does not depend on `threads`.

    Args:
        model: the model; nothing of it is changed.
        parts: the batch's parts, each the arguments of forward.
        objective: the loss; by default the model's own.
        rng: a generator for dropout, or None; of several parts each has its own.
        threads: how many parts are computed at once; None means one per processor.

    Returns:
        (loss, grads): equal, to rounding, to those of all parts as one batch, however
        many labels each part holds.  grads is None if no label counts at all.
    """
    counts = [objective.counts(model, part) for part in parts]
    totals = tuple(sum(term) for term in zip(*counts))
    if not any(totals):
        return 0.0, None
    threads = cores() if threads is None else threads
    jobs = list(zip(parts, generators(rng, len(parts))))
    loss = 0.0
    grads: dict[str, np.ndarray] = {}
    for start in range(0, len(jobs), threads):          # so many gradients in memory
        for share, more in in_threads(
                lambda job: objective.gradients(model, job[0], totals, job[1]),
                jobs[start:start + threads], threads):
            loss += share
            for name in model.params:
                if name in grads:
                    grads[name] += more[name]
                elif name in more:
                    grads[name] = more[name]
    return loss, grads


def generators(rng, count: int) -> list:
    """One generator for each part of a batch; the only part has the batch's own."""
    if rng is None or count == 1:
        return [rng] * count
    return [np.random.default_rng(seed) for seed in rng.integers(2**63, size=count)]
