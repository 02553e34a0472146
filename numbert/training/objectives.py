"""What training minimises: a model's own loss, summed over the parts of a batch."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from threading import RLock
from typing import Any, NamedTuple

import numpy as np

from ..bert.losses import IGNORE_INDEX
from ..bert.once import dense
from ..system.parallel import in_threads, num_threads
from .optim import optim_of


class Objective(NamedTuple):
    """A loss that stays right when a batch is computed part by part.

    A loss is a sum of terms, and each term is a mean over labels: over masked tokens,
    or over sentences.  The parts of a batch hold different numbers of labels, so the
    mean over the batch is not the mean of the parts' means.  Each part therefore
    divides its sums by the totals of the whole batch, and the parts' results add up.

    counts(model, part) -> one number per term: how many labels count in this part.
    gradients(model, part, totals, rng) -> (loss, grads): this part's share of the
        batch's loss, and the gradient of that share.  A parameter that is absent from
        grads, or None there, gets no update.  rng: for dropout, or None.
        If it has an argument hand_on too, it is to hand gradients on as they come, see
        the backward of a model.  That saves memory.
    """

    counts: Callable[[Any, dict], tuple[int, ...]]
    gradients: Callable[..., tuple[float, dict]]


def label_counts(model, part: dict) -> tuple[int, ...]:
    """Return the number of labels that each term of the model's loss averages over.

    Raises:
        ValueError: the part lacks labels, so there is no loss.
    """
    for term in model.terms:
        if part.get(term.labels) is None:
            raise ValueError(
                f"the examples hold {', '.join(sorted(part))}, expected {term.labels} "
                f"too, from which {type(model).__name__} learns: add it to each")
    return tuple(targets.used for targets in model.targets(part))


def label_gradients(model, part: dict, totals, rng, hand_on=None
                    ) -> tuple[float, dict]:
    """This part's share of the model's own loss, and the gradient of that share.

    A masked LM scores the whole vocabulary at every position, but its loss looks at the
    masked ones only, a seventh of them.  Here only these go through the head: the loss
    and the gradient are the same, and the larger the vocabulary, the more time is
    saved.  google-research/bert does so too, in gather_indexes.
    """
    out, saved = model.forward(
        **part, rng=rng, return_dict=True, labelled_only=True, packed=True, once=True,
        tensors=True,                   # gradients stay where the parameters are
        label_totals=tuple(max(total, 1) for total in totals))
    return out.loss.item(), model.backward(saved, hand_on=hand_on)


def labels_lie_at_tokens(labels, part: dict) -> bool:
    """Whether no label that counts lies at padding, which need not be computed then.

    labels: checked, of texts, or of tokens and then as many as these
    """
    mask = part.get("attention_mask")
    return mask is None or labels.size != np.size(mask) or bool(
        (labels.reshape(-1) == IGNORE_INDEX)[np.ravel(mask) == 0].all())


LABELS = Objective(label_counts, label_gradients)


def batch_gradients(model, parts: Sequence[dict], objective: Objective = LABELS,
                    rng=None, threads: int | None = None, optim=None
                    ) -> tuple[float, dict | None]:
    """The loss of a batch and its gradient, computed part by part.

    The parts are added up in their order, so the result does not depend on `threads`.

    Args:
        model: the model; nothing of it is changed.
        parts: the batch's parts, each the arguments of forward.
        objective: the loss; by default the model's own.
        rng: a generator for dropout, or None; of several parts each has its own.
        threads: how many parts are computed at once; None means one per processor.
        optim: from optim_of; None means that of the model.

    Returns:
        (loss, grads): equal, to rounding, to those of all parts as one batch, however
        many labels each part holds.  grads is None if no label counts at all.
    """
    counts = [objective.counts(model, part) for part in parts]
    totals = tuple(sum(term) for term in zip(*counts))
    if not any(totals):
        return 0.0, None
    optim = optim or optim_of(model)
    threads = optim.threads or threads or num_threads()
    gradients = objective.gradients
    if objective is LABELS and optim.label_gradients is not None:
        gradients = optim.label_gradients
    hands_on = "hand_on" in inspect.signature(gradients).parameters

    def compute(job, hand_on):
        part, own_rng = job
        with optim.computing():
            share, grads = gradients(model, part, totals, own_rng,
                                     **{"hand_on": hand_on} if hands_on else {})
        return share, optim.placed(grads, model.params)

    def added(jobs):
        return added_up(compute, jobs, threads, model.params)

    jobs = list(zip(parts, generators(rng, len(parts))))
    return optim.ranks.summed(added, jobs, model.params)


def added_up(compute: Callable, jobs: list, threads: int, names) -> tuple[float, dict]:
    """Return the sums of the losses and gradients of the jobs, `threads` at a time.

    compute(job, hand_on) gives both, except for the gradients that it handed on.
    names: of the parameters that may have a gradient.
    """
    total = GradientSum(names)

    def work(numbered):
        number, job = numbered
        share, grads = compute(job, lambda some: total.add(number, some))
        total.finish(number, grads)
        return share

    numbered, loss = list(enumerate(jobs)), 0.0
    for start in range(0, len(jobs), threads):          # bounds the memory
        for share in in_threads(work, numbered[start:start + threads], threads):
            loss += share
    return loss, {name: g for name, g in total.sums.items() if g is not None}


class GradientSum:
    """Adds up the gradients of the parts of a batch while they are being computed.

    The parts come in any order, from several threads, and are added in their own order.
    So the sum has the same bits however many threads there are.
    """

    def __init__(self, names):
        self.sums: dict[str, Any] = dict.fromkeys(names)    # None: no gradient so far
        self.turn = dict.fromkeys(names, 0)                 # the part to add next
        self.early: dict[tuple[str, int], Any] = {}         # what came before its turn
        self.lock = RLock()

    def add(self, part: int, grads: dict) -> None:
        """Take a part's gradients of some parameters, each complete, or None."""
        with self.lock:
            for name in self.turn.keys() & grads.keys():
                self.early[name, part] = grads[name]
                while (name, self.turn[name]) in self.early:
                    self.put(name, self.early.pop((name, self.turn[name])))
                    self.turn[name] += 1

    def put(self, name: str, gradient) -> None:
        """Add one gradient to its sum, in place."""
        if gradient is None:
            return
        if self.sums[name] is None:
            self.sums[name] = dense(gradient)
        else:
            self.sums[name] += gradient

    def finish(self, part: int, grads: dict) -> None:
        """Take all gradients of a part that have not been added before."""
        with self.lock:
            self.add(part, {name: grads.get(name) for name, turn in self.turn.items()
                            if turn <= part and (name, part) not in self.early})


def generators(rng, count: int) -> list:
    """One generator for each part of a batch; the only part has the batch's own."""
    if rng is None or count == 1:
        return [rng] * count
    return [np.random.default_rng(seed) for seed in rng.integers(2**63, size=count)]
