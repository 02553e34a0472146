"""fill-mask: the words that fit in place of [MASK]."""

from __future__ import annotations

import warnings

import numpy as np

from ..bert.losses import IGNORE_INDEX
from ..bert.ops import softmax
from ..models.classes import BertForMaskedLM
from . import base
from .base import Pipeline, top


class FillMaskPipeline(Pipeline):
    """Words for each [MASK] of a text, best first (Devlin et al. 2019, section 3.1).

    Options:
        top_k: how many words to give for each mask.
        targets: a word or a list of words to choose from.  A word that is not in the
            vocabulary is replaced by its first piece, with a warning.
        truncation, max_length: cut a text that is too long for the model.
        padding: accepted as in transformers; it changes no answer.
        tokenizer_kwargs: a dict of more arguments for the tokenizer.

    Returns for a text:
        a list of dicts with score (the probability), token (its id), token_str, and
        sequence (the text with the word filled in).  A text with several masks gives a
        list of such lists, one per mask, in which the other masks stay masked.
    """

    task = "fill-mask"
    model_class = BertForMaskedLM
    defaults = {"top_k": 5, "targets": None, **base.TOKENIZING}

    def __call__(self, inputs, **options):
        """Return the words for a text, or for each text of a list or iterable."""
        results = super().__call__(inputs, **options)
        # HF: a list of one text gives the same result as the text itself.
        return results[0] if isinstance(inputs, list) and len(inputs) == 1 else results

    def check(self, options):
        if self.tokenizer.mask_token_id is None:
            raise ValueError("the tokenizer's mask_token is None, expected a token "
                             "such as [MASK]: load a tokenizer that has one")
        count = base.count_option("top_k", options["top_k"])
        targets = options["targets"]
        if targets is not None:
            targets = target_ids(self.tokenizer, targets)
        return {**options, "top_k": count, "targets": targets}

    def rows(self, item, options):
        rows = super().rows(item, options)
        if self.tokenizer.mask_token_id not in rows[0].ids:
            cut = " (after truncation)" if options["truncation"] else ""
            raise ValueError(f"{item!r:.60} has no {self.tokenizer.mask_token}"
                             f"{cut}, expected at least one: put it where a word is "
                             "missing")
        return rows

    def run(self, rows, options):
        inputs = self.inputs(rows)
        masked = inputs["input_ids"] == self.tokenizer.mask_token_id   # (B, T)
        # The head is a third of a small model's work, so only masks go through it.
        out = self.model(**inputs, labels=np.where(masked, 0, IGNORE_INDEX),
                         labelled_only=True, packed=True, return_dict=True)
        probs, _ = softmax(out.logits)                                 # (P, V)
        return np.split(probs, np.cumsum(masked.sum(1))[:-1])

    def result(self, item, rows, outputs, options):
        ids, probs = np.array(rows[0].ids), outputs[0]                 # (T,), (P, V)
        places = np.flatnonzero(ids == self.tokenizer.mask_token_id)
        chosen = options["targets"]
        filled = [[self.proposal(ids, int(place), token, row[token], len(places) == 1)
                   for token in best_tokens(row, options["top_k"], chosen)]
                  for place, row in zip(places, probs)]
        return filled[0] if len(filled) == 1 else filled

    def proposal(self, ids, place: int, token: int, score, only: bool) -> dict:
        """Return one word for the mask at `place`, and the text filled in with it."""
        ids = ids.copy()
        ids[place] = token
        ids = ids[ids != self.tokenizer.pad_token_id]
        # HF: special tokens are left out, unless there are other masks to show.
        return {"score": float(score), "token": token,
                "token_str": self.tokenizer.decode([token]),
                "sequence": self.tokenizer.decode(ids, skip_special_tokens=only)}


def best_tokens(probs: np.ndarray, count: int, targets: list[int] | None) -> list[int]:
    """Return the ids of the `count` likeliest words, of all (V,) or of the targets."""
    if targets is None:
        return top(probs, count)
    return [targets[i] for i in top(probs[targets], count)]


def target_ids(tokenizer, targets) -> list[int]:
    """Return the ids of the words to choose from, each once.

    HF: a word that the vocabulary lacks is replaced by its first piece.
    """
    ids: dict[int, None] = {}
    vocab = tokenizer.get_vocab()
    for word in [targets] if isinstance(targets, str) else targets:
        token = vocab.get(base.text_of("a target", word))
        if token is None:
            pieces = tokenizer(word, add_special_tokens=False)["input_ids"]
            if not pieces:
                warnings.warn(f"the target {word!r} has no piece in the vocabulary: it "
                              "is ignored", stacklevel=5)
                continue
            token = pieces[0]
            warnings.warn(
                f"the target {word!r} is not in the vocabulary: its first piece "
                f"{tokenizer.convert_ids_to_tokens(token)!r} takes its place",
                stacklevel=5)
        ids[token] = None
    if not ids:
        raise ValueError(f"targets is {targets!r}, expected at least one word of the "
                         "vocabulary: without one there is nothing to choose from")
    return list(ids)
