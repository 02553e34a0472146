"""Rules for foreign names: what they do, what they refuse, and the proposal of them."""

import json
import re
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numbert.verify.cases import make_case, make_cases
from numbert.verify.names import (check_used, nearest, parse_rules, parted, read_rules,
                                  rename)
from numbert.verify.propose import propose
from numbert.verify.results import CandidateError
from numbert.verify.run import run

CASE = make_case("classification")                     # N = 3 heads, C = 12 channels
LAYER = "bert.encoder.layer.0.attention.self"
SELF = r"bert.encoder.layer.\1.attention.self"


def rules(*rows):
    """Rules out of dictionaries."""
    return parse_rules({"rule": list(rows)}, "rules.toml")


def rule(match, to=None, op=None, **more):
    """A row of a rules file."""
    row = {"match": match, "to": to, "op": op, **more}
    return {key: value for key, value in row.items() if value is not None}


# ------------------------------------------------------------------------ renaming

def test_a_rule_for_every_layer_keeps_what_stands_in_front():
    x = np.arange(4.)
    got = rename(rules(rule(r"h\.(\d+)\.q", SELF + ".query")), {
        "h.0.q": x, "grad:h.0.q": x + 1, "loss": np.array(2.)}, CASE)
    assert list(got) == [f"{LAYER}.query", f"grad:{LAYER}.query", "loss"]
    assert np.array_equal(got[f"grad:{LAYER}.query"], x + 1)


def test_names_go_through_one_rule_after_the_other():
    """Fused and stored (in, out): two rules do it, or one with two operations."""
    w = np.arange(12 * 36.).reshape(12, 36)
    names = [f"{SELF}.{x}" for x in ("query", "key", "value")]
    two = rules(rule(r"h\.(\d+)\.qkv\.kernel", [f"{x}.kernel" for x in names],
                     "split3"), rule(r"(.*)\.kernel", r"\1.weight", "transpose"))
    one = rules(rule(r"h\.(\d+)\.qkv\.kernel", [f"{x}.weight" for x in names],
                     ["split3", "transpose"]))
    for each in (two, one):
        got = rename(each, {"dparam:h.0.qkv.kernel": w}, CASE)
        assert list(got) == [f"dparam:{LAYER}.{x}.weight"
                             for x in ("query", "key", "value")]
        for i, x in enumerate(got.values()):
            assert np.array_equal(x, w[:, 12 * i:12 * i + 12].T)


def test_bert_may_be_written_or_left_out():
    backbone = make_case("model")
    long = rules(rule("x", "bert.embeddings.out"))
    short = rules(rule("x", "embeddings.out"))
    for each in (long, short):
        assert list(rename(each, {"x": np.ones(1)}, CASE)) == ["bert.embeddings.out"]
        assert list(rename(each, {"grad:x": np.ones(1)}, backbone)) == \
            ["grad:embeddings.out"]


def test_optimiser_steps_have_the_names_of_parameters():
    got = rename(rules(rule("w", "classifier.weight")), {
        "adamw1:w": np.ones(1), "bertadam3:w": np.ones(1)}, CASE)
    assert list(got) == ["adamw1:classifier.weight", "bertadam3:classifier.weight"]
    with pytest.raises(CandidateError, match="expected a name of the pack"):
        rename(rules(rule("w", "classifier.bias2")), {"adamw1:w": np.ones(1)}, CASE)


B, N, T, D, C = 2, 3, 7, 4, 12
HEADS = np.arange(B * N * T * D).reshape(B, N, T, D)


