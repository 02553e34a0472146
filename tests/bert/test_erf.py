"""erf against mpmath (exact to many digits) and the standard library's math.erf."""

import math

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from numbert.bert.erf import BLOCK_BYTES, STEPS, erf

BOUND = 2                                # ulp, promised by the docstring
DTYPES = (np.float32, np.float64)
floats = st.sampled_from(DTYPES)
shapes = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5)


def ulps(x, exact=None):
    """The error of erf(x) in units of the last place of the exact value.

    exact: erf(x) in float64, where float64 is exact enough; else mpmath computes it.
    """
    out = erf(x)
    assert out.dtype == x.dtype
    if exact is None:
        with mpmath.workprec(160):
            values = [mpmath.erf(mpmath.mpf(v)) for v in x.tolist()]
            error = [abs(float(v - y)) for v, y in zip(values, out.tolist())]
        exact = np.array([float(v) for v in values])
    else:
        error = np.abs(out - exact)
    return error / np.spacing(np.abs(exact).astype(x.dtype))


def both_signs(x):
    return np.concatenate([x, -x])


def ranges(dtype, n):
    """Random points of every scale at which erf, or the way to it, changes."""
    rng = np.random.default_rng(0)
    half = 0.5 / STEPS
    limits = [np.finfo(dtype).tiny, 1e-12, half / 4, half, 3 * half, 0.01, 0.1, 0.5, 1,
              2, 4, 6.5]
    for low, high in zip(limits, limits[1:]):
        yield np.exp(rng.uniform(np.log(low), np.log(high), n)).astype(dtype)


def special(dtype):
    """Subnormals, the ends of the range, and both sides of every kind of break."""
    info = np.finfo(dtype)
    step = 1 / STEPS
    breaks = np.array([step / 2, step, 1.5 * step, 0.4765625, 0.47693627, 0.5, 0.84375,
                       1, 1.25, 2, 3.9, 4, 5.5, 5.9, 6 - step, 6, 7.9, 8, 8.1, 15.99,
                       16, 4096, 1e8, float(info.max) / 2, info.max], dtype)
    tiny = info.smallest_subnormal * np.array([1, 2, 3, 5, 1000, 12345], dtype)
    tiny = np.concatenate([tiny, [info.tiny, info.tiny / 2, info.tiny * 3]])
    with np.errstate(over="ignore"):                       # above the greatest is inf
        sides = [np.nextafter(breaks, dtype(0)), np.nextafter(breaks, dtype(np.inf))]
    x = np.concatenate([breaks, *sides, tiny]).astype(dtype)
    return x[np.isfinite(x)]


@pytest.mark.parametrize("dtype", DTYPES)
def test_within_2_ulp_at_every_scale(dtype):
    for x in ranges(dtype, 2000):
        error = ulps(both_signs(x))
        assert error.max() <= BOUND, x[error.argmax() % len(x)]


@pytest.mark.parametrize("dtype", DTYPES)
def test_within_2_ulp_at_breaks_and_extremes(dtype):
    x = both_signs(special(dtype))
    error = ulps(x)
    assert error.max() <= BOUND, x[error.argmax()]


def test_float32_within_its_measured_error_on_a_dense_set_of_floats():
    """Every 997th float32 from 0 to 6.5: a million.  (All of them: 1.774 at most.)"""
    top = np.float32(6.5).view(np.int32)
    x = np.arange(0, top, 997, dtype=np.int32).view(np.float32)
    exact = np.array([math.erf(v) for v in x.tolist()])    # ulps of float64 don't count
    assert ulps(x, exact).max() <= 1.8


def test_float64_within_3_ulp_of_the_standard_library_on_a_dense_grid():
    """Two functions within 2 and 1 ulp of the truth differ by 3 at most."""
    x = np.linspace(-6.5, 6.5, 200_001)
    assert ulps(x, np.array([math.erf(v) for v in x.tolist()])).max() <= BOUND + 1


def test_nodes_are_exact():
    """At a multiple of 1/1024, d = 0: only the table speaks."""
    a = np.arange(-6 * STEPS, 6 * STEPS + 1) / STEPS
    exact = np.array([math.erf(v) for v in a.tolist()])
    np.testing.assert_array_equal(erf(a), exact)
    np.testing.assert_array_equal(erf(a.astype(np.float32)), exact.astype(np.float32))


