"""`numbert bench forward` and its siblings, on tiny models.

Times may be anything.  What is measured, with whom, and how it is shown may not.
"""

import argparse
import importlib.util
import json
import time
from types import SimpleNamespace

import numpy as np
import pytest

import numbert
import tiny
from numbert.cli import bench_speed as bench, bench_steps, bench_turns
from numbert.cli.bench_output import time as shown_time

OTHERS = ["eager", "sdpa"] * bool(importlib.util.find_spec("transformers"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny.checkpoint(tmp_path_factory.mktemp("model"))


@pytest.fixture
def alone(monkeypatch):
    """As if torch and transformers were not installed."""
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None
                        if name in ("torch", "transformers") else find(name))


def measured(numbert_main, tmp_path, *words):
    """What the command prints, and the rows of its file."""
    figures = tmp_path / "figures.json"
    code, out, err = numbert_main("bench", *words, "--rounds", 2, "--threads", 1,
                                  "--json", figures)
    assert (code, err) == (0, "")
    return out, json.loads(figures.read_text())["rows"]


# ------------------------------------------------------------- the contenders agree

def test_a_forward_pass(numbert_main, folder, tmp_path):
    out, (row,) = measured(numbert_main, tmp_path, "forward", "--model", folder,
                           "--batch", 3, "--length", 7, "--ragged")
    with_onnx = OTHERS and importlib.util.find_spec("onnxruntime")
    assert list(row["contenders"]) == ["numbert", *OTHERS,
                                       *["onnxruntime"] * bool(with_onnx)]
    assert row["filled"] < 1 and "3 x 7 tokens" in out and "% filled" in out
    for name, found in row["contenders"].items():
        assert found["median_s"] >= found["best_s"] > 0 and found["peak_bytes"] >= 0
        assert bench_turns.NAMES[name] in out
    assert 0 < row["products"] < 1 and "into matrix products" in out
    if OTHERS:           # at the tokens; at padding, numbert's states alone are 0
        assert row["difference"] < 1e-5


@pytest.mark.parametrize("task, ragged", [("classification", ()),
                                          ("masked-lm", ("--ragged",))])
def test_a_step_of_training(numbert_main, folder, tmp_path, task, ragged):
    out, (row,) = measured(numbert_main, tmp_path, "train", "--model", folder,
                           "--batch", 4, "--length", 12, "--task", task, *ragged)
    assert list(row["contenders"]) == ["numbert", *OTHERS] and task in out
    assert 0 < row["products"] < 1
    if OTHERS:                                                  # the losses
        assert row["difference"] < 1e-5


def test_one_sentence(numbert_main, folder, tmp_path):
    out, (row,) = measured(numbert_main, tmp_path, "embed", "--model", folder)
    assert list(row["contenders"]) == ["numbert", *OTHERS]
    assert "filled" not in row and bench.TITLES["embed"] in out
    if OTHERS:                                                  # the vectors
        assert row["difference"] < 1e-5


def test_a_whole_command(numbert_main, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(bench_turns, "rivals", lambda onnx: OTHERS[:1])
    out, (row,) = measured(numbert_main, tmp_path, "cold-start", "--model", folder)
    assert row["products"] is None and bench.TITLES["cold-start"] in out
    assert all(x["peak_bytes"] > 30e6 for x in row["contenders"].values())
    if OTHERS:
        assert row["difference"] < 1e-5


def test_curves_of_memory_and_scaling(numbert_main, folder, tmp_path, monkeypatch,
                                      alone):
    """Rows of a kind, smaller than the real ones; the longest need no eager one."""
    pytest.importorskip("matplotlib")
    assert [row["length"] for row in bench.ROWS["memory"]][-1] == 8192
    assert all("eager" in row["without"] for row in bench.ROWS["memory"])
    assert [row["batch"] for row in bench.ROWS["scaling"]] == [1, 2, 4, 8, 16, 32, 64]
    monkeypatch.setitem(bench.CONFIGS, bench.LONG, tiny.config().to_dict())
    monkeypatch.setattr(bench.common, "minilm", lambda: folder)
    monkeypatch.setattr(bench.bench_tokenizer, "SIZE", 4000)
    monkeypatch.setattr(bench.bench_tokenizer, "SENTENCES", 7)
    for kind in bench.ROWS:
        monkeypatch.setitem(bench.ROWS, kind, [
            {**row, "batch": i + 1, "length": 4 + 8 * i,
             "model": row["model"] if kind in ("embed", "cold-start") else bench.LONG}
            for i, row in enumerate(bench.ROWS[kind][:2])])
    drawing = tmp_path / "curves.svg"
    out, rows = measured(numbert_main, tmp_path, "all", "--plot", drawing)
    assert [row["kind"] for row in rows] == [
        "forward", "forward", "train", "train", "embed", "cold-start", "memory",
        "memory", "scaling", "scaling"]
    assert "tokenizer on one core" in out and "Hugging Face is not installed" in out
    for text in ("median time / numbert", "MB", "ms per text", "one sentence"):
        assert text in drawing.read_text(), text


# ----------------------------------------------------------------- the settings

def arguments(kind, *words):
    parser = argparse.ArgumentParser()
    bench.add_arguments(parser, kind)
    return parser.parse_args([str(word) for word in words])


def test_the_usual_rows_and_one_of_your_own(tmp_path, monkeypatch):
    numbert.BertConfig().save_pretrained(tmp_path)
    monkeypatch.setattr(bench.common, "minilm", lambda: tmp_path)
    assert len(bench.rows_of(arguments("forward"), "forward")) == 6
    row, = bench.rows_of(arguments("forward", "--batch", 2), "forward")
    assert (row["work"], row["batch"], row["length"]) == ("forward", 2, 128)
    row, = bench.rows_of(arguments("train", "--ragged"), "train")
    assert (row["work"], row["batch"], row["ragged"]) == ("classification", 32, True)
    row, = bench.rows_of(arguments("train", "--task", "masked-lm"), "train")
    assert (row["work"], row["length"]) == ("masked-lm", 128)


def test_a_row_that_is_too_long(numbert_main, folder):
    code, _, err = numbert_main("bench", "forward", "--model", folder, "--length", 33)
    assert code == 2 and "--length is 33, expected at most the model's max_pos" in err
    assert "max_position_embeddings 32: make it smaller" in err


def test_files_are_checked_first(numbert_main, tmp_path):
    for option in ("--json", "--plot"):
        code, _, err = numbert_main("bench", "all", option, tmp_path / "no" / "a.png")
        assert code == 2 and "is not a folder, expected one for the file of" in err


def test_what_is_measured_outlives_an_interruption(numbert_main, folder, tmp_path,
                                                   monkeypatch):
    measure, rows = bench_turns.measure, []

    def second_stops(row, names, rounds):
        if rows:
            raise KeyboardInterrupt
        rows.append(measure(row, ["numbert"], 1))
        return rows[0]

    monkeypatch.setattr(bench_turns, "measure", second_stops)
    monkeypatch.setattr(bench.common, "minilm", lambda: folder)
    monkeypatch.setitem(bench.ROWS, "scaling", [
        {"model": bench.MINILM, "batch": n, "length": 8} for n in (1, 2)])
    figures = tmp_path / "figures.json"
    code, out, err = numbert_main("bench", "scaling", "--json", figures)
    assert code == 130 and "1 x 8 tokens" in out and "2 x 8" not in out
    assert len(json.loads(figures.read_text())["rows"]) == 1


def test_a_contender_that_fails(folder, capfd):
    row = bench.complete({**bench.CUSTOM, "work": "forward", "model": folder,
                          "length": 8}, argparse.Namespace(threads=1))
    with pytest.raises(OSError, match="ended early, expected it to answer"):
        bench_turns.measure({**row, "folder": folder + "-gone"}, ["numbert"], 1)
    assert "no such directory" in capfd.readouterr().err


# -------------------------------------------------------------------- the arithmetic

def test_the_share_of_products(monkeypatch):
    """Each look at this clock takes a second; a product looks before and after."""
    seconds = iter(range(100))
    monkeypatch.setattr(bench_turns, "set_num_threads", lambda count: None)
    monkeypatch.setattr(bench_turns.time, "perf_counter", lambda: next(seconds))
    model = SimpleNamespace(params={"w": np.eye(2)})

    def step():
        w = model.params["w"]
        x = np.ones((3, 2)) @ w + w[0]
        x += x
        assert isinstance(x, bench_turns.Timed) and (x.tolist() == [[4, 2]] * 3)
    # Of 5 seconds, 2 go by in the product and in each sum, which looks only before.
    assert bench_turns.share_of_products(
        bench_steps.Loaded(step, step, model)) == 1 / 5


def test_a_step_is_repeated_and_averaged(monkeypatch):
    calls = []
    monkeypatch.setattr(time, "perf_counter", lambda: 3.0 * len(calls))
    assert bench_turns.seconds_of(lambda: calls.append(1), 4) == 3.0


@pytest.mark.parametrize("seconds, text", [
    (2.34e-6, "2.34 us"), (0.0000456, "45.6 us"), (0.9994, "999 ms"),
    (0.0123, "12.3 ms"), (1.5, "1.50 s"), (123.4, "123 s")])
def test_times_have_three_digits(seconds, text):
    assert shown_time(seconds) == text


def test_ragged_batches_are_about_half_full():
    settings = {"batch": 200, "length": 64, "vocab": 50, "ragged": True}
    ids, mask = bench_steps.batch_of(settings)
    lengths = mask.sum(1)
    assert (mask == (np.arange(64) < lengths[:, None])).all() and lengths.max() == 64
    assert lengths.min() >= 1 and 0.2 < mask.mean() < 0.6 and ids.max() < 50


def test_masked_lm_labels_are_the_ids_of_some_tokens():
    settings = {"batch": 30, "length": 40, "vocab": 50, "ragged": True}
    for example in bench_steps.examples_of({**settings, "work": "masked-lm"}):
        ids, labels = example["input_ids"], example["labels"]
        chosen = labels != numbert.bert.losses.IGNORE_INDEX
        assert (labels[chosen] == ids[chosen]).all() and chosen[0]
        assert chosen.mean() < 0.5 or len(ids) < 9
    for example in bench_steps.examples_of({**settings, "work": "classification"}):
        assert example["labels"] in (0, 1) and example["input_ids"].ndim == 1
