"""numbert as a target of the conformance suite."""

import tempfile
from pathlib import Path

import numpy as np

import numbert
from numbert import BertTokenizer, __version__ as version
from numbert.testing.conformance.tokenizers import vocabulary
from numbert.testing.properties import targets as of
from numbert.training.optim import OPTIMIZERS, adamw_init
from numbert.verify.run import PARAMETER, Steps, gradients
from vector_target import SKIP, functions

name, profile = f"numbert {version}", "fp64"
FOLDER = tempfile.TemporaryDirectory()


def asked(function):
    """An operation of the vectors that says what it does not have."""
    def call(given, settings):
        output = function(given, settings)
        if output is SKIP:
            raise NotImplementedError(f"{function.__name__} of this kind")
        return output
    return call


globals().update({operation: asked(function) for operation, function in
                  functions(BertTokenizer, Path(FOLDER.name)).items()})
tokenizer = of.numbert_tokenizer(BertTokenizer(
    {piece: i for i, piece in enumerate(vocabulary())}))
masking = of.numbert_masking("exact")
operations = of.numbert_operations()


def built(case):
    """numbert's model of a case."""
    options = {} if case.kind != "BertModel" else {
        "add_pooling_layer": "pooler.dense.weight" in case.params}
    return getattr(numbert, case.kind)(
        numbert.BertConfig(**case.config), dtype="float64",
        params={name: x.astype("float64") for name, x in case.params.items()},
        **options)


def model(kind, config, params):
    """A target of the laws."""
    return of.numbert_model(getattr(numbert, kind)(
        numbert.BertConfig(**config), params=params, dtype="float64"))


def forward(case):
    """Every activation and loss, by the names of the pack."""
    steps = Steps({})
    built(case).forward(**case.inputs, trace=steps, keep=False)
    return steps.arrays


def backward(case):
    """Every gradient at an activation, and those of parameters and inputs."""
    steps = Steps({})
    grads = gradients(case, built(case), steps)
    return {name: x for name, x in steps.arrays.items() if ":" in name} | {
        PARAMETER + name: x for name, x in grads.items()}


def training_step(case, optimizer, updates, **settings):
    """Parameters after each update."""
    model, found = built(case), []
    state = adamw_init(model.params)
    for _ in range(updates):
        OPTIMIZERS[optimizer](model.params, gradients(case, model), state, **settings)
        found.append({name: np.array(x) for name, x in model.params.items()})
    return found


def generate(case, input_ids, attention_mask, count):
    """The likeliest ids, through the KV cache."""
    out = built(case).generate(input_ids, attention_mask=attention_mask,
                               max_new_tokens=count, do_sample=False,
                               eos_token_id=None)
    return out[:, input_ids.shape[1]:]
