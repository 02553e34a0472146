"""The exercises of notebook 09, training."""

import numpy as np

from ...training import optim
from .exercise import Exercise

NAMES = ["embeddings.word_embeddings.weight", "embeddings.LayerNorm.weight",
         "embeddings.LayerNorm.bias", "layer.0.attention.self.query.weight",
         "layer.0.attention.self.query.bias", "layer.0.output.LayerNorm.weight",
         "cls.predictions.bias", "pooler.dense.weight", "cls.seq_relationship.bias"]


def updated(update, p, g, m, v, t, **settings):
    """Return p, m and v after one of numbert's updates; the inputs stay as they are."""
    p, m, v = p.copy(), m.copy(), v.copy()
    state = {"step": {"p": t - 1}, "m": {"p": m}, "v": {"p": v}}
    update({"p": p}, {"p": g}, state, **settings)
    return p, m, v


def adamw(p, g, m, v, t, lr):
    return updated(optim.adamw_step, p, g, m, v, t, lr=lr)


def changed(p, g, m, v, t, lr, *, b1=0.9, b2=0.999, shift=0, second=True, inside=False,
            decay=0.01, way=-1):
    """An update with something changed, as a mistake changes it."""
    m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g * g
    m_hat = m / (1 - b1 ** (t + shift))
    v_hat = v / (1 - b2 ** (t + shift)) if second else v
    root = np.sqrt(v_hat + 1e-8) if inside else np.sqrt(v_hat) + 1e-8
    return p * (1 - lr * decay) + way * lr * m_hat / root, m, v


def without_correction(p, g, m, v, t, lr):
    return updated(optim.bertadam_step, p, g, m, v, t, lr=lr, eps=1e-8)


def corrected_means(p, g, m, v, t, lr):
    p, m, v = changed(p, g, m, v, t, lr)
    return p, m / (1 - 0.9 ** t), v / (1 - 0.999 ** t)


def factors(warmup, total):
    return [optim.linear_schedule(step, warmup, total) for step in range(total)]


def entropy(counts):
    f = counts / counts.sum()
    return -(f * np.log(f)).sum()


def a_draw(rng):
    """Parameters, gradients and means of a run that has begun."""
    return (rng.normal(size=(3, 4)), rng.normal(size=(3, 4)) / 4,
            rng.normal(size=(3, 4)) / 10, rng.random((3, 4)) / 50,
            int(rng.integers(2, 9)), 0.01)


EXERCISES = {
    "09.1": Exercise(
        inputs=a_draw,
        reference=adamw,
        mistakes={
            "G2": without_correction,
            "Only m is corrected for its start from zero.  The other mean starts from "
            "zero as well.":
                lambda *x: changed(*x, second=False),
            "G6": lambda p, g, *x: changed(p, g + 0.01 * p, *x, decay=0),
            "G20": lambda *x: changed(*x, b1=0.999, b2=0.9),
            "The epsilon stands under the root.  Add it after taking the root.":
                lambda *x: changed(*x, inside=True),
            "The corrections are those of the first update, whatever t is.":
                lambda p, g, m, v, t, lr: changed(p, g, m, v, 1, lr),
            "The means are returned after the correction.  Return them as they are "
            "kept: the next update starts from them.":
                corrected_means,
            "The weights do not decay.  Read the last sentence of the task.":
                lambda *x: changed(*x, decay=0),
            "The decay is not multiplied by the learning rate.":
                lambda *x: changed(*x, decay=0.01 / x[-1]),
            "The step goes uphill: look at its sign.":
                lambda *x: changed(*x, way=1),
            "The corrections count updates from 0.  The first update has t = 1, and "
            "you are given t as it is.":
                lambda *x: changed(*x, shift=-1),
            "The corrections are one update ahead: t counts this update already.":
                lambda *x: changed(*x, shift=1),
        }),
    "09.2": Exercise(
        inputs=lambda rng: ([NAMES[i] for i in rng.permutation(len(NAMES))],),
        reference=lambda names: [x for x in names if optim.decayed(x)],
        mistakes={
            "G1": lambda names: names,
            "The weights of LayerNorm decay.  They set a scale, so they should stay.":
                lambda names: [x for x in names if not x.endswith("bias")],
            "Biases decay.  They only move an output, so they should stay.":
                lambda names: [x for x in names if "LayerNorm" not in x],
            "These are the names that stay: turn the condition round.":
                lambda names: [x for x in names if not optim.decayed(x)],
            "Only the weights of LayerNorm are left out, or only its biases.  Both "
            "stay, and so does every other bias.":
                lambda names: [x for x in names if not x.endswith("LayerNorm.weight")],
        }),
    "09.3": Exercise(
        inputs=lambda rng: (int(rng.integers(3, 8)), int(rng.integers(15, 30))),
        reference=factors,
        mistakes={
            "Everything comes one step too early: step 0 has a factor above 0.":
                lambda warmup, total: [optim.linear_schedule(step + 1, warmup, total)
                                       for step in range(total)],
            "The way down is the line from step 0 to total, so the rate jumps after "
            "the warm-up.  Google's code does that.  Here the line starts at 1 after "
            "the warm-up.":
                lambda warmup, total: [
                    step / warmup if step < warmup else 1 - step / total
                    for step in range(total)],
            "The way down is divided by all steps, so the rate does not reach 0.  It "
            "is shorter: the warm-up is not part of it.":
                lambda warmup, total: [
                    step / warmup if step < warmup else 1 - (step - warmup) / total
                    for step in range(total)],
            "The warm-up reaches 1 one step too early.":
                lambda warmup, total: [*np.linspace(0, 1, warmup),
                                       *factors(warmup, total)[warmup:]],
            "The rate stays at its peak after the warm-up.":
                lambda warmup, total: [min(1.0, step / warmup)
                                       for step in range(total)],
            "There is no warm-up: the rate falls from the first step on.":
                lambda warmup, total: [1 - step / total for step in range(total)],
            "The rate reaches 0 one step too early, at the last step of the run.":
                lambda warmup, total: [
                    step / warmup if step < warmup
                    else (total - 1 - step) / (total - 1 - warmup)
                    for step in range(total)],
            "The list has one step too many: the last is total - 1.":
                lambda warmup, total: [*factors(warmup, total), 0.0],
        }),
    "09.4": Exercise(
        inputs=lambda rng: (rng.integers(1, 50, int(rng.integers(5, 9))),),
        reference=entropy,
        mistakes={
            "E17": lambda counts: entropy(counts) / np.log(2),
            "This is the loss of a model that knows not even the frequencies.":
                lambda counts: np.log(len(counts)),
            "Each piece counts once.  A frequent piece is the label more often, so it "
            "must weigh more.":
                lambda counts: -np.log(counts / counts.sum()).mean(),
            "The terms are not multiplied by their frequencies before they are added "
            "up.":
                lambda counts: -np.log(counts / counts.sum()).sum(),
            "The sign is wrong: a loss is not below 0.":
                lambda counts: -entropy(counts),
            "These are logarithms of counts.  Divide by their sum first.":
                lambda counts: -(counts / counts.sum() * np.log(counts)).sum(),
            "The terms are averaged.  The frequencies already are weights: add up.":
                lambda counts: entropy(counts) / len(counts),
        }),
}
