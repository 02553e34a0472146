"""What learners answer in notebook 07."""

import numpy as np


def numbers_by_loop(lengths, most):
    found = []
    for length in lengths:
        number = round(length * 0.15)
        found.append(most if number > most else number or 1)
    return found


def masked_by_loop(ids, picked, draw, other):
    masked, labels = list(ids), [-100] * len(ids)
    for t in range(len(ids)):
        if picked[t]:
            labels[t] = ids[t]
            if draw[t] < 0.8:
                masked[t] = 4
            elif draw[t] < 0.9:
                masked[t] = other[t]
    return masked, labels


def masked_in_place(ids, picked, draw, other):
    masked, labels = ids.copy(), ids.copy()
    labels[~picked] = -100
    masked[picked & (draw < 0.9)] = other[picked & (draw < 0.9)]
    masked[picked & (draw < 0.8)] = 4
    return masked, labels


def labels_of_masked(ids, picked, draw, other):
    masked, _ = masked_in_place(ids, picked, draw, other)
    return masked, np.where(picked, masked, -100)


def labels_everywhere(ids, picked, draw, other):
    return masked_in_place(ids, picked, draw, other)[0], ids


def no_label_if_kept(ids, picked, draw, other):
    masked, labels = masked_in_place(ids, picked, draw, other)
    labels[picked & (draw >= 0.9)] = -100
    return masked, labels


def none_is_kept(ids, picked, draw, other):
    masked, labels = masked_in_place(ids, picked, draw, other)
    masked[picked & (draw >= 0.8)] = other[picked & (draw >= 0.8)]
    return masked, labels


def whole_by_loop(drawn, continues):
    out = []
    for was_drawn, goes_on in zip(drawn, continues):
        out.append(out[-1] if goes_on else bool(was_drawn))
    return np.array(out)


def whole_by_number(drawn, continues):
    word = np.cumsum(~continues) - 1
    return drawn[~continues][word]


def any_piece(drawn, continues):
    word = np.cumsum(~continues) - 1
    return np.array([drawn[word == w].any() for w in word])


def one_step(drawn, continues):
    out = drawn.copy()
    out[1:] = np.where(continues[1:], drawn[:-1], drawn[1:])
    return out


ANSWERS = {
    "07.1": {
        "right": [numbers_by_loop, lambda lengths, most: np.clip(
            np.round(0.15 * lengths), 1, most).astype(int)],
        "wrong": [(lambda lengths, most: [min(most, max(1, int(0.15 * x)))
                                          for x in lengths], "is cut off"),
                  (lambda lengths, most: [min(most, round(0.15 * x)) for x in lengths],
                   "gets nothing"),
                  (lambda lengths, most: [max(1, round(0.15 * x)) for x in lengths],
                   "more than the limit"),
                  (lambda lengths, most: [min(most, max(1, int(0.15 * x + 0.5)))
                                          for x in lengths], "even neighbour"),
                  (lambda lengths, most: np.clip(0.15 * lengths, 1, most), "float64")]},
    "07.2": {
        "right": [masked_by_loop, masked_in_place],
        "wrong": [(labels_of_masked, "Labels are the masked ids"),
                  (labels_everywhere, "F15"),
                  (no_label_if_kept, "picked and kept"),
                  (none_is_kept, "tenth of what"),
                  (lambda ids, picked, draw, other: np.where(picked, 4, ids),
                   "it has one part")]},
    "07.3": {
        "right": [lambda to_mask, to_random: to_random / (1.0 - to_mask),
                  lambda to_mask, to_random: 1 - (1 - to_mask - to_random)
                  / (1 - to_mask)],
        "wrong": [(lambda to_mask, to_random: to_random, "all picked pieces"),
                  (lambda to_mask, to_random: np.full(len(to_mask), 0.5),
                   "80/10/10 only"),
                  (lambda to_mask, to_random: to_random / to_mask, "that is left"),
                  (lambda to_mask, to_random: 0.5, "its shape is")]},
    "07.4": {
        "right": [whole_by_loop, whole_by_number],
        "wrong": [(lambda drawn, continues: drawn, "F10"),
                  (any_piece, "too often"),
                  (one_step, "piece before it"),
                  (lambda drawn, continues: drawn & ~continues, "Only first pieces")]},
    "07.5": {
        "right": [lambda logits: 1 / (1 + np.exp(logits[:, 1] - logits[:, 0])),
                  lambda logits: np.exp(logits[:, 0]) / np.exp(logits).sum(1)],
        "wrong": [(lambda logits: 1 / (1 + np.exp(logits[:, 0] - logits[:, 1])),
                   "F13"),
                  (lambda logits: 1 / (1 + np.exp(-logits[:, 0])), "sigmoid"),
                  (lambda logits: np.exp(logits)[:, 0] / np.exp(logits)[:, 0].sum(),
                   "over the pairs"),
                  (lambda logits: logits.argmax(1), "larger logit")]},
}
