"""Bad input: one clear error that names the value, the expectation and the remedy."""

import numpy as np
import pytest

import numbert
from common import B, SMALL, T, config, ids, stressed

MODEL = stressed(numbert.BertModel)
DECODER = stressed(numbert.BertLMHeadModel, config(is_decoder=True))
X = ids()


@pytest.mark.parametrize("error, message, inputs", [
    (ValueError, "input_ids and inputs_embeds are None", {}),
    (ValueError, "inputs_embeds are both given", {
        "input_ids": X, "inputs_embeds": np.ones((B, T, 12))}),
    (ValueError, r"input_ids holds 37 at \[1, 2\].*0 to 36.*vocab_size is 37",
     {"input_ids": np.where(np.arange(B * T).reshape(B, T) == 7, 37, X)}),
    (ValueError, "input_ids holds -1", {"input_ids": X - X - 1}),
    (TypeError, "dtype float64, expected integers", {"input_ids": X / 2}),
    (TypeError, "encode text with a tokenizer", {"input_ids": [["hello"]]}),
    (TypeError, "different lengths.*padding=True", {"input_ids": [[1], [2, 3]]}),
    (ValueError, r"shape \(0, 5\), expected at least one", {"input_ids": X[:0]}),
    (ValueError, r"shape \(5,\), expected \(batch, tokens\)", {"input_ids": X[0]}),
    (ValueError, "at least one token", {"input_ids": X[:, :0]}),
    (ValueError, "has 12 tokens, expected at most max_position_embeddings 11: trunc",
     {"input_ids": ids((1, 12))}),
    (ValueError, "position_ids holds 11", {"input_ids": X,
                                           "position_ids": np.full(T, 11)}),
    (ValueError, r"position_ids has shape \(4,\), expected \(5,\)",
     {"input_ids": X, "position_ids": np.arange(4)}),
    (ValueError, "token_type_ids holds 2.*type_vocab_size is 2",
     {"input_ids": X, "token_type_ids": X - X + 2}),
    (ValueError, r"token_type_ids has shape \(2, 4\)",
     {"input_ids": X, "token_type_ids": X[:, :4] % 2}),
    (ValueError, r"attention_mask has shape \(2, 4\), expected \(2, 5\) or \(2, 5, 5\)",
     {"input_ids": X, "attention_mask": X[:, :4] > 0}),
    (ValueError, "holds -10000.*expected booleans, or 0 and 1 .*mask == 0",
     {"input_ids": X, "attention_mask": np.where(X > 9, 0, -10000.0)}),
    (ValueError, r"inputs_embeds has shape \(2, 5, 11\), expected .*12\)",
     {"inputs_embeds": np.ones((B, T, 11))}),
    (ValueError, "not a decoder", {"input_ids": X,
                                   "past_key_values": numbert.DynamicCache()}),
    (ValueError, "no cross-attention", {"input_ids": X,
                                        "encoder_hidden_states": np.ones((B, 7, 12))}),
    (ValueError, "without encoder_hidden_states",
     {"input_ids": X, "encoder_attention_mask": np.ones((B, 7))}),
    (TypeError, "takes no argument attention_masks",
     {"input_ids": X, "attention_masks": X}),
])
def test_bert_model(error, message, inputs):
    with pytest.raises(error, match=message):
        MODEL(**inputs)


@pytest.mark.parametrize("message, inputs", [
    (r"attention_mask has shape \(2, 9\), expected \(2, 8\)",
     {"attention_mask": np.ones((B, 9), int)}),
    ("has 12 tokens", {"input_ids": ids((B, 9))}),
    (r"keys of shape \(2, 3, 3, 4\) in layer 0, expected \(3, 3, 3, 4\)",
     {"input_ids": ids((3, T))}),
    ("logits_to_keep is -1", {"logits_to_keep": -1}),
    ("logits_to_keep holds 5", {"logits_to_keep": [5]}),
    ("every position", {"labels": X, "logits_to_keep": 1}),
    ("labels holds 99", {"labels": np.full((B, T), 99)}),
])
def test_decoder_with_a_past(message, inputs):
    past = DECODER(ids((B, 3), rng=1)).past_key_values
    with pytest.raises(ValueError, match=message):
        DECODER(**{"input_ids": X, "past_key_values": past, **inputs})
    assert past.get_seq_length() == 3                      # nothing was done yet


