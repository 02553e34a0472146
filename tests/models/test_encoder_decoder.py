"""EncoderDecoderModel: values, gradients, files and generation as Hugging Face's."""

import json

import numpy as np
import pytest

import numbert
from common import assert_near, bound, config, ids, stressed, to_torch
from generation_cases import decoder_config, encoder_decoder, hf_of
from numbert.models.encoder_decoder import (EncoderDecoderConfig, EncoderDecoderModel,
                                            shift_tokens_right)
from numbert.models.outputs import Seq2SeqLMOutput

B, S, T, V = 3, 6, 5, 23
WIDTHS = {"equal": {}, "projected": {"hidden_size": 8, "num_attention_heads": 2}}


def source():
    """A batch of sources with padding on the right."""
    mask = np.ones((B, S), int)
    mask[1, 4:] = mask[2, 2:] = 0
    return {"input_ids": ids((B, S)), "attention_mask": mask}


def labels():
    """Targets, partly ignored."""
    y = ids((B, T), V, rng=1)
    y[1, 3:] = -100
    return y


CALLS = {
    "labels": lambda: {**source(), "labels": labels()},
    "decoder_input_ids": lambda: {**source(), "decoder_input_ids": ids((B, T), V, 2)},
    "both": lambda: {**source(), "labels": labels(),
                     "decoder_input_ids": ids((B, T), V, 2),
                     "decoder_attention_mask": np.tri(B, T, T - B, dtype=int)},
    "no mask": lambda: {"input_ids": ids((B, S)), "labels": labels()},
    "types and positions": lambda: {
        **source(), "labels": labels(), "token_type_ids": ids((B, S), 2) % 2,
        "decoder_token_type_ids": ids((B, T), 3, 3) - 1,
        "decoder_position_ids": np.arange(3, 3 + T)[None]},
    "embeddings": lambda: {
        "inputs_embeds": np.random.default_rng(4).standard_normal((B, S, 12)),
        "decoder_inputs_embeds": np.random.default_rng(5).standard_normal((B, T, 12)),
        "labels": labels()},
}


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", CALLS)
def test_values_and_gradients_are_those_of_hugging_face(name, width):
    torch = pytest.importorskip("torch")
    model, inputs = encoder_decoder(**WIDTHS[width]), CALLS[name]()
    if width == "projected" and "inputs_embeds" in inputs:
        inputs["inputs_embeds"] = inputs["inputs_embeds"][..., :8]
    hf, tensors = hf_of(model), to_torch(inputs)
    embeds = [n for n in inputs if n.endswith("inputs_embeds")]
    for n in embeds:
        tensors[n].requires_grad_()
    shown = {"output_attentions": True, "output_hidden_states": True}
    got, saved = model.forward(**inputs, **shown)
    with pytest.warns(FutureWarning) if "labels" in inputs else torch.enable_grad():
        want = hf(**tensors, **shown)
    assert type(got) is Seq2SeqLMOutput and got.keys() == [
        name.replace("past_key_values", "cache") for name in want.keys()]
    for field in got.keys():
        if field != "cache":
            a, b = got[field], want[field]
            for x, y in zip(a, b) if isinstance(a, tuple) else [(a, b)]:
                y = y.detach().numpy()
                assert_near(x, y, 1e-12 * max(1, np.abs(y).max()), field)

    dlogits = np.random.default_rng(6).standard_normal(got.logits.shape)
    total = (want.logits * torch.tensor(dlogits)).sum()
    if "labels" in inputs:
        total = total + 2 * want.loss
    total.backward()
    grads = model.backward(saved, logits=dlogits,
                           loss=2.0 if "labels" in inputs else None)
    named = dict(hf.named_parameters())
    assert set(grads) == set(named) | set(embeds) and set(named) == set(model.params)
    for n, g in grads.items():
        tensor = tensors[n] if n in embeds else named[n]
        y = np.zeros(g.shape) if tensor.grad is None else tensor.grad.numpy()
        assert_near(g, y, 1e-12 * max(1, np.abs(y).max()), n)