def test_series_of_the_docstring_is_as_exact_as_it_says():
    """erf(a) + erf'(a) (d + d bend), without rounding, against erf(a + d)."""
    left_out = {"float32": 0, "float64": 0}
    with mpmath.workprec(160):
        for k in [*range(20), *range(20, 6 * STEPS, 61)]:
            a = mpmath.mpf(k) / STEPS
            slope = mpmath.diff(mpmath.erf, a)
            for d in mpmath.linspace(-1, 1, 5):
                d /= 2 * STEPS
                if a + d == 0:
                    continue
                p, q, exact = a * d, d * d, mpmath.erf(a + d)
                bend = {"float32": -p - q / 3}
                bend["float64"] = (bend["float32"] + 2 * p**2 / 3 - p**3 / 3
                                   + p * q / 2 + q**2 / 10)
                for dtype, value in bend.items():
                    series = mpmath.erf(a) + slope * (d + d * value)
                    left_out[dtype] = max(left_out[dtype], abs(series / exact - 1))
    assert 2**-40 < left_out["float32"] < 2**-34
    assert 2**-60 < left_out["float64"] < 2**-57


@pytest.mark.parametrize("dtype", DTYPES)
def test_special_values(dtype):
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan], dtype)
    out = erf(x)
    np.testing.assert_array_equal(out, np.array([0, 0, 1, -1, np.nan], dtype))
    assert np.signbit(out[:2]).tolist() == [False, True]


@pytest.mark.parametrize("dtype", DTYPES)
def test_nan_stays_where_it_is(dtype):
    """Any bit pattern of nan is an index into no table."""
    bits = np.dtype(f"u{dtype().itemsize}")
    quiet = np.array(np.nan, dtype).view(bits)
    payloads = (quiet + np.arange(1, 20000, 37, dtype=bits)).view(dtype)
    x = np.stack([payloads, -payloads, np.ones_like(payloads)], axis=-1)
    out = erf(x)
    assert np.isnan(out[:, :2]).all() and (out[:, 2] == erf(dtype(1))).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_odd_to_the_last_bit_and_never_above_1(dtype):
    for x in [*ranges(dtype, 20000), special(dtype)]:
        np.testing.assert_array_equal(erf(-x), -erf(x))
        assert (erf(x) <= 1).all() and (erf(x) > 0).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_raises_no_floating_point_error(dtype):
    signalling = {np.float32: 0x7F800001, np.float64: 0x7FF0000000000001}[dtype]
    signalling = np.array([signalling], f"u{dtype().itemsize}").view(dtype)
    quiet = np.array([0.0, np.inf, -np.inf, np.nan], dtype)
    with np.errstate(all="raise"):
        erf(np.concatenate([both_signs(special(dtype)), quiet, signalling]))


@given(data=st.data(), dtype=floats, shape=shapes)
def test_every_element_alone_gives_the_same_bits(data, dtype, shape):
    width = 8 * dtype().itemsize
    x = data.draw(hnp.arrays(dtype, shape, elements=st.floats(width=width)))
    before = x.tobytes()
    out = erf(x)
    assert isinstance(out, np.ndarray) and out.shape == shape and out.dtype == dtype
    assert x.tobytes() == before and not np.shares_memory(x, out)
    alone = np.array([erf(v) for v in x.reshape(-1)], dtype).reshape(shape)
    np.testing.assert_array_equal(out, alone)


@pytest.mark.parametrize("dtype", DTYPES)
def test_layout_blocks_and_read_only_input(dtype):
    """Strides, reversed axes and the seams between blocks change nothing."""
    block = BLOCK_BYTES // dtype().itemsize
    x = np.random.default_rng(0).normal(size=2 * block + 7).astype(dtype)
    x.setflags(write=False)
    out = erf(x)
    for seam in (block, 2 * block):
        near = slice(seam - 3, seam + 3)
        np.testing.assert_array_equal(out[near], erf(x[near]))
    np.testing.assert_array_equal(erf(x[::-3]), out[::-3])
    square, wanted = x[:6000].reshape(20, 3, 100), out[:6000].reshape(20, 3, 100)
    np.testing.assert_array_equal(erf(square.transpose(2, 0, 1)),
                                  wanted.transpose(2, 0, 1))
    np.testing.assert_array_equal(erf(np.asfortranarray(square)), wanted)
    assert erf(np.broadcast_to(x[:1], (4, 5))).shape == (4, 5)


def test_numbers_and_empty_arrays():
    assert erf(0.5).dtype == np.float64 and erf(0.5) == pytest.approx(math.erf(0.5))
    assert erf(np.float32(0.5)).dtype == np.float32 and erf(np.float32(0.5)).shape == ()
    assert erf(np.empty((3, 0), np.float32)).shape == (3, 0)


@pytest.mark.parametrize("x", [np.arange(3), np.ones(2, np.float16), np.ones(2, bool),
                               np.ones(2, complex), np.array(["1"]), 1])
def test_other_dtypes_are_refused_by_name(x):
    dtype = np.asarray(x).dtype
    with pytest.raises(TypeError, match=f"{dtype}, expected float32 or float64"):
        erf(x)
