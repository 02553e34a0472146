"""What learners answer in notebook 09."""

import math

import numpy as np


def right_update(p, g, m, v, t, lr):
    m, v = m + (g - m) * (1 - 0.9), v * 0.999 + np.square(g) * (1 - 0.999)
    step = math.sqrt(1 - 0.999 ** t) / (1 - 0.9 ** t) * m
    step = step / (np.sqrt(v) + 1e-8 * math.sqrt(1 - 0.999 ** t))
    return p - lr * 0.01 * p - lr * step, m, v


def update_in_float32(p, g, m, v, t, lr):
    return right_update(*(x.astype(np.float32) for x in (p, g, m, v)), t, lr)


def update_by_loops(p, g, m, v, t, lr):
    out = [np.empty_like(p) for _ in range(3)]
    for i in np.ndindex(p.shape):
        a, b = 0.9 * m[i] + 0.1 * g[i], 0.999 * v[i] + 0.001 * g[i] ** 2
        step = a / (1 - 0.9 ** t) / (math.sqrt(b / (1 - 0.999 ** t)) + 1e-8)
        out[0][i], out[1][i], out[2][i] = p[i] - lr * (step + 0.01 * p[i]), a, b
    return tuple(out)


def of_bert(p, g, m, v, t, lr):
    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g ** 2
    return p - lr * (m / (np.sqrt(v) + 1e-8) + 0.01 * p), m, v


def l2(p, g, m, v, t, lr):
    g = g + 0.01 * p
    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g ** 2
    return p - lr * (m / (1 - 0.9 ** t)) / (np.sqrt(v / (1 - 0.999 ** t)) + 1e-8), m, v


def first_only(p, g, m, v, t, lr):
    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g ** 2
    step = m / (1 - 0.9) / (np.sqrt(v / (1 - 0.999)) + 1e-8)
    return p * (1 - lr * 0.01) - lr * step, m, v


def hats_returned(p, g, m, v, t, lr):
    p, m, v = right_update(p, g, m, v, t, lr)
    return p, m / (1 - 0.9 ** t), v / (1 - 0.999 ** t)


def swapped(p, g, m, v, t, lr):
    m, v = 0.999 * m + 0.001 * g, 0.9 * v + 0.1 * g ** 2
    step = m / (1 - 0.999 ** t) / (np.sqrt(v / (1 - 0.9 ** t)) + 1e-8)
    return p * (1 - lr * 0.01) - lr * step, m, v


def only_p(p, g, m, v, t, lr):
    return right_update(p, g, m, v, t, lr)[0]


def in_place(p, g, m, v, t, lr):
    p -= lr * g
    return p, m, v


def right_rates(warmup, total):
    up = np.arange(warmup) / warmup
    return np.concatenate([up, np.linspace(1, 0, total - warmup + 1)[:-1]])


def rates_by_minimum(warmup, total):
    step = np.arange(total)
    return np.minimum(step / warmup, (total - step) / (total - warmup))


def jump(warmup, total):
    step = np.arange(total)
    return np.where(step < warmup, step / warmup, (total - step) / total)


ANSWERS = {
    "09.1": {
        "right": [right_update, update_in_float32, update_by_loops],
        "wrong": [(of_bert, "no correction for the start from zero"),
                  (first_only, "those of the first update"),
                  (hats_returned, "after the correction"),
                  (l2, "not decoupled"), (swapped, "beta1 belongs to the gradient"),
                  (only_p, "it has one part, expected part 1, part 2, part 3"),
                  (in_place, "changes one of its inputs")]},
    "09.2": {
        "right": [lambda names: list(filter(lambda x: not x.endswith(".bias")
                                            and ".LayerNorm." not in x, names)),
                  lambda names: np.array([x for x in names if x.endswith("weight")
                                          and "LayerNorm" not in x])],
        "wrong": [(lambda names: [x for x in names if x.endswith("weight")],
                   "set a scale"),
                  (lambda names: [x for x in names if "Norm" not in x],
                   "only move an output"),
                  (list, "spares biases and LayerNorm's weights"),
                  (lambda names: ["LayerNorm" in x for x in names], "expected")]},
    "09.3": {
        "right": [right_rates, rates_by_minimum,
                  lambda warmup, total: right_rates(warmup, total).astype("f4")],
        "wrong": [(jump, "jumps after the"),
                  (lambda warmup, total: np.concatenate([
                      np.arange(warmup) / warmup,
                      1 - np.arange(total - warmup) / total]), "divided by all steps"),
                  (lambda warmup, total: np.concatenate([
                      np.linspace(0, 1, warmup), right_rates(warmup, total)[warmup:]]),
                   "one step too early"),
                  (lambda warmup, total: np.minimum(1, np.arange(total) / warmup),
                   "stays at its peak"),
                  (lambda warmup, total: rates_by_minimum(warmup, total + 1)[1:],
                   "times the largest"),
                  (lambda warmup, total: np.linspace(1, 0, total + 1)[:-1],
                   "no warm-up"),
                  (lambda warmup, total: right_rates(warmup, total)[warmup:],
                   "its shape is")]},
    "09.4": {
        "right": [lambda counts: np.log(counts.sum()) - (counts * np.log(counts)).sum()
                  / counts.sum(),
                  lambda counts: sum(-n / sum(counts) * math.log(n / sum(counts))
                                     for n in counts.tolist())],
        "wrong": [(lambda counts: -(counts / counts.sum() * np.log2(
                      counts / counts.sum())).sum(), "log2 was used"),
                  (lambda counts: math.log(counts.size), "not even the frequencies"),
                  (lambda counts: np.mean(-np.log(counts / counts.sum())),
                   "must weigh more"),
                  (lambda counts: sum(-math.log(n / sum(counts)) for n in counts),
                   "not multiplied"),
                  (lambda counts: -np.log(counts / counts.sum()), "its shape is")]},
}
