"""The targets of the model's laws, made of `forward`, `backward` and `step`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...models import classes
from ...models.config import BertConfig
from ...models.params import param_shapes
from ...verify.cases import Case
from ..properties.forward import MODELS
from ..properties.targets import ModelTarget
from .target import part

# Small, distinct and awkward: a swapped axis cannot pass.
SIZES = {"vocab_size": 37, "hidden_size": 12, "num_hidden_layers": 2,
         "num_attention_heads": 3, "intermediate_size": 19,
         "max_position_embeddings": 11, "layer_norm_eps": 1e-5}
HEADS = {"BertForMaskedLM": "cls.predictions", "BertLMHeadModel": "cls.predictions",
         "BertForNextSentencePrediction": "cls.seq_relationship"}


class Outputs(dict):
    """What a model gives; what it lacks is not provided."""

    def __missing__(self, name):
        raise NotImplementedError(f"{name}, from forward")


def model_case(name: str, dtype: str) -> Case:
    """Return a case without inputs for a class that laws are about.

    name: of the class, perhaps with " with cross-attention".
    """
    from ..strategies.models import stressed
    kind, decoder = name.split()[0], "LMHead" in name
    config = {**SIZES, "is_decoder": decoder, "add_cross_attention": "cross" in name}
    shapes = param_shapes(BertConfig(**config), getattr(classes, kind))
    return Case("law", kind, config, stressed(shapes, dtype), {}, {}, "for a law")


def model_of(target: Any, name: str, dtype: str) -> ModelTarget:
    """Return a target of the laws, with stress weights.

    Raises:
        NotImplementedError: the target has neither `model` nor `forward`.
    """
    case = model_case(name, dtype)
    if getattr(target, "model", None) is not None:
        return target.model(case.kind, case.config, case.params)
    part(target, "forward")
    return made_of_functions(target, case)


def made_of_functions(target: Any, case: Case) -> ModelTarget:
    """Return the target of the laws for the model of a case."""
    def forward(inputs):
        asked = case._replace(inputs=dict(inputs))
        return hugging_face(asked, target.forward(asked))

    def backward(inputs, cotangents):
        other = {} if set(cotangents) == {"loss"} else cotangents
        grads = target.backward(case._replace(inputs=dict(inputs), cotangents=other))
        factor = cotangents.get("loss", 1.0)
        return Outputs({name.removeprefix("dparam:"): factor * np.asarray(x)
                        for name, x in grads.items()})

    def replaced(params):
        return made_of_functions(target, case._replace(params=dict(params)))

    def step(ids, mask, past):
        return target.step(case, ids, mask, past)

    def has(name):
        return getattr(target, name, None) is not None

    return ModelTarget(forward, case.params, replaced, BertConfig(**case.config),
                       backward if has("backward") else None,
                       step=step if has("step") and case.config["is_decoder"] else None)


# ---------------------------------------------------------------- names of outputs

def twins(case: Case) -> dict[str, str]:
    """Return {Hugging Face's name: the pack's} of outputs that are one array."""
    base = "" if case.kind == "BertModel" else "bert."
    last = BertConfig(**case.config).num_hidden_layers - 1
    found = {"last_hidden_state": f"{base}encoder.layer.{last}.output.out",
             "pooler_output": f"{base}pooler.out",
             "prediction_logits": "cls.predictions.out",
             "seq_relationship_logits": "cls.seq_relationship.out"}
    if case.kind != "BertModel":
        found["logits"] = f"{HEADS.get(case.kind, 'classifier')}.out"
    return found


def layers(case: Case) -> list[tuple[str, int, str]]:
    """Return (Hugging Face's name, place in it, the pack's name) of what layers give.
    """
    base = "" if case.kind == "BertModel" else "bert."
    count = BertConfig(**case.config).num_hidden_layers
    return [("hidden_states", 0, f"{base}embeddings.out")] + [
        (name, i + shift, f"{base}encoder.layer.{i}.{end}") for i in range(count)
        for name, shift, end in (("hidden_states", 1, "output.out"),
                                 ("attentions", 0, "attention.self.probs"))]


def golden_names(case: Case, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `forward` gave by the names of the pack."""
    pairs, out = twins(case), {}
    several = {"hidden_states", "attentions", "start_logits", "end_logits"}
    for name, value in given.items():
        if name not in several:
            out[pairs.get(name, name)] = value
    if "logits" in given and case.kind == "BertForMultipleChoice":
        out[pairs["logits"]] = np.reshape(given["logits"], (-1, 1))
    if "start_logits" in given and "end_logits" in given:
        out["qa_outputs.out"] = np.stack([given["start_logits"], given["end_logits"]],
                                         axis=-1)
    for name, place, own in layers(case):
        if name in given:
            out.setdefault(own, given[name][place])
    return out


def hugging_face(case: Case, given: Mapping[str, Any]) -> Outputs:
    """Return what `forward` gave by Hugging Face's names.

    Raises:
        NotImplementedError: there is no main output among it.
    """
    out = Outputs({name: x if isinstance(x, tuple) else np.asarray(x)
                   for name, x in given.items()})
    for name, own in twins(case).items():
        if own in out:
            out.setdefault(name, out[own])
    for name in ("hidden_states", "attentions"):
        keys = [key for which, _, key in layers(case) if which == name]
        if all(key in out for key in keys):
            out.setdefault(name, tuple(out[key] for key in keys))
    if "qa_outputs.out" in out:
        both = out["qa_outputs.out"]
        out.setdefault("start_logits", both[..., 0])
        out.setdefault("end_logits", both[..., 1])
    if case.kind != "BertModel":            # the head's output is the main one
        out.pop("last_hidden_state", None)
    if not any(name in out for name in MODELS):
        main = "last_hidden_state" if case.kind == "BertModel" else "logits"
        raise NotImplementedError(f"{main}, from forward")
    return out
