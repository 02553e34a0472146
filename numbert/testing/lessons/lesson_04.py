"""The exercises of notebook 04, LayerNorm and GELU as numerics."""

import math

import numpy as np

from ...bert import activations, ops
from .exercise import Exercise


# ------------------------------------------------------------------ 04.1, LayerNorm

def layer_norm_inputs(rng):
    """Numbers whose mean is 300 times their deviation; eps is large enough to see."""
    return (300 + rng.normal(size=(2, 3, 5)), rng.normal(size=5), rng.normal(size=5),
            0.05)


def normalised(x, w, b, var, eps=0.0, outside=0.0):
    """(x - mean) / (sqrt(var + eps) + outside) w + b, with a variance of its own."""
    with np.errstate(invalid="ignore"):                # a variance below 0 gives nan
        return (x - x.mean(-1, keepdims=True)) / (np.sqrt(var + eps) + outside) * w + b


def variance(x, ddof=0):
    return x.var(-1, ddof=ddof, keepdims=True)


def one_pass_variance(x):
    return (x * x).mean(-1, keepdims=True) - x.mean(-1, keepdims=True) ** 2


LAYER_NORM = {
    "C5": lambda x, w, b, eps: normalised(x, w, b, one_pass_variance(x), eps),
    "The variance divides by C - 1.  LayerNorm takes a plain mean of the C squares; "
    "see (C4) in `numbert verify --explain`.":
        lambda x, w, b, eps: normalised(x, w, b, variance(x, 1), eps),
    "`eps` is added to the root.  It belongs to the variance, inside of the root.":
        lambda x, w, b, eps: normalised(x, w, b, variance(x), outside=eps),
    "Both at once: `eps` is outside of the root, and the variance divides by C - 1.":
        lambda x, w, b, eps: normalised(x, w, b, variance(x, 1), outside=eps),
    "`eps` is missing.":
        lambda x, w, b, eps: normalised(x, w, b, variance(x)),
    "The root is missing: this divides by the variance, not by the deviation.":
        lambda x, w, b, eps: normalised(x, w, b, (variance(x) + eps) ** 2),
    "The result is shifted before it is scaled.  `w` comes first, then `b`.":
        lambda x, w, b, eps: normalised(x, w, b * w, variance(x), eps),
    "`w` and `b` are missing: this is `norm` alone.":
        lambda x, w, b, eps: normalised(x, np.ones_like(w), 0 * b, variance(x), eps),
    "Mean and variance run over the tokens.  Each token is normalised alone, over its "
    "channels, the last axis.":
        lambda x, w, b, eps: (x - x.mean(-2, keepdims=True)) / np.sqrt(
            x.var(-2, keepdims=True) + eps) * w + b,
    "Mean and variance run over the whole array.  Each token is normalised alone.":
        lambda x, w, b, eps: (x - x.mean()) / np.sqrt(x.var() + eps) * w + b,
    "The mean is not subtracted.":
        lambda x, w, b, eps: x / np.sqrt(variance(x) + eps) * w + b,
}


# ----------------------------------------------------------------- 04.3, which GELU

FORMS = {"erf": ops.gelu, "tanh": ops.gelu_tanh, "sigmoid": activations.quick_gelu}
PROBE = -2.7                    # where the first two differ most


def some_gelu(rng):
    """One of the three forms, computed in float32.

    The three calls that `check` makes get one form each; a test looks after that.
    """
    form = list(FORMS.values())[int(rng.integers(13)) % 3]
    return (lambda x: form(np.asarray(x, np.float32))[0],)


def form_of(f, probe=PROBE, **moved):
    """The name of the form whose value at the probe is nearest to f's."""
    distances = {name: abs(float(f(probe)) - float(form(np.float64(probe))[0]))
                 + moved.get(name, 0) for name, form in FORMS.items()}
    return min(distances, key=lambda name: distances[name])


WHICH = {
    'The answer is always "erf".  Probe where the three differ, as the picture shows; '
    "far from 0 they agree.": lambda f: "erf",
    'The answer is always "tanh".  It should depend on what `f` returns.':
        lambda f: "tanh",
    'The answer is always "sigmoid".  It should depend on what `f` returns.':
        lambda f: "sigmoid",
    "The form with sigmoid is found, but the other two get one name.  They differ by "
    "less than 0.0005, so look for a tolerance that is too wide.":
        lambda f: form_of(f, tanh=0.001),
    'Every form but "sigmoid" is called "tanh".  The two differ by less than 0.0005: '
    "so look for a tolerance that is too wide.":
        lambda f: form_of(f, erf=0.001),
    'The names "erf" and "tanh" are swapped.':
        lambda f: {"erf": "tanh", "tanh": "erf"}.get(form_of(f), "sigmoid"),
}


