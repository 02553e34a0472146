"""The names that users of transformers' pipelines type: taken, or refused by name."""

import importlib
import inspect
from pathlib import Path

import numpy as np
import pytest

import numbert
import pipeline_cases as cases
from numbert.pipelines import TASKS, pipeline, task_class
from numbert.pipelines.base import Pipeline
from numbert.pipelines.text_generation import settings_known
from numbert.system.absent import ABSENT
from pipeline_cases import LONG, PAIR, TEXT, TWO, pipe

FILLED = "a [MASK] film"


def arguments(function):
    """The names of a function's arguments, without * and **."""
    return {name for name, kind in inspect.signature(function).parameters.items()
            if kind.kind not in (kind.VAR_KEYWORD, kind.VAR_POSITIONAL)} - {"self"}


def test_pipeline_takes_or_refuses_every_argument():
    transformers = pytest.importorskip("transformers")
    lacking = arguments(transformers.pipeline) - arguments(pipeline) - set(ABSENT)
    assert not lacking


# Transformers has no pipelines for the other tasks.
SHARED = sorted({*TASKS} - {"multiple-choice", "next-sentence", "question-answering",
                            "sentence-embedding"})


def test_the_shared_tasks_are_shared():
    transformers = pytest.importorskip("transformers")
    theirs = transformers.pipelines.PIPELINE_REGISTRY.get_supported_tasks()
    assert SHARED == sorted({*TASKS} & {*theirs})


@pytest.mark.parametrize("task", SHARED)
def test_tasks_take_or_refuse_every_argument(task):
    transformers = pytest.importorskip("transformers")
    registry = transformers.pipelines.PIPELINE_REGISTRY
    path, _, name = registry.check_task(task)[1]["impl"].rpartition(".")
    theirs = getattr(importlib.import_module(path), name)
    names = set().union(*map(arguments, (
        transformers.Pipeline.__init__, theirs.__init__, transformers.Pipeline.__call__,
        theirs.__call__, theirs._sanitize_parameters)))
    ours = task_class(task)
    known = {*ours.defaults, *arguments(ours.__init__), *arguments(pipeline),
             *arguments(ours.__call__), *arguments(Pipeline.__call__)}
    if task == "text-generation":
        known |= set(settings_known())
    # The first of a call has no name that anyone types.
    assert not names - known - set(ABSENT) - {"inputs", "text_inputs", "sequences"}


@pytest.mark.parametrize("task, item", [
    ("fill-mask", FILLED), ("text-classification", TEXT), ("text-classification", PAIR),
    ("feature-extraction", TEXT)])
@pytest.mark.parametrize("padding", [True, False, None, "longest", "max_length",
                                     "do_not_pad"])
def test_padding_changes_no_answer(task, item, padding):
    ask = pipe(task)
    want = ask(item)
    assert ask(item, padding=padding) == want
    assert ask(item, tokenizer_kwargs={"padding": padding}) == want


def test_padding_as_in_transformers(tmp_path):
    transformers = pytest.importorskip("transformers")
    folder = cases.saved(tmp_path, "three")
    theirs = transformers.pipeline("text-classification", model=folder, device=-1)
    ours = pipeline("text-classification", folder, device="cpu")
    for options in ({"padding": True}, {"padding": "max_length", "truncation": True},
                    {"text_pair": "Very bad."},
                    {"text_pair": LONG, "truncation": True, "max_length": 12}):
        want, got = theirs(TWO, **options), ours(TWO, **options)
        assert [a["label"] for a in got] == [a["label"] for a in want]
        np.testing.assert_allclose([a["score"] for a in got],
                                   [a["score"] for a in want], rtol=0, atol=1e-6)


def test_text_pair_is_the_pair():
    classify = pipe("text-classification", "three", top_k=None)
    want = classify(PAIR)
    assert classify(PAIR["text"], text_pair=PAIR["text_pair"], top_k=None) == want
    assert classify([PAIR["text"]] * 2, text_pair=PAIR["text_pair"]) == [want] * 2
    assert want != classify(PAIR["text"], top_k=None)
    with pytest.raises(ValueError, match="text_pair is 'a' and the item is a dict"):
        classify(PAIR, text_pair="a")
    with pytest.raises(TypeError, match="text_pair is 3, .*expected a str"):
        classify("a", text_pair=3)


@pytest.mark.parametrize("device", ["cpu", -1, None])
def test_the_processor_is_the_one_device(device):
    cls = task_class("fill-mask").model_class
    pipeline("fill-mask", cases.model(cls), cases.tokenizer(), device=device)


@pytest.mark.parametrize("device", ["cuda", 0, "cuda:0", "mps"])
def test_other_devices_are_refused(device):
    with pytest.raises(ValueError, match=f"device is {device!r}, expected 'cpu' or -1"):
        pipeline("fill-mask", device=device)


def test_config_is_that_of_the_model(tmp_path):
    folder = cases.saved(tmp_path, "three")
    config = numbert.BertConfig.from_pretrained(
        folder, id2label={0: "A", 1: "B", 2: "C"})
    got = pipeline("text-classification", folder, config=config)(TEXT, top_k=None)
    assert {answer["label"] for answer in got} == set("ABC")
    config.save_pretrained(tmp_path / "other")
    again = pipeline("text-classification", folder, config=tmp_path / "other")
    assert again(TEXT, top_k=None) == got


def test_revision_goes_to_the_hub(monkeypatch, tmp_path):
    asked = []
    folder = cases.saved(tmp_path, "three")

    def resolve(name, filenames=(), **hub):
        if name == folder:
            asked.append(hub)
        return tmp_path
    monkeypatch.setattr("numbert.system.hub.resolve", resolve)
    pipeline("text-classification", folder, revision="v1", token="key")
    assert asked and all(hub["revision"] == "v1" and hub["token"] == "key"
                         for hub in asked)


