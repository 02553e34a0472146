"""What is built on models runs on torch: generation, pipelines, sentences, files."""

import json
import subprocess
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import generation_cases as cases  # noqa: E402
import numbert  # noqa: E402
from common import B, T, assert_near, config, ids, stressed  # noqa: E402
from common import to_torch, twin  # noqa: E402
from numbert.models.encoder_decoder import EncoderDecoderModel  # noqa: E402

TASK = "text-classification"
KINDS = ("decoder", "cross", "encoder_decoder")


# ------------------------------------------------------------------------ generation

@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("kind", KINDS)
def test_generate_writes_the_same_tokens(kind, attention):
    model = cases.build(kind, 1)
    other = model.to_torch(attn_implementation=attention)
    for seed in range(6):
        call = cases.random_call(kind, np.random.default_rng(seed))
        want, got = cases.ours(model, call), cases.ours(other, call)
        assert np.array_equal(got.sequences, want.sequences)
        for a, b in zip(got.scores, want.scores):
            assert_near(a, b, 1e-11)


def test_sampling_draws_the_same_tokens():
    model = cases.build("decoder", 0)
    x = ids((2, 3), vocab=23)
    want, got = (one.generate(x, do_sample=True, rng=3, max_new_tokens=9)
                 for one in (model, model.to_torch()))
    assert np.array_equal(got, want) and got.shape == (2, 12)


@pytest.mark.parametrize("kind", ["decoder", "encoder_decoder"])
def test_tensors_in_tensors_out(kind):
    model = cases.build(kind, 0)
    other, x = model.to_torch(), ids((2, 3), vocab=23)
    got = other.generate(torch.tensor(x), max_new_tokens=4, num_beams=2)
    assert isinstance(got, torch.Tensor)
    assert np.array_equal(got, model.generate(x, max_new_tokens=4, num_beams=2))
    out = other.generate(torch.tensor(x), max_new_tokens=2, output_scores=True,
                         return_dict_in_generate=True)
    assert all(isinstance(s, torch.Tensor) for s in out.scores)


def test_a_cache_grows_by_several_tokens_at_a_time():
    model, x = stressed(numbert.BertLMHeadModel, config(is_decoder=True)), ids((2, 9))
    whole = model(x).logits
    other, cache, parts = model.to_torch(), None, []
    for start, end in ((0, 3), (3, 4), (4, 9)):
        out = other(x[:, start:end], cache=cache)
        cache = out.cache
        parts.append(out.logits)
    assert_near(np.concatenate(parts, axis=1), whole, 1e-12)
    cache.batch_repeat_interleave(2)
    assert cache[0].keys.shape[0] == 4 and isinstance(cache[0].keys, torch.Tensor)


# ------------------------------------------------------------------- encoder-decoder

@pytest.mark.parametrize("wide", [{}, {"hidden_size": 18}])
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_an_encoder_decoder_and_its_gradients(attention, wide):
    model = cases.encoder_decoder(**wide)
    other = model.to_torch(attn_implementation=attention)
    mask = np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]])
    given = {"input_ids": ids((2, 5)), "attention_mask": mask,
             "labels": np.where(ids((2, 4)) % 3, ids((2, 4), vocab=23), -100)}
    want, saved = model.forward(**given)
    got, kept = other.forward(**given)
    assert_near(got.loss, want.loss, 1e-12)
    for field in ("logits", "encoder_last_hidden_state"):
        assert isinstance(got[field], np.ndarray)
        assert_near(got[field], want[field], 1e-12)
    wanted, found = model.backward(saved), other.backward(kept)
    assert set(found) == set(wanted)
    largest = max(np.abs(x).max() for x in wanted.values())
    for name, x in wanted.items():
        assert_near(found[name], x, 1e-11 * max(np.abs(x).max(), 1e-3 * largest), name)
    module = other.as_module().eval()
    out = module(**to_torch(given))
    assert_near(out.loss.detach(), want.loss, 1e-12)
    assert list(module.state_dict()) == list(cases.hf_of(model).state_dict())


# -------------------------------------------------------- pipelines, sentences, tasks

@pytest.mark.parametrize("task, text", [
    ("fill-mask", "Anna lives in [MASK]."), ("text-classification", "A good film."),
    ("token-classification", "Anna lives in Oslo."),
    ("question-answering", {"question": "Where does Anna live?",
                            "context": "Anna lives in Oslo."})])
def test_pipelines_answer_the_same(task, text):
    pipe = numbert.pipeline(task, numbert.example_checkpoint(task))
    want = pipe(text)
    pipe.model = pipe.model.to_torch()

    def plain(found):
        found = found if isinstance(found, list) else [found]
        return [{k: round(float(v), 4) if isinstance(v, (float, np.floating)) else v
                 for k, v in one.items()} for one in found]
    assert plain(pipe(text)) == plain(want)


