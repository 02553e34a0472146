"""The cases in which optimisers, clipping and schedules are compared with others."""

import numpy as np

STEPS = 10
SHAPES = {"dense.weight": (3, 5), "dense.bias": (3,), "LayerNorm.weight": (4,)}
ADAMW = [{"lr": 1e-2, "weight_decay": 0.0},
         {"lr": 3e-3, "weight_decay": 0.1, "betas": (0.8, 0.95), "eps": 1e-3}]
CLIPS = [1.0, 0.1, 1e6]
SCHEDULES = [("linear", 0, 5), ("linear", 3, 10), ("linear", 10, 10), ("cosine", 0, 6),
             ("cosine", 4, 13), ("constant", 0, 4), ("constant", 3, 7)]


def start():
    """Parameters, and gradients for every step: large, small, zero, of both signs."""
    rng = np.random.default_rng(0)
    params = {name: rng.standard_normal(shape) for name, shape in SHAPES.items()}
    scales = 10.0 ** rng.integers(-8, 2, STEPS)
    gradients = [{name: scale * rng.standard_normal(shape)
                  for name, shape in SHAPES.items()} for scale in scales]
    for g in gradients[::3]:
        g["dense.weight"][0] = 0
    return params, gradients
