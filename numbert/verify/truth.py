"""The truth of a case: every tensor proven with balls, and rounded once to float64.

A value is settled if its ball is so narrow that only one float64 number can be the
nearest.  Where some are not, all is computed again with twice the bits.  A value that
is exactly zero, such as the gradient of the bias of a key, can't be settled like that:
its ball always reaches to both sides of zero.  It counts as zero.
"""

from __future__ import annotations

import numpy as np

from ..training.optim import decayed
from .cases import Case
from .run import build, run

BITS, MOST_BITS = 256, 4096
WIDEST = 1e-25                      # the radius of each value, in RMS of its tensor


def proven(case: Case, bits: int = BITS) -> dict:
    """Return {name: float64 array}, as `run` does: the numbers nearest to the truth.

    Raises:
        ImportError: python-flint is not installed.
        ValueError: a value is still not settled with 4096 bits.
    """
    from flint import ctx
    from ..backends.exact import balls, exact
    with ctx.workprec(bits):
        tensors = {name: balls(x) for name, x in run(
            case, exact(build(case), bits), optimizers=OPTIMIZERS).items()}
    truth = {name: x.to_float64() for name, x in tensors.items()}
    unsettled = [name for name, x in tensors.items()
                 if not settled(x, truth[name])]
    if not unsettled:
        return truth
    if bits >= MOST_BITS:
        raise ValueError(f"{case.name}: {unsettled[0]} is not settled with {bits} "
                         "bits, expected one nearest float64 number for each value: "
                         "check that the weights and inputs are finite")
    return proven(case, 2 * bits)


def settled(x, truth) -> bool:
    """Whether each ball of a tensor is narrow, and has one nearest float64 number."""
    size = np.sqrt(np.mean(truth * truth)) or 1
    return bool(np.all(x.radius() <= WIDEST * size)
                and not np.any(x.undecided() & (truth != 0)))


# ------------------------------------------------- updates: see training/optim

def adamw_step(params, grads, state, lr, *, betas, eps, weight_decay):
    """One update by AdamW, with balls; the settings are the exact float64 numbers."""
    from ..backends.balls import root

    def formula(p, m, v, decay, rest):
        m, v = m / rest[0], v / rest[1]
        return p - lr * (weight_decay * decay) * p - lr * m / (root(v) + eps)

    _update(params, grads, state, betas, formula)


def bertadam_step(params, grads, state, lr, *, betas, eps, weight_decay):
    """One update by BERT's own Adam, with balls; see adamw_step."""
    from ..backends.balls import root

    def formula(p, m, v, decay, rest):
        return p - lr * (m / (root(v) + eps) + (weight_decay * decay) * p)

    _update(params, grads, state, betas, formula)


def _update(params, grads, state, betas, formula) -> None:
    """Move both means and the parameters; rest is what the means lack of their sums."""
    from flint import arb
    from ..backends.balls import balls
    betas = [arb(beta) for beta in betas]
    for name, g in grads.items():
        state["step"][name] += 1
        for mean, beta, new in (("m", betas[0], g), ("v", betas[1], g * g)):
            state[mean][name] = beta * state[mean][name] + (1 - beta) * new
        rest = [1 - beta ** state["step"][name] for beta in betas]
        params[name] = balls(formula(params[name], state["m"][name], state["v"][name],
                                     int(decayed(name)), rest))


OPTIMIZERS = {"adamw": adamw_step, "bertadam": bertadam_step}
