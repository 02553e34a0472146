"""The conformance suite: right targets pass it, and each bug is named."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest

import conformance_bugs
import masking_bugs
from numbert.testing.conformance import expected, page, plugin, programs, target
from numbert.testing.conformance.tokenizers import made_of_operations
from numbert.testing.properties.table import check, PROPERTIES

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
RUST = f"{sys.executable} {HERE / 'rust_program.py'}"
PLUGIN = ("-p", "numbert.testing.conformance.plugin")


def run(folder, *options, plugins=PLUGIN):
    """Run the suite as a tester does: (exit code, what it printed)."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, "-p", "no:cacheprovider", "-q",
         "--pyargs", "numbert.testing.conformance", *map(str, options)],
        cwd=folder, capture_output=True, text=True, timeout=400,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{HERE}:{HERE.parent}",
             "HF_HUB_OFFLINE": "1"})
    return done.returncode, done.stdout + done.stderr


# ------------------------------------------------------------------- targets that pass

TARGETS = {         # {name: (options, tests that pass at least, other packages)}
    "numbert": (("--target", "target_numbert"), 1100, ()),
    "transformers": (("--target", "targets_transformers:eager"), 840,
                     ("transformers",)),
    "transformers, sdpa": (("--target", "targets_transformers:sdpa", "--level",
                            "forward,generation"), 50, ("transformers",)),
    "C": (("--target", "target_c", "--level", "forward"), 40, ()),
    "Rust": (("--exec", RUST, "--level", "tokenizer"), 850, ("tokenizers",)),
}


@pytest.mark.parametrize("name", TARGETS)
def test_real_targets_pass_but_for_what_is_expected(name, tmp_path):
    options, least, packages = TARGETS[name]
    for package in packages:
        pytest.importorskip(package)
    known, entries = (), []
    if "transformers" in name:
        path = HERE / f"expected_{options[1].replace(':', '_')[8:]}.txt"
        known, entries = ("--expected-failures", path), expected.read_expected(path)
    code, said = run(tmp_path, *options, *known, "--examples", 2, "--junitxml",
                     tmp_path / "all.xml", "--conformance-report", tmp_path / "all.md")
    assert code == 0, said[-4000:]
    cases = ElementTree.parse(tmp_path / "all.xml").getroot().findall(".//testcase")
    skipped = [case for case in cases if case.find("skipped") is not None]
    failing = [case.get("name") for case in skipped
               if case.find("skipped").get("type") == "pytest.xfail"]
    assert sorted(failing) == sorted(x.pattern.split("::")[1] for x in entries)
    assert len(cases) - len(skipped) >= least
    report = (tmp_path / "all.md").read_text()
    assert "no unexpected failure" in report and "golden pack 26e631" in report
    for entry in entries:
        assert page.literal(entry.reason, code=False) in report
    if name == "numbert":
        assert not known
        assert "| training_step | - | 1 of 1 | 1 of 1 |" in report


# ------------------------------------------------------------------ targets with a bug

@pytest.mark.parametrize("level, says", [
    ("tokenizer", ["encoding-00", "T5 (exact), type_ids_tell_the_texts_apart",
                   "token_type_ids"]),
    ("forward", ["N1 (approximate), padding_changes_nothing", "It is B1-ignored,",
                 "The first step that is wrong is"]),
    ("backward", ["N25 (approximate), gradients_are_slopes",
                  "dparam:embeddings.word_embeddings.weight"]),
    ("masking", ["M3 (exact), special_tokens_are_never_masked",
                 "special tokens are spared"]),
    ("generation", ["N19 (approximate), chunks_are_one_pass",
                    "test_greedy[padding on the left]"]),
    ("training", ["adamw1:", "bias: error"])])
def test_a_bug_is_named(level, says, tmp_path):
    code, said = run(tmp_path, "--target", f"broken_targets:{level}", "--level",
                     "training_step" if level == "training" else level,
                     "--examples", 20)
    assert code == 1
    for words in says:
        assert words in said, said[-6000:]


# -------------------------------------------------------------- expected failures

@pytest.mark.parametrize("lines, code, says", [
    ("test_masking.py::test_vector[labels-00*] : because", 1,
     "[XPASS(strict)] because"),
    ("test_masking.py::test_vector[labels-9999] : because", 4,
     "is the id of no test, expected one that pytest prints"),
    ("test_masking.py::test_vector[labels-0001]", 4, "has no reason, expected PATTERN"),
    ("a : b\na : c", 4, "is there twice")])
def test_expected_failures_are_strict(lines, code, says, tmp_path):
    (tmp_path / "known.txt").write_text("# known\n\n" + lines + "\n")
    found, said = run(tmp_path, "--target", "broken_targets:counting", "--level",
                      "masking", "--expected-failures", "known.txt")
    assert (found, says in said) == (code, True), said


def test_a_pattern_is_the_end_of_an_id():
    entry = expected.Expected("test_forward.py::test_golden[decoder-*]", "why", 1)
    assert entry.fits("a/b/test_forward.py::test_golden[decoder-loss]")
    assert not entry.fits("test_forward.py::test_golden[model-loss]")
    assert expected.Expected("a/test_forward.py::x", "", 1).fits("test_forward.py::x")


