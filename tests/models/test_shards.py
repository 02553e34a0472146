"""A batch dealt out to threads: who gets what, and the same result to rounding."""

import threading

import numpy as np
import pytest
from hypothesis import given, strategies as st

import numbert
from common import CLASSES, assert_near, config, ids, stressed
from numbert.models import shards
from numbert.system import parallel

SHAPE = (5, 7)
RAGGED = np.arange(7) < np.array([4, 7, 1, 4, 6])[:, None]


@given(st.lists(st.integers(0, 50), min_size=1, max_size=12), st.integers(1, 5))
def test_every_text_is_dealt_once_and_the_loads_are_even(lengths, count):
    hands = shards.deal(np.array(lengths), count)
    assert sorted(np.concatenate(hands)) == list(range(len(lengths)))
    assert len(hands) <= count and all(len(hand) for hand in hands)
    loads = [sum(lengths[i] for i in hand) for hand in hands]
    if len(hands) == count:                     # moving one text would even nothing out
        assert max(loads) - min(loads) <= max(lengths)


@pytest.fixture
def threads(monkeypatch):
    """Three threads, and shards of any size; returns who ran which of these."""
    seen, plain = [], shards.backbone

    def noted(*args):
        seen.append(threading.get_ident())
        return plain(*args)

    monkeypatch.setattr(parallel, "CHOSEN", [3])
    monkeypatch.setattr(shards, "LEAST", 1)
    monkeypatch.setattr(shards, "backbone", noted)
    monkeypatch.setattr("numbert.models.base.LEAST", 1)
    return seen


@pytest.mark.parametrize("packed", [False, True], ids=["padded", "packed"])
@pytest.mark.parametrize("mask", [None, RAGGED, RAGGED[:, None] & RAGGED[:, :, None],
                                  RAGGED[1:2]],
                         ids=["none", "ragged", "of queries", "shared"])
@pytest.mark.parametrize("cls", CLASSES)
def test_the_result_is_that_of_one_thread(cls, mask, packed, threads):
    model, inputs = stressed(cls), {"input_ids": ids(SHAPE), "attention_mask": mask}
    tokens = np.ones(SHAPE, bool) if mask is None else mask.any(1) if mask.ndim == 3 \
        else np.broadcast_to(mask, SHAPE)
    if cls is numbert.BertForMultipleChoice:
        inputs = {name: None if x is None else x[:, None] for name, x in inputs.items()}
    want, _ = model.forward(**inputs)                       # keeps: one thread
    assert not threads
    got = model(**inputs, packed=packed)
    assert len(threads) == 3
    assert threading.get_ident() not in threads or parallel.openblas() is None
    for name, x in want.items():
        where = tokens if x.shape[:2] == SHAPE else slice(None)
        assert_near(got[name][where], x[where], 2e-13, name)


def test_a_decoder(threads):
    model = stressed(numbert.BertLMHeadModel, config(is_decoder=True))
    want, _ = model.forward(ids(SHAPE), RAGGED, use_cache=False)
    for packed in False, True:
        got = model(ids(SHAPE), RAGGED, use_cache=False, packed=packed)
        assert_near(got.logits[RAGGED], want.logits[RAGGED], 2e-13)
    assert threads


@pytest.mark.parametrize("change", [
    {"rng": 0}, {"trace": numbert.Trace()}, {"output_hidden_states": True},
    {"output_attentions": True}], ids=lambda change: next(iter(change)))
def test_what_needs_the_whole_batch_gets_it(change, threads):
    stressed(numbert.BertModel)(ids(SHAPE), RAGGED, **change)
    assert not threads


def test_the_same_number_of_threads_gives_the_same_bits():
    model = stressed(numbert.BertModel, config(max_position_embeddings=64),
                     dtype="float32")
    words, mask = ids((16, 40)), np.arange(40) < ids((16, 1), 40)
    runs = [model(words, mask, packed=packed)[0] for packed in (True, False) * 3]
    assert all(np.array_equal(x, y) for x, y in zip(runs, runs[2:]))


def test_a_few_tokens_stay_in_one_thread(threads, monkeypatch):
    monkeypatch.setattr(shards, "LEAST", 128)
    monkeypatch.setattr("numbert.models.base.LEAST", 128)
    stressed(numbert.BertModel)(ids((2, 11)))
    assert not threads
