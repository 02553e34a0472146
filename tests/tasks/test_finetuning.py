"""Whole small runs: fine-tuning, going on after a stop, evaluation, a teacher."""

import hashlib
import json
import platform
import shutil
from pathlib import Path

import numpy as np
import pytest
import tiny

import numbert
from numbert.tasks.finetuning import evaluate, finetune
from numbert.system.places import one_run
from numbert.tasks import TASKS, Settings
from numbert.tasks.common import plain_collate
from numbert.training.loop import DivergedError

TEXT = "text-classification"


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny.checkpoint(tmp_path_factory.mktemp("base"))


def suffix(task):
    return {"token-classification": "conll", "question-answering": "json",
            "masked-lm": "txt"}.get(task, "tsv")


@pytest.mark.parametrize("task", TASKS)
def test_every_task_from_file_to_score(base, tmp_path, task):
    """It runs, learns, saves, and `evaluate` finds the same scores again."""
    file = tiny.write(tmp_path, f"t.{suffix(task)}", tiny.FILES[task])
    out = tmp_path / "out"
    options = Settings(max_length=24, doc_stride=4)
    result = finetune(task, file, file, base, out, settings=options, epochs=25, lr=0.01,
                      batch_size=2, dropout=False, progress=False)
    assert sorted(path.name for path in out.iterdir()) == [
        "config.json", "log.jsonl", "model.safetensors", "tokenizer.json",
        "tokenizer_config.json", "training.json"]
    scores, examples, predictions = evaluate(out, file)
    assert scores == pytest.approx(result.best, rel=1e-5, abs=1e-6)
    assert len(examples) == len(predictions)
    json.dumps(predictions)
    losses = [row["loss"] for row in result.history if "lr" in row]
    assert losses[-1] < losses[0]
    if task != "masked-lm":
        assert scores[TASKS[task].metric] > 0.99, scores
    record = json.loads((out / "training.json").read_text())
    assert record["task"] == task and record["settings"]["doc_stride"] == 4


def test_the_record_says_what_a_run_started_from(base, tmp_path):
    """Enough to repeat it; the hashes are those of hashlib on the files' bytes."""
    train = tiny.write(tmp_path, "t.tsv", tiny.FILES[TEXT])
    dev = tiny.write(tmp_path, "d.tsv", tiny.FILES[TEXT] * 2)
    finetune(TEXT, train, dev, base, tmp_path / "out", epochs=1, lr=np.float32(0.5),
             batch_size=4, seed=3, frozen=("bert.*",))
    record = json.loads((tmp_path / "out" / "training.json").read_text())
    assert record["model"] == base
    assert record["data"] == {
        name: {"file": file,
               "sha256": hashlib.sha256(Path(file).read_bytes()).hexdigest()}
        for name, file in (("train", train), ("dev", dev))}
    told = record["training"]
    assert [told[name] for name in ("lr", "epochs", "batch_size", "seed", "frozen")] \
        == [0.5, 1, 4, 3, ["bert.*"]]
    assert record["versions"] == {"numbert": numbert.__version__,
                                  "numpy": np.__version__,
                                  "python": platform.python_version()}
    finetune(TEXT, train, None, base, tmp_path / "next", epochs=1)
    record = json.loads((tmp_path / "next" / "training.json").read_text())
    assert list(record["data"]) == ["train"]


def test_texts_that_are_cut_are_counted_aloud(base, tmp_path):
    file = tiny.write(tmp_path, "t.tsv", "the cat\tx\n" + "the cat is in\ty\n" * 2)
    said = "2 of 3 examples in .*t.tsv have more than 5 tokens, so their ends were cut"
    with pytest.warns(UserWarning, match=said + ": train with a larger max_length"):
        finetune(TEXT, file, None, base, tmp_path / "out", epochs=1, warmup=0,
                 settings=Settings(max_length=5))
    with pytest.warns(UserWarning, match=said):
        evaluate(tmp_path / "out", file)


