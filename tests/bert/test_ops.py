"""Every leaf operation: its value, its dtype, its shape line, its gradient, a law."""

import inspect
import re

import numpy as np
import pytest
from hypothesis import given, strategies as st

import oracles
from common import assert_near, bound
from numbert.bert import attention, blocks, embeddings, encoder, heads
from numbert.training import distillation
from numbert.bert import activations, losses, ops
from numbert.bert.scope import NUMPY

SIZES = {"B": 2, "T": 5, "S": 7, "C": 12, "N": 3, "D": 4, "I": 6, "O": 8, "V": 13,
         "K": 4, "R": 10, "...": (2, 3)}
PAIRS = {f"{module.__name__}.{name}": (f, getattr(module, f"{name}_backward"))
         for module in (ops, activations, losses)
         for name, f in vars(module).items()
         if hasattr(module, f"{name}_backward") and f.__module__ == module.__name__}
# {name in a configuration: (forward, backward)}
ACTIVATIONS = {name: (getattr(NUMPY, op), getattr(NUMPY, f"{op}_backward"))
               for name, op in activations.ACTIVATIONS.items()}
LIMITS = {"tanh": (-1, 1), "sigmoid": (0, 1), "laplace": (0, 1), "gelu_10": (0, 10),
          "relu6": (0, 6), "relu2": (0, 1e8), "leaky_relu": (-100, 1e4),
          "linear": (-1e4, 1e4), "sqrtsoftplus": (0, 100)}
PLAIN = {"eps": 1e-5, "rate": 0.3, "mask": None, "ignore_index": 2, "count": None,
         "scale": ops.GELU_TANH_SCALE}


def shapes_in(text):
    """{name: dimensions} of 'x (..., C), w (C,)'; names without a shape are skipped."""
    return {name: tuple(d.strip() for d in dims.split(",") if d.strip())
            for name, dims in re.findall(r"(\w+) \(([^()]*)\)", text)}


def shape_line(f):
    """The two halves of the docstring's line 'inputs -> outputs'."""
    line = next(line for line in f.__doc__.splitlines() if "->" in line)
    inputs, outputs = line.split(": ")[0].split("->")
    return shapes_in(inputs), shapes_in(outputs)


def size(dims):
    """A shape out of names of dimensions."""
    shape = []
    for d in dims:
        shape += SIZES[d] if d == "..." else [SIZES[d]]
    return tuple(shape)


def arguments(f, dtype="float64"):
    """Random arguments of the documented shapes."""
    rng, args = np.random.default_rng(1), {}
    documented = shape_line(f)[0]
    for name in inspect.signature(f).parameters:
        if name == "ids":
            args[name] = rng.integers(0, SIZES["V"], size(documented[name]))
        elif name == "labels":
            args[name] = rng.integers(0, SIZES["K"], size(documented[name]))
        elif name == "rng":
            args[name] = np.random.default_rng(7)
        elif name in documented:
            x = rng.standard_normal(size(documented[name])).astype(dtype)
            args[name] = 1 / (1 + np.exp(-x)) if name == "targets" else x
        else:
            args[name] = PLAIN[name]
    return args


def run(f, args):
    """f's (out, saved); a generator among the arguments starts from the same state."""
    return f(**{**args, **({"rng": np.random.default_rng(7)} if "rng" in args else {})})


def tuple_of(x):
    return x if isinstance(x, tuple) else (x,)


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
    probs, _ = ops.softmax(scores, mask)
    out, _ = ops.weighted_sum(probs, v)
    assert_near(out, oracles.attention(q, k, v, mask), bound("float64", 7, 16))


def test_softmax_rows():
    rng = np.random.default_rng(6)
    scores, mask = 500 * rng.standard_normal((3, 5, 7)), rng.random((3, 5, 7)) < 0.5
    mask[0, 0] = False
    probs, _ = ops.softmax(scores, mask)
    assert_near(probs.sum(-1), np.ones((3, 5)), bound("float64", 7))
    assert np.all(probs[~mask & mask.any(-1, keepdims=True)] == 0)   # exactly
    assert np.all(probs[0, 0] == 1 / 7)                              # HF eager's rule