def test_the_gradient_agrees_with_finite_differences():
    model, inputs = encoder_decoder(), CALLS["labels"]()
    _, saved = model.forward(**inputs)
    grads, params = model.backward(saved), dict(model.params)
    rng = np.random.default_rng(1)
    for half in ("encoder.", "decoder."):
        step = {n: rng.standard_normal(x.shape) * n.startswith(half)
                for n, x in params.items()}
        losses = []
        for h in (1e-6, -1e-6):
            model.params = {n: x + h * step[n] for n, x in params.items()}
            losses.append(float(model(**inputs).loss))
        slope = (losses[0] - losses[1]) / 2e-6
        assert abs(slope) > 0.01
        assert slope == pytest.approx(sum((grads[n] * step[n]).sum() for n in params),
                                      rel=1e-6)


def test_the_loss_is_the_mean_over_labels_that_count():
    model, inputs = encoder_decoder(), CALLS["labels"]()
    out, y = model(**inputs), labels()
    terms = [np.log(np.exp(out.logits[b, t]).sum()) - out.logits[b, t, y[b, t]]
             for b in range(B) for t in range(T) if y[b, t] != -100]
    assert_near(out.loss, np.mean(terms), 1e-12)


def test_shift_tokens_right():
    got = shift_tokens_right(np.array([[5, 6, -100], [7, -100, 8]]), 0, 3)
    assert got.tolist() == [[3, 5, 6], [3, 7, 0]]
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from transformers.models.encoder_decoder import modeling_encoder_decoder as hf
    want = hf.shift_tokens_right(torch.tensor(labels()), 0, 3)
    assert shift_tokens_right(labels(), 0, 3).tolist() == want.tolist()


def test_labels_alone_stand_for_shifted_inputs_with_a_mask():
    model, y = encoder_decoder(), labels()
    y[0, 1] = -100                      # becomes padding that others must not see
    moved = shift_tokens_right(y, 0, 3)
    want = model(**source(), labels=y, decoder_input_ids=moved,
                 decoder_attention_mask=(moved != 0).astype(int))
    got = model(**source(), labels=y)
    assert (got.logits == want.logits).all() and got.loss == want.loss
    unmasked = model(**source(), decoder_input_ids=moved).logits
    assert (got.logits[0, 3:] != unmasked[0, 3:]).any()


def test_padding_of_the_source_is_never_seen():
    model, inputs = encoder_decoder(), CALLS["labels"]()
    before = model(**inputs).logits
    written = model.generate(**source(), max_new_tokens=8)
    hidden = inputs["attention_mask"] == 0
    inputs["input_ids"][hidden] = 36 - inputs["input_ids"][hidden]
    assert_near(model(**inputs).logits, before, 1e-12)
    again = model.generate(inputs["input_ids"], inputs["attention_mask"],
                           max_new_tokens=8)
    assert again.tolist() == written.tolist()
    inputs["attention_mask"][:] = 1
    assert (model(**inputs).logits[1:] != before[1:]).any()


def test_encoder_outputs_in_place_of_the_source():
    model, inputs = encoder_decoder(), CALLS["labels"]()
    want, saved = model.forward(**inputs)
    del inputs["input_ids"]
    states = model.encoder(**source())
    for given in (states, states.to_tuple(), (states.last_hidden_state,)):
        got, again = model.forward(**inputs, encoder_outputs=given)
        assert (got.logits == want.logits).all()
    grads, full = model.backward(again), model.backward(saved)
    assert not any(grads[n].any() for n in grads if n.startswith("encoder."))
    assert all((grads[n] == full[n]).all() for n in full if n.startswith("decoder."))
    direct = model.encoder.backward(
        model.encoder.forward(**source())[1],
        last_hidden_state=grads["encoder_hidden_states"])
    assert_near(direct["embeddings.word_embeddings.weight"],
                full["encoder.embeddings.word_embeddings.weight"], 1e-12)


def test_decoding_in_steps_is_the_full_pass():
    model, y = encoder_decoder(), ids((B, T), V)
    full = model(**source(), decoder_input_ids=y).logits
    encoded = model.encoder(**source())
    past, mask = None, source()["attention_mask"]
    for t in range(T):
        out = model(attention_mask=mask, encoder_outputs=encoded, past_key_values=past,
                    decoder_input_ids=y[:, t:t + 1], use_cache=True)
        past = out.past_key_values
        assert_near(out.logits[:, 0], full[:, t], 1e-12)


def test_dropout_only_with_a_generator():
    model, inputs = encoder_decoder(), CALLS["labels"]()
    a, b = (model.forward(**inputs, rng=np.random.default_rng(s))[0].loss
            for s in (1, 1))
    assert a == b != model(**inputs).loss == model(**inputs).loss


