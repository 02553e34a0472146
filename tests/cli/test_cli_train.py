"""The commands finetune, evaluate and pretrain, and numbert.tasks.pretraining."""

import inspect
import json

import numpy as np
import pytest
import tiny

import numbert
from numbert.tasks import finetuning, pretraining
from numbert.tasks.finetuning import evaluate, finetune
from numbert.tasks.pretraining import pretrain
from numbert.cli import main, parser
from numbert.cli.train import TASKS as NAMED
from numbert.training.masking import vocabulary
from numbert.tasks import TASKS

TEXT = "text-classification"
CORPUS = "".join(
    f"the {colour} {thing} is {size}.\na {size} {thing} runs in the house.\n"
    f"where is the {thing}?\n\n" for colour in ("red", "blue")
    for thing in ("cat", "dog", "moon") for size in ("big", "small"))
QUICK = ["--warmup", "0", "--epochs", "1", "--batch-size", "4"]


def run(capsys, *args):
    """Exit code, stdout and stderr of a command."""
    code = main([str(arg) for arg in args])
    return code, *capsys.readouterr()


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny.checkpoint(tmp_path_factory.mktemp("base"))


@pytest.fixture
def config(tmp_path):
    return tiny.write(tmp_path, "config.json", tiny.config(vocab_size=60)
                      .to_json_string())


def test_the_help_names_every_task():
    assert NAMED == tuple(TASKS)


FINETUNE = ["finetune", TEXT, "--train", "t", "--out", "o"]
PRETRAIN = ["pretrain", "--corpus", "c", "--config", "c", "--out", "o", "--steps", "3"]


@pytest.mark.parametrize("words, function", [
    (FINETUNE, finetune), (PRETRAIN, pretrain),
    (["evaluate", "--data", "d"], evaluate)])
def test_a_default_is_that_of_the_function(capsys, words, function):
    """It is shown, and nothing is passed in its place."""
    args = vars(parser().parse_args(words))
    known = inspect.signature(function).parameters
    kept = {name for name in known.keys() & args.keys() if args[name] not in (
        None, False, known[name].default)}
    assert kept <= {"out", "steps", "corpus", "config", "task"}
    with pytest.raises(SystemExit):
        main([words[0], "--help"])
    said = " ".join(capsys.readouterr().out.split())
    for name in args.keys() & known.keys():
        default = known[name].default
        if isinstance(default, (int, float, str)) and not isinstance(default, bool):
            assert f"(default: {default})" in said, name
    assert said.count("(default: 0.9 0.999)") == (words[0] != "evaluate")
    assert said.count("(default: 30)") == (words[0] == "finetune")
    assert "[]" not in said and "()" not in said and "inspect" not in said


@pytest.mark.parametrize("command", ["finetune", "evaluate", "pretrain"])
def test_help_has_examples(capsys, command):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    text = capsys.readouterr().out
    assert stop.value.code == 0 and f"examples:\n  numbert {command}" in text
    assert all(len(line) <= 90 for line in text.splitlines())


@pytest.mark.parametrize("task", TASKS)
def test_finetune_and_evaluate(capsys, base, tmp_path, task):
    suffix = {"token-classification": "conll", "question-answering": "json"}
    file = tiny.write(tmp_path, f"t.{suffix.get(task, 'tsv')}", tiny.FILES[task])
    out = tmp_path / "out"
    code, text, errors = run(capsys, "finetune", task, "--train", file, "--dev", file,
                             "--model", base, "--out", out, *QUICK,
                             *tiny.SMALL.get(task, ()))
    assert (code, errors) == (0, "")
    assert "1 update, finished" in text or "2 updates, finished" in text
    assert f"  {TASKS[task].metric} " in text
    classes = {TEXT: "classes: fine, poor\n", "token-classification": ": B-X, I-X, O\n",
               "multi-label-classification": "classes: cat, red\n"}
    assert classes.get(task, "") in text and ("classes" in text) == (task in classes)
    code, text, errors = run(capsys, "evaluate", "--model", out, "--data", file,
                             "--json", "--predictions", tmp_path / "p.jsonl")
    scores = json.loads(text)
    record = json.loads((out / "training.json").read_text())
    count = scores.pop("examples")
    assert scores == pytest.approx(record["scores"], rel=1e-5, nan_ok=True)
    lines = (tmp_path / "p.jsonl").read_text().splitlines()
    assert len(lines) == count and json.loads(lines[0])["where"].startswith(file)
    code, text, errors = run(capsys, "evaluate", "--model", out, "--data", file)
    assert code == 0 and text.startswith(f"{count} examples\n  ")


