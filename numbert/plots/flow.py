"""The picture of a model: every step of a real run, with its shape, in order."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from ..models.taps import taps
from ..models.trace import Trace
from . import look
from .look import BLUE, INK, ORANGE, SOFT, canvas, label

# In inches: a box, the room between rows, that between columns, the head of a column.
WIDE, TALL, ROW, GUTTER, HEAD = 1.62, 0.34, 0.44, 0.5, 0.35
SIDE = ("query", "key", "value")            # they stand side by side
FILLS = {"embeddings": "#e5f0e1", "attention": "#deebf7", "feed forward": "#fdebd0",
         "head": "#ece3f0"}
LAYER = re.compile(r"encoder\.layer\.(\d+)\.((?:cross)?attention\.)?(.*)")
INPUT = ""                                  # stands for what a column is given


class Step(NamedTuple):
    """One step of a column."""

    name: str                   # within the column, as in "self.query"
    letters: str                # its shape, "B T C"
    shape: tuple[int, ...]      # of the real run


def data_flow(model, batch: Mapping, *, title: str = "", axes=None):
    """Draw how data flows through a model: each step that a run records, and its shape.

    Steps follow each other from top to bottom, parts of the model from left to right.
    All layers have the same steps, so one is drawn.  A shape stands in letters, and in
    the numbers of this run; the last lines explain them.

    Args:
        model: any of the nine classes.
        batch: the arguments of its forward; with labels, the loss is drawn too.
        title: over the picture.
        axes: to draw on; by default a new figure.

    Returns:
        the figure, or `axes` if they were given.

    Raises:
        TypeError: the model is an encoder-decoder.

    Example:
        batch = tokenizer("Anna lives in Oslo.", return_tensors="np")
        plots.data_flow(model, batch)
    """
    if hasattr(model, "decoder"):
        raise TypeError(f"model is a {type(model).__name__}, expected one of the nine "
                        "classes: draw its halves, model.encoder and model.decoder")
    trace = Trace()
    model(**batch, trace=trace)
    columns = columns_of(model, trace)
    rows = max(len(rows_of(steps)) for steps in columns.values())
    size = (len(columns) * (WIDE + GUTTER) + 0.1, rows * ROW + HEAD + 0.6)
    with look.style():
        out, (spot,) = canvas(axes, (size[0], size[1] + 0.3 * bool(title)))
        spot.set(xlim=(-0.1, size[0] - 0.1), ylim=(-size[1], 0))
        spot.set_axis_off()
        spot.set_title(title, parse_math=False)
        places = {name: draw_column(spot, i, name, steps, model.config)
                  for i, (name, steps) in enumerate(columns.items())}
        draw_arrows(spot, columns, places)
        used = {x for steps in columns.values() for step in steps
                for x in step.letters.split()}
        spot.text(0, 0.05 - size[1], letters_of(model.config, trace, used), va="bottom",
                  color=INK, linespacing=1.4, in_layout=False)
    return out


# ----------------------------------------------------------------------- what is drawn

def columns_of(model, trace: Mapping) -> dict[str, list[Step]]:
    """Return {part of the model: its steps}, of a run; of the layers only the first."""
    shapes = taps(model)
    columns: dict[str, list[Step]] = {}
    for name, array in trace.items():
        place, short = place_of(name.removeprefix(model.prefix))
        if place is not None:
            columns.setdefault(place, []).append(Step(
                short, in_letters(name, shapes[name], model.config), array.shape))
    return columns


def place_of(name: str) -> tuple[str | None, str]:
    """Return in which column a tap is drawn and its name there; None for later layers.
    """
    found = LAYER.match(name)
    if found:
        block = {None: "feed forward", "attention.": "attention",
                 "crossattention.": "cross-attention"}[found[2]]
        return (block if found[1] == "0" else None), found[3].removeprefix("self.")
    if name.startswith("embeddings."):
        return "embeddings", name.removeprefix("embeddings.")
    return "head", name.removeprefix("cls.").replace("predictions.transform",
                                                     "transform")


def in_letters(name: str, shape: tuple, config) -> str:
    """Return a tap's shape in the letters of the legend: "B T C"."""
    last = "F" if ".intermediate." in name else "V" if "cls.predictions.out" in name \
        else "K" if name == "classifier.out" and shape[-1] == config.num_labels \
        else "C" if shape and shape[-1] == config.hidden_size else None
    letters = [str(x) for x in shape]
    if len(shape) == 4 and shape[1] == config.num_attention_heads:
        letters[1] = "N"
    elif last:
        letters[-1] = last
    return " ".join(letters)


def letters_of(config, trace: Mapping, used: set[str]) -> str:
    """Return the lines that explain the letters, with the numbers of this run."""
    probs = next(x for name, x in trace.items() if name.endswith("self.probs"))
    batch, heads, queries, keys = probs.shape
    meanings = {"B": (batch, "texts" if batch > 1 else "text"),
                "T": (queries, "tokens"), "S": (keys, "keys"),
                "C": (config.hidden_size, "hidden size"),
                "N": (heads, "heads"), "F": (config.intermediate_size, "inner size"),
                "V": (config.vocab_size, "pieces"), "K": (config.num_labels, "classes")}
    said = [f"{letter} = {size:,} {what}" for letter, (size, what) in meanings.items()
            if letter in used]
    return "    ".join(said) + "\nblue: what a part is given;  orange: the same, " \
        "added again after the part"


