"""Next sentence pairs: properties, exact statistics, a retelling of the source."""

import math
from collections import Counter

import numpy as np
from binomial import assert_binomial
from hypothesis import given, settings, strategies as st

from numbert.training import masking as pt

SEEDS = st.integers(0, 2 ** 32)


@st.composite
def corpora(draw, least=1):
    """Documents whose every token tells where it stands: document, sentence, place."""
    number = iter(range(10, 10 ** 6))
    sentence = st.integers(1, 9)
    return [[[next(number) for _ in range(draw(sentence))]
             for _ in range(draw(st.integers(1, 6)))]
            for _ in range(draw(st.integers(least, 5)))]


def home(corpus):
    """{token: (document, sentence)}"""
    return {token: (d, s) for d, document in enumerate(corpus)
            for s, sentence in enumerate(document) for token in sentence}


@given(corpora(least=2), SEEDS, st.integers(5, 40), st.sampled_from([0, 0.1, 1]))
@settings(max_examples=150, deadline=None)
def test_pairs(corpus, seed, max_length, short):
    where = home(corpus)
    flat = [[t for sentence in document for t in sentence] for document in corpus]
    before = [[list(s) for s in document] for document in corpus]
    pairs = pt.next_sentence_pairs(corpus, np.random.default_rng(seed), max_length,
                                   short)
    assert corpus == before                                                  # M10
    again = pt.next_sentence_pairs(corpus, np.random.default_rng(seed), max_length,
                                   short)
    assert pairs == again                                                    # M9
    for a, b, label in pairs:
        assert a and b and len(a) + len(b) <= max_length - 3                 # M14
        for segment in (a, b):             # contiguous: consecutive tokens of one text
            document = flat[where[segment[0]][0]]
            start = document.index(segment[0])
            assert document[start:start + len(segment)] == segment
        (da, sa), (db, sb) = where[a[-1]], where[b[0]]
        if label == 0:                                                       # M12
            assert da == db and sa < sb       # B stands after A, in another sentence
            assert flat[da].index(b[0]) > flat[da].index(a[-1])
        else:
            assert label == 1


@given(corpora(least=3), SEEDS)
@settings(max_examples=80, deadline=None)
def test_random_segments_come_from_other_documents(corpus, seed):
    """M13: with three documents ten draws miss with 3^-10 per pair, far from surely."""
    where = home(corpus)
    pairs = pt.next_sentence_pairs(corpus, np.random.default_rng(seed), 30)
    same = [where[a[0]][0] == where[b[0]][0] for a, b, label in pairs if label == 1]
    assert sum(same) <= 1


@given(corpora(least=2), SEEDS)
@settings(max_examples=80, deadline=None)
def test_every_sentence_is_used(corpus, seed):
    """Put back: without truncation each sentence is in A, or in the B that follows."""
    pairs = pt.next_sentence_pairs(corpus, np.random.default_rng(seed), 10 ** 4, 0)
    used = Counter(t for a, b, label in pairs for t in (a if label else a + b))
    assert used == Counter(t for document in corpus for s in document for t in s)


def test_one_document_is_its_own_random_next():
    """M13: the tenth draw stands."""
    pairs = pt.next_sentence_pairs([[[10], [11, 12]]], np.random.default_rng(0), 20)
    assert any(label == 1 for _, _, label in pairs)


def reference_pairs(corpus, rng, max_length, short):
    """google-research/bert's procedure as prose: told step by step, with lists.

    1. Aim at max_length - 3 tokens, or with probability `short` at a random number.
    2. Put sentences on a pile until it has so many tokens or the document ends.
    3. A is a random, non-empty beginning of the pile that leaves something if it can.
    4. If nothing is left, or with probability 1/2, B is random, and what is left of the
       pile goes back; else B is what is left.
    """
    for d, document in enumerate(corpus):
        aim = max_length - 3
        if rng.random() < short:
            aim = rng.integers(2, aim + 1)
        rest = [list(s) for s in document]
        while rest:
            pile = []
            while rest and sum(map(len, pile)) < aim:
                pile.append(rest.pop(0))
            n = 1 if len(pile) == 1 else rng.integers(1, len(pile))
            a, left = pile[:n], pile[n:]
            is_random = not left or rng.random() < 0.5
            if is_random:
                rest = left + rest
            yield sum(map(len, a)), is_random, len(pile)


