"""Train any model that has forward and backward: the loop, its log, its checkpoints.

    result = train(model, examples, epochs=3, batch_size=32, lr=5e-5, warmup=0.1)

Devlin et al. 2019, appendix A.3: fine-tuning is Adam, a few epochs, a linear schedule.
What a run computes depends only on the model, the data and its settings: run again, or
killed and resumed, it ends with the same bits.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np

from .batches import collate as pad_together
from .batches import epoch_order, in_parts
from .objectives import LABELS, Objective, batch_gradients
from .optim import (OPTIMIZERS, SCHEDULES, adamw_init, clip_by_global_norm,
                    global_norm)
from ..system.progress import bar
from .log import (Speed, append_log, last_evaluation, log_suffix, postfix, training_row,
                  write_log)
from .recipe import Recipe, checked_recipe, require_loss, run_settings
from .state import TrainingState, load_state, save_state


KEPT = "a checkpoint of an earlier step, if there is one, is kept"
REMEDY = "Try a lower lr, a longer warmup or a smaller clip"


class Task(NamedTuple):
    """What a run works on; with a Recipe and a TrainingState it is everything."""

    model: Any
    dataset: Sequence
    collate: Callable
    objective: Objective
    evaluate: Callable | None
    lengths: Any                # of the examples, if they are grouped by length


@dataclass
class TrainingResult:
    """What `train` did.

    steps: updates made, those before a resume too.
    stopped: "finished", or "early" if `patience` ran out.
    history: the rows of the log, each {"step": ..., "epoch": ..., ...}: of training
        with loss, lr, grad_norm, examples_per_second; of evaluation with its metrics.
    best_step, best: the best evaluation's step and metrics; None without evaluate, and
        if none could be best because the deciding metric was nan each time.
    last: the last evaluation's metrics; None without evaluate.
    """

    steps: int
    stopped: str
    history: list[dict[str, Any]] = field(default_factory=list)
    best_step: int | None = None
    best: dict[str, float] | None = None
    last: dict[str, float] | None = None


class DivergedError(ValueError):
    """The loss, the gradient, a parameter or an output is not a finite number."""


def train(model, dataset: Sequence, *, lr: float, epochs: int | None = None,
          steps: int | None = None, batch_size: int = 32, accumulate: int = 1,
          optimizer: str = "adamw", schedule: str = "linear", warmup: float = 0,
          weight_decay: float = 0.01, clip: float | None = 1.0, seed: int = 0,
          dropout: bool = True, collate: Callable = pad_together,
          group_by_length: bool = False, objective: Objective = LABELS,
          evaluate: Callable | None = None, eval_every: int | None = None,
          metric: str | None = None, lower_is_better: bool = False,
          patience: int | None = None, keep_best: bool = True,
          log=None, log_every: int = 10, progress: bool | None = None,
          checkpoint_dir=None, checkpoint_every: int | None = None,
          resume: bool = True, identity: dict | None = None) -> TrainingResult:
    """Train `model` on `dataset`; its parameters are written to in place.

    Args:
        model: any of the classes with a loss; `params` is what is trained.
        dataset: encoded examples, a list (or any object with len and [i]) of dicts
            with the names of forward's arguments: input_ids (T,), token_type_ids (T,),
            labels of any kind.  Nothing is padded yet.
        lr: the peak learning rate.
        epochs, steps: how long: passes over the data, or updates; one of the two.
        batch_size: examples per update.  The last batch of an epoch may be smaller.
        accumulate: cut each batch into this many parts (fewer if it has fewer
            examples), as many computed at once as there are processors.  It saves
            memory, and 2 or more use 2 or more of them.  The update is the same to
            rounding (except that dropout draws other numbers): 4 x 8 is batch_size=32,
            accumulate=4.
        optimizer: "adamw" (as torch's) or "bertadam" (as google-research/bert's).
        schedule: "linear", "cosine" or "constant", after the warm-up.
        warmup: how long lr climbs from 0: a fraction of all updates if below 1, else
            a number of updates.
        weight_decay: of all weights but LayerNorm's; never of biases.
        clip: largest norm of the whole gradient; None clips nothing.
        seed: of the order of the data, of dropout and of collate.
        dropout: False trains without, whatever the config's rates.
        collate: collate(list of examples, rng) -> arguments of forward, arrays.  The
            default pads to the longest with [PAD] = 0; see `batches.collate`.
        group_by_length: put examples of similar length together, to pad less.
        objective: what is minimised; the default is the model's own loss of `labels`.
            See `objectives.Objective`.
        evaluate: evaluate(model) -> {name: number}, or one number.
        eval_every: evaluate every so many updates; None means after every epoch.  The
            last update is always followed by an evaluation.
        metric: which entry of evaluate's dict decides what is best; None: the first.
        lower_is_better: for a metric such as a loss.
        patience: stop after this many evaluations without a better one.
        keep_best: end with the parameters of the best evaluation, not the last.
        log: a file for the history, *.jsonl or *.csv; see TrainingResult.history.  A
            run that starts replaces it, a run that goes on completes it.
        log_every: updates per row of the log; its loss is their mean.
        progress: True and False show and hide the bar; None shows it on a terminal.
        checkpoint_dir: a folder for the state of the run, `training.safetensors`.
        checkpoint_every: save every so many updates; None means after every epoch.  A
            run that ends, stops or is interrupted saves too.
        resume: go on from the checkpoint in checkpoint_dir if there is one.  The run
            must have the same settings and data; it then ends with the same bits as
            one that was never interrupted.
        identity: whatever else the run depends on and `train` cannot know, as a dict
            that JSON can hold: a fingerprint of the data, settings of collate and of
            the objective.  A run goes on only if it is the same.

    Returns:
        TrainingResult; `model.params` holds the result.

    Raises:
        ValueError: a setting or the checkpoint does not fit, before any work; or an
            example, when its batch comes.
        DivergedError: the loss or gradient of a step is nan or infinite.  No update is
            made from it, and the last checkpoint stays; so it does if it is the last
            update that ruins the model.
        OSError: a checkpoint or log cannot be written (a full disk); the previous
            checkpoint stays whole.
        KeyboardInterrupt: Ctrl-C, after the step in progress is complete and, with
            checkpoint_dir, saved.  A second Ctrl-C stops at once, unsaved.
    """
    recipe = checked_recipe(locals())
    require_loss(model, objective)
    task = Task(model, dataset, collate, objective, evaluate,
                token_counts(dataset) if group_by_length else None)
    settings = run_settings(model, asdict(recipe), identity)
    if log is not None:
        log_suffix(log)
    state = begin(model, recipe, checkpoint_dir if resume else None, settings)
    if log is not None:
        write_log(log, state.history)
    save_every = checkpoint_every or recipe.steps_per_epoch
    data, speed = batches(task, recipe, state), Speed()
    with interrupts() as pressed, bar(recipe.steps - state.step, "train", progress,
                                      " updates") as shown:
        while state.stopped is None:
            written = len(state.history)
            one_step(task, recipe, state, data, speed)
            if state.step % log_every == 0 or state.step == recipe.steps:
                row = training_row(position(state, recipe), state.losses, speed)
                state.history.append(row)
                shown.set_postfix(**postfix(row))
                state.losses, speed = [], Speed()
            judge(task, recipe, state)
            if log is not None and len(state.history) > written:
                append_log(log, state.history, written)
            shown.update()
            if checkpoint_dir is not None and (
                    state.stopped or pressed or state.step % save_every == 0):
                refuse_broken(model.params, state)
                save_state(checkpoint_dir, model.params, state, settings)
            if pressed and state.stopped is None:
                raise KeyboardInterrupt(farewell(state, recipe, checkpoint_dir))
    if state.best_params is not None:
        model.params.update(state.best_params)
    return TrainingResult(state.step, state.stopped, state.history, state.best_step,
                          state.best, last_evaluation(state.history))


# ------------------------------------------------------------ before the first step

def token_counts(dataset: Sequence) -> np.ndarray:
    """The number of tokens of each example."""
    return np.array([np.shape(dataset[i]["input_ids"])[-1]
                     for i in range(len(dataset))])


def begin(model, recipe: Recipe, checkpoint_dir, settings: dict) -> TrainingState:
    """The checkpoint's state, its parameters put into the model; or a fresh one."""
    if checkpoint_dir is not None:
        loaded = load_state(checkpoint_dir, model.params, settings)
        if loaded is not None:
            model.params.update(loaded[0])
            return loaded[1]
    return TrainingState(adamw_init(model.params), np.random.default_rng(recipe.seed))


