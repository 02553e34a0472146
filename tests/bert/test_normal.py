"""The normal distribution in float32 against math.erfc, and in blocks against whole."""

import math

import numpy as np
import pytest

from numbert.bert import erf as normal, ops
from numbert.bert.erf import BLOCK_BYTES, in_blocks

TORCH = 1.2e-6              # largest error of torch's float32 GELU on [-9, 9]
POINTS = np.linspace(-9, 9, 200_001).astype("f4")
PHI = np.array([math.erfc(-x / math.sqrt(2)) / 2 for x in POINTS.tolist()])


def test_float32_is_within_its_bounds():
    cdf, wide = normal.normal_cdf(POINTS), POINTS.astype("f8")
    assert cdf.dtype == "f4"
    assert np.abs(cdf - PHI).max() <= 1.8e-7
    out, saved = ops.gelu(POINTS)
    assert np.abs(out - wide * PHI).max() <= 8e-7 < TORCH
    slope = PHI + wide * np.exp(-wide * wide / 2) / math.sqrt(2 * math.pi)
    assert np.abs(ops.gelu_backward(np.ones_like(POINTS), saved) - slope).max() <= 4e-7


def test_float32_is_as_near_as_torch():
    torch = pytest.importorskip("torch")
    theirs = torch.nn.functional.gelu(torch.tensor(POINTS)).numpy()
    exact = POINTS.astype("f8") * PHI
    assert np.abs(ops.gelu(POINTS)[0] - exact).max() <= np.abs(theirs - exact).max()


def test_the_polynomial_of_float32_is_positive_and_exact_before_rounding():
    u = np.concatenate([np.linspace(0, 100, 100_001), np.geomspace(100, 1e38, 1000)])
    with np.errstate(over="ignore"):
        assert np.polyval([float(c) for c in normal.R], u).min() > 0.79
    x = POINTS.astype("f8")
    exact = 0.5 * x * (1 + np.tanh(x * np.polyval([float(c) for c in normal.R], x * x)))
    assert np.abs(exact - x * PHI).max() <= 7.1e-8


def test_float64_is_the_formula_bit_for_bit():
    x = np.random.default_rng(0).standard_normal((300, 401)) * 3
    dout = np.cos(x)
    cdf = normal.plain_normal_cdf(x)
    out, saved = ops.gelu(x)
    assert np.array_equal(out, x * cdf) and np.array_equal(saved[1], cdf)
    pdf = np.exp(-0.5 * x * x) * (1 / math.sqrt(2 * math.pi))
    assert np.array_equal(ops.gelu_backward(dout, saved), dout * (cdf + x * pdf))
    near = np.abs(cdf - [[math.erfc(-v / math.sqrt(2)) / 2 for v in row]
                         for row in x.tolist()])
    assert near.max() <= 4 * np.finfo(float).eps


def test_the_ends_of_float32():
    x = np.array([-np.inf, -3e38, -1e10, -20, -0.0, 0, 20, 1e10, 3e38, np.inf], "f4")
    with np.errstate(all="raise"):
        assert normal.normal_cdf(x).tolist() == [0] * 4 + [0.5] * 2 + [1] * 4
        assert np.isnan(normal.normal_cdf(np.array([np.nan], "f4"))).all()
        tiny = np.array([1e-45, 1e-30], "f4")
        assert normal.normal_cdf(tiny).tolist() == [0.5, 0.5]


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_blocks_change_no_bit(dtype, extra):
    rng = np.random.default_rng(2)
    n = 2 * BLOCK_BYTES // np.dtype(dtype).itemsize + extra
    x = rng.standard_normal(n).astype(dtype)
    sizes = []

    def function(x):
        sizes.append(x.size)
        return np.tanh(x) * x + 1

    got = in_blocks(function, x)
    assert len(sizes) == (3 if extra > 0 else 2) and sum(sizes) == n
    assert got.dtype == dtype and np.array_equal(got, function(x))


def test_blocks_of_any_shape_and_order():
    x = np.random.default_rng(3).standard_normal((4, 5, 6))
    for a in (x, x.T, x[::2, :, 1:4], x[:0], x[0, 0, 0]):
        got = in_blocks(lambda v: 2 * v, a)
        assert got.shape == a.shape and np.array_equal(got, 2 * a)