def test_cache_of_another_encoder_output():
    crossed = config(is_decoder=True, add_cross_attention=True)
    model = stressed(numbert.BertModel, crossed)
    past = model(X, encoder_hidden_states=np.ones((B, 7, 12))).past_key_values
    with pytest.raises(ValueError, match=r"expected \(2, 3, 6, 4\), .*encoder output"):
        model(X, encoder_hidden_states=np.ones((B, 6, 12)), past_key_values=past)
    other = stressed(numbert.BertModel, config(is_decoder=True, num_attention_heads=4))
    with pytest.raises(ValueError, match=r"expected \(2, 4, 5, 3\)"):
        other(X, past_key_values=numbert.DynamicCache(
            [past.self_attention_cache.layers[0]]))
    assert past.get_seq_length() == T


def test_past_of_another_kind():
    with pytest.raises(TypeError, match="cache is a list"):
        DECODER(X, past_key_values=[])


def test_encoder_states_of_another_width():
    crossed = config(is_decoder=True, add_cross_attention=True)
    model = stressed(numbert.BertModel, crossed)
    for shape in ((B, 7, 11), (B + 1, 7, 12), (B, 12)):
        with pytest.raises(ValueError, match=r"expected \(2, source tokens, 12\)"):
            model(X, encoder_hidden_states=np.ones(shape))


CLASSIFIER = numbert.BertForSequenceClassification


@pytest.mark.parametrize("cls, changes, labels, message", [
    (CLASSIFIER, {"num_labels": 3}, {"labels": [0, 3]},
     r"labels holds 3 at \[1\].*0 to 2, or -100 to ignore, as num_labels is 3"),
    (CLASSIFIER, {"num_labels": 3}, {"labels": [0, 1, 2]},
     r"labels has shape \(3,\), expected \(2,\) or \(2, 1\)"),
    (CLASSIFIER, {"num_labels": 3}, {"labels": [0.5, 1.0]},
     r"labels has shape \(2,\), expected \(2, 3\)"),
    (CLASSIFIER, {"num_labels": 1}, {"labels": np.ones((2, 2))}, r"expected \(2, 1\)"),
    (numbert.BertForTokenClassification, {"num_labels": 4}, {"labels": X % 4 + 1},
     "labels holds 4"),
    (numbert.BertForTokenClassification, {}, {"labels": X[:, 1:] % 2},
     r"labels has shape \(2, 4\), expected \(2, 5\)"),
    (numbert.BertForMaskedLM, {}, {"labels": X + 37}, "vocab_size is 37"),
    (numbert.BertForNextSentencePrediction, {}, {"labels": [0, 2]}, "labels holds 2"),
    (numbert.BertForQuestionAnswering, {},
     {"start_positions": [0, 1, 2], "end_positions": [1, 2]},
     r"start_positions has shape \(3,\)"),
    (numbert.BertForPreTraining, {},
     {"labels": X, "next_sentence_label": [0, 5]}, "next_sentence_label holds 5"),
])
def test_labels(cls, changes, labels, message):
    with pytest.raises(ValueError, match=message):
        stressed(cls, config(**changes))(X, **labels)


def test_float_labels_for_one_class_each():
    model = stressed(CLASSIFIER, config(problem_type="single_label_classification"))
    with pytest.raises(TypeError, match="labels has dtype float64, expected integers"):
        model(X, labels=[0.0, 1.0])


def test_multiple_choice_needs_an_axis_of_choices():
    model = stressed(numbert.BertForMultipleChoice)
    with pytest.raises(ValueError, match=r"shape \(2, 5\), expected \(batch, choices"):
        model(X)
    with pytest.raises(ValueError, match="labels holds 3.*the number of choices is 3"):
        model(ids((B, 3, T)), labels=[0, 3])


