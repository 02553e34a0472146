"""Pictures of tokens: attention, masks, the steps of the tokenizer, similarities."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from . import look
from .look import BLUE, INK, LINE, PAPER, SOFT, canvas, label, matrix, ticks

COLUMNS = 4                     # panels in a row


# ------------------------------------------------------------------------- attention

def attention_maps(probs, tokens: Sequence, heads: Sequence[int] | None = None, *,
                   keys: Sequence | None = None, title: str = "", axes=None):
    """Draw which tokens each head attends to: one map for each head.

    probs (N, T, S), or (1, N, T, S), or (T, S) for one head

    A row is a query and sums to 1; a column is a key.

    Args:
        probs: the attention probabilities of one text.
        tokens: T labels of the queries.
        heads: which heads to show; by default all.
        keys: S labels of the keys; by default the tokens.
        title: over all panels.
        axes: one for each head, to draw on; by default a new figure.

    Returns:
        the figure, or `axes` if they were given.

    Raises:
        ValueError: the shapes and the labels do not fit, or there is no such head.

    Example:
        trace = numbert.Trace("*.layer.0.attention.self.probs")
        model(**batch, trace=trace)
        plots.attention_maps(next(iter(trace.values())), batch.tokens())
    """
    probs = np.asarray(probs)
    keys = tokens if keys is None else keys
    if probs.ndim == 4 and len(probs) == 1:
        probs = probs[0]
    probs = probs[None] if probs.ndim == 2 else probs
    if probs.shape[1:] != (len(tokens), len(keys)):
        raise ValueError(f"probs has shape {probs.shape}, expected (heads, "
                         f"{len(tokens)}, {len(keys)}) for these tokens: select one "
                         "text, as in probs[0], and pass its tokens")
    shown = list(range(len(probs))) if heads is None else list(heads)
    for head in shown:
        if not 0 <= head < len(probs):
            raise ValueError(f"heads has {head}, expected 0 to {len(probs) - 1}: count "
                             "from 0")
    return image_panels({f"head {i}": probs[i] for i in shown}, tokens, keys, axes,
                        title, "probability", 0, 1)


def image_panels(panels: Mapping, rows, columns, axes, title, said, low, high):
    """Draw matrices of the same shape and scale side by side.

    panels: {title: (T, S)}.  said: what the colours mean.
    """
    count = len(panels)
    wide = min(count, COLUMNS)
    tall = math.ceil(count / wide)
    side = min(max(1.3, 0.155 * max(len(rows), len(columns))), 4.5 / wide + 1)
    words = [max((len(label(x)) for x in names), default=0) for names in
             (rows, columns)]
    size = (wide * side + 0.075 * words[0] + 1.2,
            tall * (side + 0.3) + 0.075 * words[1] + 0.3 + 0.25 * bool(title))
    with look.style():
        out, spots = canvas(axes, size, tall, wide, count)
        for i, (spot, (name, values)) in enumerate(zip(spots, panels.items())):
            image = spot.imshow(values, aspect="auto", **look.scale(values, low, high))
            spot.set_title(name, parse_math=False)
            left, low_row = i % wide == 0, i + wide >= count
            ticks(spot.yaxis, rows if left else [""] * len(rows), side)
            ticks(spot.xaxis, columns if low_row else [""] * len(columns), side, True)
            spot.spines[:].set(visible=True, color=LINE)
            if left:
                spot.set_ylabel("query")
            if low_row:
                spot.set_xlabel("key")
        figure = spots[0].figure
        figure.colorbar(image, ax=spots, label=said, shrink=0.9, aspect=25, pad=0.02)
        if title and axes is None:
            figure.suptitle(title, parse_math=False)
    return out


def masks(arrays, tokens: Sequence, *, keys: Sequence | None = None, axes=None):
    """Draw what may be attended to, and numbers before and after a mask, side by side.

    arrays: one (T, S), or {title: (T, S)}

    A boolean array is a mask: True may be attended to, False is crossed out.  Numbers
    have a scale of their own in each panel; -inf, and what an additive mask made as
    small as that, is crossed out.

    Args:
        arrays: the masks, scores or probabilities, as above.
        tokens: T labels of the queries.
        keys: S labels of the keys; by default the tokens.
        axes: one for each array, to draw on; by default a new figure.

    Returns:
        the figure, or `axes` if they were given.

    Raises:
        ValueError: a shape does not fit the labels.

    Example:
        causal = np.tril(np.ones((4, 4), bool))
        padding = np.array([[True, True, True, False]] * 4)
        plots.masks({"padding": padding, "both": causal & padding}, list("abc-"))
    """
    keys = tokens if keys is None else keys
    named = arrays if isinstance(arrays, Mapping) else {"": arrays}
    panels = {name: matrix(name or "the mask", x, len(tokens), len(keys))
              for name, x in named.items()}
    side = max(1.5, 0.155 * max(len(tokens), len(keys)))
    wide = min(len(panels), COLUMNS)
    tall = math.ceil(len(panels) / wide)
    words = max((len(label(x)) for x in [*tokens, *keys]), default=0)
    with look.style():
        out, spots = canvas(axes, (wide * (side + 0.5) + 0.075 * words + 0.4,
                                   tall * (side + 0.4) + 0.075 * words + 0.6),
                            tall, wide, len(panels))
        for i, (spot, (name, values)) in enumerate(zip(spots, panels.items())):
            draw_mask(spot, values)
            spot.set_title(name, parse_math=False)
            ticks(spot.yaxis, tokens if i % wide == 0 else [""] * len(tokens), side)
            ticks(spot.xaxis, keys if i + wide >= len(panels) else [""] * len(keys),
                  side, True)
            spot.spines[:].set_visible(False)
            if i % wide == 0:
                spot.set_ylabel("query")
            if i + wide >= len(panels):
                spot.set_xlabel("key")
        if axes is None and any(x.dtype == bool for x in panels.values()):
            spots[0].plot([], [], "s", color=BLUE, label="may be attended to")
            out.legend(*spots[0].get_legend_handles_labels(), ncols=2,
                       loc="outside upper center")
    return out


def draw_mask(axes, values) -> None:
    """Draw one mask, or one matrix of numbers whose hidden entries are crossed out."""
    from matplotlib.colors import ListedColormap
    if values.dtype == bool:
        hidden = ~values
        axes.imshow(values, cmap=ListedColormap([PAPER, BLUE]), vmin=0, vmax=1,
                    aspect="auto")
    else:
        hidden = ~(values > -1e30)                      # -inf, float32's lowest, nan
        shown = np.ma.array(np.where(hidden, 0, values), mask=hidden)
        image = axes.imshow(shown, aspect="auto", **look.scale(shown))
        axes.figure.colorbar(image, ax=axes, aspect=15, pad=0.03)
    rows, columns = np.nonzero(hidden)
    axes.plot(columns, rows, "x", color=SOFT, markersize=4, markeredgewidth=0.8,
              label="hidden")
    axes.set_xticks(np.arange(values.shape[1]) - 0.5, minor=True)
    axes.set_yticks(np.arange(values.shape[0]) - 0.5, minor=True)
    axes.grid(which="minor", color=LINE, linewidth=0.6)
    axes.tick_params(which="minor", length=0)


# -------------------------------------------------------------------------- heat maps

def heat_map(values, rows: Sequence | None = None, columns: Sequence | None = None, *,
             said: str = "", title: str = "", low: float | None = None,
             high: float | None = None, numbers: bool = False, axes=None):
    """Draw a matrix as colours.

    values (n, m)

    Args:
        values: real numbers.
        rows, columns: n and m labels; by default the numbers from 0.
        said: what the colours mean.
        title: over the picture.
        low, high: the ends of the scale; by default the smallest and largest value.
        numbers: whether to write each value into its cell.
        axes: to draw on; by default a new figure.

    Returns:
        the figure, or `axes` if they were given.

    Raises:
        ValueError: the shape does not fit the labels.

    Example:
        plots.heat_map([[1, 0.5], [0.5, 1]], ["a", "b"], ["a", "b"], said="cosine")
    """
    values = matrix("the heat map", values, None if rows is None else len(rows),
                    None if columns is None else len(columns))
    n, m = values.shape
    height = min(max(2.2, 0.17 * n), 5 if rows is not None else 3)
    width = min(max(2.6, 0.17 * m, height * m / max(n, 1)),
                6 if columns is not None else 4)
    with look.style():
        out, (spot,) = canvas(axes, (width + 1.3, height + 0.9))
        image = spot.imshow(values, aspect="auto", **look.scale(values, low, high))
        for axis, names, length, turn in ((spot.yaxis, rows, height, False),
                                          (spot.xaxis, columns, width, True)):
            if names is not None:
                ticks(axis, names, length, turn)
        if numbers:
            for (i, j), x in np.ndenumerate(values):
                dark = sum(image.cmap(image.norm(x))[:3]) < 1.4
                spot.text(j, i, f"{x:.2g}", ha="center", va="center", fontsize=8,
                          color="white" if dark else INK)
        spot.spines[:].set(visible=True, color=LINE)
        spot.set_title(title, parse_math=False)
        spot.figure.colorbar(image, ax=spot, label=said, aspect=25, pad=0.02)
    return out


def positions(table, *, title: str = "", axes=None):
    """Draw how alike the embeddings of any two positions are.

    table (P, C): position embeddings, one row for each position

    Alike means the cosine of the angle between two rows: 1 is the same direction.

    Args:
        table: as above.
        title: over the picture.
        axes: to draw on; by default a new figure.

    Returns:
        the figure, or `axes` if they were given.

    Raises:
        ValueError: `table` is not a matrix.

    Example:
        plots.positions(model.params["bert.embeddings.position_embeddings.weight"])
    """
    table = matrix("the table", table)
    unit = table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-300)
    out = heat_map(unit @ unit.T, said="cosine", title=title, low=-1, high=1, axes=axes)
    spot = axes if axes is not None else out.axes[0]
    spot.set(xlabel="position", ylabel="position")
    return out