@given(st.floats(-30, 30))
def test_activations(x):
    for name, want in oracles.ACTIVATIONS.items():
        got = ACTIVATIONS[name][0](np.array([x]))[0]
        assert_near(got, [want(x)], 4 * 2.3e-16 * (abs(x) + 1), name)


def test_every_activation_has_an_oracle():
    assert oracles.ACTIVATIONS.keys() == ACTIVATIONS.keys()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_of_hugging_face(name):
    """Every name that transformers knows: its values and, by autograd, its slopes."""
    torch = pytest.importorskip("torch")
    known = pytest.importorskip("transformers.activations")
    assert known.ACT2CLS.keys() == ACTIVATIONS.keys() | set(activations.TRAINED)
    x = np.concatenate([np.linspace(-30, 30, 4001) + 1e-3, [-3.5, 2.99, 20.5, 7.1]])
    dout = np.cos(np.arange(len(x)))
    tensor = torch.tensor(x, requires_grad=True)
    want = known.ACT2FN[name](tensor)
    want.backward(torch.tensor(dout))
    f, backward = ACTIVATIONS[name]
    out, saved = f(x)
    scale = 1e-15 * (1 + np.abs(x)) * (1 + np.abs(out))
    assert np.all(np.abs(out - want.detach().numpy()) <= 8 * scale)
    assert np.all(np.abs(backward(dout, saved) - tensor.grad.numpy()) <= 32 * scale)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_activations_at_extremes(name, dtype):
    f, backward = ACTIVATIONS[name]
    x = np.array([-1e4, -90, -0.0, 0, 90, 1e4], dtype)
    with np.errstate(all="raise", under="ignore"):
        out, saved = f(x)
        dx = backward(np.ones_like(x), saved)
    limits = LIMITS.get(name, (0, 1e4))
    assert (out[0], out[-1]) == tuple(np.asarray(limits, dtype))
    assert np.isfinite(dx).all()


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


def test_cross_entropy():
    args = arguments(losses.cross_entropy)
    args["logits"] *= 50
    want = oracles.cross_entropy(ops.rows(args["logits"]),
                                 args["labels"].reshape(-1), 2)
    loss, saved = losses.cross_entropy(**args)
    assert_near(loss, want, bound("float64", 40, 200))
    dlogits = losses.cross_entropy_backward(1.0, saved)
    assert np.all(dlogits[args["labels"] == 2] == 0)                 # exactly
    assert_near(dlogits.sum(-1), np.zeros((2, 3)), 1e-15)


def test_cross_entropy_with_a_count():
    args = arguments(losses.cross_entropy)
    mean, saved = losses.cross_entropy(**args)
    total, saved_total = losses.cross_entropy(**{**args, "count": 1})
    used = np.sum(args["labels"] != 2)
    assert_near(total / used, mean, 1e-15)
    assert_near(losses.cross_entropy_backward(1.0, saved_total) / used,
                losses.cross_entropy_backward(1.0, saved), 1e-15)


def test_cross_entropy_with_every_label_ignored():
    loss, saved = losses.cross_entropy(np.ones((3, 4), "float32"), np.full(3, -100))
    assert np.isnan(loss) and loss.dtype == np.float32
    assert np.array_equal(losses.cross_entropy_backward(1.0, saved), np.zeros((3, 4)))


def test_bce_with_logits():
    args = arguments(losses.bce_with_logits)
    want = oracles.bce(args["logits"], args["targets"])
    assert_near(losses.bce_with_logits(**args)[0], want, 1e-14)
    with np.errstate(all="raise", under="ignore"):
        loss, saved = losses.bce_with_logits(np.array([-1e4, 1e4]), np.array([0., 1.]))
    assert loss == 0 and np.all(losses.bce_with_logits_backward(1.0, saved) == 0)


def test_mse():
    loss, saved = losses.mse(np.array([1.0, 4.0]), np.array([2.0, 1.0]))
    assert loss == 5.0
    assert np.array_equal(losses.mse_backward(1.0, saved), [-1.0, 3.0])
