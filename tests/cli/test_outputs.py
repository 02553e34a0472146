"""Every command refuses to write over its own inputs, before any work."""

import os
import shutil
import time
from pathlib import Path

import pytest

import numbert
from cli_cases import start
from numbert.system.places import one_run

CORPUS = "Anna lives in Oslo.\nShe likes soup.\n\nTom lives in Rome.\nHe likes rice.\n"
PRETRAIN = ("pretrain --corpus {corpus} --config {config} --epochs 1 --overwrite "
            "--out {out}")


@pytest.fixture(name="here")
def fixture_here(tmp_path, monkeypatch):
    """A model, data, and links to both."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(numbert.example_checkpoint("text-classification"), "model")
    Path("data.tsv").write_text("I liked it.\tPOSITIVE\nIt was bad.\tNEGATIVE\n")
    Path("corpus.txt").write_text(CORPUS)
    Path("model/log.jsonl").write_text(CORPUS)
    os.symlink("model", "link")
    return tmp_path


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("command", [
    "finetune text-classification --train data.tsv --model model --out link "
    "--overwrite",
    "finetune text-classification --train data.tsv --model link --out model/../model "
    "--overwrite",
    "finetune text-classification --train data.tsv --model base --teacher model --out "
    "link --overwrite",
    "evaluate --task text-classification --model model --data data.tsv --predictions "
    "./data.tsv",
    "evaluate --task text-classification --model model --data data.tsv --predictions "
    "link/model.safetensors",
    "embed --file corpus.txt --out model/../corpus.txt",
    "embed text --model model --out link/model.safetensors",
    PRETRAIN.format(corpus="link/log.jsonl", config="model/config.json", out="model"),
    PRETRAIN.format(corpus="corpus.txt", config="link", out="model"),
    PRETRAIN.format(corpus="corpus.txt", config="model/config.json", out="link"),
    PRETRAIN.format(corpus="corpus.txt", config="config.json", out="model")
    + " --tokenizer link"])
def test_an_input_is_not_replaced(here, numbert_main, command):
    shutil.copy("model/config.json", "config.json")
    shutil.copytree("model", "base")
    before = contents(here)
    code, out, err = numbert_main(*command.split())
    assert code == 2 and out == "" and err.count("\n") == 1, err
    assert "would replace" in err and "choose another" in err
    assert contents(here) == before


def test_predictions_may_lie_beside_the_model(here, numbert_main):
    for _ in range(2):
        code, _, err = numbert_main(
            "evaluate", "--task", "text-classification", "--model", "model", "--data",
            "data.tsv", "--predictions", "model/predictions.jsonl")
        assert (code, err) == (0, "")


def test_a_second_run_is_refused(here, numbert_main):
    arguments = ("finetune", "text-classification", "--train", "data.tsv", "--model",
                 "model", "--out", "out", "--epochs", "1")
    with one_run("out"):
        code, _, err = numbert_main(*arguments)
        assert code == 2 and "out is in use by another run, expected" in err
    assert numbert_main(*arguments)[0] == 0


def test_a_corpus_in_a_pipe_is_refused(here, numbert_main):
    """It is read several times; a second reader of a pipe would wait for ever."""
    os.mkfifo("pipe")
    code, _, err = numbert_main(*PRETRAIN.format(
        corpus="pipe", config="model/config.json", out="out").split())
    assert code == 2 and "pipe is a pipe or a device, expected a file with text" in err


@pytest.mark.parametrize("command", [
    "embed --json --model model --file", "classify --model model --file",
    "answer Who? --context-file",
    "evaluate --task text-classification --model model --data"])
def test_texts_may_come_through_a_pipe(here, numbert_main, command):
    source, sink = os.pipe()
    os.write(sink, Path("data.tsv").read_bytes())
    os.close(sink)
    code, out, err = numbert_main(*command.split(), f"/dev/fd/{source}")
    os.close(source)
    assert (code, err) == (0, "") and out


def test_two_commands_and_a_kill(here):
    """While one command trains, another is refused; the killed one holds nothing."""
    arguments = ("finetune", "text-classification", "--train", "data.tsv", "--model",
                 "model", "--out", "out", "--epochs")
    first = start(*arguments, 1_000_000)
    deadline = time.monotonic() + 60
    while not Path("out/training.safetensors").exists():
        assert first.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    second = start(*arguments, 1)
    _, err = second.communicate(timeout=60)
    assert second.returncode == 2 and b"in use by another run" in err
    assert first.poll() is None
    first.kill()
    first.communicate()
    third = start(*arguments, 1, "--overwrite")
    assert third.communicate(timeout=60) and third.returncode == 0
