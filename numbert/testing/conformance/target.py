"""What the suite tests: a module or an object with any of the attributes below.

Settings:
    name            what the report calls it
    versions        {library: version}, for the report
    dialect         "hf-fast" (default), "hf-legacy" or "google": whose rules the
                    tokenizer follows
    profile         the precision that the model computes in: "fp32" (default), "fp64",
                    "bf16", ...; in fp64 its weights are given in float64

Level tokenizer, and single rules of other levels: the operations of the vectors, which
vectors/README.md describes.  Each is a function (input, settings) -> output, and raises
an error for what it refuses:
    clean, normalize, pre_tokenize, wordpiece, read_vocabulary, encode, encode_batch,
    decode, token_type_ids                              tokenizer
    attention_mask, attention_weights, position_ids     forward
    targets, cross_entropy                              backward
    mlm_mask, mlm_count                                 masking

Levels forward, backward, generation, training_step: functions of a case, which has
kind (a class), config (arguments of BertConfig), params and inputs ({name: array}):
    forward(case) -> {name: array}.  Names are Hugging Face's (last_hidden_state,
        pooler_output, logits, loss, hidden_states, attentions, ...) or those of the
        golden pack, such as encoder.layer.0.output.out, in any mixture.
    backward(case) -> {parameter: gradient} of the loss or, if case.cotangents has
        {output: its gradient}, of these; and of inputs_embeds if it is an input.
        Names of the golden pack, such as grad:pooler.out, are compared as well.
    training_step(case, optimizer, updates, *, lr, betas, eps, weight_decay) -> a list
        of {parameter: array} after 1, 2, ... updates by the same batch; optimizer is
        "adamw" or "bertadam"; biases and weights of LayerNorm do not decay.
    step(case, input_ids, attention_mask, past) -> (logits, past): a decoder with a
        KV cache; past is None to begin with; the mask covers the cache, too.
    generate(case, input_ids, attention_mask, count) -> (B, count) ids, always the
        likeliest, without an end token; rows are padded on the left.

Targets of the laws, from numbert.testing.properties.targets, used as they are:
    masking         a MaskingTarget
    operations      an OperationsTarget
    tokenizer       a TokenizerTarget; by default it is made of `encode` and the others
    model(kind, config, params) -> a ModelTarget; by default it is made of `forward`,
                    `backward` and `step`

What is missing, or raises NotImplementedError, is skipped and reported as not provided.
"""

from __future__ import annotations

import contextlib
import os
import pkgutil
import sys
from typing import Any

from .. import vectors
from ..vectors.reading import Vector

LEVELS = ("tokenizer", "forward", "backward", "masking", "generation", "training_step")
OPERATIONS = {                  # {level: operations of vectors that belong to it}
    "tokenizer": ("clean", "normalize", "pre_tokenize", "wordpiece", "read_vocabulary",
                  "encode", "encode_batch", "decode", "token_type_ids"),
    "forward": ("attention_mask", "attention_weights", "position_ids"),
    "backward": ("targets", "cross_entropy"),
    "masking": ("mlm_mask", "mlm_count"),
}
PROVIDES = {                    # {level: further names that an adapter may have for it}
    "tokenizer": ("tokenizer",), "forward": ("forward", "model", "operations"),
    "backward": ("backward", "model", "operations"), "masking": ("masking",),
    "generation": ("step", "generate", "model", "forward"),
    "training_step": ("training_step", "operations"),
}


class TargetError(ValueError):
    """A target can't be loaded, or has nothing that the suite could test."""


def load(where: str) -> Any:
    """Return the target that "package.module" or "package.module:object" names.

    Raises:
        TargetError: there is none, it can't be imported, or it has nothing to test.
    """
    with contextlib.suppress(FileNotFoundError):       # the folder may be gone
        if os.getcwd() not in sys.path:
            sys.path.insert(0, os.getcwd())            # as `python -m pytest` does
    try:
        target = pkgutil.resolve_name(where)
    except Exception as error:
        raise TargetError(
            f"--target {where!r} can't be loaded ({type(error).__name__}: {error}), "
            "expected a module such as mypkg.adapter, or mypkg.adapter:object: run "
            "pytest where it can be imported") from error
    if not any(provided(target, level) for level in LEVELS):
        raise TargetError(
            f"--target {where!r} has nothing that can be tested, expected a function "
            "such as encode or forward: copy numbert/testing/conformance/template.py")
    return target


def provided(target: Any, level: str) -> list[str]:
    """Return what a target has for a level, by name."""
    return [name for name in (*OPERATIONS.get(level, ()), *PROVIDES[level])
            if getattr(target, name, None) is not None]


def part(target: Any, name: str) -> Any:
    """Return an attribute of a target.

    Raises:
        NotImplementedError: the target does not have it.
    """
    value = getattr(target, name, None)
    if value is None:
        raise NotImplementedError(name)
    return value


def answer(target: Any, vector: Vector) -> dict[str, Any]:
    """Return a target's answer to a vector, as a program would give it.

    Raises:
        NotImplementedError: the target does not have the operation.
    """
    asked = vectors.request(vector)
    function = part(target, asked["operation"])
    try:
        return {"output": function(asked["input"], asked["settings"])}
    except (KeyboardInterrupt, NotImplementedError):
        raise
    except BaseException as error:      # a refusal; a panic of Rust is no Exception
        return {"error": f"{type(error).__name__}: {error}"}