def test_statistics_of_pairs():
    """M15, and the lengths, against an independent simulation of the procedure."""
    rng = np.random.default_rng(5)
    corpus = [[list(range(10, 10 + int(rng.integers(3, 15))))
               for _ in range(int(rng.integers(4, 30)))] for _ in range(1500)]
    pairs = pt.next_sentence_pairs(corpus, np.random.default_rng(6), 10 ** 4, 0)
    told = list(reference_pairs(corpus, np.random.default_rng(7), 10 ** 4, 0))
    chosen = [label for _, _, label in pairs]
    share, expected = np.mean(chosen), np.mean([r for _, r, _ in told])
    noise = math.sqrt(0.25 / len(pairs) + 0.25 / len(told))
    assert abs(share - expected) < 6.2 * noise                 # 1e-9 of a normal
    assert share > 0.5 and abs(len(pairs) / len(told) - 1) < 0.05
    short = pt.next_sentence_pairs(corpus, np.random.default_rng(8), 40, 0.1)
    told = list(reference_pairs(corpus, np.random.default_rng(9), 40, 0.1))
    share, expected = (np.mean([p.next_sentence_label for p in short]),
                       np.mean([r for _, r, _ in told]))
    assert abs(share - expected) < 6.2 * math.sqrt(0.25 / len(short) + 0.25 / len(told))
    assert abs(len(short) / len(told) - 1) < 0.03


def test_a_free_choice_is_even():
    """Two sentences that fill a chunk: next and random with 1/2 each, exactly."""
    corpus = [[[1] * 5, [2] * 5] for _ in range(4000)]
    rng = np.random.default_rng(10)
    pairs = pt.next_sentence_pairs(corpus, rng, 13, 0)
    # each document starts with a free choice; a random one puts the second sentence
    # back, which then is a chunk of one and so random
    first = len(corpus)
    random = sum(label for _, _, label in pairs)
    next_ = len(pairs) - random
    assert random % 2 == 0 and next_ + random // 2 == first
    assert_binomial(next_, first, 0.5, "next")


def test_random_segments_start_anywhere_and_fill_up():
    """Sentences of one token: a random B makes up the length that a true one has."""
    corpus = [[[1000 * d + s] for s in range(200)] for d in range(300)]
    pairs = pt.next_sentence_pairs(corpus, np.random.default_rng(12), 23, 1)
    longest, starts = {}, Counter()
    for a, b, label in pairs:
        key = a[0] // 1000, label
        longest[key] = max(longest.get(key, 0), len(a) + len(b))
        starts[b[0] % 1000 < 50] += label
    for d in range(300):
        assert longest[d, 1] <= longest[d, 0] <= 20
    assert len({longest[d, 0] for d in range(300)}) == 19          # 2 ... 20 all occur
    assert_binomial(starts[True], starts.total(), 0.25, "in the first quarter")


@given(st.integers(1, 15), st.integers(1, 15), st.integers(2, 20), SEEDS)
@settings(max_examples=200, deadline=None)
def test_truncate_pair(n, m, most, seed):
    """The longer side loses (B in a tie), at its ends, no more than it must."""
    a, b = list(range(n)), list(range(100, 100 + m))
    x, y = pt.truncate_pair(a, b, most, np.random.default_rng(seed))
    left, right = n, m
    while left + right > most:
        if left > right:
            left -= 1
        else:
            right -= 1
    assert (len(x), len(y)) == (left, right)
    for whole, part in ((a, x), (b, y)):
        assert part == whole[whole.index(part[0]):][:len(part)]


def test_truncation_takes_both_ends_alike():
    rng = np.random.default_rng(11)
    fronts = sum(pt.truncate_pair(list(range(30)), [7], 11, rng)[0][0]
                 for _ in range(5000))             # 20 of the 30 are cut each time
    assert_binomial(fronts, 100_000, 0.5, "cut at the front")
