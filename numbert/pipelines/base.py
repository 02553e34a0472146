"""What all pipelines share: options, lists and iterators, batches, and padding.

A pipeline answers an item, most often a text, in three steps.  Each is a method:

    rows    an item -> rows of tokens (several if a long text is cut into windows)
    run     a batch of rows -> the model's output for each row, without the padding
    result  the outputs for an item's rows -> plain Python values
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from ..models.config import label_name
from ..system.absent import refuse_arguments
from ..system.numbers import is_whole_number
from ..system.progress import progress as with_bar

AHEAD = 32          # how many batches of a list to sort by length at a time
TOKENIZING = {"truncation": False, "max_length": None, "padding": False,
              "tokenizer_kwargs": None}
PADDINGS = (True, False, None, "longest", "max_length", "do_not_pad")


class Row(NamedTuple):
    """One row of tokens, unpadded."""

    ids: list[int]
    types: list[int] | None       # token type ids, if the tokenizer gives them
    encoding: Any = None          # offsets, word_ids, ... if the tokenizer gives them


class Pipeline:
    """A model, its tokenizer, and the steps from a text to an answer.

    Args:
        model: an instance of `model_class`.
        tokenizer: a BertTokenizer.
        batch_size: rows per forward pass.
        progress: show a bar for lists: True, False, or None for "if stderr is a
            terminal".
        **options: options of the task, for every call; see each class.

    Call a pipeline with one item to get its result, or with a list to get a list of
    results.  Any other iterable gives an iterator, which takes a batch of items at a
    time.  A list is checked as a whole before anything is computed.  Its rows are
    computed in order of length, but results come in the order of the items.  A call
    also takes batch_size, progress and options, for that call only.

    Raises:
        TypeError, ValueError: an item or an option that can't be used.
    """

    task = ""
    model_class: Any = None
    defaults: dict[str, Any] = {}         # the options with their defaults

    def __init__(self, model: Any, tokenizer: Any, *, batch_size: int = 1,
                 progress: bool | None = None, **options):
        if not isinstance(model, self.model_class):
            name = self.model_class.__name__
            raise TypeError(f"the model is a {type(model).__name__}, expected a {name} "
                            f"for {self.task}: load the checkpoint with "
                            f"{name}.from_pretrained")
        self.model, self.tokenizer = model, tokenizer
        self.batch_size, self.progress = checked_size(batch_size), progress
        self.options = options
        self.checked({})

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.model!r})"

    def __call__(self, inputs, *, batch_size: int | None = None,
                 progress: bool | None = None, **options):
        """Return the result of an item, or the results of a list or iterable."""
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
        """Return the options of a call, checked; they override the pipeline's."""
        given = {**self.options, **options}
        return self.check({**self.defaults, **self.known(given, self.defaults)})

    def known(self, given: dict, names: Iterable[str]) -> dict:
        """Return the options with these names; refuse others by name."""
        refuse_arguments(f"the pipeline {self.task}", {
            name: value for name, value in given.items() if name not in names}, names)
        return {name: given[name] for name in given if name in names}

    def is_item(self, inputs, options: dict) -> bool:
        """Whether `inputs` is one item, not several."""
        if (isinstance(inputs, (str, bytes, Mapping))
                or not isinstance(inputs, Iterable)):
            return True
        if isinstance(inputs, tuple):
            raise TypeError(f"{self.subject} is a tuple, expected an item or a list: "
                            "give several items as a list, and a pair of texts as a "
                            "dict")
        return False

    def results(self, pairs: Iterable[tuple[Any, list[Row]]], batch_size: int,
                ahead: int, options: dict) -> Iterator[Any]:
        """Yield the result of each (item, rows); compute `ahead` items at a time."""
        source = iter(pairs)
        while chunk := list(islice(source, ahead)):
            outputs = iter(self.compute([row for _, rows in chunk for row in rows],
                                        batch_size, options))
            for item, rows in chunk:
                yield self.result(item, rows, list(islice(outputs, len(rows))), options)

    def compute(self, rows: list[Row], batch_size: int, options: dict) -> list[Any]:
        """Return the model's output for each row; similar lengths share a batch."""
        outputs: list[Any] = [None] * len(rows)
        for batch in self.batches([len(row.ids) for row in rows], batch_size):
            answers = self.run([rows[i] for i in batch], options)
            for i, answer in zip(batch, answers):
                outputs[i] = answer
        return outputs

    def batches(self, lengths: list[int], size: int) -> list[list[int]]:
        """Return batches of row indices, for rows of these lengths."""
        return by_length(lengths, size)

    # ------------------------------------------------------- what each task fills in

    @classmethod
    def saved_options(cls, place, hub: dict) -> dict:
        """Return the options that the files of a checkpoint set.

        place, hub: where it is, and the arguments that the hub needs; see `resolve`.
        """
        return {}

    @classmethod
    def load_options(cls, given: dict) -> dict:
        """Return arguments of from_pretrained that suit the task, unless `given`."""
        return {}

    def check(self, options: dict) -> dict:
        """Refuse options that can't work; return them in the form the steps use."""
        return options

    def rows(self, item, options: dict) -> list[Row]:
        """Return the rows of tokens of an item."""
        return self.encode(text_of(self.subject, item), None, options)

    def run(self, rows: list[Row], options: dict) -> list[Any]:
        """Return the model's output for each row of a batch."""
        raise NotImplementedError

    def result(self, item, rows: list[Row], outputs: list[Any], options: dict) -> Any:
        """Return the answer for an item, from what `run` returned for its rows."""
        raise NotImplementedError

    # --------------------------------------------------------------- tools for a task

    @property
    def subject(self) -> str:
        """What errors call an item."""
        return f"the input of {self.task}"

    @property
    def longest(self) -> int:
        """The number of tokens that both model and tokenizer allow in a row."""
        return min(self.tokenizer.model_max_length,
                   self.model.config.max_position_embeddings)

    def encode(self, text, pair, options: dict, **kwargs) -> list[Row]:
        """Return the rows of a text or a pair; refuse one too long for the model.

        Rows are not padded here.  Batches are, later, which changes no answer.
        """
        kwargs = {"verbose": False, **kwargs, **(options.get("tokenizer_kwargs") or {})}
        one_of("padding", kwargs.pop("padding", options.get("padding")), PADDINGS)
        pair = kwargs.pop("text_pair", pair)
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
                    f"{text!r:.60} has {len(row.ids)} tokens, expected at most the "
                    f"model's max_position_embeddings {limit}: pass truncation=True "
                    "(--truncate in the command), or a shorter text")
        return rows

    def inputs(self, rows: list[Row]) -> dict[str, np.ndarray]:
        """Return the model's arguments for a batch of rows."""
        return padded(rows, self.tokenizer.pad_token_id or 0)

    def call_model(self, rows: list[Row]):
        """Return the model's output for a batch of rows, computed without padding."""
        return self.model(**self.inputs(rows), packed=True)

    def label(self, index) -> str:
        """Return the name of a class."""
        return label_name(self.model.config, int(index))


