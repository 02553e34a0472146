"""The error function and the normal distribution of an array, in NumPy.

    erf(x) = 2/sqrt(pi) * integral of exp(-s^2) ds, s from 0 to x

NumPy has no erf, and `math.erf` takes one number at a time.  So `math.erf` fills a
table at the nodes a, the multiples of 1/1024, and a few terms of the Taylor series
lead from the nearest node to x = a + d, |d| <= 1/2048.  With p = a d and q = d^2,

    erf(a + d) = erf(a) + erf'(a) (d + d bend)
    erf'(a)    = 2/sqrt(pi) exp(-a^2)
    bend       = -p - q/3                                    float32 stops here
                 + 2p^2/3 - p^3/3 + pq/2 + q^2/10            float64 stops here
                 - 2p^2 q/5 + 2p^4/15 + ...

since the derivatives of exp(-a^2) are exp(-a^2) times Hermite polynomials in a.
No constant of erf is fitted.  Relative to erf(x), the terms left out are below 2^-34 in
float32 and 2^-57 in float64: hundredths of an ulp.  The rest is rounding.

GELU needs the normal distribution, Phi(x) = (1 + erf(x / sqrt(2))) / 2.  In float32 it
is computed about twice as fast by tanh.  Both erf and tanh are odd and run from -1 to
1, so there is a smooth function R with

    erf(x / sqrt(2)) = tanh(x R(x^2))

A polynomial of degree 6 stands for R.  It is fitted on 0 <= x <= 6, so that the largest
error of GELU, x Phi(x), is as small as can be: 7.1e-8, to which rounding adds.  It is
positive for all x, so tanh ends at -1 and 1, and x needs no limit.
"""

import math
from functools import cache

import numpy as np

STEPS = 1024              # nodes per unit of x: a power of two, so that a, d are exact
NODES = 16 * STEPS        # -8 <= a < 8: a power of two, so that the low bits count them
LIMIT = 6                 # erf(6) = 1 - 2e-17 is 1, rounded
BLOCK_BYTES = 2**18       # a block and its temporaries stay in the cache
# The coefficients of R, that of the highest power first.
R = [np.float32(c) for c in (
    1.8139248591964935e-09, -1.3378309190382334e-07, 3.974069035152083e-06,
    -5.527337417765806e-05, -3.302674301526866e-05, 0.03633414917272808,
    0.7978842683909236)]


def erf(x):
    """Return the error function of every element of x.

    Args:
        x: array (...), or a number, of float32 or float64; it is not modified.

    Returns:
        A new array of x's shape and dtype, within 2 ulp of the exact values (measured:
        1.8 in float32, 1.6 in float64).  erf(-x) is exactly -erf(x), erf(-0.0) is -0.0,
        erf(inf) is 1, and erf(nan) is nan.

    Raises:
        TypeError: x is neither float32 nor float64.

    Source: DLMF 7.2.1 (the definition) and 7.10.1 (the derivatives).
    """
    x = np.asarray(x)
    if x.dtype not in (np.float32, np.float64):
        raise TypeError(f"x is an array of {x.dtype}, expected float32 or float64: "
                        "convert it first, as in x.astype(np.float32)")
    with np.errstate(under="ignore", invalid="ignore"):    # tiny d * d; signalling nan
        return in_blocks(_erf_block, x)


def _erf_block(x):
    """x (n,) -> erf(x) (n,)"""
    erf_at, slope_at, rounder = _tables(x.dtype)
    # Numbers as large as `rounder` are 1/1024 apart.  So adding it rounds x to the
    # nearest node, and the lowest bits of the sum are the number of that node.
    d = np.clip(x, -LIMIT, LIMIT)
    a = d + rounder
    number = (a.view(f"i{x.itemsize}") & (NODES - 1)).astype(np.intp)
    a -= rounder
    d -= a                                                 # both steps are exact

    p, q = a * d, d * d
    if x.dtype == np.float32:
        q *= -1 / 3
        q -= p
        bend = q
    else:
        bend = _polynomial(p, -1 / 3, 2 / 3, -1, q * _polynomial(q, 0.1, p / 2 - 1 / 3))
    bend *= d
    d += bend
    # No number is outside the table, so any mode will do, and "wrap" is the fastest.
    d *= slope_at.take(number, mode="wrap")
    d += erf_at.take(number, mode="wrap")
    return d


def _polynomial(x, *coefficients):
    """Evaluate a polynomial by Horner's rule, the highest power's coefficient first."""
    total = x * coefficients[0]
    for coefficient in coefficients[1:-1]:
        total += coefficient
        total *= x
    total += coefficients[-1]
    return total


@cache
def _tables(dtype):
    """Return erf and its slope at the nodes 0, 1, ..., -2, -1, and the rounder.

    -> erf_at (NODES,), slope_at (NODES,), rounder: a scalar of dtype
    """
    a = np.arange(NODES) / STEPS
    a[NODES // 2:] -= NODES / STEPS              # negative numbers count from the end
    erf_at = np.array([math.erf(node) for node in a.tolist()])
    erf_at[0] = -0.0                             # so that erf(-0.0) = -0.0 + -0.0
    slope_at = 2 / math.sqrt(math.pi) * np.exp(-a * a)
    # Numbers in [1, 2) 2^m are 2^m eps apart; m is chosen to make that 1/1024.  1.5 is
    # the middle, with room for negative x, and has zeros for its lowest bits.
    rounder = dtype.type(1.5 / STEPS / np.finfo(dtype).eps)
    return erf_at.astype(dtype), slope_at.astype(dtype), rounder


def normal_cdf(x):
    """Phi(x): the probability that a standard normal variable is below x.

    x (...) -> out (...)

    float32: within 1.8e-7 of the exact value, and x times it within 8e-7 on [-9, 9];
    torch's float32 GELU is within 1.2e-6.  float64: as plain_normal_cdf.
    """
    if x.dtype != np.float32:
        return plain_normal_cdf(x)
    with np.errstate(over="ignore", under="ignore"):       # R(x^2) may be inf: tanh = 1
        return in_blocks(_normal_cdf_by_tanh, x)


def plain_normal_cdf(x):
    """Phi(x) by its formula: the most accurate form, and the slower one.

    x (...) -> out (...)
    """
    return 0.5 * (1 + erf(x * math.sqrt(0.5)))


def _normal_cdf_by_tanh(x):
    """Phi(x) in float32: (1 + tanh(x R(x^2))) / 2, in place.

    x (n,) -> out (n,)
    """
    t = _polynomial(x * x, *R)
    t *= x
    np.tanh(t, out=t)
    t += 1
    t *= 0.5
    return t


def in_blocks(function, x, count=1):
    """Return function(x), block by block, for one that works on each entry alone.

    x (...) -> out (...), of x's dtype; a tuple of `count` such arrays if it is above 1

    What the function computes on its way then stays in the cache.  Blocks change no
    bit, as entries don't depend on one another.
    """
    size = BLOCK_BYTES // x.itemsize
    if x.ndim == 1 and x.size <= size:
        return function(x)
    source = x.ravel("K")                                  # in the order of memory
    if not np.may_share_memory(source, x):                 # its entries lie apart
        x = np.array(x, order="C")
        source = x.reshape(-1)
    outs = tuple(np.empty_like(x) for _ in range(count))
    targets = [out.ravel("K") for out in outs]             # views
    for start in range(0, x.size, size):
        block = slice(start, start + size)
        found = function(source[block])
        for target, values in zip(targets, (found,) if count == 1 else found):
            target[block] = values
    return outs[0] if count == 1 else outs
