"""The exercises of notebook 10, fine-tuning."""

import numpy as np

from ...bert.losses import IGNORE_INDEX
from ...tasks import metrics, questions
from .exercise import Exercise

KINDS = ["PER", "LOC", "ORG"]


def sentence(rng):
    """Which word each piece belongs to, and a label for each word."""
    pieces = rng.permutation([1, 1, 2, 3, 4])
    words = [int(word) for word in np.repeat(np.arange(len(pieces)), pieces)]
    return [None, *words, None], [int(x) for x in rng.integers(1, 7, len(pieces))]


def labelled(word_ids, labels, *, place=0, other=IGNORE_INDEX, special=IGNORE_INDEX):
    """The label of a word at one of its pieces: 0 the first, -1 the last, None all."""
    found = []
    for i, word in enumerate(word_ids):
        mine = [j for j, also in enumerate(word_ids) if also == word]
        here = word is not None and (place is None or mine[place] == i)
        found.append(labels[word] if here else special if word is None else other)
    return found


def two_lists(rng):
    """Entities that were found, and those that are there: some are the same."""
    order = [KINDS[i] for i in rng.permutation(3)]
    there = [(order[i % 3], 5 * i, 5 * i + 2) for i in range(8)]
    right = int(rng.integers(3, 5))
    found = there[:right]
    for i in (right, right + 1):                                     # another type
        found.append((order[(i + 1) % 3], *there[i][1:]))
    found.append((*there[right + 2][:2], 5 * right + 14))            # another end
    return found, there


def score(found, there):
    return metrics.precision_recall_f1(len({*found} & {*there}), len(found), len(there))


def without_types(found, there):
    return score([x[1:] for x in found], [x[1:] for x in there]).f1


def token_scores(rng):
    """Start, end and a limit, in which each mistake finds a span of its own."""
    start, end = rng.uniform(-0.4, 0.4, (2, 12))
    start[[9, 1, 5]] = 4, 3, 2.2
    end[[0, 8, 6, 4, 9]] = 4, 3, 2.9, 2.6, 0.9         # the best is 5 to 6
    before = rng.uniform(-0.4, 0.4, (2, int(rng.integers(1, 6))))
    return np.append(before[0], start), np.append(before[1], end), 3


def best(start, end, allowed):
    """The best pair of those that are allowed."""
    sums = np.where(allowed, start[:, None] + end, -np.inf)
    return tuple(int(i) for i in np.unravel_index(sums.argmax(), sums.shape))


def one_too_far(start, end, most):
    _, i, j = questions.best_span(start, end, most)
    return i, j + 1


def ahead(n):
    """(n, n): by how much the end is ahead of the start."""
    return np.arange(n) - np.arange(n)[:, None]


EXERCISES = {
    "10.1": Exercise(
        inputs=sentence,
        reference=labelled,
        mistakes={
            "Every piece of a word has its label.  Only one of them should.":
                lambda *x: labelled(*x, place=None),
            "The last piece of each word has the label.  Devlin et al. chose another.":
                lambda *x: labelled(*x, place=-1),
            "Pieces that continue a word have the label 0, which is a class.  The loss "
            "would count them.":
                lambda *x: labelled(*x, other=0),
            "Special tokens and continuing pieces have the label 0, which is a class.":
                lambda *x: labelled(*x, other=0, special=0),
            "Special tokens have the label 0, which is a class.":
                lambda *x: labelled(*x, special=0),
            "E1": lambda *x: labelled(*x, other=-1, special=-1),
            "There is a label for each word, and the pieces without a label are gone.  "
            "Return one for each piece.":
                lambda word_ids, labels: labels,
        }),
    "10.2": Exercise(
        inputs=two_lists,
        reference=lambda found, there: score(found, there).f1,
        mistakes={
            "This is the precision.  It does not see what was missed.":
                lambda *x: score(*x).precision,
            "This is the recall.  It does not see what was found in vain.":
                lambda *x: score(*x).recall,
            "This is the plain mean of P and R.  F1 is the harmonic mean.":
                lambda *x: (score(*x).precision + score(*x).recall) / 2,
            "Entities count as right whatever their type.":
                without_types,
            "Entities count as right wherever they end.":
                lambda *x: score(*([y[:2] for y in z] for z in x)).f1,
            "It is the share of all that are in either list.  That is another measure, "
            "the Jaccard index.":
                lambda found, there: len({*found} & {*there})
                / len({*found} | {*there}),
            "The factor 2 is missing.":
                lambda *x: score(*x).f1 / 2,
        }),
    "10.3": Exercise(
        inputs=token_scores,
        reference=lambda start, end, most: questions.best_span(start, end, most)[1:],
        mistakes={
            "Start and end are chosen apart, so the answer may end before it begins.":
                lambda start, end, most: (int(start.argmax()), int(end.argmax())),
            "The answer may be longer than allowed.":
                lambda start, end, most: best(start, end, ahead(len(start)) >= 0),
            "The answer may be one token longer than allowed: i and j both belong to "
            "it.":
                lambda start, end, most: best(start, end, (ahead(len(start)) >= 0) & (
                    ahead(len(start)) <= most)),
            "The second number is one too large: j is the last token of the answer, "
            "not the one after it.":
                one_too_far,
            "The start is chosen first, and then the best end for it.  Another start "
            "may give a larger sum.":
                lambda start, end, most: best(start, end, (ahead(len(start)) >= 0) & (
                    ahead(len(start)) < most) & (start == start.max())[:, None]),
        }),
}
