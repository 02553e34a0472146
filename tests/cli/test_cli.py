"""The command as its users meet it: info, tokenize, help and mistakes."""

import gc
import json
import pkgutil
import re
import subprocess
import sys
import warnings
from importlib import import_module

import pytest

import numbert.cli
from cli_cases import VOCAB
from minilm import minilm_dir
from numbert.cli import COMMANDS, main, parser, tasks
from numbert.cli.common import count_lines, read_lines, shorten, size


# ------------------------------------------------------- numbert info, tokenize, help

def test_info(numbert_main, folder):
    code, out, err = numbert_main("info", "--model", folder)
    model = numbert.BertForMaskedLM.from_pretrained(folder)
    assert (code, err) == (0, "")
    assert f"total: {model.num_parameters():,} parameters, float32" in out
    assert re.search(r"encoder\.layer\.\*\.output\.dense\.weight +\(12, 19\) +x 2 +456 "
                     "+float32", out)
    for part in ("embeddings:", "layers:", "heads:", "BertForMaskedLM", "[MASK] 4"):
        assert part in out
    shares = [float(x) for x in re.findall(r", ([\d.]+) %", out)]
    assert sum(shares) == pytest.approx(100, abs=0.2)


def test_info_json(numbert_main, folder):
    facts = json.loads(numbert_main("info", "--model", folder, "--json")[1])
    model = numbert.BertForMaskedLM.from_pretrained(folder)
    assert facts["parameters"] == model.num_parameters()
    assert facts["bytes"] == sum(x.nbytes for x in model.params.values())
    assert {name: tuple(tensor["shape"]) for name, tensor in facts["tensors"].items()} \
        == {name: x.shape for name, x in model.params.items()}
    assert facts["config"]["hidden_size"] == 12
    assert facts["tokenizer"]["vocab_size"] == len(VOCAB)


def test_info_does_not_count_positions(numbert_main):
    facts = json.loads(numbert_main("info", "--model", minilm_dir(), "--json")[1])
    assert facts["tensors"]["embeddings.position_ids"]["dtype"] == "int64"
    model = numbert.BertModel.from_pretrained(minilm_dir())
    assert facts["parameters"] == model.num_parameters() == 22_713_216


def test_info_without_a_tokenizer(numbert_main, folder, tmp_path):
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    code, out, _ = numbert_main("info", "--model", tmp_path)
    assert code == 0 and "no tokenizer: " in out and "total: " in out


def test_tokenize_json(numbert_main, folder):
    _, out, _ = numbert_main("tokenize", "Meals", "eat!", "--json", "--model", folder)
    first, second = map(json.loads, out.splitlines())
    assert first == {"text": "Meals", "tokens": ["[CLS]", "meal", "##s", "[SEP]"],
                     "input_ids": [VOCAB.index(t) for t in first["tokens"]],
                     "offset_mapping": [[0, 0], [0, 4], [4, 5], [0, 0]]}
    assert second["tokens"] == ["[CLS]", "[UNK]", "[UNK]", "[SEP]"]


@pytest.mark.parametrize("option", [(), ("--explain",)])
def test_tokenize_shows_the_pieces(numbert_main, folder, option):
    code, out, err = numbert_main("tokenize", "Meals", "--model", folder, *option)
    assert (code, err) == (0, "")
    assert "meal" in out and "##s" in out


def commands_of(given):
    """{name: parser} of the commands that a parser has."""
    return {name: inner for action in given._actions
            for name, inner in getattr(action, "_name_parser_map", {}).items()}


def commands():
    """Each command, and each command's commands, as lists of words."""
    found = []

    def walk(given, words):
        for name, inner in commands_of(given).items():
            found.append([*words, name])
            walk(inner, [*words, name])
    walk(parser(), [])
    return found


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_explains_itself(numbert_main, words):
    code, out, err = numbert_main(*words, "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"usage: numbert {' '.join(words)}")
    assert len(words) > 1 or "examples:" in out


def test_version(numbert_main):
    assert numbert_main("--version")[:2] == (0, f"numbert {numbert.__version__}\n")


def test_every_file_with_commands_is_asked_for_them():
    files = {name for _, name, _ in pkgutil.iter_modules(numbert.cli.__path__)
             if hasattr(import_module(f"numbert.cli.{name}"), "register")}
    assert files == {file for file, _ in COMMANDS.values()} and len(files) > 10
    assert {task.name for task in tasks.TASKS} == {
        name for name, (file, _) in COMMANDS.items() if file == "tasks"}


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["fly"], ["embed"]])
def test_only_what_was_typed_is_registered(words):
    """Commands that were not typed have no arguments but --help."""
    known = {name for name, inner in commands_of(parser(words)).items()
             if len(inner._actions) > 1}
    assert known == {*words} & {*COMMANDS}


