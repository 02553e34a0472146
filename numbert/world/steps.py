"""The steps of the training.  Each reads and writes folders inside one folder."""

from __future__ import annotations

import shutil
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from ..bert.losses import IGNORE_INDEX
from ..checkpoints import PRETRAINED
from ..models.classes import BertForPreTraining, BertLMHeadModel
from ..models.config import BertConfig
from ..system.saving import save
from ..tasks import Settings
from ..tasks.common import encoded_rows
from ..tasks.finetuning import RECORD, finetune
from ..tokenization import BertTokenizer
from ..tokenization.learn import train_wordpiece
from ..training.loop import train
from ..training.masking import (masking_collate, next_sentence_pairs, pair_inputs,
                                read_documents, vocabulary)
from . import TRAIN, documents, opinion_texts, statements
from .files import path, write_all

SHAPE: dict[str, Any] = {
    "vocab_size": 1600, "hidden_size": 96, "num_hidden_layers": 3,
    "num_attention_heads": 4, "intermediate_size": 384,
    "max_position_embeddings": 128,
    "initializer_range": 0.06}         # narrow models start slowly from BERT's 0.02
STATED = 15                            # how often an epoch states each fact alone
# Options of `train`: first what all models share, then what each has of its own.
TRAINING: dict[str, Any] = {"batch_size": 32, "accumulate": 2, "dropout": False,
                            "group_by_length": True, "warmup": 0.05}
PRETRAINING: dict[str, Any] = {"epochs": 3, "lr": 2e-3}
GENERATION: dict[str, Any] = {"epochs": 1, "lr": 1e-3}
# The model for questions first learns from short texts: see `exercises.short`.  At a
# higher rate, only some runs learn to heed the names.
SHORT_QUESTIONS: dict[str, Any] = {"epochs": 2, "lr": 5e-4, "schedule": "constant"}
TUNING: dict[str, tuple[str, dict[str, Any]]] = {
    "text-classification": ("opinions", {"epochs": 3, "lr": 1e-3}),
    "token-classification": ("names", {"epochs": 3, "lr": 1e-3}),
    "question-answering": ("questions", {"epochs": 3, "lr": 1e-3}),
    "multiple-choice": ("choices", {"epochs": 2, "lr": 1e-3}),
}
SETTINGS = Settings(max_length=128, doc_stride=32)


def data(folder: Path, seed: int, scale: float) -> None:
    """Write the text, the examples and the tokenizer."""
    write_all(folder / "data", seed, scale)
    tokenizer = BertTokenizer(word_pieces(seed, scale), do_lower_case=True,
                              model_max_length=SHAPE["max_position_embeddings"])
    tokenizer.save_pretrained(str(folder / "tokenizer"))


def word_pieces(seed: int, scale: float) -> dict[str, int]:
    """Learn a vocabulary with every word of the world, and parts for other words.

    The trainer joins pieces until each word is whole, so most of its pieces are only
    parts of words.  The earliest of these are kept, to spell names and unknown words.
    """
    texts = plain_texts(seed, scale)
    learnt = train_wordpiece(texts, 100_000)
    whole = BertTokenizer(learnt)
    used = Counter(piece for text in texts for piece in whole.tokenize(text))
    needed = [piece for piece in learnt if piece in used or len(piece) == 1
              or (piece.startswith("##") and len(piece) == 3) or piece[0] == "["]
    spare = [piece for piece in learnt if piece not in set(needed)]
    kept = set(needed + spare[:max(0, SHAPE["vocab_size"] - len(needed))])
    return {piece: i for i, piece in
            enumerate(piece for piece in learnt if piece in kept)}


def plain_texts(seed: int, scale: float) -> list[str]:
    """Sentences with all the words of the world, and no made-up names."""
    texts = [sentence for document in documents(round(20_000 * scale), seed=seed, new=0)
             for sentence in document]
    opinions = opinion_texts(round(5_000 * scale), seed=seed)
    return texts + [made.text for made in opinions]


