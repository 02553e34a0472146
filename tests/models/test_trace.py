"""Traces: the frozen list of taps, gradients under the same names, files."""

import numpy as np
import pytest

import numbert
from cases import fill
from common import B, S, T, assert_near, config, ids, stressed
from numbert import Trace

N, D, C, F, V = 3, 4, 12, 19, 37
ATTENTION = {
    "self.query": (B, T, C), "self.key": (B, T, C), "self.value": (B, T, C),
    "self.scores": (B, N, T, T), "self.probs": (B, N, T, T), "self.context": (B, T, C),
    "output.dense": (B, T, C), "output.out": (B, T, C)}
TAPS = {
    "bert.embeddings.word_embeddings": (B, T, C),
    "bert.embeddings.token_type_embeddings": (B, T, C),
    "bert.embeddings.position_embeddings": (1, T, C),
    "bert.embeddings.LayerNorm": (B, T, C),
    "bert.embeddings.out": (B, T, C),
    **{f"bert.encoder.layer.0.attention.{k}": v for k, v in ATTENTION.items()},
    "bert.encoder.layer.0.intermediate.dense": (B, T, F),
    "bert.encoder.layer.0.intermediate.out": (B, T, F),
    "bert.encoder.layer.0.output.dense": (B, T, C),
    "bert.encoder.layer.0.output.out": (B, T, C),
    "bert.pooler.dense": (B, C),
    "bert.pooler.out": (B, C),
    "cls.predictions.transform.dense": (B, T, C),
    "cls.predictions.transform.out": (B, T, C),
    "cls.predictions.out": (B, T, V),
    "cls.seq_relationship.out": (B, 2)}


def model():
    return stressed(numbert.BertForPreTraining, config(num_hidden_layers=1))


def test_names_and_shapes_are_frozen():
    trace = Trace()
    model()(ids(), trace=trace)
    assert {name: x.shape for name, x in trace.items()} == TAPS
    assert list(trace) == list(TAPS)                       # in the order of computation


def test_cross_attention_has_the_same_taps():
    trace = Trace("*crossattention*")
    stressed(numbert.BertModel, config(
        num_hidden_layers=1, is_decoder=True, add_cross_attention=True))(
            ids(), encoder_hidden_states=np.ones((B, 7, C)), trace=trace)
    assert [n.removeprefix("encoder.layer.0.crossattention.") for n in trace] == list(
        ATTENTION)
    assert trace["encoder.layer.0.crossattention.self.probs"].shape == (B, N, T, 7)


CALLS = {                               # class, changes, inputs
    "two heads": (numbert.BertForPreTraining, {}, {
        "labels": ids(rng=5), "next_sentence_label": [0, 1]}),
    "classifier": (numbert.BertForSequenceClassification, {}, {"labels": [0, 1]}),
    "cross": (numbert.BertLMHeadModel, {
        "is_decoder": True, "add_cross_attention": True}, {
        "labels": ids(rng=5), "encoder_hidden_states": fill((B, S, C))})}


@pytest.mark.parametrize("rng", [None, 4])                 # without and with dropout
@pytest.mark.parametrize("name", CALLS)
def test_backward_taps_are_gradients_of_the_same_names(name, rng):
    """Each gradient tap predicts what a nudge at that tap does to the loss."""
    cls, changes, inputs = CALLS[name]
    m = stressed(cls, config(
        num_hidden_layers=1, hidden_dropout_prob=0.2, attention_probs_dropout_prob=0.35,
        classifier_dropout=0.45, **changes))
    call = {"input_ids": ids(), **inputs, "rng": rng}
    forward, backward = Trace(), Trace()
    out, saved = m.forward(**call, trace=forward)
    m.backward(saved, trace=backward)
    absent = {"bert.embeddings.token_type_embeddings",     # same as the word's
              "bert.embeddings.position_embeddings"}
    assert set(backward) == set(forward) - absent
    for tap in backward:
        direction = np.cos(np.arange(forward[tap].size)).reshape(forward[tap].shape)
        losses = []
        for step in (1e-5, -1e-5):
            losses.append(m(**call, trace=Nudge(tap, step * direction)).loss)
        slope = (losses[0] - losses[1]) / 2e-5
        assert backward[tap].shape == forward[tap].shape
        assert_near(np.sum(backward[tap] * direction), slope, 1e-8, tap)


class Nudge(Trace):
    """Breaks the law that taps only observe, to test what gradients they show."""

    def __init__(self, name, change):
        super().__init__(name)
        self.change = change

    def record(self, name, value):
        if name in self.patterns:
            value += self.change


def test_patterns_save_load_compare(tmp_path):
    m, one, two = model(), Trace("*.probs", "*pooler*"), Trace()
    m(ids(), trace=one)
    assert set(one) == {"bert.encoder.layer.0.attention.self.probs",
                        "bert.pooler.dense", "bert.pooler.out"}
    one.save(tmp_path / "trace.safetensors")
    m.params["bert.pooler.dense.bias"] = m.params["bert.pooler.dense.bias"] + 1
    m(ids(), trace=two)
    loaded = Trace.load(tmp_path / "trace.safetensors")
    differences = dict(two.compare(loaded))
    assert differences["bert.encoder.layer.0.attention.self.probs"] == 0
    assert_near(differences["bert.pooler.dense"], 1, 1e-12)
    first = [name for name, d in two.compare(loaded) if d > 1e-6][0]
    assert first == "bert.pooler.dense"


def test_errors():
    trace = Trace("*.probs")
    model()(ids(), trace=trace)
    with pytest.raises(KeyError, match="'nothing' was not recorded, .* one of bert"):
        trace["nothing"]
    with pytest.raises(ValueError, match="no tap in common"):
        trace.compare(Trace())
    other = Trace("*.probs")
    model()(ids((B, 4)), trace=other)
    with pytest.raises(ValueError, match=r"shape \(2, 3, 5, 5\) in one trace"):
        trace.compare(other)


def test_outputs_and_taps_are_one_mechanism():
    m, trace = model(), Trace()
    out = m(ids(), output_hidden_states=True, output_attentions=True, trace=trace)
    assert np.array_equal(out.hidden_states[0], trace["bert.embeddings.out"])
    assert np.array_equal(out.hidden_states[1],
                          trace["bert.encoder.layer.0.output.out"])
    assert np.array_equal(out.attentions[0],
                          trace["bert.encoder.layer.0.attention.self.probs"])
