"""Pictures of training: losses, gradients, and the landscape around the weights."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..system.datafiles import read_jsonl, text_lines
from . import look
from .look import INK, ORANGE, PAPER, canvas, label, series

# {kind of a parameter: how its name in a layer ends}
KINDS = {"query": "attention.self.query", "key": "attention.self.key",
         "value": "attention.self.value", "attention output": "attention.output.dense",
         "intermediate": "intermediate.dense", "output": "output.dense",
         "LayerNorm": "LayerNorm"}
TABLES = "tables, head"
LAYER = re.compile(r"(?:^|\.)layer\.(\d+)\.(.*)\.(weight|bias)$")


# ------------------------------------------------------------------------------ losses

def loss_curves(logs, *, fields=("loss", "eval_loss"), log: bool = False,
                ylabel: str = "loss", title: str = "", axes=None):
    """Draw the loss of training runs by step.

    logs: one run or {name: run}; a run is a list of rows, as the history of `train`,
    or a file that training wrote as its log, .jsonl or .csv

    Args:
        logs: as above.
        fields: names of numbers in the rows; each that a run has becomes a curve.
        log: whether the vertical scale is logarithmic.
        ylabel, title: what to write beside the picture and over it.
        axes: to draw on; by default a new figure.

    Returns:
        the figure, or `axes` if they were given.

    Raises:
        OSError, ValueError: a file can't be read, or no row has one of the fields.

    Example:
        plots.loss_curves({"lr 1e-4": "slow.jsonl", "lr 1e-3": "quick.jsonl"})
    """
    runs = logs if isinstance(logs, Mapping) else {"": logs}
    with look.style():
        out, (spot,) = canvas(axes)
        looks, count = series(), 0
        for name, run in runs.items():
            rows = rows_of(run)
            for field in fields:
                found = [(row["step"], row[field]) for row in rows
                         if isinstance(row.get(field), (int, float))]
                if found:
                    line, count = next(looks), count + 1
                    said = f"{name}: {field}" if name and len(fields) > 1 else \
                        name or field
                    spot.plot(*zip(*found), label=label(said), **line,
                              markevery=max(1, len(found) // 8))
        if not count:
            raise ValueError(f"no row has {' or '.join(fields)}, expected a number by "
                             "one of these names: pass the names of your log in fields")
        if log:
            look.log_scale(spot)
        spot.set(xlabel="step", ylabel=ylabel, title=title)
        spot.grid(True, axis="y", which="both" if log else "major")
        look.legend(spot)
    return out


def rows_of(run) -> list[dict]:
    """Return the rows of a run: those given, or those of its log file.

    Raises:
        OSError, ValueError: the file can't be read.
    """
    if not isinstance(run, (str, Path)):
        return list(run)
    path = Path(run)
    try:
        if path.suffix.lower() != ".csv":
            return [row for _, row in read_jsonl(path)]
        return [{name: float(value) for name, value in row.items() if value}
                for row in csv.DictReader(line for _, line in text_lines(path))]
    except ValueError as error:
        raise ValueError(f"{path} is not a log ({error}), expected .jsonl or .csv as "
                         "training writes it: give the file of --log") from None


# --------------------------------------------------------------------------- gradients

def gradient_norms(grads: Mapping, *, title: str = "", ylabel: str = "RMS of gradient",
                   axes=None):
    """Draw how large the gradients are, by layer and kind of parameter.

    grads {name of a parameter: its gradient, any shape}

    A point is the root mean square over the weights and biases of its kind.  The scale
    is logarithmic; a gradient that is exactly 0 is left out.

    Args:
        grads: what `model.backward` returned, or anything with the same names.
        title, ylabel: what to write over the picture and beside it.
        axes: to draw on; by default a new figure.

    Returns:
        the figure, or `axes` if they were given.

    Raises:
        ValueError: no name is that of a parameter of a layer.

    Example:
        output, saved = model.forward(**batch, labels=labels)
        plots.gradient_norms(model.backward(saved))
    """
    found = norms(grads)
    layers = sorted({place for places in found.values() for place in places
                     if isinstance(place, int)})
    if not layers:
        raise ValueError("no gradient has the name of a layer's parameter, expected "
                         "some as 'encoder.layer.0.output.dense.weight': pass what "
                         "model.backward returned")
    order = ["embeddings", *layers, "head"]
    order = [x for x in order if any(x in places for places in found.values())]
    with look.style():
        out, (spot,) = canvas(axes, (6.4, 3.6))
        for line, (kind, places) in zip(series(), found.items()):
            x = [i for i, place in enumerate(order) if places.get(place)]
            line["linestyle"] = "" if kind == TABLES else line["linestyle"]
            spot.plot(x, [places[order[i]] for i in x], label=kind, **line)
        look.log_scale(spot)
        every = -(-len(layers) // 12)
        words = "words" if len(layers) > 6 else "embeddings"
        spot.set_xticks(range(len(order)), [
            "" if isinstance(x, int) and x % every else
            words if x == "embeddings" else str(x) for x in order])
        spot.set(ylabel=ylabel, title=title, xlabel="layer")
        spot.grid(True, axis="y")
        look.legend(spot, "right")
    return out


def norms(grads: Mapping) -> dict[str, dict]:
    """Return {kind: {layer number, "embeddings" or "head": RMS}} of gradients."""
    squares: dict[str, dict] = {}
    for name, gradient in grads.items():
        kind, place = kind_and_place(name)
        values = np.asarray(gradient, float)
        total, size = squares.setdefault(kind, {}).get(place, (0.0, 0))
        squares[kind][place] = (total + float((values ** 2).sum()), size + values.size)
    order = [*KINDS, TABLES]
    return {kind: {place: (total / max(size, 1)) ** 0.5
                   for place, (total, size) in squares[kind].items()}
            for kind in sorted(squares, key=order.index)}


def kind_and_place(name: str) -> tuple[str, int | str]:
    """Return which kind of parameter a name belongs to, and in which part it lies."""
    layer = LAYER.search(name)
    if layer:
        for kind, ending in KINDS.items():
            if layer[2].endswith(ending):
                return kind, int(layer[1])
        return "output", int(layer[1])
    if "embeddings." in name and "LayerNorm" in name:
        return "LayerNorm", "embeddings"
    return TABLES, "embeddings" if "embeddings" in name else "head"


# --------------------------------------------------------------------------- landscape

def landscape(f, a=None, b=None, *, path=None, levels: int = 14, log: bool = False,
              said: str = "loss", title: str = "", axes=None):
    """Draw the loss along two directions around the weights, as contours.

    f: a function f(a, b) -> number, or its values (len(b), len(a))
    a, b (n,), (m,): how far to go along each direction; by default 25 steps in [-1, 1]

    Args:
        f, a, b: as above.  A function is called for each pair.
        path: (k, 2), places (a, b) to draw as a line, such as the steps of training.
        levels: about how many contours.
        log: whether the contours are logarithmic; the values must then be above 0.
        said: what the values are.
        title: over the picture.
        axes: to draw on; by default a new figure.

    Returns:
        the figure, or `axes` if they were given.

    Raises:
        ValueError: the values do not have the shape (len(b), len(a)).

    Example:
        plots.landscape(lambda a, b: a * a + 3 * b * b, path=[(1, 1), (0.4, 0.1)])
    """
    a = np.linspace(-1, 1, 25) if a is None else np.asarray(a)
    b = np.linspace(-1, 1, 25) if b is None else np.asarray(b)
    values = np.array([[f(x, y) for x in a] for y in b]) if callable(f) else f
    values = look.matrix("the landscape", values, len(b), len(a)).astype(float)
    with look.style():
        from matplotlib.patheffects import withStroke
        from matplotlib.ticker import LogLocator, MaxNLocator
        out, (spot,) = canvas(axes, (5, 3.9))
        locator = LogLocator(subs=(1, 2, 5)) if log else MaxNLocator(levels)
        filled = spot.contourf(a, b, values, locator=locator,
                               cmap=look.scale(0)["cmap"], norm="log" if log else None)
        lines = spot.contour(a, b, values, levels=filled.levels, colors=INK,
                             linewidths=0.5)
        for text in spot.clabel(lines, lines.levels[::2], fontsize=8, fmt="%.3g"):
            text.set_path_effects([withStroke(linewidth=2.5, foreground=PAPER)])
        if path is None:
            spot.plot(0, 0, "o", color=ORANGE, markeredgecolor="white", markersize=7)
        else:
            steps = look.matrix("the path", path, None, 2)
            spot.plot(steps[:, 0], steps[:, 1], "-o", color=ORANGE, markersize=4,
                      markeredgecolor="white", markeredgewidth=0.6)
            spot.plot(*steps[-1], "*", color=ORANGE, markeredgecolor="white",
                      markersize=13)
        spot.set(xlabel="along the first direction", ylabel="along the second",
                 title=title)
        spot.figure.colorbar(filled, ax=spot, label=said)
    return out
