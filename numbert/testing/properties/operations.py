"""Laws N10, N11, N15, N16, N29 of single operations: plain functions of arrays.

See `targets.OperationsTarget` for how they are called.
"""

from __future__ import annotations

import numpy as np

from .laws import (APPROXIMATE, EXACT, Words, law, near, require, same_bits)


@law("N10", "operation", APPROXIMATE, needs=["softmax"], model="",
     catches="softmax over a wrong axis, overflow for large scores, masked "
             "keys with a weight (B5, B9)")
def softmax_rows_sum_to_1(operations, scores):
    """Probabilities sum to 1 along the last axis, and those of -inf are exactly 0.

    scores (..., S), of any size, with -inf where masked; one key of a row is not.
    """
    probs = operations.softmax(scores)
    require((probs[np.isneginf(scores)] == 0).all(), "the weights of masked keys",
            got=probs.tolist(), expected=Words("exactly 0 where the score is -inf"))
    require((probs >= 0).all(), "the probabilities", got=probs.tolist(),
            expected=Words("none below 0"))
    sums = probs.sum(-1)
    return near(sums, np.ones_like(sums), "the sums of the rows",
                terms=scores.shape[-1], scale=1.0)


@law("N11", "operation", APPROXIMATE, needs=["layer_norm"], model="",
     catches="the mean not subtracted, variance over the wrong axis or over C "
             "- 1, or one that cancels, eps outside the root (C3, C4, C5)")
def layer_norm_ignores_shift(operations, x, w, b, eps, shift):
    """A shift of a row changes nothing; without w and b it has mean 0 and variance
    var / (var + eps).

    x (R, C), w and b (C,).  shift: a number.
    """
    size, dtype = x.shape[-1], x.dtype
    std = np.sqrt(x.var(-1) + eps)
    stretch = float((np.abs(x).max() + abs(shift)) / std.min()) + 1
    out = operations.layer_norm(x, w, b, eps)
    scale = stretch * (np.abs(w).max() + np.abs(b).max())
    moved = operations.layer_norm((x + dtype.type(shift)).astype(dtype), w, b, eps)
    worst = near(moved, out, "LayerNorm of a shifted row", terms=size, scale=scale)
    plain = operations.layer_norm(x, np.ones_like(w), np.zeros_like(b), eps)
    near(plain.mean(-1), np.zeros(len(x), dtype), "the mean", terms=size, scale=stretch)
    near((plain ** 2).mean(-1), (x.var(-1) / (x.var(-1) + eps)).astype(dtype),
         "the variance", terms=size, scale=stretch)
    near(out, plain * w + b, "LayerNorm with w and b", terms=size, scale=scale)
    return worst


@law("N11b", "operation", APPROXIMATE, needs=["layer_norm_backward"], model="",
     catches="a backward pass of LayerNorm in which the mean or the variance "
             "counts as constant")
def layer_norm_gradient_has_no_shift(operations, dout, x, w, b, eps):
    """dx sums to 0 along a row and, for a small eps, so does dx times x.

    dw is the sum of dout times the normalised x; db is the sum of dout.
    """
    dx, dw, db = operations.layer_norm_backward(dout, x, w, b, eps)
    std = np.sqrt(x.var(-1, keepdims=True) + eps)
    norm = (x - x.mean(-1, keepdims=True)) / std
    size, stretch = x.shape[-1], float((np.abs(x).max() / std).max()) + 1
    scale = float((np.abs(dout * w).max(-1, keepdims=True) / std).max()) * stretch ** 2
    zero = np.zeros(len(x), x.dtype)
    worst = near(dx.sum(-1), zero, "the sum of dx", terms=size, scale=size * scale)
    # The stretch matters by eps: sum dx x^ = sum(dout w x^) eps / (var + eps) / std.
    rest = (dout * w * norm).sum(-1) * (eps / std[:, 0] ** 2) / std[:, 0]
    near((dx * norm).sum(-1), rest.astype(x.dtype), "the sum of dx times the "
         "normalised x", terms=size, scale=size * scale * stretch)
    rows = len(x) * float(np.abs(dout).max()) * stretch
    near(dw, (dout * norm).sum(0), "dw", terms=len(x) + size, scale=rows)
    near(db, dout.sum(0), "db", terms=len(x), scale=rows)
    return worst


