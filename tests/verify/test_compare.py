"""The comparison: right candidates pass, wrong ones are told where they go wrong."""

import time
from types import SimpleNamespace

import numpy as np
import pytest

from numbert.bert import ops
from numbert.bert.scope import NUMPY
from numbert.verify import compare
from numbert.verify.compare import verify
from numbert.verify.packs import shipped
from numbert.verify.results import CandidateError
from numbert.verify.run import run


@pytest.fixture(scope="module")
def pack():
    return shipped()


def numbert32(case):
    return run(case, dtype="float32")


def with_ops(**changes):
    """A float32 candidate with other leaf operations."""
    table = SimpleNamespace(**{**vars(NUMPY), **changes})
    return lambda case: run(case, dtype="float32", ops=table)


def only(report, **fields):
    """The tensors of a report whose fields have these values."""
    return [tensor for tensor in report.tensors if all(
        getattr(tensor, field) == value for field, value in fields.items())]


@pytest.mark.parametrize("profile, dtype", [("fp32", "float32"), ("fp64", "float64")])
def test_numbert_passes(pack, profile, dtype):
    start = time.perf_counter()
    report = verify(pack, lambda case: run(case, dtype=dtype), profile=profile)
    assert time.perf_counter() - start < 3
    assert report.verdict == "pass" and report.exit_code == 0
    assert report.first is None and not report.also and not report.diagnosis
    assert len(report.tensors) > 1100 and len(only(report, status="pass")) == \
        len(report.tensors)
    worst = max(max(tensor.error, tensor.peak, tensor.step or 0)
                for tensor in report.tensors)
    assert 0.2 < worst < 0.7
    assert report.variants == {"fully masked rows": "uniform"}


def test_a_lower_precision_fails(pack):
    assert verify(pack, numbert32, profile="fp64", diagnose=False).verdict == "fail"
    assert verify(pack, numbert32, profile="bf16", diagnose=False).verdict == "pass"


def test_the_first_wrong_step_and_nothing_that_follows_from_it(pack):
    wrong = with_ops(gelu=lambda x: (ops.gelu_tanh(x)[0], ops.gelu(x)[1]))
    report = verify(pack, wrong, diagnose=False)
    assert report.verdict == "fail" and report.exit_code == 1
    assert report.first.name == "encoder.layer.0.intermediate.out"
    assert report.first.step > 10
    assert report.sources == ("encoder.layer.0.intermediate.dense",)
    assert {compare.bare(tensor.name) for tensor in report.also} == {
        "encoder.layer.1.intermediate.out", "cls.predictions.transform.act"}
    later = [tensor for tensor in report.tensors
             if tensor.name.endswith("layer.0.output.out") and tensor.kind ==
             "activation" and tensor.case == "tokens"]
    assert later[0].error > 1 and later[0].step < 1         # it only follows


def test_a_mask_that_is_too_weak_shows_only_beside_large_scores(pack):
    for weak, case in ((-100.0, "large-scores"), (-10000.0, "huge-scores")):
        def mask(scores, mask, weak=weak):
            return scores + np.where(mask, 0, weak).astype(scores.dtype), None
        report = verify(pack, with_ops(mask_scores=mask), diagnose=False)
        assert report.first.name.endswith("attention.self.probs")
        assert case in {tensor.case for tensor in report.tensors
                        if tensor.wrong and (tensor.step or 0) > 10}


def test_a_wrong_backward_alone(pack):
    def backward(dout, saved):
        dx, dw, db = ops.layer_norm_backward(dout, saved)
        return dx + 1e-3 * dout, dw, db
    report = verify(pack, with_ops(layer_norm_backward=backward), diagnose=False)
    assert report.first.kind == "gradient"
    assert not [tensor for tensor in report.tensors if tensor.wrong
                and tensor.kind in ("activation", "loss")]


def test_two_wrong_steps_are_both_found(pack):
    report = verify(pack, with_ops(
        gelu=lambda x: (ops.gelu_tanh(x)[0], ops.gelu(x)[1]),
        tanh=lambda x: (x, np.tanh(x))), diagnose=False)
    names = {compare.bare(tensor.name) for tensor in (report.first, *report.also)}
    assert {"encoder.layer.0.intermediate.out", "pooler.out"} <= names


def changed(change, case_name="tokens"):
    """numbert in float32, with its tensors of one case changed."""
    def candidate(case):
        tensors = run(case, dtype="float32")
        return change(tensors) or tensors if case.name == case_name else tensors
    return candidate


