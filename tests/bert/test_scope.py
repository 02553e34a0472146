"""Scopes, and the table of leaf operations that stands behind every block."""

import inspect
from types import SimpleNamespace

import numpy as np
import pytest

import numbert
from cases import CASES
from common import config, ids, stressed
from numbert.bert import (activations, attention, blocks, embeddings, encoder, heads,
                          losses, ops)
from numbert.bert.scope import NUMPY, Run, Scope

PAIRS = sorted(name.removesuffix("_backward") for name in vars(NUMPY)
               if name.endswith("_backward"))
LEAVES = {module.__name__ for module in (activations, losses, ops)}


def test_a_scope_is_a_view_under_a_prefix():
    arrays = {"a.b.weight": 1, "a.bias": 2, "weight": 3}
    p = Scope(arrays, Run(None))
    assert p["weight"] == 3 and p.at("a")["bias"] == 2 and p.at("a.b")["weight"] == 1
    assert p.at("a").at("b")["weight"] == 1
    assert "weight" in p.at("a.b") and "weight" not in p.at("a")
    assert p.saved(1, 2) is None
    assert Scope({}, Run(None, keep=True)).saved(1, 2) == (1, 2)


def test_gradients_of_one_name_add_up():
    g = Scope({}, Run(None)).at("a")
    g.add("weight", np.array([1.0, 2.0]))
    g.add("weight", np.array([10.0, 20.0]))
    assert g.arrays["a.weight"].tolist() == [11, 22]


class Watched:
    """A table that notes what is called; called past the table, an operation fails."""

    def __init__(self, monkeypatch):
        self.called: list[str] = []
        self.depth = 0
        self.table = SimpleNamespace(**vars(NUMPY))
        for module in (activations, ops, losses):
            for name in PAIRS:
                for op in (name, f"{name}_backward"):
                    f = vars(module).get(op)
                    if f is not None and f.__module__ == module.__name__:
                        setattr(self.table, op, self.noted(op, f))
                        monkeypatch.setattr(module, op, self.guarded(op, f))

    def noted(self, name, f):
        def call(*args, **kwargs):
            self.called.append(name)
            self.depth += 1
            try:
                return f(*args, **kwargs)
            finally:
                self.depth -= 1
        return call

    def guarded(self, name, f):
        def call(*args, **kwargs):
            assert self.depth, f"{name} is called past the table of the run"
            return f(*args, **kwargs)
        return call


def test_blocks_hold_no_operation_of_their_own():
    """What a block computes, it asks its run for: neither NumPy nor a leaf's file."""
    for module in (blocks, embeddings, attention, encoder, heads):
        for name, value in vars(module).items():
            assert getattr(value, "__module__", "") not in LEAVES, (module, name)
    # attention makes the causal mask, of booleans, before any block runs.
    assert [module for module in (blocks, embeddings, attention, encoder, heads)
            if "np" in vars(module)] == [attention]
    used = {name for f in vars(attention).values() if inspect.isfunction(f)
            and f.__module__ == attention.__name__
            and f is not attention.causal_mask for name in f.__code__.co_names}
    assert "np" not in used and "attention_scores" in used


@pytest.mark.parametrize("name", CASES)
def test_every_operation_of_both_directions_comes_from_the_table(name, monkeypatch):
    cls, changes, inputs = CASES[name]
    model = stressed(cls, config(**changes))
    gives = {"last_hidden_state": np.ones} if cls is numbert.BertModel else {}

    def run(model):
        out, saved = model.forward(**inputs, rng=1)
        return out, model.backward(saved, **{
            name: make(out[name].shape) for name, make in gives.items()})

    want, wanted = run(model)
    watched = Watched(monkeypatch)
    model.ops = watched.table
    out, grads = run(model)
    for field in [name for name in want if name != "cache"]:
        assert np.array_equal(out[field], want[field], equal_nan=True), field
    for field, x in wanted.items():
        assert np.array_equal(grads[field], x), field
    called = set(watched.called)
    forward = {name for name in PAIRS if name in called}
    backward = {name for name in PAIRS if f"{name}_backward" in called}
    assert forward == backward                      # what went forward came back
    assert {"linear", "layer_norm", "softmax", "embedding", "dropout"} <= forward


def test_an_encoder_decoder_asks_the_table_too(monkeypatch):
    half = dict(is_decoder=True, add_cross_attention=True)
    encoder = stressed(numbert.BertModel, config())
    decoder = stressed(numbert.BertLMHeadModel, config(
        hidden_size=24, num_attention_heads=4, **half))
    joint = numbert.EncoderDecoderModel(None, encoder, decoder)
    joint.config.pad_token_id, joint.config.decoder_start_token_id = 0, 1
    watched = Watched(monkeypatch)
    encoder.ops = decoder.ops = watched.table
    _, saved = joint.forward(ids(), labels=ids(rng=3))
    joint.backward(saved)
    assert watched.called.count("linear") == watched.called.count("linear_backward")
    assert "cross_entropy_backward" in watched.called