@pytest.mark.parametrize("arguments, message", [
    (["--train", "{no}"], "none.tsv: No such file or directory"),
    (["--train", "{bad}"], "bad.tsv, line 2: the number of columns is 1, expected 2"),
    (["--train", "{good}", "--dev", "{other}"], "other.tsv, line 1: label is 'x', exp"),
    (["--train", "{good}", "--max-length", "99"], "max_length is 99, expected 3 to 32"),
    (["--train", "{good}", "--lr", "-1"], "lr is -1.0, expected"),
    (["--train", "{good}", "--patience", "2"],
     "--dev is missing, expected a file for --patience and --eval-every: add --dev"),
    (["--train", "{good}", "--soft-weight", "1"],
     "--teacher is missing, expected a folder for --soft-weight: add --teacher DIR"),
    (["--train", "{good}", "--temperature", "2"], "a folder for --temperature: add"),
    (["--train", "{good}", "--label-all"], "the task is text-classification, expected "
     "token-classification for --label-all: leave --label-all out"),
    (["--train", "{good}", "--doc-stride", "128"], "question-answering for --doc-str"),
    (["--train", "{good}", "--max-answer-length", "9"], "leave --max-answer-length"),
    (["--train", "{good}", "--max-target-length", "9"], "seq2seq for --max-target-le"),
    (["--train", "{good}", "--whole-word"], "expected masked-lm for --whole-word: "),
    (["--train", "{good}", "--mask-probability", ".2"], "the task is text-classif"),
    (["--train", "{good}", "--teacher", "{base}"], "expected a trained head"),
    (["--train", "{good}", "--model", "{no}"], "none.tsv"),
    (["--train", "{good}", "--class-weights", "1;2"], "--class-weights is '1;2', exp"),
    (["--train", "{good}", "--class-weights", "1,2,3"], "3 class weights, expected 2"),
    (["--train", "{good}", "--label-smoothing", "2"], "smoothing is 2.0, expected"),
    (["--train", "{good}", "--labels", "labels.txt"], "--labels is 'labels.txt', exp"),
    (["--train", "{good}", "--labels", "fine,,poor"], "--labels is 'fine,,poor', exp"),
])
def test_errors_are_one_line(capsys, base, tmp_path, arguments, message):
    files = {"no": tmp_path / "none.tsv", "base": base,
             "good": tiny.write(tmp_path, "good.tsv", tiny.FILES[TEXT]),
             "bad": tiny.write(tmp_path, "bad.tsv", "a\tfine\nb\n"),
             "other": tiny.write(tmp_path, "other.tsv", "a\tx\n")}
    out = tmp_path / "out"
    code, text, errors = run(capsys, "finetune", TEXT, "--model", base, "--out", out,
                             *(arg.format(**files) for arg in arguments))
    assert code == 2 and text == ""
    assert errors.startswith("numbert: error: ") and errors.count("\n") == 1
    assert message in errors
    assert not (out / "model.safetensors").exists()


