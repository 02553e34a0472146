"""The exercises of notebook 11, the decoder."""

import numpy as np

from ...bert import losses, ops
from ...models.halves import shift_tokens_right
from .exercise import Exercise


def some_probs(rng):
    """Return (probs (V,), p), the arguments of a nucleus."""
    return ops.softmax(2 * rng.normal(size=12))[0], float(rng.uniform(0.6, 0.9))


def likeliest(probs, count):
    """probs (V,) -> keep (V,): the `count` likeliest."""
    keep = np.zeros(len(probs), bool)
    keep[np.argsort(-probs)[:count]] = True
    return keep


def needed(probs, p):
    """How many of the likeliest have at least p together."""
    return int((np.cumsum(np.sort(probs)[::-1]) < p).sum()) + 1


def some_logits(rng):
    """Return (logits (T, V), ids (T,), the length of the prompt)."""
    return rng.normal(size=(7, 9)) * 2, rng.integers(0, 9, 7), int(rng.integers(2, 5))


def terms(logits, ids, first, shift=1):
    """The log-probabilities of ids from place `first` on, each `shift` places later."""
    places = np.arange(first, len(ids))
    return losses.log_softmax(logits)[places - shift, ids[places]]


def some_step(rng):
    """Return q, k, v (1, D) of a token, and the keys and values (S, D) before it."""
    shapes = (1, 4), (1, 4), (1, 4), (6, 4), (6, 4)
    return tuple(rng.normal(size=shape) * 1.5 for shape in shapes)


def mixed(q, keys, values):
    """q (1, D), keys (S, D), values (S, D) -> out (1, D)"""
    return ops.softmax(ops.attention_scores(q, keys)[0])[0] @ values


def some_labels(rng):
    """Return labels (B, T) with -100 at the ends of rows, a start and a pad token."""
    labels = rng.integers(5, 40, (3, 6))
    labels[0, 4:], labels[1, 5:] = -100, -100
    return labels, 2, 0


def padded(labels, pad):
    """labels (B, T) -> ids (B, T), with padding in place of -100"""
    ids = labels.copy()
    ids[ids == -100] = pad
    return ids


def right(labels, start, pad):
    return shift_tokens_right(labels, pad, start)


EXERCISES = {
    "11.1": Exercise(
        inputs=some_probs,
        reference=lambda probs, p: likeliest(probs, needed(probs, p)),
        mistakes={
            "The piece that crosses p is left out.  Without it the others have less "
            "than p, so it belongs to the nucleus.":
                lambda probs, p: likeliest(probs, needed(probs, p) - 1),
            "One piece too many is kept: those before the last have p already.":
                lambda probs, p: likeliest(probs, needed(probs, p) + 1),
            "The pieces are added up in the order of their ids.  Sort them first.":
                lambda probs, p: np.cumsum(probs) - probs < p,
            "The least likely pieces are kept: turn the order round.":
                lambda probs, p: likeliest(-probs, needed(-np.sort(-probs)[::-1], p)),
            "It is True where a piece is dropped: turn it round.":
                lambda probs, p: ~likeliest(probs, needed(probs, p)),
            "The result stands in sorted order.  Each answer must go back to the place "
            "of its piece.":
                lambda probs, p: np.arange(len(probs)) < needed(probs, p),
            "Each probability is compared with p.  It is their sum, from the likeliest "
            "on, that must reach p.":
                lambda probs, p: probs >= p,
        }),
    "11.2": Exercise(
        inputs=some_logits,
        reference=lambda logits, ids, prompt: terms(logits, ids, prompt).sum(),
        mistakes={
            "The logits at t are compared with the token at t.  They are a guess about "
            "the token after it.":
                lambda logits, ids, prompt: terms(logits, ids, prompt, 0).sum(),
            "The prompt counts too.  It was given, so its tokens are not a choice.":
                lambda logits, ids, prompt: terms(logits, ids, 1).sum(),
            "The first new token is left out.  The last token of the prompt predicts "
            "it.":
                lambda logits, ids, prompt: terms(logits, ids, prompt + 1).sum(),
            "It is the mean per token.  The log of a product is a sum.":
                lambda logits, ids, prompt: terms(logits, ids, prompt).mean(),
            "It is divided by the length of the whole text.  The log of a product is a "
            "sum.":
                lambda logits, ids, prompt: terms(logits, ids, prompt).sum() / len(ids),
            "It is the probability.  Its logarithm is asked for.":
                lambda logits, ids, prompt: np.exp(terms(logits, ids, prompt).sum()),
            "The sign is that of a loss.  A log-probability is at most 0.":
                lambda logits, ids, prompt: -terms(logits, ids, prompt).sum(),
            "The scores are added as they are.  A log-softmax comes first.":
                lambda logits, ids, prompt: sum(
                    logits[t - 1, ids[t]] for t in range(prompt, len(ids))),
        }),
    "11.3": Exercise(
        inputs=some_step,
        reference=lambda q, k, v, keys, values: mixed(
            q, np.concatenate([keys, k]), np.concatenate([values, v])),
        mistakes={
            "The new token does not see itself.  Its own key and value belong to those "
            "that it may look at.":
                lambda q, k, v, keys, values: mixed(q, keys, values),
            "The new token sees only itself: the past is missing.":
                lambda q, k, v, keys, values: v,
            "B18": lambda q, k, v, keys, values: values[:1],
            "Keys and values are joined in different orders, so that each key has the "
            "value of another token.":
                lambda q, k, v, keys, values: mixed(
                    q, np.concatenate([k, keys]), np.concatenate([values, v])),
            "The scores are divided by D.  Divide by its root.":
                lambda q, k, v, keys, values: mixed(
                    q / np.sqrt(q.shape[-1]), np.concatenate([keys, k]),
                    np.concatenate([values, v])),
            "The scores are not divided by the root of D.":
                lambda q, k, v, keys, values: mixed(
                    q * np.sqrt(q.shape[-1]), np.concatenate([keys, k]),
                    np.concatenate([values, v])),
        }),
    "11.4": Exercise(
        inputs=some_labels,
        reference=right,
        mistakes={
            "The label -100 is still there.  It is no token: no row of the table "
            "belongs to it.":
                lambda labels, start, pad: np.concatenate(
                    [np.full((len(labels), 1), start), labels[:, :-1]], 1),
            "The labels are moved to the left, so that the decoder reads what comes "
            "after the answer.":
                lambda labels, start, pad: padded(np.roll(labels, -1, 1), pad),
            "The labels are not moved: the decoder reads the very token that it has "
            "to say.":
                lambda labels, start, pad: padded(labels, pad),
            "The first label is overwritten.  The start token comes before it.":
                lambda labels, start, pad: np.concatenate(
                    [np.full((len(labels), 1), start), padded(labels, pad)[:, 1:]], 1),
            "Each row is one token too long: the last label is never read.":
                lambda labels, start, pad: np.concatenate(
                    [np.full((len(labels), 1), start), padded(labels, pad)], 1),
            "The start token is missing: the last label came round to the front.":
                lambda labels, start, pad: padded(np.roll(labels, 1, 1), pad),
            "The start token is missing, and so is padding: -100 is still there.":
                lambda labels, start, pad: np.roll(labels, 1, 1),
            "Padding begins one place too early.  Look for -100 after the labels are "
            "moved.":
                lambda labels, start, pad: np.where(
                    labels == -100, pad, right(labels, start, pad)),
            "The start token stands where padding belongs.":
                lambda labels, start, pad: right(labels, start, start),
        }),
}
