"""Proven digits: balls against exact fractions, mpmath and differences of the loss."""

import subprocess
import sys
from fractions import Fraction

import mpmath
import numpy as np
import pytest

import numbert
from common import bound, config, stressed
from numbert.verify.cases import TABLE, Draws, make_case
from numbert.verify.truth import OPTIMIZERS
from numbert.verify.run import PARAMETER, UPDATE, build, run

flint = pytest.importorskip("flint")

from numbert.backends import exact as room                              # noqa: E402
from numbert.backends.balls import Balls, balls, matmul                 # noqa: E402

arb = flint.arb


@pytest.fixture(autouse=True)
def precision():
    with flint.ctx.workprec(200), mpmath.workprec(230):
        yield


def ball(middle, radius=0):
    return np.array(arb(middle, radius), object).view(Balls)


# ------------------------------------------------------------------ arrays of balls

def fractions(count=300):
    """Fractions of many sizes, among them halves between two floats."""
    rng = np.random.default_rng(0)
    for _ in range(count):
        top, shift = int(rng.integers(1, 2 ** 62)), int(rng.integers(-1140, 900))
        yield Fraction(top) * Fraction(2) ** shift
    yield Fraction(2 ** 53 + 1)                 # a tie, to even
    yield Fraction(2 ** 54 + 3, 2 ** 1100)


def test_numbers_are_rounded_once():
    for number in fractions():
        power = number.denominator.bit_length() - 1
        for sign in (1, -1):
            x = ball(sign * arb(number.numerator) * arb(2) ** -power)
            assert x.to_float64() == sign * float(number)
            assert not x.undecided() and x.digits() == np.inf


def test_a_wide_ball_says_so():
    with flint.ctx.workprec(53):                # its ends round differently
        one_third = ball(arb(1) / 3)
    assert one_third.undecided() and 15 < one_third.digits() < 17
    narrow = ball(arb(1) / 3)
    assert narrow.to_float64() == 1 / 3 and not narrow.undecided()
    assert 58 < narrow.digits() < 61 and narrow.radius() < 1e-59
    zero = ball(0, 1e-49)
    assert zero.to_float64() == 0 and zero.undecided() and zero.digits() == 0
    assert 1e-49 <= zero.radius() < 1.001e-49
    assert np.isnan(ball(arb.nan()).to_float64())


def test_arrays_keep_their_kind():
    x = balls(np.arange(6.0).reshape(2, 3))
    for y in (x, x + 1, x.T, x[0], x.sum(0), matmul(x, x.T)):
        assert isinstance(y, Balls) and y.to_float64().dtype == float
    assert np.array_equal(matmul(x, x.T).to_float64(), [[5, 14], [14, 50]])
    assert balls(np.float32(0.1)).to_float64() == np.float32(0.1)


# ---------------------------------------------------- the operations, against mpmath

def holds(x, want):
    """Whether a ball of at least 40 digits holds a number of mpmath, or nearly."""
    x = arb(x)
    near = arb(mpmath.nstr(want, 66), abs(arb(mpmath.nstr(want, 66))) * arb("1e-62"))
    return x.overlaps(near) and x.rad() <= abs(near) * arb("1e-40")


