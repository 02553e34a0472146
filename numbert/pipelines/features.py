"""feature-extraction and sentence-embedding: hidden states of the backbone."""

from __future__ import annotations

import numpy as np

from ..models.classes import BertModel
from . import base
from .base import Pipeline
from .sentences import POOLINGS, pool, unit


class FeatureExtractionPipeline(Pipeline):
    """The last hidden state of every token.

    Options:
        return_tensors: return arrays instead of nested lists.
        truncation, max_length, tokenizer_kwargs: see FillMaskPipeline.
        tokenize_kwargs: another name for tokenizer_kwargs.

    Returns for a text:
        a nested list, or an array, of shape (1, T, C).
    """

    task = "feature-extraction"
    model_class = BertModel
    defaults = {"return_tensors": False, "tokenize_kwargs": None, **base.TOKENIZING}

    def check(self, options):
        if options["tokenize_kwargs"] is None:
            return options
        if options["tokenizer_kwargs"] is not None:
            raise ValueError("tokenize_kwargs and tokenizer_kwargs are both given, "
                             "expected one of them: they are two names of one option")
        return {**options, "tokenizer_kwargs": options["tokenize_kwargs"]}

    def run(self, rows, options):
        states = self.model(**self.inputs(rows)).last_hidden_state     # (B, T, C)
        return [x[:len(row.ids)] for x, row in zip(states, rows)]

    def result(self, item, rows, outputs, options):
        states = outputs[0][None]                                      # (1, T, C)
        return states if options["return_tensors"] else states.tolist()


class SentenceEmbeddingPipeline(Pipeline):
    """One vector per text; see numbert.embed.  transformers has no such pipeline.

    Options:
        pooling: "mean" over the tokens, or "cls".
        normalize: scale each vector to length 1.
        max_length: cut texts to this many tokens; None means what the model allows.

    The files of a sentence-transformers checkpoint decide the options that you leave
    out.

    Returns for a text:
        an array (C,); for a list of n texts an array (n, C).
    """

    task = "sentence-embedding"
    model_class = BertModel
    defaults = {"pooling": "mean", "normalize": False, "max_length": None}

    def __call__(self, inputs, **options):
        """Return the vector of a text, or the vectors of a list or iterable."""
        result = super().__call__(inputs, **options)
        if not isinstance(inputs, list):
            return result
        width = self.model.config.hidden_size
        return np.array(result, self.model.dtype).reshape(-1, width)   # (n, C)

    def check(self, options):
        base.one_of("pooling", options["pooling"], POOLINGS)
        if options["max_length"] is not None:
            length = base.count_option("max_length", options["max_length"], 3)
            if length > self.model.config.max_position_embeddings:
                raise ValueError(f"max_length is {length}, expected at most the "
                                 "model's max_position_embeddings "
                                 f"{self.model.config.max_position_embeddings}: leave "
                                 "it out for as many tokens as fit")
        return options

    def rows(self, item, options):
        text = base.text_of(self.task, item)
        return self.encode(text, None, options, truncation=True)

    def run(self, rows, options):
        inputs = self.inputs(rows)
        states = self.model(**inputs).last_hidden_state                # (B, T, C)
        mask = inputs.get("attention_mask", np.ones(states.shape[:2]))
        vectors = pool(states, mask, options["pooling"])               # (B, C)
        return list(unit(vectors) if options["normalize"] else vectors)

    def result(self, item, rows, outputs, options):
        return outputs[0]
