"""The exercises of notebook 08, backward by hand."""

from itertools import product

import numpy as np

from ...bert import losses, ops
from .exercise import Exercise, softmax, told

RIGHT = ""                  # the key of the right way among the mistakes of a step


def combined(compute, *steps):
    """Return {what went wrong: a function that does so}, for each combination.

    compute(inputs, *ways) -> answer, with one way for each step
    steps: {what went wrong: a way}, beginning with {RIGHT: the right way}

    A gradient has several parts, and a learner may have mistakes in two of them.
    """
    found = {}
    for picked in product(*(step.items() for step in steps)):
        wrong = [name for name, _ in picked if name != RIGHT]
        ways = [way for _, way in picked]
        if wrong:
            said = wrong[0] if len(wrong) == 1 else " ".join(map(told, wrong))
            found[said] = lambda *inputs, ways=ways: compute(inputs, *ways)
    return found


def by_part(inputs, *parts):
    """Compute each part of an answer by a function of its own."""
    return tuple(part(*inputs) for part in parts)


def count(dout):
    """dout (..., O) -> the number of positions."""
    return dout.size // dout.shape[-1]


def total(x):
    """x (..., C) -> out (C,), summed over positions."""
    return ops.rows(x).sum(0)


# ------------------------------------------------------------------- 08.1, linear

def linear_backward(dout, x, w):
    return ops.linear_backward(dout, (x, w, True))


LINEAR = combined(
    by_part,
    {RIGHT: lambda dout, x, w: dout @ w,
     "`dx` does not depend on `dout`: each slope of an output must be multiplied by "
     "how much that output matters.":
        lambda dout, x, w: np.ones_like(dout) @ w,
     "`dx` is the mean over the outputs that x_i feeds.  The gradients of several uses "
     "add up (rule 2).":
        lambda dout, x, w: dout @ w / w.shape[0]},
    {RIGHT: lambda dout, x, w: linear_backward(dout, x, w)[1],
     "`dw` is a mean over positions.  All positions use the same weight: think of "
     "rule 2.":
        lambda dout, x, w: linear_backward(dout, x, w)[1] / count(dout),
     "`dw` is divided by the number of texts.  Nothing in the formula divides.":
        lambda dout, x, w: linear_backward(dout, x, w)[1] / len(dout),
     "`dw` knows only the first text.  Every position of every text uses the weight.":
        lambda dout, x, w: dout[0].T @ x[0],
     "`dw` does not depend on `dout`: how much each output matters is missing.":
        lambda dout, x, w: np.ones_like(ops.rows(dout)).T @ ops.rows(x)},
    {RIGHT: lambda dout, x, w: total(dout),
     "`db` is a mean over positions.  All positions use the same bias: think of "
     "rule 2.":
        lambda dout, x, w: total(dout) / count(dout),
     "`db` knows only the first text.  Every position of every text uses the bias.":
        lambda dout, x, w: dout[0].sum(0),
     "`db` counts positions.  The slope 1 of each must be multiplied by `dout`.":
        lambda dout, x, w: total(np.ones_like(dout))})


# ------------------------------------------------------------ 08.2, cross-entropy

def cross_entropy_backward(logits, labels):
    _, saved = losses.cross_entropy(logits, labels)
    return losses.cross_entropy_backward(logits.dtype.type(1), saved)


def one_hot(logits, labels):
    """logits (R, K), labels (R,) -> out (R, K), a row of zeros for the label -100"""
    return (labels[:, None] == np.arange(logits.shape[-1])).astype(logits.dtype)


def of_rows(logits, labels, probs=None, target=None, used=None, number=None):
    """(probs - target) / number in the rows `used`, 0 in the others."""
    probs = softmax(logits) if probs is None else probs
    target = one_hot(logits, labels) if target is None else target
    used = labels != -100 if used is None else used
    number = (labels != -100).sum() if number is None else number
    return (probs - target) * used[:, None] / logits.dtype.type(number)


def everywhere(labels):
    return np.ones(len(labels), bool)