# --------------------------------------------------------------- 04.4, the far tail

def tail_inputs(rng):
    x = rng.uniform(-9, -4, size=(2, 5))
    x[0, 0] = -4                # so that the largest value is about the same each time
    return (x,)


def tail(x, sign=-1, root=math.sqrt(2), factor=0.5, power=1):
    """factor x^power erfc(sign x / root), one number at a time.

    x (...) -> out (...)
    """
    return np.array([factor * each ** power * math.erfc(sign * each / root)
                     for each in x.ravel().tolist()], x.dtype).reshape(x.shape)


TAIL = {
    "This cancels.  Here erf is so near to -1 that 1 + erf keeps hardly a digit: use "
    "the function that returns the small number itself.": lambda x: ops.gelu(x)[0],
    "C1": lambda x: ops.gelu_tanh(x)[0],
    "C2": lambda x: activations.quick_gelu(x)[0],
    "The sign in erfc is wrong: this is x times the probability of a number *above* x.":
        lambda x: tail(x, sign=1),
    "The root of 2 is missing in erfc.": lambda x: tail(x, root=1),
    "The factor 1 / 2 is missing: erfc runs from 2 down to 0, a probability from 1.":
        lambda x: tail(x, factor=1),
    "This is the probability alone.  GELU is x times it.": lambda x: tail(x, power=0),
}


# ----------------------------------------------------------- 04.5, half precision

def half_inputs(rng):
    """Numbers whose squares are too large for float16, and a row of equal ones."""
    x = 600 * rng.normal(size=(4, 6)) + 100
    x[2] = 7
    w, b = rng.normal(size=6), rng.normal(size=6)
    return *(y.astype(np.float16) for y in (x, w, b)), 1e-12


def in_float64(x, w, b, eps):
    x, w, b = (y.astype(float) for y in (x, w, b))
    return ops.layer_norm(x, w, b, eps)[0]


def in_half(x, w, b, eps):
    """Every step in float16."""
    x, w, b, eps = map(np.float16, (x, w, b, eps))
    with np.errstate(all="ignore"):
        centred = x - x.mean(-1, keepdims=True)
        var = (centred * centred).mean(-1, keepdims=True)
        return centred / np.sqrt(var + eps) * w + b


def squares_in_half(x, w, b, eps):
    """float32, but for the squares."""
    x = x.astype(np.float16)
    with np.errstate(all="ignore"):
        centred = x - x.mean(-1, keepdims=True)
        var = (centred * centred).astype("f4").mean(-1, keepdims=True)
        return centred.astype("f4") / np.sqrt(var + np.float32(eps)) * w + b


def eps_in_half(x, w, b, eps):
    """float32, but eps has become 0."""
    with np.errstate(all="ignore"):
        return normalised(x.astype("f4"), w, b, variance(x.astype("f4")),
                          np.float32(np.float16(eps)))


HALF = {
    "All steps run in float16.  The squares overflow to infinity, and eps is 0: "
    "convert before the first step, and back after the last.": in_half,
    "The squares are still computed in float16, where nothing is above 65504.":
        squares_in_half,
    "`eps` has become 0 on the way, and a row of equal numbers gives 0 / 0.":
        eps_in_half,
    "The variance divides by C - 1.  LayerNorm takes a plain mean of the C squares.":
        lambda x, w, b, eps: normalised(x.astype(float), w, b,
                                        variance(x.astype(float), 1), eps),
    "`w` and `b` are missing: this is `norm` alone.":
        lambda x, w, b, eps: in_float64(x, w * 0 + 1, b * 0, eps),
}


EXERCISES = {
    "04.1": Exercise(inputs=layer_norm_inputs, mistakes=LAYER_NORM,
                     reference=lambda *inputs: ops.layer_norm(*inputs)[0]),
    "04.2": Exercise(
        reference=lambda: 10.0 ** 2,
        mistakes={
            "That is the careful way.  Here squares are subtracted: think of how these "
            "grow with the mean.": lambda: 10,
            "That is too much.  Think of how the two squares grow with the mean.":
                lambda: 1000,
            "It does grow: look at the picture again.": lambda: 1,
            "This may be the power of 10.  The question is for the factor.": lambda: 2,
        }),
    "04.3": Exercise(inputs=some_gelu, reference=form_of, mistakes=WHICH),
    "04.4": Exercise(inputs=tail_inputs, reference=tail, mistakes=TAIL),
    "04.5": Exercise(inputs=half_inputs, reference=in_float64, mistakes=HALF),
}