@pytest.mark.parametrize("task, text, metric", [
    (TEXT, "I love this film.\tPOSITIVE\nThe food was terrible.\tNEGATIVE\n",
     "accuracy"),
    ("masked-lm", "Paris is the capital of France.\n", "perplexity"),
])
def test_evaluate_uses_the_model_that_ships(capsys, tmp_path, task, text, metric):
    file = tiny.write(tmp_path, "data.tsv", text)
    code, out, errors = run(capsys, "evaluate", "--task", task, "--data", file)
    assert (code, errors) == (0, "")
    score = float(out.split(f"  {metric} ")[1].split()[0])
    assert score == 1 if task == TEXT else 1 <= score < 20     # of 1,600 pieces


PARTS = {TEXT: ("text",), "multi-label-classification": ("text",),
         "regression": ("text",), "token-classification": ("tokens",),
         "question-answering": ("question", "context"), "masked-lm": ("text",),
         "multiple-choice": ("context", "choices"), "seq2seq": ("text",)}


@pytest.mark.parametrize("task", TASKS)
def test_predictions_hold_the_text_the_right_answer_and_a_score(capsys, tmp_path, task):
    """From them the first metric of the task can be computed again."""
    suffix = {"token-classification": "conll", "question-answering": "json"}
    file = tiny.write(tmp_path, f"t.{suffix.get(task, 'tsv')}", tiny.FILES[task])
    base, out = tiny.checkpoint(tmp_path / "m"), tmp_path / "out"
    assert run(capsys, "finetune", task, "--train", file, "--model", base, "--out", out,
               *QUICK, *tiny.SMALL.get(task, ()))[0] == 0
    _, text, _ = run(capsys, "evaluate", "--model", out, "--data", file, "--json",
                     "--predictions", tmp_path / "p.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "p.jsonl").read_text().split("\n")
            if line]
    examples, fields = TASKS[task].read(file), ["where", *PARTS[task]]
    fields += ["gold"] * (task != "masked-lm") + ["prediction"]
    fields += ["score"] * (task not in ("masked-lm", "regression", "seq2seq"))
    for row, example in zip(rows, examples, strict=True):
        assert list(row) == fields and row["where"] == example.where
        own = example._asdict()
        for name in PARTS[task]:
            assert row[name] == own["words" if name == "tokens" else name]
    names = [] if task == "seq2seq" else sorted(
        numbert.BertConfig.from_pretrained(out).label2id)
    found = TASKS[task].score(examples, [row["prediction"] for row in rows], names)
    scores = json.loads(text)
    assert scores.pop("examples") == len(rows) and scores == pytest.approx(found)
    if task == TEXT:
        ask = numbert.pipeline(task, str(out))
        want = ask([row["text"] for row in rows])
        assert [(x["label"], x["score"]) for x in want] == [
            (row["prediction"], pytest.approx(row["score"], rel=1e-5)) for row in rows]
        assert [row["gold"] for row in rows] == [label for _, label in tiny.TEXTS]
    if task == "multi-label-classification":
        for row in rows:
            assert row["prediction"] == [
                name for name, score in row["score"].items() if score > 0.5]
        assert [row["gold"] for row in rows][:2] == [["red", "cat"], []]


def test_predictions_go_where_a_link_names(capsys, tmp_path):
    file = tiny.write(tmp_path, "data.tsv", "I love this film.\tPOSITIVE\n")
    given = ["evaluate", "--task", TEXT, "--data", file, "--predictions"]
    (tmp_path / "link").symlink_to(tmp_path / "target")
    assert run(capsys, *given, tmp_path / "link")[0] == 0
    assert json.loads((tmp_path / "target").read_text())["prediction"] == "POSITIVE"
    code, text, errors = run(capsys, *given, tmp_path / "none" / "p.jsonl")
    assert code == 2 and text == "" and "none is not a folder, expected one" in errors


