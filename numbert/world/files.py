"""Write the text and the examples to files, in the formats that numbert reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from ..system.jsonfiles import json_text
from ..system.saving import atomic_write_text
from .corpus import documents
from .exercises import (choices, opinion_texts, passage, questions, short,
                        tagged_texts)
from .templates import HELD_OUT, TRAIN

# The number of documents or examples of each kind: for training, held out.
SIZES = {"corpus": (52_000, 1_500), "opinions": (6_000, 1_000), "names": (8_000, 1_000),
         "short-questions": (40_000, 100), "questions": (40_000, 1_000),
         "choices": (10_000, 1_000)}
SUFFIXES = {"corpus": "txt", "opinions": "jsonl", "names": "conll",
            "short-questions": "jsonl", "questions": "jsonl", "choices": "jsonl"}


def path(folder, kind: str, split: str) -> Path:
    """The path of a file: corpus.train.txt, ..., choices.held-out.jsonl."""
    return Path(folder) / f"{kind}.{split}.{SUFFIXES[kind]}"


def write_all(folder, seed: int = 0, scale: float = 1.0) -> None:
    """Write the files of every kind, for both splits.

    Args:
        folder: where to write; it is made if there is none.
        seed: each seed gives other examples.
        scale: a factor on the numbers in SIZES; each file gets at least 10 examples.
    """
    Path(folder).mkdir(parents=True, exist_ok=True)
    for kind, sizes in SIZES.items():
        for split, size in zip((TRAIN, HELD_OUT), sizes):
            lines = MAKERS[kind](max(10, round(size * scale)), split, seed)
            atomic_write_text(path(folder, kind, split), "".join(lines))


def corpus_lines(count: int, split: str, seed: int) -> Iterable[str]:
    """One sentence per line, and a blank line after each document."""
    for document in documents(count, split, seed):
        yield "\n".join(document) + "\n\n"


def opinion_lines(count: int, split: str, seed: int) -> Iterable[str]:
    """JSONL with the fields text and label."""
    for example in opinion_texts(count, split, seed):
        yield json_text({"text": example.text, "label": example.label}) + "\n"


def name_lines(count: int, split: str, seed: int) -> Iterable[str]:
    """CoNLL: one word and its tag per line, and a blank line after each text."""
    for example in tagged_texts(count, split, seed):
        yield "".join(f"{word}\t{tag}\n"
                      for word, tag in zip(example.words, example.tags)) + "\n"


def question_lines(count: int, split: str, seed: int, passages=passage
                   ) -> Iterable[str]:
    """JSONL with the fields of SQuAD, one question per line."""
    for made in questions(count, split, seed, passages):
        answers: dict[str, list] = {"text": [], "answer_start": []}
        if made.answer:
            answers = {"text": [made.answer], "answer_start": [made.start]}
        yield json_text({"question": made.question, "context": made.context,
                         "answers": answers}) + "\n"


def choice_lines(count: int, split: str, seed: int) -> Iterable[str]:
    """JSONL with the fields context, choices and label, the index of the right one."""
    for made in choices(count, split, seed):
        yield json_text(made._asdict()) + "\n"


MAKERS: dict[str, Callable[..., Iterable[str]]] = {
    "corpus": corpus_lines, "opinions": opinion_lines, "names": name_lines,
    "short-questions": partial(question_lines, passages=short),
    "questions": question_lines, "choices": choice_lines}
