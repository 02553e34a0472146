"""Train any model that has forward and backward: the loop and what it does each step.

    result = train(model, examples, epochs=3, batch_size=32, lr=5e-5, warmup=0.1)

Devlin et al. 2019, appendix A.3: fine-tuning is Adam for a few epochs with a linear
schedule.  The result depends only on the model, the data and the settings: a run that
is repeated, or killed and resumed, ends with the same bits.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ..system.progress import bar
from .batches import collate as pad_together
from .batches import epoch_order, in_parts
from .log import (Speed, append_log, last_evaluation, log_suffix, postfix, training_row,
                  write_log)
from .objectives import LABELS, Objective, batch_gradients
from .optim import SCHEDULES, decayed
from .recipe import (Plan, frozen_names, optim_for, planned, recipe_of,
                     require_loss, run_settings, show_settings, warn_of_no_rate)
from .state import TrainingState, fingerprint, load_state, save_state


KEPT = "a checkpoint of an earlier step, if there is one, is kept"
REMEDY = "try a lower lr, a longer warmup or a smaller clip"


class Task(NamedTuple):
    """What a run works on.  A Task, a Plan and a TrainingState are all there is."""

    model: Any
    dataset: Sequence
    collate: Callable
    objective: Objective
    evaluate: Callable | None
    lengths: Any                # of the examples, if they are grouped by length
    frozen: frozenset[str]      # the names of the parameters that are not trained
    optim: Any                  # see optim.OnArrays


@dataclass
class TrainingResult:
    """What `train` did.

    steps: updates made, including those before a resume.
    stopped: "finished", or "early" if `patience` ran out.
    history: the rows of the log, each {"step": ..., "epoch": ..., ...}.  A row of
        training has loss, lr, grad_norm, examples_per_second and tokens_per_second; a
        row of an evaluation has its metrics.
    best_step, best: step and metrics of the best evaluation.  None without evaluate,
        and if the metric that decides was nan every time.
    last: metrics of the last evaluation; None without evaluate.
    """

    steps: int
    stopped: str
    history: list[dict[str, Any]] = field(default_factory=list)
    best_step: int | None = None
    best: dict[str, float] | None = None
    last: dict[str, float] | None = None


class DivergedError(ValueError):
    """The loss, the gradient, a parameter or an output is not a finite number."""


def train(model, dataset: Sequence, *, collate: Callable = pad_together,
          objective: Objective = LABELS, evaluate: Callable | None = None, log=None,
          progress: bool | None = None, checkpoint_dir=None, resume: bool = True,
          identity: dict | None = None, autocast=None, compile: bool = False,
          **settings) -> TrainingResult:
    """Train `model` on `dataset`, writing to its parameters in place.

    Processes that torchrun started share the run of a torch model: each calls `train`
    with the same arguments, and ends with the same parameters.  The first evaluates and
    writes for all.

    Args:
        model: an instance of any class with a loss; its `params` are trained.  One of
            to_torch trains on its device, in float32 or float64.
        dataset: encoded examples, in a list or any object with len and [i].  Each is a
            dict of arguments of forward: input_ids (T,), token_type_ids (T,), labels
            of any kind.  They need no padding.
        collate: collate(list of examples, rng) -> arguments of forward, as arrays.  The
            default pads to the longest with [PAD] = 0; see `batches.collate`.
        objective: what to minimise.  The default is the model's own loss of `labels`;
            see `objectives.Objective`.
        evaluate: evaluate(model) -> {name: number}, or one number.
        log: a file for the history, *.jsonl or *.csv; see TrainingResult.history.  A
            new run replaces the file, a resumed run completes it.
        progress: True shows a bar, False hides it, None shows it on a terminal.
        checkpoint_dir: a folder for the state of the run, `training.safetensors`.
        resume: go on from the checkpoint in checkpoint_dir if there is one.  The
            settings and the data must be the same; the run then ends with the same bits
            as one that was never interrupted.
        identity: whatever else the run depends on and `train` cannot see, as a dict
            that JSON can hold: a fingerprint of the data, the settings of collate and
            of the objective.  A run resumes only if its identity is the same.
        autocast: "bfloat16" lets a torch model compute so, with float32 parameters,
            except in `evaluate`.
        compile: whether a torch model's own loss is compiled, by torch.compile.
        **settings: the fields of `Recipe`.  lr is required, and so is one of epochs and
            steps.

    Returns:
        TrainingResult; `model.params` holds the result.

    Raises:
        TypeError: an unknown setting, or no lr.
        ValueError: a setting or the checkpoint does not fit, before any work; or an
            example does not fit, when its batch comes.
        DivergedError: the loss or gradient of a step is nan or infinite.  This step
            makes no update, and the last checkpoint stays.  It also stays if the last
            update of the run ruins the model.
        OSError: a checkpoint or log cannot be written (a full disk); the previous
            checkpoint stays whole.
        KeyboardInterrupt: Ctrl-C.  The step in progress is completed first and, with
            checkpoint_dir, saved.  A second Ctrl-C stops at once, unsaved.
    """
    recipe = recipe_of(settings, evaluates=evaluate is not None)
    plan = planned(recipe, len(dataset))
    require_loss(model, objective)
    optim = optim_for(model, objective, autocast, compile)
    task = Task(model, dataset, collate, objective, evaluate,
                token_counts(dataset) if plan.group_by_length else None,
                frozen_names(model.params, plan.frozen), optim)
    recorded = run_settings(model, plan, identity, optim.settings)
    if log is not None:
        log_suffix(log)
    warn_of_no_rate(plan)
    state = begin(task, plan, checkpoint_dir if resume else None, recorded)
    optim.ranks.check_same(lambda: {
        "settings": recorded, "step": state.step,
        "parameters": fingerprint([optim.arrays(model.params)])})
    if not optim.ranks.first:
        log, progress = None, False
    if log is not None:
        write_log(log, state.history)
    data, speed = batches(task, plan, state), Speed()
    with interrupts(optim.ranks.first) as pressed, bar(
            plan.steps - state.step, "train", progress, " updates") as shown:
        while state.stopped is None:
            written = len(state.history)
            one_step(task, plan, state, data, speed)
            if state.step % plan.log_every == 0 or state.step == plan.steps:
                row = training_row(position(state, plan), state.losses, speed)
                state.history.append(row)
                shown.set_postfix(**postfix(row))
                state.losses, speed = [], Speed()
            judge(task, plan, state)
            if log is not None and len(state.history) > written:
                append_log(log, state.history, written)
            shown.update()
            stopping = optim.ranks.anywhere(bool(pressed))
            if checkpoint_dir is not None and (
                    state.stopped or stopping
                    or state.step % plan.checkpoint_every == 0):
                refuse_broken(task, state)
                optim.ranks.once(lambda: save_state(
                    checkpoint_dir, model.params, state, recorded, optim.arrays))
            if stopping and state.stopped is None:
                raise KeyboardInterrupt(farewell(state, plan, checkpoint_dir))
    if state.best_params is not None:
        optim.put(model.params, state.best_params)
    return TrainingResult(state.step, state.stopped, state.history, state.best_step,
                          state.best, last_evaluation(state.history))


show_settings(train)


# ------------------------------------------------------------ before the first step

def token_counts(dataset: Sequence) -> np.ndarray:
    """Count the tokens of each example."""
    return np.array([np.shape(dataset[i]["input_ids"])[-1]
                     for i in range(len(dataset))])


def begin(task: Task, plan: Plan, checkpoint_dir, settings: dict) -> TrainingState:
    """Return the checkpoint's state, its parameters put into the model; or a new state.
    """
    params, optim = task.model.params, task.optim
    loaded = None if checkpoint_dir is None else \
        load_state(checkpoint_dir, optim.arrays(params), settings)
    if loaded is None:
        return TrainingState(optim.zeros(params), np.random.default_rng(plan.seed))
    values, state = loaded
    optim.put(params, values)
    state.optimizer |= {mean: optim.placed(state.optimizer[mean], params)
                        for mean in ("m", "v")}
    if state.best_params is not None:
        state.best_params = optim.placed(state.best_params, params)
    return state


# ------------------------------------------------------------------------- one step

def one_step(task: Task, plan: Plan, state: TrainingState, data: Iterator,
             speed: Speed) -> None:
    """Update the parameters once, from the next batch."""
    speed.start()
    parts = next(data)
    loss, grads = batch_gradients(task.model, parts, task.objective,
                                  state.rng if plan.dropout else None,
                                  optim=task.optim)
    schedule = SCHEDULES[plan.schedule]
    lr = plan.lr * schedule(state.step, plan.warmup, plan.steps)
    norm = 0.0
    if grads is None:
        warnings.warn(f"step {state.step + 1}: no label of this batch counts, as "
                      "all are -100: no update is made", stacklevel=3)
    else:
        refuse_nan(loss, "loss", state, lr)
        grads = {name: g for name, g in grads.items() if name not in task.frozen}
        norm = task.optim.clip(grads, plan.clip) if plan.clip else \
            task.optim.norm(grads)
        refuse_nan(norm, "norm of the gradient", state, lr)
        update = task.optim.optimizers[plan.optimizer]
        eps: dict = {} if plan.eps is None else {"eps": plan.eps}
        update(task.model.params, grads, state.optimizer, lr, betas=plan.betas,
               weight_decay=plan.weight_decay, decays=decayed, **eps)
        state.losses.append(loss)
    state.step += 1
    if grads is not None and state.step == plan.steps:
        refuse_ruined(task, parts, state, lr)
    speed.stop(parts, lr, norm)


def batches(task: Task, plan: Plan, state: TrainingState) -> Iterator[list[dict]]:
    """Yield batch after batch from the run's position on, each cut into parts."""
    order, drawn = np.empty(0, np.int64), -1
    while True:
        epoch, i = divmod(state.step, plan.steps_per_epoch)
        if epoch != drawn:
            order, drawn = epoch_order(plan.examples, plan.seed, epoch,
                                       task.lengths, plan.batch_size), epoch
        batch = order[i * plan.batch_size:(i + 1) * plan.batch_size]
        count = max(plan.accumulate, task.optim.ranks.count)
        yield [task.collate([task.dataset[int(j)] for j in part], state.rng)
               for part in in_parts(batch, count)]


