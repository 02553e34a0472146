"""What a task is, and what all of them share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..training.batches import collate
from ..training.objectives import LABELS, Objective
from ..system.parallel import cores, in_threads
from ..system.progress import bar
from ..training.loop import require_finite

INPUTS = ("input_ids", "attention_mask", "token_type_ids")


class Settings(NamedTuple):
    """How examples become inputs; kept with a fine-tuned model for its evaluation.

    max_length: tokens per input, special ones too; None: what the model takes.
    doc_stride: question answering: how many tokens of a long text neighbouring windows
        share; None: 128, or a quarter of max_length if that is less.
    max_answer_length: question answering: the longest answer, in tokens.
    label_all: token classification: train on every piece of a word, not the first only.
    mask_probability: masked LM: the share of word pieces to predict.
    whole_word: masked LM: mask whole words.
    """

    max_length: int | None = None
    doc_stride: int | None = None
    max_answer_length: int = 30
    label_all: bool = False
    mask_probability: float = 0.15
    whole_word: bool = False


class Data(NamedTuple):
    """A file, read and encoded."""

    examples: list                 # as read, each with `where`, its file and line
    inputs: list[dict]             # what `train` takes: one or more for each example
    places: Sequence = ()          # by task: what leads from outputs back to examples


def plain_collate(tokenizer, settings: Settings) -> Callable:
    """The `collate` of most tasks: pad."""
    return partial(collate, pad_token_id=tokenizer.pad_token_id)


class Task(NamedTuple):
    """A task: a model class and the way from a file to numbers, and back to a metric.

    Functions, in the order of their use:
        read(path) -> examples; each has `where`.
        labels(examples) -> the names of the classes; None for tasks without.
        encode(examples, tokenizer, config, settings) -> Data.
        collate(tokenizer, settings) -> the `collate` of train.
        predict(model, data, tokenizer, settings, batch_size, progress) -> a prediction
            for each example, of types that JSON knows.
        score(examples, predictions, names) -> {metric: number}; names: of the classes.
    objective: what is minimised; see `objectives`.
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
    collate: Callable[[Any, Settings], Callable] = plain_collate
    objective: Objective = LABELS


def class_names(labels, least: int = 2) -> list[str]:
    """The labels that occur, sorted: as numbers if all are whole numbers, else as text.

    Raises:
        ValueError: fewer than `least`.
    """
    names = set(labels)
    if len(names) < least:
        raise ValueError("the training data has "
                         f"{', '.join(map(repr, names)) or 'no label'} only: there is "
                         "nothing to learn")
    number = all(name.isascii() and name.isdigit() for name in names)
    return sorted(names, key=(lambda name: (int(name), name)) if number else None)


def class_id(where: str, label: str, config) -> int:
    """The id of a label.

    Raises:
        ValueError: the model does not know it.
    """
    if label not in config.label2id:
        known = ", ".join(list(config.label2id)[:20])
        raise ValueError(f"{where}: label {label!r} does not occur in the training "
                         f"data, which has {known}")
    return config.label2id[label]


def names_of(config) -> list[str]:
    """The names of the classes, in the order of their ids."""
    return [config.id2label[i] for i in range(config.num_labels)]


def longest(tokenizer, config, settings: Settings) -> int:
    """How many tokens an input may have.

    Raises:
        ValueError: max_length is more than the model takes.
    """
    most = config.max_position_embeddings
    if settings.max_length is None:
        return min(most, tokenizer.model_max_length)
    if not 3 <= settings.max_length <= most:
        raise ValueError(f"max_length is {settings.max_length}, expected 3 to {most}, "
                         "the model's max_position_embeddings")
    return settings.max_length


def encoded_rows(encoded) -> list[dict]:
    """A tokenizer's output as one dict of arrays for each row."""
    return [{"input_ids": np.array(ids), "token_type_ids": np.array(types)}
            for ids, types in zip(encoded["input_ids"], encoded["token_type_ids"])]


def outputs(model, inputs: Sequence[dict], names: Sequence[str], tokenizer,
            batch_size: int = 32, progress: bool | None = None) -> list[tuple]:
    """The model's outputs of these names for each input, labels left aside.

    Inputs of similar length are computed together.  An output per token still has the
    padding of its batch at the end.

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
            result = model(**batch)
            require_finite(model, {name: result[name] for name in names})
            for row, i in enumerate(chosen):
                found[i] = tuple(result[name][row] for name in names)
            shown.update(len(chosen))

        in_threads(fill, range(0, len(order), batch_size), cores())
    return found