@pytest.mark.parametrize("op, x, want", [
    ("transpose", HEADS[0, 0], HEADS[0, 0].T),
    ("transpose", HEADS, np.einsum("bntd->bndt", HEADS)),
    ("squeeze", HEADS[:1, :, :1], HEADS[0, :, 0]),
    ("heads", HEADS, [[[HEADS[b, c // D, t, c % D] for c in range(C)]
                       for t in range(T)] for b in range(B)]),
    ("heads", np.einsum("bntd->btnd", HEADS),
     [[[HEADS[b, c // D, t, c % D] for c in range(C)] for t in range(T)]
      for b in range(B)]),
    ("heads", np.arange(C * C).reshape(C, N, D), np.arange(C * C).reshape(C, C)),
    ("heads", np.arange(C * C).reshape(N, D, C), np.arange(C * C).reshape(C, C)),
    ("heads", np.arange(C).reshape(N, D), np.arange(C)),
    ("drop", HEADS, None), ([], HEADS, HEADS), (None, HEADS, HEADS)])
def test_operations(op, x, want):
    got = rename(rules(rule("loss", op=op)), {"loss": x}, CASE)
    assert (want is None) == (got == {})
    for y in got.values():
        assert np.array_equal(y, want)


def test_an_axis_to_split_may_be_named():
    w = np.arange(36 * 12.).reshape(36, 12)
    got = rename(rules(rule("w", [f"{LAYER}.{x}.weight" for x in
                                  ("query", "key", "value")], "split3", axis=0)),
                 {"dparam:w": w}, CASE)
    assert np.array_equal(np.concatenate(list(got.values())), w)


@pytest.mark.parametrize("row, x, says", [
    (rule("x", "loss", "transpose"), np.ones(3), "rule 1 of rules.toml, for x: the "
     "shape is (3,), expected at least 2 axes to transpose: change"),
    (rule("x", "loss", "heads"), np.ones((2, 5)), "expected an axis of 3 heads and"),
    (rule("x", ["a", "b", "c"], "split3"), np.ones((3, 4)), "an axis -1 to cut in"),
    (rule("x", ["a", "b", "c"], "split3", axis=2), np.ones(3), "expected an axis 2 to"),
    (rule("y", "loss"), np.ones(3), "case classification: x is called x in the end, "
     "expected a name of the pack; nearest: "),
    (rule("x", "bert.embeddings.oot"), np.ones(3), "x is called bert.embeddings.oot in "
     "the end, expected a name of the pack; nearest: bert.embeddings.out, ")])
def test_what_does_not_fit_is_one_clear_error(row, x, says):
    with pytest.raises(CandidateError) as error:
        rename(rules(row), {"x": x}, CASE)
    assert says in str(error.value)


def test_two_tensors_under_one_name_are_refused():
    with pytest.raises(CandidateError, match="case classification: a and b are both "
                       "called loss in the end"):
        rename(rules(rule("[ab]", "loss")), {"a": np.ones(1), "b": np.ones(1)}, CASE)


def test_a_rule_that_never_matches_is_refused():
    both = rules(rule("a", "loss"), rule("los", "x"))
    with pytest.raises(CandidateError, match=r"rule 2 of rules.toml matches no name: "
                       "los, expected one; nearest: loss"):
        check_used(both, ["a"])
    check_used(rules(rule("a", "b"), rule("b", "loss")), ["a", "grad:a"])
    check_used(rules(rule("b", op="drop"), rule("a", "loss")), ["a", "dparam:b"])


def test_names_are_shown_without_their_control_characters():
    assert nearest("x", ["x\x1b[2J"]) == r"x\u001b[2J"
    with pytest.raises(CandidateError) as error:
        rename(rules(rule("y")), {"x\x1b[2J": np.ones(1)}, CASE)
    assert "\x1b" not in str(error.value)


# ------------------------------------------------------------------------- reading

@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 reads no TOML")
def test_toml_and_json_give_the_same_rules(tmp_path):
    toml, other = tmp_path / "rules.toml", tmp_path / "rules.json"
    toml.write_text("# mine\n[[rule]]\nmatch = 'h\\.(\\d+)\\.q'\n"
                    f"to = '{SELF}.query'\nop = 'transpose'\n")
    other.write_text(json.dumps({"rule": [rule(r"h\.(\d+)\.q", f"{SELF}.query",
                                               "transpose")]}))
    assert read_rules(toml).rules == read_rules(other).rules


def test_python_without_toml_asks_for_json(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tomllib", None)
    path = tmp_path / "rules.toml"
    path.write_text("")
    with pytest.raises(ValueError, match="rules.toml is TOML, expected JSON"):
        read_rules(path)


@pytest.mark.parametrize("text, says", [
    ("[[rule", "is not TOML"), ("", "holds nothing, expected a list of rules"),
    ("rules = []", "holds 'rules', expected a list"), ("rule = 3", "expected a list"),
    ("rule = [3]", "rule 1 is 3, expected a table"),
    ("[[rule]]\nmatch = 'a'\nfrom = 'b'", "rule 1 has 'from', expected match, to, op"),
    ("[[rule]]\nto = 'b'", "match None"), ("[[rule]]\nmatch = 'a'\nto = [3]", "texts"),
    ("[[rule]]\nmatch = '('\n", "missing \\)"),
    ("[[rule]]\nmatch = 'a'\n[[rule]]\nmatch = '(a)'\nto = '\\2'",
     "rule 2 has .*invalid group reference 2"),
    ("[[rule]]\nmatch = 'a'\nto = '\\g<x>'", "unknown group name"),
    ("[[rule]]\nmatch = 'a'\nop = 'flip'", "op 'flip', expected drop alone, or a list"),
    ("[[rule]]\nmatch = 'a'\nop = ['heads', 'split3']\nto = ['a', 'b', 'c']", "first"),
    ("[[rule]]\nmatch = 'a'\nop = ['drop', 'heads']", "drop alone"),
    ("[[rule]]\nmatch = 'a'\nop = [['drop']]", "expected drop alone"),
    ("[[rule]]\nmatch = 'a'\nop = 'split3'", "has 1 names in to"),
    ("[[rule]]\nmatch = 'a'\nto = ['a', 'b', 'c']", "has 3 names in to"),
    ("[[rule]]\nmatch = 'a'\naxis = 'last'", "axis 'last', expected"),
    ("[[rule]]\nmatch = 'a'\naxis = true", "axis True, expected")])
@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 reads no TOML")
def test_rules_that_are_not_well_formed(tmp_path, text, says):
    path = tmp_path / "rules.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=says):
        read_rules(path)


# -------------------------------------------------------------------- the proposal

WORDS = {"encoder.layer.": "blocks.", "attention.self.": "attn.", "LayerNorm": "ln",
         "attention.output": "attn.proj", "intermediate": "up", ".output": ".down",
         "word_embeddings": "wte", "position_embeddings": "wpe", ".weight": ".kernel"}


def foreign(name):
    """A pack name as another project might have it."""
    prefix, body = parted(name)
    body = body.removeprefix("bert.")
    for ours, theirs in WORDS.items():
        body = body.replace(ours, theirs)
    return prefix + body


def another(case, dtype="float64", change=lambda name, x: x):
    """What another BERT gives: fused projections, (in, out) weights, split heads."""
    steps, result = run(case, dtype=dtype), {}
    for name, x in steps.items():
        x = change(name, x)
        if x is None:
            continue
        called, dense = foreign(name), name.endswith(".weight") and x.ndim == 2 \
            and "_embeddings" not in name
        if re.search(r"[^s]attention\.self\.(query|key|value)", name):
            if "query" not in name:
                continue
            x = np.concatenate([steps[name.replace("query", part)] for part in
                                ("query", "key", "value")], 0 if dense else -1)
            called = called.replace("query", "qkv")
        if name.endswith("context"):
            x = x.reshape(*x.shape[:2], 3, 4).swapaxes(1, 2)
        result[called] = x.T if dense else x
    return result


def read_text(tmp_path, text):
    """Rules out of their text, in JSON, which every Python reads."""
    path = tmp_path / "rules.json"
    path.write_text(text)
    return read_rules(path)


def wrong(got, want):
    """Names that are not there, or whose numbers are not those."""
    return [name for name, x in want.items() if name not in got
            or got[name].shape != np.shape(x) or not np.allclose(
                got[name], x, rtol=0, atol=1e-3 * (np.abs(x).max() + 1e-3))]


def test_rules_for_a_whole_model_are_found_by_its_values(tmp_path):
    truth = {case.name: run(case) for case in make_cases()}
    seen = {case.name: another(case, "float32") for case in make_cases()}
    found = read_text(tmp_path, propose(truth, seen, form="json"))
    check_used(found, [name for tensors in seen.values() for name in tensors])
    seen = {case.name: another(case) for case in make_cases()}
    for case in make_cases():
        assert not wrong(rename(found, seen[case.name], case), truth[case.name])
    assert len(found.rules) < 70                             # not one for every name
    assert not any("blocks" in x.match.pattern and r"(\d+)" not in x.match.pattern
                   for x in found.rules)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 reads no TOML")
def test_the_text_can_be_read_back_and_says_what_was_found(tmp_path):
    case = make_case("model")
    truth, seen = {"model": run(case)}, {"model": another(case)}
    text = propose(truth, seen)
    count = len({parted(name)[1] for name in seen["model"]})
    assert text.startswith(f"# Found by values: {count} of {count} names, and 0 that ")
    assert "nowhere" not in text and "Guessed" not in text
    path = tmp_path / "rules.toml"
    path.write_text(text)
    as_json = read_text(tmp_path, propose(truth, seen, form="json"))
    assert read_rules(path).rules == as_json.rules
    assert not wrong(rename(as_json, seen["model"], case), truth["model"])


def test_the_first_wrong_step_is_the_first_without_a_match():
    case = make_case("classification")
    name = "bert.encoder.layer.0.intermediate.out"
    seen = another(case, change=lambda own, x: x * 1.01 if own.endswith(name) else x)
    text = propose({case.name: run(case)}, {case.name: seen})
    assert "wrong, or no step of it.  The first is blocks.0.up.out.\n" in text
    assert r"# match = 'blocks\.0\.up\.out'" f"\n# to = '{name}'" in text


def test_a_rule_for_all_layers_covers_a_wrong_step_of_one():
    case = make_case("model")
    name = "encoder.layer.1.intermediate.out"
    seen = another(case, change=lambda own, x: x * 1.01 if own.endswith(name) else x)
    text = propose({"model": run(case)}, {"model": seen})
    assert r"match = 'blocks\.(\d+)\.up\.out'" in text
    rows = json.loads(propose({"model": run(case)}, {"model": seen}, form="json"))
    assert wrong(rename(parse_rules(rows, ""), seen, case), run(case)) == [
        name, f"grad:{name}"]


def test_a_tensor_that_is_given_twice_is_dropped_once(tmp_path):
    case = make_case("classification")
    seen = another(case)
    seen["zz"] = seen["blocks.0.up.out"]
    truth = {case.name: run(case)}
    text = propose(truth, {case.name: seen}, form="json")
    assert {"match": "zz", "op": "drop"} in json.loads(text)["rule"]
    assert not wrong(rename(read_text(tmp_path, text), seen, case), truth[case.name])


@settings(max_examples=15, deadline=None)
@given(st.randoms(use_true_random=False))
def test_names_that_say_nothing_do_not_matter(random):
    """Only steps that are equal could be taken for each other, and those are equal."""
    case = make_case("masked-lm")
    truth = {name: x for name, x in run(case).items() if not name.startswith("dparam:")}
    order = list(truth)
    random.shuffle(order)
    seen = {f"t{i}": truth[name].astype(np.float32) for i, name in enumerate(order)}
    rows = json.loads(propose({case.name: truth}, {case.name: seen}, form="json"))
    got = rename(parse_rules(rows, "proposal"), seen, case)
    assert set(got) == set(truth) and not wrong(got, truth)


def test_a_bug_in_one_case_does_not_hide_the_name(tmp_path):
    cases = [make_case(name) for name in ("classification", "tokens", "choice")]
    truth = {case.name: run(case) for case in cases}
    seen = {case.name: another(case) for case in cases}
    seen["tokens"] = {name: x + 1 for name, x in seen["tokens"].items()}
    found = read_text(tmp_path, propose(truth, seen, form="json"))
    for case in cases:
        assert set(rename(found, seen[case.name], case)) == set(truth[case.name])


def test_names_may_differ_from_class_to_class(tmp_path):
    """As Hugging Face's do: the backbone alone has no "bert." in front."""
    cases = [make_case(name) for name in ("model", "masked-lm")]
    truth = {case.name: run(case) for case in cases}
    seen = {case.name: {name.replace("encoder", f"enc{case.kind}"): x for name, x in
                        run(case, dtype="float32").items()} for case in cases}
    found = read_text(tmp_path, propose(truth, seen, form="json"))
    for case in cases:
        assert set(rename(found, seen[case.name], case)) == set(truth[case.name])


def test_equal_gradients_do_not_make_two_steps_one(tmp_path):
    """Dropout, which is off, and the sum after it have the same gradient."""
    case = make_case("classification")
    seen, truth = another(case), run(case)
    for x in ("", "grad:"):
        del seen[f"{x}blocks.0.attn.proj.sum"]
        seen[f"{x}blocks.0.attn.proj.drop"] = seen[f"{x}blocks.0.attn.proj.dense"]
    text = propose({case.name: truth}, {case.name: seen}, form="json")
    got = rename(read_text(tmp_path, text), seen, case)
    step = "bert.encoder.layer.0.attention.output.sum"
    assert wrong(got, truth) == [step, f"grad:{step}"] and step not in got


def test_names_of_the_pack_need_no_rule():
    truth = {case.name: run(case) for case in make_cases()[:4]}
    assert json.loads(propose(truth, truth, form="json")) == {"rule": []}


def test_nan_and_odd_names_do_no_harm():
    case = make_case("choice")
    truth = run(case)
    seen = {"it's \x1b[2J": np.full(truth["loss"].shape, np.nan), "a'b": truth["loss"]}
    text = propose({"choice": truth}, {"choice": seen})
    assert "\x1b" not in text and '''match = "a'b"''' in text
    assert propose({}, {}) and propose({"choice": truth}, {"other": seen})
