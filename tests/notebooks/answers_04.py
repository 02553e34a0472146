"""What learners answer in notebook 04."""

import math

import numpy as np

# ---------------------------------------------------------------------- LayerNorm


def layer_norm_by_loops(x, w, b, eps):
    out = np.empty_like(x)
    for place in np.ndindex(x.shape[:-1]):
        row = x[place].tolist()
        mean = math.fsum(row) / len(row)
        var = math.fsum((each - mean) ** 2 for each in row) / len(row)
        out[place] = [(each - mean) / math.sqrt(var + eps) for each in row] * w + b
    return out


def layer_norm_by_std(x, w, b, eps):
    scale = w / np.sqrt(np.std(x, axis=-1)[..., None] ** 2 + eps)
    return (x - np.mean(x, axis=-1)[..., None]) * scale + b


def layer_norm_in_float32(*inputs):
    x, w, b, eps = inputs
    x, w, b = (np.float32(y) for y in (x, w, b))
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred ** 2).mean(-1, keepdims=True) + eps) * w + b


def with_std(x, w, b, eps, ddof=0, inside=True):
    std = x.std(-1, keepdims=True, ddof=ddof)
    centred = x - x.mean(-1, keepdims=True)
    return (centred / np.sqrt(std ** 2 + eps) if inside else centred / (std + eps)
            ) * w + b


def by_two_means(x, w, b, eps):
    mean = x.sum(-1, keepdims=True) / x.shape[-1]
    var = (x ** 2).sum(-1, keepdims=True) / x.shape[-1] - mean ** 2
    return (x - mean) * (var + eps) ** -0.5 * w + b


# --------------------------------------------------------------------------- GELU

def erf_at(x):
    return 0.5 * x * (1 + math.erf(x / math.sqrt(2)))


def tanh_at(x):
    return 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3)))


def sigmoid_at(x):
    return x / (1 + math.exp(-1.702 * x))


def which_by_errors(f):
    xs = [-3, -2.7, -2, -1, 1, 2, 3]
    errors = {name: sum(abs(float(f(x)) - g(x)) for x in xs) for name, g in
              (("erf", erf_at), ("tanh", tanh_at), ("sigmoid", sigmoid_at))}
    return sorted(errors, key=errors.get)[0]


def which_by_array(f):
    x = np.linspace(-4, 4, 81)
    y = np.asarray(f(x), float)
    for name, g in (("erf", erf_at), ("tanh", tanh_at)):
        if max(abs(y - [g(each) for each in x])) < 1e-5:
            return name
    return "sigmoid"


def which_far_away(f):
    for name, g in (("erf", erf_at), ("tanh", tanh_at), ("sigmoid", sigmoid_at)):
        if abs(f(20.0) - g(20.0)) < 1e-3:
            return name


def which_by_wide_tolerance(f):
    for name, g in (("erf", erf_at), ("tanh", tanh_at), ("sigmoid", sigmoid_at)):
        if abs(f(-2.7) - g(-2.7)) < 1e-3:
            return name


def which_swapped(f):
    return {"erf": "tanh", "tanh": "erf", "sigmoid": "sigmoid"}[which_by_errors(f)]


def each(function):
    return lambda x: np.vectorize(function)(x)


# ------------------------------------------------------------------ half precision

def in_single(x, w, b, eps):
    x = x.astype(np.float32)
    centred = x - x.mean(-1, keepdims=True)
    norm = centred / np.sqrt((centred ** 2).mean(-1, keepdims=True) + eps)
    return (norm * w + b).astype(np.float16)


def in_double(x, w, b, eps):
    return layer_norm_by_std(*(y.astype(float) for y in (x, w, b)), eps)


def all_in_half(x, w, b, eps):
    with np.errstate(all="ignore"):
        return (x - x.mean(-1, keepdims=True)) / np.sqrt(
            x.var(-1, keepdims=True) + eps) * w + b


def squares_in_half(x, w, b, eps):
    with np.errstate(all="ignore"):
        centred = x - x.mean(-1, keepdims=True)
        var = np.mean(centred ** 2, -1, keepdims=True).astype(float)
        return centred / np.sqrt(var + eps) * w + b


def eps_in_half(x, w, b, eps):
    with np.errstate(all="ignore"):
        return in_single(x, w, b, float(np.float16(eps)))


ANSWERS = {
    "04.1": {
        "right": [layer_norm_by_loops, layer_norm_by_std, layer_norm_in_float32],
        "wrong": [(lambda *a: with_std(*a, ddof=1), "divides by C - 1"),
                  (lambda *a: with_std(*a, inside=False), "added to the root"),
                  (lambda *a: with_std(*a, 1, False), "Both at once"),
                  (by_two_means, "(C5)"),
                  (lambda x, w, b, eps: with_std(x, w, b, 0), "`eps` is missing"),
                  (lambda x, w, b, eps: (x - x.mean()) / (x.var() + eps) ** 0.5 * w + b,
                   "over the whole array"),
                  (lambda x, w, b, eps: (x - x.mean(-1)) * w, "ValueError")]},
    "04.2": {
        "right": [100, 1e2, np.int64(100)],
        "wrong": [(10, "the careful way"), (1000, "too much"), (1, "does grow"),
                  (2, "for the factor"), ("100", "expected a value")]},
    "04.3": {
        "right": [which_by_errors, which_by_array],
        "wrong": [(which_far_away, 'always "erf"'), (lambda f: "tanh", 'always "tanh"'),
                  (which_by_wide_tolerance, "that is too wide"),
                  (which_swapped, "are swapped"),
                  (lambda f: None, "still open")]},
    "04.4": {
        "right": [each(lambda x: x / 2 * math.erfc(-x * 0.5 ** 0.5)),
                  each(lambda x: x * (0.5 * math.erfc(abs(x) / 2 ** 0.5))),
                  lambda x: np.float32(each(lambda x: 0.5 * x * math.erfc(
                      -x / math.sqrt(2)))(np.float32(x)))],
        "wrong": [(each(erf_at), "This cancels"), (each(tanh_at), "(C1)"),
                  (each(sigmoid_at), "(C2)"),
                  (each(lambda x: x / 2 * (2 - math.erfc(x / 2 ** 0.5))),
                   "This cancels"),
                  (each(lambda x: x / 2 * math.erfc(x / 2 ** 0.5)), "The sign"),
                  (each(lambda x: x / 2 * math.erfc(-x)), "root of 2")]},
    "04.5": {
        "right": [in_single, in_double],
        "wrong": [(all_in_half, "All steps run in float16"),
                  (squares_in_half, "squares are still computed in float16"),
                  (eps_in_half, "has become 0"),
                  (lambda x, w, b, eps: in_double(x, 1 + 0 * w, 0 * b, eps),
                   "`norm` alone")]},
}
