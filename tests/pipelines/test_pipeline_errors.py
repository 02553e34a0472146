"""Pipelines refuse bad input with one clear error, and warn of unfit checkpoints."""

import json
import warnings

import pytest

import numbert
import pipeline_cases as cases
from numbert.pipelines import pipeline
from pipeline_cases import ASK, LABELS, LONG, TEXT, pipe

BAD_CALLS = [
    ("fill-mask", "Paris is it.", {}, r"has no \[MASK\]"),
    ("fill-mask", LONG + LONG + "[MASK]", {}, "at most the model's max_position"),
    ("fill-mask", LONG + LONG + "[MASK]", {"truncation": True}, "after truncation"),
    ("fill-mask", 3, {}, "expected a str"),
    ("fill-mask", ("[MASK]", "b"), {}, "tuple"),
    ("fill-mask", "[MASK]", {"top_k": 0}, "top_k is 0"),
    ("fill-mask", "[MASK]", {"top_k": "5"}, "top_k is '5'"),
    ("fill-mask", "[MASK]", {"topk": 5}, "no argument topk, expected .*top_k"),
    ("fill-mask", "[MASK]", {"targets": []}, "nothing to choose from"),
    ("fill-mask", "[MASK]", {"batch_size": 0}, "batch_size is 0"),
    ("text-classification", TEXT, {"function_to_apply": "relu"}, "expected one of"),
    ("text-classification", TEXT, {"threshold": 0.5}, "threshold is 0.5 without top_k"),
    ("text-classification", TEXT, {"threshold": "x", "top_k": 1}, "threshold is 'x'"),
    ("text-classification", {"text": "a", "pair": "b"}, {}, "unknown key 'pair'"),
    ("text-classification", {"text_pair": "b"}, {}, "lacks 'text'"),
    ("text-classification", [["a", "b"]], {}, "expected a str"),
    ("token-classification", TEXT, {"aggregation_strategy": "best"}, "expected one of"),
    ("token-classification", TEXT, {"stride": 3}, "aggregation_strategy"),
    ("token-classification", TEXT, {"stride": 38, "aggregation_strategy": "max"},
     "less than the 38"),
    ("token-classification", TEXT, {"is_split_into_words": True}, "list of words"),
    ("token-classification", [["a"]], {}, "expected a str"),
    ("token-classification", TEXT, {"ignore_labels": "O"}, "list of labels"),
    ("question-answering", {"question": "", "context": "a"}, {}, "question is empty"),
    ("question-answering", {"question": "a", "context": ""}, {}, "context is empty"),
    ("question-answering", {"question": "a", "context": " \t"}, {}, "no tokens"),
    ("question-answering", {"question": "a"}, {}, "lacks 'context'"),
    ("question-answering", "a?", {}, "expected a dict"),
    ("question-answering", None, {"question": "a"}, "context is missing"),
    ("question-answering", None, {"question": ["a"] * 2, "context": ["b"]},
     "context holds 1 texts, expected 2"),
    ("question-answering", None, {"question": "a", "context": ["b"]}, "repeat"),
    ("question-answering", None, {}, "is missing, expected question="),
    ("question-answering", ASK, {"question": "a"}, "is given twice, expected quest"),
    ("question-answering", ASK, {"max_seq_len": 41}, "max_seq_len is 41"),
    ("question-answering", ASK, {"max_seq_len": 8}, "leaves no room"),
    ("question-answering", ASK, {"doc_stride": 40}, "doc_stride is 40"),
    ("question-answering", ASK, {"doc_stride": 35}, "doc_stride is 35"),
    ("question-answering", ASK, {"max_answer_len": 0}, "max_answer_len is 0"),
    ("question-answering", ASK, {"top_k": 0}, "top_k is 0"),
    ("next-sentence", "a", {}, "expected a dict"),
    ("next-sentence", {"text": "a"}, {}, "lacks 'text_pair'"),
    ("multiple-choice", {"prompt": "a", "choices": []}, {}, "at least one"),
    ("multiple-choice", {"prompt": "a", "choices": "bc"}, {}, "expected a list"),
    ("multiple-choice", {"prompt": "a", "choices": [3]}, {}, "expected a str"),
    ("feature-extraction", LONG + LONG, {}, "pass truncation=True"),
    ("text-generation", TEXT, {"rng": -1}, "rng is -1, expected a whole number >= 0"),
    ("text-generation", TEXT, {"rng": True}, "rng is True, expected a whole number"),
    ("sentence-embedding", TEXT, {"pooling": "median"}, "expected one of cls, max"),
    ("sentence-embedding", TEXT, {"max_length": 41}, "max_length is 41"),
    ("text-generation", "", {"add_special_tokens": False}, "no tokens"),
    ("text-generation", TEXT, {"max_new_tokens": 40}, "no room"),
    ("text-generation", TEXT, {"beams": 3}, "no argument beams"),
]


