"""What settings do to the scores of the next token, and how one is drawn."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from common import ids
from generation_cases import V, build, hf_of, ours, theirs
from numbert.models import sampling
from numbert.models.beams import beam_step, candidates
from numbert.models.generation import generate
from numbert.models.generation_config import GenerationConfig, filled


@pytest.fixture(scope="module")
def model():
    """A decoder with stress weights."""
    return build("decoder", 0)


rows_of_scores = st.lists(st.floats(-8, 8), min_size=1, max_size=9)


@given(rows_of_scores, st.integers(1, 12))
@settings(max_examples=100, deadline=None)
def test_top_k_keeps_the_k_largest(row, k):
    out = sampling.top_k_filter(np.array([row]), k)[0]
    least = sorted(row)[-min(k, len(row))]
    assert out.tolist() == [x if x >= least else -math.inf for x in row]


@given(rows_of_scores, st.floats(0.01, 0.99), st.integers(1, 3))
@settings(max_examples=200, deadline=None)
def test_top_p_keeps_the_smallest_nucleus(row, p, keep):
    out = sampling.top_p_filter(np.array([row]), p, keep)[0]
    kept = [i for i, x in enumerate(out) if x > -math.inf]
    assert all(out[i] == row[i] for i in kept)
    total = math.fsum(math.exp(x) for x in row)
    probs = [math.exp(x) / total for x in row]
    mass = math.fsum(probs[i] for i in kept)
    assert mass >= p - 1e-12 and len(kept) >= min(keep, len(row))
    gone = [row[i] for i in range(len(row)) if i not in kept]
    assert not gone or max(gone) <= min(row[i] for i in kept)
    if len(kept) > keep:                                # no smaller set has p
        assert mass - min(probs[i] for i in kept) <= p + 1e-12


@given(st.lists(st.integers(0, 3), min_size=1, max_size=9), st.integers(1, 4))
@settings(max_examples=100, deadline=None)
def test_no_ngram_comes_twice(row, n):
    out = sampling.ban_ngrams(np.zeros((1, 4)), np.array([row]), n)[0]
    grams = {tuple(row[i:i + n]) for i in range(len(row) - n + 1)}
    for token in range(4):
        repeated = tuple([*row, token][-n:]) in grams and len(row) >= n
        assert (out[token] == -math.inf) == repeated


def test_repetition_penalty():
    scores = np.array([[2.0, -2.0, 3.0, -3.0, 1.0]])
    tokens, mask = np.array([[4, 0, 1]]), np.array([[False, True]])
    out = sampling.penalise_repetition(scores, tokens, mask, 2.0)
    assert out.tolist() == [[1.0, -4.0, 3.0, -3.0, 1.0]]        # 4 is padding
    out = sampling.penalise_repetition(scores, tokens, None, 2.0)
    assert out.tolist() == [[1.0, -4.0, 3.0, -3.0, 0.5]]


@pytest.mark.parametrize("given_settings, expected", [
    ({"temperature": 0.5}, [4, 2, 0, -2, 6]),
    ({"temperature": 0.5, "do_sample": False}, [2, 1, 0, -1, 3]),
    ({"top_k": 2}, [2, None, None, None, 3]),
    ({"top_k": 0, "top_p": 0.6}, [None, None, None, None, 3]),      # 0.64 of the whole
    ({"top_k": 0, "top_p": 0.7}, [2, None, None, None, 3]),
    ({"top_k": 0, "top_p": 0.7, "temperature": 2.0}, [1, 0.5, None, None, 1.5]),
    # Beams keep one more than there are eos tokens, and at least two.
    ({"top_k": 1, "num_beams": 2}, [2, None, None, None, 3]),
    ({"top_k": 1, "num_beams": 2, "eos_token_id": [0, 1]}, [2, 1, None, None, 3]),
    ({"top_k": 0, "top_p": 0.1, "num_beams": 2}, [2, None, None, None, 3]),
    # The end is held back before the k best are taken.
    ({"top_k": 2, "min_new_tokens": 1, "eos_token_id": 4}, [2, 1, None, None, None]),
    ({"min_new_tokens": 0, "eos_token_id": 4}, [2, 1, 0, -1, 3]),
], ids=str)
def test_the_settings_together(given_settings, expected):
    chosen = filled(GenerationConfig(
        **{"do_sample": True, **given_settings}))
    got = sampling.processed(np.array([[2.0, 1.0, 0.0, -1.0, 3.0]]), np.array([[2, 2]]),
                             2, None, chosen)
    want = [-math.inf if x is None else x for x in expected]
    np.testing.assert_allclose(got[0], want, rtol=1e-12)


def test_the_filters_keep_the_dtype():
    x = np.zeros((2, 5), np.float32)
    for out in (sampling.top_k_filter(x, 2), sampling.top_p_filter(x, 0.5),
                sampling.ban(x, [1]), sampling.ban_ngrams(x, np.ones((2, 3), int), 2),
                sampling.penalise_repetition(x, np.ones((2, 3), int), None, 1.3)):
        assert out.dtype == np.float32


def test_draws_are_repeated_from_a_seed_and_differ_without(model):
    def draw(rng):
        return generate(model, ids((2, 3), V), do_sample=True, temperature=3.0, rng=rng,
                        max_new_tokens=10, num_return_sequences=3)
    assert draw(1).shape == (6, 13)
    assert draw(1).tolist() == draw(np.random.default_rng(1)).tolist()
    assert draw(1).tolist() != draw(2).tolist()
    assert draw(None).tolist() != draw(None).tolist()
    assert len({tuple(row) for row in draw(1)}) == 6


def binomial_bound(n, p):
    """Six standard deviations, and a few for where n p is small: 1 in 10 ** 8."""
    return 6 * math.sqrt(n * p * (1 - p)) + 6


def test_draws_have_the_frequencies_of_the_filtered_softmax(model):
    n = 4000
    out = generate(model, [[3, 4]], do_sample=True, rng=0, max_new_tokens=1,
                   num_return_sequences=n, temperature=2.0, top_k=8, top_p=0.95,
                   return_dict_in_generate=True, output_scores=True)
    scores = out.scores[0][0]
    probs = np.exp(scores - scores.max())
    probs /= probs.sum()
    assert 3 <= (probs > 0).sum() <= 8
    counts = np.bincount(out.sequences[:, -1], minlength=V)
    for count, p in zip(counts, probs):
        assert (count == 0) if p == 0 else abs(count - n * p) < binomial_bound(n, p)


def test_the_largest_noisy_scores_are_draws_without_replacement():
    rng, n = np.random.default_rng(0), 20000
    probs = np.array([0.5, 0.3, 0.15, 0.05])
    counts = np.zeros((4, 4))
    for _ in range(n):
        first, second = sampling.largest(
            np.log(probs) + sampling.log_gumbel(4, rng), 2)
        counts[first, second] += 1
    for i, j in itertools.permutations(range(4), 2):
        p = probs[i] * probs[j] / (1 - probs[i])
        assert abs(counts[i, j] - n * p) < binomial_bound(n, p)


def test_beams_may_be_drawn_too(model):
    kwargs = dict(num_beams=3, do_sample=True, max_new_tokens=6, temperature=2.0,
                  num_return_sequences=2, eos_token_id=4)
    a = generate(model, ids((2, 3), V), rng=3, **kwargs)
    assert a.shape[0] == 4
    assert a.tolist() == generate(model, ids((2, 3), V), rng=3, **kwargs).tolist()
    assert a.tolist() != generate(model, ids((2, 3), V), rng=4, **kwargs).tolist()


def test_drawn_beams_go_on_in_the_order_of_their_scores():
    # HF: the first beam is the best one: whether to stop is judged by it.
    chosen = filled(GenerationConfig(
        num_beams=3, do_sample=True, max_length=9))
    rng = np.random.default_rng(0)
    for _ in range(20):
        found = candidates(rng.standard_normal(3 * V), np.zeros((3, 4), int), chosen,
                           rng)
        step = beam_step(found, np.zeros(len(found.ids), bool), 2, chosen)
        assert (np.diff(step.scores) <= 0).all() and len(step.scores) == 3


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=12), st.data())
@settings(max_examples=60, deadline=None)
def test_largest(values, data):
    k = data.draw(st.integers(1, len(values)))
    got = sampling.largest(np.array(values, float), k).tolist()
    assert [values[i] for i in got] == sorted(values, reverse=True)[:k]
    assert len(set(got)) == k
    assert all(i < j for i, j in zip(got, got[1:]) if values[i] == values[j])


@pytest.mark.parametrize("sampling_of", [
    {}, {"temperature": 0.4}, {"top_k": 3}, {"top_k": 0}, {"top_k": 0, "top_p": 0.9},
    {"top_p": 0.3, "temperature": 2.5}, {"top_k": 5, "top_p": 0.8}, {"top_p": 0.0},
    {"num_beams": 3, "top_k": 1}, {"num_beams": 2, "top_p": 0.1, "top_k": 0},
    {"num_beams": 2, "top_k": 2, "eos_token_id": [4, 5, 6]},
    {"repetition_penalty": 1.5, "top_k": 4}], ids=str)
def test_hugging_face_draws_from_the_same_distribution(model, sampling_of):
    pytest.importorskip("torch")
    call = {"input_ids": [[3, 4, 5], [6, 7, 8]], "max_new_tokens": 1, "do_sample": True,
            **sampling_of}
    got = ours(model, call).scores[0]
    want = theirs(hf_of(model), call).scores[0].numpy()
    assert (np.isinf(got) == np.isinf(want)).all()
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


def test_sampling_settings_without_sampling_are_warned_of(model):
    with pytest.warns(UserWarning, match="without sampling.*top_k; add do_sample=Tr"):
        generate(model, [[3]], top_k=5, max_new_tokens=1)