CROSS_ENTROPY = {
    "E3": lambda z, c: of_rows(z, c, number=len(c)),
    "E1": lambda z, c: of_rows(z, c, used=everywhere(c), number=len(c)),
    "The count is right, but rows with the label -100 still have a gradient.  They "
    "have no part in the loss.":
        lambda z, c: of_rows(z, c, used=everywhere(c)),
    "Rows with the label -100 are treated as if their label were class 0.":
        lambda z, c: of_rows(z, np.maximum(c, 0), number=(c != -100).sum()),
    "Rows with the label -100 are treated as if their label were class 0, and they are "
    "counted.":
        lambda z, c: of_rows(z, np.maximum(c, 0)),
    "This is the gradient of the sum of the losses.  The loss is their mean.":
        lambda z, c: of_rows(z, c, number=1),
    "The sign is wrong: this climbs.  The right label's score should fall with its "
    "gradient below 0.":
        lambda z, c: -of_rows(z, c),
    "Something is missing at the label: these are the probabilities alone, so that no "
    "score would ever be raised.":
        lambda z, c: of_rows(z, c, target=np.zeros_like(z)),
    "The softmax is missing: the logits themselves stand where probabilities should.":
        lambda z, c: of_rows(z, c, probs=z),
    "The softmax runs over the positions.  It turns one row of logits into "
    "probabilities.":
        lambda z, c: of_rows(z, c, probs=softmax(z, 0)),
    "This is the gradient of the probabilities, -1 / p at the label.  Go on, through "
    "the softmax.":
        lambda z, c: of_rows(z, c, probs=np.zeros_like(z),
                             target=one_hot(z, c) / softmax(z)),
    "These are log-probabilities where the probabilities should stand.":
        lambda z, c: of_rows(z, c, probs=losses.log_softmax(z)),
}


# --------------------------------------------------------------- 08.3, LayerNorm

def layer_norm_backward(dout, norm, rstd, w):
    return ops.layer_norm_backward(dout, (norm, rstd, w))


def mean(x, axis=-1):
    return x.mean(axis, keepdims=True)


def in_steps(d, norm, rstd, w, *, power=3, joined=np.sum, shared=mean):
    """The steps to dx one by one, with one of them done in another way."""
    centred, dnorm = norm / rstd, d * w
    drstd = joined(dnorm * centred, axis=-1, keepdims=True)
    dvar = drstd * rstd ** power / -2
    dcentred = dnorm * rstd + 2 * centred * dvar / norm.shape[-1]
    return dcentred - shared(dcentred)


def unjoined(x, axis, keepdims):
    return x


LAYER_NORM = combined(
    by_part,
    {RIGHT: lambda *inputs: layer_norm_backward(*inputs)[0],
     "G11": lambda d, norm, rstd, w: rstd * d * w,
     "`dx` forgets the weight: `dout` must become `dnorm` first.":
        lambda d, norm, rstd, w: layer_norm_backward(d, norm, rstd, np.ones_like(w))[0],
     "`dx` lacks the way through the mean of x, the last step of the list.":
        lambda d, norm, rstd, w: rstd * (d * w - norm * mean(d * w * norm)),
     "`dx` lacks the way through the variance: `drstd`, `dvar`, and from there to "
     "`centred`.":
        lambda d, norm, rstd, w: rstd * (d * w - mean(d * w)),
     "The way through the variance has the wrong sign: the slope of 1 / sqrt is below "
     "0.":
        lambda d, norm, rstd, w: rstd * (
            d * w - mean(d * w) + norm * mean(d * w * norm)),
     "The way through the variance is C times too large: the variance is a mean.":
        lambda d, norm, rstd, w: rstd * (
            d * w - mean(d * w) - norm * (d * w * norm).sum(-1, keepdims=True)),
     "The way through the variance has half of its size: look at the slope of a "
     "square.":
        lambda d, norm, rstd, w: rstd * (
            d * w - mean(d * w) - norm * mean(d * w * norm) / 2),
     "`drstd` is a mean over the channels.  Each channel uses `rstd`, and ways add up.":
        lambda *inputs: in_steps(*inputs, joined=np.mean),
     "`drstd` has an entry for each channel.  All channels use one `rstd`, so their "
     "gradients add up.":
        lambda *inputs: in_steps(*inputs, joined=unjoined),
     "The slope of `rstd` has the wrong power: `var + eps` is `rstd ** -2`.":
        lambda *inputs: in_steps(*inputs, power=-3),
     "The slope of `rstd` has another wrong power: find the one that turns `rstd` into "
     "`(var + eps) ** -1.5`.":
        lambda *inputs: in_steps(*inputs, power=1),
     "The way through the mean of x reaches only the entry itself.  The mean acts on "
     "all entries of `centred`.":
        lambda *inputs: in_steps(*inputs, shared=lambda x: x / x.shape[-1]),
     "The way through the mean of x is C times too large: its slope is -1 / C.":
        lambda *inputs: in_steps(
            *inputs, shared=lambda x: x.sum(-1, keepdims=True)),
     "`dx` lacks the factor `rstd`.":
        lambda d, norm, rstd, w: layer_norm_backward(d, norm, 1, w)[0],
     "`dx` is divided by `rstd`.  `rstd` is one over the deviation already.":
        lambda d, norm, rstd, w: layer_norm_backward(d, norm, 1 / rstd, w)[0]},
    {RIGHT: lambda d, norm, rstd, w: total(d * norm),
     "`dw` lacks the factor `norm`: this is the gradient of the bias.":
        lambda d, norm, rstd, w: total(d),
     "`dw` is multiplied by the weight itself.  The slope of norm w in w is `norm`.":
        lambda d, norm, rstd, w: total(d * norm * w),
     "`dw` is a mean.  All positions share the weight, so their gradients add up.":
        lambda d, norm, rstd, w: total(d * norm) / count(d)},
    {RIGHT: lambda d, norm, rstd, w: total(d),
     "`db` is multiplied by the weight.  The bias is added after it.":
        lambda d, norm, rstd, w: total(d * w),
     "`db` is a mean.  All positions share the bias, so their gradients add up.":
        lambda d, norm, rstd, w: total(d) / count(d)})