def test_constructor():
    with pytest.raises(ValueError, match="num_labels is 3, expected 2, for the two"):
        numbert.BertForQuestionAnswering(config(num_labels=3))
    with pytest.raises(TypeError, match="expected a BertConfig"):
        numbert.BertModel(SMALL)
    for dtype in ("float16", "bfloat16", "int64"):
        with pytest.raises(ValueError, match=f"dtype is '{dtype}', expected one of"):
            numbert.BertModel(config(), dtype=dtype)


@pytest.mark.parametrize("change, message", [
    ({"pooler.dense.bias": np.ones(11)}, r"dense.bias \(11,\), expected \(12,\)"),
    ({"classifier.bias": np.ones(2)}, r"classifier.bias \(2,\), expected none"),
    ({"pooler.dense.bias": np.ones(12, "float32")}, "float32', 'float64'.*one of"),
    ({"pooler.dense.bias": None}, "pooler.dense.bias is missing, expected"),
])
def test_params_that_do_not_fit(change, message):
    params = {**MODEL.params, **change}
    params = {name: x for name, x in params.items() if x is not None}
    with pytest.raises(ValueError, match=message):
        numbert.BertModel(config(), params=params)


def test_backward_without_a_loss():
    model = stressed(numbert.BertForMaskedLM)
    out, saved = model.forward(X)
    with pytest.raises(ValueError, match="pass labels to forward"):
        model.backward(saved)
    with pytest.raises(ValueError, match="forward pass had no labels"):
        model.backward(saved, loss=1.0)
    with pytest.raises(TypeError, match="saved is a MaskedLMOutput, expected"):
        model.backward(out)
    with pytest.raises(ValueError, match="gradient of loss is .*expected one number"):
        model.backward(model.forward(X, labels=X)[1], loss=np.ones(3))
    with pytest.raises(ValueError, match=r"gradient of logits has shape \(2, 5\)"):
        model.backward(saved, logits=out.logits[..., 0])
    bare, saved = MODEL.forward(X)
    with pytest.raises(ValueError, match="BertModel has no .*pass last_hidden_state="):
        MODEL.backward(saved)


@pytest.mark.parametrize("name, shape", [
    ("last_hidden_state", ()), ("last_hidden_state", (T, 1)),
    ("last_hidden_state", (B, 1, 12)), ("pooler_output", (12,)),
    ("pooler_output", (B, 1))])
def test_a_gradient_has_the_shape_of_its_output(name, shape):
    _, saved = MODEL.forward(X)
    with pytest.raises(ValueError, match=f"the gradient of {name} has shape"):
        MODEL.backward(saved, **{name: np.ones(shape)})


def test_a_gradient_has_the_dtype_of_the_model():
    model = stressed(numbert.BertModel, dtype="float32")
    out, saved = model.forward(X)
    grads = model.backward(saved, pooler_output=np.ones(out.pooler_output.shape),
                           last_hidden_state=np.ones(out.last_hidden_state.shape))
    assert {x.dtype for x in grads.values()} == {np.dtype("float32")}
    plain = numbert.BertModel(config(), add_pooling_layer=False)
    out, saved = plain.forward(X)
    with pytest.raises(ValueError, match="gradient is given for pooler_output, "
                                         "expected one for last_hidden_state"):
        plain.backward(saved, pooler_output=np.ones((B, 12)))


def test_lists_and_small_integers_are_welcome():
    want = MODEL(X).last_hidden_state
    assert np.array_equal(MODEL(X.tolist()).last_hidden_state, want)
    assert np.array_equal(MODEL(X.astype(np.uint8)).last_hidden_state, want)
    mask = np.ones((B, T))
    assert np.array_equal(MODEL(X, mask.tolist()).last_hidden_state,
                          MODEL(X, mask.astype(bool)).last_hidden_state)
