"""The cases of the ground truth: thirteen small models, each with inputs and labels.

They are made to show mistakes.  Every size differs from every other that it could be
mistaken for.  Rows are full, padded on the right, padded on the left, or hold a single
token.  The weights are such that no bug hides:

* All numbers have at most 8 significant bits, so that float32, bfloat16 and float16
  hold them exactly.  What a candidate computes in half precision starts without error.
* Hidden states are small, about 1/64, and the weights that read them are large.  So
  the variance in a LayerNorm is near 1e-4, and a wrong epsilon shows.
* LayerNorm weights are not 1, biases are not 0, and attention is far from uniform.  At
  BERT's own initialisation a swap of two LayerNorms would change nothing at all.

Everything is drawn from the raw stream of a bit generator, which NumPy keeps the same
in every version, so the cases are the same to the bit on every machine.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

import numpy as np

from ..bert.losses import IGNORE_INDEX
from ..models import classes
from ..models.config import BertConfig
from ..models.params import param_shapes

B, T, S, V = 4, 7, 5, 41                # texts, tokens, tokens of a source, vocabulary
SIZES = {"vocab_size": V, "hidden_size": 12, "num_hidden_layers": 1,
         "num_attention_heads": 3, "intermediate_size": 20,
         "max_position_embeddings": 13}
C, LONGEST = SIZES["hidden_size"], SIZES["max_position_embeddings"]
SMALL, LARGE = 2.0 ** -6, 2.0 ** 6

# Which weights read hidden states, which are small; and which write them.
READS = r"self\.(query|key|value)\.weight|intermediate\.dense\.weight|" \
    r"pooler\.dense\.weight|qa_outputs\.weight"
WRITES = r"attention\.output\.dense\.|layer\.\d+\.output\.dense\.|(?<!transform\.)" \
    r"LayerNorm|_embeddings\.weight"


class Case(NamedTuple):
    """One model with its inputs: what a candidate is asked to compute."""

    name: str
    kind: str                   # the name of its class
    config: dict                # the arguments of its BertConfig
    params: dict                # {name in Hugging Face's state dict: float32 array}
    inputs: dict                # {argument of forward: array}
    cotangents: dict            # {output: its gradient}, for a class without a loss
    why: str                    # what only this case shows

    def __repr__(self) -> str:
        return f"<case {self.name}: {self.kind}>"


class Draws:
    """Random numbers with few bits, the same on every machine."""

    def __init__(self, seed: int):
        self.bits = np.random.PCG64(seed)

    def integers(self, shape, low: int, high: int):
        """Return integers from low to high - 1."""
        raw = np.asarray(self.bits.random_raw(math.prod(shape)), np.uint64)
        return low + (raw >> np.uint64(11)).reshape(shape).astype(np.int64) \
            % (high - low)

    def numbers(self, shape, size: float):
        """Return multiples of 1/256 between -size and size; size is below 1."""
        limit = int(256 * size)
        return self.integers(shape, -limit, limit + 1) / 256

    def normal(self, shape):
        """Return numbers that are nearly normal: each is the sum of four uniform ones.

        Only integers are added, so these are the same to the bit on every machine.
        """
        raw = np.asarray(self.bits.random_raw(math.prod(shape)), np.uint64).reshape(-1)
        total = raw.view(np.uint16).reshape(-1, 4).sum(1, dtype=np.int64)
        return ((total - 131070) / 37837.2).reshape(shape)

    def order(self, count: int):
        """Return the numbers below count in random order."""
        return np.argsort(self.bits.random_raw(count), kind="stable")


def weights(cls, config: dict, seed: int, quiet_head=False, query=1.0) -> dict:
    """Return {name: float32 array}, the parameters of a case.

    quiet_head: whether the LM head's LayerNorm too gets small numbers.
    query: what to multiply the query weights by.
    """
    draws, found = Draws(seed), {}
    reads = READS + ("" if cls.pooler else r"|classifier\.weight") \
        + ("" if quiet_head else r"|transform\.dense\.weight")
    writes = WRITES + (r"|transform\.dense\.bias" if quiet_head else "")
    for name, shape in param_shapes(BertConfig(**config), cls).items():
        if name.endswith("LayerNorm.weight"):
            value = 1 + draws.integers(shape, -38, 39) / 128
        elif name.endswith("bias"):
            value = draws.numbers(shape, 0.5)
        elif "_embeddings." in name:
            value = draws.numbers(shape, 0.8)
        else:                           # uniform, of standard deviation 1.3 / sqrt(I)
            value = draws.numbers(shape, 1.3 * math.sqrt(3 / shape[1]))
        if re.search(reads, name):
            value *= LARGE
        elif re.search(writes, name):
            value *= SMALL
        elif "transform.LayerNorm" in name:
            value *= LARGE              # it is compared with the small embeddings
        if ".query." in name:
            value *= query
        found[name] = value.astype(np.float32)
    return found


def padding(rows=B, length=T):
    """Return a mask (rows, length): full, padded right, padded left, one token; again.

    A row that has none of these is the fifth: no token at all.
    """
    mask = np.zeros((rows, length), np.int64)
    for row, places in enumerate((slice(None), slice(length - 2), slice(3, None),
                                  slice(1), slice(0))[:rows]):
        mask[row, places] = 1
    return mask


def texts(draws: Draws, mask) -> dict:
    """Return input_ids, attention_mask and token_type_ids for a mask (..., T).

    Each text is a pair.  The first has a word twice, so that its gradients add up.
    """
    ids = draws.integers(mask.shape, 1, V) * mask
    ids[0, ..., 4] = ids[0, ..., 2]
    second = np.arange(mask.shape[-1]) >= 1 + np.arange(len(mask))[:, None] % 4
    kinds = np.broadcast_to(second if mask.ndim == 2 else second[:, None], mask.shape)
    return {"input_ids": ids, "attention_mask": mask,
            "token_type_ids": kinds.astype(np.int64)}


def word_labels(draws: Draws, mask, share: float):
    """Return ids (B, T) to predict at a share of the real tokens, -100 elsewhere."""
    labels = draws.integers(mask.shape, 0, V)
    asked = (draws.integers(mask.shape, 0, 256) < 256 * share) & (mask == 1)
    asked[0, 1] = True
    return np.where(asked, labels, IGNORE_INDEX)


def cotangents(draws: Draws, mask) -> dict:
    """Return gradients of BertModel's outputs; 0 at positions that do not count."""
    return {"last_hidden_state":
            (draws.numbers((*mask.shape, C), 0.9) * mask[..., None]).astype(np.float32),
            "pooler_output": draws.numbers((len(mask), C), 0.9).astype(np.float32)}


