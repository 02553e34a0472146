"""BERT in plain torch, written from the papers, and bugs to put into it.

    make(case)                      the right model for a case of numbert.verify
    make(case, "B13-model")         the same with one bug of torch_bert_bugs.BUGS

Nothing of numbert is used.  Modules and parameters have Hugging Face's names.  The
formulas are those of Vaswani et al. 2017 and Devlin et al. 2019.  Read torch_bert_parts
and torch_bert_backbone first; here are the losses and the heads.
"""

from types import SimpleNamespace

import torch
from torch import nn
from torch.nn.functional import one_hot

from torch_bert_backbone import Bert
from torch_bert_parts import (PAD, Dense, LayerNorm, activation, times_gradient,
                              value_of)

DEFAULTS = {"hidden_act": "gelu", "layer_norm_eps": 1e-12, "type_vocab_size": 2,
            "num_labels": 2, "is_decoder": False, "add_cross_attention": False,
            "problem_type": None}
IGNORED = -100


def make(case, bug=None):
    """Return the module for a case, with its head, and with a bug if one is named."""
    c = SimpleNamespace(**{**DEFAULTS, **case.config}, bug=bug)
    if case.kind == "BertModel":
        return Bert(c, "pooler.dense.weight" in case.params)
    return HEADS[case.kind](c)


# -------------------------------------------------------------------------- losses

class LossEverywhere(torch.autograd.Function):
    """Logits; in the backward pass, rows that are ignored get a gradient as well."""

    @staticmethod
    def forward(ctx, logits):
        ctx.save_for_backward(logits)
        return logits.clone()

    @staticmethod
    def backward(ctx, dout):
        logits, = ctx.saved_tensors
        silent = (dout == 0).all(-1, keepdim=True)
        return dout + silent * logits.softmax(-1) / len(logits)


def cross_entropy(logits, labels, c, ignored=IGNORED):
    """The mean of -log softmax(logits)[label] over labels that are not ignored.

    logits (..., K), labels (...)
    """
    bug = c.bug
    if bug == "G17-silent":
        logits = LossEverywhere.apply(logits)
    counted = labels != ignored
    if bug == "E1-minus-one":
        counted = labels != -1
    if bug == "E2-zero":
        counted = counted & (labels != 0)
    top = logits.amax(-1, keepdim=True).detach()
    if bug == "E12-loss":
        top = 0 * top
    logp = logits - top - torch.log(torch.exp(logits - top).sum(-1, keepdim=True))
    if bug == "E12-epsilon":
        logp = torch.log(logits.softmax(-1) + 1e-6)
    if bug == "E18-probs":                                  # torch takes logits
        logp = logits.softmax(-1).log_softmax(-1)
    classes = logits.shape[-1]
    picked = (logp * one_hot(labels % classes, classes)).sum(-1) * counted
    count = counted.sum()
    if bug == "E3-all":
        count = counted.numel()
    loss = -picked.sum() / count
    if bug == "E16-smoothing":
        loss = 0.9 * loss - 0.1 * (logp.mean(-1) * counted).sum() / count
    if bug == "E3-sum":
        loss = -picked.sum()
    if bug == "G17-all":
        loss = times_gradient(loss, counted.sum() / counted.numel())
    if bug == "E3-texts" and counted.dim() > 1:             # a mean of means
        loss = (-picked.sum(-1) / counted.sum(-1).clamp(min=1)).mean()
    return loss


def word_loss(logits, labels, inputs, c):
    """The loss of masked or of next words; may look at the inputs if it is wrong."""
    if c.bug == "E1-copied":
        labels = torch.where((labels == IGNORED) & (inputs["attention_mask"] == 1),
                             inputs["input_ids"], labels)
    return cross_entropy(logits, labels, c)


