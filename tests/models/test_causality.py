"""Which tokens a decoder's logits depend on, and which logits a call keeps."""

import numpy as np
import pytest

from cache_cases import LONGEST, MASKS, B, T, across, decoder, error
from common import assert_near, ids, of_today, to_torch, twin


# ------------------------------------------------------------------------ causality

@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("length", range(2, LONGEST + 1))
def test_a_future_token_changes_no_earlier_logit_by_a_bit(length, padded, dtype):
    model, x = decoder(dtype=dtype), ids((B, length))
    mask = np.ones((B, length), int)
    if padded:
        mask[1, length // 2:] = 0
    before = model(x, mask).logits
    for t in range(1, length):
        changed = x.copy()
        changed[:, t] = changed[:, t] % 36 + 1              # another token, never 0
        after = model(changed, mask).logits
        assert (after[:, :t] == before[:, :t]).all(), t
        assert (after[0, t] != before[0, t]).any()          # and it does matter itself


def test_what_comes_after_padding_on_the_right_changes_nothing():
    model, x = decoder(cross=True), ids((B, T))
    mask = MASKS["right"]
    before = model(x, mask, **across(True)).logits
    x[1, -2:] = 3
    after = model(x, mask, **across(True)).logits
    assert (after[mask == 1] == before[mask == 1]).all()


# ------------------------------------------------------------------- logits_to_keep

KEEP = {
    "all": 0, "last": 1, "last 3": 3, "more than there are": 99,
    "positions": np.array([4, 0, 2, 2]), "from the end": np.array([-1, -6]),
    "positions per row": np.array([[0, 5, 1], [3, 3, 2]]),
    "mask": np.array([[1, 0, 1, 0, 0, 1], [0, 0, 0, 1, 0, 0]], bool),
}


def kept(x, keep):
    """What logits_to_keep selects of (B, T, ...), one entry at a time."""
    if np.ndim(keep) == 0:
        return x[:, max(T - keep, 0) if keep else 0:]
    if np.ndim(keep) == 1:
        return np.stack([x[:, t] for t in keep], axis=1)
    if np.asarray(keep).dtype == bool:
        return np.stack([x[b, t] for b in range(B) for t in range(T) if keep[b, t]])
    return np.stack([np.stack([x[b, t] for t in keep[b]]) for b in range(B)])


@pytest.mark.parametrize("name", KEEP)
def test_logits_to_keep_is_slicing(name):
    model, x, keep = decoder(), ids((B, T)), KEEP[name]
    full, saved_full = model.forward(x)
    part, saved = model.forward(x, logits_to_keep=keep)
    assert_near(part.logits, kept(full.logits, keep), 1e-12)

    # Its gradient is that of a full pass whose other logits have gradient 0.
    dpart = np.random.default_rng(3).standard_normal(part.logits.shape)
    places = kept(np.arange(B * T).reshape(B, T), keep).reshape(-1)
    dfull = np.zeros((B * T, 37))
    for place, row in zip(places, dpart.reshape(-1, 37)):
        dfull[place] += row
    grads = model.backward(saved, logits=dpart)
    for name, want in model.backward(
            saved_full, logits=dfull.reshape(B, T, 37)).items():
        assert_near(grads[name], want, 1e-12 * max(1, np.abs(want).max()), name)


@pytest.mark.parametrize("name", KEEP)
def test_hugging_face_keeps_the_same_logits(name):
    torch = pytest.importorskip("torch")
    of_today()
    model, x, keep = decoder(), ids((B, T)), KEEP[name]
    if name == "from the end":
        keep = keep % T
    with torch.no_grad():
        want = twin(model)(**to_torch({"input_ids": x, "logits_to_keep": keep}))
    assert_near(model(x, logits_to_keep=keep).logits, want.logits.numpy(), 1e-12)


@pytest.mark.parametrize("keep, what", [
    (-1, "-1"), (np.array([6]), "6"), (np.array([[0], [0], [0]]), "(3, 1)"),
    (np.ones((2, 5), bool), "(2, 5)")])
def test_bad_logits_to_keep(keep, what):
    message = error(ValueError, ids((B, T)), logits_to_keep=keep)
    assert "logits_to_keep" in message and what in message
