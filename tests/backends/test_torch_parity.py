"""The torch path computes what NumPy computes, in float64, in every case.

Oracles: NumPy's forward, NumPy's hand-written backward, and transformers.
"""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import numbert  # noqa: E402
from cases import CASES  # noqa: E402
from common import T, assert_near, config, ids, stressed, to_torch, twin  # noqa: E402

HIDDEN = "padding-all", "BertLMHeadModel-padding-left"   # some rows see no key at all
SEEN = [name for name in CASES if not any(part in name for part in HIDDEN)]


def cotangents(cls, output):
    """What backward starts from: the loss, or a gradient of the only output."""
    return {"last_hidden_state": np.ones(output[0].shape)} if \
        cls is numbert.BertModel else {}


@pytest.mark.parametrize("name, attention", [
    *((name, "eager") for name in CASES), *((name, "sdpa") for name in SEEN)])
def test_outputs_and_gradients_are_those_of_numpy(name, attention):
    cls, changes, inputs = CASES[name]
    model = stressed(cls, config(**changes))
    other = model.to_torch(attn_implementation=attention)
    want, saved = model.forward(**inputs)
    got, kept = other.forward(**inputs)
    assert got.keys() == want.keys()
    for field in set(want.keys()) - {"cache"}:
        assert type(got[field]) is type(want[field])            # arrays in, arrays out
        assert_near(got[field], want[field], 1e-12, field)
    start = cotangents(cls, want)
    wanted, found = model.backward(saved, **start), other.backward(kept, **start)
    assert set(found) == set(wanted)
    largest = max(np.abs(x).max() for x in wanted.values())
    for field, x in wanted.items():
        # key.bias has the gradient 0, and a small one cancels: beside the largest.
        size = max(np.abs(x).max(), 1e-3 * largest)
        assert_near(found[field], x, 1e-11 * size, field)


@pytest.mark.parametrize("name", [
    "BertForMaskedLM-padding-all", "BertForMaskedLM-padding-left",
    "BertModel-mask-per-query", "BertModel-cross-padding", "BertModel-decoder",
    "BertForSequenceClassification-everything", "BertForMultipleChoice-padding-right"])
@pytest.mark.parametrize("training", [False, True])
def test_transformers_sdpa_gives_the_same_bits(name, training):
    """Fully masked rows and dropout included: the draws are the same ones."""
    cls, changes, inputs = CASES[name]
    changes = {**changes, "hidden_dropout_prob": 0.3,
               "attention_probs_dropout_prob": 0.4}
    model = stressed(cls, config(**changes))
    hf = twin(model, "sdpa").train(training)
    module = model.to_torch().as_module().train(training)
    inputs = to_torch(inputs)
    theirs = dict(inputs)
    if name == "BertModel-mask-per-query":       # transformers adds such a mask
        hidden = ~theirs["attention_mask"].bool()
        theirs["attention_mask"] = torch.zeros(hidden.shape, dtype=torch.float64
                                               ).masked_fill(hidden, -torch.inf)
    outputs = []
    for module, given in ((hf, theirs), (module, inputs)):
        torch.manual_seed(3)
        outputs.append(module(**given))
    want, got = outputs
    for field in set(got.keys()) - {"cache"}:
        assert torch.equal(want[field], got[field]), field
    if training:
        again = module(**inputs)[1]
        assert not torch.equal(got[1], again)               # dropout does act


def test_a_row_without_keys_gives_zero_in_sdpa_and_no_gradient():
    x, mask = ids((1, T)), np.zeros((1, T, T), bool)
    model = stressed(numbert.BertModel, config(num_hidden_layers=1)).to_torch()
    trace = numbert.Trace("*.context")
    model(x, mask, trace=trace)
    assert not trace["encoder.layer.0.attention.self.context"].any()
    out, saved = model.forward(x, mask)
    grads = model.backward(saved, last_hidden_state=np.ones(out[0].shape))
    assert not grads["encoder.layer.0.attention.self.value.weight"].any()


def test_traces_record_the_same_taps():
    model = stressed(numbert.BertForMaskedLM)
    numpy, eager, fused = numbert.Trace(), numbert.Trace(), numbert.Trace()
    model(ids(), trace=numpy)
    model.to_torch(attn_implementation="eager")(ids(), trace=eager)
    model.to_torch()(ids(), trace=fused)
    assert list(eager) == list(numpy)
    assert max(size for _, size in numpy.compare(eager)) < 1e-12
    assert max(size for _, size in numpy.compare(fused)) < 1e-12
    assert {name.rpartition(".")[2] for name in set(numpy) - set(fused)} == {
        "scores", "masked_scores", "softmax", "probs"}


def test_one_seed_gives_one_dropout():
    model = stressed(numbert.BertModel).to_torch()
    first, second, other = (model(ids(), rng=seed)[0] for seed in (1, 1, 2))
    assert np.array_equal(first, second) and not np.array_equal(first, other)


@pytest.mark.parametrize("act", ["gelu_10", "quick_gelu", "gelu_fast", "relu2", "relu6",
                                 "leaky_relu", "mish", "hardswish", "sqrtsoftplus",
                                 "laplace", "linear"])
def test_rarer_activations(act):
    model = stressed(numbert.BertModel, config(hidden_act=act, num_hidden_layers=1))
    # torch cuts softplus off at 20, where 2e-9 are missing.
    near = 1e-8 if act in ("mish", "sqrtsoftplus") else 1e-12
    assert_near(model.to_torch()(ids())[0], model(ids())[0], near)
