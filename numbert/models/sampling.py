"""What the settings of generation do to the scores of the next token.

The filters are functions of arrays: scores (R, V) of R rows and V tokens go in, scores
come out, with -inf for a token that must not follow.
"""

from __future__ import annotations

import numpy as np

from ..bert.ops import softmax


def processed(scores, ids, prompt: int, mask, settings, processors=()):
    """Do to the scores all that the settings ask for, in Hugging Face's order.

    scores (R, V), ids (R, T), mask (R, P) -> out (R, V)
    processors: functions of (ids, scores) that return the scores to use.
    """
    if settings.repetition_penalty != 1:
        scores = penalise_repetition(scores, ids, mask, settings.repetition_penalty)
    if settings.no_repeat_ngram_size:
        scores = ban_ngrams(scores, ids, settings.no_repeat_ngram_size)
    least = settings.min_length or 0
    if settings.min_new_tokens is not None:             # HF: then min_length is ignored
        least = prompt + settings.min_new_tokens
    if ids.shape[1] < least:
        scores = ban(scores, settings.eos)
    for processor in processors:
        changed = np.asarray(processor(ids, scores))
        if changed.shape != scores.shape:
            raise ValueError("the result of a logits_processor has shape "
                             f"{changed.shape}, expected {scores.shape}: return the "
                             "scores of all tokens")
        scores = changed
    if settings.do_sample:
        # A beam search must keep a token that does not end the sequence.
        keep = 1 if settings.num_beams == 1 else max(2, 1 + len(settings.eos))
        scores = scores / settings.temperature
        if settings.top_k:
            scores = top_k_filter(scores, max(settings.top_k, keep))
        if settings.top_p < 1:
            scores = top_p_filter(scores, settings.top_p, keep)
    return scores


def ban(scores, tokens):
    """Forbid some tokens.   scores (R, V) -> out (R, V)"""
    scores = scores.copy()
    scores[:, list(tokens)] = -np.inf
    return scores


def penalise_repetition(scores, ids, mask, penalty):
    """Lower the scores of tokens that are there already.

    scores (R, V), ids (R, T), mask (R, P) or None -> out (R, V)
    The penalty multiplies scores below 0 and divides the others.  Keskar et al. 2019,
    section 4.1.  HF: the prompt counts too, from its first token that is not padding.
    """
    start = np.zeros(len(ids), int) if mask is None else mask.argmax(1)
    used = np.zeros(scores.shape, bool)                            # (R, V)
    for row, tokens, first in zip(used, ids, start):
        row[tokens[first:]] = True
    weaker = np.where(scores < 0, scores * penalty, scores / penalty)
    return np.where(used, weaker, scores)


def ban_ngrams(scores, ids, n):
    """Forbid each token that would make the last n tokens a repetition.

    scores (R, V), ids (R, T) -> out (R, V)
    """
    scores, length = scores.copy(), ids.shape[1]
    if length >= n:
        windows = np.lib.stride_tricks.sliding_window_view(ids, n, axis=1)  # (R, ., n)
        last = ids[:, None, length + 1 - n:]                       # (R, 1, n - 1)
        row, place = np.nonzero((windows[..., :-1] == last).all(-1))
        scores[row, windows[row, place, -1]] = -np.inf
    return scores


def top_k_filter(scores, k):
    """Keep the k best tokens of each row, and those that tie with the last of them.

    scores (R, V) -> out (R, V)                              Fan et al. 2018, section 5
    """
    k = min(k, scores.shape[-1])
    least = np.partition(scores, -k, axis=-1)[:, -k, None]         # (R, 1)
    return np.where(scores < least, -np.inf, scores).astype(scores.dtype, copy=False)


def top_p_filter(scores, p, keep=1):
    """Keep the fewest tokens that together have probability p, and at least `keep`.

    scores (R, V) -> out (R, V)         Holtzman et al. 2020, section 3.1: the nucleus
    The least likely tokens are dropped, as many as together have at most 1 - p.
    """
    order = np.argsort(scores, axis=-1, kind="stable")             # (R, V) worst first
    probs, _ = softmax(np.take_along_axis(scores, order, axis=-1))
    goes = probs.cumsum(-1) <= 1 - p                               # (R, V)
    goes[:, -keep:] = False
    out = scores.copy()
    np.put_along_axis(out, order, np.where(
        goes, -np.inf, np.take_along_axis(scores, order, axis=-1)), axis=-1)
    return out


# -------------------------------------------------------------------- the choice

def log_gumbel(shape, rng):
    """Draw noise that turns "the largest score" into a draw from softmax(scores).

    -> noise (...)
    argmax(scores + noise) is token v with probability softmax(scores)[v], and the k
    largest are k draws without replacement (Gumbel 1954; Kool et al. 2019).
    """
    return rng.gumbel(size=shape)


def largest(x, k):
    """Return the indices of the k largest entries, largest first, equals in order.

    x (N,) -> indices (k,)
    """
    top = np.sort(np.argpartition(-x, k - 1)[:k])
    return top[np.argsort(-x[top], kind="stable")]
