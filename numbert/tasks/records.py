"""What training.json says of a run, so that it can be repeated and compared."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from ..system import versions
from ..training.recipe import Plan


def provenance(plan: Plan, model, **files) -> dict[str, Any]:
    """Describe what a run starts from: the fields of training.json besides its scores.

    Args:
        plan: the settings of the training, with all lengths in updates.
        model: the checkpoint that it starts from, as the caller named it.
        **files: the data; None for a file that was not given.

    Returns:
        {"model": name, "data": {name: {"file": ..., "sha256": ...}}, "training":
        {"lr": ..., "epochs": ..., ...}, "versions": {"numbert": ..., ...}}
    """
    return {"model": str(model),
            "data": {name: {"file": str(path), "sha256": file_sha256(path)}
                     for name, path in files.items() if path is not None},
            "training": vars(plan),
            "versions": versions()}


def file_sha256(path) -> str | None:
    """Return the SHA-256 of a file; None for a pipe, which can be read only once."""
    if not Path(path).is_file():
        return None
    found = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            found.update(block)
    return found.hexdigest()
