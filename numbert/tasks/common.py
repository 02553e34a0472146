"""What a task is, and what all tasks share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..models.config import label_name
from ..system.parallel import in_threads
from ..system.progress import bar
from ..training.batches import collate
from ..training.loop import require_finite

INPUTS = ("input_ids", "attention_mask", "token_type_ids")


class Settings(NamedTuple):
    """How examples become inputs; saved with a fine-tuned model for its evaluation.

    max_length: tokens per input, special ones included; None: what the model takes.
    doc_stride: question answering: how many tokens of a long text neighbouring windows
        share; None: 128, or a quarter of max_length if that is less.
    max_answer_length: question answering: the longest answer, in tokens.
    label_all: token classification: train on every piece of a word, not only the first.
    mask_probability: masked LM: the share of word pieces to predict.
    whole_word: masked LM: mask whole words.
    max_target_length: seq2seq: tokens per target, special ones included; None: 128, or
        what the model takes if that is less.
    """

    max_length: int | None = None
    doc_stride: int | None = None
    max_answer_length: int = 30
    label_all: bool = False
    mask_probability: float = 0.15
    whole_word: bool = False
    max_target_length: int | None = None


class Data(NamedTuple):
    """A file, read and encoded."""

    examples: list                 # as read, each with `where`, its file and line
    inputs: list[dict]             # what `train` takes: one or more for each example
    places: Sequence = ()          # from outputs back to examples, as the task needs it
    cut: int = 0                   # how many examples lost their end, as too long


class Prediction(NamedTuple):
    """What a model says about an example.  Both are of types that JSON knows."""

    value: Any
    score: Any = None              # how sure the model is, if the task can tell


def plain_collate(tokenizer, settings: Settings) -> Callable:
    """Return the `collate` of most tasks, which only pads."""
    return partial(collate, pad_token_id=tokenizer.pad_token_id)


class Task(NamedTuple):
    """A task: a model class, and the way from a file to inputs and back to metrics.

    The functions, in the order in which they are used:
        read(path) -> examples; each has `where`.
        labels(examples) -> the names of the classes; None for tasks without classes.
        encode(examples, tokenizer, config, settings) -> Data.
        collate(tokenizer, settings) -> the `collate` for train.
        load(model, tokenizer, dtype, seed) -> the model, to train with a seed and
            trained without one; None for the classes that `finetune` loads itself.
        predict(model, data, tokenizer, settings, batch_size, progress) -> a Prediction
            for each example.
        score(examples, values, names) -> {metric: number}; values: of the predictions,
            names: of the classes.
        show(example) -> its text and its right answer, "gold", as part of a JSON
            object.
    """

    name: str
    model: str                     # the model class
    metric: str                    # decides which evaluation is the best
    config: dict[str, Any]         # fields of the configuration that the task fixes
    read: Callable[[Any], list]
    labels: Callable[[list], list[str]] | None
    encode: Callable[..., Data]
    predict: Callable[..., list]
    score: Callable[[list, list, list[str]], dict[str, float]]
    show: Callable[[Any], dict[str, Any]]
    collate: Callable[[Any, Settings], Callable] = plain_collate
    load: Callable[..., Any] | None = None


def class_names(labels, least: int = 2) -> list[str]:
    """Sort the labels that occur: as numbers if all are whole numbers, else as text.

    Raises:
        ValueError: there are fewer than `least` different ones.
    """
    names = set(labels)
    if len(names) < least:
        raise ValueError("the training data has "
                         f"{', '.join(map(repr, names)) or 'no label'} only, expected "
                         f"{least} labels or more: there is nothing to learn")
    number = all(name.isascii() and name.isdigit() for name in names)
    return sorted(names, key=(lambda name: (int(name), name)) if number else None)


def checked_labels(task: Task, labels: Sequence[str] | None) -> list[str] | None:
    """Return the names of classes that the caller gave, if the task can use them.

    Raises:
        ValueError: the task has no classes, or these are too few, or two are the same.
    """
    if labels is None:
        return None
    if task.labels is None:
        raise ValueError(f"labels are given for {task.name}, expected none, as its "
                         "examples are not of classes: leave labels (--labels) out")
    if isinstance(labels, str) or not all(
            isinstance(name, str) and name for name in labels):
        raise TypeError(f"labels is {labels!r:.200}, expected a list of names: give "
                        'one such as ["bad", "good"]')
    twice = sorted({name for name in labels if list(labels).count(name) > 1})
    if twice or len(labels) < 2:
        raise ValueError(f"labels is {list(labels)!r:.200}, expected at least 2 "
                         "different names, each once: correct it (--labels)")
    return list(labels)


def class_id(where: str, label: str, config) -> int:
    """Look up the id of a label.

    Raises:
        ValueError: the model does not know the label.
    """
    if label not in config.label2id:
        known = ", ".join(list(config.label2id)[:20])
        raise ValueError(f"{where}: label is {label!r}, expected one of the model's, "
                         f"{known}: correct it, leave the example out, or name all "
                         "labels when you train (--labels)")
    return config.label2id[label]


def reading(config) -> Any:
    """Return the configuration of what reads the text: of two halves, the encoder's."""
    return getattr(config, "encoder", config)


