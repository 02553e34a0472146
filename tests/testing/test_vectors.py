"""The vectors: well formed, made by their oracles, kept by numbert and by programs."""

import collections
import json
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

import vector_target
from golden import make_vectors
from json_schema import complaints
from numbert import BertTokenizer, BertTokenizerLegacy
from numbert.testing import vectors
from vector_cases.operations import OPERATIONS

HERE = Path(__file__).parent
FOLDER = Path(vectors.__file__).parent
SCHEMA = json.loads((FOLDER / "schema.json").read_text())
EVERY = vectors.every()
KINDS = {"hf-fast": BertTokenizer, "hf-legacy": BertTokenizerLegacy}


# -------------------------------------------------------------------------- well formed

@pytest.mark.parametrize("group", vectors.groups())
def test_files_keep_the_schema(group):
    raw = (FOLDER / f"{group}.json").read_bytes()
    assert raw.isascii() and b"\r" not in raw
    assert not list(complaints(json.loads(raw), SCHEMA))


@pytest.mark.parametrize("change, says", [
    (lambda v: v.pop("comment"), "lacks comment"),
    (lambda v: v.update(result="fine"), "none of"),
    (lambda v: v.update(id="cleaning-7"), "does not match"),
    (lambda v: v.update(more=1), "unknown 'more'"),
    (lambda v: v.update(flags="Control"), "is no array"),
    (lambda v: v.update(expected={}), "is empty"),
    (lambda v: v.update(comment="too short"), "does not match")])
def test_the_schema_sees_a_mistake(change, says):
    content = vectors.load("cleaning")
    change(content["vectors"][3])
    said, = complaints(content, SCHEMA)
    assert said.startswith("$.vectors[3]") and says in said


def test_there_are_enough_and_none_is_there_twice():
    assert len(EVERY) >= 600 and len(vectors.groups()) == 13
    keys = collections.Counter(
        json.dumps([v["operation"], v["input"], v["settings"], list(v["expected"])])
        for v in EVERY)
    assert [key for key, n in keys.items() if n > 1] == []
    assert len({v["comment"] for v in EVERY}) > 0.98 * len(EVERY)


@pytest.mark.parametrize("group", vectors.groups())
def test_every_name_in_a_group_is_explained_and_used(group):
    content = vectors.load(group)
    assert content["group"] == group
    used = {flag for v in content["vectors"] for flag in v["flags"]}
    assert used == set(content["flags"])
    assert {v["operation"] for v in content["vectors"]} == set(content["operations"])
    for number, v in enumerate(content["vectors"], 1):
        assert v["id"] == f"{group}-{number:04}"
        settings = content["operations"][v["operation"]]["settings"]
        assert set(v["settings"]) <= set(settings)
        assert {v["settings"].get("vocab", "words")} <= {
            "words", *content["vocabularies"]}
        refused = [x == {"refused": True} for x in v["expected"].values()]
        assert all(refused) if v["result"] == "invalid" else not any(refused)
        assert ("also" in v) <= (v["result"] == "acceptable")


def test_every_text_is_valid_unicode():
    for vector in EVERY:
        json.dumps(vectors.request(vector), ensure_ascii=False).encode()


def test_the_page_has_the_table_of_operations():
    page = (FOLDER / "README.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \| (.*?) \|$", page, re.M)
    assert rows == [(name, does, "; ".join(f"`{key}`: {x}" for key, x in given.items()),
                     out) for name, (does, given, out, _) in OPERATIONS.items()]


# ----------------------------------------------------------------- where they come from

@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("group", vectors.groups())
def test_the_oracles_make_the_same_files(group):
    """What depends on the running Python's Unicode is compared on the same version."""
    pytest.importorskip("tokenizers")
    pytest.importorskip("transformers")
    made = make_vectors.group(group)
    if unicodedata.unidata_version == "14.0.0":
        assert make_vectors.text(made) == (FOLDER / f"{group}.json").read_text()
    for new, old in zip(made["vectors"], vectors.load(group)["vectors"]):
        assert new["expected"].get("hf-fast") == old["expected"].get("hf-fast")


# ------------------------------------------------------------------- numbert keeps them

@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dialect", KINDS)
def test_numbert_keeps_them(dialect, tmp_path):
    """What numbert has no function for is skipped, and counted."""
    functions = vector_target.functions(KINDS[dialect], tmp_path)
    wrong, skipped = [], collections.Counter()
    for vector in vectors.every(dialect=dialect):
        answer = vector_target.answer(functions, vectors.request(vector))
        if "skip" in answer:
            skipped[vector["operation"]] += 1
            continue
        problem = vectors.check(vector, answer, dialect)
        if problem:
            wrong.append(f"{vector['id']}: {problem}")
    if dialect == "hf-legacy" and unicodedata.unidata_version != "14.0.0":
        wrong = [x for x in wrong if "UnicodeVersion" not in
                 vectors.find(x.split(":")[0])["flags"]]
    assert not wrong, "\n".join(wrong)
    clean = skipped.pop("clean", 0)
    assert (clean > 80) == (dialect == "hf-legacy")
    assert set(skipped) == {"attention_mask", "position_ids", "targets", "mlm_count"}
    assert sum(skipped.values()) < 30


# -------------------------------------------------------------------- reading, checking

