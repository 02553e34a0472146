"""Packing: where each token goes, and attention that sees one text at a time."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from common import assert_near, bound, config
from numbert.bert.attention import attend, attend_backward
from numbert.bert.packing import in_groups, in_groups_backward, pack, plan_of
from numbert.bert.packing import texts_of, unpack
from numbert.bert.scope import Run, Scope

MASKS = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=6))
RAGGED = np.arange(5) < np.array([3, 5, 1, 3])[:, None]            # (4, 5)
N, D = 3, 4


@given(MASKS)
def test_texts_of_a_length_lie_side_by_side(mask):
    plan = plan_of(mask)
    texts = [[(row, t) for t in range(mask.shape[1]) if mask[row, t]]
             for row in range(len(mask))]
    laid = [place for text in sorted(texts, key=len) for place in text]
    assert [divmod(int(at), mask.shape[1]) for at in plan.places] == laid
    lengths = sorted(map(len, texts))
    assert [(g.texts, g.length) for g in plan.groups] == [
        (lengths.count(n), n) for n in sorted(set(lengths))]
    assert [g.start for g in plan.groups] == [
        sum(n for n in lengths if n < g.length) for g in plan.groups]


@given(MASKS, st.sampled_from([(), (2,), (2, 3)]))
def test_packing_is_undone_and_is_its_own_transpose(mask, rest):
    rng, plan = np.random.default_rng(0), plan_of(mask)
    x = rng.standard_normal((*mask.shape, *rest))
    packed = pack(x, plan)
    assert packed.shape == (1, mask.sum(), *rest)
    kept = np.where(mask.reshape(*mask.shape, *(1 for _ in rest)), x, 0)
    assert np.array_equal(unpack(packed, plan), kept)
    # <pack x, y> = <x, unpack y>: each is the backward of the other.
    y = rng.integers(-9, 9, packed.shape)
    x = rng.integers(-9, 9, x.shape)
    assert np.sum(pack(x, plan) * y) == np.sum(x * unpack(y, plan))


def test_a_row_that_all_texts_share():
    places = np.arange(5)[None]
    assert np.array_equal(pack(places, plan_of(RAGGED)), [[0, 0, 1, 2, 0, 1, 2, 0, 1, 2,
                                                           3, 4]])
    assert pack(None, plan_of(RAGGED)) is None


@pytest.mark.parametrize("mask", [None, RAGGED[:, None, None]], ids=["no", "a"])
def test_with_a_plain_mask_nothing_changes(mask):
    x = np.ones((4, 5, 2))
    assert pack(x, mask) is x and unpack(x, mask) is x
    assert in_groups(lambda *args: args, *"pqkv", mask) == (*"pqkv", mask)


@pytest.mark.parametrize("causal", [False, True], ids=["all", "causal"])
def test_attention_is_that_of_each_text_alone(causal):
    plan, (q, k, v, dout) = plan_of(RAGGED, causal), np.random.default_rng(0) \
        .standard_normal((4, 1, RAGGED.sum(), N, D)).swapaxes(2, 3)
    p = Scope({}, Run(config(), keep=True))
    out, saved = in_groups(attend, p, q, k, v, plan)
    grads = in_groups_backward(attend_backward, dout, saved, p)
    start = 0
    for length in sorted(RAGGED.sum(1)):
        text = slice(start, start + length)
        later = np.tri(length, dtype=bool) if causal else None
        want, alone = attend(p, *(x[:, :, text] for x in (q, k, v)), later)
        assert_near(out[:, :, text], want, bound("float64", length, 4))
        for got, dx in zip(grads, attend_backward(dout[:, :, text], alone, p)):
            assert_near(got[:, :, text], dx, bound("float64", length, 40))
        start += length
    assert start == out.shape[2]
    assert in_groups(attend, Scope({}, Run(config())), q, k, v, plan)[1] is None


def test_the_texts_of_a_group_are_a_view():
    x = np.zeros((1, 12, N, D)).swapaxes(1, 2)
    for group in plan_of(RAGGED).groups:
        texts_of(x, group)[...] += 1
    assert (x == 1).all()
