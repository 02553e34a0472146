"""Traces: the frozen list of taps, gradients beside values, files, comparisons."""

import warnings

import numpy as np
import pytest
from safetensors.numpy import save_file

import numbert
from cases import fill
from common import B, S, T, assert_near, config, ids, stressed
from numbert import Trace

N, D, C, F, V = 3, 4, 12, 19, 37
ATTENTION = {
    "self.query": (B, T, C), "self.key": (B, T, C), "self.value": (B, T, C),
    "self.scores": (B, N, T, T), "self.masked_scores": (B, N, T, T),
    "self.softmax": (B, N, T, T), "self.probs": (B, N, T, T), "self.context": (B, T, C),
    "output.dense": (B, T, C), "output.sum": (B, T, C), "output.out": (B, T, C)}
TAPS = {
    "bert.embeddings.word_embeddings": (B, T, C),
    "bert.embeddings.token_type_embeddings": (B, T, C),
    "bert.embeddings.position_embeddings": (1, T, C),
    "bert.embeddings.sum": (B, T, C),
    "bert.embeddings.LayerNorm": (B, T, C),
    "bert.embeddings.out": (B, T, C),
    **{f"bert.encoder.layer.0.attention.{k}": v for k, v in ATTENTION.items()},
    "bert.encoder.layer.0.intermediate.dense": (B, T, F),
    "bert.encoder.layer.0.intermediate.out": (B, T, F),
    "bert.encoder.layer.0.output.dense": (B, T, C),
    "bert.encoder.layer.0.output.sum": (B, T, C),
    "bert.encoder.layer.0.output.out": (B, T, C),
    "bert.pooler.dense": (B, C),
    "bert.pooler.out": (B, C),
    "cls.predictions.transform.dense": (B, T, C),
    "cls.predictions.transform.act": (B, T, C),
    "cls.predictions.transform.out": (B, T, C),
    "cls.predictions.out": (B, T, V),
    "cls.seq_relationship.out": (B, 2),
    "mlm_loss": (), "nsp_loss": (), "loss": ()}
LABELS = {"labels": ids(rng=5), "next_sentence_label": [0, 1]}


def model():
    return stressed(numbert.BertForPreTraining, config(num_hidden_layers=1))


def test_names_and_shapes_are_frozen():
    trace = Trace()
    m = model()
    _, saved = m.forward(ids(), **LABELS, trace=trace)
    assert {name: x.shape for name, x in trace.items()} == TAPS
    assert list(trace) == list(TAPS)                       # in the order of computation
    m.backward(saved, trace=trace)
    assert {name: x.shape for name, x in trace.items()} == {
        **TAPS, **{f"grad:{name}": shape for name, shape in TAPS.items()}}
    gradients = list(trace)[len(TAPS):]
    assert gradients[0] == "grad:loss"
    assert gradients[-1] == "grad:bert.embeddings.position_embeddings"


def test_cross_attention_has_the_same_taps():
    trace = Trace("*crossattention*")
    stressed(numbert.BertModel, config(
        num_hidden_layers=1, is_decoder=True, add_cross_attention=True))(
            ids(), encoder_hidden_states=np.ones((B, 7, C)), trace=trace)
    assert [n.removeprefix("encoder.layer.0.crossattention.") for n in trace] == list(
        ATTENTION)
    assert trace["encoder.layer.0.crossattention.self.probs"].shape == (B, N, T, 7)


CALLS = {                               # class, changes, inputs
    "two heads": (numbert.BertForPreTraining, {}, LABELS),
    "classifier": (numbert.BertForSequenceClassification, {}, {"labels": [0, 1]}),
    "spans": (numbert.BertForQuestionAnswering, {}, {
        "start_positions": [0, 2], "end_positions": [1, 4]}),
    "cross": (numbert.BertLMHeadModel, {
        "is_decoder": True, "add_cross_attention": True}, {
        "labels": ids(rng=5), "encoder_hidden_states": fill((B, S, C))})}
LOSSES = {"two heads": {"mlm_loss": 1, "nsp_loss": 1}, "classifier": {},
          "spans": {"start_loss": 0.5, "end_loss": 0.5}, "cross": {}}


@pytest.mark.parametrize("rng", [None, 4])                 # without and with dropout
@pytest.mark.parametrize("name", CALLS)
def test_backward_taps_are_gradients_of_the_same_names(name, rng):
    """Each gradient tap predicts what a nudge at that tap does to the loss."""
    cls, changes, inputs = CALLS[name]
    m = stressed(cls, config(
        num_hidden_layers=1, hidden_dropout_prob=0.2, attention_probs_dropout_prob=0.35,
        classifier_dropout=0.45, **changes))
    call = {"input_ids": ids(), **inputs, "rng": rng}
    trace = Trace()
    out, saved = m.forward(**call, trace=trace)
    m.backward(saved, trace=trace)
    values = [tap for tap in trace if not tap.startswith("grad:")]
    assert {f"grad:{tap}" for tap in values} == set(trace) - set(values)
    for tap in values:
        if not tap.endswith("loss"):
            check_gradient(m, call, tap, trace[tap], trace[f"grad:{tap}"])
    weights = {**LOSSES[name], "loss": 1}
    assert {tap for tap in values if tap.endswith("loss")} == set(weights)
    assert {tap: trace[f"grad:{tap}"] for tap in weights} == weights
    assert trace["loss"] == out.loss
    parts = [weight * trace[tap] for tap, weight in LOSSES[name].items()]
    assert not parts or sum(parts) == out.loss