def test_labels_that_the_training_data_lacks(base, tmp_path):
    """They get a place in the head, in the order given, and may occur in other data."""
    train = tiny.write(tmp_path, "t.tsv", tiny.FILES[TEXT])
    dev = tiny.write(tmp_path, "d.tsv", "the sun\tgreat\nthe moon\tpoor\n")
    with pytest.raises(ValueError, match="label is 'great', expected one of the mo"):
        finetune(TEXT, train, dev, base, tmp_path / "out")
    finetune(TEXT, train, dev, base, tmp_path / "out", epochs=1,
             labels=["poor", "fine", "great"])
    model = numbert.BertForSequenceClassification.from_pretrained(tmp_path / "out")
    assert model.config.id2label == {0: "poor", 1: "fine", 2: "great"}
    assert 0 <= evaluate(tmp_path / "out", dev)[0]["accuracy"] <= 1
    with pytest.raises(ValueError, match="label is 'fine', expected one of the mode"):
        finetune(TEXT, train, dev, base, tmp_path / "x", labels=["poor", "great"])


@pytest.mark.parametrize("task, labels, message", [
    (TEXT, ["a", "b", "a"], "expected at least 2 different names, each once"),
    (TEXT, ["a"], "expected at least 2 different names"),
    (TEXT, "ab", "expected a list of names"), (TEXT, ["a", 3], "expected a list of n"),
    ("regression", ["a", "b"], "labels are given for regression, expected none"),
])
def test_labels_that_do_not_fit(base, tmp_path, task, labels, message):
    with pytest.raises((TypeError, ValueError), match=message):
        finetune(task, "none.tsv", None, base, tmp_path / "x", labels=labels)


@pytest.mark.parametrize("task, names", [
    (TEXT, ["poor", "fine"]), (TEXT, None), ("token-classification", None)])
@pytest.mark.parametrize("weights, smoothing", [
    ([0.5, 4.0, 1.0], 0.0), (None, 0.2), ("balanced", 0.1)])
def test_weights_and_smoothing_reach_the_loss(base, tmp_path, task, names, weights,
                                              smoothing):
    """The first loss of a run is that of torch, for the model that it starts from.

    The weights are in the order of the labels given or sorted, not in the model's.
    """
    torch = pytest.importorskip("torch")
    text = tiny.FILES[task] + ("so\tfine\n" * 3 if task == TEXT else "\na O\n")
    file = tiny.write(tmp_path, f"t.{suffix(task)}", text)
    cls = getattr(numbert, TASKS[task].model)
    order = ["poor", "fine"] if task == TEXT else ["O", "I-X", "B-X"]
    labels = {name: i for i, name in enumerate(order)}
    start = tiny.checkpoint(tmp_path / "m", cls=cls, label2id=labels,
                            id2label=dict(enumerate(order)))
    given = weights if weights is None or weights == "balanced" else \
        weights[:len(order)]
    result = finetune(task, file, None, start, tmp_path / "out", labels=names,
                      class_weights=given, label_smoothing=smoothing, steps=1,
                      epochs=None, batch_size=99, accumulate=3, warmup=0, log_every=1,
                      dropout=False, dtype="float64")
    model = cls.from_pretrained(start, dtype="float64")
    examples = TASKS[task].read(file)
    data = TASKS[task].encode(examples, tiny.tokenizer(), model.config, Settings())
    batch = plain_collate(tiny.tokenizer(), Settings())(data.inputs, None)
    y = torch.tensor(batch.pop("labels").reshape(-1))
    tally = [(y == i).sum().item() for i in range(len(order))]
    by_id = {None: None, "balanced": [sum(tally) / len(order) / n for n in tally]}
    by_id = by_id[given] if given in (None, "balanced") else [
        dict(zip(names or sorted(order), given))[name] for name in order]
    want = torch.nn.functional.cross_entropy(
        torch.tensor(model(**batch).logits.reshape(-1, len(order))), y,
        by_id and torch.tensor(by_id, dtype=torch.float64), label_smoothing=smoothing)
    assert result.history[0]["loss"] == pytest.approx(want.item(), rel=1e-12)
    record = json.loads((tmp_path / "out" / "training.json").read_text())
    assert record.get("label_smoothing", 0) == smoothing
    assert record.get("class_weights") == (by_id and pytest.approx(by_id))


def test_no_weights_and_no_smoothing_give_the_same_bits(base, tmp_path):
    file = tiny.write(tmp_path, "t.tsv", tiny.FILES[TEXT])
    for name, options in ("a", {}), ("b", dict(class_weights=None, label_smoothing=0)):
        finetune(TEXT, file, None, base, tmp_path / name, epochs=2, **options)
    for name in ("model.safetensors", "training.json"):
        assert (tmp_path / "a" / name).read_bytes() == \
            (tmp_path / "b" / name).read_bytes()
    record = json.loads((tmp_path / "a" / "training.json").read_text())
    assert not {"class_weights", "label_smoothing"} & set(record)


