"""What learners answer in notebook 05."""

import math

import numpy as np


def normalised(x, w, b):
    spread = np.sqrt(np.var(x, -1, keepdims=True) + 1e-12)
    return (x - x.mean(-1, keepdims=True)) / spread * w + b


def add_norm_by_loops(h, residual, w, b):
    out = np.empty_like(h)
    for place in np.ndindex(h.shape[:-1]):
        out[place] = normalised(h[place] + residual[place], w, b)
    return out


def add_norm_in_float32(*given):
    h, residual, w, b = (x.astype(np.float32) for x in given)
    return normalised(residual + h, w, b)


erf = np.vectorize(math.erf, otypes=[float])


def gelu(x):
    return x * (1 + erf(x / math.sqrt(2))) / 2


def forward(x, w1, b1, w2, b2, w, b):
    inner = gelu(np.einsum("...c,fc->...f", x, w1) + b1)
    return normalised(x + (b2 + np.einsum("...f,cf->...c", inner, w2)), w, b)


def forward_token_by_token(x, w1, b1, w2, b2, w, b):
    tokens = [forward(row, w1, b1, w2, b2, w, b) for row in x.reshape(-1, x.shape[-1])]
    return np.array(tokens).reshape(x.shape)


def with_relu(x, w1, b1, w2, b2, w, b):
    return normalised(np.maximum(x @ w1.T + b1, 0) @ w2.T + b2 + x, w, b)


def without_residual(x, w1, b1, w2, b2, w, b):
    return normalised(gelu(x @ w1.T + b1) @ w2.T + b2, w, b)


def linear_only(x, w1, b1, w2, b2, w, b):
    return normalised((x @ w1.T + b1) @ w2.T + b2 + x, w, b)


def untransposed(x, w1, b1, w2, b2, w, b):
    return normalised(gelu(x @ w1 + b1) @ w2 + b2 + x, w, b)


def first_difference(mine, theirs, limit):
    for name in mine:
        if not np.all(abs(mine[name] - theirs[name]) <= limit):
            return name
    return ""


def by_allclose(mine, theirs, limit):
    return [name for name in mine if not np.allclose(
        mine[name], theirs[name], rtol=0, atol=limit)][0]


def without_nan(mine, theirs, limit):
    return [name for name in mine if (abs(theirs[name] - mine[name]) > limit).any()][0]


def largest(mine, theirs, limit):
    sizes = {name: np.nanmax(abs(mine[name] - theirs[name])) for name in mine}
    return max(sizes, key=sizes.get)


def in_alphabetical_order(mine, theirs, limit):
    return first_difference({name: mine[name] for name in sorted(mine)}, theirs, limit)


def signed(mine, theirs, limit):
    for name in mine:
        d = mine[name] - theirs[name]
        if (d > limit).any() or np.isnan(d).any():
            return name


ANSWERS = {
    "05.1": {
        "right": [add_norm_by_loops, add_norm_in_float32,
                  lambda h, x, w, b: normalised(x + h, w, b)],
        "wrong": [(lambda h, x, w, b: normalised(h, w, b), "residual is missing"),
                  (lambda h, x, w, b: x + normalised(h, w, b), "not post-LN"),
                  (lambda h, x, w, b: h + x, "not normalised"),
                  (lambda h, x, w, b: h + normalised(x, w, b), "before it is added"),
                  (lambda h, x, w, b: normalised(h + x, 1, 0), "not scaled by w")]},
    "05.2": {
        "right": [forward, forward_token_by_token],
        "wrong": [(with_relu, "Another activation"),
                  (without_residual, "residual is missing"),
                  (linear_only, "no activation"),
                  (untransposed, "your function raised ValueError")]},
    "05.3": {
        "right": [lambda C, F: 4 * C * (C + 1) + C * (F + 1) + F * (C + 1) + 4 * C,
                  lambda C, F: sum([4 * C ** 2, 2 * C * F, 9 * C, F])],
        "wrong": [(lambda C, F: 4 * C * C + F * C * 2, "so are the LayerNorms"),
                  (lambda C, F: 4 * C ** 2 + 2 * C * F + 5 * C + F, "has a weight and"),
                  (lambda C, F: 4 * C ** 2 + 2 * C * F + 7 * C + F, "ends with one"),
                  (lambda C, F: 3 * C ** 2 + 2 * C * F + 8 * C + F, "has four"),
                  (lambda C, F: 4 * C ** 2 + 2 * C * F + 10 * C, "Every bias has C")]},
    "05.4": {
        "right": [first_difference, by_allclose],
        "wrong": [(without_nan, "nan is overlooked"), (largest, "lies earlier"),
                  (in_alphabetical_order, "alphabet"), (signed, "has a sign"),
                  (lambda a, b, limit: [n for n in a if not np.array_equal(
                      a[n], b[n])][0], "Every rounding")]},
    "05.5": {
        "right": [lambda x, kept, rate: np.where(kept, x, 0) * (1 / (1 - rate)),
                  lambda x, kept, rate: np.where(kept, x / (1 - rate), 0)],
        "wrong": [(lambda x, kept, rate: np.where(kept, x, 0), "scaled wrongly"),
                  (lambda x, kept, rate: np.where(kept, x, 0) * (1 - rate), "mean"),
                  (lambda x, kept, rate: np.where(kept, 0, x) / (1 - rate), "round"),
                  (lambda x, kept, rate: x * kept / rate, "share that is dropped")]},
}
