"""Masking: properties and exact statistics.

M1 ... are the properties of masking that any port of BERT should have.
"""

import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from binomial import ALPHA, assert_binomial, binomial_bounds
from hypothesis import given, settings, strategies as st

from numbert.training import masking as pt
from numbert.tokenization import BertTokenizer

V, PAD, UNK, CLS, SEP, MASK = 50, 0, 1, 2, 3, 4
SPECIAL = (PAD, UNK, CLS, SEP, MASK)
CONTINUES = np.arange(V) >= 35                          # ids 35 ... are "##" pieces
VOCAB = pt.Vocabulary(V, PAD, UNK, CLS, SEP, MASK, SPECIAL, CONTINUES)
ROWS = st.builds(lambda a, b, pads: np.array([CLS, *a, SEP, *b, SEP, *[PAD] * pads]),
                 st.lists(st.integers(1, V - 1).filter(lambda i: i not in (CLS, SEP)),
                          max_size=20),
                 st.lists(st.integers(5, V - 1), max_size=20), st.integers(0, 6))
SEEDS = st.integers(0, 2 ** 32)
RULES = {"exact": lambda ids, seed, **k: pt.mask_exact(
             ids, np.random.default_rng(seed), VOCAB, **k),
         "bernoulli": lambda ids, seed, **k: pt.mask_bernoulli(
             ids, np.random.default_rng(seed), VOCAB, **k)}
EITHER = pytest.mark.parametrize("rule", RULES)
WORDS = pytest.mark.parametrize("whole_word", [False, True])


def may_be_picked(rule):
    """The ids that a rule may mask: google's takes [UNK], Hugging Face's does not."""
    return {i for i in range(V) if i not in SPECIAL or (rule == "exact" and i == UNK)}


def words_of(ids, rule):
    """Lists of positions: each word's pieces, by a plain loop."""
    words, open_ = [], False
    for i, token in enumerate(ids):
        if token not in may_be_picked(rule):
            open_ = False
        elif CONTINUES[token] and open_:
            words[-1].append(i)
        else:
            words.append([i])
            open_ = True
    return words


def test_the_bounds_are_binomial():
    """Against exact fractions for a small case; and a wrong rate falls outside."""
    n, p = 60, Fraction(1, 4)
    pmf = [math.comb(n, k) * p ** k * (1 - p) ** (n - k) for k in range(n + 1)]
    low = next(k for k in range(n + 1) if sum(pmf[:k + 1]) > ALPHA)
    high = next(k for k in reversed(range(n + 1)) if sum(pmf[k:]) > ALPHA)
    assert binomial_bounds(n, 0.25) == (low, high)
    low, high = binomial_bounds(1_000_000, 0.15)
    assert 147_500 < low < 150_000 < high < 152_500


# ------------------------------------------------------------- M1 ... M11, exact ones

@EITHER
@WORDS
@given(ids=ROWS, seed=SEEDS, p=st.sampled_from([0.15, 0.5, 0.9]))
@settings(max_examples=60, deadline=None)
def test_labels_and_inputs(rule, whole_word, ids, seed, p):
    before = ids.copy()
    out, labels = RULES[rule](ids, seed, probability=p, whole_word=whole_word)
    assert np.array_equal(ids, before)                                       # M10
    assert out.shape == labels.shape == ids.shape
    picked = labels != -100
    assert np.array_equal(labels[picked], ids[picked])                       # M1
    assert np.array_equal(out[~picked], ids[~picked])                        # M2
    assert set(ids[picked].tolist()) <= may_be_picked(rule)                  # M3
    assert ((0 <= out) & (out < V)).all()                                    # M6
    again = RULES[rule](ids, seed, probability=p, whole_word=whole_word)
    assert np.array_equal(again[0], out) and np.array_equal(again[1], labels)  # M9
    if whole_word:                                                           # M7
        for word in words_of(ids, rule):
            assert len(set(picked[word])) == 1


@given(ids=ROWS, seed=SEEDS, p=st.floats(0, 1), most=st.integers(1, 30))
@settings(max_examples=100, deadline=None)
def test_exact_count(ids, seed, p, most):
    """M11; and M8, p = 1: all that may be."""
    eligible = sum(int(i) in may_be_picked("exact") for i in ids)
    length = int((ids != PAD).sum())
    expected = min(most, max(1, round(length * p)), eligible)
    _, labels = RULES["exact"](ids, seed, probability=p, max_predictions=most)
    assert (labels != -100).sum() == expected
    _, labels = RULES["exact"](ids, seed, probability=1, max_predictions=10 ** 6)
    assert (labels != -100).sum() == eligible
    _, labels = RULES["exact"](ids, seed, probability=p, max_predictions=most,
                               whole_word=True)
    sizes = [len(word) for word in words_of(ids, "exact")]
    total = (labels != -100).sum()
    assert total <= expected
    left_out = [len(word) for word in words_of(ids, "exact")
                if labels[word[0]] == -100]
    if total < expected:          # only because no word that is left would have fitted
        assert min(left_out, default=10 ** 6) > expected - total, sizes


