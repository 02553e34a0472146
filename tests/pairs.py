"""Pure pairs under test: arguments of the documented shapes; gradients of blocks."""

import inspect
import re

import numpy as np

from common import assert_near
from numbert.bert import activations, losses, ops
from numbert.bert.scope import Run, Scope

SIZES = {"B": 2, "T": 5, "S": 7, "C": 12, "N": 3, "D": 4, "I": 6, "O": 8, "V": 13,
         "K": 4, "R": 10, "...": (2, 3)}
PAIRS = {f"{module.__name__}.{name}": (f, getattr(module, f"{name}_backward"))
         for module in (ops, activations, losses)
         for name, f in vars(module).items()
         if hasattr(module, f"{name}_backward") and f.__module__ == module.__name__}
PLAIN = {"eps": 1e-5, "rate": 0.3, "mask": None, "ignore_index": 2, "count": None,
         "weights": None, "smoothing": 0.0, "padding_idx": None,
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


def check_block(f, f_backward, model, prefix, inputs, wrt=("x",), seed=None):
    """Compare every gradient of a block with a nudge; return out and {name: gradient}.

    wrt: the inputs whose gradients f_backward returns, in its order.
    seed: turns dropout on.
    """
    def forward(inputs, params):
        rng = None if seed is None else np.random.default_rng(seed)
        return f(Scope(params, Run(model.config, rng=rng, keep=True), prefix), **inputs)

    out, saved = forward(inputs, model.params)
    dout = np.sin(1 + np.arange(out.size)).reshape(out.shape)
    g = Scope({}, Run(model.config), prefix)
    grads = dict(zip(wrt, tuple_of(f_backward(dout, saved, g))))

    def check(name, x, grad, nudged):
        direction, step = np.cos(np.arange(x.size)).reshape(x.shape), 1e-5
        high, low = (nudged(x + s * direction) for s in (step, -step))
        slope = np.sum((high - low) / (2 * step) * dout)
        assert grad.shape == x.shape, name
        assert_near(np.sum(grad * direction), slope, 1e-7 * (1 + abs(slope)), name)

    for name, grad in grads.items():
        check(name, inputs[name], grad,
              lambda x: forward({**inputs, name: x}, model.params)[0])
    for name, grad in g.arrays.items():
        check(name, model.params[name], grad,
              lambda x: forward(inputs, {**model.params, name: x})[0])
    return out, {name.removeprefix(prefix): x for name, x in g.arrays.items()}
