"""Train everything that ships with numbert, from nothing but a seed.

    python -m numbert.shipped --out DIR [--seed 0]

DIR/models then holds what is in numbert/checkpoints: the models and their card.  A run
that was interrupted goes on.  Each batch is computed in two parts, in threads of their
own, with one thread of BLAS each: so neither the load of the machine nor the number of
its processors changes a bit of the result.
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
from ..system.parallel import cores
from ..system.jsonfiles import json_text
from ..system.saving import atomic_write_text

ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS",
                                     "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")}


def main(argv: list[str] | None = None) -> None:
    """Run all steps, or only the one that is named."""
    parser = argparse.ArgumentParser(prog="python -m numbert.shipped",
                                     description="Train the checkpoints that ship.")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scale", type=float, default=1.0, metavar="X",
                        help="make X times as many examples (for a quick trial)")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if args.step:
        run_step(args.out, args.step, args.seed, args.scale)
        return
    args.out.mkdir(parents=True, exist_ok=True)
    names = ("data", PRETRAINED, *FINE_TUNED, "scores")
    report(args.out / "models", {name: child(args, name) for name in names})


def run_step(folder: Path, name: str, seed: int, scale: float) -> None:
    """One step, in this process."""
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
    """A step in a process of its own, unless it is done already; its seconds.

    Raises:
        SystemExit: it failed.
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
        raise SystemExit(f"the step {name} failed; see above")
    took = time.perf_counter() - start
    done.write_text(f"{took:.1f}")
    print(f"{name}: {took:.0f} s", flush=True)
    return took


def report(models: Path, seconds: dict[str, float]) -> None:
    """Say how long it took, and whether the result is what ships."""
    print(f"\nall steps: {sum(seconds.values()):.0f} s; Python "
          f"{platform.python_version()}, NumPy {np.__version__}, {cores()} "
          "cores")
    for file in sorted(models.rglob("*")):
        if file.is_file():
            shipped = FOLDER / file.relative_to(models)
            same = shipped.exists() and digest(shipped) == digest(file)
            verdict = "the same as shipped" if same else "not as shipped"
            print(f"{file.relative_to(models)!s:45}{file.stat().st_size:>10,} bytes  "
                  f"{verdict}")


def digest(file: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