@pytest.mark.parametrize("more, message", [
    ([], "--model is missing, expected --model DIR, or --task TASK for one that"),
    (["--task", "regression"], "task is 'regression', expected one with a checkpoint"),
])
def test_evaluate_says_which_model_it_lacks(capsys, tmp_path, more, message):
    file = tiny.write(tmp_path, "data.tsv", "a\t1\n")
    code, _, errors = run(capsys, "evaluate", "--data", file, *more)
    assert code == 2 and message in errors and errors.count("\n") == 1


def test_undefined_scores_are_shown(capsys, tmp_path):
    """pearson of two equal labels; what is defined is printed and kept."""
    train = tiny.write(tmp_path, "t.tsv", tiny.FILES["regression"])
    dev = tiny.write(tmp_path, "d.tsv", "the cat\t1\na dog\t1\n")
    base, out = tiny.checkpoint(tmp_path / "m"), tmp_path / "out"
    code, text, errors = run(capsys, "finetune", "regression", "--train", train,
                             "--dev", dev, "--model", base, "--out", out, *QUICK)
    assert (code, errors) == (0, "") and "no evaluation was best" in text
    assert "pearson                  undefined\n" in text and "  mse  " in text

    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    record = json.loads((out / "training.json").read_text(), parse_constant=refuse)
    assert record["scores"]["pearson"] is None and record["scores"]["mse"] > 0
    assert record["best_step"] is None and "undefined (nan)" in record["note"]
    _, text, _ = run(capsys, "evaluate", "--model", out, "--data", dev, "--json")
    assert json.loads(text, parse_constant=refuse)["pearson"] is None


def test_a_loss_that_is_nan_stops_the_run(capsys, tmp_path):
    model = numbert.BertModel(tiny.config())
    model.params["pooler.dense.bias"][0] = np.nan
    model.save_pretrained(tmp_path / "m")
    tiny.tokenizer().save_pretrained(str(tmp_path / "m"))
    file = tiny.write(tmp_path, "t.tsv", tiny.FILES[TEXT])
    code, _, errors = run(capsys, "finetune", TEXT, "--train", file, "--model",
                          tmp_path / "m", "--out", tmp_path / "out", *QUICK)
    assert code == 2 and "step 1: the loss is nan" in errors


def test_an_unknown_task_lists_the_known(capsys, base):
    with pytest.raises(SystemExit) as stop:
        main(["finetune", "poetry", "--train", "t", "--model", base, "--out", "o"])
    assert stop.value.code == 2
    assert "text-classification" in capsys.readouterr().err


def test_adam_and_frozen_parameters(capsys, base, tmp_path):
    """They reach the training, and the frozen parameters stay what they were."""
    file, out = tiny.write(tmp_path, "t.tsv", tiny.FILES[TEXT]), tmp_path / "out"
    code, _, errors = run(capsys, "finetune", TEXT, "--train", file, "--model", base,
                          "--out", out, *QUICK, "--betas", 0.7, 0.95, "--eps", 0.5,
                          "--freeze", "bert.embeddings.*", "*.layer.0.*", "--lr", 0.1)
    assert (code, errors) == (0, "")
    cls = numbert.BertForSequenceClassification
    before, after = (cls.from_pretrained(folder).params for folder in (base, out))
    for name in after:
        still = name.startswith("bert.embeddings.") or ".layer.0." in name
        if not name.startswith("classifier."):          # the head starts fresh
            assert np.array_equal(before[name], after[name]) == still, name
    code, _, errors = run(capsys, "finetune", TEXT, "--train", file, "--model", base,
                          "--out", tmp_path / "next", "--betas", 2, 0.9)
    assert code == 2 and "betas is [2.0, 0.9], expected two numbers" in errors


@pytest.mark.parametrize("given", ["great, poor,fine", "{file}"])
def test_labels_come_from_a_file_or_the_command(capsys, base, tmp_path, given):
    file, out = tiny.write(tmp_path, "t.tsv", tiny.FILES[TEXT]), tmp_path / "out"
    names = tiny.write(tmp_path, "labels.txt", "great\npoor\n\nfine\n")
    code, text, errors = run(capsys, "finetune", TEXT, "--train", file, "--model", base,
                             "--out", out, *QUICK, "--labels", given.format(file=names))
    assert (code, errors) == (0, "") and "classes: great, poor, fine\n" in text


