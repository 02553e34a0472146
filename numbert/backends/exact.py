"""Proven digits: the blocks of BERT, computed with balls.

A ball is an interval that is certain to hold the exact number; see balls.  So a forward
and a backward pass on balls prove what they compute: the exact value of the formula,
for these weights and inputs, lies inside.

    exact = numbert.exact(model, bits=200)
    output, saved = exact.forward(input_ids, labels=labels)
    grads = exact.backward(saved)
    output.logits.to_float64()              # the correctly rounded numbers
    output.logits.digits().min()            # how many decimal digits are proven

The parameters are exactly those of the model.  The constants of the formulas are exact
too: sqrt(D), sqrt(2 pi), 1 / count.  As float64 numbers they would make every result
the proof of a slightly wrong number.  A decimal constant of an activation, such as
0.044715, means that decimal; layer_norm_eps means the float64 that its file gives.
"""

from __future__ import annotations

import copy
from types import SimpleNamespace

import numpy as np

from ..bert import ops
from ..bert.activations import ACTIVATIONS
from ..bert.losses import IGNORE_INDEX
from ..models.base import BertPreTrainedModel
from .balls import balls, erf, exp, log, matmul, midpoints, rsqrt
from .balls import tanh as tanh_of

from flint import arb, ctx              # after balls, which says what to install

BITS = 200                              # of the midpoints, unless the caller says more
ZERO = balls(0)
HIDDEN = -np.finfo(np.float64).max      # the score of a key that a mask hides


def exact(model, bits: int = BITS) -> "ExactModel":
    """Return a model that computes the same with balls; see ExactModel."""
    return ExactModel(model, bits)


class ExactModel:
    """A model that computes with balls: the same calls, arrays of balls as results.

    Args:
        model: any of the nine classes; its parameters are taken as exact numbers.
        bits: the precision of the midpoints; about 0.3 digits each.

    Raises:
        ImportError: python-flint is not installed.
        TypeError: the model is not one of the nine classes.
        ValueError: bits is not a whole number of at least 64, or hidden_act names an
            activation that has no exact form here.
    """

    def __init__(self, model, bits: int = BITS):
        check_exact(model, bits)
        self.bits, self.config = bits, model.config
        self.model = copy.copy(model)
        self.model.ops = EXACT
        self.model.params = {name: balls(x) for name, x in model.params.items()}

    def __repr__(self) -> str:
        return f"<exact {type(self.model).__name__}, {self.bits} bits>"

    @property
    def params(self) -> dict:
        """The parameters, as balls: of radius 0 until they are replaced."""
        return self.model.params

    @params.setter
    def params(self, params: dict) -> None:
        self.model.params = params

    def __call__(self, *args, **kwargs):
        """Return the output of `forward`, and keep nothing for backward."""
        return self.forward(*args, keep=False, **kwargs)[0]

    def forward(self, *args, **kwargs):
        """Return (output, saved), as the model's own forward does, in balls.

        float32 and float64 inputs count as exact numbers.
        """
        with ctx.workprec(self.bits):
            output, saved = self.model.forward(*args, **kwargs)
        return output, saved

    def backward(self, saved, **gradients) -> dict:
        """Return the gradients, as the model's own backward does, in balls."""
        with ctx.workprec(self.bits):
            grads = self.model.backward(saved, **gradients)
        return {name: balls(x) for name, x in grads.items()}


def check_exact(model, bits) -> None:
    """Refuse a model or a precision that balls can't compute with; see ExactModel."""
    if not isinstance(model, BertPreTrainedModel):
        raise TypeError(f"model is a {type(model).__name__}, expected one of the "
                        "nine classes of BERT: take the halves of an "
                        "encoder-decoder one by one")
    if not isinstance(bits, int) or bits < 64:
        raise ValueError(f"bits is {bits!r}, expected a whole number of at least "
                         "64: float64 itself has 53")
    name = model.config.hidden_act
    if not hasattr(EXACT, ACTIVATIONS[name]):
        known = [x for x in ACTIVATIONS if hasattr(EXACT, ACTIVATIONS[x])]
        raise ValueError(f"hidden_act is {name!r}, expected one of "
                         f"{', '.join(known)}: the others have no exact form here")


# --------------------------------------------- the table: see bert/ops and bert/losses

def linear(x, w, b=None):
    """x (..., I), w (O, I), b (O,) -> out (..., O)"""
    out = matmul(ops.rows(x), w.T)
    out = out if b is None else out + b
    return out.reshape(*x.shape[:-1], w.shape[0]), (x, w, b is not None)


