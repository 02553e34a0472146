"""Attention: masks, heads, and the block that self-, cross- and cached attention share.

Vaswani et al. 2017, section 3.2.
"""

import numpy as np

from .blocks import dense, dense_backward, dropout, dropout_backward
from .blocks import norm, norm_backward
from .packing import in_groups, in_groups_backward


def causal_mask(queries, keys):
    """Let each query attend to itself and to the positions before it.

    -> mask (T, S), in which the queries are the last T of the S positions.
    """
    return np.tri(queries, keys, keys - queries, dtype=bool)


def split_heads(x, heads):
    """x (B, T, C) -> out (B, N, T, D): head n takes the n-th run of D channels."""
    return x.reshape(*x.shape[:-1], heads, -1).swapaxes(-2, -3)


def merge_heads(x):
    """x (B, N, T, D) -> out (B, T, C): the inverse of split_heads.

    Without the swap of axes, heads and positions would be mixed up.
    """
    x = x.swapaxes(-2, -3)                                         # (B, T, N, D)
    return x.reshape(*x.shape[:-2], -1)


def attend(p, q, k, v, mask):
    """softmax(q k^T / sqrt(D)) v: each query receives a weighted mean of the values.

    q (B, N, T, D), k (B, N, S, D), v (B, N, S, D) -> out (B, N, T, D)
    mask: boolean, True = may attend, broadcastable to (B, N, T, S); None means that
    every query may attend to every key.
    """
    ops = p.run.ops
    scores, scores_saved = ops.attention_scores(q, k)              # (B, N, T, S)
    p.tap("scores", scores)
    scores, mask_saved = ops.mask_scores(scores, mask)             # (B, N, T, S)
    p.tap("masked_scores", scores)
    probs, softmax_saved = ops.softmax(scores)                     # (B, N, T, S)
    p.tap("softmax", probs)
    # HF: dropout comes after the softmax, so that a row no longer sums to 1.
    probs, drop_saved = dropout(p, probs, p.run.config.attention_probs_dropout_prob)
    p.tap("probs", probs)
    out, sum_saved = ops.weighted_sum(probs, v)                    # (B, N, T, D)
    return out, p.saved(scores_saved, mask_saved, softmax_saved, drop_saved, sum_saved)


def attend_backward(dout, saved, g):
    """dout (B, N, T, D) -> dq (B, N, T, D), dk (B, N, S, D), dv (B, N, S, D)

    The chain rule, last step first: the weighted sum gives dprobs and dv; dropout,
    softmax and mask turn dprobs into dscores; the product of q and k turns dscores into
    dq and dk.
    """
    scores_saved, mask_saved, softmax_saved, drop_saved, sum_saved = saved
    ops = g.run.ops
    dprobs, dv = ops.weighted_sum_backward(dout, sum_saved)        # (B, N, T, S)
    g.tap("probs", dprobs)
    dprobs = dropout_backward(dprobs, drop_saved, g)
    g.tap("softmax", dprobs)
    dscores = ops.softmax_backward(dprobs, softmax_saved)          # (B, N, T, S)
    g.tap("masked_scores", dscores)
    dscores = ops.mask_scores_backward(dscores, mask_saved)
    g.tap("scores", dscores)
    return *ops.attention_scores_backward(dscores, scores_saved), dv


def multi_head(p, x, source, mask, past=None):
    """Project to queries, keys and values; attend in N heads; join the heads.

    x (B, T, C), source (B, S, C) -> out (B, T, C)
    mask: see `attend`; of a packed batch, the Plan takes its place.
    In self-attention the source is x, and `past` (one layer of a KV cache) puts the
    keys and values of earlier calls before the new ones.  In cross-attention the source
    is the encoder's output, and `past` keeps its keys and values after the first call.
    HF: BertSelfAttention, BertCrossAttention
    """
    heads = p.run.config.num_attention_heads
    q, q_saved = dense(p.at("query"), x)                           # (B, T, C)
    p.tap("query", q)
    q = split_heads(q, heads)                                      # (B, N, T, D)
    if source is not x and past is not None and past.keys is not None:
        (k, v), k_saved, v_saved = past, None, None
    else:
        k, k_saved = dense(p.at("key"), source)                    # (B, S, C)
        v, v_saved = dense(p.at("value"), source)                  # (B, S, C)
        p.tap("key", k)
        p.tap("value", v)
        k, v = split_heads(k, heads), split_heads(v, heads)        # (B, N, S, D)
        if past is not None:
            k, v = past.update(k, v)
    context, attend_saved = in_groups(p.run.attend or attend,
                                      p, q, k, v, mask)            # (B, N, T, D)
    out = merge_heads(context)                                     # (B, T, C)
    p.tap("context", out)
    return out, p.saved(q_saved, k_saved, v_saved, attend_saved)


