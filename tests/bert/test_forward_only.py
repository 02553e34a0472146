"""Runs without a backward: the same results, without the square of the length."""

from types import SimpleNamespace

import numpy as np
import pytest

import numbert
import oracles
from common import CLASSES, assert_near, bound, config, ids, stressed
from counting import counted, counting
from numbert.bert import attention, forward_only, ops
from numbert.bert.erf import BLOCK_BYTES
from numbert.bert.scope import NUMPY, Run, Scope

RNG = np.random.default_rng(0)
B, N, T, S, D = 2, 3, 13, 13, 4
# Broadcastable to (B, N, T, S) in each way that a mask may be.
MASKS = {
    "none": None, "causal": attention.causal_mask(T, S),
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
    monkeypatch.setattr(forward_only, "BLOCK", rows * S * 8)
    monkeypatch.setattr(forward_only, "QUERIES", 1)
    out, saved = forward_only.attend(scope(), q, k, v, MASKS[name])
    assert saved is None
    assert_near(out, slow(q, k, v, MASKS[name]), 1e-14)
    whole = attention.attend(scope(), q, k, v, MASKS[name])[0]
    if rows >= T:                        # whole heads: the same products, so same bits
        assert np.array_equal(out, whole)


@pytest.mark.parametrize("rows", [1, 4, 10 ** 6])
def test_keys_of_a_source(monkeypatch, rows):
    q, k = RNG.standard_normal((B, N, T, D)), RNG.standard_normal((B, N, 7, D))
    v, mask = RNG.standard_normal(k.shape), RNG.random((B, 1, 1, 7)) < .6
    monkeypatch.setattr(forward_only, "BLOCK", rows * 7 * 8)
    monkeypatch.setattr(forward_only, "QUERIES", 1)
    out, _ = forward_only.attend(scope(), q, k, v, mask)
    assert_near(out, slow(q, k, v, mask), 1e-14)


def sizes(monkeypatch, **call):
    """The numbers of queries that the softmaxes of a call see."""
    monkeypatch.setattr(forward_only, "BLOCK", 2 * 5 * 8)
    monkeypatch.setattr(forward_only, "QUERIES", 1)
    model, seen = stressed(numbert.BertModel), []
    plain = NUMPY.softmax

    def noted(scores):
        seen.append(scores.shape[-2])
        return plain(scores)

    for table in NUMPY, forward_only.FORWARD_ONLY:
        monkeypatch.setattr(table, "softmax", noted)
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


def shifted(size, seed=0):
    """Queries, keys and values in float32; the scores go up to about `size`."""
    q, k, v = np.random.default_rng(seed).standard_normal((3, B, N, T, D))
    scores = q @ k.swapaxes(-1, -2) / D ** .5
    return [x.astype("f4") for x in (q * size / np.abs(scores).max(), k, v)]


# The scores are moderate up to 60; exp overflows above 88, and below -103 it is 0.
@pytest.mark.parametrize("size", [1e-3, 1, 59, 61, 87, 89, 110, 1e4, 1e30])
def test_float32_within_its_rounding_whatever_the_scores(size, monkeypatch):
    q, k, v = shifted(size)
    steps, plain = [], attention.attend
    monkeypatch.setattr(attention, "attend", lambda *a: steps.append(1) or plain(*a))
    out, _ = forward_only.attend(scope(), q, k, v, None)
    assert bool(steps) == (size > forward_only.MODERATE)
    assert out.dtype == np.float32
    # A score of size s is rounded by s eps, and so is its exponential, relatively.
    want = slow(*(x.astype("f8") for x in (q, k, v)), None)
    assert_near(out.astype("f8"), want, min(2, bound("float32", D, 4) * (1 + size) * 4))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_no_numbers_are_left_to_the_plain_form(bad):
    q, k, v = shifted(1)
    q[0, 0, 3, 1] = bad
    with np.errstate(invalid="ignore"):
        out, _ = forward_only.attend(scope(), q, k, v, None)
        want, _ = attention.attend(scope(), q, k, v, None)
    assert np.isnan(out[0, 0, 3]).all()
    assert np.array_equal(np.isnan(out), np.isnan(want))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("turned", [False, True])
def test_gelu_is_that_of_ops_bit_by_bit(dtype, turned):
    x = (RNG.standard_normal((3, BLOCK_BYTES // 8)) * 3).astype(dtype)
    x = x.T if turned else x
    out, saved = forward_only.gelu(x)
    assert saved is None and np.array_equal(out, ops.gelu(x)[0])


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("columns", [1, 8, forward_only.WIDE, forward_only.WIDE + 1])
@pytest.mark.parametrize("rows", [0, 1, 2, forward_only.FEW, forward_only.FEW + 1])
def test_few_rows_are_multiplied_from_the_other_side(rows, columns, bias):
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((rows, 1, 6)), rng.standard_normal((columns, 6))
    b = rng.standard_normal(columns) if bias else None
    want = oracles.linear(x[:, 0], w[:9], np.zeros(min(9, columns)))
    for dtype in "float32", "float64":
        x, w, b = (v if v is None else v.astype(dtype) for v in (x, w, b))
        with counting() as work:
            got = forward_only.linear(counted(x), w, b)[0]
        turned = dtype == "float32" and rows <= forward_only.FEW and \
            columns <= forward_only.WIDE
        (first, _, _), = work.products
        assert first == (w.shape if turned else (rows, 6))
        assert got.shape == (rows, 1, columns) and got.dtype == dtype
        plain = ops.linear(x, w, b)[0]
        assert turned or np.array_equal(got, plain)        # and if not, bit by bit
        assert_near(got, plain, bound(dtype, 6, 20))
        few = got[:, 0, :9] - (0 if b is None else b[:9])
        assert_near(few.astype(float), np.reshape(want, few.shape),
                    3 * bound("f4", 6, 9))


def test_a_call_asks_another_table_of_operations():
    model, seen = stressed(numbert.BertModel, dtype="float32"), []
    model.ops = SimpleNamespace(**vars(NUMPY))
    for name in "softmax", "gelu", "linear":
        def asked(*args, name=name):
            seen.append(name)
            return getattr(NUMPY, name)(*args)
        setattr(model.ops, name, asked)
    model(ids())
    assert set(seen) == {"softmax", "gelu", "linear"}


@pytest.mark.parametrize("cls", CLASSES)
def test_outputs_are_in_one_piece(cls):
    """Row after row, as safetensors wants them."""
    model = stressed(cls, dtype="float32")
    shape = (2, 3, 5) if cls is numbert.BertForMultipleChoice else (2, 5)
    for out in (model(ids(shape)), model.forward(ids(shape))[0],
                model(ids(shape), output_hidden_states=True),
                model(ids(shape), output_attentions=True)):
        arrays = [x for x in out.values() if isinstance(x, np.ndarray)]
        arrays += [*(out.get("hidden_states") or ()), *(out.get("attentions") or ())]
        assert arrays and all(x.flags.c_contiguous for x in arrays)
