"""What README.md, the Makefile and the help of the command say is true."""

import importlib.util
import re
import shlex
from pathlib import Path

import pytest

from numbert import cli

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def test_readme_names_targets_that_exist():
    targets = set(re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.M))
    assert {"help", "setup", "demo", "test", "lint", "golden", "notebooks",
            "clean"} == targets
    named = set(re.findall(r"(?:^ +|`)make ([a-z]+)", README, re.M))
    assert {"demo", "test"} <= named <= targets


def test_readme_names_files_that_exist():
    names = re.findall(r"[`(]((?:numbert|tests|notebooks|\.ci)/[\w/.-]+)", README)
    assert len(names) > 10
    for name in names:
        assert (ROOT / name).exists(), name


def test_readme_names_modules_that_exist():
    names = re.findall(r"python -m ([\w.]+)", README)
    assert "numbert.deviations" in names
    for name in names:
        assert importlib.util.find_spec(name), name


# ------------------------------------------------------------------ from Python

@pytest.mark.filterwarnings("ignore:BertModel does not use")
def test_readme_example_runs(monkeypatch, tmp_path, capsys):
    """Each example runs as it is printed, in order, and prints what it says."""
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README, re.S)
    assert len(blocks) > 1
    space: dict = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), space)
        printed = capsys.readouterr().out.splitlines()
        for said in re.findall(r"^print\(.*\) +# (.*)", block, re.M):
            assert said in printed
    assert space["hidden"].shape[-1] == space["model"].config.hidden_size
    assert space["grads"].keys() >= space["model"].params.keys()


# ------------------------------------------------------------------ from a shell

NAMES = re.compile(r"[\w-]+( [|] [\w-]+)+")            # classify | ner | answer | ...


def commands():
    """{name: parser} of the subcommands."""
    found, = (action.choices for action in cli.parser()._actions
              if isinstance(action.choices, dict))
    return found


def lines():
    """The command lines that README.md and the help show, without `numbert`."""
    texts = [README, *(command.epilog or "" for command in commands().values())]
    shown = [line for text in texts for line in
             re.findall(r"^ +numbert ([a-z].*)", text.replace("\\\n", " "), re.M)]
    return [line if NAMES.fullmatch(line) else re.split(" [<>|] ", line)[0]
            for line in shown]


def needs_nothing(line):
    """Whether a command line runs as it is, at once: no file, no checkpoint to name."""
    words = shlex.split(line)
    return words[0] not in ("bench", "finetune", "pretrain", "evaluate") and not any(
        re.fullmatch(r"[A-Z]+(\.\w+)?|[\w-]+\.\w+|[|-]", word) for word in words)


def test_readme_and_help_show_commands_that_parse():
    shown = lines()
    assert len(shown) > 30
    for line in shown:
        if NAMES.fullmatch(line):
            assert set(line.split(" | ")) <= set(commands()), line
        elif "--help" not in line:
            assert cli.parser().parse_args(shlex.split(line)).run, line


@pytest.mark.parametrize("line", [line for line in lines() if needs_nothing(line)])
def test_commands_that_need_no_file_run(line, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(shlex.split(line)) == 0
    out, err = capsys.readouterr()
    assert out and not err


def test_the_shortest_commands_are_among_those_that_run():
    assert {"tokenize", "fill-mask"} <= {
        line.split()[0] for line in filter(needs_nothing, lines())}
