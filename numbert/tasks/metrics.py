"""Metrics written out: the numbers that papers on BERT report.

Each is a pure function of predictions and labels.  Papers show most of them times 100.
"""

from __future__ import annotations

import math
import re
import string
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np


class Score(NamedTuple):
    """Precision, recall and their harmonic mean."""

    precision: float
    recall: float
    f1: float


def precision_recall_f1(correct: int, predicted: int, actual: int) -> Score:
    """P = correct / predicted, R = correct / actual, F1 = 2 P R / (P + R).

    0 / 0 counts as 0.                                   van Rijsbergen 1979, chapter 7
    """
    precision = correct / predicted if predicted else 0.0
    recall = correct / actual if actual else 0.0
    total = predicted + actual
    return Score(precision, recall, 2 * correct / total if total else 0.0)


def same_length(predictions, labels) -> tuple[np.ndarray, np.ndarray]:
    """Return both as arrays, if they can be compared entry by entry."""
    predictions, labels = np.asarray(predictions), np.asarray(labels)
    if predictions.shape != labels.shape:
        raise ValueError(f"predictions have shape {predictions.shape}, expected the "
                         f"same as the labels, {labels.shape}: give one for each")
    if not labels.size:
        raise ValueError("predictions and labels are empty, expected at least one "
                         "entry to compare: check the data")
    return predictions, labels


# ------------------------------------------------------------------ classification

def classes_of(predictions, labels) -> tuple[np.ndarray, np.ndarray]:
    """Return both as arrays of classes; nan is none, as it does not equal itself."""
    predictions, labels = same_length(predictions, labels)
    for name, x in ("predictions", predictions), ("labels", labels):
        if x.dtype.kind in "fc" and np.isnan(x).any():
            raise ValueError(f"{name} hold nan, expected a class in each entry: leave "
                             "out the examples without one")
    return predictions, labels


def accuracy(predictions, labels) -> float:
    """The share of predictions that equal their label.

    predictions (N,), labels (N,) -> in [0, 1]
    """
    predictions, labels = classes_of(predictions, labels)
    return float(np.mean(predictions == labels))


def f1(predictions, labels, positive=1) -> float:
    """F1 of one class: precision_recall_f1 of its predictions.

    predictions (...), labels (...) -> in [0, 1]
    """
    predictions, labels = classes_of(predictions, labels)
    found, true = predictions == positive, labels == positive
    return precision_recall_f1(int(np.sum(found & true)), int(np.sum(found)),
                               int(np.sum(true))).f1


def macro_f1(predictions, labels) -> float:
    """The plain mean of F1 over the classes that occur, as a label or a prediction.

    predictions (N,), labels (N,) -> in [0, 1]
    """
    predictions, labels = classes_of(predictions, labels)
    classes = set(predictions.tolist()) | set(labels.tolist())
    return sum(f1(predictions, labels, c) for c in classes) / len(classes)


def matthews(predictions, labels) -> float:
    """Matthews' correlation coefficient, for any number of classes.

    predictions (N,), labels (N,) -> in [-1, 1]
    With two classes, (TP TN - FP FN) / sqrt((TP+FP)(TP+FN)(TN+FP)(TN+FN)).  With s
    entries, c of them correct, p_k predictions and t_k labels of class k,

        (c s - sum_k p_k t_k) / sqrt((s^2 - sum_k p_k^2) (s^2 - sum_k t_k^2)),

    and 0 if all predictions, or all labels, are the same.  Gorodkin 2004, eq. 8
    """
    predictions, labels = classes_of(predictions, labels)
    p, t = Counter(predictions.tolist()), Counter(labels.tolist())
    s, c = labels.size, int(np.sum(predictions == labels))
    spread = (s * s - sum(n * n for n in p.values())) * \
             (s * s - sum(n * n for n in t.values()))
    return (c * s - sum(p[k] * t[k] for k in t)) / math.sqrt(spread) if spread else 0.0


def label_sets(predictions, labels) -> tuple[np.ndarray, np.ndarray]:
    """Return both as booleans (N, K), if they are booleans or 0/1."""
    predictions, labels = same_length(predictions, labels)
    if labels.ndim != 2:
        raise ValueError(f"predictions and labels have shape {labels.shape}, expected "
                         "(texts, labels): give each text a 0 or 1 for every label")
    for name, x in ("predictions", predictions), ("labels", labels):
        odd = x[(x != 0) & (x != 1)]
        if odd.size:
            raise ValueError(f"{name} hold {odd.item(0)!r}, expected booleans or 0/1: "
                             "compare scores with a threshold first")
    return predictions.astype(bool), labels.astype(bool)


