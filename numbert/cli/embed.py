"""numbert embed: sentence embeddings from the command line."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..system.places import refuse_inputs
from ..system.progress import bar
from ..system.saving import atomic_file
from . import common

DESCRIPTION = """\
Turn each text into one vector: the mean of its tokens' last hidden states, or the
hidden state of [CLS], ...

If the model's folder holds the files of sentence-transformers, these say how: which
pooling, which layers after it, which prompt, how long a text may be.  The options
below change that.  Without these files the defaults are --pooling mean, no prompt, the
longest text that the model takes, and --no-normalize."""
EXAMPLES = """\
  numbert embed "A man is eating." "Someone has a meal." --model DIR
  numbert embed --file sentences.txt --model DIR --out vectors.npy
  cat sentences.txt | numbert embed - --model DIR --json > vectors.jsonl
  numbert embed --file questions.txt --model DIR --prompt "query: " --out - | ..."""
# What the summary calls each pooling and each step.
WORDS = {"mean": "mean of the tokens", "cls": "hidden state of [CLS]",
         "max": "largest values of the tokens", "lasttoken": "hidden state of [SEP]",
         "weightedmean": "mean of the tokens, of which later ones count more",
         "mean_sqrt_len_tokens": "sum of the tokens over the root of their number",
         "unit": "scaled to length 1", "cut": "cut short", "dense": "a Dense layer",
         "layer_norm": "LayerNorm"}
SHOWN = 9                                # how many texts a summary lists and compares


def register(command, name: str) -> None:
    """Say what `numbert embed` takes."""
    common.describe(command, run, EXAMPLES, DESCRIPTION)
    command.add_argument("text", nargs="*", metavar="TEXT",
                         help='texts; a single "-" reads stdin, one text per line')
    common.add_model(command)
    command.add_argument("--file", metavar="FILE",
                         help="read the texts from a UTF-8 file or a pipe, one per "
                              "line; a blank line is a text too, so row i belongs to "
                              "line i")
    form = command.add_mutually_exclusive_group()
    form.add_argument("--out", metavar="FILE.npy",
                      help="write a NumPy array with a row for each text, for any "
                           "number of texts; the file appears only when all went "
                           "well; - writes it to stdout")
    form.add_argument("--json", action="store_true",
                      help="print one JSON object per text, with text and embedding")
    command.add_argument("--pooling", metavar="NAME", type=lambda text: text.split(","),
                         help="how to make one vector of a text's tokens: mean, cls "
                              "(that of [CLS]), max, lasttoken, weightedmean or "
                              "mean_sqrt_len_tokens; NAME,NAME joins several")
    command.add_argument("--normalize", action=argparse.BooleanOptionalAction,
                         help="scale each vector to length 1")
    command.add_argument("--truncate-dim", type=common.positive, metavar="N",
                         help="keep the first N values of each vector, before "
                              "--normalize")
    prompt = command.add_mutually_exclusive_group()
    prompt.add_argument("--prompt", metavar="TEXT",
                        help='put TEXT before each text, such as "query: "; "" for '
                             "none")
    prompt.add_argument("--prompt-name", metavar="NAME",
                        help="put that prompt of the model before each text")
    command.add_argument("--max-length", type=common.positive, metavar="N",
                         help="cut texts to N tokens, including [CLS] and [SEP]")
    command.add_argument("--batch-size", type=common.positive, default=32, metavar="N",
                         help="texts per forward pass (default: 32)")
    command.add_argument("--dtype", choices=("float32", "float64"), default="float32",
                         help="compute in this type (default: float32)")


def run(args) -> None:
    """Embed the texts, and write or print the vectors."""
    texts, total = source(args)
    if args.out:
        check_target(args.out)
        refuse_inputs(args.out, model=args.model,
                      file="-" if args.text == ["-"] else args.file)
    from ..pipelines.sentences import embed_stream, planned
    options = settings(args)
    tokenizer = common.load_tokenizer(common.model_folder(args.model))
    model = common.load_backbone(common.model_folder(args.model), args.dtype)
    plan = planned(model, tokenizer, **options)
    with bar(total, "embed", unit=" texts") as shown:
        window: list[str] = []           # the texts whose vectors come next
        cuts: list[int] = []
        vectors = embed_stream(model, plan, remember(texts, window),
                               args.batch_size, shown.update, cuts.append)
        if args.out:
            write(args.out, vectors, plan.width, model.dtype)
        elif args.json:
            for text, row in pairs(vectors, window):
                common.print_json({"text": text, "embedding": row.tolist()})
        else:
            summarise(pairs(vectors, window), plan, model.dtype)
    if any(cuts):
        warnings.warn(f"{sum(cuts)} of the texts have more than {plan.max_length} "
                      "tokens, so their ends were cut" + (
                          ": a larger --max-length uses more of them"
                          if plan.max_length < model.config.max_position_embeddings
                          else ""))


def source(args) -> tuple[Iterable[str], int | None]:
    """Return the texts, and how many they are if that is known."""
    if bool(args.text) == bool(args.file):
        found = "TEXT and --file are both given" if args.text else "TEXT is missing"
        raise ValueError(f"{found}, expected TEXT, or --file FILE, or - to read stdin: "
                         "give one of them")
    path = "-" if args.text == ["-"] else args.file
    if not path:
        return args.text, len(args.text)
    total = common.count_lines(path)
    lines = common.read_lines(path)
    first = next(lines, None)        # a bad path must fail before anything loads
    return (() if first is None else chain([first], lines)), total


def settings(args) -> dict:
    """Return the options of `embed`: the arguments, or what the checkpoint asks for."""
    from ..pipelines.sentence_files import sentence_settings
    names = ("pooling", "max_length", "normalize", "truncate_dim", "prompt",
             "prompt_name")
    given = {name: getattr(args, name) for name in names
             if getattr(args, name) is not None}
    return {**sentence_settings(common.model_folder(args.model)), **given}


def remember(texts: Iterable[str], window: list[str]) -> Iterator[str]:
    """Yield the texts, and note them in `window`."""
    for text in texts:
        window.append(text)
        yield text


def pairs(vectors: Iterable, window: list[str]) -> Iterator[tuple[str, np.ndarray]]:
    """Yield each text with its vector."""
    for rows in vectors:
        yield from zip(window[:len(rows)], rows)
        del window[:len(rows)]


# ------------------------------------------------------------------------ a summary

def summarise(found: Iterable[tuple[str, np.ndarray]], plan, dtype) -> None:
    """Print the result in a few lines and, for a few texts, how alike they are."""
    first, count = [], 0
    for count, pair in enumerate(found, 1):
        if count <= SHOWN:
            first.append(pair)
    steps = [getattr(step, "func", step).__name__ for step in plan.steps]
    how = [WORDS.get(name, name) for name in (*plan.pooling, *steps)]
    if plan.prompt:
        how.insert(0, f"prompt {plan.prompt!r}")
    print(f"{count} text{'s' * (count != 1)}, {plan.width} values each: "
          f"{', '.join([*how, str(dtype)])}")
    for number, (text, row) in enumerate(first, 1):
        values = "".join(f"{value:9.4f}" for value in row[:4])
        print(f"{number:3}{values} ...  {common.shorten(text, 40)}")
    if count > SHOWN:
        print(f"    ... and {count - SHOWN} more; get all with --out FILE.npy or "
              "--json")
    elif count > 1:
        print("\ncosine similarity")
        print(common.matrix(common.cosines(np.array([row for _, row in first]))))


# --------------------------------------------------------------------- the .npy file

def write(path: str, vectors: Iterable[np.ndarray], width: int, dtype) -> None:
    """Write the vectors to `path`, and say so; "-" means stdout, and says nothing."""
    start = time.perf_counter()
    if path == "-":
        import tempfile
        # Only the end tells how many rows there are, and the header says it first.
        with tempfile.TemporaryFile() as file:
            with npy_file(file, width, dtype) as add:
                for rows in vectors:
                    add(rows)
            file.seek(0)
            shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        return
    with npy_rows(path, width, dtype) as add:
        count = sum(add(rows) for rows in vectors)
    print(f"{path}: {count} x {width} {dtype}, {common.size(os.path.getsize(path))}, "
          f"in {common.seconds(time.perf_counter() - start)}")


def check_target(path: str) -> Path:
    """Return the file that `path` stands for; refuse it if no file can go there."""
    if path == "-":
        if sys.stdout.isatty():
            raise ValueError("--out is -, and stdout is a terminal, expected a file or "
                             "a program behind it: write --out - > FILE.npy")
        return Path(path)
    target = Path(path).resolve()        # a link stays; what it points to is replaced
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{target.parent} is not a folder, expected one for "
                                "the file of --out: make it first")
    if target.exists() and not target.is_file():
        raise ValueError(f"{path} is not an ordinary file, expected one: give --out "
                         "the name of a file")
    return target


@contextlib.contextmanager
def npy_rows(path: str, width: int, dtype) -> Iterator[Callable[[np.ndarray], int]]:
    """Write an (n, width) array part by part; n need not be known before.

    Gives a function that takes the next rows and returns how many they are.  The rows
    go to a temporary file, which replaces `path` only when all went well.
    """
    with atomic_file(check_target(path)) as temporary, open(temporary, "xb") as file, \
            npy_file(file, width, dtype) as add:
        yield add


@contextlib.contextmanager
def npy_file(file: BinaryIO, width: int, dtype
             ) -> Iterator[Callable[[np.ndarray], int]]:
    """Write an (n, width) array part by part into a new, open file; see `npy_rows`."""
    count = 0

    def write_header() -> int:
        # NumPy pads the header so that the first axis can grow in place.
        file.seek(0)
        np.lib.format.write_array_header_1_0(file, {
            "descr": np.lib.format.dtype_to_descr(np.dtype(dtype)),
            "fortran_order": False, "shape": (count, width)})
        return file.tell()

    def add(rows: np.ndarray) -> int:
        nonlocal count
        file.write(np.ascontiguousarray(rows, dtype).tobytes())
        count += len(rows)
        return len(rows)

    length = write_header()
    yield add
    if write_header() != length:
        raise RuntimeError(f"the header for {count} rows is longer than {length} "
                           "bytes, expected NumPy to leave room in it: use NumPy 2.0 "
                           "or newer")
