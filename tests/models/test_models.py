"""All nine classes against Hugging Face on the same stress weights, in float64.

Live where transformers is installed; and against values recorded from it in
tests/golden/models.safetensors, which needs neither transformers nor torch.
"""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

import numbert
from cases import CASES
from common import CLASSES, assert_near, config, stressed, to_torch, twin

GOLDEN = Path(__file__).parents[1] / "golden" / "models.safetensors"
BOUND, GRADIENT_BOUND = 1e-12, 1e-11


def build(name):
    cls, changes, inputs = CASES[name]
    return stressed(cls, config(**changes)), inputs


def flat(output):
    """{name: array} of an output; tuples are numbered."""
    found = {}
    for name, value in output.items():
        if name in ("cache", "past_key_values"):
            continue
        parts = enumerate(value) if isinstance(value, tuple) else [("", value)]
        for i, part in parts:
            part = part if isinstance(part, np.ndarray) else getattr(
                part, "detach", lambda part=part: part)()
            found[f"{name}{i}"] = np.asarray(part)
    return found


def hf_inputs(model, inputs):
    """The same inputs for Hugging Face, whose masks of four axes are additive."""
    inputs = dict(inputs)
    mask = inputs.get("attention_mask")
    if mask is not None and mask.ndim == 4:
        inputs["attention_mask"] = np.where(mask, 0, np.finfo(model.dtype).min)
    return to_torch(inputs)


def hf_run(model, inputs):
    """Hugging Face's outputs, its loss in float64, and its gradients.

    The gradient is that of the loss, or without one of the sum of last_hidden_state
    and pooler_output, each weighted by cosines.
    """
    import torch
    hf = twin(model)
    tensors = hf_inputs(model, inputs)
    floats = {k: v.requires_grad_() for k, v in tensors.items()
              if k in ("inputs_embeds", "encoder_hidden_states")}
    out = hf(**tensors, output_hidden_states=True, output_attentions=True)
    found = flat(out)
    if isinstance(model, numbert.BertLMHeadModel) and "labels" in inputs:
        # HF computes this loss in float32 whatever the model: here it is in float64.
        if tensors["labels"].shape[1] > 1:
            out_loss = torch.nn.functional.cross_entropy(
                out.logits[:, :-1].flatten(0, 1), tensors["labels"][:, 1:].flatten())
        else:
            out_loss = out.logits.sum() * float("nan")
        found["loss"] = out_loss.detach().numpy()
    else:
        out_loss = out.get("loss")
    if out_loss is None:
        out_loss = sum((out[k] * torch.tensor(cotangent(out[k].shape))).sum()
                       for k in ("last_hidden_state", "pooler_output"))
    out_loss.backward()
    leaves = {**dict(hf.named_parameters()), **floats}
    grads = {k: np.zeros(p.shape) if p.grad is None else p.grad.numpy()
             for k, p in leaves.items()}
    return found, grads


def cotangent(shape):
    """A fixed gradient to go back from."""
    return np.cos(np.arange(np.prod(shape))).reshape(tuple(shape))


def our_run(model, inputs):
    """numbert's outputs and gradients, of the same quantity."""
    out, saved = model.forward(**inputs, output_hidden_states=True,
                               output_attentions=True)
    given = {}
    if type(model) is numbert.BertModel:
        given = {k: cotangent(out[k].shape)
                 for k in ("last_hidden_state", "pooler_output")}
    return flat(out), model.backward(saved, **given)


def compare(name, found, grads, want, want_grads):
    assert list(found) == list(want)
    for k in want:
        assert_near(found[k], want[k], BOUND, f"{name} {k}")
    assert list(grads) == list(want_grads)
    if np.isnan(want.get("loss", 0)):
        return                      # every label ignored: HF's gradient is nan or zero
    for k in want_grads:
        assert_near(grads[k], want_grads[k], GRADIENT_BOUND, f"{name} gradient of {k}")


@pytest.mark.parametrize("name", CASES)
def test_live(name):
    pytest.importorskip("transformers")
    model, inputs = build(name)
    compare(name, *our_run(model, inputs), *hf_run(model, inputs))


