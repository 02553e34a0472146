"""What learners answer in notebook 12."""

import math

import numpy as np


def digits_by_loop(x, truth):
    return [math.inf if a == b else -math.log10(abs((a - b) / b))
            for a, b in zip(x.tolist(), truth.tolist())]


def digits_in_float32(x, truth):
    x, truth = x.astype(np.float32), truth.astype(np.float32)
    with np.errstate(divide="ignore"):
        return np.log10(np.abs(truth)) - np.log10(np.abs(x - truth))


def digits_of(x, truth, log=np.log10):
    with np.errstate(divide="ignore", invalid="ignore"):
        return -log(x / truth)


def gamma_bound(x, w, u):
    total = 0.0
    for a, b in zip(x, w):
        total += abs(a * b)
    return total / (1 / (len(x) * u) - 1)


def typical(x, w, u):
    return len(x) ** 0.5 * u * np.sum(np.abs(x * w))


def with_signs(x, w, u):
    n = len(x)
    return abs(sum(n * u / (1 - n * u) * a * b for a, b in zip(x, w)))


def by_exponentials(x):
    e = np.exp(-2 * x)
    return 4 * e / (1 + e) ** 2


def squared_first(x):
    t = np.tanh(x)
    return 1 - t * t


ANSWERS = {
    "12.1": {
        "right": [digits_by_loop, digits_in_float32],
        "wrong": [(lambda x, y: digits_of(abs(x - y), abs(y), np.log), "natural"),
                  (lambda x, y: digits_of(abs(x - y), 1), "size of the truth"),
                  (lambda x, y: digits_of(x - y, y), "absolute value"),
                  (lambda x, y: -digits_of(abs(x - y), abs(y)), "many digits"),
                  (lambda x, y: digits_of(abs(x - y), abs(y)).mean(), "shape")]},
    "12.2": {
        "right": [2049, np.int64(2 ** 11 + 1), int(2 / np.finfo(np.float16).eps) + 1],
        "wrong": [(2048, "power of two"), (65505, "too large"), (1025, "leading 1"),
                  (257, "bfloat16"), (2051, "the value is another")]},
    "12.3": {
        "right": [gamma_bound, lambda x, w, u: np.float32(gamma_bound(x, w, u))],
        "wrong": [(typical, "typical error"),
                  (with_signs, "do not"),
                  (lambda x, w, u: u * abs(x * w).sum(), "length n is missing"),
                  (lambda x, w, u: u * len(x) * abs(x * w).sum(), "denominator of"),
                  (lambda x, w, u: ((1 + u) ** 40 - 1) * abs(x * w).sum(), "smaller"),
                  (lambda x, w, u: 39 / (1 / u - 39) * abs(x * w).sum(), "too few"),
                  (lambda x, w, u: 40 * u / (1 - 40 * u), "gamma alone"),
                  (lambda x, w, u: gamma_bound(x, w, 2 * u), "eps")]},
    "12.4": {
        "right": [by_exponentials, lambda x: np.cosh(x.astype(np.float32)) ** -2.0],
        "wrong": [(squared_first, "still cancels"),
                  (lambda x: (1 - np.tanh(x)) * (1 + np.tanh(x)), "still cancels"),
                  (lambda x: np.cosh(x) ** -1, "square is missing"),
                  (lambda x: -by_exponentials(x), "sign is wrong")]},
}
