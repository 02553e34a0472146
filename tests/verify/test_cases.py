"""The thirteen cases: exact in every format, the same on every machine, and telling."""

import hashlib

import numpy as np
import pytest

from numbert.models import classes
from numbert.verify.cases import (SIZES, TABLE, Draws, make_case, make_cases,
                                  program_file)
from numbert.verify.run import run

CASES = make_cases()
RECORDED = "f21ee9264f8c7c6998bfe02705798a7eca30dae10357c70aa0a0505911dd8628"


def test_every_class_has_a_case():
    names = {name for name in vars(classes) if name.startswith("BertFor")}
    assert names | {"BertModel", "BertLMHeadModel"} == {case.kind for case in CASES}
    assert len(CASES) == len(TABLE) == 13


@pytest.mark.parametrize("case", CASES, ids=str)
def test_numbers_are_exact_in_every_format(case):
    """Eight significant bits: what bfloat16 has; and in float16's range."""
    for name, x in {**case.params, **case.inputs, **case.cotangents}.items():
        if x.dtype.kind == "f":
            mantissa, _ = np.frexp(x.astype(np.float64))
            assert np.array_equal(mantissa * 256, np.round(mantissa * 256)), name
            if case.name != "huge-scores":
                assert np.array_equal(x.astype(np.float16), x), name


def test_the_same_on_every_machine():
    """As recorded on Linux, x86-64, with NumPy 2."""
    digest = hashlib.sha256()
    for case in CASES:
        for name, x in sorted(program_file(case)[0].items()):
            digest.update(name.encode() + x.tobytes())
    assert digest.hexdigest() == RECORDED


def test_no_size_is_mistaken_for_another():
    sizes = [*SIZES.values(), 7]
    assert len({*sizes} - {1}) == len([size for size in sizes if size != 1])


@pytest.mark.parametrize("case", CASES, ids=str)
def test_attention_and_normalisation_are_stressed(case):
    tensors = run(case)
    stem = "" if case.kind == "BertModel" else "bert."
    probs = tensors[f"{stem}encoder.layer.0.attention.self.probs"]
    assert probs.max() > 0.5                            # far from uniform
    for name, x in case.params.items():
        if name.endswith("LayerNorm.weight"):
            assert np.ptp(x) > 0.2 * np.abs(x).max(), name
        if name.endswith("bias"):
            assert np.abs(x).max() > 0, name
    before = tensors[f"{stem}encoder.layer.0.output.sum"]
    assert before.var(-1).min() < 0.1                   # so a wrong epsilon shows


def test_draws_are_nearly_normal():
    x = Draws(3).normal((100_000,))
    assert abs(x.mean()) < 0.02 and abs(x.std() - 1) < 0.02
    assert 0.66 < np.mean(np.abs(x) < 1) < 0.70 and np.abs(x).max() < 3.5
    with pytest.raises(ValueError, match="case is 'modle', expected one of model, pre"):
        make_case("modle")
