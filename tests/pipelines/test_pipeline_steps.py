"""The steps of pipelines, pure functions of arrays and lists, each by itself."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import numbert
from numbert.pipelines import base
from numbert.pipelines import question_answering as qa
from numbert.pipelines import token_classification as tokens


@given(st.integers(1, 7), st.integers(1, 9), st.integers(1, 30), st.integers(0, 999))
def test_best_spans(size, longest, count, seed):
    """Against two loops."""
    rng = np.random.default_rng(seed)
    start, end = rng.random((2, size))
    allowed = rng.random(size) < 0.7
    found = [(s, e, start[s] * end[e]) for s in range(size) for e in range(s, size)
             if allowed[s] and allowed[e] and e - s + 1 <= longest]
    want = sorted(found, key=lambda item: -item[2])[:count]
    assert qa.best_spans(start, end, allowed, count, longest) == want


def test_probabilities_are_of_the_context_and_cls():
    logits, allowed = np.array([1.0, 500, 2, 3]), np.array([False, False, True, True])
    got = qa.probabilities(logits, allowed)
    want = np.exp([1.0, 2, 3])
    np.testing.assert_allclose(got, np.insert(want / want.sum(), 1, 0), rtol=1e-12)


def test_answers_with_one_text_add_up():
    answers = []
    for start, end, score in ((0, 3, 0.5), (4, 7, 0.25), (0, 7, 0.1)):
        qa.add_answer(answers, "Bob bob", start, end, score)
    assert answers == [{"score": 0.75, "start": 0, "end": 3, "answer": "Bob"},
                       {"score": 0.1, "start": 0, "end": 7, "answer": "Bob bob"}]


@given(st.lists(st.integers(0, 9)), st.integers(1, 5))
def test_by_length(lengths, size):
    batches = base.by_length(lengths, size)
    flat = [i for batch in batches for i in batch]
    assert sorted(flat) == list(range(len(lengths)))
    assert all(len(batch) == size for batch in batches[:-1])
    assert [lengths[i] for i in flat] == sorted(lengths, reverse=True)


@given(st.lists(st.lists(st.integers(1, 9), min_size=1), min_size=1, max_size=5))
def test_padded(rows):
    inputs = base.padded([base.Row(row, [1] * len(row)) for row in rows], 0)
    width = max(map(len, rows))
    assert inputs["input_ids"].tolist() == [r + [0] * (width - len(r)) for r in rows]
    types = inputs["token_type_ids"]
    assert types.tolist() == [[1] * len(r) + [0] * (width - len(r)) for r in rows]
    if len({len(r) for r in rows}) == 1:
        assert "attention_mask" not in inputs
    else:
        assert (inputs["attention_mask"].sum(1) == [len(r) for r in rows]).all()


@given(st.lists(st.text("ab", max_size=3), min_size=1),
       st.sampled_from([" ", "", "--"]))
def test_word_starts(words, delimiter):
    text = delimiter.join(words)
    for word, start in zip(words, tokens.word_starts(words, delimiter), strict=True):
        assert text[start:start + len(word)] == word


def entities(labels, **fields):
    return [{"entity": label, "score": 0.5, "word": f"w{i}", "start": 3 * i,
             "end": 3 * i + 2, **fields} for i, label in enumerate(labels)]


@pytest.mark.parametrize("labels, want", [
    ("", []),
    ("B-PER I-PER O", [("PER", 0, 5), ("O", 6, 8)]),
    ("B-PER B-PER", [("PER", 0, 2), ("PER", 3, 5)]),
    ("I-PER I-PER I-LOC", [("PER", 0, 5), ("LOC", 6, 8)]),
    ("B-PER O I-PER", [("PER", 0, 2), ("O", 3, 5), ("PER", 6, 8)]),
    ("PER B-PER PER", [("PER", 0, 2), ("PER", 3, 8)]),
    ("O O", [("O", 0, 5)]),
    ("B-a-b I-a-b", [("a-b", 0, 5)]),
])
def test_group(labels, want):
    got = tokens.group(entities(labels.split()), " ".join)
    assert [(e["entity_group"], e["start"], e["end"]) for e in got] == want


def test_group_averages_scores():
    parts = entities(["B-PER", "I-PER"])
    parts[1]["score"] = 1.0
    assert tokens.group(parts, " ".join) == [
        {"entity_group": "PER", "score": 0.75, "word": "w0 w1", "start": 0, "end": 5}]


def test_word_scores():
    pieces = [np.array([0.6, 0.4]), np.array([0.1, 0.9]), np.array([0.5, 0.5])]
    assert tokens.word_scores(pieces, "first") is pieces[0]
    assert tokens.word_scores(pieces, "max") is pieces[1]
    np.testing.assert_allclose(tokens.word_scores(pieces, "average"), [0.4, 0.6])


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 5), st.floats(0, 1))))
def test_drop_overlaps(spans):
    found = [{"start": s, "end": s + n, "score": p} for s, n, p in spans]
    kept = tokens.drop_overlaps(found)
    assert all(entity in found for entity in kept)
    assert bool(kept) == bool(found)
    for left, right in zip(kept, kept[1:]):
        assert left["start"] <= right["start"]
        assert left["end"] <= right["start"] or left["start"] == right["start"]


def test_drop_overlaps_prefers_the_longer_then_the_surer():
    one = {"start": 0, "end": 4, "score": 0.1}
    for other in ({"start": 1, "end": 3, "score": 0.9},
                  {"start": 1, "end": 5, "score": 0.05}):
        assert tokens.drop_overlaps([other, one]) == [one]
    surer = {"start": 1, "end": 5, "score": 0.2}
    assert tokens.drop_overlaps([one, surer]) == [surer]
    same = {**one, "word": "the second"}
    assert "word" not in tokens.drop_overlaps([one, same])[0]


def test_default_function():
    from numbert.pipelines.text_classification import default_function
    for problem, count, want in ((None, 1, "sigmoid"), (None, 3, "softmax"),
                                 ("regression", 1, "none"), ("regression", 3, "none"),
                                 ("multi_label_classification", 3, "sigmoid"),
                                 ("single_label_classification", 3, "softmax")):
        config = numbert.BertConfig(num_labels=count, problem_type=problem)
        assert default_function(config) == want
