"""numbert bench: measure numbert, beside Hugging Face where that is installed."""

from __future__ import annotations

import importlib

from . import common

BENCHES = {
    "tokenizer": ("bench_tokenizer",
                  "BertTokenizer: a document, many sentences, one sentence"),
    "forward": ("bench_forward",
                "BertModel: time and memory of a forward pass, cold start"),
}


def register(commands) -> None:
    """Add `numbert bench`."""
    command = common.add_command(
        commands, "bench", None, "measure speed and memory beside Hugging Face",
        "  numbert bench forward\n  numbert bench tokenizer --help")
    kinds = command.add_subparsers(title="what to measure", metavar="WHAT",
                                   required=True)
    for name, (module, help) in BENCHES.items():
        bench = importlib.import_module(f"..{module}", __name__)
        kind = common.add_command(kinds, name, bench.run, help,
                                  description=(bench.__doc__ or "").strip())
        bench.add_arguments(kind)