def test_sentences_become_the_same_vectors():
    path = numbert.example_checkpoint()
    model = numbert.BertModel.from_pretrained(path, add_pooling_layer=False)
    tokenizer = numbert.BertTokenizer.from_pretrained(path)
    texts = ["Anna lives in Oslo.", "Who?", "Bergen is a city by the sea."]
    want = numbert.embed(model, tokenizer, texts)
    assert_near(numbert.embed(model.to_torch(), tokenizer, texts), want, 1e-5)


def test_evaluation_predicts_the_same(tmp_path):
    path, file = numbert.example_checkpoint(TASK), tmp_path / "a.jsonl"
    labels = list(numbert.BertConfig.from_pretrained(path).id2label.values())
    file.write_text("".join(
        json.dumps({"text": text, "label": labels[i % len(labels)]}) + "\n"
        for i, text in enumerate(["a good film", "a bad film", "cold food", "nice"])))
    want, got = (numbert.evaluate(path, file, task=TASK, batch_size=2, progress=False,
                                  device=device) for device in (None, "cpu"))
    assert got[0] == want[0] and got[2] == want[2]


# ------------------------------------------------------------------------------ files

def test_from_pretrained_and_back(tmp_path):
    model = stressed(numbert.BertForMaskedLM, dtype="float32")
    model.save_pretrained(tmp_path / "a")
    load = numbert.BertForMaskedLM.from_pretrained
    for dtype in (torch.float16, "bfloat16", "float32", np.float64):
        other = load(tmp_path / "a", dtype=dtype, attn_implementation="sdpa",
                     device="cpu")
        assert type(other) is type(model) and other.device == torch.device("cpu")
        assert str(other.dtype).removeprefix("torch.") in str(dtype)
        out = other(ids())
        assert out.logits.dtype == (np.float64 if dtype is np.float64 else np.float32)
        assert other(torch.tensor(ids())).logits.dtype == other.dtype
        other.save_pretrained(tmp_path / "b")
        again = load(tmp_path / "b")
        for name, x in model.params.items():
            half = torch.tensor(x).to(other.dtype).float().numpy()
            assert np.array_equal(again.params[name], half), name
    assert load(tmp_path / "a", attn_implementation="sdpa").backend.attend
    assert load(tmp_path / "a", device="cpu", attn_implementation="eager"
                ).backend.attend is None


def test_an_encoder_decoder_from_a_folder(tmp_path):
    model = cases.encoder_decoder()
    model.save_pretrained(tmp_path)
    other = EncoderDecoderModel.from_pretrained(tmp_path, dtype="float64", device="cpu")
    x = ids((2, 3))
    assert np.array_equal(other.generate(x, max_new_tokens=4),
                          model.generate(x, max_new_tokens=4))


def test_each_model_says_where_it_is():
    for model in (stressed(numbert.BertModel), cases.encoder_decoder()):
        assert model.device == "cpu"
        assert model.to_torch().device == torch.device("cpu")
        assert model.to_torch(device="meta").device == torch.device("meta")


def test_a_torch_model_is_a_model():
    model = stressed(numbert.BertForSequenceClassification)
    other = model.to_torch()
    assert other.num_parameters() == model.num_parameters()
    assert "torch.float64" in repr(other) and other._repr_html_()
    assert list(other.state_dict()) == list(model.state_dict())
    assert_near(other.base_model(ids())[0], model.base_model(ids())[0], 1e-12)
    again = other.to_torch(dtype="float32", attn_implementation="eager")
    assert again.dtype == torch.float32 and other.dtype == torch.float64
    assert_near(again(ids()).logits, other(ids()).logits, 1e-4)


# ----------------------------------------------------------------------------- errors

def error(kind, match, call, *args, **kwargs):
    with pytest.raises(kind, match=match) as caught:
        call(*args, **kwargs)
    assert "expected" in str(caught.value)


def test_what_torch_does_not_have_is_refused(tmp_path):
    model = stressed(numbert.BertModel, dtype="float32")
    model.save_pretrained(tmp_path)
    for call in (model.to_torch, lambda **options: numbert.BertModel.from_pretrained(
            tmp_path, **{"device": "cpu", **options})):
        error(ValueError, "attn_implementation is 'flash'", call,
              attn_implementation="flash")
        error(ValueError, "device is 'gpu'", call, device="gpu")
        error(ValueError, "dtype is 'int8'", call, dtype="int8")
        error(ValueError, "dtype is 'float8_e4m3fn'", call, dtype=torch.float8_e4m3fn)
    if not torch.cuda.is_available():
        error(ValueError, "device is 'cuda'", model.to_torch, "cuda")


