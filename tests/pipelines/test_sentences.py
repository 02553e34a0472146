"""Sentence embeddings from Python: numbert.embed and numbert.sentence_settings."""

import math
import re

import numpy as np
import pytest

import cli_cases
import numbert
from cli_cases import TEXTS, sentence_files
from common import stressed
from minilm import minilm_dir
from numbert.cli.common import load_backbone
from numbert.pipelines import sentences


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small checkpoint of a whole model, head included, with its tokenizer."""
    return cli_cases.saved(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="module")
def parts(folder):
    """The model in float64, and the tokenizer."""
    return cli_cases.loaded(folder)


def alone(model, tokenizer, text, pooling):
    """A text's vector computed by itself: no batch, no padding, sums by math.fsum."""
    batch = tokenizer([text], return_tensors="np")
    hidden = model(**batch).last_hidden_state[0]
    if pooling == "cls":
        return hidden[0]
    return np.array([math.fsum(column) / len(hidden) for column in hidden.T])


@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize("batch_size", [1, 2, 32])
def test_embed_is_each_text_alone(parts, pooling, batch_size):
    got = numbert.embed(*parts, TEXTS, pooling, batch_size=batch_size)
    want = np.array([alone(*parts, text, pooling) for text in TEXTS])
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-13)


def test_embed_keeps_the_order_over_many_windows(parts):
    texts = [TEXTS[i % len(TEXTS)] for i in range(sentences.WINDOW * 2 + 5)]
    got = numbert.embed(*parts, iter(texts), batch_size=1)
    want = {text: alone(*parts, text, "mean") for text in TEXTS}
    np.testing.assert_allclose(got, [want[text] for text in texts], rtol=0, atol=1e-13)


def test_embed_normalizes(parts):
    got = numbert.embed(*parts, TEXTS, normalize=True)
    raw = numbert.embed(*parts, TEXTS)
    for row, whole in zip(got, raw):
        length = math.sqrt(math.fsum(x * x for x in whole))
        np.testing.assert_allclose(row, whole / length, rtol=0, atol=1e-15)


def test_embed_of_one_text_and_of_none(parts):
    one = numbert.embed(*parts, TEXTS[0])
    assert one.shape == (12,)
    np.testing.assert_array_equal(one, numbert.embed(*parts, TEXTS[:1])[0])
    assert numbert.embed(*parts, []).shape == (0, 12)


def test_embed_float32_stays_float32(folder, parts):
    model = load_backbone(str(folder))
    got = numbert.embed(model, parts[1], TEXTS, normalize=True)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, numbert.embed(*parts, TEXTS, normalize=True),
                               rtol=0, atol=3e-6)


def test_embed_cuts_long_texts(parts):
    long = "a man is eating a plate of pasta"            # 10 tokens; the model has 9
    cut = numbert.embed(*parts, "a man is eating a plate of")
    np.testing.assert_allclose(numbert.embed(*parts, long), cut, rtol=0, atol=1e-13)
    np.testing.assert_allclose(numbert.embed(*parts, long, max_length=4),
                               numbert.embed(*parts, "a man"), rtol=0, atol=1e-13)


@pytest.mark.parametrize("options, error, says", [
    (dict(pooling="median"), ValueError, "pooling is 'median', expected one of cls"),
    (dict(batch_size=0), ValueError, "batch_size is 0"),
    (dict(max_length=10), ValueError, "max_length is 10, expected 3 to 9"),
    (dict(max_length=2), ValueError, "max_length is 2"),
])
def test_embed_refuses(parts, options, error, says):
    with pytest.raises(error, match=re.escape(says)):
        numbert.embed(*parts, TEXTS, **options)


def test_embed_refuses_other_things_than_text_and_models(parts):
    with pytest.raises(TypeError):
        numbert.embed(*parts, ["fine", 3])
    head = stressed(numbert.BertForMaskedLM)
    with pytest.raises(TypeError, match="BertForMaskedLM, expected a BertModel"):
        numbert.embed(head, parts[1], TEXTS)


def test_sentence_settings(tmp_path):
    assert numbert.sentence_settings(tmp_path) == {}
    sentence_files(tmp_path, {"pooling_mode_cls_token": True,
                              "word_embedding_dimension": 12,
                              "pooling_mode_mean_tokens": False})
    assert numbert.sentence_settings(tmp_path) == {
        "pooling": "cls", "max_length": 5, "steps": (sentences.unit,)}
    sentence_files(tmp_path, {"pooling_mode_max_tokens": True})
    assert numbert.sentence_settings(tmp_path)["pooling"] == "max"
    sentence_files(tmp_path, {"pooling_mode_mean_tokens": True,
                              "pooling_mode_mean_sqrt_len_tokens": True})
    assert numbert.sentence_settings(tmp_path)["pooling"] == (
        "mean", "mean_sqrt_len_tokens")
    (tmp_path / "modules.json").write_text("[")
    with pytest.raises(ValueError, match="modules.json is broken JSON"):
        numbert.sentence_settings(tmp_path)


def test_minilm_agrees_with_hugging_face():
    """float32, each text alone in Hugging Face, all in one batch here."""
    path = minilm_dir()
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    texts = ["A man eats a plate of pasta.", "Rain.", "Zürich liegt am See: schön!",
             "The orchestra opens with a symphony, and nobody in the hall is coughing."]
    settings = numbert.sentence_settings(path)
    assert settings == {"pooling": "mean", "max_length": 256,
                        "steps": (sentences.unit,)}
    model = numbert.BertModel.from_pretrained(path)
    got = numbert.embed(model, numbert.BertTokenizer.from_pretrained(path), texts,
                        **settings)
    tokenizer = transformers.BertTokenizer.from_pretrained(path)
    twin = transformers.BertModel.from_pretrained(path, attn_implementation="eager")
    for text, row in zip(texts, got):
        with torch.inference_mode():
            hidden = twin.eval()(**tokenizer(text, return_tensors="pt"))[0][0]
        want = torch.nn.functional.normalize(hidden.mean(0), dim=0).numpy()
        np.testing.assert_allclose(row, want, rtol=0, atol=2e-5)
