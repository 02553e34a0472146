"""next-sentence and multiple-choice: whether one text goes with another.

transformers has no pipelines for these two heads.
"""

from __future__ import annotations

import numpy as np

from ..bert.ops import softmax
from ..models.classes import BertForMultipleChoice, BertForNextSentencePrediction
from . import base
from .base import Pipeline, top


class NextSentencePipeline(Pipeline):
    """How likely it is that the second text follows the first.

    Source: Devlin et al. 2019, section 3.1.

    An item is {"text": ..., "text_pair": ...}.

    Options:
        truncation, max_length, padding, tokenizer_kwargs: see FillMaskPipeline.

    Returns for an item:
        a dict with two probabilities, is_next and not_next.
    """

    task = "next-sentence"
    model_class = BertForNextSentencePrediction
    defaults = base.TOKENIZING

    def rows(self, item, options):
        text, pair = base.fields_of(self.subject, item, "text", "text_pair")
        return self.encode(text, pair, options)

    def run(self, rows, options):
        probs, _ = softmax(self.call_model(rows).logits)           # (B, 2)
        return list(probs)

    def result(self, item, rows, outputs, options):
        return {"is_next": float(outputs[0][0]), "not_next": float(outputs[0][1])}


class MultipleChoicePipeline(Pipeline):
    """How likely each of several texts is to go with a prompt.

    Source: Devlin et al. 2019, section 4.4.

    An item is {"prompt": ..., "choices": [...]}.

    Options:
        top_k: how many choices to give, best first; None means all.
        truncation, max_length, padding, tokenizer_kwargs: see FillMaskPipeline.

    Returns for an item:
        a list of dicts with choice, index (its place among the choices) and score (its
        probability), best first.
    """

    task = "multiple-choice"
    model_class = BertForMultipleChoice
    defaults = {"top_k": None, **base.TOKENIZING}

    def check(self, options):
        if options["top_k"] is not None:
            base.count_option("top_k", options["top_k"])
        return options

    def rows(self, item, options):
        """Return one row per choice: [CLS] prompt [SEP] choice [SEP]."""
        prompt, choices = base.fields_of(self.subject, item, "prompt", "choices")
        base.text_of(self.subject, prompt)
        if not isinstance(choices, (list, tuple)) or not choices:
            raise ValueError(f"choices is {choices!r:.60}, expected a list of at "
                             'least one text: give {"prompt": ..., "choices": [...]}')
        return [self.encode(prompt, base.text_of("a choice", choice), options)[0]
                for choice in choices]

    def run(self, rows, options):
        # The choices of an item need not share a batch: each gets its score alone.
        inputs = {name: x[:, None] for name, x in self.inputs(rows).items()}
        return list(self.model(**inputs, packed=True).logits[:, 0])  # (B,)

    def result(self, item, rows, outputs, options):
        probs, _ = softmax(np.array(outputs))                          # (M,)
        count = len(probs) if options["top_k"] is None else options["top_k"]
        return [{"choice": item["choices"][i], "index": i, "score": float(probs[i])}
                for i in top(probs, count)]
