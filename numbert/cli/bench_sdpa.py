"""Measure both tables of the Hugging Face BERT page, "Using SDPA", on your own device.

The models are BertLMHeadModels with random weights, numbert's and, if it is installed,
that of transformers, each with eager attention and with SDPA.  In each row they take
turns, with the same weights and ids, so a slow minute slows all of them.

training   Time of a batch: forward in training mode, so dropout acts, the sum of the
           logits as the loss, backward.  The weights have the dtype; there is no
           optimizer.
inference  Time of a token: greedy generation of --tokens new ones, divided by their
           number.  Reading the prompt and all work of Python count.

Each figure is the mean, as on the page; behind it are the median and the spread, which
is the distance between the quartiles.  Speedup and saving are eager / SDPA - 1.  Memory
is the peak that torch allocates after the warm-up, in units of 10^6 bytes; only CUDA
tells it.  The models are all in memory at once, but each figure counts only its own.

The page's figures stand beside yours, for the eye: its GPU is another, and a later
transformers keeps fewer logits in memory.  Judge by transformers in the same run.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from ..models.classes import BertLMHeadModel
from ..models.config import BertConfig
from ..system.progress import bar
from . import bench_output

SOURCE = "https://huggingface.co/docs/transformers/v4.50.0/model_doc/bert"
HARDWARE = "A100-80GB, PyTorch 2.2.0, float16"
FIELDS = ("eager_ms", "sdpa_ms", "speedup", "eager_mb", "sdpa_mb", "saving")
# By (batch, length), in the order of FIELDS; the page gives training in seconds.
# It found its percentages before it rounded the times.
PAGE: dict[str, dict[tuple[int, int], tuple[float, ...]]] = {
    "training": {
        (4, 256): (23, 17, 35.472, 939.213, 764.834, 22.800),
        (4, 512): (23, 18, 23.687, 1970.447, 1227.162, 60.569),
        (8, 256): (23, 18, 23.491, 1594.295, 1226.114, 30.028),
        (8, 512): (35, 25, 43.058, 3629.401, 2134.262, 70.054),
        (16, 256): (30, 24, 25.583, 2874.426, 2134.262, 34.680),
        (16, 512): (64, 44, 46.223, 6964.659, 3961.013, 75.830)},
    "inference": {
        (1, 128): (5.736, 4.987, 15.022, 282.661, 282.924, -0.093),
        (1, 256): (5.689, 4.945, 15.055, 298.686, 298.948, -0.088),
        (2, 128): (6.154, 4.982, 23.521, 314.523, 314.785, -0.083),
        (2, 256): (6.201, 4.949, 25.303, 347.546, 347.033, 0.148),
        (4, 128): (6.049, 4.987, 21.305, 378.895, 379.301, -0.107),
        (4, 256): (6.285, 5.364, 17.166, 443.209, 444.382, -0.264)}}
SMALL = {"training": ((1, 32), (2, 32)), "inference": ((1, 16), (2, 16))}
COUNTS = {"steps": (30, 1), "calls": (3, 1), "tokens": (100, 8)}     # else, on a CPU
ATTENTIONS = ("eager", "sdpa")
NAMES = {"numbert": "numbert", "transformers": "transformers", "page": "the page"}
UNITS = {"training": "batch", "inference": "token"}


class Contender(NamedTuple):
    """A model to measure."""

    who: str                        # "numbert" or "transformers"
    attention: str                  # of ATTENTIONS
    module: Any                     # torch.nn.Module; its call gives logits
    generate: Callable


def add_arguments(parser) -> None:
    """Add the arguments of `numbert bench sdpa`."""
    from .common import positive
    parser.add_argument("--device", help='of torch, such as "cuda"; default: cuda if '
                        "it is there, else cpu")
    parser.add_argument("--dtype", help="float32, float64, float16 or bfloat16; "
                        "default: float16, on a CPU float32")
    parser.add_argument("--model", metavar="DIR", help="a folder with the config.json "
                        "of another size; default: that of BERT-base")
    parser.add_argument("--table", choices=tuple(PAGE), help="measure one table only")
    parser.add_argument("--rows", nargs="+", type=batch_length, metavar="BATCHxLENGTH",
                        help="rows to measure, such as 4x256; default: the page's, on "
                        "a CPU smaller ones")
    parser.add_argument("--rounds", type=positive, default=3, help="how often the "
                        "models take turns in each row (default: 3)")
    for name, what in (("steps", "training steps in each turn"),
                       ("calls", "generations in each turn"),
                       ("tokens", "new tokens of a generation")):
        parser.add_argument(f"--{name}", type=positive, help="{} (default: {}, on a CPU"
                            " {})".format(what, *COUNTS[name]))
    parser.add_argument("--compile", action="store_true", help="add rows of training "
                        'with torch.compile(mode="reduce-overhead"); they tell no '
                        "memory, as torch does not count that of CUDA graphs")
    bench_output.add_arguments(parser)


def batch_length(text: str) -> tuple[int, int]:
    """Return (4, 256) for "4x256"; a type for argparse."""
    parts = text.split("x")
    if len(parts) != 2 or not all(x.isdecimal() and int(x) > 0 for x in parts):
        raise argparse.ArgumentTypeError(
            f"the row is {text!r}, expected a batch size, an x and a length, such as "
            "4x256: correct it")
    return int(parts[0]), int(parts[1])


def run(args) -> None:
    """Measure, print the tables, and write what was asked for."""
    bench_output.check(args)
    figures = measure(plan(args))
    bench_output.finish(args, figures, text_of(figures), picture)


def plan(args) -> dict:
    """Return the settings of a run, checked, with the defaults of the device.

    Raises:
        ImportError: torch is not installed.
        ValueError: torch has no such device or dtype, or a row is too long.
    """
    from ..backends.torch_model import checked, torch
    device = args.device or ("cuda" if torch.cuda.is_available() else "cpu")
    found = checked(device, args.dtype, "sdpa")
    cpu = found["device"].type == "cpu"
    config = BertConfig.from_pretrained(args.model) if args.model else BertConfig()
    counts = {name: getattr(args, name) or default[cpu]
              for name, default in COUNTS.items()}
    rows = {table: list(args.rows or (SMALL[table] if cpu else PAGE[table]))
            for table in ([args.table] if args.table else PAGE)}
    for table, pairs in rows.items():
        new = counts["tokens"] if table == "inference" else 0
        longest, most = max(t for _, t in pairs) + new, config.max_position_embeddings
        if longest > most:
            raise ValueError(
                f"a row of {table} needs {longest} positions, expected at most the "
                f"model's max_position_embeddings {most}: shorten --rows or --tokens")
    dtype = found["dtype"] or (torch.float32 if cpu else torch.float16)
    return {"device": found["device"], "dtype": dtype, "config": config, "rows": rows,
            "rounds": args.rounds, "compile": args.compile, **counts}


# -------------------------------------------------------------------------- measuring

def measure(settings: dict) -> dict:
    """Measure all rows.

    Returns:
        the versions and settings, and "rows": a dict for each row, see `measured_row`.
    """
    rows = []
    jobs = {table: [(*pair, compiled) for pair in pairs for compiled in (False, True)
                    if not compiled or settings["compile"] and table == "training"]
            for table, pairs in settings["rows"].items()}
    with bar(sum(map(len, jobs.values())), "rows") as shown:
        for table in jobs:
            models = contenders(settings, decoder=table == "inference")
            for job in jobs[table]:
                rows.append(measured_row(models, settings, table, *job))
                shown.update()
            del models                              # before the next ones are made
    return {**versions(settings), "rows": rows}


def versions(settings: dict) -> dict:
    """Return what to know about a run: the device, the versions, the settings."""
    import torch
    device, config = settings["device"], settings["config"]
    cuda = device.type == "cuda"
    name = torch.cuda.get_device_name(device) if cuda else \
        f"{device} (threads: {torch.get_num_threads()})"
    theirs = None
    if importlib.util.find_spec("transformers"):
        theirs = importlib.metadata.version("transformers")
    return {"device": name, "torch": torch.__version__,
            "cudnn": torch.backends.cudnn.version() if cuda else None,
            "transformers": theirs, "dtype": str(settings["dtype"])[6:],
            "num_hidden_layers": config.num_hidden_layers,
            "hidden_size": config.hidden_size, "page": SOURCE,
            **{name: settings[name] for name in ("rounds", *COUNTS)}}


def contenders(settings: dict, decoder: bool) -> list[Contender]:
    """Return the models on the device, all with the same weights."""
    from ..backends.torch_model import torch
    device, dtype = settings["device"], settings["dtype"]
    config = BertConfig(**{**settings["config"].to_dict(), "is_decoder": decoder})
    host = BertLMHeadModel(config, rng=0)
    found = []
    for attention in ATTENTIONS:
        model = host.to_torch(device, dtype, attention)
        found.append(Contender("numbert", attention, model.as_module(),
                               model.generate))
    if importlib.util.find_spec("transformers"):
        import transformers
        transformers.utils.logging.set_verbosity_error()
        weights = found[0].module.state_dict()
        for attention in ATTENTIONS:
            theirs = transformers.BertConfig(**{**config.to_dict(),
                                                "attn_implementation": attention})
            with torch.device(device):
                model = transformers.BertLMHeadModel(theirs).to(dtype)
            model.load_state_dict(weights)
            found.append(Contender("transformers", attention, model, model.generate))
    return found


def measured_row(models: Sequence[Contender], settings: dict, table: str, batch: int,
                 length: int, compiled: bool = False) -> dict:
    """Let the models take turns on one row.

    Returns:
        {"table", "batch", "length", "compiled", "found": {who: see `compared`},
        "page": its figures by FIELDS, or None if it has no such row}
    """
    import torch
    device = settings["device"]
    ids = torch.from_numpy(np.random.default_rng(0).integers(
        settings["config"].vocab_size, size=(batch, length))).to(device)
    act = training if table == "training" else inference
    if compiled:
        torch.compiler.reset()              # each row has shapes of its own
    steps = [act(x, ids, settings, compiled) for x in models]
    spent: list[list[float]] = [[] for _ in models]
    peaks: list[Any] = [None for _ in models]
    count = settings["steps" if table == "training" else "calls"]
    for turn in range(settings["rounds"]):
        for i, (model, step) in enumerate(zip(models, steps)):
            torch.manual_seed(turn)
            for _ in range(min(10, count) if turn == 0 else 0):
                step()
            times, peak = timed(step, count, device)
            spent[i] += times
            if peak is not None and not compiled:
                peaks[i] = max(peaks[i] or 0, (peak + own_bytes(model, ids)) / 1e6)
    units = settings["tokens"] if table == "inference" else 1
    found: dict[str, dict] = {}
    for model, times, peak in zip(models, spent, peaks):
        ms = [x * 1e3 / units for x in times]
        found.setdefault(model.who, {})[model.attention] = {**summary(ms), "mb": peak}
    page = PAGE[table].get((batch, length))
    return {"table": table, "batch": batch, "length": length, "compiled": compiled,
            "found": {who: compared(**pair) for who, pair in found.items()},
            "page": dict(zip(FIELDS, page)) if page else None}


def training(model: Contender, ids, settings: dict, compiled: bool) -> Callable:
    """Return a function that takes one step of training, without an optimizer."""
    import torch
    module = model.module.train()
    call = torch.compile(module, mode="reduce-overhead", dynamic=False) if compiled \
        else module
    mask = torch.ones_like(ids)

    def step():
        if compiled:
            torch.compiler.cudagraph_mark_step_begin()
        call(input_ids=ids, attention_mask=mask).logits.sum().backward()
        module.zero_grad()
    return step


def inference(model: Contender, ids, settings: dict, compiled: bool) -> Callable:
    """Return a function that generates as many tokens as the settings say."""
    import torch
    model.module.eval()
    mask, new = torch.ones_like(ids), settings["tokens"]
    if ids.shape[1] > 1:
        mask[0, 0] = 0        # as the page's script has it: no model can drop the mask

    def step():
        with torch.inference_mode():
            return model.generate(
                ids, attention_mask=mask, max_new_tokens=new, min_new_tokens=new,
                do_sample=False, pad_token_id=0, eos_token_id=None)
    return step


def timed(step: Callable, count: int, device) -> tuple[list[float], int | None]:
    """Run a step `count` times.

    Returns:
        the seconds of each, and the most bytes that torch allocated on top of what it
        held before, which only CUDA tells.
    """
    import torch
    if device.type != "cuda":
        wait, times = torch.get_device_module(device).synchronize, []
        for _ in range(count):
            wait()
            begin = perf_counter()
            step()
            wait()
            times.append(perf_counter() - begin)
        return times, None
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    rest = torch.cuda.memory_allocated(device)
    with torch.cuda.device(device):
        # Events do not stop the device, so steps follow one another without a gap.
        events = [torch.cuda.Event(enable_timing=True) for _ in range(count + 1)]
        events[0].record()
        for event in events[1:]:
            step()
            event.record()
        torch.cuda.synchronize(device)
    return ([a.elapsed_time(b) / 1e3 for a, b in zip(events, events[1:])],
            torch.cuda.max_memory_allocated(device) - rest)


def own_bytes(model: Contender, ids) -> int:
    """Return the bytes of a model at rest, with its ids and its mask."""
    held = [*model.module.parameters(), *model.module.buffers(), ids, ids]
    return sum(x.nbytes for x in held)


def summary(values: Sequence[float]) -> dict:
    """Return the mean, the median, and the distance between the quartiles."""
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    return {"ms": float(np.mean(values)), "median_ms": float(middle),
            "spread_ms": float(high - low), "count": len(values)}


def compared(eager: dict, sdpa: dict) -> dict:
    """Return one dict of two summaries, with speedup and saving in percent."""
    both = {f"{name}_{key}": value for name, found in
            (("eager", eager), ("sdpa", sdpa)) for key, value in found.items()}
    return {**both, "speedup": percent(eager["ms"], sdpa["ms"]),
            "saving": percent(eager["mb"], sdpa["mb"])}


def percent(eager: float | None, sdpa: float | None) -> float | None:
    """Return by how many percent of SDPA's value the eager one is larger."""
    return (eager / sdpa - 1) * 100 if eager is not None and sdpa else None


