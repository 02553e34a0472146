"""Reports as text: what they say, that they fit, and that nothing foreign gets out."""

import json
import math
import re
import sys
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numbert.verify.report import (junit, literal, markdown, number, shown, text,
                                   to_json)
from report_cases import BUG, EVIL, LAYER, OTHER, evil, judged, report, right, wrong

WRITERS = [text, to_json, junit, markdown]


# ------------------------------------------------------------------------- terminal

def test_a_right_candidate():
    assert text(right()) == """\
PASS  a candidate, judged as fp32
7 tensors in 2 cases: 6 pass, 1 missing

Every tensor is as near to the truth as rounding allows.

Left open by BERT, and chosen here:
  fully masked rows: uniform
The largest errors (1 is the line)                 error    peak    step  status
masked-lm: grad:bert.encoder.layer.0.output.out      0.3    0.15     0.9  pass
masked-lm: bert.encoder.layer.0.output.out          0.75    0.38     0.5  pass
masked-lm: loss                                     0.25    0.12    0.12  pass

pack golden, format 1, sha256 0123456789abcdef, of numbert 0.1.0; compared in
  1.2 s by numbert 0.1.0, numpy 2.0.0
"""


def test_a_wrong_candidate():
    assert text(wrong(undecidable=["B5", "C3"])) == """\
FAIL  a candidate, judged as fp32
7 tensors in 3 cases: 1 pass, 2 fail, 1 missing, 1 shape, 1 dtype, 1 not finite

The first step that is wrong:
  model: bert.encoder.layer.0.intermediate.out
  error 154, peak 77, as a step 618
  (1 is the most that rounding explains)
Also wrong, each by itself:
  masked-lm: bert.pooler.out  shape (12, 4), expected (4, 12)
  masked-lm: loss  error inf, peak inf, as a step inf (1 of 1 entries are nan)
  masked-lm: grad:cls.predictions.out  dtype object, expected floating point

The bug: GELU in its tanh form [C1-tanh]
  Why: Two formulas are called GELU.
  Fix: Use the one with erf.
  It explains 1 tensor.

Cases without any tensor:
  choice
Rounding in fp32 would hide: B5, C3

pack golden, format 1, sha256 0123456789abcdef, of numbert 0.1.0; compared in
  1.2 s by numbert 0.1.0, numpy 2.0.0
"""


def test_what_is_known_of_the_cause_is_said_plainly():
    assert "something else is wrong too" in text(wrong(partly=True))
    alone = text(wrong(diagnosis=[]))
    assert "No known bug explains what fails.\n" in alone and "nearest" not in alone
    nearest = text(wrong(diagnosis=[], nearest=[OTHER]))
    assert "These come nearest:\nNearest: ReLU in place of GELU [C2]\n" in nearest
    assert "The bug:" not in nearest and "It explains" not in nearest
    skipped = wrong(diagnosis=[], diagnosed=False)
    for write in (text, markdown):
        assert "known bug" not in write(skipped)


def test_an_incomplete_candidate():
    said = text(report([judged("model", "embeddings.out"),
                        judged("choice", "loss", status="missing")]))
    assert said.startswith("INCOMPLETE  ") and "without any tensor:\n  choice\n" in said
    assert "some cases gave no tensor" in said


def test_a_failure_that_is_no_step():
    """Where only the whole run is judged, as for most gradients in half precision."""
    assert "The first tensor that is wrong:\n  model: grad:x\n  error 5, peak 2.5\n" \
        in text(report([judged("model", "grad:x", 5.0)]))


def many():
    tensors = [judged(case, f"{LAYER}{i}.attention.output.out", 3.0 + i, 2.0 + i,
                      detail="of 12 entries " * 20)
               for case in map("case-{}".format, range(20)) for i in range(50)]
    empty = [judged(f"empty-{i}", "loss", status="missing") for i in range(30)]
    long = [bug._replace(why="This is why. " * 20, fix="Do this. " * 20)
            for bug in (BUG, OTHER) * 5]
    return report(tensors + empty, diagnosis=long, candidate="program " * 99,
                  undecidable=[f"B{i}" for i in range(100)],
                  variants={f"choice {i}": "this" for i in range(20)})


def test_it_fits_on_a_screen_unless_all_is_asked_for():
    assert len(text(wrong()).splitlines()) <= 24
    said = text(many())
    assert len(said.splitlines()) <= 60
    for count in ("and 996 more", "and 7 more", "and 27 more", "and 17 more",
                  "and 88 more"):
        assert count in said
    everything = text(many(), everything=True)
    assert " more" not in everything
    for tensor in many().tensors:
        assert f"\n{tensor} " in everything


