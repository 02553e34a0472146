"""Results never replace an input, and one folder has one run at a time."""

import builtins
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from numbert.system import places
from numbert.system.places import one_run, refuse_busy, refuse_inputs


@pytest.fixture(name="here")
def fixture_here(tmp_path, monkeypatch):
    """A folder with a checkpoint, data, and links to both."""
    monkeypatch.chdir(tmp_path)
    Path("model/1_Pooling").mkdir(parents=True)
    for name in ("model/config.json", "model/model.safetensors", "model/vocab.txt",
                 "model/1_Pooling/config.json", "data.tsv", "model/notes.md"):
        Path(name).write_text(name)
    os.symlink("model", "link")
    os.symlink("data.tsv", "data-link.tsv")
    Path("links").mkdir()
    os.symlink(tmp_path / "model" / "model.safetensors", "links/weights.safetensors")
    os.link("data.tsv", "twin.tsv")
    Path("other").mkdir()
    os.symlink(tmp_path / "model" / "config.json", "other/config.json")
    Path("vocab.json").write_text("{}")
    return tmp_path


@pytest.mark.parametrize("out, model", [
    ("model", "model"), ("model/", "./model"), ("link", "model"), ("model", "link"),
    ("other/../model", "model"), ("{here}/model", "link"),
    ("model/model.safetensors", "model"), ("link/vocab.txt", "model"),
    ("links/weights.safetensors", "link"), ("model", "links/weights.safetensors"),
    ("model/1_Pooling/config.json", "model"), ("model/1_Pooling", "model"),
    ("other", "model"), ("model", "other"), ("model", "model/config.json")])
def test_a_model_is_not_replaced(here, out, model):
    with pytest.raises(ValueError, match=r"would replace .* of the model .*: choose"):
        refuse_inputs(out.format(here=here), train="data.tsv", model=model)


@pytest.mark.parametrize("out, data", [
    ("data.tsv", "data.tsv"), ("./other/../data.tsv", "data.tsv"),
    ("data-link.tsv", "data.tsv"), ("data.tsv", "data-link.tsv"),
    ("twin.tsv", "data.tsv"), (Path("data.tsv"), Path("data.tsv")),
    (".", "vocab.json")])
def test_data_is_not_replaced(here, out, data):
    with pytest.raises(ValueError, match="the data "):
        refuse_inputs(out, model="model", data=data)


@pytest.mark.parametrize("out", [
    None, "new", "new/data.tsv", "model/predictions.jsonl", "model/new", "vectors.npy",
    "model/notes.md", "other/data.tsv", ".", "/dev/null"])
def test_other_places_are_free(here, out):
    """A folder of results may hold data, or lie in a model's, if no file is lost."""
    refuse_inputs(out, model="model", data="data.tsv", dev=None, teacher="on/the-hub",
                  text="/dev/null")


def test_the_file_behind_stdin_is_an_input(here):
    code = ("from numbert.system.places import refuse_inputs\n"
            "refuse_inputs('new.npy', file='-')\nrefuse_inputs('data.tsv', file='-')")
    with open("data.tsv", encoding="utf-8") as file:
        found = subprocess.run([sys.executable, "-c", code], stdin=file, text=True,
                               capture_output=True)
    assert "data.tsv would replace" in found.stderr


# ------------------------------------------------------------------------- one run

def test_one_run_at_a_time(tmp_path):
    folder = tmp_path / "deep" / "out"
    with one_run(folder):
        with pytest.raises(BlockingIOError, match="out is in use by another run, exp"):
            with one_run(tmp_path / "deep" / ".." / "deep" / "out"):
                raise AssertionError
        with one_run(tmp_path / "deep"):
            pass
        with pytest.raises(BlockingIOError):
            refuse_busy(folder)
    refuse_busy(folder)
    refuse_busy(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()
    with pytest.raises(ZeroDivisionError), one_run(folder):
        raise ZeroDivisionError
    with one_run(folder):
        assert list(folder.iterdir()) == []                  # nothing is left behind


HOLD = ("import sys, time\nfrom numbert.system.places import one_run\n"
        "with one_run(sys.argv[1]):\n    print('held', flush=True)\n    time.sleep(60)")


def test_a_killed_run_leaves_no_lock(tmp_path):
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)],
                          stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout.readline() == "held\n"
        with pytest.raises(BlockingIOError), one_run(tmp_path):
            raise AssertionError
        run.send_signal(signal.SIGKILL)
    with one_run(tmp_path):
        pass


def test_without_fcntl_a_file_is_the_lock(tmp_path, monkeypatch):
    real = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", lambda name, *more: real(
        "no_such_module" if name == "fcntl" else name, *more))
    with one_run(tmp_path):
        assert (tmp_path / places.LOCK).exists()
        with pytest.raises(BlockingIOError), one_run(tmp_path):
            raise AssertionError


def test_a_drive_without_locks(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def refuse(*args):
        raise OSError(45, "Operation not supported")
    monkeypatch.setattr(fcntl, "flock", refuse)
    with one_run(tmp_path), one_run(tmp_path):
        pass
