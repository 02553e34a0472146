"""The diagnosis: known bugs are called by their names, and no others."""

from types import SimpleNamespace

import numpy as np
import pytest

from numbert.bert import ops
from numbert.bert.scope import NUMPY
from numbert.verify import selftest
from numbert.verify.compare import verify
from numbert.verify.mutants import mutated_run
from numbert.verify.packs import shipped
from numbert.verify.run import run
from numbert.verify.zoo import MUTANTS, visible

BY_ID = {mutant.id: mutant for mutant in MUTANTS}


@pytest.fixture(scope="module")
def pack():
    return shipped()


def report(pack, *ids, profile="fp32", shown=lambda name: True):
    """What is said about numbert with these bugs, of the tensors that it shows."""
    def candidate(case):
        return {name: x for name, x in mutated_run(
            [BY_ID[id] for id in ids], case, dtype="float32").items() if shown(name)}
    return verify(pack, candidate, profile=profile)


def names(found):
    return sorted(bug.id for bug in found.diagnosis)


# One of each kind: forward, weights, inputs, loss, backward, optimiser.
@pytest.mark.parametrize("id", ("B13-hidden", "C9-swapped", "A1-left-out", "E3-sum",
                                "G11-shift", "G1-all", "C3-1e-6"))
def test_a_bug_is_named(pack, id):
    found = report(pack, id)
    assert names(found) == [id] and not found.partly and not found.nearest
    assert found.diagnosis[0].why and found.diagnosis[0].fix
    assert str(found.first) in found.diagnosis[0].tensors


def test_dropout_is_known_by_its_zeros(pack):
    assert names(report(pack, "C13-probs")) == ["C13-probs"]


def test_every_sixteenth_bug_by_the_self_test(pack):
    """All of them: numbert verify --self-test."""
    for mutant in visible()[5::16]:
        score = selftest.score(pack, [mutant])
        assert score.killed and score.step and score.right, score
        assert score.effect > 10


@pytest.mark.parametrize("ids", [
    ("C1-layer", "D6-second"), ("A1-left-out", "G11-shift"),
    ("B13-none", "C4-unbiased", "E3-sum")])
def test_several_bugs_at_once(pack, ids):
    found = report(pack, *ids)
    assert names(found) == sorted(ids) and not found.partly


def test_pairs_by_the_self_test(pack):
    scores = selftest.pairs(pack, 3, seed=1)
    assert all(score.killed and score.step for score in scores)
    assert all(" + " in score.id for score in scores)


def test_an_unknown_bug_gets_no_name(pack):
    table = SimpleNamespace(**{**vars(NUMPY), "tanh": lambda x: (
        np.tanh(x) ** 3, np.tanh(x))})
    found = verify(pack, lambda case: run(case, dtype="float32", ops=table))
    assert found.first.name == "pooler.out"
    assert not found.diagnosis and not found.partly and not found.nearest


def test_a_known_bug_beside_an_unknown_one_explains_it_only_partly(pack):
    def candidate(case):
        tensors = mutated_run(BY_ID["C1-layer"], case, dtype="float32")
        for name, x in tensors.items():
            if name.endswith("cls.predictions.out") and ":" not in name:
                x += 0.3 * np.sin(7 * x)
        return tensors
    found = verify(pack, candidate)
    assert names(found) == ["C1-layer"] and found.partly


def test_the_nearest_is_offered_if_nothing_fits(pack):
    """The scale of B13-hidden, and a hundredth of a percent on top."""
    def scores(q, k):
        scaled = q * q.dtype.type(1.0001 / np.sqrt(12))
        return scaled @ k.swapaxes(-1, -2), (scaled, k)
    table = SimpleNamespace(**{**vars(NUMPY), "attention_scores": scores})
    found = verify(pack, lambda case: run(case, dtype="float32", ops=table))
    assert not found.diagnosis and [bug.id for bug in found.nearest] == ["B13-hidden"]


def test_outputs_are_enough_to_name_some(pack):
    found = report(pack, "B13-none", shown=lambda name: name.endswith(
        (".out", "loss")) and ":" not in name)
    assert "B13-none" in names(found)


def test_nan_is_not_explained(pack):
    def candidate(case):
        tensors = run(case, dtype="float32")
        return {name: np.full_like(x, np.nan) if "pooler.dense" in name and
                ":" not in name else x for name, x in tensors.items()}
    found = verify(pack, candidate)
    assert found.first.status == "not finite" and not found.diagnosis


def test_half_precision_judges_steps_forward_only(pack):
    found = report(pack, "B13-none", profile="bf16")
    assert found.verdict == "fail" and names(found) == ["B13-none"]
    assert "C1-layer" in found.undecidable
    assert all(tensor.step is None for tensor in found.tensors if ":" in tensor.name)


def test_numbert_raises_no_false_alarm_on_fresh_numbers():
    """And transformers does not, by tests/verify/alarms.py."""
    def candidate(case):
        return run(case, dtype="float32")
    found = list(selftest.false_alarms({"numbert": ("fp32", candidate)}, [1, 2]))
    assert [(i, label, report.verdict) for i, label, report in found] == [
        (1, "numbert", "pass"), (2, "numbert", "pass")]


def test_gelu_of_a_pack_in_double(pack):
    """In float64 the smallest known effect is far above the gate."""
    table = SimpleNamespace(**{**vars(NUMPY), "gelu": lambda x: (
        ops.gelu_tanh(x)[0], ops.gelu(x)[1])})
    found = verify(pack, lambda case: run(case, ops=table), profile="fp64")
    assert found.first.step > 1e9
