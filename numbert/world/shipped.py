"""The command that trains everything that ships with numbert, from a seed alone.

    python -m numbert.shipped --out DIR [--seed 0]

DIR/models then holds what numbert/checkpoints holds: the models and their card.  After
an interruption, the same command goes on where it stopped.  Each batch is computed in
two parts, each in its own thread with one thread of BLAS.  So neither the load of the
machine nor its number of cores changes a bit of the result.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np

from ..checkpoints import FINE_TUNED, FOLDER, PRETRAINED
from ..system.jsonfiles import json_text
from ..system.parallel import cores
from ..system.places import one_run
from ..system.saving import atomic_write_text

ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS",
                                     "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")}


def main(argv: list[str] | None = None) -> None:
    """Run all steps that are not done yet, or only the one that --step names."""
    parser = argparse.ArgumentParser(
        prog="python -m numbert.shipped",
        description="Train the checkpoints that ship with numbert.  After an "
                    "interruption, the same command goes on where it stopped.")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR",
                        help="folder to work in; DIR/models gets the result")
    parser.add_argument("--seed", type=int, default=0, metavar="N",
                        help="each seed gives other text and other models (default: 0, "
                             "which ships)")
    parser.add_argument("--scale", type=float, default=1.0, metavar="X",
                        help="make X times as many examples (0.01 for a quick trial)")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.step:
        run_step(args.out, args.step, args.seed, args.scale)
        return
    names = ("data", PRETRAINED, *FINE_TUNED, "scores")
    with one_run(args.out):
        report(args.out / "models", {name: child(args, name) for name in names})


def run_step(folder: Path, name: str, seed: int, scale: float) -> None:
    """Run one step in this process."""
    from . import card, scores, steps
    if name != "scores":
        steps.STEPS[name](folder, seed, scale)
        return
    for model in (PRETRAINED, *FINE_TUNED):
        steps.publish(folder, model)
    models = folder / "models"
    warnings.filterwarnings("ignore", message=".* does not use")
    found = card.rounded(scores.all_scores(models, folder / "data", seed))
    atomic_write_text(models / "metrics.json", json_text(found, indent=2) + "\n")
    atomic_write_text(models / "README.md", card.text(found, models, seed, scale))


def child(args: argparse.Namespace, name: str) -> float:
    """Run a step in its own process unless it is done, and return its seconds.

    Raises:
        SystemExit: the step failed.
    """
    done = args.out / f"{name}.done"
    if done.exists():
        return float(done.read_text())
    print(f"{name} ...", flush=True)
    start = time.perf_counter()
    command = [sys.executable, "-m", "numbert.shipped", "--out", str(args.out),
               "--seed", str(args.seed), "--scale", str(args.scale), "--step", name]
    found = subprocess.run(command, env={**os.environ, **ONE_THREAD})
    if found.returncode:
        raise SystemExit(
            f"the exit status of the step {name} is {found.returncode}, expected 0: "
            "see its error above, then run the same command again to go on from there")
    took = time.perf_counter() - start
    atomic_write_text(done, f"{took:.1f}")
    print(f"{name}: {took:.0f} s", flush=True)
    return took


def report(models: Path, seconds: dict[str, float]) -> None:
    """Print how long it took, and which files are equal to those that ship."""
    print(f"\nall steps: {sum(seconds.values()):.0f} s; Python "
          f"{platform.python_version()}, NumPy {np.__version__}, {cores()} "
          "cores")
    for file in sorted(models.rglob("*")):
        if file.is_file():
            shipped = FOLDER / file.relative_to(models)
            same = shipped.exists() and digest(shipped) == digest(file)
            verdict = "same as shipped" if same else "differs from shipped"
            print(f"{file.relative_to(models)!s:45}{file.stat().st_size:>10,} bytes  "
                  f"{verdict}")


def digest(file: Path) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()
