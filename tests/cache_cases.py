"""Decoders, masks and encoder outputs, for the tests of the KV cache."""

import numpy as np
import pytest

import numbert
from common import config, stressed

B, T, S = 2, 6, 4
LONGEST = 11                    # max_position_embeddings of common.config


def decoder(cross=False, dtype="float64", **changes):
    """A decoder with stress weights, with or without cross-attention."""
    return stressed(numbert.BertLMHeadModel, config(
        is_decoder=True, add_cross_attention=cross, **changes), dtype)


def across(cross):
    """What cross-attention reads: the encoder's output and its mask."""
    if not cross:
        return {}
    states = np.random.default_rng(7).standard_normal((B, S, 12))
    return {"encoder_hidden_states": states,
            "encoder_attention_mask": np.array([[1, 1, 1, 1], [1, 0, 1, 0]])}


MASKS = {
    "none": None,
    "left": np.array([[1] * T, [0, 0] + [1] * (T - 2)]),
    "right": np.array([[1] * T, [1] * (T - 2) + [0, 0]]),
    "holes": np.array([[1, 0, 1, 1, 0, 1], [1, 1, 0, 1, 1, 1]]),
}


def error(kind, *inputs, model=None, **named):
    """The message of the one clear error that a call raises."""
    with pytest.raises(kind) as caught:
        (decoder() if model is None else model)(*inputs, **named)
    assert "\n" not in str(caught.value)
    return str(caught.value)
