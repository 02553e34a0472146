"""Question answering: the span of a text that answers a question."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ..system.datafiles import checked, field, is_jsonl, nonempty, read_jsonl
from ..system.jsonfiles import read_json
from . import metrics
from .common import Data, Prediction, Settings, Task, encoded_rows, longest, outputs

NO_ANSWER = 0                  # the position of [CLS]
SQUAD = "a JSON file of SQuAD"
STRIDE = 128                   # the largest doc_stride that is chosen by default


class Question(NamedTuple):
    """A question, a text, and all right answers; none if the text has no answer."""

    where: str
    question: str
    context: str
    answers: list[tuple[int, str]]       # first character, text


class Window(NamedTuple):
    """Which part of which example an input shows."""

    example: int
    first: int                           # the first token of the context
    spans: np.ndarray                    # (n, 2) characters of each of its tokens


def read(path) -> list[Question]:
    """Read JSONL, or the JSON files of SQuAD (1.1 and 2.0).

    A line of JSONL holds "question", "context" and "answers", {"text": [...],
    "answer_start": [...]} with character positions; both lists are empty if the text
    does not answer the question.
    """
    rows = read_jsonl(path) if is_jsonl(path, json_too=False) else squad_rows(path)
    return nonempty([question(where, row) for where, row in rows], path)


def squad_rows(path) -> Iterator[tuple[str, dict]]:
    """Yield the questions of a SQuAD file as rows of JSONL."""
    remedy = "name a file of one question per line *.jsonl"
    content = read_json(path, expected=SQUAD, remedy=remedy)
    try:
        for article in content["data"]:
            for paragraph in article["paragraphs"]:
                for row in paragraph["qas"]:
                    answers = row.get("answers", [])
                    yield f"{path}, question {row.get('id', '?')}", {
                        "question": row["question"], "context": paragraph["context"],
                        "answers": {name: [answer[name] for answer in answers]
                                    for name in ("text", "answer_start")}}
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is of another form ({error!r}), expected {SQUAD}: "
                         f"{remedy}") from None


def question(where: str, row: dict) -> Question:
    """Check one row: every answer must stand where it says in the context."""
    context, answers = field(where, row, "context"), field(where, row, "answers", dict)
    texts, starts = (field(where, answers, name, list)
                     for name in ("text", "answer_start"))
    if len(texts) != len(starts):
        raise ValueError(f"{where}: answer_start has {len(starts)} entries, expected "
                         f"{len(texts)}, one for each answer: correct the row")
    return Question(where, field(where, row, "question"), context,
                    [answer(where, context, *pair) for pair in zip(texts, starts)])


def answer(where: str, context: str, text: Any, start: Any) -> tuple[int, str]:
    """Check an answer, and strip the white space at its ends."""
    checked(where, "an answer", text)
    checked(where, "answer_start", start, int)
    found = context[start:start + len(text)] if start >= 0 else ""
    if not text.strip() or found != text:
        raise ValueError(f"{where}: the context has {found!r} at character {start}, "
                         f"expected the answer {text!r}: correct answer_start")
    return start + len(text) - len(text.lstrip()), text.strip()


# ---------------------------------------------------------------------- to inputs

def encode(examples: list[Question], tokenizer, config, settings: Settings) -> Data:
    """Cut long texts into windows; the labels are the tokens of the first answer.

    HF: doc_stride is how many tokens neighbouring windows share; in
    google-research/bert it is the distance between their first tokens.
    """
    length = longest(tokenizer, config, settings)
    stride = settings.doc_stride
    stride = min(STRIDE, length // 4) if stride is None else stride
    refuse_no_room(examples, tokenizer, length, stride)
    questions = [example.question for example in examples]
    encoded = tokenizer(questions, [x.context for x in examples], max_length=length,
                        truncation="only_second",
                        stride=max(0, min(stride, length - 4)),   # its upper limit
                        return_overflowing_tokens=True, return_offsets_mapping=True)
    rows, places = encoded_rows(encoded), []
    for row, offsets, i in zip(rows, encoded["offset_mapping"],
                               encoded["overflow_to_sample_mapping"]):
        first = int(np.sum(row["token_type_ids"] == 0))
        window = Window(int(i), first, np.array(offsets[first:-1]).reshape(-1, 2))
        row["start_positions"], row["end_positions"] = target(examples[i], window)
        places.append(window)
    return Data(examples, rows, places)


def refuse_no_room(examples: list[Question], tokenizer, length: int, stride: int
                   ) -> None:
    """Make sure that the windows of a long text can move forward.

    Raises:
        ValueError: a question leaves no more room than neighbouring windows share.
    """
    def sizes(texts):
        return [len(ids) for ids in tokenizer(texts, add_special_tokens=False,
                                              verbose=False)["input_ids"]]

    rooms = [length - 3 - size for size in sizes([x.question for x in examples])]
    tight = [(x, room) for x, room in zip(examples, rooms) if room <= stride]
    if not tight:
        return
    for (example, room), size in zip(tight, sizes([x.context for x, _ in tight])):
        if size > room:
            raise ValueError(
                f"{example.where}: the question has {length - 3 - room} tokens, which "
                f"leaves {max(room, 0)} of max_length {length} for the text's {size}, "
                f"but doc_stride is {stride}, expected less than is left: lower "
                "doc_stride (--doc-stride), or raise max_length (--max-length)")


def target(example: Question, window: Window) -> tuple[int, int]:
    """Find the first and last token of the first answer; [CLS] if the window lacks it.

    They are the last token that starts no later than the answer, and the first that
    ends no earlier.  So an answer inside a token gets the whole token.
    """
    starts, ends = window.spans.T                                      # (n,) each
    if not example.answers or not len(starts):
        return NO_ANSWER, NO_ANSWER
    start, text = example.answers[0]
    end = start + len(text)
    if start < starts[0] or end > ends[-1]:
        return NO_ANSWER, NO_ANSWER
    return (window.first + int(np.searchsorted(starts, start, "right")) - 1,
            window.first + int(np.searchsorted(ends, end, "left")))


# ------------------------------------------------------------- predictions, metrics

def predict(model, data: Data, tokenizer, settings: Settings, batch_size=32,
            progress=None) -> list[Prediction]:
    """Predict the span with the highest sum of start and end score over all windows.

    "" (no answer) is predicted only if some question in the data has no answer.  It
    wins if the lowest [CLS] score of all windows is higher.  Devlin et al. 2019, 4.3
    The score is the sum.
    """
    scores = outputs(model, data.inputs, ["start_logits", "end_logits"], tokenizer,
                     batch_size, progress)
    best = [(-np.inf, "")] * len(data.examples)
    empty = [np.inf] * len(data.examples)
    for (start, end), window in zip(scores, data.places):
        i, n = window.example, len(window.spans)
        empty[i] = min(empty[i], float(start[NO_ANSWER] + end[NO_ANSWER]))
        inside = slice(window.first, window.first + n)
        score, a, z = best_span(start[inside], end[inside], settings.max_answer_length)
        if score > best[i][0]:
            context = data.examples[i].context
            best[i] = score, context[window.spans[a, 0]:window.spans[z, 1]]
    may_be_empty = any(not example.answers for example in data.examples)
    return [Prediction("", none) if may_be_empty and none > score
            else Prediction(text, score) for (score, text), none in zip(best, empty)]


def show(example: Question) -> dict:
    """Return the question, the text, and all right answers."""
    return {"question": example.question, "context": example.context,
            "gold": [text for _, text in example.answers]}


def best_span(start, end, most: int) -> tuple[float, int, int]:
    """Find the largest start[i] + end[j] with i <= j < i + most.

    start (n,), end (n,) -> the sum, i, j; -inf for a window without text
    """
    n = len(start)
    if not n:
        return -np.inf, 0, 0
    sums = start[:, None] + end                                        # (n, n)
    ahead = np.arange(n) - np.arange(n)[:, None]                       # j - i
    sums[(ahead < 0) | (ahead >= most)] = -np.inf
    i, j = divmod(int(sums.argmax()), n)
    return float(sums[i, j]), i, j


def score(examples, predictions, names) -> dict[str, float]:
    """Return f1 of words and exact_match, each a mean over the questions."""
    pairs = [(text, [answer for _, answer in example.answers])
             for example, text in zip(examples, predictions)]
    return {"f1": float(np.mean([metrics.token_f1(*pair) for pair in pairs])),
            "exact_match": float(np.mean([metrics.exact_match(*pair)
                                          for pair in pairs]))}


TASK = Task(
    "question-answering", "BertForQuestionAnswering",
    "f1", {"num_labels": 2}, read, None, encode, predict, score,
    show)
