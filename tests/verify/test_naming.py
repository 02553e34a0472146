"""Bugs are called by name: those that leave no numbers, and those that are random."""

import numpy as np
import pytest

from numbert.verify.compare import verify
from numbert.verify.mutants import Mutant, mutated_run
from numbert.verify.packs import shipped
from numbert.verify.zoo import MUTANTS
from numbert.verify.zoo_changes import affine, cut_off, one_shift

BY_ID = {mutant.id: mutant for mutant in MUTANTS}


def names(mutant, *cases):
    """Put a bug into numbert, and return what it is called in some cases."""
    pack = shipped()
    pack = pack._replace(cases={name: pack.cases[name] for name in cases})
    report = verify(pack, lambda case: mutated_run(mutant, case, dtype="float32"))
    return [bug.id for bug in report.diagnosis]


@pytest.mark.parametrize("bug, cases", [
    ("B8", ("tokens", "decoder")), ("B25-no-maximum", ("large-scores", "next-sentence"))
])
def test_a_bug_that_leaves_no_numbers(bug, cases):
    assert names(BY_ID[bug], *cases) == [bug]


def test_another_bug_of_the_same_step_that_leaves_no_numbers():
    """It is called neither B8 nor anything else."""
    other = Mutant("X1", "", edits=(
        ("bert.ops.softmax", "exps /= ", "exps[1:] *= np.nan\n    exps /= "),))
    assert names(other, "next-sentence", "classification") == []


def test_positions_that_are_cut_off_anywhere():
    """The limit need not be that of the zoo."""
    other = Mutant("X1", "", edits=(
        ("bert.embeddings.embeddings", "look_up(position_ids,",
         "look_up(position_ids.clip(max=5),"),))
    assert names(other, "masked-lm", "questions") == ["A4-short"]


@pytest.mark.parametrize("seed", [1, 2])
def test_a_table_of_its_own(seed):
    """Numbers that nobody can know; and those that can be known come first."""
    other = BY_ID["D4"]._replace(edits=tuple(
        (name, old, new.replace("rng(0)", f"rng({seed})"))
        for name, old, new in BY_ID["D4"].edits))
    assert names(other, "masked-lm", "pretraining")[0] == "D4"
    assert names(BY_ID["D3"], "masked-lm", "pretraining") == ["D3"]


def test_what_is_told_by_a_look_at_a_tensor():
    rng = np.random.default_rng(3)
    x, w = rng.normal(size=(4, 7, 12)), rng.normal(size=(41, 12))
    b = rng.normal(size=41)
    right = x @ w.T + b
    assert affine(right, right) and affine(x @ w[::-1].T - b, right)
    assert not affine(np.tanh(right), right) and not affine(0 * right, right)
    assert one_shift(right + b[::-1], right) and not one_shift(2 * right, right)
    cut = right.copy()
    cut[:, 5:] = cut[:, 4:5]
    assert cut_off(cut, right) and not cut_off(cut[:, ::-1], right[:, ::-1])
    cut[:, -1] = 0
    assert not cut_off(cut, right) and not cut_off(right[:, ::-1], right)