def test_sdpa_has_no_probabilities():
    model = stressed(numbert.BertModel).to_torch()
    error(ValueError, "eager", model, ids(), output_attentions=True)
    error(ValueError, "eager", model, ids(), trace=numbert.Trace("*.probs"))
    model(ids(), trace=numbert.Trace("*.layer.0.*"))
    eager = stressed(numbert.BertModel).to_torch(attn_implementation="eager")
    assert len(eager(ids(), output_attentions=True).attentions) == 2


def test_inputs_are_checked_as_in_numpy():
    model = stressed(numbert.BertForTokenClassification).to_torch()
    wrong = ids()
    wrong[1, 2] = 37
    for x in (wrong, torch.tensor(wrong)):
        error(ValueError, r"input_ids holds 37 at \[1, 2\]", model, x)
        error(ValueError, "labels holds", model, ids(), labels=x)
    error(TypeError, "input_ids", model, torch.rand(2, 5))
    error(ValueError, "attention_mask holds -1", model, torch.tensor(ids()),
          -torch.ones(2, 5))
    error(ValueError, "attention_mask has shape", model, torch.tensor(ids()),
          torch.ones(2, 4))
    error(TypeError, "in place", model.params.__setitem__, "classifier.bias", 0)
    error(TypeError, "to_torch", model.resize_token_embeddings, 40)
    assert model.config.vocab_size == 37


def test_without_torch_each_entry_says_how_to_get_it(tmp_path):
    stressed(numbert.BertModel).save_pretrained(tmp_path)
    code = """import sys; sys.modules["torch"] = None
import numbert
load = numbert.BertModel.from_pretrained
for call in (load(sys.argv[1]).to_torch,
             lambda: load(sys.argv[1], attn_implementation="sdpa")):
    try:
        call()
    except ImportError as error:
        print(error)"""
    said = subprocess.run([sys.executable, "-c", code, tmp_path],
                          capture_output=True, text=True)
    assert said.stdout.count('pip install "numbert[torch]"') == 2, said.stderr


# -------------------------------------------------------------- precision and overhead

@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_half_precision_is_as_good_as_in_transformers(dtype, attention):
    path = numbert.example_checkpoint()
    model = numbert.BertModel.from_pretrained(path, add_pooling_layer=False)
    rng = np.random.default_rng(0)
    x = rng.integers(5, model.config.vocab_size, (16, 24))
    mask = np.arange(24) < rng.integers(8, 25, (16, 1))
    want = numbert.BertModel(model.config, add_pooling_layer=False, params={
        name: p.astype(float) for name, p in model.params.items()})(x, mask)[0][mask]
    hf = twin(model, attention).to(getattr(torch, dtype))
    with torch.no_grad():
        theirs = hf(torch.tensor(x), torch.tensor(mask)
                    )[0].double().numpy()[mask] - want
    ours = model.to_torch(dtype=dtype, attn_implementation=attention)(
        x, mask)[0][mask] - want
    rms = [float(np.sqrt(np.mean(d * d))) for d in (ours, theirs)]
    assert rms[0] <= 1.1 * rms[1]


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_a_forward_without_a_mask_looks_at_no_value(attention):
    """Each aten::item would make a GPU wait, and a where is a kernel for nothing."""
    model = stressed(numbert.BertModel).to_torch(attn_implementation=attention)
    x = torch.tensor(ids())
    for given in ({}, {"attention_mask": torch.ones(B, T, dtype=torch.long)}):
        with torch.profiler.profile() as profile:
            model(x, **given)
        ran = {event.key for event in profile.key_averages()}
        assert "aten::layer_norm" in ran
        assert not ran & {"aten::item", "aten::where", "aten::masked_fill"}


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("autocast, profile", [(None, "fp32"), ("bfloat16", "bf16")])
def test_the_shipped_pack_of_ground_truth_passes(attention, autocast, profile):
    from numbert.verify.compare import verify
    from numbert.verify.packs import shipped
    from numbert.verify.run import PARAMETER, build

    def candidate(case):
        model = build(case, "float32").to_torch(attn_implementation=attention)
        trace = numbert.Trace()
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast is not None):
            output, saved = model.forward(**case.inputs, trace=trace)
        grads = model.backward(saved, **case.cotangents)
        return {**trace, **{PARAMETER + name: x for name, x in grads.items()}}

    report = verify(shipped(), candidate, profile=profile, diagnose=False)
    wrong = [(t.case, t.name) for t in report.tensors if t.wrong]
    assert not wrong and report.verdict == "pass", wrong
    assert len(report.tensors) > 1000
