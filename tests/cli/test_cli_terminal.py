"""Control characters in labels, names and errors never reach a terminal."""

import io
import os
import pty
import shutil
import subprocess
import sys

import pytest

import numbert
from numbert.cli import main

EVIL = "\x1b]0;mine\x07\x9b2J\r\u202eGOOD"
SHOWN = r"\u001b]0;mine\u0007\u009b2J\u000d\u202eGOOD"


@pytest.fixture(scope="module", name="model")
def fixture_model(tmp_path_factory):
    """A classifier whose labels control a terminal."""
    folder = tmp_path_factory.mktemp("evil") / "model"
    shutil.copytree(numbert.example_checkpoint("text-classification"), folder)
    labels = {0: EVIL, 1: EVIL + "2"}
    config = numbert.BertConfig.from_pretrained(folder, id2label=labels)
    config.save_pretrained(folder)
    return folder


class Terminal(io.StringIO):
    """A stdout that says it is a terminal."""

    def isatty(self):
        return True


@pytest.mark.parametrize("command", [
    ["classify", "good"], ["classify", "good", "--json"], ["info"], ["info", "--json"]])
def test_labels(command, model, monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert main([*command, "--model", str(model)]) == 0
    assert r"\u202eGOOD" in sys.stdout.getvalue()
    assert not set(sys.stdout.getvalue()) & set("\x1b\x07\x9b\r\u202e")


def test_a_pipe_keeps_its_bytes(model, capsys):
    assert main(["classify", "good", "--model", str(model)]) == 0
    assert EVIL in capsys.readouterr().out


@pytest.mark.parametrize("command", [
    ["info", "--model", EVIL], [EVIL], ["embed", "--file", EVIL],
    ["evaluate", "--data", EVIL, "--task", "regression", "--model", EVIL]])
def test_errors(command, capsys):
    try:
        assert main(command) == 2
    except SystemExit as end:                           # of argparse
        assert end.code == 2
    err = capsys.readouterr().err
    assert "mine" in err and not set(err) & set("\x1b\x07\x9b\r\u202e")


def test_a_terminal_itself(model):
    """The whole command, in a pseudo-terminal."""
    ours, its = pty.openpty()
    command = [sys.executable, "-m", "numbert", "classify", "good", "--model"]
    with subprocess.Popen([*command, str(model)], stdout=its, stderr=its) as process:
        os.close(its)
        said = b""
        while chunk := read(ours):
            said += chunk
    os.close(ours)
    assert process.returncode == 0 and SHOWN.encode() in said
    assert b"\x1b" not in said and "\u202e".encode() not in said


def read(descriptor):
    """The next bytes; none at the end, which Linux reports as an error."""
    try:
        return os.read(descriptor, 4096)
    except OSError:
        return b""
