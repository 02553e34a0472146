"""Small tables of HTML, for objects that show themselves in a notebook.

They set no colour and no background: those of the page hold, light or dark.  All that
is written into them is escaped.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from .numbers import is_number, is_whole_number
from .terminal import escaped

LEFT, RIGHT = "text-align: left", "text-align: right"
MOST, LONG = 24, 80             # rows of a table, characters of a cell


def safe(value) -> str:
    """Return foreign text as HTML that shows it as it is."""
    return html.escape(escaped(str(value)))


def table(title: str, head: Sequence, rows: Iterable[Sequence],
          most: int = MOST) -> str:
    """Return a table; of more than `most` rows, those in the middle are left out.

    title: what it shows, in bold up to the first comma.
    Numbers go to the right, with commas; a cell that is too long is cut.
    """
    rows = list(rows)
    gap = [] if len(rows) <= most else [[f"... {len(rows) - most + 1:,} more"]]
    if gap:
        rows = [*rows[:most // 2], *gap, *rows[len(rows) - (most - most // 2 - 1):]]
    name, comma, rest = title.partition(",")
    sides = [RIGHT if is_number(x) else LEFT for x in rows[0]] if rows else []
    top = "".join(f'<th style="{side}">{safe(x)}</th>'
                  for x, side in zip(head, [*sides, *[LEFT] * len(head)]))
    body = "".join(f"<tr>{''.join(map(cell, row))}</tr>\n" for row in rows)
    return f"<div><b>{safe(name)}</b>{safe(comma + rest)}</div>\n<table>\n" + (
        f"<thead><tr>{top}</tr></thead>\n" if any(head) else "") + \
        f"<tbody>\n{body}</tbody>\n</table>\n"


def cell(value) -> str:
    """Return a cell of a table."""
    if is_number(value):
        shown = f"{value:,}" if is_whole_number(value) else f"{value:.3g}"
        return f'<td style="{RIGHT}">{shown}</td>'
    text = str(value)
    return f'<td style="{LEFT}">' \
        f"{safe(text if len(text) <= LONG else text[:LONG - 3] + '...')}</td>"


def arrays(title: str, named: Mapping) -> str:
    """Return a table of arrays: name, shape, dtype, and what is in them."""
    return table(title, ("name", "shape", "dtype", "values"),
                 ([name, *described(value)] for name, value in named.items()))


def described(value) -> tuple[str, str, str]:
    """Return shape, dtype and values of an array, as texts; also of a tuple of these.
    """
    if isinstance(value, (tuple, list)) and value and hasattr(value[0], "shape"):
        shape, dtype, _ = described(value[0])
        return f"{len(value)} of {shape}", dtype, ""
    if not hasattr(value, "dtype"):
        return "", type(value).__name__, brief(value)
    shape = " x ".join(map(str, value.shape)) or "one number"
    return shape, str(value.dtype), brief(value)


def brief(value) -> str:
    """Return a few values as they are, and of many numbers their RMS."""
    if not isinstance(value, np.ndarray):
        return str(value) if isinstance(value, (str, int, float, list)) else ""
    if value.size <= 6:
        return np.array2string(value, precision=4, separator=", ")
    size = rms(value)
    return "" if size is None else f"RMS {size:.3g}"


def rms(value) -> float | None:
    """Return the root mean square of an array of real numbers; None of others."""
    value = np.asarray(value)
    if value.dtype.kind != "f" or not value.size:
        return None
    largest = float(np.max(np.abs(value))) or 1.0        # its square may be too large
    return largest * float(np.sqrt(np.mean(np.square(value / largest, dtype=float))))