@pytest.mark.parametrize("given, by_id", [
    (["--class-weights", "1,2.5"], [1.0, 2.5]),
    (["--class-weights", "3,1", "--labels", "poor,fine"], [3.0, 1.0]),
    (["--class-weights", "balanced", "--label-smoothing", "0.1"], [1.0, 1.0])])
def test_weights_and_smoothing(capsys, base, tmp_path, given, by_id):
    file, out = tiny.write(tmp_path, "t.tsv", tiny.FILES[TEXT]), tmp_path / "out"
    code, _, errors = run(capsys, "finetune", TEXT, "--train", file, "--model", base,
                          "--out", out, *QUICK, *given)
    record = json.loads((out / "training.json").read_text())
    assert (code, errors) == (0, "") and record["class_weights"] == by_id
    assert record.get("label_smoothing") == (0.1 if given[2:3] == ["--label-smoothing"]
                                             else None)


def test_without_a_model_it_says_where_it_starts_from(capsys, tmp_path):
    file = tiny.write(tmp_path, "t.tsv", tiny.FILES[TEXT])
    code, _, errors = run(capsys, "finetune", TEXT, "--train", file, "--out",
                          tmp_path / "out", *QUICK)
    assert code == 0 and "comes with numbert" in errors and "--model DIR" in errors


# ------------------------------------------------------------------- pre-training

def test_pretrain(capsys, tmp_path):
    """It learns a vocabulary and the corpus, and its result can be fine-tuned."""
    config = tiny.write(tmp_path, "config.json", tiny.config(
        vocab_size=60, hidden_size=32, initializer_range=0.05).to_json_string())
    corpus, out = tiny.write(tmp_path, "c.txt", CORPUS), tmp_path / "out"
    code, text, errors = run(
        capsys, "pretrain", "--corpus", corpus, "--dev", corpus, "--config", config,
        "--out", out, "--epochs", 30, "--max-length", 24, "--lr", 0.01,
        "--log-every", 20, "--batch-size", 8, "--no-dropout")
    assert (code, errors) == (0, "") and "next_sentence_accuracy" in text
    record = json.loads((out / "training.json").read_text())
    rows = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    losses = [row["loss"] for row in rows if "lr" in row]
    assert record["scores"]["masked_accuracy"] > 0.2 and losses[-1] < 0.7 * losses[0]
    tokenizer = numbert.BertTokenizer.from_pretrained(str(out))
    pieces = tokenizer.tokenize("The red cat")
    assert "".join(pieces).replace("##", "") == "theredcat" and len(tokenizer) <= 60
    file = tiny.write(tmp_path, "t.tsv", tiny.FILES[TEXT])
    assert run(capsys, "finetune", TEXT, "--train", file, "--model", out, "--out",
               tmp_path / "next", *QUICK)[0] == 0
    code, _, errors = run(capsys, "pretrain", "--corpus", corpus, "--config", config,
                          "--out", out, "--epochs", 1)
    assert code == 2 and "already holds a model" in errors


def test_a_pretrained_model_is_evaluated_as_a_masked_lm(capsys, tmp_path, config):
    out, corpus = tmp_path / "out", tiny.write(tmp_path, "c.txt", CORPUS)
    assert run(capsys, "pretrain", "--corpus", corpus, "--config", config, "--out", out,
               "--steps", 2, "--max-length", 20, "--batch-size", 4)[0] == 0
    file = tiny.write(tmp_path, "t.txt", tiny.FILES["masked-lm"])
    command = ("evaluate", "--model", out, "--data", file, "--task", "masked-lm")
    code, text, errors = run(capsys, *command)
    assert (code, errors) == (0, "") and "perplexity" in text
    code, _, errors = run(capsys, *command[:-2])
    assert code == 2 and "training.json: task is 'pretraining', expected one of" in \
        errors and "pass task (--task)" in errors
    (out / "training.json").unlink()            # as a model from elsewhere
    assert run(capsys, *command)[:2] == (0, text)


