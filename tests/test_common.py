"""The helper that most comparisons rest on: what it accepts, and what it says."""

import re

import numpy as np
import pytest

from common import assert_near

NAN, INF = np.nan, np.inf


@pytest.mark.parametrize("got, want, bound", [
    ([1.0, 2.0], [1.0, 2.25], 0.25), ([], [], 0), (3, 3, 0),
    ([NAN, INF], [NAN, INF], 0),
    (np.zeros((2, 0)), np.zeros((2, 0)), 0)])
def test_what_is_near(got, want, bound):
    assert_near(got, want, bound)


@pytest.mark.parametrize("got, want, bound, says", [
    ([[1.0, 2.0], [3.0, 4.0]], [[1.5, 2.0], [5.0, 4.0]], 0.25,
     "x[1, 0] is 3.0, expected 5.0: off by 2, bound 0.25"),
    (1.0, 2.0, 0.5, "x is 1.0, expected 2.0: off by 1, bound 0.5"),
    ([1.0, NAN, 9.0], [1.0, 2.0, 3.0], 100, "x[1] is nan, expected 2.0: off by inf"),
    ([1.0, 2.0], [1.0, NAN], 100, "x[1] is 2.0, expected nan: off by inf, bound 100"),
    ([INF, 0], [-INF, 0], 100, "x[0] is inf, expected -inf: off by inf, bound 100"),
    ([5, 6], [5, 7], 0, "x[1] is 6, expected 7: off by 1, bound 0"),
    ([1.0], [1.0 + 1e-9], NAN, "bound nan"),
    ([1.0, 2.0], [1.0], 9, "x: (2,), not (1,)")])
def test_what_is_not_near_is_named(got, want, bound, says):
    with pytest.raises(AssertionError, match=re.escape(says)):
        assert_near(got, want, bound, "x")


def test_the_worst_of_many_is_named():
    want = np.random.default_rng(0).standard_normal((3, 4, 5))
    got = want + 1e-9
    got[2, 1, 3] += 1e-6
    with pytest.raises(AssertionError, match=r"^logits\[2, 1, 3\] is .*off by 1e-06"):
        assert_near(got, want, 1e-12, "logits")
