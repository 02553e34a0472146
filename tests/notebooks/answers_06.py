"""What learners answer in notebook 06."""

import math

import numpy as np


def probabilities(logits):
    exps = np.exp(logits)
    return exps / exps.sum(-1, keepdims=True)


def loss_by_loops(logits, labels):
    found = []
    for place in np.ndindex(labels.shape):
        if labels[place] != -100:
            scores = logits[place]
            found.append(math.log(math.fsum(np.exp(scores))) - scores[labels[place]])
    return sum(found) / len(found)


def loss_in_float32(logits, labels):
    used = labels >= 0
    chosen = probabilities(logits.astype(np.float32))[used]
    return -np.log(chosen[np.arange(used.sum()), labels[used]]).mean()


def by_take_along_axis(logits, labels):
    chosen = np.take_along_axis(probabilities(logits), labels[..., None], -1)
    return -np.log(chosen).mean()


def over_all_places(logits, labels):
    used = labels != -100
    chosen = np.log(probabilities(logits)[used][np.arange(used.sum()), labels[used]])
    return -chosen.sum() / labels.size


def without_class_0(logits, labels):
    return loss_by_loops(logits, np.where(labels > 0, labels, -100))


def with_log2(logits, labels):
    return loss_by_loops(logits, labels) / math.log(2)


def softmax_twice(logits, labels):
    return loss_by_loops(probabilities(logits), labels)


def by_argmax(logits):
    return np.argmax(logits, -1) == 0


def answers(start_logits, end_logits, start, end):
    def one(logits, places):
        places = [max(p, 0) for p in places]
        found = [-math.log(probabilities(row)[p]) for row, p in zip(logits, places)
                 if p < len(row)]
        return sum(found) / len(found)
    return (one(start_logits, start) + one(end_logits, end)) / 2


def each_place(logits, places):
    return -np.log(probabilities(logits))[np.arange(len(places)), places]


def all_clipped(start_logits, end_logits, start, end):
    last = start_logits.shape[1] - 1
    return (each_place(start_logits, start.clip(0, last)).mean()
            + each_place(end_logits, end.clip(0, last)).mean()) / 2


def only_inside(start_logits, end_logits, start, end):
    size, total = start_logits.shape[1], 0
    for logits, places in (start_logits, start), (end_logits, end):
        inside = (places >= 0) & (places < size)
        total += each_place(logits[inside], places[inside]).mean() / 2
    return total


def unclipped(start_logits, end_logits, start, end):
    return (each_place(start_logits, start).mean()
            + each_place(end_logits, end).mean()) / 2


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def multi_label(x, t):
    return -np.mean(t * np.log(sigmoid(x)) + (1 - t) * np.log(1 - sigmoid(x)))


def multi_label_by_loops(x, t):
    return np.mean([math.log1p(math.exp(-value if yes else value))
                    for value, yes in zip(x.ravel(), t.ravel())])


def next_by_loops(ids, mask):
    out = np.full(ids.shape, -100)
    for b in range(ids.shape[0]):
        for t in range(ids.shape[1] - 1):
            if mask[b, t + 1]:
                out[b, t] = ids[b, t + 1]
    return out


def next_by_where(ids, mask):
    labels = np.full_like(ids, -100)
    labels[:, :-1] = np.where(mask[:, 1:] == 1, ids[:, 1:], -100)
    return labels


def rolled(ids, mask):
    return np.roll(np.where(mask == 1, ids, -100), -1, axis=1)


def with_padding(ids, mask):
    return np.concatenate([ids[:, 1:], np.full((len(ids), 1), -100)], axis=1)


def backwards(ids, mask):
    labels = np.full_like(ids, -100)
    labels[:, 1:] = np.where(mask == 1, ids, -100)[:, :-1]
    return labels


def mask_of_the_query(ids, mask):
    labels = np.full_like(ids, -100)
    labels[:, :-1] = ids[:, 1:]
    return np.where(mask == 1, labels, -100)


ANSWERS = {
    "06.1": {
        "right": [loss_by_loops, loss_in_float32],
        "wrong": [(by_take_along_axis, "counted from the end"),
                  (over_all_places, "divided by the wrong number"),
                  (lambda x, y: loss_by_loops(x, np.maximum(y, 0)), "count as class 0"),
                  (without_class_0, "Class 0 is ignored"), (with_log2, "in bits"),
                  (softmax_twice, "Softmax twice"),
                  (lambda x, y: -loss_by_loops(x, y), "sign is missing"),
                  (lambda x, y: np.mean([loss_by_loops(x[i:i + 1], y[i:i + 1])
                                         for i in range(3) if (y[i] >= 0).any()]),
                   "all labels together")]},
    "06.2": {
        "right": [by_argmax, lambda x: probabilities(x)[:, 0] > 0.5,
                  lambda x: [bool(a > b) for a, b in x]],
        "wrong": [(lambda x: x.argmax(-1) == 1, "Labels of pairs are flipped"),
                  (lambda x: x.argmax(-1), "number of the class"),
                  (lambda x: x[:, 0] > 0, "Only the first score"),
                  (lambda x: probabilities(x)[:, 0], "expected an array bool")]},
    "06.3": {
        "right": [answers, lambda s, e, a, b: np.float32(
            answers(s.astype("f4"), e.astype("f4"), a, b))],
        "wrong": [(all_clipped, "count as the last token"),
                  (only_inside, "Negative positions are ignored"),
                  (unclipped, "your function raised IndexError"),
                  (lambda *a: 2 * answers(*a), "their mean"),
                  (lambda s, e, a, b: answers(e, s, a, b), "Two scores are swapped")]},
    "06.4": {
        "right": [multi_label, multi_label_by_loops],
        "wrong": [(lambda x, t: multi_label(x, t) * x.size, "all B K entries"),
                  (lambda x, t: -np.mean((t * np.log(probabilities(x))).sum(-1)),
                   "one softmax"),
                  (lambda x, t: -np.mean(t * np.log(sigmoid(x))), "cost something"),
                  (lambda x, t: np.mean((x - t) ** 2), "another kind of labels")]},
    "06.5": {
        "right": [next_by_loops, next_by_where],
        "wrong": [(rolled, "np.roll"), (with_padding, "Padding has a label"),
                  (backwards, "the wrong way"),
                  (lambda ids, mask: np.where(mask == 1, ids, -100), "causal LM"),
                  (mask_of_the_query, "not moved along"),
                  (lambda ids, mask: np.roll(ids, -1, 1), "padding has a label"),
                  (lambda ids, mask: next_by_loops(next_by_loops(ids, mask), mask > -1),
                   "moved twice"),
                  (lambda ids, mask: next_by_loops(ids, mask)[:, :-1],
                   "one column too few")]},
}
