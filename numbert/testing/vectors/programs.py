"""Ask a program, in any language: JSON lines in, JSON lines out."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ...system.terminal import escaped
from ...verify.adapters import execute
from ...verify.results import CandidateError
from .checking import check
from .reading import Vector, every, request

ANSWER = 'one JSON object on a line, such as {"id": "cleaning-0001", "output": "a b"}'


class Outcome(NamedTuple):
    """What became of one vector."""

    vector: Vector
    problem: str | None          # what is wrong with the answer; None if nothing is
    skipped: bool = False        # whether the program has no such operation


def run(program: Sequence[str], dialect: str = "hf-fast", group: str | None = None,
        flag: str | None = None, timeout: float = 60.0) -> list[Outcome]:
    """Give vectors to a program, and compare its answers.

    The program is started once.  It reads requests from stdin, a JSON object on each
    line, see `request`, until the end of the input.  For each it writes a line to
    stdout: {"id": ID, "output": ...}, {"id": ID, "error": "why it is refused"} or
    {"id": ID, "skip": true} for an operation that it does not have.  The order does not
    matter.

    Args:
        program: the program and its arguments, as a list.
        dialect: whose rules apply: google, hf-legacy or hf-fast.
        group, flag: ask only the vectors of this group, or with this flag.
        timeout: the seconds that it may take for all.

    Returns:
        an Outcome for each vector

    Raises:
        CandidateError: the program could not be started, failed, took too long, or
            answered with something else than one answer to each request.
        ValueError: there is no such dialect, group or flag, or no vector is left;
            program is not a list of texts; timeout is not above 0.
    """
    if isinstance(program, (str, bytes)) or not program:
        raise ValueError(f"program is {program!r}, expected a list such as "
                         "['./tokenizer']: put the program and each argument in a list")
    if not timeout > 0:
        raise ValueError(f"timeout is {timeout}, expected seconds above 0: pass 60, "
                         "for example")
    chosen = every(group, flag, dialect)
    if not chosen:
        where = "".join(f" {what} {value}" for what, value in (
            ("in group", group), ("with flag", flag)) if value)
        raise ValueError(f"no vector{where} is for {dialect}, expected at least one: "
                         "ask for another group, flag or dialect")
    answers = ask([str(word) for word in program], chosen, timeout)
    return [judge(vector, answers[vector["id"]], dialect) for vector in chosen]


def judge(vector: Vector, answer: dict[str, Any], dialect: str) -> Outcome:
    """Return what an answer is worth."""
    if answer.get("skip"):
        return Outcome(vector, None, skipped=True)
    return Outcome(vector, check(vector, answer, dialect))


def ask(program: list[str], vectors: list[Vector], timeout: float
        ) -> dict[str, dict[str, Any]]:
    """Return a program's answer to each vector, by id."""
    with tempfile.TemporaryDirectory(prefix="numbert-") as folder:
        given, log, made = (Path(folder) / name for name in ("in", "log", "out"))
        given.write_text("".join(json.dumps(request(vector)) + "\n"
                                 for vector in vectors), encoding="ascii")
        shown, ids = escaped(program[0]), [vector["id"] for vector in vectors]
        try:
            execute(program, timeout, log, stdin=given, stdout=made)
        except CandidateError as error:
            if not made.exists() or not made.stat().st_size:
                raise
            raise CandidateError(f"{error}\n{progress_of(made, ids)}") from None
        return answers_of(made.read_bytes(), ids, shown)


def progress_of(made: Path, ids: list[str]) -> str:
    """Return how far a program came that did not reach its end."""
    found = set()
    for line in made.read_bytes().splitlines():
        try:
            found.add(json.loads(line)["id"])
        except (ValueError, TypeError, KeyError, RecursionError):
            pass
    missing = [id for id in ids if id not in found]
    return f"It had answered {len(ids) - len(missing)} of {len(ids)} requests" + (
        f"; the first without an answer is {missing[0]}" if missing else "")


def answers_of(printed: bytes, ids: list[str], shown: str) -> dict[str, dict[str, Any]]:
    """Return the answers in what a program printed, by id.

    Raises:
        CandidateError: it is not exactly one answer to each id.
    """
    answers: dict[str, dict[str, Any]] = {}
    asked = set(ids)
    for number, line in enumerate(printed.split(b"\n"), 1):
        if not line.strip():
            continue
        answer = parsed(line, f"{shown}: line {number} of its output")
        id = answer["id"]
        if id not in asked:
            raise CandidateError(f"{shown}: line {number} of its output answers "
                                 f"{escaped(repr(id))[:80]}, expected the id of a "
                                 "request: copy the id as it is")
        if id in answers:
            raise CandidateError(f"{shown}: line {number} of its output answers {id} "
                                 "for the second time, expected one answer to each "
                                 "request: print one line for each")
        answers[id] = answer
    missing = [id for id in ids if id not in answers]
    if missing:
        raise CandidateError(
            f"{shown} ended without an answer to {missing[0]} and {len(missing) - 1} "
            f'others, expected one to each of {len(ids)} requests: print {{"id": ID, '
            '"skip": true} for what it does not have, and flush the output')
    return answers


def parsed(line: bytes, what: str) -> dict[str, Any]:
    """Return the answer in a line, which errors call `what`."""
    try:
        answer = json.loads(line.decode())
    except (ValueError, RecursionError) as error:
        raise CandidateError(f"{what} is not JSON in UTF-8 ({escaped(str(error))}), "
                             f"expected {ANSWER}: print nothing else to stdout, and "
                             "messages to stderr") from None
    kinds = [kind for kind in ("output", "error", "skip")
             if isinstance(answer, dict) and kind in answer]
    if len(kinds) != 1 or not isinstance(answer.get("id"), str) or \
            (kinds == ["skip"] and answer["skip"] is not True):
        raise CandidateError(f"{what} is {escaped(ascii(answer))[:100]}, expected an "
                             "object with id and one of output, error and "
                             '"skip": true: correct it')
    return answer


def summary(outcomes: Sequence[Outcome]) -> dict[str, dict[str, int]]:
    """Return {group: {"passed": n, "failed": n, "skipped": n}}."""
    counts: dict[str, dict[str, int]] = {}
    for outcome in outcomes:
        group = outcome.vector["id"].rpartition("-")[0]
        row = counts.setdefault(group, {"passed": 0, "failed": 0, "skipped": 0})
        row["skipped" if outcome.skipped else
            "failed" if outcome.problem else "passed"] += 1
    return counts
