"""What learners answer in notebook 02."""

import numpy as np


def layer_norm(x, w, b, eps=1e-12):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(
        x.var(-1, keepdims=True) + eps) * w + b


def embedded_by_loops(ids, types, word, position, kind, w, b):
    out = np.zeros((*ids.shape, word.shape[1]), word.dtype)
    for i, row in enumerate(ids):
        for t, token in enumerate(row):
            out[i, t] = layer_norm(kind[types[i, t]] + position[t] + word[token], w, b)
    return out


def embedded_by_products(ids, types, word, position, kind, w, b):
    word, position, kind, w, b = (np.float32(x) for x in (word, position, kind, w, b))
    hot = np.eye(len(word), dtype=np.float32)[ids]
    which = np.eye(len(kind), dtype=np.float32)[types]
    return layer_norm(hot @ word + which @ kind + position[None, :ids.shape[1]], w, b)


def pooled_by_loop(hidden, mask):
    return np.stack([x[m == 1].mean(0) for x, m in zip(hidden, mask)])


def pooled_by_product(hidden, mask):
    weights = mask / mask.sum(1, keepdims=True)
    return np.einsum("bt,btc->bc", weights, hidden)


def scattered(dout, ids, V):
    hot = np.eye(V, dtype=dout.dtype)[ids.reshape(-1)]
    return hot.T @ dout.reshape(-1, dout.shape[-1])


def scattered_by_loop(dout, ids, V):
    dtable = np.zeros((V, dout.shape[2]), np.float32)
    for i in range(ids.shape[0]):
        for t in range(ids.shape[1]):
            dtable[ids[i, t]] += dout[i, t].astype(np.float32)
    return dtable


def assigned(dout, ids, V):
    dtable = np.zeros((V, dout.shape[-1]))
    dtable[ids] = dout
    return dtable


def averaged(dout, ids, V):
    return np.stack([dout[ids == v].mean(0) if (ids == v).any() else 0 * dout[0, 0]
                     for v in range(V)])


ANSWERS = {
    "02.1": {
        "right": [embedded_by_loops, embedded_by_products],
        "wrong": [(lambda ids, types, word, position, kind, w, b: layer_norm(
                      word[ids] + position[np.arange(ids.shape[1])], w, b), "A1"),
                  (lambda ids, types, word, position, kind, w, b:
                   word[ids] + position[np.arange(ids.shape[1])] + kind[types], "A7"),
                  (lambda ids, types, word, position, kind, w, b: layer_norm(
                      word[ids] * 6 ** 0.5 + position[:5] + kind[types], w, b), "A9"),
                  (lambda ids, types, word, position, kind, w, b: layer_norm(
                      word[ids] + position[1:6] + kind[types], w, b), "A3"),
                  (lambda ids, types, word, position, kind, w, b: layer_norm(
                      word[ids] + position[:5] + kind[types], w, b, 1e-5), "C3"),
                  (lambda ids, types, word, position, kind, w, b: layer_norm(
                      word[ids] + position + kind[types], w, b),
                   "your function raised ValueError")]},
    "02.2": {
        "right": [pooled_by_loop, pooled_by_product, lambda hidden, mask: np.average(
            hidden, axis=1, weights=np.broadcast_to(mask[..., None], hidden.shape))],
        "wrong": [(lambda hidden, mask: np.mean(hidden, axis=1),
                   "Padding is in the mean"),
                  (lambda hidden, mask: np.mean(hidden * mask[:, :, None], axis=1),
                   "divided by all T places"),
                  (lambda hidden, mask: np.einsum("bt,btc->bc", mask, hidden),
                   "not their mean"),
                  (lambda hidden, mask: hidden[:, 0, :], "`[CLS]`"),
                  (lambda hidden, mask: hidden * mask,
                   "your function raised ValueError"),
                  (lambda hidden, mask: hidden.mean((0, 1)), "its shape is (4,)")]},
    "02.3": {
        "right": [6, np.array(6), len({"tom", "loves", "anna", ".", "[CLS]", "[SEP]"})],
        "wrong": [(11, "These are the places"), (4, "have rows too"), (3, "full stop"),
                  (1600, "nobody looked up"), (5, "One is missing")]},
    "02.4": {
        "right": [scattered, scattered_by_loop],
        "wrong": [(assigned, "keeps only its last"), (averaged, "the mean of its"),
                  (lambda dout, ids, V: scattered(dout[:1], ids[:1], V),
                   "Only the first text"),
                  (lambda dout, ids, V: dout.sum((0, 1)), "its shape is (3,)"),
                  (lambda dout, ids, V: scattered(dout, ids, V)[:4], "its shape is")]},
}