def multi_head_backward(dout, saved, g):
    """dout (B, T, C) -> dx (B, T, C), dsource (B, S, C)

    Splitting and merging heads only move numbers, so each is the other's backward.
    The source is used twice, for keys and for values, so its two gradients add up.
    Keys and values from a cache are constants and get no gradient.
    """
    q_saved, k_saved, v_saved, attend_saved = saved
    heads = g.run.config.num_attention_heads
    g.tap("context", dout)
    dq, dk, dv = in_groups_backward(
        g.run.attend_backward or attend_backward, split_heads(dout, heads),
        attend_saved, g)                                           # (B, N, T, D)
    dq = merge_heads(dq)                                           # (B, T, C)
    g.tap("query", dq)
    dx = dense_backward(dq, q_saved, g.at("query"))
    if k_saved is None:
        return dx, None
    new = k_saved[0].shape[-2]                                     # S minus the past
    dk, dv = merge_heads(dk[..., -new:, :]), merge_heads(dv[..., -new:, :])
    g.tap("key", dk)
    g.tap("value", dv)
    dsource = dense_backward(dk, k_saved, g.at("key"))
    return dx, dsource + dense_backward(dv, v_saved, g.at("value"))


def add_norm(p, x, residual):
    """The end of both halves of a layer: LayerNorm(dropout(dense(x)) + residual).

    x (..., I), residual (..., C) -> out (..., C)        HF: BertSelfOutput, BertOutput
    """
    h, dense_saved = dense(p.at("dense"), x)                       # (..., C)
    p.tap("dense", h)
    h, drop_saved = dropout(p, h, p.run.config.hidden_dropout_prob)
    h = h + residual                                               # (..., C)
    p.tap("sum", h)
    out, norm_saved = norm(p.at("LayerNorm"), h)                   # (..., C)
    p.tap("out", out)
    return out, p.saved(dense_saved, drop_saved, norm_saved)


def add_norm_backward(dout, saved, g):
    """dout (..., C) -> dx (..., I), dresidual (..., C)

    LayerNorm's backward gives the gradient of the sum h + residual.  A sum passes its
    whole gradient to each of its terms.  This is the residual's gradient.  For x
    it also passes back through dropout and dense.
    """
    dense_saved, drop_saved, norm_saved = saved
    g.tap("out", dout)
    dsum = norm_backward(dout, norm_saved, g.at("LayerNorm"))      # (..., C)
    g.tap("sum", dsum)
    dh = dropout_backward(dsum, drop_saved, g)                     # (..., C)
    g.tap("dense", dh)
    return dense_backward(dh, dense_saved, g.at("dense")), dsum


def attention(p, x, mask, source=None, past=None):
    """The attention half of a layer: over x itself, or over a source.

    x (B, T, C), source (B, S, C) -> out (B, T, C)                HF: BertAttention
    """
    source = x if source is None else source
    context, heads_saved = multi_head(p.at("self"), x, source, mask, past)
    out, out_saved = add_norm(p.at("output"), context, x)          # (B, T, C)
    return out, p.saved(heads_saved, out_saved, source is x)


def attention_backward(dout, saved, g):
    """dout (B, T, C) -> dx (B, T, C), dsource (B, S, C) or None

    x reaches the output three ways: as the residual, as queries and, in self-attention,
    as keys and values.  The gradients of a value that is used several times add up.
    """
    heads_saved, out_saved, is_self = saved
    dcontext, dx = add_norm_backward(dout, out_saved, g.at("output"))
    dquery, dsource = multi_head_backward(dcontext, heads_saved, g.at("self"))
    dx = dx + dquery
    return (dx + dsource, None) if is_self else (dx, dsource)
