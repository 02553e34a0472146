"""A torch module as a candidate: one run of it, seen through hooks."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..models.trace import GRADIENT
from ..system.terminal import escaped
from .cases import Case
from .names import nearest
from .results import CandidateError
from .run import PARAMETER, run


class TorchRun:
    """One forward and backward pass of a module, and what its hooks see."""

    def __init__(self, module, case: Case, load: bool):
        self.module, self.case, self.load = module.eval(), case, load
        self.names = set(run(case))
        self.values: dict[str, np.ndarray] = {}
        self.seen: dict[str, Any] = {}           # tensors that will have a gradient
        if load:
            self.load_weights()
        first = next((x for x in module.parameters() if x.is_floating_point()), None)
        if first is None:
            raise CandidateError("the module has no parameters, expected a BERT: "
                                 "return a torch.nn.Module from the function")
        self.dtype, self.device = first.dtype, first.device

    def load_weights(self) -> None:
        """Copy the weights of the case into the module, by name."""
        import torch
        own = self.module.state_dict(keep_vars=True)
        filled = set()
        for name, value in self.case.params.items():
            if name not in own:
                raise CandidateError(
                    f"the module has no weight {name}, expected Hugging Face's names; "
                    f"nearest: {nearest(name, own)}: rename it, or load the weights in "
                    "your function and pass load=False")
            if tuple(own[name].shape) != value.shape:
                raise CandidateError(
                    f"{name} is {tuple(own[name].shape)} in the module, expected "
                    f"{value.shape}: build it from case.config")
            with torch.no_grad():
                own[name].copy_(torch.from_numpy(value))
            filled.add(id(own[name]))
        for name, value in self.module.named_parameters():         # a tied one once
            if id(value) not in filled:
                raise CandidateError(
                    f"the case has no weight {escaped(name)}, expected those of "
                    f"{self.case.kind}; nearest: {nearest(name, self.case.params)}: "
                    "build the module from case.config")

    def tensors(self, autocast) -> dict[str, np.ndarray]:
        """Run the module, and return {name: array}."""
        import torch
        inputs = self.inputs()
        hooks = [hook for path, part in self.module.named_modules() if path
                 for hook in (part.register_forward_hook(self.note_output(path)),
                              part.register_forward_pre_hook(self.note_input(path)))]
        dtype = getattr(torch, autocast) if isinstance(autocast, str) else autocast
        try:
            with torch.enable_grad(), torch.autocast(
                    self.device.type, dtype=dtype, enabled=dtype is not None):
                out = self.module(**inputs)
        finally:
            for hook in hooks:
                hook.remove()
        if self.backward(self.outputs(out)):
            self.note_gradients(inputs)
        return {name: x for name, x in self.values.items()
                if not self.load or name in self.names}

    def inputs(self) -> dict[str, Any]:
        """Return the inputs of the case as tensors, floats in the module's dtype."""
        import torch
        known = inspect.signature(self.module.forward).parameters
        open_ended = any(x.kind is x.VAR_KEYWORD for x in known.values())
        found = {}
        for name, value in self.case.inputs.items():
            if name not in known and not open_ended:
                raise CandidateError(
                    f"{type(self.module).__name__}.forward has no argument {name}, "
                    f"expected one of that name; it has: {', '.join(known)}: wrap the "
                    "module in one that takes Hugging Face's arguments")
            tensor = torch.tensor(np.asarray(value, order="C"), device=self.device)
            if tensor.is_floating_point():
                tensor = tensor.to(self.dtype)
                tensor.requires_grad_(PARAMETER + name in self.names)
            found[name] = tensor
        return found

    def note_output(self, path: str):
        """Return a hook for what the submodule at `path` gives."""
        def hook(module, args, out):
            if isinstance(out, (tuple, list)):
                ends = ("context", "probs") if self.load else map(str, range(len(out)))
                for end, value in zip(ends, out):
                    self.note(f"{path}.{end}", value)
            else:
                self.note(path, out)
                if self.load:
                    self.note(f"{path}.out", out)
        return hook

    def note_input(self, path: str):
        """Return a hook for what a LayerNorm reads: a sum, or an activation."""
        parent, _, last = path.rpartition(".")

        def hook(module, args):
            if self.load and last == "LayerNorm" and args:
                self.note(f"{parent}.sum", args[0])
                self.note(f"{parent}.act", args[0])
            elif not self.load and "norm" in type(module).__name__.lower() and args:
                self.note(f"{path}.in", args[0])
        return hook

    def note(self, name: str, value) -> None:
        """Copy a tensor at once: what comes later may write into it."""
        if not hasattr(value, "detach") or not value.is_floating_point():
            return
        self.values[name] = array(value)
        if value.requires_grad:
            value.retain_grad()
            self.seen[name] = value

    def outputs(self, out) -> dict[str, Any]:
        """Return the outputs by name; note the losses among them."""
        wanted = [*(() if self.case.cotangents else ("loss",)), *self.case.cotangents]
        if hasattr(out, "detach"):
            out = (out,)
        if isinstance(out, (tuple, list)):
            out = dict(zip(wanted, out))
        elif not isinstance(out, Mapping):
            out = dict(vars(out))
        lacking = [name for name in wanted if not hasattr(out.get(name), "detach")]
        if lacking:
            raise CandidateError(
                f"{type(self.module).__name__} gave no {lacking[0]}, expected "
                f"{', '.join(wanted)}; it gave: {', '.join(map(str, out)) or 'nothing'}"
                ": return these, as a dictionary, a tuple or an output of transformers")
        for name, value in out.items():
            if name in self.names and hasattr(value, "detach"):
                self.values[name] = array(value)
        return {name: out[name] for name in wanted}

    def backward(self, outputs: dict[str, Any]) -> bool:
        """Go back from the loss or the given outputs, if the module can."""
        import torch
        if not all(value.requires_grad for value in outputs.values()):
            return False
        self.module.zero_grad()
        grads = [torch.tensor(self.case.cotangents[name], device=value.device)
                 .to(value.dtype) if self.case.cotangents else torch.ones_like(value)
                 for name, value in outputs.items()]
        torch.autograd.backward(list(outputs.values()), grads)
        return True

    def note_gradients(self, inputs: dict[str, Any]) -> None:
        """Note the gradients: at what was seen, of parameters and of inputs."""
        import torch
        for name, tensor in self.seen.items():
            if tensor.grad is not None:
                self.values[GRADIENT + name] = array(tensor.grad)
        leaves = dict(self.module.named_parameters(remove_duplicate=False))
        for name, tensor in {**leaves, **inputs}.items():
            if tensor.requires_grad:           # no gradient that came back is 0
                grad = torch.zeros_like(tensor) if tensor.grad is None else tensor.grad
                self.values[PARAMETER + name] = array(grad)


def array(tensor) -> np.ndarray:
    """Return a copy of a tensor; bfloat16, which NumPy lacks, as float32."""
    tensor = tensor.detach()
    tensor = tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor
    return np.array(tensor.cpu().numpy())
