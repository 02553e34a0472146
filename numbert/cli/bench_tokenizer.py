"""Measure the tokenizer: loading, a document, many sentences, one sentence.

numbert and Hugging Face (if installed) take turns on the same text, in one process and
on one core, so a slow minute of the machine slows both.  The figures are medians.  The
results of both are compared, too: ids, masks and offsets.

"load" makes a tokenizer, from --model's files or from a dict, and calls it once.
"cold" gives a new tokenizer its first text, in a process that has made the character
tables already.  The other rows tokenize the same text again.  --memory adds the memory
that a long text takes on top of what the process held before, each in its own process.

Without --file the text is made up of syllables, with short words for the frequent ones
as in English.  Without --model the vocabulary is learnt from the text, which takes a
few seconds.
"""

from __future__ import annotations

import concurrent.futures
import functools
import importlib.util
import multiprocessing
import os
import random
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ..system.jsonfiles import read_text
from . import bench_output

SIZE = 1_000_000                # characters of the document
SENTENCES = 10_000
LONG = 20_000_000               # characters of the text of --memory
LOAD = "load and first sentence"
PADDED = {"padding": True, "return_tensors": "np"}
OFFSETS = {**PADDED, "return_offsets_mapping": True}


def add_arguments(parser) -> None:
    """Add the arguments of `numbert bench tokenizer`."""
    from .common import positive
    parser.add_argument("--model", metavar="DIR", help="a folder with a vocabulary; "
                        "default: learn 8,000 pieces from the text")
    parser.add_argument("--file", help="a UTF-8 file with the text to use; default: "
                        "one million characters, made up")
    parser.add_argument("--rounds", type=positive, default=5,
                        help="how often to measure each row (default: 5)")
    parser.add_argument("--memory", action="store_true", help="also measure the memory "
                        "that a text of 20 million characters takes")
    bench_output.add_arguments(parser)


def run(args) -> None:
    """Measure, print the figures, and write what was asked for."""
    bench_output.check(args)
    text = text_of(args.file) if args.file else english_like(SIZE)
    rows = bench_tokenizer(text, args.model, args.rounds)
    memory = bench_memory(text, args.model) if args.memory else None
    shown = table(rows, args.rounds) + (f"\n\n{memory_text(memory)}" if memory else "")
    bench_output.finish(args, {"machine": bench_output.machine(), "rows": rows,
                               "memory": memory}, shown, picture)


def picture(figures: dict) -> Any:
    """Return a figure of how long each contender takes."""
    return bench_output.bars(relative(figures["rows"]))


def relative(rows: list[dict]) -> dict[str, dict[str, float]]:
    """Return how long each contender takes, as a multiple of numbert's time, by task.
    """
    return {row["task"]: {"numbert": 1.0, "Hugging Face": row["ratio"]}
            if "ratio" in row else {"numbert": 1.0} for row in rows}


def text_of(path: str) -> str:
    """Return the text of a file.

    Raises:
        ValueError: the file is empty, or not UTF-8.
    """
    text = read_text(path)
    if not text.strip():
        raise ValueError(f"{path} holds no text, expected some words: pass a file of "
                         "some size")
    return text