def names_of(config) -> list[str]:
    """List the names of the classes in the order of their ids."""
    config = reading(config)
    return [label_name(config, i) for i in range(config.num_labels)]


def longest(tokenizer, config, settings: Settings, where: str = "") -> int:
    """Return how many tokens an input may have.

    where: starts the error, to name the file that the settings are from.

    Raises:
        ValueError: max_length is more than the model takes.
    """
    most = reading(config).max_position_embeddings
    if settings.max_length is None:
        return min(most, tokenizer.model_max_length)
    if not 3 <= settings.max_length <= most:
        raise ValueError(f"{where}max_length is {settings.max_length}, expected 3 to "
                         f"{most}, the model's max_position_embeddings: choose one in "
                         "between")
    return settings.max_length


def encoded_rows(encoded) -> list[dict]:
    """Split a tokenizer's output into one dict of arrays for each row."""
    return [{"input_ids": np.array(ids), "token_type_ids": np.array(types)}
            for ids, types in zip(encoded["input_ids"], encoded["token_type_ids"])]


def cut_rows(tokenizer, rows: list[dict], length: int, *texts, **options) -> list[int]:
    """Return the indices of the rows that the tokenizer cut to `length` tokens.

    texts, options: the tokenizer's arguments that gave the rows.  Those of full length
    are encoded once more, whole.
    """
    full = [i for i, row in enumerate(rows) if len(row["input_ids"]) == length]
    if not full:
        return []
    whole = tokenizer(*(column and [column[i] for i in full] for column in texts),
                      verbose=False, **options)["input_ids"]
    return [i for i, ids in zip(full, whole) if len(ids) > length]


def outputs(model, inputs: Sequence[dict], names: Sequence[str], tokenizer,
            batch_size: int = 32, progress: bool | None = None) -> list[tuple]:
    """Compute the outputs of these names for each input, leaving labels aside.

    Inputs of similar length share a batch.  An output per token keeps the padding of
    its batch at the end.

    Raises:
        DivergedError: an output is not finite.
    """
    found: list[tuple] = [()] * len(inputs)
    order = np.argsort([-x["input_ids"].shape[-1] for x in inputs], kind="stable")
    with bar(len(inputs), "evaluate", progress, " inputs") as shown:
        def fill(start):
            chosen = order[start:start + batch_size]
            batch = collate([{name: inputs[i][name] for name in INPUTS
                              if name in inputs[i]} for i in chosen],
                            pad_token_id=tokenizer.pad_token_id)
            result = model(**batch, packed=True)
            require_finite(model, {name: result[name] for name in names})
            for row, i in enumerate(chosen):
                found[i] = tuple(result[name][row] for name in names)
            shown.update(len(chosen))

        in_threads(fill, range(0, len(order), batch_size))
    return found
