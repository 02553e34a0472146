"""Bugs as data: that each is put in, changes what it should, and is taken out again."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

import numbert.models.classes as classes
from numbert.bert import attention, ops
from numbert.bert.scope import NUMPY
from numbert.training import optim
from numbert.verify import bugs, mutants as mechanism
from numbert.verify.bugs import CATALOGUE, explained
from numbert.verify.cases import TABLE, make_case, make_cases
from numbert.verify.mutants import (KINDS, Mutant, effects, fit, found, mutated_run,
                                    patched, probe_differs)
from numbert.verify.run import run
from numbert.verify.zoo import MUTANTS

BY_ID = {mutant.id: mutant for mutant in MUTANTS}
SCALE = Mutant("X1", "scores are not scaled", edits=(
    ("bert.ops.attention_scores", "1 / math.sqrt(q.shape[-1])", "1.0"),))


@pytest.fixture(scope="module")
def changed():
    """{id of a mutant: {case: names of the tensors that it changes}}."""
    out = {mutant.id: {} for mutant in MUTANTS}
    for case in make_cases():
        for name, tensors in effects(case, MUTANTS).items():
            if tensors:
                out[name][case.name] = tensors
    return out


# ------------------------------------------------------------------------ mechanism

def test_patch_reaches_every_holder_and_is_undone():
    scores, softmax, decayed = ops.attention_scores, NUMPY.softmax, optim.decayed
    step, forward = optim.adamw_step, classes.BertModel.forward
    terms = classes.BertForQuestionAnswering.terms
    bugs = [SCALE, Mutant("X2", "all of it", edits=(
        ("bert.ops.softmax", "scores.max(-1, keepdims=True)", "0"),
        ("training.optim.decayed", '"LayerNorm" not in name', "True"),
        ("training.optim.adamw_step", "root * eps", "eps"),
        ("models.targets.position_targets", "labels.clip(0)", "labels"),
        ("models.classes.BertModel.forward", "states.pooled", "None")))]
    with patched(bugs):
        assert ops.attention_scores is NUMPY.attention_scores is not scores
        assert ops.softmax is NUMPY.softmax is not softmax
        assert optim.decayed is not decayed
        assert optim.OPTIMIZERS["adamw"] is optim.adamw_step is not step
        assert optim.bertadam_step.__kwdefaults__["decays"] is optim.decayed
        assert classes.BertModel.forward is not forward
        new = classes.BertForQuestionAnswering.terms
        assert new[0].targets is not terms[0].targets
        assert type(new[0]) is type(terms[0]) and new[0]._replace(
            targets=terms[0].targets) == terms[0]
    assert (ops.attention_scores, ops.softmax, optim.decayed) == (
        scores, softmax, decayed)
    assert (NUMPY.attention_scores, NUMPY.softmax) == (scores, softmax)
    assert optim.OPTIMIZERS["adamw"] is optim.adamw_step is step
    assert optim.bertadam_step.__kwdefaults__["decays"] is decayed
    assert optim.adamw_step.__kwdefaults__["decays"] is decayed
    assert classes.BertModel.forward is forward
    assert classes.BertForQuestionAnswering.terms is terms


def test_patch_is_undone_after_an_error():
    scores = ops.attention_scores
    with pytest.raises(ZeroDivisionError), patched(SCALE):
        assert ops.attention_scores is not scores
        1 / 0
    assert ops.attention_scores is scores is NUMPY.attention_scores


def test_patches_within_patches():
    x = np.array([[1.0, 3.0]])
    right = ops.softmax(x)[0]
    other = Mutant("X3", "no maximum", edits=(
        ("bert.ops.softmax", "scores.max(-1, keepdims=True)", "0"),))
    with patched(SCALE):
        with patched(other):
            assert ops.softmax(x)[0] == pytest.approx(right, rel=1e-15)
        assert ops.attention_scores(x, x)[0] == [[10]]
    assert ops.attention_scores(x, x)[0] == pytest.approx(10 / np.sqrt(2), rel=1e-15)


def test_two_patches_of_one_function_are_refused():
    with patched(SCALE):
        with pytest.raises(ValueError, match="attention_scores has a bug already"):
            with patched(SCALE):
                pass
    assert NUMPY.attention_scores is ops.attention_scores


def test_holders_that_come_later_are_found():
    """A name that a module gets after the first patch is swapped too."""
    with patched(SCALE):
        pass
    attention.later = ops.attention_scores
    try:
        with patched(SCALE):
            assert attention.later is ops.attention_scores
        assert attention.later is ops.attention_scores
    finally:
        del attention.later


@pytest.mark.parametrize("edit, message", [
    (("bert.ops.softmax", "keepdims=True", "x"), "occurs 2 times in bert.ops.softmax"),
    (("bert.ops.softmax", "argmax", "x"), "occurs 0 times"),
    (("bert.ops.softmaxx", "a", "b"), "an edit names 'bert.ops.softmaxx', expected a"),
    (("nothing", "a", "b"), "expected a function"),
    (("bert.ops.math", "a", "b"), "expected a plain function"),
])
def test_edit_that_no_longer_fits_is_an_error(edit, message):
    with pytest.raises(ValueError, match=message), patched(
            Mutant("X", "", edits=(edit,))):
        pass


def test_found_reads_methods_and_modules():
    assert found("bert.attention.attend") is attention.attend
    assert found("models.classes.BertModel.forward") is classes.BertModel.forward


def test_edits_of_one_function_add_up():
    """Two bugs in one function are both put in."""
    bugs = [Mutant("X1", "", edits=(("bert.ops.relu", "np.maximum(x, 0)",
                                     "np.maximum(x, 1)"),)),
            Mutant("X2", "", edits=(("bert.ops.relu", "x > 0", "x > 1"),))]
    with patched(bugs):
        out, slope = ops.relu(np.array([0.5, 2]))
    assert out.tolist() == [1, 2] and slope.tolist() == [False, True]


def test_fit():
    """Two edits of one text do not go together; edits of two texts do."""
    assert fit([SCALE, BY_ID["C4-outside"]]) and fit(BY_ID["A2"]) and fit([])
    assert not fit([SCALE, BY_ID["B13-hidden"]])
    pairs = [(BY_ID[a], BY_ID[b]) for a in BY_ID for b in BY_ID if a < b][::97]
    assert np.mean([fit(pair) for pair in pairs]) > 0.95


@pytest.mark.parametrize("names", [
    ("C1-layer", "B13-none"), ("C4-unbiased", "D6-none"), ("B15-qk", "E3-all"),
    ("A2", "G12-mean")])
def test_two_bugs_at_once(names):
    """What both change is there; what neither changes is right."""
    case = make_case("classification")
    right = run(case)
    one, two = (mechanism.differing(right, mutated_run(BY_ID[name], case))
                for name in names)
    together = mutated_run([BY_ID[name] for name in names], case)
    both = mechanism.differing(right, together)
    assert set(one) | set(two) == set(both)


@pytest.mark.parametrize("ops_table", [
    NUMPY, SimpleNamespace(**vars(NUMPY)),
    SimpleNamespace(**{name: lambda *a, name=name, **k: getattr(NUMPY, name)(*a, **k)
                       for name in vars(NUMPY)})],
    ids=["numpy", "a copy", "calls numpy's"])
def test_bug_reaches_every_table(ops_table):
    case = make_case("model")
    right = run(case)
    wrong = mutated_run(SCALE, case, ops=ops_table)
    name = "encoder.layer.0.attention.self.scores"
    assert wrong[name] == pytest.approx(right[name] * 2, rel=1e-12)     # D = 4
    assert list(wrong) == list(right)
    assert all(np.array_equal(x, right[key]) for key, x in run(case).items())


def test_given_tensors_keep_a_bug_to_its_own_step():
    case = make_case("masked-lm")
    right = run(case)
    wrong = mutated_run(SCALE, case, given=right)
    names = [name for name in mechanism.differing(right, wrong)
             if not name.startswith(("grad:", "dparam:"))]
    assert names == [f"bert.encoder.layer.{i}.attention.self.scores" for i in range(2)]


def test_weights_and_inputs():
    case = make_case("model")
    name = "embeddings.token_type_embeddings.weight"
    bug = Mutant("X", "", params=lambda p: {**p, name: p[name][::-1]})
    other = Mutant("Y", "", inputs=lambda x: {**x, "token_type_ids":
                                              1 - x["token_type_ids"]})
    one, two = mutated_run(bug, case), mutated_run(other, case)
    assert "embeddings.out" in mechanism.differing(run(case), one)
    assert np.array_equal(one["embeddings.out"], two["embeddings.out"])
    both = mutated_run([bug, other], case)
    assert np.array_equal(both["embeddings.out"], run(case)["embeddings.out"])


def test_weights_of_another_shape_are_refused():
    name = "pooler.dense.bias"
    for change in (lambda p: {**p, name: p[name][:-1]}, lambda p: {**p, "new": p[name]},
                   lambda p: {key: x for key, x in p.items() if key != name}):
        with pytest.raises(ValueError, match="changes the names or shapes of"):
            mutated_run(Mutant("X", "", params=change), make_case("model"))


def test_rounding_is_no_difference():
    right = {"a": np.ones(3), "grad:zero": np.full(3, 1e-18), "grad:a": np.ones(2),
             "dparam:zero": np.zeros(2)}
    near = {"a": np.full(3, 1 + 1e-12), "grad:zero": np.full(3, -2e-17),
            "grad:a": np.ones(2), "dparam:zero": np.zeros(2)}
    assert mechanism.differing(right, near) == []
    for name, x in right.items():
        for wrong in (x + 1e-6, x * np.nan, x[:-1]):
            assert mechanism.differing(right, {**near, name: wrong}) == [name]
    assert mechanism.differing(right, {}) == list(right)


@pytest.mark.parametrize("name, tensor", [
    ("C13-probs", "encoder.layer.0.attention.self.probs"),
    ("C13-hidden", "embeddings.out")])
def test_dropout_is_recognised_whatever_it_drops(name, tensor):
    bug, case = BY_ID[name], make_case("model")
    right = run(case)[tensor]
    assert bug.match(mutated_run(bug, case)[tensor], right)
    gone = np.random.default_rng(5).random(right.shape) < 0.1
    other = np.where(gone, 0, right / 0.9)
    assert bug.match(other, right)
    for wrong in (right, other * 0.9, right / 0.9, 0 * right + 1):
        assert not bug.match(wrong, right)


# --------------------------------------------------------------------------- table

def test_every_mutant_is_described():
    assert len(BY_ID) == len(MUTANTS), "two mutants have one id"
    titles = [mutant.title for mutant in MUTANTS]
    assert len(set(titles)) == len(titles), "two mutants have one title"
    for mutant in MUTANTS:
        assert mutant.kind in KINDS, mutant
        assert re.fullmatch(r"[A-I]\d+(-[a-z0-9-]+)?", mutant.id), mutant
        assert mutant.title and len(mutant.title) <= 72, mutant
        assert mutant.edits or mutant.params or mutant.inputs, mutant


@pytest.mark.parametrize("mutant", MUTANTS, ids=[m.id for m in MUTANTS])
def test_every_mutant_changes_something(mutant, changed):
    """Or nothing at all, if it is said to be equivalent."""
    if mutant.probe is not None:
        assert probe_differs(mutant)
        assert not probe_differs(mutant._replace(edits=()))
    elif mutant.kind == "equivalent":
        assert not changed[mutant.id]
    else:
        assert changed[mutant.id], "no case shows this bug"


def test_bugs_first_show_at_their_module(changed):
    """In the case where it shows earliest; nothing before its step goes wrong."""
    order = {case.name: list(run(case)) for case in make_cases()}
    for mutant in MUTANTS:
        if mutant.kind == "equivalent":
            assert not mutant.module, mutant
        elif changed[mutant.id]:
            first = min((order[case].index(tensors[0]) / len(order[case]), tensors[0])
                        for case, tensors in changed[mutant.id].items())[1]
            assert mutant.module and re.search(mutant.module, first), (mutant, first)


def test_no_two_bugs_are_one():
    """Size and mean of the changes tell any two of them apart, in some case."""
    bugs = [m for m in MUTANTS if not m.probe and m.kind != "equivalent"]
    sizes = {mutant.id: [] for mutant in bugs}
    for case in make_cases():
        right = run(case)
        for mutant in bugs:
            wrong = mutated_run(mutant, case)
            sizes[mutant.id] += [
                measure(wrong[name] - x) / mechanism.size(x)
                if np.shape(wrong.get(name)) == x.shape and mechanism.size(x) > 1e-9
                else 0 for name, x in right.items()
                for measure in (mechanism.size, np.mean)]
    # One gradient that grows a billion times must not outweigh all the others.
    table = np.nan_to_num(list(sizes.values()), nan=9, posinf=9).clip(-1000, 1000)
    for i, mutant in enumerate(bugs):
        gaps = np.abs(table - table[i]).max(1) / np.abs(table[i]).max()
        near = [bugs[j].id for j in np.flatnonzero(gaps < 1e-6) if j != i]
        assert not near, (mutant.id, near)


def test_cases_are_left_as_they_were():
    """No mutant writes into a case or into numbert."""
    assert [case.name for case in make_cases()] == list(TABLE)
    for name in ("model", "decoder"):
        before, case = run(make_case(name)), make_case(name)
        effects(case, MUTANTS)
        after = run(case)
        assert all(np.array_equal(x, after[key], equal_nan=True)
                   for key, x in before.items())


# ----------------------------------------------------------------------- catalogue

def test_every_bug_has_its_texts():
    """And every text its bugs; whole sentences, which fit a screen."""
    assert {mutant.bug for mutant in MUTANTS} == set(CATALOGUE)
    for name, bug in CATALOGUE.items():
        assert not bug.title.endswith(".") and len(bug.title) <= 72, name
        for text in (bug.why, bug.fix):
            assert 10 <= len(text) <= 320 and text.endswith("."), name
            assert "  " not in text and "\n" not in text, name
    assert len({bug.title for bug in CATALOGUE.values()}) == len(CATALOGUE)


def test_catalogue_is_in_order():
    order = [(name[0], int(name[1:])) for name in CATALOGUE]
    assert order == sorted(order)


def test_explained_takes_the_id_of_a_bug_or_of_a_mutant():
    assert explained("B13-hidden") is explained("b13") is CATALOGUE["B13"]
    assert "sqrt(D)" in explained("B13").fix
    for wrong in ("", "B", "Z1", "13"):
        with pytest.raises(ValueError, match="expected an id from A1 to H17"):
            explained(wrong)


@pytest.mark.parametrize("text", ["A1 Title\nWhy.", "Title\nWhy.\nFix.",
                                  "A1 T\nW.\nF.\n\nA1 T\nW.\nF."])
def test_broken_texts_are_refused(text):
    with pytest.raises(ValueError, match="an entry is"):
        bugs.read(text)