@pytest.mark.parametrize("task, options, message", [
    (TEXT, {"class_weights": [1, 2, 3]}, "3 class weights, expected 2, one for each"),
    (TEXT, {"class_weights": [1, 0]}, "a class weight is 0, expected a number above 0"),
    (TEXT, {"class_weights": "even"}, "class_weights is 'even', expected numbers, or"),
    (TEXT, {"label_smoothing": 2}, "smoothing is 2, expected a number from 0 to 1"),
    (TEXT, {"label_smoothing": 0.1, "teacher": "t"}, "teacher is t, expected None wi"),
    ("regression", {"label_smoothing": 0.1}, "expected text-classification or token-"),
    ("multi-label-classification", {"class_weights": "balanced"}, "is multi-label-cla"),
])
def test_weights_and_smoothing_that_do_not_fit(base, tmp_path, task, options, message):
    file = tiny.write(tmp_path, "t.tsv", tiny.FILES[task])
    with pytest.raises(ValueError, match=message):
        finetune(task, file, None, base, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def interrupted_at(step):
    """A collate that fails like a crash at its nth call."""
    def collate_of(tokenizer, settings):
        calls, collate = [], plain_collate(tokenizer, settings)

        def stopping(examples, rng):
            calls.append(1)
            if len(calls) == step:
                raise RuntimeError("the machine stops")
            return collate(examples, rng)
        return stopping
    return collate_of


def test_a_run_that_was_stopped_goes_on(base, tmp_path, monkeypatch):
    file = tiny.write(tmp_path, "t.tsv", tiny.FILES[TEXT])
    options = dict(epochs=3, batch_size=2, checkpoint_every=1, lr=1e-3)
    whole = finetune(TEXT, file, file, base, tmp_path / "whole", **options)
    for step in (4, 9):
        with monkeypatch.context() as patch:
            patch.setitem(TASKS, TEXT,
                          TASKS[TEXT]._replace(collate=interrupted_at(step)))
            with pytest.raises(RuntimeError, match="the machine stops"):
                finetune(TEXT, file, file, base, tmp_path / "parts", **options)
        left = {path.name for path in (tmp_path / "parts").iterdir()}
        assert "training.safetensors" in left and "model.safetensors" not in left
    parts = finetune(TEXT, file, file, base, tmp_path / "parts", **options)
    assert parts.best == whole.best and parts.steps == whole.steps == 12
    for name in ("model.safetensors", "config.json", "training.json"):
        assert (tmp_path / "parts" / name).read_bytes() == \
            (tmp_path / "whole" / name).read_bytes()


@pytest.mark.parametrize("change, message", [
    ({"settings": Settings(max_length=20)}, "max_length was None, is now 20"),
    ({"train_file": "cat\tfine\n" * 3 + "dog\tpoor\n" * 5}, "train_data_sha256 was"),
    ({"dev_file": "cat\tfine\n"}, "dev_data_sha256 was"),
    ({"label_smoothing": 0.1}, "label_smoothing was None, is now 0.1"),
    ({"class_weights": "balanced"}, "class_weights was None, is now "),
    ({"seed": 1}, "seed was 0, is now 1; model_sha256 was"),
    ({"model": 5}, "model_sha256 was"),
    ({"teacher": "t"}, "teacher_sha256 was None, .*temperature was None, is now 2"),
])
def test_a_run_does_not_go_on_as_another(base, tmp_path, monkeypatch, change, message):
    given = {"train_file": tiny.FILES[TEXT], "dev_file": tiny.FILES[TEXT]}
    if "model" in change:
        change = {"model": tiny.checkpoint(tmp_path / "m", rng=5)}
    if "teacher" in change:
        names = {"id2label": {0: "fine", 1: "poor"}, "label2id": {"fine": 0, "poor": 1}}
        change = {"teacher": tiny.checkpoint(
            tmp_path / "t", cls=numbert.BertForSequenceClassification, **names)}

    def again(**changes):
        all = {"model": base, **given, **changes}
        for name in given:
            all[name] = tiny.write(tmp_path, f"{name}.tsv", all[name])
        return finetune(TEXT, out=tmp_path / "out", epochs=2, batch_size=2,
                        checkpoint_every=1, **all)

    with monkeypatch.context() as patch:
        patch.setitem(TASKS, TEXT, TASKS[TEXT]._replace(collate=interrupted_at(4)))
        with pytest.raises(RuntimeError, match="the machine stops"):
            again()
    with pytest.raises(ValueError, match=f"a checkpoint of another run, .*{message}"):
        again(**change)
    assert again().steps == 8


def test_a_spoilt_model_has_no_scores(base, tmp_path):
    """Neither while it is trained nor later; its argmax would be class 0."""
    file = tiny.write(tmp_path, "t.tsv", tiny.FILES[TEXT])
    options = dict(lr=1e30, warmup=0, schedule="constant", batch_size=8, epochs=1)
    for number, dev in enumerate((file, None)):
        out = tmp_path / f"out{number}"
        with np.errstate(all="ignore"), pytest.raises(DivergedError, match="step 1"):
            finetune(TEXT, file, dev, base, out, **options)
        assert not (out / "training.json").exists()
        assert not (out / "model.safetensors").exists()
    names = {"id2label": {0: "fine", 1: "poor"}, "label2id": {"fine": 0, "poor": 1}}
    model = numbert.BertForSequenceClassification(tiny.config(**names), rng=0)
    model.params["classifier.bias"][1] = np.nan
    model.save_pretrained(tmp_path / "m")
    tiny.tokenizer().save_pretrained(str(tmp_path / "m"))
    with pytest.raises(DivergedError, match="the logits of this BertForSequence.* are "
                                            "not finite"):
        evaluate(tmp_path / "m", file, task=TEXT)


def test_nothing_is_overwritten_unasked(base, tmp_path):
    file = tiny.write(tmp_path, "t.tsv", tiny.FILES[TEXT])
    finetune(TEXT, file, None, base, tmp_path / "out", epochs=1)
    with pytest.raises(ValueError, match="out already holds a model"):
        finetune(TEXT, file, None, base, tmp_path / "out", epochs=1)
    with pytest.raises(ValueError, match="already holds a model"):
        finetune(TEXT, file, None, base, base, epochs=1)
    result = finetune(TEXT, file, None, base, tmp_path / "out", epochs=2,
                      overwrite=True)
    assert result.steps == 2 and result.best is None


@pytest.mark.parametrize("role", ["model", "teacher", "train", "dev"])
def test_the_result_never_replaces_an_input(base, tmp_path, role):
    """Not even with overwrite, and by no other path to it."""
    out = tmp_path / "out"
    shutil.copytree(base, out)
    file = tiny.write(tmp_path, "t.tsv", tiny.FILES[TEXT])
    inputs = {"model": base, "train": file, "dev": file, "teacher": None}
    inputs[role] = out if role in ("model", "teacher") else \
        tiny.write(out, "log.jsonl", tiny.FILES[TEXT])
    (tmp_path / "link").symlink_to(out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    for place in (out, tmp_path / "link", out / ".." / "out"):
        with pytest.raises(ValueError, match="would replace .* expected a place that"):
            finetune(TEXT, inputs["train"], inputs["dev"], inputs["model"], place,
                     teacher=inputs["teacher"], overwrite=True)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_a_second_run_into_one_folder_is_refused(base, tmp_path):
    file = tiny.write(tmp_path, "t.tsv", tiny.FILES[TEXT])
    with one_run(tmp_path / "out"):
        with pytest.raises(OSError, match="out is in use by another run"):
            finetune(TEXT, file, None, base, tmp_path / "out", epochs=1)
    finetune(TEXT, file, None, base, tmp_path / "out", epochs=1)


def test_overwrite_removes_nothing_before_all_is_checked(base, tmp_path):
    file, out = tiny.write(tmp_path, "t.tsv", tiny.FILES[TEXT]), tmp_path / "out"
    finetune(TEXT, file, None, base, out, epochs=1)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    bad = tiny.write(tmp_path, "bad.tsv", "a cat\tfine\nno label\n")
    for files in ((tmp_path / "typo.tsv", None), (file, bad)):
        with pytest.raises((OSError, ValueError)):
            finetune(TEXT, *files, base, out, overwrite=True)
        assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    for wrong, message in (({"size": 4}, "got an unexpected keyword argument 'size'"),
                           ({"warmup": 99}, "warmup is 99, expected at most the run"),
                           ({"patience": 2}, "patience is 2, expected None")):
        with pytest.raises((TypeError, ValueError), match=message):
            finetune(TEXT, file, None, base, out, overwrite=True, **wrong)
        assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_an_unfinished_run_is_said_to_be_one(base, tmp_path, monkeypatch):
    """Also where a finished model was overwritten: its weights are gone."""
    file, out = tiny.write(tmp_path, "t.tsv", tiny.FILES[TEXT]), tmp_path / "out"
    options = dict(batch_size=2, checkpoint_every=1)
    finetune(TEXT, file, None, base, out, epochs=1, **options)
    with monkeypatch.context() as patch:
        patch.setitem(TASKS, TEXT, TASKS[TEXT]._replace(collate=interrupted_at(3)))
        with pytest.raises(RuntimeError):
            finetune(TEXT, file, None, base, out, epochs=2, overwrite=True, **options)
    assert not (out / "model.safetensors").exists()
    with pytest.raises(ValueError, match="out holds an unfinished run, .*: repeat the"):
        evaluate(out, file)
    assert finetune(TEXT, file, None, base, out, epochs=2, **options).steps == 8


def test_the_folder_for_the_result_is_no_file(base, tmp_path):
    file = tiny.write(tmp_path, "t.tsv", tiny.FILES[TEXT])
    for overwrite in (False, True):
        with pytest.raises(NotADirectoryError, match="a folder for the result"):
            finetune(TEXT, file, None, base, file, overwrite=overwrite)


def test_the_head_goes_with_its_labels(tmp_path):
    """Kept for the same labels, in the checkpoint's order; fresh for any others."""
    names = {"id2label": {0: "poor", 1: "fine"}, "label2id": {"poor": 0, "fine": 1}}
    model = tiny.checkpoint(tmp_path / "m", rng=7, **names,
                            cls=numbert.BertForSequenceClassification)
    head = numbert.BertForSequenceClassification.from_pretrained(model).params[
        "classifier.weight"]
    for labels, kept in (("fine poor", True), ("good poor", False), ("a b c", False)):
        file = tiny.write(tmp_path, "t.tsv", "".join(
            f"cat\t{label}\n" for label in labels.split()))
        finetune(TEXT, file, None, model, tmp_path / "o", epochs=1, lr=0,
                 overwrite=True)
        new = numbert.BertForSequenceClassification.from_pretrained(tmp_path / "o")
        assert np.array_equal(new.params["classifier.weight"], head) is kept
        assert list(new.config.id2label.values()) == (
            ["poor", "fine"] if kept else labels.split())
        assert new.config.problem_type == "single_label_classification"


def test_a_student_learns_from_a_teacher(base, tmp_path):
    file = tiny.write(tmp_path, "t.tsv", tiny.FILES[TEXT])
    wrong = tiny.write(tmp_path, "w.tsv", "".join(
        f"{text}\t{'fine' if label == 'poor' else 'poor'}\n"
        for text, label in tiny.TEXTS))
    options = dict(epochs=20, lr=0.01, batch_size=4, dropout=False)
    finetune(TEXT, wrong, None, base, tmp_path / "teacher", **options)
    # labels say one thing, the teacher the other: the weight decides
    for weight, expected in ((0.0, 1.0), (1.0, 0.0)):
        result = finetune(TEXT, file, file, base, tmp_path / "s", overwrite=True,
                          teacher=tmp_path / "teacher", soft_weight=weight,
                          keep_best=False, **options)
        assert result.history[-1]["accuracy"] == expected


def test_what_does_not_fit_is_refused_before_training(base, tmp_path):
    file = tiny.write(tmp_path, "t.tsv", tiny.FILES[TEXT])
    other = tiny.write(tmp_path, "o.tsv", "cat\tx\ndog\ty\n")
    out = tmp_path / "out"
    with pytest.raises(ValueError, match="task is 'poetry', expected one of text"):
        finetune("poetry", file, None, base, out)
    with pytest.raises(ValueError, match="o.tsv, line 1: label is 'x', expected"):
        finetune(TEXT, file, other, base, out)
    for bad in ({"lr": "1e-3"}, {"seed": -1}, {"batch_size": "8"}, {"epochs": "3"},
                {"eval_batch_size": 0}):
        (name, value), = bad.items()
        with pytest.raises(ValueError, match=f"{name} is {value!r}, expected a"):
            finetune(TEXT, file, None, base, out, **bad)
    with pytest.raises(FileNotFoundError):
        finetune(TEXT, tmp_path / "none.tsv", None, base, out)
    larger = tiny.tokenizer(tiny.PIECES + ["zebra"])
    broken = tiny.checkpoint(tmp_path / "broken")
    larger.save_pretrained(broken)
    with pytest.raises(ValueError, match="35 tokens, expected .* vocab_size, 34: use"):
        finetune(TEXT, file, None, broken, out)
    teacher = tiny.checkpoint(tmp_path / "t", pieces=tiny.PIECES + ["zebra"],
                              cls=numbert.BertForSequenceClassification)
    with pytest.raises(ValueError, match="another vocabulary"):
        finetune(TEXT, file, None, base, out, teacher=teacher)
    with pytest.raises(ValueError, match="expected a trained head for text-cl"):
        finetune(TEXT, file, None, base, out, teacher=base)
    teacher = tiny.checkpoint(tmp_path / "t",
                              cls=numbert.BertForSequenceClassification)
    with pytest.raises(ValueError, match="teacher's labels are LABEL_0, LABEL_1"):
        finetune(TEXT, file, None, base, out, teacher=teacher)
    assert not out.exists()


def test_evaluate_refuses_what_does_not_fit(base, tmp_path):
    file = tiny.write(tmp_path, "t.tsv", tiny.FILES[TEXT])
    with pytest.raises(ValueError, match="no task is named, expected .*: pass task"):
        evaluate(base, file)
    with pytest.raises(ValueError, match="expected a trained head"):
        evaluate(base, file, task=TEXT)
    model = tiny.checkpoint(tmp_path / "m", cls=numbert.BertForSequenceClassification,
                            problem_type="regression", num_labels=1)
    with pytest.raises(ValueError, match="has problem_type regression, expected"):
        evaluate(model, file, task=TEXT)
    model = tiny.checkpoint(tmp_path / "m", cls=numbert.BertForSequenceClassification)
    with pytest.raises(ValueError, match="t.tsv, line 1: label is 'fine', expected"):
        evaluate(model, file, task=TEXT)


def test_a_damaged_backbone_is_no_fresh_start(tmp_path):
    model = tiny.checkpoint(tmp_path / "m")
    config = json.loads((tmp_path / "m" / "config.json").read_text())
    config["intermediate_size"] = 20
    (tmp_path / "m" / "config.json").write_text(json.dumps(config))
    file = tiny.write(tmp_path, "t.tsv", tiny.FILES[TEXT])
    with pytest.raises(ValueError, match="intermediate"):
        finetune(TEXT, file, None, model, tmp_path / "out")


def test_a_recorded_length_that_the_model_does_not_take(tmp_path):
    """The error names the file that holds the number: the user never typed it."""
    folder = tmp_path / "m"
    shutil.copytree(numbert.example_checkpoint("text-classification"), folder)
    record = {"task": TEXT, "settings": {"max_length": 1}}
    (folder / "training.json").write_text(json.dumps(record))
    file = tiny.write(tmp_path, "t.tsv", tiny.FILES[TEXT])
    with pytest.raises(ValueError, match="m/training.json: max_length is 1, expected"):
        evaluate(folder, file)


@pytest.mark.parametrize("changes, match", [
    ({"task": 3}, "task is 3, expected a string"),
    ({"task": "chess"}, "task is 'chess', expected one of text-classification"),
    ({"settings": [1]}, r"settings is \[1\], expected a JSON object"),
    ({"settings": {"size": 1}}, "the setting size is 1, expected max_length, doc_stri"),
    ({"settings": {"max_length": "9"}}, "the setting max_length is '9', expected"),
    ({"settings": {"max_length": True}}, "the setting max_length is True, expected"),
    ({"settings": {"max_answer_length": None}}, "the setting max_answer_length is Non"),
    ({"settings": {"mask_probability": "x"}}, "the setting mask_probability is 'x', "),
    ({"settings": {"whole_word": 1}}, "the setting whole_word is 1, exp")])
def test_a_record_that_finetune_did_not_write(base, tmp_path, changes, match):
    folder, file = tmp_path / "m", tiny.write(tmp_path, "t.tsv", tiny.FILES[TEXT])
    shutil.copytree(base, folder)
    record = {"task": TEXT, "settings": Settings()._asdict(), **changes}
    (folder / "training.json").write_text(json.dumps(record))
    with pytest.raises(ValueError, match=f"m/training.json: {match}"):
        evaluate(folder, file)
    if changes == {"task": "chess"}:            # the remedy of its error
        with pytest.raises(ValueError, match="expected a trained head for text-cl"):
            evaluate(folder, file, task=TEXT)
