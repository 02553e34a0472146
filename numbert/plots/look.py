"""One look for all pictures: the size, the letters, the colours, the paper.

The colours are those of Okabe and Ito, which people with any kind of colour vision can
tell apart.  Images go from paper to dark blue, so they read well without colours and
take little ink.  The paper is light in every theme: a picture reads well on a dark page
too.
"""

from __future__ import annotations

import io
import math
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import cycle
from typing import Any

import numpy as np

from ..system.terminal import escaped

PAPER, INK, SOFT, LINE = "#fcfcfa", "#24292f", "#59636e", "#d5d9de"
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, "#56B4E9", "#B37A00", INK, "#8c959f")
MARKS, DASHES = "osD^vPX*", ("-", "--", "-.", ":")
SHADES = (PAPER, "#b9dcf2", "#56B4E9", BLUE, "#002b4d")      # of an image
BELOW = ("#4d1d00", ORANGE, "#e9a04f", "#f8dcbb")             # for what is below 0
FONT = "DejaVu Sans"                        # comes with matplotlib
RC = {
    "font.family": FONT, "font.size": 9, "axes.titlesize": 10, "axes.labelsize": 9,
    "xtick.labelsize": 9, "ytick.labelsize": 9, "legend.fontsize": 9,
    "figure.titlesize": 10, "text.color": INK, "axes.labelcolor": INK,
    "axes.titlecolor": INK, "xtick.color": INK, "ytick.color": INK,
    "axes.edgecolor": SOFT, "axes.linewidth": 0.8, "axes.spines.top": False,
    "axes.spines.right": False, "axes.facecolor": PAPER, "figure.facecolor": PAPER,
    "savefig.facecolor": "auto", "figure.dpi": 100, "savefig.dpi": "figure",
    "legend.frameon": False, "lines.linewidth": 1.6, "lines.markersize": 4.5,
    "xtick.major.size": 3, "ytick.major.size": 3, "grid.color": LINE,
    "grid.linewidth": 0.6, "image.interpolation": "nearest",
    "axes.unicode_minus": True, "mathtext.fontset": "dejavusans"}


def matplotlib() -> Any:
    """Return the package matplotlib.

    Raises:
        ImportError: it is not installed.
    """
    try:
        import matplotlib.figure
    except ImportError as error:
        raise ImportError("matplotlib is not installed, expected it for pictures: "
                          'pip install "numbert[notebooks]"') from error
    return matplotlib


@contextmanager
def style() -> Iterator[None]:
    """Draw in the look of numbert; other pictures keep theirs.

    Example:
        with plots.style():
            figure, axes = plt.subplots()
    """
    with matplotlib().rc_context(RC):
        yield


def canvas(axes=None, size=(6, 3.5), rows: int = 1, columns: int = 1,
           count: int | None = None) -> tuple[Any, list]:
    """Return (what to return, the axes to draw on).

    Args:
        axes: None for a new figure; else axes of the caller, `count` of them.
        size: of a new figure, in inches.
        rows, columns: how its axes are laid out.
        count: how many of them are needed; by default all.

    Raises:
        ValueError: `axes` is not that many.
    """
    count = rows * columns if count is None else count
    if axes is not None:
        given = list(np.ravel(np.array(axes, object)))
        if len(given) != count:
            raise ValueError(f"axes are {len(given)}, expected {count}: pass one for "
                             "each panel, or leave axes out")
        return axes, given
    figure = new_figure(size)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for unused in panels[count:]:
        unused.set_axis_off()
    return figure, list(panels[:count])


def new_figure(size=(6, 3.5)) -> Any:
    """Return an empty figure that a notebook shows once, as the value of a cell."""
    figure = matplotlib().figure.Figure(figsize=size, layout="constrained")
    # pyplot would keep it in memory, and show it a second time.
    setattr(figure, "_repr_png_", lambda: png(figure))
    return figure


def png(figure) -> bytes:
    """Return a figure as the bytes of a PNG file."""
    found = io.BytesIO()
    figure.savefig(found, format="png", metadata={"Software": None})
    return found.getvalue()


