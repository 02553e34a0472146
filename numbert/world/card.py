"""The model card, README.md: its text, with tables of the measured scores."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from ..checkpoints import FINE_TUNED, PRETRAINED
from ..models.classes import BertForPreTraining
from ..models.config import BertConfig
from ..system.numbers import is_whole_number
from . import HELD_OUT, TRAIN, statements
from .exercises import split_words
from .steps import plain_texts

TEXT = """\
# The models that ship with numbert

Six small BERTs, so that you can try numbert without a download.  They have learnt about
a small made-up world and know nothing else.  Use them to learn and to test.  For real
work load a real checkpoint: `from_pretrained` reads any BERT.

## How to use them

A pipeline without `model=` takes the model that fits its task:

    import numbert

    fill = numbert.pipeline("fill-mask")
    fill("The capital of Japan is [MASK].")[0]["token_str"]              # 'tokyo'

    answer = numbert.pipeline("question-answering")
    answer(question="Where does Tom live?",
           context="Anna lives in Oslo. Tom lives in Rome.")["answer"]   # 'Rome'

The folders are ordinary checkpoints, which transformers reads, too:

    folder = numbert.example_checkpoint("fill-mask")
    model = numbert.BertForPreTraining.from_pretrained(folder)

{shape}

| folder | class | what the model does |
| --- | --- | --- |
| pretrained | BertForPreTraining | masked words, next sentences, embeddings |
| text-classification | BertForSequenceClassification | opinions: POSITIVE, NEGATIVE |
| token-classification | BertForTokenClassification | names: PER, LOC, ORG (BIO tags) |
| question-answering | BertForQuestionAnswering | finds the answer, if there is one |
| multiple-choice | BertForMultipleChoice | picks what follows, or the right answer |
| text-generation | BertLMHeadModel | continues a text |

The weights are stored in half precision.  numbert computes with them in float32, or in
float64 if you ask for it.

## What they learnt from

The text is simple English with {words:,} different words, in lower case.  It is about
capital cities, animals, colours, tools, jobs, sums up to twenty, days, months and a
dozen families; about made-up people, their homes, work and pets; and about causes and
their effects.  It also contains reviews of films, hotels and meals.  In all, {facts:,}
different sentences state facts.  What they say about the real world is true; the
families, people and companies are invented.

One sentence in ten, chosen by a checksum of its letters, is held out: it never occurs
in training.  Neither do the names that are made up for the tests.  But held-out
sentences follow the same patterns as training, except for "unseen patterns" below.  So
the scores show how well a model handles new combinations of patterns that it knows.
They don't show how well it understands English.

## What they can do

In patterns that they know, the models reach {opinions} on opinions, {names} on names
and {questions} on questions.  On opinions in unseen patterns they reach {unseen}.

{table}

The baselines show what a score is worth:

- *Majority* always gives the same answer: the most frequent label; for names, no name
  at all; for questions, "no answer"; for facts, the most frequent answer to that kind
  of question.
- *Unigram* reads words but no context.  It takes the most frequent word piece for
  masked words, naive Bayes for opinions, the usual tag of each word for names, the word
  that is most often in an answer for questions, the choice that is most often right for
  multiple choice, and the frequencies of word pieces for text generation.

Two rows need an explanation.  Where a text says the same about two people, only the
name in the question tells which of them is meant: a coin would be right half of the
time.  In multiple choice, nearly all held-out examples are questions about facts.  A
held-out question and its answer never occur together in training, so that answer was
right there less often than the other choices.  So the unigram scores below chance.

## How far they reach beyond their patterns

These sentences were written by hand, in none of the patterns of the world, and some
have words that the models have never seen (`numbert/world/probes.py`).  No model was
trained on them, but the world was widened once after an earlier total had been seen.
In all, {right} of {of} come out right.

{probes}

## What they can't do

- They know nothing of the real world beyond their text, and few words.  They read an
  unknown word piece by piece, and guess its meaning from the words around it.
- They may be wrong and confident about a sentence of an unfamiliar form.  Their
  probabilities are not calibrated.
- They judge short, plain reviews.  Irony, comparisons and long texts are beyond them.
- They find names by their place in the sentence, since they don't see capitals.
- They answer a question from a sentence that says the same in nearly the same words.
  Expect mistakes if the words differ, or if two sentences must be put together.
- They read at most 128 word pieces.
- Their embeddings come from the pre-trained model as it is.  Nothing was trained to
  bring similar sentences close together.

## How they were made

    python -m numbert.shipped --out DIR

trains all of them again from a seed, on two cores in less than 20 minutes.  It also
writes this page and `metrics.json`: no score was typed by hand.  numbert computed
everything: the text (`numbert.world`), the vocabulary (`numbert.tokenization.learn`)
and every gradient.

