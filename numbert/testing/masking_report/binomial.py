"""Tails of the binomial distribution, never too small, without SciPy.

`upper_tail` and `lower_tail` return the exact tail rounded up, by at most 2 in 10^9 for
up to 10^9 trials: whoever rejects at a rate rejects a right program no more often than
that.  `chernoff` bounds the same tails where trials are not independent, and
`stopped` where the number of trials depends on how they come out.
"""

from __future__ import annotations

import math

import numpy as np

ROUNDING = 1e-9                 # more than all rounding in `log_mass` and `upper`
TINY = 1e-300                   # stands for all that is smaller, but not 0
# How far the odds of a coin are moved by `stopped`, as logarithms.
TILTS = np.array([sign * 0.02 * 2 ** (i / 2) for sign in (-1, 1) for i in range(13)])


def upper_tail(count: int, trials: int, p: float) -> float:
    """Return P(X >= count) of a binomial X, rounded up; 1 if count is below the mean.
    """
    return upper(count, trials, p, 1 - p)


def lower_tail(count: int, trials: int, p: float) -> float:
    """Return P(X <= count) of a binomial X, rounded up; 1 if count is above the mean.
    """
    return upper(trials - count, trials, 1 - p, p)


def upper(count: int, trials: int, p: float, q: float) -> float:
    """Return P(X >= count), rounded up, with q = 1 - p given to its own digits.

    The sum is P(X = count) times 1 + r1 + r1 r2 + ..., and above the mean the ratios r
    of neighbours fall: a geometric series bounds what is left out.
    """
    if count <= trials * p or count <= 0:
        return 1.0
    if p <= 0 or count > trials:
        return 0.0
    total, term, start, size = 1.0, 1.0, count, 64
    while start < trials:
        k = np.arange(start, min(start + size, trials))
        ratios = (trials - k) / (k + 1.0) * (p / q)
        terms = term * np.cumprod(ratios)
        total, term = total + float(terms.sum()), float(terms[-1])
        rest = term * ratios[-1] / (1 - ratios[-1])
        if rest < 1e-13 * total:
            total += rest
            break
        start, size = start + size, min(4 * size, 2 ** 14)
    tail = math.exp(log_mass(count, trials, p, q) + math.log(total))
    return min(1.0, max(TINY, tail * (1 + ROUNDING)))


def log_mass(count: int, trials: int, p: float, q: float) -> float:
    """Return log P(X = count).

    Source: Loader 2000, "Fast and accurate computation of binomial probabilities".  A
    sum of three log-gamma functions would lose seven digits at a million trials.
    """
    if count in (0, trials):
        one, other = (p, q) if count else (q, p)
        return trials * (math.log(one) if one < 0.5 else math.log1p(-other))
    rest = trials - count
    excess = count - trials * p
    shape = stirling_error(trials) - stirling_error(count) - stirling_error(rest)
    distance = (count * math.log1p(excess / (trials * p))
                + rest * math.log1p(-excess / (trials * q)))
    return shape - distance - 0.5 * math.log(2 * math.pi * count * (rest / trials))


def stirling_error(n: int) -> float:
    """Return log n! less Stirling's formula for it, for n above 0."""
    if n <= 15:
        return math.lgamma(n + 1) - (
            (n + 0.5) * math.log(n) - n + 0.5 * math.log(2 * math.pi))
    x = 1 / (n * n)
    return (1 / 12 - x * (1 / 360 - x * (1 / 1260 - x * (1 / 1680 - x / 1188)))) / n


def chernoff(count: float, trials: int, p: float) -> float:
    """Return a bound of the tail at `count`, on whichever side of the mean it lies.

    It holds for the sum of any trials that are independent or negatively associated,
    and whose probabilities have the mean p.  Source: Hoeffding 1963, theorem 1;
    Dubhashi and Ranjan 1998.
    """
    share = count / trials if trials else p
    distance = trials * divergence(share, p)
    return 0.0 if math.isinf(distance) else \
        max(TINY, math.exp(-distance)) * (1 + ROUNDING)


def divergence(share: float, p: float) -> float:
    """Return the Kullback-Leibler divergence of two coins, in nats."""
    parts = ((share, p), (1 - share, 1 - p))
    if any(x > 0 and y <= 0 for x, y in parts):
        return math.inf
    return max(0.0, sum(x * math.log(x / y) for x, y in parts if x > 0))


# ------------------------------------------------------------- two sides, and bounds

def two_sided(count: int, trials: int, low: float, high: float,
              mixed: bool = False) -> float:
    """Return a p-value for a count of trials whose probability lies in [low, high].

    Args:
        count, trials: what was counted, and of how many independent trials.
        low, high: the least and the greatest probability that is right.
        mixed: the trials have different probabilities with the mean low = high.  The
            binomial tails bound theirs from 1 above and 1 below the mean on
            (Hoeffding 1956).  A draw without replacement is such a sum, too.
    """
    above = upper_tail(count, trials, high) if not mixed or \
        count >= trials * high + 1 else 1.0
    below = lower_tail(count, trials, low) if not mixed or \
        count <= trials * low - 1 else 1.0
    return min(1.0, 2 * min(above, below))


def bounds(trials: int, low: float, high: float, level: float, mixed: bool = False
           ) -> tuple[int, int]:
    """Return the least and the greatest count whose `two_sided` is above a level."""
    def right(count):
        return two_sided(count, trials, low, high, mixed) > level

    middle = min(trials, round(trials * (low + high) / 2))
    far = math.sqrt(2 * math.log(2 / level))            # standard deviations, about
    return (last(right, middle, -1, trials * low - far * spread(trials, low)),
            last(right, middle, trials + 1, trials * high + far * spread(trials, high)))


def spread(trials: int, p: float) -> float:
    """Return the standard deviation of a binomial."""
    return math.sqrt(trials * p * (1 - p))


def last(right, inside: int, outside: int, guess: float) -> int:
    """Return the last count that is right, between one that is and one that isn't.

    guess: about where it is; the search begins there.
    """
    between, step = round(guess), 1
    while abs(outside - inside) > 1:
        if not min(inside, outside) < between < max(inside, outside):
            between = (inside + outside) // 2
        way = 1 if outside > inside else -1
        if right(between):
            inside, between = between, between + way * step
        else:
            outside, between = between, between - way * step
        step *= 4
    return inside


# ------------------------------------------------- when the draws decide their number

def log_norms(p) -> np.ndarray:
    """Return log E exp(tilt * X) of coins, for each of TILTS.

    p (...): the probability of each coin -> (..., tilts)
    """
    return np.log1p(np.asarray(p, float)[..., None] * np.expm1(TILTS))


def stopped(count: int, norms) -> float:
    """Return a p-value for a number of successes, however their trials were ended.

    exp(tilt * successes - norms) has the mean 1 after any number of trials, also if the
    outcomes decide that number or the probabilities of later trials.  Ville: such a
    product exceeds x with a probability of at most 1 / x.

    Args:
        count: the successes.
        norms: (tilts,) the sums of `log_norms` over the trials.
    """
    values = TILTS * count - np.asarray(norms)
    highest = float(values.max())
    log_mean = highest + math.log(float(np.exp(values - highest).mean()))
    return min(1.0, max(TINY, math.exp(min(0.0, -log_mean))) * (1 + ROUNDING))
