"""numbert bench: measure numbert, and Hugging Face beside it if it is installed."""

from __future__ import annotations

from . import bench_forward, bench_sdpa, bench_tokenizer, common

BENCHES = {
    "tokenizer": (bench_tokenizer,
                  "how fast text is tokenized: a document, sentences, one sentence"),
    "forward": (bench_forward,
                "time and memory of a forward pass, and a cold start of the command"),
    "sdpa": (bench_sdpa,
             "eager attention and SDPA: both tables of Hugging Face's BERT page"),
}


def register(command, name: str) -> None:
    """Say what `numbert bench` takes."""
    common.describe(
        command, None, "  numbert bench forward\n  numbert bench tokenizer --help",
        "Measure the speed and memory of numbert, and of Hugging Face beside it if\n"
        "torch and transformers are installed.")
    kinds = command.add_subparsers(title="what to measure", metavar="WHAT",
                                   required=True)
    for what, (bench, help) in BENCHES.items():
        kind = common.add_command(kinds, what, help)
        common.describe(kind, bench.run, description=(bench.__doc__ or "").strip())
        bench.add_arguments(kind)
