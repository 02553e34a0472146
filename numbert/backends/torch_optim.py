"""Training on torch: what `train` does with parameters that are tensors.

The names are those of OnArrays in training/optim, and so is the arithmetic: in float64
a run equals that of NumPy to rounding.
"""

from __future__ import annotations

import math
from functools import partial

from . import torch_ops     # noqa: F401    it says what to install if torch is absent
from . import torch_ranks
from ..models.tensors import to_host

import torch
from torch.optim.adamw import adamw


class OnTensors:
    """See OnArrays.

    Args:
        model: one of to_torch, with parameters in float32 or float64.
        autocast: None, or "bfloat16" to compute in it where that is safe.
        compile: whether the model's own loss is compiled.

    Raises:
        ValueError: the parameters are in half precision, or autocast is unknown.
    """

    threads = 1                 # torch uses the cores itself, and has one generator

    def __init__(self, model, autocast=None, compile=False):
        check_dtypes(model.dtype, autocast)
        self.device = next(iter(model.params.values())).device.type
        self.autocast = autocast
        self.optimizers = {"adamw": adamw_step, "bertadam": bertadam_step}
        self.label_gradients = None
        if compile:
            self.label_gradients = partial(compiled_gradients,
                                           torch.compile(model.module))
        self.ranks = torch_ranks.ranks()
        self.settings = {"backend": "torch", "autocast": autocast,
                         "compile": bool(compile)}
        if self.ranks.count > 1:                # the sums are rounded differently then
            self.settings["processes"] = self.ranks.count

    def computing(self):
        kind = getattr(torch, self.autocast or "bfloat16")
        return torch.autocast(self.device, kind, enabled=self.autocast is not None)

    def norm(self, grads: dict) -> float:
        if not grads:
            return 0.0
        norms = torch._foreach_norm(list(grads.values()))
        return float(torch.stack(norms).norm())

    def clip(self, grads: dict, max_norm: float) -> float:
        norm = self.norm(grads)
        factor = max_norm / (norm + 1e-6)
        if math.isfinite(norm) and factor < 1:
            torch._foreach_mul_(list(grads.values()), factor)
        return norm

    def zeros(self, params) -> dict:
        return {"step": dict.fromkeys(params, 0),
                "m": {name: torch.zeros_like(x).detach() for name, x in params.items()},
                "v": {name: torch.zeros_like(x).detach() for name, x in params.items()}}

    def finite(self, x) -> bool:
        return bool(torch.isfinite(x).all())

    def arrays(self, values) -> dict:
        return {name: to_host(x) for name, x in values.items()}

    def placed(self, values: dict, params) -> dict:
        return {name: torch.as_tensor(x).to(params[name]) if name in params else x
                for name, x in values.items()}

    def copied(self, params) -> dict:
        return {name: x.detach().clone() for name, x in params.items()}

    @torch.no_grad()
    def put(self, params, values: dict) -> None:
        for name, value in values.items():
            params[name].copy_(torch.as_tensor(value))


def gradients(outs, leaves: dict, douts=None, retain_graph: bool | None = None) -> dict:
    """Return {name: gradient}, by autograd; 0 where the outputs do not depend on one.

    leaves: {name: tensor}.  douts: the gradient of each output; None for one number.
    """
    with torch.autocast(outs[0].device.type, enabled=False):
        grads = torch.autograd.grad(outs, list(leaves.values()), douts,
                                    retain_graph=retain_graph, allow_unused=True)
    return {name: torch.zeros_like(x) if grad is None else grad
            for (name, x), grad in zip(leaves.items(), grads)}


def compiled_gradients(module, model, part: dict, totals, rng):
    """What label_gradients returns, from a compiled module.

    All words are scored, as the number of labelled ones differs from batch to batch,
    and a graph for each would have to be compiled.
    """
    device = next(iter(model.params.values())).device
    given = {name: torch.as_tensor(x).to(device) for name, x in part.items()}
    rng = None if rng is None else model.backend.generator(rng)
    loss = module(**given, rng=rng, return_dict=True,
                  label_totals=tuple(max(total, 1) for total in totals)).loss
    return loss.item(), gradients([loss], model.params)


def check_dtypes(dtype, autocast) -> None:
    """Refuse to train weights in half precision, and to compute in an unknown one."""
    if dtype not in (torch.float32, torch.float64):
        name = str(dtype).removeprefix("torch.")
        raise ValueError(f"the parameters are in {name}, expected float32 to train "
                         "them, as small updates are lost to rounding: use "
                         'to_torch(dtype="float32") and train(autocast="bfloat16")')
    if autocast not in (None, "bfloat16"):
        raise ValueError(f"autocast is {autocast!r}, expected 'bfloat16' or None: "
                         "float16 would need scaled gradients")
    if autocast and dtype != torch.float32:
        raise ValueError(f"autocast is {autocast!r} and the parameters are in float64, "
                         'expected float32: use to_torch(dtype="float32")')


@torch.no_grad()
def adamw_step(params, grads: dict, state: dict, lr: float, *, betas, decays,
               eps: float = 1e-8, weight_decay: float = 0.01) -> None:
    """See adamw_step in training/optim; torch's own, which makes few calls."""
    for names in groups(grads, state, decays):
        decay = weight_decay if decays(names[0]) else 0.0
        steps = [torch.tensor(float(state["step"][name] - 1)) for name in names]
        adamw([params[name] for name in names], [grads[name] for name in names],
              [state["m"][name] for name in names],
              [state["v"][name] for name in names], [], steps, amsgrad=False,
              beta1=betas[0], beta2=betas[1], lr=lr, weight_decay=decay, eps=eps,
              maximize=False)


@torch.no_grad()
def bertadam_step(params, grads: dict, state: dict, lr: float, *, betas, decays,
                  eps: float = 1e-6, weight_decay: float = 0.01) -> None:
    """See bertadam_step in training/optim."""
    for names in groups(grads, state, decays):
        p, g, m, v = ([arrays[name] for name in names]
                      for arrays in (params, grads, state["m"], state["v"]))
        torch._foreach_lerp_(m, g, 1 - betas[0])
        torch._foreach_mul_(v, betas[1])
        torch._foreach_addcmul_(v, g, g, 1 - betas[1])
        change = torch._foreach_sqrt(v)
        torch._foreach_add_(change, eps)
        change = torch._foreach_div(m, change)
        if weight_decay and decays(names[0]):
            torch._foreach_add_(change, p, alpha=weight_decay)
        torch._foreach_add_(p, change, alpha=-lr)


def groups(grads: dict, state: dict, decays) -> list[list[str]]:
    """Count an update of each parameter; return the names that decay, and the others.
    """
    named = [name for name, g in grads.items() if g is not None]
    for name in named:
        state["step"][name] += 1
    both = ([name for name in named if decays(name) == wanted]
            for wanted in (True, False))
    return [names for names in both if names]
