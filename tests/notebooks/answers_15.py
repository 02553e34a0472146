"""What learners answer in notebook 15."""

import math
import struct

import numpy as np


def with_infinity(scores, mask):
    s = np.where(mask, scores, -np.inf)
    with np.errstate(invalid="ignore"):
        e = np.exp(s - s.max(-1, keepdims=True))
        return np.nan_to_num(e / e.sum(-1, keepdims=True))


def by_loop(scores, mask):
    out = []
    for row, seen in zip(scores.tolist(), mask.tolist()):
        e = [math.exp(s) if may else 0.0 for s, may in zip(row, seen)]
        out.append([x / sum(e) if any(seen) else 0.0 for x in e])
    return out


def lowest(scores, mask):
    s = np.where(mask, scores, np.finfo(float).min)
    e = np.exp(s - s.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def nan_rows(scores, mask):
    e = np.exp(scores) * mask
    with np.errstate(invalid="ignore"):
        return e / e.sum(-1, keepdims=True)


def late(scores, mask):
    e = np.exp(scores - scores.max())
    return e / e.sum(-1, keepdims=True) * mask


def one_by_one(x):
    """With Python's own bytes and integers."""
    out = []
    for value in x.tolist():
        bits = struct.unpack("<I", struct.pack("<f", value))[0]
        low, high = bits & 0xFFFF, bits >> 16
        if low > 0x8000 or (low == 0x8000 and high & 1):
            high += 1
        out.append(struct.unpack("<f", struct.pack("<I", high << 16))[0])
    return np.array(out, np.float32)


def cut(x):
    return (x.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)


def ties_up(x):
    bits = x.view(np.uint32) + np.uint32(0x8000)
    return (bits & np.uint32(0xFFFF0000)).view(np.float32)


def float16(x):
    with np.errstate(over="ignore"):
        return x.astype("float16").astype("float32")


def halved_until_it_fits(grads):
    scale = 2.0 ** 60
    while max(abs(g) for g in grads) * scale > 65504:
        scale /= 2
    return scale


def by_loop_over_parts(losses, counts):
    total = 0.0
    for loss, count in zip(losses.tolist(), counts.tolist()):
        if count:
            total += loss * count
    return total / int(sum(counts))


ANSWERS = {
    "15.1": {
        "right": [with_infinity, by_loop],
        "wrong": [(lowest, "uniform"), (nan_rows, "nan"), (late, "sum to 1"),
                  (lambda s, m: with_infinity(s, ~m), "wrong way round"),
                  (lambda s, m: with_infinity(s * m, m | True), "a score like")]},
    "15.2": {
        "right": [one_by_one, lambda x: one_by_one(x).astype(float)],
        "wrong": [(cut, "towards zero"), (ties_up, "always go up"),
                  (float16, "float16"), (lambda x: x, "Nothing is rounded")]},
    "15.3": {
        "right": [0.0078125, np.float32(2 ** -7), 1 / 128],
        "wrong": [(1 / 256, "tie"), (2.0 ** -10, "float16"), (2.0 ** -23, "float32"),
                  (0.5, "largest that rounding")]},
    "15.4": {
        "right": [halved_until_it_fits,
                  lambda g: 2 ** math.floor(math.log2(65504 / max(abs(g))))],
        "wrong": [(lambda g: 65504 / max(abs(g)), "no power of two"),
                  (lambda g: 2 * halved_until_it_fits(g), "rounded up"),
                  (lambda g: halved_until_it_fits(g[g > 0]), "may be negative"),
                  (lambda g: math.log2(halved_until_it_fits(g)), "the exponent")]},
    "15.5": {
        "right": [by_loop_over_parts,
                  lambda x, n: np.average(np.nan_to_num(x), weights=n)],
        "wrong": [(lambda x, n: np.mean(x[n > 0]), "mean of means"),
                  (lambda x, n: np.average(x, weights=n), "nan times 0"),
                  (lambda x, n: np.nansum(n * x) / 4, "number of processes"),
                  (lambda x, n: np.nansum(n * x), "sum over all labels")]},
}
