"""The data collators of transformers, over tokenizer.pad and `masking`.

A collator makes one batch of a list of examples.  It can be the `collate` of `train`,
or be called on its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..bert.losses import IGNORE_INDEX
from ..system.numbers import is_whole_number
from .masking import mask_bernoulli, require_generator, vocabulary


@dataclass
class DataCollatorWithPadding:
    """Make a batch: pad the examples to one length.

    Args:
        tokenizer: a BertTokenizer or a BertTokenizerLegacy, whose `pad` is used.
        padding: True or "longest" (to the longest example), "max_length" or False.
        max_length: tokens, for padding="max_length".
        pad_to_multiple_of: round the length up to a multiple of this.
        return_tensors: "np" or "pt".
    """

    tokenizer: Any
    padding: bool | str = True
    max_length: int | None = None
    pad_to_multiple_of: int | None = None
    return_tensors: str = "np"

    def __call__(self, features, rng=None):
        """Return a batch, with `label` or `label_ids` renamed to `labels`.

        Args:
            features: a list of dicts with input_ids (T,), as a tokenizer returns them.
            rng: unused; for `train`.

        Returns:
            BatchEncoding of arrays (B, T)
        """
        batch = self.tokenizer.pad(
            list(features), padding=self.padding, max_length=self.max_length,
            pad_to_multiple_of=self.pad_to_multiple_of,
            return_tensors=self.return_tensors)
        for name in ("label", "label_ids"):
            if name in batch:
                batch["labels"] = batch.pop(name)
        return batch


@dataclass
class DataCollatorForLanguageModeling:
    """Make a batch with labels: of masked pieces, or of the text itself.

    Args:
        tokenizer: a BertTokenizer or a BertTokenizerLegacy.
        mlm: mask pieces, which are the labels.  False makes labels of all pieces but
            the padding, for a causal language model.
        whole_word_mask: mask whole words: all of their pieces become [MASK].
        mlm_probability: the share of the pieces to mask, in [0, 1].
        mask_replace_prob, random_replace_prob: the shares of the masked pieces that
            become [MASK] or a random piece; the others stay as they are.
        pad_to_multiple_of: round the length up to a multiple of this.
        return_tensors: "np" or "pt".
        seed: fixes the draws.  None draws differently in each run.

    Raises:
        ValueError: shares outside [0, 1], or a tokenizer without [MASK] or [PAD].

    Source: `masking.mask_bernoulli`; Devlin et al. 2019, section 3.1.
    """

    tokenizer: Any
    mlm: bool = True
    whole_word_mask: bool = False
    mlm_probability: float = 0.15
    mask_replace_prob: float = 0.8
    random_replace_prob: float = 0.1
    pad_to_multiple_of: int | None = None
    return_tensors: str = "np"
    seed: int | None = None
    rng: np.random.Generator = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        if self.seed is not None and not (
                is_whole_number(self.seed) and self.seed >= 0):
            raise ValueError(f"seed is {self.seed!r}, expected a whole number >= 0: "
                             "leave it out for a fresh one each time")
        self.rng = np.random.default_rng(self.seed)
        shares = self.mask_replace_prob, self.random_replace_prob
        for name, value in (("mlm_probability", self.mlm_probability),
                            ("mask_replace_prob", shares[0]),
                            ("random_replace_prob", shares[1]),
                            ("mask_replace_prob + random_replace_prob", sum(shares))):
            if not 0 <= value <= 1:
                raise ValueError(f"{name} is {value!r}, expected 0 to 1: leave it out "
                                 "for the default")
        if self.mlm:
            vocabulary(self.tokenizer)                  # raises without [MASK]
        elif self.whole_word_mask:
            raise ValueError("mlm is False, expected True with whole_word_mask=True: "
                             "leave one of them out")
        if self.whole_word_mask and shares not in ((0.8, 0.1), (1, 0)):
            raise ValueError(
                f"mask_replace_prob and random_replace_prob are {shares}, expected "
                "(1, 0), because whole words are always masked: leave them out")

    def __call__(self, features, rng=None, return_tensors=None):
        """Return a padded batch with labels, -100 where there is nothing to predict.

        Args:
            features: a list of dicts with input_ids (T,), as a tokenizer returns them,
                or a list of lists of ids.  special_tokens_mask, if it is there, says
                what may not be masked.
            rng: draws the masks; None means the collator's own generator.
            return_tensors: "np" or "pt"; None means the collator's.

        Returns:
            BatchEncoding with input_ids (B, T), labels (B, T) and what the features
            hold besides
        """
        rows = [{name: value for name, value in row.items() if name != "offset_mapping"}
                if hasattr(row, "items") else {"input_ids": row} for row in features]
        plain = not any(hasattr(row, "items") for row in features)
        batch = self.tokenizer.pad(
            rows, pad_to_multiple_of=self.pad_to_multiple_of, return_tensors="np",
            return_attention_mask=False if plain else None)   # HF: lists get no mask
        ids, special = batch["input_ids"], batch.pop("special_tokens_mask", None)
        if self.mlm:
            rng = self.rng if rng is None else rng
            require_generator(rng)
            batch["input_ids"], batch["labels"] = mask_bernoulli(
                ids, rng, vocabulary(self.tokenizer), self.mlm_probability,
                self.whole_word_mask, special, self.mask_replace_prob,
                self.random_replace_prob)
        else:
            padding = ids == self.tokenizer.pad_token_id
            batch["labels"] = np.where(padding, IGNORE_INDEX, ids)
        return batch.convert_to_tensors(return_tensors or self.return_tensors)
