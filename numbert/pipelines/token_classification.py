"""token-classification: a label for each token, word, or name of several words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ..bert.ops import softmax
from ..models.classes import BertForTokenClassification
from . import base
from .base import Pipeline, Row

STRATEGIES = ("none", "simple", "first", "average", "max")


class Token(NamedTuple):
    """A word piece with the scores of the classes for it."""

    word: str
    scores: np.ndarray        # (K,) probabilities of the classes
    start: int                # it is the characters start:end of the text
    end: int
    position: int             # where the token stands in its row
    continues: bool           # whether it belongs to the same word as the one before


class TokenClassificationPipeline(Pipeline):
    """The labels of a text's tokens, such as the named entities in it.

    Options:
        aggregation_strategy: "none" gives one dict per token.  The others join
            neighbours with the same entity.  "simple" takes the tokens as they are.
            With "first", "average" and "max" all pieces of a word get one label before
            that: the label of the first piece, of the mean of their scores, or of the
            surest piece.  The default is that of transformers.  But finetune trains a
            model on first pieces, so "first" suits it, as `numbert ner` does.
        ignore_labels: labels (or entities) to leave out.
        is_split_into_words: each item is a list of words; start and end refer to the
            words joined by `delimiter`.
        delimiter: " " by default.
        stride: cut a long text into windows that share this many tokens, instead of
            dropping its end.  Needs a strategy other than "none".

    Returns for a text:
        a list of dicts with entity (entity_group with a strategy), score, word, start
        and end (characters), and index (the token; only without a strategy).

    B-... labels begin an entity, and I-... labels continue one.
    """

    task = "token-classification"
    model_class = BertForTokenClassification
    defaults = {"aggregation_strategy": "none", "ignore_labels": ("O",),
                "is_split_into_words": False, "delimiter": None, "stride": None}

    def check(self, options):
        if not self.tokenizer.is_fast:
            raise ValueError(f"the tokenizer is a {type(self.tokenizer).__name__}, "
                             "expected a BertTokenizer: only it knows where in the "
                             "text a token stands")
        strategy = base.one_of("aggregation_strategy", str(
            options["aggregation_strategy"]).lower(), STRATEGIES)
        if isinstance(options["ignore_labels"], str):
            raise TypeError(f"ignore_labels is {options['ignore_labels']!r}, expected "
                            "a list of labels: put it in brackets, [...]")
        stride = options["stride"]
        if stride is not None:
            room = self.longest - self.tokenizer.num_special_tokens_to_add()
            if base.count_option("stride", stride, 0) >= room:
                raise ValueError(f"stride is {stride}, expected less than the {room} "
                                 "tokens of a window: make it smaller")
            if strategy == "none":
                raise ValueError("aggregation_strategy is 'none', expected another one "
                                 "with stride: windows share tokens, which would come "
                                 "twice")
        return {**options, "aggregation_strategy": strategy,
                "ignore_labels": options["ignore_labels"] or (),
                "delimiter": " " if options["delimiter"] is None
                else options["delimiter"]}

    def __call__(self, inputs, **options):
        """Return the labels of a text, or of each text of a list or iterable."""
        given = {**self.options, **options}
        if given.get("is_split_into_words") and isinstance(inputs, list) and not all(
                isinstance(item, list) for item in inputs):
            inputs = [inputs]         # HF: one list of words counts as a list of one
        return super().__call__(inputs, **options)

    def rows(self, item, options):
        split = options["is_split_into_words"]
        if split:
            if not (isinstance(item, list) and all(isinstance(w, str) for w in item)):
                raise TypeError(f"{self.subject} is {item!r:.60}, expected a list of "
                                "words: split the text, or leave is_split_into_words "
                                "out")
        else:
            base.text_of(self.subject, item)
        windows = {} if options["stride"] is None else {
            "stride": options["stride"], "return_overflowing_tokens": True}
        return self.encode(item, None, options, truncation=True,
                           is_split_into_words=split, **windows)

    def run(self, rows, options):
        probs, _ = softmax(self.call_model(rows).logits)           # (B, T, K)
        return [row[:len(tokens.ids)] for row, tokens in zip(probs, rows)]

    def result(self, item, rows, outputs, options):
        starts = None
        if options["is_split_into_words"]:
            starts = word_starts(item, options["delimiter"])
            item = options["delimiter"].join(item)
        strategy, entities = options["aggregation_strategy"], []
        labels = {i: self.label(i) for i in range(self.model.config.num_labels)}
        join = self.tokenizer.convert_tokens_to_string
        for row, scores in zip(rows, outputs):
            tokens = tokens_of(row, scores, item, self.tokenizer, starts)
            if strategy in ("none", "simple"):
                found = label_tokens(tokens, labels)
            else:
                found = label_words(tokens, strategy, labels, join)
            entities += found if strategy == "none" else group(found, join)
        hidden = options["ignore_labels"]
        entities = [entity for entity in entities if entity.get("entity") not in hidden
                    and entity.get("entity_group") not in hidden]
        return drop_overlaps(entities) if len(rows) > 1 else entities


# --------------------------------------------------------------------- pure functions

def word_starts(words: Sequence[str], delimiter: str) -> list[int]:
    """Return where each word begins once the delimiter joins them."""
    starts = [0]
    for word in words:
        starts.append(starts[-1] + len(word) + len(delimiter))
    return starts[:-1]


def tokens_of(row: Row, scores: np.ndarray, text: str, tokenizer,
              starts: list[int] | None = None) -> list[Token]:
    """Return the tokens of a row with their scores (T, K), without special tokens.

    starts: where each word begins in the text, if the offsets count within words.
    """
    tokens, encoding = [], row.encoding
    for index, token in enumerate(row.ids):
        if encoding.special_tokens_mask[index]:
            continue
        start, end = map(int, encoding.offsets[index])
        if starts is not None:
            first = starts[encoding.word_ids[index]]
            start, end = start + first, end + first
        word, source = tokenizer.convert_ids_to_tokens(token), text[start:end]
        # HF: a piece continues a word if its length is not that of its text: "##ing"
        # stands for "ing".  (So a Korean syllable does, too: it becomes letters.)
        continues = len(word) != len(source)
        if token == tokenizer.unk_token_id:
            word, continues = source, False
        tokens.append(Token(word, scores[index], start, end, index, continues))
    return tokens


def label_tokens(tokens: list[Token], labels: dict[int, str]) -> list[dict]:
    """Return each token with its likeliest label."""
    return [{"entity": labels[int(token.scores.argmax())],
             "score": float(token.scores.max()), "index": token.position,
             "word": token.word, "start": token.start, "end": token.end}
            for token in tokens]


def label_words(tokens: list[Token], strategy: str, labels: dict[int, str],
                join: Callable[[list[str]], str]) -> list[dict]:
    """Return each word with one label; the strategy combines its pieces' scores."""
    words: list[list[Token]] = []
    for token in tokens:
        if words and token.continues:
            words[-1].append(token)
        else:
            words.append([token])
    entities = []
    for word in words:
        scores = word_scores([token.scores for token in word], strategy)   # (K,)
        entities.append({
            "entity": labels[int(scores.argmax())], "score": float(scores.max()),
            "word": join([token.word for token in word]),
            "start": word[0].start, "end": word[-1].end})
    return entities


