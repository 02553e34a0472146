"""question-answering: the passage of a text that answers a question.

The method is that of Devlin et al. 2019, section 4.2, with softmax probabilities
instead of raw scores.  Options and results are those of this pipeline in transformers
4; transformers 5 dropped it.
"""

from __future__ import annotations

import numpy as np

from ..bert.ops import softmax
from ..models.classes import BertForQuestionAnswering
from . import base
from .base import Pipeline

SPARE = 10            # candidates beyond 2 top_k: whole words make some of them equal


class QuestionAnsweringPipeline(Pipeline):
    """The passage of a context that answers a question.

    Call it with question=... and context=..., each a str or a list; one context serves
    several questions.  Or call it with a dict {"question": ..., "context": ...}, or
    with a list or iterable of such dicts.

    Options:
        top_k: how many answers to give, best first.
        doc_stride: how many tokens neighbouring windows of a long context share; None
            means 128, or half of max_seq_len if that is less.
        max_seq_len: tokens in a window, including the question, [CLS] and two [SEP];
            None means 384, or what the model allows if that is less.
        max_question_len: cut the question to this many tokens.
        max_answer_len: tokens in the longest answer.
        handle_impossible_answer: let the empty answer "" compete.
        align_to_words: extend each answer to whole words.

    Returns for a question:
        a dict with score, start and end (characters of the context) and answer; a list
        of such dicts if there are several.  The score is the probability of the start
        times that of the end, within a window.  Answers with the same text are one
        answer, and their scores add up.
    """

    task = "question-answering"
    model_class = BertForQuestionAnswering
    defaults = {"top_k": 1, "doc_stride": None, "max_seq_len": None,
                "max_question_len": 64, "max_answer_len": 15,
                "handle_impossible_answer": False, "align_to_words": True}

    def __call__(self, inputs=None, context_of_inputs=None, *, question=None,
                 context=None, **options):
        """Return the answer to a question, or to each of a list or iterable."""
        if context_of_inputs is not None:              # called as (question, context)
            question, context, inputs = inputs, context_of_inputs, None
        if (inputs is None) == (question is None and context is None):
            raise ValueError(
                f"{self.subject} is {'missing' if inputs is None else 'given twice'}, "
                "expected question= and context=, or dicts: give question=..., "
                'context=..., or {"question": ..., "context": ...}')
        if inputs is None:
            inputs = paired(question, context)
        # HF: a list of one question gives the same result as the question itself.
        if isinstance(inputs, list) and len(inputs) == 1:
            inputs = inputs[0]
        return super().__call__(inputs, **options)

    def check(self, options):
        if not self.tokenizer.is_fast:
            raise ValueError(f"the tokenizer is a {type(self.tokenizer).__name__}, "
                             "expected a BertTokenizer: only it knows where in the "
                             "text a token stands")
        for name in ("top_k", "max_question_len", "max_answer_len"):
            base.count_option(name, options[name])
        length = options["max_seq_len"]
        if length is None:
            length = min(self.longest, 384)
        positions = self.model.config.max_position_embeddings
        if not 5 <= base.count_option("max_seq_len", length) <= positions:
            raise ValueError(f"max_seq_len is {length}, expected 5 to {positions}: "
                             "room for [CLS] question [SEP] context [SEP], and at most "
                             "the model's max_position_embeddings")
        stride = options["doc_stride"]
        if stride is not None and base.count_option("doc_stride", stride, 0) >= length:
            raise ValueError(f"doc_stride is {stride}, expected less than max_seq_len "
                             f"{length}: make it smaller, or leave it out")
        return {**options, "max_seq_len": length}

    def rows(self, item, options):
        """Return one row per window: [CLS] question [SEP] context [SEP]."""
        question, context = base.fields_of(self.subject, item, "question", "context")
        for name, text in (("question", question), ("context", context)):
            if not base.text_of(name, text):
                raise ValueError(f"the {name} is empty, expected a text: give both a "
                                 "question and a context")
        question, size = self.shortened(question, options["max_question_len"])
        length, stride = options["max_seq_len"], options["doc_stride"]
        room = length - size - 3                   # for the context, in each window
        if room < 1:
            raise ValueError(f"the question has {size} tokens and leaves no room for "
                             f"the context, expected at most {length - 4} of "
                             f"max_seq_len {length}: make max_seq_len larger or "
                             "max_question_len smaller")
        if stride is None:
            stride = min(length // 2, 128, room - 1)
        elif stride >= room:
            raise ValueError(f"doc_stride is {stride}, expected less than the {room} "
                             f"tokens that the question ({size} tokens) leaves for the "
                             f"context in max_seq_len {length}: make doc_stride "
                             "smaller, or leave it out")
        rows = self.encode(question, context, {}, truncation="only_second",
                           max_length=length, stride=stride,
                           return_overflowing_tokens=True)
        if not context_tokens(rows[0]).any():
            raise ValueError(f"the context {context!r:.60} has no tokens, "
                             "expected at least one: give a text with words")
        return rows

    def shortened(self, question: str, limit: int) -> tuple[str, int]:
        """Return the question cut to `limit` tokens, and how many tokens it has."""
        batch = self.tokenizer(question, add_special_tokens=False, verbose=False,
                               return_offsets_mapping=True)
        ends = [end for _, end in batch["offset_mapping"]]
        if len(ends) <= limit:
            return question, len(ends)
        # The pieces before the cut stay the same: each is the longest that matches.
        return question[:ends[limit - 1]], limit

    def run(self, rows, options):
        output = self.call_model(rows)
        return [(start[:len(row.ids)], end[:len(row.ids)]) for row, start, end
                in zip(rows, output.start_logits, output.end_logits)]

    def result(self, item, rows, outputs, options):
        context, count = item["context"], options["top_k"]
        candidates = 2 * count + SPARE if options["align_to_words"] else count
        answers: list[dict] = []
        empty = []
        for row, (start, end) in zip(rows, outputs):
            allowed = context_tokens(row)
            start, end = probabilities(start, allowed), probabilities(end, allowed)
            empty.append(float(start[0] * end[0]))
            for first, last, score in best_spans(start, end, allowed, candidates,
                                                 options["max_answer_len"]):
                place = span(row, first, last, options["align_to_words"])
                add_answer(answers, context, *place, score)
        if options["handle_impossible_answer"]:
            answers.append({"score": min(empty), "start": 0, "end": 0, "answer": ""})
        answers = sorted(answers, key=lambda answer: -answer["score"])[:count]
        # HF: a single answer is not in a list, even if top_k asks for several.
        return answers[0] if len(answers) == 1 else answers


# --------------------------------------------------------------------- pure functions

def paired(question, context) -> list[dict]:
    """Return dicts of questions and their contexts, each given as a str or a list."""
    if question is None or context is None:
        missing = "question" if question is None else "context"
        raise ValueError(f"{missing} is missing, expected a text: question-answering "
                         "needs a question and a context")
    several = [isinstance(value, list) for value in (question, context)]
    if several == [False, True]:
        raise ValueError(f"question is one text, expected {len(context)}, one for each "
                         "context: repeat it, [question] * len(contexts)")
    questions = question if several[0] else [question]
    contexts = context if several[1] else [context] * len(questions)
    if len(questions) != len(contexts):
        raise ValueError(f"context holds {len(contexts)} texts, expected "
                         f"{len(questions)}: give one context for each question, or "
                         "one str for all")
    return [{"question": q, "context": c} for q, c in zip(questions, contexts)]


def context_tokens(row: base.Row) -> np.ndarray:
    """Mark the tokens of a row that belong to the context.     -> (T,) boolean"""
    return np.array([text == 1 for text in row.encoding.sequence_ids])


def probabilities(logits: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Take the softmax over the allowed tokens and [CLS], which means "no answer here".

    logits (T,), allowed (T,) -> out (T,), 0 at all other tokens
    """
    counted = allowed.copy()
    counted[0] = True
    return softmax(np.where(counted, logits, -np.inf))[0]


def best_spans(start: np.ndarray, end: np.ndarray, allowed: np.ndarray, count: int,
               longest: int) -> list[tuple[int, int, float]]:
    """Return the likeliest spans of at most `longest` tokens between allowed ones.

    Args:
        start, end: (T,) the probability of each token to be the first, or the last.
        allowed: (T,) whether a span may begin or end at a token.
        count: the largest number of spans to return.

    Returns:
        tuples (first, last, start[first] * end[last]), best first.
    """
    scores = np.outer(start, end)                                  # (T, T)
    place = np.arange(len(start))
    later = place - place[:, None]                                 # (T, T)
    possible = (later >= 0) & (later < longest) & allowed[:, None] & allowed
    firsts, lasts = np.nonzero(possible)
    values = scores[firsts, lasts]
    return [(int(firsts[i]), int(lasts[i]), float(values[i]))
            for i in base.top(values, count)]


def span(row: base.Row, first: int, last: int, whole_words: bool) -> tuple[int, int]:
    """Return the characters start:end of the context that tokens first..last cover."""
    encoding = row.encoding
    if whole_words:
        words = encoding.word_ids
        return (encoding.word_to_chars(words[first], 1)[0],
                encoding.word_to_chars(words[last], 1)[1])
    return encoding.offsets[first][0], encoding.offsets[last][1]


def add_answer(answers: list[dict], context: str, start: int, end: int,
               score: float) -> None:
    """Add an answer to the list, or only its score if the list has that text already.

    HF: the answer keeps the place of the first with its text, and case is ignored.
    """
    text = context[start:end]
    for answer in answers:
        if answer["answer"].lower() == text.lower():
            answer["score"] += score
            return
    answers.append({"score": score, "start": int(start), "end": int(end),
                    "answer": text})
