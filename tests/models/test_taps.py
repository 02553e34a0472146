"""taps(model): what a run records, listed without one."""

import numpy as np
import pytest

import numbert
from cases import fill, labels_for
from common import B, CLASSES, S, T, config, ids, stressed
from numbert import Trace

M = 3


@pytest.mark.parametrize("is_decoder", [False, True])
@pytest.mark.parametrize("cls", CLASSES)
def test_a_run_with_everything_records_just_these(cls, is_decoder):
    choice = cls is numbert.BertForMultipleChoice
    crossed = is_decoder and cls in (numbert.BertModel, numbert.BertLMHeadModel)
    cfg = config(num_labels=2 if cls is numbert.BertForQuestionAnswering else 4,
                 is_decoder=is_decoder, add_cross_attention=crossed)
    model, shape = stressed(cls, cfg), (B, M, T) if choice else (B, T)
    inputs = {"input_ids": ids(shape), **labels_for(cls, cfg, shape)}
    if crossed:
        inputs["encoder_hidden_states"] = fill((B, S, cfg.hidden_size))
    trace = Trace()
    output, saved = model.forward(**inputs, trace=trace)
    count = len(trace)
    dout = {} if model.terms else {"pooler_output": output.pooler_output}
    model.backward(saved, **dout, trace=trace)
    listed = numbert.taps(model)
    assert {name: sized(name, shape) for name, shape in listed.items()} == {
        name: x.shape for name, x in list(trace.items())[:count]}
    assert list(listed) == list(trace)[:count]
    assert {f"grad:{name}" for name in listed} == set(list(trace)[count:])


def sized(name, shape):
    """A listed shape with numbers in place of letters."""
    sizes = {"B": B, "B M": B * M, "T": T, "S": S if "crossattention" in name else T}
    return tuple(sizes.get(n, n) for n in shape)


def test_shapes_with_a_past():
    model, trace = stressed(numbert.BertLMHeadModel, config(is_decoder=True)), Trace()
    past = model(ids((B, 3))).past_key_values
    model(ids(), past_key_values=past, labels=ids(), trace=trace)
    sizes = {"B": B, "T": T, "S": 3 + T}
    assert {name: tuple(sizes.get(n, n) for n in shape)
            for name, shape in numbert.taps(model).items()} == {
                name: x.shape for name, x in trace.items()}


def test_an_encoder_decoder_lists_both_halves():
    model = numbert.EncoderDecoderModel(
        encoder=stressed(numbert.BertModel),
        decoder=stressed(numbert.BertLMHeadModel, config(
            is_decoder=True, add_cross_attention=True)))
    trace = Trace()
    _, saved = model.forward(ids((B, S)), labels=ids(), decoder_input_ids=ids(),
                             trace=trace)
    count = len(trace)
    model.backward(saved, trace=trace)
    listed = numbert.taps(model)
    assert list(listed) == list(trace)[:count] and "loss" in listed
    assert "decoder.bert.encoder.layer.0.crossattention.self.probs" in listed
    assert trace.metadata["class"] == "EncoderDecoderModel"
    assert {f"grad:{name}" for name in listed} == set(list(trace)[count:])
    assert trace["grad:loss"] == 1


def test_no_run_and_no_array_is_needed():
    """The shapes of bert-base, from a model with the parameters of a small one."""
    model = stressed(numbert.BertForMaskedLM)
    model.config, model.params = numbert.BertConfig(), {}
    listed = numbert.taps(model)
    assert len(listed) == 6 + 12 * 16 + 4 + 1
    assert listed["bert.encoder.layer.11.attention.self.probs"] == ("B", 12, "T", "S")
    assert listed["cls.predictions.out"] == ("B", "T", 30522)
    assert np.all([isinstance(shape, tuple) for shape in listed.values()])