POINTS = (-7.25, -2.7, -0.125, 0.3, 1.5, 4.0)
ACTIVATIONS = {
    "gelu": lambda x: x * mpmath.ncdf(x),
    "gelu_tanh": lambda x: x / 2 * (1 + mpmath.tanh(mpmath.sqrt(2 / mpmath.pi) * (
        x + mpmath.mpf("0.044715") * x ** 3))),
    "gelu_fast": lambda x: x / 2 * (1 + mpmath.tanh(mpmath.mpf("0.7978845608") * (
        x + mpmath.mpf("0.044715") * x ** 3))),
    "quick_gelu": lambda x: x / (1 + mpmath.exp(-mpmath.mpf("1.702") * x)),
    "silu": lambda x: x / (1 + mpmath.exp(-x)),
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "tanh": mpmath.tanh,
    "relu": lambda x: max(x, mpmath.mpf(0)),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_and_their_slopes(name):
    out, saved = getattr(room.EXACT, name)(balls(np.array(POINTS)))
    slope = getattr(room.EXACT, f"{name}_backward")(balls(np.ones(len(POINTS))), saved)
    for point, y, dy in zip(POINTS, np.asarray(out), np.asarray(slope)):
        x, f = mpmath.mpf(point), ACTIVATIONS[name]
        assert holds(y, f(x))
        with mpmath.workprec(700):
            h = mpmath.mpf(2) ** -230
            rate = (f(x + h) - f(x - h)) / (2 * h)
        assert holds(dy, rate)


def test_each_exact_activation_is_one_that_numbert_has():
    from numbert.bert.scope import NUMPY
    assert set(vars(room.EXACT)) <= set(vars(NUMPY))
    missing = {name.removesuffix("_backward") for name in
               set(vars(NUMPY)) - set(vars(room.EXACT))}
    assert missing == {"identity", "gelu_10", "relu2", "relu6", "leaky_relu",
                       "hardswish", "softplus", "mish", "sqrt_softplus", "laplace"}


def test_constants_are_exact():
    """As float64 numbers they would be off by 1e-17, far outside of these balls."""
    q = balls(np.full((1, 3), 0.5))
    scores, _ = room.attention_scores(q, q)
    want = mpmath.mpf("0.75") / mpmath.sqrt(3)
    assert holds(scores.item(), want)
    assert not holds(arb(0.75) * (1 / 3 ** 0.5), want)
    loss, saved = room.cross_entropy(balls(np.zeros((3, 5))), np.array([1, 2, 4]))
    assert holds(loss.item(), mpmath.log(5))
    slope = room.cross_entropy_backward(1.0, saved)
    assert holds(slope[0, 0], mpmath.mpf(1) / 15)
    assert holds(slope[0, 1], mpmath.mpf(1) / 15 - mpmath.mpf(1) / 3)
    third, saved = room.mse(balls(np.array([1.0, 0, 0])), balls(np.zeros(3)))
    assert holds(third.item(), mpmath.mpf(1) / 3)
    assert holds(room.mse_backward(1.0, saved)[0], mpmath.mpf(2) / 3)
    bce, _ = room.bce_with_logits(balls(np.array([0.5, -3.0])), np.array([1.0, 0.25]))
    by_hand = sum(mpmath.log(1 + mpmath.exp(mpmath.mpf(x))) - mpmath.mpf(x) * t
                  for x, t in ((0.5, 1), (-3.0, 0.25))) / 2
    assert holds(bce.item(), by_hand)


def test_a_hidden_key_has_the_probability_zero():
    scores = balls(np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]))
    mask = np.array([[True, False, True], [False, False, False]])
    probs, _ = room.softmax(room.mask_scores(scores, mask)[0])
    assert probs[0, 1] == 0 and probs[0].sum().item().contains(1)
    assert all(holds(x, mpmath.mpf(1) / 3) for x in probs[1])


# ------------------------------------------------------------ whole models, all cases

def exact_of(name, bits=200):
    case = make_case(name)
    return case, numbert.exact(build(case), bits)


@pytest.mark.parametrize("name", TABLE)
def test_float64_agrees_with_what_is_proven(name):
    case, model = exact_of(name)
    plain = run(case)
    for tensor, x in run(case, model, optimizers=OPTIMIZERS).items():
        x = balls(x)
        truth = x.to_float64()
        size = np.sqrt(np.mean(truth * truth))
        assert x.radius().max() <= 1e-25 * (size or 1), tensor
        # Scores of 1e5 lose five digits before the softmax sees them.
        scale = {"large-scores": 1e2, "huge-scores": 1e8}.get(name, 1) * (size or 1)
        if UPDATE.fullmatch(tensor):        # the rounding of a gradient, over an eps
            scale *= 100
        error = np.sqrt(np.mean((plain[tensor] - truth) ** 2))
        assert error <= bound("float64", 200, scale), tensor