@pytest.mark.parametrize("options", [
    ["--rule", "bernoulli"], ["--whole-word"], ["--repeats", "2", "--seed", "5"],
    ["--tokenizer", "{base}", "--short-probability", "1"], ["--cased"]])
def test_pretrain_options(capsys, base, tmp_path, config, options):
    corpus = tiny.write(tmp_path, "c.txt", CORPUS)
    code, text, errors = run(
        capsys, "pretrain", "--corpus", corpus, "--config", config, "--out",
        tmp_path / "out", "--steps", 2, "--max-length", 20, "--batch-size", 4,
        *(option.format(base=base) for option in options))
    assert (code, errors) == (0, "") and text.startswith("2 updates, finished")


def test_an_interrupted_pretraining_goes_on(tmp_path, config, monkeypatch):
    corpus = tiny.write(tmp_path, "c.txt", CORPUS)
    options = dict(steps=7, batch_size=4, max_length=20, checkpoint_every=1)
    pretraining.pretrain(corpus, config, tmp_path / "whole", **options)
    real = pretraining.masking_collate

    def failing(vocab, *args, **kwargs):
        collate, calls = real(vocab, *args, **kwargs), []

        def stop(examples, rng):
            calls.append(1)
            if len(calls) == 4:
                raise RuntimeError("the machine stops")
            return collate(examples, rng)
        return stop

    with monkeypatch.context() as patch:
        patch.setattr(pretraining, "masking_collate", failing)
        with pytest.raises(RuntimeError, match="stops"):
            pretraining.pretrain(corpus, config, tmp_path / "parts", **options)
    assert (tmp_path / "parts" / "training.safetensors").exists()
    pretraining.pretrain(corpus, config, tmp_path / "parts", **options)
    assert (tmp_path / "parts" / "model.safetensors").read_bytes() == \
        (tmp_path / "whole" / "model.safetensors").read_bytes()


@pytest.mark.parametrize("corpus, options, message", [
    ("a cat\nthe dog\n", {}, "c.txt is one document"),
    ("\n", {"tokenizer": "{base}"}, "c.txt holds no sentences"),
    (" \n", {}, "c.txt holds no words, expected some"),
    (CORPUS, {"short_probability": 7}, "short_probability is 7, expected 0 to 1"),
    (CORPUS, {"max_length": 33}, "max_length is 33, expected at most 32, the"),
    (CORPUS, {"repeats": 0}, "repeats is 0"),
    (CORPUS, {"rule": "all"}, "rule is 'all'"),
    (CORPUS, {"probability": 2}, "probability is 2"),
    (CORPUS, {"seed": -1}, "seed is -1, expected a whole number >= 0"),
    (CORPUS, {"batch_size": "8"}, "batch_size is '8', expected a whole number"),
    (b"a\xff\n", {}, "c.txt, line 1: byte 1 is 0xff, expected UTF-8"),
])
def test_what_pretraining_refuses(base, tmp_path, config, corpus, options, message):
    path = tiny.write(tmp_path, "c.txt", corpus)
    if "tokenizer" in options:
        options = {"tokenizer": base}
    with pytest.raises(ValueError, match=message):
        pretraining.pretrain(path, config, tmp_path / "out", steps=1,
                             **{"max_length": 20, **options})
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("change, message", [
    ({"rule": "bernoulli"}, "rule was 'exact', is now 'bernoulli'; .*max_predictions"),
    ({"probability": 0.2}, "probability was 0.15, is now 0.2"),
    ({"whole_word": True}, "whole_word was False, is now True"),
    ({"dev": CORPUS}, "dev_data_sha256 was"),
    ({"corpus": CORPUS.replace("red", "big")}, "train_data_sha256 was")])