def refuse_nan(value: float, what: str, state: TrainingState, lr: float) -> None:
    """Stop a run that has diverged before an update spoils the parameters."""
    if not math.isfinite(value):
        raise DivergedError(
            f"step {state.step + 1}: the {what} is {value} at learning rate {lr:.3g}, "
            f"expected a finite number: {REMEDY}, and look at the data of this step.  "
            f"The parameters are still those after step {state.step}, and {KEPT}")


def refuse_broken(task: Task, state: TrainingState) -> None:
    """Stop before parameters that are not finite replace a good checkpoint."""
    for name, x in task.model.params.items():
        if not task.optim.finite(x):
            raise DivergedError(f"step {state.step}: {name} holds nan or inf, expected "
                                f"finite numbers: {REMEDY}; {KEPT}")


def refuse_ruined(task: Task, parts: list[dict], state: TrainingState, lr) -> None:
    """Stop if the last update ruined the model, as no next loss would show it."""
    loss, _ = batch_gradients(task.model, parts[:1], task.objective, optim=task.optim)
    if not math.isfinite(loss):
        raise DivergedError(
            f"step {state.step}: after this last update, at learning rate {lr:.3g}, "
            f"the loss is {loss}, expected a finite number: {REMEDY}; {KEPT}")


def require_finite(model, outputs: dict) -> None:
    """Refuse to read predictions from outputs that hold nan or infinity.

    outputs: {name: array}

    Raises:
        DivergedError: an output is not finite; its argmax would look like a prediction.
    """
    for name, x in outputs.items():
        if not np.isfinite(x).all():
            raise DivergedError(
                f"the {name} of this {type(model).__name__} are not finite (nan or "
                "inf), expected numbers: check its parameters and its inputs")


