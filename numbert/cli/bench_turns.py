"""Let contenders take turns, each in a process of its own, and time their steps.

A slow minute of the machine then slows all of them, and none shares its memory or its
threads with another.  bench_steps says what a step is.
"""

from __future__ import annotations

import gc
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np

from ..system.jsonfiles import json_text, parse_json
from ..system.parallel import set_num_threads

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
           "NUMBERT_NUM_THREADS")
NAMES = {"numbert": "numbert", "eager": "Hugging Face eager",
         "sdpa": "Hugging Face sdpa", "onnxruntime": "onnxruntime"}
TURN, REST = 0.05, 0.1          # seconds of a turn at least, and between two turns


def rivals(onnx: bool) -> list[str]:
    """Return who can be measured beside numbert here.

    onnx: whether the work can be done by onnxruntime.
    """
    def there(*names):
        return all(map(importlib.util.find_spec, names))
    found = ["eager", "sdpa"] if there("torch", "transformers") else []
    return found + ["onnxruntime"] * (onnx and there("torch", "onnx", "onnxruntime"))


def measure(row: dict, contenders: Iterable[str], rounds: int) -> dict:
    """Let the contenders take turns.

    Args:
        row: the settings of the work; see bench_steps.
        contenders: keys of NAMES.
        rounds: how many turns each has.

    Returns:
        the row with "contenders": {name: {"median_s", "best_s" of a step,
        "peak_bytes": what steps need on top of what the process held before, or all
        that a command needs}},
        "products": the share of numbert's time, on one thread, that goes into matrix
        products, or None, and "difference": between the contenders' numbers, at most,
        or None.
    """
    with tempfile.TemporaryDirectory() as place:
        workers: dict[str, subprocess.Popen] = {}
        try:
            for name in contenders:                 # one after the other
                workers[name] = start({**row, "contender": name, "place": place})
                hear(workers[name])
            times: dict[str, list] = {name: [] for name in workers}
            peaks = {}
            for _ in range(rounds):
                for name, worker in workers.items():
                    found = ask(worker, "step")
                    times[name].append(found["seconds"])
                    peaks[name] = found["peak"]
                    time.sleep(REST)                # let its threads come to rest
            products = ask(workers["numbert"], "products")["share"]
        finally:
            for worker in workers.values():
                worker.kill()
                worker.wait()
        numbers = [np.load(Path(place) / f"{name}.npy") for name in workers]
    found = {name: {"median_s": float(np.median(times[name])),
                    "best_s": min(times[name]), "peak_bytes": peaks[name]}
             for name in workers}
    difference = max([float(np.abs(x - numbers[0]).max()) for x in numbers[1:]],
                     default=None)
    return {**row, "rounds": rounds, "contenders": found, "products": products,
            "difference": difference}


# ---------------------------------------------------------------- the side that asks

def start(settings: dict) -> subprocess.Popen:
    """Start the process of a contender."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1",
                   **dict.fromkeys(THREADS, str(settings["threads"]))}
    return subprocess.Popen(
        [sys.executable, "-m", __name__, json_text(settings)], env=environment,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ask(worker: subprocess.Popen, what: str) -> dict:
    """Let a contender do something; return its report."""
    try:
        worker.stdin.write(what + "\n")       # type: ignore[union-attr]
        worker.stdin.flush()                  # type: ignore[union-attr]
    except BrokenPipeError:
        pass                                  # it has ended, which hear will tell
    return hear(worker)


def hear(worker: subprocess.Popen) -> dict:
    """Return the next report of a contender."""
    answer = worker.stdout.readline()         # type: ignore[union-attr]
    if not answer:
        raise OSError("the process of a contender ended early, expected it to answer: "
                      "see its error above")
    return parse_json(answer, "the answer of a contender")


# ----------------------------------------------------------------- the side that works

def work(settings: dict) -> None:
    """Load a contender; then do what each line on stdin asks for.

    Each answer is a line of JSON on stdout.
    """
    from .bench_steps import load
    with redirect_stdout(sys.stderr):             # stdout is for answers alone
        loaded = load(settings)
    touch(loaded.model)
    gc.collect()
    rest = reset_peak()
    np.save(Path(settings["place"]) / f"{settings['contender']}.npy", loaded.numbers())
    first = seconds_of(loaded.step, 1)
    count = max(1, round(TURN / first))
    print(json_text({"seconds": first}), flush=True)
    for line in sys.stdin:
        if line == "products\n":
            print(json_text({"share": share_of_products(loaded)}), flush=True)
            continue
        if first < TURN:
            seconds_of(loaded.step, count)        # threads and clock wake up first
        seconds = seconds_of(loaded.step, count)
        peak = most("RUSAGE_CHILDREN") if settings["work"] == "cold-start" else \
            peak_bytes() - rest
        print(json_text({"seconds": seconds, "peak": peak}), flush=True)


def touch(model) -> None:
    """Read all parameters, so that memory already holds those mapped from a file."""
    params = getattr(model, "params", None)                     # of numbert
    for x in [] if model is None else params.values() if params else model.parameters():
        x.sum()


def seconds_of(step, count: int) -> float:
    """Return the seconds of a step, the mean over `count` in a row."""
    begin = time.perf_counter()
    for _ in range(count):
        step()
    return (time.perf_counter() - begin) / count


class Timed(np.ndarray):
    """An array that measures the time of the matrix products it takes part in."""

    seconds = 0.0

    def __array_ufunc__(self, ufunc, method, *inputs, out=(), **options):
        if out:
            options["out"] = tuple(map(plain, out))
        begin = time.perf_counter()
        found = getattr(ufunc, method)(*map(plain, inputs), **options)
        if ufunc is np.matmul:
            Timed.seconds += time.perf_counter() - begin
        return found.view(Timed) if isinstance(found, np.ndarray) else found


def plain(x):
    """Return an array that measures nothing."""
    return x.view(np.ndarray) if isinstance(x, Timed) else x


def share_of_products(loaded) -> float | None:
    """Return the share of a step of numbert's that matrix products take, on one thread.
    """
    if loaded.model is None:                   # the work of another process
        return None
    set_num_threads(1)
    params = loaded.model.params
    loaded.model.params = {name: x.view(Timed) for name, x in params.items()}
    loaded.step()
    Timed.seconds = 0.0
    whole = seconds_of(loaded.step, 1)
    return Timed.seconds / whole


def reset_peak() -> int:
    """Forget the highest memory so far; return the bytes that the process holds now."""
    try:
        Path("/proc/self/clear_refs").write_text("5")                       # Linux
    except OSError:
        pass                                     # the peak then includes loading
    return status("VmRSS") or peak_bytes()


def peak_bytes() -> int:
    """Return the most bytes that the process has held since reset_peak."""
    return status("VmHWM") or most("RUSAGE_SELF")


def most(whose: str) -> int:
    """Return the most bytes of this process ever, or of one that it has started."""
    import resource                                  # Windows has none
    found = resource.getrusage(getattr(resource, whose)).ru_maxrss
    return found * (1 if sys.platform == "darwin" else 1024)


def status(field: str) -> int:
    """Return a field of Linux's /proc/self/status in bytes; 0 if there is none."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


if __name__ == "__main__":
    work(parse_json(sys.argv[1], "the settings of a contender"))
