"""Laws N14, N25, N26, N30 and some exact zeros of a model's backward pass.

See `targets.ModelTarget` for what `model` is.  Gradients are compared with slopes of
the forward pass in float64; `numbert.testing.gradcheck` does it tensor by tensor.
"""

from __future__ import annotations

import numpy as np

from ..gradcheck import RESOLUTION, SAFETY, slope
from .forward import attended, names, size_of, within
from .laws import APPROXIMATE, EXACT, Words, law, near, require, same_bits

MAIN = "last_hidden_state"


def cotangent(model, inputs, rng) -> np.ndarray:
    """Return a random gradient of the hidden states; 0 where there is padding."""
    real = attended(inputs)
    shape = (*real.shape, model.config.hidden_size)
    drawn = np.random.default_rng(rng).standard_normal(shape)
    some = next(iter(model.params.values()))
    return (drawn * real[..., None]).astype(some.dtype)


def is_double(model) -> bool:
    """Whether a model computes in float64, as finite differences need the digits."""
    return all(x.dtype == np.float64 for x in model.params.values())


def along(model, inputs, dout, rng):
    """Return (t -> (<output, dout>, its size), <gradient, d>, the gradient's size).

    All parameters move by t d, where d is a random direction of length 1.
    """
    grads = model.backward(inputs, {MAIN: dout})
    rng = np.random.default_rng(rng)
    d = {name: rng.standard_normal(x.shape) for name, x in model.params.items()}
    length = np.sqrt(sum(np.vdot(x, x) for x in d.values()))
    d = {name: x / length for name, x in d.items()}

    def at(t):
        moved = model.replaced({name: x + t * d[name] for name, x in
                                model.params.items()})
        terms = moved.forward(inputs)[MAIN] * dout
        return float(terms.sum()), float(np.abs(terms).sum())

    parts = [float(np.vdot(grads[name], d[name])) for name in d if name in grads]
    return at, sum(parts), float(np.abs(parts).sum())


@law("N25", "backward", APPROXIMATE, needs=["backward"],
     catches="any gradient that is wrong, left out or counted twice")
def gradients_are_slopes(model, inputs, rng):
    """<gradient, d> is the slope of the output along d, for a random direction d.

    That is the adjoint law <J d, w> = <d, J^T w>.  It is judged in float64 only.
    """
    if not is_double(model):
        return 0.0
    at, analytic, size = along(model, inputs, cotangent(model, inputs, rng), rng)
    numeric, bound = slope(at, max(size, 1e-3))
    allowed = SAFETY * bound + RESOLUTION * 1e-2 * size
    require(abs(analytic - numeric) <= allowed, "the slope along a direction",
            got=analytic, expected=Words(f"{numeric:.9g} +- {allowed:.2g}"))
    return abs(analytic - numeric) / allowed


@law("N30", "backward", APPROXIMATE, needs=["backward"],
     catches="a gradient that is wrong by little, or one of a rougher function "
             "than the forward pass")
def finite_differences_converge(model, inputs, rng):
    """Halving the step of central differences leaves a quarter of the error.

    It is judged in float64 only.
    """
    if not is_double(model):
        return
    at, analytic, size = along(model, inputs, cotangent(model, inputs, rng), rng)
    steps = 2.0 ** -np.arange(1, 9) / 4
    errors = np.array([abs((at(h)[0] - at(-h)[0]) / (2 * h) - analytic)
                       for h in steps])
    noise = 2.0 ** -52 * at(0)[1] / steps * 64
    clear = errors > noise
    last = errors[clear][-1] if clear.any() else 0.0
    require(errors[-1] <= max(noise[-1], errors[0] / 256) or last <= 1e-6 * size,
            "the errors of smaller and smaller steps", got=errors.tolist(),
            expected=Words("a quarter of the error before, down to rounding"))


@law("N26", "backward", EXACT, needs=["backward"],
     catches="a backward pass that is not linear: one that overwrites what it "
             "saved, or adds up what it should return")
def backward_is_linear(model, inputs, rng):
    """Four times the cotangent, four times the gradient, to the bit; and again."""
    dout = cotangent(model, inputs, rng)
    once = model.backward(inputs, {MAIN: dout})
    for factor in (4, 1):
        again = model.backward(inputs, {MAIN: factor * dout})
        for name in once:
            same_bits(again[name], factor * once[name],
                      f"the gradient of {name} for {factor} times the cotangent")


@law("N14", "backward", APPROXIMATE, needs=["backward"], model="BertForMaskedLM",
     catches="a tied embedding with the gradient of one use only (G8, D4)")
def a_tied_table_gets_both_gradients(model, batch):
    """The gradient of the word embeddings is the sum over both of their uses.

    The batch's input_ids hold no padding, whose row Hugging Face treats apart.
    """
    table, = names(model, "word_embeddings.weight")
    both = model.backward(batch, {"loss": 1.0})[table]
    looked_up = {name: x for name, x in batch.items() if name != "input_ids"}
    looked_up["inputs_embeds"] = model.params[table][batch["input_ids"]]
    apart = model.backward(looked_up, {"loss": 1.0})
    want = apart[table].copy() if table in apart else np.zeros_like(both)
    np.add.at(want, batch["input_ids"], apart["inputs_embeds"])
    return near(both, want, "the gradient of the word embeddings",
                scale=float(np.abs(want).max()) + 1, **size_of(model))


@law("N36", "backward", APPROXIMATE, needs=["backward"],
     catches="a key bias with a gradient, a softmax whose gradient rows do not "
             "sum to 0 (B9)")
def the_key_bias_has_no_gradient(model, inputs, layer, rng):
    """The gradient of the key bias is 0 but for rounding."""
    grads = model.backward(inputs, {MAIN: cotangent(model, inputs, rng)})
    key = grads[within(model, layer, "attention.self.key.bias")]
    weight = grads[within(model, layer, "attention.self.key.weight")]
    scale = float(np.abs(weight).max()) * inputs["input_ids"].size + 1
    return near(key, np.zeros_like(key), "the gradient of the key bias", scale=scale,
                **size_of(model))


@law("N37", "backward", EXACT, needs=["backward"],
     catches="gradients that leak through the mask, or into rows that were "
             "never looked up (B1)")
def what_is_not_read_has_no_gradient(model, inputs, rng):
    """Words that occur nowhere, or only under the padding, have gradient exactly 0."""
    grads = model.backward(inputs, {MAIN: cotangent(model, inputs, rng)})
    table = grads[names(model, "word_embeddings.weight")[0]]
    unread = np.ones(len(table), bool)
    unread[inputs["input_ids"][attended(inputs)]] = False
    same_bits(table[unread], np.zeros_like(table[unread]),
              "the gradient of words that are not read")


@law("N38", "backward", APPROXIMATE, needs=["backward"],
     catches="a backward pass of LayerNorm that lets the mean through (N11)")
def gradients_before_a_layer_norm_sum_to_0(model, inputs, rng):
    """A shift before a LayerNorm changes nothing, so its gradient is 0."""
    grads = model.backward(inputs, {MAIN: cotangent(model, inputs, rng)})
    last = model.config.num_hidden_layers - 1
    bias = grads[within(model, last, "output.dense.bias")]
    everything = max(float(np.abs(x).max()) for x in grads.values())
    return near(np.asarray(bias.sum()), np.zeros((), bias.dtype),
                "the sum of the gradient of output.dense.bias",
                scale=everything * len(bias), **size_of(model))
