"""Models that compute with torch: on a GPU, in half precision, with fused attention.

    fast = model.to_torch(device="cuda", dtype="bfloat16")
    fast(input_ids).last_hidden_state       # arrays in, arrays out
    module = fast.as_module()               # an ordinary torch.nn.Module

The blocks are those of NumPy.  They get other leaf operations, see torch_ops, and their
parameters from a module, see torch_module.
"""

from __future__ import annotations

import copy
from dataclasses import fields

import numpy as np

from .torch_module import PairRoot, Parameters, Root, call, plant
from .torch_ops import CAUSAL, TORCH, additive_mask, sdpa
from .torch_optim import OnTensors, gradients
from .torch_ranks import own_device
from ..models.backend import NUMPY_BACKEND
from ..models.outputs import ModelOutput
from ..models.taps import taps
from ..models.targets import check_start
from ..models.tensors import is_tensor, to_host
from ..models.trace import fits

import torch                            # after torch_ops, which says what to install

DTYPES = ("float32", "float64", "float16", "bfloat16")
IMPLEMENTATIONS = ("sdpa", "eager")
INSIDE = (".scores", ".masked_scores", ".softmax", ".probs")    # what SDPA never holds


def to_torch(model, device=None, dtype=None, attn_implementation="sdpa"):
    """Return a copy of a model that computes with torch; see the method of models."""
    options = checked(device, dtype or model.dtype, attn_implementation)
    twin = copy.copy(model)
    root: Root = (PairRoot if model.halves else Root)(twin)
    twin.module = root
    if model.halves:
        for half in model.halves:
            setattr(twin, half, to_torch(getattr(model, half), **options))
            root.add_module(half, getattr(twin, half).module)
        plant(root, tensors(model.projection, **options), {})
        twin.projection = Parameters(root, model.projection)
    else:
        twin.ops, twin.backend = TORCH, Torch(attn_implementation)
        plant(root, tensors(model.params, **options), model.aliases)
        twin.params = Parameters(root, model.params)
    return twin


def checked(device, dtype, attn_implementation) -> dict:
    """Return the options of to_torch, checked; a dtype that is None stays so."""
    if attn_implementation not in IMPLEMENTATIONS:
        raise ValueError(f"attn_implementation is {attn_implementation!r}, expected "
                         f"one of {', '.join(IMPLEMENTATIONS)}: leave it out for sdpa")
    return {"device": checked_device(device),
            "dtype": None if dtype is None else checked_dtype(dtype),
            "attn_implementation": attn_implementation}


def tensors(params, device, dtype, **options) -> dict:
    """Return copies of parameters, arrays or tensors, as tensors."""
    return {name: tensor(x, device, dtype) for name, x in params.items()}


def tensor(x, device, dtype):
    """Return a copy of a parameter, an array or a tensor, as a tensor."""
    x = x.detach().clone() if is_tensor(x) else torch.tensor(np.asarray(x))
    return x.to(device=device, dtype=dtype)


def checked_device(device):
    """Return a device of torch that is there; None means the CPU."""
    try:
        found = own_device(torch.device("cpu" if device is None else device))
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError, TypeError, NotImplementedError) as error:
        reason = (str(error).splitlines() or [""])[0]
        raise ValueError(f"device is {device!r}, expected one that torch can use here, "
                         f"such as 'cpu': torch says {reason!r}") from None
    return found


def checked_dtype(dtype):
    """Return a dtype of torch in which a model can compute."""
    name = str(dtype).removeprefix("torch.")
    try:
        name = name if is_torch_dtype(dtype) else np.dtype(dtype).name
    except TypeError:                                   # bfloat16, and what is no dtype
        pass
    if name not in DTYPES:
        raise ValueError(f"dtype is {name!r}, expected one of {', '.join(DTYPES)}: "
                         "leave it out for that of the model")
    return getattr(torch, name)


def is_torch_dtype(dtype) -> bool:
    """Whether this is a dtype of torch, not its name nor one of NumPy."""
    return isinstance(dtype, torch.dtype)


def base_model(model):
    """Return the backbone as a BertModel with the same tensors."""
    base = object.__new__(model.backbone_class)
    start, root = model.prefix, model.module.get_submodule(model.prefix[:-1])
    shapes = {name.removeprefix(start): shape for name, shape in model.shapes.items()
              if name.startswith(start)}
    vars(base).update(config=model.config, pooler=model.pooler, shapes=shapes,
                      ops=model.ops, backend=model.backend,
                      params=Parameters(root, shapes))
    return base


