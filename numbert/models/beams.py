"""Beam search: keep the n best continuations of each prompt side by side.

For the dimensions see generation.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..bert.losses import log_softmax
from .outputs import GenerateOutput
from .sampling import largest, log_gumbel, processed
from .steps import Hooks, next_step, record, stops

UNREACHED = -1e9                # the score of a beam that does not exist


class Ended(NamedTuple):
    """A complete sequence."""

    score: float                # log-probability over length ** length_penalty
    ids: np.ndarray             # (T,), prompt included


def beam_search(rows, ids, settings, rng, extra=Hooks()) -> GenerateOutput:
    """Keep the n best continuations of each prompt; return the best that have ended.

    ids (R, P), R = B n: each prompt n times -> sequences (B num_return_sequences, T)

    While a sequence grows, its score is its log-probability.  Once it has ended,

        score = log p(tokens | prompt) / (number of new tokens) ** length_penalty

    because every token makes p smaller: with length_penalty 0, short answers win.
    HF: the number of tokens is (5 + number) / 6 in Wu et al. 2016, eq. 14.
    """
    n, prompt = settings.num_beams, ids.shape[1]
    batch, output = len(ids) // n, GenerateOutput()
    beams = np.full((batch, n), UNREACHED)                         # (B, n) scores
    beams[:, 0] = 0         # a prompt's n rows are still the same, so only one counts
    ended: list[list[Ended]] = [[] for _ in range(batch)]
    done = np.zeros(batch, bool)
    while not done.all():
        logits, made = next_step(rows, ids, settings)              # (R, V)
        scores = processed(log_softmax(logits), ids, prompt, rows.prompt_mask,
                           settings, extra.processors)
        record(output, settings, scores, logits, made)
        totals = (beams.reshape(-1, 1) + scores).reshape(batch, -1)      # (B, n V)
        found = [candidates(totals[b], ids[b * n:(b + 1) * n], settings, rng)
                 for b in range(batch)]
        ends = ending(found, settings, extra.criteria, output.scores)
        steps = [beam_step(*pair, prompt, settings) for pair in zip(found, ends)]
        for b in np.flatnonzero(~done):
            ended[b] = sorted(ended[b] + steps[b].ended,
                              key=lambda sequence: -sequence.score)[:n]
            done[b] = cannot_improve(ended[b], steps[b], prompt, settings)
        if np.all(ends):
            break
        beams = np.stack([step.scores for step in steps])          # (B, n)
        ids = np.concatenate([step.ids for step in steps])         # (R, T + 1)
        if rows.past is not None:
            parents = [b * n + step.parents for b, step in enumerate(steps)]
            rows.past.reorder_cache(np.concatenate(parents))
    best = [e for group in ended for e in group[:settings.num_return_sequences]]
    output.sequences = joined([e.ids for e in best], settings)
    if settings.output_scores:
        output.sequences_scores = np.array([e.score for e in best])
    return output


class Candidates(NamedTuple):
    """The best extensions of one prompt's beams by one token, the best first."""

    ids: np.ndarray             # (X, T + 1)
    scores: np.ndarray          # (X,), log-probabilities
    parents: np.ndarray         # (X,), the beam that each of them extends


def candidates(totals, ids, settings, rng) -> Candidates:
    """Extend one prompt's n beams by every token, and choose among these n V.

    totals (n V,): the log-probability of each extension; ids (n, T)
    At most n times the number of eos tokens can end here.  Looking at n more than that
    leaves n to go on.
    """
    n = settings.num_beams
    noise = log_gumbel(totals.shape, rng) if settings.do_sample else 0
    looked_at = min(max(2, 1 + len(settings.eos)) * n, totals.size)        # X
    picked = largest(totals + noise, looked_at)                            # (X,)
    picked = picked[np.argsort(-totals[picked], kind="stable")]
    parents, tokens = np.divmod(picked, totals.size // n)
    return Candidates(np.concatenate([ids[parents], tokens[:, None]], axis=1),
                      totals[picked], parents)


def ending(found: list[Candidates], settings, criteria, scores) -> np.ndarray:
    """Return which of each prompt's candidates are complete: ends (B, X)."""
    ids = np.concatenate([one.ids for one in found])                   # (B X, T + 1)
    ends = np.isin(ids[:, -1], settings.eos) | (ids.shape[1] == settings.max_length)
    ends |= stops(criteria, ids, scores)
    return ends.reshape(len(found), -1)


class Step(NamedTuple):
    """One prompt's beams after a step: n that go on, and those that have ended."""

    parents: np.ndarray         # (n,), the old beam that each of the n continues
    ids: np.ndarray             # (n, T + 1)
    scores: np.ndarray          # (n,), the best first
    ended: list[Ended]          # those that end here and are among the n best


def beam_step(found: Candidates, ends, prompt, settings) -> Step:
    """Divide one prompt's candidates into those that end and those that go on.

    ends (X,): whether each is complete.
    HF: where stopping_criteria leave fewer than n to go on, complete ones go on too,
    far behind the others.
    """
    n, length = settings.num_beams, found.ids.shape[1]
    penalty = float(length - prompt) ** settings.length_penalty
    # A sequence that ends counts only if it is among the n best, ended or not.
    ended = [Ended(float(found.scores[i]) / penalty, found.ids[i])
             for i in np.flatnonzero(ends[:n])]
    scores = found.scores + UNREACHED * ends                           # (X,)
    going = np.argsort(-scores, kind="stable")[:n]                     # (n,)
    return Step(found.parents[going], found.ids[going], scores[going], ended)


def cannot_improve(ended, step, prompt, settings) -> bool:
    """Whether a prompt's n ended sequences are final, by settings.early_stopping.

    True: as soon as there are n.
    False: once the best beam, if it ended now, would not beat the worst of them.  That
        is a guess: with a length penalty above 0, a longer sequence may score higher.
    "never": once it would not beat the worst of them at the greatest length either.
    """
    if len(ended) < settings.num_beams:
        return False
    if settings.early_stopping is True:
        return True
    length = step.ids.shape[1] - prompt
    if settings.early_stopping == "never" and settings.length_penalty > 0:
        length = settings.max_length - prompt
    hoped = step.scores[0] / float(length) ** settings.length_penalty
    return not hoped > ended[-1].score


def joined(sequences, settings) -> np.ndarray:
    """Put sequences of several lengths into one array."""
    # HF: if the pad token's id is 0, as BERT's is, beams are padded with the eos token
    # (`pad or eos` takes 0 for absent), although greedy rows get the pad token.
    fill = settings.pad_token_id or (settings.eos[0] if settings.eos else 0)
    out = np.full((len(sequences), max(map(len, sequences))), fill, np.int64)
    for row, sequence in zip(out, sequences):
        row[:len(sequence)] = sequence
    return out