@WORDS
@given(ids=ROWS, seed=SEEDS)
@settings(max_examples=40, deadline=None)
def test_bernoulli_of_none_and_all(whole_word, ids, seed):
    """M8"""
    out, labels = RULES["bernoulli"](ids, seed, probability=0, whole_word=whole_word)
    assert (labels == -100).all() and np.array_equal(out, ids)
    _, labels = RULES["bernoulli"](ids, seed, probability=1, whole_word=whole_word)
    assert np.array_equal(labels != -100, ~np.isin(ids, SPECIAL))


@given(ids=ROWS, seed=SEEDS)
@settings(max_examples=40, deadline=None)
def test_bernoulli_takes_the_callers_mask(ids, seed):
    fixed = np.arange(len(ids)) % 2 == 0
    _, labels = RULES["bernoulli"](ids, seed, probability=1, special_tokens_mask=fixed)
    assert np.array_equal(labels == -100, fixed)


def test_bernoulli_of_a_batch():
    ids = np.tile([[CLS, 10, 40, 11, SEP, PAD], [CLS, 12, 41, 42, 13, SEP]], (50, 1))
    out, labels = RULES["bernoulli"](ids, 0, probability=0.5, whole_word=True)
    picked = labels != -100
    assert not picked[np.isin(ids, SPECIAL)].any()
    assert np.array_equal(picked[::2, 1], picked[::2, 2])          # 10 ##40 is a word
    assert (picked[1::2, 1:2] == picked[1::2, 1:4]).all()
    assert (out[picked] == MASK).all()          # HF: whole words are always [MASK]
    assert 0 < picked[:, 1].sum() < 100


# --------------------------------------------------------------- M4, M5, M6, M16: rates

def tokens(rows, width, seed=0):
    """(rows, width) ids: [CLS], ordinary pieces, [SEP]."""
    ids = np.random.default_rng(seed).integers(5, V, (rows, width))
    ids[:, 0], ids[:, -1] = CLS, SEP
    return ids


def assert_80_10_10(ids, out, labels):
    """The parts are binomial; a random piece is the true one with 1 / V."""
    picked = labels != -100
    n = int(picked.sum())
    was, now = ids[picked], out[picked]
    masked, same = int((now == MASK).sum()), int((now == was).sum())
    assert_binomial(masked, n, 0.8 + 0.1 / V, "[MASK]")
    assert_binomial(same, n, 0.1 + 0.1 / V, "kept")
    other = now[(now != MASK) & (now != was)]
    assert_binomial(len(other), n, 0.1 * (V - 2) / V, "random")
    counts = np.bincount(other, minlength=V)
    for i in set(range(V)) - {MASK}:              # M6: the whole vocabulary, evenly
        here = int((was != i).sum())
        assert_binomial(int(counts[i]), here, 0.1 / V, f"random piece {i}")


def test_bernoulli_rates():
    ids = tokens(16_000, 66)                               # 1,024,000 ordinary pieces
    out, labels = RULES["bernoulli"](ids, 1)
    picked = labels != -100
    assert_binomial(int(picked.sum()), 16_000 * 64, 0.15, "picked")          # M4
    for column in range(1, 65):                                              # M16
        assert_binomial(int(picked[:, column].sum()), 16_000, 0.15, f"at {column}")
    both = int((picked[:, 1:-2] & picked[:, 2:-1]).sum())  # neighbours: not quite
    assert abs(both / (16_000 * 63) - 0.15 ** 2) < 0.002   # independent draws of pairs
    none = int((~picked[:, 1:9].any(1)).sum())
    assert_binomial(none, 16_000, 0.85 ** 8, "none of 8")
    assert_80_10_10(ids, out, labels)                                        # M5


def test_exact_rates():
    ids, rng = tokens(8_000, 130), np.random.default_rng(2)    # 1,024,000 pieces
    pairs = [pt.mask_exact(row, rng, VOCAB) for row in ids]
    out, labels = map(np.array, zip(*pairs))
    picked = labels != -100
    assert (picked.sum(1) == 20).all()                     # min(20, round(130 * .15))
    for column in range(1, 129):                                             # M16
        assert_binomial(int(picked[:, column].sum()), 8_000, 20 / 128, f"at {column}")
    assert_80_10_10(ids, out, labels)                                        # M5


def test_whole_words_are_picked_alike():
    """With a count of 1 and words of one piece and two, only the former fit."""
    ids = np.array([CLS, 10, 40, 11, 12, 41, 13, SEP])      # words: 10 40 | 11 | 12 41
    rng, seen = np.random.default_rng(3), Counter()
    for _ in range(2000):
        _, labels = pt.mask_exact(ids, rng, VOCAB, 0.15, 1, whole_word=True)
        seen[tuple(np.flatnonzero(labels != -100))] += 1
    assert set(seen) == {(3,), (6,)}
    assert_binomial(seen[(3,)], 2000, 0.5, "word 11")
    _, labels = RULES["bernoulli"](np.tile(ids, (20_000, 1)), 4, whole_word=True)
    for word in ([1, 2], [3], [4, 5], [6]):
        assert_binomial(int((labels[:, word[0]] != -100).sum()), 20_000, 0.15, word)


