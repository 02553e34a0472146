"""The steps of the training; each reads and writes folders under one folder."""

from __future__ import annotations

import shutil
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from ..models.config import BertConfig
from ..tasks.finetuning import RECORD, finetune
from ..bert.losses import IGNORE_INDEX
from ..models.classes import BertForPreTraining, BertLMHeadModel
from ..checkpoints import PRETRAINED
from ..training.masking import (masking_collate, next_sentence_pairs, pair_inputs,
                                read_documents, vocabulary)
from ..system.saving import save
from ..tasks import Settings
from ..tasks.common import encoded_rows
from ..tokenization import BertTokenizer
from ..tokenization.learn import train_wordpiece
from ..training.loop import train
from . import TRAIN, documents, opinion_texts, statements
from .files import path, write_all

SHAPE: dict[str, Any] = {
    "vocab_size": 1600, "hidden_size": 96, "num_hidden_layers": 3,
    "num_attention_heads": 4, "intermediate_size": 384,
    "max_position_embeddings": 128,
    "initializer_range": 0.06}         # 0.02 is for wide models: these start slowly
STATED = 15                            # times each fact is stated alone in an epoch
# of `train`
TRAINING: dict[str, Any] = {"batch_size": 32, "accumulate": 2, "dropout": False,
                            "group_by_length": True, "warmup": 0.05}
PRETRAINING: dict[str, Any] = {"epochs": 3, "lr": 2e-3}
GENERATION: dict[str, Any] = {"epochs": 1, "lr": 1e-3}
# The questions' model first learns from the short ones; see `world.exercises.short`.
# With a higher rate it finds names useful in some runs only.
SHORT_QUESTIONS: dict[str, Any] = {"epochs": 2, "lr": 5e-4, "schedule": "constant"}
TUNING: dict[str, tuple[str, dict[str, Any]]] = {
    "text-classification": ("opinions", {"epochs": 3, "lr": 1e-3}),
    "token-classification": ("names", {"epochs": 3, "lr": 1e-3}),
    "question-answering": ("questions", {"epochs": 3, "lr": 1e-3}),
    "multiple-choice": ("choices", {"epochs": 2, "lr": 1e-3}),
}
SETTINGS = Settings(max_length=128, doc_stride=32)


def data(folder: Path, seed: int, scale: float) -> None:
    """The text, the examples and the vocabulary."""
    write_all(folder / "data", seed, scale)
    tokenizer = BertTokenizer(word_pieces(seed, scale), do_lower_case=True,
                              model_max_length=SHAPE["max_position_embeddings"])
    tokenizer.save_pretrained(str(folder / "tokenizer"))


def word_pieces(seed: int, scale: float) -> dict[str, int]:
    """Learn the word pieces: every word of the world is one, made-up names are several.

    The trainer joins until each word is whole.  Most pieces are then only parts of
    words; the first learnt of them are kept, for names and words that are unknown.
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
    """Sentences with all words of the world, without made-up names."""
    texts = [sentence for document in documents(round(20_000 * scale), seed=seed, new=0)
             for sentence in document]
    opinions = opinion_texts(round(5_000 * scale), seed=seed)
    return texts + [made.text for made in opinions]


def pretrained(folder: Path, seed: int, scale: float) -> None:
    """Masked LM and next sentence prediction."""
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
    """[CLS] sentence [SEP], with nothing said of a next sentence.

    What is masked can't be found in a sentence nearby, so it must be known.
    """
    return [{**row, "next_sentence_label": IGNORE_INDEX}
            for row in encoded_rows(tokenizer(sentences))]


def tune(folder: Path, task: str, kind: str, start: str, out: str, seed: int,
         **settings) -> None:
    """Fine-tune folder/START on the examples of a kind, to folder/OUT; only once."""
    if not (folder / out / RECORD).exists():
        finetune(task, path(folder / "data", kind, TRAIN), None, folder / start,
                 folder / out, settings=SETTINGS, seed=seed, **TRAINING, **settings)


def tuning(task: str) -> Callable[[Path, int, float], None]:
    """The step that fine-tunes the pre-trained model on a task."""
    kind, settings = TUNING[task]

    def step(folder: Path, seed: int, scale: float) -> None:
        start = PRETRAINED
        if task == "question-answering":
            start = "short-questions"
            tune(folder, task, start, PRETRAINED, start, seed, **SHORT_QUESTIONS)
        tune(folder, task, kind, start, task, seed, **settings)

    return step


def text_generation(folder: Path, seed: int, scale: float) -> None:
    """A decoder that begins as the pre-trained model and learns to go on.

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
    """[CLS] beginning [SEP] rest [SEP] of each document, cut at a random place.

    So a pipeline that puts [CLS] and [SEP] around a prompt gets the text that follows.
    The first [SEP] can't be foreseen and has no label.
    """
    rng, found = np.random.default_rng([seed, 2]), []
    for document in read_documents(file, tokenizer):
        ids = [i for sentence in document for i in sentence]
        cut = int(rng.integers(1, len(ids)))
        if rng.random() < 0.5:                         # at the end of a sentence
            cut = len(document[0])
        row = np.array([tokenizer.cls_token_id, *ids[:cut], tokenizer.sep_token_id,
                        *ids[cut:], tokenizer.sep_token_id])
        labels = row.copy()
        labels[cut + 1] = IGNORE_INDEX
        found.append({"input_ids": row, "labels": labels})
    return found


def publish(folder: Path, name: str) -> None:
    """Write a model to folder/models/NAME: half precision, tokenizer, nothing else."""
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
