"""Which entries of a tensor count: those that something reads.

Programs may do what they like at padding.  Some leave rows of padding out, some compute
them, and where no key is left to attend to, each has its own habit.  Nothing that comes
out of a model depends on it, so such entries are not compared.

    all         every entry: weights, losses, what belongs to a whole text
    tokens      (B, T, ...): positions that are read
    source      (B, S, ...): tokens of the source of cross-attention
    queries     (B, N, T, S): the rows of queries that are read
    pairs       (B, N, T, S): the same rows, and only keys that they may attend to

A position is read if its mask is 1.  If a pooler follows, the first position is read
too, and if the head answers questions every position is: its softmax runs over them.
"""

from __future__ import annotations

import numpy as np

from ..models import classes
from .cases import Case

LAWS = ("all", "tokens", "source", "queries", "pairs")


def law(case: Case, name: str) -> str:
    """Return which entries of a tensor count: one of LAWS."""
    cross = ".crossattention." in name
    if name.endswith(".scores") or name.startswith("grad:") and name.endswith(".probs"):
        return "pairs"
    if name.endswith(".probs"):
        return "queries"
    if name.endswith((".self.key", ".self.value")):
        return "source" if cross else "tokens"
    text = ("pooler.", "seq_relationship", "loss", "dparam:", "adamw", "bertadam")
    if any(part in name for part in text):
        return "all"
    if name.removeprefix("grad:") == "classifier.out":
        return "all" if getattr(classes, case.kind).pooler else "tokens"
    return "tokens"


def read(case: Case) -> np.ndarray:
    """Return a boolean array (texts, T): the positions that something reads."""
    mask = case.inputs["attention_mask"]
    mask = mask.reshape(-1, mask.shape[-1]) == 1
    if getattr(classes, case.kind).pooler:
        mask = mask | (np.arange(mask.shape[-1]) == 0)
    return np.ones_like(mask) if "qa" in getattr(classes, case.kind).heads else mask


def places(case: Case, name: str, shape) -> np.ndarray:
    """Return a boolean array of a tensor's shape: the entries that count."""
    rule, tokens = law(case, name), read(case)
    keys = case.inputs["attention_mask"]
    keys = keys.reshape(-1, keys.shape[-1]) == 1                        # (B, S)
    if rule == "all" or len(shape) > 1 and shape[0] == 1 != len(tokens):
        return np.ones(shape, bool)         # the second: one row for all texts
    if rule == "tokens":
        found = tokens[..., None] if len(shape) == 3 else tokens
    elif rule == "source":
        found = (case.inputs["encoder_attention_mask"] == 1)[..., None]
    else:
        if ".crossattention." in name:
            keys = case.inputs["encoder_attention_mask"] == 1
        found = tokens[:, None, :, None] & (keys[:, None, None] | (rule == "queries"))
        if case.config.get("is_decoder") and ".crossattention." not in name and \
                rule == "pairs":
            found = found & np.tri(shape[-1], dtype=bool)
    return np.broadcast_to(found, shape)


def counted(case: Case, tensors) -> dict:
    """Return {name: boolean array} for all tensors of a case; see `places`."""
    return {name: places(case, name, np.shape(x)) for name, x in tensors.items()}
