"""A second BERT, written apart from numbert: it passes, and its bugs are found."""

import re

import numpy as np
import pytest

pytest.importorskip("torch")

from torch_bert import make                                         # noqa: E402
from torch_bert_bugs import BUGS, UNSEEN                            # noqa: E402

from numbert.verify.adapters import from_torch                      # noqa: E402
from numbert.verify.compare import bare, verify                     # noqa: E402
from numbert.verify.counts import places                            # noqa: E402
from numbert.verify.packs import shipped                            # noqa: E402
from numbert.verify.run import UPDATE                               # noqa: E402

MOST = 3                        # cases in which a bug is looked at
# Modules show no scores, no single losses and no gradient that nothing computes.
HIDDEN = re.compile(r"(grad:)?encoder\.layer\.\d\.(cross)?attention\.self\.scores"
                    r"|(mlm|nsp|start|end)_loss")


@pytest.fixture(scope="module")
def pack():
    return shipped()


def cut(pack, given):
    """The pack without cases that a bug does not change: comparing those is slow.

    Of the others the first few are enough.
    """
    cases = {name: packed for name, packed in pack.cases.items()
             if is_changed(packed, given[name])}
    return pack._replace(cases=dict([*(cases or pack.cases).items()][:MOST]))


def is_changed(packed, given):
    """Whether a case's tensors are farther from the truth than rounding takes them."""
    for name, x in given.items():
        truth, largest = packed.truth[name], packed.noise["fp32"][name][1]
        if x.shape[1:] != truth.shape[1:]:
            return True
        error = np.abs(x - truth)
        if not np.all(error[places(packed.case, name, error.shape)] <= 6 * largest):
            return True
    return False


@pytest.mark.parametrize("profile", ["fp32", "fp64"])
def test_the_right_model_passes(pack, profile):
    report = verify(pack, from_torch(
        lambda case: make(case).double() if profile == "fp64" else make(case)),
        profile=profile)
    assert report.verdict == "pass" and report.first is None
    assert report.variants == {"fully masked rows": "uniform"}
    missing = {(tensor.case, bare(tensor.name)) for tensor in report.tensors
               if tensor.status == "missing" and not UPDATE.fullmatch(tensor.name)}
    assert len(missing) < 80
    for case, name in missing:
        assert HIDDEN.fullmatch(name) or \
            case == "regression" and "word_embeddings" in name, (case, name)


def test_there_are_many_bugs_of_all_kinds():
    assert len(BUGS) >= 200 and len({title for title, _ in BUGS.values()}) > 195
    assert {bug[0] for bug in BUGS} == set("ABCDEG")
    assert all(re.fullmatch(r"[A-G]\d+-[a-z0-9-]+", bug) for bug in BUGS)
    assert {bug for bug, (_, where) in BUGS.items() if not where} == set(UNSEEN)


@pytest.mark.parametrize("bug", [bug for bug in BUGS if bug not in UNSEEN])
def test_a_bug_is_found_where_it_is(pack, bug):
    candidate = from_torch(lambda case: make(case, bug))
    given = {name: candidate(packed.case) for name, packed in pack.cases.items()}
    report = verify(cut(pack, given), lambda case: given[case.name], diagnose=False)
    assert report.verdict == "fail"
    assert re.fullmatch(BUGS[bug][1], bare(report.first.name)), report.first


@pytest.mark.parametrize("bug", [
    "A7-early", "B15-qk", "C7-pre", "D8-transposed", "G14-output", "G18-turned"])
def test_a_bug_is_called_by_its_name(pack, bug):
    """A few; torch_bert_named counts all."""
    candidate = from_torch(lambda case: make(case, bug))
    given = {name: candidate(packed.case) for name, packed in pack.cases.items()}
    report = verify(cut(pack, given), lambda case: given[case.name])
    assert [named.id.split("-")[0] for named in report.diagnosis] == [
        bug.split("-")[0]]


@pytest.mark.parametrize("bug", UNSEEN)
def test_what_can_not_be_seen(pack, bug):
    report = verify(pack, from_torch(lambda case: make(case, bug)))
    assert report.verdict == "pass"
    assert report.variants == {"fully masked rows": "zero" if bug == "B7-zero" else
                               "uniform"}


def test_float64_shows_what_float32_hides(pack):
    report = verify(pack, from_torch(lambda case: make(case, "C1-five-terms").double()),
                    profile="fp64", diagnose=False)
    assert report.verdict == "fail"
    assert bare(report.first.name) == "encoder.layer.0.intermediate.out"
