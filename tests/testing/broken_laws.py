"""For every law one wrong program that breaks it: {id of the law: a target}.

Bugs of tokenizers come from property_bugs, those of models from numbert/verify.
"""

import numpy as np

from numbert.bert import losses, ops
from numbert.testing.properties import targets
from numbert.tokenization.definition.normalization import split_words
from property_bugs import TOKENIZER_BUGS
from readable_tokenizer import target

TOKENIZER = {
    "T3": "ids count from 1", "T4": "[CLS] is missing", "T5": "all types are 0",
    "T6": "tabs are dropped", "T7": "the last word is lost",
    "T9": "marks are dropped without decomposing", "T10": "only ASCII is lower-cased",
    "T11": "the shortest piece is taken", "T12": "words of 200 letters are allowed",
    "T13": "entries of one letter are skipped", "T14": "## is kept",
    "T15": "offsets in bytes", "T16": "special tokens are not counted",
    "T17": "the mask is inverted", "T18": "rows come back sorted by length",
    "T19": "windows do not overlap", "T20": "control characters are kept",
    "T21": "kana are isolated", "T22": "symbols such as $ and + are not punctuation",
    "T23": "special tokens are split like text", "T24": "lower-casing is not saved",
    "T25": "a dead end in the trie is a failure",
    "T27": "accents are kept", "T28": "the end is the last character",
    "T29": "word ids count pieces", "T30": "the first text keeps more on a tie",
    "T31": "only_first is longest_first", "T32": "NFKD instead of NFD",
    "T33": "a final sigma is lower-cased as in Greek"}


def tokenizers() -> dict:
    """{law: a tokenizer that breaks it}"""
    made = {bug.name: bug.make for bug in TOKENIZER_BUGS}
    return {law: made[name]() for law, name in TOKENIZER.items()} | {
        "T1": target(enter=fails_on_tabs), "T2": target(finish=growing()),
        "T26": target(words=lambda chars: split_words(chars)[-3:]),
        "T8": target()._replace(normalize=lambda text: text + " x")}


def fails_on_tabs(text):
    """A stage that cannot take every text."""
    if "\t" in text:
        raise ValueError("a tab")
    return text


def growing():
    """A stage that remembers how often it was called."""
    calls = []

    def finish(row):
        calls.append(len(row))
        return row if len(calls) % 3 else row[:-1]
    return finish


# ---------------------------------------------------------------------------- masking

RIGHT = targets.numbert_masking("bernoulli", continues=np.arange(60) > 40)
EXACT = targets.numbert_masking("exact")


def wrong_mask(change, right=RIGHT, **known):
    """A masking whose result is changed: change(ids, out, labels) -> (out, labels)."""
    def mask(ids, seed, probability=0.15):
        return change(ids, *right.mask(ids, seed, probability))
    return right._replace(mask=mask, **known)


def wrong_pairs(change):
    """A making of pairs, each of which is changed: change(a, b, label, documents)."""
    return RIGHT._replace(pairs=lambda documents, seed, most: [
        change(*pair, documents) for pair in RIGHT.pairs(documents, seed, most)])


def in_place(ids, seed, probability=0.15):
    """A masking that writes to what it is given."""
    out, labels = RIGHT.mask(ids, seed, probability)
    ids[:] = out
    return ids, labels


def at(ids, place, value, x):
    """x with another value at a place."""
    return np.where(np.arange(len(ids)) == place, value, x)


GLOBAL = np.random.default_rng(0)
MASKING = {
    "M1": wrong_mask(lambda ids, out, labels: (out, np.where(
        labels >= 0, out, labels))),
    "M2": wrong_mask(lambda ids, out, labels: (at(ids, 0, 7, out), labels)),
    "M3": wrong_mask(lambda ids, out, labels: (out, at(ids, 0, 2, labels))),
    "M6": wrong_mask(lambda ids, out, labels: (
        np.where(labels >= 0, 60, out), labels)),
    "M7": RIGHT._replace(continues=np.arange(60) > 20),
    "M8": RIGHT._replace(mask=lambda ids, seed, probability=0.15: RIGHT.mask(
        ids, seed, 0.8 * probability)),
    "M9": RIGHT._replace(mask=lambda ids, seed, probability=0.15: RIGHT.mask(
        ids, int(GLOBAL.integers(2 ** 32)), probability)),
    "M10": RIGHT._replace(mask=in_place),
    "M11": RIGHT._replace(exact=True, max_predictions=20),
    "M12": wrong_pairs(lambda a, b, label, documents: (a, b, 1 - label)),
    "M13": wrong_pairs(lambda a, b, label, documents: (
        a, a, 1) if label else (a, b, label)),
    "M14": wrong_pairs(lambda a, b, label, documents: (a[:-1], b, label)),
}

