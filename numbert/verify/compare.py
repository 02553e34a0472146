"""Compare a candidate with a pack: is it right, and if not, which step is wrong?

A candidate is judged twice.  Its whole run is held against the truth: is it right?
Then every step is computed from the candidate's own earlier tensors: which step is
wrong?  What follows from a wrong step fails the first comparison and passes the second.

    report = verify(shipped(), candidate)
    report.verdict, report.first
"""

from __future__ import annotations

import graphlib
import time
from collections.abc import Callable, Mapping

import numpy as np

from ..models.trace import GRADIENT
from .cases import Case
from .counts import places
from .noise import AGAIN, PROFILES, Profile, measured, scaled
from .packs import Pack, Packed
from .results import CandidateError, Judged, Named, Report
from .run import PARAMETER, UPDATE, run

Candidate = Callable[[Case], Mapping[str, np.ndarray]]
Tensors = dict[str, np.ndarray]
MASKED_CASE, MASKED_ROW = "tokens", 4           # a text without any token


def verify(pack: Pack, candidate: Candidate, *, profile: str = "fp32",
           diagnose: bool = True, progress=iter) -> Report:
    """Compare a candidate with a pack.

    Args:
        candidate: takes a Case, and returns {pack name: array}; names may be missing.
        profile: the precision that it computes in; one of PROFILES.
        diagnose: whether to look for a known bug that explains what fails.
        progress: wraps the list of cases, to show how far it is.

    Raises:
        ValueError: there is no such profile.
        CandidateError: the candidate raised an error, or gave what is no array.
    """
    if profile not in PROFILES:
        raise ValueError(f"profile is {profile!r}, expected one of "
                         f"{', '.join(PROFILES)}: name the precision of the candidate")
    start = time.perf_counter()
    compared = {name: compare(packed, called(candidate, packed.case), profile)
                for name, packed in progress(list(pack.cases.items()))
                if name not in PROFILES[profile].beyond}
    tensors = [judged for case in compared.values() for judged in case.tensors]
    wrong = failing(pack, tensors)
    variants: dict[str, str] = {}
    for case in compared.values():
        variants |= case.variants
    named: list[Named] = []
    partly, nearest = False, named
    if diagnose and wrong:
        from .diagnose import diagnosis
        named, partly, nearest = diagnosis(compared, wrong)
    return Report(
        label(candidate), profile, described(pack), versions(), tensors,
        wrong[0] if wrong else None, wrong[1:], named, partly, nearest, variants,
        undecidable(profile), time.perf_counter() - start)


# ------------------------------------------------------------------------ one case

class Compared:
    """What the comparison of one case found, and what a diagnosis needs of it."""

    def __init__(self, packed: Packed, tensors: Tensors, profile: Profile):
        self.packed, self.given, self.profile = packed, tensors, profile
        self.tensors: list[Judged] = []
        self.variants: dict[str, str] = {}
        self.computed: Tensors = {}             # each step from the candidate's own
        self.step_noise: dict[str, tuple] = {}


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
    result.computed = run(case, given=usable)
    result.step_noise = step_noise

    def judged(noise, step_noise) -> list[Judged]:
        return [judge(case, name, truth, found.get(name), noise[name],
                      (result.computed[name], step_noise[name]), gates)
                for name, truth in packed.truth.items()]

    result.tensors = judged(noise, step_noise)
    if any(failed(tensor) for tensor in result.tensors):
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
    if x.dtype.kind not in "fiub":
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


def failed(judged: Judged) -> bool:
    """Whether a tensor was given and isn't right."""
    return judged.status not in ("pass", "missing")


# ------------------------------------------------------------------------ variants

def loss_in_float32(result: Compared, judged) -> None:
    """Allow for a loss that is computed in float32, as Hugging Face's causal loss is.

    The loss and what flows back from it then have the noise of float32.
    """
    by_kind = {tensor.name: tensor for tensor in result.tensors if failed(tensor)}
    if not any(tensor.kind == "loss" for tensor in by_kind.values()) or \
            any(tensor.kind == "activation" for tensor in by_kind.values()):
        return
    packed = result.packed
    tensors = judged(packed.noise["fp32"], packed.step_noise["fp32"])
    if not any(map(failed, tensors)):
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


# ---------------------------------------------------------------------- all cases

def failing(pack: Pack, tensors: list[Judged]) -> list[Judged]:
    """Return the steps that fail, the earliest first, each name once.

    A tensor that fails only in the whole run follows from an earlier one, unless no
    step fails at all, as when a candidate shows nothing but its outputs.
    """
    rank = ranks(pack)
    wrong = [tensor for tensor in tensors if failed(tensor)]
    steps = [tensor for tensor in wrong if tensor.error is None
             or tensor.status == "not finite" or (tensor.step or 0) > 1]
    found: dict[str, Judged] = {}
    for tensor in sorted(steps or wrong, key=lambda tensor: rank[bare(tensor.name)]):
        found.setdefault(bare(tensor.name), tensor)
    return list(found.values())


def ranks(pack: Pack) -> dict[str, int]:
    """Return {name: place}: one order of computation that holds in all cases."""
    after: dict[str, set] = {}
    for packed in pack.cases.values():
        names = [bare(name) for name in packed.truth]
        for first, second in zip(names, names[1:]):
            after.setdefault(first, set())
            after.setdefault(second, set()).add(first)
    return {name: i for i, name in
            enumerate(graphlib.TopologicalSorter(after).static_order())}


def bare(name: str) -> str:
    """Return a name without "bert.", which BertModel itself doesn't have."""
    start, colon, rest = name.rpartition(":")
    return start + colon + rest.removeprefix("bert.")


def called(candidate: Candidate, case: Case) -> Mapping[str, np.ndarray]:
    """Return what a candidate computes for a case.

    Raises:
        CandidateError: it raised an error, or gave what is no dict of arrays.
    """
    try:
        tensors = candidate(case)
    except CandidateError:
        raise
    except Exception as error:
        raise CandidateError(
            f"the candidate raised {type(error).__name__} in the case {case.name} "
            f"({error}), expected {{pack name: array}}: correct it, or leave out the "
            "tensors that it can't compute") from error
    if not isinstance(tensors, Mapping):
        raise CandidateError(
            f"the candidate gave a {type(tensors).__name__} in the case {case.name}, "
            "expected {pack name: array}: return a dict")
    return tensors


def label(candidate) -> str:
    """Return what a candidate is called in a report."""
    return getattr(candidate, "__name__", None) or repr(candidate)


def described(pack: Pack) -> dict:
    """Return what a report says about a pack."""
    return {"name": pack.name, "format": pack.manifest["format"],
            "sha256": pack.sha256, "numbert": pack.manifest["numbert"]}


def versions() -> dict:
    """Return the versions of what computed the comparison."""
    import platform
    from .. import __version__
    return {"numbert": __version__, "numpy": np.__version__,
            "python": platform.python_version(), "machine": platform.machine()}


def undecidable(profile: str) -> list[str]:
    """Return the ids of known bugs that the rounding of this profile would hide."""
    return []
