"""numbert as a target of the vectors: a function for each operation.

A function takes (input, settings) and returns the output, or SKIP for what numbert has
no function for.
"""

import numpy as np

from numbert import AddedToken, BertConfig, BertTokenizer, BertTokenizerLegacy
from numbert.bert import losses, ops
from numbert.models.generation import prompt_positions
from numbert.models.inputs import attention_mask as model_mask
from numbert.models.inputs import joined_mask, token_inputs
from numbert.models.targets import (class_labels, next_word_targets, position_targets,
                                    word_targets)
from numbert.tokenization.definition import normalization as steps
from numbert.tokenization.definition.wordpiece import wordpiece as cut
from numbert.tokenization.legacy.words import BasicTokenizer
from numbert.tokenization.legacy.pieces import WordpieceTokenizer
from numbert.training import masking

SKIP = object()


# ------------------------------------------------------------------- stages of hf-fast

def clean(given, settings):
    return steps.plain(steps.clean(steps.spanned(given["text"])))


def wanted(settings):
    return steps.normalizer_steps(settings["lowercase"], settings["strip_accents"],
                                  settings["chinese_chars"])


def normalize(given, settings):
    text = steps.normal_form(given["text"], wanted(settings))
    return [word for word in text.split(" ") if word]


def pre_tokenize(given, settings):
    chars = steps.normalize(steps.spanned(given["text"]), wanted(settings))
    return [steps.plain(word) for word in steps.split_words(chars)]


def wordpiece(given, settings):
    pieces = cut(given["word"], set(settings["vocab"]))
    return ["[UNK]"] if pieces is None else [piece for piece, _, _ in pieces]


# ----------------------------------------------------------------- stages of hf-legacy

def basic(settings, **more):
    return BasicTokenizer(do_lower_case=settings["lowercase"],
                          strip_accents=settings["strip_accents"],
                          tokenize_chinese_chars=settings["chinese_chars"], **more)


def legacy_normalize(given, settings):
    return basic(settings, do_split_on_punc=False).tokenize(given["text"])


def legacy_pre_tokenize(given, settings):
    return basic(settings).tokenize(given["text"])


def legacy_wordpiece(given, settings):
    return WordpieceTokenizer(settings["vocab"], "[UNK]").tokenize(given["word"])


# ----------------------------------------------------------------------- the tokenizers

def make(kind, settings):
    tokenizer = kind({piece: i for i, piece in enumerate(settings["vocab"])},
                     do_lower_case=settings.get("lowercase", True),
                     strip_accents=settings.get("strip_accents"),
                     tokenize_chinese_chars=settings.get("chinese_chars", True))
    for token in settings.get("added_tokens", ()):
        flags = {name: value for name, value in token.items() if name != "content"}
        tokenizer.add_tokens([AddedToken(token["content"], **flags)],
                             special_tokens=flags.get("special", False))
    return tokenizer


def encode(kind, given, settings):
    tokenizer, fast = make(kind, settings), kind is BertTokenizer
    more = {"return_offsets_mapping": True} if fast else {}
    row = tokenizer(given["text"], given["pair"], return_token_type_ids=True,
                    return_special_tokens_mask=True, verbose=False,
                    add_special_tokens=settings["add_special_tokens"],
                    split_special_tokens=settings["split_special_tokens"], **more)
    out = {name: row[name] for name in ("input_ids", "token_type_ids",
                                        "attention_mask", "special_tokens_mask")}
    if not fast:
        return {**out, "tokens": tokenizer.convert_ids_to_tokens(row["input_ids"])}
    return {**out, "tokens": row.tokens(), "word_ids": row.word_ids(),
            "sequence_ids": row.sequence_ids(),
            "offsets": [list(span) for span in row["offset_mapping"]]}


def encode_batch(kind, given, settings):
    tokenizer = make(kind, settings)
    tokenizer.truncation_side = settings["truncation_side"]
    named = {name: settings[name] for name in (
        "add_special_tokens", "truncation", "max_length", "stride", "padding",
        "padding_side", "pad_to_multiple_of")}
    samples = [a if b is None else (a, b) for a, b in given["samples"]]
    flat = settings["overflow"] and kind is BertTokenizerLegacy
    batch = tokenizer(*([given["samples"][0]] if flat else [[samples]])[0],
                      return_overflowing_tokens=settings["overflow"], verbose=False,
                      return_token_type_ids=True, **named)
    out = {name: [batch[name]] if flat else batch[name] for name in (
        "input_ids", "token_type_ids", "attention_mask")}
    if flat:
        return {**out, "overflowing": batch.get("overflowing_tokens", [])}
    return {**out, "sample": batch.get("overflow_to_sample_mapping")}


def decode(kind, given, settings):
    return make(kind, settings).decode(
        given["ids"], skip_special_tokens=settings["skip_special_tokens"],
        clean_up_tokenization_spaces=settings["clean_up"])


def read_vocabulary(kind, given, settings, folder):
    path = folder / "vocab.txt"
    path.write_bytes(given["file"].encode())
    return sorted(map(list, kind(path).get_vocab().items()), key=lambda x: x[1])


