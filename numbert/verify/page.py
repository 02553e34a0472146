"""A comparison as a page: one HTML file that needs nothing else, now or in ten years.

For each case a picture shows every tensor from left to right as it is computed, and how
large its error is.  Where a bug sits, the points leave the ground and stay up.  A
table below lists every tensor; a click on a head sorts it, and a click on a point leads
to its row.
"""

from __future__ import annotations

import base64
import hashlib
import html
import math
import re
from collections.abc import Iterator
from itertools import groupby

from .report import (MEANING, bugs, cases, counts, empty_cases, explained,
                     measures, number, origin, plural, shown)
from .results import Judged, Report

# A picture: its size, and the margins around what it shows.
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 380, 180, 38, 8, 24, 22
LOWEST, HIGHEST = -3, 12        # powers of ten: smaller and larger errors are cut off
LETTER = 5.2                    # the width of a letter in a picture, nearly
PARTS = {"activation": "forward", "loss": "forward", "gradient": "backward",
         "parameter gradient": "parameters", "optimiser step": "updates"}
COLUMNS = ("#", "case", "tensor", "kind", "status", "error", "peak", "step", "detail")
NUMBERS = ("#", "error", "peak", "step")

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1c1e21; --soft: #5c6370;
  --line: #d8dce2; --band: #f3f5f8; --card: #fafbfc; --good: #2065b5; --bad: #c0310b;
  --pass: #1a7f37; --fail: #b42318; --incomplete: #8a5a00; }
@media (prefers-color-scheme: dark) { :root { --paper: #15181c; --ink: #e6e8eb;
  --soft: #a0a8b4; --line: #363c45; --band: #1d2127; --card: #1a1e23; --good: #6cb0f5;
  --bad: #ff8a5c; --pass: #5bc873; --fail: #ff7b72; --incomplete: #e3b341; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.2rem; max-width: 84rem; background: var(--paper);
  color: var(--ink); font: 15px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 .3rem; }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
p, dl { margin: .3rem 0; max-width: 46rem; }
code { font: .9em ui-monospace, monospace; }
.pass b.verdict { color: var(--pass); } .fail b.verdict { color: var(--fail); }
.incomplete b.verdict { color: var(--incomplete); }
.soft, footer { color: var(--soft); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 6px;
  padding: .7rem 1rem; margin: .7rem 0; max-width: 48rem; }
.card h3 { margin: 0 0 .2rem; font-size: 1rem; }
dt { font-weight: 600; } dd { margin: 0 0 .3rem; }
.charts { display: grid; gap: .8rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 23rem), 1fr)); }
figure { margin: 0; border: 1px solid var(--line); border-radius: 6px; padding: .5rem; }
figcaption { font-weight: 600; } figcaption span { font-weight: 400; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--soft); font: 9px system-ui, sans-serif; }
.band { fill: var(--band); } .grid { stroke: var(--line); stroke-width: .5; }
.gate { stroke: var(--ink); stroke-width: 1; stroke-dasharray: 4 3; }
.edge { stroke: var(--soft); stroke-width: .7; }
.good { fill: var(--good); } .bad { fill: var(--bad); }
.wrong { fill: none; stroke: var(--bad); stroke-width: 1.3; }
.first { fill: none; stroke: var(--ink); stroke-width: 1.5; }
.gap { stroke: var(--soft); stroke-width: 1; }
.key { display: inline-block; width: 18px; height: 14px; vertical-align: -2px; }
.keys span { margin-right: 1rem; white-space: nowrap; }
.tools { display: flex; flex-wrap: wrap; align-items: center; gap: .4rem 1.2rem;
  margin: .5rem 0; }
input[type=search] { font: inherit; padding: .15rem .4rem; max-width: 100%; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .87rem; }
caption { text-align: left; color: var(--soft); }
th, td { text-align: left; padding: .15rem .5rem; border-bottom: 1px solid var(--line);
  vertical-align: top; }