def english_like(size: int, seed: int = 0) -> str:
    """Make up a text of `size` characters; its k-th word is as frequent as 1 / k.

    Source of this law: Zipf, "Human behavior and the principle of least effort", 1949.
    """
    rng = random.Random(seed)
    syllables = [a + b + c for a in ("", *"bcdfghlmnprstvw", "th", "st")
                 for b in "aeiou" for c in ("", *"nrstld")]
    lexicon = ["".join(rng.choices(syllables, k=1 + min(k // 40, 1 + k % 3)))
               for k in range(20_000)]
    frequencies = [1 / (k + 2) for k in range(len(lexicon))]
    out: list[str] = []
    length = 0
    while length < size:
        words = rng.choices(lexicon, frequencies, k=rng.randint(6, 24))
        words[0] = words[0].capitalize()
        if rng.random() < 0.4:
            words[rng.randrange(len(words))] += ","
        if rng.random() < 0.2:
            words.insert(1, str(rng.randrange(2000)))
        sentence = " ".join(words) + rng.choice(".....?!") + rng.choice("    \n")
        out.append(sentence)
        length += len(sentence)
    return "".join(out)[:size]


def sentences(text: str, count: int) -> list[str]:
    """Cut `text` into `count` pieces of 12 to 28 words; at its end, begin again."""
    words = text.split()
    rng, out, at = random.Random(0), [], 0
    for _ in range(count):
        length = rng.randint(12, 28)
        if at + length > len(words):
            at = 0
        out.append(" ".join(words[at:at + length]))
        at += length
    return out


def bench_tokenizer(text: str, model: str | None = None, rounds: int = 5) -> list[dict]:
    """Measure tokenizers on a text.

    Args:
        text: the document, which is also cut into sentences.
        model: a folder with a vocabulary; None learns one from the text.
        rounds: how often to measure each task.

    Returns:
        a dict for each task: task, characters, numbert_ms and, if transformers is
        installed, hugging_face_ms, ratio and same (whether the results are equal).
    """
    makers = _makers(text, model)
    many = sentences(text, SENTENCES)
    one = sentences(text, 3)[-1]
    tasks: list[tuple[str, Any, dict, int]] = [
        ("one sentence", one, {}, 200),
        ("one sentence, arrays + offsets", one, OFFSETS, 200),
        ("document, arrays", [text], {"return_tensors": "np"}, 1),
        ("document, arrays + offsets", [text], OFFSETS, 1),
        (f"{SENTENCES:,} sentences, padded", many, PADDED, 1),
        (f"{SENTENCES:,} sentences, padded + offsets", many, OFFSETS, 1)]
    warm = {name: make() for name, make in makers.items()}
    rows = [_measure_load(makers, one, rounds)]
    for name, what, options, times in tasks:
        rows.append(_measure(name, what, options, times, rounds, warm.get))
        if times == 1:
            rows.append(_measure(name + ", cold", what, options, 1, min(rounds, 3),
                                 lambda who: makers[who]() if who in makers else None))
    return rows


def _makers(text: str, model: str | None) -> dict[str, Callable[[], Any]]:
    """Return {contender: function that makes a tokenizer}, all of one vocabulary."""
    from ..tokenization import BertTokenizer, train_wordpiece
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")        # one core each
    contenders: dict[str, Any] = {"numbert": BertTokenizer}
    if importlib.util.find_spec("transformers"):
        os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
        from transformers import BertTokenizer as HuggingFace
        contenders["hugging_face"] = HuggingFace
    if model is None:
        vocab = train_wordpiece([text], 8000)
        return {name: functools.partial(cls, vocab=vocab)
                for name, cls in contenders.items()}
    return {name: functools.partial(cls.from_pretrained, model)
            for name, cls in contenders.items()}


def _measure(task: str, what: Any, options: dict, times: int, rounds: int,
             tokenizer_of: Callable[[str], Any]) -> dict:
    """Return the medians of one task, in milliseconds."""
    spent: dict[str, list[float]] = {}
    last: dict[str, Any] = {}
    for _ in range(rounds):
        for name in ("numbert", "hugging_face"):
            tokenizer = tokenizer_of(name)
            if tokenizer is None:
                continue
            tokenizer.model_max_length = int(1e30)      # so that nothing warns
            if name not in last and "cold" not in task:
                tokenizer(what, **options)
            start = time.perf_counter()
            for _ in range(times):
                out = tokenizer(what, **options)
            spent.setdefault(name, []).append((time.perf_counter() - start) / times)
            last[name] = out
    return _row(task, what, spent, last)


def _measure_load(makers: dict[str, Callable[[], Any]], text: str, rounds: int) -> dict:
    """Return the medians of making a tokenizer and calling it once, in milliseconds."""
    spent: dict[str, list[float]] = {}
    last: dict[str, Any] = {}
    for _ in range(rounds):
        for name, make in makers.items():
            start = time.perf_counter()
            last[name] = make()(text)
            spent.setdefault(name, []).append(time.perf_counter() - start)
    return _row(LOAD, text, spent, last)


def _row(task: str, what: Any, spent: dict[str, list[float]],
         last: dict[str, Any]) -> dict:
    """Return the result of one task.

    spent, last: by contender, the seconds of each round and the last output.
    """
    size = len(what) if isinstance(what, str) else sum(map(len, what))
    row: dict[str, Any] = {"task": task, "characters": size}
    for name, values in spent.items():
        row[name + "_ms"] = statistics.median(values) * 1000
    if "hugging_face" in spent:
        row["ratio"] = row["hugging_face_ms"] / row["numbert_ms"]
        row["same"] = _same(last["numbert"], last["hugging_face"])
    return row


def bench_memory(text: str, model: str | None = None) -> dict:
    """Measure the memory that encoding a long text takes, each in its own process.

    Args:
        text: is repeated until it has `LONG` characters.
        model: see `bench_tokenizer`.

    Returns:
        a dict of task, characters, numbert_bytes and, if transformers is installed,
        hugging_face_bytes: the most on top of what the process held before.
    """
    long = (text * (LONG // len(text) + 1))[:LONG]
    row: dict[str, Any] = {"task": "memory of one long text", "characters": len(long)}
    for name, make in _makers(text, model).items():
        with concurrent.futures.ProcessPoolExecutor(
                1, multiprocessing.get_context("spawn")) as pool:
            row[name + "_bytes"] = pool.submit(_extra_memory, make, long).result()
    return row


def _extra_memory(make: Callable[[], Any], text: str) -> int:
    """Return the most bytes that encoding takes, with the ids that it returns."""
    from .bench_turns import peak_bytes, reset_peak
    tokenizer = make()
    tokenizer.model_max_length = int(1e30)
    tokenizer(text[:100_000], return_tensors="np")      # make what is made only once
    before = reset_peak()
    tokenizer([text], return_tensors="np")
    return peak_bytes() - before


def memory_text(row: dict) -> str:
    """Return the result of `bench_memory` as text."""
    from .common import size
    ours = size(row["numbert_bytes"])
    theirs = row.get("hugging_face_bytes")
    return (f"memory for a text of {row['characters']:,} characters: numbert {ours}"
            + (f", Hugging Face {size(theirs)}" if theirs is not None else ""))


def _same(ours, theirs) -> bool:
    """Whether two encodings have the same entries."""
    return set(ours) == set(theirs) and all(
        np.array_equal(np.asarray(ours[key]), np.asarray(theirs[key])) for key in ours)


def table(rows: list[dict], rounds: int) -> str:
    """Return the measurements as text."""
    both = "ratio" in rows[0]
    head = f"{'':42}   numbert   Mchar/s"
    if both:
        head += "   Hugging Face   ratio   same result"
    lines = [f"tokenizer on one core, medians of {rounds} rounds, taking turns", "",
             head]
    for row in rows:
        ours = row["numbert_ms"]
        speed = row["characters"] / ours / 1e3
        line = f"{row['task']:42}{_ms(ours):>10}"
        line += f"{'':10}" if row["task"] == LOAD else f"{speed:10.1f}"
        if both:
            line += (f"{_ms(row['hugging_face_ms']):>15}{row['ratio']:7.1f}x"
                     f"{'yes' if row['same'] else 'NO':>14}")
        lines.append(line)
    if not both:
        lines += ["", "Hugging Face is not installed: pip install transformers"]
    return "\n".join(lines)


def _ms(value: float) -> str:
    """Return milliseconds as text that people read easily."""
    return f"{value * 1000:.0f} us" if value < 1 else f"{value:.1f} ms"
