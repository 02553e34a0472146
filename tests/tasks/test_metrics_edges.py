"""Metrics of nan, infinity, the ends of the float range, and empty answers."""

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from numbert.tasks import metrics

NAN, INF, TOP = math.nan, math.inf, 1.7e308
CLASSES = (metrics.accuracy, metrics.f1, metrics.macro_f1, metrics.matthews)
SETS = (metrics.multi_label_f1, metrics.multi_label_macro_f1,
        metrics.multi_label_accuracy)


def same(found, wanted):
    """Whether two numbers are equal to rounding, or both nan."""
    return math.isclose(found, wanted, rel_tol=1e-12, abs_tol=1e-12) or (
        math.isnan(found) and math.isnan(wanted))


@pytest.mark.parametrize("x, y, pearson, spearman", [
    # recorded from scipy 1.17.1: stats.pearsonr and stats.spearmanr
    ([1, NAN, 3], [1, 2, 3], NAN, NAN), ([1, 2, 3], [1, 2, NAN], NAN, NAN),
    ([NAN, NAN, NAN], [1, 2, 3], NAN, NAN), ([1, INF, 3], [1, 2, 3], NAN, 0.5),
    ([1, 2, 3], [-INF, 2, 3], NAN, 1.0),
    ([INF, INF, 1], [1, 2, 3], NAN, -0.75 ** 0.5),
    ([0.1, 0.1, 0.1], [1, 2, 3], NAN, NAN), ([TOP, TOP, TOP], [1, 2, 3], NAN, NAN),
    ([1e200, 2e200, 4e200], [3e-200, 1e-200, 5e-200], 0.6546536707079771, 0.5),
    ([1e-320, 2e-320, 4e-320], [1, 2, 4], 1.0, 1.0),
    ([2**63 - 1, 2**63 - 2, 0], [1, 2, 3], -0.75 ** 0.5, -1.0),
    # scipy loses digits; in other units these are 1, 0, 0 and 1, -1, 1 and 1, -1, 0
    ([5e-324, 0, 0], [1, 2, 4], -12 / 252 ** 0.5, -0.75 ** 0.5),
    ([TOP, -TOP, TOP], [1, 2, 4], 1 / 28 ** 0.5, 0.0),
    ([TOP, -TOP, 1.0], [1, 2, 4], -1 / (2 * 14 / 3) ** 0.5, -0.5)])
def test_correlations_as_scipy_gives_them(x, y, pearson, spearman):
    assert same(metrics.pearson(x, y), pearson)
    assert same(metrics.pearson(y, x), pearson)
    assert same(metrics.spearman(x, y), spearman)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_correlations_do_not_depend_on_the_type(dtype):
    x, y = np.array([1, 5, 2, 8], dtype), np.array([3, 4, 1, 9], dtype)
    assert metrics.pearson(x, y) == metrics.pearson(x.astype(int), y.astype(int))
    assert math.isnan(metrics.pearson(np.array([1, INF, 2, 8], dtype), y))


@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=2),
       st.integers(-1050, 1010))
def test_a_correlation_does_not_depend_on_the_unit(pairs, power):
    x, y = np.array(pairs, float).T
    for metric in (metrics.pearson, metrics.spearman):
        assert same(metric(np.ldexp(x, power), y), metric(x, y))


def test_ranks_of_nan_are_nan():
    assert np.isnan(metrics.ranks([1.0, NAN, 2.0])).all()
    assert metrics.ranks([INF, -INF, 0.0]).tolist() == [3, 1, 2]


@pytest.mark.parametrize("metric", [metrics.pearson, metrics.spearman])
@pytest.mark.parametrize("x", [["a", "b"], [1j, 2j], [[1], [2]]])
def test_correlations_need_real_numbers(metric, x):
    with pytest.raises(ValueError, match="expected real numbers of shape"):
        metric(x, np.zeros(np.shape(x)))


@pytest.mark.parametrize("metric", CLASSES)
def test_nan_is_no_class(metric):
    """scikit-learn refuses it as well; two nans are not even equal."""
    with pytest.raises(ValueError, match="^predictions hold nan, expected a class"):
        metric([1, NAN], [1, 0])
    with pytest.raises(ValueError, match="^labels hold nan, expected a class"):
        metric([1, 0], [NAN, NAN])


def test_one_class_as_scikit_learn_scores_it():
    ones = [1, 1, 1]
    assert [metric(ones, ones) for metric in CLASSES] == [1, 1, 1, 0]
    assert metrics.f1([0, 0], [0, 0]) == 0
    assert metrics.matthews([1, 1, 1], [0, 0, 0]) == 0


@pytest.mark.parametrize("metric", SETS)
def test_scores_are_no_sets_of_labels(metric):
    with pytest.raises(ValueError, match="predictions hold 0.7, expected booleans or "):
        metric([[0.7, 0.0]], [[1, 0]])
    with pytest.raises(ValueError, match="labels hold nan, expected booleans"):
        metric([[1, 0]], [[NAN, 0]])
    with pytest.raises(ValueError, match=r"shape \(2,\), expected \(texts, labels\)"):
        metric([1, 0], [1, 0])


@pytest.mark.parametrize("prediction, answers, exact, f1", [
    # SQuAD 2.0's evaluation script: gold answers that are empty after normalisation
    # are dropped; without any, the gold answer is "".
    ("", ["the", "cat"], 0, 0), ("the", ["a", "cat"], 0, 0), ("a", ["the"], 1, 1),
    ("cat", ["...", "the cat"], 1, 1), ("", ["!", "the"], 1, 1), ("cat", ["!"], 0, 0)])
def test_answers_that_are_empty_after_normalisation(prediction, answers, exact, f1):
    assert metrics.exact_match(prediction, answers) == exact
    assert metrics.token_f1(prediction, answers) == f1
