"""The state of a training run, and its checkpoint on disk.

A checkpoint is one safetensors file, replaced in one step, so it is always whole.  Its
tensors are `params/NAME`, the optimiser's `m/NAME` and `v/NAME`, and `best/NAME` where
the parameters of the best evaluation are kept.  Everything else is JSON in its header,
under "state".
"""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from ..system.saving import atomic_file, remove_leftovers, write_tensors

FILE = "training.safetensors"
ANEW = ("start anew with overwrite=True of finetune and pretrain (--overwrite), or "
        "with resume=False of train")
PLAIN = ("step", "stopped", "worse", "losses", "history", "best_step", "best")


@dataclass
class TrainingState:
    """Everything that a run needs to go on, besides its settings and its parameters.

    `step` alone gives the position in the data and in the schedule.
    """

    optimizer: dict                             # step, m, v; see optim.adamw_init
    rng: np.random.Generator                    # of dropout and of collate
    step: int = 0                               # updates made
    stopped: str | None = None                  # "finished" or "early"
    losses: list[float] = field(default_factory=list)     # since the last row
    history: list[dict[str, Any]] = field(default_factory=list)
    best_step: int | None = None
    best: dict[str, float] | None = None        # metrics of the best evaluation
    best_params: dict | None = None             # a copy, unless keep_best is False
    worse: int = 0                              # evaluations since the best


def save_state(directory, params: dict, state: TrainingState, settings: dict) -> None:
    """Replace the checkpoint in `directory` (made if absent) by this state.

    Raises:
        OSError: it cannot be written; the previous checkpoint stays as it was.
    """
    path = Path(directory) / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    groups = {"params": params, "m": state.optimizer["m"], "v": state.optimizer["v"],
              "best": state.best_params or {}}
    tensors = {f"{group}/{name}": x
               for group, arrays in groups.items() for name, x in arrays.items()}
    plain = {name: getattr(state, name) for name in PLAIN}
    text = json.dumps({"settings": settings, **plain,
                       "updates": state.optimizer["step"],
                       "rng": state.rng.bit_generator.state})
    remove_leftovers(path)                          # of a save that was killed
    try:
        with atomic_file(path) as temporary:
            write_tensors(tensors, temporary, {"state": text})
    except OSError as error:
        kept = "the previous checkpoint is kept" if path.exists() else \
            "there is no earlier one"
        number = error.errno or errno.EIO
        raise OSError(number, f"the checkpoint of step {state.step} could not be "
                      f"written ({error}); {kept}", str(path)) from error


def load_state(directory, params: dict,
               settings: dict) -> tuple[dict, TrainingState] | None:
    """Load the parameters and the state from `directory`; None without a checkpoint.

    Args:
        params: those of the model to train; the checkpoint must have the same names,
            shapes and dtypes.
        settings: those of the run; the checkpoint must have the same.

    Raises:
        ValueError: the checkpoint is of another run, or the file is not a checkpoint.
    """
    path = Path(directory) / FILE
    if not path.exists():
        return None
    groups: dict[str, dict] = {"params": {}, "m": {}, "v": {}, "best": {}}
    try:
        with safe_open(path, framework="numpy") as file:
            values = json.loads(file.metadata()["state"])
            check_settings(path, values["settings"], settings)
            for key in file.keys():
                group, name = key.split("/", 1)
                groups[group][name] = file.get_tensor(key)
    except (SafetensorError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a checkpoint of a training run ({error}): "
                         f"remove it, or {ANEW}") from error
    check_params(path, groups["params"], params)
    ordered = {group: {name: arrays[name] for name in params} if arrays else {}
               for group, arrays in groups.items()}
    rng = np.random.default_rng()
    rng.bit_generator.state = values["rng"]
    state = TrainingState(
        {"step": values["updates"], "m": ordered["m"], "v": ordered["v"]}, rng,
        best_params=ordered["best"] or None,
        **{name: values[name] for name in PLAIN})
    return ordered["params"], state


def check_settings(path, saved: dict, settings: dict) -> None:
    """Refuse to go on with settings that differ from those the run began with."""
    settings = json.loads(json.dumps(settings))
    changed = [f"{name} was {saved.get(name)!r}, is now {settings.get(name)!r}"
               for name in {**saved, **settings}
               if saved.get(name) != settings.get(name)]
    if changed:
        raise ValueError(f"{path} is a checkpoint of another run: {'; '.join(changed)}."
                         " Use the same settings and data to go on, or another folder, "
                         f"or {ANEW}")


def check_params(path, saved: dict, params: dict) -> None:
    """Refuse a checkpoint of another model."""
    def describe(arrays):
        return {name: f"{x.dtype} {x.shape}" for name, x in arrays.items()}
    there, here = describe(saved), describe(params)
    for name in {**there, **here}:
        if there.get(name) != here.get(name):
            raise ValueError(
                f"{path} is a checkpoint of another model: {name} is "
                f"{there.get(name, 'absent')} there, {here.get(name, 'absent')} here. "
                f"Use the same model to go on, or {ANEW}")


def fingerprint(rows: Iterable[dict]) -> str:
    """Return the SHA-256 of named arrays, such as encoded examples or parameters."""
    found = hashlib.sha256()
    for row in rows:
        for name in sorted(row):
            x = np.asarray(row[name], order="C")
            found.update(f"{name} {x.dtype.str} {x.shape} ".encode())
            found.update(x.tobytes())
        found.update(b"end")
    return found.hexdigest()
