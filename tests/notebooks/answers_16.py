"""What learners answer in notebook 16."""

import numpy as np


def looks_by_loop(probs, offset):
    tokens = range(probs.shape[-1])
    return [np.mean([head[t, t + offset] for t in tokens if t + offset in tokens])
            for head in probs]


def looks_by_mask(probs, offset):
    mask = np.eye(probs.shape[-1], k=offset)
    return (probs * mask).sum((-1, -2)) / mask.sum()


def copies_by_loop(probs, ids):
    out = []
    for head in probs:
        found = []
        for t, word in enumerate(ids):
            others = [s for s, x in enumerate(ids) if x == word and s != t]
            if others:
                found.append(sum(head[t, s] for s in others))
        out.append(sum(found) / len(found))
    return np.array(out)


def with_itself(probs, ids):
    copies = ids[:, None] == ids
    return (probs * copies).sum(-1)[:, copies.sum(-1) > 1].mean(-1)


def over_all(probs, ids):
    copies = (ids[:, None] == ids) * (1 - np.eye(len(ids)))
    return (probs * copies).sum(-1).mean(-1)


def per_copy(probs, ids):
    copies = (ids[:, None] == ids) * (1 - np.eye(len(ids)))
    has = copies.sum(-1) > 0
    return ((probs * copies).sum(-1)[:, has] / copies.sum(-1)[has]).mean(-1)


def ridge_by_more_rows(X, Y, strength):
    size = X.shape[1]
    X = np.concatenate([X, np.sqrt(strength) * np.eye(size)])
    Y = np.concatenate([Y, np.zeros((size, Y.shape[1]))])
    return np.linalg.lstsq(X, Y, rcond=None)[0]


def ridge_by_inverse(X, Y, strength):
    return np.linalg.inv(X.T @ X + np.diag([strength] * X.shape[1])) @ X.T @ Y


def nearest_by_sort(table, i, n):
    def cosine(j):
        return table[i] @ table[j] / np.linalg.norm(table[i]) / np.linalg.norm(table[j])
    return sorted((j for j in range(len(table)) if j != i), key=cosine)[::-1][:n]


def nearest_of_all(table, i, n):
    unit = table / np.sqrt((table ** 2).sum(1))[:, None]
    return (unit @ unit.T)[i].argsort()[::-1][1:n + 1]


def nearest_with_itself(table, i, n):
    unit = table / np.sqrt((table ** 2).sum(1))[:, None]
    return (unit @ unit[i]).argsort()[::-1][:n]


def nearest_by_dot(table, i, n):
    order = (table @ table[i]).argsort()[::-1]
    return [j for j in order if j != i][:n]


def nearest_by_distance(table, i, n):
    return ((table - table[i]) ** 2).sum(1).argsort()[1:n + 1]


def gradient_of_log(logits, k):
    p = np.exp(logits) / np.exp(logits).sum()
    out = -p
    out[k] += 1
    return out


def gradient_by_loop(logits, k):
    total = sum(np.exp(x) for x in logits)
    return [(j == k) - np.exp(x) / total for j, x in enumerate(logits)]


def gradient_of_probability(logits, k):
    p = np.exp(logits) / np.exp(logits).sum()
    return p[k] * gradient_of_log(logits, k)


ANSWERS = {
    "16.1": {
        "right": [looks_by_loop, looks_by_mask],
        "wrong": [(lambda probs, offset: looks_by_mask(probs, -offset), "other way"),
                  (lambda probs, offset: (probs * np.eye(9, k=offset)).sum((1, 2)),
                   "added up"),
                  (lambda probs, offset: (probs * np.eye(9, k=offset)).sum(-1).mean(-1),
                   "all tokens"),
                  (lambda probs, offset: np.mean(looks_by_loop(probs, offset)),
                   "each head")]},
    "16.2": {
        "right": [copies_by_loop, lambda probs, ids: copies_by_loop(
            probs.astype("f4"), ids)],
        "wrong": [(with_itself, "on itself"), (over_all, "over all tokens"),
                  (per_copy, "averaged"),
                  (lambda probs, ids: with_itself(probs, ids).mean(), "its shape")]},
    "16.3": {
        "right": [ridge_by_more_rows, ridge_by_inverse],
        "wrong": [(lambda X, Y, strength: np.linalg.lstsq(X, Y, rcond=None)[0],
                   "left out"),
                  (lambda X, Y, strength: np.linalg.inv(X.T @ X + strength) @ X.T @ Y,
                   "every entry"),
                  (lambda X, Y, strength: ridge_by_inverse(X, Y, strength * strength),
                   "squared"),
                  (lambda X, Y, strength: X @ ridge_by_inverse(X, Y, strength),
                   "predictions"),
                  (lambda X, Y, strength: np.linalg.solve(X + strength, Y),
                   "raised LinAlgError")]},
    "16.4": {
        "right": [nearest_by_sort, nearest_of_all],
        "wrong": [(nearest_with_itself, "itself comes first"),
                  (nearest_by_dot, "long vectors win"),
                  (lambda table, i, n: sorted(
                      range(len(table)), key=lambda j: -np.dot(table[j], table[i]))[
                          1:n + 1], "as if it were always i"),
                  (nearest_by_distance, "Distances"),
                  (lambda table, i, n: nearest_of_all(table, i, n)[::-1],
                   "wrong order")]},
    "16.5": {
        "right": [gradient_of_log, gradient_by_loop],
        "wrong": [(lambda logits, k: -gradient_of_log(logits, k), "sign round"),
                  (lambda logits, k: np.eye(8)[k], "compete"),
                  (gradient_of_probability, "Its logarithm"),
                  (lambda logits, k: -np.exp(logits) / np.exp(logits).sum(),
                   "is missing")]},
}
