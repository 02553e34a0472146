"""Less memory and fewer steps for a run without a backward, which nobody watches.

The results are those of ops and attention, up to rounding.  Read these instead, unless
you want to know how the work is saved.

A softmax needs all keys of its query, but no other query.  So attention works on a few
queries, heads and texts at a time, and its scores never leave the processor's cache.
GELU too is computed in blocks, and its Phi(x) is not kept.  Of few tokens, a product is
computed from the other side.
"""

from itertools import product
from types import SimpleNamespace

import numpy as np

from . import attention, ops
from .erf import in_blocks
from .packing import empty_heads
from .scope import NUMPY

FEW, WIDE = 128, 2 ** 13        # rows, columns
BLOCK = 2 ** 19     # bytes of scores that are computed at a time
QUERIES = 256       # but at least so many queries: with fewer, products are slow
MODERATE = 60       # exp of -60 to 60, and sums of it, are normal numbers of float32


def linear(x, w, b=None):
    """x w^T + b, of few rows as (w x^T)^T + b, which OpenBLAS computes faster.

    x (..., I), w (O, I), b (O,) -> out (..., O)
    With AVX-512 a short text then takes up to a quarter less time; without, as much.
    The result lies in memory column after column.  Very wide rows, the scores of all
    words, are left in one piece, because they will be summed.
    """
    few = ops.rows(x)                                      # (R, I)
    if len(few) > FEW or len(w) > WIDE or x.dtype != np.float32:
        return ops.linear(x, w, b)
    out = (w @ few.T).T                                    # (R, O)
    if b is not None:
        out += b
    return out.reshape(*x.shape[:-1], w.shape[0]), None


def gelu(x):
    """x Phi(x), as ops.gelu computes it.

    x (...) -> out (...)                   Hendrycks & Gimpel 2016
    """
    return in_blocks(lambda x: ops.gelu(x)[0], x), None


FORWARD_ONLY = SimpleNamespace(**{**vars(NUMPY), "linear": linear, "gelu": gelu})


def attend(p, q, k, v, mask):
    """attention.attend, but without an array (B, N, T, S).

    q (B, N, T, D), k (B, N, S, D), v (B, N, S, D) -> out (B, N, T, D)
    Memory grows with the length, not with its square.
    """
    batch, heads, queries, _ = q.shape
    row = k.shape[-2] * q.itemsize
    # As many queries as BLOCK allows, then as many heads and as many texts.
    t = min(queries, max(QUERIES, BLOCK // row))
    n = min(heads, max(1, BLOCK // (t * row)))
    b = min(batch, max(1, BLOCK // (n * t * row)))
    out = empty_heads(q)                      # merge_heads then need not copy
    if mask is not None:
        mask = mask.reshape((1,) * (4 - mask.ndim) + mask.shape)
    for block in product(runs(batch, b), runs(heads, n), runs(queries, t)):
        part = None if mask is None else mask[tuple(
            slice(None) if size == 1 else run for size, run in zip(mask.shape, block))]
        out[block] = mean_of_values(p, q[block], k[block[:2]], v[block[:2]], part)
    return out, None


def runs(length, size):
    """Cut `length` places into runs of at most `size`: runs(5, 2) = 0-1, 2-3, 4."""
    return [slice(start, start + size) for start in range(0, length, size)]


def mean_of_values(p, q, k, v, mask):
    """softmax(q k^T / sqrt(D)) v, in fewer passes over the scores.

    q (..., T, D), k (..., S, D), v (..., S, D) -> out (..., T, D)
    A softmax subtracts each row's maximum, lest exp overflow.  Between moderate scores
    that changes nothing.  And the sum of a row's exponentials may as well divide the D
    mixed values as the S probabilities.
    """
    if mask is None and q.dtype == np.float32:
        scores, _ = p.run.ops.attention_scores(q, k)               # (..., T, S)
        if -MODERATE < scores.min() and scores.max() < MODERATE:
            exps = np.exp(scores, out=scores)
            out = exps @ v                                         # (..., T, D)
            out /= np.vecdot(exps, np.ones(exps.shape[-1], exps.dtype))[..., None]
            return out
    return attention.attend(p, q, k, v, mask)[0]
