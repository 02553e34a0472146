"""What holds for every test."""

from importlib.util import find_spec

import pytest


@pytest.fixture(scope="session", autouse=True)
def torch_is_as_accurate_as_it_promises():
    """Call each of torch's elementary functions once, on one number.

    On some processors the first call of such a function on many numbers may be wrong
    from the fifth digit in float32 and from the eleventh in float64: while one thread
    is still choosing the accurate routine, another takes a rough one (pytorch#188792).
    One number needs one thread only.
    """
    if not find_spec("torch"):
        return
    import torch
    for dtype in (torch.float32, torch.float64):
        one = torch.ones(1, dtype=dtype)
        for name in ("erf", "erfc", "exp", "expm1", "log", "log1p", "log2", "log10",
                     "sqrt", "rsqrt", "tanh", "sin", "cos", "sigmoid"):
            getattr(torch, name)(one)
