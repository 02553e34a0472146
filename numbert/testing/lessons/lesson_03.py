"""The exercises of notebook 03, attention."""

import numpy as np

from ...bert import attention, ops
from .exercise import Exercise, softmax


def scores(q, k):
    return ops.attention_scores(q, k)[0]


def heads_in_rows(x):
    """x (..., N, T, D) -> out (..., T, C), with the numbers in the order of memory."""
    *batch, heads, tokens, size = x.shape
    return x.reshape(*batch, tokens, heads * size)


EXERCISES = {
    "03.1": Exercise(
        inputs=lambda rng: (rng.normal(size=(2, 3, 5, 4)) * 2,
                            rng.normal(size=(2, 3, 7, 4)) * 2,
                            rng.normal(size=(2, 3, 7, 4))),
        reference=lambda q, k, v: softmax(scores(q, k)) @ v,
        mistakes={
            "The scores are not divided by the root of the head's size D.":
                lambda q, k, v: softmax(scores(q, k) * np.sqrt(q.shape[-1])) @ v,
            "The scores are divided by D.  Look for the square root.":
                lambda q, k, v: softmax(scores(q, k) / np.sqrt(q.shape[-1])) @ v,
            "The scores are divided by the root of the number of keys.  D is the size "
            "of the last axis of q.":
                lambda q, k, v: softmax(scores(q, k) * np.sqrt(q.shape[-1])
                                        / np.sqrt(k.shape[-2])) @ v,
            "The softmax runs over the queries' axis.  Each query shares its weight "
            "among the keys, so the keys' axis must sum to 1.":
                lambda q, k, v: softmax(scores(q, k), -2) @ v,
            "The weights are exponentials that do not sum to 1: divide by their sum.":
                lambda q, k, v: np.exp(scores(q, k)) @ v,
            "The weights do not sum to 1: divide by the sum of the exponentials.":
                lambda q, k, v: np.exp(
                    scores(q, k) - scores(q, k).max(-1, keepdims=True)) @ v,
            "The scores themselves mix the values.  They need a softmax first.":
                lambda q, k, v: scores(q, k) @ v,
            "The weights mix the keys.  They should mix the values.":
                lambda q, k, v: softmax(scores(q, k)) @ k,
        }),
    "03.2": Exercise(
        inputs=lambda rng: (int(rng.integers(2, 5)), int(rng.integers(5, 9))),
        reference=attention.causal_mask,
        mistakes={
            "The queries are taken for the first T keys.  They are the last T of the S "
            "keys.":
                lambda T, S: np.tri(T, S, dtype=bool),
            "It is True where a query may not look: turn it round.":
                lambda T, S: ~np.tri(T, S, S - T, dtype=bool),
            "A query may not look at itself.  It may: the diagonal is True.":
                lambda T, S: np.tri(T, S, S - T - 1, dtype=bool),
            "The queries see what comes after them: the triangle is the upper one.":
                lambda T, S: ~np.tri(T, S, S - T - 1, dtype=bool),
            "A query may look at one token too many, the one after it.":
                lambda T, S: np.tri(T, S, S - T + 1, dtype=bool),
        }),
    "03.3": Exercise(
        inputs=lambda rng: (rng.normal(size=(2, 3, 5, 4)),),
        reference=attention.merge_heads,
        mistakes={
            "Heads and tokens are mixed up: the numbers are joined in the order of "
            "memory.  Move the axis of heads next to the channels first.":
                heads_in_rows,
            "The channels of the heads alternate.  Each head should fill a run of D "
            "channels: check which axis comes last before the reshape.":
                lambda x: np.moveaxis(x, -3, -1).reshape(
                    *x.shape[:-3], x.shape[-2], -1),
            "The heads come in the wrong order.":
                lambda x: attention.merge_heads(x[..., ::-1, :, :]),
            "The heads are added up.  They should stand side by side.":
                lambda x: x.sum(-3),
            "The heads are averaged.  They should stand side by side.":
                lambda x: x.mean(-3),
        }),
    "03.4": Exercise(
        reference=lambda: "shuffled",
        mistakes={
            "Each output belongs to its query, and moves with it.":
                lambda: "unchanged",
            "Each output is a weighted sum over all keys, and a sum does not depend on "
            "the order of its terms.":
                lambda: "different",
            "Nearly: which way do the outputs move?  Use one of the three words.":
                lambda: "permuted",
        }),
}
