"""Arguments of the wrong kind: numbert's own words, before any work is done."""

import numpy as np
import pytest

import numbert
from common import B, SMALL, T, config, ids, of_today, stressed, twin
from numbert.testing.gradcheck import check
from numbert.tokenization import BatchEncoding

X = ids()
MODEL = stressed(numbert.BertModel)
DECODER = stressed(numbert.BertLMHeadModel, config(is_decoder=True))
CHOICE = stressed(numbert.BertForMultipleChoice)
CLASSIFIER = numbert.BertForSequenceClassification
RAGGED = [[1, 0], [1]]


def classifier(**changes):
    return stressed(CLASSIFIER, config(**changes))


@pytest.mark.parametrize("model, inputs, message", [
    (MODEL, {"attention_mask": RAGGED}, "attention_mask has rows of different lengths"),
    (MODEL, {"token_type_ids": RAGGED}, "token_type_ids has rows of different lengths"),
    (MODEL, {"position_ids": RAGGED}, "position_ids has rows of different lengths"),
    (MODEL, {"input_ids": RAGGED}, "input_ids has rows of different.*padding=True"),
    (MODEL, {"attention_mask": np.full((B, T), "a")}, "attention_mask has dtype <U1"),
    (MODEL, {"attention_mask": np.ones((B, T), complex)}, "dtype complex128, expected"),
    (MODEL, {"attention_mask": np.full((B, T), None)}, "attention_mask has dtype obj"),
    (MODEL, {"input_ids": None, "inputs_embeds": np.ones((B, T, 12), complex)},
     "inputs_embeds has dtype complex128, expected real numbers: convert"),
    (MODEL, {"input_ids": None, "inputs_embeds": [[[1.0], [1.0, 2.0]]]},
     "inputs_embeds has rows of different lengths"),
    (MODEL, {"input_ids": None, "inputs_embeds": np.full((B, T, 12), "1")},
     "inputs_embeds has dtype <U1"),
    (CHOICE, {"input_ids": [[[1, 2], [3]], [[4], [5, 6]]]},
     "input_ids has rows of different lengths.*padding=True"),
    (CHOICE, {"input_ids": ids((B, 2, T)), "attention_mask": [RAGGED, RAGGED]},
     "attention_mask has rows of different lengths"),
    (classifier(), {"labels": RAGGED}, "labels has rows of different lengths"),
    (classifier(num_labels=1), {"labels": RAGGED}, "labels has rows of different"),
    (classifier(num_labels=1), {"labels": ["a", "b"]}, "labels has dtype <U1"),
    (classifier(num_labels=1), {"labels": [1j, 0]}, "labels has dtype complex128"),
    (classifier(), {"labels": [0, 1], "label_totals": RAGGED}, "label_totals has rows"),
    (DECODER, {"logits_to_keep": RAGGED}, "logits_to_keep has rows of different"),
    (MODEL, {"output_hidden_states": "all"}, "output_hidden_states is 'all', expected"),
    (MODEL, {"output_hidden_states": [0.5]}, r"output_hidden_states is \[0.5\], expec"),
    (MODEL, {"rng": True}, "rng is True, expected a whole number >= 0 or a numpy"),
    (MODEL, {"rng": 0.5}, "rng is 0.5, expected a whole number >= 0 or a numpy Gene"),
    (MODEL, {"rng": "0"}, "rng is '0', expected"),
])
def test_types(model, inputs, message):
    with pytest.raises(TypeError, match=message):
        model(**{"input_ids": X, **inputs})


@pytest.mark.parametrize("model, inputs, message", [
    (DECODER, {"logits_to_keep": 1.7}, "logits_to_keep is 1.7, expected a whole"),
    (DECODER, {"logits_to_keep": np.nan}, "logits_to_keep is nan, expected a whole"),
    (MODEL, {"rng": -1}, "rng is -1, expected a whole number >= 0 or a numpy Generator:"
                         " pass a seed, as in rng=0"),
])
def test_values(model, inputs, message):
    with pytest.raises(ValueError, match=message):
        model(X, **inputs)


def test_the_seed_of_fresh_parameters():
    with pytest.raises(ValueError, match="rng is -1, expected a whole number >= 0"):
        numbert.BertModel(config(), rng=-1)


@pytest.mark.parametrize("kind", [dict, BatchEncoding])
@pytest.mark.parametrize("cls", [numbert.BertModel, numbert.BertLMHeadModel,
                                 numbert.BertForMultipleChoice])