# --------------------------------------------------------------- evaluation and log

def judge(task: Task, plan: Plan, state: TrainingState) -> None:
    """Evaluate if it is time, keep the best parameters, and decide whether to stop."""
    last = state.step == plan.steps
    if task.evaluate is not None and (last or state.step % plan.eval_every == 0):
        try:
            metrics = task.optim.ranks.once(
                lambda: as_metrics(task.evaluate(task.model)))
        except DivergedError as error:
            raise DivergedError(f"evaluation after step {state.step}: {error}; "
                                f"{REMEDY}; {KEPT}") from error
        state.history.append({**position(state, plan), **metrics})
        if is_better(metrics, state.best, plan):
            state.best_step, state.best, state.worse = state.step, metrics, 0
            if plan.keep_best:
                state.best_params = task.optim.copied(task.model.params)
        else:
            state.worse += 1
            if plan.patience is not None and state.worse >= plan.patience:
                state.stopped = "early"
    if last:
        state.stopped = "finished"


def as_metrics(found) -> dict[str, float]:
    """Return evaluate's result as {name: number}; a bare number is named score."""
    named = found if isinstance(found, dict) else {"score": found}
    try:
        metrics = {name: float(value) for name, value in named.items()}
    except (TypeError, ValueError):
        metrics = {}
    if not metrics:
        raise ValueError(f"the result of evaluate is {found!r}, expected a dict of name"
                         " and number with at least one entry, or one number: return "
                         "one of these")
    return metrics


