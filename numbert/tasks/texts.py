"""One label, several labels or a number for each text, or pair of texts."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..bert.losses import IGNORE_INDEX
from ..bert.ops import sigmoid, softmax
from ..system.datafiles import field, is_jsonl, nonempty, read_jsonl, read_tsv, strings
from ..system.numbers import is_whole_number
from . import metrics
from .common import (Data, Prediction, Settings, Task, class_id, class_names,
                     cut_rows, encoded_rows, longest, names_of, outputs)


LARGEST = float(np.finfo(np.float32).max)


class Text(NamedTuple):
    """One line of a file."""

    where: str
    text: str
    pair: str | None
    label: Any                       # a name, a list of names, or a number


def read(path, from_column: Callable, from_json: Callable) -> list[Text]:
    """Read TSV (text, label; or text, second text, label) or JSONL.

    The fields of JSONL are "text", "text_pair" if there is one, and "label" or, for
    several of them, "labels".

    Args:
        from_column: (where, column) -> label.
        from_json: (where, JSON object) -> label.
    """
    if is_jsonl(path):
        found = [Text(where, field(where, row, "text"),
                      field(where, row, "text_pair") if "text_pair" in row else None,
                      from_json(where, row)) for where, row in read_jsonl(path)]
    else:
        found = []
        for where, columns in read_tsv(path):
            if len(columns) not in (2, 3):
                raise ValueError(f"{where}: the number of columns is {len(columns)}, "
                                 "expected 2 (text, label) or 3 (text, second text, "
                                 "label) with a TAB between: look for missing or extra "
                                 "TABs")
            found.append(Text(where, columns[0], columns[1] if columns[2:] else None,
                              from_column(where, columns[-1])))
    paired = {example.pair is not None for example in found}
    if len(paired) > 1:
        raise ValueError(f"{path}: some examples are pairs of texts and some are not, "
                         "expected pairs everywhere or nowhere: split the file")
    return nonempty(found, path)


def one_label(where: str, column: str) -> str:
    """Return a label, which must not be empty."""
    if not column:
        raise ValueError(f"{where}: the label is empty, expected a name or a number: "
                         "fill it in, or leave the example out")
    if column == str(IGNORE_INDEX):
        raise ValueError(f"{where}: the label is {column}, which stands for no label, "
                         "expected a name or a number: leave the example out")
    return column


def one_from_json(where: str, row: dict) -> str:
    """Return the field "label", a string or a whole number."""
    label = row.get("label")
    if is_whole_number(label):
        return one_label(where, str(label))
    return one_label(where, field(where, row, "label"))


def some_labels(where: str, column: str) -> list[str]:
    """Split a column at its commas; an empty column means that no label holds."""
    names = [name.strip() for name in column.split(",")] if column else []
    if not all(names):
        raise ValueError(f"{where}: the labels are {column!r}, expected names with one "
                         "comma between them: remove the extra comma")
    return names


def number(where: str, value) -> float:
    """Return a number that is finite in float32, too."""
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not abs(found) <= LARGEST:
        raise ValueError(f"{where}: label is {value!r}, expected a number that is "
                         "finite in float32: correct it")
    return found


def number_from_json(where: str, row: dict) -> float:
    """Return the field "label", a number."""
    if isinstance(row.get("label"), (bool, str)) or row.get("label") is None:
        raise ValueError(f"{where}: label is {row.get('label')!r}, expected a number: "
                         "write it without quotes")
    return number(where, row["label"])


# ---------------------------------------------------------------------- to inputs

def encode(target: Callable, examples: list[Text], tokenizer, config,
           settings: Settings) -> Data:
    """Turn texts into inputs.  target: (example, config) -> what the model learns."""
    targets = [target(example, config) for example in examples]
    pairs = None if examples[0].pair is None else [x.pair for x in examples]
    texts = [example.text for example in examples]
    length = longest(tokenizer, config, settings)
    rows = encoded_rows(tokenizer(texts, pairs, truncation=True, max_length=length))
    return Data(examples, [{**row, "labels": y} for row, y in zip(rows, targets)],
                cut=len(cut_rows(tokenizer, rows, length, texts, pairs)))


def one_target(example: Text, config) -> int:
    """Return the id of the label."""
    return class_id(example.where, example.label, config)


def some_targets(example: Text, config) -> np.ndarray:
    """Return 1 for each label that holds and 0 for the others: (K,) in float32."""
    out = np.zeros(config.num_labels, np.float32)
    out[[class_id(example.where, label, config) for label in example.label]] = 1
    return out


# ------------------------------------------------------------- predictions, metrics

def predict(decide: Callable, model, data: Data, tokenizer, settings, batch_size=32,
            progress=None) -> list[Prediction]:
    """Predict for each text.  decide: (logits (K,), names of classes) -> Prediction."""
    names = names_of(model.config)
    return [decide(logits, names) for logits, in outputs(
        model, data.inputs, ["logits"], tokenizer, batch_size, progress)]


def decide_one(logits, names) -> Prediction:
    """Predict the likeliest class; the score is its probability."""
    probs, _ = softmax(logits)
    return Prediction(names[int(logits.argmax())], float(probs.max()))


def decide_some(logits, names) -> Prediction:
    """Predict each class that is likelier than not; the score is {class: probability}.
    """
    probs, _ = sigmoid(logits)
    return Prediction([name for name, logit in zip(names, logits) if logit > 0],
                      {name: float(prob) for name, prob in zip(names, probs)})


def show(example: Text) -> dict:
    """Return the text, the second text if there is one, and the label."""
    pair = {} if example.pair is None else {"text_pair": example.pair}
    return {"text": example.text, **pair, "gold": example.label}


def score_one(examples, predictions, names) -> dict[str, float]:
    """Return accuracy, f1 (of the second of two classes), macro_f1 and matthews."""
    labels = [example.label for example in examples]
    two = {"f1": metrics.f1(predictions, labels, names[1])} if len(names) == 2 else {}
    return {"accuracy": metrics.accuracy(predictions, labels), **two,
            "macro_f1": metrics.macro_f1(predictions, labels),
            "matthews": metrics.matthews(predictions, labels)}


def score_some(examples, predictions, names) -> dict[str, float]:
    """Return f1 over all pairs of text and label, macro_f1, accuracy of whole sets."""
    found, true = ([[name in labels for name in names] for labels in rows]
                   for rows in (predictions, [example.label for example in examples]))
    return {"f1": metrics.multi_label_f1(found, true),
            "macro_f1": metrics.multi_label_macro_f1(found, true),
            "accuracy": metrics.multi_label_accuracy(found, true)}


def score_number(examples, predictions, names) -> dict[str, float]:
    """Return pearson, spearman and mse, the mean squared error."""
    labels = np.array([example.label for example in examples])
    return {"pearson": metrics.pearson(predictions, labels),
            "spearman": metrics.spearman(predictions, labels),
            "mse": float(np.mean((np.array(predictions) - labels) ** 2))}


ONE_LABEL = Task(
    "text-classification", "BertForSequenceClassification",
    "accuracy", {"problem_type": "single_label_classification"},
    partial(read, from_column=one_label, from_json=one_from_json),
    lambda examples: class_names(example.label for example in examples),
    partial(encode, one_target),
    partial(predict, decide_one), score_one, show)

SOME_LABELS = Task(
    "multi-label-classification", "BertForSequenceClassification",
    "f1", {"problem_type": "multi_label_classification"},
    partial(read, from_column=some_labels,
            from_json=lambda where, row: strings(where, row, "labels")),
    lambda examples: class_names((name for x in examples for name in x.label), least=1),
    partial(encode, some_targets),
    partial(predict, decide_some), score_some, show)

NUMBER = Task(
    "regression", "BertForSequenceClassification",
    "pearson", {"problem_type": "regression", "num_labels": 1},
    partial(read, from_column=number, from_json=number_from_json), None,
    partial(encode, lambda example, config: np.float32(example.label)),
    partial(predict, lambda logits, names: Prediction(float(logits[0]))),
    score_number, show)