@pytest.mark.parametrize("task, name", [("text-classification", "three"),
                                        ("sentence-embedding", "words")])
def test_a_checkpoint_in_a_subfolder(task, name, tmp_path):
    """HF: model_kwargs go to the tokenizer's files and those of the config, too."""
    folder = cases.saved(tmp_path / "inside", name)
    want = pipeline(task, folder)(TEXT)
    for named in ({"model_kwargs": {"subfolder": "inside"}}, {
            "model_kwargs": {"subfolder": "inside"}, "tokenizer": str(tmp_path)}):
        np.testing.assert_equal(pipeline(task, str(tmp_path), **named)(TEXT), want)


def test_a_checkpoint_in_a_subfolder_as_in_transformers(tmp_path):
    transformers = pytest.importorskip("transformers")
    cases.saved(tmp_path / "inside", "three")
    for named in ({}, {"tokenizer": str(tmp_path)}, {"config": str(tmp_path)}):
        options = {"model_kwargs": {"subfolder": "inside"}, **named}
        theirs = transformers.pipeline("text-classification", str(tmp_path), device=-1,
                                       **options)
        got, = pipeline("text-classification", str(tmp_path), **options)(TEXT)
        want, = theirs(TEXT)
        assert got["label"] == want["label"]
        np.testing.assert_allclose(got["score"], want["score"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("argument", ["revision", "token", "force_download",
                                      "cache_dir", "local_files_only"])
def test_hub_arguments_reach_every_file(argument, monkeypatch, tmp_path):
    """The model, the tokenizer, the config, and the modules of sentences."""
    folder = Path(cases.saved(tmp_path, "words"))
    asked = []

    def resolve(name, filenames=(), **hub):
        if name != folder:                       # a file of a model that was found
            asked.append((name, hub.get(argument)))
        return folder
    for module in ("system.hub", "models.weights", "pipelines.sentence_files"):
        monkeypatch.setattr(f"numbert.{module}.resolve", resolve, raising=False)
    pipeline("sentence-embedding", "owner/a", "owner/b", config="owner/c",
             model_kwargs={argument: "given"})
    assert {name for name, _ in asked} == {"owner/a", "owner/b", "owner/c"}
    assert {value for _, value in asked} == {"given"}


def test_a_loaded_model_has_no_revision():
    cls = task_class("fill-mask").model_class
    with pytest.raises(ValueError, match="revision is given, expected neither"):
        pipeline("fill-mask", cases.model(cls), cases.tokenizer(), revision="v1")


@pytest.mark.parametrize("name, says", [
    ("device_map", "memory of one process"), ("trust_remote_code", "runs no code"),
    ("num_workers", "one pipeline, in NumPy"), ("image_processor", "read text"),
    ("topk", "has no argument topk, expected one of")])
def test_what_is_absent_says_why(name, says):
    with pytest.raises(TypeError, match=says):
        pipe("fill-mask", **{name: "auto"})
    with pytest.raises(TypeError, match=says):
        pipe("fill-mask")(FILLED, **{name: "auto"})


def test_an_absent_name_that_asks_for_nothing_passes():
    assert pipe("fill-mask", trust_remote_code=False, device_map=None)(FILLED)


# ------------------------------------------------------- zero-shot-classification

def test_zero_shot_is_entailment_of_the_hypothesis():
    ask, labels = pipe("zero-shot-classification", "nli"), ["sea", "film", "Bob"]
    scores = []
    for label in labels:
        batch = ask.tokenizer(TEXT, f"This is {label}!", return_tensors="np")
        scores.append(ask.model(**batch).logits[0].astype(float))
    scores = np.array(scores)
    want = np.exp(scores[:, 2]) / np.exp(scores[:, 2]).sum()
    got = ask(TEXT, labels, hypothesis_template="This is {}!")
    assert got["labels"] == [labels[i] for i in np.argsort(-want)]
    np.testing.assert_allclose(got["scores"], np.sort(want)[::-1], rtol=1e-5)
    want = 1 / (1 + np.exp(scores[:, 0] - scores[:, 2]))
    got = ask(TEXT, labels, hypothesis_template="This is {}!", multi_label=True)
    np.testing.assert_allclose(got["scores"], np.sort(want)[::-1], rtol=1e-5)


def test_zero_shot_cuts_the_text_only():
    ask = pipe("zero-shot-classification", "nli")
    row, = ask.rows(LONG + LONG, ask.checked({"candidate_labels": ["sea"]}))
    assert len(row.ids) == 40
    hypothesis = ask.tokenizer("This example is sea.", add_special_tokens=False)
    assert row.ids[-len(hypothesis["input_ids"]) - 1:-1] == hypothesis["input_ids"]
    with pytest.raises(ValueError, match="at most the model's max_position"):
        ask("Bob", candidate_labels=[LONG + LONG])


@pytest.mark.parametrize("options, says", [
    ({}, "candidate_labels is None"), ({"candidate_labels": []}, "candidate_labels is"),
    ({"candidate_labels": " , "}, r"candidate_labels is \[\]"),
    ({"candidate_labels": [3]}, r"candidate_labels is \[3\]"),
    ({"candidate_labels": ["a"], "hypothesis_template": "a"}, r"expected \{\} in it")])
def test_zero_shot_refuses(options, says):
    with pytest.raises(ValueError, match=says):
        pipe("zero-shot-classification", "nli")(TEXT, **options)


def test_zero_shot_says_which_class_it_takes():
    with pytest.warns(UserWarning, match='expected one that begins with "entail"'):
        pipe("zero-shot-classification", "three")
