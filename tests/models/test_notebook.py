"""In a notebook: short reprs, real signatures, keys and arguments that complete."""

import inspect

import numpy as np
import pytest

import numbert
from cases import labels_for
from common import CLASSES, B, T, config, ids, stressed
from generation_cases import encoder_decoder

OPTIONS = ["output_attentions", "output_hidden_states", "return_dict", "trace", "rng",
           "label_totals", "labelled_only", "packed"]


def model_and_inputs(cls):
    shape = (B, 3, T) if cls is numbert.BertForMultipleChoice else (B, T)
    model = stressed(cls)
    return model, {"input_ids": ids(shape), **labels_for(cls, model.config, shape)}


@pytest.mark.parametrize("cls", CLASSES)
def test_a_signature_is_that_of_forward_with_every_option(cls):
    model = stressed(cls)
    names = list(inspect.signature(model).parameters)
    code = cls.forward.__code__
    own = list(code.co_varnames[1:code.co_argcount])       # without self
    assert names == own + OPTIONS
    assert list(inspect.signature(model.forward).parameters) == names
    assert list(inspect.signature(cls.forward).parameters) == ["self", *names]
    assert "config" in inspect.signature(cls).parameters   # the class is made, not run


def test_the_signature_of_an_encoder_decoder_names_every_argument():
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("torch")
    model, prompt = encoder_decoder(), ids((2, 4), 23)
    names = list(inspect.signature(model).parameters)
    forward = transformers.EncoderDecoderModel.forward
    theirs = list(inspect.signature(forward).parameters)
    assert names[:10] == theirs[1:11] and theirs[11:] == ["kwargs"]
    assert names[10:] == ["token_type_ids", "position_ids", "decoder_token_type_ids",
                          "decoder_position_ids", *OPTIONS]
    assert list(inspect.signature(model.forward).parameters) == names
    inputs = {"input_ids": prompt, "labels": prompt}
    given = {name: None for name in names if name not in inputs}
    assert model(**inputs, **given).loss == model(**inputs).loss


@pytest.mark.parametrize("name", ["tokens_type_ids", "decoder_x", "encoder_x",
                                  "num_items_in_batch"])
def test_an_encoder_decoder_refuses_an_unknown_argument_before_any_work(
        name, monkeypatch):
    model, prompt = encoder_decoder(), ids((2, 4), 23)
    encoded = model.encoder(prompt)
    monkeypatch.setattr(numbert.BertModel, "forward", None)
    for inputs in ({"input_ids": prompt}, {"encoder_outputs": encoded}):
        with pytest.raises(TypeError, match=f"EncoderDecoderModel takes no argument "
                                            f"{name}, expected .*: check the spelling"):
            model(**inputs, decoder_input_ids=prompt, **{name: 1})


@pytest.mark.parametrize("cls", CLASSES)
def test_every_option_of_the_signature_is_taken(cls):
    model, inputs = model_and_inputs(cls)
    model(**inputs, **dict.fromkeys(OPTIONS))


def test_a_class_of_the_user_has_the_signature_of_its_own_forward():
    class Mine(numbert.BertForMaskedLM):
        def forward(self, input_ids=None, temperature=1.0, **options):
            return super().forward(input_ids, **options)

    model = stressed(Mine)
    assert list(inspect.signature(model).parameters) == [
        "input_ids", "temperature", *OPTIONS]
    plain = numbert.BertForMaskedLM(model.config, params=model.params)
    assert np.array_equal(model(ids()).logits, plain(ids()).logits)


@pytest.mark.parametrize("cls", CLASSES)
def test_what_forward_saved_prints_in_one_line(cls):
    model, inputs = model_and_inputs(cls)
    for keep in (True, False):
        _, saved = model.forward(**inputs, keep=keep)
        for value in (saved, saved.call):
            assert len(repr(value)) < 120 and "\n" not in repr(value)


def test_the_line_says_what_it_is():
    _, saved = numbert.BertForQuestionAnswering(config()).forward(ids())
    assert repr(saved) == ("<Saved: what backward needs of a forward pass, 2 x 5 "
                           "tokens, outputs start_logits, end_logits>")


def test_an_encoder_decoder_saves_one_line_too():
    model = numbert.EncoderDecoderModel(
        encoder=stressed(numbert.BertModel),
        decoder=stressed(numbert.BertLMHeadModel, config(
            is_decoder=True, add_cross_attention=True)))
    _, saved = model.forward(ids(), decoder_input_ids=ids())
    assert repr(saved).count("<Saved: ") == 3 and len(repr(saved)) < 300


def test_keys_complete():
    out = stressed(numbert.BertForMaskedLM)(ids(), labels=ids())
    assert out._ipython_key_completions_() == ["loss", "logits"]


@pytest.mark.parametrize("cls", CLASSES)
def test_backward_says_shapes_keys_and_errors(cls):
    model = stressed(cls)
    _, saved = model.forward(model_and_inputs(cls)[1]["input_ids"])
    text = inspect.getdoc(cls.backward)
    assert all(part in text for part in ("Args:", "Returns:", "Raises:"))
    assert all(f"{name} (" in text for name in saved.shapes)