def multi_label_f1(predictions, labels) -> float:
    """F1 over all pairs of a text and a label ("micro" F1).

    predictions (N, K), labels (N, K), booleans or 0/1 -> in [0, 1]
    """
    return f1(*label_sets(predictions, labels))


def multi_label_macro_f1(predictions, labels) -> float:
    """The mean over the labels of each one's F1; a label that never occurs counts 0.

    predictions (N, K), labels (N, K), booleans or 0/1 -> in [0, 1]
    """
    predictions, labels = label_sets(predictions, labels)
    return float(np.mean([f1(found, true)
                          for found, true in zip(predictions.T, labels.T)]))


def multi_label_accuracy(predictions, labels) -> float:
    """The share of texts whose whole set of labels is right.

    predictions (N, K), labels (N, K), booleans or 0/1 -> in [0, 1]
    """
    predictions, labels = label_sets(predictions, labels)
    return float(np.mean(np.all(predictions == labels, -1)))


# ---------------------------------------------------------------------- regression

def numbers(x, y) -> tuple[np.ndarray, np.ndarray]:
    """Return both as arrays of real numbers (N,)."""
    x, y = same_length(x, y)
    for z in (x, y):
        if z.dtype.kind not in "biuf" or z.ndim != 1:
            raise ValueError(f"predictions or labels are of type {z.dtype} and shape "
                             f"{z.shape}, expected real numbers of shape (N,): give "
                             "one number for each text")
    return x, y


def pearson(x, y) -> float:
    """Pearson's correlation: cov(x, y) / (std(x) std(y)).

    x (N,), y (N,) -> in [-1, 1]; nan if either is constant, or holds nan or infinity
    """
    x, y = numbers(x, y)
    if not (varies(x) and varies(y)):
        return math.nan
    x, y = deviations(x), deviations(y)
    scale = math.sqrt(float(x @ x)) * math.sqrt(float(y @ y))
    return max(-1.0, min(1.0, float(x @ y) / scale)) if scale else math.nan


def varies(x) -> bool:
    """Whether numbers are finite and not all the same."""
    return bool(np.isfinite(x).all() and x.min() < x.max())


def deviations(x) -> np.ndarray:
    """The distance of each number from the mean, times some power of 2.

    x (N,) -> (N,), the largest near 1: no sum or square overflows or vanishes.
    A power of 2 changes no digit, and a correlation does not depend on it.
    """
    x = near_one(x.astype(np.float64))
    return near_one(x - np.mean(x))


def near_one(x) -> np.ndarray:
    """The numbers times the power of 2 that takes the largest into [1/2, 1)."""
    return np.ldexp(x, -np.frexp(np.abs(x).max())[1])


def ranks(x) -> np.ndarray:
    """The place of each value in sorted order, from 1; equal values share the mean.

    x (N,) -> (N,), all nan if a value is nan: it has no place
    """
    x = np.asarray(x)
    if x.dtype.kind == "f" and np.isnan(x).any():
        return np.full(x.shape, math.nan)
    _, place, count = np.unique(x, return_inverse=True, return_counts=True)
    last = np.cumsum(count)                            # the last rank of each value
    return (last - (count - 1) / 2)[place]


def spearman(x, y) -> float:
    """Spearman's correlation: Pearson's correlation of the ranks, ties averaged.

    x (N,), y (N,) -> in [-1, 1]; nan if either is constant or holds nan.  Infinity has
    a rank like any other number.
    """
    x, y = numbers(x, y)
    return pearson(ranks(x), ranks(y))


# ------------------------------------------------------------------------ entities

Entity = tuple[str, int, int]        # type, first word, one past the last word


def entities(tags: Sequence[str]) -> list[Entity]:
    """Find the entities that a sequence of BIO tags marks.

    The rule is conlleval's, which is also seqeval's default.  An entity starts at B-X,
    and at an I-X that does not continue an X; it goes on through I-X of the same type.
    So "I-PER I-PER" is one entity although no B- opens it.  (seqeval's "strict" mode
    would drop it.)

    Args:
        tags: "O", "B-type" or "I-type", one per word.

    Raises:
        ValueError: any other tag.
    """
    found: list[Entity] = []
    start, current = 0, None                           # of the entity that is open
    for i, tag in enumerate([*tags, "O"]):
        if not is_bio(tag):
            raise ValueError(f"tag {i} is {tag!r}, expected O, B-<type> or I-<type>: "
                             "convert other schemes first")
        kind = None if tag == "O" else tag[2:]
        if current is not None and (kind != current or tag[0] == "B"):
            found.append((current, start, i))
            current = None
        if kind is not None and current is None:
            start, current = i, kind
    return found