def check_gradient(m, call, tap, value, gradient):
    """A nudge at a tap changes the loss as the tap's gradient predicts."""
    direction = np.cos(np.arange(value.size)).reshape(value.shape)
    # At 1e-5 the cubic term of a softmax under stress is already 1e-8.
    losses = [m(**call, trace=Nudge(tap, step * direction)).loss
              for step in (3e-6, -3e-6)]
    slope = (losses[0] - losses[1]) / 6e-6
    assert gradient.shape == value.shape
    assert_near(np.sum(gradient * direction), slope, 1e-8, tap)


class Nudge:
    """Breaks the law that taps only observe, to test what gradients they show."""

    def __init__(self, name, change):
        self.name, self.change = name, change

    def record(self, name, value):
        if name == self.name:
            value += self.change


def test_a_gradient_of_the_loss_is_recorded_as_given():
    m, trace = model(), Trace("*loss")
    _, saved = m.forward(ids(), **LABELS)
    m.backward(saved, loss=-2.5, trace=trace)
    assert dict(trace) == {f"grad:{name}": -2.5
                           for name in ("loss", "mlm_loss", "nsp_loss")}


def test_recorded_arrays_are_copies():
    m, trace = model(), Trace()
    out, saved = m.forward(ids(), **LABELS, trace=trace)
    before = {name: x.copy() for name, x in trace.items()}
    out.prediction_logits[:] = 0                           # the caller's own array
    assert all(np.array_equal(trace[name], x) for name, x in before.items())
    grads = m.backward(saved)
    for x in trace.values():
        x[...] = np.nan
    again = m.backward(saved)
    assert all(np.array_equal(grads[name], again[name]) for name in grads)


# ------------------------------------------------------------------ names and patterns

def test_names_fit_with_and_without_the_prefix():
    m = model()
    probs = "encoder.layer.0.attention.self.probs"
    for pattern in (probs, f"bert.{probs}", "encoder.*.probs", "*.self.probs"):
        trace = Trace(pattern)
        m(ids(), trace=trace)
        assert list(trace) == [f"bert.{probs}"]
        assert trace[probs] is trace[f"bert.{probs}"] is trace.get(probs)
        assert probs in trace and f"bert.{probs}" in trace and "probs" not in trace
    bare = numbert.BertModel(m.config, params={
        name.removeprefix("bert."): x for name, x in m.params.items()
        if name.startswith("bert.")})
    for pattern in (f"bert.{probs}", probs):
        trace = Trace(pattern)
        bare(ids(), trace=trace)
        assert list(trace) == [probs] and f"bert.{probs}" in trace
    trace = Trace("bert.*")
    m(ids(), trace=trace)
    assert set(trace) == {name for name in TAPS if name.startswith("bert.")}
    everything = Trace()
    bare(ids(), trace=everything)
    found = everything.compare(trace)                      # bert.x is x
    assert [name for name, _ in found] == list(everything)
    assert all(size == 0 for _, size in found) and not found.only_here


def test_patterns_select_values_gradients_or_both():
    m, trace = model(), Trace("grad:*.probs", "pooler.*")
    _, saved = m.forward(ids(), **LABELS, trace=trace)
    assert list(trace) == ["bert.pooler.dense", "bert.pooler.out"]
    m.backward(saved, trace=trace)
    assert list(trace)[2:] == ["grad:bert.pooler.out", "grad:bert.pooler.dense",
                               "grad:bert.encoder.layer.0.attention.self.probs"]
    assert np.array_equal(trace["grad:pooler.out"], trace["grad:bert.pooler.out"])


def test_a_pattern_that_matches_nothing_warns():
    m = model()
    with pytest.warns(UserWarning, match=r"^'\*.prob' matched no tap.*"
                                         r"numbert.taps\(model\)") as caught:
        _, saved = m.forward(ids(), **LABELS, trace=Trace("*.prob", "*.probs"))
    assert len(caught) == 1 and caught[0].filename == __file__
    with pytest.warns(UserWarning, match="matched no tap of this run") as caught:
        m.backward(saved, trace=Trace("grad:x"))
        m(ids(), trace=Trace("y"))
    assert [w.filename for w in caught] == [__file__] * 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        m(ids(), trace=Trace("grad:*"))                    # for the backward to come


