"""Metrics against values worked out by hand and against slow definitions."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, strategies as st

from numbert.tasks import metrics

LABELS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")),
                  min_size=1, max_size=12)


def near(x):
    return pytest.approx(x, rel=1e-12, abs=1e-12)


# ------------------------------------------------------------------- by hand

def test_classification_by_hand():
    guess, truth = [1, 1, 0, 1, 0, 0], [1, 0, 0, 1, 1, 0]      # TP 2, FP 1, FN 1, TN 2
    assert metrics.accuracy(guess, truth) == near(4 / 6)
    assert metrics.f1(guess, truth) == near(2 / 3)
    assert metrics.f1(guess, truth, positive=0) == near(2 / 3)
    assert metrics.macro_f1(guess, truth) == near(2 / 3)
    assert metrics.matthews(guess, truth) == near((2 * 2 - 1 * 1) / math.sqrt(3 ** 4))
    assert metrics.precision_recall_f1(2, 4, 5) == (near(.5), near(.4), near(4 / 9))
    assert metrics.precision_recall_f1(0, 0, 0) == (0, 0, 0)


def test_macro_f1_counts_every_class_alike():
    # a: TP 3, FP 1, FN 0 -> 6/7;  b: TP 0, FP 0, FN 1 -> 0;  c: TP 1 -> 1
    assert metrics.macro_f1(list("aaaac"), list("aaabc")) == near((6 / 7 + 0 + 1) / 3)
    # a class that only the predictions have counts too: F1 of b is 0
    assert metrics.macro_f1(list("ab"), list("aa")) == near((2 / 3 + 0) / 2)


def test_matthews_of_one_class_is_zero():
    assert metrics.matthews([1, 1, 1], [0, 1, 1]) == 0
    assert metrics.matthews([0, 1, 1], [1, 1, 1]) == 0


def test_multi_label_by_hand():
    guess = [[1, 0, 1], [0, 0, 0], [1, 1, 0]]
    truth = [[1, 0, 0], [0, 0, 0], [1, 1, 1]]           # TP 3, FP 1, FN 1
    assert metrics.multi_label_f1(guess, truth) == near(6 / 8)
    assert metrics.multi_label_accuracy(guess, truth) == near(1 / 3)
    assert metrics.multi_label_macro_f1(guess, truth) == near((1 + 1 + 0) / 3)


def test_regression_by_hand():
    x, y = [1, 2, 3, 4], [2, 1, 4, 3]           # cov 3 / 5 of the product of deviations
    assert metrics.pearson(x, y) == near(0.6)
    assert metrics.spearman(x, y) == near(0.6)          # 1 - 6 * 4 / (4 * 15)
    assert metrics.spearman([1, 10, 100, 1000], [1, 2, 3, 4]) == near(1)
    assert metrics.pearson([1, 2], [3, 1]) == near(-1)
    assert metrics.ranks([30, 10, 20, 10]).tolist() == [4, 1.5, 3, 1.5]
    # ties averaged: ranks 1.5 1.5 3 4 and 1 2 3.5 3.5
    a, b = np.array([1.5, 1.5, 3, 4]) - 2.5, np.array([1, 2, 3.5, 3.5]) - 2.5
    assert metrics.spearman([5, 5, 7, 9], [0, 1, 2, 2]) == near(
        (a @ b) / math.sqrt((a @ a) * (b @ b)))


def test_correlation_of_a_constant_is_nan():
    assert math.isnan(metrics.pearson([1, 1, 1], [1, 2, 3]))
    assert math.isnan(metrics.spearman([1, 2, 3], [4, 4, 4]))


@pytest.mark.parametrize("tags, expected", [
    ("O B-PER I-PER O B-LOC", [("PER", 1, 3), ("LOC", 4, 5)]),
    ("B-PER B-PER", [("PER", 0, 1), ("PER", 1, 2)]),
    ("I-PER I-PER O I-LOC", [("PER", 0, 2), ("LOC", 3, 4)]),   # conlleval, not strict
    ("B-PER I-LOC I-LOC", [("PER", 0, 1), ("LOC", 1, 3)]),
    ("B-PER I-PER B-PER I-PER", [("PER", 0, 2), ("PER", 2, 4)]),
    ("B-a-b I-a-b I-a", [("a-b", 0, 2), ("a", 2, 3)]),
    ("O O", []), ("", []),
])
def test_entities(tags, expected):
    assert metrics.entities(tags.split()) == expected


def test_entity_f1_by_hand():
    truth = ["O B-PER I-PER O".split(), "B-LOC O".split(), "O B-ORG I-ORG".split()]
    guess = ["O B-PER I-PER O".split(), "B-ORG O".split(), "O B-ORG O".split()]
    assert metrics.entity_f1(guess, truth) == (near(1 / 3), near(1 / 3), near(1 / 3))
    # the same span in another sentence is no hit
    assert metrics.entity_f1([["O"], ["B-X"]], [["B-X"], ["O"]]).f1 == 0
    assert metrics.entity_f1([["O"]], [["O"]]).f1 == 0


@pytest.mark.parametrize("text, expected", [
    ("The  Cat's-paw, an ant!", "catspaw ant"), ("a", ""), ("", ""),
    ("Theatre and Anna", "theatre and anna"), ("(1,000) A. B", "1000 b"),
    ("naïve “quote”", "naïve “quote”"),
])
def test_normalize_answer(text, expected):
    assert metrics.normalize_answer(text) == expected


def test_answers_by_hand():
    assert metrics.exact_match("the Cat.", ["dog", "cat"]) == 1
    assert metrics.exact_match("cats", ["dog", "cat"]) == 0
    # 2 common words of 3 and of 4
    assert metrics.token_f1("big red cat", ["red cat sat down"]) == near(4 / 7)
    assert metrics.token_f1("big red cat", ["dog", "big red cat"]) == 1
    assert metrics.token_f1("red red", ["red"]) == near(2 / 3)       # counted once
    for prediction, right in (("", 1), ("cat", 0)):             # no answer
        assert metrics.exact_match(prediction, []) == right
        assert metrics.token_f1(prediction, []) == right
    assert metrics.token_f1("the", ["cat"]) == 0
    assert metrics.token_f1("the", ["a"]) == 1                  # both are nothing


# ------------------------------------------------------------ slow definitions

def confusion(pairs, classes):
    return {(p, t): sum(pair == (p, t) for pair in pairs)
            for p in classes for t in classes}


@given(LABELS)
def test_f1_and_matthews_from_the_confusion_matrix(pairs):
    guess, truth = zip(*pairs)
    present = sorted({*guess, *truth})
    table = confusion(pairs, "abc")
    scores = {}
    for c in "abc":
        hit = table[c, c]
        wrong = sum(table[c, t] for t in "abc" if t != c)
        missed = sum(table[p, c] for p in "abc" if p != c)
        scores[c] = Fraction(2 * hit, 2 * hit + wrong + missed) if hit else Fraction(0)
        assert metrics.f1(guess, truth, c) == near(float(scores[c]))
    assert metrics.macro_f1(guess, truth) == near(
        float(sum(scores[c] for c in present) / len(present)))
    # Gorodkin 2004, eq. 8: sums over triples of classes
    top = sum(table[k, k] * table[m, n] - table[k, n] * table[m, k]
              for k, m, n in itertools.product("abc", repeat=3))
    rows = {k: sum(table[k, t] for t in "abc") for k in "abc"}
    columns = {k: sum(table[p, k] for p in "abc") for k in "abc"}
    total = len(pairs)
    below = [sum(side[k] * (total - side[k]) for k in "abc")
             for side in (rows, columns)]
    expected = top / math.sqrt(below[0] * below[1]) if all(below) else 0
    assert metrics.matthews(guess, truth) == near(expected)


@given(st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), min_size=2,
                max_size=9))
def test_spearman_from_counted_ranks(pairs):
    x, y = zip(*pairs)

    def rank(values):
        return [Fraction(sum(v < u for v in values) * 2
                         + sum(v == u for v in values) + 1, 2) for u in values]

    a, b = rank(x), rank(y)
    assert metrics.ranks(x).tolist() == [float(r) for r in a]
    mean_a, mean_b = sum(a) / len(a), sum(b) / len(b)
    cov = sum((i - mean_a) * (j - mean_b) for i, j in zip(a, b))
    var = [sum((i - m) ** 2 for i in side) for side, m in ((a, mean_a), (b, mean_b))]
    got = metrics.spearman(x, y)
    if not all(var):
        assert math.isnan(got)
    else:
        assert got == near(float(cov) / math.sqrt(var[0] * var[1]))


TAGS = st.lists(st.sampled_from(["O", "B-X", "I-X", "B-Y", "I-Y"]), max_size=8)


@given(TAGS)
def test_entities_as_maximal_runs(tags):
    """A span is an entity if it is of one type, starts one, and can't be extended."""
    def starts(i):
        return tags[i] != "O" and (tags[i][0] == "B" or i == 0
                                   or tags[i - 1][1:] != tags[i][1:])

    def goes_on(i):
        return i < len(tags) and tags[i][0] == "I" and not starts(i)

    expected = []
    for i in range(len(tags)):
        if starts(i):
            end = i + 1
            while goes_on(end):
                end += 1
            expected.append((tags[i][2:], i, end))
    assert metrics.entities(tags) == expected