def test_only_a_process_of_its_own_collects_garbage_seldom(numbert_main, folder):
    before = gc.get_threshold()
    numbert_main("info", "--model", folder)
    assert gc.get_threshold() == before
    code = ("import atexit, gc\n"
            "atexit.register(lambda: print(gc.get_freeze_count() > 1000))\n"
            "from numbert.cli import main\nmain()\nprint(gc.get_threshold()[0])")
    out = subprocess.run([sys.executable, "-c", code, "info", "--model", folder],
                         check=True, capture_output=True, text=True).stdout
    assert out.splitlines()[-2:] == ["50000", "True"]


# ------------------------------------------------------------------------- mistakes

@pytest.mark.parametrize("words, says", [
    (["evaluate", "--data", "x.tsv"], "--model"),
    (["embed"], "TEXT is missing, expected TEXT, or --file FILE, or - to"),
    (["embed", "--model", "{folder}"], "TEXT is missing, expected TEXT, or --file"),
    (["embed", "a", "--file", "b", "--model", "{folder}"],
     "TEXT and --file are both given, expected TEXT, or --file FILE, or - to read "
     "stdin: give one of them"),
    (["embed", "a", "--model", "/nowhere"], "/nowhere"),
    (["embed", "a", "--model", "{empty}"], "neither vocab.txt nor tokenizer.json"),
    (["embed", "--file", "{empty}/none.txt", "--model", "{folder}"], "none.txt"),
    (["embed", "--file", "{empty}", "--model", "{folder}"], "directory"),
    (["embed", "--file", "{latin}", "--model", "{folder}"],
     "latin.txt, line 2: byte "),
    (["embed", "a", "--model", "{folder}", "--out", "{empty}"], "not an ordinary file"),
    (["embed", "a", "--model", "{folder}", "--out", "/dev/null"], "not an ordinary"),
    (["embed", "a", "--model", "{folder}", "--out", "{empty}/x/y.npy"],
     "empty/x is not a folder, expected one for the file of --out: make it first"),
    (["embed", "a", "--model", "{folder}", "--max-length", "10"],
     "max_length is 10, expected 3 to 9"),
    (["embed", "a", "--model", "{folder}", "--batch-size", "0"],
     "'0', expected a whole number above 0"),
    (["embed", "a", "--model", "{folder}", "--pooling", "median"], "pooling is"),
    (["embed", "a", "--model", "{folder}", "--json", "--out", "x.npy"], "not allowed"),
    (["info", "--model", "{empty}"], "config.json"),
    (["info", "--model", "{torn}"], "torn"),
    (["tokenize", "a", "--model", "{empty}"], "vocab.txt"),
    (["bench"], "WHAT"),
    (["fly"], "fly"),
])
def test_mistakes_are_one_line(numbert_main, folder, tmp_path, words, says):
    empty, torn = tmp_path / "empty", tmp_path / "torn"
    empty.mkdir()
    torn.mkdir()
    for path in folder.iterdir():
        (torn / path.name).write_bytes(path.read_bytes())
    whole = (torn / "model.safetensors").read_bytes()
    (torn / "model.safetensors").write_bytes(whole[:-7])
    (tmp_path / "latin.txt").write_bytes("good\nZ\xfcrich\n".encode("latin-1"))
    code, out, err = numbert_main(*[word.format(
        folder=folder, empty=empty, torn=torn, latin=tmp_path / "latin.txt")
        for word in words])
    last = err.strip().splitlines()[-1]
    assert code == 2 and out == ""
    assert re.match(r"numbert( \w+)*: error: ", last) and says in last
    assert "Traceback" not in err
    if not err.startswith("usage:"):
        assert len(err.strip().splitlines()) == 1
    assert not list(empty.iterdir())


def test_traceback_on_request(monkeypatch, folder):
    monkeypatch.setenv("NUMBERT_TRACEBACK", "1")
    with pytest.raises(ValueError, match="TEXT is missing"):
        main(["embed", "--model", str(folder)])


def test_warnings_are_one_line(numbert_main, monkeypatch, folder):
    from numbert.cli import common

    def load(name):
        warnings.warn("something odd")
        raise KeyError("no such thing")
    monkeypatch.setattr(common, "load_tokenizer", load)
    code, _, err = numbert_main("tokenize", "a", "--model", folder)
    assert (code, err) == (2, "numbert: warning: something odd\n"
                              "numbert: error: no such thing\n")


def test_a_bug_keeps_its_traceback(monkeypatch, folder):
    from numbert.cli import common
    monkeypatch.setattr(common, "load_tokenizer", lambda name: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["tokenize", "a", "--model", str(folder)])


# ------------------------------------------------------------- small shared things

def test_read_lines(tmp_path):
    path = tmp_path / "x.txt"
    path.write_bytes("\ufeffone\r\n\ntwo\u2028still two\x0b\nlast".encode())
    assert list(read_lines(str(path))) == ["one", "", "two\u2028still two\x0b", "last"]
    assert count_lines(str(path)) == 4 and count_lines("-") is None


def test_sizes_and_short_texts():
    assert [size(n) for n in (0, 999, 1000, 90_868_376, 5e12)] == [
        "0 bytes", "999 bytes", "1.0 kB", "90.9 MB", "5000.0 GB"]
    assert shorten("a  b\nc", 10) == "a b c" and shorten("x" * 50, 10) == "xxxxxxx..."