def directional(case, model, bits=500, shift=-140):
    """The loss's slope along a random direction: by gradients, and by a difference.

    A class without a loss has the sum of its outputs times the case's gradients.
    The [PAD] row of the word embeddings does not move, as its look-up has no gradient.
    """
    tensors = run(case, model, optimizers={})
    grads = {name.removeprefix(PARAMETER): x for name, x in tensors.items()
             if name.startswith(PARAMETER)}
    draws, start = Draws(7), dict(model.params)
    directions = {name: balls(draws.numbers(x.shape, 0.9)) for name, x in grads.items()}
    for name, x in directions.items():
        if "word_embeddings" in name:
            x[case.config.get("pad_token_id", 0)] = 0
    slope = sum(np.asarray(balls(grads[name]) * x).sum()
                for name, x in directions.items())
    h = arb(2) ** shift

    def value(sign):
        moved = {name: balls(x) + sign * h * directions[name]
                 for name, x in {**start, **case.inputs}.items() if name in directions}
        model.model.params = {name: moved[name] for name in start}
        inputs = {**case.inputs, **{k: moved[k] for k in case.inputs if k in moved}}
        output = model(**inputs)
        model.model.params = start
        if not case.cotangents:
            return balls(output.loss).item()
        return sum(np.asarray(output[name] * balls(x)).sum() for name, x in
                   case.cotangents.items())

    return slope, (value(1) - value(-1)) / (2 * h)


@pytest.mark.parametrize("name", TABLE)
def test_backward_is_the_derivative_of_forward_to_sixty_digits(name):
    """A central difference of the exact forward, at 500 bits."""
    case, model = exact_of(name, bits=500)
    with flint.ctx.workprec(500):
        slope, difference = directional(case, model)
        error = float((abs(slope - difference) / abs(slope)).upper())
        assert error < 1e-60
        # It would not be so for a gradient that is off by one part in 1e50.
        assert not float(abs(slope * (1 + arb("1e-50")) - difference).upper()) \
            < 1e-60 * abs(float(slope))


def test_results_come_as_those_of_a_model():
    model = stressed(numbert.BertForSequenceClassification, config(num_labels=3))
    exact = numbert.exact(model, bits=128)
    ids = np.array([[1, 2, 3]])
    trace = numbert.Trace()
    output, saved = exact.forward(ids, labels=[2], trace=trace)
    grads = exact.backward(saved, trace=trace)
    assert output.logits.shape == (1, 3) and set(grads) == set(model.params)
    assert list(trace)[:3] == [f"bert.embeddings.{x}_embeddings" for x in
                               ("word", "token_type", "position")]
    assert trace["grad:bert.pooler.out"].digits().min() > 25
    assert np.allclose(output.logits.to_float64(), model(ids).logits, rtol=1e-12)
    assert output.loss.to_float64() > 0 and repr(exact) == \
        "<exact BertForSequenceClassification, 128 bits>"
    assert flint.ctx.prec == 200                # that of this test, as before


def test_what_cannot_be_proven_is_refused():
    model = stressed(numbert.BertModel, config())
    with pytest.raises(TypeError, match="model is a dict, expected one of the nine"):
        numbert.exact({})
    for bits in (53, 100.0, "many"):
        with pytest.raises(ValueError, match=f"bits is {bits!r}, expected a whole"):
            numbert.exact(model, bits)
    with pytest.raises(ValueError, match="hidden_act is 'mish', expected one of gelu"):
        numbert.exact(stressed(numbert.BertModel, config(hidden_act="mish")))
    with pytest.raises(ValueError, match="rng is given, expected None"):
        numbert.exact(model).forward([[1, 2]], rng=0)
    with pytest.raises(ValueError, match="not known to be above or below 0"):
        room.relu(ball(0, 1e-9).reshape(1))


def test_without_python_flint_the_error_says_what_to_install():
    code = ("import sys; sys.modules['flint'] = None\nimport numbert\n"
            "try: numbert.exact\nexcept ImportError as error: print(error)")
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert 'pip install "numbert[exact]"' in said.stdout, said.stderr
