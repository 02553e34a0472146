"""text-classification: the label of a text, or of a pair of texts."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ..bert.ops import sigmoid, softmax
from ..models.classes import BertForSequenceClassification
from ..system.numbers import is_number
from . import base
from .base import Pipeline, top

BEST = ""             # HF: this top_k gives one dict; top_k=1 gives a list of one dict


class TextClassificationPipeline(Pipeline):
    """Labels of a text, or of a pair given as {"text": ..., "text_pair": ...}.

    Options:
        top_k: how many labels to give, best first; None means all.  Without top_k the
            result is one dict for the best label, not a list.
        threshold: with top_k, give only labels with a score above this number; perhaps
            none.  A text that may have several labels has those above 0.5.
        function_to_apply: "softmax", "sigmoid" or "none": what turns logits into
            scores.  None lets the configuration decide, by problem_type and num_labels:
            none for a regression, sigmoid for one label or several at once, and softmax
            for one of several.
        text_pair: the second text of every pair, for texts that are not dicts.
        truncation, max_length, padding, tokenizer_kwargs: see FillMaskPipeline.

    Returns for a text:
        a dict with label and score, or a list of such dicts.
    """

    task = "text-classification"
    model_class = BertForSequenceClassification
    defaults = {"top_k": BEST, "threshold": None, "function_to_apply": None,
                "text_pair": None, **base.TOKENIZING}

    def __call__(self, inputs, **options):
        """Return the label of a text, or of each text of a list or iterable."""
        result = super().__call__(inputs, **options)
        # HF: one str gives a list of one, unless the call names top_k.
        alone = isinstance(inputs, str) and "top_k" not in options
        return [result] if alone else result

    def check(self, options):
        if options["top_k"] not in (BEST, None):
            base.count_option("top_k", options["top_k"])
        check_threshold(options["threshold"], options["top_k"])
        if options["text_pair"] is not None:
            base.text_of("text_pair", options["text_pair"])
        function = options["function_to_apply"]
        if function is not None:
            base.one_of("function_to_apply", str(function).lower(), FUNCTIONS)
        return {**options, "function_to_apply":
                default_function(self.model.config) if function is None
                else str(function).lower()}

    def rows(self, item, options):
        pair = options["text_pair"]
        if not isinstance(item, Mapping):
            return self.encode(base.text_of(self.subject, item), pair, options)
        if pair is not None:
            raise ValueError(f"text_pair is {pair!r:.60} and the item is a dict, "
                             "expected one of the two: put it into each dict")
        text, pair = base.fields_of(self.subject, item, "text", optional=("text_pair",))
        return self.encode(text, pair, options)

    def run(self, rows, options):
        return list(FUNCTIONS[options["function_to_apply"]](
            self.call_model(rows).logits))                         # (B, K)

    def result(self, item, rows, outputs, options):
        scores, count = outputs[0], options["top_k"]                   # (K,)
        if count == BEST:
            return self.labelled(scores, scores.argmax())
        least = -math.inf if options["threshold"] is None else options["threshold"]
        return [self.labelled(scores, i)
                for i in top(scores, len(scores) if count is None else count)
                if scores[i] > least]

    def labelled(self, scores, index) -> dict:
        """Return one class with its score."""
        return {"label": self.label(index), "score": float(scores[index])}


FUNCTIONS = {"softmax": lambda logits: softmax(logits)[0],
             "sigmoid": lambda logits: sigmoid(logits)[0],
             "none": lambda logits: logits}


def check_threshold(threshold, top_k) -> None:
    """Refuse a threshold that is not a number, or one without a list to shorten."""
    if threshold is None:
        return
    if not is_number(threshold):
        raise TypeError(f"threshold is {threshold!r:.60}, expected a number: "
                        "give one, such as 0.5")
    if top_k == BEST:
        raise ValueError(f"threshold is {threshold} without top_k, expected both, as "
                         "it shortens a list of labels: pass top_k=None, too")


def default_function(config) -> str:
    """Return the name of the function from logits to scores, by the kind of problem."""
    if config.problem_type == "regression":
        return "none"
    if config.problem_type == "multi_label_classification" or config.num_labels == 1:
        return "sigmoid"
    return "softmax"
