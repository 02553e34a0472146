"""How much memory a model takes: by formulas, counted in entries of float32.

R tokens in texts of T, C hidden size, F intermediate size, N heads, L layers.
"""

import numpy as np
import pytest

import numbert
from common import config, ids, stressed
from counting import held
from numbert.bert.erf import BLOCK_BYTES
from numbert.bert.forward_only import BLOCK, QUERIES

C, F, N = 48, 160, 3
ENTRY = 4                               # bytes
SLACK = 2 ** 16                         # Python's own objects


def model(layers, **changes):
    return stressed(numbert.BertModel, config(
        hidden_size=C, intermediate_size=F, num_attention_heads=N,
        num_hidden_layers=layers, max_position_embeddings=4096, **changes),
        dtype="float32")


def size(arrays):
    return sum(x.nbytes for x in arrays.values())


def inference(layers, length, **call):
    bert, tokens = model(layers), ids((1, length))
    return held(lambda: bert(tokens, np.ones((1, length), int), **call))


def test_inference_holds_one_layer_and_no_square():
    """Its input and what the second half makes: three arrays (T, F), a few (T, C).

    Attention and GELU add the blocks that they work on.
    """
    peaks = [inference(1, length)[1] for length in (2048, 4096)]
    for length, peak in zip((2048, 4096), peaks):
        blocks = max(3 * BLOCK, 3 * QUERIES * length * ENTRY, 4 * BLOCK_BYTES)
        assert peak <= length * (3 * F + 6 * C) * ENTRY + blocks + SLACK
    assert peaks[1] <= 2.1 * peaks[0]


def test_inference_keeps_nothing_of_earlier_layers():
    peaks = [inference(layers, 512)[1] for layers in (1, 2, 8)]
    # From the second layer on there is the input of the stack besides, (T, C).
    assert peaks[1] <= peaks[0] + 512 * C * ENTRY + SLACK
    assert abs(peaks[2] - peaks[1]) <= SLACK


def test_attentions_are_held_if_asked_for():
    length, layers = 512, 2
    now, _ = inference(layers, length, output_attentions=True)
    squares = layers * N * length * length * ENTRY
    assert squares <= now <= squares + 3 * length * C * ENTRY + SLACK


def kept(length, texts):
    """What the backward of a layer needs, for texts of one length.

    Queries, keys, values, context; twice a norm and its output: 8 C.  GELU: its input,
    Phi and its output: 3 F.  The probabilities: N T.  Two standard deviations.
    """
    return texts * length * (8 * C + 3 * F + N * length + 2) * ENTRY


def forward(layers, shape, **call):
    bert, tokens = model(layers), ids(shape)
    return held(lambda: bert.forward(tokens, **call))[0]


@pytest.mark.parametrize("shape", [(1, 512), (8, 64)])
def test_forward_keeps_what_backward_needs(shape):
    grown = forward(4, shape) - forward(2, shape)
    assert abs(grown - 2 * kept(shape[1], shape[0])) <= SLACK


def test_a_packed_forward_keeps_tokens_only():
    mask = np.arange(256) < np.array([[256], [100], [100], [20]])
    call = {"attention_mask": mask, "packed": True}
    grown = forward(4, mask.shape, **call) - forward(2, mask.shape, **call)
    want = kept(256, 1) + kept(100, 2) + kept(20, 1)
    assert abs(grown - 2 * want) <= SLACK


def training(layers, shape):
    """-> the bytes of a training step's gradients, and the most it holds meanwhile"""
    bert, tokens, start = model(layers), ids(shape), np.ones((*shape, C), "f4")

    def step():
        saved = bert.forward(tokens)[1]
        return bert.backward(saved, last_hidden_state=start)

    return held(step)


@pytest.mark.parametrize("shape", [(1, 512), (8, 64)])
def test_a_training_step_holds_saved_gradients_and_the_work_of_a_layer(shape):
    batch, length = shape
    (now, peak), (_, more) = training(2, shape), training(3, shape)
    grads = size(model(2).params)
    layer = size(model(3).params) - grads
    assert abs(now - grads) <= SLACK                   # only the gradients are left
    assert abs(more - peak - kept(length, batch) - layer) <= SLACK
    work = batch * length * max(6 * F, 3 * N * length + 8 * C) * ENTRY
    assert peak <= 2 * kept(length, batch) + grads + work + SLACK