def text_loss(logits, labels, c):
    """The loss of a sequence classifier: its kind follows from problem_type."""
    problem = c.problem_type or (
        "regression" if c.num_labels == 1 else "single_label_classification")
    if c.bug == "E8-dtype" and labels.is_floating_point():
        problem = "regression"
    if c.bug == "E8-argmax" and problem.startswith("multi"):
        return cross_entropy(logits, labels.argmax(-1), c)
    if problem == "regression":
        miss = (logits if labels.dim() > 1 else logits[:, 0]) - labels
        loss = miss.abs() if c.bug == "E15-absolute" else miss ** 2
        return times_gradient(loss, 0.5).mean() if c.bug == "G17-square" else \
            loss.sum() if c.bug == "E15-sum" else \
            loss.mean() / 2 if c.bug == "E15-half" else loss.mean()
    if problem == "single_label_classification":
        return cross_entropy(logits, labels, c)
    p, q = torch.sigmoid(logits), torch.sigmoid(-logits)
    terms = -(labels * torch.log(p) + (1 - labels) * torch.log(q))
    if c.bug == "E8-epsilon":
        terms = -(labels * torch.log(p + 1e-6) + (1 - labels) * torch.log(q + 1e-6))
    if c.bug == "E8-positives":
        terms = -(labels * torch.log(p))
    if c.bug == "G17-half":
        terms = value_of(terms, gradient_of=logits * (0.5 - labels))
    return terms.sum(-1).mean() if c.bug == "E8-classes" else terms.mean()


def span_loss(logits, start, end, c):
    """The mean of two losses; positions are clamped to 0 .. T, and T is ignored."""
    bug, tokens = c.bug, logits.shape[1]
    if bug == "E9-swapped":
        start, end = end, start
    losses = []
    for i, place in enumerate((start, end)):
        if bug == "E9-before":
            place = torch.where(place < 0, tokens, place)
        place = place.clamp(0, tokens - 1 if bug == "E9-last" else tokens)
        if bug == "E9-zero":
            place = torch.where(place == tokens, 0, place)
        losses.append(cross_entropy(logits[..., i], place, c, ignored=tokens))
    if bug == "E9-sum":
        return losses[0] + losses[1]
    if bug == "E9-start":
        return losses[0]
    if bug == "G17-end":
        losses[1] = losses[1].detach()
    return (losses[0] + losses[1]) / 2


# --------------------------------------------------------------------------- heads

