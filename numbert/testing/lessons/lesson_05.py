"""The exercises of notebook 05, the encoder layer and its trace."""

import numpy as np

from ...bert import ops
from ...models.classes import BertModel
from ...models.config import BertConfig
from ...models.params import param_shapes
from .exercise import Exercise

STEPS = [f"attention.self.{name}" for name in ("query", "key", "value", "scores")] + [
    f"attention.output.{name}" for name in ("dense", "sum", "out")]


def norm(x, w, b):
    return ops.layer_norm(x, w, b, 1e-12)[0]


def add_norm(h, residual, w, b):
    return norm(h + residual, w, b)


def feed_forward(x, w1, b1, w2, b2, w, b, *, act=ops.gelu):
    h = act(x @ w1.T + b1)[0]                              # (..., F)
    return norm(h @ w2.T + b2 + x, w, b)


def draw_layer(rng):
    """x (2, 5, 6), and the parameters of a feed-forward half with F = 8."""
    return (rng.normal(size=(2, 5, 6)), rng.normal(size=(8, 6)), rng.normal(size=8),
            rng.normal(size=(6, 8)), rng.normal(size=6), rng.normal(size=6),
            rng.normal(size=6))


def layer_parameters(C, F):
    """How many numbers the layers of a BERT have that has one."""
    config = BertConfig(hidden_size=C, intermediate_size=F, num_hidden_layers=1,
                        num_attention_heads=1)
    return sum(int(np.prod(shape)) for name, shape in
               param_shapes(config, BertModel).items() if "layer.0" in name)


def draw_traces(rng):
    """Two traces that differ from some step on, in one entry and in ever more.

    In one draw of three the first difference is a nan; in the others it has each sign.
    """
    is_nan, sign = rng.random() < 0.4, -1 if rng.random() < 0.5 else 1
    first = int(rng.integers(1, 4))
    mine = {name: rng.normal(size=(4, 3)) for name in STEPS}
    theirs = {name: x + 1e-9 * rng.normal(size=x.shape) for name, x in mine.items()}
    theirs[STEPS[first]][2, 1] += np.nan if is_nan else 2e-3 * sign
    for i, name in enumerate(STEPS[first + 1:], 1):
        size = 0.1 * i if name != STEPS[-1] else 0.05      # LayerNorm makes it smaller
        theirs[name] += size * rng.choice([-1, 1], size=(4, 3))
    return mine, theirs, 1e-3


def first_step(mine, theirs, limit, *, measure=lambda x, y: np.abs(x - y).max(),
               names=list):
    """The first name, in some order, whose difference by some measure is too large."""
    return next((name for name in names(mine)
                 if not measure(mine[name], theirs[name]) <= limit), "")


def overlooking_nan(mine, theirs, limit):
    return next((name for name in mine
                 if np.abs(mine[name] - theirs[name]).max() > limit), "")


