"""Embeddings: the sum of three rows, normalised, and who gets which gradient."""

import numpy as np
import pytest

import numbert
import oracles
from common import B, T, assert_near, bound, config, ids, stressed
from numbert.bert.embeddings import embeddings, embeddings_backward
from pairs import check_block

MODEL = stressed(numbert.BertModel, config(pad_token_id=None))
KINDS = ids() % 2


def places(rows):
    """Positions out of order, in one row for all texts or in one for each."""
    return np.array([[3, 0, 4, 1, 9], [1, 1, 0, 7, 2]])[:rows]


@pytest.mark.parametrize("seed", [None, 2])
@pytest.mark.parametrize("rows", [1, B])
def test_gradients(rows, seed):
    inputs = {"ids": ids(), "position_ids": places(rows), "token_type_ids": KINDS}
    _, grads = check_block(embeddings, embeddings_backward, MODEL, "embeddings.",
                           inputs, wrt=(), seed=seed)
    assert set(grads) == {
        "word_embeddings.weight", "position_embeddings.weight", "LayerNorm.bias",
        "token_type_embeddings.weight", "LayerNorm.weight"}


def test_vectors_in_place_of_ids_have_the_gradient():
    given = np.random.default_rng(1).standard_normal((B, T, 12))
    _, grads = check_block(
        embeddings, embeddings_backward, MODEL, "embeddings.",
        {"ids": None, "position_ids": places(1), "token_type_ids": KINDS,
         "inputs_embeds": given}, wrt=("inputs_embeds",))
    assert "word_embeddings.weight" not in grads


def test_values():
    out, _ = check_block(embeddings, embeddings_backward, MODEL, "embeddings.", {
        "ids": ids(), "position_ids": places(B), "token_type_ids": KINDS}, wrt=())
    word, place, kind = (MODEL.params[f"embeddings.{name}_embeddings.weight"]
                         for name in ("word", "position", "token_type"))
    rows = [[word[i, c] + place[j, c] + kind[k, c] for c in range(12)]
            for i, j, k in zip(ids().flat, places(B).flat, KINDS.flat)]
    want = oracles.layer_norm(
        np.array(rows), MODEL.params["embeddings.LayerNorm.weight"],
        MODEL.params["embeddings.LayerNorm.bias"], MODEL.config.layer_norm_eps)
    assert_near(out.reshape(-1, 12), want, bound("float64", 12, 8))


def test_the_look_up_of_padding_has_no_gradient():
    model = stressed(numbert.BertModel, config(pad_token_id=4))
    some = np.array([[4, 7, 4, 9, 4]])
    out, saved = model.forward(some)
    grads = model.backward(saved, last_hidden_state=np.cos(
        np.arange(60.)).reshape(1, 5, 12))
    table = grads["embeddings.word_embeddings.weight"]
    assert np.flatnonzero(np.abs(table).sum(1)).tolist() == [7, 9]