On the same kind of processor, with the same NumPy and BLAS, two runs of one version
give the same files bit for bit, whatever the load, as every matrix product uses one
thread.  Another processor or BLAS rounds differently.  Over thousands of steps that
shows: the scores are then similar, but not equal.  The files here are older than
packing and the faster GELU and dropout in float32, so a run of today gives similar
ones, too.

## Licence

Apache-2.0, like numbert.  No text or weights of others were used.
"""

# Rows of the table of scores: a title, the part of metrics.json, and there the names of
# the score, both baselines and the number of examples.
ROWS = [
    ("masked word pieces, accuracy", "pretraining", "masked_accuracy",
     None, "masked_unigram", "masked_pieces"),
    ("next sentence, accuracy", "pretraining", "next_sentence_accuracy",
     "next_sentence_majority", None, "pairs"),
    ("facts with the answer masked, accuracy", "facts", "accuracy", "majority", None,
     "sentences"),
    ("opinions, accuracy", "text-classification", "accuracy", "majority", "unigram",
     "examples"),
    ("opinions in unseen patterns, accuracy", "text-classification",
     "unseen_patterns", None, None, None),
    ("names, F1 of entities", "token-classification", "f1", "majority", "unigram",
     "examples"),
    ("questions, exact match", "question-answering", "exact_match", "majority",
     "unigram", "examples"),
    ("questions, the same said of two people, exact match", "question-answering",
     "two_persons", None, None, None),
    ("multiple choice, accuracy", "multiple-choice", "accuracy", "majority", "unigram",
     "examples"),
    ("text generation, perplexity (lower is better)", "text-generation", "perplexity",
     None, "unigram", "pieces"),
]


def text(scores: dict[str, dict[str, Any]], models: Path, seed: int, scale: float
         ) -> str:
    """The whole card of the models in a folder, which this seed and scale made."""
    words = {word.lower() for sentence in plain_texts(seed, scale)
             for word, _ in split_words(sentence) if word.isalpha()}
    opinions, found = scores["text-classification"], scores["probes"]
    return TEXT.format(
        shape=shape(models), words=len(words),
        facts=len(statements(TRAIN)) + len(statements(HELD_OUT)),
        opinions=shown(opinions["accuracy"]), unseen=shown(opinions["unseen_patterns"]),
        names=shown(scores["token-classification"]["f1"]),
        questions=shown(scores["question-answering"]["exact_match"]),
        table=table(scores), probes=probes(found),
        right=sum(task["right"] for task in found.values()),
        of=sum(task["of"] for task in found.values()))


def shape(models: Path) -> str:
    """A sentence or two on the size of the models."""
    config = BertConfig.from_pretrained(models / PRETRAINED)
    count = BertForPreTraining.from_pretrained(models / PRETRAINED).num_parameters()
    size = sum(file.stat().st_size for name in (PRETRAINED, *FINE_TUNED)
               for file in (models / name).iterdir())
    return textwrap.fill(
        f"Each model has {config.num_hidden_layers} layers, hidden states of "
        f"{config.hidden_size} numbers, {config.num_attention_heads} attention heads, "
        f"feed-forward layers of {config.intermediate_size} and a vocabulary of "
        f"{config.vocab_size:,} word pieces.  With its heads the pre-trained model has "
        f"{count:,} parameters.  All six together take {size / 1e6:.1f} MB.", width=88)


def table(scores: dict[str, dict[str, Any]]) -> str:
    """The scores and baselines, in a Markdown table."""
    lines = ["| task | score | majority | unigram | held-out examples |",
             "| --- | --- | --- | --- | --- |"]
    for title, task, *names in ROWS:
        cells = [shown(scores[task].get(name)) if name else "" for name in names]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def probes(scores: dict[str, dict[str, int]]) -> str:
    """How many sentences written by hand are right, in a Markdown table."""
    lines = ["| task | right | of |", "| --- | --- | --- |"]
    lines += [f"| {task} | {found['right']} | {found['of']} |"
              for task, found in scores.items()]
    return "\n".join(lines)


def shown(value: Any) -> str:
    """Write a share in per cent, and a count or another number as it is."""
    if is_whole_number(value):
        return f"{value:,}"
    return f"{100 * value:.1f} %" if value <= 1 else f"{value:.1f}"


def rounded(scores: dict[str, Any]) -> dict[str, Any]:
    """Round the scores to four decimal places."""
    return {name: rounded(value) if isinstance(value, dict)
            else round(value, 4) if isinstance(value, float) else value
            for name, value in scores.items()}
