"""The few questions that have one answer for an array and another for a tensor.

A model of NumPy or of torch may be given either.  Nothing here needs torch unless there
is a tensor.
"""

from __future__ import annotations

import numpy as np


def is_tensor(x) -> bool:
    """Whether x is a tensor of torch."""
    return type(x) is not np.ndarray and hasattr(x, "requires_grad")


def namespace(x):
    """Return the module with the functions of x: torch for a tensor, else numpy."""
    if is_tensor(x):
        import torch
        return torch
    return np


def kind(x) -> str:
    """Return the kind of the numbers in x: NumPy's "b", "i", "u", "f", "c", ..."""
    if not is_tensor(x):
        return x.dtype.kind
    if x.is_floating_point() or x.is_complex():
        return "f" if x.is_floating_point() else "c"
    return "b" if x.dtype == namespace(x).bool else "i"


def visible(x):
    """Return x as an array whose values can be checked; None if they can't be.

    Values are not looked at on a GPU, which would have to wait, nor where there are
    none: on the meta device, under torch.compile and export, and under vmap.
    """
    if not is_tensor(x):
        return x
    if not concrete(x) or x.device.type != "cpu":
        return None
    x = x.detach()
    return (x.float() if x.is_floating_point() else x).numpy()


def concrete(x) -> bool:
    """Whether a tensor has values of its own, now."""
    import torch
    return not torch.compiler.is_compiling() and not x.is_meta and \
        type(x) in (torch.Tensor, torch.nn.Parameter) and \
        not torch._C._functorch.is_functorch_wrapped_tensor(x)


def all_true(mask) -> bool:
    """Whether a mask is known to hide nothing, so that faster kernels can be used.

    On a GPU this waits, once in a forward pass.
    """
    if not is_tensor(mask):
        return mask.all()
    seen = visible(mask)
    if seen is not None:
        return bool(seen.all())
    import torch
    return concrete(mask) and not torch.cuda.is_current_stream_capturing() and \
        bool(mask.all())


def to_host(x):
    """Return a tensor as an array, in float32 if it has half precision; x otherwise."""
    if not is_tensor(x):
        return x
    x = x.detach()
    if x.is_floating_point() and x.element_size() < 4:
        x = x.float()
    return x.cpu().numpy()[()]