def test_a_vector_is_found_and_asked():
    vector = vectors.find("wordpiece-0001")
    asked = vectors.request(vector)
    assert list(asked) == ["id", "operation", "input", "settings"]
    assert asked["settings"]["vocab"][:2] == ["[PAD]", "[UNK]"]
    batch = vectors.request(vectors.every("padding")[0])["settings"]
    assert set(batch) == set(OPERATIONS["encode_batch"][3])
    asked["input"]["word"] = vector["comment"] = "changed"
    assert vectors.find("wordpiece-0001")["comment"] != "changed"
    again = vectors.request(vectors.find("wordpiece-0001"))
    assert again["input"]["word"] != "changed"


@pytest.mark.parametrize("call, says", [
    (lambda: vectors.load("words"), "the group is 'words', expected one of cleaning"),
    (lambda: vectors.every(flag="x"), "the flag is 'x', expected one of"),
    (lambda: vectors.every(bug="H"), "the bug is 'H', expected one of A1, A2"),
    (lambda: vectors.every(dialect="fast"), "the dialect is 'fast', expected one of"),
    (lambda: vectors.find("cleaning-9"), "expected an id such as cleaning-0"),
    (lambda: vectors.find("nothing"), "the vector is 'nothing', expected an id"),
    (lambda: vectors.expected(vectors.every("offsets")[0], "google"),
     "offsets-0001 is for hf-fast, expected it to be for google"),
    (lambda: vectors.check(EVERY[0], {}), "expected an object with output or error"),
    (lambda: vectors.check(EVERY[0], {"output": "", "error": ""}),
     "expected an object"),
    (lambda: vectors.run("./a"), "program is './a', expected a list"),
    (lambda: vectors.run(["./a"], timeout=0), "timeout is 0, expected seconds above 0"),
    (lambda: vectors.run(["./a"], "google", "offsets"),
     "no vector in group offsets is for google")])
def test_what_is_wrong_is_refused(call, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        call()


def named(result, **more):
    return {"id": "labels-0001", "expected": {"all": more.pop("want")},
            "result": result, **more}


@pytest.mark.parametrize("vector, answer, problem", [
    (named("valid", want=["a", "b"]), ["a", "b"], None),
    (named("valid", want=["a"]), ["a", "b"], "there are 2 entries, expected 1"),
    (named("valid", want=["a"]), "a", "got 'a', expected ['a']"),
    (named("valid", want={"x": [1]}), {"x": [1], "y": 2}, None),
    (named("valid", want={"x": [1]}), {"y": 2}, "'x' is missing"),
    (named("valid", want={"x": [1, 2]}), {"x": [1, 3]}, "x[1]: got 3, expected 2"),
    (named("valid", want={"x": 1}), [1], "got [1], expected {'x': 1}"),
    (named("valid", want=[1]), [True], "[0]: got True, expected 1"),
    (named("valid", want=[1]), [1.0], None),
    (named("valid", want=[None]), [None], None),
    (named("valid", want=[None]), [0], "[0]: got 0, expected None"),
    (named("valid", want=[0.5]), [0.5000004], None),
    (named("valid", want=[0.5]), [0.500002], "[0]: got 0.500002, expected 0.5"),
    (named("valid", want=[0]), [1e-12], "[0]: got 1e-12, expected 0"),
    (named("valid", want=[2000.5]), [2000.501], None),
    (named("valid", want=[0.5]), [float("nan")], "[0]: got nan, expected 0.5"),
    (named("valid", want="\u00e9"), "e\u0301", r"got 'e\u0301', expected '\xe9'"),
    (named("acceptable", want=[1], also=[[2]]), [2], None),
    (named("acceptable", want=[1], also=[[2]]), [1], None),
    (named("acceptable", want=[1], also=[[2]]), [3], "[0]: got 3, expected 1")])
def test_check(vector, answer, problem):
    assert vectors.check(vector, {"output": answer}) == problem


def test_check_of_refusals():
    refused = named("invalid", want={"refused": True})
    assert vectors.check(refused, {"error": "no"}) is None
    assert vectors.check(refused, {"output": [1]}) == \
        "it must be refused, with an error"
    assert vectors.check(named("acceptable", want=[1]), {"error": "no"}) is None
    assert vectors.check(named("valid", want=[1]), {"error": "no"}) == \
        "it was refused: no"


# ----------------------------------------------------------------------------- programs

def test_a_program_without_numbert_keeps_them():
    """All but what depends on old tables of Unicode, as it says itself."""
    source = (HERE / "vector_program.py").read_text()
    assert len(source.splitlines()) < 90 and "import numbert" not in source
    outcomes = vectors.run([sys.executable, str(HERE / "vector_program.py")])
    failed = [x.vector for x in outcomes if x.problem]
    assert all("UnicodeVersion" in vector["flags"] for vector in failed)
    assert 0 < len(failed) < 20
    assert sum(not x.skipped for x in outcomes) > 400


def test_the_rust_library_as_a_program_keeps_all():
    pytest.importorskip("tokenizers")
    outcomes = vectors.run([sys.executable, str(HERE / "rust_program.py")])
    assert [x.vector["id"] for x in outcomes if x.problem] == []
    counts = vectors.summary(outcomes)
    for group in vectors.groups()[:10]:
        assert counts[group]["skipped"] == 0 and counts[group]["passed"] > 40
    for group in vectors.groups()[10:]:
        assert counts[group]["passed"] == 0


def test_reading_needs_no_hypothesis():
    code = ("import sys; sys.modules['hypothesis'] = None\n"
            "from numbert.testing import vectors\n"
            "print(len(vectors.every()), 'torch' in sys.modules)")
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          check=True).stdout
    assert said.split() == [str(len(EVERY)), "False"]
