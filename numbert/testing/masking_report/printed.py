"""A report on masking as text for a terminal, and as JSON."""

from __future__ import annotations

import textwrap

from ...system.jsonfiles import json_text
from ...system.terminal import escaped
from .checks import Check, Report

FORMAT = 1                      # of the JSON; a change that readers notice raises it
WIDTH = 88
MARKS = {"right": "ok", "wrong": "WRONG", "not checked": "-"}


def text(report: Report, everything: bool = False) -> str:
    """Return a report for a terminal; what comes from a file is escaped.

    everything: whether to list all numbers of each check.
    """
    total, wrong = report.total, [x for x in report.checks if x.verdict == "wrong"]
    said = f"{len(wrong)} of {len(report.checks)} checks fail" if wrong else \
        "no check fails"
    units = "words" if report.asked.whole_words else "pieces"
    lines = [f"{report.verdict.upper()}  {shown(report.source)}: {said}",
             f"{total['rows']:,} rows, {total['tokens']:,} tokens, "
             f"{total['units']:,} {units} that may be selected, "
             f"{total['selected units']:,} selected", ""]
    for check in report.checks:
        lines += check_lines(check, report, everything)
    return "\n".join([*lines, "", *textwrap.wrap(
        "A right pipeline is called wrong with a probability of at most "
        f"{report.asked.false_alarms:g}, all checks together.", WIDTH)]) + "\n"


def check_lines(check: Check, report: Report, everything: bool) -> list[str]:
    """Return the lines of one check: what was seen and, if it is wrong, why."""
    said = [shown(check.observed)]
    if check.p is not None and check.expected:
        said.append(f"expected {shown(check.expected)}")
    if check.p is not None:
        said.append(f"p {number(check.p)}")
    head = f"{MARKS[check.verdict]:5}  {check.title:35}"
    lines = textwrap.wrap("; ".join(said), WIDTH + 12, initial_indent=head,
                          subsequent_indent=" " * 44)
    if everything:
        lines += [f"{'':9}{shown(x.label)}: {x.found:,} of {x.trials:,}, expected "
                  f"{x.least:,} to {x.most:,}  p {number(x.p)}" for x in check.parts]
    if check.verdict != "wrong":
        return lines
    lines += textwrap.wrap(f"Likely: {shown(check.likely)}.", WIDTH,
                           initial_indent=" " * 7, subsequent_indent=" " * 9)
    return lines + [f"{'':9}{example_text(x, report)}" for x in check.examples]


def number(p: float) -> str:
    """Return a probability with two digits."""
    return "0" if p == 0 else "< 1e-300" if p < 1e-299 else f"{p:.2g}"


def example_text(example: dict, report: Report) -> str:
    """Return an example of a mistake in one line."""
    ids = ", ".join(f"{what} {token(example[key], report)}" for what, key in (
        ("original", "original"), ("masked", "masked"), ("label", "labels")))
    return f"{shown(example['where'])}, token {example['place']}: {ids}"


def token(id: int, report: Report) -> str:
    """Return an id and its piece, if the report knows it."""
    tokens = report.asked.tokens
    known = tokens is not None and 0 <= id < report.asked.size
    return f"{id} ({shown(tokens[id])})" if known and tokens is not None else f"{id}"


def shown(value) -> str:
    """Return foreign text on one line, cut, without any character that controls."""
    line = escaped(" ".join(str(value).split()))
    return line.encode("utf-8", "backslashreplace").decode()


def to_json(report: Report) -> str:
    """Return a report as JSON, with every number behind its verdicts."""
    asked = {name: value for name, value in report.asked._asdict().items()
             if name not in ("special", "continues", "tokens")}
    return json_text({
        "format": FORMAT, "source": report.source, "verdict": report.verdict,
        "asked": asked, "total": report.total,
        "checks": [{**check._asdict(),
                    "parts": [part._asdict() for part in check.parts]}
                   for check in report.checks]}, indent=2) + "\n"
