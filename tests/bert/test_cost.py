"""What a step costs in memory, counted in arrays: seconds depend on the machine."""

import tracemalloc

import numpy as np

from numbert.bert import ops
from numbert.bert.erf import BLOCK_BYTES
from numbert.system.parallel import num_threads
from numbert.training import optim

SLACK = 2**16               # Python's own objects


def peak(function):
    """The most bytes that a call holds beyond what was there before, second time."""
    function()                                       # tables are made once
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_gelu_holds_two_arrays_and_what_blocks_need():
    x = np.linspace(-5, 5, 1 << 20, dtype="f4")
    assert peak(lambda: ops.gelu(x)) <= 2 * x.nbytes + 4 * BLOCK_BYTES + SLACK


def test_adamw_holds_a_few_blocks_whatever_the_size_of_the_parameters():
    x = {"weight": np.ones((1024, 2048), "f4")}
    state = optim.adamw_init(x)
    blocks = 4 * optim.BLOCK * 4 * num_threads()
    held = peak(lambda: optim.adamw_step(x, {"weight": x["weight"] * 1}, state, 1e-3))
    assert held <= x["weight"].nbytes + blocks + SLACK
