"""How good is the comparison?  It is tried on every bug of the zoo, and on none.

    bugs            each bug is put into numbert: is it seen, at the right step, and
                    called by its name?
    pairs           two bugs at once
    false alarms    right programs, on cases with fresh numbers, must always pass
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from .cases import Case, make_cases
from .compare import bare, verify
from .mutants import Mutant, mutated_run, probe_differs
from .noise import PROFILES, measured
from .packs import Pack, Packed
from .results import FAIL
from .run import run
from .truth import proven
from .zoo import MUTANTS, visible

DTYPES = {"fp64": "float64"}            # what numbert runs in; float32 for the others


class Score(NamedTuple):
    """What the comparison said about one bug, or about several at once."""

    id: str
    killed: bool                # whether it was seen
    step: bool                  # whether a failing step is where the bug is
    named: tuple[str, ...]      # the bugs that were named
    effect: float               # the largest error, over its gate

    @property
    def right(self) -> bool:
        """Whether the bugs were named, and no other."""
        return sorted(self.named) == sorted(self.id.split(" + "))


def score(pack: Pack, mutants: list[Mutant], profile: str = "fp32",
          diagnose: bool = True) -> Score:
    """Put bugs into numbert, and compare it with a pack."""
    def candidate(case: Case) -> dict:
        return mutated_run(mutants, case, dtype=DTYPES.get(profile, "float32"))

    report = verify(pack, candidate, profile=profile, diagnose=diagnose)
    wrong = [bare(tensor.name) for tensor in (report.first, *report.also) if tensor]
    first = wrong[:1] if len(mutants) == 1 else wrong
    return Score(" + ".join(mutant.id for mutant in mutants), report.verdict == FAIL,
                 all(any(re.search(mutant.module, name) for name in first)
                     for mutant in mutants),
                 tuple(bug.id for bug in report.diagnosis),
                 max(max(tensor.error or 0, tensor.peak or 0)
                     for tensor in report.tensors))


def bugs(pack: Pack, profile: str = "fp32", progress=iter) -> list[Score]:
    """Return the score of every bug of the zoo.

    A bug of data, tokenizer or optimiser shows in its own probe: there it only counts
    whether it was seen.
    """
    found = [score(pack, [mutant], profile) for mutant in progress(visible())]
    return found + [
        Score(mutant.id, probe_differs(mutant), True, (mutant.id,), 0.0)
        for mutant in MUTANTS if mutant.probe is not None]


def pairs(pack: Pack, count: int, seed: int = 0, progress=iter) -> list[Score]:
    """Return the scores of random pairs of bugs that sit at different steps."""
    rng = np.random.default_rng(seed)
    plain = [mutant for mutant in visible() if mutant.match is None]
    drawn: list[list[Mutant]] = []
    while len(drawn) < count:
        first, second = rng.choice(len(plain), 2, replace=False)
        two = [plain[first], plain[second]]
        functions = [{edit[0] for edit in mutant.edits} for mutant in two]
        if two[0].module != two[1].module and not functions[0] & functions[1]:
            drawn.append(two)
    return [score(pack, two) for two in progress(drawn)]


def fresh_pack(series: int, profile: str) -> Pack:
    """Return the cases with other numbers, for one profile; see cases.make_case."""
    noise = PROFILES[profile].noise
    cases = {}
    for case in make_cases(series):
        truth = proven(case) if profile == "fp64" else run(case)
        whole, steps = ({noise: measured(case, PROFILES[noise], given)}
                        for given in (None, truth))
        cases[case.name] = Packed(case, truth, {}, whole, steps)
    return Pack(f"series {series}", "", {"format": 0, "numbert": ""}, cases)


def false_alarms(candidates: dict, series, progress=iter) -> Iterator[tuple]:
    """Yield (series, label, report) of right candidates on cases with fresh numbers.

    Args:
        candidates: {label: (profile, candidate)}.
        series: the numbers of the series; 0 is that of the shipped pack.
    """
    for i in progress(series):
        packs = {profile: fresh_pack(i, profile)
                 for profile in {profile for profile, _ in candidates.values()}}
        for label, (profile, candidate) in candidates.items():
            yield i, label, verify(packs[profile], candidate, profile=profile,
                                   diagnose=False)
