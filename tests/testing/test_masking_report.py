"""The report on masking: right pipelines pass, each mistake is seen and named."""

import json
import random

import numpy as np
import pytest

import masking_bugs as bugs
from masking_alarms import PIPELINES, sources
from masking_bugs import (BUGS, CLS, MASK, PAD, RIGHT, SEP, UNK, V, VOCABULARY, mlm,
                          nsp)
from numbert.testing.masking_report.checks import SHARES
from numbert.testing.masking_report import (check_file, check_masking, rules,
                                            rules_of, text, to_json)
from tiny import tokenizer

ROW = {"original": [CLS, 10, 11, SEP], "masked": [CLS, MASK, 11, SEP],
       "labels": [-100, 10, -100, -100]}


def asked(**settings):
    return rules(**VOCABULARY | settings)


def found(report):
    """{name: check} of what is wrong."""
    return {check.name: check for check in report.checks if check.verdict == "wrong"}


def check(make, seed=0, tokens=60_000, **settings):
    return check_masking(make(np.random.default_rng(seed), tokens), asked(**settings))


def test_the_tests_share_the_rate_of_false_alarms():
    assert sum(SHARES.values()) == pytest.approx(1, abs=1e-12)
    report = check(nsp(), rule="count")
    assert {x.name for x in report.checks if x.level is not None} == set(SHARES)


# ------------------------------------------------------------------ right pipelines

@pytest.mark.parametrize("name, make, settings", RIGHT, ids=[x[0] for x in RIGHT])
def test_right_pipelines_pass(name, make, settings):
    report = check(make, false_alarms=1e-6, **settings)
    assert report.verdict == "right", found(report)


@pytest.mark.parametrize("name", PIPELINES)
def test_pipelines_of_others_pass(name):
    """numbert's, Hugging Face's collator, and google's as a slow loop."""
    make, settings = PIPELINES[name]
    if name.startswith("transformers"):
        pytest.importorskip("torch")
        pytest.importorskip("transformers")
    report = check_masking(make(1, 40_000), asked(**settings))
    assert report.verdict == "right", found(report)
    assert report.total["tokens"] >= 40_000


def test_false_alarms_are_as_rare_as_stated():
    """At a rate of 5 %, which the many small tests must not exceed together."""
    alarms = 0
    for seed in range(60):
        name, make, settings = sources()[seed % len(RIGHT)]
        report = check_masking(make(seed, 8_000), asked(false_alarms=0.05, **settings))
        alarms += report.verdict == "wrong"
    assert alarms <= 10                          # P(Bin(60, 0.05) > 10) = 0.04 %


# --------------------------------------------------------------------------- mistakes

@pytest.mark.parametrize("bug", BUGS, ids=[bug.name for bug in BUGS])
def test_each_mistake_is_seen_and_named(bug):
    report = check_masking(bug.make(np.random.default_rng(1), bug.tokens),
                           asked(**bug.settings))
    wrong = found(report)
    assert report.verdict == "wrong" and bug.check in wrong, text(report)
    assert wrong[bug.check].likely


def test_there_are_many_mistakes():
    assert len({bug.name for bug in BUGS}) == len(BUGS) > 50


@pytest.mark.parametrize("name, says", [
    ("[SEP] is masked", "[SEP] was masked"), ("labels are shifted", "shifted by one"),
    ("labels of the next piece", "shifted by one"),
    ("labels are the masked ids", "labels hold the masked ids"),
    ("-1 is ignored", "-1 is the label at"), ("0 is ignored", "0 is the label at"),
    ("polarity is inverted", "polarity is inverted"),
    ("polarity is inverted, is_next not told", "polarity is inverted"),
    ("79/11/10", "the split is 79."), ("80/2/18", "must be 0.5"),
    ("never [MASK]", "[MASK] is never written"), ("never random", "ever drawn"),
    ("labels everywhere", "almost every token has a label"),
    ("no labels where kept", "have no label")])
def test_what_the_report_says_is_likely(name, says):
    bug, = (bug for bug in BUGS if bug.name == name)
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]",
             *(f"p{i}" for i in range(5, V))]
    report = check_masking(
        bug.make(np.random.default_rng(2), 200_000),
        asked(tokens=names, false_alarms=1e-3, **bug.settings))
    assert says in found(report)[bug.check].likely
    assert says.split()[0] in text(report)


def test_a_rule_that_was_not_asked_for_is_recognised():
    report = check(mlm(bugs.counted(bugs.numbers)), tokens=300_000)
    assert "ask for the rule count" in found(report)["rate"].likely
    report = check(mlm(), rule="count")
    assert "ask for the rule bernoulli" in found(report)["count"].likely


