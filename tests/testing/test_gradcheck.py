"""The gradient checker: it accepts what is right and rejects what is 0.05 % wrong."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st

import numbert
from cases import CASES
from common import B, T, config, ids, stress, stressed
from numbert.bert import attention, embeddings, encoder, heads, losses, ops
from numbert.bert.scope import NUMPY
from numbert.models.params import param_shapes
from numbert.testing.gradcheck import (
    check, check_block, check_model, check_pair, richardson)

WRONG = 1.0005                          # a gradient that is wrong by 0.05 %
CFG = config()


def fill(*shape, seed=7):
    """Random numbers."""
    return np.random.default_rng(seed).standard_normal(shape)


def masked_lm():
    """A model and its inputs, some tokens labelled and one of them [PAD]."""
    x = np.where(np.arange(T) == T - 1, 0, ids())
    labels = np.where(np.arange(T) % 2, ids(), -100)
    return stressed(numbert.BertForMaskedLM), {"input_ids": x, "labels": labels}


def planted(model, change):
    """The same model, whose backward is followed by change(grads)."""
    def backward(self, saved, **cotangents):
        grads = type(model).backward(self, saved, **cotangents)
        change(grads)
        return grads
    cls = type("Planted", (type(model),), {"backward": backward})
    return cls(model.config, dtype="float64", params=model.params)


# ------------------------------------------------------------------- any function

FUNCTIONS = {                           # f, f'
    "sin": (np.sin, np.cos), "exp": (np.exp, np.exp), "log1p": (
        lambda x: np.log1p(x * x), lambda x: 2 * x / (1 + x * x)),
    "cubic": (lambda x: x ** 3 - 2 * x, lambda x: 3 * x * x - 2),
    "fast": (lambda x: np.sin(50 * x), lambda x: 50 * np.cos(50 * x)),
    "kink": (lambda x: np.maximum(x, 0), lambda x: (x > 0).astype(float))}


SEEDS = st.integers(0, 2 ** 32 - 1)
PLACES = st.builds(lambda seed, shape: np.asarray(fill(*shape, seed=seed)), SEEDS,
                   st.sampled_from([(), (1,), (3, 4)]))


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("full", [False, True])
@settings(deadline=None)
@given(x=PLACES, seed=SEEDS)
@example(x=np.asarray(math.sqrt(2)), seed=0)            # the root of the cubic,
@example(x=np.asarray(1.41421356), seed=0)              # a place beside it,
@example(x=np.asarray(math.sqrt(2 / 3)), seed=0)        # and that of its slope
def test_right_gradients_pass_and_wrong_ones_do_not(name, full, x, seed):
    f, slope = FUNCTIONS[name]
    c = np.asarray(fill(*x.shape, seed=seed))
    g = np.asarray(c * slope(x))

    def objective(values):
        terms = c * f(values["x"])
        return math.fsum(terms.ravel()), float(np.abs(terms).sum())

    good = check(objective, {"x": x}, {"x": g}, full=full, rng=seed)
    assert not good.wrong, good
    flat = np.abs(slope(x)).min() < (0.5 if name == "fast" else 0.01)
    if flat or np.min(np.abs(x)) < 1e-3:        # bends hide the slope; or at the kink
        return
    assert good.ok, good
    bad = check(objective, {"x": x}, {"x": g * WRONG}, full=full, rng=seed)
    assert bad.wrong == ["x"], bad


def test_extrapolation_takes_out_the_errors_of_order_2_and_4():
    final, bound = richardson(lambda t: (math.sin(0.3 + t), 1.0), 0.1)
    error = abs(final - math.cos(0.3))
    assert error < 0.1 ** 6 / math.factorial(7) / 32 + 1e-13
    assert error < bound < 1e-5


def test_a_function_with_noise_is_unsure_not_ok():
    report = check(lambda v: float(v["x"].sum() + 1e-4 * np.sin(1e9 * v["x"]).sum()),
                   {"x": fill(3)}, {"x": np.ones(3)})
    assert not report.ok and report.unsure == ["x"]


@pytest.mark.parametrize("size", [1e2, 1e6])
@pytest.mark.parametrize("full", [False, True])
def test_a_sum_that_cancels_has_the_rounding_of_its_terms(size, full):
    """The sum is near 0, but x + h and the partial sums are as large as `size`."""
    x = np.array([size, 0, -size]) + 0.01 * fill(3)
    for factor, wrong in ((1, []), (WRONG, ["x"])):
        report = check(lambda v: v["x"].sum(), {"x": x}, {"x": np.full(3, factor)},
                       full=full)
        assert report.wrong == wrong and report.ok is not bool(wrong), report


def test_a_forgotten_gradient_is_wrong():
    assert check(lambda v: v["x"].sum(), {"x": fill(3)}, {"x": np.zeros(3)}).wrong


def test_entries_that_are_fixed_are_not_moved():
    wrong_at_1 = {"x": np.array([1.0, 9.0, 1.0])}
    for full in (False, True):
        report = check(lambda v: v["x"].sum(), {"x": fill(3)}, wrong_at_1,
                       fixed={"x": [1]}, full=full)
        assert report.ok and len(report.comparisons) == (2 if full else 3)


def test_bad_input_is_refused():
    x = {"x": fill(3)}
    with pytest.raises(TypeError, match="float32, expected float64"):
        check(lambda v: 0.0, {"x": fill(3).astype("f4")}, {"x": np.ones(3)})
    with pytest.raises(ValueError, match=r"shape \(2,\), expected \(3,\)"):
        check(lambda v: 0.0, x, {"x": np.ones(2)})
    with pytest.raises(ValueError, match="nan or infinity"):
        check(lambda v: 0.0, x, {"x": np.full(3, np.nan)})
    with pytest.raises(ValueError, match="objective is nan"):
        check(lambda v: float("nan"), x, {"x": np.ones(3)})


# ---------------------------------------------------------------- pairs and blocks

MASK = np.arange(7) < 4
PAIRS = {
    "linear": (ops.linear, ops.linear_backward, fill(2, 3, 4), fill(5, 4), fill(5)),
    "embedding": (ops.embedding, ops.embedding_backward, np.array([[1, 1, 4]]),
                  fill(6, 3)),
    "layer_norm": (ops.layer_norm, ops.layer_norm_backward, fill(2, 5), fill(5, seed=1),
                   fill(5, seed=2), 1e-3),
    "softmax": (lambda scores: ops.softmax(ops.mask_scores(scores, MASK)[0]),
                ops.softmax_backward, 3 * fill(2, 5, 7)),
    "gelu": (ops.gelu, ops.gelu_backward, 2 * fill(3, 4)),
    "relu": (ops.relu, ops.relu_backward, fill(3, 4)),
    "dropout": (lambda x: ops.dropout(x, 0.3, np.random.default_rng(0)),
                ops.dropout_backward, fill(3, 4)),
    "cross_entropy": (losses.cross_entropy, losses.cross_entropy_backward, fill(4, 6),
                      np.array([1, -100, 5, 0])),
    "mse": (losses.mse, losses.mse_backward, fill(4), fill(4, seed=1))}


@pytest.mark.parametrize("name", PAIRS)
@pytest.mark.parametrize("full", [False, True])
def test_pairs(name, full):
    forward, backward, *arguments = PAIRS[name]
    report = check_pair(forward, backward, *arguments, full=full)
    assert report.ok, report

    def first_wrong(dout, saved):
        found = backward(dout, saved)
        many = isinstance(found, tuple)
        return (WRONG * found[0], *found[1:]) if many else WRONG * found

    bad = check_pair(forward, first_wrong, *arguments, full=full)
    argument = "argument1" if name == "embedding" else "argument0"
    assert bad.wrong == [argument], bad


def under(prefix, cfg=CFG, cls=numbert.BertForMaskedLM):
    """Stress parameters of one block, without the prefix."""
    shapes = {name.removeprefix(prefix): np.zeros(shape)
              for name, shape in param_shapes(cfg, cls, True).items()
              if name.startswith(prefix)}
    return stress(shapes)


LAYER, X = "bert.encoder.layer.1.", fill(B, T, 12)
CROSS = config(is_decoder=True, add_cross_attention=True)
SEEN = np.array([[True] * 4 + [False]] * B)[:, None, None]
BLOCKS = {
    "embeddings": (embeddings.embeddings, embeddings.embeddings_backward, CFG,
                   under("bert.embeddings."), ids(), np.arange(T)[None], ids() % 2),
    "attention": (attention.attention, attention.attention_backward, CFG,
                  under(LAYER + "attention."), X, SEEN),
    "cross-attention": (attention.attention, attention.attention_backward, CROSS,
                        under(LAYER + "crossattention.", CROSS), X, None,
                        fill(B, 7, 12, seed=1)),
    "add_norm": (attention.add_norm, attention.add_norm_backward, CFG,
                 under(LAYER + "output."), fill(B, T, 19), X),
    "feed_forward": (encoder.feed_forward, encoder.feed_forward_backward, CFG,
                     under(LAYER), X),
    "layer": (encoder.layer, encoder.layer_backward, CROSS, under(LAYER, CROSS), X,
              None, fill(B, 7, 12, seed=1)),
    "classifier": (heads.classifier, heads.classifier_backward, CFG,
                   {f"classifier.{name}": x
                    for name, x in under("bert.pooler.dense.").items()}, X)}


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("dropout_seed", [None, 3])
def test_blocks(name, dropout_seed):
    forward, backward, cfg, params, *inputs = BLOCKS[name]
    if name == "feed_forward":
        params = {n: x for n, x in params.items() if "attention" not in n}
    report = check_block(forward, backward, cfg, params, *inputs, directions=1,
                         dropout_seed=dropout_seed)
    assert report.ok, report
    assert {c.name for c in report.comparisons} >= set(params)

    def wrong(dout, saved, g):
        found = backward(dout, saved, g)
        for array in g.arrays.values():
            array *= WRONG
        return found

    bad = check_block(forward, wrong, cfg, params, *inputs, directions=1,
                      dropout_seed=dropout_seed)
    zero = {n for n in params if n.endswith("key.bias")}
    assert set(bad.wrong) == set(params) - zero, bad


# -------------------------------------------------------------------- whole models

def fully_masked(name):
    """Cases with a query that may attend to nothing (causal and padded left, or all).

    HF: a gradient passes through such a row though its scores have no effect.
    """
    return "padding-all" in name or name == "BertLMHeadModel-padding-left"


CHOSEN = [name for name in CASES if not fully_masked(name) and name.endswith(
    ("everything", "embeds", "cross-padding", "padding-right", "untied", "regression",
     "several", "multi-label", "act-relu", "per-head"))]


@pytest.mark.parametrize("name", CHOSEN)
def test_every_class_passes_on_stress_weights(name):
    cls, changes, inputs = CASES[name]
    model = stressed(cls, config(**changes))
    outputs = ["last_hidden_state", "pooler_output"] \
        if cls is numbert.BertModel else None
    report = check_model(model, inputs, cotangents=outputs, directions=1)
    assert report.ok, report
    floats = {n for n in inputs if n in ("inputs_embeds", "encoder_hidden_states")}
    assert {c.name for c in report.comparisons} == set(model.params) | floats


def test_a_model_with_dropout():
    model, inputs = masked_lm()
    report = check_model(model, inputs, dropout_seed=1, directions=1)
    assert report.ok, report
    other = check_model(model, inputs, directions=1)
    assert report.comparisons[0].numeric != other.comparisons[0].numeric


def test_outputs_by_name_or_by_cotangent():
    model, inputs = masked_lm()
    cotangent = {"logits": fill(B, T, CFG.vocab_size), "loss": np.float64(2)}
    for cotangents in (["logits"], cotangent):
        assert check_model(model, inputs, cotangents=cotangents, directions=1).ok


def test_every_parameter_wrong_by_a_little_is_named():
    model, inputs = masked_lm()

    def all_wrong(grads):
        for g in grads.values():
            g *= WRONG

    report = check_model(planted(model, all_wrong), inputs)
    zero = {name for name in model.params if name.endswith("key.bias")}
    assert set(report.wrong) == set(model.params) - zero
    assert "0.05 %" in str(report)


@pytest.mark.parametrize("name, entries", [
    ("bert.encoder.layer.0.attention.self.query.weight", np.s_[:]),
    ("bert.encoder.layer.1.attention.output.LayerNorm.bias", np.s_[:]),
    ("bert.embeddings.word_embeddings.weight", np.s_[:]),
    ("bert.encoder.layer.0.attention.self.value.weight", np.s_[4]),         # one row
    ("bert.encoder.layer.1.intermediate.dense.weight", np.s_[:, 3]),        # a column
    ("bert.embeddings.position_embeddings.weight", np.s_[2, 5]),            # an entry
    ("cls.predictions.transform.LayerNorm.weight", np.s_[11]),
    ("cls.predictions.bias", np.s_[0])])
def test_only_what_is_wrong_is_named(name, entries):
    model, inputs = masked_lm()

    def change(grads):
        grads[name][entries] *= WRONG

    report = check_model(planted(model, change), inputs)
    assert report.wrong == [name], report


def test_a_parameter_without_a_gradient_is_wrong():
    model, inputs = masked_lm()
    name = "cls.predictions.transform.dense.bias"
    report = check_model(planted(model, lambda grads: grads.pop(name)), inputs,
                         directions=1)
    assert report.wrong == [name]


@pytest.mark.parametrize("op", ["linear", "layer_norm", "gelu", "softmax",
                                "attention_scores", "weighted_sum", "embedding"])
def test_an_op_that_is_a_little_wrong_is_found(op, monkeypatch):
    model, inputs = masked_lm()
    right = getattr(ops, f"{op}_backward")

    def wrong(dout, saved):
        found = right(dout, saved)
        return (found[0] * WRONG, *found[1:]) if isinstance(found, tuple) \
            else found * WRONG

    monkeypatch.setattr(NUMPY, f"{op}_backward", wrong)
    report = check_model(model, inputs, directions=1)
    assert report.wrong, report


@pytest.mark.parametrize("forgotten", [
    lambda dx, dw, db: (dx, dw, None), lambda dx, dw, db: (dx,)])
def test_a_gradient_that_an_op_does_not_give_is_wrong(forgotten):
    report = check_pair(ops.linear, lambda d, s: forgotten(*ops.linear_backward(d, s)),
                        fill(2, 3), fill(4, 3), fill(4))
    assert "argument2" in report.wrong and "argument0" not in report.wrong


def test_an_input_without_its_gradient_is_wrong():
    model = planted(stressed(numbert.BertModel),
                    lambda grads: grads.pop("inputs_embeds"))
    report = check_model(model, {"inputs_embeds": fill(B, T, CFG.hidden_size)},
                         cotangents=["last_hidden_state"], directions=1)
    assert report.wrong == ["inputs_embeds"]


@pytest.mark.parametrize("slope", [1e-9, 1e-11, 1e-13])
@pytest.mark.parametrize("claim", [0.5, 1, 2])
def test_a_slope_below_the_noise_is_unsure(slope, claim):
    x = fill(5)
    report = check(lambda values: 1 + slope * values["x"].sum(), {"x": x},
                   {"x": np.full(5, claim * slope)})
    assert not report.ok


def test_a_model_of_two_halves_is_left_as_it_was():
    half = config(is_decoder=True, add_cross_attention=True)
    both = numbert.EncoderDecoderConfig.from_encoder_decoder_configs(config(), half)
    model = numbert.EncoderDecoderModel(both, dtype="float64")
    before = {name: x.copy() for name, x in model.params.items()}
    check_model(model, {"input_ids": ids(), "decoder_input_ids": ids()},
                cotangents=["logits"], directions=1)
    assert all(np.array_equal(before[name], x) for name, x in model.params.items())


def test_full_mode_names_the_entry():
    cfg = config(vocab_size=7, hidden_size=4, num_attention_heads=2,
                 intermediate_size=5, num_hidden_layers=1, max_position_embeddings=4)
    model = stressed(numbert.BertForSequenceClassification, cfg)
    inputs = {"input_ids": ids((2, 3), 7), "labels": np.array([0, 1])}
    report = check_model(model, inputs, full=True)
    assert report.ok, report
    assert len(report.comparisons) == model.num_parameters()

    def change(grads):
        grads["bert.encoder.layer.0.output.dense.weight"][2, 4] *= WRONG

    bad = check_model(planted(model, change), inputs, full=True)
    found = [(c.name, c.where) for c in bad.comparisons if c.verdict != "ok"]
    assert found == [("bert.encoder.layer.0.output.dense.weight", (2, 4))], bad
