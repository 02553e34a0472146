"""Every leaf operation: its value, its dtype, its shape line, its gradient, a law."""

import inspect
import re

import numpy as np
import pytest

import oracles
from binomial import assert_binomial
from common import assert_near, bound
from numbert.bert import attention, blocks, embeddings, encoder, heads, losses, ops
from numbert.training import distillation
from pairs import PAIRS, SIZES, arguments, run, shape_line, size, tuple_of


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", PAIRS)
def test_shapes_and_dtypes_are_as_documented(name, dtype):
    f, backward = PAIRS[name]
    args = arguments(f, dtype)
    copies = {k: np.array(v) for k, v in args.items() if isinstance(v, np.ndarray)}
    out, saved = run(f, args)
    outputs = shape_line(f)[1]
    assert out.shape == size(next(iter(outputs.values()))) and out.dtype == dtype
    dout = np.asarray(np.random.default_rng(2).standard_normal(out.shape), dtype)[()]
    grads = tuple_of(backward(dout, saved))
    documented = shape_line(backward)[1]
    assert len(grads) == len(documented)
    for grad, (what, dims) in zip(grads, documented.items()):
        assert grad.shape == args[what[1:]].shape == size(dims), what
        assert grad.dtype == dtype, what
    for k, before in copies.items():                       # no input is written to
        assert np.array_equal(args[k], before), k


def test_every_backward_says_how_its_formula_comes_about():
    functions = [f for module in (ops, losses, blocks, attention, encoder, heads,
                                  embeddings, distillation)
                 for name, f in vars(module).items() if name.endswith("_backward")]
    assert len(functions) > 30
    for f in functions:
        first, *rest = inspect.getdoc(f).splitlines()
        assert "->" in first, f
        assert [line for line in rest                      # more than names and shapes
                if line and not re.match(r"\w+ \([^()]*\)(,|:| ->)", line)], f


@pytest.mark.parametrize("name", PAIRS)
def test_gradient_along_a_random_direction(name):
    f, backward = PAIRS[name]
    args, rng = arguments(f), np.random.default_rng(3)
    out, saved = run(f, args)
    dout = rng.standard_normal(out.shape)[()]
    grads = tuple_of(backward(dout, saved))
    for grad, what in zip(grads, shape_line(backward)[1]):
        x, step = args[what[1:]], 1e-5
        direction = rng.standard_normal(x.shape)
        high, low = (run(f, {**args, what[1:]: x + s * direction})[0]
                     for s in (step, -step))
        slope = np.sum((high - low) / (2 * step) * dout)
        assert_near(np.sum(grad * direction), slope, 1e-7 * (1 + abs(slope)), what)


def test_linear():
    args = arguments(ops.linear)
    want = oracles.linear(ops.rows(args["x"]), args["w"], args["b"])
    got = ops.linear(**args)[0]
    assert_near(ops.rows(got), want, bound("float64", SIZES["I"], 4))


@pytest.mark.parametrize("eps", [1e-12, 1e-5, 0.3])
def test_layer_norm(eps):
    args = {**arguments(ops.layer_norm), "eps": eps}
    args["x"] = args["x"] * np.logspace(-4, 3, 6).reshape(2, 3, 1)   # small and large
    want = oracles.layer_norm(ops.rows(args["x"]), args["w"], args["b"], eps)
    assert_near(ops.rows(ops.layer_norm(**args)[0]), want, bound("float64", 12, 4))


def test_layer_norm_ignores_a_shift_and_its_gradient_has_none():
    args = arguments(ops.layer_norm)
    out, saved = ops.layer_norm(**args)
    shifted, _ = ops.layer_norm(**{**args, "x": args["x"] + 5})
    assert_near(shifted, out, 1e-12)
    dx, _, _ = ops.layer_norm_backward(np.sin(np.arange(72.)).reshape(out.shape), saved)
    assert_near(dx.sum(-1), np.zeros((2, 3)), 1e-12)


def test_layer_norm_of_a_far_offset_keeps_its_digits():
    x = np.random.default_rng(0).standard_normal((4, 64)) + 100    # |mean| / std = 100
    one, zero = np.ones(64), np.zeros(64)
    want = oracles.layer_norm(x.astype("float32").astype(float), one, zero, 1e-12)
    got = ops.layer_norm(x.astype("float32"), one.astype("float32"),
                         zero.astype("float32"), 1e-12)[0]
    # LayerNorm errs by 8 u (1 + |out|) (1 + |x| / std), however it is computed.
    assert_near(got.astype(float), want, 8 * 2 ** -24 * 4 * 104)


def test_embedding_gradient_sums_every_place():
    args = arguments(ops.embedding)
    dout = np.random.default_rng(5).standard_normal((2, 3, 12))
    _, saved = ops.embedding(**args)
    want = oracles.embedding_gradient(dout, args["ids"], 13)
    assert_near(ops.embedding_backward(dout, saved), want, bound("float64", 6, 4))


def test_embedding_of_nothing_has_a_zero_gradient():
    out, saved = ops.embedding(np.zeros((0, 3), int), np.ones((5, 2)))
    assert out.shape == (0, 3, 2)
    assert np.array_equal(ops.embedding_backward(out, saved), np.zeros((5, 2)))


