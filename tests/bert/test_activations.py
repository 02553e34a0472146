"""Activations: values, slopes and limits of every name in a configuration."""

import numpy as np
import pytest
from hypothesis import example, given, strategies as st

import oracles
from common import assert_near
from numbert.bert import activations
from numbert.bert.scope import NUMPY

# {name in a configuration: (forward, backward)}
ACTIVATIONS = {name: (getattr(NUMPY, op), getattr(NUMPY, f"{op}_backward"))
               for name, op in activations.ACTIVATIONS.items()}
LIMITS = {"tanh": (-1, 1), "sigmoid": (0, 1), "laplace": (0, 1), "gelu_10": (0, 10),
          "relu6": (0, 6), "relu2": (0, 1e8), "leaky_relu": (-100, 1e4),
          "linear": (-1e4, 1e4), "sqrtsoftplus": (0, 100)}


@given(st.floats(-30, 30))
@example(29.778145807544945)
def test_activations(x):
    for name, want in oracles.ACTIVATIONS.items():
        got = ACTIVATIONS[name][0](np.array([x]))[0]
        scale = 1 + abs(x) + abs(want(x))                  # relu2 squares its input
        assert_near(got, [want(x)], 4 * 2.3e-16 * scale, name)


def test_every_activation_has_an_oracle():
    assert oracles.ACTIVATIONS.keys() == ACTIVATIONS.keys()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_of_hugging_face(name):
    """Every name that transformers knows: its values and, by autograd, its slopes."""
    torch = pytest.importorskip("torch")
    known = pytest.importorskip("transformers.activations")
    assert known.ACT2CLS.keys() == ACTIVATIONS.keys() | set(activations.TRAINED)
    x = np.concatenate([np.linspace(-30, 30, 4001) + 1e-3, [-3.5, 2.99, 20.5, 7.1]])
    dout = np.cos(np.arange(len(x)))
    tensor = torch.tensor(x, requires_grad=True)
    want = known.ACT2FN[name](tensor)
    want.backward(torch.tensor(dout))
    f, backward = ACTIVATIONS[name]
    out, saved = f(x)
    scale = 1e-15 * (1 + np.abs(x)) * (1 + np.abs(out))
    assert np.all(np.abs(out - want.detach().numpy()) <= 8 * scale)
    assert np.all(np.abs(backward(dout, saved) - tensor.grad.numpy()) <= 32 * scale)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_activations_at_extremes(name, dtype):
    f, backward = ACTIVATIONS[name]
    x = np.array([-1e4, -90, -0.0, 0, 90, 1e4], dtype)
    with np.errstate(all="raise", under="ignore"):
        out, saved = f(x)
        dx = backward(np.ones_like(x), saved)
    limits = LIMITS.get(name, (0, 1e4))
    assert (out[0], out[-1]) == tuple(np.asarray(limits, dtype))
    assert np.isfinite(dx).all()