def backbone_inputs(draws):
    """Positions of their own: a permutation for each text."""
    inputs = texts(draws, padding())
    places = np.stack([draws.order(LONGEST)[:T] for _ in range(B)])
    return {**inputs, "position_ids": places}


def pretraining_inputs(draws):
    """A [PAD] that is attended to: its look-up has no gradient."""
    inputs = texts(draws, padding())
    inputs["input_ids"][0, 5] = 0
    return {**inputs, "labels": word_labels(draws, padding(), 0.6),
            "next_sentence_label": np.array([0, 1, 1, 0])}


def decoder_inputs(draws):
    """A source with a mask of its own, whose rows differ from the decoder's.

    The label of the first real token after padding would be predicted from padding.
    """
    mask = padding()
    inputs = texts(draws, mask)
    labels = np.where(mask == 1, inputs["input_ids"], IGNORE_INDEX)
    labels[2, 3] = IGNORE_INDEX
    source_mask = np.ones((B, S), np.int64)
    source_mask[0, 3:] = source_mask[1, :2] = source_mask[3, 1:4] = 0
    source = (draws.numbers((B, S, C), 0.9) * SMALL).astype(np.float32)
    return {**inputs, "encoder_hidden_states": source,
            "encoder_attention_mask": source_mask, "labels": labels}


def masked_inputs(draws):
    """About half of the real tokens are to be predicted."""
    return {**texts(draws, padding()), "labels": word_labels(draws, padding(), 0.5)}


def text_inputs(labels):
    """Return a function that makes inputs for labels of whole texts."""
    labels = np.array(labels)
    labels = labels.astype(np.float32) if labels.dtype.kind == "f" else labels
    return lambda draws: {**texts(draws, padding()), "labels": labels}


def embeds_inputs(draws):
    """Vectors in place of the word embeddings."""
    inputs = texts(draws, padding())
    del inputs["input_ids"]
    vectors = (draws.numbers((B, T, C), 0.9) * SMALL).astype(np.float32)
    return {"inputs_embeds": vectors, **inputs,
            "labels": np.array([0.5, -1.25, 2, 0.75], np.float32)}


def choice_inputs(draws):
    """Two choices for each of four questions, padded differently."""
    mask = np.stack([padding(), padding()[::-1]], axis=1)              # (B, 2, T)
    return {**texts(draws, mask), "labels": np.array([0, 1, 1, 0])}


def token_inputs(draws):
    """A fifth text that is all padding: a row of scores without any key."""
    mask = padding(5)
    labels = np.where(mask == 1, draws.integers(mask.shape, 0, 5), IGNORE_INDEX)
    labels[0, 2], labels[0, 3] = 0, IGNORE_INDEX
    return {**texts(draws, mask), "labels": labels}


def span_inputs(draws):
    """Texts of the full length; answers that lie outside the text."""
    return {**texts(draws, padding(length=LONGEST)),
            "start_positions": np.array([2, -1, 5, LONGEST + 3]),
            "end_positions": np.array([4, 3, LONGEST, 0])}


def plain_inputs(draws):
    """Padded texts, without labels."""
    return texts(draws, padding())