@pytest.mark.parametrize("masked", [False, True])
def test_attention_against_loops(masked):
    rng = np.random.default_rng(4)
    q, k, v = (3 * rng.standard_normal((n, 4)) for n in (5, 7, 7))
    mask = rng.random((5, 7)) < 0.6 if masked else None
    if masked:
        mask[2] = False                                    # nothing to attend to
    scores, _ = ops.attention_scores(q, k)
    probs, _ = ops.softmax(ops.mask_scores(scores, mask)[0])
    out, _ = ops.weighted_sum(probs, v)
    assert_near(out, oracles.attention(q, k, v, mask), bound("float64", 7, 16))


def test_softmax_rows():
    rng = np.random.default_rng(6)
    scores, mask = 500 * rng.standard_normal((3, 5, 7)), rng.random((3, 5, 7)) < 0.5
    mask[0, 0] = False
    probs, _ = ops.softmax(ops.mask_scores(scores, mask)[0])
    assert_near(probs.sum(-1), np.ones((3, 5)), bound("float64", 7))
    assert np.all(probs[~mask & mask.any(-1, keepdims=True)] == 0)   # exactly
    assert np.all(probs[0, 0] == 1 / 7)                              # HF eager's rule


def test_a_mask_keeps_the_gradient_of_a_row_that_may_attend_to_no_key():
    """HF adds the mask to the scores, so that row's softmax passes its gradient on."""
    rng = np.random.default_rng(8)
    scores, mask = rng.standard_normal((5, 7)), rng.random((5, 7)) < 0.6
    mask[2] = False
    masked, mask_saved = ops.mask_scores(scores, mask)
    probs, saved = ops.softmax(masked)
    dout = rng.standard_normal((5, 7))
    dscores = ops.mask_scores_backward(ops.softmax_backward(dout, saved), mask_saved)
    assert np.all(dscores[~mask & mask.any(-1, keepdims=True)] == 0)
    assert_near(dscores[2], (dout[2] - dout[2].mean()) / 7, 1e-15)
    for i in (0, 1, 3, 4):
        direction = rng.standard_normal(7)
        high, low = (ops.softmax(np.where(mask[i], scores[i] + step * direction, -1e9))
                     for step in (1e-5, -1e-5))
        slope = np.sum((high[0] - low[0]) / 2e-5 * dout[i])
        assert_near(np.sum(dscores[i] * direction), slope, 1e-8)


def test_dropout_keeps_the_mean_and_is_absent_without_a_generator():
    x = np.ones((1000, 1000), "float32")
    out, saved = ops.dropout(x, 0.25, np.random.default_rng(0))
    kept = out != 0
    assert np.all(out[kept] == np.float32(1 / 0.75))
    # One million draws: five standard deviations of a binomial share.
    assert abs(kept.mean() - 0.75) < 5 * np.sqrt(0.25 * 0.75 / x.size)
    assert np.array_equal(ops.dropout_backward(x, saved), out)
    assert ops.dropout(x, 0.25, None)[0] is x
    assert ops.dropout(x, 0, np.random.default_rng(0))[0] is x
    out, saved = ops.dropout(x, 1, np.random.default_rng(0))         # as torch does
    assert not out.any() and out.dtype == x.dtype
    assert not ops.dropout_backward(x, saved).any()


@pytest.mark.parametrize("rate", [1e-3, 0.1, 0.5, 0.9, 1 - 1e-3])
def test_each_entry_is_kept_with_the_same_probability(rate):
    """In each of the four numbers that come out of one draw, and beside each other."""
    kept = ops.keep_mask((250_000, 4), rate, np.random.default_rng(1))
    p = 1 - round(rate * 65536) / 65536
    assert abs(p - (1 - rate)) <= 1 / 131072
    for i in range(4):
        assert_binomial(int(kept[:, i].sum()), len(kept), p, f"kept of number {i}")
        both = kept[:, i] & kept[:, i - 1]
        assert_binomial(int(both.sum()), len(kept), p * p, f"{i} and the one before")
    after = kept[1:, 0] & kept[:-1, 3]
    assert_binomial(int(after.sum()), len(after), p * p, "from draw to draw")


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3, 5), (0, 4), (4, 4)])
def test_masks_of_any_shape(shape):
    kept = ops.keep_mask(shape, 0.5, np.random.default_rng(0))
    assert kept.shape == shape and kept.dtype == bool
    assert not ops.keep_mask(shape, 1, np.random.default_rng(0)).any()
    assert ops.keep_mask(shape, 0, np.random.default_rng(0)).all()


def test_looking_up_pad_has_no_gradient():
    ids, dout = np.array([[3, 1], [0, 3]]), np.arange(1., 9).reshape(2, 2, 2)
    _, saved = ops.word_embedding(ids, np.ones((5, 2)), padding_idx=3)
    assert ops.word_embedding_backward(dout, saved).tolist() == [
        [5, 6], [3, 4], [0, 0], [0, 0], [0, 0]]
