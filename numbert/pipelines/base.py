"""What all pipelines share: options, lists and iterators, batches, and padding.

A pipeline answers a text in three steps, which are its three methods:

    rows    an item -> token rows (several for a long text cut into windows)
    run     a batch of rows -> what the model says of each, padding cut off
    result  what was said of an item's rows -> plain Python values
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from ..system.numbers import is_whole_number
from ..system.progress import progress as with_bar

AHEAD = 32          # batches of a list that are sorted by length together
TOKENIZING = {"truncation": False, "max_length": None, "tokenizer_kwargs": None}


class Row(NamedTuple):
    """One row of tokens, unpadded."""

    ids: list[int]
    types: list[int] | None       # token type ids; None if the tokenizer gives none
    encoding: Any = None          # offsets, word_ids, ... if the tokenizer has them


class Pipeline:
    """A model, its tokenizer, and the steps from text to answers and back.

    Args:
        model: of `model_class`.
        tokenizer: a BertTokenizer.
        batch_size: rows per forward pass.
        progress: a bar for lists: True, False, or None for "if stderr is a terminal".
        **options: of the task, for every call; see each class.

    Calling a pipeline with one item gives its result, with a list a list of results.
    Any other iterable gives an iterator, which takes a batch of items at a time.  A
    list is read and checked before anything is computed, and computed in order of
    length; results come in the order of the items.  A call takes these arguments, too.

    Raises:
        TypeError, ValueError: an item or an option that can't be used.
    """

    task = ""
    model_class: Any = None
    defaults: dict[str, Any] = {}         # the options, and what they are if not given

    def __init__(self, model: Any, tokenizer: Any, *, batch_size: int = 1,
                 progress: bool | None = None, **options):
        if not isinstance(model, self.model_class):
            name = self.model_class.__name__
            raise TypeError(f"{self.task} needs a {name}, not a "
                            f"{type(model).__name__}: load the checkpoint with "
                            f"{name}.from_pretrained")
        self.model, self.tokenizer = model, tokenizer
        self.batch_size, self.progress = checked_size(batch_size), progress
        self.options = options
        self.checked({})

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.model!r})"

    def __call__(self, inputs, *, batch_size: int | None = None,
                 progress: bool | None = None, **options):
        """The result of an item, or those of a list or of an iterable of items."""
        size = self.batch_size if batch_size is None else checked_size(batch_size)
        show = self.progress if progress is None else progress
        options = self.checked(options)
        if self.is_item(inputs, options):
            return next(self.results([(inputs, self.rows(inputs, options))],
                                     size, size, options))
        if isinstance(inputs, list):
            pairs = [(item, self.rows(item, options)) for item in inputs]
            ahead = size if size == 1 else AHEAD * size
            return list(with_bar(self.results(pairs, size, ahead, options),
                                 len(pairs), self.task, show))
        lazy = ((item, self.rows(item, options)) for item in inputs)
        answers = self.results(lazy, size, size, options)
        return with_bar(answers, None, self.task, True) if show else answers

    def checked(self, options: dict) -> dict:
        """All options of a call, checked: its own, the pipeline's, the defaults."""
        given = {**self.options, **options}
        unknown = sorted(set(given) - set(self.defaults))
        if unknown:
            raise TypeError(f"{self.task} takes no option {', '.join(unknown)}; it has "
                            f"{', '.join(self.defaults)}")
        return self.check({**self.defaults, **given})

    def is_item(self, inputs, options: dict) -> bool:
        """Whether `inputs` is one item, not several."""
        if (isinstance(inputs, (str, bytes, Mapping))
                or not isinstance(inputs, Iterable)):
            return True
        if isinstance(inputs, tuple):
            raise TypeError(f"{self.task} got a tuple: give several items as a list, "
                            "and a pair of texts as a dict")
        return False

    def results(self, pairs: Iterable[tuple[Any, list[Row]]], batch_size: int,
                ahead: int, options: dict) -> Iterator[Any]:
        """The result of each item, given with its rows; `ahead` items at a time."""
        source = iter(pairs)
        while chunk := list(islice(source, ahead)):
            outputs = iter(self.compute([row for _, rows in chunk for row in rows],
                                        batch_size, options))
            for item, rows in chunk:
                yield self.result(item, rows, list(islice(outputs, len(rows))), options)

    def compute(self, rows: list[Row], batch_size: int, options: dict) -> list[Any]:
        """What the model says of each row; rows of like length share a batch."""
        outputs: list[Any] = [None] * len(rows)
        for batch in self.batches([len(row.ids) for row in rows], batch_size):
            answers = self.run([rows[i] for i in batch], options)
            for i, answer in zip(batch, answers):
                outputs[i] = answer
        return outputs

    def batches(self, lengths: list[int], size: int) -> list[list[int]]:
        """How rows of these lengths are put together."""
        return by_length(lengths, size)

    # ------------------------------------------------------- what each task fills in

    def check(self, options: dict) -> dict:
        """Refuse options that can't work; give them in the form that the steps use."""
        return options

    def rows(self, item, options: dict) -> list[Row]:
        """The token rows of an item."""
        return self.encode(text_of(self.task, item), None, options)

    def run(self, rows: list[Row], options: dict) -> list[Any]:
        """What the model says of each row of a batch."""
        raise NotImplementedError

    def result(self, item, rows: list[Row], outputs: list[Any], options: dict) -> Any:
        """The answer for an item, from what was said of its rows."""
        raise NotImplementedError

    # --------------------------------------------------------------------- and tools

    @property
    def longest(self) -> int:
        """The tokens that the model and the tokenizer allow in a row."""
        return min(self.tokenizer.model_max_length,
                   self.model.config.max_position_embeddings)

    def encode(self, text, pair, options: dict, **kwargs) -> list[Row]:
        """The rows of a text or a pair; an error if one is too long for the model."""
        kwargs = {"verbose": False, **kwargs, **(options.get("tokenizer_kwargs") or {})}
        if options.get("truncation"):
            kwargs.setdefault("truncation", options["truncation"])
        if options.get("max_length") is not None:
            kwargs.setdefault("max_length", options["max_length"])
        if kwargs.get("truncation"):
            kwargs.setdefault("max_length", self.longest)
        rows = rows_of(self.tokenizer(text, pair, **kwargs), self.tokenizer)
        limit = self.model.config.max_position_embeddings
        for row in rows:
            if len(row.ids) > limit:
                raise ValueError(
                    f"{shown(text)} has {len(row.ids)} tokens, more than the model's "
                    f"max_position_embeddings {limit}: pass truncation=True, or a "
                    "shorter text")
        return rows

    def inputs(self, rows: list[Row]) -> dict[str, np.ndarray]:
        """The model's arguments for a batch of rows."""
        return padded(rows, self.tokenizer.pad_token_id or 0)

    def label(self, index) -> str:
        """The name of a class."""
        return self.model.config.id2label[int(index)]