def linear_backward(dout, saved):
    """dout (..., O) -> dx (..., I), dw (O, I), db (O,)"""
    x, w, has_bias = saved
    dy = ops.rows(dout)
    return matmul(dy, w).reshape(x.shape), matmul(dy.T, ops.rows(x)), \
        dy.sum(0) if has_bias else None


def layer_norm(x, w, b, eps):
    """x (..., C), w (C,), b (C,) -> out (..., C)"""
    centred = x - x.sum(-1, keepdims=True) / x.shape[-1]
    var = (centred * centred).sum(-1, keepdims=True) / x.shape[-1]
    rstd = rsqrt(var + eps)
    norm = centred * rstd
    return norm * w + b, (norm, rstd, w)


def layer_norm_backward(dout, saved):
    """dout (..., C) -> dx (..., C), dw (C,), db (C,)"""
    norm, rstd, w = saved
    dnorm = dout * w
    shift = dnorm.sum(-1, keepdims=True) / norm.shape[-1]
    stretch = (dnorm * norm).sum(-1, keepdims=True) / norm.shape[-1]
    dx = rstd * (dnorm - shift - norm * stretch)
    return dx, ops.rows(dout * norm).sum(0), ops.rows(dout).sum(0)


def dropout(x, rate, rng):
    """x (...) -> out (...): x itself; with a generator there is nothing to prove."""
    if rng is not None:
        raise ValueError("rng is given, expected None: dropout is random, so run the "
                         "exact model without it")
    return x, None


def attention_scores(q, k):
    """q (..., T, D), k (..., S, D) -> out (..., T, S)"""
    q = q * arb(q.shape[-1]).rsqrt()
    return matmul(q, k.swapaxes(-1, -2)), (q, k)


def attention_scores_backward(dout, saved):
    """dout (..., T, S) -> dq (..., T, D), dk (..., S, D)"""
    q, k = saved
    dq = matmul(dout, k) * arb(q.shape[-1]).rsqrt()
    return dq, matmul(dout.swapaxes(-1, -2), q)


def mask_scores(scores, mask):
    """scores (..., T, S) -> out (..., T, S): hidden keys get HIDDEN."""
    if mask is None:
        return scores, None
    return balls(np.where(mask, scores, balls(HIDDEN))), None


def softmax(scores):
    """scores (..., T, S) -> out (..., T, S)

    What is subtracted is a plain number, the largest midpoint: any number would do.
    A hidden key's probability is 0, unless the row has no other keys.
    """
    shift = midpoints(scores).max(-1, keepdims=True)
    hidden = (midpoints(scores) == HIDDEN) & (shift != HIDDEN)
    exps = exp(np.where(hidden, ZERO, scores - shift))
    exps = balls(np.where(hidden, ZERO, exps))
    probs = exps / exps.sum(-1, keepdims=True)
    return probs, probs


def softmax_backward(dout, saved):
    """dout (..., T, S) -> dscores (..., T, S)"""
    return saved * (dout - (dout * saved).sum(-1, keepdims=True))


def weighted_sum(probs, v):
    """probs (..., T, S), v (..., S, D) -> out (..., T, D)"""
    return matmul(probs, v), (probs, v)


def weighted_sum_backward(dout, saved):
    """dout (..., T, D) -> dprobs (..., T, S), dv (..., S, D)"""
    probs, v = saved
    return matmul(dout, v.swapaxes(-1, -2)), matmul(probs.swapaxes(-1, -2), dout)


def gelu(x):
    """x (...) -> out (...)"""
    cdf = (1 + erf(x * arb(2).rsqrt())) / 2
    return x * cdf, (x, cdf)


def gelu_backward(dout, saved):
    """dout (...) -> dx (...)"""
    x, cdf = saved
    return dout * (cdf + x * exp(-x * x / 2) * (2 * arb.pi()).rsqrt())


def gelu_tanh(x, scale=None):
    """x (...) -> out (...)"""
    scale = (2 / arb.pi()).sqrt() if scale is None else scale
    t = tanh_of(scale * (x + arb("0.044715") * x * x * x))
    return x * (1 + t) / 2, (x, t, scale)


def gelu_tanh_backward(dout, saved):
    """dout (...) -> dx (...)"""
    x, t, scale = saved
    du = scale * (1 + 3 * arb("0.044715") * x * x)
    return dout * ((1 + t) / 2 + x * (1 - t * t) * du / 2)


def gelu_fast(x):
    """x (...) -> out (...)"""
    return gelu_tanh(x, arb("0.7978845608"))


def sigmoid(x):
    """x (...) -> out (...)"""
    out = 1 / (1 + exp(-x))
    return out, out


def silu(x):
    """x (...) -> out (...)"""
    s, _ = sigmoid(x)
    return x * s, (x, s)