@pytest.mark.parametrize("name", CASES)
def test_golden(name):
    model, inputs = build(name)
    found, grads = our_run(model, inputs)
    golden = {k[len(name) + 1:]: v for k, v in load_file(GOLDEN).items()
              if k.startswith(f"{name}:")}
    assert golden
    for k, want in golden.items():
        kind, k = k.split(":")
        got = found[k] if kind == "out" else summary(k, grads[k])
        assert_near(got, want, BOUND if kind == "out" else 10 * GRADIENT_BOUND,
                    f"{name} {kind} {k}")


def summary(name, grad):
    """Three numbers of a gradient: sums weighted by cosines and sines, its square."""
    weights = np.arange(1, grad.size + 1)
    flat = np.ravel(grad)
    return np.array([flat @ np.cos(weights), flat @ np.sin(weights), flat @ flat])


@pytest.mark.parametrize("cls", CLASSES)
def test_call_is_forward_without_saving(cls):
    name = f"{cls.__name__}-everything"
    model, inputs = build(name)
    output, saved = model.forward(**inputs)
    again = model(**inputs)
    for k in again:
        if k != "cache":
            assert np.array_equal(again[k], output[k])
    assert saved.bert is not None
    _, nothing = model.forward(**inputs, keep=False)
    given = {} if "loss" in output else {"pooler_output": output.pooler_output}
    with pytest.raises(ValueError, match="saved is empty"):
        model.backward(nothing, **given)


@pytest.mark.parametrize("cls", CLASSES)
def test_tuples(cls):
    pytest.importorskip("transformers")
    decoder = {"is_decoder": True} if cls is numbert.BertModel else {}
    _, changes, inputs = CASES[f"{cls.__name__}-everything"]
    model = stressed(cls, config(**changes, **decoder))
    if cls is numbert.BertLMHeadModel:                     # HF: a loss in float32
        inputs = {k: v for k, v in inputs.items() if k != "labels"}
    options = dict(return_dict=False, output_attentions=True, output_hidden_states=True)
    got = model(**inputs, **options)
    want = twin(model)(**hf_inputs(model, inputs), **options)
    assert type(got) is tuple and len(got) == len(want)
    for g, w in zip(got, want):
        if isinstance(g, numbert.DynamicCache):
            assert type(w).__name__ == "DynamicCache"
        elif isinstance(g, tuple):
            assert isinstance(w, tuple) and len(g) == len(w)
            for a, b in zip(g, w):
                assert_near(a, b.detach().numpy(), BOUND)
        else:
            assert_near(g, w.detach().numpy(), BOUND)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("cls", CLASSES)
def test_dtype_in_is_dtype_out(cls, dtype):
    _, changes, inputs = CASES[f"{cls.__name__}-everything"]
    model = stressed(cls, config(**changes), dtype)
    trace = numbert.Trace()
    output, saved = model.forward(**inputs, trace=trace, rng=np.random.default_rng(0))
    assert all(x.dtype == dtype for x in trace.arrays.values())
    assert all(x.dtype == dtype for x in flat(output).values())
    given = {} if "loss" in output else {"pooler_output": output.pooler_output}
    backward_trace = numbert.Trace()
    grads = model.backward(saved, **given, trace=backward_trace)
    assert all(g.dtype == dtype for g in grads.values())
    assert all(x.dtype == dtype for x in backward_trace.arrays.values())


@pytest.mark.parametrize("cls", CLASSES)
def test_float32_is_near_float64(cls):
    _, changes, inputs = CASES[f"{cls.__name__}-everything"]
    exact = stressed(cls, config(**changes), "float64")
    model = cls(exact.config, params={k: x.astype("float32")
                                      for k, x in exact.params.items()})
    exact.params = {k: x.astype("float64") for k, x in model.params.items()}
    for k, want in flat(exact(**inputs)).items():
        assert_near(flat(model(**inputs))[k], want, 3e-5, k)