def test_a_seed_of_dropout_drops_other_numbers_in_each_half():
    model, inputs = encoder_decoder(), {**source(), "labels": labels()}
    rng = np.random.default_rng(3)
    assert model(**inputs, rng=3).loss == model(**inputs, rng=rng).loss


def test_tuples_and_dtypes():
    model, inputs = encoder_decoder(), CALLS["labels"]()
    out = model(**inputs)
    loss, logits, past, last = model(**inputs, return_dict=False)
    assert loss == out.loss and (last == out.encoder_last_hidden_state).all()
    small = EncoderDecoderModel(model.config, dtype="float32", params={
        n: x.astype("float32") for n, x in model.params.items()})
    got, saved = small.forward(**inputs)
    assert got.logits.dtype == got.loss.dtype == np.float32
    assert {g.dtype for g in small.backward(saved).values()} == {np.dtype("float32")}
    assert_near(got.loss.astype(float), out.loss, bound("float32", 300, 10))


def test_the_encoder_is_run_once_in_generation(monkeypatch):
    model, calls = encoder_decoder(), []
    forward = type(model.encoder).forward
    monkeypatch.setattr(type(model.encoder), "forward",
                        lambda self, *a, **k: calls.append(0) or forward(self, *a, **k))
    assert model.generate(**source(), max_new_tokens=6, num_beams=3).shape == (B, 7)
    assert len(calls) == 1


def test_generation_starts_with_what_is_given():
    model = encoder_decoder()
    want = model.generate(**source(), max_new_tokens=6)
    assert (want[:, 0] == 3).all()
    encoded = model.encoder(**source())
    mask = source()["attention_mask"]
    for given in (encoded, encoded.to_tuple()):
        got = model.generate(attention_mask=mask, encoder_outputs=given,
                             max_new_tokens=6)
        assert got.tolist() == want.tolist()
    begun = model.generate(**source(), decoder_input_ids=want[:, :3], max_new_tokens=4)
    assert begun.tolist() == want.tolist()
    begun = model.generate(**source(), decoder_input_ids=want[:, 1:3], max_new_tokens=4)
    assert begun.tolist() == want.tolist()              # the start token is put before
    other = model.generate(**source(), decoder_start_token_id=9, max_new_tokens=2)
    assert (other[:, 0] == 9).all()
    model.config.decoder_start_token_id = 8             # read when it is called
    assert (model.generate(**source(), max_new_tokens=1)[:, 0] == 8).all()
    # Even the pad token may be the start, as in T5.
    assert model.generate(**source(), decoder_start_token_id=0).shape == (B, 21)


# ---------------------------------------------------------------------- warm starts

@pytest.fixture
def checkpoints(tmp_path):
    """An encoder's checkpoint, and one of a masked LM, which has an LM head."""
    stressed(numbert.BertModel).save_pretrained(tmp_path / "encoder")
    stressed(numbert.BertForMaskedLM, rng=5).save_pretrained(tmp_path / "lm")
    return tmp_path / "encoder", tmp_path / "lm"


def warm(*paths, **options):
    """A warm start; what starts fresh is warned of."""
    with pytest.warns(UserWarning, match="starts fresh.* so train it.*crossattent"):
        return EncoderDecoderModel.from_encoder_decoder_pretrained(
            *paths, dtype="float64", **options)


def test_a_warm_start_takes_both_halves_from_encoders(checkpoints):
    encoder, lm = checkpoints
    model = warm(encoder, lm, decoder_start_token_id=2, pad_token_id=0)
    assert model.config.decoder_start_token_id == 2
    first = numbert.BertModel.from_pretrained(encoder, dtype="float64").params
    second = numbert.BertForMaskedLM.from_pretrained(lm, dtype="float64").params
    for name, x in model.params.items():
        half, name = name.split(".", 1)
        if "crossattention" in name:
            fresh = 0 if "LayerNorm.weight" not in name else 1
            assert (x == fresh).all() if x.ndim == 1 else 0 < x.std() < 0.1, name
        else:
            assert (x == (first if half == "encoder" else second)[name]).all(), name
    assert not model.encoder.config.is_decoder
    assert model.decoder.config.is_decoder and model.decoder.config.add_cross_attention
    out, saved = model.forward(**source(), labels=labels())
    assert np.isfinite(out.loss) and set(model.backward(saved)) == set(model.params)
    assert model.generate(**source(), max_new_tokens=3).shape == (B, 4)