# ---------------------------------------------------------------------- what is refused

@pytest.mark.parametrize("options, says", [
    ((), "the suite has no target, expected one of --target"),
    (("--target", "no.such"), "--target 'no.such' can't be loaded (ModuleNotFound"),
    (("--target", "json"), "--target 'json' has nothing that can be tested"),
    (("--target", "target_numbert", "--level", "model"), "--level is 'model'"),
    (("--exec", ""), "--exec is empty"),
    (("--target", "json", "--examples", "0"), "--examples is 0, expected 1 or more")])
def test_a_wrong_command_is_refused(options, says, tmp_path):
    code, said = run(tmp_path, *options)
    assert code == 4 and says in said, said


def test_without_the_plugin_it_says_so(tmp_path):
    code, said = run(tmp_path, plugins=())
    assert code == 2 and "add -p numbert.testing.conformance.plugin" in said, said


def test_the_plugin_leaves_other_runs_alone():
    registered = []
    config = SimpleNamespace(pluginmanager=SimpleNamespace(
        register=lambda *given: registered.append(given)))
    plugin.pytest_load_initial_conftests(config, ["tests", "--target", "x"])
    assert not registered
    plugin.pytest_load_initial_conftests(config, ["numbert.testing.conformance"])
    assert len(registered) == 1


# ------------------------------------------------------------------------ the template

def test_the_template_is_short_and_provides_nothing(tmp_path):
    path = Path(target.__file__).with_name("template.py")
    lines = [line for line in path.read_text().splitlines() if line.strip()]
    assert len(lines) <= 40
    (tmp_path / "mine.py").write_text(path.read_text())
    code, said = run(tmp_path, "--target", "mine", "--examples", 1)
    assert code == 0 and "passed" not in said, said
    assert "x not provided: encode" in said and "x not provided: forward" in said


def test_every_name_of_the_template_is_explained():
    text = Path(target.__file__).with_name("template.py").read_text()
    for name in re.findall(r"^def (\w+)|^(\w+) =", text, re.M):
        assert re.search(rf"\b{''.join(name)}\b", target.__doc__)


# ---------------------------------------------------------------------------- programs

def test_a_program_that_answers_late_is_told_to_flush(tmp_path, monkeypatch):
    path = tmp_path / "late.py"
    path.write_text("import sys\nfor line in list(sys.stdin): print(line)\n")
    monkeypatch.setattr(programs, "AT_ONCE", 0.3)
    late = programs.ProgramTarget(f"{sys.executable} {path}", "hf-fast")
    for _ in range(2):
        with pytest.raises(NotImplementedError, match="flush the output"):
            late.encode({"text": "a", "pair": None}, {})
    assert late.process is None


def test_a_program_that_ends_is_an_error(tmp_path):
    gone = programs.ProgramTarget(f"{sys.executable} -c pass", "hf-fast")
    with pytest.raises(ValueError, match="ended at the request"):
        gone.encode({"text": "a", "pair": None}, {})


def test_the_target_of_the_laws_is_made_of_operations():
    import target_numbert
    made = made_of_operations(target_numbert, "hf-fast")
    for entry in PROPERTIES:
        if entry.law.level == "tokenizer" and entry.name != "saving_and_loading":
            check(entry, made, max_examples=3)


def test_the_page_shows_foreign_text_as_it_is():
    report = SimpleNamespace(nodeid="x/test_forward.py::test_law[a]", outcome="failed",
                             longrepr="<b>no</b>\n| more")
    suite = SimpleNamespace(target=SimpleNamespace(name="<b>\x1b[2J|"), where="x",
                            dialect="hf-fast", profile="fp32", examples=1)
    text = page.markdown(page.counted([report]), suite)
    assert "1 tests fail" in text and "<b>" not in text and "\x1b" not in text
    assert "test_forward.py::test_law" in re.sub("&#95;", "_", text)


# --------------------------------------------------------------- the table of mutations

def test_seeded_bugs_of_tokenizers_are_caught():
    """A slice of the table that conformance_bugs.py prints."""
    bugs = conformance_bugs.TOKENIZER_BUGS[3::30]
    for kind, name, found in conformance_bugs.tokenizer_rows(bugs, examples=60):
        assert any(found.values()), (kind, name, found)
    right = conformance_bugs.target()
    assert len(conformance_bugs.usable()) > 500
    assert conformance_bugs.law_of("tokenizer", right, examples=5) is None


def test_right_pipelines_keep_the_laws():
    """So what a law says of a wrong one is due to its bug."""
    for name, make, settings in masking_bugs.RIGHT[:3]:
        made = conformance_bugs.pipeline(make, settings)
        names = conformance_bugs.ANY_RATE
        assert conformance_bugs.law_of("masking", made, names, 20) is None, name
    right = conformance_bugs.drawn(conformance_bugs.ORACLES["mlm_mask"])
    assert conformance_bugs.law_of("masking", right, examples=20) is None
    rows = list(conformance_bugs.masked_rows(right))
    assert conformance_bugs.seen(rows, conformance_bugs.SIXTY) is None
    assert np.shape(rows) == (1000, 3, 128)