def test_a_pretraining_does_not_go_on_as_another(base, tmp_path, config, monkeypatch,
                                                 change, message):
    def again(corpus=CORPUS, dev=CORPUS[:-80], **options):
        paths = [tiny.write(tmp_path, f"{i}.txt", text)
                 for i, text in enumerate((corpus, dev))]
        return pretraining.pretrain(
            paths[0], config, tmp_path / "out", dev=paths[1], steps=3, batch_size=16,
            max_length=20, checkpoint_every=1, tokenizer=base, **options)

    with monkeypatch.context() as patch:
        patch.setattr(finetuning, "finish", lambda *args: None)   # as if killed
        again()
    with pytest.raises(ValueError, match=f"a checkpoint of another run, .*{message}"):
        again(**change)
    assert again().steps == 3


@pytest.mark.parametrize("options, message", [
    (["--config", "typo.json"], "typo.json: no such file, expected a config.json"),
    (["--config", "{config}", "--rule", "bernoulli", "--max-predictions", "20"],
     "--rule is bernoulli, expected exact for --max-predictions: leave"),
    (["--config", "{config}", "--tokenizer", "{base}", "--cased"],
     "--cased and --tokenizer are both given, expected one: leave --cased out")])
def test_errors_of_pretrain_are_one_line(capsys, base, tmp_path, config, options,
                                         message):
    corpus = tiny.write(tmp_path, "c.txt", CORPUS)
    code, text, errors = run(
        capsys, "pretrain", "--corpus", corpus, "--out", tmp_path / "out", "--steps", 1,
        *(option.format(base=base, config=config) for option in options))
    assert (code, text) == (2, "") and errors.startswith("numbert: error: ")
    assert message in errors and errors.count("\n") == 1


def test_scores_by_hand():
    """Two batches; 3 masked pieces, 1 of them right; 3 sentences, 2 right."""
    class Said:
        def __init__(self):
            self.outputs = iter([
                ([[[9.0, 0], [0, 9], [9, 0]]], [[2.0, 1.0]]),
                ([[[9.0, 0]] * 3] * 2, [[2.0, 1.0], [0.0, 3.0]])])

        def __call__(self, input_ids, packed):
            lm, nsp = next(self.outputs)
            return type("Out", (), {"prediction_logits": np.array(lm),
                                    "seq_relationship_logits": np.array(nsp)})

    batches = [{"input_ids": None, "labels": np.array([[0, -100, 1]]),
                "next_sentence_label": np.array([0])},
               {"input_ids": None, "labels": np.array([[-100] * 3, [-100, 1, -100]]),
                "next_sentence_label": np.array([1, 1])}]
    scores = pretraining.scores(Said(), batches)
    soft = np.log1p(np.exp(-9.0))
    lm = (soft + 2 * (9 + soft)) / 3
    nsp = (np.log1p(np.exp(-1)) + (1 + np.log1p(np.exp(-1))) + np.log1p(np.exp(-3))) / 3
    assert scores == {"masked_accuracy": pytest.approx(1 / 3),
                      "next_sentence_accuracy": pytest.approx(2 / 3),
                      "loss": pytest.approx(lm + nsp)}


def test_every_evaluation_is_the_same(tmp_path):
    words = tiny.tokenizer()
    file = tiny.write(tmp_path, "c.txt", CORPUS)
    documents = pretraining.read_documents(file, words)
    vocab = vocabulary(words)
    collate = pretraining.masking_collate(vocab)
    first, second = (pretraining.evaluation_batches(
        file, documents, vocab, 20, 0.1, collate, 4) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        assert all(np.array_equal(a[name], b[name]) for name in a)
