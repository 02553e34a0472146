"""Heads: their scores, the positions they score, and tied weights."""

import numpy as np
import pytest

import numbert
from common import assert_near, config, stressed
from numbert.bert import heads
from pairs import check_block

RNG = np.random.default_rng(0)
X, POOLED = RNG.standard_normal((2, 5, 12)), RNG.standard_normal((2, 12))
TABLE = "bert.embeddings.word_embeddings.weight"


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("places", [None, [7, 0, 7], [[1, 2], [5, 9]], []])
def test_the_word_head_scores_the_places(tied, places):
    model = stressed(numbert.BertForMaskedLM, config(tie_word_embeddings=tied))
    chosen = None if places is None else np.array(places, int)
    out, grads = check_block(heads.word_head, heads.word_head_backward, model, "",
                             {"x": X, "places": chosen})
    every, _ = heads.word_head(scope_of(model), X)
    want = every if places is None else every.reshape(10, 37)[chosen]
    assert_near(out, want, 1e-13)
    assert (TABLE in grads) == tied
    assert ("cls.predictions.decoder.weight" in grads) == (not tied)
    assert heads.decoder_names(model.config)[0] in grads


def scope_of(model):
    from numbert.bert.scope import Run, Scope
    return Scope(model.params, Run(model.config))


def test_the_lm_head_gives_the_table_s_gradient_back():
    model = stressed(numbert.BertForMaskedLM)
    _, grads = check_block(
        heads.lm_head, heads.lm_head_backward, model, "cls.predictions.",
        {"x": X, "table": model.params[TABLE],
         "bias": model.params["cls.predictions.bias"]}, wrt=("x", "table", "bias"))
    assert len(grads) == 4 and all(name.startswith("transform.") for name in grads)


@pytest.mark.parametrize("seed", [None, 6])
@pytest.mark.parametrize("x", [X, POOLED], ids=["tokens", "texts"])
def test_the_classifier(x, seed):
    model = stressed(numbert.BertForTokenClassification, config(
        num_labels=4, classifier_dropout=0.45))
    out, grads = check_block(heads.classifier, heads.classifier_backward, model, "",
                             {"x": x}, seed=seed)
    assert out.shape == (*x.shape[:-1], 4)
    assert set(grads) == {"classifier.weight", "classifier.bias"}


@pytest.mark.parametrize("own, rate", [(None, 0.2), (0.0, 0.0), (0.45, 0.45)])
def test_the_classifier_s_dropout(own, rate):
    assert heads.classifier_dropout(config(
        hidden_dropout_prob=0.2, classifier_dropout=own)) == rate


@pytest.mark.parametrize("cls, f, x, where", [
    (numbert.BertForNextSentencePrediction, "order_head", POOLED,
     "cls.seq_relationship"),
    (numbert.BertForQuestionAnswering, "span_head", X, "qa_outputs")])
def test_heads_of_one_linear_layer(cls, f, x, where):
    model = stressed(cls)
    out, grads = check_block(getattr(heads, f), getattr(heads, f"{f}_backward"), model,
                             "", {"x": x})
    assert_near(out, x @ model.params[f"{where}.weight"].T
                + model.params[f"{where}.bias"], 1e-14)
    assert set(grads) == {f"{where}.weight", f"{where}.bias"}
