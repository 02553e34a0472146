"""Optimisers, gradient clipping and learning rate schedules.

`adamw_step` and `bertadam_step` are the only functions that write to parameters.  They
write in place, so what an earlier forward saved is no longer valid after a step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any

import numpy as np

from ..system.parallel import num_threads
from ..system.ranks import OneProcess

BLOCK = 1 << 16         # entries of each array that are worked on at a time


# --------------------------------------------------------------------- optimisers

def decayed(name: str) -> bool:
    """Whether weight decay applies: not to biases, nor to LayerNorm's weights.

    Devlin et al. do not mention this; google-research/bert's optimizer does it.
    """
    return not name.endswith("bias") and "LayerNorm" not in name


def adamw_init(params: dict) -> dict:
    """Return the state of either optimiser before its first step.

    Returns:
        {"step": ..., "m": ..., "v": ...}, each a dict by the names of `params`: how
        many updates a parameter had, and the running means of its gradient and of its
        square, zeros of its shape.
    """
    return {"step": dict.fromkeys(params, 0),
            "m": {name: np.zeros(x.shape, x.dtype) for name, x in params.items()},
            "v": {name: np.zeros(x.shape, x.dtype) for name, x in params.items()}}


def adamw_step(params: dict, grads: dict, state: dict, lr: float, *,
               betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8,
               weight_decay: float = 0.01,
               decays: Callable[[str], bool] = decayed) -> None:
    """Make one update by AdamW, exactly as torch.optim.AdamW does.

    Loshchilov & Hutter 2019, algorithm 2; Kingma & Ba 2015, algorithm 1:
        m = beta1 m + (1 - beta1) g                       v likewise, of g^2
        p = p - lr weight_decay p - lr m^ / (sqrt(v^) + eps)
    where m^ = m / (1 - beta1^t) and v^ = v / (1 - beta2^t) undo the start from zero.
    t counts the updates of this parameter, so one that was frozen starts with t = 1.

    Args:
        params: {name: array}; written to.
        grads: {name: array}; a parameter whose gradient is absent or None stays as it
            is, and so does its state.
        state: from adamw_init; written to.
        lr: learning rate of this step.
        betas, eps: see the formula.
        weight_decay: see the formula.
        decays: decays(name) says whether a parameter decays.  In torch all do:
            `lambda name: True`.

    Raises:
        ValueError: lr, betas or eps is out of range, or a gradient has no parameter.
    """
    grads = given(grads)
    beta1, beta2 = checked_settings(params, grads, lr, betas, eps)
    count_updates(state, grads)

    def update(name, p, g, m, v):
        # The two corrections are plain numbers, so they need not touch the arrays:
        # m^ / (sqrt(v^) + eps) = m (root / (1 - beta1^t)) / (sqrt(v) + root eps)
        t = state["step"][name]
        root = math.sqrt(1 - beta2 ** t)
        rate = lr * root / (1 - beta1 ** t)
        running_means(g, m, v, beta1, beta2)
        change = np.sqrt(v)
        change += root * eps                           # eps stands outside the root
        np.divide(m, change, out=change)
        change *= rate
        if weight_decay and decays(name):
            p *= 1 - lr * weight_decay                 # not through m and v: decoupled
        p -= change

    in_blocks(update, *aligned(params, grads, state))


def bertadam_step(params: dict, grads: dict, state: dict, lr: float, *,
                  betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-6,
                  weight_decay: float = 0.01,
                  decays: Callable[[str], bool] = decayed) -> None:
    """Make one update by BERT's own Adam, AdamWeightDecayOptimizer.

    Source: google-research/bert, optimization.py.
        m = beta1 m + (1 - beta1) g                       v likewise, of g^2
        p = p - lr (m / (sqrt(v) + eps) + weight_decay p)
    Without a correction for the start from zero the first step is long: (1 - beta1) /
    sqrt(1 - beta2) = 3.16 lr in every entry, where AdamW's is lr.

    Args, Raises: see adamw_step; eps is 1e-6 here.
    """
    grads = given(grads)
    beta1, beta2 = checked_settings(params, grads, lr, betas, eps)
    count_updates(state, grads)

    def update(name, p, g, m, v):
        running_means(g, m, v, beta1, beta2)
        change = np.sqrt(v)
        change += eps
        np.divide(m, change, out=change)
        if weight_decay and decays(name):
            change += weight_decay * p
        change *= lr
        p -= change

    in_blocks(update, *aligned(params, grads, state))


def running_means(g, m, v, beta1: float, beta2: float) -> None:
    """Move m towards g, and v towards g^2, in place.

    m starts from the nearer end, as torch's lerp does: when m is large, g small and
    beta1 0, m + (g - m) would lose g to rounding.
    """
    part = g - m
    if 1 - beta1 < 0.5:
        part *= 1 - beta1
        m += part
    else:
        part *= beta1
        np.subtract(g, part, out=m)
    np.multiply(g, g, out=part)
    part *= 1 - beta2
    v *= beta2
    v += part


OPTIMIZERS = {"adamw": adamw_step, "bertadam": bertadam_step}   # as `train` calls them


class OnArrays:
    """What `train` does with parameters and gradients that are arrays.

    A backend whose parameters are no arrays brings a class with the same names.

    Args:
        model: the model to train.
        autocast, compile: see `train`; a model of NumPy has neither.
    """

    threads: int | None = None      # parts to compute at once; None: one per processor
    settings: dict = {}             # what a checkpoint records of the backend
    optimizers = OPTIMIZERS
    ranks = OneProcess()            # the processes that share the run

    def __init__(self, model, autocast=None, compile=False):
        for name, value in ("autocast", autocast), ("compile", compile):
            if value:
                raise ValueError(f"{name} is {value!r}, expected a model that computes "
                                 f"with torch: use model.to_torch(), or leave {name} "
                                 "out")

    # gradients of the model's own loss, as label_gradients; None: that itself
    label_gradients: Any = None
    computing = staticmethod(nullcontext)       # around a forward and backward

    def norm(self, grads: dict) -> float:
        return global_norm(grads)

    def clip(self, grads: dict, max_norm: float) -> float:
        return clip_by_global_norm(grads, max_norm)

    def zeros(self, params) -> dict:
        """Return the state of either optimiser before its first step."""
        return adamw_init(params)

    def finite(self, x) -> bool:
        return bool(np.isfinite(x).all())

    def arrays(self, values) -> dict:
        """Return {name: array} of parameters, or of what has their names."""
        return values

    def placed(self, values: dict, params) -> dict:
        """Return arrays where the parameters of the same names are."""
        return values

    def copied(self, params) -> dict:
        return {name: x.copy() for name, x in params.items()}

    def put(self, params, values: dict) -> None:
        """Give the parameters these values."""
        params.update(values)


def optim_of(model, **options):
    """Return what `train` does with the parameters of this model; see OnArrays."""
    optim = getattr(getattr(model, "backend", None), "optim", None) or OnArrays
    return optim(model, **options)


def given(grads: dict) -> dict:
    """Leave out the gradients that are None, as torch does."""
    return {name: g for name, g in grads.items() if g is not None}


def count_updates(state: dict, names: Iterable[str]) -> None:
    """Count one more update of each of these parameters."""
    for name in names:
        state["step"][name] += 1


def checked_settings(params, grads, lr, betas, eps) -> tuple[float, float]:
    """Return the betas, once everything is known to be in range."""
    if not lr >= 0:
        raise ValueError(f"lr is {lr}, expected a number >= 0: check the schedule that "
                         "it comes from")
    if not all(0 <= beta < 1 for beta in betas):
        raise ValueError(f"betas are {betas}, expected two numbers in [0, 1): 0.9 and "
                         "0.999 are usual")
    if not eps >= 0:
        raise ValueError(f"eps is {eps}, expected a number >= 0: 1e-8 is usual")
    for name, g in grads.items():
        if name not in params:
            raise ValueError(f"grads holds {name!r}, expected only names of "
                             "parameters: take it out")
        if g.shape != params[name].shape:
            raise ValueError(f"the gradient of {name} has shape {g.shape}, expected "
                             f"{params[name].shape}, as the parameter has: check the "
                             "backward that it comes from")
    return betas


def aligned(params: dict, grads: dict, state: dict) -> list[dict]:
    """Return parameters, gradients and both means, each as {name: flat array}.

    A parameter that cannot be written to in place is replaced by a copy.
    """
    for name in grads:
        if not (params[name].flags.c_contiguous and params[name].flags.writeable):
            params[name] = params[name].copy(order="C")
    return [{name: arrays[name].reshape(-1) for name in grads}
            for arrays in (params, grads, state["m"], state["v"])]


def in_blocks(update: Callable, *flat: dict) -> None:
    """Call update(name, *blocks) for aligned blocks of flat arrays, on every core.

    A block stays in the processor's cache while it is read and written several times,
    and NumPy lets other threads run meanwhile.  Entries don't depend on one another, so
    neither the size of a block nor the number of threads changes the result.
    """
    work = [(name, slice(start, start + BLOCK)) for name, x in flat[0].items()
            for start in range(0, x.size, BLOCK)]

    def share(mine):
        for name, cut in mine:
            update(name, *(arrays[name][cut] for arrays in flat))

    threads = num_threads()
    if len(work) < 8 * threads:
        share(work)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(share, [work[i::threads] for i in range(threads)]))


# ----------------------------------------------------------------------- clipping

def global_norm(grads: dict) -> float:
    """Return the length of all gradients, taken together as one vector."""
    return math.sqrt(sum(float(np.dot(part, part)) for g in grads.values()
                         for part in pieces(g)))


def pieces(x) -> Iterator[np.ndarray]:
    """Yield flat parts of an array, so that each sum of float32 stays short."""
    flat = x.reshape(-1)
    return (flat[start:start + BLOCK] for start in range(0, flat.size, BLOCK))


def clip_by_global_norm(grads: dict, max_norm: float) -> float:
    """Shrink all gradients by one factor, in place, if their norm exceeds max_norm.

    The factor is min(1, max_norm / (norm + 1e-6)), as in torch's clip_grad_norm_.
    (Pascanu et al. 2013, section 3.2.  google-research/bert uses no 1e-6.)

    Args:
        grads: {name: array}; written to.
        max_norm: the largest norm to keep, > 0.

    Returns:
        the norm before clipping.  If it is not finite, the gradients stay as they are.
    """
    if not max_norm > 0:
        raise ValueError(f"max_norm is {max_norm}, expected a number > 0: call "
                         "global_norm instead to clip nothing")
    norm = global_norm(grads)
    factor = max_norm / (norm + 1e-6)
    if math.isfinite(norm) and factor < 1:
        for g in grads.values():
            g *= factor
    return norm


# ---------------------------------------------------------------------- schedules

def warm_up(step: int, warmup: int) -> float:
    """Climb from 0 to 1 in `warmup` steps.

    HF: the very first step has multiplier 0, so it changes nothing.
    """
    return step / max(1, warmup)


def constant_schedule(step: int, warmup: int = 0, total: int = 0) -> float:
    """Return the factor of lr at `step` = 0, 1, ...: 1 after the warm-up.

    Args:
        step: how many updates came before this one.
        warmup: updates of the warm-up.
        total: unused; it lets all schedules be called alike.
    """
    return warm_up(step, warmup) if step < warmup else 1.0


def linear_schedule(step: int, warmup: int, total: int) -> float:
    """Decrease linearly from 1 at the end of the warm-up to 0 at `total`.

    This is transformers' get_linear_schedule_with_warmup.  In google-research/bert the
    line starts at step 0, so that lr jumps to 1 - warmup / total after the warm-up.
    """
    if step < warmup:
        return warm_up(step, warmup)
    return max(0.0, (total - step) / max(1, total - warmup))


def cosine_schedule(step: int, warmup: int, total: int) -> float:
    """Fall from 1 at the end of the warm-up to 0 at `total` along half a cosine wave.

    This is transformers' get_cosine_schedule_with_warmup.
    HF: beyond `total` the wave goes on and climbs again.
    """
    if step < warmup:
        return warm_up(step, warmup)
    progress = (step - warmup) / max(1, total - warmup)
    return max(0.0, 0.5 * (1 + math.cos(math.pi * progress)))


SCHEDULES = {"constant": constant_schedule, "linear": linear_schedule,
             "cosine": cosine_schedule}
