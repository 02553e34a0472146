"""What learners answer in notebook 14."""

import numpy as np


def by_hand(words, positions, types, weight, bias, ids, type_ids, eps):
    x = words[ids] + types[type_ids] + positions[:ids.shape[1]]
    mean = x.mean(axis=2)[..., None]
    return weight * ((x - mean) / (((x - mean) ** 2).mean(2)[..., None] + eps) ** 0.5) \
        + bias


def by_loops(words, positions, types, weight, bias, ids, type_ids, eps):
    out = np.zeros((*ids.shape, words.shape[1]))
    for b, t in np.ndindex(ids.shape):
        x = words[ids[b, t]] + positions[t] + types[type_ids[b, t]]
        out[b, t] = (x - x.mean()) / np.sqrt(x.var() + eps) * weight + bias
    return out


def in_float32(*arrays):
    return by_hand(*(x.astype("f4") if getattr(x, "dtype", None) == float else x
                     for x in arrays))


def without_types(words, positions, types, weight, bias, ids, type_ids, eps):
    return by_hand(words, positions, 0 * types, weight, bias, ids, type_ids, eps)


def from_one(words, positions, types, weight, bias, ids, type_ids, eps):
    return by_hand(words, positions[1:], types, weight, bias, ids, type_ids, eps)


def the_sum(words, positions, types, weight, bias, ids, type_ids, eps):
    return words[ids] + types[type_ids] + positions[:ids.shape[1]]


def usual_eps(words, positions, types, weight, bias, ids, type_ids, eps):
    return by_hand(words, positions, types, weight, bias, ids, type_ids, 1e-12)


def deviation(words, positions, types, weight, bias, ids, type_ids, eps):
    x = the_sum(words, positions, types, weight, bias, ids, type_ids, eps)
    spread = ((x - x.mean(-1, keepdims=True)) ** 2).mean(-1, keepdims=True) ** 0.5
    return weight * (x - x.mean(-1, keepdims=True)) / (spread + eps) + bias


def no_weights(words, positions, types, weight, bias, ids, type_ids, eps):
    return by_hand(words, positions, types, np.ones(8), np.zeros(8), ids, type_ids, eps)


def no_positions(words, positions, types, weight, bias, ids, type_ids, eps):
    return by_hand(words, 0 * positions, types, weight, bias, ids, type_ids, eps)


def per_channel(words, positions, types, weight, bias, ids, type_ids, eps):
    x = the_sum(words, positions, types, weight, bias, ids, type_ids, eps)
    return (x - x.mean(1, keepdims=True)) / (
        x.var(1, keepdims=True) + eps) ** 0.5 * weight + bias


def sample_variance(words, positions, types, weight, bias, ids, type_ids, eps):
    x = the_sum(words, positions, types, weight, bias, ids, type_ids, eps)
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(
        np.var(x, -1, ddof=1, keepdims=True) + eps) * weight + bias


ANSWERS = {
    "14.1": {
        "right": [by_hand, by_loops, in_float32],
        "wrong": [(without_types, "Token types are wrong or missing"),
                  (from_one, "Positions have an offset"),
                  (the_sum, "LayerNorm of the embeddings is missing"),
                  (usual_eps, "epsilon"),
                  (deviation, "under the root"),
                  (no_weights, "weight and bias are missing"),
                  (no_positions, "positions are missing"),
                  (per_channel, "over the channels of a token"),
                  (sample_variance, "Another formula for LayerNorm")]},
    "14.2": {
        "right": ["C1", "".join("C1")],
        "wrong": [("C2", "much more than 0.001"), ("C3", "no LayerNorm in it"),
                  ("C9", "which is right"), ("D1", "has no weight"),
                  ("none", "hundreds of times"), ("C4", "the value is another")]},
    "14.3": {
        "right": ["C9", "C" + str(9)],
        "wrong": [("C4", "new weights"), ("C7", "the sum before it"),
                  ("C10", "all symptoms but one"), ("C1", "wrong before"),
                  (9, "expected a value")]},
    "14.4": {
        "right": ["G11", "G" + "11"],
        "wrong": [("G12", "in consequence only"), ("G14", "what LayerNorm reads"),
                  ("G15", "from the end"), ("G13", "come later"),
                  ("G10", "the last step")]},
    "14.5": {
        "right": [["B13", "D1"], ("B13 D1").split(), np.array(["B13", "D1"])],
        "wrong": [(["D1", "B13"], "sorted"), (["D1"], "second bug"),
                  (["B13"], "before there are any scores"),
                  (["B13", "B16"], "same vector"), (["B13", "D11"], "same vector"),
                  ("B13", "its shape is ()")]},
}