class Torch:
    """The backend of a torch model; for its methods see models/backend.

    Args:
        implementation: "sdpa" or "eager".
    """

    call = staticmethod(call)
    shards = False
    without_gradient = staticmethod(torch.no_grad)

    base_model = staticmethod(base_model)

    optim = OnTensors

    def __init__(self, implementation: str):
        self.attend = sdpa if implementation == "sdpa" else None

    def check(self, model, watch, trace) -> None:
        if self.attend is None:
            return
        asked = None
        if "attentions" in watch.fields:
            asked = "output_attentions is True"
        for pattern in getattr(trace, "patterns", ()):
            found = [name for name in taps(model) if fits(name, pattern)]
            if found and all(name.endswith(INSIDE) for name in found):
                asked = f"the trace asks for {pattern!r}"
        if asked:
            raise ValueError(f"{asked}, but attn_implementation is 'sdpa', which never "
                             "holds the probabilities, expected 'eager': use "
                             'to_torch(attn_implementation="eager")')

    def generator(self, rng):
        """HF: True draws from torch's own generator, wherever that is."""
        if rng is not True:
            torch.manual_seed(int(NUMPY_BACKEND.generator(rng).integers(2 ** 63)))
        return True

    def place(self, x, like):
        if x is None:
            return None
        if is_tensor(x):
            return x.to(like.device, like.dtype if x.is_floating_point() else None)
        x = x.astype(float) if x.dtype.kind == "O" else x
        x = torch.from_numpy(np.require(x, requirements=["C", "W"]))
        if not x.is_floating_point():
            return x.to(like.device)
        x = x.to(like.device, like.dtype)
        return x.requires_grad_() if torch.is_grad_enabled() else x

    def mask(self, mask, causal, queries, keys, like):
        lowest = None if self.attend is None else float("-inf")
        if mask is None and (not causal or queries == 1):
            return None
        if mask is None and self.attend is not None and queries == keys:
            return CAUSAL
        if causal:
            later = torch.ones(queries, keys, dtype=torch.bool,
                               device=like.device).tril(keys - queries)
        mask = later if mask is None else self.place(mask, like)
        return additive_mask(mask & later if causal else mask, like.dtype, lowest)

    def differentiable(self, outputs, loss):
        return {**{name: x for name, x in outputs.items() if x is not None},
                "loss": loss}

    def give(self, output, asked: bool):
        if not asked:
            for field in fields(output):
                setattr(output, field.name, on_host(getattr(output, field.name)))
        return output

    def array_dtype(self, dtype):
        return np.dtype("float64" if dtype == torch.float64 else "float32")

    def arrays(self, params):
        return {name: to_host(x) for name, x in params.items()}

    def check_resizable(self, model) -> None:
        raise TypeError("the parameters are those of a torch module, expected a model "
                        "of NumPy, whose tables can be replaced: change it first, and "
                        "then use to_torch")

    def given_back(self, output, inputs):
        found = [x for x in inputs if is_tensor(x)]
        return as_tensors(output, found[0].device) if found else output

    def backward(self, model, saved, loss, trace, given) -> dict:
        """Return what the model's own backward returns, by autograd."""
        if getattr(saved, "outputs", None) is None:
            raise ValueError("saved holds no outputs, expected the second result of "
                             "forward: output, saved = model.forward(...)")
        given = {name: d for name, d in given.items() if d is not None}
        if trace is not None:
            raise ValueError("trace is given to the backward of a torch model, expected"
                             " None, as autograd taps nothing: trace the NumPy model")
        check_start(saved.loss, loss, saved.shapes, given)
        if not given and loss is None:
            loss = 1.0
        if loss is not None:
            given["loss"] = np.asarray(loss)
        outs = [saved.outputs[name] for name in given]
        douts = [torch.as_tensor(d).to(out) for d, out in zip(given.values(), outs)]
        inputs = given_inputs(saved)
        leaves = {**model.params, **{name: x for name, (x, _) in inputs.items()}}
        call = saved.decoder.call if model.halves else saved.call
        found = gradients(outs, leaves, douts, retain_graph=not call.p.run.once)
        for name, (_, shape) in inputs.items():
            found[name] = found[name].reshape(*shape, -1)
        asked = saved.tensors if model.halves else call.tensors
        return found if asked else self.arrays(found)


def given_inputs(saved) -> dict:
    """Return {name: (tensor, its shape without C)} of inputs that have a gradient.

    saved: of one of the nine classes, or of an encoder-decoder.
    """
    if hasattr(saved, "decoder"):
        pair = {"decoder_inputs_embeds": saved.decoder.call}
        if saved.encoder is not None:
            pair["inputs_embeds"] = saved.encoder.call
        found = {name: (call.tokens["inputs_embeds"], call.shape)
                 for name, call in pair.items()}
        if saved.encoder is None:
            found["encoder_hidden_states"] = saved.hidden, saved.hidden.shape[:-1]
    else:
        call = saved.call
        found = {"inputs_embeds": (call.tokens["inputs_embeds"], call.shape)}
        if call.source is not None:
            found["encoder_hidden_states"] = call.source, call.source.shape[:-1]
    return {name: (x, shape) for name, (x, shape) in found.items()
            if x is not None and x.requires_grad}


def as_tensors(value, device):
    """Return arrays as tensors, in tuples and outputs too; all else as it is."""
    if isinstance(value, tuple):
        return tuple(as_tensors(x, device) for x in value)
    if isinstance(value, ModelOutput):
        for field in fields(value):
            setattr(value, field.name, as_tensors(getattr(value, field.name), device))
    return torch.from_numpy(value).to(device) if isinstance(value, np.ndarray) else \
        value


def on_host(value):
    """Return tensors as arrays, in tuples and outputs too; a cache stays as it is."""
    if isinstance(value, tuple):
        return tuple(map(on_host, value))
    return to_host(value) if not isinstance(value, ModelOutput) else value
