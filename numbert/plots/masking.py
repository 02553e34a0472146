"""A picture of masked data: its shares, and what chance explains of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import look
from .look import BLUE, INK, LINE, ORANGE, PAPER, new_figure

SHOWN = {"selected": "selected", "[MASK]": "became [MASK]", "random": "became random",
         "kept": "kept", "both [MASK]": "two in a row [MASK]",
         "B follows A": "B follows A"}
FARTHEST = 5                    # half widths of the band; beyond, there is an arrow


def masking_histogram(report, axes=None) -> Any:
    """Draw the shares of masked data beside what chance explains.

    Above, each share lies in the band if a right pipeline may have it.  Below, the same
    for the sixteenths of a row, and for parts of the vocabulary from which random
    pieces come.

    Args:
        report: from numbert.testing.masking_report: `check_file` or `check_masking`.
        axes: where to draw the upper picture alone; by default a new figure with all.

    Returns:
        the figure, or `axes` if they were given.

    Example:
        report = check_masking(batches, rules_of(tokenizer))
        plots.masking_histogram(report)
    """
    with look.style():
        if axes is not None:
            draw_shares(report, axes)
            return axes
        figure = new_figure((8, 6.5))
        spots = figure.subplot_mosaic([["shares", "shares"], ["places", "groups"]],
                                      height_ratios=(3, 2))
        draw_shares(report, spots["shares"])
        by_name = {check.name: check for check in report.checks}
        draw_parts(by_name["places"].parts, spots["places"],
                   "selected, by place in the row", "sixteenths of a row")
        ids = [x for x in by_name["ranges"].parts if x.label.startswith("ids ")][30:62]
        draw_parts(ids, spots["groups"], "random pieces, by id",
                   "32nds of the vocabulary" if len(ids) == 32 else
                   "parts of the vocabulary")
        return figure


def draw_shares(report, axes) -> None:
    """Draw each share as a mark; the band from -1 to 1 is what chance explains."""
    found = [part for check in report.checks for part in check.parts
             if part.label in SHOWN]
    axes.axvspan(-1, 1, color=LINE, zorder=0)
    axes.axvline(0, color=PAPER, linewidth=1, zorder=1)
    for y, part in enumerate(found):
        wrong = is_wrong(part)
        far = distance(part)
        cut = float(np.clip(far, -FARTHEST, FARTHEST))
        mark = "D" if wrong and cut == far else "o" if not wrong else \
            ">" if far > 0 else "<"
        axes.plot(cut, y, mark, color=ORANGE if wrong else BLUE, markersize=8, zorder=3)
    axes.set_yticks(range(len(found)), [
        f"{SHOWN[x.label]}  {share(x.found, x)} %\n({share(x.least, x)} to "
        f"{share(x.most, x)})" for x in found])
    for tick, part in zip(axes.get_yticklabels(), found):
        tick.set(color=ORANGE if is_wrong(part) else INK,
                 fontweight="bold" if is_wrong(part) else "normal")
    axes.set(xlim=(-FARTHEST - 0.4, FARTHEST + 0.4), ylim=(len(found) - 0.5, -0.5),
             xlabel="distance from what was asked for; "
                    "chance explains what lies in the grey band")
    axes.set_title(f"{report.verdict.upper()}: {report.total['selected units']:,} of "
                   f"{report.total['units']:,} selected; false alarms at most "
                   f"{report.asked.false_alarms:g}", loc="left")


def is_wrong(part) -> bool:
    """Whether a number lies outside its bounds."""
    return not part.least <= part.found <= part.most


def distance(part) -> float:
    """Return how far a number lies from the middle of its bounds, in half widths."""
    middle, half = (part.least + part.most) / 2, (part.most - part.least) / 2
    return (part.found - middle) / max(half, 0.5)


def share(number: int, part) -> str:
    """Return a number of a part as per cent."""
    return f"{100 * number / max(part.trials, 1):.2f}"


def draw_parts(parts: list, axes, title: str, label: str) -> None:
    """Draw shares from left to right, each with the bounds that belong to it."""
    axes.set_title(title, loc="left")
    if not parts:
        axes.text(0.5, 0.5, "too little data", ha="center", transform=axes.transAxes)
        axes.set(xticks=[], yticks=[])
        return
    x = np.arange(1, len(parts) + 1)
    least, most, found = (np.array([100 * getattr(part, name) / max(part.trials, 1)
                                    for part in parts])
                          for name in ("least", "most", "found"))
    axes.fill_between(np.arange(len(parts) + 1) + 0.5, np.append(least, least[-1]),
                      np.append(most, most[-1]), color=LINE, step="post", linewidth=0,
                      zorder=0)
    wrong = np.array([is_wrong(part) for part in parts])
    axes.plot(x[~wrong], found[~wrong], "o", color=BLUE, markersize=4)
    axes.plot(x[wrong], found[wrong], "D", color=ORANGE, markersize=5)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set(xlabel=label, ylabel="%", xlim=(0.3, len(parts) + 0.7))
