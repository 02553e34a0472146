"""The halves of an encoder-decoder stay in step with the whole, in every use."""

import numpy as np
import pytest

import numbert
from common import assert_near, config, ids, stressed
from generation_cases import decoder_config, encoder_decoder, hf_of
from numbert.models.encoder_decoder import EncoderDecoderConfig, EncoderDecoderModel
from numbert.training.batches import collate
from numbert.training.loop import train

B, S, T, V = 3, 6, 5, 23


def untied():
    """A model whose decoder scores words with a table of its own."""
    return EncoderDecoderModel(
        encoder=stressed(numbert.BertModel),
        decoder=stressed(numbert.BertLMHeadModel, decoder_config(
            add_cross_attention=True, tie_word_embeddings=False)))


def examples(count=4):
    """Sources and targets of one length."""
    x, y = ids((count, S)), ids((count, T), V, rng=1)
    return [{"input_ids": a, "labels": b} for a, b in zip(x, y)]


def assert_loads(model, directory):
    """The folder that the model writes loads here and in transformers."""
    model.save_pretrained(directory)
    again = EncoderDecoderModel.from_pretrained(directory, dtype="float64")
    assert all((again.params[n] == x).all() for n, x in model.params.items())
    assert again.config.decoder.vocab_size == model.config.decoder.vocab_size
    return again


def test_the_configurations_of_the_halves_are_one_object_each():
    for model in (encoder_decoder(), untied()):
        assert model.config.encoder is model.encoder.config
        assert model.config.decoder is model.decoder.config
        model.decoder.config.bos_token_id = 5
        assert model.config.to_dict()["decoder"]["bos_token_id"] == 5


@pytest.mark.parametrize("make", [encoder_decoder, untied])
def test_a_half_may_be_resized(tmp_path, make):
    model = make()
    model.config.pad_token_id, model.config.decoder_start_token_id = 0, 3
    model.decoder.resize_token_embeddings(V + 4)
    model.encoder.resize_token_embeddings(41)
    assert model.config.decoder is model.decoder.config
    assert model.config.encoder.vocab_size == 41
    assert model.config.decoder.vocab_size == V + 4
    assert {n: x.shape for n, x in model.params.items()} == model.shapes
    x, y = ids((B, S), 41), np.full((B, T), V + 3)      # a new token is a good label
    out, saved = model.forward(x, labels=y)
    grads = model.backward(saved)
    assert {n: g.shape for n, g in grads.items()} == model.shapes
    model.params = {n: x for n, x in model.params.items()}
    assert assert_loads(model, tmp_path)(x, labels=y).loss == out.loss


def test_a_resized_model_is_that_of_hugging_face(tmp_path):
    torch = pytest.importorskip("torch")
    model = encoder_decoder()
    model.decoder.resize_token_embeddings(V + 4)
    hf, x, y = hf_of(model), ids((B, S)), ids((B, T), V + 4, rng=2)
    assert hf.config.decoder.vocab_size == V + 4
    with torch.no_grad():
        want = hf(input_ids=torch.tensor(x), decoder_input_ids=torch.tensor(y))
    assert_near(model(x, decoder_input_ids=y).logits, want.logits.numpy(), 1e-12)
    assert hf.config.encoder is hf.encoder.config                   # as ours


def test_tying_changes_nothing_and_saves(tmp_path):
    model = untied()
    before = dict(model.params)
    model.tie_weights()
    assert all(model.params[n] is x for n, x in before.items())
    name = "decoder.cls.predictions.decoder.weight"
    again = assert_loads(model, tmp_path)
    assert (again.params[name] != again.params[
        "decoder.bert.embeddings.word_embeddings.weight"]).any()


def test_another_configuration_than_that_of_a_half_is_refused():
    model = encoder_decoder()
    with pytest.raises(ValueError, match="encoder .*config.encoder, expected the same"):
        EncoderDecoderModel(model.config, encoder=stressed(
            numbert.BertModel, config(vocab_size=19)))


# ------------------------------------------------------------------------- training

def test_training_ends_with_the_best_parameters():
    kept, model, scores = [], encoder_decoder(), iter([3.0, 2.0])

    def evaluate(model):
        kept.append({n: x.copy() for n, x in model.params.items()})
        return next(scores)
    result = train(model, examples(), steps=2, batch_size=2, lr=1e-3, eval_every=1,
                   evaluate=evaluate, keep_best=True)
    assert result.steps == 2 and result.best_step == 1
    assert all((model.params[n] == x).all() for n, x in kept[0].items())
    assert any((kept[1][n] != x).any() for n, x in kept[0].items())


