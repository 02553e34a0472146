"""A comparison as text: for a terminal, for programs, for test servers, for a page.

What matters comes first: the verdict, the first step that is wrong, and the bug.  Names
and details come from other people's files and programs, so each format escapes them.
"""

from __future__ import annotations

import math
import re
import sys
import textwrap
from collections import Counter
from itertools import groupby
from xml.etree import ElementTree

from ..system.jsonfiles import json_text
from ..system.terminal import escaped
from .results import FAIL, INCOMPLETE, PASS, STATUSES, Judged, Named, Report

FORMAT = 1                      # of the JSON; a change that readers notice raises it
WIDTH, SHORT, INDENT = 80, 3, "  "      # of a line, of a list, of what follows a head
COLORS = {PASS: "\033[1;32m", FAIL: "\033[1;31m", INCOMPLETE: "\033[1;33m"}
MEANING = {PASS: "every tensor is as near to the truth as rounding allows",
           FAIL: "not everything can be explained by rounding",
           INCOMPLETE: "what was given is right, but some cases gave no tensor"}
# Halves of characters, and others that XML and UTF-8 can't hold.
UNENCODABLE = re.compile("[\ud800-\udfff\ufffe\uffff]")


def shown(value) -> str:
    """Return foreign text on one line, without any character that controls."""
    text = escaped(" ".join(str(value).split()))
    return UNENCODABLE.sub(lambda found: rf"\u{ord(found[0]):04x}", text)


# -------------------------------------------------------------------- what is in it

def worst(judged: Judged) -> float:
    """Return the largest of error, peak and step; infinity where none could be had."""
    found = [x for x in (judged.error, judged.peak, judged.step) if x is not None]
    return max(found, default=math.inf if judged.wrong else -1.0)


def worst_first(report: Report) -> list[Judged]:
    """Return the tensors that were given, what fails first, the largest error first."""
    return sorted((tensor for tensor in report.tensors if tensor.status != "missing"),
                  key=lambda tensor: (not tensor.wrong, -worst(tensor)))


def cases(report: Report) -> dict[str, list[Judged]]:
    """Return {case: its tensors}, in their order."""
    return {name: list(tensors) for name, tensors in
            groupby(report.tensors, key=lambda tensor: tensor.case)}


def counts(report: Report) -> str:
    """Return how many tensors there are of each status: "2 tensors: 1 pass, 1 fail"."""
    found = Counter(tensor.status for tensor in report.tensors)
    parts = [f"{found[status]:,} {status}" for status in STATUSES if found[status]]
    return f"{plural(len(report.tensors), 'tensor')} in " \
        f"{plural(len(cases(report)), 'case')}: {', '.join(parts) or 'none'}"


