"""Learning a vocabulary, against a trainer that computes each likelihood anew."""

import math
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numbert.tokenization.fast.pipeline import compile_core, encode
from numbert.tokenization.learn import SPECIAL_TOKENS, count_words, train_wordpiece
from numbert.tokenization.definition.wordpiece import wordpiece

WORDS = ["low", "lower", "lowest", "new", "newer", "newest", "wide", "wider", "aaaa",
         "aaa", "slowly", "renew", "."]


def english(n, seed=0):
    """Some text, with a few words frequent and most of them rare."""
    rng = random.Random(seed)
    return [" ".join(WORDS[min(int(rng.expovariate(0.4)), 12)] for _ in range(8))
            for _ in range(n)]


def log_likelihood(words):
    """Of words cut into pieces, [(pieces, how often)], under the unigram model."""
    counts = Counter()
    for pieces, n in words:
        for piece in pieces:
            counts[piece] += n
    total = sum(counts.values())
    return math.fsum(n * math.log(n / total) for n in counts.values())


def join(pieces, pair):
    """The pieces of one word with a pair joined, from left to right."""
    out = list(pieces)
    i = 0
    while i + 1 < len(out):
        if (out[i], out[i + 1]) == pair:
            out[i:i + 2] = [out[i] + out[i + 1][2:]]
        i += 1
    return out


def slow_trainer(counts, n_joins, min_frequency):
    """The joined pieces, by trying out every pair in full."""
    words = [([c if i == 0 else "##" + c for i, c in enumerate(word)], n)
             for word, n in counts.items()]
    learned = []
    while len(learned) < n_joins:
        pairs = {pair for pieces, _ in words for pair in zip(pieces, pieces[1:])}
        before, gains = log_likelihood(words), {}
        for pair in pairs:
            after = [(join(p, pair), n) for p, n in words]
            seen = sum((len(p) - len(q)) * n for (p, n), (q, _) in zip(words, after))
            if seen >= min_frequency:
                gains[pair] = log_likelihood(after) - before
        if not gains or max(gains.values()) <= 1e-9:
            break
        best = max(gains.values())
        pair = min(pair for pair, gain in gains.items() if gain >= best * (1 - 1e-9))
        words = [(join(p, pair), n) for p, n in words]
        name = pair[0] + pair[1][2:]
        if name not in learned:
            learned.append(name)
    return learned


@pytest.mark.parametrize("seed", range(4))
def test_each_joined_pair_is_the_one_that_makes_the_text_most_likely(seed):
    texts = english(40, seed)
    counts = count_words(texts, [])
    got = [piece for piece in train_wordpiece(texts, 10_000)
           if len(piece.removeprefix("##")) > 1 and piece not in SPECIAL_TOKENS]
    assert got == slow_trainer(counts, 10_000, 2)


@given(st.lists(st.text("ab", min_size=1, max_size=5), min_size=1, max_size=12),
       st.integers(1, 3))
@settings(max_examples=200, deadline=None)
def test_small_corpora(words, min_frequency):
    vocab = train_wordpiece([" ".join(words)], 100, min_frequency=min_frequency)
    joined = [piece for piece in list(vocab)[5:] if len(piece.removeprefix("##")) > 1]
    assert joined == slow_trainer(Counter(sorted(words)), 100, min_frequency)
    for word in words:
        assert wordpiece(word, vocab) is not None
    assert list(vocab.values()) == list(range(len(vocab)))
    assert all(any(piece.removeprefix("##") in word for word in words)
               for piece in list(vocab)[5:])


def test_the_order_of_the_texts_does_not_matter():
    texts = english(200)
    want = list(train_wordpiece(texts, 60).items())
    random.Random(1).shuffle(texts)
    assert list(train_wordpiece(iter(texts), 60).items()) == want
    assert list(train_wordpiece([" \n".join(texts)], 60).items()) == want


def test_a_smaller_vocabulary_is_the_beginning_of_a_larger():
    large = list(train_wordpiece(english(200), 60))
    for size in (40, 45, 50):
        assert list(train_wordpiece(english(200), size)) == large[:size]


def test_frequent_words_become_pieces():
    vocab = train_wordpiece(["the cat and the dog and the bird"] * 50 + ["zyx"], 80)
    assert {"the", "and", "cat"} <= vocab.keys()
    assert "zyx" not in vocab
    assert list(vocab)[:5] == list(SPECIAL_TOKENS)


def test_text_is_normalised_as_the_tokenizer_does():
    texts = ["Ärger, ÄRGER! 中文 a\u200bb\x0bc"] * 3
    counts = count_words(texts, [])
    assert counts["Ärger"] == 3
    vocab = train_wordpiece(texts, 40)
    assert {"arger", "abc", ",", "!", "中", "文"} <= vocab.keys()
    assert "##," not in vocab and "##中" not in vocab and "##a" in vocab
    cased = train_wordpiece(texts, 60, lowercase=False)
    assert {"Ärger", "ÄRGER"} <= cased.keys()


def test_rare_characters_are_left_out():
    vocab = train_wordpiece(["ab ab ab c\u00f8c"], 100, limit_alphabet=2)
    assert set("ab") <= vocab.keys() and not {"c", "ø"} & vocab.keys()


@pytest.mark.parametrize("texts, error, match", [
    ("one text", TypeError, "texts is one str, expected an iterable"),
    ([b"x"], TypeError, "text 0 is b'x', expected a str"),
    ([None], TypeError, "text 0 is None, expected"),
    (["a\ud800"], TypeError, "surrogate"),
    (["fine", "a\ud800"], TypeError, "character 1 of text 1 is"),
    (None, TypeError, "texts is None, expected an iterable of str"),
    (5, TypeError, "texts is 5, expected"),
    ([], ValueError, "texts holds no words, expected some"),
    (iter(["", " \n"]), ValueError, "texts holds no words, expected some"),
    (["abcdefgh"], ValueError, "vocab_size is 12, expected at least")])
def test_bad_input(texts, error, match):
    with pytest.raises(error, match=match):
        train_wordpiece(texts, 12)


@pytest.mark.parametrize("size", [80.5, "80", None])
def test_a_size_that_is_no_integer(size):
    with pytest.raises(TypeError, match=f"vocab_size is {size!r}, expected a whole"):
        train_wordpiece(["some words"], size)


def test_hugging_face_reads_the_vocabulary(tmp_path):
    transformers = pytest.importorskip("transformers")
    texts = english(100)
    vocab = train_wordpiece(texts, 60)
    (tmp_path / "vocab.txt").write_text("\n".join(vocab) + "\n", encoding="utf-8")
    theirs = transformers.BertTokenizer.from_pretrained(tmp_path)
    assert theirs.get_vocab() == vocab
    want = theirs(texts, add_special_tokens=False)["input_ids"]
    assert encode(compile_core(vocab), texts).ids.tolist() == sum(want, [])
