"""The results as a table: for the terminal, and as a page for a README."""

from __future__ import annotations

import platform
from collections import Counter
from typing import Any, NamedTuple

from ...system import versions
from ...system.terminal import escaped
from ...verify.report import literal
from . import golden
from .expected import short
from .target import LEVELS

KINDS = {"test_vector": "vectors", "test_law": "laws", "test_golden": "golden pack"}
COLUMNS = (*KINDS.values(), "others")
LIMIT = 20                              # failures that a page lists


class Counts(NamedTuple):
    """What came out.

    passed, ran: {(level, column): number}.
    failed, expected: lists of (id, reason).
    lacking: {level: {reason: number of tests that were skipped}}.
    """

    passed: Counter
    ran: Counter
    failed: list[tuple[str, str]]
    expected: list[tuple[str, str]]
    lacking: dict[str, Counter]


def counted(reports: list[Any]) -> Counts:
    """Count pytest's reports."""
    counts = Counts(Counter(), Counter(), [], [], {})
    for report in reports:
        id = short(report.nodeid)
        file, _, name = id.partition("::")
        level = file.removeprefix("test_").removesuffix(".py")
        place = level, KINDS.get(name.partition("[")[0], "others")
        if hasattr(report, "wasxfail") and report.outcome == "skipped":
            counts.ran[place] += 1
            counts.expected.append((id, report.wasxfail))
        elif report.outcome == "skipped":
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
            counts.lacking.setdefault(level, Counter())[
                reason.removeprefix("Skipped: ")] += 1
        else:
            counts.ran[place] += 1
            counts.passed[place] += report.outcome == "passed"
            if report.outcome == "failed":
                counts.failed.append((id, first_line(report)))
    return counts


def first_line(report) -> str:
    """Return the beginning of what a failed test says."""
    said = str(report.longrepr).strip().splitlines() or [""]
    return said[0] if len(said) == 1 or not said[0].startswith("def ") else said[-1]


def title(suite) -> str:
    """Return what the target is called."""
    return escaped(str(getattr(suite.target, "name", None) or suite.where))


def cells(counts: Counts, level: str) -> list[str]:
    """Return the cells of a level: passed of all that ran, and what was not provided.
    """
    row = []
    for column in COLUMNS:
        ran = counts.ran[level, column]
        row.append(f"{counts.passed[level, column]} of {ran}" if ran else "-")
    known = sum(id.startswith(f"test_{level}.py") for id, _ in counts.expected)
    lacking = sum(counts.lacking.get(level, {}).values())
    return [*row, str(known or "-"), str(lacking or "-")]


def levels(counts: Counts) -> list[str]:
    """Return the levels of which anything ran or was skipped."""
    return [level for level in LEVELS if level in counts.lacking
            or any(name == level for name, _ in counts.ran)]


def text(counts: Counts) -> str:
    """Return the table for a terminal."""
    rows = [["level", *COLUMNS, "expected failures", "not provided"]]
    rows += [[level, *cells(counts, level)] for level in levels(counts)]
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
             for row in rows]
    for level, reasons in counts.lacking.items():
        lines += [f"{level}: {count} x {escaped(reason)}"
                  for reason, count in reasons.most_common()]
    return "\n".join(lines)


def markdown(counts: Counts, suite) -> str:
    """Return the page; what comes from the target is shown as it is."""
    verdict = f"{len(counts.failed)} tests fail" if counts.failed else \
        "no unexpected failure"
    lines = [f"# Conformance of {literal(title(suite), code=False)}: {verdict}", "",
             f"| level | {' | '.join(COLUMNS)} | expected failures | not provided |",
             "|---|" + "--:|" * (len(COLUMNS) + 2)]
    lines += [f"| {level} | {' | '.join(cells(counts, level))} |"
              for level in levels(counts)]
    for head, entries in (("Failures", counts.failed[:LIMIT]),
                          ("Expected failures", counts.expected)):
        if entries:
            lines += ["", f"{head}:", ""]
            lines += [f"- {literal(id)}: {literal(reason, code=False)}"
                      for id, reason in entries]
    if len(counts.failed) > LIMIT:
        lines.append(f"- and {len(counts.failed) - LIMIT} more")
    if counts.lacking:
        lines += ["", "Not provided:", ""]
        lines += [f"- {level}: {', '.join(literal(x, code=False) for x in said)}"
                  for level, said in grouped(counts).items()]
    return "\n".join([*lines, "", origin(suite)]) + "\n"


def grouped(counts: Counts) -> dict[str, list[str]]:
    """Return {level: what it lacks, with the number of tests}."""
    return {level: [f"{reason.removeprefix('not provided: ')} ({count})"
                    for reason, count in reasons.most_common()]
            for level, reasons in counts.lacking.items()}


def origin(suite) -> str:
    """Return the line of what was compared with what."""
    known = {**versions(), **(getattr(suite.target, "versions", None) or {})}
    said = ", ".join(f"{name} {version}" for name, version in known.items())
    return literal(f"Dialect {suite.dialect}, precision {suite.profile}, "
                   f"{suite.examples} examples for each law; golden pack "
                   f"{golden.pack().sha256[:16]}; {said}; {platform.machine()}.",
                   code=False)