# --------------------------------------------------------------------- pure functions

def rows_of(batch, tokenizer) -> list[Row]:
    """Return the rows of a tokenizer's output, for one text (flat lists) or several."""
    ids, types = batch["input_ids"], batch.get("token_type_ids")
    if not (len(ids) and isinstance(ids[0], list)):
        ids, types = [ids], None if types is None else [types]
    return [Row(row, None if types is None else types[i],
                batch[i] if tokenizer.is_fast else None) for i, row in enumerate(ids)]


def padded(rows: list[Row], pad_id: int) -> dict[str, np.ndarray]:
    """Pad B rows on the right, to arrays (B, T).

    There is no attention_mask if nothing needs padding.  Every token keeps the position
    that it has when its row is alone, so batches change results by rounding at most.
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
    """Return batches of at most `size` indices, the longest rows first."""
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    return [order[i:i + size] for i in range(0, len(order), size)]


def top(scores: np.ndarray, count: int) -> list[int]:
    """Return the indices of the `count` highest scores (K,), best first.

    Equal scores keep their order.
    """
    return np.argsort(-scores, kind="stable")[:count].tolist()


def checked_size(batch_size) -> int:
    """Return a batch size; refuse what is not one."""
    return count_option("batch_size", batch_size)


def count_option(name: str, value, least: int = 1) -> int:
    """Return an option that counts something; refuse what is below `least`."""
    if not is_whole_number(value):
        raise TypeError(f"{name} is {value!r}, expected a whole number: give one of "
                        f"at least {least}")
    if value < least:
        raise ValueError(f"{name} is {value}, expected a whole number of at least "
                         f"{least}: make it larger")
    return int(value)


def one_of(name: str, value, allowed: Iterable):
    """Return an option; refuse a value that is not allowed."""
    if value not in allowed:
        raise ValueError(f"{name} is {value!r}, expected one of "
                         f"{', '.join(map(str, allowed))}: choose one of these")
    return value


def text_of(name: str, item) -> str:
    """Return an item that must be a text; errors call it `name`."""
    if not isinstance(item, str):
        raise TypeError(f"{name} is {item!r:.60}, of type {type(item).__name__}, "
                        "expected a str: give a text, or a list of texts")
    return item


def fields_of(name: str, item, *names: str, optional: tuple[str, ...] = ()) -> list:
    """Return the values of a dict that must have the keys `names`; see `text_of`."""
    expected = "{" + ", ".join(f'"{key}": ...' for key in names + optional) + "}"
    if not isinstance(item, Mapping):
        raise TypeError(f"{name} is {item!r:.60}, of type {type(item).__name__}, "
                        f"expected a dict: give {expected}, or a list of them")
    missing = [key for key in names if item.get(key) is None]
    unknown = [key for key in item if key not in names + optional]
    if missing:
        raise ValueError(f"{name} lacks {missing[0]!r}, expected {expected}: add it")
    if unknown:
        raise ValueError(f"{name} has the unknown key {unknown[0]!r}, expected "
                         f"{expected}: leave it out")
    return [item.get(key) for key in names + optional]
