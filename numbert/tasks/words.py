"""A label for every word: named entities, parts of speech."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..bert.losses import IGNORE_INDEX
from ..bert.ops import softmax
from ..system.datafiles import is_jsonl, nonempty, read_conll, read_jsonl, strings
from . import metrics
from .common import (Data, Prediction, Settings, Task, class_id, class_names,
                     cut_rows, encoded_rows, longest, names_of, outputs)


class Sentence(NamedTuple):
    """The words of a sentence and their labels."""

    where: str
    words: list[str]
    labels: list[str]


def read(path) -> list[Sentence]:
    """Read CoNLL, or JSONL with "tokens" and "labels"."""
    if is_jsonl(path):
        found = [Sentence(where, strings(where, row, "tokens"),
                          strings(where, row, "labels"))
                 for where, row in read_jsonl(path)]
    else:
        found = [Sentence(*row) for row in read_conll(path)]
    for where, words, labels in found:
        if len(words) != len(labels) or not words:
            raise ValueError(f"{where}: tokens and labels are {len(words)} and "
                             f"{len(labels)}, expected at least one token and a label "
                             "for each: correct the sentence")
    return nonempty(found, path)


def encode(examples: list[Sentence], tokenizer, config, settings: Settings) -> Data:
    """Label the first piece of each word, and the other pieces with settings.label_all.

    The other pieces of a B-X word become I-X if there is such a label, because an
    entity begins only once.  `places` holds the first piece of each word, or -1 for a
    word without pieces: it lies beyond max_length, or the tokenizer drops its
    characters.
    """
    sentences = [example.words for example in examples]
    length = longest(tokenizer, config, settings)
    encoded = tokenizer(sentences, is_split_into_words=True, truncation=True,
                        verbose=False, max_length=length)
    rows, places = encoded_rows(encoded), []
    for i, (example, row) in enumerate(zip(examples, rows)):
        word_of = np.array([-1 if w is None else w          # (T,)
                            for w in encoded.word_ids(i)])
        first = np.full(len(example.words), -1)
        words, where = np.unique(word_of, return_index=True)
        first[words[words >= 0]] = where[words >= 0]
        ids = np.array([class_id(f"{example.where}, word {k} ({word!r})", label, config)
                        for k, (word, label) in enumerate(
                            zip(example.words, example.labels), 1)])
        labels = np.full(len(word_of), IGNORE_INDEX)
        if settings.label_all:
            inner = np.array([config.label2id.get(f"I-{label[2:]}", i)
                              if label.startswith("B-") else i
                              for label, i in zip(example.labels, ids)])
            labels[word_of >= 0] = inner[word_of[word_of >= 0]]
        labels[first[first >= 0]] = ids[first >= 0]
        row["labels"] = labels
        places.append(first)
    return Data(examples, rows, places, len(cut_rows(
        tokenizer, rows, length, sentences, is_split_into_words=True)))


def predict(model, data: Data, tokenizer, settings, batch_size=32, progress=None
            ) -> list[Prediction]:
    """Predict the label of each word, which is that of its first piece.

    A word without pieces is labelled O, or with the first label if there is no O.  It
    counts in the metrics, so that a small max_length can't hide errors.  The score is
    the probability of each label, None for a word without pieces.
    """
    names = names_of(model.config)
    none = names.index("O") if "O" in names else 0
    found = []
    for (logits,), first in zip(outputs(model, data.inputs, ["logits"], tokenizer,
                                        batch_size, progress), data.places):
        probs, _ = softmax(logits[first])                              # (words, K)
        best, seen = logits[first].argmax(-1), first >= 0              # (words,)
        found.append(Prediction(
            [names[i] for i in np.where(seen, best, none)],
            [float(p) if there else None for p, there in zip(probs.max(-1), seen)]))
    return found


def show(example: Sentence) -> dict:
    """Return the words and their labels."""
    return {"tokens": example.words, "gold": example.labels}


def score(examples, predictions, names) -> dict[str, float]:
    """Return accuracy of words, and f1, precision and recall of entities.

    If the labels are not BIO there are no entities, and f1 is macro_f1 of words.
    """
    labels = [example.labels for example in examples]
    flat, true = ([tag for tags in rows for tag in tags]
                  for rows in (predictions, labels))
    words = {"accuracy": metrics.accuracy(flat, true)}
    if not all(map(metrics.is_bio, names)):
        return {"f1": metrics.macro_f1(flat, true), **words}
    found = metrics.entity_f1(predictions, labels)
    return {"f1": found.f1, "precision": found.precision, "recall": found.recall,
            **words}


TASK = Task(
    "token-classification", "BertForTokenClassification",
    "f1", {}, read,
    lambda examples: class_names(label for x in examples for label in x.labels),
    encode, predict, score, show)
