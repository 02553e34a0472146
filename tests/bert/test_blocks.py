"""The smallest blocks: values against loops, and the gradients they add up."""

import numpy as np
import pytest

import numbert
import oracles
from common import assert_near, bound, config, stressed
from numbert.bert import blocks
from numbert.bert.scope import Run, Scope
from pairs import check_block

MODEL = stressed(numbert.BertForPreTraining)
LAYER = "bert.encoder.layer.1."
X = np.random.default_rng(0).standard_normal((2, 3, 12))


def test_dense():
    prefix = f"{LAYER}intermediate.dense."
    out, grads = check_block(blocks.dense, blocks.dense_backward, MODEL, prefix,
                             {"x": X})
    w, b = MODEL.params[f"{prefix}weight"], MODEL.params[f"{prefix}bias"]
    want = oracles.linear(X.reshape(-1, 12), w, b)
    assert_near(out.reshape(-1, 19), want, bound("float64", 12, 4))
    assert set(grads) == {"weight", "bias"}


@pytest.mark.parametrize("eps", [1e-12, 0.3])
def test_norm_takes_eps_from_the_configuration(eps):
    model = stressed(numbert.BertForPreTraining, config(layer_norm_eps=eps))
    prefix = f"{LAYER}output.LayerNorm."
    out, grads = check_block(blocks.norm, blocks.norm_backward, model, prefix, {"x": X})
    w, b = model.params[f"{prefix}weight"], model.params[f"{prefix}bias"]
    want = oracles.layer_norm(X.reshape(-1, 12), w, b, eps)
    assert_near(out.reshape(-1, 12), want, bound("float64", 12, 4))
    assert set(grads) == {"weight", "bias"}


@pytest.mark.parametrize("name", ["gelu", "gelu_new", "relu", "swish"])
def test_the_activation_is_that_of_the_configuration(name):
    model = stressed(numbert.BertModel, config(hidden_act=name))
    out, grads = check_block(blocks.activation, blocks.activation_backward, model, "",
                             {"x": X})
    want = np.vectorize(oracles.ACTIVATIONS[name])(X)
    assert_near(out, want, 1e-15 * 16)
    assert not grads


def test_dropout_needs_a_generator():
    p = Scope({}, Run(MODEL.config, keep=True))
    assert blocks.dropout(p, X, 0.5)[0] is X
    out, grads = check_block(lambda p, x: blocks.dropout(p, x, 0.25),
                             blocks.dropout_backward, MODEL, "", {"x": X}, seed=3)
    assert set(np.unique(out / X).round(12)) == {0, round(1 / 0.75, 12)} and not grads


def test_gradients_of_a_layer_that_is_used_twice_add_up():
    p = Scope(MODEL.params, Run(MODEL.config, keep=True), f"{LAYER}output.LayerNorm.")
    g = Scope({}, Run(MODEL.config), p.prefix)
    for _ in range(2):
        _, saved = blocks.norm(p, X)
        blocks.norm_backward(np.ones_like(X), saved, g)
    once = Scope({}, Run(MODEL.config), p.prefix)
    blocks.norm_backward(np.ones_like(X), saved, once)
    assert np.array_equal(g["bias"], 2 * once["bias"])
    assert np.array_equal(g["weight"], 2 * once["weight"])
