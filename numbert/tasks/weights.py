"""What fine-tuning minimises: a teacher's loss, or one with weights and smoothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..bert.losses import IGNORE_INDEX
from ..training.distillation import from_teacher
from ..training.objectives import LABELS, Objective
from ..training.weighting import (balanced_weights, check_smoothing, checked_weights,
                                  from_weights)
from .common import Data, Task, names_of

BALANCED = "balanced"
ONE_CLASS = ("text-classification", "token-classification")     # per text or word


def objective_of(guide, temperature, soft_weight, smoothing, weights
                 ) -> tuple[Objective, dict[str, Any]]:
    """Return what the run minimises, and the settings of that, by their names."""
    if guide is not None:
        return from_teacher(guide, temperature, soft_weight), {
            "temperature": temperature, "soft_weight": soft_weight}
    told = ({"class_weights": weights} if weights else {}) | (
        {"label_smoothing": float(smoothing)} if smoothing else {})
    return from_weights(weights, smoothing) if told else LABELS, told


def refuse_weighting(task: Task, weights, smoothing, teacher) -> None:
    """Make sure that class weights and smoothing fit the task, if there are any."""
    check_smoothing(smoothing)
    if isinstance(weights, str) and weights != BALANCED:
        raise ValueError(f"class_weights is {weights!r}, expected numbers, or "
                         f"{BALANCED!r}: give one number for each class")
    if weights is None and not smoothing:
        return
    if weights is not None and not isinstance(weights, str):
        checked_weights(weights)
    name = "class_weights" if smoothing == 0 else "label_smoothing"
    if task.name not in ONE_CLASS:
        raise ValueError(f"the task is {task.name}, expected {' or '.join(ONE_CLASS)} "
                         f"for {name} (--{name.replace('_', '-')}): leave it out")
    if teacher is not None:
        raise ValueError(f"teacher is {teacher}, expected None with {name}, as a "
                         "teacher says itself how sure a label is: leave one of them "
                         "out")


def weights_by_id(weights, names, config, data: Data) -> list[float] | None:
    """Return the weight of each class in the order of ids.  weights: as for `finetune`.

    names: the classes in the order of the weights.  The model may have another order.
    """
    if weights is None:
        return None
    if isinstance(weights, str):
        labels = np.concatenate([np.ravel(row["labels"]) for row in data.inputs])
        return balanced_weights(labels[labels != IGNORE_INDEX], config.num_labels)
    if len(weights) != len(names):
        raise ValueError(f"there are {len(weights)} class weights, expected "
                         f"{len(names)}, one for each of {', '.join(names)}: correct "
                         "them (--class-weights)")
    by_name = dict(zip(names, checked_weights(weights)))
    return [by_name[name] for name in names_of(config)]