def scale(values, low: float | None = None, high: float | None = None) -> dict:
    """Return the arguments of imshow that colour these values.

    Values from 0 up go from paper to dark blue.  Where some are negative, 0 is paper,
    and what is below 0 is orange.
    """
    from matplotlib.colors import LinearSegmentedColormap
    seen: np.ndarray = np.ma.masked_invalid(np.ma.array(values, float)).compressed()
    low = float(np.min(seen, initial=np.inf)) if low is None else low
    high = float(np.max(seen, initial=-np.inf)) if high is None else high
    signed = low < 0
    if signed:
        high = max(-low, high)
        low = -high
    colours = BELOW + SHADES if signed else SHADES
    return {"cmap": LinearSegmentedColormap.from_list("numbert", colours), "vmin": low,
            "vmax": high}


def series() -> Iterator[dict]:
    """Yield how to draw one curve after another: colour, marker and dashes differ."""
    for colour, mark, dashes in zip(cycle(COLOURS), cycle(MARKS), cycle(DASHES)):
        yield {"color": colour, "marker": mark, "linestyle": dashes}


# --------------------------------------------------------------------------- labels

@cache
def has_glyph(char: str) -> bool:
    """Whether the letters of the pictures have this character."""
    from matplotlib.font_manager import FontProperties, findfont, get_font
    font = get_font(findfont(FontProperties(family=FONT)))
    return bool(font.get_char_index(ord(char))) or char == "\n"


def label(text) -> str:
    """Return foreign text as a label shows it: nothing hidden, no empty boxes."""
    return "".join(
        c if has_glyph(c) and not unicodedata.combining(c) else f"U+{ord(c):04X}"
        for c in escaped(str(text)))


def ticks(axis, labels: Sequence, inches: float, turn: bool = False) -> None:
    """Write one label under each cell of an image, or as many as fit.

    Args:
        axis: axes.xaxis or axes.yaxis.
        labels: one for each cell.
        inches: how long the axis is.
        turn: whether to write upwards.
    """
    every = max(1, math.ceil(len(labels) * 0.15 / inches))
    shown = range(0, len(labels), every)
    axis.set_ticks(list(shown))
    axis.set_ticklabels([label(labels[i]) for i in shown], parse_math=False,
                        rotation=90 if turn else 0)
    axis.set_tick_params(length=0)


def legend(axes, place: str = "", columns: int = 1, least: int = 2) -> None:
    """Explain the curves, if there are at least so many; names are not formulas.

    place: "right" or "above" to put it outside, if the figure has room to give.
    """
    handles, names = axes.get_legend_handles_labels()
    if len(names) < least:
        return
    own = hasattr(axes.figure, "_repr_png_")
    if place and own:
        found = axes.figure.legend(handles, names, ncols=columns, loc="outside " + {
            "right": "right center", "above": "upper center"}[place])
    else:
        found = axes.legend(handles, names)
    for text in found.get_texts():
        text.set_parse_math(False)


def log_scale(axes) -> None:
    """Make the vertical scale logarithmic, with plain numbers where they are short."""
    axes.set_yscale("log")
    axis, (low, high) = axes.yaxis, sorted(axes.get_ylim())
    if high / max(low, 1e-300) < 300 and 1e-3 < high < 1e4:
        axis.set_major_formatter(lambda x, place: f"{x:g}")
        axis.set_minor_formatter(lambda x, place: f"{x:g}" if f"{x:e}"[0] in "235"
                                 else "")
    else:
        axis.set_minor_formatter("")


# ---------------------------------------------------------------------------- checks

def matrix(name: str, values, rows: int | None = None, columns: int | None = None):
    """Return an array (rows, columns); refuse another shape.

    Raises:
        ValueError: it has not two axes, or not these sizes.
    """
    values = np.asarray(values)
    shape = (rows, columns)
    if values.ndim != 2 or any(want not in (None, got)
                               for want, got in zip(shape, values.shape)):
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        raise ValueError(f"{name} has shape {values.shape}, expected ({wanted}): "
                         "select one text, or correct the labels")
    return values


def same_length(**given) -> int:
    """Return how long these sequences are; None is left out.

    Raises:
        ValueError: they differ.
    """
    lengths = {name: len(x) for name, x in given.items() if x is not None}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise ValueError(f"the lengths are {said}, expected the same: pass one of each "
                         "for every item")
    return next(iter(lengths.values()))