def test_examples_name_the_row_and_the_token(tmp_path):
    path = tmp_path / "a.jsonl"
    wrong = {**ROW, "labels": [-100, 10, -100, SEP]}
    path.write_text("\n".join(map(json.dumps, [ROW, ROW, wrong])) + "\n")
    names = [f"a{i}" for i in range(V)]
    names[SEP] = "\33[2Jx"
    report = check_file(path, asked(tokens=names))
    assert list(found(report)) == ["special"]
    shown = text(report)
    assert "a.jsonl, line 3, token 3: original 3 (" in shown and "\33" not in shown
    assert r"\u001b[2Jx was masked 1 time:" in shown
    assert json.loads(to_json(report))["checks"][2]["examples"] == [
        {"where": f"{path}, line 3", "place": 3, "original": SEP, "masked": SEP,
         "labels": SEP}]


# ----------------------------------------------------------- what counts as what

def test_one_row_in_every_form():
    """Lists, arrays, triples and batches say the same."""
    forms = [[ROW], [{name: np.array(x) for name, x in ROW.items()}],
             [tuple(ROW.values())], [{name: np.array([x]) for name, x in ROW.items()}],
             [tuple(np.array([x]) for x in ROW.values())]]
    totals = {json.dumps(check_masking(form, asked()).total) for form in forms}
    assert totals == {json.dumps({"rows": 1, "tokens": 4, "eligible": 2, "selected": 1,
                                  "units": 2, "selected units": 1})}


def test_chunks_change_nothing(monkeypatch):
    rows = list(nsp()(np.random.default_rng(3), 30_000))
    whole = check_masking(rows, asked())
    monkeypatch.setattr("numbert.testing.masking_report.rows.CHUNK", 500)
    small = check_masking(rows, asked())
    assert small.total == whole.total
    for one, other in zip(small.checks, whole.checks):
        assert one._replace(p=None, parts=[]) == other._replace(p=None, parts=[])
        assert [x[:3] for x in one.parts] == [x[:3] for x in other.parts]
        if one.p is not None:
            assert one.p == pytest.approx(other.p, rel=1e-6)  # sums in another order


def test_counts_against_a_plain_loop():
    """Pieces, random pieces and repeats, one token at a time."""
    batches = list(mlm()(np.random.default_rng(4), 20_000))
    report = check_masking(batches, asked())
    by_name = {x.name: x for x in report.checks}
    n, kinds, before, draws, repeats = [0, 0], [0, 0, 0], set(), 0, 0
    for batch in batches:
        for ids, out, labels in zip(*(batch[x].tolist() for x in ROW)):
            for was, now, label in zip(ids, out, labels):
                if was in (PAD, CLS, SEP, MASK, UNK):
                    continue
                n[0] += 1
                if label == -100:
                    continue
                n[1] += 1
                kind = 0 if now == MASK else 2 if now == was else 1
                kinds[kind] += 1
                if kind == 1 and now > MASK:
                    draws += 1
                    repeats += now in before
                    before.add(now)
    rate, = by_name["rate"].parts
    assert [rate.trials, rate.found] == n
    assert [x.found for x in by_name["split"].parts] == kinds
    assert by_name["repeats"].observed == f"{repeats:,} of {draws:,} pieces"


def test_unknown_pieces_may_be_masked_or_not():
    """google's code masks [UNK], Hugging Face's does not."""
    for unknown in (False, True):
        def picking(rng, ids):
            return bugs.pick(rng, ids) & (unknown | (ids != UNK))
        assert check(mlm(picking), tokens=200_000).verdict == "right"
    numbered = mlm(bugs.counted(bugs.numbers))
    assert check(numbered, rule="count").verdict == "right"


def test_a_special_tokens_mask_spares_more():
    batch, = mlm()(np.random.default_rng(5), 20_000)
    spared = np.zeros_like(batch["original"])
    spared[:, 40] = 1
    report = check_masking([batch | {"special_tokens_mask": spared}], asked())
    picked = int((batch["labels"][:, 40] != -100).sum())
    assert found(report)["special"].observed.startswith(f"{picked} wrong of")