# ------------------------------------------------------------------- for train

@pytest.fixture(scope="module")
def tokenizer():
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "red", "##der", "cat", "s",
              "##s", ".", "##"]
    return BertTokenizer({piece: i for i, piece in enumerate(pieces)})


def test_vocabulary_of_a_tokenizer(tokenizer):
    vocab = pt.vocabulary(tokenizer)
    assert vocab[:6] == (12, 0, 1, 2, 3, 4)
    assert sorted(vocab.special_ids) == [0, 1, 2, 3, 4]
    assert np.flatnonzero(vocab.continues).tolist() == [6, 9, 11]


def test_examples_and_batches():
    rows = [pt.pair_inputs(pt.Pair([10, 11], [12], 1), VOCAB),
            pt.pair_inputs(pt.Pair([13], [14, 15, 16], 0), VOCAB)]
    assert rows[0]["input_ids"].tolist() == [CLS, 10, 11, SEP, 12, SEP]
    assert rows[0]["token_type_ids"].tolist() == [0, 0, 0, 0, 1, 1]
    batch = pt.masking_collate(VOCAB)(rows, np.random.default_rng(0))
    assert batch["attention_mask"].tolist() == [[1] * 6 + [0], [1] * 7]
    assert batch["next_sentence_label"].tolist() == [1, 0]
    assert batch["labels"].shape == batch["input_ids"].shape == (2, 7)
    assert ((batch["labels"] != -100).sum(1) == 1).all()
    assert batch["labels"][0, 6] == -100
    again = pt.masking_collate(VOCAB)(rows, np.random.default_rng(0))
    assert all(np.array_equal(batch[name], again[name]) for name in batch)
    assert rows[0]["input_ids"].tolist() == [CLS, 10, 11, SEP, 12, SEP]      # untouched
    everything = pt.masking_collate(VOCAB, "bernoulli", probability=1)
    assert (everything(rows, np.random.default_rng(0))["labels"] != -100).sum() == 7


def test_read_documents(tokenizer, tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_text("\n\nRed cats.\n  cat \n\n\n\n\u200d\n\nredder\n", encoding="utf-8")
    assert pt.read_documents(path, tokenizer) == [[[5, 7, 9, 10], [7]], [[5, 6]]]
    path.write_text("\n \n", encoding="utf-8")
    with pytest.raises(ValueError, match="corpus.txt holds no sentences"):
        pt.read_documents(path, tokenizer)
    path.write_bytes(b"red\ncat \xff\n")
    with pytest.raises(ValueError, match="corpus.txt, line 2: byte .*, expected UTF-8"):
        pt.read_documents(path, tokenizer)


@pytest.mark.parametrize("call, message", [
    (lambda g: pt.mask_exact([[5, 6]], g, VOCAB), r"shape \(1, 2\), expected \(tokens"),
    (lambda g: pt.mask_exact([5, V], g, VOCAB), "expected ids from 0 to 49"),
    (lambda g: pt.mask_exact([5, -1], g, VOCAB), "holds -1 to 5"),
    (lambda g: pt.mask_exact([5], g, VOCAB, 1.5), "probability is 1.5"),
    (lambda g: pt.mask_exact([5], g, VOCAB, max_predictions=0), "max_predictions is 0"),
    (lambda g: pt.mask_bernoulli([5, 6], g, VOCAB, special_tokens_mask=[1]),
     r"shape \(1,\)"),
    (lambda g: pt.next_sentence_pairs([[[5]]], g, 4), "max_length is 4"),
    (lambda g: pt.next_sentence_pairs([], g), "documents is empty"),
    (lambda g: pt.next_sentence_pairs([[[5]], []], g), "document 1 is empty"),
    (lambda g: pt.next_sentence_pairs([[[5], []]], g), "document 0 is empty or holds"),
    (lambda g: pt.masking_collate(VOCAB, "all"), "rule is 'all'"),
])
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.random.default_rng(0))


@pytest.mark.parametrize("call", [
    lambda: pt.mask_exact([5], 0, VOCAB), lambda: pt.mask_bernoulli([5], 0, VOCAB),
    lambda: pt.next_sentence_pairs([[[5]]], 0)])
def test_a_seed_is_no_generator(call):
    with pytest.raises(TypeError, match="rng is 0, expected a numpy.random.Generator"):
        call()


def test_ids_must_be_integers():
    with pytest.raises(TypeError, match="float64, expected integers"):
        pt.mask_bernoulli([5.0], np.random.default_rng(0), VOCAB)
