"""The calculus of BERT: every leaf operation, with its backward right under it.

Each is a pure pair.  `f` returns `(out, saved)`, and `f_backward(dout, saved)` returns
the gradients of f's array arguments, in their order.  Nothing is stored elsewhere, no
input is changed, and out has the dtype of x.

Dimensions, here and in the whole package:
    B batch             T query positions     S key positions    C hidden size
    N heads             D head size, C = N D  F intermediate     V vocabulary
    K classes           L layers              `...` any leading dimensions
"""

import math

import numpy as np

from .erf import normal_cdf


def rows(x):
    """x (..., C) -> out (R, C): one row per position, ready for a matrix product."""
    return x.reshape(-1, x.shape[-1])


# ---------------------------------------------------------------- linear and lookup

def linear(x, w, b=None):
    """Each output is a weighted sum of the inputs, plus a bias.

    x (..., I), w (O, I), b (O,) -> out (..., O)
    """
    out = rows(x) @ w.T                                    # (R, O)
    if b is not None:
        out += b                                           # in place: saves a copy
    return out.reshape(*x.shape[:-1], w.shape[0]), (x, w, b is not None)


def linear_backward(dout, saved):
    """dout (..., O) -> dx (..., I), dw (O, I), db (O,)

    At position r, out_ro = sum_i x_ri w_oi + b_o.  So dx_ri = sum_o dout_ro w_oi, or
    dx = dout w.  All positions share w and b, so their gradients add up over r:
    dw_oi = sum_r dout_ro x_ri, or dw = dout^T x, and db_o = sum_r dout_ro.
    """
    x, w, has_bias = saved
    dy = rows(dout)                                        # (R, O)
    dx = (dy @ w).reshape(x.shape)                         # (..., I)
    return dx, dy.T @ rows(x), dy.sum(0) if has_bias else None


def embedding(ids, table):
    """Look up one row of the table for each id.

    ids (...), table (V, C) -> out (..., C)
    """
    return table[ids], (ids, table.shape)


def embedding_backward(dout, saved):
    """dout (..., C) -> dtable (V, C)

    A look-up copies a row of the table.  If a row was copied to several places, its
    gradient is the sum of theirs.  So row v of dtable is the sum of dout over the
    places where id v was looked up: the places are sorted by id, and each run of equal
    ids is summed.
    """
    ids, shape = saved
    dtable = np.zeros(shape, dout.dtype)                   # (V, C)
    if ids.size:
        order = np.argsort(ids, axis=None, kind="stable")  # (R,)
        ordered = ids.reshape(-1)[order]                   # (R,)
        first = np.flatnonzero(np.diff(ordered, prepend=-1))
        dtable[ordered[first]] = np.add.reduceat(rows(dout)[order], first)
    return dtable


def word_embedding(ids, table, padding_idx=None):
    """Look up words: an embedding that does not learn from looking up [PAD].

    ids (...), table (V, C) -> out (..., C)
    """
    out, saved = embedding(ids, table)
    return out, (saved, padding_idx)


def word_embedding_backward(dout, saved):
    """dout (..., C) -> dtable (V, C)

    A look-up's gradient, see embedding_backward, without that of [PAD].
    """
    saved, padding_idx = saved
    dtable = embedding_backward(dout, saved)               # (V, C)
    # HF: padding_idx stops the gradient of looking up [PAD], but only that one.  A
    # tied MLM decoder still adds to the same row.
    if padding_idx is not None:
        dtable[padding_idx] = 0
    return dtable


def first_token(x):
    """The state of the first token, which in BERT is [CLS].

    x (B, T, C) -> out (B, C)
    """
    return x[:, 0], x.shape


def first_token_backward(dout, saved):
    """dout (B, C) -> dx (B, T, C): dout at the first token, 0 at the others.

    out does not depend on the other tokens.
    """
    dx = np.zeros(saved, dout.dtype)                       # (B, T, C)
    dx[:, 0] = dout
    return dx


# ------------------------------------------------------------------- normalisation

def layer_norm(x, w, b, eps):
    """Give each position mean 0 and variance 1, then scale by w and shift by b.

    x (..., C), w (C,), b (C,) -> out (..., C)             Ba et al. 2016, eq. 4
    """
    centred = x - x.mean(-1, keepdims=True)                # (..., C)
    # vecdot and the two steps in place save half of the memory, and half of the time.
    var = np.vecdot(centred, centred)[..., None] / x.shape[-1]  # over C, not C - 1
    rstd = 1 / np.sqrt(var + eps)                          # (..., 1)  eps in the root
    norm = centred
    norm *= rstd                                           # (..., C)
    out = norm * w
    out += b                                               # (..., C)
    return out, (norm, rstd, w)


