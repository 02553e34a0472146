"""What a model asks of the arrays that it computes with; NumPy's answers.

The blocks of BERT are the same for all backends.  A backend gives them other leaf
operations, and it says how inputs get to where the model is and outputs back.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np

from ..system.numbers import generator
from .config import check_attention
from .inputs import joined_mask
from .others import OTHERS


class NumPy:
    """Arrays in the memory of this process."""

    attend: Any = None          # see Run
    call: Any = None            # see Run
    # Whether it can leave padding out, and compute parts of a batch in threads.
    shards = True
    without_gradient = staticmethod(nullcontext)    # around a call without backward

    backward: Any = None        # computes gradients; None: the blocks' own backward

    base_model: Any = None      # makes the backbone of a model; None: the model does

    # The class with which `train` handles parameters and gradients; None: as arrays,
    # see OnArrays in training/optim.
    optim: Any = None

    def check(self, model, watch, trace) -> None:
        """Refuse to record what the backend does not compute."""

    def generator(self, rng):
        """Return what draws dropout, from the `rng` of a call."""
        return generator(rng)

    def place(self, x, like):
        """Return an input where the parameter `like` is, floats in its dtype.

        None stays None.
        """
        if x is None:
            return None
        x = np.asarray(x)
        return x.astype(like.dtype, copy=False) if x.dtype.kind in "fO" else x

    def mask(self, mask, causal, queries, keys, like):
        """Return a mask as attention reads it; see joined_mask for the arguments."""
        return joined_mask(None if mask is None else np.asarray(mask), causal, queries,
                           keys)

    def differentiable(self, outputs, loss):
        """Return the outputs that a backward of the backend's own starts from."""

    def give(self, output, asked: bool):
        """Return an output as the caller wants it.

        asked: whether the call had a tensor among its inputs.
        Each array is in one piece, row after row: safetensors saves no other rightly.
        """
        for name, x in output.items():
            if isinstance(x, np.ndarray):
                setattr(output, name, np.asanyarray(x, order="C"))
        return output

    def check_resizable(self, model) -> None:
        """Refuse to replace parameters, where that can't be done."""

    def given_back(self, output, inputs):
        """Return what generate made: as tensors if one is among its inputs."""
        return output

    def array_dtype(self, dtype):
        """Return the dtype of arrays that hold the outputs of a model of this dtype."""
        return dtype

    def arrays(self, params):
        """Return {name: array} of parameters, to save them."""
        return params


NUMPY_BACKEND = NumPy()


def torch_options(device, dtype, attn_implementation):
    """Return the arguments of to_torch if a model is to compute with torch, else None.

    Raises:
        ImportError, ValueError: torch is not installed, or has no such thing.
    """
    if device is None and attn_implementation != "sdpa":
        check_attention(attn_implementation)
        return None
    return OTHERS["torch"]().checked(device, None if dtype == "auto" else dtype,
                                     attn_implementation or "sdpa")
