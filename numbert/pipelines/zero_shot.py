"""zero-shot-classification: any labels, by a model that knows what follows from a text.

Source: Yin et al. 2019, "Benchmarking Zero-shot Text Classification", section 5.
"""

from __future__ import annotations

import warnings

import numpy as np

from ..bert.ops import softmax
from ..models.classes import BertForSequenceClassification
from . import base
from .base import Pipeline


class ZeroShotClassificationPipeline(Pipeline):
    """Which of several labels a text is about; the labels are chosen in the call.

    Each label makes a sentence, "This example is sports."  The model, trained on
    natural language inference, says whether it follows from the text (entailment).

    Options:
        candidate_labels: the labels, a list, or a str with commas between them; also
            the second argument of a call.
        hypothesis_template: the sentence, with {} where the label goes.
        multi_label: whether several labels may hold.  Then each score is by itself,
            entailment against contradiction; else the scores sum to 1.

    Returns for a text:
        a dict with sequence (the text), labels, and scores, best first.

    A text that is too long is cut; the sentence with the label is not.

    Warns:
        UserWarning: no label of the model begins with "entail"; its last one is taken.
    """

    task = "zero-shot-classification"
    model_class = BertForSequenceClassification
    defaults = {"candidate_labels": None, "multi_label": False,
                "hypothesis_template": "This example is {}."}

    def __init__(self, model, tokenizer, **options):
        super().__init__(model, tokenizer, **options)
        if entailment(model.config) == -1:
            warnings.warn(
                f"the labels are {', '.join(model.config.label2id)}, expected one that "
                'begins with "entail": the last one is taken for it; load a model '
                "trained on natural language inference", stacklevel=3)

    def __call__(self, inputs, candidate_labels=None, **options):
        """Return the labels of a text, or of each text of a list or iterable."""
        if candidate_labels is not None:
            options["candidate_labels"] = candidate_labels
        if {**self.options, **options}.get("candidate_labels") is None:
            raise ValueError("candidate_labels is None, expected a list of labels: "
                             'give some, such as ["sports", "politics"]')
        return super().__call__(inputs, **options)

    def check(self, options):
        labels, template = options["candidate_labels"], options["hypothesis_template"]
        if isinstance(labels, str):
            labels = [label.strip() for label in labels.split(",") if label.strip()]
        if labels is not None and not (
                isinstance(labels, (list, tuple)) and labels
                and all(isinstance(label, str) for label in labels)):
            raise ValueError(f"candidate_labels is {labels!r:.60}, expected a "
                             "list of at least one str: name the labels to choose from")
        base.text_of("hypothesis_template", template)
        if template.format("a") == template:
            raise ValueError(f"hypothesis_template is {template!r}, expected {{}} in "
                             "it: put that where the label goes")
        return {**options, "candidate_labels": labels}

    def rows(self, item, options):
        """Return one row per label: [CLS] text [SEP] hypothesis [SEP]."""
        if not base.text_of(self.subject, item):
            raise ValueError("the text is empty, expected one to classify: leave it "
                             "out of the list")
        return [self.row(item, options["hypothesis_template"].format(label))
                for label in options["candidate_labels"]]

    def row(self, text: str, hypothesis: str) -> base.Row:
        """Return the row of a text and a hypothesis; only the text is cut."""
        whole = self.tokenizer(text, hypothesis, verbose=False)["input_ids"]
        alone = self.tokenizer(text, add_special_tokens=False, verbose=False)
        # HF: where cutting the text can't help, nothing is cut.
        helps = len(whole) - len(alone["input_ids"]) < self.longest
        return self.encode(text, hypothesis, {}, max_length=self.longest if helps
                           else None, truncation="only_first" if helps else False)[0]

    def run(self, rows, options):
        return list(self.call_model(rows).logits)                  # (B, K)

    def result(self, item, rows, outputs, options):
        logits = np.stack(outputs)                                     # (n, K)
        yes = entailment(self.model.config)
        if options["multi_label"] or len(logits) == 1:
            # HF: contradiction is the first class, or the last if entailment is first.
            no = -1 if yes == 0 else 0
            scores = softmax(logits[:, [no, yes]])[0][:, 1]            # (n,)
        else:
            scores = softmax(logits[:, yes])[0]                        # (n,)
        best = scores.argsort(kind="stable")[::-1]     # HF: of equal ones, the last
        return {"sequence": item,
                "labels": [options["candidate_labels"][i] for i in best],
                "scores": scores[best].tolist()}


def entailment(config) -> int:
    """Return the class that means "follows from the text"; -1 if none is called so."""
    return next((i for label, i in config.label2id.items()
                 if label.lower().startswith("entail")), -1)