def pretrained(folder: Path, seed: int, scale: float) -> None:
    """Pre-train a model on masked words and next sentences."""
    out = folder / PRETRAINED
    tokenizer = BertTokenizer.from_pretrained(str(folder / "tokenizer"))
    vocab = vocabulary(tokenizer)
    rng = np.random.default_rng([seed, 1])
    corpus = read_documents(path(folder / "data", "corpus", TRAIN), tokenizer)
    examples = [pair_inputs(pair, vocab) for pair in
                next_sentence_pairs(corpus, rng, 128, short_probability=0.0)]
    examples += alone(statements(), tokenizer) * max(1, round(STATED * scale))
    model = BertForPreTraining(
        BertConfig(**{**SHAPE, "vocab_size": len(tokenizer)}), rng=seed)
    out.mkdir(exist_ok=True)
    train(model, examples, seed=seed, log=out / "log.jsonl", checkpoint_dir=out,
          collate=masking_collate(vocab, probability=0.2),
          **TRAINING, **PRETRAINING)
    model.save_pretrained(out)
    tokenizer.save_pretrained(str(out))


def alone(sentences: list[str], tokenizer) -> list[dict]:
    """Rows of one sentence, [CLS] sentence [SEP], without a next-sentence label.

    No sentence nearby gives away a masked word: the model must know it.
    """
    return [{**row, "next_sentence_label": IGNORE_INDEX}
            for row in encoded_rows(tokenizer(sentences))]


def tune(folder: Path, task: str, kind: str, start: str, out: str, seed: int,
         **settings) -> None:
    """Fine-tune folder/START on examples of a kind, into folder/OUT, unless done."""
    if not (folder / out / RECORD).exists():
        finetune(task, path(folder / "data", kind, TRAIN), None, folder / start,
                 folder / out, settings=SETTINGS, seed=seed, **TRAINING, **settings)


def tuning(task: str) -> Callable[[Path, int, float], None]:
    """Make the step that fine-tunes the pre-trained model on a task."""
    kind, settings = TUNING[task]

    def step(folder: Path, seed: int, scale: float) -> None:
        start = PRETRAINED
        if task == "question-answering":
            start = "short-questions"
            tune(folder, task, start, PRETRAINED, start, seed, **SHORT_QUESTIONS)
        tune(folder, task, kind, start, task, seed, **settings)

    return step


def text_generation(folder: Path, seed: int, scale: float) -> None:
    """Train a decoder, which starts as the pre-trained model, to continue a text.

    Every other document is enough, and takes half the time.
    """
    tokenizer = BertTokenizer.from_pretrained(str(folder / PRETRAINED))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".* does not use")
        model = BertLMHeadModel.from_pretrained(
            folder / PRETRAINED, rng=seed, is_decoder=True,
            eos_token_id=tokenizer.sep_token_id)
    examples = beginnings(path(folder / "data", "corpus", TRAIN), tokenizer, seed)[::2]
    out = folder / "text-generation"
    out.mkdir(exist_ok=True)
    train(model, examples, seed=seed, log=out / "log.jsonl", checkpoint_dir=out,
          **TRAINING, **GENERATION)
    model.save_pretrained(out)
    tokenizer.save_pretrained(str(out))


def beginnings(file, tokenizer, seed: int) -> list[dict]:
    """Cut each document at a random place: [CLS] beginning [SEP] rest [SEP].

    A pipeline puts [CLS] and [SEP] around a prompt, and the model then writes the rest.
    The first [SEP] has no label, since nothing foretells it.
    """
    rng, found = np.random.default_rng([seed, 2]), []
    for document in read_documents(file, tokenizer):
        ids = [i for sentence in document for i in sentence]
        cut = int(rng.integers(1, len(ids)))
        if rng.random() < 0.5:                         # after the first sentence
            cut = len(document[0])
        row = np.array([tokenizer.cls_token_id, *ids[:cut], tokenizer.sep_token_id,
                        *ids[cut:], tokenizer.sep_token_id])
        labels = row.copy()
        labels[cut + 1] = IGNORE_INDEX
        found.append({"input_ids": row, "labels": labels})
    return found


def publish(folder: Path, name: str) -> None:
    """Write a model to folder/models/NAME, in half precision, with its tokenizer."""
    out = folder / "models" / name
    weights = load_file(folder / name / "model.safetensors")
    config = BertConfig.from_pretrained(folder / name, dtype="float16")
    save(out, {key: x.astype(np.float16) for key, x in sorted(weights.items())},
         config_text=config.to_json_string())
    for file in (folder / "tokenizer").iterdir():
        shutil.copyfile(file, out / file.name)


STEPS: dict[str, Callable[[Path, int, float], None]] = {
    "data": data, PRETRAINED: pretrained, "text-generation": text_generation,
    **{task: tuning(task) for task in TUNING}}
