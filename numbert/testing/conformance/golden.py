"""The golden pack: every tensor that a target shows, compared with the truth.

A case is one test for each kind of tensor that it has.  The comparison is that of
`numbert verify`; it runs once, when the first of these tests asks for it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from ...verify import report as words
from ...verify.cases import Case
from ...verify.compare import verify
from ...verify.packs import VARIANTS, Pack, shipped
from ...verify.results import CandidateError, Judged, Report
from ...verify.judge import kind_of
from ...verify.run import PARAMETER, SETTINGS, TRAINED, UPDATES
from ...training.optim import OPTIMIZERS
from .models import golden_names
from .target import part

KINDS = {                               # {level: kinds of tensors; see results.KINDS}
    "forward": ("activation", "loss"),
    "backward": ("gradient", "parameter gradient"),
    "training_step": ("optimiser step",),
}
SHOWN = 5                               # tensors in a message
# What a right BERT may do in other ways, and how transformers does it with eager
# attention.  The comparison forgives it; the suite wants a line of expected failures.
CHOICES = {"fully masked rows": "uniform", "loss precision": "same"}


@functools.cache
def pack() -> Pack:
    """Return the pack that comes with numbert."""
    return shipped()


def tests(level: str) -> list[tuple[str, str]]:
    """Return the (case, kind of tensor) that are tests of a level."""
    return [(name, kind) for name, packed in pack().cases.items()
            for kind in KINDS.get(level, ())
            if any(kind_of(tensor) == kind for tensor in packed.truth)]


class Golden:
    """A target as a candidate: its parts are asked one by one, and may fail alone."""

    def __init__(self, target: Any):
        self.target = target
        self.problems: dict[tuple[str, str], Exception] = {}

    def __call__(self, case: Case) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for level, ask in (("forward", forward), ("backward", backward),
                           ("training_step", training_step)):
            try:
                found |= ask(self.target, case)
            except Exception as error:                   # it is raised by its tests
                self.problems[case.name, level] = error
        return found

    @functools.cached_property
    def report(self) -> Report:
        """Return the comparison with the pack."""
        return verify(pack(), self, profile=getattr(self.target, "profile", "fp32"))

    def check(self, level: str, case: str, kind: str) -> None:
        """Raise AssertionError unless all tensors of a kind are right.

        Raises:
            NotImplementedError: the target shows none of them.
        """
        report = self.report
        if (case, level) in self.problems:
            raise self.problems[case, level]
        tensors = [x for x in report.tensors if x.case == case and x.kind == kind]
        if all(x.status == "missing" for x in tensors):
            raise NotImplementedError(f"{kind} in {level}")
        wrong = [x for x in tensors if x.wrong]
        if wrong:
            raise AssertionError(message(report, wrong))

    def check_choice(self, name: str) -> None:
        """Raise AssertionError if the target does something that it has to declare.

        Raises:
            NotImplementedError: what the target shows does not tell.
        """
        found = self.report.variants.get(name)
        if name == "loss precision" and found is None:
            losses = [x for x in self.report.tensors if x.kind == "loss"]
            if self.report.profile == "fp64" and any(
                    x.status == "pass" for x in losses):
                found = CHOICES[name]
        if found is None:
            raise NotImplementedError(f"what tells the {name}")
        if found != CHOICES[name]:
            raise AssertionError(
                f"{name}: {found}, expected {CHOICES[name]} ({VARIANTS[name]}): if "
                "this is on purpose, say so in the file of expected failures")


def message(report: Report, wrong: list[Judged]) -> str:
    """Return what is wrong, where it begins, and what it may be."""
    lines = [f"{words.plural(len(wrong), 'tensor')} can't be explained by rounding "
             f"({report.profile}; 1 is the most that rounding explains):"]
    lines += [f"  {x}: {words.measures(x)}" for x in wrong[:SHOWN]]
    if len(wrong) > SHOWN:
        lines.append(f"  and {len(wrong) - SHOWN} more")
    if report.first is not None:
        lines.append(f"The first step that is wrong is {report.first}.")
    for bug in words.bugs(report):
        lines.append(f"{'It is' if report.diagnosis else 'It is near'} {bug.id}, "
                     f"{bug.title}: {bug.fix}")
    return "\n".join(lines)


# ---------------------------------------------------------------------------- asking

def named(value: Any, what: str) -> Mapping[str, Any]:
    """Return a mapping that a function gave, or refuse it."""
    if not isinstance(value, Mapping):
        raise CandidateError(f"{what} gave a {type(value).__name__}, expected "
                             "{name: array}: return a dictionary")
    return value


def forward(target: Any, case: Case) -> dict[str, Any]:
    """Return what a target's forward pass shows, by the pack's names."""
    return golden_names(case, named(part(target, "forward")(case), "forward"))


def backward(target: Any, case: Case) -> dict[str, Any]:
    """Return the gradients; those without a prefix are of parameters and inputs."""
    given = named(part(target, "backward")(case), "backward")
    return {name if ":" in name else PARAMETER + name: x for name, x in given.items()}


def training_step(target: Any, case: Case) -> dict[str, Any]:
    """Return the parameters after each update, of the case that is trained.

    Raises:
        NotImplementedError: the target has no optimiser at all.
    """
    function, found = part(target, "training_step"), {}
    if case.name != TRAINED:
        return {}
    for optimizer in OPTIMIZERS:
        try:
            states = function(case, optimizer, UPDATES, **SETTINGS)
        except NotImplementedError:
            continue
        for number, params in enumerate(states, 1):
            for name, x in named(params, "training_step").items():
                found[f"{optimizer}{number}:{name}"] = x
    if not found:
        raise NotImplementedError("training_step")
    return found
