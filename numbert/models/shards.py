"""A forward pass in threads: the texts of a batch are dealt out to the cores.

One text does not depend on another, so each thread runs the same plain backbone on a
share of the texts, a shard.  This is for calls without a backward; training deals its
batches out before it calls a model.
"""

from __future__ import annotations

import numpy as np

from ..bert.encoder import backbone
from ..bert.packing import Plan, plan_of
from ..system.parallel import in_threads, num_threads

LEAST = 128         # tokens of a shard; with fewer, one thread is as fast as two


def deal(lengths, shards: int) -> list[np.ndarray]:
    """Deal texts of these lengths out to shards: each to the lightest, longest first.

    -> for each shard the rows of its texts, in order; none is empty
    """
    hands: list[list[int]] = [[] for _ in range(shards)]
    weights = [0] * shards
    for row in np.argsort(-np.asarray(lengths), kind="stable"):
        lightest = weights.index(min(weights))
        hands[lightest].append(int(row))
        weights[lightest] += int(lengths[row])
    return [np.array(sorted(hand)) for hand in hands if hand]


def backbone_in_shards(p, tokens, mask=None):
    """`backbone` without a backward, on several shards of the batch at a time.

    The arguments are those of backbone -> sequence (B, T, C), pooled (B, C) or None
    """
    shape = tokens["token_type_ids"].shape                         # (B, T)
    plan = mask if isinstance(mask, Plan) else None
    lengths = np.full(shape[0], shape[1]) if plan is None else plan.tokens.sum(1)
    shards = min(num_threads(), shape[0], int(lengths.sum()) // LEAST)
    if shards < 2:
        return backbone(p, tokens, mask)[0]

    def rows_of(x, rows):
        return x if x is None or len(x) == 1 else x[rows]

    def compute(rows):
        part = rows_of(mask, rows) if plan is None else \
            plan_of(plan.tokens[rows], plan.causal)
        return backbone(p, {name: rows_of(x, rows) for name, x in tokens.items()},
                        part)[0]

    hands = deal(lengths, shards)
    parts = in_threads(compute, hands, shards)
    order = np.argsort(np.concatenate(hands))
    return tuple(None if x[0] is None else np.concatenate(x)[order]
                 for x in zip(*parts))