def is_better(metrics: dict, best: dict | None, plan: Plan) -> bool:
    """Whether an evaluation beats the best so far; a nan beats nothing."""
    name = plan.metric or next(iter(metrics))
    if name not in metrics:
        raise ValueError(f"metric is {name!r}, expected one that evaluate gives, "
                         f"{', '.join(metrics)}: choose one of these")
    value = -metrics[name] if plan.lower_is_better else metrics[name]
    if best is None:
        return not math.isnan(value)
    if name not in best:
        raise ValueError(f"evaluate's metrics are {', '.join(metrics)}, expected "
                         f"{', '.join(best)}, as before: give the same names each time")
    return value > (-best[name] if plan.lower_is_better else best[name])


def position(state: TrainingState, plan: Plan) -> dict:
    """Return step and epoch, with which each row of the history begins."""
    return {"step": state.step, "epoch": round(state.step / plan.steps_per_epoch, 4)}


# --------------------------------------------------------------------- interruption

@contextlib.contextmanager
def interrupts(speak: bool = True) -> Iterator[list]:
    """Note the first Ctrl-C in a list instead of raising, so that a step is completed.

    speak: whether to say so.
    """
    pressed: list[bool] = []

    def note(number, frame):
        if pressed:
            raise KeyboardInterrupt
        pressed.append(True)
        if speak:
            os.write(2, b"\nstopping after this step; Ctrl-C again stops at once\n")

    try:
        before = signal.signal(signal.SIGINT, note)
    except ValueError:                  # only the main thread ever sees Ctrl-C
        yield pressed
        return
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)


def farewell(state: TrainingState, plan: Plan, checkpoint_dir) -> str:
    """Say where an interrupted run stopped, and how it goes on."""
    where = "nothing was saved" if checkpoint_dir is None else \
        f"saved in {checkpoint_dir}: repeat the call, without overwrite, to go on"
    return f"interrupted after step {state.step} of {plan.steps}; {where}"
