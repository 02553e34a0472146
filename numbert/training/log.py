"""The history of a training run: rows of losses, scores and speed, and the log file."""

from __future__ import annotations

import csv
import io
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..system.jsonfiles import json_text
from ..system.saving import atomic_write_text


@dataclass
class Speed:
    """Time spent and work done since the last row of the history."""

    seconds: float = 0.0
    examples: int = 0
    tokens: int = 0
    lr: float = 0.0             # of the last step
    norm: float = 0.0           # of the last gradient, before clipping
    began: float = 0.0

    def start(self) -> None:
        """Begin a step."""
        self.began = time.perf_counter()

    def stop(self, parts: list[dict], lr: float, norm: float) -> None:
        """End a step, and count what it worked on."""
        self.seconds += time.perf_counter() - self.began
        for part in parts:
            tokens = np.asarray(part["input_ids"] if "input_ids" in part else
                                part["inputs_embeds"][..., 0])
            self.examples += len(tokens)
            self.tokens += int(np.sum(part.get("attention_mask", tokens.size)))
        self.lr, self.norm = lr, norm


def training_row(place: dict, losses: list[float], speed: Speed) -> dict:
    """Return a row of training: the mean loss of its updates and their speed."""
    return {**place, "loss": float(np.mean(losses)) if losses else None,
            "lr": speed.lr, "grad_norm": speed.norm,
            "examples_per_second": round(speed.examples / speed.seconds, 2),
            "tokens_per_second": round(speed.tokens / speed.seconds, 1)}


def postfix(row: dict) -> dict:
    """Return what the progress bar shows of a row of training."""
    loss = "none" if row["loss"] is None else f"{row['loss']:.4f}"
    return {"loss": loss, "examples/s": f"{row['examples_per_second']:.1f}",
            "refresh": False}


def last_evaluation(history: list[dict]) -> dict[str, float] | None:
    """Return the metrics of the last evaluation; None without one."""
    for row in reversed(history):
        if "grad_norm" not in row:
            return {name: value for name, value in row.items()
                    if name not in ("step", "epoch")}
    return None


def log_suffix(path) -> str:
    """Return the suffix of a log file's name, which says how to write it.

    Raises:
        ValueError: it is neither .jsonl nor .csv.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in (".jsonl", ".csv"):
        raise ValueError(f"log is {str(path)!r}, expected a name that ends in .jsonl "
                         "or .csv: the ending chooses the format")
    return suffix


def write_log(path, history: list[dict]) -> None:
    """Write the whole history, replacing what an interrupted run may have left."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write_text(path, log_text(log_suffix(path), history, history, head=True))


def append_log(path, history: list[dict], written: int) -> None:
    """Append the rows after the first `written`, which the file has already."""
    suffix = log_suffix(path)
    if suffix == ".csv" and columns(history[:written]) != columns(history):
        write_log(path, history)                    # a new column is named at the top
        return
    with open(path, "a", encoding="utf-8", newline="") as file:
        file.write(log_text(suffix, history, history[written:], head=False))


def columns(history: list[dict]) -> list[str]:
    """List the names in all rows, in order of appearance."""
    return list(dict.fromkeys(name for row in history for name in row))


def log_text(suffix: str, history: list[dict], rows: list[dict], head: bool) -> str:
    """Format rows as lines of JSON, or of CSV with the columns of the whole history.
    """
    if suffix == ".jsonl":
        return "".join(json_text(row) + "\n" for row in rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, columns(history), lineterminator="\n")
    if head and history:
        writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
