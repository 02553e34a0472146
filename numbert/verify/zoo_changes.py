"""What the bugs of the zoo do to weights and inputs: functions that make functions.

A change of weights takes {name: array} and returns the same names and shapes; a change
of inputs takes the arguments of `forward` and returns those that are read in their
place.
"""

from __future__ import annotations

import re

import numpy as np

from .cases import SIZES

N = SIZES["num_attention_heads"]


def each(pattern: str, change):
    """Change all weights whose names match: params={name: array} -> the same."""
    return lambda params: {name: change(x) if re.search(pattern, name) else x
                           for name, x in params.items()}


def exchanged(**names: str):
    """Give the weights of each part the values of another: query="key"."""
    pattern = re.compile("|".join(rf"(?<=\.){name}(?=\.)" for name in names))
    return lambda params: {
        name: params[pattern.sub(lambda match: names[match[0]], name)]
        for name in params}


def layers(number):
    """Give layer i the weights of layer number(i, how many there are)."""
    def change(params):
        count = 1 + max(int(i) for i in re.findall(r"layer\.(\d+)", " ".join(params)))
        return {name: params[re.sub(
            r"(?<=layer\.)\d+", lambda i: str(number(int(i[0]), count)), name)]
            for name in params}
    return change


def norms(pattern: str, weight=True, bias=True):
    """Leave LayerNorms as they are made: weights 1, biases 0."""
    def change(params):
        return {name: np.full_like(x, name.endswith("weight"))
                if re.search(pattern, name) and
                (weight if name.endswith("weight") else bias) else x
                for name, x in params.items()}
    return change


def swapped_norms(params):
    """Exchange the LayerNorms of a layer's two halves."""
    def other(match):
        return ".output.L" if match[1] else ".attention.output.L"

    return {name: params[re.sub(r"(?<=\d)\.(attention\.)?output\.L", other, name)]
            for name in params}


def interleaved(params):
    """Read a fused projection head by head: q, k, v of head 0, then of head 1."""
    out = dict(params)
    for name in params:
        if ".self.query." in name:
            names = [name.replace("query", part) for part in ("query", "key", "value")]
            fused = np.concatenate([params[part] for part in names])
            parts = fused.reshape(N, 3, -1, *fused.shape[1:])
            for i, part in enumerate(names):
                out[part] = parts[:, i].reshape(params[part].shape)
    return out


def first_norm(params):
    """Give each layer the last LayerNorm of the first layer."""
    return {name: params[re.sub(r"layer\.\d+\.output\.L", "layer.0.output.L", name)]
            for name in params}


def inside(x):
    """Number the rows of a weight with the heads inside, not outside."""
    return x.reshape(N, -1, *x.shape[1:]).swapaxes(0, 1).reshape(x.shape)


def one_head(x):
    """Give all heads the weights of the first."""
    return np.concatenate([x[:len(x) // N]] * N)


def no_dense(pattern: str):
    """Leave a dense layer of equal sizes out: its weight is 1, its bias 0."""
    return each(pattern, lambda x: np.eye(*x.shape, dtype=x.dtype) if x.ndim == 2
                else np.zeros_like(x))


def other_layout(x):
    """Read a weight of (out, in) from a file that holds (in, out)."""
    return x.reshape(x.shape[::-1]).T


def without(name: str):
    """Ignore an input."""
    return lambda inputs: {key: x for key, x in inputs.items() if key != name}


def positions_of_mask(inputs):
    """Number the real tokens, unless positions are given."""
    places = np.maximum(np.cumsum(inputs["attention_mask"], -1) - 1, 0)
    return {"position_ids": places, **inputs}


def positions_of_roberta(inputs):
    """Number the real tokens from 1, and give padding the number 0."""
    mask = inputs["attention_mask"]
    last = SIZES["max_position_embeddings"] - 1
    places = np.minimum(np.cumsum(mask, -1) * mask, last)
    return {**inputs, "position_ids": places}


def counted_down(inputs):
    """Reverse the positions of each row."""
    places = np.arange(inputs["attention_mask"].shape[-1])
    return {**inputs, "position_ids": inputs.get("position_ids", places)[..., ::-1]}


def swapped_choices(inputs):
    """Exchange the axes of questions and choices, where there are such."""
    return {name: np.swapaxes(x, 0, 1).reshape(x.shape) if name != "labels" else x
            for name, x in inputs.items()} if np.ndim(inputs.get("input_ids")) == 3 \
        else inputs


def affine(tensor, right) -> bool:
    """Whether scores (..., V) are x w + b of the same C numbers x, by another w.

    All scores of C numbers lie in a space of C dimensions, and the bias adds one.
    """
    size = SIZES["hidden_size"]
    values = np.linalg.svd(tensor.reshape(-1, tensor.shape[-1]), compute_uv=False)
    return bool(values[size] > 0 and values[size + 1] < 1e-5 * values[0])


def one_shift(tensor, right) -> bool:
    """Whether all rows of a tensor are wrong by the same numbers."""
    rows = (tensor - right).reshape(-1, tensor.shape[-1])
    return bool(np.abs(rows - rows[:1]).max() < 1e-5 * np.abs(tensor).max())


def cut_off(tensor, right) -> bool:
    """Whether rows (..., T, C) are right at first, and then all like the last of these.
    """
    good = np.isclose(tensor, right, 1e-3, 1e-6).all(-1).reshape(-1, right.shape[-2])
    first = int(np.argmin(good.all(0)))
    return first > 0 and np.array_equal(tensor[..., first:, :], np.broadcast_to(
        tensor[..., first - 1:first, :], tensor[..., first:, :].shape))


def dropped(rate: float):
    """Return a function (tensor, the right one) -> whether it is that after dropout.

    What dropout zeroes is random, so no values can be compared: some entries are gone,
    and all others are divided by 1 - rate, up to the rounding of half precision.
    """
    def match(tensor, right):
        gone = (tensor == 0) & (right != 0)
        kept = np.abs(tensor * (1 - rate) - right) <= 0.01 * np.abs(right)
        return bool(gone.any() and (gone | kept).all())
    return match
