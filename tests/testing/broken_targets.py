"""Targets of the conformance suite with one bug each, named by the level.

All but the bug is numbert's.
"""

from types import SimpleNamespace

import numpy as np

import target_numbert as right
from numbert.testing.properties import targets as of


def only(*names, **wrong):
    """A target with some parts of numbert, and wrong ones."""
    return SimpleNamespace(profile="fp64", **{
        **{name: getattr(right, name) for name in names}, **wrong})


def one_type(given, settings):
    """Token types are all 0."""
    out = right.encode(given, settings)
    return out | {"token_type_ids": [0] * len(out["input_ids"])}


def unmasked(case):
    """Attention goes to the padding, too."""
    return right.forward(case._replace(inputs={
        name: x for name, x in case.inputs.items() if name != "attention_mask"}))


def doubled(case):
    """The look-up adds up its gradient twice."""
    return {name: 2 * x if "dparam" in name and "word_embeddings" in name else x
            for name, x in right.backward(case).items()}


def mask(ids, seed, probability=0.15):
    """[SEP] is masked like any other piece."""
    rng = np.random.default_rng(seed)
    picked = (rng.random(ids.shape) < probability) & (ids != 0) & (ids != 2)
    return np.where(picked, 4, ids), np.where(picked, ids, -100)


def step(case, ids, attention_mask, past):
    """Each chunk is read as if it were the first."""
    out = right.built(case)(ids, use_cache=True)
    return out.logits, out.cache


def generate(case, input_ids, attention_mask, count):
    """Padding is read as text."""
    return right.generate(case, input_ids, attention_mask | 1, count)


def training_step(case, optimizer, updates, **settings):
    """Everything decays, biases and LayerNorm as well."""
    found, decay = [], settings["lr"] * settings["weight_decay"]
    before = case.params
    for params in right.training_step(case, optimizer, updates, **settings):
        found.append({name: x - decay * before[name] if "bias" in name else x
                      for name, x in params.items()})
        before = params
    return found


tokenizer = only("encode_batch", encode=one_type)
forward = only(forward=unmasked)
backward = only("forward", backward=doubled)
masking = only(masking=of.MaskingTarget(mask, 60))
generation = only("forward", step=step, generate=generate)
training = only("forward", "backward", training_step=training_step)
counting = SimpleNamespace(mlm_count=right.mlm_count)