def word_scores(pieces: list[np.ndarray], strategy: str) -> np.ndarray:
    """Return the scores (K,) of a word from those of its pieces, each (K,)."""
    if strategy == "first":
        return pieces[0]
    if strategy == "max":
        return max(pieces, key=lambda scores: scores.max())
    return np.mean(pieces, axis=0)


def split_label(label: str) -> tuple[bool, str]:
    """Return whether a label begins an entity, and which: "B-PER" -> (True, "PER").

    HF: a label without B- or I- continues the entity before it.
    """
    return label.startswith("B-"), label[2:] if label[:2] in ("B-", "I-") else label


def group(entities: list[dict], join: Callable[[list[str]], str]) -> list[dict]:
    """Join neighbours with the same entity, unless the second begins a new one."""
    groups: list[list[dict]] = []
    for entity in entities:
        begins, kind = split_label(entity["entity"])
        if groups and not begins and split_label(groups[-1][-1]["entity"])[1] == kind:
            groups[-1].append(entity)
        else:
            groups.append([entity])
    return [{"entity_group": parts[0]["entity"].split("-", 1)[-1],
             "score": sum(part["score"] for part in parts) / len(parts),
             "word": join([part["word"] for part in parts]),
             "start": parts[0]["start"], "end": parts[-1]["end"]} for parts in groups]


def drop_overlaps(entities: list[dict]) -> list[dict]:
    """Keep one of two entities that overlap, as those of neighbouring windows may.

    The longer one stays; of two equally long ones, the one with the higher score; and
    if the scores are equal, too, the first.
    HF: entities are compared in pairs, in the order in which they start.
    """
    kept: list[dict] = []
    for entity in sorted(entities, key=lambda entity: entity["start"]):
        if not (kept and kept[-1]["start"] <= entity["start"] < kept[-1]["end"]):
            kept.append(entity)
        elif rank(entity) > rank(kept[-1]):
            kept[-1] = entity
    return kept


def rank(entity: dict) -> tuple[int, float]:
    """Return what decides between overlapping entities: length, then score."""
    return entity["end"] - entity["start"], entity["score"]
