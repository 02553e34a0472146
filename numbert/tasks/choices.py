"""Multiple choice: which of several texts goes with the first."""

from __future__ import annotations

from typing import NamedTuple

from ..bert.ops import softmax
from ..system.datafiles import (checked, field, is_jsonl, nonempty, read_jsonl,
                                read_tsv, strings)
from ..training.batches import collate
from . import metrics
from .common import (Data, Prediction, Settings, Task, cut_rows, encoded_rows,
                     longest, outputs)


class Choice(NamedTuple):
    """A text, its possible continuations or answers, and which of them is right."""

    where: str
    context: str
    choices: list[str]
    label: int                       # from 0


def read(path) -> list[Choice]:
    """Read TSV (context, the choices, number of the right one) or JSONL.

    The fields of JSONL are "context", "choices" (a list) and "label" (from 0).
    """
    if is_jsonl(path):
        found = [Choice(where, field(where, row, "context"),
                        strings(where, row, "choices"),
                        checked(where, "label", row.get("label"), int))
                 for where, row in read_jsonl(path)]
    else:
        found = [Choice(where, columns[0], columns[1:-1],
                        choice_number(where, columns[-1]))
                 for where, columns in read_tsv(path)]
    for where, _, choices, label in found:
        if len(choices) < 2 or len(choices) != len(found[0].choices):
            raise ValueError(f"{where}: the number of choices is {len(choices)}, "
                             "expected at least 2, and as many as in the first example,"
                             f" {len(found[0].choices)}: separate them by TABs")
        if not 0 <= label < len(choices):
            raise ValueError(f"{where}: label is {label}, expected the number of the "
                             f"right choice, 0 to {len(choices) - 1}: correct it")
    return nonempty(found, path)


def choice_number(where: str, column: str) -> int:
    """Read the number of the right choice."""
    if not (column.isascii() and column.isdigit() and len(column) < 10):
        raise ValueError(f"{where}: label is {column!r:.60}, expected the number of "
                         "the right choice, from 0: put it into the last column")
    return int(column)


def encode(examples: list[Choice], tokenizer, config, settings: Settings) -> Data:
    """Make one input (M, T) per example: [CLS] context [SEP] choice [SEP], M times."""
    choices = len(examples[0].choices)
    length = longest(tokenizer, config, settings)
    texts = [example.context for example in examples for _ in range(choices)]
    pairs = [choice for example in examples for choice in example.choices]
    rows = encoded_rows(tokenizer(texts, pairs, truncation=True, max_length=length))
    inputs = []
    for i, example in enumerate(examples):
        own = rows[i * choices:(i + 1) * choices]
        inputs.append({**collate(own, pad_token_id=tokenizer.pad_token_id),
                       "labels": example.label})
    cut = {i // choices for i in cut_rows(tokenizer, rows, length, texts, pairs)}
    return Data(examples, inputs, cut=len(cut))


def predict(model, data: Data, tokenizer, settings, batch_size=32, progress=None
            ) -> list[Prediction]:
    """Predict the likeliest choice, counted from 0; the score is its probability."""
    return [Prediction(int(logits.argmax()), float(softmax(logits)[0].max()))
            for logits, in outputs(model, data.inputs, ["logits"], tokenizer,
                                   batch_size, progress)]


def show(example: Choice) -> dict:
    """Return the text, the choices, and the number of the right one."""
    return {"context": example.context, "choices": example.choices,
            "gold": example.label}


def score(examples, predictions, names) -> dict[str, float]:
    """Return accuracy."""
    return {"accuracy": metrics.accuracy(predictions, [x.label for x in examples])}


TASK = Task(
    "multiple-choice", "BertForMultipleChoice",
    "accuracy", {}, read, None, encode, predict, score, show)