# ------------------------------------------------------------------------- one step

def one_step(task: Task, recipe: Recipe, state: TrainingState, data: Iterator,
             speed: Speed) -> None:
    """One update of the parameters, from the batch that is next."""
    speed.start()
    parts = next(data)
    loss, grads = batch_gradients(task.model, parts, task.objective,
                                  state.rng if recipe.dropout else None)
    schedule = SCHEDULES[recipe.schedule]
    lr = recipe.lr * schedule(state.step, recipe.warmup, recipe.steps)
    norm = 0.0
    if grads is None:
        warnings.warn(f"step {state.step + 1}: no label of this batch counts (all are "
                      "-100): no update is made", stacklevel=3)
    else:
        refuse_nan(loss, "loss", state, lr)
        norm = clip_by_global_norm(grads, recipe.clip) if recipe.clip else \
            global_norm(grads)
        refuse_nan(norm, "norm of the gradient", state, lr)
        update = OPTIMIZERS[recipe.optimizer]
        update(task.model.params, grads, state.optimizer, lr,
               weight_decay=recipe.weight_decay)
        state.losses.append(loss)
    state.step += 1
    if grads is not None and state.step == recipe.steps:
        refuse_ruined(task, parts, state, lr)
    speed.stop(parts, lr, norm)


def batches(task: Task, recipe: Recipe, state: TrainingState) -> Iterator[list[dict]]:
    """Without end, the parts of the batch at the run's position in the data."""
    order, drawn = np.empty(0, np.int64), -1
    while True:
        epoch, i = divmod(state.step, recipe.steps_per_epoch)
        if epoch != drawn:
            order, drawn = epoch_order(recipe.examples, recipe.seed, epoch,
                                       task.lengths, recipe.batch_size), epoch
        batch = order[i * recipe.batch_size:(i + 1) * recipe.batch_size]
        yield [task.collate([task.dataset[int(j)] for j in part], state.rng)
               for part in in_parts(batch, recipe.accumulate)]


