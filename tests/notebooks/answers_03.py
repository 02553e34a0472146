"""What learners answer in notebook 03."""

import numpy as np


def right_attend(q, k, v):
    scores = np.einsum("...td,...sd->...ts", q, k) * q.shape[-1] ** -0.5
    weights = np.exp(scores)
    return (weights @ v) / weights.sum(-1, keepdims=True)


def attend_in_float32(q, k, v):
    return right_attend(*(x.astype(np.float32) for x in (q, k, v)))


def attend_by_loops(q, k, v):
    out = np.empty_like(q)
    for index in np.ndindex(q.shape[:-1]):
        scores = np.array([q[index] @ key for key in k[index[:-1]]])
        weights = np.exp(scores / np.sqrt(len(q[index])))
        out[index] = weights / weights.sum() @ v[index[:-1]]
    return out


def unscaled(q, k, v):
    weights = np.exp(q @ k.swapaxes(-1, -2))
    return weights / weights.sum(-1, keepdims=True) @ v


def by_all_channels(q, k, v):
    weights = np.exp(q @ k.swapaxes(-1, -2) / q.shape[-1])
    return weights / weights.sum(-1, keepdims=True) @ v


def over_queries(q, k, v):
    weights = np.exp(q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1]))
    return weights / weights.sum(-2, keepdims=True) @ v


def without_softmax(q, k, v):
    return q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1]) @ v


def merged_by_loop(x):
    return np.concatenate([x[..., n, :, :] for n in range(x.shape[-3])], -1)


ANSWERS = {
    "03.1": {
        "right": [right_attend, attend_in_float32, attend_by_loops],
        "wrong": [(unscaled, "not divided by the root"),
                  (by_all_channels, "square root"),
                  (over_queries, "over the queries' axis"),
                  (without_softmax, "need a softmax first"),
                  (lambda q, k, v: q @ k.T @ v, "your function raised ValueError")]},
    "03.2": {
        "right": [lambda T, S: np.tril(np.ones((T, S), bool), S - T),
                  lambda T, S: [[s <= t + S - T for s in range(S)] for t in range(T)]],
        "wrong": [(lambda T, S: np.tril(np.ones((T, S), bool)), "last T of the S keys"),
                  (lambda T, S: np.triu(np.ones((T, S), bool), S - T), "upper one"),
                  (lambda T, S: np.triu(np.ones((T, S), bool), S - T + 1), "turn it"),
                  (lambda T, S: np.tril(np.ones((T, S)), S - T), "float64")]},
    "03.3": {
        "right": [merged_by_loop, lambda x: np.moveaxis(x, -3, -2).reshape(
            *x.shape[:-3], x.shape[-2], -1)],
        "wrong": [(lambda x: x.reshape(*x.shape[:-3], x.shape[-2], -1), "mixed up"),
                  (lambda x: x.swapaxes(-1, -3).swapaxes(-2, -3).reshape(
                      *x.shape[:-3], x.shape[-2], -1), "alternate"),
                  (lambda x: x.sum(-3), "side by side"),
                  (lambda x: x.swapaxes(-2, -3), "its shape is")]},
    "03.4": {
        "right": ["shuffled", "".join(["shuf", "fled"])],
        "wrong": [("unchanged", "moves with it"), ("different", "order of"),
                  ("permuted", "three words"), (3, "expected a value")]},
}