def layer_norm_backward(dout, saved):
    """dout (..., C) -> dx (..., C), dw (C,), db (C,)

    From out = norm w + b: dnorm = dout w, dw sums dout norm over rows and db sums dout.
    Shifting a position leaves `norm` unchanged and so, up to eps, does stretching it.
    Hence dx has no part along (1, ..., 1) and, up to eps, none along `norm`: the two
    means remove them.  A small step at right angles to both moves `norm` by rstd times
    that step.
    """
    norm, rstd, w = saved
    dnorm = dout * w                                       # (..., C)
    shift = dnorm.mean(-1, keepdims=True)                  # (..., 1)
    stretch = (dnorm * norm).mean(-1, keepdims=True)       # (..., 1)
    dx = rstd * (dnorm - shift - norm * stretch)           # (..., C)
    return dx, rows(dout * norm).sum(0), rows(dout).sum(0)


def dropout(x, rate, rng):
    """Zero each entry with probability `rate`, scale the others by 1 / (1 - rate).

    x (...) -> out (...)                                   Srivastava et al. 2014
    Without a generator (rng is None) x is returned as it is: that is evaluation.
    HF: the rate 1 zeroes everything.
    """
    saved = drawn(x.shape, rate, rng, x.dtype)
    if saved is None:
        return x, None
    kept, scale = saved
    out = x * kept                                         # (...)
    out *= scale                                           # in place: no copy
    return out, saved


def dropout_backward(dout, saved):
    """dout (...) -> dx (...): the same entries are zeroed, the others scaled.

    out = x kept scale, in which kept and scale are constants.  So dx = dout kept scale.
    """
    if saved is None:
        return dout
    kept, scale = saved
    dx = dout * kept                                       # (...)
    dx *= scale
    return dx


def drawn(shape, rate, rng, dtype):
    """Draw what dropout multiplies by: which entries it keeps, and their scale.

    -> kept, of this shape, boolean; scale, a number of this dtype; None in evaluation
    """
    if rng is None or rate == 0:
        return None
    scale = dtype.type(1 / (1 - rate) if rate < 1 else 0)
    return keep_mask(shape, rate, rng), scale


