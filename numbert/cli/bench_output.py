"""What the benches share: their output as text, as a file and as a picture."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..system.jsonfiles import json_text
from ..system.parallel import cores
from ..system.saving import atomic_write_text
from . import common

PACKAGES = ("numbert", "numpy", "torch", "transformers", "tokenizers", "onnxruntime")


def add_arguments(parser) -> None:
    """Add --json and --plot."""
    parser.add_argument("--json", metavar="FILE", help="write all figures")
    parser.add_argument("--plot", metavar="FILE", help="draw the times, as .png, .svg "
                        "or .pdf (needs numbert[notebooks])")


def check(args) -> None:
    """Refuse, before any work, files that could not be written after it.

    Raises:
        ImportError, OSError, ValueError: see common.check_file and check_picture.
    """
    common.check_file("json", args.json)
    common.check_picture(args.plot)


def finish(args, figures, text: str, picture: Callable) -> None:
    """Print a text, and write what was asked for.

    picture: picture(figures) returns a figure
    """
    print(text)
    if args.json:
        atomic_write_text(args.json, json_text(figures, indent=1) + "\n")
    if args.plot:
        common.save_picture(picture(figures), args.plot)


def machine() -> dict:
    """Return what to know about the place of a measurement: processor, versions."""
    import importlib.metadata             # slow, and --help does without it
    import importlib.util
    cpu = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()          # Linux
        cpu = next(line.partition(":")[2].strip() for line in lines
                   if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    found = {name: importlib.metadata.version(name) for name in PACKAGES
             if importlib.util.find_spec(name)}
    return {"cpu": cpu, "cores": cores(), "system": platform.system(),
            "python": platform.python_version(), **found}


def about(machine: dict) -> str:
    """Return the machine and the versions on a line."""
    versions = ", ".join(f"{name} {value}" for name, value in machine.items()
                         if name not in ("cpu", "cores", "system"))
    number = machine["cores"]
    return (f"{machine['cpu']}, {number} core{'s' * (number > 1)}, "
            f"{machine['system']}: {versions}")


def time(seconds: float) -> str:
    """Return a time as text that people read easily, with three digits."""
    for unit, factor in (("us", 1e6), ("ms", 1e3)):
        if seconds * factor < 1000:
            break
    else:
        unit, factor = "s", 1
    value = seconds * factor
    return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f} {unit}"


def draw_bars(axes, rows: Mapping[str, Mapping[str, float]]) -> None:
    """Draw how long each contender takes, beside a line for numbert.

    rows: {what the row is called: {contender: its time / numbert's}}
    """
    from ..plots import look
    names = list(dict.fromkeys(name for row in rows.values() for name in row
                               if name != "numbert"))
    width = 0.8 / max(1, len(names))
    for i, name in enumerate(names):
        shown = {at - 0.4 + (i + 0.5) * width: row[name] - 1
                 for at, row in enumerate(rows.values()) if name in row}
        axes.barh(list(shown), list(shown.values()), width * 0.9, left=1, label=name,
                  color=look.COLOURS[i + 1])
    axes.axvline(1, color=look.COLOURS[0], label="numbert")
    axes.set_yticks(range(len(rows)), [look.label(x, 60) for x in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xscale("log")
    axes.set_xlim(min(0.4, axes.get_xlim()[0]), max(3, axes.get_xlim()[1]))
    ticks = [x for x in (0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
             if axes.get_xlim()[0] <= x <= axes.get_xlim()[1]]
    axes.set_xticks(ticks, list(map(str, ticks)))
    axes.minorticks_off()
    axes.set_xlabel("median time / numbert's")
    look.legend(axes)


def bars(rows: Mapping[str, Mapping[str, float]]) -> Any:
    """Return a figure with bars alone; see draw_bars."""
    from ..plots import look
    with look.style():
        figure, (axes,) = look.canvas(None, (7.5, 0.9 + 0.4 * len(rows)))
        draw_bars(axes, rows)
    return figure