def is_bio(tag: str) -> bool:
    """Whether this is O, B-<type> or I-<type>."""
    return tag == "O" or (tag[:2] in ("B-", "I-") and len(tag) > 2)


def entity_f1(predictions: Iterable[Sequence[str]],
              labels: Iterable[Sequence[str]]) -> Score:
    """Precision, recall and F1 of whole entities; type and both ends must be right.

    predictions, labels: BIO tags of each sentence.  See `entities` for the rule, and
    Tjong Kim Sang & De Meulder 2003, section 2.4.

    Raises:
        ValueError: sentences differ in length, or tags are not BIO.
    """
    predictions, labels = list(predictions), list(labels)
    if [len(tags) for tags in predictions] != [len(tags) for tags in labels]:
        raise ValueError("predictions and labels differ in length, expected the same "
                         "sentences with one tag for each word: check their order")
    correct = predicted = actual = 0
    for guess, truth in zip(predictions, labels):
        found, true = set(entities(guess)), set(entities(truth))
        correct += len(found & true)
        predicted += len(found)
        actual += len(true)
    return precision_recall_f1(correct, predicted, actual)


# -------------------------------------------------------------- question answering

def normalize_answer(text: str) -> str:
    """Lower the case, drop ASCII punctuation and articles, and leave single spaces.

    The articles are a, an and the.  SQuAD's evaluation script does the same.
    Rajpurkar et al. 2016, 6.1
    """
    text = "".join(c for c in text.lower() if c not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text).split())


def exact_match(prediction: str, answers: Sequence[str]) -> float:
    """1 if the prediction is one of the answers after normalisation, else 0.

    answers: those that count as right; see `references`.
    """
    return float(normalize_answer(prediction) in references(answers))


def references(answers: Sequence[str]) -> list[str]:
    """Normalise the right answers; if none has a word left, the right one is empty.

    As in SQuAD 2.0's script, an answer such as "the" does not count beside others.
    """
    return [text for text in map(normalize_answer, answers) if text] or [""]


def token_f1(prediction: str, answers: Sequence[str]) -> float:
    """F1 of the words of the prediction against the answer that fits it best.

    answers: see `references`.  A word counts as often as it occurs.  If one side has
    no words, F1 is 0, and if both have none it is 1, as in SQuAD 2.0's script.
    Rajpurkar et al. 2018
    """
    guess = normalize_answer(prediction).split()
    best = 0.0
    for answer in references(answers):
        truth = answer.split()
        if not guess or not truth:
            best = max(best, float(guess == truth))
        else:
            common = sum((Counter(guess) & Counter(truth)).values())
            best = max(best, precision_recall_f1(common, len(guess), len(truth)).f1)
    return best


# ------------------------------------------------------------------ texts, as wholes

def rouge_words(text: str) -> list[str]:
    """Split a text into words of letters and digits, in lower case."""
    return re.findall(r"[^\W_]+", text.lower())


def rouge_n(prediction: str, reference: str, n: int = 1) -> Score:
    """Compare the runs of n words of two texts: how many they share, and F1.

    A run counts as often as it occurs in both.        Lin 2004, "ROUGE", section 2
    """
    found, wanted = (Counter(zip(*(words[i:] for i in range(n))))
                     for words in map(rouge_words, (prediction, reference)))
    return precision_recall_f1((found & wanted).total(), found.total(), wanted.total())


def rouge_l(prediction: str, reference: str) -> Score:
    """Compare two texts by the longest sequence of words that both hold in this order.

    Other words may stand in between.                  Lin 2004, "ROUGE", section 3.1
    """
    found, wanted = rouge_words(prediction), rouge_words(reference)
    best = [0] * (len(wanted) + 1)          # best[j]: of what was read and wanted[:j]
    for word in found:
        before, best = best, [0]
        for j, other in enumerate(wanted):
            best.append(before[j] + 1 if word == other else max(before[j + 1], best[j]))
    return precision_recall_f1(best[-1], len(found), len(wanted))