# --------------------------------------------------------------------------- the output

def text_of(figures: dict) -> str:
    """Return both tables as text."""
    cudnn = f", cuDNN {figures['cudnn']}" if figures["cudnn"] else ""
    theirs = figures["transformers"]
    lines = [
        f"{figures['device']}: torch {figures['torch']}{cudnn}, "
        + (f"transformers {theirs}" if theirs else
           "without transformers (pip install transformers)"),
        f"BertLMHeadModel, {figures['num_hidden_layers']} layers of "
        f"{figures['hidden_size']}, {figures['dtype']}, {figures['rounds']} rounds; "
        "mean (median, spread)",
        f"the page: {figures['page']}, {HARDWARE}"]
    for table, unit in UNITS.items():
        rows = [row for row in figures["rows"] if row["table"] == table]
        if rows:
            lines += ["", f"{table}, ms per {unit}",
                      f"{'batch x length':31}{'eager':>24}{'SDPA':>25}{'speedup':>10}"
                      f"{'eager MB':>11}{'SDPA MB':>10}{'saving':>9}"]
            lines += [line for row in rows for line in lines_of(row)]
    return "\n".join(lines)


def lines_of(row: dict) -> list[str]:
    """Return a line for each contender in a row of a table, and one for the page."""
    name, lines = row_name(row), []
    for who, found in [*row["found"].items(), ("page", row["page"])]:
        if found:
            lines.append(
                f"{name:18}{NAMES[who]:13}{times(found, 'eager'):>24}"
                f"{times(found, 'sdpa'):>25}{number(found['speedup'], ' %'):>10}"
                f"{number(found['eager_mb']):>11}{number(found['sdpa_mb']):>10}"
                f"{number(found['saving'], ' %'):>9}")
            name = ""
    return lines


