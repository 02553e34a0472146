"""What learners answer in notebook 08."""

import numpy as np

# ------------------------------------------------------------------------- linear


def linear_by_einsum(dout, x, w):
    return (np.einsum("bto,oi->bti", dout, w), np.einsum("bto,bti->oi", dout, x),
            np.einsum("bto->o", dout))


def linear_by_loops(dout, x, w):
    dx, dw, db = np.zeros_like(x), np.zeros_like(w), np.zeros(len(w))
    for place in np.ndindex(x.shape[:-1]):
        for o in range(len(w)):
            dx[place] += dout[place][o] * w[o]
            dw[o] += dout[place][o] * x[place]
            db[o] += dout[place][o]
    return dx, dw, db


def linear_means(dout, x, w):
    flat, rows = dout.reshape(-1, 5), x.reshape(-1, 4)
    return dout @ w, flat.T @ rows / len(rows), flat.mean(0)


def linear_first_text(dout, x, w):
    return dout @ w, dout[0].T @ x[0], dout.sum((0, 1))


def linear_bias_of_ones(dout, x, w):
    return *linear_by_einsum(dout, x, w)[:2], np.full(5, 6.0)


# ------------------------------------------------------------------ cross-entropy

def probabilities(z):
    e = np.exp(z)
    return e / e.sum(1)[:, None]


def cross_entropy_by_loops(logits, labels):
    dlogits = np.zeros_like(logits)
    number = sum(label != -100 for label in labels)
    for r, label in enumerate(labels):
        if label != -100:
            p = np.exp(logits[r]) / np.exp(logits[r]).sum()
            for k in range(logits.shape[1]):
                dlogits[r, k] = (p[k] - (1 if k == label else 0)) / number
    return dlogits


def cross_entropy_by_eye(logits, labels):
    keep = labels >= 0
    target = np.eye(logits.shape[1])[np.where(keep, labels, 0)]
    return np.where(keep[:, None], probabilities(logits) - target, 0) / keep.sum()


def everything_counts(logits, labels):
    return (probabilities(logits)
            - (labels[:, None] == np.arange(logits.shape[1]))) / len(labels)


# ---------------------------------------------------------------------- LayerNorm

def layer_norm_step_by_step(dout, norm, rstd, w):
    size = norm.shape[-1]
    centred = norm / rstd
    dnorm = dout * w
    drstd = (dnorm * centred).sum(-1, keepdims=True)
    dvar = -0.5 * rstd ** 3 * drstd
    dcentred = dnorm * rstd + 2 / size * centred * dvar
    dx = dcentred - dcentred.mean(-1, keepdims=True)
    return dx, (dout * norm).sum((0, 1)), dout.sum((0, 1))


def layer_norm_by_jacobian(dout, norm, rstd, w):
    size = norm.shape[-1]
    dx = np.empty_like(dout)
    for place in np.ndindex(dout.shape[:-1]):
        n = norm[place]
        jacobian = np.eye(size) - 1 / size - np.outer(n, n) / size
        dx[place] = rstd[place] * (dout[place] * w) @ jacobian
    return dx, np.einsum("btc,btc->c", dout, norm), np.einsum("btc->c", dout)


def layer_norm_as_constants(dout, norm, rstd, w):
    return dout * w * rstd, (dout * norm).sum((0, 1)), dout.sum((0, 1))


def layer_norm_without_mean(dout, norm, rstd, w):
    centred, dnorm = norm / rstd, dout * w
    dvar = -0.5 * rstd ** 3 * (dnorm * centred).sum(-1, keepdims=True)
    dx = dnorm * rstd + 2 * centred * dvar / norm.shape[-1]
    return dx, (dout * norm).sum((0, 1)), dout.sum((0, 1))


def layer_norm_with(gather=np.sum, power=3, back=np.mean):
    """The steps, with one of three reductions or the power taken from elsewhere."""
    def answer(dout, norm, rstd, w):
        centred, g = norm / rstd, dout * w
        grown = gather(g * centred, -1, keepdims=True) * -0.5 * rstd ** power
        g = g * rstd + grown * centred * 2 / norm.shape[-1]
        g = g - back(g, -1, keepdims=True)
        return g, (dout * norm).sum((0, 1)), dout.sum((0, 1))
    return answer


def layer_norm_two_mistakes(dout, norm, rstd, w):
    dx, dw, db = layer_norm_step_by_step(dout, norm, rstd, np.ones_like(w))
    return dx, db, db


# ---------------------------------------------------------------------- attention

def attention_by_jacobian(dout, q, k, v, probs):
    dq, dk, dv = np.zeros_like(q), np.zeros_like(k), np.zeros_like(v)
    root = np.sqrt(q.shape[-1])
    for b, n, t in np.ndindex(q.shape[:-1]):
        p, here = probs[b, n, t], (b, n)
        dscores = (v[here] @ dout[b, n, t]) @ (np.diag(p) - np.outer(p, p))
        dq[b, n, t] = dscores @ k[here] / root
        dk[here] += np.outer(dscores, q[b, n, t]) / root
        dv[here] += np.outer(p, dout[b, n, t])
    return dq, dk, dv


def attention(dout, q, k, v, probs, square=True, scale=True):
    dv = np.einsum("...ts,...td->...sd", probs, dout)
    dp = np.einsum("...td,...sd->...ts", dout, v)
    ds = probs * dp
    if square:
        ds -= probs * ds.sum(-1)[..., None]
    if scale:
        ds /= q.shape[-1] ** 0.5
    return ds @ k, np.moveaxis(ds, -1, -2) @ q, dv


