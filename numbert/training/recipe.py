"""The settings of a training run, checked before any work."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

from ..system.numbers import is_number, is_whole_number, plain
from .objectives import LABELS
from .optim import OPTIMIZERS, SCHEDULES

COUNTS = ("batch_size", "accumulate", "log_every", "eval_batch_size")
OPTIONAL_COUNTS = ("steps", "eval_every", "checkpoint_every", "patience")


@dataclass(frozen=True)
class Recipe:
    """The settings that decide what a run computes; `train` explains them."""

    lr: float
    steps: int
    batch_size: int
    accumulate: int
    optimizer: str
    schedule: str
    warmup: int                 # in updates
    weight_decay: float
    clip: float | None
    seed: int
    dropout: bool
    group_by_length: bool
    eval_every: int
    metric: str | None
    lower_is_better: bool
    patience: int | None
    keep_best: bool
    examples: int

    @property
    def steps_per_epoch(self) -> int:
        """Updates in one pass over the data; the last may be of a smaller batch."""
        return math.ceil(self.examples / self.batch_size)


def checked_recipe(given: dict) -> Recipe:
    """The recipe of the arguments of `train`, or an error that names the wrong one."""
    examples, size = len(given["dataset"]), given["batch_size"]
    if not examples:
        raise ValueError("the dataset holds no examples, expected at least one")
    check_numbers(given)
    for name, table in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES)):
        require(given[name] in table, name, given[name], " or ".join(table))
    if (given["epochs"] is None) == (given["steps"] is None):
        raise ValueError(f"epochs is {given['epochs']} and steps is {given['steps']}, "
                         "expected one of the two")
    for name in ("patience", "metric"):
        if given[name] is not None and given["evaluate"] is None:
            raise ValueError(f"{name} is {given[name]!r}, but there is no evaluate: "
                             "nothing to judge by")
    per_epoch = math.ceil(examples / size)
    steps = int(given["steps"] or math.ceil(given["epochs"] * per_epoch))
    warmup = given["warmup"]
    warmup = math.ceil(warmup * steps) if warmup < 1 else int(warmup)
    require(warmup <= steps, "warmup", warmup, f"at most the run's {steps} updates")
    same = {name: plain(given[name]) for name in Recipe.__dataclass_fields__
            if name in given}
    return Recipe(**{**same, "steps": steps, "warmup": warmup, "examples": examples,
                     "eval_every": plain(given["eval_every"] or per_epoch)})


def check_numbers(given: dict) -> None:
    """Refuse numbers of the wrong kind or out of range, of those that are given."""
    def check(names, fits, expected, or_none=False):
        for name in names:
            value = given.get(name)
            if name in given and not (or_none and value is None):
                require(fits(value), name, value, expected + ", or None" * or_none)

    check(COUNTS, lambda x: is_whole_number(x) and x > 0, "a whole number above 0")
    check(OPTIONAL_COUNTS, lambda x: is_whole_number(x) and x > 0,
          "a whole number above 0", or_none=True)
    check(["seed"], lambda x: is_whole_number(x) and x >= 0, "a whole number >= 0")
    check(["lr", "weight_decay", "warmup"],
          lambda x: is_number(x) and 0 <= x < math.inf, "a number >= 0")
    check(["clip"], lambda x: is_number(x) and x > 0, "a number above 0", or_none=True)
    check(["epochs"], lambda x: is_number(x) and 0 < x < math.inf, "a number above 0",
          or_none=True)


def require(fits: bool, name: str, value, expected: str) -> None:
    """Refuse an argument that does not fit."""
    if not fits:
        raise ValueError(f"{name} is {value!r}, expected {expected}")


def require_loss(model, objective) -> None:
    """Refuse a class of models that has no loss of its own, if no other is given."""
    if objective is LABELS and not model.terms:
        raise ValueError(
            f"model is a {type(model).__name__}, which has no loss, expected a class "
            "with a head, such as BertForMaskedLM: load the checkpoint with one of "
            "these, or pass an objective of your own")


def run_settings(model, recipe: dict, identity: dict | None) -> dict:
    """What a run that goes on must have in common with its checkpoint.

    Raises:
        ValueError: identity is no dict that JSON can hold, or names what `train`
            records itself.
    """
    own = {"model": type(model).__name__, **recipe}
    try:
        more = json.loads(json.dumps({} if identity is None else dict(identity)))
    except (TypeError, ValueError) as error:
        raise ValueError(f"identity is {identity!r}, expected a dict of values that "
                         f"JSON can hold ({error})") from None
    twice = [name for name in more if name in own]
    if twice:
        raise ValueError(f"identity names {', '.join(twice)}, which is recorded anyway:"
                         " choose another name")
    return {**own, **more}