def test_color_is_only_in_the_verdict():
    plain, colored = text(wrong()), text(wrong(), color=True)
    assert "\x1b" not in plain
    assert colored == "\x1b[1;31mFAIL\x1b[0m" + plain.removeprefix("FAIL")
    assert text(right(), color=True).startswith("\x1b[1;32mPASS\x1b[0m")


@pytest.mark.parametrize("value, said", [
    (None, "-"), (0.0, "0"), (0.0123, "0.012"), (1.0, "1"), (99.4, "99"),
    (99.6, "100"), (618.0, "618"), (99999.0, "99999"), (1e5, "1e+05"),
    (1.7e300, "1.7e+300"), (math.inf, "inf")])
def test_numbers(value, said):
    assert number(value) == said


# ------------------------------------------------------------------------- programs

def test_json_holds_everything():
    facts = json.loads(to_json(wrong()))
    assert facts["verdict"] == "fail" and facts["exit_code"] == 1
    assert facts["first"]["name"] == LAYER + "intermediate.out"
    assert [x["status"] for x in facts["tensors"]] == [
        x.status for x in wrong().tensors]
    assert facts["diagnosis"] == [{**BUG._asdict(), "tensors": list(BUG.tensors)}]
    assert facts["tensors"][1]["error"] == 154
    assert facts["tensors"][4]["error"] == sys.float_info.max       # infinity
    assert facts["tensors"][6]["error"] is None                     # not measured


def test_junit_has_a_test_for_each_tensor():
    top = ElementTree.fromstring(junit(wrong()))
    assert {name: top.get(name) for name in ("tests", "failures", "skipped")} == {
        "tests": "7", "failures": "5", "skipped": "1"}
    assert [(x.get("name"), x.get("tests"), x.get("failures")) for x in top] == [
        ("model", "3", "2"), ("masked-lm", "3", "3"), ("choice", "1", "0")]
    assert [x.get("name") for x in top.iter("testcase")] == [
        x.name for x in wrong().tensors]
    assert [x.get("message") for x in top.iter("failure")][0] == \
        "error 154, peak 77, as a step 618"
    assert len(list(top.iter("skipped"))) == 1


# ------------------------------------------------------------------------- markdown

def test_markdown_says_it_all():
    said = markdown(wrong(partly=True))
    for part in ("## FAIL: <code>a candidate</code>", "something else is wrong too",
                 "**The bug:** GELU in its tanh form (<code>C1-tanh</code>)",
                 "Why: Two formulas", "Fix: Use the one", "0123456789abcdef" * 4,
                 "Cases without any tensor: <code>choice</code>.",
                 "| <code>model</code> | <code>bert.encoder.layer.0.intermediate.out"
                 "</code> | 154 | 77 | 618 | fail |"):
        assert part in said
    assert "largest" not in said and "## PASS" in markdown(right())


@given(st.text())
def test_literal_markdown_has_no_markup(value):
    said = literal(value, code=False)
    plain = re.sub(r"&#(\d+);", lambda found: chr(int(found[1])), said)
    assert plain == shown(value)
    assert not re.search(r"[<>*_`|\[\]!#~@\\\n]", re.sub(r"&#\d+;", "", said))


# --------------------------------------------------------------------- foreign text

@pytest.mark.parametrize("write", WRITERS)
def test_foreign_text_controls_nothing(write):
    said = write(evil())
    said.encode("utf-8")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\u2028]", said.replace(
        r"\u001b", "")) or write is to_json
    if write is to_json:
        assert json.loads(said)["tensors"][0]["name"] == \
            EVIL.replace("\ud800", "\ufffd")
    elif write is junit:
        names = [x.get("name") for x in ElementTree.fromstring(said).iter("testcase")]
        assert names == [shown(EVIL)] * 2
    elif write is markdown:
        assert "<script" not in said and "*`" not in said
        rows = [line for line in said.splitlines() if line.startswith("|")]
        assert {line.count("|") for line in rows} == {7}
    else:
        assert "\x1b" not in said and r"\u001b[2J" in said


@settings(max_examples=50)
@given(st.text(), st.text(), st.text())
def test_any_text_can_be_written(name, detail, candidate):
    found = report([judged("model", name, 3.0, 4.0, detail=detail)],
                   candidate=candidate)
    for write in WRITERS:
        write(found).encode("utf-8")
    assert ElementTree.fromstring(junit(found))[0][0].get("name") == shown(name)
    assert json.loads(to_json(found))["candidate"] == candidate


@pytest.mark.parametrize("write", WRITERS)
def test_a_report_without_tensors(write):
    assert write(report([]))
