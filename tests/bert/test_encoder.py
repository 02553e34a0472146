"""The stack: layers in order, what the pooler reads, the backbone's gradients."""

import numpy as np
import pytest

import numbert
from common import assert_near, config, ids, stressed
from numbert.bert import encoder
from pairs import check_block

CROSSED = stressed(numbert.BertModel, config(
    is_decoder=True, add_cross_attention=True, hidden_dropout_prob=0.2,
    attention_probs_dropout_prob=0.35))
MODEL = stressed(numbert.BertModel)
RNG = np.random.default_rng(0)
X, SOURCE = RNG.standard_normal((2, 5, 12)), RNG.standard_normal((2, 7, 12))
MASK = RNG.random((2, 1, 1, 5)) < 0.7
BOTH = {"x": X, "mask": MASK, "source": SOURCE}


def test_feed_forward_treats_each_position_alone():
    out, grads = check_block(encoder.feed_forward, encoder.feed_forward_backward, MODEL,
                             "encoder.layer.1.", {"x": X})
    assert len(grads) == 6
    again, _ = check_block(encoder.feed_forward, encoder.feed_forward_backward, MODEL,
                           "encoder.layer.1.", {"x": X[:, ::-1]})
    assert_near(again[:, ::-1], out, 1e-14)


@pytest.mark.parametrize("seed", [None, 3])
def test_a_layer(seed):
    _, grads = check_block(encoder.layer, encoder.layer_backward, CROSSED,
                           "encoder.layer.1.", BOTH, wrt=("x", "source"), seed=seed)
    assert len(grads) == 26


def test_the_stack_adds_up_the_gradients_of_a_source():
    _, grads = check_block(encoder.stack, encoder.stack_backward, CROSSED, "encoder.",
                           BOTH, wrt=("x", "source"))
    assert len(grads) == 2 * 26


def test_no_layers():
    empty = stressed(numbert.BertModel, config(num_hidden_layers=0))
    out, grads = check_block(encoder.stack, encoder.stack_backward, empty, "encoder.",
                             {"x": X, "mask": None})
    assert np.array_equal(out, X) and not grads


def test_the_pooler_reads_the_first_token():
    out, grads = check_block(encoder.pooler, encoder.pooler_backward, MODEL, "pooler.",
                             {"x": X})
    other = X.copy()
    other[:, 1:] = 7
    assert np.array_equal(check_block(encoder.pooler, encoder.pooler_backward, MODEL,
                                      "pooler.", {"x": other})[0], out)
    assert set(grads) == {"dense.weight", "dense.bias"}


@pytest.mark.parametrize("outputs", [(0,), (1,), (0, 1)])
def test_the_backbone_takes_gradients_of_either_output(outputs):
    """One number for each row: the chosen outputs side by side."""
    places = np.arange(5)[None]

    def joined(p, x):
        (sequence, pooled), saved = encoder.backbone(
            p, {"ids": None, "inputs_embeds": x, "position_ids": places,
                "token_type_ids": ids() % 2}, MASK)
        parts = sequence.reshape(2, -1), pooled
        return np.concatenate([parts[i] for i in outputs], 1), saved

    def joined_backward(dout, saved, g):
        douts, at = [None, None], 0
        for i in outputs:
            size = (60, 12)[i]
            douts[i], at = dout[:, at:at + size], at + size
        if douts[0] is not None:
            douts[0] = douts[0].reshape(2, 5, 12)
        return encoder.backbone_backward(*douts, saved, g)

    _, grads = check_block(joined, joined_backward, MODEL, "", {"x": X})
    assert ("pooler.dense.weight" in grads) == (1 in outputs)
