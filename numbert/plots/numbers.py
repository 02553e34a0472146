"""Pictures of numbers: curves, errors over their bounds, shares, scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

import numpy as np

from ..verify.page import part_of
from ..verify.proofs import Step
from ..verify.report import cases
from ..verify.results import Judged, Report
from . import look
from .look import (BLUE, INK, LINE, ORANGE, PAPER, SHADES, SOFT, canvas, label,
                   same_length, series)

BAND = "#f0f1ee"
KINDS = ("activation", "loss", "gradient")      # of a report, what is drawn
STEP = "the step by itself"                     # without the errors before it


def curves(x, ys: Mapping, *, xlabel: str = "", ylabel: str = "", title: str = "",
           log: bool = False, axes=None):
    """Draw functions of one variable.

    x (n,); ys {name: (n,)}

    Args:
        x, ys: as above.
        xlabel, ylabel, title: what to write at the axes and over them.
        log: whether the vertical scale is logarithmic; it then shows |y|.
        axes: to draw on; by default a new figure.

    Returns:
        the figure, or `axes` if they were given.

    Raises:
        ValueError: a y is not as long as x.

    Example:
        x = np.linspace(-4, 4, 200)
        plots.curves(x, {"gelu": gelu(x)[0], "relu": np.maximum(x, 0)}, xlabel="x")
    """
    x = np.asarray(x)
    same_length(x=x, **{str(name): y for name, y in ys.items()})
    with look.style():
        out, (spot,) = canvas(axes)
        for line, (name, y) in zip(series(), ys.items()):
            spot.plot(x, np.abs(y) if log else y, label=label(name),
                      markevery=max(1, len(x) // 8), **line)
        if log:
            look.log_scale(spot)
        elif np.min(x, initial=0) < 0 < np.max(x, initial=0):
            spot.axvline(0, color=LINE, linewidth=0.8, zorder=0)
            spot.axhline(0, color=LINE, linewidth=0.8, zorder=0)
        spot.grid(True, axis="y")
        spot.set(xlabel=xlabel, ylabel=ylabel, title=title)
        look.legend(spot)
    return out


# --------------------------------------------------------------------- errors by depth

def errors_by_depth(errors, *, case: str | None = None, title: str = "",
                    ylabel: str = "error / bound", axes=None):
    """Draw how errors grow along the depth of a model, over the line at 1.

    errors {curve: (n,)}, {curve: {tap: error over bound}}, or a report of `verify`

    An error over its bound is right below 1, and wrong above it.  The scale is
    logarithmic.  An error of 0 lies on the floor, as a triangle; one that is infinite
    or not a number lies under the ceiling.

    Args:
        errors: as above.  Curves by tap share the taps of the longest one; a tap that
            a curve lacks is a gap.
        case: which case of a report to draw; by default that of the first wrong step,
            else the one with the most tensors.
        title, ylabel: what to write over the picture and beside it.
        axes: to draw on; by default a new figure.

    Returns:
        the figure, or `axes` if they were given.

    Raises:
        ValueError: there is nothing to draw, or the report has no such case.

    Example:
        bounds = {"float32": {"embeddings.out": 0.2, "encoder.layer.0.output.out": 0.3}}
        plots.errors_by_depth(bounds)
    """
    first = None
    if isinstance(errors, Report):
        errors, first, name = of_report(errors, case)
        title = title or f"case {name}"
    if not errors:
        raise ValueError("errors are empty, expected one curve or more: pass {name: "
                         "errors}")
    names = max((list(x) for x in errors.values() if isinstance(x, Mapping)), key=len,
                default=None)
    with look.style():
        out, (spot,) = canvas(axes)
        count = 0
        for line, (name, found) in zip(series(), errors.items()):
            y = np.array([found.get(tap, np.nan) if found.get(tap) is not None else
                          np.nan for tap in names or ()] if isinstance(found, Mapping)
                         else found, float)
            draw_errors(spot, y, {**line, "label": label(name)},
                        gaps=isinstance(found, Mapping))
            count = max(count, len(y))
        spot.axhline(1, color=INK, linewidth=1.2)
        spot.text(1, 1, " bound", transform=spot.get_yaxis_transform(), va="center")
        look.log_scale(spot)
        low, high = spot.get_ylim()
        spot.set(xlim=(-0.5, count - 0.5), ylim=(min(low, 0.5), max(high, 3)),
                 ylabel=ylabel)
        spot.set_title(label(title), parse_math=False)
        spot.grid(True, axis="y")
        parts(spot, names, count)
        if first is not None and names and first.name in names:
            mark_first(spot, names.index(first.name), first)
        look.legend(spot, "above", 4)
    return out


def draw_errors(axes, y, line: dict, gaps: bool) -> None:
    """Draw one curve of errors; 0 lies on the floor, infinity under the ceiling."""
    x = np.arange(len(y))
    here = np.isfinite(y) & (y > 0)
    dense = len(y) > 40
    if line["label"] == STEP:
        line = {**line, "marker": "D", "markerfacecolor": "none", "linestyle": ""}
    axes.plot(x, np.where(here, y, np.nan), **{
        **line, "linewidth": 1 if dense else 1.6, "markersize": 3 if dense else 4.5})
    for where, height, mark in ((y == 0, 0.02, "v"), (
            np.isinf(y) | (np.isnan(y) & (not gaps)), 0.98, "^")):
        if where.any():
            axes.plot(x[where], np.full(where.sum(), height), mark, color=line["color"],
                      markerfacecolor="none", transform=axes.get_xaxis_transform(),
                      clip_on=False, markersize=5)


def of_report(report: Report, case: str | None):
    """Return ({curve: {tensor: error}}, the first wrong one or None, the case)."""
    found = cases(report)
    if case is None:
        case = report.first.case if report.first else max(
            found, key=lambda name: sum(x.kind in KINDS for x in found[name]),
            default="")
    if case not in found:
        raise ValueError(f"case is {case!r}, expected one of {', '.join(found)}: "
                         "check the spelling")
    tensors = [x for x in found[case] if x.status != "missing" and x.kind in KINDS]
    drawn = {"error": {x.name: larger(x) for x in tensors},
             STEP: {x.name: x.step for x in tensors}}
    first = report.first if report.first and report.first.case == case else None
    return drawn, first, case


def larger(judged: Judged) -> float:
    """Return the larger of error and peak; infinity where neither could be had."""
    if judged.error is None:
        return np.inf
    return max(judged.error, judged.peak or 0.0)


def mark_first(axes, at: int, judged: Judged) -> None:
    """Ring the first tensor that is wrong, and say its name."""
    height = larger(judged)
    if not np.isfinite(height) or height <= 0:
        return
    axes.plot([at], [height], "o", markersize=11, markerfacecolor="none",
              markeredgecolor=INK, markeredgewidth=1.4)
    left = at < axes.get_xlim()[1] / 2
    short = ".".join(judged.name.split(".")[-2:])
    axes.annotate(f"first wrong: {label(short)}", (at, height), parse_math=False,
                  xytext=(16 if left else -16, -34), textcoords="offset points",
                  ha="left" if left else "right", va="top", zorder=5, bbox={
                      "facecolor": PAPER, "edgecolor": LINE, "pad": 2},
                  arrowprops={"arrowstyle": "-", "color": INK, "linewidth": 0.8,
                              "shrinkB": 6})


def parts(axes, names: Sequence[str] | None, count: int) -> None:
    """Shade the parts of the model, and name them where there is room."""
    if not names:
        axes.set_xlabel("step, in the order of computation")
        axes.xaxis.get_major_locator().set_params(integer=True)
        return
    places, labels = [], []
    grouped = groupby(range(count), key=lambda i: (backward(names[i]),
                                                   part_of(names[i])))
    for number, ((_, name), members) in enumerate(grouped):
        inside = list(members)
        if number % 2 == 0:
            axes.axvspan(inside[0] - 0.5, inside[-1] + 0.5, color=BAND, zorder=-1,
                         linewidth=0)
        if len(inside) * 5.2 / count > 0.075 * len(name) + 0.05:
            places.append((inside[0] + inside[-1]) / 2)
            labels.append(name)
    axes.set_xticks(places, labels, parse_math=False)
    axes.tick_params(axis="x", length=0)
    turn = next((i for i in range(count) if backward(names[i])), None)
    axes.set_xlabel("in the order of computation" if turn is None else
                    "in the order of computation: forward, then backward")
    if turn:
        axes.axvline(turn - 0.5, color=SOFT, linewidth=0.8)


def backward(name: str) -> bool:
    """Whether a tensor is a gradient."""
    return name.startswith(("grad:", "dparam:"))


def digits_by_depth(steps: Sequence[Step], *, title: str = "", axes=None):
    """Draw how many decimal digits float64 and float32 get right, step by step.

    A line is the digits of a typical entry of a tensor (the median), dots are those of
    its worst entry.  A step that is exact leaves a gap.

    Args:
        steps: those of `numbert.verify.proofs.prove`.
        title: over the picture.
        axes: to draw on; by default a new figure.

    Returns:
        the figure, or `axes` if they were given.

    Raises:
        ValueError: there are no steps.

    Example:
        proof = prove(model, tokenizer("Some text.", return_tensors="np"))
        plots.digits_by_depth(proof.steps)
    """
    if not steps:
        raise ValueError("steps are empty, expected those of a proof: pass proof.steps")
    with look.style():
        out, (spot,) = canvas(axes)
        for line, dtype in zip(series(), ("float64", "float32")):
            digits = np.array([getattr(step, dtype) for step in steps], float)
            digits[np.isinf(digits)] = np.nan
            line = {**line, "linewidth": 1.2, "markersize": 3}
            spot.plot(digits[:, 0], label=f"{dtype}, median", **line)
            spot.plot(digits[:, 1], label=f"{dtype}, fewest", **{
                **line, "linestyle": "", "marker": "_", "markersize": 6})
        spot.set(ylabel="right digits", ylim=(0, None), xlim=(-0.5, len(steps) - 0.5))
        spot.set_title(label(title), parse_math=False)
        spot.grid(True, axis="y")
        parts(spot, [step.name for step in steps], len(steps))
        look.legend(spot, "above", 4)
    return out


# ------------------------------------------------------------------ shares and scores

def shares(observed, expected, low, high, labels: Sequence, *, title: str = "",
           axes=None):
    """Draw how far observed shares are from the expected, over what chance allows.

    observed, expected, low, high (n,)

    The bar reaches from low to high, the stroke is what is expected.  What was observed
    is a dot inside of the bar, and a cross outside.

    Args:
        observed, expected, low, high: shares or counts.
        labels: n names.
        title: over the picture.
        axes: to draw on; by default a new figure.

    Returns:
        the figure, or `axes` if they were given.

    Raises:
        ValueError: they are not equally many, or low is larger than high.

    Example:
        plots.shares([0.801, 0.12], [0.8, 0.1], [0.79, 0.09], [0.81, 0.11],
                     ["[MASK]", "another token"])
    """
    count = same_length(observed=observed, expected=expected, low=low, high=high,
                        labels=labels)
    x, middle, low, high = (np.asarray(values, float)
                            for values in (observed, expected, low, high))
    if (low > high).any():
        raise ValueError("low is larger than high, expected ranges: swap them")
    rows = np.arange(count)[::-1]
    outside = ~((low <= x) & (x <= high))
    with look.style():
        out, (spot,) = canvas(axes, (6, 1.3 + 0.3 * count))
        spot.barh(rows, high - low, left=low - middle, height=0.55, color=SHADES[1],
                  label="allowed by chance")
        spot.plot(np.zeros(count), rows, "|", color=INK, markersize=13,
                  label="expected")
        for where, mark, colour, name in ((~outside, "o", BLUE, "observed"),
                                          (outside, "X", ORANGE, "outside")):
            if where.any():
                spot.plot((x - middle)[where], rows[where], mark, color=colour,
                          markersize=7, markeredgecolor="white", label=name)
        spot.set_yticks(rows, [f"{label(name)}: {a:.4g} ({b:.4g})" for name, a, b
                               in zip(labels, x, middle)], parse_math=False)
        spot.set(xlabel="observed - expected", title=title, ylim=(-0.6, count - 0.4))
        spot.grid(True, axis="x")
        spot.set_axisbelow(True)
        spot.locator_params(axis="x", nbins=6)
        look.legend(spot, "above", 4)
    return out


def scores(values: Mapping, *, low=None, high=None, reference: Mapping | None = None,
           xlabel: str = "score", title: str = "", axes=None):
    """Draw scores as bars, with intervals: of probes, of heads, of models.

    values {name: score}; low, high {name: score}

    Args:
        values: as above.
        low, high: the ends of the interval of each score; by default no intervals.
        reference: {name: score} of vertical lines, such as {"chance": 0.5}.
        xlabel, title: what to write under the picture and over it.
        axes: to draw on; by default a new figure.

    Returns:
        the figure, or `axes` if they were given.

    Raises:
        ValueError: only one end of the intervals is given, or a name lacks its ends.

    Example:
        plots.scores({"layer 0": 0.71, "layer 1": 0.9}, low={"layer 0": 0.6, "layer 1":
                     0.8}, high={"layer 0": 0.8, "layer 1": 1.0})
    """
    if (low is None) != (high is None) or low is not None and not (
            set(values) <= set(low) and set(values) <= set(high)):
        raise ValueError("low and high do not name every score, expected both ends of "
                         "each interval: pass both, or neither")
    rows, x = np.arange(len(values))[::-1], np.array(list(values.values()), float)
    ends = None if low is None else np.array([
        [x[i] - low[name], high[name] - x[i]] for i, name in enumerate(values)]).T
    with look.style():
        out, (spot,) = canvas(axes, (6, 1.1 + 0.27 * len(values)))
        spot.barh(rows, x, height=0.6, color=SHADES[2], xerr=ends, error_kw={
            "ecolor": INK, "elinewidth": 1.2, "capsize": 2.5})
        for line, (name, at) in zip(("--", ":", "-."), (reference or {}).items()):
            spot.axvline(at, color=ORANGE, linestyle=line, label=label(name))
        spot.set_yticks(rows, [label(name) for name in values], parse_math=False)
        spot.tick_params(axis="y", length=0)
        spot.set(xlabel=xlabel, title=title)
        spot.spines["left"].set_color(SOFT)
        look.legend(spot, "above", 3, least=1)
    return out
