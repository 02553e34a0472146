"""Packing: a batch of texts, computed without its padding.

A batch (B, T) is as long as its longest text, and the others are padded.  All steps of
BERT but attention treat each position alone, so the R real tokens may as well lie in
one row, (1, R, C), text after text.  Only attention must know where the texts are.  A
Plan says it: texts of the same length lie side by side, and such a group of G texts is
a batch (G, T, C) of its own that needs no mask.

A Plan takes the place of the attention mask.  Given any other mask, the functions here
leave their arguments as they are: the whole batch is then one group.
"""

from typing import NamedTuple

import numpy as np


class Group(NamedTuple):
    """Texts of one length, side by side in a packed row."""

    start: int                  # of the first text
    texts: int                  # G
    length: int                 # T, of each


class Plan(NamedTuple):
    """Where the texts of a packed batch are; it takes the place of a mask."""

    tokens: np.ndarray          # (B, T) boolean: False = padding
    places: np.ndarray          # (R,) the place of each token in the batch (B T,)
    groups: tuple[Group, ...]
    causal: bool = False        # whether later tokens of a text are hidden


def plan_of(tokens, causal=False):
    """Plan how to pack a batch: the shortest texts first.

    tokens (B, T), boolean: False = padding
    """
    lengths = tokens.sum(1)                                        # (B,)
    order = np.argsort(lengths, kind="stable")                     # (B,)
    text, position = np.nonzero(tokens[order])                     # (R,), (R,)
    places = order[text] * tokens.shape[1] + position
    groups, start = [], 0
    for length, texts in zip(*np.unique(lengths, return_counts=True)):
        groups.append(Group(start, int(texts), int(length)))
        start += int(texts * length)
    return Plan(tokens, places, tuple(groups), causal)


def pack(x, plan):
    """Take the tokens of a batch and leave the padding.

    x (B, T, ...), or (1, T, ...) if all texts share it -> out (1, R, ...)
    The inverse and the backward of `unpack`.
    """
    if not isinstance(plan, Plan) or x is None:
        return x
    x = np.broadcast_to(x, plan.tokens.shape + x.shape[2:])
    return x.reshape(-1, *x.shape[2:])[plan.places][None]


def unpack(x, plan):
    """Put each token back to its place in the batch; padding is 0.

    x (1, R, ...) -> out (B, T, ...)
    The inverse and the backward of `pack`.
    """
    if not isinstance(plan, Plan) or x is None:
        return x
    out = np.zeros((plan.tokens.size, *x.shape[2:]), x.dtype)
    out[plan.places] = x[0]
    return out.reshape(*plan.tokens.shape, *x.shape[2:])


def texts_of(x, group):
    """A view of the texts of a group.   x (1, N, R, D) -> out (G, N, T, D)"""
    start, texts, length = group
    heads, _, width = x.shape[1:]
    run = x[0, :, start:start + texts * length]                    # (N, G T, D)
    return run.reshape(heads, texts, length, width).swapaxes(0, 1)


def empty_heads(x):
    """An array like x (1, N, R, D), in the order of memory that merge_heads wants."""
    return np.empty_like(x.swapaxes(1, 2), order="C").swapaxes(1, 2)


def in_groups(attend, p, q, k, v, mask):
    """attend(p, q, k, v, mask), for a packed batch one group after the other.

    q (B, N, T, D), k (B, N, S, D), v (B, N, S, D) -> out (B, N, T, D)
    For a packed batch B is 1, and T and S are R.
    """
    if not isinstance(mask, Plan):
        return attend(p, q, k, v, mask)
    out, saved = empty_heads(q), []
    for group in mask.groups:
        later = np.tri(group.length, dtype=bool) if mask.causal else None
        part, part_saved = attend(p, *(texts_of(x, group) for x in (q, k, v)), later)
        texts_of(out, group)[...] = part
        saved.append(part_saved)
    return out, p.saved(mask, saved)


def in_groups_backward(attend_backward, dout, saved, g):
    """dout (B, N, T, D) -> dq (B, N, T, D), dk (B, N, S, D), dv (B, N, S, D)

    No text attends to another, so each group has a backward of its own.
    """
    if not isinstance(saved[0], Plan):
        return attend_backward(dout, saved, g)
    plan, parts = saved
    grads = [empty_heads(dout) for _ in range(3)]
    for group, part in zip(plan.groups, parts):
        for dx, dpart in zip(grads, attend_backward(texts_of(dout, group), part, g)):
            texts_of(dx, group)[...] = dpart
    return grads
