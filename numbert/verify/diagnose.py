"""Which known bug is it?  The zoo's bugs, tried on the candidate's own tensors.

A bug is possible if, computed from the candidate's own earlier tensors, everything that
it changes is wrong in the candidate, and agrees with it when the bug is put in.  Of the
possible bugs the one that explains most is named, then the next for what is left.  So
several bugs at once are all named, unless they sit on the same tensor.
"""

from __future__ import annotations

import re

import numpy as np

from .bugs import CATALOGUE
from .judge import Compared, alike, over, spoilt
from .counts import places
from .mutants import Mutant, mutated_run
from .noise import PROFILES
from .results import Judged, Named
from .zoo import MUTANTS

Places = set[tuple[str, str]]           # of (case, name of a tensor)
# What is explained first: a wrong activation makes the gradients wrong as well.
# With each stage, what a run may leave out.
STAGES: dict[tuple, dict] = {
    ("activation", "loss"): {"backward": False},
    ("gradient", "parameter gradient"): {"optimizers": {}},
    ("optimiser step",): {}}
STAGES_BEFORE = {kinds: sum(list(STAGES)[:i], ()) for i, kinds in enumerate(STAGES)}
MOST = 0.6                      # of the cases: enough to be named, but only "partly"
EXPLAINED = 0.01                        # the share of an error that the nearest leaves


def diagnosis(compared: dict[str, Compared], wrong: list[Judged]
              ) -> tuple[list[Named], bool, list[Named]]:
    """Return (the bugs that explain what fails, whether only partly, the nearest).

    Args:
        compared: {case: its comparison}.
        wrong: the failing steps, from `compare.failing`; the first of them is what
            the nearest bugs are measured by.
    """
    search = Search(compared)
    found = search.spoilt() if wrong[0].status == "not finite" else []
    left: Places = set()
    for kinds, search.options in STAGES.items():
        if left:
            break
        rest = search.failing(kinds)
        for mutant, explained in search.cover(rest, kinds):
            found.append(named(mutant, explained))
            rest = rest - explained
        # What follows from a bug may be a little otherwise, as every program finds its
        # gradients in its own way.  So only the first stage that fails must be whole.
        if not found or kinds == first_stage(wrong):
            left = rest
    return found, bool(found and left), [] if found else search.nearest(wrong[0])


def first_stage(wrong: list[Judged]) -> tuple:
    """Return the first stage at which anything fails."""
    failing = {tensor.kind for tensor in wrong}
    return next(kinds for kinds in STAGES if failing & set(kinds))


def belongs(mutant: Mutant, kinds: tuple) -> bool:
    """Whether a bug may show at a stage that explains these kinds."""
    if "optimiser step" in kinds or mutant.kind == "optimiser":
        return "optimiser step" in kinds and mutant.kind == "optimiser"
    if mutant.probe is not None or mutant.kind == "equivalent":
        return False
    forward = "activation" in kinds
    return not (mutant.kind == "backward" and forward or mutant.match and not forward)


def named(mutant: Mutant, explained: Places) -> Named:
    """Return what a report says about a bug."""
    bug = CATALOGUE[mutant.bug]
    return Named(mutant.id, mutant.title, bug.why, bug.fix,
                 tuple(f"{case}: {name}" for case, name in sorted(explained)))