def keep_mask(shape, rate, rng):
    """Draw which entries dropout keeps, each with probability 1 - rate.

    -> out, of this shape, boolean
    Sixteen random bits decide about an entry: four times as fast as a random float.
    So the rate is rounded to a multiple of 1/65536.
    """
    size = math.prod(shape)
    bits = rng.integers(2**64, size=-(-size // 4), dtype=np.uint64).view(np.uint16)
    return (bits[:size] >= round(rate * 2**16)).reshape(shape)


# ----------------------------------------------------------------------- attention

def attention_scores(q, k):
    """How well each query matches each key: their dot product divided by sqrt(D).

    q (..., T, D), k (..., S, D) -> out (..., T, S)        Vaswani et al. 2017, eq. 1
    """
    q = q * (1 / math.sqrt(q.shape[-1]))                   # (..., T, D)
    return q @ k.swapaxes(-1, -2), (q, k)


def attention_scores_backward(dout, saved):
    """dout (..., T, S) -> dq (..., T, D), dk (..., S, D)

    From out_ts = q_t . k_s / sqrt(D): dq_t is the sum of dout_ts k_s over s, dk_s the
    sum of dout_ts q_t over t, and both are divided by sqrt(D).
    """
    q, k = saved                                           # q is scaled already
    dq = (dout @ k) * (1 / math.sqrt(q.shape[-1]))         # (..., T, D)
    return dq, dout.swapaxes(-1, -2) @ q


def mask_scores(scores, mask):
    """Give the keys that a query may not attend to the lowest score there is.

    scores (..., T, S) -> out (..., T, S)
    mask: boolean, broadcastable to the scores; True = may attend.  None hides nothing.
    The softmax turns these scores into exact zeros.
    HF: the lowest number of the dtype, not -inf.  So a row that may attend to no key is
    uniform over all keys, as in eager attention, not nan.
    """
    if mask is None:
        return scores, None
    return np.where(mask, scores, np.finfo(scores.dtype).min), None


def mask_scores_backward(dout, saved):
    """dout (..., T, S) -> dscores (..., T, S): dout itself.

    The softmax passes no gradient to a hidden key, so there is nothing to remove.
    HF: in a fully masked row the softmax does pass a gradient.  It is kept, as if the
    mask had been added to the scores.
    """
    return dout


def softmax(scores):
    """Turn each row of scores into probabilities.

    scores (..., T, S) -> out (..., T, S)
    """
    exps = scores - scores.max(-1, keepdims=True)          # (..., T, S)  at most 0
    # The other steps are in place: one array (..., T, S) instead of three.
    np.exp(exps, out=exps)
    exps /= exps.sum(-1, keepdims=True)
    return exps, exps


def softmax_backward(dout, saved):
    """dout (..., T, S) -> dscores (..., T, S)

    From p_i = exp s_i / sum_k exp s_k: d p_i / d s_j = p_i (1[i = j] - p_j).
    Multiplied by dout_i and summed over i: ds_j = p_j (dout_j - sum_i p_i dout_i).
    So a hidden key, whose p_j is 0, gets no gradient.
    """
    probs = saved
    mean = np.vecdot(dout, probs)[..., None]               # (..., T, 1), without a copy
    return probs * (dout - mean)


def weighted_sum(probs, v):
    """Mix the values by the attention probabilities.

    probs (..., T, S), v (..., S, D) -> out (..., T, D)
    """
    return probs @ v, (probs, v)


def weighted_sum_backward(dout, saved):
    """dout (..., T, D) -> dprobs (..., T, S), dv (..., S, D)

    From out_t = sum_s p_ts v_s: dp_ts = dout_t . v_s, and dv_s is the sum over t of
    p_ts dout_t.
    """
    probs, v = saved
    return dout @ v.swapaxes(-1, -2), probs.swapaxes(-1, -2) @ dout


# --------------------------------------------------------------------- activations

def gelu(x):
    """x Phi(x): x times the probability that a standard normal variable is below x.

    x (...) -> out (...)                   Hendrycks & Gimpel 2016
    """
    cdf = normal_cdf(x)                                    # (...)  Phi(x)
    return x * cdf, (x, cdf)


def gelu_backward(dout, saved):
    """dout (...) -> dx (...): d (x Phi(x)) = Phi(x) + x phi(x)

    The product rule; Phi' is the normal density phi(x) = exp(-x^2 / 2) / sqrt(2 pi).
    """
    x, cdf = saved
    pdf = np.exp(-0.5 * x * x) * (1 / math.sqrt(2 * math.pi))
    return dout * (cdf + x * pdf)


GELU_TANH_SCALE, GELU_TANH_CUBE = math.sqrt(2 / math.pi), 0.044715


def gelu_tanh(x, scale=GELU_TANH_SCALE):
    """GELU with Phi(x) approximated by a tanh, as google-research/bert computes it.

    x (...) -> out (...)                   Hendrycks & Gimpel 2016, section 2
    """
    t = np.tanh(scale * (x + GELU_TANH_CUBE * x * x * x))
    return 0.5 * x * (1 + t), (x, t, scale)


def gelu_tanh_backward(dout, saved):
    """dout (...) -> dx (...): the product rule, with tanh' = 1 - tanh^2

    From out = x (1 + t) / 2, t = tanh(u) and u = c (x + a x^3): u' = c (1 + 3 a x^2),
    and out' = (1 + t) / 2 + x (1 - t^2) u' / 2.
    """
    x, t, scale = saved
    du = scale * (1 + 3 * GELU_TANH_CUBE * x * x)
    return dout * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * du)


def relu(x):
    """x where it is positive, else 0.   x (...) -> out (...)"""
    return np.maximum(x, 0), x > 0


def relu_backward(dout, saved):
    """dout (...) -> dx (...): dout where x was positive, else 0.

    The slope of max(x, 0) is 1 above 0 and 0 below; at the corner, 0 is taken.
    """
    return dout * saved


def sigmoid(x):
    """1 / (1 + exp(-x)), never overflowing.   x (...) -> out (...)"""
    e = np.exp(-np.abs(x))                                 # (...)  in (0, 1]
    out = np.where(x >= 0, 1, e) / (1 + e)                  # (...)
    return out, out


def sigmoid_backward(dout, saved):
    """dout (...) -> dx (...): sigmoid' = s (1 - s)

    From s = 1 / (1 + e), e = exp(-x) and e' = -e: s' = e / (1 + e)^2.  That is
    s (1 - s), since 1 / (1 + e) = s and e / (1 + e) = 1 - s.
    """
    return dout * saved * (1 - saved)


def silu(x):
    """x sigmoid(x), also called swish.   x (...) -> out (...)"""
    s, _ = sigmoid(x)
    return x * s, (x, s)


def silu_backward(dout, saved):
    """dout (...) -> dx (...): s + x s (1 - s)

    The product rule applied to x s, with s' = s (1 - s).
    """
    x, s = saved
    return dout * (s + x * s * (1 - s))


def tanh(x):
    """Hyperbolic tangent.   x (...) -> out (...)"""
    out = np.tanh(x)
    return out, out


def tanh_backward(dout, saved):
    """dout (...) -> dx (...): tanh' = 1 - tanh^2

    The quotient rule applied to sinh / cosh, with sinh' = cosh and cosh' = sinh, gives
    (cosh^2 - sinh^2) / cosh^2.
    """
    return dout * (1 - saved * saved)