class Transform(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.dense = Dense(c, c.hidden_size, c.hidden_size, "transform")
        self.LayerNorm = LayerNorm(c, "head")
        self.c = c

    def forward(self, x):
        h = self.dense(x)
        h = h if self.c.bug == "D5-act" else activation(h, self.c, head=True)
        out = self.LayerNorm(h)
        return h if self.c.bug == "D5-norm" else out


class Predictions(nn.Module):
    """Scores of words: the table of embeddings is used once more, with a bias."""

    def __init__(self, c, words):
        super().__init__()
        self.transform = Transform(c)
        self.bias = nn.Parameter(torch.empty(c.vocab_size))
        self.words, self.bug = [words], c.bug           # a list: it is registered once

    def forward(self, x):
        bug, w, b = self.bug, self.words[0].weight, self.bias
        if bug == "G8-decoder":
            w = w.detach()
        if bug == "G10-tied":
            w = torch.where((torch.arange(len(w)) == PAD)[:, None], w.detach(), w)
        if bug == "D4-untied":
            w = 0 * w + torch.linspace(-1, 1, w.numel()).to(w).view(w.shape) / 64
        if bug == "D2-other":
            b = 0 * b + torch.linspace(-1, 1, len(b)).to(b)
        if bug == "D2-bias":
            b = 0 * b
        if bug == "D3-twice":
            b = 2 * b
        if bug == "G16-bias":
            b = times_gradient(b, 1 / len(x))
        return (x if bug == "D5-none" else self.transform(x)) @ w.T + b


class Cls(nn.Module):
    def __init__(self, c, bert, words, pairs):
        super().__init__()
        if words:
            self.predictions = Predictions(c, bert.embeddings.word_embeddings)
        if pairs:
            self.seq_relationship = Dense(c, c.hidden_size, 2, "nsp")


class Head(nn.Module):
    """A backbone and what comes after it."""

    pooling = words = pairs = False

    def __init__(self, c):
        super().__init__()
        self.bert = Bert(c, self.pooling)
        if self.words or self.pairs:
            self.cls = Cls(c, self.bert, self.words, self.pairs)
        self.c = c

    def pair_loss(self, pooled, labels):
        logits = self.cls.seq_relationship(pooled)
        if self.c.bug == "E14-logits":
            logits = logits.flip(-1)
        if self.c.bug == "E14-labels":
            labels = 1 - labels
        return cross_entropy(logits, labels, self.c)


class ForPreTraining(Head):
    pooling = words = pairs = True

    def forward(self, labels, next_sentence_label, **inputs):
        out, bug = self.bert(**inputs), self.c.bug
        words = word_loss(self.cls.predictions(out["last_hidden_state"]), labels,
                          inputs, self.c)
        pairs = self.pair_loss(out["pooler_output"], next_sentence_label)
        if bug == "G17-pairs":
            pairs = pairs.detach()
        return {"loss": {"E14-mean": (words + pairs) / 2, "E14-words": words,
                         "E14-pairs": pairs}.get(bug, words + pairs)}


class LMHead(Head):
    words = True

    def forward(self, labels, **inputs):
        logits = self.cls.predictions(self.bert(**inputs)["last_hidden_state"])
        if self.c.bug != "E13-unshifted":
            logits, labels = logits[:, :-1], labels[:, 1:]
        if self.c.bug == "E13-twice":
            logits, labels = logits[:, :-1], labels[:, 1:]
        return {"loss": cross_entropy(logits, labels, self.c)}


class ForMaskedLM(Head):
    words = True

    def forward(self, labels, **inputs):
        logits = self.cls.predictions(self.bert(**inputs)["last_hidden_state"])
        return {"loss": word_loss(logits, labels, inputs, self.c)}


class ForNextSentencePrediction(Head):
    pooling = pairs = True

    def forward(self, labels, **inputs):
        return {"loss": self.pair_loss(self.bert(**inputs)["pooler_output"], labels)}


class ForSequenceClassification(Head):
    pooling = True

    def __init__(self, c):
        super().__init__(c)
        self.classifier = Dense(c, c.hidden_size, c.num_labels, "classifier")

    def forward(self, labels, **inputs):
        out = self.bert(**inputs)
        pooled = out["last_hidden_state"][:, 0] if self.c.bug == "D6-unpooled" else \
            out["pooler_output"]
        return {"loss": text_loss(self.classifier(pooled), labels, self.c)}


class ForMultipleChoice(Head):
    pooling = True

    def __init__(self, c):
        super().__init__(c)
        self.classifier = Dense(c, c.hidden_size, 1, "choice")

    def forward(self, labels, **inputs):
        texts, choices = inputs["input_ids"].shape[:2]
        if self.c.bug == "D8-transposed":
            inputs = {name: x.transpose(0, 1) for name, x in inputs.items()}
        inputs = {name: x.flatten(0, 1) for name, x in inputs.items()}
        scores = self.classifier(self.bert(**inputs)["pooler_output"])
        scores = scores.view(choices, texts).T if self.c.bug == "D8-reshape" else \
            scores.view(texts, choices)
        if self.c.bug == "D8-texts":
            return {"loss": -scores.log_softmax(0)[torch.arange(texts), labels].mean()}
        return {"loss": cross_entropy(scores, labels, self.c)}


class ForTokenClassification(Head):
    def __init__(self, c):
        super().__init__(c)
        self.classifier = Dense(c, c.hidden_size, c.num_labels, "classifier")

    def forward(self, labels, **inputs):
        logits = self.classifier(self.bert(**inputs)["last_hidden_state"])
        if self.c.bug == "E1-padding":
            labels = torch.where(inputs["attention_mask"] == 0, 0, labels)
        if self.c.bug == "E1-tokens":
            labels = labels.clamp(min=0)
        return {"loss": cross_entropy(logits, labels, self.c)}


class ForQuestionAnswering(Head):
    def __init__(self, c):
        super().__init__(c)
        self.qa_outputs = Dense(c, c.hidden_size, 2, "qa")

    def forward(self, start_positions, end_positions, **inputs):
        logits = self.qa_outputs(self.bert(**inputs)["last_hidden_state"])
        return {"loss": span_loss(logits, start_positions, end_positions, self.c)}


HEADS = {"BertForPreTraining": ForPreTraining, "BertLMHeadModel": LMHead,
         "BertForMaskedLM": ForMaskedLM,
         "BertForNextSentencePrediction": ForNextSentencePrediction,
         "BertForSequenceClassification": ForSequenceClassification,
         "BertForMultipleChoice": ForMultipleChoice,
         "BertForTokenClassification": ForTokenClassification,
         "BertForQuestionAnswering": ForQuestionAnswering}
