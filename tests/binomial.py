"""Exact binomial bounds, summed from logarithms of the terms."""

import math

ALPHA = 1e-9


def binomial_bounds(n, p):
    """The counts k with P(X <= k) and P(X >= k) both above ALPHA, from exact sums."""
    log_pmf = [math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
               + k * math.log(p) + (n - k) * math.log1p(-p)
               for k in range(n + 1)] if n < 5000 else None
    if log_pmf is None:            # only the part that matters, 12 deviations around
        wide = int(12 * math.sqrt(n * p * (1 - p))) + 1
        ks = range(max(0, int(n * p) - wide), min(n, int(n * p) + wide) + 1)
        log_pmf = {k: math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
                   + k * math.log(p) + (n - k) * math.log1p(-p) for k in ks}
    else:
        ks = range(n + 1)
    low, total = ks[0], 0.0
    for k in ks:
        total += math.exp(log_pmf[k])
        if total > ALPHA:
            low = k
            break
    high, total = ks[-1], 0.0
    for k in reversed(ks):
        total += math.exp(log_pmf[k])
        if total > ALPHA:
            high = k
            break
    return low, high


def assert_binomial(count, n, p, what):
    low, high = binomial_bounds(n, p)
    assert low <= count <= high, f"{what}: {count} of {n}, expected {low} to {high}"