def quick_gelu(x):
    """x (...) -> out (...)"""
    s, _ = sigmoid(arb("1.702") * x)
    return x * s, (x, s)


def quick_gelu_backward(dout, saved):
    """dout (...) -> dx (...)"""
    x, s = saved
    return dout * (s + arb("1.702") * x * s * (1 - s))


def relu(x):
    """x (...) -> out (...)

    A ball that holds 0 could lie on either side of the corner.
    """
    if any(not ball.is_zero() and ball.contains(0) for ball in x.ravel().tolist()):
        raise ValueError("a value before relu is not known to be above or below 0, "
                         "expected one of the two: compute with more bits")
    positive = midpoints(x) > 0
    return balls(np.where(positive, x, ZERO)), positive


def tanh(x):
    """x (...) -> out (...)"""
    out = tanh_of(x)
    return out, out


def cross_entropy(logits, labels, ignore_index=IGNORE_INDEX, count=None):
    """logits (..., K), labels (...) -> loss ()"""
    labels = labels.reshape(-1)
    used, x = labels != ignore_index, ops.rows(logits)
    x = x - midpoints(x).max(-1, keepdims=True)
    logp = x - log(exp(x).sum(-1, keepdims=True))
    safe = np.where(used, labels, 0)
    total = -logp[np.flatnonzero(used), safe[used]].sum()
    count = int(used.sum()) if count is None else count
    loss = total / _fraction(count) if count else arb.nan()
    return balls(loss), (logits.shape, logp, safe, used, count)


def cross_entropy_backward(dloss, saved):
    """dloss () -> dlogits (..., K)"""
    shape, logp, safe, used, count = saved
    dlogits = exp(logp)
    dlogits[np.arange(len(logp)), safe] -= 1
    dlogits = dlogits * (_fraction(dloss) / _fraction(max(count, 1)))
    dlogits[~used] = ZERO
    return dlogits.reshape(shape)


def mse(outputs, targets, count=None):
    """outputs (...), targets (...) -> loss ()"""
    difference = outputs - targets
    count = difference.size if count is None else count
    return balls((difference * difference).sum() / _fraction(count)), \
        (difference, count)


def mse_backward(dloss, saved):
    """dloss () -> doutputs (...)"""
    difference, count = saved
    return difference * (2 * _fraction(dloss) / _fraction(max(count, 1)))


def bce_with_logits(logits, targets, count=None):
    """logits (...), targets (...) -> loss ()"""
    losses = log(1 + exp(logits)) - logits * targets
    count = losses.size if count is None else count
    return balls(losses.sum() / _fraction(count)), (logits, targets, count)


def bce_with_logits_backward(dloss, saved):
    """dloss () -> dlogits (...)"""
    logits, targets, count = saved
    return (sigmoid(logits)[0] - targets) * (_fraction(dloss)
                                             / _fraction(max(count, 1)))


def _fraction(number):
    """Return a count or the gradient of a loss as a ball, so that 1 / count is one."""
    return arb(number.item() if isinstance(number, (np.generic, np.ndarray))
               else number)


# The operations without a constant or a comparison run unchanged on arrays of balls.
EXACT = SimpleNamespace(
    linear=linear, linear_backward=linear_backward, embedding=ops.embedding,
    embedding_backward=ops.embedding_backward, word_embedding=ops.word_embedding,
    word_embedding_backward=ops.word_embedding_backward, first_token=ops.first_token,
    first_token_backward=ops.first_token_backward, layer_norm=layer_norm,
    layer_norm_backward=layer_norm_backward, dropout=dropout,
    dropout_backward=ops.dropout_backward, attention_scores=attention_scores,
    attention_scores_backward=attention_scores_backward, mask_scores=mask_scores,
    mask_scores_backward=ops.mask_scores_backward, softmax=softmax,
    softmax_backward=softmax_backward, weighted_sum=weighted_sum,
    weighted_sum_backward=weighted_sum_backward, gelu=gelu,
    gelu_backward=gelu_backward, gelu_tanh=gelu_tanh,
    gelu_tanh_backward=gelu_tanh_backward, gelu_fast=gelu_fast,
    gelu_fast_backward=gelu_tanh_backward, quick_gelu=quick_gelu,
    quick_gelu_backward=quick_gelu_backward, relu=relu,
    relu_backward=ops.relu_backward, sigmoid=sigmoid,
    sigmoid_backward=ops.sigmoid_backward, silu=silu, silu_backward=ops.silu_backward,
    tanh=tanh, tanh_backward=ops.tanh_backward, cross_entropy=cross_entropy,
    cross_entropy_backward=cross_entropy_backward, mse=mse, mse_backward=mse_backward,
    bce_with_logits=bce_with_logits,
    bce_with_logits_backward=bce_with_logits_backward)
