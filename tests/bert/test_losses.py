"""Losses: values against loops, ignored labels, means and counts."""

import numpy as np

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