def attention_by_row(bracket):
    """bracket(probs, dprobs) -> dscores, before the division"""
    def answer(dout, q, k, v, probs):
        dscores = bracket(probs, np.einsum("...td,...sd->...ts", dout, v)) / 2
        return (dscores @ k, np.einsum("...ts,...td->...sd", dscores, q),
                np.einsum("...ts,...td->...sd", probs, dout))
    return answer


def attention_in_float32(*inputs):
    return attention(*(x.astype("f4") for x in inputs))


# ----------------------------------------------------------------- the tied table

def table_by_add_at(ids, dx, h, dlogits):
    dtable = np.einsum("btv,btc->vc", dlogits, h)
    np.add.at(dtable, ids, dx)
    return dtable


def table_by_one_hot(ids, dx, h, dlogits):
    words = dlogits.shape[-1]
    hot = np.eye(words)[ids].reshape(-1, words)
    return hot.T @ dx.reshape(-1, 4) + dlogits.reshape(-1, words).T @ h.reshape(-1, 4)


def table_by_index(ids, dx, h, dlogits):
    dtable = np.einsum("btv,btc->vc", dlogits, h)
    dtable[ids] = dtable[ids] + dx
    return dtable


ANSWERS = {
    "08.1": {
        "right": [linear_by_einsum, linear_by_loops,
                  lambda *inputs: linear_by_einsum(*(x.astype("f4") for x in inputs))],
        "wrong": [(linear_means, "`dw` is a mean over positions"),
                  (linear_means, "`db` is a mean over positions"),
                  (linear_first_text, "knows only the first text"),
                  (linear_bias_of_ones, "counts positions"),
                  (lambda dout, x, w: (dout @ w, x.T @ dout, dout.sum(0)), "raised"),
                  (lambda dout, x, w: (*linear_by_einsum(dout, x, w)[:2], dout.sum(0)),
                   "part 3: its shape is (3, 5), expected (5,)"),
                  (lambda dout, x, w: dout @ w, "expected part 1, part 2, part 3")]},
    "08.2": {
        "right": [cross_entropy_by_loops, cross_entropy_by_eye],
        "wrong": [(everything_counts, "(E1)"),
                  (lambda z, c: (probabilities(z) - np.eye(4)[np.maximum(c, 0)]) / 6,
                   "class 0, and they are counted"),
                  (lambda z, c: cross_entropy_by_eye(z, c) * 4 / 6, "(E3)"),
                  (lambda z, c: everything_counts(z, c) * 6 / 4, "no part in the loss"),
                  (lambda z, c: cross_entropy_by_eye(z, c) * 4, "is their mean"),
                  (lambda z, c: -cross_entropy_by_eye(z, c), "this climbs"),
                  (lambda z, c: np.where(c[:, None] < 0, 0, probabilities(z)) / 4,
                   "missing at the label")]},
    "08.3": {
        "right": [layer_norm_step_by_step, layer_norm_by_jacobian],
        "wrong": [(layer_norm_as_constants, "(G11)"),
                  (layer_norm_without_mean, "through the mean of x"),
                  (layer_norm_with(gather=np.mean), "`drstd` is a mean"),
                  (layer_norm_with(gather=lambda x, *_, **__: x), "for each channel"),
                  (layer_norm_with(power=-3), "wrong power"),
                  (layer_norm_with(power=1), "another wrong power"),
                  (layer_norm_with(back=np.sum), "C times too large: its slope"),
                  (layer_norm_with(back=lambda x, *_, **__: x / 5),
                   "only the entry itself"),
                  (layer_norm_two_mistakes, "`dx` forgets the weight"),
                  (layer_norm_two_mistakes, "`dw` lacks the factor `norm`"),
                  (lambda d, n, r, w: (layer_norm_step_by_step(d, n, r, w)[0] / r,
                                       (d * n).sum((0, 1)), d.sum((0, 1))),
                   "lacks the factor `rstd`"),
                  (lambda d, n, r, w: (*layer_norm_step_by_step(d, n, r, w)[:2],
                                       d.mean((0, 1))), "`db` is a mean")]},
    "08.4": {
        "right": [attention_by_jacobian, attention, attention_in_float32,
                  attention_by_row(lambda p, d: p * (d - (p * d).sum(-1)[..., None]))],
        "wrong": [(lambda *a: attention(*a, square=False), "lowers the other"),
                  (lambda *a: attention(*a, scale=False), "`dq` lacks the division"),
                  (lambda *a: attention(*a, scale=False), "`dk` lacks the division"),
                  (attention_by_row(lambda p, d: p * d - (p * d).sum(-1)[..., None]),
                   "before the bracket"),
                  (attention_by_row(lambda p, d: p * (d - d.sum(-1)[..., None])),
                   "without weights"),
                  (attention_by_row(lambda p, d: 4 * p * (
                      d - (p * d).sum(-1)[..., None])), "multiplied by the root"),
                  (lambda *a: attention(*a, square=False, scale=False),
                   "lowers the other"),
                  (lambda d, q, k, v, p: (d @ v.swapaxes(-1, -2) @ k / 2,
                                          (d @ v.swapaxes(-1, -2)).swapaxes(-1, -2)
                                          @ q / 2, p.swapaxes(-1, -2) @ d), "(G12)"),
                  (lambda d, q, k, v, p: p @ d, "ValueError")]},
    "08.5": {
        "right": [table_by_add_at, table_by_one_hot],
        "wrong": [(table_by_index, "writes each row once"),
                  (lambda ids, dx, h, dlogits: np.einsum("btv,btc->vc", dlogits, h),
                   "(G8)"),
                  (lambda ids, dx, h, dlogits: table_by_add_at(ids, dx, h, 0 * dlogits),
                   "decoder's gradient is missing"),
                  (lambda ids, dx, h, dlogits: table_by_add_at(ids, h, dx, dlogits),
                   "are swapped")]},
}
