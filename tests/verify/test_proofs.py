"""Proofs of models of real size: the same balls as numbert.exact, at every step."""

import math
from fractions import Fraction

import numpy as np
import pytest

import numbert
from common import CLASSES, config, ids, stressed
from minilm import minilm_dir
from numbert.models.trace import Trace
from numbert.pipelines.sentences import POOLINGS, pool, unit

flint = pytest.importorskip("flint")

from numbert.backends.balls import Balls, balls                         # noqa: E402
from numbert.verify import proofs                                       # noqa: E402
from numbert.verify.run import LEFT_OUT                                 # noqa: E402

MODEL = stressed(numbert.BertModel)
INPUTS = {"input_ids": ids(), "token_type_ids": ids(vocab=2),
          "attention_mask": np.array([[1] * 5, [1, 1, 1, 0, 0]])}


def middles(x):
    """The midpoints as exact fractions."""
    return [Fraction(int(m)) * Fraction(2) ** int(e)
            for m, e in (ball.mid().man_exp() for ball in x.ravel().tolist())]


# ------------------------------------------------------------------- the computation

@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_the_balls_are_those_of_numbert_exact(cls):
    model = stressed(cls)
    inputs = {"input_ids": ids((2, 3, 5) if "Choice" in cls.__name__ else (2, 5))}
    proof = proofs.prove(model, inputs, bits=250)
    want = numbert.exact(model, bits=250)(**inputs)
    for name, value in want.items():
        if isinstance(value, Balls):
            got = proof.output[name]
            assert all(a.overlaps(b) and a.rel_accuracy_bits() > 180 for a, b in
                       zip(got.ravel().tolist(), value.ravel().tolist()))
    assert len(proof.steps) == proofs.count_steps(model)


def test_a_model_stays_as_it_is():
    params, ops = dict(MODEL.params), MODEL.ops
    proofs.prove(MODEL, INPUTS)
    assert MODEL.ops is ops and MODEL.params.keys() == params.keys()
    assert all(MODEL.params[name] is x and x.dtype == float
               for name, x in params.items())


def test_no_parameter_matrix_becomes_an_array_of_balls(monkeypatch):
    """Only rows that are looked up do; else a real checkpoint would fill the memory."""
    sizes = []
    monkeypatch.setattr("numbert.backends.balls.balls",
                        lambda x: sizes.append(np.size(x)) or balls(x))
    proofs.prove(MODEL, INPUTS)
    assert len(sizes) == 3 and max(sizes) == INPUTS["input_ids"].size * 12


def test_every_step_is_judged_in_order():
    trace = Trace()
    MODEL(**INPUTS, trace=trace)
    done = []
    proof = proofs.prove(MODEL, INPUTS, done=lambda: done.append(1))
    names = [name for name in trace if not name.endswith(LEFT_OUT)]
    assert [step.name for step in proof.steps] == names
    assert len(done) == len(names) == proofs.count_steps(MODEL)
    assert [step.shape for step in proof.steps] == [trace[x].shape for x in names]
    last = proof.steps[-1]
    assert last.proven > 30
    assert 13 < last.float64.worst <= last.float64.median < 17.5
    assert 4 < last.float32.worst <= last.float32.median < 9
    assert proof.steps[0].float64 == (np.inf, np.inf)      # a look-up is exact
    assert proof.steps[0].float32.median < 9               # but not in float32


def test_bits():
    assert proofs.enough_bits(MODEL) == 192
    assert proofs.prove(MODEL, INPUTS).bits == 192
    few, many = (proofs.prove(MODEL, INPUTS, bits=bits).steps[-1].proven
                 for bits in (100, 200))
    assert 29.5 < many - few < 30.7                        # 100 bits are 30.1 digits
    with pytest.raises(ValueError, match="bits is 63, expected a whole number of at"):
        proofs.prove(MODEL, INPUTS, bits=63)
    with pytest.raises(TypeError, match="expected one of the nine classes"):
        proofs.prove(object(), INPUTS)
    with pytest.raises(ValueError, match="hidden_act is 'mish', expected one of"):
        proofs.prove(numbert.BertModel(config(hidden_act="mish")), INPUTS)


# ------------------------------------------------------------------------- the digits

