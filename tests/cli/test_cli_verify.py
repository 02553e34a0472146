"""numbert verify: what it is given, what it writes, and its exit codes."""

import io
import json
import sys
from xml.etree import ElementTree

import pytest

from numbert.cli import verify as command
from numbert.system.terminal import Escaped
from report_cases import BUG, evil, judged, report, right, wrong

MODULE = """
from numbert.verify.mutants import mutated_run
from numbert.verify.run import run
from numbert.verify.zoo import MUTANTS

BUG = next(mutant for mutant in MUTANTS if mutant.id == "C1-layer")
number = 3


def candidate(case):
    return run(case, dtype="float32")


def tanh(case):
    return mutated_run([BUG], case, dtype="float32")


def half(case):
    return candidate(case) if case.name != "choice" else {}


def renamed(case):
    parts = {name.rpartition(":"): x for name, x in candidate(case).items()}
    return {f"{kind}{colon}my.{name}": x for (kind, colon, name), x in parts.items()}


def broken(case):
    raise RuntimeError("no GPU")
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A folder to work in, with a module of candidates."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "mybert.py").write_text(MODULE)
    yield tmp_path
    sys.modules.pop("mybert", None)


@pytest.fixture
def reported(monkeypatch):
    """Sets what the comparison is to find."""
    return lambda found: monkeypatch.setattr(
        command, "compare", lambda candidate, pack, args: found)


# ---------------------------------------------------------------- exit codes, files

@pytest.mark.parametrize("found, expected", [
    (right(), 0), (wrong(), 1),
    (report([judged("a", "x"), judged("b", "x", status="missing")]), 3)])
def test_exit_codes(numbert_main, reported, found, expected):
    reported(found)
    code, out, err = numbert_main("verify", "mybert:candidate")
    assert (code, err) == (expected, "")
    assert out.startswith(found.verdict.upper() + "  ")


@pytest.mark.parametrize("ids, partly, expected, says", [
    (["C1-layer"], False, 0, "Only what is known is wrong (C1-layer): exit code 0."),
    (["C1"], False, 0, "Only what is known is wrong"),
    (["C1", "B1"], False, 0, "B1 is given as known, but was not found"),
    (["C1"], True, 1, ""), (["B1"], False, 1, "B1 is given as known, but was not")])
def test_a_bug_may_be_known(numbert_main, reported, ids, partly, expected, says):
    reported(wrong(partly=partly, diagnosis=[BUG._replace(id="C1-layer")]))
    code, out, err = numbert_main("verify", "mybert:candidate",
                                  *(x for id in ids for x in ("--known", id)))
    assert (code, err) == (expected, "")
    assert says in out and ("exit code 0" in out) == (expected == 0)


def test_a_known_bug_of_a_right_candidate_is_no_failure(numbert_main, reported):
    reported(right())
    code, out, _ = numbert_main("verify", "mybert:candidate", "--known", "C1")
    assert code == 0 and "C1 is given as known, but was not found" in out


def test_it_writes_files(numbert_main, reported, here):
    reported(wrong())
    code, _, err = numbert_main(
        "verify", "mybert:candidate", "--json", "r.json", "--junit", "r.xml",
        "--markdown", "r.md", "--html", "r.html")
    assert (code, err) == (1, "")
    assert json.loads((here / "r.json").read_text())["verdict"] == "fail"
    assert ElementTree.parse(here / "r.xml").getroot().get("failures") == "5"
    assert (here / "r.md").read_text().startswith("## FAIL")
    assert (here / "r.html").read_text().startswith("<!doctype html>")


def test_all_lists_every_tensor(numbert_main, reported):
    reported(right())
    out = numbert_main("verify", "mybert:candidate", "--all")[1]
    assert all(str(tensor) in out for tensor in right().tensors)


@pytest.mark.parametrize("no_color", [False, True])
def test_the_verdict_is_in_color_on_a_terminal(monkeypatch, no_color):
    """And nothing else controls the terminal."""
    monkeypatch.setenv("NO_COLOR", "1" if no_color else "")
    written = io.StringIO()
    monkeypatch.setattr(sys, "stdout", Escaped(written))
    command.show(evil(), everything=False)
    said = written.getvalue()
    assert said.startswith("FAIL " if no_color else "\x1b[1;31mFAIL\x1b[0m ")
    assert said.count("\x1b") == (0 if no_color else 2)


# ------------------------------------------------------------------------- mistakes

@pytest.mark.parametrize("line, says", [
    ("", "names no candidate, expected one"),
    ("mybert:candidate --exec ./bert", "names two candidates, mybert:candidate and"),
    ("--exec", "--exec is given without a program"),
    ("mybert", "the candidate is 'mybert', expected MODULE:FUNCTION"),
    ("mybert.py:candidate", "mybert:candidate for a function in mybert.py"),
    ("nothing:candidate", "nothing:candidate can't be loaded (ModuleNotFoundError"),
    ("mybert:nothing", "mybert:nothing can't be loaded (AttributeError"),
    ("quits:candidate", "quits:candidate can't be loaded (SystemExit: 3"),
    ("mybert:number", "mybert:number is of type int, expected a function"),
    ("mybert:candidate --json mybert.py", "would replace"),
    ("results --junit results/model.safetensors", "would replace"),
    ("mybert:candidate --json a --html ./a", "--html is ./a, which --json writes too"),
    ("mybert:candidate --pack nowhere", "nowhere"),
    ("mybert:candidate --profile fp8", "profile is 'fp8', expected one of fp64, fp32"),
    ("mybert:candidate --known Z1", "the bug is 'Z1', expected an id such as"),
    ("mybert:broken", "case model: the candidate raised RuntimeError: no GPU"),
    ("--exec ./nothing", "./nothing could not be started"),
    ("--pairs 3", "--pairs is given without --self-test"),
    ("mybert:candidate --self-test", "expected no candidate: leave one of them out"),
    ("--explain B13x", "the bug is 'B13x', expected an id such as B13"),
    ("empty", "empty holds no results")])
def test_mistakes(numbert_main, here, line, says):
    (here / "empty").mkdir()
    (here / "results").mkdir()
    (here / "results" / "model.safetensors").write_bytes(b"results")
    (here / "quits.py").write_text("raise SystemExit(3)")
    before = {path: path.read_bytes() for path in here.glob("*.py")}
    code, out, err = numbert_main("verify", *line.split())
    assert code == 2 and out == "" and err.count("\n") == 1, err
    assert says in err
    assert before == {path: path.read_bytes() for path in here.glob("*.py")}


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "soon"])
def test_a_timeout_is_above_zero(numbert_main, value):
    code, _, err = numbert_main("verify", f"--timeout={value}", "--exec", "./bert")
    assert code == 2 and "expected a number of seconds above 0" in err


# -------------------------------------------------------------------- from the start

def test_a_right_candidate_passes(numbert_main):
    code, out, err = numbert_main("verify", "mybert:candidate")
    assert (code, err) == (0, "") and out.startswith("PASS  candidate")


def test_a_picture_of_the_errors(numbert_main, tmp_path):
    pytest.importorskip("matplotlib")
    for name, start in (("a.png", b"\x89PNG"), ("a.svg", b"<?xml")):
        numbert_main("verify", "mybert:candidate", "--plot", tmp_path / name)
        assert (tmp_path / name).read_bytes().startswith(start)


def test_a_picture_that_can_not_be_drawn_is_refused_before_any_work(
        numbert_main, tmp_path, monkeypatch):
    code, out, err = numbert_main("verify", "mybert:candidate", "--plot",
                                  tmp_path / "a.txt")
    assert (code, out) == (2, "") and "ends in .png, .svg or .pdf" in err
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    code, out, err = numbert_main("verify", "mybert:candidate", "--plot",
                                  tmp_path / "a.png")
    assert (code, out) == (2, "") and 'pip install "numbert[notebooks]"' in err
    assert not list(tmp_path.glob("a.*"))


def test_a_bug_is_named(numbert_main):
    code, out, err = numbert_main("verify", "mybert:tanh")
    assert (code, err) == (1, "")
    assert "encoder.layer.0.intermediate.out\n" in out and "[C1-layer]" in out
    code, out, _ = numbert_main("verify", "mybert:tanh", "--no-diagnosis")
    assert code == 1 and "C1-layer" not in out and "known bug" not in out


def test_a_case_without_tensors_is_incomplete(numbert_main):
    code, out, _ = numbert_main("verify", "mybert:half")
    assert code == 3 and "Cases without any tensor:\n  choice\n" in out


def test_a_program(numbert_main, here):
    """It gives back the names that it knows: none at all here."""
    (here / "bert.py").write_text(
        "import sys; from safetensors.numpy import save_file; import numpy as np\n"
        "assert sys.argv[1] == 'x'\n"
        "save_file({'unused': np.zeros(1)}, sys.argv[-1])")
    code, out, err = numbert_main("verify", "--exec", sys.executable, "bert.py", "x")
    assert (code, err) == (3, "") and out.startswith("INCOMPLETE  ")
    code, _, err = numbert_main("verify", "--exec", sys.executable, "bert.py", "y")
    assert code == 2 and "failed (exit code 1)" in err


def test_rules_give_the_names(numbert_main, here):
    rule = {"match": r"my\.(.*)", "to": r"\1"}
    (here / "rules.json").write_text(json.dumps({"rule": [rule]}))
    code, out, err = numbert_main("verify", "mybert:renamed", "--rules", "rules.json")
    assert (code, err) == (0, "") and out.startswith("PASS  renamed")
    assert numbert_main("verify", "mybert:renamed")[0] == 3
    (here / "rules.json").write_text(json.dumps({"rule": [
        rule, {"match": "your.*", "to": "x"}]}))
    code, out, err = numbert_main("verify", "mybert:renamed", "--rules", "rules.json")
    assert (code, out) == (2, "") and "rule 2 of rules.json matches no name" in err


def test_rules_are_proposed(numbert_main, here):
    code, out, err = numbert_main("verify", "mybert:renamed", "--propose-rules")
    assert (code, err) == (0, "") and "my" in out
    rules = here / ("rules.json" if out.startswith("{") else "rules.toml")
    rules.write_text(out)
    if rules.suffix == ".json" or sys.version_info >= (3, 11):
        code, out, err = numbert_main("verify", "mybert:renamed", "--rules", rules)
        assert (code, err) == (0, ""), out


def test_a_bug_is_explained(numbert_main):
    code, out, err = numbert_main("verify", "--explain", "C1")
    assert (code, err) == (0, "")
    assert out.startswith("C1: ") and "\nWhy: " in out and "\nFix: " in out
    assert "  C1-layer " in out
    assert numbert_main("verify", "--explain", "C1-layer")[1].startswith("C1: ")


def test_the_self_test(numbert_main, monkeypatch):
    """Over three bugs, of which one is seen only by its probe."""
    from numbert.verify import selftest, zoo
    probed = next(mutant for mutant in zoo.MUTANTS if mutant.probe is not None)
    chosen = [mutant for mutant in zoo.MUTANTS
              if mutant.id in ("C1-layer", "C4-unbiased", probed.id)]
    monkeypatch.setattr(selftest, "MUTANTS", chosen)
    monkeypatch.setattr(selftest, "visible", lambda: [
        mutant for mutant in chosen if mutant.probe is None])
    code, out, err = numbert_main("verify", "--self-test", "--all")
    assert (code, err) == (0, "")
    assert out.count(": found\n") == 3 and probed.id in out
    assert "3 of 3 known bugs are noticed (100.0 %)" in out
    code, out, err = numbert_main("verify", "--self-test", "--pairs", "1", "--all")
    assert (code, err) == (0, "") and "C1-layer" in out and " + " in out
    assert "1 of 1 pairs of known bugs are noticed (100.0 %)" in out
    blind = selftest.Score("C1-layer", False, False, (), 0.0)
    monkeypatch.setattr(selftest, "bugs", lambda *args: [blind])
    code, out, _ = numbert_main("verify", "--self-test")
    assert code == 1 and "0 of 1 known bugs are noticed (0.0 %)" in out
    assert "not noticed, another step was named, named as no known bug" in out