@pytest.mark.parametrize("task, inputs, options, message", BAD_CALLS)
def test_bad_calls(task, inputs, options, message):
    name = {"text-generation": "writer"}.get(task)
    bad = pipe(task, name=name)
    with pytest.raises((ValueError, TypeError), match=message):
        bad(inputs, **options)
    if not {"batch_size", "question"} & set(options) and options:
        with pytest.raises((ValueError, TypeError), match=message):
            pipe(task, name=name, **options)(inputs)


def test_bad_pipelines():
    model, tokenizer = cases.model(numbert.BertForMaskedLM), cases.tokenizer()
    with pytest.raises(ValueError, match="task is 'summarize', expected .*fill-mask"):
        pipeline("summarize", model, tokenizer)
    with pytest.raises(ValueError, match="tokenizer is None, expected"):
        pipeline("fill-mask", model)
    with pytest.raises(TypeError, match="a BertForMaskedLM, expected a BertForTok"):
        pipeline("ner", model, tokenizer)
    with pytest.raises(ValueError, match="dtype is given.*loaded already"):
        pipeline("fill-mask", model, tokenizer, dtype="float64")
    with pytest.raises(FileNotFoundError):
        pipeline("fill-mask", "./nowhere")
    with pytest.raises(ValueError, match="mask_token is None, expected"):
        pipeline("fill-mask", model, cases.tokenizer(mask_token=None))
    with pytest.raises(ValueError, match="is_decoder"):
        pipe("text-generation")


def test_default_model(monkeypatch, tmp_path):
    monkeypatch.setattr("numbert.checkpoints.FOLDER", tmp_path)
    with pytest.raises(ValueError, match="task is 'token-cl.*pass model="):
        pipeline("ner")
    cases.saved(tmp_path / "token-classification", "names")
    assert isinstance(pipeline("ner")("Bob"), list)


def test_labels_that_do_not_fit(tmp_path):
    """The head has 6 classes, but the configuration names only 2."""
    cases.saved(tmp_path, "names")
    path = tmp_path / "config.json"
    config = json.loads(path.read_text())
    config["id2label"], config["label2id"] = {"0": "no", "1": "yes"}, None
    path.write_text(json.dumps(config))
    with pytest.raises(ValueError, match=rf"classifier.*{len(LABELS)}"):
        pipeline("ner", tmp_path)


def test_labels_with_a_gap_or_numbers_for_names(tmp_path):
    """A name is asked for where it is used, and only there."""
    cases.saved(tmp_path, "names")
    path = tmp_path / "config.json"
    config = json.loads(path.read_text())
    config["id2label"], config["label2id"] = {str(i): i for i in range(6)}, None
    path.write_text(json.dumps(config))
    labels = {entity["entity"] for entity in pipeline("ner", tmp_path)("Bob sees Ann")}
    assert labels and labels <= set("012345")
    config["id2label"]["7"] = config["id2label"].pop("5")
    path.write_text(json.dumps(config))
    ner = pipeline("ner", tmp_path)
    with pytest.raises(ValueError, match="id2label has no name for class 5, expected"):
        ner("Bob")


def test_a_checkpoint_without_a_head_was_not_trained_for_another_task(tmp_path):
    folder = cases.saved(tmp_path, "words")
    numbert.BertModel.from_pretrained(folder).save_pretrained(folder)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pipeline("ner", folder)
    texts = [str(warning.message) for warning in caught]
    assert any("starts fresh" in text for text in texts)
    assert not any("was saved as" in text for text in texts), texts


def test_warnings(tmp_path):
    folders = {name: cases.saved(tmp_path / name, name)
               for name in ("words", "single", "three")}
    with pytest.warns(UserWarning, match="starts fresh.*classifier.weight"), \
            pytest.warns(UserWarning, match="was saved as BertForMaskedLM"):
        pipeline("ner", folders["words"])
    with pytest.warns(UserWarning, match="was saved as BertForSequenceClassification"):
        pipeline("multiple-choice", folders["single"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pipeline("feature-extraction", folders["words"])
        pipeline("sentence-embedding", folders["three"])
        pipeline("text-generation", folders["words"])
