"""feature-extraction and sentence-embedding: hidden states of the backbone."""

from __future__ import annotations

import numpy as np

from ..models.classes import BertModel
from . import base
from .base import Pipeline, Row
from .sentence_files import sentence_settings
from .sentences import OPTIONS, Plan, planned, vectors_of


class FeatureExtractionPipeline(Pipeline):
    """The last hidden state of every token.

    Options:
        return_tensors: return arrays instead of nested lists.
        truncation, max_length, padding, tokenizer_kwargs: see FillMaskPipeline.
        tokenize_kwargs: another name for tokenizer_kwargs.

    Returns for a text:
        a nested list, or an array, of shape (1, T, C).
    """

    task = "feature-extraction"
    model_class = BertModel
    defaults = {"return_tensors": False, "tokenize_kwargs": None, **base.TOKENIZING}

    @classmethod
    def load_options(cls, given):
        return {"add_pooling_layer": False}

    def check(self, options):
        if options["tokenize_kwargs"] is None:
            return options
        if options["tokenizer_kwargs"] is not None:
            raise ValueError("tokenize_kwargs and tokenizer_kwargs are both given, "
                             "expected one of them: they are two names of one option")
        return {**options, "tokenizer_kwargs": options["tokenize_kwargs"]}

    def run(self, rows, options):
        states = self.call_model(rows).last_hidden_state           # (B, T, C)
        return [x[:len(row.ids)] for x, row in zip(states, rows)]

    def result(self, item, rows, outputs, options):
        states = outputs[0][None]                                      # (1, T, C)
        return states if options["return_tensors"] else states.tolist()


class SentenceEmbeddingPipeline(Pipeline):
    """One vector per text; see numbert.embed.  transformers has no such pipeline.

    Options:
        pooling, normalize, max_length, steps, truncate_dim, prompt, prompt_name,
        prompts, include_prompt, do_lower_case: see numbert.embed.

    The files of a sentence-transformers checkpoint decide the options that you leave
    out.

    Returns for a text:
        an array (E,); for a list of n texts an array (n, E).
    """

    task = "sentence-embedding"
    model_class = BertModel
    defaults = OPTIONS

    @classmethod
    def saved_options(cls, place, hub):
        return sentence_settings(place, **hub)

    @classmethod
    def load_options(cls, given):
        return {"add_pooling_layer": False}

    def __call__(self, inputs, **options):
        """Return the vector of a text, or the vectors of a list or iterable."""
        result = super().__call__(inputs, **options)
        if not isinstance(inputs, list):
            return result
        width = len(result[0]) if result else \
            self.plan({**self.options, **options}).width
        return np.array(result, self.model.array_dtype).reshape(-1, width)   # (n, E)

    def plan(self, options) -> Plan:
        """Return how to make vectors with these options."""
        return planned(self.model, self.tokenizer,
                       **{name: options[name] for name in OPTIONS if name in options})

    def check(self, options):
        return {"plan": self.plan(options)}

    def rows(self, item, options) -> list[Row]:
        plan = options["plan"]
        text = plan.prompt + base.text_of(self.subject, item)
        batch = plan.tokenizer(text, truncation=True, max_length=plan.max_length)
        return base.rows_of(batch, plan.tokenizer)

    def run(self, rows, options):
        inputs = self.inputs(rows)
        states = self.model(**inputs, packed=True).last_hidden_state  # (B, T, C)
        mask = inputs.get("attention_mask", np.ones(states.shape[:2]))
        return list(vectors_of(states, mask, options["plan"]))         # (B, E)

    def result(self, item, rows, outputs, options):
        return outputs[0]