def test_hugging_face_starts_warm_from_the_same_checkpoints(checkpoints):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    encoder, lm = checkpoints
    ours = warm(encoder, lm)
    hf = transformers.EncoderDecoderModel.from_encoder_decoder_pretrained(
        str(encoder), str(lm)).double().eval()
    state = hf.state_dict()
    for name, x in ours.params.items():
        if "crossattention" not in name:
            assert_near(x.astype("float32"), state[name].float().numpy(), 0, name)
    # On HF's own draw of the cross-attention the two compute the same.
    ours.params = {name: state[name].numpy() for name in ours.params}
    x, y = ids((B, S)), ids((B, T))
    with torch.no_grad():
        want = hf(input_ids=torch.tensor(x), decoder_input_ids=torch.tensor(y))
    assert_near(ours(x, decoder_input_ids=y).logits, want.logits.numpy(), 1e-12)


def test_the_same_checkpoint_may_serve_twice_and_options_go_to_one_half(checkpoints):
    encoder, _ = checkpoints
    model = warm(encoder, encoder, encoder_hidden_act="relu", rng=1,
                 decoder_hidden_dropout_prob=0.3)
    assert model.encoder.config.hidden_act == "relu"
    assert model.decoder.config.hidden_act == "gelu"
    assert model.decoder.config.hidden_dropout_prob == 0.3
    table = "embeddings.word_embeddings.weight"
    assert (model.params[f"encoder.{table}"]
            == model.params[f"decoder.bert.{table}"]).all()
    assert model.params[f"encoder.{table}"] is not model.params[f"decoder.bert.{table}"]
    again = warm(encoder, encoder, rng=1)
    name = "decoder.bert.encoder.layer.0.crossattention.self.query.weight"
    assert (again.params[name] == model.params[name]).all()     # by the seed


def test_halves_that_are_there_already(checkpoints):
    encoder = stressed(numbert.BertModel)
    decoder = stressed(numbert.BertLMHeadModel,
                       decoder_config(add_cross_attention=True))
    model = EncoderDecoderModel.from_encoder_decoder_pretrained(
        encoder_model=encoder, decoder_model=decoder)
    assert model.encoder is encoder and model.decoder is decoder
    direct = EncoderDecoderModel(encoder=encoder, decoder=decoder)
    assert direct.config == model.config
    with pytest.warns(UserWarning, match="crossattention"):
        mixed = EncoderDecoderModel.from_encoder_decoder_pretrained(
            None, checkpoints[1], encoder_model=encoder, dtype="float64",
            decoder_config=config(num_labels=2))
    assert mixed.decoder.config.add_cross_attention


# ---------------------------------------------------------------------------- files

@pytest.mark.parametrize("width", WIDTHS)
def test_save_and_load(tmp_path, width):
    model = encoder_decoder(**WIDTHS[width])
    model.save_pretrained(tmp_path)
    again = EncoderDecoderModel.from_pretrained(tmp_path, dtype="float64")
    assert again.config.encoder == model.config.encoder
    assert again.config.decoder_start_token_id == 3
    assert list(again.params) == list(model.params)
    assert all((again.params[n] == x).all() for n, x in model.params.items())
    written = json.loads((tmp_path / "config.json").read_text())
    assert written["model_type"] == "encoder-decoder" and written["is_encoder_decoder"]
    assert written["architectures"] == ["EncoderDecoderModel"]
    assert written["decoder"]["is_decoder"] and not written["encoder"]["is_decoder"]


def test_files_of_hugging_face_load(tmp_path):
    torch = pytest.importorskip("torch")
    hf = hf_of(encoder_decoder())
    hf.save_pretrained(tmp_path)
    model = EncoderDecoderModel.from_pretrained(tmp_path, dtype="float64")
    x, y = ids((B, S)), ids((B, T), V)
    with torch.no_grad():
        want = hf(input_ids=torch.tensor(x), decoder_input_ids=torch.tensor(y))
    assert_near(model(x, decoder_input_ids=y).logits, want.logits.numpy(), 1e-12)