def token_type_ids(given, settings):
    tokenizer = make(BertTokenizer, {"vocab": ["[PAD]", "[UNK]", "[CLS]", "[SEP]",
                                               "[MASK]", "a"]})
    rows = []
    for a, b in given["lengths"]:
        texts = [["a " * a]] + ([] if b is None else [["a " * b]])
        rows += tokenizer(*texts, padding="max_length", max_length=given["width"],
                          truncation=True, padding_side=settings["padding_side"],
                          add_special_tokens=settings["add_special_tokens"],
                          verbose=False)["token_type_ids"]
    return rows


# ------------------------------------------------------------------ masks and positions

def attention_mask(given, settings):
    if given["segments"]:
        return SKIP
    queries, keys = given["queries"], given["keys"]
    batch = len(given["padding"]) if given["padding"] else given["batch"]
    padding = None if given["padding"] is None else np.array(given["padding"])
    mask = joined_mask(*model_mask("attention_mask", padding, batch, 1, queries, keys,
                                   given["causal"]), queries, keys)
    mask = True if mask is None else mask
    return np.broadcast_to(mask, (batch, 1, queries, keys))[:, 0].astype(int).tolist()


def attention_weights(given, settings):
    scores, _ = ops.mask_scores(np.array(given["scores"]),
                                np.array(given["allowed"], bool))
    return ops.softmax(scores)[0].tolist()


def position_ids(given, settings):
    if given["kind"] == "packed":
        return SKIP
    if given["kind"] == "generation":
        mask = np.array(given["padding"])
        return [row[real == 1].tolist()
                for row, real in zip(prompt_positions(mask, None), mask)]
    batch, length = given["batch"], given["length"]
    inputs = token_inputs(BertConfig(), np.ones((batch, length), int), None, None, None,
                          given["past"])
    return np.broadcast_to(inputs["position_ids"], (batch, length)).tolist()


# ------------------------------------------------------------------------------- labels

def targets(given, settings):
    kind = given["kind"]
    if kind == "words":
        return SKIP
    if kind == "sentences":
        return [masking.IS_NEXT if follows else masking.IS_RANDOM
                for follows in given["follows"]]
    if kind == "span":
        found = position_targets("positions", np.array(given["positions"]), None, (
            len(given["positions"]), given["length"])).labels
    else:
        labels = np.array(given["labels"])
        function = word_targets if kind == "masked" else next_word_targets
        found = function("labels", labels, BertConfig(), labels.shape).labels
    return [[None if x == -100 else x for x in row] if isinstance(row, list) else
            None if row == -100 else row for row in found.tolist()]


def cross_entropy(given, settings):
    logits = np.array(given["logits"])
    labels = class_labels("labels", np.array(given["labels"]), logits.shape[1],
                          (len(logits),))
    loss, saved = losses.cross_entropy(logits, labels)
    gradient = losses.cross_entropy_backward(1.0, saved)
    return {"loss": None if np.isnan(loss) else float(loss),
            "count": int((labels != -100).sum()), "gradient": gradient.tolist()}


class Draws(np.random.Generator):
    """Returns the draws of a vector, and sentinels for the random ids."""

    def __init__(self, given):
        super().__init__(np.random.PCG64(0))
        self.left = [np.array(given["pick"]), np.array(given["fate"])]

    def random(self, *args, **named):
        return self.left.pop(0)

    def integers(self, *args, size, **named):
        return np.full(size, -1)


def mlm_mask(given, settings):
    ids = np.array(given["ids"], int)
    vocab = masking.Vocabulary(100, 0, 1, 2, 3, given["mask_id"],
                               tuple(given["special_ids"]), np.zeros(100, bool))
    out, labels = masking.mask_bernoulli(ids, Draws(given), vocab,
                                         settings["probability"])
    out = np.where(out == -1, np.array(given["random_ids"], int), out)
    return {"ids": out.tolist(), "labels": labels.tolist()}


def mlm_count(given, settings):
    vocab = masking.Vocabulary(100, 0, 1, 2, 3, 4, (), np.zeros(100, bool))
    if not given["length"]:
        return SKIP                       # no piece is there to be picked
    _, labels = masking.mask_exact([7] * given["length"], np.random.default_rng(0),
                                   vocab, settings["probability"],
                                   settings["max_predictions"])
    return int((labels != -100).sum())


def functions(kind, folder):
    """{operation: function(input, settings)} for a tokenizer class."""
    def bound(function, *more):
        return lambda given, settings: function(kind, given, settings, *more)

    shared = (attention_mask, attention_weights, position_ids, token_type_ids, targets,
              cross_entropy, mlm_mask, mlm_count)
    found = {function.__name__: function for function in shared}
    found |= {"encode": bound(encode), "encode_batch": bound(encode_batch),
              "decode": bound(decode),
              "read_vocabulary": bound(read_vocabulary, folder)}
    if kind is BertTokenizer:
        return found | {"clean": clean, "normalize": normalize, "wordpiece": wordpiece,
                        "pre_tokenize": pre_tokenize}
    return found | {"clean": lambda given, settings: SKIP,
                    "normalize": legacy_normalize, "wordpiece": legacy_wordpiece,
                    "pre_tokenize": legacy_pre_tokenize}


def answer(found, asked):
    """The answer to a request, as a program would give it."""
    try:
        output = found[asked["operation"]](asked["input"], asked["settings"])
    except (ValueError, TypeError, OverflowError) as error:
        return {"error": str(error)}
    return {"skip": True} if output is SKIP else {"output": output}
