"""The settings of a training run: each is said once, here, and checked before work."""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from textwrap import indent
from typing import Any

from ..system.jsonfiles import as_json
from ..system.numbers import is_number, is_whole_number, plain
from ..system.ranks import refuse_several
from .objectives import LABELS
from .optim import OPTIMIZERS, SCHEDULES, OnArrays, optim_of

COUNTS = ("batch_size", "accumulate", "log_every", "eval_batch_size")
OPTIONAL_COUNTS = ("steps", "eval_every", "checkpoint_every", "patience")
YOUNGER = ("betas", "eps", "frozen")        # than the first checkpoints
FREE = ("epochs", "log_every", "checkpoint_every")      # a run may go on with others


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The settings of a training run, as keywords of `train`.

    lr: the peak learning rate.
    epochs, steps: how long to train: passes over the data, or updates.  Give one.
    batch_size: examples per update.  The last batch of an epoch may be smaller.
    accumulate: cut each batch into this many parts (fewer if it has fewer examples)
        and compute as many at once as there are processors.  This saves memory, and
        2 or more parts keep 2 or more processors busy.  The update is the same up to
        rounding, except that dropout draws other numbers: batch_size=32 with
        accumulate=4 computes 4 parts of 8.
    optimizer: "adamw" (as in torch) or "bertadam" (as in google-research/bert).
    schedule: how lr changes after the warm-up: "linear", "cosine" or "constant".
    warmup: how long lr climbs from 0: a fraction of all updates if below 1, else a
        number of updates.
    betas, eps: of Adam; see `optim.adamw_step`.  eps None: the optimizer's own, which
        is 1e-8 for "adamw" and 1e-6 for "bertadam".
    weight_decay: applies to all weights but LayerNorm's, and never to biases.
    frozen: patterns of the names of parameters that are not trained, such as
        ["bert.embeddings.*", "*.layer.[0-5].*"].
    clip: the largest norm of the whole gradient; None turns clipping off.
    seed: fixes the order of the data, dropout and what collate draws.
    dropout: False trains without dropout, whatever the config's rates.
    group_by_length: put examples of similar length together, to pad less.
    eval_every: updates between evaluations; None means one epoch.  The last update is
        always followed by an evaluation.
    metric: the entry of evaluate's dict that decides what is best; None: the first.
    lower_is_better: True for a metric such as a loss.
    patience: stop after this many evaluations without a better one; None: never.
    keep_best: end with the parameters of the best evaluation, not the last.
    log_every: updates per row of the log; the row has their mean loss.
    checkpoint_every: updates between checkpoints; None means one epoch.  A run that
        ends, stops or is interrupted saves as well.
    """

    lr: float
    epochs: float | None = None
    steps: int | None = None
    batch_size: int = 32
    accumulate: int = 1
    optimizer: str = "adamw"
    schedule: str = "linear"
    warmup: float = 0
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float | None = None
    weight_decay: float = 0.01
    frozen: Sequence[str] = ()
    clip: float | None = 1.0
    seed: int = 0
    dropout: bool = True
    group_by_length: bool = False
    eval_every: int | None = None
    metric: str | None = None
    lower_is_better: bool = False
    patience: int | None = None
    keep_best: bool = True
    log_every: int = 10
    checkpoint_every: int | None = None


@dataclass(frozen=True, kw_only=True)
class Plan(Recipe):
    """A recipe for a known number of examples, with all lengths in updates."""

    examples: int
    steps: int
    warmup: int
    eval_every: int
    checkpoint_every: int

    @property
    def steps_per_epoch(self) -> int:
        """Updates in one pass over the data, of which the last may be smaller."""
        return math.ceil(self.examples / self.batch_size)


def show_settings(function: Any, but: Sequence[str] = ()) -> Any:
    """Let help(function) list the fields of Recipe in place of its **settings.

    A default of the function's own wins over the recipe's.
    but: fields that the function chooses itself, and so are no arguments of it.
    """
    signature = inspect.signature(function)
    own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    fields = [p for p in inspect.signature(Recipe).parameters.values()
              if p.name not in signature.parameters and p.name not in but]
    function.__signature__ = signature.replace(
        parameters=sorted([*fields, *own], key=lambda p: p.kind))
    explained = (inspect.getdoc(Recipe) or "").partition("\n\n")[2]
    function.__doc__ = (f"{inspect.getdoc(function)}\n\nSettings:\n"
                        + indent(explained, "    "))
    return function


def recipe_of(settings: dict, evaluates: bool) -> Recipe:
    """Make a recipe of the keywords of `train`, if all of them fit.

    evaluates: whether the run evaluates.  If not, patience and metric make no sense.

    Raises:
        TypeError: there is no such setting, or lr is missing.
        ValueError: a value does not fit.
    """
    signature = inspect.signature(Recipe)
    try:
        signature.bind(**settings)
    except TypeError as error:
        raise TypeError(f"train() {error}, expected the settings "
                        f"{', '.join(signature.parameters)}: see help(numbert.train)"
                        ) from None
    check_numbers(settings)
    recipe = Recipe(**settings)
    for name, known in ("optimizer", OPTIMIZERS), ("schedule", SCHEDULES):
        require(getattr(recipe, name) in known, name, getattr(recipe, name),
                " or ".join(known), "choose one of these")
    if (recipe.epochs is None) == (recipe.steps is None):
        raise ValueError(f"epochs is {recipe.epochs} and steps is {recipe.steps}, "
                         "expected exactly one: leave the other None")
    for name in ("patience", "metric"):
        value = getattr(recipe, name)
        if value is not None and not evaluates:
            raise ValueError(f"{name} is {value!r}, expected None, as there is no "
                             f"evaluate (no data to evaluate on): pass it, or leave "
                             f"{name} out")
    return recipe


def planned(recipe: Recipe, examples: int) -> Plan:
    """Plan a run over this many examples, with all lengths in updates.

    Raises:
        ValueError: there are no examples, or the warm-up is longer than the run.
    """
    if not examples:
        raise ValueError("the dataset holds no examples, expected at least one: check "
                         "the data")
    per_epoch = math.ceil(examples / recipe.batch_size)
    steps = int(recipe.steps or math.ceil((recipe.epochs or 0) * per_epoch))
    warmup = recipe.warmup
    warmup = math.ceil(warmup * steps) if warmup < 1 else int(warmup)
    require(warmup <= steps, "warmup", warmup, f"at most the run's {steps} updates",
            "train longer, or warm up for less")
    same = {name: plain(value) for name, value in vars(recipe).items()}
    same |= {"betas": tuple(map(plain, recipe.betas)), "frozen": tuple(recipe.frozen)}
    return Plan(**{**same, "examples": examples, "steps": steps, "warmup": warmup,
                   "eval_every": same["eval_every"] or per_epoch,
                   "checkpoint_every": same["checkpoint_every"] or per_epoch})


def check_numbers(given: dict) -> None:
    """Refuse numbers of the wrong kind or out of range; names may be missing."""
    def check(names, fits, expected, or_none=False):
        for name in names:
            value = given.get(name)
            if name in given and not (or_none and value is None):
                require(fits(value), name, value, expected + ", or None" * or_none,
                        "see help(numbert.train)")

    check(COUNTS, lambda x: is_whole_number(x) and x > 0, "a whole number above 0")
    check(OPTIONAL_COUNTS, lambda x: is_whole_number(x) and x > 0,
          "a whole number above 0", or_none=True)
    check(["seed"], lambda x: is_whole_number(x) and x >= 0, "a whole number >= 0")
    check(["lr", "weight_decay", "warmup"],
          lambda x: is_number(x) and 0 <= x < math.inf, "a number >= 0")
    check(["clip"], lambda x: is_number(x) and x > 0, "a number above 0", or_none=True)
    check(["betas"], lambda x: isinstance(x, (list, tuple)) and len(x) == 2 and all(
        is_number(beta) and 0 <= beta < 1 for beta in x), "two numbers >= 0 and < 1")
    check(["eps"], lambda x: is_number(x) and 0 <= x < math.inf, "a number >= 0",
          or_none=True)
    check(["frozen"], lambda x: isinstance(x, (list, tuple)) and all(
        isinstance(pattern, str) for pattern in x), "a list of patterns of names")
    check(["epochs"], lambda x: is_number(x) and 0 < x < math.inf, "a number above 0",
          or_none=True)


def require(fits: bool, name: str, value, expected: str, remedy: str) -> None:
    """Refuse a value that does not fit."""
    if not fits:
        raise ValueError(f"{name} is {value!r}, expected {expected}: {remedy}")


def optim_for(model, objective, autocast, compile: bool):
    """Return the run's optim, see optim_of.

    Raises:
        ValueError: the options do not fit the model, or not the objective, as only a
            model's own loss can be compiled; or NumPy shall train in many processes.
    """
    if compile and objective is not LABELS:
        raise ValueError("compile is True, expected False with this objective, as only "
                         "a model's own loss is compiled: leave compile (--compile) "
                         "out, or the teacher, class weights and label smoothing")
    optim = optim_of(model, autocast=autocast, compile=compile)
    if isinstance(optim, OnArrays):
        refuse_several()
    return optim


def require_loss(model, objective) -> None:
    """Refuse a class of models that has no loss of its own, if no other is given."""
    if objective is LABELS and not model.terms:
        raise ValueError(
            f"model is a {type(model).__name__}, which has no loss, expected a class "
            "with a head, such as BertForMaskedLM: load the checkpoint with one of "
            "these, or pass an objective of your own")


def frozen_names(params: dict, patterns: Sequence[str]) -> frozenset[str]:
    """Return the names of the parameters that match a pattern and so are not trained.

    Raises:
        ValueError: a pattern matches no name, or all names match.
    """
    found = {pattern: {name for name in params if fnmatchcase(name, pattern)}
             for pattern in patterns}
    for pattern, names in found.items():
        if not names:
            raise ValueError(f"frozen has the pattern {pattern!r}, which matches no "
                             f"parameter, expected names such as {next(iter(params))}: "
                             "see model.params")
    frozen = frozenset().union(*found.values())
    if len(frozen) == len(params):
        raise ValueError(f"frozen is {list(patterns)}, which matches all parameters, "
                         "expected some left to train: freeze fewer")
    return frozen


def warn_of_no_rate(plan: Plan) -> None:
    """Warn of a run that learns nothing, because no update has a learning rate."""
    schedule = SCHEDULES[plan.schedule]
    if plan.lr and not any(schedule(step, plan.warmup, plan.steps)
                           for step in range(plan.steps)):
        warnings.warn(f"steps is {plan.steps} and warmup is {plan.warmup}, so each "
                      "update has learning rate 0 and changes nothing: train longer, "
                      "or set warmup=0", stacklevel=3)


def run_settings(model, plan: Plan, identity: dict | None, backend: dict) -> dict:
    """Collect what a run must have in common with the checkpoint it goes on from.

    backend: what there is to say of how the model computes; nothing for NumPy.

    Raises:
        ValueError: identity is not a dict that JSON can hold, or it names something
            that is recorded anyway.
    """
    own = {"model": type(model).__name__,
           **{name: value for name, value in vars(plan).items() if name not in FREE},
           **backend}
    try:
        more = as_json({} if identity is None else dict(identity))
    except (TypeError, ValueError) as error:
        raise ValueError(f"identity is {identity!r}, expected a dict of values that "
                         f"JSON can hold ({error}): convert them") from None
    twice = [name for name in more if name in own]
    if twice:
        raise ValueError(f"identity names {', '.join(twice)}, expected other names, as "
                         "these are recorded anyway: rename them")
    return {**own, **more}


def completed(recorded: dict) -> dict:
    """Add to the settings in a checkpoint those that are younger than it.

    A run that did not know a setting did what the setting's default says.
    """
    defaults = {field.name: field.default for field in fields(Recipe)
                if field.name in YOUNGER}
    return {**as_json(defaults), **recorded}
