"""numbert bench: measure numbert, and Hugging Face beside it if it is installed."""

from __future__ import annotations

from functools import partial
from typing import Any

from . import bench_sdpa, bench_speed, bench_tokenizer, common

BENCHES: dict[str, tuple[Any, str, Any, Any]] = {
    **{kind: (partial(bench_speed.run, kind=kind), help, bench_speed,
              partial(bench_speed.add_arguments, kind=kind))
       for kind, help in bench_speed.HELP.items()},
    "tokenizer": (bench_tokenizer.run,
                  "how fast text is tokenized: a document, sentences, one sentence",
                  bench_tokenizer, bench_tokenizer.add_arguments),
    "sdpa": (bench_sdpa.run,
             "eager attention and SDPA: both tables of Hugging Face's BERT page",
             bench_sdpa, bench_sdpa.add_arguments),
}


def register(command, name: str) -> None:
    """Say what `numbert bench` takes."""
    common.describe(
        command, None,
        "  numbert bench forward\n  numbert bench train --model DIR --batch 16\n"
        "  numbert bench all --json figures.json --plot figures.png",
        "Measure the speed and memory of numbert, and of Hugging Face beside it if\n"
        "torch and transformers are installed.")
    kinds = command.add_subparsers(title="what to measure", metavar="WHAT",
                                   required=True)
    for what, (run, help, module, add_arguments) in BENCHES.items():
        kind = common.add_command(kinds, what, help)
        common.describe(kind, run, description=(module.__doc__ or "").strip())
        add_arguments(kind)
