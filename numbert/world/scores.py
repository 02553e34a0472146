"""Measure what the models get right on held-out text, beside simple baselines.

The baselines read no context.  The models are read as they ship, in half precision.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from ..bert.losses import IGNORE_INDEX, cross_entropy
from ..checkpoints import PRETRAINED
from ..models.classes import BertForPreTraining, BertLMHeadModel
from ..pipelines import pipeline
from ..tasks import metrics
from ..tasks import TASKS
from ..tasks.common import outputs
from ..tasks.finetuning import evaluate
from ..tasks.pretraining import evaluation_batches
from ..tasks.pretraining import pairs as pairs_of
from ..tasks.pretraining import scores as batch_scores
from ..tokenization import BertTokenizer
from ..training.masking import masking_collate, read_documents, vocabulary
from . import HELD_OUT, TRAIN, cloze, opinion_texts
from . import probes
from .exercises import alike, split_words
from .exercises import questions as questions_about
from .files import path
from .steps import SETTINGS, TUNING, beginnings

Scores = dict[str, Any]              # name of a number -> the number


def all_scores(models: Path, data: Path, seed: int) -> dict[str, Scores]:
    """The scores of every task and its baselines; the model card explains them."""
    found = {"pretraining": pretraining(models / PRETRAINED, data),
             "facts": facts(models / PRETRAINED)}
    for task in TUNING:
        found[task] = tuned(task, models / task, data)
    found["text-classification"]["unseen_patterns"] = unseen_opinions(models, seed)
    found["question-answering"]["two_persons"] = two_persons(models, seed)
    found["text-generation"] = generation(models / "text-generation", data, seed)
    found["probes"] = by_hand(models)
    return found


# ------------------------------------------------------------------- pre-training

def pretraining(folder: Path, data: Path) -> Scores:
    """Accuracy on masked word pieces and on next sentences of the held-out corpus.

    Word pieces are masked as in training.  Next sentences are judged on whole text, as
    a pipeline reads it.
    """
    tokenizer = BertTokenizer.from_pretrained(str(folder))
    vocab, model = vocabulary(tokenizer), BertForPreTraining.from_pretrained(folder)
    file = path(data, "corpus", HELD_OUT)
    corpus = read_documents(file, tokenizer)
    batches = evaluation_batches(file, corpus, vocab, 128, 0.0, masking_collate(vocab),
                                 32)
    pieces = np.concatenate([x["labels"][x["labels"] != IGNORE_INDEX] for x in batches])
    examples = pairs_of(file, corpus, np.random.default_rng(0), vocab, 128, 1, 0.0)
    order = np.array([example["next_sentence_label"] for example in examples])
    logits = outputs(model, examples, ["seq_relationship_logits"], tokenizer,
                     progress=False)
    random = float(order.mean())
    return {"masked_accuracy": batch_scores(model, batches, False)["masked_accuracy"],
            "masked_unigram": metrics.accuracy(
                pieces, np.full(len(pieces), piece_counts(data, tokenizer).argmax())),
            "masked_pieces": len(pieces),
            "next_sentence_accuracy": metrics.accuracy(
                [row.argmax() for row, in logits], order),
            "next_sentence_majority": max(random, 1 - random), "pairs": len(order)}


def piece_counts(data: Path, tokenizer) -> np.ndarray:
    """How often each word piece occurs in the training corpus.     -> (V,)"""
    documents = read_documents(path(data, "corpus", TRAIN), tokenizer)
    return np.bincount([i for document in documents for sentence in document
                        for i in sentence], minlength=len(tokenizer))


def facts(model: Path) -> Scores:
    """Accuracy on held-out sentences that state a fact, with the answer masked."""
    fill = pipeline("fill-mask", str(model), batch_size=32, top_k=1)
    known = set(fill.tokenizer.get_vocab())
    rows = [row for row in cloze(HELD_OUT) if row.answer.lower() in known]
    common = {kind: Counter(row.answer for row in cloze(TRAIN) if row.kind == kind)
              .most_common(1)[0][0] for kind in {row.kind for row in rows}}
    guesses = [found[0]["token_str"] for found in fill([row.text for row in rows])]
    return {"accuracy": metrics.accuracy(guesses, [row.answer.lower() for row in rows]),
            "majority": metrics.accuracy([common[row.kind] for row in rows],
                                         [row.answer for row in rows]),
            "sentences": len(rows)}


# -------------------------------------------------------------------- fine-tuned

def tuned(task: str, model: Path, data: Path) -> Scores:
    """The metrics and baselines of a fine-tuned model on its held-out examples."""
    kind, _ = TUNING[task]
    found, examples, _ = evaluate(model, path(data, kind, HELD_OUT), task=task,
                                  settings=SETTINGS, progress=False)
    training = TASKS[task].read(path(data, kind, TRAIN))
    return {**found, **BASELINES[task](training, examples), "examples": len(examples)}


def opinion_baselines(training: list, examples: list) -> Scores:
    """Accuracy of the most frequent label, and of naive Bayes over the words."""
    labels = Counter(x.label for x in training)
    common = labels.most_common(1)[0][0]
    by_word: dict[str, Counter] = {}
    for x in training:
        for word in set(x.text.lower().split()):
            by_word.setdefault(word, Counter())[x.label] += 1

    def vote(text: str) -> str:
        total = {label: math.log(count) for label, count in labels.items()}
        for word in set(text.lower().split()) & set(by_word):
            for label in labels:
                total[label] += math.log((by_word[word][label] + 1)
                                         / (labels[label] + 2))
        return max(sorted(total), key=lambda label: total[label])

    return {"majority": metrics.accuracy([common] * len(examples),
                                         [x.label for x in examples]),
            "unigram": metrics.accuracy([vote(x.text) for x in examples],
                                        [x.label for x in examples])}


def name_baselines(training: list, examples: list) -> Scores:
    """F1 of no names at all, and of the most frequent tag of each word."""
    by_word: dict[str, Counter] = {}
    for x in training:
        for word, tag in zip(x.words, x.labels):
            by_word.setdefault(word.lower(), Counter())[tag] += 1
    usual = {word: tags.most_common(1)[0][0] for word, tags in by_word.items()}
    true = [x.labels for x in examples]
    return {"majority": metrics.entity_f1([["O"] * len(x) for x in true], true).f1,
            "unigram": metrics.entity_f1([[usual.get(word.lower(), "O")
                                           for word in x.words] for x in examples],
                                         true).f1}


def question_baselines(training: list, examples: list) -> Scores:
    """Exact matches of no answer, and of the word most often in an answer."""
    answers = Counter(word for x in training for _, text in x.answers
                      for word in text.lower().split())

    def guess(context: str) -> str:
        words = [word for word, _ in split_words(context)]
        return max(words, key=lambda word: answers[word.lower()])

    def exact(guesses: list[str]) -> float:
        return float(np.mean([metrics.exact_match(text, [a for _, a in x.answers])
                              for text, x in zip(guesses, examples)]))

    return {"majority": exact([""] * len(examples)),
            "unigram": exact([guess(x.context) for x in examples])}


def choice_baselines(training: list, examples: list) -> Scores:
    """Accuracy of the most frequent place, and of the choice most often right."""
    places = Counter(x.label for x in training)
    right: Counter[str] = Counter(x.choices[x.label] for x in training)
    offered: Counter[str] = Counter(choice for x in training for choice in x.choices)

    def best(choices: list[str]) -> int:
        return max(range(len(choices)),
                   key=lambda i: (right[choices[i]] + 1) / (offered[choices[i]] + 4))

    true = [x.label for x in examples]
    return {"majority": metrics.accuracy([places.most_common(1)[0][0]] * len(true),
                                         true),
            "unigram": metrics.accuracy([best(x.choices) for x in examples], true)}


BASELINES = {"text-classification": opinion_baselines,
             "token-classification": name_baselines,
             "question-answering": question_baselines,
             "multiple-choice": choice_baselines}


def unseen_opinions(models: Path, seed: int) -> float:
    """Accuracy on opinions in sentence patterns that training never shows."""
    classify = pipeline("text-classification", str(models / "text-classification"),
                        batch_size=32)
    rows = opinion_texts(400, HELD_OUT, seed, unseen=True)
    return metrics.accuracy([found["label"] for found in
                             classify([row.text for row in rows])],
                            [row.label for row in rows])


def two_persons(models: Path, seed: int) -> float:
    """Share of exact answers where a text says the same things about two persons."""
    answer = pipeline("question-answering", str(models / "question-answering"))
    rows = questions_about(500, HELD_OUT, seed, alike)
    return metrics.accuracy([answer({"question": row.question, "context": row.context})
                             ["answer"] for row in rows], [row.answer for row in rows])


def generation(model: Path, data: Path, seed: int) -> Scores:
    """Perplexity of the decoder, and of the frequencies of the word pieces alone."""
    tokenizer = BertTokenizer.from_pretrained(str(model))
    decoder = BertLMHeadModel.from_pretrained(model)
    counts = piece_counts(data, tokenizer) + 1
    surprise = -np.log(counts / counts.sum())                          # (V,)
    loss = unigram = 0.0
    total = 0
    for example in beginnings(path(data, "corpus", HELD_OUT), tokenizer, seed):
        ids, labels = example["input_ids"], example["labels"][1:]
        used = (labels != IGNORE_INDEX) & (labels != tokenizer.sep_token_id)
        logits = decoder(ids[None]).logits[0, :-1]                     # (T - 1, V)
        loss += float(cross_entropy(logits[used], labels[used], count=1)[0])
        unigram += float(surprise[labels[used]].sum())
        total += int(used.sum())
    return {"perplexity": math.exp(loss / total),
            "unigram": math.exp(unigram / total), "pieces": total}


# ------------------------------------------------------------- written by hand

def by_hand(models: Path) -> Scores:
    """How many of the `probes` each task gets right, and how many there are."""
    found = {"fill-mask": masks(models), "next-sentence": pairs(models),
             "text-classification": opinions(models),
             "token-classification": names(models),
             "question-answering": questions(models),
             "multiple-choice": choices(models)}
    return {task: {"right": sum(right), "of": len(right)}
            for task, right in found.items()}


def masks(models: Path) -> list[bool]:
    """Whether each word is among the three best guesses."""
    fill = pipeline("fill-mask", str(models / PRETRAINED), top_k=3)
    return [answer in [row["token_str"] for row in fill(text)]
            for text, answer in probes.MASKS]


def pairs(models: Path) -> list[bool]:
    """Whether each pair is judged right: the second sentence follows, or not."""
    judge = pipeline("next-sentence", str(models / PRETRAINED))
    return [(judge({"text": first, "text_pair": second})["is_next"] > 0.5) == true
            for first, second, true in probes.PAIRS]


def opinions(models: Path) -> list[bool]:
    """Whether each label is right."""
    classify = pipeline("text-classification", str(models / "text-classification"))
    return [classify(text)[0]["label"] == label for text, label in probes.OPINIONS]


def names(models: Path) -> list[bool]:
    """Whether all names of each sentence are found, with their kinds, and no more."""
    find = pipeline("token-classification", str(models / "token-classification"),
                    aggregation_strategy="first")
    right = []
    for marked in probes.NAMES:
        text = re.sub(r"\[[A-Z]+ ([^]]*)\]", r"\1", marked)
        true = [(label, name) for label, name in
                re.findall(r"\[([A-Z]+) ([^]]*)\]", marked)]
        right.append([(row["entity_group"], text[row["start"]:row["end"]])
                      for row in find(text)] == true)
    return right


def questions(models: Path) -> list[bool]:
    """Whether each answer is exact, or none where the text has none."""
    answer = pipeline("question-answering", str(models / "question-answering"),
                      handle_impossible_answer=True)
    return [metrics.exact_match(answer({"question": question, "context": context})
                                ["answer"], [true] if true else []) == 1
            for question, context, true in probes.QUESTIONS]


def choices(models: Path) -> list[bool]:
    """Whether the first choice, which is the right one, comes out best."""
    choose = pipeline("multiple-choice", str(models / "multiple-choice"))
    return [choose({"prompt": prompt, "choices": texts})[0]["index"] == 0
            for prompt, texts in probes.CHOICES]
