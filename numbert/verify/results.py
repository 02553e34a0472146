"""What a comparison says: of one tensor, of one bug, and of a candidate as a whole."""

from __future__ import annotations

from typing import NamedTuple

KINDS = ("activation", "loss", "gradient", "parameter gradient", "optimiser step")
STATUSES = ("pass", "fail", "missing", "shape", "dtype", "not finite")
PASS, FAIL, INCOMPLETE = "pass", "fail", "incomplete"
EXIT_CODES = {PASS: 0, FAIL: 1, INCOMPLETE: 3}         # 2: the comparison could not run


class CandidateError(ValueError):
    """A candidate could not be run, or gave nothing that can be compared."""


class Judged(NamedTuple):
    """One tensor of one case, compared with the truth.

    An error, a peak or a step of 1 lies just on the gate; below it, all is well.
    """

    case: str
    name: str
    kind: str                   # one of KINDS
    status: str                 # one of STATUSES
    error: float | None = None  # RMS of candidate - truth, over that of the noise
    peak: float | None = None   # the largest |candidate - truth|, over the noise's
    step: float | None = None   # the larger of both, from the candidate's own inputs
    detail: str = ""            # more about it, such as its two shapes

    def __str__(self) -> str:
        return f"{self.case}: {self.name}"

    @property
    def wrong(self) -> bool:
        """Whether the tensor was given and is not right."""
        return self.status not in ("pass", "missing")


class Named(NamedTuple):
    """A known bug that explains steps which fail."""

    id: str                     # its id in the catalogue
    title: str                  # what is wrong, in one line
    why: str                    # how it comes about
    fix: str                    # what to do
    tensors: tuple[str, ...]    # "case: name" of each step that it explains


class Report(NamedTuple):
    """What the comparison of a candidate with a pack found."""

    candidate: str
    profile: str                # the precision that it was judged by
    pack: dict                  # name, version, sha256 and numbert of the pack
    versions: dict              # of what computed the comparison
    tensors: list[Judged]       # in the order of computation, case by case
    first: Judged | None        # the earliest step that fails, over all cases
    also: list[Judged]          # other steps that fail, each by itself
    diagnosis: list[Named]      # the bugs that explain them
    partly: bool                # whether steps that fail remain unexplained
    nearest: list[Named]        # the bugs that come nearest, if none explains them
    variants: dict[str, str]    # {a choice that BERT leaves open: what was chosen}
    undecidable: list[str]      # ids of bugs that this profile's rounding would hide
    seconds: float
    diagnosed: bool = True      # whether anyone looked for a known bug
    sources: tuple[str, ...] = ()       # what the first wrong step is computed from

    @property
    def verdict(self) -> str:
        """Return "pass", "fail" or, if a case gave no tensor at all, "incomplete".

        Single tensors may be missing: few candidates can show each of their steps.
        """
        if any(judged.wrong for judged in self.tensors):
            return FAIL
        given = {judged.case for judged in self.tensors if judged.status == "pass"}
        asked = {judged.case for judged in self.tensors}
        return PASS if given == asked else INCOMPLETE

    @property
    def exit_code(self) -> int:
        """Return what the command exits with: 0 pass, 1 fail, 3 incomplete."""
        return EXIT_CODES[self.verdict]

    def _repr_html_(self) -> str:
        from ..system.html import table
        given = [x for x in self.tensors if x.status != "missing"]
        worst = sorted(given, key=lambda x: (x is not self.first, not x.wrong,
                                             -max(x.error or 0, x.peak or 0)))[:8]
        bugs = table("The bug" if self.diagnosis else "Nearest", ("", "title", "fix"),
                     [(bug.id, bug.title, bug.fix)
                      for bug in self.diagnosis or self.nearest], 4)
        return table(f"{self.verdict.upper()}, {self.candidate} judged as "
                     f"{self.profile}: {len(given)} tensors, "
                     f"{sum(x.wrong for x in given)} wrong",
                     ("tensor", "status", "error / bound", "peak", "step"),
                     [(str(x), x.status, *("" if y is None else y
                       for y in (x.error, x.peak, x.step))) for x in worst]) + (
            bugs if self.diagnosis or self.nearest else "")
