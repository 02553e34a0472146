"""The tails of the binomial distribution, against fractions and many digits."""

import math
from fractions import Fraction

import numpy as np
import pytest

from numbert.testing.masking_report import binomial


def exact_upper(count, trials, p):
    """P(X >= count) as a fraction, from the definition."""
    p = Fraction(p)
    return sum(math.comb(trials, k) * p ** k * (1 - p) ** (trials - k)
               for k in range(max(0, count), trials + 1))


@pytest.mark.parametrize("trials, p", [
    (1, 0.5), (7, 0.15), (40, 0.15), (60, 0.25), (90, 0.8), (60, 1 / 30522),
    (33, 0.999), (12, 1.0), (12, 0.0)])
def test_tails_are_exact_but_rounded_up(trials, p):
    for count in range(trials + 2):
        for computed, exact, near in (
                (binomial.upper_tail(count, trials, p), exact_upper(count, trials, p),
                 count > trials * Fraction(p)),
                (binomial.lower_tail(count, trials, p),
                 1 - exact_upper(count + 1, trials, p), count < trials * Fraction(p))):
            assert exact <= computed <= 1
            if near and computed < 1 and exact > Fraction(1, 10 ** 300):
                assert computed <= exact * (1 + Fraction(2, 10 ** 9)), (count, p)


@pytest.mark.parametrize("trials", [10 ** 3, 10 ** 6, 10 ** 9])
@pytest.mark.parametrize("p", [0.15, 1 / 30522])
def test_tails_of_many_trials(trials, p):
    """Against the incomplete beta function in 40 digits."""
    mpmath = pytest.importorskip("mpmath")
    sd = math.sqrt(trials * p * (1 - p))
    with mpmath.workdps(40):
        for steps in (1, 3, 6, 12, 25):
            count = math.ceil(trials * p + steps * sd) + 1
            if count > trials:
                continue
            beta = summed(mpmath, count, trials, p)
            computed = mpmath.mpf(binomial.upper_tail(count, trials, p))
            assert beta <= computed <= beta * (1 + mpmath.mpf("2e-9"))
            mirrored = mpmath.mpf(binomial.upper(count, trials, p, 1 - p))
            assert mirrored == computed


def summed(mpmath, count, trials, p):
    """P(X >= count) term by term in many digits."""
    p = mpmath.mpf(p)
    term = mpmath.exp(mpmath.loggamma(trials + 1) - mpmath.loggamma(count + 1)
                      - mpmath.loggamma(trials - count + 1)
                      + count * mpmath.log(p) + (trials - count) * mpmath.log1p(-p))
    total = mpmath.mpf(0)
    odds = p / (1 - p)
    for k in range(count, trials + 1):
        total += term
        if term < total * mpmath.mpf("1e-15"):
            break
        term *= odds * (trials - k) / (k + 1)
    return total


@pytest.mark.parametrize("trials, low, high, level", [
    (60, 0.25, 0.25, 1e-3), (60, 0.2, 0.3, 1e-6), (5, 0.5, 0.5, 1e-6), (9, 0, 0, 0.1),
    (0, 0.5, 0.5, 0.1)])
def test_bounds_are_where_the_tails_fall_to_the_level(trials, low, high, level):
    half = Fraction(level) / 2
    right = [k for k in range(trials + 1)
             if exact_upper(k, trials, high) > half
             and 1 - exact_upper(k + 1, trials, low) > half]
    assert binomial.bounds(trials, low, high, level) == (right[0], right[-1])


def test_trials_of_different_probability_are_bounded():
    """Draws without replacement, and coins that differ: their exact distribution."""
    chances = [Fraction(i % 7, 40) for i in range(40)]
    mass = [Fraction(1)]
    for p in chances:
        mass = [(mass[k] if k < len(mass) else 0) * (1 - p)
                + (mass[k - 1] if k else 0) * p for k in range(len(mass) + 1)]
    mean = float(sum(chances) / 40)
    assert_bounded(mass, 40, mean)
    drawn = [Fraction(math.comb(9, k) * math.comb(21, 12 - k), math.comb(30, 12))
             for k in range(10)]                        # 12 of 30, 9 of them marked
    assert_bounded(drawn, 9, 12 / 30)


def assert_bounded(mass, trials, mean):
    """Both tails lie under the p-value, and under Chernoff's bound."""
    for k in range(len(mass)):
        found = binomial.two_sided(k, trials, mean, mean, mixed=True)
        tail = min(sum(mass[k:]), sum(mass[:k + 1]))
        assert tail <= max(found / 2, found == 1)
        side = sum(mass[k:]) if k > trials * mean else sum(mass[:k + 1])
        assert side <= binomial.chernoff(k, trials, mean)


def test_a_number_of_trials_that_the_draws_decide():
    """Heads end the game at the worst moment: the p-value is right even so."""
    rng = np.random.default_rng(0)
    norms, alarms, naive = binomial.log_norms(0.5), 0, 0
    for _ in range(400):
        coins = np.cumsum(rng.random(2000) < 0.5)
        n = np.arange(1, 2001)
        worst = int(np.argmax((coins - n / 2) / np.sqrt(n)))
        alarms += binomial.stopped(int(coins[worst]), n[worst] * norms) < 0.05
        naive += binomial.two_sided(int(coins[worst]), int(n[worst]), 0.5, 0.5) < 0.05
    assert alarms <= 31                    # P(Bin(400, 0.05) > 31) = 0.8 %
    assert naive > 100                     # so the test can fail


def test_a_biased_coin_is_seen_at_a_stopped_time():
    norms = binomial.log_norms(0.5)
    assert binomial.stopped(4297, 7812 * norms) < 1e-13         # 55 %
    assert binomial.stopped(3906, 7812 * norms) == 1
    assert binomial.stopped(3515, 7812 * norms) < 1e-13
