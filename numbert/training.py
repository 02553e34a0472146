"""Train any model that has forward and backward: the loop, its log, its checkpoints.

    result = train(model, examples, epochs=3, batch_size=32, lr=5e-5, warmup=0.1)

Devlin et al. 2019, appendix A.3: fine-tuning is Adam, a few epochs, a linear schedule.
What a run computes depends only on the model, the data and its settings: run again, or
killed and resumed, it ends with the same bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .batches import collate as pad_together
from .objectives import LABELS, Objective


@dataclass
class TrainingResult:
    """What `train` did.

    steps: updates made, those before a resume too.
    stopped: "finished", or "early" if `patience` ran out.
    history: the rows of the log, each {"step": ..., "epoch": ..., ...}: of training
        with loss, lr, grad_norm, examples_per_second; of evaluation with its metrics.
    best_step, best: the best evaluation's step and metrics; None without evaluate.
    """

    steps: int
    stopped: str
    history: list[dict[str, Any]] = field(default_factory=list)
    best_step: int | None = None
    best: dict[str, float] | None = None


class DivergedError(ValueError):
    """The loss, the gradient or a parameter is no longer a finite number."""


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
          resume: bool = True) -> TrainingResult:
    """Train `model` on `dataset`; its parameters are written to in place.

    Args:
        model: any of the classes with a loss; `params` is what is trained.
        dataset: encoded examples, a list (or any object with len and [i]) of dicts
            with the names of forward's arguments: input_ids (T,) and token_type_ids (T,),
            labels of any kind.  Nothing is padded yet.
        lr: the peak learning rate.
        epochs, steps: how long: passes over the data, or updates; one of the two.
        batch_size: examples per update.  The last batch of an epoch may be smaller.
        accumulate: cut each batch into this many parts, computed one after the other
            to save memory.  The update is the same to rounding (except that dropout
            draws other numbers): 4 x 8 is batch_size=32, accumulate=4.
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
        log: a file for the history, *.jsonl or *.csv; see TrainingResult.history.
        log_every: updates per row of the log; its loss is their mean.
        progress: True and False show and hide the bar; None shows it on a terminal.
        checkpoint_dir: a folder for the state of the run, `training.safetensors`.
        checkpoint_every: save every so many updates; None means after every epoch.  A
            run that ends, stops or is interrupted saves too.
        resume: go on from the checkpoint in checkpoint_dir if there is one.  The run
            must have the same settings and data; it then ends with the same bits as
            one that was never interrupted.

    Returns:
        TrainingResult; `model.params` holds the result.

    Raises:
        ValueError: a setting, example or checkpoint does not fit; before any work.
        DivergedError: the loss or gradient of a step is nan or infinite.  No update is
            made from it, and the last checkpoint stays.
        OSError: a checkpoint or log cannot be written (a full disk); the previous
            checkpoint stays whole.
        KeyboardInterrupt: Ctrl-C, after the step in progress is complete and, with
            checkpoint_dir, saved.  A second Ctrl-C stops at once, unsaved.
    """
    raise NotImplementedError
