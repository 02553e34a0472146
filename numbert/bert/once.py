"""Less memory for a run that goes backward once, as a step of training does.

The results are those of ops and attention, bit by bit.  Read these instead, unless you
want to know how the memory is saved.

GELU's backward multiplies by the slope at x.  Where it is certain that a backward
follows, the slope is computed while x is in the cache, and kept in place of x and
Phi(x).  Attention works on a few texts at a time and keeps neither scores nor
probabilities, whose number grows with the square of the length.  Its backward computes
them again (Korthikanti et al. 2022, "selective activation recomputation").  Dropout
keeps one bit for each entry.  A look-up's gradient is 0 for all words but those of the
batch, so only their rows are kept.
"""

import math
from types import SimpleNamespace

import numpy as np

from . import attention, forward_only, ops
from .erf import in_blocks, normal_cdf
from .packing import empty_heads
from .scope import NUMPY, Scope


def gelu(x):
    """x Phi(x), as ops.gelu computes it.

    x (...) -> out (...)                   Hendrycks & Gimpel 2016
    """
    return in_blocks(gelu_and_slope, x, 2)


def gelu_and_slope(x):
    """x Phi(x) and Phi(x) + x phi(x), in place: see ops.gelu_backward.

    x (...) -> out (...), slope (...)
    """
    out = normal_cdf(x)                                    # (...)  Phi(x)
    slope = -0.5 * x
    slope *= x
    np.exp(slope, out=slope)
    slope *= 1 / math.sqrt(2 * math.pi)                    # (...)  phi(x)
    slope *= x
    slope += out
    out *= x
    return out, slope


def gelu_backward(dout, slope):
    """dout (...) -> dx (...): the chain rule, in place of the slope"""
    return np.multiply(dout, slope, out=slope)


def dropout(x, rate, rng):
    """Dropout, as ops.dropout computes it; of its mask, bits are kept.

    x (...) -> out (...)                                   Srivastava et al. 2014
    """
    out, saved = ops.dropout(x, rate, rng)
    return out, in_bits(saved)


def dropout_backward(dout, saved):
    """dout (...) -> dx (...): see ops.dropout_backward"""
    if saved is None:
        return dout
    bits, scale = saved
    kept = np.unpackbits(bits, axis=-1, count=dout.shape[-1]).view(bool)   # (...)
    return ops.dropout_backward(dout, (kept, scale))


def in_bits(drop):
    """What ops.drawn returns, with a bit for each entry instead of a byte."""
    if drop is None:
        return None
    kept, scale = drop
    return np.packbits(kept, axis=-1), scale


class Rows:
    """The gradient of a table that is 0 but in some rows; `table += it` is all it can.

    rows (n,), values (n, C)
    """

    def __init__(self, rows, values, shape):
        self.rows, self.values, self.shape = rows, values, shape

    def __array_ufunc__(self, ufunc, method, table, rows, *, out=(None,)):
        """Called by NumPy for table += rows."""
        if ufunc is not np.add or out[0] is None or \
                not np.may_share_memory(table, out[0]):
            return NotImplemented
        out[0][self.rows] += self.values
        return out[0]


def dense(gradient):
    """Return a gradient as an array."""
    if not isinstance(gradient, Rows):
        return gradient
    table = np.zeros(gradient.shape, gradient.values.dtype)
    table += gradient
    return table


def word_embedding_backward(dout, saved):
    """dout (..., C) -> dtable (V, C), as Rows; see ops.word_embedding_backward"""
    (ids, shape), padding_idx = saved
    words, places = np.unique(ids, return_inverse=True)            # (n,)
    values = ops.embedding_backward(
        dout, (places.reshape(ids.shape), (len(words), shape[1])))  # (n, C)
    learns = words != padding_idx
    return Rows(words[learns], values[learns], shape)


ONCE = SimpleNamespace(**{
    **vars(NUMPY), "gelu": gelu, "gelu_backward": gelu_backward, "dropout": dropout,
    "dropout_backward": dropout_backward,
    "word_embedding_backward": word_embedding_backward})


def attend(p, q, k, v, mask):
    """attention.attend, some texts after the others; only its inputs are kept.

    q (B, N, T, D), k (B, N, S, D), v (B, N, S, D) -> out (B, N, T, D)
    """
    shape = (*q.shape[:-1], k.shape[-2])                           # (B, N, T, S)
    rate, rng = p.run.config.attention_probs_dropout_prob, p.run.rng
    drop = in_bits(ops.drawn(shape, rate, rng, q.dtype))
    if mask is not None:
        mask = mask.reshape((1,) * (4 - mask.ndim) + mask.shape)
        mask = np.broadcast_to(mask, (len(q), *mask.shape[1:]))    # a row for each text
    saved = q, k, v, mask, drop
    out = empty_heads(q)
    for texts in some_texts(shape, q.itemsize):
        out[texts], _ = again(p, texts, *saved)
    return out, saved


def attend_backward(dout, saved, g):
    """dout (B, N, T, D) -> dq (B, N, T, D), dk (B, N, S, D), dv (B, N, S, D)"""
    q, k, v, _, _ = saved
    grads = [np.empty_like(x) for x in (q, k, v)]
    for texts in some_texts((*q.shape[:-1], k.shape[-2]), q.itemsize):
        _, part = again(g, texts, *saved)
        for dx, dpart in zip(grads, attention.attend_backward(dout[texts], part, g)):
            dx[texts] = dpart
    return grads


def some_texts(shape, itemsize):
    """Cut a batch so that the scores of each part stay in the cache, if they can."""
    texts, *others = shape
    size = max(1, forward_only.BLOCK // max(1, itemsize * math.prod(others)))
    return forward_only.runs(texts, size)


def again(p, texts, q, k, v, mask, drop):
    """attention.attend of some texts, where dropout has been drawn already."""
    if drop is not None:
        bits, scale = drop
        drop = bits[texts], scale

    def same_dropout(x, rate, rng):
        return dropout_backward(x, drop), drop
    table = SimpleNamespace(**{**vars(p.run.ops), "dropout": same_dropout})
    run = p.run._replace(ops=table, keep=True)
    return attention.attend(Scope({}, run), q[texts], k[texts], v[texts],
                            None if mask is None else mask[texts])


def sparing(run):
    """Return a run that goes backward once, saving memory unless somebody watches it.

    Other tables of operations than NumPy's are left alone.
    """
    if run.traces or run.ops is not NUMPY:
        return run
    return run._replace(ops=ONCE, attend=attend, attend_backward=attend_backward)
