"""What each tensor of a case is computed from, found by nudging.

All steps start from given tensors.  One of them is moved a little: what then comes out
differently was computed from it.  So no graph has to be written down.
"""

from __future__ import annotations

import numpy as np

from ..models.classes import BertModel
from .cases import SIZES, C, Case, Draws, V, weights
from .run import PARAMETER, UPDATE, run

Parents = dict[str, list[str]]
LARGEST = 100_000               # parameters of a model that is nudged as it is


def parents(case: Case, truth: dict, progress=iter) -> Parents:
    """Return {name: names it is computed from}, of tensors, `param:NAME` and `in:NAME`.

    A later update depends on every parameter that the one before it left; there a name
    that ends in a colon, such as "adamw1:", stands for all that begin with it.

    Args:
        truth: {name: array}, as `run` returns it; the steps start from these.
        progress: wraps the names of all that is moved, to show how far it is.
    """
    if sum(x.size for x in case.params.values()) > LARGEST:
        case = shrunk(case)
        return parents(case, run(case), progress)
    found: Parents = {name: [] for name in truth}
    clean = run(case, given=truth)
    draws = Draws(0)
    sources = [*(f"in:{name}" for name in case.inputs),
               *(f"cot:{name}" for name in case.cotangents),
               *(f"param:{name}" for name in case.params),
               *(name for name in truth if not UPDATE.fullmatch(name))]
    for source in progress(sources):
        moved, given = nudged(case, truth, source, draws)
        for name, x in run(moved, given=given).items():
            if name != source and not np.array_equal(x, clean[name], equal_nan=True):
                found[name].append(source)
    for name in truth:
        update = UPDATE.fullmatch(name)
        if update:
            flavour, i, parameter = update.groups()
            found[name] = [f"{flavour}{int(i) - 1}:"] if i != "1" else \
                [f"param:{parameter}", PARAMETER + parameter]
    return found


def shrunk(case: Case) -> Case:
    """Return a narrow model with the same layers: its steps have the same parents."""
    config = {**case.config, **{name: SIZES[name] for name in (
        "hidden_size", "num_attention_heads", "intermediate_size", "vocab_size")}}
    inputs = {**case.inputs, "input_ids": case.inputs["input_ids"] % V}
    params = {name: x for name, x in weights(BertModel, config, 0).items()
              if name in case.params}
    grads = {name: x[..., :C] for name, x in case.cotangents.items()}
    return case._replace(config=config, params=params, inputs=inputs, cotangents=grads)


def nudged(case: Case, truth: dict, source: str, draws: Draws) -> tuple[Case, dict]:
    """Return the case and the given tensors with one of both moved a little."""
    kind, _, name = source.partition(":")
    for field, prefix in (("inputs", "in"), ("cotangents", "cot"), ("params", "param")):
        if kind == prefix:
            arrays = getattr(case, field)
            changed: dict = {field: {**arrays, name: other(name, arrays[name], draws)}}
            return case._replace(**changed), truth
    return case, {**truth, source: other(source, truth[source], draws)}


def other(name: str, x, draws: Draws):
    """Return an array of the same shape and kind with other numbers."""
    if "mask" in name:
        return np.where(np.arange(x.shape[-1]) == 0, 1 - x, x)
    if x.dtype.kind == "i":
        top = x.max()
        return np.where((x >= 0) & (x <= top), top - x, x)
    size = np.sqrt(np.mean(x * x)) or 1
    return (x + 0.25 * size * draws.normal(x.shape)).astype(x.dtype)