@given(st.lists(TAGS, min_size=1, max_size=4), st.randoms())
def test_entity_f1_counts_spans(truth, random):
    guess = [[random.choice(["O", "B-X", tag]) for tag in tags] for tags in truth]
    found, true = ({(i, *span) for i, tags in enumerate(rows)
                    for span in metrics.entities(tags)} for rows in (guess, truth))
    score = metrics.entity_f1(guess, truth)
    both = len(found & true)
    assert score.precision == near(both / max(len(found), 1))
    assert score.recall == near(both / max(len(true), 1))
    assert score.f1 == near(2 * both / max(len(found) + len(true), 1))


@given(LABELS, st.randoms())
def test_the_order_of_examples_does_not_matter(pairs, random):
    shuffled = pairs[:]
    random.shuffle(shuffled)
    for metric in (metrics.accuracy, metrics.macro_f1, metrics.matthews):
        assert metric(*zip(*pairs)) == near(metric(*zip(*shuffled)))


# -------------------------------------------------------------------- bad input

@pytest.mark.parametrize("metric", [
    metrics.accuracy, metrics.f1, metrics.macro_f1, metrics.matthews, metrics.pearson,
    metrics.spearman, metrics.multi_label_f1])
def test_unequal_or_empty_input_is_refused(metric):
    with pytest.raises(ValueError, match="expected the same"):
        metric([1, 0], [1])
    with pytest.raises(ValueError, match="empty"):
        metric([], [])


def test_entities_refuse_what_is_not_bio():
    with pytest.raises(ValueError, match="tag 1 is 'S-PER', expected O"):
        metrics.entities(["O", "S-PER"])
    with pytest.raises(ValueError, match="same sentences"):
        metrics.entity_f1([["O"]], [["O", "O"]])
