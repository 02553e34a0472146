"""From one text to another, such as its summary, with an encoder-decoder."""

from __future__ import annotations

import warnings
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..bert.losses import IGNORE_INDEX
from ..models.encoder_decoder import EncoderDecoderModel
from ..models.encoder_decoder_config import EncoderDecoderConfig
from ..system.datafiles import field, is_jsonl, nonempty, read_jsonl, read_tsv
from ..system.hub import REQUIRED, resolve
from ..system.jsonfiles import read_json
from ..system.progress import bar
from ..training.batches import collate as pad
from . import metrics
from .common import (INPUTS, Data, Prediction, Settings, Task, cut_rows, encoded_rows,
                     longest)

TARGET = 128                   # tokens of a target, unless the settings say otherwise


class Pair(NamedTuple):
    """A text, and the text to make of it."""

    where: str
    text: str
    target: str


def read(path) -> list[Pair]:
    """Read TSV (text, target) or JSONL with "text" and "target"."""
    if is_jsonl(path):
        found = [Pair(where, field(where, row, "text"), field(where, row, "target"))
                 for where, row in read_jsonl(path)]
    else:
        found = []
        for where, columns in read_tsv(path):
            if len(columns) != 2:
                raise ValueError(f"{where}: the number of columns is {len(columns)}, "
                                 "expected 2 (text, target) with a TAB between: look "
                                 "for missing or extra TABs")
            found.append(Pair(where, *columns))
    for where, text, target in found:
        if not text.strip() or not target.strip():
            raise ValueError(f"{where}: the {'target' if text.strip() else 'text'} is "
                             "empty, expected both: fill it in, or leave the example "
                             "out")
    return nonempty(found, path)


def load(model, tokenizer, dtype, seed: int | None = None) -> EncoderDecoderModel:
    """Load an encoder-decoder or, with a seed, start both its halves from one BERT.

    Rothe et al. 2020, "BERT2BERT"; [CLS] begins each target and [SEP] ends it.
    """
    folder = resolve(str(model), REQUIRED)
    kind = read_json(Path(folder) / "config.json").get("model_type")
    if seed is None or kind == EncoderDecoderConfig.model_type:
        return EncoderDecoderModel.from_pretrained(folder, dtype=dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")     # they warn of fresh tensors: they are meant
        return EncoderDecoderModel.from_encoder_decoder_pretrained(
            folder, folder, dtype=dtype, rng=seed, pad_token_id=tokenizer.pad_token_id,
            decoder_start_token_id=tokenizer.cls_token_id,
            eos_token_id=tokenizer.sep_token_id)


def target_length(config, settings: Settings) -> int:
    """Return how many tokens a target may have, with the [CLS] that begins it.

    Raises:
        ValueError: max_target_length is more than the decoder takes.
    """
    most, wanted = config.decoder.max_position_embeddings, settings.max_target_length
    if wanted is None:
        return min(most, TARGET)
    if not 3 <= wanted <= most:
        raise ValueError(f"max_target_length is {wanted}, expected 3 to {most}, the "
                         "decoder's max_position_embeddings: choose one in between")
    return wanted


# ---------------------------------------------------------------------- to inputs

def encode(examples: list[Pair], tokenizer, config, settings: Settings) -> Data:
    """Encode both texts; the labels are the target without [CLS], which is given."""
    lengths = longest(tokenizer, config, settings), target_length(config, settings)
    columns = [x.text for x in examples], [x.target for x in examples]
    sources, targets = (
        encoded_rows(tokenizer(texts, truncation=True, max_length=length))
        for texts, length in zip(columns, lengths))
    cut = {i for rows, texts, length in zip((sources, targets), columns, lengths)
           for i in cut_rows(tokenizer, rows, length, texts)}
    return Data(examples, [{**source, "labels": target["input_ids"][1:]}
                           for source, target in zip(sources, targets)], cut=len(cut))


def collate(tokenizer, settings: Settings):
    """Return a `collate` that pads texts and targets, each to the longest of them."""
    return partial(pad_both, pad_token_id=tokenizer.pad_token_id)


def pad_both(examples, rng=None, *, pad_token_id: int) -> dict[str, np.ndarray]:
    """Put examples together: their texts as in all tasks, labels (B, T) with -100."""
    labels = [{"input_ids": example["labels"]} for example in examples]
    texts = [{name: x for name, x in example.items() if name != "labels"}
             for example in examples]
    return {**pad(texts, pad_token_id=pad_token_id),
            "labels": pad(labels, pad_token_id=IGNORE_INDEX)["input_ids"]}


# ------------------------------------------------------------- predictions, metrics

def predict(model, data: Data, tokenizer, settings: Settings, batch_size=32,
            progress=None) -> list[Prediction]:
    """Write a text for each source, always with the likeliest next token."""
    found = [Prediction("")] * len(data.inputs)
    order = np.argsort([-len(x["input_ids"]) for x in data.inputs], kind="stable")
    new = target_length(model.config, settings) - 1
    with bar(len(order), "evaluate", progress, " inputs") as shown:
        for start in range(0, len(order), batch_size):
            chosen = order[start:start + batch_size]
            batch = pad([{name: data.inputs[i][name] for name in INPUTS
                          if name in data.inputs[i]} for i in chosen],
                        pad_token_id=tokenizer.pad_token_id)
            ids = model.generate(**batch, max_new_tokens=new, num_beams=1,
                                 do_sample=False)
            for i, text in zip(chosen, tokenizer.batch_decode(
                    ids, skip_special_tokens=True)):
                found[i] = Prediction(text)
            shown.update(len(chosen))
    return found


def score(examples, predictions, names) -> dict[str, float]:
    """Return rouge1, rouge2 and rougeL: the mean F1 of words, word pairs and order."""
    pairs = [(text, example.target) for text, example in zip(predictions, examples)]
    return {"rouge1": float(np.mean([metrics.rouge_n(*pair, 1).f1 for pair in pairs])),
            "rouge2": float(np.mean([metrics.rouge_n(*pair, 2).f1 for pair in pairs])),
            "rougeL": float(np.mean([metrics.rouge_l(*pair).f1 for pair in pairs]))}


def show(example: Pair) -> dict:
    """Return the text, and the text to make of it."""
    return {"text": example.text, "gold": example.target}


TASK = Task(
    "seq2seq", "EncoderDecoderModel",
    "rougeL", {}, read, None, encode, predict, score, show, collate, load)