class Search:
    """Bugs tried on the tensors of one candidate; those that are named are put in."""

    def __init__(self, compared: dict[str, Compared]):
        self.compared = compared
        self.bugs: list[Mutant] = []
        self.options: dict = {}             # of a run; see STAGES
        self.counted: dict[tuple, np.ndarray] = {}      # many bugs ask for the same
        self.right = {name: case.computed for name, case in compared.items()}
        self.kinds = {(tensor.case, tensor.name): tensor.kind
                      for case in compared.values() for tensor in case.tensors
                      if tensor.step is not None and tensor.name in case.given}

    def with_bug(self, mutant: Mutant | None, case: str) -> dict:
        """Return a case with what is named, and one more bug, put in."""
        found = self.compared[case]
        try:
            return mutated_run([*self.bugs, *filter(None, [mutant])], found.packed.case,
                               given=found.given, **self.options)
        except Exception:       # two bugs in one line, or one that these tensors break
            return {}

    def put_in(self) -> None:
        """Compute what is right, given the bugs that are named."""
        if self.bugs:
            self.right = {case: {**right, **self.with_bug(None, case)}
                          for case, right in self.right.items()}

    def off(self, place: tuple[str, str], x, other, size: float = 1.0) -> float:
        """Return how far two tensors are apart, over the gate of their step."""
        case, name = place
        found = self.compared[case]
        rms, largest = found.step_noise[name]
        difference = np.asarray(x - other)
        key = (*place, difference.shape)
        if key not in self.counted:
            self.counted[key] = places(found.packed.case, name, difference.shape)
        return max(over(difference, self.counted[key], (rms * size, largest * size),
                        found.profile, self.kinds[place]))

    def failing(self, kinds: tuple) -> Places:
        """Return the steps of some kinds that what is named does not explain."""
        self.put_in()
        return {(case, name) for (case, name), kind in self.kinds.items()
                if kind in kinds and self.off(
                    (case, name), self.compared[case].given[name],
                    self.right[case][name]) > 1}

    def cover(self, left: Places, kinds: tuple):
        """Yield (bug, what it explains), the one that explains most first."""
        while left:
            mutant, explained = self.best(left, kinds)
            if not explained:
                return
            yield mutant, explained
            left = left - explained
            if mutant.match is None:
                self.bugs.append(mutant)
                self.put_in()

    def best(self, left: Places, kinds: tuple) -> tuple[Mutant, Places]:
        """Return the bug that explains most, and what it explains.

        If none is possible in all cases, as its details differ, then one that is in
        most of those where it shows.
        """
        near = [mutant for mutant in MUTANTS if mutant not in self.bugs
                and belongs(mutant, kinds) and self.is_near(mutant, left)]
        near.sort(key=lambda mutant: mutant.match is not None)  # numbers tell more
        best: tuple[Mutant, Places] = MUTANTS[0], set()
        for share in (1.0, MOST):
            for mutant in near if not best[1] else ():
                explained = self.explained(mutant, left, kinds, share)
                if len(explained) > len(best[1]):
                    best = mutant, explained
        return best

    def explained(self, mutant: Mutant, left: Places, kinds: tuple, share: float
                  ) -> Places:
        """Return the failing steps that a bug explains, or none if it isn't possible.

        It is impossible in a case if it changes anything that is right there.

        share: in how many of the cases where it changes anything it must be possible.
        """
        if mutant.match is not None:
            return {(case, name) for case, name in left
                    if re.search(mutant.module, name) and mutant.match(
                        self.compared[case].given[name], self.right[case][name])}
        found: Places = set()
        shows = fits = 0
        cases = {case for case, _ in left}
        for case in sorted(self.right, key=lambda case: case not in cases):
            changed = self.changed(mutant, case, left, kinds)
            shows += changed != set()
            fits += bool(changed)
            if changed is None and share == 1 or case not in cases and not fits:
                return set()
            found |= changed or set()
        return found if fits >= share * shows else set()

    def changed(self, mutant: Mutant, case: str, left: Places, kinds: tuple
                ) -> Places | None:
        """Return what a bug changes in a case; None if the candidate is otherwise."""
        wrong = self.with_bug(mutant, case)
        found: Places = set()
        for place, kind in self.kinds.items():
            if place[0] != case or not (kind in kinds or kind in STAGES_BEFORE[kinds]):
                continue
            new, right = wrong.get(place[1]), self.right[case][place[1]]
            if new is None or not alike(new, right):
                return None
            if not self.off(place, new, right) > 1:
                continue
            if place not in left or self.off(place, self.compared[case].given[place[1]],
                                             new, larger(new, right)) > 1:
                return None
            found.add(place)
        return found

    def is_near(self, mutant: Mutant, left: Places) -> bool:
        """Whether a bug first shows at a failing step, or where nothing is shown."""
        module = re.compile(mutant.module)
        return any(module.search(name) for _, name in left) or not any(
            module.search(name) for (_, name), kind in self.kinds.items()
            if kind == "activation")

    def spoilt(self) -> list[Named]:
        """Return the bug that makes the same numbers not finite, if there is one.

        What is not finite spoils all that follows, so its steps can't be told apart:
        the bug is put into whole runs, in the precision of the candidate.
        """
        cases = sorted(self.compared, key=lambda case: not self.compared[case].spoilt)
        for mutant in MUTANTS:
            if mutant.kind in ("forward", "inputs", "variant", "loss") and all(
                    self.spoils(mutant, self.compared[case]) for case in cases):
                return [named(mutant, {(case, name) for case in cases
                                       for name in self.compared[case].spoilt})]
        return []

    def spoils(self, mutant: Mutant, found: Compared) -> bool:
        """Whether the same numbers of a case are not finite in a run with a bug."""
        case = found.packed.case
        dtype = "float64" if found.profile == PROFILES["fp64"] else "float32"
        try:
            tensors = mutated_run(mutant, case, dtype=dtype, backward=False)
        except Exception:       # a bug in the inputs, of which this case has none
            return not found.spoilt
        new = spoilt(case, {name: tensors[name] for name in found.given
                            if name in tensors
                            and alike(tensors[name], found.given[name])})
        return new.keys() == found.spoilt.keys() and all(
            np.array_equal(where, new[name]) for name, where in found.spoilt.items())

    def nearest(self, first: Judged) -> list[Named]:
        """Return the bug that leaves the smallest part of the first error, if any."""
        place = first.case, first.name
        if place not in self.kinds:
            return []
        given = self.compared[first.case].given[first.name]
        before = self.off(place, given, self.right[first.case][first.name])
        best, least = None, EXPLAINED * before
        for mutant in MUTANTS:
            if mutant.probe or mutant.match or not self.is_near(mutant, {place}):
                continue
            new = self.with_bug(mutant, first.case).get(first.name)
            if new is not None and alike(new, given) and \
                    self.off(place, given, new) < least:
                best, least = mutant, self.off(place, given, new)
        return [named(best, {place})] if best else []


def larger(new, right) -> float:
    """Return how much larger the numbers are with a bug: so is their rounding."""
    size = np.sqrt(np.mean(right * right))
    return max(1.0, float(np.sqrt(np.mean(new * new)) / size)) if size else 1.0