def layer_norm_inputs(rng):
    x = rng.normal(size=(2, 3, 5)) * 3 + 1
    w, b, dout = rng.normal(size=5), rng.normal(size=5), rng.normal(size=x.shape)
    _, (norm, rstd, _) = ops.layer_norm(x, w, b, 0.1)
    return dout, norm, rstd, w


# --------------------------------------------------------------- 08.4, attention

def attend_backward(inputs, dsoftmax, q_factor, k_factor, dv_of):
    """The backward of attention, with the given backward of the softmax and so on."""
    dout, q, k, v, probs = inputs
    dscores = dsoftmax(probs, dout @ v.swapaxes(-1, -2))           # (..., T, S)
    root = float(np.sqrt(q.shape[-1]))
    return (dscores @ k * root ** -q_factor,
            dscores.swapaxes(-1, -2) @ q * root ** -k_factor, dv_of(*inputs))


def softmax_backward(probs, dprobs):
    return ops.softmax_backward(dprobs, probs)


def values_backward(dout, q, k, v, probs):
    return probs.swapaxes(-1, -2) @ dout


ATTENTION_STEPS = (
    {RIGHT: softmax_backward,
     "G12": lambda probs, dprobs: dprobs,
     "`dscores` lacks a term: raising one score also lowers the other probabilities of "
     "its row.":
        lambda probs, dprobs: probs * dprobs,
     "`dscores` is that of a sigmoid, p (1 - p): the softmax ties a whole row "
     "together, as its Jacobian shows off the diagonal.":
        lambda probs, dprobs: probs * (1 - probs) * dprobs,
     "`dscores` subtracts a plain mean of `dprobs`.  The sum over i in the Jacobian "
     "has weights.":
        lambda probs, dprobs: probs * (dprobs - mean(dprobs)),
     "`dscores` lacks a probability before the bracket: the row's sum is multiplied by "
     "p_j, too.":
        lambda probs, dprobs: probs * dprobs - (probs * dprobs).sum(
            -1, keepdims=True),
     "`dscores` sums `dprobs` without weights.  In the Jacobian each has its p_i.":
        lambda probs, dprobs: probs * (dprobs - dprobs.sum(-1, keepdims=True)),
     "`dscores` sums over the queries.  The softmax runs over the keys, the last "
     "axis.":
        lambda probs, dprobs: probs * (
            dprobs - (probs * dprobs).sum(-2, keepdims=True))},
    {RIGHT: 1,
     "`dq` lacks the division by the root of D, which the scores have.": 0,
     "`dq` is divided by D.  The scores are divided by its root.": 2,
     "`dq` is multiplied by the root of D.  The scores are divided by it.": -1},
    {RIGHT: 1,
     "`dk` lacks the division by the root of D, which the scores have.": 0,
     "`dk` is divided by D.  The scores are divided by its root.": 2,
     "`dk` is multiplied by the root of D.  The scores are divided by it.": -1},
    {RIGHT: values_backward,
     "`dv` mixes with scores.  The output is mixed with `probs`.":
        lambda dout, q, k, v, probs: ops.attention_scores(q, k)[0].swapaxes(
            -1, -2) @ dout,
     "`dv` gives each key the same share.  A key that is looked at more gets more.":
        lambda dout, q, k, v, probs: np.ones_like(probs).swapaxes(-1, -2) @ dout})


