"""Strategies of models draw what they promise, and shrink to cases that can be read."""

import numpy as np
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument
from numpy.testing import assert_array_equal

import numbert
from numbert.models.inputs import attention_mask
from numbert.testing.strategies import (attention_masks, bert_text, call_options,
                                        classification_labels, configs, documents,
                                        encoded_batches, mlm_batches, nsp_pairs,
                                        position_ids, scalars, split_text,
                                        stress_weights, vocabularies)

QUICK = settings(deadline=None, max_examples=40)
ANY = settings(database=None, derandomize=True, max_examples=300)


def smallest(strategy, test=lambda x: True):
    """What a failing case shrinks to."""
    return find(strategy, test, settings=ANY)


def assert_batch(got, **expected):
    assert list(got) == list(expected)
    for name, x in expected.items():
        assert_array_equal(got[name], x, name)
        assert got[name].dtype == np.int64


# ------------------------------------------------------------ what a failure shrinks to

def test_a_configuration_shrinks_to_one_layer_and_one_head():
    got = smallest(configs())
    assert (got.num_hidden_layers, got.num_attention_heads) == (1, 1)
    assert (got.hidden_size, got.hidden_act, got.vocab_size) == (4, "gelu", 11)
    assert smallest(configs(), lambda c: c.num_attention_heads > 1).hidden_size == 8


def test_weights_shrink_to_those_of_seed_0():
    got = smallest(stress_weights({"LayerNorm.weight": (2,), "dense.weight": (1, 3)}))
    noise = np.random.default_rng(0).standard_normal(5)
    assert_array_equal(got["LayerNorm.weight"], 1 + 0.3 * noise[:2])
    assert_array_equal(got["dense.weight"][0], 1.3 / np.sqrt(3) * noise[2:])


def test_a_batch_shrinks_to_an_empty_text():
    assert_batch(smallest(encoded_batches()), input_ids=[[2, 3]],
                 token_type_ids=[[0, 0]], attention_mask=[[1, 1]])


def test_padding_shrinks_to_one_token_beside_one_word():
    for side, short, mask in (("left", [0, 2, 3], [0, 1, 1]),
                              ("right", [2, 3, 0], [1, 1, 0])):
        got = smallest(encoded_batches(padding=side),
                       lambda batch: not batch["attention_mask"].all())
        rows = sorted(got["input_ids"].tolist())
        assert rows == sorted([short, [2, 5, 3]])
        assert mask in got["attention_mask"].tolist()


def test_masks_shrink_to_ones_of_the_shape_of_a_batch():
    assert_array_equal(smallest(attention_masks(2, 3)), np.ones((2, 3)))
    assert_array_equal(smallest(attention_masks(2, 3), lambda m: not m.all()),
                       [[0, 1, 1], [1, 1, 1]])
    hidden = smallest(attention_masks(2, 3, with_fully_masked=True),
                      lambda m: not m.any(-1).all())
    assert_array_equal(hidden, [[0, 0, 0], [1, 1, 1]])


def test_positions_shrink_to_counting():
    assert_array_equal(smallest(position_ids(2, 3)), [[0, 1, 2]])
    assert_array_equal(smallest(position_ids(2, 3), lambda x: x.shape == (2, 3)),
                       [[0, 1, 2], [0, 1, 2]])


def test_masked_text_shrinks_to_one_masked_word():
    assert_batch(smallest(mlm_batches()), input_ids=[[2, 4, 3]],
                 token_type_ids=[[0, 0, 0]], attention_mask=[[1, 1, 1]],
                 labels=[[-100, 5, -100]])


def test_a_pair_shrinks_to_two_words():
    assert_batch(smallest(nsp_pairs()), input_ids=[[2, 5, 3, 5, 3]],
                 token_type_ids=[[0, 0, 0, 1, 1]], attention_mask=[[1] * 5],
                 next_sentence_label=[0])


def test_labels_shrink_to_0():
    assert_array_equal(smallest(classification_labels(2)), [0, 0])
    some = smallest(classification_labels(1, length=3, with_ignored=True),
                    lambda labels: (labels == -100).any())
    assert sorted(some[0].tolist()) == [-100, 0, 0]
    assert_array_equal(smallest(classification_labels(1, kind="multi")), [[0, 0, 0]])
    assert_array_equal(smallest(classification_labels(2, num_labels=1,
                                                      kind="regression")), [0, 0])