def test_a_trace_is_a_mapping_with_a_short_repr(tmp_path):
    trace = Trace()
    assert repr(trace) == "<Trace of 0 arrays>"
    model()(ids(), trace=trace)
    assert repr(trace) == (
        f"<Trace of {len(TAPS) - 3} arrays: bert.embeddings.word_embeddings, "
        "bert.embeddings.token_type_embeddings, ..., cls.seq_relationship.out>")
    assert dict(trace).keys() == trace.keys() and trace.get("nothing") is None
    assert trace._ipython_key_completions_() == list(trace)
    assert all(a is b for a, b in zip(trace.values(), dict(trace).values()))
    np.savez(tmp_path / "trace.npz", **trace)
    with np.load(tmp_path / "trace.npz") as loaded:
        assert list(loaded) == list(trace)
        assert all(size == 0 for _, size in trace.compare(loaded))
    assert trace == trace and trace != Trace() and len({trace, Trace()}) == 2


# ------------------------------------------------------------- files and comparisons

def test_files_keep_order_metadata_and_bits(tmp_path):
    m, trace, path = model(), Trace(), tmp_path / "trace.safetensors"
    _, saved = m.forward(ids(), **LABELS, trace=trace)
    m.backward(saved, trace=trace)
    trace.save(path)
    loaded = Trace.load(path)
    assert list(loaded) == list(trace)
    assert all(loaded[name].dtype == x.dtype and np.array_equal(loaded[name], x)
               for name, x in trace.items())
    assert loaded.metadata == trace.metadata == {
        "class": "BertForPreTraining", "dtype": "float64",
        "numbert": numbert.__version__, "numpy": np.__version__}
    assert [path.name for path in tmp_path.iterdir()] == ["trace.safetensors"]
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ValueError, match="is not a whole safetensors file.*expected"):
        Trace.load(path)
    with pytest.raises(FileNotFoundError):
        Trace.load(tmp_path / "nowhere")
    with pytest.raises(OSError):
        trace.save(tmp_path / "nowhere" / "trace.safetensors")


def test_a_file_of_others_is_sorted_by_name(tmp_path):
    arrays = {name: np.ones(2) for name in ("c", "a", "b")}
    for i, metadata in enumerate((None, {}, {"order": "a\nb"}, {"order": ""})):
        save_file(arrays, tmp_path / f"{i}.safetensors", metadata)
        assert list(Trace.load(tmp_path / f"{i}.safetensors")) == ["a", "b", "c"]


@pytest.mark.parametrize("mine, theirs, size", [
    ([1, 2], [1, 2.5], 0.5), ([1, np.nan], [1, 2], np.inf),
    ([1, 2], [np.nan, 2], np.inf), ([np.nan], [np.nan], np.inf),
    ([np.inf], [np.inf], 0), ([np.inf], [-np.inf], np.inf),
    ([np.inf, 1], [3, 1], np.inf), ([], [], 0)])
def test_nan_is_an_infinite_difference(mine, theirs, size):
    trace, dtype = Trace(), np.float32
    trace.arrays = {"x": np.array(mine, dtype), "y": np.ones(2)}
    other = {"y": np.ones(2), "x": np.array(theirs, dtype)}
    assert trace.compare(other) == [("x", size), ("y", 0)]


def test_differences_are_taken_in_float64():
    """1 + 2^-30 is 1 in float32."""
    trace = Trace()
    trace.arrays = {"x": np.ones(1, np.float32)}
    assert trace.compare({"x": np.array([1 + 2**-30])}) == [("x", 2**-30)]


def test_missing_taps_are_named():
    one, two = Trace(), Trace()
    one.arrays = dict(zip("abc", np.ones((3, 2))))
    two.arrays = dict(zip("bcd", np.zeros((3, 2))))
    found = one.compare(two)
    assert found == [("b", 1), ("c", 1)]
    assert found.only_here == ["a"] and found.only_there == ["d"]
    assert repr(found).splitlines() == [
        "        1  b", "        1  c", "  missing  a (in the other trace)",
        "  missing  d (in this trace)"]


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


@pytest.mark.parametrize("trace", [True, [], "*.probs"])
def test_a_trace_is_one(trace):
    m = model()
    out, saved = m.forward(ids(), **LABELS)
    for call in (lambda: m(ids(), trace=trace), lambda: m.backward(saved, trace=trace)):
        with pytest.raises(TypeError, match="expected a Trace: make one with numbert"):
            call()


def test_outputs_and_taps_are_one_mechanism():
    m, trace = model(), Trace()
    out = m(ids(), output_hidden_states=True, output_attentions=True, trace=trace)
    assert np.array_equal(out.hidden_states[0], trace["bert.embeddings.out"])
    assert np.array_equal(out.hidden_states[1],
                          trace["bert.encoder.layer.0.output.out"])
    assert np.array_equal(out.attentions[0],
                          trace["bert.encoder.layer.0.attention.self.probs"])
