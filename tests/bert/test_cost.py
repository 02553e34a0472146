"""What a layer and a step of AdamW cost, in arrays and passes over them.

Products and the memory of whole models: tests/models/test_products.py, test_memory.py.
"""

import numpy as np
import pytest

import numbert
from common import config, stressed
from counting import counted, counting, held
from numbert.bert import ops
from numbert.bert.encoder import layer, layer_backward
from numbert.bert.erf import BLOCK_BYTES
from numbert.bert.scope import Run, Scope
from numbert.system.parallel import num_threads
from numbert.training import optim

SLACK = 2**16               # Python's own objects
T, C, F, N = 700, 96, 224, 3
LARGE = T * C * 4           # bytes of the hidden states; more than a block of GELU's


def test_gelu_holds_two_arrays_and_what_blocks_need():
    x = np.linspace(-5, 5, 1 << 20, dtype="f4")
    assert held(lambda: ops.gelu(x))[1] <= 2 * x.nbytes + 4 * BLOCK_BYTES + SLACK


def layer_work():
    """-> arrays as large as the hidden states, and passes, forward and backward"""
    model = stressed(numbert.BertModel, config(
        hidden_size=C, intermediate_size=F, num_attention_heads=N), dtype="float32")
    x = counted(np.random.default_rng(0).standard_normal((1, T, C)).astype("f4"))
    found = []
    with counting(model) as work:
        p = Scope(model.params, Run(model.config, keep=True)).at("encoder.layer.0")
        out, saved = layer(p, x, None)
        found.append((work.large_arrays(LARGE), sum(work.passes)))
        layer_backward(out, saved, Scope({}, p.run, p.prefix))
        found.append((work.large_arrays(LARGE), sum(work.passes)))
    (arrays, passes), (all_arrays, all_passes) = found
    return (arrays, passes), (all_arrays - arrays, all_passes - passes)


def test_a_layer_makes_so_many_arrays_in_so_many_passes():
    """The arrays that are as large as the hidden states, and the passes over each kind.

    Forward.  Attention: q, k, v, q scaled, scores, probabilities, their sum of values,
    the heads joined.  GELU: its input, Phi, its output.  The end of both halves: dense,
    the sum with the residual, it centred, the output.
    Backward.  LayerNorm 7, GELU 7, products 6 (F or C) + 4 and dq scaled, softmax 2,
    heads joined 3, sums of gradients 4.
    """
    (arrays, passes), (back_arrays, back_passes) = layer_work()
    assert arrays == 8 + 3 + 2 * 4
    assert back_arrays == 2 * 7 + 7 + 6 + 5 + 2 + 3 + 4
    small = 16 * T                                   # one number for each token
    # Biases 5, q scaled 1, residuals 2, LayerNorm 2 x 6; bias 1, GELU 18; softmax 5.
    assert passes <= T * (20 * C + 19 * F + 5 * N * T) + small
    # Biases 5, dq scaled 1, sums 4, LayerNorm 2 x 11; bias 1, GELU 7; softmax 3.
    assert back_passes <= T * (32 * C + 8 * F + 3 * N * T) + small


@pytest.mark.parametrize("step, passes, decay", [
    (optim.adamw_step, 12, 1), (optim.bertadam_step, 12, 2)])
def test_an_optimiser_passes_over_its_arrays_so_often(step, passes, decay):
    """The two means take 7 passes, the change 5; decay is one more, or two."""
    x = {"weight": counted(np.ones((300, 700), "f4")), "bias": counted(np.ones(9000))}
    with counting() as work:
        state = optim.adamw_init(x)
        step(x, {name: v + 1 for name, v in x.items()}, state, 1e-3)
    weight, bias = x["weight"].size, x["bias"].size
    assert sum(work.passes) == (passes + 1) * (weight + bias) + decay * weight


def test_adamw_holds_a_few_blocks_whatever_the_size_of_the_parameters():
    x = {"weight": np.ones((1024, 2048), "f4")}
    state = optim.adamw_init(x)
    blocks = 4 * optim.BLOCK * 4 * num_threads()
    held_now, most = held(
        lambda: optim.adamw_step(x, {"weight": x["weight"] * 1}, state, 1e-3))
    assert most <= x["weight"].nbytes + blocks + SLACK and held_now <= SLACK
