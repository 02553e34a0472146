"""What learners answer in notebook 11."""

import numpy as np


def nucleus_by_loop(probs, p):
    keep, total = [False] * len(probs), 0.0
    for i in sorted(range(len(probs)), key=lambda i: -probs[i]):
        if total >= p:
            break
        keep[i], total = True, total + probs[i]
    return keep


def nucleus_in_float32(probs, p):
    return np.array(nucleus_by_loop(probs.astype(np.float32), p))


def strict_nucleus(probs, p):
    order = np.argsort(probs)[::-1]
    keep = np.zeros(probs.shape, bool)
    keep[order[np.cumsum(probs[order]) <= p]] = True
    return keep


def sorted_nucleus(probs, p):
    ordered = np.sort(probs)[::-1]
    return np.cumsum(ordered) - ordered < p


def by_product(logits, ids, prompt):
    p = 1.0
    for t in range(prompt, len(ids)):
        row = np.exp(logits[t - 1])
        p *= row[ids[t]] / row.sum()
    return np.log(p)


def log_p_in_float32(logits, ids, prompt):
    logits = logits.astype(np.float32)
    logp = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    return logp[prompt - 1:-1][np.arange(len(ids) - prompt), ids[prompt:]].sum()


def unshifted(logits, ids, prompt):
    logp = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    return sum(logp[t, ids[t]] for t in range(prompt, len(ids)))


def whole_text(logits, ids, prompt):
    return by_product(logits, ids, 1)


def attend(q, keys, values, scale=None):
    scale = scale or len(q[0])
    scores = np.array([key @ q[0] for key in keys]) * scale ** -0.5
    weights = np.exp(scores)
    return (weights[:, None] * values).sum(0, keepdims=True) / weights.sum()


def new_one_first(q, k, v, keys, values):
    return attend(q, np.vstack([k, keys]), np.vstack([v, values]))


def step_in_float32(q, k, v, keys, values):
    return new_one_first(*(x.astype(np.float32) for x in (q, k, v, keys, values)))


def masked_as_the_first(q, k, v, keys, values):
    return attend(q, np.vstack([keys, k])[:1], np.vstack([values, v])[:1])


def shifted_by_roll(labels, start, pad):
    moved = np.roll(labels, 1, axis=1)
    moved[:, 0] = start
    moved[moved == -100] = pad
    return moved


def shifted_in_lists(labels, start, pad):
    return [[start] + [pad if x < 0 else int(x) for x in row[:-1]] for row in labels]


def still_ignored(labels, start, pad):
    moved = np.roll(labels, 1, axis=1)
    moved[:, 0] = start
    return moved


def overwritten(labels, start, pad):
    kept = np.where(labels < 0, pad, labels)
    kept[:, 0] = start
    return kept


ANSWERS = {
    "11.1": {
        "right": [nucleus_by_loop, nucleus_in_float32],
        "wrong": [(strict_nucleus, "that crosses p is left out"),
                  (sorted_nucleus, "back to the place"),
                  (lambda probs, p: ~np.array(nucleus_by_loop(probs, p)), "turn it"),
                  (lambda probs, p: probs > p, "It is their sum"),
                  (lambda probs, p: np.flatnonzero(nucleus_by_loop(probs, p)),
                   "expected")]},
    "11.2": {
        "right": [by_product, log_p_in_float32],
        "wrong": [(unshifted, "a guess about"), (whole_text, "prompt counts too"),
                  (lambda logits, ids, prompt: by_product(logits, ids, prompt + 1),
                   "first new token"),
                  (lambda *given: -by_product(*given), "sign"),
                  (lambda *x: by_product(*x) / len(x[1]), "length of the whole text"),
                  (lambda *x: np.exp(by_product(*x)), "It is the probability")]},
    "11.3": {
        "right": [new_one_first, step_in_float32],
        "wrong": [(lambda q, k, v, keys, values: attend(q, keys, values), "itself"),
                  (masked_as_the_first, "B18"),
                  (lambda q, k, v, keys, values: attend(q, k, v), "only itself"),
                  (lambda q, k, v, keys, values: attend(
                      q, np.vstack([k, keys]), np.vstack([values, v])), "of another"),
                  (lambda q, k, v, keys, values: attend(
                      q, np.vstack([keys, k]), np.vstack([values, v]), 1), "root")]},
    "11.4": {
        "right": [shifted_by_roll, shifted_in_lists],
        "wrong": [(still_ignored, "-100"), (overwritten, "overwritten"),
                  (lambda labels, start, pad: np.where(labels < 0, pad, labels),
                   "the very token"),
                  (lambda labels, start, pad: shifted_by_roll(labels, start, start),
                   "where padding belongs"),
                  (lambda labels, start, pad: np.roll(labels, 1, 1), "so is padding"),
                  (lambda labels, start, pad: np.roll(
                      np.where(labels < 0, pad, labels), 1, axis=1), "to the front"),
                  (lambda labels, start, pad: np.where(
                      labels < 0, pad, shifted_by_roll(labels, start, pad)),
                   "too early")]},
}