def refuse_nan(value: float, what: str, state: TrainingState, lr: float) -> None:
    """Stop a run that has diverged, before the update that would spoil everything."""
    if not math.isfinite(value):
        raise DivergedError(
            f"step {state.step + 1}: the {what} is {value}, at learning rate {lr:.3g}; "
            f"the parameters are those after step {state.step}, and {KEPT}.  {REMEDY}, "
            "and look at the data of this step")


def refuse_broken(params: dict, state: TrainingState) -> None:
    """Never replace a good checkpoint by parameters that are not finite."""
    for name, x in params.items():
        if not np.isfinite(x).all():
            raise DivergedError(f"step {state.step}: {name} is no longer finite; "
                                f"{KEPT}.  {REMEDY}")


def refuse_ruined(task: Task, parts: list[dict], state: TrainingState, lr) -> None:
    """After the last update there is no next loss that would show what it has done."""
    loss, _ = batch_gradients(task.model, parts[:1], task.objective)
    if not math.isfinite(loss):
        raise DivergedError(
            f"step {state.step}: after this last update, at learning rate {lr:.3g}, "
            f"the loss is {loss}; {KEPT}.  {REMEDY}")


def require_finite(model, outputs: dict) -> None:
    """Refuse to read predictions from outputs that are no numbers.

    outputs: {name: array}

    Raises:
        DivergedError: a nan or an infinity; its argmax would look like a prediction.
    """
    for name, x in outputs.items():
        if not np.isfinite(x).all():
            raise DivergedError(
                f"the {name} of this {type(model).__name__} are not finite (nan or "
                "inf): its parameters are spoilt, or its inputs")


# --------------------------------------------------------------- evaluation and log

def judge(task: Task, recipe: Recipe, state: TrainingState) -> None:
    """Evaluate if it is time, keep what is best, and decide whether to stop."""
    last = state.step == recipe.steps
    if task.evaluate is not None and (last or state.step % recipe.eval_every == 0):
        try:
            metrics = as_metrics(task.evaluate(task.model))
        except DivergedError as error:
            raise DivergedError(f"evaluation after step {state.step}: {error}; {KEPT}."
                                f"  {REMEDY}") from error
        state.history.append({**position(state, recipe), **metrics})
        if is_better(metrics, state.best, recipe):
            state.best_step, state.best, state.worse = state.step, metrics, 0
            if recipe.keep_best:
                state.best_params = {name: x.copy()
                                     for name, x in task.model.params.items()}
        else:
            state.worse += 1
            if recipe.patience is not None and state.worse >= recipe.patience:
                state.stopped = "early"
    if last:
        state.stopped = "finished"


def as_metrics(found) -> dict[str, float]:
    """What evaluate gave, as {name: number}; a bare number is called score."""
    named = found if isinstance(found, dict) else {"score": found}
    try:
        metrics = {name: float(value) for name, value in named.items()}
    except (TypeError, ValueError):
        metrics = {}
    if not metrics:
        raise ValueError(f"evaluate gave {found!r}, expected {{name: number}} with at "
                         "least one entry, or one number")
    return metrics


def is_better(metrics: dict, best: dict | None, recipe: Recipe) -> bool:
    """Whether an evaluation beats the best so far; a nan beats nothing."""
    name = recipe.metric or next(iter(metrics))
    if name not in metrics:
        raise ValueError(f"metric is {name!r}, but evaluate gives "
                         f"{', '.join(metrics)}: choose one of these")
    value = -metrics[name] if recipe.lower_is_better else metrics[name]
    if best is None:
        return not math.isnan(value)
    return value > (-best[name] if recipe.lower_is_better else best[name])


def position(state: TrainingState, recipe: Recipe) -> dict:
    """Where a row of the history stands."""
    return {"step": state.step, "epoch": round(state.step / recipe.steps_per_epoch, 4)}


# --------------------------------------------------------------------- interruption

@contextlib.contextmanager
def interrupts() -> Iterator[list]:
    """Note the first Ctrl-C in a list, so that a step is never half done."""
    pressed: list[bool] = []

    def note(number, frame):
        if pressed:
            raise KeyboardInterrupt
        pressed.append(True)
        os.write(2, b"\nstopping after this step; Ctrl-C again stops at once\n")

    try:
        before = signal.signal(signal.SIGINT, note)
    except ValueError:                  # not the main thread: Ctrl-C never comes here
        yield pressed
        return
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)


def farewell(state: TrainingState, recipe: Recipe, checkpoint_dir) -> str:
    """What an interrupted run says."""
    where = "nothing was saved" if checkpoint_dir is None else \
        f"saved in {checkpoint_dir}: the same call, without overwrite, goes on from it"
    return f"interrupted after step {state.step} of {recipe.steps}; {where}"
