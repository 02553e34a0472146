"""A run that goes backward once: the same numbers, in less memory."""

import numpy as np
import pytest

import numbert
from cases import labels_for
from common import B, CLASSES, T, config, ids, stressed
from counting import held
from numbert.bert import erf, ops
from numbert.bert.once import ONCE
from numbert.bert.scope import NUMPY
from numbert.training.objectives import LABELS


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [0, 1, 77, erf.BLOCK_BYTES // 8 * 3 + 5])
def test_gelu_has_the_same_bits(dtype, size):
    x = np.linspace(-9, 9, size).astype(dtype).reshape(1, size)
    dout = np.cos(x)
    (out, slope), (want, saved) = ONCE.gelu(x), ops.gelu(x)
    assert out.dtype == slope.dtype == dtype
    np.testing.assert_array_equal(out, want)
    np.testing.assert_array_equal(ONCE.gelu_backward(dout, slope),
                                  ops.gelu_backward(dout, saved))


def test_gelu_keeps_its_slope_alone():
    x = np.linspace(-5, 5, 1 << 20, dtype="f4")
    assert held(lambda: ONCE.gelu(x))[0] <= 2 * x.nbytes + 2**16


def test_the_table_is_that_of_numpy_but_for_gelu():
    assert vars(ONCE).keys() == vars(NUMPY).keys()
    assert {name for name, op in vars(ONCE).items() if op is not getattr(NUMPY, name)
            } == {"gelu", "gelu_backward"}


def case(cls):
    """A model of this class, and the arguments of a forward with a loss if it has one.
    """
    model = stressed(cls, config(hidden_dropout_prob=0.3))
    shape = (B, 3, T) if cls is numbert.BertForMultipleChoice else (B, T)
    return model, {"input_ids": ids(shape), **labels_for(cls, model.config, shape)}


@pytest.mark.parametrize("cls", CLASSES)
def test_gradients_have_the_same_bits_and_come_layer_by_layer(cls):
    model, inputs = case(cls)
    out, saved = model.forward(**inputs, rng=5)
    start = {} if "loss" in out else {name: np.ones_like(x) for name, x in out.items()}
    want = model.backward(saved, **start)
    handed: list[dict] = []
    _, saved = model.forward(**inputs, rng=5, once=True)
    found = model.backward(saved, hand_on=handed.append, **start)
    layers = [{name for name in model.shapes if f"encoder.layer.{i}." in name}
              for i in reversed(range(model.config.num_hidden_layers))]
    assert [set(grads) for grads in handed] == layers
    assert list(found) == list(want)
    for grads in handed:
        assert all(found[name] is None for name in grads)
        found |= grads
    for name, gradient in want.items():
        np.testing.assert_array_equal(found[name], gradient, name)


def test_both_halves_hand_on_under_the_names_of_the_whole():
    halves = [stressed(cls, config(**more)) for cls, more in (
        (numbert.BertModel, {}), (numbert.BertLMHeadModel, {
            "is_decoder": True, "add_cross_attention": True}))]
    model = numbert.EncoderDecoderModel(None, *halves)
    inputs = {"input_ids": ids((2, 5)), "decoder_input_ids": ids((2, 3)),
              "labels": ids((2, 3))}
    want = model.backward(model.forward(**inputs)[1])
    handed: dict = {}
    found = model.backward(model.forward(**inputs, once=True)[1], hand_on=handed.update)
    missing = {name for name, gradient in found.items() if gradient is None}
    assert missing == set(handed) == {name for name in want if ".layer." in name}
    for name, gradient in {**found, **handed}.items():
        np.testing.assert_array_equal(gradient, want[name], name)


def test_saved_can_be_used_up():
    model, inputs = case(numbert.BertForMaskedLM)
    _, saved = model.forward(**inputs, once=True)
    model.backward(saved)
    with pytest.raises(ValueError, match="saved has been used up, expected that of a "
                       "forward since then: leave out once=True to use it more"):
        model.backward(saved)
    _, saved = model.forward(**inputs)
    first, second = model.backward(saved), model.backward(saved)
    assert all((first[name] == second[name]).all() for name in first)


def test_a_step_holds_what_was_kept_or_the_gradients_but_not_both():
    """At the end of a backward, what the layers kept is gone."""
    shape, width, layers = (4, 64), 64, 6
    model = stressed(numbert.BertForSequenceClassification, config(
        hidden_size=width, intermediate_size=4 * width, num_attention_heads=4,
        num_hidden_layers=layers, max_position_embeddings=64, num_labels=2), "float32")
    part = {"input_ids": ids(shape), "labels": np.array([0, 1, 1, 0])}
    grads: list[dict] = []

    def step():
        grads.clear()
        LABELS.gradients(model, part, (4,), None, hand_on=grads.append)

    kept = layers * 4 * 64 * (8 * width + 2 * 4 * width + 4 * 64 + 2) * 4
    whole = sum(x.nbytes for x in model.params.values())
    work = 4 * 64 * max(6 * 4 * width, 3 * 4 * 64 + 8 * width) * 4
    assert held(step)[1] <= max(kept, whole) + work + 2**17