td:nth-child(3) { min-width: 13rem; font-family: ui-monospace, monospace; }
td:nth-child(2), td:nth-child(4), td:nth-child(5) { white-space: nowrap; }
td.number { text-align: right; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
th { background: var(--paper); }
th button { all: unset; cursor: pointer; font-weight: 600; white-space: nowrap; }
th button:focus-visible { outline: 2px solid var(--good); }
th[aria-sort=ascending] button::after { content: " \\2191"; }
th[aria-sort=descending] button::after { content: " \\2193"; }
tr.bad td:nth-child(5) { color: var(--bad); font-weight: 600; }
tr:target td { background: var(--band); }
"""
SCRIPT = """
const body = document.querySelector("tbody"), rows = [...body.rows];
const heads = [...document.querySelectorAll("thead th")];
const value = (row, column) => {
  const cell = row.cells[column];
  return "value" in cell.dataset ? cell.dataset.value === "" ? null :
    Number(cell.dataset.value) : cell.textContent;
};
heads.forEach((head, column) => head.querySelector("button").onclick = () => {
  const before = head.getAttribute("aria-sort");
  const first = head.dataset.first, turned = {ascending: "descending",
    descending: "ascending"};
  const now = before ? turned[before] : first, sign = now === "ascending" ? 1 : -1;
  heads.forEach(other => other.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", now);
  rows.sort((x, y) => {
    const a = value(x, column), b = value(y, column);
    if (a === null || b === null) return (a === null) - (b === null);
    return sign * (a < b ? -1 : a > b ? 1 : 0);
  });
  body.append(...rows);
});
const search = document.querySelector("#search");
const wrong = document.querySelector("#wrong");
const filter = () => {
  const words = search.value.toLowerCase().split(" ");
  rows.forEach(row => row.hidden = wrong.checked && !row.classList.contains("bad") ||
    !words.every(word => row.textContent.toLowerCase().includes(word)));
};
search.oninput = wrong.onchange = filter;
"""


def page(report: Report) -> str:
    """Return a report as an HTML page that holds its style, pictures and script.

    It asks for nothing from the network: a policy in it forbids that, and any script
    but its own.
    """
    policy = f"default-src 'none'; style-src {digest(STYLE)}; script-src " \
        f"{digest(SCRIPT)}; base-uri 'none'; form-action 'none'"
    title = f"{report.verdict}: {shown(report.candidate)}"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{safe(title)}</title>
<style>{STYLE}</style>
</head>
<body class="{report.verdict}">
{''.join(summary(report))}{''.join(charts(report))}{''.join(table(report))}
<footer><p>{safe(origin(report))}</p></footer>
<script>{SCRIPT}</script>
</body>
</html>
"""


def digest(source: str) -> str:
    """Return how a content security policy names an inline style or script."""
    found = hashlib.sha256(source.encode()).digest()
    return f"'sha256-{base64.b64encode(found).decode()}'"


def safe(value) -> str:
    """Return foreign text as HTML that shows it as it is."""
    return html.escape(shown(value))


# -------------------------------------------------------------------------- summary

def summary(report: Report) -> Iterator[str]:
    """Yield the verdict, the first wrong step, and the bugs."""
    yield f"<h1><b class=verdict>{report.verdict.upper()}</b> " \
        f"<code>{safe(report.candidate)}</code></h1>\n" \
        f"<p>{safe(counts(report))}; judged as {safe(report.profile)}: " \
        f"{MEANING[report.verdict]}.</p>\n"
    if report.first:
        yield "<h2>The first that is wrong</h2>\n" \
            f"<p><code>{safe(report.first)}</code><br>{safe(measures(report.first))}" \
            " <span class=soft>(1 is the most that rounding explains)</span></p>\n"
        if report.sources:
            yield f"<p>It is computed from: {safe(', '.join(report.sources))}.</p>\n"
        if report.also:
            yield "<details><summary>Also wrong, each by itself: " \
                f"{plural(len(report.also), 'tensor')}</summary><ul>\n" + "".join(
                    f"<li><code>{safe(tensor)}</code>, {safe(measures(tensor))}</li>\n"
                    for tensor in report.also) + "</ul></details>\n"
        if explained(report):
            yield f"<p>{explained(report)}</p>\n"
    for bug in bugs(report):
        kind = "The bug" if report.diagnosis else "Nearest"
        yield f"<section class=card><h3>{kind}: {safe(bug.title)} " \
            f"<code>{safe(bug.id)}</code></h3>\n<dl><dt>Why</dt><dd>{safe(bug.why)}" \
            f"</dd><dt>Fix</dt><dd>{safe(bug.fix)}</dd></dl></section>\n"
    for head, items in (("Cases without any tensor", empty_cases(report)),
                        ("Bugs that rounding would hide", report.undecidable),
                        ("Left open by BERT, and chosen here", [
                            f"{name}: {x}" for name, x in report.variants.items()])):
        if items:
            yield f"<p>{head}: {safe(', '.join(map(str, items)))}.</p>\n"


# ------------------------------------------------------------------------- pictures

def charts(report: Report) -> Iterator[str]:
    """Yield a picture for each case, and what their marks mean."""
    top = highest(report.tensors)
    keys = (("<circle cx=9 cy=7 r=2.4 class=good />", "right"),
            ("<circle cx=9 cy=7 r=2.8 class=bad />", "wrong, or follows from it"),
            (f"<path d='{diamond(9, 7)}' class=wrong />",
             "this step is wrong by itself"),
            ("<circle cx=9 cy=7 r=5 class=first />", "the first that is wrong"),
            (f"<path d='{triangle(9, 7)}' class=bad />", "nothing to measure"),
            ("<path d='M9 3v7' class=gap />", "not given"))
    yield "<h2>Error over bound, along the depth of the model</h2>\n<p class=keys>" \
        + " ".join(f"<span><svg class=key viewBox='0 0 18 14'>{mark}</svg> {what}"
                   "</span>" for mark, what in keys) + "</p>\n<div class=charts>\n"
    start = 0
    for case, tensors in cases(report).items():
        wrong = sum(tensor.wrong for tensor in tensors)
        said = plural(len(tensors), "tensor") + (f", {wrong:,} wrong" if wrong else "")
        yield f"<figure><figcaption>{safe(case)} <span class=soft>{said}</span>" \
            f"</figcaption>\n<svg viewBox='0 0 {WIDTH} {HEIGHT}' role=img " \
            f"aria-label='{safe(case)}: {said}'>\n"
        yield from bands(tensors)
        yield from grid(top)
        for i, tensor in enumerate(tensors):
            yield from marks(tensor, x_of(i, len(tensors)), top, start + i,
                             tensor is report.first)
        yield "</svg></figure>\n"
        start += len(tensors)
    yield "</div>\n"


def highest(tensors: list[Judged]) -> int:
    """Return the power of ten at the top of all pictures."""
    found = [x for tensor in tensors for x in (tensor.error, tensor.peak, tensor.step)
             if x is not None and math.isfinite(x)]
    return min(HIGHEST, max(1, math.ceil(math.log10(max([*found, 1.0])))))


def x_of(i: float, count: int) -> float:
    """Return where tensor number i of `count` lies."""
    return LEFT + (i + 0.5) / count * (WIDTH - LEFT - RIGHT)


def y_of(value: float, top: int) -> float:
    """Return how high an error lies; what is too large or small lies at the edge."""
    power = LOWEST if value <= 10.0 ** LOWEST else \
        top if value >= 10.0 ** top else math.log10(value)
    return TOP + (top - power) / (top - LOWEST) * (HEIGHT - TOP - BOTTOM)


def bands(tensors: list[Judged]) -> Iterator[str]:
    """Yield the parts of the model as bands: embeddings, layers, and what follows."""
    low, count = HEIGHT - BOTTOM, len(tensors)
    sides = groupby(enumerate(tensors), key=lambda item: PARTS[item[1].kind])
    for number_of_side, (side, members) in enumerate(sides):
        items = list(members)
        first, last = edges(items, count)
        if number_of_side:
            yield f"<path d='M{first:.1f} {TOP - 10}V{low}' class=edge />\n"
        if last - first > LETTER * len(side):
            yield f"<text x={first + 3:.1f} y={TOP - 5}>{side}</text>\n"
        for i, (part, inside) in enumerate(groupby(
                items, key=lambda item: part_of(item[1].name))):
            left, right = edges(list(inside), count)
            if i % 2 == 0:
                yield f"<rect x={left:.1f} y={TOP} width={right - left:.1f} " \
                    f"height={low - TOP} class=band />\n"
            if right - left > LETTER * (len(part) + 1):
                yield f"<text x={(left + right) / 2:.1f} y={HEIGHT - 8} " \
                    f"text-anchor=middle>{part}</text>\n"


def edges(items: list[tuple[int, Judged]], count: int) -> tuple[float, float]:
    """Return where numbered tensors, which follow each other, begin and end."""
    return x_of(items[0][0] - 0.5, count), x_of(items[-1][0] + 0.5, count)


def part_of(name: str) -> str:
    """Return the part of the model that a tensor belongs to, in a word."""
    layer = re.search(r"\blayer\.(\d{1,4})\.", name)
    return f"layer {layer[1]}" if layer else \
        "words" if re.search(r"\bembeddings\.", name) else "head"


def grid(top: int) -> Iterator[str]:
    """Yield the powers of ten, and the line at 1."""
    right, every = WIDTH - RIGHT, -(-(top - LOWEST) // 7)
    for power in range(LOWEST, top + 1):
        y = y_of(10.0 ** power, top)
        kind = "gate" if power == 0 else "grid"
        if power % every == 0:
            label = f"{10.0 ** power:g}" if power < 4 else f"1e{power}"
            yield f"<path d='M{LEFT} {y:.1f}H{right}' class={kind} />\n" \
                f"<text x={LEFT - 4} y={y + 3:.1f} text-anchor=end>{label}</text>\n"


def marks(tensor: Judged, x: float, top: int, row: int, first: bool) -> Iterator[str]:
    """Yield what shows one tensor; each mark tells its name and leads to its row."""
    if tensor.status == "missing":
        low = HEIGHT - BOTTOM
        yield f"<path d='M{x:.1f} {low}v4' class=gap />\n"
        return
    name = f"<title>{safe(tensor.name)}: {safe(measures(tensor))}</title>"
    drawn = []
    if tensor.error is None or tensor.status in ("shape", "dtype", "not finite"):
        y = float(TOP)
        drawn.append(f"<path d='{triangle(x, y)}' class=bad>{name}</path>")
    else:
        y = y_of(max(tensor.error, tensor.peak or 0.0), top)
        kind, radius = ("bad", 2.6) if tensor.wrong else ("good", 1.8)
        drawn.append(f"<circle cx={x:.1f} cy={y:.1f} r={radius} class={kind}>{name}"
                     "</circle>")
        if (tensor.step or 0.0) > 1:
            y = y_of(tensor.step or 0.0, top)
            drawn.append(f"<path d='{diamond(x, y)}' class=wrong>{name}</path>")
    if first:
        drawn.append(f"<circle cx={x:.1f} cy={y:.1f} r=7 class=first>{name}</circle>")
    yield f"<a href='#t{row}' tabindex=-1>{''.join(drawn)}</a>\n"


def diamond(x: float, y: float) -> str:
    """Return the path of a diamond."""
    return f"M{x:.1f} {y - 4:.1f}l4 4l-4 4l-4 -4z"


def triangle(x: float, y: float) -> str:
    """Return the path of a triangle that points upwards."""
    return f"M{x:.1f} {y - 4:.1f}l4 7h-8z"


# ---------------------------------------------------------------------------- table

def table(report: Report) -> Iterator[str]:
    """Yield the table of all tensors, in the order of computation."""
    yield "<h2>Every tensor</h2>\n<div class=tools><label>Search <input type=search " \
        "id=search></label><label><input type=checkbox id=wrong> only what is wrong" \
        "</label></div>\n<div class=scroll><table><caption>In the order of " \
        "computation; click on a head to sort.</caption>\n<thead><tr>"
    for name in COLUMNS:
        first = "descending" if name in NUMBERS[1:] else "ascending"
        yield f"<th scope=col data-first={first}><button type=button>{name}</button>" \
            "</th>"
    yield "</tr></thead>\n<tbody>\n"
    for i, tensor in enumerate(report.tensors):
        kind = " class=bad" if tensor.wrong else ""
        yield f"<tr id=t{i}{kind}>{cell(i + 1, str(i + 1))}" \
            + "".join(f"<td>{safe(x)}</td>" for x in (
                tensor.case, tensor.name, tensor.kind, tensor.status)) \
            + "".join(cell(x, number(x)) for x in (
                tensor.error, tensor.peak, tensor.step)) \
            + f"<td>{safe(tensor.detail)}</td></tr>\n"
    yield "</tbody></table></div>\n"


def cell(value: float | None, said: str) -> str:
    """Return a cell that is sorted by its number; "" where nothing was measured."""
    plain = "" if value is None else "Infinity" if value == math.inf else repr(value)
    return f'<td class=number data-value="{plain}">{said}</td>'