def test_words_may_be_numbered_by_the_pipeline():
    batch, = mlm(bugs.pick_words)(np.random.default_rng(6), 20_000)
    plain = asked(whole_words=True, continues=None)
    with pytest.raises(ValueError, match="row 1: word_ids is missing, expected"):
        check_masking([batch], plain)
    numbered = batch | {"word_ids": bugs.words(batch["original"])}
    assert check_masking([numbered], plain).verdict == "right"
    alone = np.tile(np.arange(128) // 2, (len(batch["original"]), 1))
    report = check_masking([batch | {"word_ids": alone}], plain)
    assert "words" in found(report)
    row = {**ROW, "word_ids": [None, 0, 0, None]}
    assert "words" in found(check_masking([row], plain))


def test_the_rules_of_a_tokenizer():
    found_rules = rules_of(tokenizer(), rate=0.2)
    assert found_rules.special[:5].tolist() == [True, False, True, True, True]
    assert (found_rules.unk_id, found_rules.mask_id, found_rules.rate) == (1, 4, 0.2)
    assert found_rules.continues.sum() == 4            # ##s ##y ##er ##n


# -------------------------------------------------------------------------- bad input

@pytest.mark.parametrize("change, says", [
    ({"labels": None}, "labels is missing"), ({"masked": 3}, "masked is 3"),
    ({"original": []}, "original is empty"),
    ({"original": [CLS, V, 11, SEP]}, f"original holds 2 to {V}"),
    ({"original": [CLS, -1, 11, SEP]}, "original holds -1 to 11"),
    ({"labels": [-100, 10]}, "labels has 2 values"),
    ({"masked": [1.0, 2.0, 3.0, 4.0]}, "masked is [1.0, 2.0"),
    ({"masked": [True, 2, 3, 4]}, "masked is [true, 2"),
    ({"masked": [2 ** 70, 2, 3, 4]}, "masked is [1180591620717411303424"),
    ({"masked": [[1], 2, 3, 4]}, "masked is [[1], 2"),
    ({"attention_mask": [1, 1]}, "attention_mask has 2 values"),
    ({"special_tokens_mask": [1, 1, 2, 0]}, "special_tokens_mask has 4 values up to 2"),
    ({"next_sentence_label": 2}, "next_sentence_label is 2"),
    ({"next_sentence_label": True}, "next_sentence_label is true"),
    ({"is_next": "yes"}, 'is_next is "yes"'), ({"documents": [1]}, "documents is [1]"),
    ({"word_ids": [0.5] * 4}, "word_ids is [0.5")])
def test_bad_rows_are_named(tmp_path, change, says):
    path = tmp_path / "a.jsonl"
    row = {name: x for name, x in {**ROW, **change}.items() if x is not None}
    path.write_text(json.dumps(ROW) + "\n\n" + json.dumps(row) + "\n")
    with pytest.raises(ValueError) as error:
        check_file(path, asked())
    message = str(error.value)
    assert message.startswith(f"{path}, line 3: {says}") and ", expected " in message


def test_no_rows(tmp_path):
    (tmp_path / "a").write_text("\n")
    with pytest.raises(ValueError, match="holds no rows, expected at least one"):
        check_file(tmp_path / "a", asked())
    with pytest.raises(ValueError, match="row 1 is of type int, expected a mapping"):
        check_masking([3], asked())


@pytest.mark.parametrize("settings, says", [
    ({"mask_id": V}, "mask_id is 1000"), ({"special_ids": [-1]}, "a special id is -1"),
    ({"rate": 15}, "rate is 15"), ({"rate": float("nan")}, "rate is nan"),
    ({"split": (0.8, 0.1)}, "split is 0.8, 0.1"),
    ({"split": (0.8, 0.1, 0.2)}, "split is 0.8, 0.1, 0.2"),
    ({"rule": "exact"}, "rule is 'exact'"), ({"max_predictions": 0}, "max_predictions"),
    ({"next_share": (0.6, 0.4)}, "next_share is"),
    ({"false_alarms": 0}, "false_alarms is 0"),
    ({"size": 6, "continues": None}, "the vocabulary has 6 pieces")])
def test_bad_rules(settings, says):
    with pytest.raises(ValueError, match=says.replace("(", r"\(")) as error:
        asked(**settings)
    assert ", expected " in str(error.value)


def test_small_files_have_no_verdict_by_chance():
    """One row, nothing selected, everything selected: no division by zero."""
    for labels in ([-100] * 4, [-100, 10, 11, -100]):
        row = {**ROW, "masked": ROW["original"], "labels": labels}
        for settings in ({}, {"whole_words": True}, {"rule": "count"}, {"rate": 0.0},
                         {"rate": 1.0}, {"split": (0, 0, 1)}):
            report = check_masking([row], asked(**settings))
            assert text(report, everything=True) and json.loads(to_json(report))
    only_special = {"original": [CLS, SEP], "masked": [CLS, SEP], "labels": [-100] * 2}
    assert check_masking([only_special], asked()).verdict == "right"


def test_a_slow_loop_agrees_with_the_rule_of_google():
    """The loop masks as many as the check expects, row by row."""
    rng, ids = random.Random(0), bugs.texts(np.random.default_rng(7), 50)
    for whole_words in (False, True):
        rows = [(row, *bugs.slow_google(rng, row, whole_words=whole_words))
                for row in ids.tolist()]
        report = check_masking(rows, asked(rule="count", whole_words=whole_words))
        assert report.verdict == "right", text(report)