def test_right_digits_against_fractions():
    rng = np.random.default_rng(0)
    exact = balls(rng.standard_normal(101))
    plain = exact.to_float64() * (1 + 10.0 ** rng.uniform(-14, -1, 101))
    got = proofs.right_digits(exact, plain)
    want = sorted(math.log10(abs(y / (Fraction(x) - y)))
                  for x, y in zip(plain.tolist(), middles(exact)))
    assert got.median == pytest.approx(want[50], abs=1e-9)
    assert got.worst == pytest.approx(want[0], abs=1e-9)


@pytest.mark.parametrize("middle, radius, plain, want", [
    (3, 0, 3, np.inf), (0, 0, 0, np.inf), (0, 0, 1e-300, 0), (2, 0, -2, 0),
    (1, 1e-12, 1, 12), (1, 1e-12, 1 + 1e-12, 11.7), (0, 1e-40, 0, 0),
    (math.nan, 0, 1, 0), (1, math.inf, 1, 0), (1, 0, math.nan, 0)])
def test_no_more_digits_than_the_ball_allows(middle, radius, plain, want):
    ball = np.array([flint.arb(middle, radius)], object).view(Balls)
    got = proofs.right_digits(ball, np.array([plain]))
    assert got == (pytest.approx(want, abs=0.01),) * 2


def test_nothing_to_compare():
    assert proofs.right_digits(balls(np.empty((0, 2))), np.empty((0, 2))) == \
        (np.inf, np.inf)


# ------------------------------------------------------------------- sentence vectors

@pytest.mark.parametrize("pooling", [*([name] for name in POOLINGS), ["max", "cls"]],
                         ids=",".join)
@pytest.mark.parametrize("steps", [[], [("unit",)], [("cut", 5), ("unit",)]])
def test_sentence_vectors_against_plain_numbers(pooling, steps):
    rng = np.random.default_rng(1)
    hidden = rng.standard_normal((3, 6, 8))
    counts = np.array([[1] * 6, [0, 0, 1, 1, 1, 1], [0, 1, 0, 0, 0, 0]], bool)
    got = proofs.sentence_vector(balls(hidden), counts, pooling, steps, 200)
    want = pool(hidden, counts, pooling)
    for name, *count in steps:
        want = unit(want) if name == "unit" else want[:, :count[0]]
    assert isinstance(got, Balls) and got.digits().min() > 50
    assert np.allclose(got.to_float64(), want, rtol=1e-14, atol=1e-15)
    assert got.shape == want.shape


def test_a_mean_is_divided_exactly():
    """1 / 3 and 1 / sqrt(3) are no float64: their error would pass as a proof."""
    x, three = balls(np.ones((1, 3, 1))), np.ones((1, 3))
    x[0, 0, 0] = flint.arb(2)
    for pooling, square in (("mean", Fraction(16, 9)),
                            ("weightedmean", Fraction(49, 36)),    # (7 / 6)^2
                            ("mean_sqrt_len_tokens", Fraction(16, 3))):
        got, = proofs.sentence_vector(x, three, [pooling], [], 200).ravel().tolist()
        with flint.ctx.workprec(400):
            want = flint.arb(square.numerator) / square.denominator
            assert (got * got).overlaps(want) and got.rel_accuracy_bits() > 190


def test_what_has_no_exact_form_is_refused():
    with pytest.raises(ValueError, match="pooling is 'none', expected one of cls"):
        proofs.check_sentence(["cls", "none"], [])
    with pytest.raises(ValueError, match="step after pooling is 'dense', expected one"):
        proofs.check_sentence(["cls"], [("dense", 1)])


# ------------------------------------------------------------------ a real checkpoint

@pytest.mark.filterwarnings("ignore:BertModel does not use")
def test_minilm():
    """Every digit that float64 has is proven, and float32 keeps six."""
    folder = minilm_dir()
    model = numbert.BertModel.from_pretrained(folder, add_pooling_layer=False)
    tokenizer = numbert.BertTokenizer.from_pretrained(folder)
    rows = tokenizer("Go home.", return_tensors="np")
    proof = proofs.prove(model, rows)
    last = proof.steps[-1]
    assert proof.bits == 320 and last.name == "encoder.layer.5.output.out"
    assert last.proven > 40 and not proof.output.last_hidden_state.undecided().any()
    assert 14 < last.float64.median < 16 and 5.5 < last.float32.median < 7.5
    for output, eps in zip(proof.plain, (2e-14, 2e-5)):
        assert np.abs(proof.output.last_hidden_state.to_float64()
                      - output.last_hidden_state).max() < eps