# ------------------------------------------------------------------------- operations

NUMPY = targets.numbert_operations()


def unbiased(x, w, b, eps):
    """LayerNorm with a variance over C - 1."""
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(
        x.var(-1, ddof=1, keepdims=True) + eps) * w + b


def constant_variance(dout, x, w, b, eps):
    """A backward pass of LayerNorm that takes the variance for a constant."""
    _, dw, db = NUMPY.layer_norm_backward(dout, x, w, b, eps)
    dx = dout * w / np.sqrt(x.var(-1, keepdims=True) + eps)
    return dx - dx.mean(-1, keepdims=True), dw, db


def counts_all(logits, labels):
    """A loss that divides by all labels, ignored or not."""
    loss, saved = losses.cross_entropy(logits, labels, count=len(labels))
    return loss, losses.cross_entropy_backward(np.ones_like(loss), saved)


def overflowing(logits, labels):
    """A loss without the maximum subtracted."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        p = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
        each = np.arange(len(labels)), labels
        dlogits = p.copy()
        dlogits[each] -= 1
        return -np.log(p[each]).mean(), dlogits / len(labels)


OPERATIONS = {
    "N10": NUMPY._replace(softmax=lambda x: ops.softmax(x.swapaxes(0, -1))[0].swapaxes(
        0, -1)),
    "N11": NUMPY._replace(layer_norm=unbiased),
    "N11b": NUMPY._replace(layer_norm_backward=constant_variance),
    "N15": NUMPY._replace(cross_entropy=counts_all),
    "N16": NUMPY._replace(cross_entropy=overflowing),
    "N29": NUMPY._replace(adam=NUMPY.bert_adam),
}

# ----------------------------------------------------------------------------- models

MUTANTS = {         # {law: the id of a bug that numbert/verify puts into numbert}
    "N1": "B23", "N2": "B23", "N5": "A3-roberta", "N7": "B17-scores",
    "N9": "B9-queries", "N14": "G8-look-up", "N17": "E12-epsilon", "N18": "B23",
    "N19": "B23", "N20": "B23", "N21": "D8-inputs", "N22": "D6-last-real",
    "N23": "B17-values", "N24": "A1-ones", "N25": "B23", "N28": "B23", "N30": "B23",
    "N32": "C8-after-output", "N33": "C4-mean-left", "N34": "B23",
    "N35": "E12-epsilon", "N36": "B25-plus-one", "N38": "C4-mean-left"}


def wrong_model(law, right):
    """A target that breaks a law, made of one that keeps it."""
    noise = np.random.default_rng(0)

    def forward(change):
        return right._replace(forward=lambda inputs: {
            name: change(x) if name == "last_hidden_state" else x
            for name, x in right.forward(inputs).items()})

    def deaf(part, value):
        """A model that takes all new weights but one."""
        return right._replace(replaced=lambda params: right.replaced({
            name: value(right.params[name]) if name.endswith(part) else x
            for name, x in params.items()}))

    def backward(change):
        return right._replace(backward=lambda inputs, cotangents: {
            name: change(x) for name, x in
            right.backward(inputs, cotangents).items()})

    return {
        "N3": lambda: forward(lambda x: x * (1 + np.arange(len(x)))[:, None, None]),
        "N4": lambda: forward(lambda x: x - x.mean(0)),
        "N6": lambda: right._replace(forward=lambda inputs: right.forward(
            {"token_type_ids": np.ones_like(inputs["input_ids"]), **inputs})),
        "N8": lambda: deaf("intermediate.dense.bias", lambda x: x),
        "N12": lambda: deaf("self.query.bias", lambda x: x),
        "N13": lambda: forward(lambda x: x + 1e-15 * noise.standard_normal(x.shape)),
        "N26": lambda: backward(lambda x: x + 1e-6),
        "N27": lambda: right._replace(reload=lambda: right.replaced(
            {name: x + 1e-9 for name, x in right.params.items()})),
        "N31": lambda: deaf("word_embeddings.weight", lambda x: x),
        "N37": lambda: backward(lambda x: x + 1e-12),
    }[law]()
