"""Attention in blocks of queries: the same result, without the square of the length."""

import numpy as np
import pytest

import numbert
from common import assert_near, config, ids, stressed
from numbert.bert import attention as room
from numbert.bert.scope import Run, Scope

RNG = np.random.default_rng(0)
B, N, T, S, D = 2, 3, 13, 13, 4
# Broadcastable to (B, N, T, S) in each way that a mask may be.
MASKS = {
    "none": None, "causal": room.causal_mask(T, S),
    "padded": np.arange(S) < np.array([S, 5]).reshape(B, 1, 1, 1),
    "of one text": RNG.random((1, 1, 1, S)) < .5,
    "of each head": RNG.random((1, N, 1, S)) < .5,
    "of each query": RNG.random((B, 1, T, S)) < .5,
    "full": RNG.random((B, N, T, S)) < .5,
    "queries hidden whole": RNG.random((1, 1, T, 1)) < .5,
    "all hidden": np.zeros((B, 1, 1, S), bool)}


def scope(**run):
    return Scope({}, Run(config(), **run))


def slow(q, k, v, mask):
    """One query at a time, with Python's own sums."""
    out = np.zeros(q.shape)
    mask = np.broadcast_to(True if mask is None else mask,
                           (*q.shape[:3], k.shape[2]))
    for i in np.ndindex(*q.shape[:3]):
        scores = [float(q[i] @ key) / q.shape[-1] ** .5 for key in k[i[:2]]]
        # A query that may attend to nothing attends to all keys alike.
        hidden = 0. if not mask[i].any() else -np.inf
        scores = [s if may else hidden for s, may in zip(scores, mask[i])]
        weights = [np.exp(s - max(scores)) for s in scores]
        out[i] = sum(w * value for w, value in zip(weights, v[i[:2]])) / sum(weights)
    return out


# One query, a few queries, all queries of a head, two heads, a text, all in one go.
@pytest.mark.parametrize("rows", [1, 5, 13, 30, 13 * 3, 10 ** 6])
@pytest.mark.parametrize("name", MASKS)
def test_it_is_the_plain_definition(monkeypatch, name, rows):
    q, k, v = RNG.standard_normal((3, B, N, T, D)) * 2
    monkeypatch.setattr(room, "BLOCK", rows * S * 8)
    monkeypatch.setattr(room, "QUERIES", 1)
    out, saved = room.attend_in_blocks(scope(), q, k, v, MASKS[name])
    assert saved is None
    assert_near(out, slow(q, k, v, MASKS[name]), 1e-14)
    whole = room.attend(scope(), q, k, v, MASKS[name])[0]
    if rows >= T:                        # whole heads: the same products, so same bits
        assert np.array_equal(out, whole)


@pytest.mark.parametrize("rows", [1, 4, 10 ** 6])
def test_keys_of_a_source(monkeypatch, rows):
    q, k = RNG.standard_normal((B, N, T, D)), RNG.standard_normal((B, N, 7, D))
    v, mask = RNG.standard_normal(k.shape), RNG.random((B, 1, 1, 7)) < .6
    monkeypatch.setattr(room, "BLOCK", rows * 7 * 8)
    monkeypatch.setattr(room, "QUERIES", 1)
    out, _ = room.attend_in_blocks(scope(), q, k, v, mask)
    assert_near(out, slow(q, k, v, mask), 1e-14)


def sizes(monkeypatch, **call):
    """The numbers of queries that the softmaxes of a call see."""
    monkeypatch.setattr(room, "BLOCK", 2 * 5 * 8)
    monkeypatch.setattr(room, "QUERIES", 1)
    model, seen = stressed(numbert.BertModel), []
    plain = model.ops.softmax

    def noted(scores):
        seen.append(scores.shape[-2])
        return plain(scores)

    monkeypatch.setattr(model.ops, "softmax", noted)
    forward = call.pop("keep", False)
    result = model.forward(ids(), **call) if forward else model(ids(), **call)
    return set(seen), result


@pytest.mark.parametrize("call", [
    {"keep": True}, {"rng": 1}, {"trace": numbert.Trace("*.probs")},
    {"output_attentions": True}])
def test_who_needs_all_queries_gets_them(monkeypatch, call):
    assert sizes(monkeypatch, **call)[0] == {5}


@pytest.mark.parametrize("call", [{}, {"output_hidden_states": True}])
def test_else_there_are_blocks(monkeypatch, call):
    seen, found = sizes(monkeypatch, **call)
    assert seen == {2, 1}
    want = stressed(numbert.BertModel).forward(ids())[0]
    assert_near(found.last_hidden_state, want.last_hidden_state, 1e-13)