def plural(count: int, noun: str) -> str:
    """Return "1 tensor" or "2 tensors"."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def number(value: float | None) -> str:
    """Return a measure with two digits, or a dash."""
    return "-" if value is None else f"{value:.2g}" if value < 99.5 or value >= 1e5 \
        else f"{value:.0f}"


def measures(judged: Judged) -> str:
    """Return what was measured of a tensor, in words."""
    if judged.error is None:
        return shown(judged.detail) or judged.status
    step = "" if judged.step is None else f", as a step {number(judged.step)}"
    detail = f" ({shown(judged.detail)})" if judged.detail else ""
    return f"error {number(judged.error)}, peak {number(judged.peak)}{step}{detail}"


def empty_cases(report: Report) -> list[str]:
    """Return the names of the cases that gave no tensor at all."""
    return [name for name, tensors in cases(report).items()
            if all(tensor.status == "missing" for tensor in tensors)]


def explained(report: Report) -> str:
    """Return what is known of the cause, in a sentence; "" if nothing fails."""
    if report.diagnosis and report.partly:
        return "These bugs explain a part of what fails; something else is wrong too."
    if report.diagnosis or not (report.first and report.diagnosed):
        return ""
    return "No known bug explains what fails." if not report.nearest else \
        "No known bug explains what fails.  These come nearest:"


def bugs(report: Report) -> list[Named]:
    """Return the bugs that explain what fails or, without any, the nearest."""
    return report.diagnosis or report.nearest


def origin(report: Report, digits: int = 64) -> str:
    """Return what anyone needs to repeat the comparison.

    digits: how many of the sha256.
    """
    name, form, sha256, maker = (shown(report.pack.get(key)) for key in (
        "name", "format", "sha256", "numbert"))
    made = f"pack {name}, format {form}, sha256 {sha256[:digits]}, of numbert {maker}"
    by = ", ".join(f"{shown(name)} {shown(x)}" for name, x in report.versions.items())
    return f"{made}; compared in {report.seconds:.1f} s by {by}"


# ------------------------------------------------------------------------- terminal

def text(report: Report, color: bool = False, everything: bool = False) -> str:
    """Return a report for a terminal.

    Args:
        color: whether to color the verdict.
        everything: whether to list all that fails and every tensor; otherwise lists
            are cut, and the whole fits on a screen.
    """
    limit = sys.maxsize if everything else SHORT
    verdict = report.verdict.upper()
    if color:
        verdict = f"{COLORS[report.verdict]}{verdict}\033[0m"
    about = clip(f"{shown(report.candidate)}, judged as {shown(report.profile)}", 60)
    lines = [f"{verdict}  {about}", f"{counts(report)}", ""]
    if report.first:
        lines += ["The first step that is wrong:" if report.first.step is not None
                  else "The first tensor that is wrong:",
                  INDENT + shown(report.first), INDENT + measures(report.first),
                  INDENT + "(1 is the most that rounding explains)"]
        if report.sources:
            lines += wrapped("It is computed from: " + ", ".join(
                map(shown, report.sources)), INDENT)
        lines += listed("Also wrong, each by itself:", [
            f"{shown(tensor)}  {measures(tensor)}" for tensor in report.also], limit)
        found = cause(report, limit)
        lines += ["", *found, *([""] if found else [])]
    else:
        lines += [MEANING[report.verdict][0].upper() + MEANING[report.verdict][1:]
                  + ".", ""]
    lines += listed("Cases without any tensor:", [
        shown(name) for name in empty_cases(report)], limit)
    lines += listed("Left open by BERT, and chosen here:", [
        f"{shown(name)}: {shown(x)}" for name, x in report.variants.items()], limit)
    if report.undecidable:
        lines += wrapped(f"Rounding in {shown(report.profile)} would hide: "
                         + in_short(report.undecidable, 4 * limit))
    if everything:
        lines += table(report.tensors, "")
    elif not report.first:
        lines += table(worst_first(report)[:SHORT],
                       "The largest errors (1 is the line)")
    return "\n".join([*lines, "", *wrapped(origin(report, 16))]) + "\n"


def cause(report: Report, limit: int) -> list[str]:
    """Return the lines about the bugs that explain what fails."""
    known = bugs(report)
    lines = wrapped(explained(report)) if not report.diagnosis else []
    for bug in known[:limit]:
        head = "The bug" if report.diagnosis else "Nearest"
        lines += wrapped(f"{head}: {shown(bug.title)} [{shown(bug.id)}]")
        for name, said in (("Why", bug.why), ("Fix", bug.fix)):
            if said:
                lines += wrapped(f"{name}: {shown(said)}", INDENT)
        lines += [INDENT + f"It explains {plural(len(bug.tensors), 'tensor')}."
                  ] if report.diagnosis and bug.tensors else []
    if len(known) > limit:
        lines.append(f"and {len(known) - limit} more; --all shows them")
    return lines + (wrapped(explained(report)) if report.diagnosis else [])


def listed(head: str, items: list[str], limit: int) -> list[str]:
    """Return a list under its head, cut at a limit; nothing if it is empty."""
    if not items:
        return []
    more = [f"{INDENT}and {len(items) - limit} more; --all shows them"]
    width = WIDTH + 20 if limit == SHORT else sys.maxsize
    return [head, *(INDENT + clip(item, width) for item in items[:limit]),
            *(more if len(items) > limit else [])]


def in_short(items: list[str], limit: int) -> str:
    """Return a list as one text, cut at a limit."""
    more = f" and {len(items) - limit} more" if len(items) > limit else ""
    return ", ".join(map(shown, items[:limit])) + more


def wrapped(line: str, indent: str = "") -> list[str]:
    """Return a line as lines of WIDTH; long words, such as a sha256, stay whole."""
    return textwrap.wrap(line, WIDTH, initial_indent=indent,
                         subsequent_indent=indent + INDENT, break_long_words=False,
                         break_on_hyphens=False)


def clip(line: str, width: int) -> str:
    """Return a line of at most `width` characters."""
    return line if len(line) <= width else line[:width - 3] + "..."


def table(tensors: list[Judged], head: str) -> list[str]:
    """Return the lines of a table of tensors."""
    names = [shown(tensor) for tensor in tensors]
    width = max(map(len, [*names, head]), default=0)
    return [f"{head:{width}}  {'error':>7} {'peak':>7} {'step':>7}  status", *(
        f"{name:{width}}  {number(tensor.error):>7} {number(tensor.peak):>7} "
        f"{number(tensor.step):>7}  {tensor.status} {shown(tensor.detail)}".rstrip()
        for name, tensor in zip(names, tensors))]


# ------------------------------------------------------------------------- programs

def to_json(report: Report) -> str:
    """Return a report as a JSON object.

    An error that is infinite is the largest float64: JSON has no infinity, and null
    says that something was not measured.
    """
    def plain(value):
        if isinstance(value, float) and math.isinf(value):
            return sys.float_info.max
        if isinstance(value, str):
            return UNENCODABLE.sub("\ufffd", value)
        if isinstance(value, tuple) and hasattr(value, "_asdict"):
            value = value._asdict()
        if isinstance(value, dict):
            return {plain(str(name)): plain(x) for name, x in value.items()}
        return [plain(x) for x in value] if isinstance(value, (list, tuple)) else value

    return json_text({"format": FORMAT, "verdict": report.verdict,
                      "exit_code": report.exit_code, **plain(report)}, indent=1) + "\n"


def junit(report: Report) -> str:
    """Return a report as JUnit XML: a suite for each case, a test for each tensor."""
    def put(parent, tag, attributes):
        return ElementTree.SubElement(parent, tag, {
            name: shown(x) for name, x in attributes.items()})

    top = ElementTree.Element("testsuites", {
        "name": shown(report.candidate), "time": f"{report.seconds:.3f}",
        **totals(report.tensors)})
    for case, tensors in cases(report).items():
        suite = put(top, "testsuite", {"name": case, **totals(tensors)})
        for tensor in tensors:
            test = put(suite, "testcase", {"name": tensor.name, "classname": case})
            if tensor.status == "missing":
                put(test, "skipped", {"message": "the candidate did not give it"})
            elif tensor.wrong:
                put(test, "failure", {"type": tensor.status,
                                      "message": measures(tensor)})
    ElementTree.indent(top)
    return ElementTree.tostring(top, "unicode", xml_declaration=True) + "\n"


def totals(tensors: list[Judged]) -> dict[str, str]:
    """Return the counts that JUnit wants on a suite."""
    return {"tests": str(len(tensors)), "errors": "0",
            "failures": str(sum(tensor.wrong for tensor in tensors)),
            "skipped": str(sum(tensor.status == "missing" for tensor in tensors))}


# ------------------------------------------------------------------------- markdown

def markdown(report: Report) -> str:
    """Return a report as Markdown, for the comment of a build."""
    parts = [f"## {report.verdict.upper()}: {literal(report.candidate)}",
             f"{counts(report)}; judged as {literal(report.profile)}."]
    if report.first:
        parts += [f"**The first that is wrong:** {literal(report.first)}  \n"
                  f"{literal(measures(report.first), code=False)} "
                  "(1 is the most that rounding explains)"]
        if report.also:
            parts += ["Also wrong, each by itself:\n\n" + "\n".join(
                f"- {literal(tensor)}, {literal(measures(tensor), code=False)}"
                for tensor in report.also[:10]) + rest(report.also, 10)]
        parts += [*([explained(report)] if explained(report) else []), *(
            f"**{'The bug' if report.diagnosis else 'Nearest'}:** "
            f"{literal(bug.title, code=False)} ({literal(bug.id)})  \n"
            f"Why: {literal(bug.why, code=False)}  \n"
            f"Fix: {literal(bug.fix, code=False)}" for bug in bugs(report))]
    else:
        parts += [MEANING[report.verdict][0].upper() + MEANING[report.verdict][1:]
                  + "."]
    for head, items in (("Cases without any tensor", empty_cases(report)),
                        ("Bugs that rounding would hide", report.undecidable),
                        ("Left open by BERT, and chosen here", [
                            f"{name}: {x}" for name, x in report.variants.items()])):
        if items:
            parts += [f"{head}: {', '.join(map(literal, items))}."]
    rows = ["| case | tensor | error | peak | step | status |",
            "|---|---|--:|--:|--:|---|", *map(row, worst_first(report)[:10])]
    return "\n\n".join([*parts, "\n".join(rows),
                        literal(origin(report), code=False)]) + "\n"


def row(judged: Judged) -> str:
    """Return a tensor as a row of a table in Markdown."""
    cells = (literal(judged.case), literal(judged.name), number(judged.error),
             number(judged.peak), number(judged.step),
             f"{judged.status} {literal(judged.detail, code=False)}".strip())
    return f"| {' | '.join(cells)} |"


def rest(items: list, limit: int) -> str:
    """Return the last line of a list that was cut at a limit."""
    return f"\n- and {len(items) - limit} more" if len(items) > limit else ""


def literal(value, code: bool = True) -> str:
    """Return foreign text as Markdown that shows it as it is.

    Whatever could be markup is written as a character reference.
    """
    said = re.sub(r"[^\w\s.,:;()/=+-]|_|(?<=/)/|(?<=ww)w",
                  lambda found: f"&#{ord(found[0])};", shown(value))
    return f"<code>{said}</code>" if code else said
