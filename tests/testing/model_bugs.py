"""Which laws catch the bugs of models that numbert/verify knows: run it for a table.

    PYTHONPATH=. python tests/testing/model_bugs.py

A law compares a model with itself, so a model of another formula may keep all of them:
a tanh GELU is as invariant as the right one.  Those bugs are for verify to find.
"""

import sys
from collections import Counter
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

import numbert
from common import config, stressed
from cache_cases import decoder
from numbert.testing.properties import targets
from numbert.testing.properties.table import applying
from numbert.verify.mutants import patched
from numbert.verify.zoo import MUTANTS
from property_bugs import catches

KINDS = ("forward", "inputs", "loss", "backward")


def models(dtype="float64") -> dict:
    """{the class that a law is about: its target}, with stress weights."""
    made = {name: stressed(getattr(numbert, name), config(layer_norm_eps=1e-5), dtype)
            for name in ("BertModel", "BertForMultipleChoice", "BertForMaskedLM",
                         "BertForSequenceClassification", "BertForQuestionAnswering")}
    made |= {"BertLMHeadModel": decoder(dtype=dtype),
             "BertLMHeadModel with cross-attention": decoder(cross=True, dtype=dtype)}
    return {name: targets.numbert_model(model) for name, model in made.items()}


def entries(made) -> list:
    """(property, target) of all laws of models and of single operations."""
    out = [(entry, target) for model, target in made.items()
           for level in ("forward", "backward", "generation")
           for entry in applying(level, target, model)]
    operations = targets.numbert_operations()
    return out + [(entry, operations) for level in ("operation", "training")
                  for entry in applying(level, operations)]


def with_inputs(target, change):
    """A target that misreads its inputs."""
    def seen(inputs):
        whole = {"token_type_ids": inputs["input_ids"] * 0,
                 "attention_mask": inputs["input_ids"] * 0 + 1, **inputs} \
            if "input_ids" in inputs else inputs
        return change(dict(whole))

    def again(make):
        return make and (lambda *given: with_inputs(make(*given), change))

    return target._replace(forward=lambda inputs: target.forward(seen(inputs)),
                           replaced=again(target.replaced), reload=again(target.reload))


def caught_by(mutant, pairs, max_examples=4) -> str | None:
    """The id of a law that fails with this bug in numbert, or None."""
    with patched(mutant):
        for entry, target in pairs:
            if mutant.inputs is not None and hasattr(target, "forward"):
                target = with_inputs(target, mutant.inputs)
            if catches(entry, target, max_examples):
                return entry.law.id
    return None


def main() -> None:
    """Print which law catches each bug."""
    pairs, total, caught = entries(models()), Counter(), Counter()
    for mutant in MUTANTS:
        if mutant.kind in KINDS and mutant.params is None:
            name = caught_by(mutant, pairs)
            total[mutant.kind] += 1
            caught[mutant.kind] += name is not None
            print(f"{mutant.kind:9} {name or 'missed':7} {mutant.id}: {mutant.title}",
                  flush=True)
    for kind in total:
        print(f"{kind:9} {caught[kind]} of {total[kind]}")


if __name__ == "__main__":
    main()
