"""What the fields of a checkpoint's state must hold, checked before a run goes on."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..system.numbers import is_number, is_whole_number


class Field(NamedTuple):
    """One field of the state: its name, whether its value fits, and what would."""

    name: str
    fits: bool
    expected: str


def check_fields(path, values: dict, settings: dict, remedy: str) -> None:
    """Refuse a state with a field that is missing, of another type or out of range.

    Args:
        path: the checkpoint, for the error.
        values: the state, as JSON has it.
        settings: those of the run that is to go on.
        remedy: what to do about it.

    Raises:
        ValueError: it names the file, the field and what was expected.
    """
    try:
        for field in all_fields(values, settings):
            if not field.fits:
                raise ValueError(f"{path}: {field.name} is {values[field.name]!r:.200},"
                                 f" expected {field.expected}: {remedy}")
    except KeyError as error:
        raise ValueError(f"{path} lacks the field {error.args[0]}, expected the state "
                         f"of a training run: {remedy}") from None


def all_fields(values: dict, settings: dict) -> Iterator[Field]:
    """Yield the fields; each may rely on the ones before it."""
    yield Field("settings", isinstance(values["settings"], dict), "an object")
    total = values["settings"].get("steps", settings["steps"])
    yield Field("settings", is_whole_number(total) and total > 0,
                "steps above 0 in it")
    step = values["step"]
    yield Field("step", whole(step, 0, total), f"a whole number from 0 to {total}")
    stopped = values["stopped"]
    yield Field("stopped", stopped == "finished" if step == total else
                stopped in (None, "early"),
                "'finished' after the last step, else null or 'early'")
    updates = values["updates"]
    every = updates.values() if isinstance(updates, dict) else [updates]
    yield Field("updates", all(whole(n, 0, step) for n in every),
                f"whole numbers from 0 to {step}, one per parameter")
    yield Field("worse", whole(values["worse"], 0, step),
                f"a whole number from 0 to {step}")
    losses = values["losses"]
    yield Field("losses", isinstance(losses, list) and len(losses) <= step and all(
        is_number(x) and math.isfinite(x) for x in losses),
        f"at most {step} finite numbers")
    yield Field("history", are_rows(values["history"], step),
                f"rows of numbers, each with an epoch and with a step from 1 to {step}")
    yield from best_fields(values, settings, step)
    yield Field("rng", isinstance(values["rng"], dict), "the state of a generator")


def best_fields(values: dict, settings: dict, step: int) -> Iterator[Field]:
    """Yield the fields of the best evaluation; both are null if there was none."""
    best, none = values["best"], values["best_step"] is None
    yield Field("best_step", none or whole(values["best_step"], 1, step),
                f"null or a whole number from 1 to {step}")
    metric = settings.get("metric")
    yield Field("best", best is None if none else are_numbers(best) and (
        metric is None or metric in best),
        "null without a best_step, else numbers by name, among them the metric")


def whole(value: Any, low: int, high: int) -> bool:
    """Whether a value is a whole number in this range, its ends included."""
    return is_whole_number(value) and low <= value <= high


def are_numbers(row: Any) -> bool:
    """Whether a value is an object of numbers, and holds at least one."""
    return isinstance(row, dict) and bool(row) and all(map(is_number, row.values()))


def are_rows(history: Any, step: int) -> bool:
    """Whether a value can be the history of a run; loss is null if no label counted."""
    return isinstance(history, list) and all(
        isinstance(row, dict) and whole(row.get("step"), 1, step)
        and is_number(row.get("epoch"))
        and are_numbers({name: x for name, x in row.items()
                         if (name, x) != ("loss", None)}) for row in history)