def rows_of(steps: list[Step]) -> list[list[Step]]:
    """Return steps as rows: query, key and value share one."""
    rows: list[list[Step]] = []
    for step in steps:
        if step.name in SIDE[1:]:
            rows[-1].append(step)
        else:
            rows.append([step])
    return rows


def sources(column: str, steps: list[Step]) -> list[tuple[str, str]]:
    """Return pairs (from, to) of the steps in a column; INPUT is what it is given."""
    names = [step.name for step in steps]
    special = {"embeddings": {"token_type_embeddings": [], "position_embeddings": [],
                              "word_embeddings": [], "sum": names[:3]},
               "attention": {"key": [INPUT], "value": [INPUT],
                             "scores": ["query", "key"], "context": ["probs", "value"],
                             "output.sum": ["output.dense", INPUT]},
               "feed forward": {"output.sum": ["output.dense", INPUT]},
               "head": {"transform.dense": [INPUT], "qa_outputs.out": [INPUT],
                        "seq_relationship.out": ["pooler.out"]}}
    special["cross-attention"] = special["attention"]
    found = special[column]
    pairs = []
    for before, name in zip([INPUT, *names], names):
        if name.endswith("loss") and column == "head":
            continue
        pairs += [(source, name) for source in found.get(name, [before])]
    losses = [name for name in names if name.endswith("loss")] if column == "head" \
        else []
    terms, logits = losses[:-1], [
        name for name in names if name in ("predictions.out", "seq_relationship.out",
                                           "qa_outputs.out", "classifier.out")]
    for i, term in enumerate(terms):
        pairs.append((logits[min(i, len(logits) - 1)], term))
    return pairs + [(x, losses[-1]) for x in terms or logits if losses]


# ------------------------------------------------------------------------------ drawing

def draw_column(axes, number: int, name: str, steps: list[Step], config) -> dict:
    """Draw the boxes of one part; return {step: (left, right, middle of its height)}.
    """
    from matplotlib.patches import FancyBboxPatch
    left, places = number * (WIDE + GUTTER), {}
    layers = config.num_hidden_layers
    head = name if name in ("embeddings", "head") else f"{name}, × {layers}"
    axes.text(left + WIDE / 2, -0.12, head, ha="center", va="center", weight="bold",
              fontsize=10)
    for i, row in enumerate(rows_of(steps)):
        middle, width = -(HEAD + i * ROW + TALL / 2), WIDE / len(row)
        for j, step in enumerate(row):
            start = left + j * width
            wide = width - (0.06 if len(row) > 1 else 0)
            axes.add_patch(FancyBboxPatch(
                (start, middle - TALL / 2), wide, TALL, edgecolor=SOFT, linewidth=0.7,
                boxstyle="round,pad=0,rounding_size=0.05",
                facecolor=FILLS[name.removeprefix("cross-")]))
            numbers = " x ".join(map(str, step.shape))
            said = "one number" if not step.shape else step.letters if len(row) > 1 \
                else f"{step.letters}  =  {numbers}"
            axes.text(start + wide / 2, middle + 0.075, label(step.name), ha="center",
                      va="center", fontsize=8.5)
            axes.text(start + wide / 2, middle - 0.085, said, ha="center", va="center",
                      fontsize=7.5, color=SOFT)
            places[step.name] = (start, start + wide, middle)
    return places


def draw_arrows(axes, columns: Mapping, places: Mapping) -> None:
    """Draw what each step is computed from."""
    last = None
    for column, steps in columns.items():
        own, offset = places[column], 0.1
        left = min(x[0] for x in own.values())
        for source, target in sources(column, steps):
            a, b = own.get(source), own[target]
            if a is None and b[2] == own[steps[0].name][2]:
                if last is not None:                      # from the part before
                    enter(axes, last, left, b)
            elif a is None:
                colour = ORANGE if target == "output.sum" else BLUE
                start = (left + WIDE / 2, left + WIDE / 2, 0.08 - HEAD)
                skip(axes, start, b, colour, 0.3)
            elif a[2] - b[2] < 1.5 * ROW:
                x = (a[0] + a[1]) / 2
                arrow(axes, (x, a[2] - TALL / 2), (x, b[2] + TALL / 2))
            else:
                skip(axes, a, b, SOFT, offset)
                offset += 0.06
        last = own[steps[-1].name] if column != "head" else None


def enter(axes, last, left: float, target) -> None:
    """Lead from the last step of a part to the top of the next."""
    gap, top = left - 0.1, 0.08 - HEAD
    x = (target[0] + target[1]) / 2
    axes.plot([last[1], gap, gap, x], [last[2], last[2], top, top], color=BLUE,
              linewidth=1.1, solid_joinstyle="round", zorder=0.5)
    arrow(axes, (x, top), (x, target[2] + TALL / 2), BLUE)


def skip(axes, a, b, colour: str, offset: float) -> None:
    """Lead past other steps, on the right."""
    x = b[1] + offset
    axes.plot([a[1], x, x], [a[2], a[2], b[2]], color=colour, linewidth=1.1,
              solid_joinstyle="round", zorder=0)
    arrow(axes, (x, b[2]), (b[1], b[2]), colour)


def arrow(axes, start, end, colour: str = SOFT) -> None:
    """Draw an arrow."""
    axes.annotate("", end, start, arrowprops={
        "arrowstyle": "-|>", "color": colour, "linewidth": 1.1, "shrinkA": 0,
        "shrinkB": 0, "mutation_scale": 7})
