"""Sentence embeddings: one vector per text, from BertModel's last hidden states.

Mean pooling and normalisation: Reimers and Gurevych 2019, Sentence-BERT, section 3.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ..models.classes import BertModel
from ..system.jsonfiles import read_json
from ..system.progress import bar

POOLINGS = ("mean", "cls")
FILES = ("config.json", "sentence_bert_config.json", "modules.json",
         "1_Pooling/config.json")
WINDOW = 32                             # sort so many batches by length at a time
POOLING_KEY = re.compile(r"pooling_mode_(\w+?)(?:_tokens?)?")


def embed(model: BertModel, tokenizer: Any, texts, pooling: str = "mean",
          normalize: bool = False, batch_size: int = 32, max_length: int | None = None,
          progress: bool | None = False) -> np.ndarray:
    """Return one vector for each text.

    Args:
        model: a BertModel.  BertModel.from_pretrained loads the backbone of any BERT
            checkpoint.
        tokenizer: the BertTokenizer of the same checkpoint.
        texts: a str, or an iterable of str.
        pooling: "mean" over the tokens, with [CLS] and [SEP] but without padding; or
            "cls", the hidden state of [CLS].
        normalize: scale each vector to length 1, so that a dot product is a cosine.
        batch_size: texts per forward pass.
        max_length: cut each text to this many tokens; None means as many as the
            model and its tokenizer allow.
        progress: show a bar: True, False, or None for "if stderr is a terminal".

    Returns:
        (n, C) in the model's dtype, in the order of the texts; (C,) for a single str.

    Raises:
        TypeError: a text is not a str, or the model is not a BertModel.
        ValueError: an unknown pooling, or a size that the model can't have.

    `sentence_settings(folder)` returns the arguments that a sentence-transformers
    checkpoint asks for.
    """
    if isinstance(texts, str):
        return embed(model, tokenizer, [texts], pooling, normalize, batch_size,
                     max_length, progress)[0]
    texts = list(texts)
    with bar(len(texts), "embed", progress, " texts") as shown:
        parts = list(embed_stream(model, tokenizer, texts, pooling, normalize,
                                  batch_size, max_length, shown.update))
    empty = np.empty((0, model.config.hidden_size), model.dtype)
    return np.concatenate([empty, *parts])


def embed_stream(model: BertModel, tokenizer: Any, texts: Iterable[str],
                 pooling: str = "mean", normalize: bool = False, batch_size: int = 32,
                 max_length: int | None = None, done=lambda count: None
                 ) -> Iterator[np.ndarray]:
    """Do what `embed` does for more texts than fit into memory.

    Yields (m, C) arrays in the order of the texts.

    Args:
        done: called after each forward pass, with the number of its texts.

    Texts are taken from the iterable WINDOW batches at a time.  Inside such a window
    they are sorted by length, so that batches hold little padding.
    """
    limit = check(model, tokenizer, pooling, batch_size, max_length)
    source = iter(texts)
    while window := list(islice(source, WINDOW * batch_size)):
        rows = tokenizer(window, truncation=True, max_length=limit)
        order = np.argsort([-len(ids) for ids in rows["input_ids"]], kind="stable")
        out = np.empty((len(window), model.config.hidden_size), model.dtype)
        for start in range(0, len(order), batch_size):
            chosen = order[start:start + batch_size]
            batch = tokenizer.pad({name: [values[i] for i in chosen]
                                   for name, values in rows.items()},
                                  padding_side="right", return_tensors="np")
            out[chosen] = pool(model(**batch).last_hidden_state,
                               batch["attention_mask"], pooling)
            done(len(chosen))
        yield unit(out) if normalize else out


def pool(hidden: np.ndarray, mask: np.ndarray, pooling: str) -> np.ndarray:
    """Make one vector per text out of one per token.

    hidden (B, T, C), mask (B, T) 0/1 -> out (B, C)
    """
    if pooling == "cls":
        return hidden[:, 0]
    weights = mask.astype(hidden.dtype)                            # (B, T)
    total = (weights[:, None] @ hidden)[:, 0]                      # (B, C)
    return total / weights.sum(1, keepdims=True)     # [CLS] is always there: never 0


def unit(x: np.ndarray) -> np.ndarray:
    """Scale each row to length 1; zeros stay zeros.     x (n, C) -> out (n, C)"""
    length = np.sqrt(np.vecdot(x, x))[:, None]                     # (n, 1)
    return x / np.maximum(length, 1e-12)


def check(model, tokenizer, pooling, batch_size, max_length) -> int:
    """Refuse what can't work; return the number of tokens to cut texts to."""
    if not isinstance(model, BertModel):
        raise TypeError(f"model is a {type(model).__name__}, expected a BertModel: "
                        "BertModel.from_pretrained reads any checkpoint's backbone")
    if pooling not in POOLINGS:
        raise ValueError(f"pooling is {pooling!r}, expected one of "
                         f"{', '.join(POOLINGS)}")
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}, expected at least 1: it is the "
                         "number of texts per forward pass")
    positions = model.config.max_position_embeddings
    if max_length is None:
        return min(positions, tokenizer.model_max_length)
    if not 2 < max_length <= positions:
        raise ValueError(f"max_length is {max_length}, expected 3 to {positions}: room "
                         "for [CLS], a token and [SEP], and at most the model's "
                         "max_position_embeddings")
    return max_length


def sentence_settings(name_or_path, **hub) -> dict[str, Any]:
    """Return the arguments of `embed` that a sentence-transformers checkpoint asks for.

    Args:
        name_or_path: a folder with a checkpoint, or a name on the Hugging Face hub.
        **hub: revision, cache_dir, local_files_only and token, for the hub.

    Returns:
        a dict with pooling, max_length and normalize, as far as the files
        1_Pooling/config.json, sentence_bert_config.json and modules.json set them; an
        empty dict for a plain checkpoint.  A pooling that `embed` doesn't know is
        returned by its name, for `embed` to refuse.

    Raises:
        ValueError: a file is not the JSON that it should be.
    """
    from ..system.hub import resolve
    directory = resolve(name_or_path, FILES, **hub)
    settings: dict[str, Any] = {}
    pooling = optional(directory / "1_Pooling" / "config.json")
    chosen = [POOLING_KEY.fullmatch(key) for key, value in pooling.items()
              if value is True]
    if names := [match[1] for match in chosen if match]:
        settings["pooling"] = " and ".join(names)
    longest = optional(directory / "sentence_bert_config.json").get("max_seq_length")
    if longest is not None:
        settings["max_length"] = longest
    modules = optional(directory / "modules.json", list, "a JSON list of modules")
    if any(str(module.get("type", "")).endswith(".Normalize") for module in modules):
        settings["normalize"] = True
    return settings


def optional(path: Path, kind: type = dict, expected: str = "a JSON object") -> Any:
    """Return the content of a JSON file, or an empty `kind` if there is no file."""
    return read_json(path, kind, expected) if path.is_file() else kind()