DECODER = {"is_decoder": True, "add_cross_attention": True}
# name: (class, seed, changes of the configuration, options of `weights`, inputs, why)
TABLE: dict[str, tuple] = {
    "model": ("BertModel", 1, {"num_hidden_layers": 2, "layer_norm_eps": 1e-5}, {},
              backbone_inputs, "an epsilon of 1e-5, and positions that are given"),
    "pretraining": ("BertForPreTraining", 2, {}, {}, pretraining_inputs,
                    "two losses, which add up, and a [PAD] that is attended to"),
    "decoder": ("BertLMHeadModel", 3, {"num_hidden_layers": 2, **DECODER}, {},
                decoder_inputs, "causal attention, and cross-attention to a source"),
    "masked-lm": ("BertForMaskedLM", 4, {"num_hidden_layers": 2},
                  {"quiet_head": True}, masked_inputs,
                  "small numbers before the LayerNorm of the head"),
    "next-sentence": ("BertForNextSentencePrediction", 5, {"hidden_act": "gelu_new"},
                      {}, text_inputs([1, 0, 0, 1]), "the tanh form of GELU"),
    "classification": ("BertForSequenceClassification", 6, {"num_labels": 5}, {},
                       text_inputs([0, 3, 1, 4]), "one class for each text"),
    "regression": ("BertForSequenceClassification", 6, {"num_labels": 1}, {},
                   embeds_inputs, "squared errors, and vectors in place of words"),
    "multi-label": ("BertForSequenceClassification", 6, {
        "num_labels": 5, "problem_type": "multi_label_classification"}, {},
        text_inputs([[1.0, 0, 0, 1, 1], [0, 0, 0, 0, 0], [0, 1, 0, 1, 0],
                     [1, 1, 1, 1, 1]]), "several labels for each text"),
    "choice": ("BertForMultipleChoice", 7, {}, {}, choice_inputs,
               "an axis of choices, which the softmax runs over"),
    "tokens": ("BertForTokenClassification", 8, {"num_labels": 5}, {}, token_inputs,
               "a label for each token, and a text without any"),
    "questions": ("BertForQuestionAnswering", 9, {}, {}, span_inputs,
                  "the full length, and answers outside the text"),
    "large-scores": ("BertModel", 10, {}, {"query": LARGE}, plain_inputs,
                     "scores beside which a mask of -100 is too weak"),
    "huge-scores": ("BertModel", 11, {}, {"query": 2.0 ** 14}, plain_inputs,
                    "scores beside which a mask of -10000 is too weak"),
}


def make_case(name: str, series: int = 0) -> Case:
    """Return one of the thirteen cases.

    Args:
        series: 0 for the cases of the shipped pack; others have other numbers.

    Raises:
        ValueError: there is no case of this name.
    """
    if name not in TABLE:
        raise ValueError(f"case is {name!r}, expected one of {', '.join(TABLE)}: check "
                         "the spelling")
    kind, seed, changes, options, make_inputs, why = TABLE[name]
    config, cls = {**SIZES, **changes}, getattr(classes, kind)
    draws = Draws(100 + seed + 1000 * series)
    inputs = {name: np.ascontiguousarray(x) for name, x in make_inputs(draws).items()}
    grads = {} if cls.terms else cotangents(draws, inputs["attention_mask"])
    params = weights(cls, config, seed + 1000 * series, **options)
    return Case(name, kind, config, params, inputs, grads, why)


def make_cases(series: int = 0) -> list[Case]:
    """Return all thirteen cases; see make_case."""
    return [make_case(name, series) for name in TABLE]


def case_of(model, inputs) -> Case:
    """Return a case of a model without a head, with inputs of the user's own.

    Args:
        model: a BertModel; its parameters are taken as they are.
        inputs: {argument of forward: array}, with an attention_mask.
    """
    inputs = {name: np.asarray(x) for name, x in inputs.items()}
    mask = inputs["attention_mask"]
    grads = {"last_hidden_state": (Draws(0).numbers(
        (*mask.shape, model.config.hidden_size), 0.9) * mask[..., None]).astype(
            np.float32)}
    return Case("own", "BertModel", model.config.to_dict(), model.params, inputs, grads,
                "a checkpoint and texts of your own")


def program_file(case: Case) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return the tensors and the metadata of the file that a program reads.

    `param:NAME` are weights, `in:NAME` inputs, `cot:NAME` gradients of outputs for a
    class without a loss.  `config.NAME` are the numbers of the configuration, each a
    tensor without axes, int64 or float64.  Metadata: case, class, hidden_act and, where
    there is one, problem_type.
    """
    config = BertConfig(**case.config)
    numbers = {name: value for name, value in
               {**config.to_dict(), "num_labels": config.num_labels}.items()
               if isinstance(value, (bool, int, float))}
    tensors = {
        **{f"param:{name}": x for name, x in case.params.items()},
        **{f"in:{name}": x for name, x in case.inputs.items()},
        **{f"cot:{name}": x for name, x in case.cotangents.items()},
        **{f"config.{name}": np.array(x, np.float64 if isinstance(x, float) else
                                      np.int64) for name, x in numbers.items()}}
    metadata = {"case": case.name, "class": case.kind, "hidden_act": config.hidden_act}
    if config.problem_type is not None:
        metadata["problem_type"] = config.problem_type
    return tensors, metadata
