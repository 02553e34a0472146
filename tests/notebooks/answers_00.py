"""What learners answer in notebook 00."""

import numpy as np


def filled_by_loop(logits, ids, mask_id):
    return [int(np.argsort(row)[-1]) for row, token in zip(logits, ids)
            if token == mask_id]


def filled_by_places(logits, ids, mask_id):
    places = np.flatnonzero(ids == mask_id)
    return np.argmax(logits[places], axis=1)


def read(B, T, C, N, F, V):
    return dict(hidden=[B, T, C], probs=[B, N, T, T], intermediate=np.array([B, T, F]),
                logits=(B, T, V))


def as_tuple(B, T, C, N, F, V):
    return (B, T, C), (B, N, T, T), (B, T, F), (B, T, V)


ANSWERS = {
    "00.1": {
        "right": [8, np.int64(8)],
        "wrong": [(4, "These are the words."), (5, "words and the full stop"),
                  (6, "`[CLS]` and `[SEP]` are missing"), (7, "more than one piece"),
                  (12, "the value is another"), ("eight", "expected a value of type")]},
    "00.2": {
        "right": [filled_by_loop, filled_by_places],
        "wrong": [(lambda logits, ids, mask_id: logits[ids == mask_id].argmax(),
                   "its shape is ()"),
                  (lambda logits, ids, mask_id: logits.argmax(1), "all T places"),
                  (lambda logits, ids, mask_id: np.argmax(logits[ids == mask_id], 0),
                   "over the places"),
                  (lambda logits, ids, mask_id:
                   logits[list(ids).index(mask_id)].argmax(),
                   "Only the first gap"),
                  (lambda logits, ids, mask_id: logits[ids == mask_id],
                   "expected an array int64")]},
    "00.3": {
        "right": [read, lambda B, T, C, N, F, V: {
            "logits": (B, T, V), "intermediate": (B, T, F), "probs": (B, N) + 2 * (T,),
            "hidden": (B, T, C)}],
        "wrong": [(lambda *letters: {**read(*letters), "probs": letters[:2] * 2},
                   "'probs'"),
                  (lambda B, T, C, N, F, V: {**read(B, T, C, N, F, V),
                                             "probs": (B, T, T)}, "no axis of heads"),
                  (lambda B, T, C, N, F, V: {**read(B, T, C, N, F, V),
                                             "logits": (B, V)},
                   "lack the axis of tokens"),
                  (lambda B, T, C, N, F, V: {**read(B, T, C, N, F, V),
                                             "intermediate": (B, T, C)},
                   "a size of its own"),
                  (as_tuple, "it has part 1")]},
}