def test_a_resumed_run_ends_with_the_same_bits(tmp_path):
    whole, broken, resumed = (encoder_decoder() for _ in range(3))
    how = {"steps": 4, "batch_size": 2, "lr": 1e-3, "checkpoint_every": 1}
    train(whole, examples(), **how)
    calls = []

    def stopping(rows, rng):
        calls.append(rows)
        if len(calls) == 3:
            raise RuntimeError("the power fails")
        return collate(rows, rng)
    with pytest.raises(RuntimeError):
        train(broken, examples(), **how, collate=stopping, checkpoint_dir=tmp_path)
    rest = train(resumed, examples(), **how, collate=stopping, checkpoint_dir=tmp_path)
    assert rest.steps == 4 and len(calls) == 5
    assert all((resumed.params[n] == x).all() for n, x in whole.params.items())


def test_strided_weights_train_too():
    model, strided = encoder_decoder(), encoder_decoder()
    strided.params = {n: np.asfortranarray(x) for n, x in strided.params.items()}
    for one in (model, strided):
        train(one, examples(), steps=2, batch_size=2, lr=1e-3)
    assert all(np.allclose(strided.params[n], x, rtol=1e-9, atol=1e-12)
               for n, x in model.params.items())


# ----------------------------------------------------------------------- parameters

@pytest.mark.parametrize("change, kind, words", [
    (lambda x: x.astype("float32"), TypeError, "bias is float32 float64 astype"),
    (lambda x: x[:-1], ValueError, "bias (11,) (12,) resize_token_embeddings"),
])
def test_one_parameter_is_checked(change, kind, words):
    model, name = encoder_decoder(), "encoder.pooler.dense.bias"
    model.params[name] = new = model.params[name] + 1
    assert model.encoder.params["pooler.dense.bias"] is new
    with pytest.raises(kind) as caught:
        model.params[name] = change(new)
    assert all(word in str(caught.value) for word in words.split())
    assert model.params[name] is new
    for bad, error in ((lambda: model.params.pop(name), TypeError),
                       (lambda: model.params.update(none=new), ValueError),
                       (lambda: model.params["decoder.none"], KeyError)):
        with pytest.raises(error):
            bad()


def test_all_parameters_are_checked():
    model = encoder_decoder()
    good = dict(model.params)
    for change in (lambda x: x.astype("float16"), lambda x: x[..., :-1]):
        with pytest.raises(ValueError, match="expected"):
            model.params = {n: change(x) for n, x in good.items()}
        one = "decoder.cls.predictions.bias"
        with pytest.raises(ValueError, match="expected"):
            model.params = {**good, one: change(good[one])}
        assert all(model.params[n] is x for n, x in good.items())
    joined = model.params | {"x": 1}
    assert type(joined) is dict and len(joined) == len(good) + 1
    assert str(len(good)) in repr(model.params) and len(repr(model.params)) < 80


def test_the_names_of_a_torch_module():
    model = encoder_decoder()
    assert model.eval() is model and model.can_generate()
    hf = hf_of(model)
    assert set(model.state_dict()) == set(hf.state_dict())
    assert [n for n, _ in model.named_parameters()] == list(model.params)


# ------------------------------------------------------------------------ arguments

def test_from_pretrained_applies_or_refuses_each_argument(tmp_path):
    model = encoder_decoder()
    model.save_pretrained(save_directory=tmp_path / "deep" / "er")
    load = EncoderDecoderModel.from_pretrained
    where = str(tmp_path / "deep" / "er")
    for kwargs, dtype in (({}, "float32"), ({"torch_dtype": "float64"}, "float64"),
                          ({"dtype": "auto"}, "float64")):
        assert load(where, **kwargs).dtype == dtype
    assert load(tmp_path / "deep", subfolder="er", use_safetensors=True,
                attn_implementation="eager").dtype == "float32"
    assert load(where, decoder_start_token_id=7).config.decoder_start_token_id == 7
    assert load(where, config=EncoderDecoderConfig.from_pretrained(where)).config == \
        load(where).config
    for kwargs, error in (({"revison": "a"}, TypeError), ({"dtyp": 1}, TypeError),
                          ({"device_map": "auto"}, TypeError),
                          ({"dtype": "float16"}, ValueError),
                          ({"use_safetensors": False}, ValueError),
                          ({"attn_implementation": "flash"}, ValueError)):
        with pytest.raises(error, match=f"{next(iter(kwargs))}.*: "):
            load(where, **kwargs)
    with pytest.raises(TypeError, match="push_to_hub"):
        model.save_pretrained(tmp_path, push_to_hub=True)


def test_a_warm_start_refuses_unknown_arguments_before_it_loads():
    with pytest.raises(TypeError, match="revison"):
        EncoderDecoderModel.from_encoder_decoder_pretrained("a", "b", revison="main")


@pytest.mark.parametrize("option", ["encoder_hidden_act", "encoder_config"])
def test_a_model_that_is_there_takes_no_options(option):
    with pytest.raises(ValueError, match=f"encoder_model .* {option}, expected .*: "):
        EncoderDecoderModel.from_encoder_decoder_pretrained(
            encoder_model=stressed(numbert.BertModel), **{option: "relu"})
