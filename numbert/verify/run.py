"""A case through numbert: every tensor of its forward and backward pass, in order.

The names are those of a pack:

    bert.encoder.layer.0.output.out     what flows through a tap; see numbert.taps
    loss                                the loss, and the terms that it is the sum of
    grad:bert.encoder.layer.0.output.out    the gradient at that tap
    dparam:bert.pooler.dense.weight     the gradient of a parameter or an input
"""

from __future__ import annotations

import numpy as np

from ..bert.scope import NUMPY
from ..models import classes
from ..models.config import BertConfig
from ..models.trace import GRADIENT
from .cases import Case

PARAMETER = "dparam:"       # starts the names of the gradients of parameters and inputs
# Taps that show the same as another where dropout is off; and scores with a mask, whose
# hidden entries no two precisions have in common.
LEFT_OUT = (".masked_scores", ".softmax", "embeddings.LayerNorm")


def build(case: Case, dtype="float64", ops=NUMPY):
    """Return numbert's model of a case, in the given precision."""
    model = getattr(classes, case.kind)(
        BertConfig(**case.config), dtype=dtype,
        params={name: x.astype(dtype) for name, x in case.params.items()})
    model.ops = ops
    return model


def is_gradient(name: str) -> bool:
    """Whether a name is that of the gradient of a parameter or an input."""
    return name.startswith(PARAMETER)


def run(case: Case, model=None, dtype="float64", ops=NUMPY, given=None,
        store=None) -> dict:
    """Return {name: array} of a case's forward and backward pass, in their order.

    Args:
        model: computes it; by default `build(case, dtype, ops)`.
        given: {name: array}; each tensor that is computed is noted, and then replaced
            by the one given for it.  So every step is computed from given inputs.
        store: what becomes of a tensor when it is stored; by default nothing.
    """
    model = build(case, dtype, ops) if model is None else model
    steps = Steps(given or {}, store)
    _, saved = model.forward(**case.inputs, trace=steps)
    grads = model.backward(saved, trace=steps, **case.cotangents)
    return {**steps.arrays, **{PARAMETER + name: x for name, x in grads.items()}}


class Steps:
    """A trace that notes each tensor, and may replace it by another.

    Taps show the very arrays that a pass goes on with, so writing into one changes
    every later step.  A loss is one number, with which the pass does not go on.
    """

    def __init__(self, given, store=None):
        self.given, self.store, self.arrays = given, store, {}

    def record(self, name: str, value) -> None:
        """Note a tensor; the gradient of a loss, which is its weight, is left out."""
        if name.endswith(LEFT_OUT) or \
                name.startswith(GRADIENT) and name.endswith("loss"):
            return
        if self.store and np.ndim(value):
            value[...] = self.store(value)
        self.arrays[name] = np.array(value, subok=True)
        if name in self.given and self.arrays[name].ndim:
            value[...] = self.given[name]
