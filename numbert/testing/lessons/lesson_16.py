"""The exercises of notebook 16, reading a trained BERT."""

import numpy as np

from .exercise import Exercise, softmax


def diagonal(probs, offset):
    return np.diagonal(probs, offset, -2, -1)


def other_copies(ids):
    """Which keys hold another copy of a query's word (T, T)."""
    return (ids[:, None] == ids) & ~np.eye(len(ids), dtype=bool)


def on_copies(probs, ids):
    """The weight of each query on other copies of its word, of those that have one."""
    copies = other_copies(ids)
    return (probs * copies).sum(-1)[..., copies.any(-1)]         # (N, tokens)


def number(ids):
    """How many other copies there are of each word that has one."""
    copies = other_copies(ids).sum(-1)
    return copies[copies > 0]


def ridge(X, Y, strength):
    square = X.T @ X + strength * np.eye(X.shape[1], dtype=X.dtype)
    return np.linalg.solve(square, X.T @ Y)


def first(values, i, n):
    """The places of the n largest values, largest first, without the place i."""
    order = np.argsort(-values, kind="stable")
    return order[order != i][:n]


def cosines(table, i):
    unit = table / np.linalg.norm(table, axis=1, keepdims=True)
    return unit @ unit[i]


def one_hot(logits, k):
    return np.eye(len(logits), dtype=logits.dtype)[k]


def drawn_probs(rng, *shape):
    x = np.exp(rng.normal(size=shape) * 2)
    return x / x.sum(-1, keepdims=True)


EXERCISES = {
    "16.1": Exercise(
        inputs=lambda rng: (drawn_probs(rng, 3, 9, 9), int(rng.choice([-3, -1, 2]))),
        reference=lambda probs, offset: diagonal(probs, offset).mean(-1),
        mistakes={
            "It looks the other way: a positive offset means a key after the query.":
                lambda probs, offset: diagonal(probs, -offset).mean(-1),
            "The sum is divided by the number of all tokens.  Some have no token at "
            "this offset.":
                lambda probs, offset: diagonal(probs, offset).sum(-1) / probs.shape[-1],
            "The weights are added up.  Their mean is asked for.":
                lambda probs, offset: diagonal(probs, offset).sum(-1),
            "This is the weight on one key for all queries.  The key should move with "
            "the query.":
                lambda probs, offset: probs[..., offset].mean(-1),
            "The heads are averaged, too.  Keep one number for each head.":
                lambda probs, offset: diagonal(probs, offset).mean(),
        }),
    "16.2": Exercise(
        inputs=lambda rng: (drawn_probs(rng, 3, 12, 12),
                            np.append(rng.integers(0, 6, 11), 7)),
        reference=lambda probs, ids: on_copies(probs, ids).mean(-1),
        mistakes={
            "The weight of a token on itself is counted.  Other copies are asked for.":
                lambda probs, ids: (probs * (ids[:, None] == ids)).sum(-1)[
                    ..., other_copies(ids).any(-1)].mean(-1),
            "The mean runs over all tokens.  Leave out those without another copy.":
                lambda probs, ids: (probs * other_copies(ids)).sum(-1).mean(-1),
            "Every token counts as a copy of itself, so none is left out.":
                lambda probs, ids: (probs * (ids[:, None] == ids)).sum(-1).mean(-1),
            "The weights on several copies are averaged.  A token may share its look "
            "among them: add them up.":
                lambda probs, ids: (on_copies(probs, ids) / number(ids)).mean(-1),
            "The heads are averaged, too.  Keep one number for each head.":
                lambda probs, ids: on_copies(probs, ids).mean(),
        }),
    "16.3": Exercise(
        inputs=lambda rng: (rng.normal(size=(40, 6)), np.eye(3)[rng.integers(0, 3, 40)],
                            float(rng.uniform(1, 4))),
        reference=ridge,
        mistakes={
            "The strength is left out.":
                lambda X, Y, strength: ridge(X, Y, 0.0),
            "The strength is added to every entry of the matrix.  It belongs on the "
            "diagonal.":
                lambda X, Y, strength: np.linalg.solve(X.T @ X + strength, X.T @ Y),
            "The strength is squared.":
                lambda X, Y, strength: ridge(X, Y, strength ** 2),
            "The strength is subtracted.":
                lambda X, Y, strength: ridge(X, Y, -strength),
            "The squares are averaged over the examples, but the strength is not.":
                lambda X, Y, strength: ridge(X, Y, strength * len(X)),
            "These are the predictions.  The weights are asked for.":
                lambda X, Y, strength: X @ ridge(X, Y, strength),
        }),
    "16.4": Exercise(
        inputs=lambda rng: (rng.normal(size=(40, 5)) * rng.uniform(0.3, 3, (40, 1)),
                            int(rng.integers(0, 40)), 5),
        reference=lambda table, i, n: first(cosines(table, i), i, n),
        mistakes={
            "The word itself comes first.  Leave it out.":
                lambda table, i, n: first(cosines(table, i), -1, n),
            "Dot products are compared, so that long vectors win.  Divide by the "
            "lengths.":
                lambda table, i, n: first(table @ table[i], i, n),
            "Dot products are compared, and the first place is left out, as if it were "
            "always i.  Divide by the lengths.":
                lambda table, i, n: np.argsort(-(table @ table[i]))[1:n + 1],
            "Distances are compared.  They depend on the lengths, and the cosine does "
            "not.":
                lambda table, i, n: first(
                    -np.linalg.norm(table - table[i], axis=1), i, n),
            "These are the farthest.  The largest cosine should come first.":
                lambda table, i, n: first(-cosines(table, i), i, n),
            "These are the right ones in the wrong order.  The largest cosine should "
            "come first.":
                lambda table, i, n: first(cosines(table, i), i, n)[::-1],
            "The sign of the cosine is lost.  A vector that points the other way is "
            "far.":
                lambda table, i, n: first(abs(cosines(table, i)), i, n),
        }),
    "16.5": Exercise(
        inputs=lambda rng: (rng.normal(size=8) * 2, int(rng.integers(0, 8))),
        reference=lambda logits, k: one_hot(logits, k) - softmax(logits),
        mistakes={
            "This is the gradient of the loss, which is -log p.  Turn the sign round.":
                lambda logits, k: softmax(logits) - one_hot(logits, k),
            "This is the gradient of the logit alone.  The other words compete in the "
            "softmax.":
                one_hot,
            "This is the gradient of the probability.  Its logarithm is asked for.":
                lambda logits, k: softmax(logits)[k] * (
                    one_hot(logits, k) - softmax(logits)),
            "The gradient of logits[k] itself is missing at the place k.":
                lambda logits, k: -softmax(logits),
            "This is the logarithm of the probabilities, and not a gradient.":
                lambda logits, k: np.log(softmax(logits)),
        }),
}