@law("N15", "operation", EXACT, needs=["cross_entropy"], model="",
     catches="another ignore_index, ignored positions in the mean or with a "
             "gradient, weights that do nothing, nan from ignored logits (E1, "
             "E6, E10)")
def ignored_labels_have_no_part(operations, logits, labels, other):
    """At label -100 the gradient is exactly 0 and the logits do not matter at all.

    logits, other (N, K); labels (N,), not all of them -100.
    """
    loss, dlogits = operations.cross_entropy(logits, labels)
    ignored = labels == -100
    same_bits(dlogits[ignored], np.zeros_like(dlogits[ignored]),
              "the gradient at ignored labels")
    changed = np.where(ignored[:, None], other, logits)
    again, dagain = operations.cross_entropy(changed, labels)
    same_bits(again, loss, "the loss with other logits at ignored labels")
    same_bits(dagain, dlogits, "the gradient with other logits at ignored labels")
    used = ~ignored
    only, donly = operations.cross_entropy(logits[used], labels[used])
    near(loss, only, "the loss, with what the counted rows alone give",
         terms=len(labels), scale=float(np.abs(logits).max()) + 1)
    near(dlogits[used], donly, "the gradient of the counted rows",
         terms=len(labels), scale=1.0)


@law("N16", "operation", APPROXIMATE, needs=["cross_entropy"], model="",
     catches="a loss without the maximum subtracted, a wrong sign, a sum for a "
             "mean (E12)")
def cross_entropy_ignores_shift(operations, logits, labels, shift):
    """A shift of a row of logits changes nothing; a row of the gradient sums to 0.

    And equal logits have the loss log K.  No label is -100.
    """
    loss, dlogits = operations.cross_entropy(logits, labels)
    size = logits.shape[-1]
    scale = float(np.abs(logits).max()) + abs(shift) + 1
    worst = near(operations.cross_entropy(logits + shift, labels)[0], loss,
                 "the loss of shifted logits", terms=size + len(labels), scale=scale)
    require(np.isfinite(loss), "the loss", got=float(loss), expected=Words("finite"))
    near(dlogits.sum(-1), np.zeros(len(labels), logits.dtype),
         "the sums of the gradient's rows", terms=size, scale=1.0)
    flat = operations.cross_entropy(np.zeros_like(logits), labels)[0]
    near(flat, np.asarray(np.log(size), logits.dtype), "the loss of equal logits",
         terms=size + len(labels))
    right = dlogits[np.arange(len(labels)), labels]
    require((right <= 0).all(), "the gradient at the label", got=right.tolist(),
            expected=Words("not above 0: a larger logit there lowers the loss"))
    return worst


@law("N29", "training", APPROXIMATE, needs=["adam"], model="",
     catches="no bias correction or a wrong one, eps inside the root, a plus "
             "for a minus (G2, G20)")
def adams_first_step_is_known(operations, p, g, lr):
    """The first step of Adam is lr g / (|g| + eps), against the gradient."""
    step = lr * g / (np.abs(g) + 1e-8)
    worst = near(operations.adam(p, g, lr), p - step, "Adam's first step", terms=4,
                 scale=float(np.abs(p).max()) + lr)
    if operations.bert_adam is not None:
        step = lr * 0.1 * g / (np.sqrt(0.001 * g * g) + 1e-6)
        near(operations.bert_adam(p, g, lr), p - step, "BertAdam's first step", terms=4,
             scale=float(np.abs(p).max()) + 4 * lr)
    return worst
