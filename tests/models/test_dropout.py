"""Where dropout is applied and at which rate: Hugging Face in train mode, scaling."""

import numpy as np
import pytest

import numbert
from cases import CASES
from common import SMALL, B, S, T, assert_near, config, stressed, to_torch, twin
from numbert.bert import ops

C, N, L = (SMALL[k] for k in ("hidden_size", "num_attention_heads",
                              "num_hidden_layers"))
HIDDEN, ATTENTION, OWN = 0.2, 0.35, 0.45
CHOSEN = {                              # case: classifier_dropout, the rate it gives
    "BertModel-everything": (OWN, None),
    "BertModel-cross-padding": (OWN, None),
    "BertForSequenceClassification-everything": (OWN, OWN),
    "BertForTokenClassification-everything": (None, HIDDEN),
    "BertForMultipleChoice-everything": (None, HIDDEN)}


def build(name):
    """A model with three rates, its inputs, and gradients of its outputs."""
    cls, changes, inputs = CASES[name]
    model = stressed(cls, config(
        **changes, hidden_dropout_prob=HIDDEN, attention_probs_dropout_prob=ATTENTION,
        classifier_dropout=CHOSEN[name][0]))
    if cls is not numbert.BertModel:
        return model, inputs, {"loss": np.float64(1)}
    rng = np.random.default_rng(5)
    return model, inputs, {"last_hidden_state": rng.standard_normal((B, T, C)),
                           "pooler_output": rng.standard_normal((B, C))}


def numbers(output):
    """The outputs that are arrays, by name."""
    return [k for k in ("loss", "logits", "last_hidden_state", "pooler_output")
            if output.get(k) is not None]


@pytest.mark.parametrize("name", CHOSEN)
def test_hugging_face_drops_the_same_at_the_same_places(name, monkeypatch):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(9)

    def dropout(x, p=0.5, training=True, inplace=False):
        kept = ops.keep_mask(tuple(x.shape), p, rng)
        return x * torch.tensor(kept * (1 / (1 - p)))

    monkeypatch.setattr(torch.nn.functional, "dropout", dropout)
    monkeypatch.setattr(torch.nn.Dropout, "forward", lambda self, x: dropout(x, self.p))
    model, inputs, given = build(name)
    hf = twin(model).train()
    want = hf(**to_torch(inputs))
    sum((want[k] * torch.tensor(d)).sum() for k, d in given.items()).backward()

    out, saved = model.forward(**inputs, rng=9)
    grads = model.backward(saved, **given)
    assert numbers(out) == numbers(want)
    for k in numbers(want):
        assert_near(out[k], want[k].detach().numpy(), 1e-12, k)
    for k, p in hf.named_parameters():
        assert_near(grads[k], p.grad.numpy(), 1e-11, f"gradient of {k}")


def scale(name, classifier):
    """The factor on a parameter that does what dropout does if it keeps everything."""
    ends = {"embeddings.LayerNorm": HIDDEN, "self.value": ATTENTION,
            "output.dense": HIDDEN}
    layer, kind = name.rsplit(".", 1)
    if layer == "classifier":           # dropout comes before it, and before no bias
        return 1 / (1 - classifier) if kind == "weight" else 1
    return 1 / (1 - next((p for end, p in ends.items() if layer.endswith(end)), 0))


@pytest.mark.parametrize("name", CHOSEN)
def test_dropout_that_keeps_everything_scales_weights(name, monkeypatch):
    shapes = []
    monkeypatch.setattr(ops, "keep_mask", lambda shape, rate, rng: (
        shapes.append(shape), np.ones(shape, bool))[1])
    model, inputs, given = build(name)
    factors = {k: scale(k, CHOSEN[name][1]) for k in model.params}
    scaled = type(model)(model.config, params={
        k: x * factors[k] for k, x in model.params.items()}, dtype="float64")
    (out, saved), (want, want_saved) = (
        m.forward(**inputs, rng=g) for m, g in ((model, 9), (scaled, None)))
    for k in numbers(want):
        assert_near(out[k], want[k], 1e-12, k)
    grads = model.backward(saved, **given)
    for k, dscaled in scaled.backward(want_saved, **given).items():
        assert_near(grads[k], factors.get(k, 1) * dscaled, 1e-11, f"gradient of {k}")

    rows = B * 3 if "Choice" in name else B
    layer = [(rows, N, T, T), (rows, T, C)]
    if "cross" in name:
        layer += [(rows, N, T, S), (rows, T, C)]
    head = {"BertForTokenClassification": [(rows, T, C)], "BertModel": []}.get(
        type(model).__name__, [(rows, C)])
    assert shapes == [(rows, T, C)] + L * (layer + [(rows, T, C)]) + head
