"""What learners answer in notebook 13."""

import numpy as np


def in_rounds(items, fails):
    changed = True
    while changed:
        changed = False
        i = 0
        while i < len(items):
            if fails(items[:i] + items[i + 1:]):
                items, changed = items[:i] + items[i + 1:], True
            else:
                i += 1
    return items


def from_the_end(items, fails):
    for i in reversed(range(len(items))):
        if fails(items[:i] + items[i + 1:]):
            return from_the_end(items[:i] + items[i + 1:], fails)
    return np.array(items)


def one_round(items, fails):
    kept = list(items)
    for item in items:
        without = [x for x in kept if x != item]
        if fails(without):
            kept = without
    return kept


def first_that_fails(items, fails):
    for i in range(len(items)):
        if fails(items[:i] + items[i + 1:]):
            return items[:i] + items[i + 1:]


def from_both_ends(items, fails):
    while fails(items[:-1]):
        items = items[:-1]
    while fails(items[1:]):
        items = items[1:]
    return items


def by_loop(tokenizers, a, b):
    out = []
    for tokenize in tokenizers:
        left, right = tokenize(" ".join((a, b))), tokenize(a)
        out.append(left == [*right, *tokenize(b)])
    return np.array(out)


def glued(tokenizers, a, b):
    return [t(a + b) == t(a) + t(b) for t in tokenizers]


def counted(tokenizers, a, b):
    return [len(t(a + " " + b)) == len(t(a)) + len(t(b)) for t in tokenizers]


def as_sets(tokenizers, a, b):
    return [set(t(a + " " + b)) == set(t(a)) | set(t(b)) for t in tokenizers]


def columns(*arrays):
    *arrays, pad = arrays
    return tuple(np.concatenate([x, np.zeros((len(x), pad), int)], 1) for x in arrays)


def seen_by_all(ids, types, mask, pad):
    ids, types, _ = columns(ids, types, mask, pad)
    return ids, types, np.ones_like(ids)


def mask_of_ones(ids, types, mask, pad):
    return (*columns(ids, types, pad), np.pad(mask, ((0, 0), (0, pad)),
                                              constant_values=1))


def on_the_left(ids, types, mask, pad):
    return tuple(np.pad(x, ((0, 0), (pad, 0))) for x in (ids, types, mask))


def more_rows(ids, types, mask, pad):
    return tuple(np.pad(x, ((0, pad), (0, 0))) for x in (ids, types, mask))


def by_vdot(f, f_backward, x, v, w, h):
    slope = f(x + h * v) / (2 * h) - f(x - h * v) / (2 * h)
    return np.vdot(w, slope), np.vdot(v, f_backward(w, x))


def in_float32(f, f_backward, x, v, w, h):
    x, v, w = (y.astype("f4") for y in (x, v, w))
    return by_vdot(f, f_backward, x, v, w, h)


def forward_only(f, f_backward, x, v, w, h):
    return ((f(x + h * v) - f(x)) / h * w).sum(), (f_backward(w, x) * v).sum()


def without_the_two(f, f_backward, x, v, w, h):
    return ((f(x + h * v) - f(x - h * v)) / h * w).sum(), (f_backward(w, x) * v).sum()


def swapped(f, f_backward, x, v, w, h):
    return by_vdot(f, f_backward, x, w, v, h)


ANSWERS = {
    "13.1": {
        "right": [in_rounds, from_the_end],
        "wrong": [(one_round, "round deletes nothing"), (first_that_fails, "Only one"),
                  (from_both_ends, "at the ends only"),
                  (lambda items, fails: items, "Nothing is deleted"),
                  (lambda items, fails: [x for x in items if not fails([x])],
                   "Nothing is deleted"),
                  (lambda items, fails: items.remove(items[0]), "still open")]},
    "13.2": {
        "right": [by_loop, lambda tokenizers, a, b: [
            t(f"{a} {b}") == t(a) + t(b) for t in tokenizers]],
        "wrong": [(glued, "without a space"), (counted, "number of tokens"),
                  (as_sets, "How often"),
                  (lambda ts, a, b: [t(f"{a} {b}") != t(a) + t(b) for t in ts],
                   "turn it round"),
                  (lambda ts, a, b: all(t(f"{a} {b}") == t(a) + t(b) for t in ts),
                   "its shape is ()")]},
    "13.3": {
        "right": [columns, lambda ids, types, mask, pad: tuple(
            [row + [0] * pad for row in x.tolist()] for x in (ids, types, mask))],
        "wrong": [(mask_of_ones, "everybody looks"), (on_the_left, "on the left"),
                  (more_rows, "Rows were added"), (seen_by_all, "part 3"),
                  (lambda ids, types, mask, pad: ids, "one part")]},
    "13.4": {
        "right": [[True, False, True, False], (np.arange(4) % 2 == 0)],
        "wrong": [([True] * 4, "Not all"), ([False] * 4, "Some of them"),
                  ([True, True, True, False], "number 2"),
                  ([True, False, True, True], "number 4"),
                  ([1, 0, 1, 0], "expected an array bool")]},
    "13.5": {
        "right": [by_vdot, in_float32],
        "wrong": [(forward_only, "one-sided"), (without_the_two, "2 h apart"),
                  (swapped, "changed places"),
                  (lambda f, f_backward, x, v, w, h: (
                      by_vdot(f, f_backward, x, v, w, h)[0],
                      np.sum(f_backward(v, x) * w)), "f_backward takes w"),
                  (lambda *x: by_vdot(*x)[::-1], "part 1")]},
}
