"""The state of a training run, and its checkpoint on disk.

A checkpoint is one safetensors file, replaced in one step, so it is always whole.  Its
tensors are `params/NAME`, the optimiser's `m/NAME` and `v/NAME`, and `best/NAME` where
the parameters of the best evaluation are kept.  Everything else is JSON in its header,
under "state"; "sha256" there is a checksum of the tensors and of this text.
"""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from ..system.jsonfiles import as_json, json_text, parse_json
from ..system.saving import atomic_file, write_tensors
from .fields import check_fields
from .recipe import completed

FILE = "training.safetensors"
ANEW = ("start anew with overwrite=True of finetune and pretrain (--overwrite), or "
        "with resume=False of train")
REMEDY = f"remove it, or {ANEW}"
GROUPS = ("params", "m", "v", "best")
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


def save_state(directory, params: dict, state: TrainingState, settings: dict,
               arrays: Callable[[dict], dict] = dict) -> None:
    """Replace the checkpoint in `directory` (made if absent) by this state.

    arrays: makes {name: array} of the parameters, and of what has their names.

    Raises:
        OSError: it cannot be written; the previous checkpoint stays as it was.
    """
    path = Path(directory) / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    groups = {"params": arrays(params), "m": arrays(state.optimizer["m"]),
              "v": arrays(state.optimizer["v"]),
              "best": arrays(state.best_params or {})}
    tensors = {f"{group}/{name}": x
               for group, named in groups.items() for name, x in named.items()}
    plain = {name: getattr(state, name) for name in PLAIN}
    text = json_text({"settings": settings, **plain,
                      "updates": state.optimizer["step"],
                      "rng": state.rng.bit_generator.state})
    try:
        with atomic_file(path) as temporary:
            write_tensors(tensors, temporary,
                          {"state": text, "sha256": checksum_of(groups, text)})
    except OSError as error:
        kept = "the previous checkpoint is kept" if path.exists() else \
            "there is no earlier one"
        number = error.errno or errno.EIO
        raise OSError(number, f"the checkpoint of step {state.step} could not be "
                      f"written ({error}), expected room for it: free some, and repeat "
                      f"the run to go on; {kept}", str(path)) from error


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
    text, checksum = read_header(path)
    values = parse_json(text, f"the state in {path}", remedy=REMEDY)
    check_fields(path, values, settings, REMEDY)
    check_settings(path, values["settings"], settings)
    groups = read_groups(path)
    check_params(path, groups["params"], params)
    check_copies(path, groups, values, settings)
    updates = values["updates"]
    if isinstance(updates, int):                # one for all, in the first checkpoints
        updates = dict.fromkeys(params, updates)
    elif checksum != checksum_of(groups, text):
        raise ValueError(f"{path} holds other bytes than were written, expected the "
                         f"checksum {checksum}: {REMEDY}")
    if set(updates) != set(params):
        raise ValueError(f"{path}: updates is of {', '.join(updates) or 'nothing'}, "
                         f"expected one per parameter of the model: {REMEDY}")
    ordered = {group: {name: arrays[name] for name in params} if arrays else {}
               for group, arrays in groups.items()}
    state = TrainingState(
        {"step": {name: updates[name] for name in params},
         "m": ordered["m"], "v": ordered["v"]},
        generator(path, values["rng"]), best_params=ordered["best"] or None,
        **{name: values[name] for name in PLAIN})
    return ordered["params"], state


def read_header(path: Path) -> tuple[str, str | None]:
    """Return the state as text and the checksum, which the first checkpoints lack."""
    if not path.is_file():
        raise ValueError(f"{path} is not a file, expected a checkpoint: {REMEDY}")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
        return metadata["state"], metadata.get("sha256")
    except (SafetensorError, KeyError) as error:
        raise ValueError(f"{path} is broken ({error}), expected the checkpoint of a "
                         f"training run: {REMEDY}") from error


def read_groups(path: Path) -> dict[str, dict]:
    """Return the tensors of a checkpoint as {group: {name: array}}."""
    groups: dict[str, dict] = {group: {} for group in GROUPS}
    try:
        with safe_open(path, framework="numpy") as file:
            for key in file.keys():
                group, name = key.split("/", 1)
                groups[group][name] = file.get_tensor(key)
    except (SafetensorError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is broken ({error}), expected the checkpoint of a "
                         f"training run: {REMEDY}") from error
    return groups


def checksum_of(groups: dict[str, dict], text: str) -> str:
    """Return the SHA-256 of all tensors, with their names, and of the state's text."""
    return fingerprint([*groups.values(),
                        {"state": np.frombuffer(text.encode(), np.uint8)}])


def generator(path, state) -> np.random.Generator:
    """Make the run's random generator again."""
    rng = np.random.default_rng()
    try:
        rng.bit_generator.state = state
        fits = rng.bit_generator.state == state and state["has_uint32"] in (0, 1)
    except (TypeError, ValueError, KeyError, OverflowError):
        fits = False
    if not fits:
        raise ValueError(f"{path}: rng is {state!r}, expected the state of a PCG64 "
                         f"generator: {REMEDY}")
    return rng


def check_settings(path, saved: dict, settings: dict) -> None:
    """Refuse to go on with settings that differ from those the run began with."""
    settings, saved = as_json(settings), completed(saved)
    changed = [f"{name} was {saved.get(name)!r}, is now {settings.get(name)!r}"
               for name in {**saved, **settings}
               if saved.get(name) != settings.get(name)]
    if changed:
        raise ValueError(f"{path} is a checkpoint of another run, expected the same "
                         f"settings and data ({'; '.join(changed)}): use these to go "
                         f"on, or another folder, or {ANEW}")


def check_params(path, saved: dict, params: dict) -> None:
    """Refuse a checkpoint of another model."""
    for name in {**saved, **params}:
        there, here = described(saved.get(name)), described(params.get(name))
        if there != here:
            raise ValueError(
                f"{path} is a checkpoint of another model, in which {name} is {there}, "
                f"expected {here}: use the same model to go on, or {ANEW}")


def check_copies(path, groups: dict[str, dict], values: dict, settings: dict) -> None:
    """Refuse means or best parameters that don't go with the parameters."""
    copied = values["best"] is not None and settings.get("keep_best", True)
    for group in ("m", "v", "best"):
        wanted = {} if group == "best" and not copied else groups["params"]
        for name in {**wanted, **groups[group]}:
            there, want = (arrays.get(name) for arrays in (groups[group], wanted))
            if there is None or want is None or (
                    (there.dtype, there.shape) != (want.dtype, want.shape)):
                raise ValueError(f"{path}: {group}/{name} is {described(there)}, "
                                 f"expected {described(want)}: {REMEDY}")


def described(x) -> str:
    """Say the type and shape of an array, or that there is none."""
    return "absent" if x is None else f"{x.dtype} {x.shape}"


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
