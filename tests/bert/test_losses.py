"""Losses: values against loops, ignored labels, means and counts."""

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

import oracles
from common import assert_near, bound
from numbert.bert import losses, ops
from pairs import arguments


def test_cross_entropy():
    args = arguments(losses.cross_entropy)
    args["logits"] *= 50
    want = oracles.cross_entropy(ops.rows(args["logits"]),
                                 args["labels"].reshape(-1), 2)
    loss, saved = losses.cross_entropy(**args)
    assert_near(loss, want, bound("float64", 40, 200))
    dlogits = losses.cross_entropy_backward(1.0, saved)
    assert np.all(dlogits[args["labels"] == 2] == 0)                 # exactly
    assert_near(dlogits.sum(-1), np.zeros((2, 3)), 1e-15)


def test_cross_entropy_with_a_count():
    args = arguments(losses.cross_entropy)
    mean, saved = losses.cross_entropy(**args)
    total, saved_total = losses.cross_entropy(**{**args, "count": 1})
    used = np.sum(args["labels"] != 2)
    assert_near(total / used, mean, 1e-15)
    assert_near(losses.cross_entropy_backward(1.0, saved_total) / used,
                losses.cross_entropy_backward(1.0, saved), 1e-15)


def by_loops(logits, labels, weights, smoothing):
    """The sum over labels, and the sum of their weights, as the formula has them."""
    total = 0.0
    for row, label in zip(logits.tolist(), labels.tolist()):
        if label == -100:
            continue
        norm = math.log(math.fsum(map(math.exp, row)))
        each = [w * (norm - z) for w, z in zip(weights, row)]     # w_k times -log p_k
        total += (1 - smoothing) * each[label] + smoothing * math.fsum(each) / len(row)
    return total, math.fsum(weights[label] for label in labels.tolist() if label >= 0)


CASES = st.tuples(st.integers(0, 10 ** 6), st.integers(1, 6), st.integers(2, 5),
                  st.sampled_from([0.0, 0.1, 0.5, 1.0]), st.booleans(),
                  st.sampled_from([None, 2.5]))


@given(CASES)
def test_weights_and_smoothing_are_those_of_torch(case):
    """Values by loops, and values and gradients by torch, in float64."""
    torch = pytest.importorskip("torch")
    seed, rows, classes, smoothing, weighted, count = case
    rng = np.random.default_rng(seed)
    logits = 3 * rng.standard_normal((rows, classes))
    labels = rng.integers(0, classes, rows)
    labels[1:][rng.random(rows - 1) < 0.3] = -100              # the first counts
    weights = rng.uniform(0.05, 3, classes) if weighted else None
    loss, saved = losses.cross_entropy(logits, labels, count=count, weights=weights,
                                       smoothing=smoothing)
    total, used = by_loops(logits, labels, np.ones(classes) if weights is None
                           else weights, smoothing)
    assert loss == pytest.approx(total / (count or used), rel=1e-13)
    x = torch.tensor(logits, requires_grad=True)
    want = torch.nn.functional.cross_entropy(
        x, torch.tensor(labels), label_smoothing=smoothing,
        weight=None if weights is None else torch.tensor(weights),
        reduction="mean" if count is None else "sum") / (count or 1)
    assert loss == pytest.approx(want.item(), rel=1e-13)
    want.backward()
    dlogits = losses.cross_entropy_backward(1.0, saved)
    assert_near(dlogits, x.grad.numpy(), 1e-13)
    assert np.all(dlogits[labels == -100] == 0)                          # exactly


def test_weights_and_smoothing_keep_the_dtype_and_the_shape():
    logits = np.ones((2, 3, 4), "float32")
    for options in ({"weights": [1, 2, 3, 4.0]}, {"smoothing": 0.25}):
        loss, saved = losses.cross_entropy(logits, np.zeros((2, 3), int), **options)
        dlogits = losses.cross_entropy_backward(1.0, saved)
        assert loss.dtype == dlogits.dtype == np.float32 and dlogits.shape == (2, 3, 4)


def test_no_weights_and_no_smoothing_change_no_bit():
    """Also where a label's weight is 1 and another way to compute it would round."""
    args = arguments(losses.cross_entropy)
    plain = {name: args[name] for name in ("logits", "labels", "ignore_index")}
    logp = losses.log_softmax(ops.rows(args["logits"]))
    labels = args["labels"].reshape(-1)
    used = labels != 2
    want = -logp[np.arange(len(logp)), labels]
    for options in (plain, {**plain, "weights": None, "smoothing": 0.0}):
        loss, saved = losses.cross_entropy(**options)
        assert loss == want.sum(where=used) / int(used.sum())
        slope = np.exp(logp)
        slope[np.arange(len(logp)), labels] -= 1
        slope *= 1.0 / int(used.sum())
        slope[~used] = 0
        assert np.array_equal(losses.cross_entropy_backward(1.0, saved),
                              slope.reshape(args["logits"].shape))


def test_cross_entropy_with_every_label_ignored():
    loss, saved = losses.cross_entropy(np.ones((3, 4), "float32"), np.full(3, -100))
    assert np.isnan(loss) and loss.dtype == np.float32
    assert np.array_equal(losses.cross_entropy_backward(1.0, saved), np.zeros((3, 4)))


def test_bce_with_logits():
    args = arguments(losses.bce_with_logits)
    want = oracles.bce(args["logits"], args["targets"])
    assert_near(losses.bce_with_logits(**args)[0], want, 1e-14)
    with np.errstate(all="raise", under="ignore"):
        loss, saved = losses.bce_with_logits(np.array([-1e4, 1e4]), np.array([0., 1.]))
    assert loss == 0 and np.all(losses.bce_with_logits_backward(1.0, saved) == 0)


def test_mse():
    loss, saved = losses.mse(np.array([1.0, 4.0]), np.array([2.0, 1.0]))
    assert loss == 5.0
    assert np.array_equal(losses.mse_backward(1.0, saved), [-1.0, 3.0])