def test_outputs_alone(pack):
    def outputs(case):
        return {name: x for name, x in numbert32(case).items()
                if name.endswith(("loss", "output.out", "pooler.out", "cls.out"))
                and ":" not in name}
    report = verify(pack, outputs)
    assert report.verdict == "pass" and only(report, status="missing")
    wrong = verify(pack, lambda case: {name: 1.01 * x for name, x in
                                       outputs(case).items()}, diagnose=False)
    assert compare.bare(wrong.first.name) == "encoder.layer.0.attention.output.out"
    nothing = verify(pack, changed(lambda tensors: {"x": 1}))
    assert nothing.verdict == "incomplete" and nothing.exit_code == 3


@pytest.mark.parametrize("value, status, words", [
    (np.zeros((5, 7)), "shape", "shape (5, 7), expected (5, 7, 5)"),
    (np.full((5, 7, 5), "x"), "dtype", "dtype <U1, expected floating point"),
    (np.zeros((5, 7, 5), complex), "dtype", "dtype complex128"),
    (np.zeros((5, 7, 5), int), "dtype", "dtype int64, expected floating point"),
    (np.full((5, 7, 5), np.nan), "not finite", "175 of 175 entries are nan"),
    (np.full((5, 7, 5), -np.inf), "not finite", "175 of 175 entries are inf"),
])
def test_what_is_no_number_is_told_apart(pack, value, status, words):
    if status == "not finite":                  # of those that count
        words = words.replace("175 of", "85 of")
    report = verify(pack, changed(lambda tensors: {**tensors, "classifier.out": value}),
                    diagnose=False)
    (tensor,) = only(report, case="tokens", name="classifier.out")
    assert tensor.status == status and words in tensor.detail
    assert report.first == tensor and report.verdict == "fail"


def test_nan_where_nothing_counts_is_fine(pack):
    def nan_in_padding(tensors):
        for name, x in tensors.items():
            if x.ndim and x.shape[0] == 5 and "embeddings" not in name and \
                    ":" not in name:
                x[4] = np.nan
    report = verify(pack, changed(nan_in_padding))
    assert report.verdict == "pass"
    assert report.variants["fully masked rows"] == "nan"

    def zeros(tensors):
        for name, x in tensors.items():
            if name.endswith((".probs", ".context")) and ":" not in name:
                x[4] = 0
    assert verify(pack, changed(zeros)).variants["fully masked rows"] == "zero"

    def other(tensors):
        tensors["bert.encoder.layer.0.attention.self.probs"][4] = np.eye(7)
    assert verify(pack, changed(other)).variants["fully masked rows"] == "other"

    def context(tensors):
        del tensors["bert.encoder.layer.0.attention.self.probs"]
    assert verify(pack, changed(context)).variants["fully masked rows"] == "uniform"


def test_positions_may_be_given_once_or_for_each_text(pack):
    name = "bert.embeddings.position_embeddings"

    def repeated(tensors):
        tensors[name] = np.repeat(tensors[name], 5, 0)
    report = verify(pack, changed(repeated))
    assert report.verdict == "pass" and not only(report, status="shape")

    def different(tensors):
        repeated(tensors)
        tensors[name][2] += 1
    assert verify(pack, changed(different), diagnose=False).first.name == name


def test_a_loss_in_float32_is_a_variant(pack):
    """As Hugging Face's causal loss is, even in a float64 model."""
    def cross_entropy(logits, labels, *args, **kwargs):
        loss, (shape, logp, *rest) = NUMPY.cross_entropy(
            logits.astype(np.float32), labels, *args, **kwargs)
        return np.float64(loss), (shape, logp, *rest)

    def backward(dloss, saved):
        return NUMPY.cross_entropy_backward(np.float32(dloss), saved).astype(float)

    table = SimpleNamespace(**{**vars(NUMPY), "cross_entropy": cross_entropy,
                               "cross_entropy_backward": backward})
    report = verify(pack, lambda case: run(case, ops=table), profile="fp64")
    assert report.verdict == "pass" and report.variants["loss precision"] == "float32"
    wrong = SimpleNamespace(**{**vars(table), "tanh": lambda x: (
        1.1 * np.tanh(x), np.tanh(x))})
    report = verify(pack, lambda case: run(case, ops=wrong), profile="fp64",
                    diagnose=False)
    assert report.first.name == "pooler.out"            # and the models without pooler:
    assert report.variants["loss precision"] == "float32"


def test_a_candidate_that_fails(pack):
    def raises(case):
        raise KeyError("no such layer")
    with pytest.raises(CandidateError, match="model: the candidate raised KeyError"):
        verify(pack, raises)
    with pytest.raises(CandidateError, match="case model: the candidate gave a list"):
        verify(pack, lambda case: [])
    with pytest.raises(ValueError, match="profile is 'fp8', expected one of f"):
        verify(pack, numbert32, profile="fp8")


def test_one_order_of_computation_holds_in_all_cases(pack):
    rank = compare.ranks(pack)
    for packed in pack.cases.values():
        places = [rank[compare.bare(name)] for name in packed.truth]
        assert places == sorted(places)
