"""How many matrix products a model takes, and how large they are: not one too many.

The formulas are written out by hand from the paper: C hidden size, F intermediate size,
V vocabulary, K classes, L layers, and lengths of texts in tokens.
"""

import numpy as np
import pytest

import numbert
from cases import labels_for
from common import B, CLASSES, SMALL, T, config, ids, stressed
from counting import Counted, counted, counting
from numbert.bert import forward_only
from numbert.training import objectives

C, F, V, L = (SMALL[name] for name in ("hidden_size", "intermediate_size", "vocab_size",
                                       "num_hidden_layers"))
M, K, P = 3, 4, 3           # choices, classes, labelled positions
RAGGED = np.arange(T) < np.array([[2], [5]])


def stack(lengths, keys=None):
    """Queries, keys, values and output are C x C each; so is each text's attention.

    q k^T and the sum of values take T S C multiplications each, in all heads together.
    """
    keys = lengths if keys is None else keys
    dense = sum(lengths) * (4 * C * C + 2 * C * F)
    return L * (dense + sum(2 * t * s * C for t, s in zip(lengths, keys)))


def words(positions):
    return positions * (C * C + C * V)


# {class: (products of the pooler and the head, their multiply-adds)}; 8 a layer besides
POOLER = B * C * C
HEADS = {
    "BertModel": (1, POOLER),
    "BertForPreTraining": (4, POOLER + words(B * T) + B * C * 2),
    "BertLMHeadModel": (2, words(B * T)),
    "BertForMaskedLM": (2, words(B * T)),
    "BertForNextSentencePrediction": (2, POOLER + B * C * 2),
    "BertForSequenceClassification": (2, POOLER + B * C * K),
    "BertForMultipleChoice": (2, M * POOLER + B * M * C),
    "BertForTokenClassification": (1, B * T * C * K),
    "BertForQuestionAnswering": (1, B * T * C * 2),
}


def setting(cls):
    """A model of this class in float32, the lengths of its texts, and its inputs."""
    labels = {} if cls in (numbert.BertForNextSentencePrediction,
                           numbert.BertForQuestionAnswering) else {"num_labels": K}
    model = stressed(cls, config(**labels), dtype="float32")
    shape = (B, M, T) if cls is numbert.BertForMultipleChoice else (B, T)
    inputs = {"input_ids": ids(shape), **labels_for(cls, model.config, shape)}
    return model, [T] * (len(inputs["input_ids"].reshape(-1)) // T), inputs


def step(model, **inputs):
    """-> the work of a forward alone, that of forward and backward, and the arrays"""
    with counting(model) as work:
        out, saved = model.forward(**inputs)
        forward = len(work.products), work.multiply_adds
        start = {} if out.get("loss") is not None else {
            name: counted(np.ones_like(x)) for name, x in out.items()}
        grads = model.backward(saved, **start)
    assert all(type(x) is Counted for x in grads.values())         # nothing got lost
    return forward, (len(work.products), work.multiply_adds), work.arrays


@pytest.mark.parametrize("cls", CLASSES)
def test_forward_backward_and_inference(cls):
    model, lengths, inputs = setting(cls)
    count, size = HEADS[cls.__name__]
    forward = 8 * L + count, stack(lengths) + size
    # Each product x w has two gradients, dx and dw, of the same size.
    found = step(model, **inputs)
    assert found[:2] == (forward, tuple(3 * x for x in forward))
    with counting(model) as work:
        model(**inputs)
    assert (len(work.products), work.multiply_adds) == forward


@pytest.mark.parametrize("cls", CLASSES)
def test_float32_never_becomes_float64(cls):
    model, _, inputs = setting(cls)
    arrays = step(model, **inputs)[2]
    assert len(arrays) > 200 and {str(dtype) for dtype, _ in arrays} >= {"float32"}
    assert not [size for dtype, size in arrays if dtype == np.float64]


def test_a_packed_call_multiplies_tokens_only():
    model, _, inputs = setting(numbert.BertModel)
    inputs |= {"attention_mask": RAGGED, "packed": True}
    forward, both, _ = step(model, **inputs)
    # The attention of each length is a product of its own.
    assert forward == (L * (6 + 2 * 2) + 1, stack([2, 5]) + POOLER)
    assert both == tuple(3 * x for x in forward)


def test_blocks_of_attention_multiply_no_more(monkeypatch):
    model, lengths, inputs = setting(numbert.BertModel)
    monkeypatch.setattr(forward_only, "BLOCK", 2 * T * 4)      # two queries of a head
    monkeypatch.setattr(forward_only, "QUERIES", 1)
    with counting(model) as work:
        model(**inputs)
    heads = SMALL["num_attention_heads"]
    assert len(work.products) == L * (6 + 2 * B * heads * 3) + 1
    assert work.multiply_adds == stack(lengths) + POOLER


def labelled():
    """Labels (B, T) at P positions, which are no padding."""
    labels = np.full((B, T), -100)
    labels[[0, 1, 1], [1, 0, 4]] = 3, 7, 9
    return labels


@pytest.mark.parametrize("cls", [numbert.BertForMaskedLM, numbert.BertForPreTraining])
def test_a_masked_lm_scores_words_where_there_is_a_label(cls):
    model, lengths, inputs = setting(cls)
    inputs["labels"] = labelled()
    count, size = HEADS[cls.__name__]
    forward, both, _ = step(model, **inputs, labelled_only=True)
    assert forward == (8 * L + count, stack(lengths) + size - words(B * T - P))
    assert both == tuple(3 * x for x in forward)


def test_training_multiplies_tokens_and_labels_only():
    model, _, inputs = setting(numbert.BertForMaskedLM)
    part = {**inputs, "attention_mask": RAGGED.astype(int), "labels": labelled()}
    with counting(model) as work:
        objectives.batch_gradients(model, [part])
    scores = L * 2 * (2 * 2 + 5 * 5) * C                # attention is computed again
    assert work.multiply_adds == 3 * (stack([2, 5]) + words(P)) + scores


def decoder(**changes):
    return stressed(numbert.BertLMHeadModel, config(is_decoder=True, **changes),
                    dtype="float32")


def test_a_cache_leaves_one_token_to_compute():
    model = decoder()
    with counting(model) as work:
        cache = model(ids(), use_cache=True).past_key_values
        before = work.multiply_adds
        model(ids((B, 1)), cache=cache)
    assert before == stack([T] * B) + words(B * T)
    assert work.multiply_adds - before == stack([1] * B, [T + 1] * B) + words(B)


def test_words_are_scored_where_logits_are_kept():
    model = decoder()
    with counting(model) as work:
        model(ids(), logits_to_keep=1)
    assert work.multiply_adds == stack([T] * B) + words(B)


def test_cross_attention_reads_its_source_once():
    model = decoder(add_cross_attention=True)
    source = np.random.default_rng(0).standard_normal((B, 7, C))
    forward, both, _ = step(model, input_ids=ids(), encoder_hidden_states=source,
                            use_cache=False)
    dense = B * (2 * T + 2 * 7) * C * C                # queries, output; keys, values
    cross = L * (dense + B * 2 * T * 7 * C)
    assert forward == (14 * L + 2, stack([T] * B) + cross + words(B * T))
    assert both == tuple(3 * x for x in forward)
