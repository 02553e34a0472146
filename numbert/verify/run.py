"""A case through numbert: every tensor of its forward and backward pass, in order.

The names are those of a pack:

    bert.encoder.layer.0.output.out     what flows through a tap; see numbert.taps
    loss                                the loss, and the terms that it is the sum of
    grad:bert.encoder.layer.0.output.out    the gradient at that tap
    dparam:bert.pooler.dense.weight     the gradient of a parameter or an input
    adamw1:bert.pooler.dense.weight     the parameter after one update; 2 and 3 follow,
                                        and bertadam1 to bertadam3
"""

from __future__ import annotations

import re

import numpy as np

from ..bert.scope import NUMPY
from ..models import classes
from ..models.config import BertConfig
from ..models.trace import GRADIENT
from ..training.optim import OPTIMIZERS, adamw_init
from .cases import Case

PARAMETER = "dparam:"       # starts the names of the gradients of parameters and inputs
# Taps that show the same as another where dropout is off; and scores with a mask, whose
# hidden entries no two precisions have in common.
LEFT_OUT = (".masked_scores", ".softmax", "embeddings.LayerNorm")
# Three updates of the parameters of one case.  No setting is a default, so a program
# that ignores one is found out; all are exact in every format.
TRAINED, UPDATES = "classification", 3
SETTINGS: dict = {"lr": 2.0 ** -7, "betas": (0.875, 0.96875), "eps": 2.0 ** -20,
                  "weight_decay": 0.0625}


UPDATE = re.compile(r"(adamw|bertadam)(\d):(.+)")    # the names of updated parameters


def build(case: Case, dtype="float64", ops=NUMPY):
    """Return numbert's model of a case, in the given precision."""
    options = {} if case.kind != "BertModel" else {
        "add_pooling_layer": "pooler.dense.weight" in case.params}
    model = getattr(classes, case.kind)(
        BertConfig(**case.config), dtype=dtype, **options,
        params={name: x.astype(dtype) for name, x in case.params.items()})
    model.ops = ops
    return model


def run(case: Case, model=None, dtype="float64", ops=NUMPY, given=None, store=None,
        optimizers=OPTIMIZERS, backward: bool = True) -> dict:
    """Return {name: array} of a case's forward and backward pass, in their order.

    Args:
        model: computes it; by default `build(case, dtype, ops)`.
        given: {name: array}; each tensor that is computed is noted, and then replaced
            by the one given for it.  So every step is computed from given inputs.
        store: what becomes of a tensor when it is stored; by default nothing.
        optimizers: {name: function}, as in training; they make the updates.
        backward: whether to go on after the forward pass.
    """
    model = build(case, dtype, ops) if model is None else model
    steps = Steps(given or {}, store)
    if not backward:
        model.forward(**case.inputs, trace=steps, keep=False)
        return steps.arrays
    grads = gradients(case, model, steps)
    for name, x in grads.items():
        steps.note(PARAMETER + name, x)
    if case.name == TRAINED:
        start = model.params
        for flavour, update in optimizers.items():
            model.params = {name: np.array(x, subok=True) for name, x in start.items()}
            updated(case, model, steps, flavour, update)
        model.params = start
    return steps.arrays


def gradients(case: Case, model, trace=None) -> dict:
    """Return {parameter or input: its gradient}."""
    _, saved = model.forward(**case.inputs, trace=trace)
    return model.backward(saved, trace=trace, **case.cotangents)


def updated(case: Case, model, steps: "Steps", flavour: str, update) -> None:
    """Note the parameters of a model after each of its updates."""
    state = adamw_init(model.params)
    grads = {name: steps.given.get(PARAMETER + name, steps.arrays[PARAMETER + name])
             for name in model.params}
    for i in range(1, UPDATES + 1):
        update(model.params, grads, state, **SETTINGS)
        for name in model.params:
            steps.record(f"{flavour}{i}:{name}", model.params[name])
        grads = gradients(case, model) if i < UPDATES else {}


class Steps:
    """A trace that notes each tensor, and may replace it by another.

    Taps show the very arrays that a pass goes on with, so writing into one changes
    every later step.  A loss is one number, with which the pass does not go on.
    """

    def __init__(self, given, store=None):
        self.given, self.store, self.arrays = given, store, {}

    def note(self, name: str, value) -> None:
        """Keep a copy of a tensor."""
        self.arrays[name] = np.array(value, subok=True)

    def record(self, name: str, value) -> None:
        """Note a tensor; the gradient of a loss, which is its weight, is left out."""
        if name.endswith(LEFT_OUT) or \
                name.startswith(GRADIENT) and name.endswith("loss"):
            return
        if self.store and np.ndim(value):
            value[...] = self.store(value)
        self.note(name, value)
        given = self.given.get(name)
        if given is not None and np.ndim(value) and given.shape == value.shape:
            value[...] = given
