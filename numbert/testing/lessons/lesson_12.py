"""The exercises of notebook 12, precision."""

import numpy as np

from .exercise import Exercise


def some_results(rng):
    """Return (x, truth), two arrays that agree in 1 to 4 digits; one entry is equal."""
    truth = rng.normal(size=8) + 3 * rng.choice([-1, 1], 8)
    error = rng.choice([-1, 1], 8) * 10.0 ** -rng.uniform(1, 4, 8)
    error[3] = 0
    return truth * (1 + error), truth


def logs(ratio, log=np.log10):
    """-log(ratio), infinite where the ratio is 0; without warnings."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return -log(ratio)


def digits(x, truth):
    return logs(np.abs(x - truth) / np.abs(truth))


def some_vectors(rng):
    """Return x (n,), w (n,) and a unit roundoff."""
    return rng.normal(size=40), rng.normal(size=40), 2.0 ** -11


def gamma(n, u):
    return n * u / (1 - n * u)


def size(x, w):
    """The sum of |x_i| |w_i|."""
    return np.abs(x) @ np.abs(w)


def slope(x):
    return 1 / np.cosh(x) ** 2


EXERCISES = {
    "12.1": Exercise(
        inputs=some_results, reference=digits,
        mistakes={
            "The logarithm is the natural one.  Decimal digits need that to base 10.":
                lambda x, truth: logs(np.abs(x - truth) / np.abs(truth), np.log),
            "The logarithm is that to base 2, so these are bits.":
                lambda x, truth: logs(np.abs(x - truth) / np.abs(truth), np.log2),
            "The error is not divided by the size of the truth.":
                lambda x, truth: logs(np.abs(x - truth)),
            "The error is divided by x.  It is relative to the truth.":
                lambda x, truth: logs(np.abs(x - truth) / np.abs(x)),
            "The sign is wrong: a small error means many digits.":
                lambda x, truth: -digits(x, truth),
            "Half of the results are nan: an error may be negative, and a logarithm "
            "needs its absolute value.":
                lambda x, truth: logs((x - truth) / truth),
            "Where both are equal, no digit is wrong: the answer there is infinity.":
                lambda x, truth: np.where(x == truth, 0, digits(x, truth)),
            "The digits are cut to whole numbers.  Keep the fraction.":
                lambda x, truth: np.floor(digits(x, truth)),
        }),
    "12.2": Exercise(
        reference=lambda: 2 ** 11 + 1,
        mistakes={
            "A power of two is on the grid of every format.  Look just after it.":
                lambda: 2 ** 11,
            "This is the first that is too large.  Long before it, whole numbers fall "
            "between the points of the grid.":
                lambda: 65505,
            "The largest number that float16 has is on its grid.":
                lambda: 65504,
            "One bit too few: the leading 1 is not stored, but it counts.":
                lambda: 2 ** 10 + 1,
            "One bit too many: float16 has 11, with the leading 1.":
                lambda: 2 ** 12 + 1,
            "That is the answer for bfloat16, which has 8 bits.":
                lambda: 2 ** 8 + 1,
        }),
    "12.3": Exercise(
        inputs=some_vectors, reference=lambda x, w, u: gamma(len(x), u) * size(x, w),
        mistakes={
            "The terms are added with their signs.  They may cancel, and their "
            "rounding errors do not.":
                lambda x, w, u: gamma(len(x), u) * np.abs(x @ w),
            "The terms are added with their signs, so that the bound may be negative.":
                lambda x, w, u: gamma(len(x), u) * (x @ w),
            "The length n is missing: there are that many roundings.":
                lambda x, w, u: u * size(x, w),
            "This is the typical error, with the root of n.  A bound that is certain "
            "needs more.":
                lambda x, w, u: np.sqrt(len(x)) * u * size(x, w),
            "Nearly: n u leaves out the products of several errors.  Look at the "
            "denominator of gamma.":
                lambda x, w, u: len(x) * u * size(x, w),
            "This bound is certain too, and a little smaller.  The exercise asks for "
            "the one with gamma.":
                lambda x, w, u: ((1 + u) ** len(x) - 1) * size(x, w),
            "One rounding too few: there are n - 1 sums, and the product before them.":
                lambda x, w, u: gamma(len(x) - 1, u) * size(x, w),
            "This is gamma alone.  It is relative to the sizes of the terms, so "
            "multiply by their sum.":
                lambda x, w, u: gamma(len(x), u),
            "It is computed with eps = 2 u.  The u that is given is what one rounding "
            "makes.":
                lambda x, w, u: gamma(len(x), 2 * u) * size(x, w),
            "The sizes are multiplied after adding them up.  The bound adds up the "
            "products of each pair.":
                lambda x, w, u: gamma(len(x), u) * np.abs(x).sum() * np.abs(w).sum(),
        }),
    "12.4": Exercise(
        inputs=lambda rng: (rng.uniform(6, 9, 6),), reference=slope,
        mistakes={
            "It still cancels: the square of tanh is nearly 1 here.  Write the "
            "difference over a common denominator, and look at the numerator.":
                lambda x: 1 - np.tanh(x) ** 2,
            "The square is missing.":
                lambda x: 1 / np.cosh(x),
            "The square is missing in the difference, and it still cancels.":
                lambda x: 1 - np.tanh(x),
            "The denominator is the square of sinh.  It is that of cosh.":
                lambda x: 1 / np.sinh(x) ** 2,
            "The sign is wrong: tanh grows everywhere.":
                lambda x: -slope(x),
            "This is tanh itself.  Its derivative is asked for.":
                lambda x: np.tanh(x),
        }),
}