def test_documents_shrink_to_two_of_one_word():
    assert smallest(documents()) == [[[5]], [[6]]]


def test_text_shrinks_to_what_matters():
    assert smallest(bert_text()) == "" and smallest(split_text()) == []
    assert smallest(bert_text(), lambda text: "[MASK]" in text) == "[MASK]"
    assert smallest(bert_text(), lambda text: len(text.split()) > 1) == "the the"
    assert smallest(scalars()) == "0"
    assert smallest(call_options()) == {}
    assert list(smallest(vocabularies())) == ["[PAD]", "[UNK]", "[CLS]", "[SEP]",
                                              "[MASK]"]
    assert smallest(vocabularies(), lambda v: "##a" in v)["##a"] == 5


# ------------------------------------------------------------------- what is promised

@given(configs(num_labels=3), st.data())
@QUICK
def test_what_is_drawn_goes_together(config, data):
    model = numbert.BertForTokenClassification(config, dtype="float64")
    shapes = {name: x.shape for name, x in model.params.items()}
    model.params = data.draw(stress_weights(shapes))
    batch = data.draw(encoded_batches(vocab_size=config.vocab_size))
    rows, length = batch["input_ids"].shape
    labels = data.draw(classification_labels(rows, length=length, with_ignored=True))
    places = data.draw(position_ids(rows, length, max_position=12))
    out = model(**batch, labels=labels, position_ids=places)
    assert np.isfinite(out.loss) and out.logits.shape == (rows, length, 3)


@given(attention_masks(2, 3, keys=5, heads=2))
@QUICK
def test_masks_are_legal_and_leave_every_query_a_key(mask):
    mask, _ = attention_mask("mask", mask, 2, 2, 3, 5)
    assert mask is None or np.broadcast_to(mask, (2, 2, 3, 5)).any(-1).all()


@given(mlm_batches(), nsp_pairs(), documents())
@QUICK
def test_labels_belong_to_words(mlm, pair, texts):
    labelled = mlm["labels"] != -100
    assert labelled.any() and (mlm["labels"][labelled] >= 5).all()
    assert (mlm["attention_mask"][labelled] == 1).all()
    assert pair["token_type_ids"].any(1).all()
    ids = [token for text in texts for sentence in text for token in sentence]
    assert ids == list(range(5, 5 + len(ids))) and len(texts) >= 2


@pytest.mark.parametrize("shape", [(4,), (3, 4), (1, 4), (3, 2, 4), (3, 2, 1, 4),
                                   (1, 1, 2, 4)])
def test_every_shape_of_mask_is_drawn(shape):
    find(attention_masks(3, 2, keys=4, heads=2), lambda mask: mask.shape == shape,
         settings=settings(ANY, max_examples=2000))


@pytest.mark.parametrize("padding", ["none", "left", "right"])
def test_every_padding_is_drawn(padding):
    def has(batch):
        mask = batch["attention_mask"]
        return len(mask) > 1 and {"none": mask.all(), "left": not mask[:, 0].all(),
                                  "right": not mask[:, -1].all()}[padding]
    find(encoded_batches(), has, settings=ANY)
    find(encoded_batches(padding=padding), has, settings=ANY)


@pytest.mark.parametrize("call", [
    lambda: configs(max_layers=0), lambda: configs(max_heads=0),
    lambda: encoded_batches(vocab_size=5), lambda: encoded_batches(padding="both"),
    lambda: encoded_batches(max_batch=0), lambda: encoded_batches(max_length=2),
    lambda: mlm_batches(max_length=4), lambda: nsp_pairs(max_length=4),
    lambda: attention_masks(0, 3), lambda: attention_masks(2, 3, ndims=(5,)),
    lambda: position_ids(2, 3, max_position=2), lambda: classification_labels(0),
    lambda: classification_labels(2, kind="binary"), lambda: documents(max_documents=1),
    lambda: classification_labels(2, num_labels=0)])
def test_nonsense_is_refused_when_the_strategy_is_made(call):
    with pytest.raises(InvalidArgument, match=", expected .*: "):
        call()
