"""The model card, README.md: its text, and tables made of the measured scores."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from ..models.config import BertConfig
from ..models.classes import BertForPreTraining
from ..checkpoints import PRETRAINED
from . import HELD_OUT, TRAIN, statements
from .exercises import split_words
from .steps import plain_texts

TEXT = """\
# The models that ship with numbert

Small BERTs for trying out numbert without a download.  They know a small made world,
and nothing else.  This page and `metrics.json` were written by the command that made
the models; no score was typed in.

    python -m numbert.shipped --out DIR

makes everything here again from a seed, on two cores in less than 20 minutes.  All of
it was computed by numbert: the text (`numbert.world`), the vocabulary
(`numbert.tokenization.learn`), and every gradient.  On one kind of processor, with
the same NumPy and BLAS, the files come out bit for bit the same, whatever the number of
cores and the load: every matrix product uses one thread.  Another processor or BLAS
rounds otherwise, and after so many steps that shows: the scores are then alike, but not
the same.

## What there is

{shape}

| folder | class | for |
| --- | --- | --- |
| pretrained | BertForPreTraining | fill-mask, next-sentence, embeddings |
| text-classification | BertForSequenceClassification | POSITIVE or NEGATIVE |
| token-classification | BertForTokenClassification | names: PER, LOC, ORG (BIO) |
| question-answering | BertForQuestionAnswering | spans; no answer where there is none |
| multiple-choice | BertForMultipleChoice | what follows; answers to questions |
| text-generation | BertLMHeadModel | goes on with a text |

Each is stored in half precision, and computed in float32 or float64 as always.

## What they learnt from

English of {words:,} words, uncased: the capitals of some countries, animals, colours,
tools, jobs, sums up to twenty, days and months, a dozen families; made-up persons with
homes, work and pets; causes and what follows; reviews of films, hotels and meals.
{facts:,} different sentences state the facts.  What they say of the real world is true;
the families, persons and companies are inventions.

Held out by construction: one sentence in ten, chosen by a checksum of its letters,
never occurs in training, nor do the names that are made up for tests.  The patterns of
these sentences, though, are those of training (but for "unseen patterns" below): the
scores say how well new combinations in known patterns are understood, not how well
English is.

## Scores on held-out text

{table}

Baselines.  Masked words: always the most frequent word piece.  Majority: the most
frequent label (for names: no name at all; for questions: "no answer"; for facts: the
most frequent answer to that kind of question).  Unigram: reads words but no context;
naive Bayes for opinions, the usual tag of each word for names, the word that is an
answer most often for questions, the choice that is right most often, word frequencies
for text generation.  Of two persons of whom the same is said a coin picks the right one
half of the time.  (That choice is often wrong by construction: what is right in a
held-out question was never right in training.)

## Beyond its patterns

A few sentences were written by hand, in no pattern of the world, some with words that
it has never seen (`numbert/world/probes.py`).  The patterns of the world
were widened once after an earlier total was seen.

{probes}

## What they can't do

- They know nothing of the real world beyond the tables, and few words.  An unknown word
  is read piece by piece; its meaning is then a guess from what stands around it.
- A sentence of another form than theirs may get a confident wrong answer.  The scores
  of probability are not calibrated.
- Opinions are those of short, plain reviews.  Irony, comparisons and long texts are
  beyond them.
- Names are found by their place in the sentence, as the models don't see capitals.
- Questions are answered by a sentence that says the same in nearly the same words.
  Where other words are used, or two sentences must be put together, expect mistakes.
- Inputs end at 128 word pieces.
- Embeddings come from the pre-trained model as it is; nothing was trained to make
  similar sentences close.

For real work load a real checkpoint: `from_pretrained` reads any BERT.

## Licence

Apache-2.0, as numbert.  No text or weights of others were used.
"""

# What the table shows: name of the task, scores, baselines.
ROWS = [
    ("masked word pieces, accuracy", "pretraining", "masked_accuracy",
     None, "masked_unigram", "masked_pieces"),
    ("next sentence, accuracy", "pretraining", "next_sentence_accuracy",
     "next_sentence_majority", None, "pairs"),
    ("facts, the masked answer, accuracy", "facts", "accuracy", "majority", None,
     "sentences"),
    ("opinions, accuracy", "text-classification", "accuracy", "majority", "unigram",
     "examples"),
    ("opinions in unseen patterns, accuracy", "text-classification",
     "unseen_patterns", None, None, None),
    ("names, F1 of entities", "token-classification", "f1", "majority", "unigram",
     "examples"),
    ("questions, exact match", "question-answering", "exact_match", "majority",
     "unigram", "examples"),
    ("questions about two persons of whom the same is said", "question-answering",
     "two_persons", None, None, None),
    ("multiple choice, accuracy", "multiple-choice", "accuracy", "majority", "unigram",
     "examples"),
    ("text generation, perplexity (less is better)", "text-generation", "perplexity",
     None, "unigram", "pieces"),
]


def text(scores: dict[str, dict[str, Any]], models: Path, seed: int, scale: float
         ) -> str:
    """The whole card of the models in a folder, made from this seed and scale."""
    words = {word.lower() for sentence in plain_texts(seed, scale)
             for word, _ in split_words(sentence) if word.isalpha()}
    facts = len(statements(TRAIN)) + len(statements(HELD_OUT))
    return TEXT.format(table=table(scores), probes=probes(scores["probes"]),
                       words=len(words), facts=facts, shape=shape(models))


def shape(models: Path) -> str:
    """A sentence on the size of the models."""
    config = BertConfig.from_pretrained(models / PRETRAINED)
    count = BertForPreTraining.from_pretrained(models / PRETRAINED).num_parameters()
    size = sum(file.stat().st_size for file in models.glob("*/*"))
    return textwrap.fill(
        f"Each model has {config.num_hidden_layers} layers of {config.hidden_size} "
        f"numbers, {config.num_attention_heads} heads, feed-forward layers of "
        f"{config.intermediate_size} and a vocabulary of {config.vocab_size:,} word "
        f"pieces: with the heads of pre-training {count:,} parameters.  All models "
        f"together take {size / 1e6:.1f} MB.", width=88)


def table(scores: dict[str, dict[str, Any]]) -> str:
    """The scores and baselines as a table of Markdown."""
    lines = ["| task | score | majority | unigram | held-out examples |",
             "| --- | --- | --- | --- | --- |"]
    for title, task, *names in ROWS:
        cells = [shown(scores[task].get(name)) if name else "" for name in names]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def probes(scores: dict[str, dict[str, int]]) -> str:
    """How many of the hand-written sentences are right."""
    lines = ["| task | right | of |", "| --- | --- | --- |"]
    lines += [f"| {task} | {found['right']} | {found['of']} |"
              for task, found in scores.items()]
    return "\n".join(lines)


def shown(value: Any) -> str:
    """A share as per cent, a count or another number as it is."""
    if isinstance(value, int):
        return f"{value:,}"
    return f"{100 * value:.1f} %" if value <= 1 else f"{value:.1f}"


def rounded(scores: dict[str, Any]) -> dict[str, Any]:
    """The scores with four digits after the point."""
    return {name: rounded(value) if isinstance(value, dict)
            else round(value, 4) if isinstance(value, float) else value
            for name, value in scores.items()}
