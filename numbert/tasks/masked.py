"""Masked LM: fill in word pieces, to continue pre-training on your own texts."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..system.datafiles import field, is_jsonl, nonempty, read_jsonl, text_lines
from ..system.progress import bar
from ..training.batches import collate as pad
from ..training.loop import require_finite
from ..training.masking import mask_exact, masking_collate, tally, vocabulary
from .common import Data, Prediction, Settings, Task, encoded_rows, longest

EVALUATION_SEED = 0
ALL = 10 ** 9                   # no limit on the masked pieces of a text


class Line(NamedTuple):
    """One text of a file."""

    where: str
    text: str


def read(path) -> list[Line]:
    """Read a text per line, or JSONL with "text"; blank lines are skipped."""
    if is_jsonl(path):
        found = [Line(where, field(where, row, "text"))
                 for where, row in read_jsonl(path)]
    else:
        found = [Line(where, line.strip()) for where, line in text_lines(path)
                 if line.strip()]
    return nonempty(found, path)


def encode(examples: list[Line], tokenizer, config, settings: Settings) -> Data:
    """Make inputs, not masked yet; a text longer than max_length becomes several."""
    encoded = tokenizer([x.text for x in examples], truncation=True, stride=0,
                        max_length=longest(tokenizer, config, settings),
                        return_overflowing_tokens=True)
    return Data(examples, encoded_rows(encoded),
                [int(i) for i in encoded["overflow_to_sample_mapping"]])


def collate(tokenizer, settings: Settings):
    """Return a `collate` that masks every batch anew, an exact share of each text."""
    return masking_collate(vocabulary(tokenizer), max_predictions=ALL,
                           probability=settings.mask_probability,
                           whole_word=settings.whole_word)


def predict(model, data: Data, tokenizer, settings: Settings, batch_size=32,
            progress=None) -> list[Prediction]:
    """Count the masked and the correct pieces of each text, and add up -log p.

    Every evaluation masks the same pieces.
    """
    vocab, rng = vocabulary(tokenizer), np.random.default_rng(EVALUATION_SEED)
    found = np.zeros((len(data.examples), 3))
    order = np.argsort([-len(x["input_ids"]) for x in data.inputs], kind="stable")
    with bar(len(order), "evaluate", progress, " inputs") as shown:
        for start in range(0, len(order), batch_size):
            chosen = order[start:start + batch_size]
            masked = [mask_exact(data.inputs[i]["input_ids"], rng, vocab,
                                 settings.mask_probability, ALL, settings.whole_word)
                      for i in chosen]
            batch = pad([{**data.inputs[i], "input_ids": ids, "labels": labels}
                         for i, (ids, labels) in zip(chosen, masked)],
                        pad_token_id=vocab.pad_id)
            labels = batch.pop("labels")                               # (B, T)
            logits = model(**batch, packed=True).logits                # (B, T, V)
            require_finite(model, {"logits": logits})
            for row, i in enumerate(chosen):
                found[data.places[i]] += tally(logits[row], labels[row])
            shown.update(len(chosen))
    return [Prediction({"masked": int(masked), "correct": int(correct),
                        "loss": float(loss)}) for masked, correct, loss in found]


def show(example: Line) -> dict:
    """Return the text, in which the pieces that are masked are their own answers."""
    return {"text": example.text}


def score(examples, predictions, names) -> dict[str, float]:
    """Return accuracy, loss (mean of -log p) and perplexity (its exponential)."""
    masked, correct, loss = (sum(x[name] for x in predictions)
                             for name in ("masked", "correct", "loss"))
    if not masked:
        raise ValueError("no word piece could be masked, expected at least one: give "
                         "texts that are not empty")
    mean = loss / masked
    return {"accuracy": correct / masked, "loss": mean,
            "perplexity": math.exp(min(mean, 700.0))}


TASK = Task(
    "masked-lm", "BertForMaskedLM",
    "accuracy", {}, read, None, encode, predict, score, show, collate)
