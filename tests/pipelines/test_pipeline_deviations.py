"""One test for each deliberate difference from transformers' pipelines."""

import json
from pathlib import Path

import numpy as np
import pytest

import numbert
import pipeline_cases as cases
from numbert.pipelines import pipeline
from numbert.pipelines.deviations import PIPELINES
from pipeline_cases import ASK, LONG, TEXT, pipe

RECORDED = json.loads((Path(__file__).parents[1] / "golden" / "pipelines.json")
                      .read_text(encoding="utf-8"))


@pytest.fixture
def theirs(tmp_path):
    """A function that makes Hugging Face's pipeline for a checkpoint of MODELS."""
    transformers = pytest.importorskip("transformers")
    transformers.utils.logging.disable_progress_bar()

    def make(task, name, **options):
        folder = cases.saved(tmp_path / name, name)
        return transformers.pipeline(task, model=folder, device=-1, **options)
    return make


def test_every_deviation_has_a_test_and_a_name_of_its_own():
    names = [d.name for d in PIPELINES]
    assert len(set(names)) == len(names)
    assert {f"test_{name}" for name in names} <= set(globals())


def test_question_answering(theirs):
    with pytest.raises(KeyError, match="removed"):
        theirs("question-answering", "answers")
    assert RECORDED["question-answering"]["transformers"].startswith("4.57")
    assert pipe("question-answering")(ASK)["answer"] in TEXT


def test_impossible_spans():
    recorded = RECORDED["question-answering"]["results"]
    assert any(answer["score"] == 0 for result in recorded if isinstance(result, list)
               for part in result if isinstance(part, list) for answer in part)
    got = pipe("question-answering")(question="Who?", context="Bob Lee", top_k=9)
    assert sorted(a["answer"] for a in got) == ["Bob", "Bob Lee", "Lee"]


def test_long_questions():
    ask = pipe("question-answering")
    question = "where does unaffable anna live in the city of paris"
    short, size = ask.shortened(question, 4)
    assert size == 4
    assert ask.tokenizer.tokenize(short) == ask.tokenizer.tokenize(question)[:4]
    assert (ask(question=question, context=TEXT, max_question_len=4)
            == ask(question=short, context=TEXT))


def test_room_for_the_stride():
    ask = pipe("question-answering")
    item = {"question": "where does anna live in the city", "context": LONG}
    rows = ask.rows(item, ask.checked({"max_seq_len": 15}))     # half is 7, the room 5
    assert all(len(row.ids) <= 15 for row in rows)
    assert rows[-1].encoding.offsets[-2][1] == len(LONG)
    with pytest.raises(ValueError, match="doc_stride is 7.*less than the 5 tokens"):
        ask(item, max_seq_len=15, doc_stride=7)


def test_nothing_to_answer_with():
    with pytest.raises(ValueError, match="has no tokens"):
        pipe("question-answering")(question="Who?", context=" \n ")


def test_padding_side(theirs):
    tokenizer = cases.tokenizer(padding_side="left")
    model = cases.model(numbert.BertForSequenceClassification)
    classify = pipeline("text-classification", model, tokenizer)
    texts = ["Bob", TEXT]
    got = [a["score"] for a in classify(texts, batch_size=2)]
    assert got == pytest.approx([a["score"] for a in classify(texts)], abs=1e-6)
    hf = theirs("text-classification", "three")
    hf.tokenizer.padding_side = "left"
    one, two = (hf(texts, batch_size=n)[0]["score"] for n in (1, 2))
    assert abs(one - two) > 1e-4


def test_features_of_a_batch(theirs):
    texts = ["Bob", TEXT]
    got = pipe("feature-extraction")(texts, batch_size=2)
    assert [np.shape(x) for x in got] == [(1, 3, 12), (1, 8, 12)]
    hf = theirs("feature-extraction", "states")(texts, batch_size=2)
    assert [np.shape(x) for x in hf] == [(1, 8, 12), (1, 8, 12)]
    np.testing.assert_allclose(got[0], np.array(hf[0])[:, :3], atol=1e-5)


def test_plain_numbers(theirs):
    assert type(pipe("token-classification")("Bob")[0]["score"]) is float
    assert type(theirs("ner", "plain names")("Bob")[0]["score"]) is np.float32


def test_any_iterable():
    classify = pipe("text-classification")
    answers = classify(dict.fromkeys(["Bob", TEXT]).keys())
    assert not isinstance(answers, list)
    assert list(answers) == classify(["Bob", TEXT])


def test_empty_list(theirs):
    assert pipe("text-classification")([]) == []
    with pytest.raises(IndexError):
        theirs("text-classification", "three")([])


def test_tuples(theirs):
    with pytest.raises(TypeError, match="several items as a list"):
        pipe("token-classification")(("Bob", TEXT))
    with pytest.raises(ValueError):
        theirs("ner", "names")(("Bob", TEXT))


def test_list_checked_first(monkeypatch):
    fill = pipe("fill-mask")
    monkeypatch.setattr(type(fill), "run", lambda *args: pytest.fail("computed"))
    with pytest.raises(ValueError, match="no .MASK."):
        fill(["a [MASK].", "b"])


def test_too_long(theirs):
    text = LONG + LONG
    with pytest.raises((IndexError, RuntimeError)):
        theirs("text-classification", "three")(text)
    classify = pipe("text-classification")
    with pytest.raises(ValueError, match="90 tokens.* 40: pass truncation=True"):
        classify(text)
    classify.tokenizer.model_max_length = 1000
    assert len(classify.rows(text, classify.checked({"truncation": True}))[0].ids) == 40


def test_unknown_option(theirs):
    with pytest.raises(TypeError, match="no argument topk, expected .*return_t"):
        pipe("feature-extraction", return_tensors=True)("Bob", topk=3)
    theirs("feature-extraction", "states")("Bob", topk=3)


def test_options_of_the_pipeline(theirs):
    words = TEXT.split()
    made = pipe("token-classification", is_split_into_words=True)
    assert made(words) == pipe("token-classification")(words, is_split_into_words=True)
    assert len(made(words)) == 1                      # one text of five words
    assert len(theirs("ner", "names", is_split_into_words=True)(words)) == 5


def test_more_words_than_there_are(theirs):
    fill = pipe("fill-mask", top_k=9999)
    assert len(fill("[MASK]")) == len(fill.tokenizer)
    with pytest.raises(RuntimeError):
        theirs("fill-mask", "words")("[MASK]", top_k=9999)


def test_writing_encoders(tmp_path):
    folder = cases.saved(tmp_path, "words")
    assert pipeline("text-generation", folder).model.config.is_decoder
    with pytest.raises(ValueError, match="is_decoder"):
        pipe("text-generation")


def test_room_to_write():
    write = pipe("text-generation", name="writer", return_tensors=True)
    ids = write(TEXT, rng=0)[0]["generated_token_ids"]
    assert len(ids) == write.model.config.max_position_embeddings


def test_chats():
    write = pipe("text-generation", name="writer")
    with pytest.raises(TypeError, match="expected a str"):
        write({"role": "user", "content": "Hello"})
    with pytest.raises(TypeError, match="no stop_sequence, on purpose"):
        write(TEXT, stop_sequence="a")
