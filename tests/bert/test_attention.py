"""Attention: masks, heads, and the block for itself, for a source, after a past."""

import numpy as np
import pytest

import numbert
from common import assert_near, config, stressed
from numbert.bert import attention as room
from numbert.models.cache import CacheLayer
from pairs import check_block

MODEL = stressed(numbert.BertModel, config(
    is_decoder=True, add_cross_attention=True, hidden_dropout_prob=0.2,
    attention_probs_dropout_prob=0.35))
LAYER = "encoder.layer.0."
RNG = np.random.default_rng(0)
X, SOURCE = RNG.standard_normal((2, 5, 12)), RNG.standard_normal((2, 7, 12))
MASKS = {"all": None, "some": RNG.random((2, 1, 5, 5)) < 0.6}
DENSE = ["weight", "bias"]


def test_the_causal_mask():
    for queries, keys in ((1, 1), (1, 4), (5, 5), (3, 7)):
        want = [[s <= keys - queries + t for s in range(keys)] for t in range(queries)]
        assert room.causal_mask(queries, keys).tolist() == want


def test_heads_are_runs_of_channels():
    heads = room.split_heads(X, 3)
    assert heads.shape == (2, 3, 5, 4)
    for n in range(3):
        assert np.array_equal(heads[:, n], X[..., 4 * n:4 * n + 4])
    assert np.array_equal(room.merge_heads(heads), X)


@pytest.mark.parametrize("seed", [None, 4])
@pytest.mark.parametrize("mask", MASKS)
def test_self_attention(mask, seed):
    _, grads = check_block(room.attention, room.attention_backward, MODEL,
                           f"{LAYER}attention.", {"x": X, "mask": MASKS[mask]},
                           seed=seed)
    assert set(grads) == {
        f"{part}.{kind}" for kind in DENSE for part in (
            "self.query", "self.key", "self.value", "output.dense", "output.LayerNorm")}


def test_cross_attention():
    check_block(room.attention, room.attention_backward, MODEL,
                f"{LAYER}crossattention.", {"x": X, "mask": None, "source": SOURCE},
                wrt=("x", "source"))


def test_a_past_is_constant():
    k, v = RNG.standard_normal((2, 2, 3, 4, 4))

    def after_a_past(p, x):
        mask = room.causal_mask(5, 9)
        return room.attention(p, x, mask, past=CacheLayer(k, v))

    _, grads = check_block(after_a_past, room.attention_backward, MODEL,
                           f"{LAYER}attention.", {"x": X})
    assert "self.key.weight" in grads


def test_kept_keys_of_a_source_have_no_gradient():
    past = CacheLayer(*RNG.standard_normal((2, 2, 3, 7, 4)))

    def kept(p, x):
        return room.multi_head(p, x, SOURCE, None, past)

    _, grads = check_block(kept, room.multi_head_backward, MODEL,
                           f"{LAYER}crossattention.self.", {"x": X})
    assert set(grads) == {"query.weight", "query.bias"}


@pytest.mark.parametrize("seed", [None, 5])
def test_add_norm(seed):
    wide = RNG.standard_normal((2, 5, 19))
    check_block(room.add_norm, room.add_norm_backward, MODEL, f"{LAYER}output.",
                {"x": wide, "residual": X}, wrt=("x", "residual"), seed=seed)


def test_a_permutation_of_the_heads_changes_nothing():
    order = np.concatenate([np.arange(8, 12), np.arange(8)])         # last head first
    params, prefix = dict(MODEL.params), f"{LAYER}attention."
    for name in ("query", "key", "value"):
        for kind in DENSE:
            full = f"{prefix}self.{name}.{kind}"
            params[full] = params[full][order]
    full = f"{prefix}output.dense.weight"
    params[full] = params[full][:, order]
    other = numbert.BertModel(MODEL.config, params=params)
    outs = [check_block(room.attention, room.attention_backward, model, prefix,
                        {"x": X, "mask": None})[0] for model in (MODEL, other)]
    assert_near(outs[1], outs[0], 1e-14)
