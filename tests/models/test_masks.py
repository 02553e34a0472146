"""Attention masks: every form that NumPy would broadcast, and what is refused."""

import itertools

import numpy as np
import pytest

import numbert
from common import B, S, T, assert_near, config, ids, stressed, twin

N, C = 3, 12
ENCODER = stressed(numbert.BertModel)
DECODER = stressed(numbert.BertModel, config(is_decoder=True))
CROSSED = stressed(numbert.BertModel, config(is_decoder=True, add_cross_attention=True))
STATES = np.random.default_rng(1).standard_normal((B, S, C))
FULL = list(itertools.product((1, B), (1, N), (1, T), (1, T)))      # of four axes
SHORT = [(), (T,), (1,), (1, T), (B, 1), (B, T)]                    # of keys
PER_QUERY = list(itertools.product((1, B), (1, T), (1, T)))         # (B, T, S)


def mask_of(shape):
    return np.random.default_rng(len(shape)).random(shape) < 0.6


def whole(mask, keys=T):
    """The same mask with all four axes."""
    if mask.ndim == 3:
        mask = mask[:, None]
    elif mask.ndim < 3:
        mask = np.broadcast_to(mask, (B, keys))[:, None, None]
    return np.broadcast_to(mask, (B, N, T, keys))


@pytest.mark.parametrize("shape", [*SHORT, *PER_QUERY, *FULL])
@pytest.mark.parametrize("kind", [bool, int, float])
def test_a_mask_may_leave_out_what_it_repeats(shape, kind):
    mask = mask_of(shape)
    want = ENCODER(ids(), whole(mask)).last_hidden_state
    assert np.array_equal(ENCODER(ids(), mask.astype(kind)).last_hidden_state, want)


@pytest.mark.parametrize("shape", [(T,), (1, T), (B, T)])
def test_a_mask_of_keys_is_made_causal_in_a_decoder(shape):
    mask = mask_of(shape)
    want = DECODER(ids(), whole(mask) & np.tri(T, dtype=bool)).last_hidden_state
    assert np.array_equal(DECODER(ids(), mask).last_hidden_state, want)


@pytest.mark.parametrize("shape", [(S,), (1, S), (B, S), (1, T, S), (B, 1, S),
                                   (1, 1, 1, S), (B, N, T, 1), (1, N, 1, S)])
def test_a_mask_of_cross_attention_too(shape):
    mask = mask_of(shape)
    got, want = (CROSSED(ids(), encoder_hidden_states=STATES,
                         encoder_attention_mask=x).last_hidden_state
                 for x in (mask, whole(mask, S)))
    assert np.array_equal(got, want)


@pytest.mark.parametrize("model", [ENCODER, DECODER], ids=["encoder", "decoder"])
def test_hugging_face_broadcasts_four_axes_alike(model):
    torch = pytest.importorskip("torch")
    hf = twin(model)
    for shape in FULL:
        mask = mask_of(shape)
        added = np.where(mask, 0, np.finfo(float).min)
        want = hf(torch.tensor(ids()), torch.tensor(added)).last_hidden_state
        assert_near(model(ids(), mask).last_hidden_state, want.detach().numpy(), 1e-12,
                    shape)


@pytest.mark.parametrize("shape", [(T + 1,), (B + 1, T), (T, T), (N, T, T), (B, N, T),
                                   (B, T, T, T), (1, 1, 1, 1, T)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"expected \(2, 5\) or \(2, 5, 5\) or "
                                         r"\(2, 3, 5, 5\): leave out or set to 1 any"):
        ENCODER(ids(), mask_of(shape))


def test_a_mask_of_the_new_token_alone_is_refused_beside_a_cache():
    past = DECODER(ids()).past_key_values
    with pytest.raises(ValueError, match=r"shape \(2, 1\), expected \(2, 6\)"):
        DECODER(ids((B, 1)), np.ones((B, 1)), cache=past)
    mask = np.ones((1, T + 1))
    assert DECODER(ids((B, 1)), mask, cache=past).last_hidden_state.shape == (B, 1, C)


def test_the_masks_of_choices():
    model, x = stressed(numbert.BertForMultipleChoice), ids((B, 3, T))
    mask = np.random.default_rng(0).random((B, 3, T)) < 0.6
    for i, j in ((B, 1), (1, 3), (1, 1)):
        part = mask[:i, :j]
        want = model(x, np.broadcast_to(part, mask.shape)).logits
        assert np.array_equal(model(x, part).logits, want)
