"""Compare a candidate with a pack: is it right, and if not, which step is wrong?

A candidate is judged twice.  Its whole run is held against the truth: is it right?
Then every step is computed from the candidate's own earlier tensors: which step is
wrong?  What follows from a wrong step fails the first comparison and passes the second.

    report = verify(shipped(), candidate)
    report.verdict, report.first
"""

from __future__ import annotations

import graphlib
import platform
import time

from ..system import versions
from .adapters import Candidate, called
from .diagnose import diagnosis
from .judge import compare
from .noise import PROFILES
from .packs import Pack
from .results import Judged, Named, Report


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
        named, partly, nearest = diagnosis(compared, wrong)
    return Report(
        label(candidate), profile, described(pack), computed_by(), tensors,
        wrong[0] if wrong else None, wrong[1:], named, partly, nearest, variants,
        pack.manifest.get("undecidable", {}).get(profile, []),
        time.perf_counter() - start, diagnose,
        tuple(pack.cases[wrong[0].case].parents.get(wrong[0].name, ())
              if wrong else ()))


# ---------------------------------------------------------------------- all cases

def failing(pack: Pack, tensors: list[Judged]) -> list[Judged]:
    """Return the steps that fail, the earliest first, each name once.

    A tensor that fails only in the whole run follows from an earlier one, unless no
    step fails at all, as when a candidate shows nothing but its outputs.
    """
    rank = ranks(pack)
    wrong = [tensor for tensor in tensors if tensor.wrong]
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


def label(candidate) -> str:
    """Return what a candidate is called in a report."""
    return getattr(candidate, "__name__", None) or repr(candidate)


def described(pack: Pack) -> dict:
    """Return what a report says about a pack."""
    return {"name": pack.name, "format": pack.manifest["format"],
            "sha256": pack.sha256, "numbert": pack.manifest["numbert"]}


def computed_by() -> dict[str, str]:
    """Return what computed the comparison: versions, and the kind of machine."""
    return {**versions(), "machine": platform.machine()}