def attention_inputs(rng):
    q, k, v = (rng.normal(size=(2, 3, n, 4)) for n in (5, 7, 7))
    probs, _ = ops.softmax(ops.attention_scores(q, k)[0])
    return rng.normal(size=q.shape), q, k, v, probs


def attention_reference(dout, q, k, v, probs):
    dprobs, dv = ops.weighted_sum_backward(dout, (probs, v))
    dscores = ops.softmax_backward(dprobs, probs)
    return *ops.attention_scores_backward(dscores, ops.attention_scores(q, k)[1]), dv


# ------------------------------------------------------------ 08.5, the tied table

def looked_up(ids, dx, h, dlogits):
    """The gradient of the look-up."""
    return ops.embedding_backward(dx, (ids, (dlogits.shape[-1], dx.shape[-1])))


def decoded(ids, dx, h, dlogits):
    """The gradient of the decoder."""
    return ops.rows(dlogits).T @ ops.rows(h)


def last_one_wins(ids, dx, h, dlogits):
    table = decoded(ids, dx, h, dlogits)
    table[ids] += dx
    return table


def overwritten(ids, dx, h, dlogits):
    table = decoded(ids, dx, h, dlogits)
    table[ids] = dx
    return table


def token_inputs(rng):
    """Seven words, of which some occur twice and some never."""
    ids = np.array([[1, 4, 4], [2, 1, 6]])
    return (ids, *(rng.normal(size=(2, 3, size)) for size in (4, 4, 7)))


TABLE = {
    "G8": decoded,
    "The decoder's gradient is missing: the table is used a second time, to score the "
    "words.": looked_up,
    "A word that occurs twice gets one of its gradients, not their sum.  NumPy's "
    "`table[ids] += dx` writes each row once.": last_one_wins,
    "The look-up's gradient replaces what the decoder gave these rows.  The two uses "
    "add up.": overwritten,
    "The two uses are averaged.  Their gradients add up.":
        lambda *inputs: (looked_up(*inputs) + decoded(*inputs)) / 2,
    "The decoder's gradient is a mean over positions.  It is a linear layer like any "
    "other.":
        lambda *inputs: looked_up(*inputs) + decoded(*inputs) / inputs[0].size,
    "`dx` and `h` are swapped: `h` was compared with the table, `dx` is the gradient "
    "of what was looked up.":
        lambda ids, dx, h, dlogits: (looked_up(ids, h, dx, dlogits)
                                     + decoded(ids, h, dx, dlogits)),
}


EXERCISES = {
    "08.1": Exercise(
        inputs=lambda rng: (rng.normal(size=(2, 3, 5)), rng.normal(size=(2, 3, 4)),
                            rng.normal(size=(5, 4))),
        reference=linear_backward, mistakes=LINEAR),
    "08.2": Exercise(
        inputs=lambda rng: (rng.normal(size=(6, 4)) * 2,
                            rng.permutation([0, 1, 3, 2, -100, -100])),
        reference=cross_entropy_backward, mistakes=CROSS_ENTROPY),
    "08.3": Exercise(inputs=layer_norm_inputs, reference=layer_norm_backward,
                     mistakes=LAYER_NORM),
    "08.4": Exercise(inputs=attention_inputs, reference=attention_reference,
                     mistakes=combined(attend_backward, *ATTENTION_STEPS)),
    "08.5": Exercise(inputs=token_inputs, mistakes=TABLE,
                     reference=lambda *inputs: looked_up(*inputs) + decoded(*inputs)),
}
