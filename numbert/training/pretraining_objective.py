"""Masked LM's loss, computed only where a word piece is to be predicted.

The models score the whole vocabulary at every position.  The loss looks at the masked
ones only, a seventh of them, so here only these go through the masked LM head: the same
loss and gradient, and the larger the vocabulary, the more time is saved.
google-research/bert does the same, in gather_indexes.
"""

from __future__ import annotations

import numpy as np

from ..bert.heads import classifier, classifier_backward, word_head, word_head_backward
from ..bert.losses import IGNORE_INDEX, cross_entropy, cross_entropy_backward
from .objectives import Objective, label_counts

NSP = "cls.seq_relationship"


def gradients(model, part: dict, totals, rng) -> tuple[float, dict]:
    """This part's share of the loss, and its gradient; see `objectives.Objective`.

    model: a BertForMaskedLM, or a BertForPreTraining, which judges the sentences too.
    """
    labels = part["labels"]
    masked = labels != IGNORE_INDEX                                    # (B, T)
    states, saved = model.run_bert(model.prepare(
        {"rng": rng}, part["input_ids"], part["attention_mask"],
        part["token_type_ids"]))
    g, dpooled = model.start_backward(saved), None
    words, words_saved = word_head(states.p, states.sequence[masked])  # (P, V)
    loss, loss_saved = cross_entropy(words, labels[masked], count=max(totals[0], 1))
    dsequence = np.zeros_like(states.sequence)                         # (B, T, C)
    dsequence[masked] = word_head_backward(
        cross_entropy_backward(1.0, loss_saved), words_saved, g)
    if "nsp" in model.heads:
        order, order_saved = classifier(states.p.at(NSP), states.pooled)
        order_loss, loss_saved = cross_entropy(order, part["next_sentence_label"],
                                               count=max(totals[1], 1))
        loss = loss + order_loss
        dpooled = classifier_backward(cross_entropy_backward(1.0, loss_saved),
                                      order_saved, g.at(NSP))
    return float(loss), model.bert_backward(g, saved, dsequence, dpooled)


MASKED_ONLY = Objective(label_counts, gradients)
