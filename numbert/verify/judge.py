"""One case of a candidate, judged: against the truth, and step by step.

Errors are divided by their gates, so 1 is the line between pass and fail.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..models.trace import GRADIENT
from .cases import Case
from .counts import places
from .noise import AGAIN, PROFILES, Profile, measured, scaled
from .packs import Packed
from .results import Judged
from .run import PARAMETER, UPDATE, run

Tensors = dict[str, np.ndarray]
MASKED_CASE, MASKED_ROW = "tokens", 4           # a text without any token


class Compared:
    """What the comparison of one case found, and what a diagnosis needs of it."""

    def __init__(self, packed: Packed, tensors: Tensors, profile: Profile):
        self.packed, self.given, self.profile = packed, tensors, profile
        self.tensors: list[Judged] = []
        self.variants: dict[str, str] = {}
        self.computed: Tensors = {}             # each step from the candidate's own
        self.step_noise: dict[str, tuple] = {}
        self.spoilt: Tensors = {}               # where activations are not finite


def compare(packed: Packed, given: Mapping, profile: str) -> Compared:
    """Compare one case; `given` is what the candidate returned for it."""
    case, gates = packed.case, PROFILES[profile]
    noise, step_noise = packed.noise[gates.noise], packed.step_noise[gates.noise]
    if profile == "fp64":
        noise, step_noise = scaled(noise), scaled(step_noise)
    found = {name: fitted(case, name, given[name], truth)
             for name, truth in packed.truth.items() if name in given}
    usable = {name: np.where(np.isfinite(x), x, packed.truth[name])
              for name, (x, status, _) in found.items() if status != "shape"}
    result = Compared(packed, usable, gates)
    result.spoilt = spoilt(case, {name: x for name, (x, status, _) in found.items()
                                  if status == "not finite"})
    result.computed = run(case, given=usable)
    result.step_noise = step_noise

    def judged(noise, step_noise) -> list[Judged]:
        return [judge(case, name, truth, found.get(name), noise[name],
                      (result.computed[name], step_noise[name]), gates)
                for name, truth in packed.truth.items()]

    result.tensors = judged(noise, step_noise)
    if any(tensor.wrong for tensor in result.tensors):
        # After a bug numbers may be a hundred times larger, and their rounding as well.
        result.step_noise = measured(case, gates, usable, AGAIN)
        result.tensors = judged(noise, result.step_noise)
    if profile == "fp64":
        loss_in_float32(result, judged)
    if case.name == MASKED_CASE:
        result.variants |= masked_row(case, given)
    return result


def fitted(case: Case, name: str, x, truth) -> tuple[np.ndarray, str, str]:
    """Return (float64 array, status, detail) of one tensor."""
    x = np.asarray(x)
    if x.dtype.kind != "f":
        return truth, "dtype", f"dtype {x.dtype}, expected floating point"
    if not alike(x, truth):
        return truth, "shape", f"shape {x.shape}, expected {truth.shape}"
    x = x.astype(np.float64)
    wrong = ~np.isfinite(x) & places(case, name, x.shape)
    if wrong.any():
        kinds = " and ".join(kind for kind, test in (
            ("nan", np.isnan), ("inf", np.isinf)) if test(x[wrong]).any())
        return x, "not finite", f"{wrong.sum()} of {x.size} entries are {kinds}"
    return x, "pass", ""


def spoilt(case: Case, tensors: Tensors) -> Tensors:
    """Return {name: where its entries that count are not finite} of activations.

    What becomes of these in losses and gradients is another thing in each program.
    """
    found = {name: ~np.isfinite(x) & places(case, name, x.shape)
             for name, x in tensors.items() if kind_of(name) == "activation"}
    return {name: where for name, where in found.items() if where.any()}


def alike(x, y) -> bool:
    """Whether two shapes are the same, or one has a row for all texts of the other."""
    return x.shape == y.shape or (
        x.ndim == y.ndim > 1 and x.shape[1:] == y.shape[1:] and 1 in (len(x), len(y)))


def judge(case: Case, name: str, truth, found, noise, step, gates: Profile) -> Judged:
    """Judge one tensor: found is from `fitted`, or None; step is (computed, noise)."""
    kind = kind_of(name)
    if found is None:
        return Judged(case.name, name, kind, "missing")
    x, status, detail = found
    if status in ("shape", "dtype"):
        return Judged(case.name, name, kind, status, detail=detail)
    counted = places(case, name, np.broadcast_shapes(x.shape, truth.shape))
    error, peak = over(x - truth, counted, noise, gates, kind)
    alone = None
    later = kind == "optimiser step" and not name.split(":")[0].endswith("1")
    # A later update starts from gradients that no candidate shows.
    if not later and (gates.backward or kind in ("activation", "loss")):
        alone = max(over(x - step[0], counted, step[1], gates, kind))
    if status == "pass" and max(error, peak, alone or 0) > 1:
        status = "fail"
    return Judged(case.name, name, kind, status, error, peak, alone, detail)


def over(difference, counted, noise, gates: Profile, kind: str) -> tuple[float, float]:
    """Return the RMS and the largest entry of a difference, each over its gate."""
    difference = np.abs(difference[counted])
    if not difference.size:
        return 0.0, 0.0
    if not np.all(np.isfinite(difference)):
        return np.inf, np.inf
    gate = gates.loss if kind == "loss" else gates.gate
    return (ratio(np.sqrt(np.mean(difference ** 2)), gate * noise[0]),
            ratio(difference.max(), max(gates.peak, gate) * noise[1]))


def ratio(error: float, gate: float) -> float:
    """Return error / gate; where no noise is expected, an error is infinitely large."""
    return float(error / gate) if gate else float("inf") if error else 0.0


def kind_of(name: str) -> str:
    """Return which of results.KINDS a tensor is."""
    if UPDATE.fullmatch(name):
        return "optimiser step"
    if name.startswith(PARAMETER):
        return "parameter gradient"
    if name.startswith(GRADIENT):
        return "gradient"
    return "loss" if name.endswith("loss") else "activation"


# ------------------------------------------------------------------------ variants

def loss_in_float32(result: Compared, judged) -> None:
    """Allow for a loss that is computed in float32, as Hugging Face's causal loss is.

    The loss and what flows back from it then have the noise of float32.
    """
    by_kind = {tensor.name: tensor for tensor in result.tensors if tensor.wrong}
    if not any(tensor.kind == "loss" for tensor in by_kind.values()) or \
            any(tensor.kind == "activation" for tensor in by_kind.values()):
        return
    packed = result.packed
    tensors = judged(packed.noise["fp32"], packed.step_noise["fp32"])
    if not any(tensor.wrong for tensor in tensors):
        result.tensors = [again if first.kind != "activation" else first
                          for first, again in zip(result.tensors, tensors)]
        result.variants["loss precision"] = "float32"


def masked_row(case: Case, given: Mapping) -> dict[str, str]:
    """Return what a candidate does with a text without any token, where it shows."""
    stem = "bert.encoder.layer.0.attention.self."
    keys = case.inputs["attention_mask"].shape[-1]
    for name in ("probs", "context"):
        row = np.asarray(given.get(stem + name, ()), np.float64)[MASKED_ROW:]
        if not row.size:
            continue
        uniform = np.asarray(given.get(stem + "value", row), np.float64)[-1].mean(0) \
            if name == "context" else 1 / keys
        if not np.isfinite(row).all():
            habit = "nan"
        elif not row.any():
            habit = "zero"
        else:
            habit = "uniform" if np.allclose(row, uniform, 1e-2, 1e-4) else "other"
        return {"fully masked rows": habit}
    return {}