def test_params_are_read_through_and_replaced_whole():
    model = encoder_decoder()
    with pytest.raises(TypeError):
        model.params["encoder.pooler.dense.bias"] = 0
    model.params["encoder.pooler.dense.bias"][:] = 7            # in place is fine
    assert (model.encoder.params["pooler.dense.bias"] == 7).all()
    model.params = {name: x + 1 for name, x in model.params.items()}
    assert (model.encoder.params["pooler.dense.bias"] == 8).all()
    with pytest.raises(ValueError, match="encoder.pooler.dense.bias"):
        model.params = {n: x for n, x in model.params.items()
                        if n != "encoder.pooler.dense.bias"}
    assert model.num_parameters() == sum(x.size for x in model.params.values())
    assert {n: x.shape for n, x in model.params.items()} == dict(model.shapes)


# --------------------------------------------------------------------------- errors

def without(name):
    """A model whose configuration lacks one token."""
    return encoder_decoder(**{name: None})


@pytest.mark.parametrize("call, kind, words", [
    (lambda: EncoderDecoderModel(), ValueError, "config encoder decoder"),
    (lambda: EncoderDecoderConfig(config()), ValueError, "decoder="),
    (lambda: EncoderDecoderConfig(config(), config()), ValueError,
     "is_decoder=True add_cross_attention=True"),
    (lambda: EncoderDecoderModel(encoder=stressed(numbert.BertModel),
                                 decoder=stressed(numbert.BertModel)),
     TypeError, "decoder BertModel BertLMHeadModel"),
    (lambda: EncoderDecoderModel(
        encoder=stressed(numbert.BertModel, dtype="float32"),
        decoder=stressed(numbert.BertLMHeadModel,
                         decoder_config(add_cross_attention=True))),
     ValueError, "float32 float64 same"),
    (lambda: EncoderDecoderModel.from_encoder_decoder_pretrained(), ValueError,
     "encoder_pretrained_model_name_or_path None encoder_model"),
    (lambda: without("decoder_start_token_id")(**source(), labels=labels()),
     ValueError, "decoder_start_token_id labels"),
    (lambda: without("pad_token_id")(**source(), labels=labels()), ValueError,
     "pad_token_id labels"),
    (lambda: without("decoder_start_token_id").generate(**source()), ValueError,
     "decoder_start_token_id None [CLS]"),
    (lambda: encoder_decoder()(**source(), labels=labels() + 30), ValueError,
     "labels vocab_size is 23"),
    (lambda: encoder_decoder()(**source(), labels=labels()[0]), ValueError,
     "labels (5,)"),
    (lambda: encoder_decoder()(**source(), labels=labels(),
                               decoder_input_ids=ids((B, 4), V)),
     ValueError, "labels (3, 5) (3, 4)"),
    (lambda: encoder_decoder()(**source()), ValueError, "input_ids"),
    (lambda: encoder_decoder()(**source(), labels=labels(), output_attention=True),
     TypeError, "output_attention"),
    (lambda: encoder_decoder().generate(**source(), max_new_tokens=40), ValueError,
     "41 max_position_embeddings 40"),
    (lambda: encoder_decoder().generate(**source(), decoder_input_ids=[[3]]),
     ValueError, "decoder_input_ids (1, 1) 3"),
    (lambda: encoder_decoder().backward(
        encoder_decoder().forward(**source(), decoder_input_ids=ids((B, 2), V))[1]),
     ValueError, "labels logits"),
])
def test_mistakes_are_one_clear_error(call, kind, words):
    with pytest.raises(kind) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    assert all(word in message for word in words.split()), message


def test_foreign_and_damaged_checkpoints(tmp_path):
    with pytest.raises(FileNotFoundError):
        EncoderDecoderConfig.from_pretrained(tmp_path)
    stressed(numbert.BertModel).save_pretrained(tmp_path / "one")
    with pytest.raises(ValueError, match="model_type 'bert'"):
        EncoderDecoderModel.from_pretrained(tmp_path / "one")
    encoder_decoder().save_pretrained(tmp_path / "two")
    (tmp_path / "two" / "config.json").write_text("{")
    with pytest.raises(ValueError, match="broken JSON"):
        EncoderDecoderModel.from_pretrained(tmp_path / "two")
    encoder_decoder().save_pretrained(tmp_path / "three")
    stressed(numbert.BertModel, config(num_hidden_layers=3)).save_pretrained(
        tmp_path / "four")
    (tmp_path / "four" / "model.safetensors").replace(
        tmp_path / "three" / "model.safetensors")
    with pytest.raises(ValueError, match="lacks encoder.embeddings"):
        EncoderDecoderModel.from_pretrained(tmp_path / "three")