def test_a_whole_batch_in_place_of_ids(cls, kind):
    model, batch = stressed(cls), kind({"input_ids": X, "attention_mask": X > 0})
    for call in (model, model.forward, lambda x: model(input_ids=x)):
        with pytest.raises(TypeError, match=rf"input_ids is a {kind.__name__}, expec"
                                            r"ted an array: use model\(\*\*batch\)"):
            call(batch)


@pytest.mark.parametrize("gradient, error, message", [
    ({"last_hidden_state": np.ones((B, T, 12), complex)}, TypeError,
     "gradient of last_hidden_state has dtype complex128, expected real numbers"),
    ({"last_hidden_state": RAGGED}, TypeError, "of last_hidden_state has rows of diff"),
    ({"last_hidden_state": "1"}, TypeError, "last_hidden_state has dtype <U1"),
    ({"last_hidden_state": np.ones((B, T))}, ValueError, r"expected \(2, 5, 12\)"),
])
def test_gradients(gradient, error, message):
    _, saved = MODEL.forward(X)
    with pytest.raises(error, match=message):
        MODEL.backward(saved, **gradient)


@pytest.mark.parametrize("loss", [1j, [1.0, 2.0], RAGGED, "1", np.ones(2), True])
def test_the_gradient_of_the_loss(loss):
    model = classifier()
    _, saved = model.forward(X, labels=[0, 1])
    with pytest.raises(ValueError, match="gradient of loss is .*, expected one number"):
        model.backward(saved, loss=loss)


@pytest.mark.parametrize("loss", [2, 2.0, np.float32(2), np.array(2.0), np.int64(2)])
def test_numbers_that_are_the_gradient_of_the_loss(loss):
    model = classifier()
    _, saved = model.forward(X, labels=[0, 1])
    twice, once = model.backward(saved, loss=loss), model.backward(saved)
    assert all(np.array_equal(twice[name], 2 * once[name]) for name in once)


LAYERS = SMALL["num_hidden_layers"]


@pytest.mark.parametrize("wanted, kept", [
    (True, {0, 1, 2}), (0, None), ([], None), (1, {1}), (-1, {2}), ([0], {0}),
    ([2, 0], {0, 2}), ((1,), {1}), ([-1, -3, 7, -9], {0, 2}), ([9], set()),
    (np.array([1]), {1}), (range(2), {0, 1})], ids=repr)
@pytest.mark.parametrize("cls", [numbert.BertModel, numbert.BertForMaskedLM])
def test_hidden_states_are_selected_by_number(cls, wanted, kept):
    """As in transformers 5.24: those that are not selected are None."""
    model = stressed(cls)
    states = model(X, output_hidden_states=wanted).hidden_states
    every = model(X, output_hidden_states=True).hidden_states
    if kept is None:
        assert states is None
    else:
        assert len(states) == LAYERS + 1
        assert {i for i, x in enumerate(states) if x is not None} == kept
        assert all(np.array_equal(states[i], every[i]) for i in kept)


def test_hugging_face_selects_the_same():
    of_today()
    torch = pytest.importorskip("torch")
    model = stressed(numbert.BertForMaskedLM)
    hf = twin(model)
    for wanted in (True, 0, [], 1, -1, [0], [2, 0], (1,), [-1, -3, 7, -9], [9]):
        got = model(X, output_hidden_states=wanted).hidden_states
        want = hf(torch.tensor(X), output_hidden_states=wanted).hidden_states
        assert (got is None) == (want is None)
        assert [x is None for x in got or ()] == [x is None for x in want or ()], wanted


@pytest.mark.parametrize("seed", [-1, 1.5, "x", True, [1, -2]], ids=str)
def test_a_seed_of_any_function_is_refused_in_words(seed):
    decoder = stressed(numbert.BertLMHeadModel, config(is_decoder=True))
    halves = numbert.EncoderDecoderConfig.from_encoder_decoder_configs(
        config(), config())
    for call in (lambda: decoder.generate(ids(), max_new_tokens=1, rng=seed),
                 lambda: decoder.resize_token_embeddings(40, rng=seed),
                 lambda: numbert.EncoderDecoderModel(halves, rng=seed),
                 lambda: numbert.EncoderDecoderModel.from_encoder_decoder_pretrained(
                     "a", "b", rng=seed),
                 lambda: check(lambda values: 1.0, {}, {}, rng=seed)):
        with pytest.raises((TypeError, ValueError), match="rng is .*, expected a whole "
                                                          "number >= 0 or a numpy Gen"):
            call()