def row_name(row: dict) -> str:
    """Return what a row is called."""
    return f"{row['batch']} x {row['length']}" + " compiled" * row["compiled"]


def times(found: dict, attention: str) -> str:
    """Return the mean with, where known, the median and the spread behind it."""
    mean, *behind = [f"{found[key]:.{2 if found[key] < 100 else 1}f}" for key in
                     (f"{attention}{part}_ms" for part in ("", "_median", "_spread"))
                     if key in found]
    return f"{mean} ({', '.join(behind)})" if behind else mean


def number(value: float | None, unit: str = "") -> str:
    """Return a number as text, a dash for None."""
    return "-" if value is None else f"{value:.1f}{unit}"


def picture(figures: dict) -> Any:
    """Return a figure of the times: a panel for each table, bars for each row."""
    from ..plots import look
    tables = [t for t in UNITS if any(r["table"] == t for r in figures["rows"])]
    colours = {"numbert": look.BLUE, "transformers": look.ORANGE, "page": look.SOFT}
    with look.style():
        figure, panels = look.canvas(None, (7.5, 0.6 + 2.7 * len(tables)), len(tables))
        for table, axes in zip(tables, panels):
            rows = [row for row in figures["rows"] if row["table"] == table]
            for at, row in enumerate(rows):
                bars = {**row["found"], "page": row["page"]}
                draw_row(axes, at, {who: x for who, x in bars.items() if x}, colours)
            axes.set_xticks(range(len(rows)), [
                row_name(row).replace(" c", "\nc") for row in rows])
            axes.set(ylabel=f"ms per {UNITS[table]}")
            axes.set_title(f"{table}: {figures['device']}, {figures['dtype']}",
                           parse_math=False)
            axes.set_xlim(-0.6, len(rows) - 0.4)
            axes.grid(True, axis="y")
            axes.set_axisbelow(True)
        explain(figure, panels)
    return figure


def draw_row(axes, at: int, bars: dict, colours: dict) -> None:
    """Draw the bars of one row around x = at; eager is pale, SDPA is full."""
    from matplotlib.colors import to_rgb

    from ..plots.look import PAPER
    width = 0.8 / (2 * len(bars))
    for i, (who, found) in enumerate(bars.items()):
        full, paper = np.array(to_rgb(colours[who])), np.array(to_rgb(PAPER))
        for j, attention in enumerate(ATTENTIONS):
            axes.bar(at - 0.4 + (2 * i + j + 0.5) * width, found[attention + "_ms"],
                     width * 0.92, color=full if j else 0.4 * full + 0.6 * paper,
                     label=f"{NAMES[who]}, {'SDPA' if j else 'eager'}")


def explain(figure, panels) -> None:
    """Write one legend over all panels: a column for each contender."""
    handles: dict[str, Any] = {}
    for axes in panels:
        for handle, name in zip(*axes.get_legend_handles_labels()):
            handles.setdefault(name, handle)
    figure.legend(handles.values(), handles, ncols=len(handles) // 2,
                  loc="outside upper center")