# --------------------------------------------------------------------- pure functions

def rows_of(batch, tokenizer) -> list[Row]:
    """The rows of a tokenizer's answer, for one text (flat lists) or several."""
    ids, types = batch["input_ids"], batch.get("token_type_ids")
    if not (len(ids) and isinstance(ids[0], list)):
        ids, types = [ids], None if types is None else [types]
    return [Row(row, None if types is None else types[i],
                batch[i] if tokenizer.is_fast else None) for i, row in enumerate(ids)]


def padded(rows: list[Row], pad_id: int) -> dict[str, np.ndarray]:
    """Rows of B different lengths as arrays (B, T), filled up on the right.

    There is no attention_mask where nothing is padded.  Tokens keep the positions that
    they have in a row alone, so a batch changes no result (but for rounding).
    """
    lengths = np.array([len(row.ids) for row in rows])             # (B,)
    mask = np.arange(lengths.max()) < lengths[:, None]             # (B, T)
    ids = np.full(mask.shape, pad_id, np.int64)
    ids[mask] = [i for row in rows for i in row.ids]
    inputs: dict[str, np.ndarray] = {"input_ids": ids}
    if rows[0].types is not None:
        inputs["token_type_ids"] = np.zeros_like(ids)
        inputs["token_type_ids"][mask] = [i for row in rows for i in row.types or ()]
    if not mask.all():
        inputs["attention_mask"] = mask
    return inputs


def by_length(lengths: list[int], size: int) -> list[list[int]]:
    """Indices in batches of at most `size`, the longest rows first."""
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    return [order[i:i + size] for i in range(0, len(order), size)]


def top(scores: np.ndarray, count: int) -> list[int]:
    """The indices of the `count` highest scores (K,), best first; equals in order."""
    return np.argsort(-scores, kind="stable")[:count].tolist()


def checked_size(batch_size) -> int:
    """A batch size, if it is one."""
    return count_option("batch_size", batch_size)


def count_option(name: str, value, least: int = 1) -> int:
    """An option that counts something, if it is an integer of at least `least`."""
    if not is_whole_number(value):
        raise TypeError(f"{name} is {value!r}, expected an integer")
    if value < least:
        raise ValueError(f"{name} is {value}, expected at least {least}")
    return int(value)


def one_of(name: str, value, allowed: Iterable):
    """An option that is one of a few values."""
    if value not in allowed:
        raise ValueError(f"{name} is {value!r}, expected one of "
                         f"{', '.join(map(str, allowed))}")
    return value


def text_of(task: str, item) -> str:
    """An item that must be a text."""
    if not isinstance(item, str):
        raise TypeError(f"{task} got {shown(item)}, a {type(item).__name__}; expected "
                        "a str, or a list of them")
    return item


def fields_of(task: str, item, *names: str, optional: tuple[str, ...] = ()) -> list:
    """The values of a dict item that must have the keys `names`."""
    expected = "{" + ", ".join(f'"{name}": ...' for name in names + optional) + "}"
    if not isinstance(item, Mapping):
        raise TypeError(f"{task} got {shown(item)}, a {type(item).__name__}; expected "
                        f"a dict {expected}, or a list of them")
    missing = [name for name in names if item.get(name) is None]
    unknown = [name for name in item if name not in names + optional]
    if missing or unknown:
        wrong = f"lacks {missing[0]!r}" if missing else f"has an unknown {unknown[0]!r}"
        raise ValueError(f"{task} got a dict that {wrong}; expected {expected}")
    return [item.get(name) for name in names + optional]


def shown(value) -> str:
    """The start of a value, for an error message."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