EXERCISES = {
    "05.1": Exercise(
        inputs=lambda rng: (rng.normal(size=(2, 5, 6)), rng.normal(size=(2, 5, 6)),
                            rng.normal(size=6), rng.normal(size=6)),
        reference=add_norm,
        mistakes={
            "The residual is missing: the state that the half was given is lost.":
                lambda h, residual, w, b: norm(h, w, b),
            "The residual is added after the LayerNorm.  That is not post-LN: look "
            "which of the two comes last.":
                lambda h, residual, w, b: norm(h, w, b) + residual,
            "The residual is normalised before it is added.  The sum is what should be "
            "normalised.":
                lambda h, residual, w, b: h + norm(residual, w, b),
            "The sum is not normalised.":
                lambda h, residual, w, b: h + residual,
            "The sum is normalised, but not scaled by w and shifted by b.":
                lambda h, residual, w, b: norm(h + residual, np.ones_like(w),
                                               np.zeros_like(b)),
            "The residual is added twice.":
                lambda h, residual, w, b: norm(h + 2 * residual, w, b),
        }),
    "05.2": Exercise(
        inputs=draw_layer, reference=feed_forward,
        mistakes={
            "C2": lambda *a: feed_forward(*a, act=ops.relu),
            "C1": lambda *a: feed_forward(*a, act=ops.gelu_tanh),
            "There is no activation between the two dense layers.  Without one, they "
            "are no more than a single dense layer.":
                lambda *a: feed_forward(*a, act=lambda h: (h, None)),
            "The residual is missing: x must be added before the LayerNorm.":
                lambda x, w1, b1, w2, b2, w, b: norm(
                    ops.gelu(x @ w1.T + b1)[0] @ w2.T + b2, w, b),
            "The residual is added after the LayerNorm.":
                lambda x, w1, b1, w2, b2, w, b: x + norm(
                    ops.gelu(x @ w1.T + b1)[0] @ w2.T + b2, w, b),
            "The result is not normalised.":
                lambda x, w1, b1, w2, b2, w, b:
                    ops.gelu(x @ w1.T + b1)[0] @ w2.T + b2 + x,
            "D11": lambda x, w1, b1, w2, b2, w, b: feed_forward(
                x, w1, 0 * b1, w2, 0 * b2, w, b),
            "The activation is applied after the second dense layer, too.  The result "
            "of a half may be negative.":
                lambda x, w1, b1, w2, b2, w, b: norm(ops.gelu(
                    ops.gelu(x @ w1.T + b1)[0] @ w2.T + b2)[0] + x, w, b),
        }),
    "05.3": Exercise(
        inputs=lambda rng: (int(rng.integers(8, 90)), int(rng.integers(100, 400))),
        reference=layer_parameters,
        mistakes={
            "The biases are missing, and so are the LayerNorms.  Count the weights of "
            "all sixteen arrays.":
                lambda C, F: 4 * C * C + 2 * C * F,
            "The biases are missing: each of the six dense layers has one.":
                lambda C, F: 4 * C * C + 2 * C * F + 4 * C,
            "The LayerNorms are missing: each has a weight and a bias.":
                lambda C, F: layer_parameters(C, F) - 4 * C,
            "A LayerNorm is missing: each half of the layer ends with one.":
                lambda C, F: layer_parameters(C, F) - 2 * C,
            "The dense layer after the heads is missing: attention has four.":
                lambda C, F: layer_parameters(C, F) - C * C - C,
            "The way back from F to C is missing: feed-forward has two dense layers.":
                lambda C, F: layer_parameters(C, F) - C * F - C,
            "Every bias has C numbers here.  That of a dense layer has as many numbers "
            "as the layer has outputs.":
                lambda C, F: layer_parameters(C, F) - F + C,
        }),
    "05.4": Exercise(
        inputs=draw_traces, reference=first_step,
        mistakes={
            "The difference has a sign, and a large negative one is below any limit.":
                lambda *a: first_step(*a, measure=lambda x, y: np.nan_to_num(
                    (x - y).max(), nan=np.inf)),
            "The difference has a sign: take its size before you compare.":
                lambda *a: first_step(*a, measure=lambda x, y: np.nan_to_num(
                    (y - x).max(), nan=np.inf)),
            "A nan is overlooked: any comparison with nan is False, `nan > limit` too.":
                overlooking_nan,
            "The mean hides a single wrong entry.  Look at the largest difference.":
                lambda *a: first_step(*a, measure=lambda x, y: np.abs(x - y).mean()),
            "That is the step with the largest difference.  Errors grow on their way, "
            "so the cause lies earlier.":
                lambda mine, theirs, limit: max(mine, key=lambda name: np.nanmax(
                    np.abs(mine[name] - theirs[name]))),
            "That is the last step that differs.":
                lambda *a: first_step(*a, names=lambda x: list(x)[::-1]),
            "The names are sorted by the alphabet.  Keep the order of computation, in "
            "which the trace has them.":
                lambda *a: first_step(*a, names=sorted),
            "Every rounding counts as a difference: compare with the limit.":
                lambda mine, theirs, limit: first_step(mine, theirs, 0),
        }),
    "05.5": Exercise(
        inputs=lambda rng: (rng.normal(size=(4, 6)), rng.random((4, 6)) < 0.6, 0.4),
        reference=lambda x, kept, rate: x * kept / (1 - rate),
        mistakes={
            "C13": lambda x, kept, rate: x * kept,
            "What is kept gets smaller.  The mean should stay as it was.":
                lambda x, kept, rate: x * kept * (1 - rate),
            "It is divided by the share that is dropped.  Look for the share that is "
            "kept.":
                lambda x, kept, rate: x * kept / rate,
            "It is turned round: `kept` is True for an entry that stays.":
                lambda x, kept, rate: x * ~kept / (1 - rate),
            "All entries are scaled and none is dropped.":
                lambda x, kept, rate: x / (1 - rate),
        }),
}
