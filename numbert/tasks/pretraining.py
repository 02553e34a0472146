"""Pre-train a BERT from a text file: masked LM and next sentence prediction.

    pretrain("corpus.txt", "config.json", "out", epochs=10)

Devlin et al. 2019, section 3.1 and appendix A.2.
"""

from __future__ import annotations

import errno
from functools import partial
from pathlib import Path

import numpy as np

from ..models.classes import BertForPreTraining
from ..models.config import BertConfig
from ..system.datafiles import text_lines
from ..system.jsonfiles import refuse_pipe
from ..system.progress import bar
from ..tokenization import BertTokenizer
from ..training.loop import TrainingResult, require_finite
from ..training.masking import (Document, Vocabulary, masking_collate,
                                next_sentence_pairs, pair_inputs, read_documents, tally,
                                vocabulary)
from ..training.recipe import planned, recipe_of, show_settings
from .finetuning import (fingerprints, refuse_folder, refuse_other_vocabulary,
                         trained_into)
from .records import provenance


def pretrain(corpus, config, out, *, dev=None, tokenizer=None, lowercase: bool = True,
             max_length: int | None = None, repeats: int = 1,
             short_probability: float = 0.1, rule: str = "exact",
             probability: float = 0.15, max_predictions: int = 20,
             whole_word: bool = False, dtype: str = "float32", seed: int = 0,
             overwrite: bool = False, device: str | None = None,
             lr: float = 1e-4, warmup: float = 0.01,
             accumulate: int = 2, progress: bool | None = None, resume: bool = True,
             autocast: str | None = None, compile: bool = False, **training
             ) -> TrainingResult:
    """Train a BertForPreTraining from scratch; write it and its tokenizer to `out`.

    An interrupted run goes on when you repeat the call with the same arguments, and
    ends as if it had never stopped.

    Args:
        corpus: a UTF-8 text file: a sentence per line, a blank line after a document.
        config: a config.json with the shape of the model.
        out: a folder, made if absent, for the model, the tokenizer, training.json
            (the scores, and what the run started from) and log.jsonl.
        dev: another corpus, to evaluate on; the parameters that do best on it are kept.
        tokenizer: a folder with a tokenizer, or a vocab.txt.  None learns a vocabulary
            of config.vocab_size pieces from the corpus.
        lowercase: whether the vocabulary that is learnt has lower case only.
        max_length: tokens per pair.  None means 128, or what the model takes if less.
        repeats: how many times the corpus is cut into pairs (dupe_factor).
        short_probability: see `next_sentence_pairs`.
        rule: how pieces are picked for masking: "exact" or "bernoulli"; see `masking`.
        probability, max_predictions, whole_word: of the masking rule.  "bernoulli" has
            no max_predictions.
        dtype, seed, overwrite, progress, device, autocast, compile: as in `finetune`.
        resume: see `train`; the other keywords are settings of the training, below.
            The paper's: batch_size 256, a million steps, lr 1e-4, 10,000 of warm-up.
            Every epoch masks anew.

    Returns:
        TrainingResult

    Raises:
        TypeError: an unknown setting of training.
        ValueError: files or settings that do not fit, or that differ from those of the
            unfinished run in `out`; before any training.
        DivergedError: see `train`; nothing is saved but earlier checkpoints.
        OSError: a file can't be read or written.
    """
    out, shape, config = Path(out), config, load_config(config)
    training = dict(lr=lr, warmup=warmup, seed=seed, accumulate=accumulate,
                    metric=None if dev is None else "loss", lower_is_better=True,
                    **training)
    recipe = recipe_of(training, evaluates=dev is not None)
    max_length = checked_length(max_length, config)
    refuse_folder(out, overwrite, corpus=corpus, dev=dev, config=shape,
                  tokenizer=tokenizer)
    refuse_pipe(corpus, "text, as it is read several times")
    words = load_tokenizer(tokenizer, corpus, config, lowercase)
    refuse_other_vocabulary(words, config)
    vocab = vocabulary(words)
    config = BertConfig.from_dict(config.to_dict(), pad_token_id=vocab.pad_id)
    rng = np.random.default_rng([seed, 1])         # not the model's: its own
    examples = pairs(corpus, read_documents(corpus, words), rng, vocab, max_length,
                     repeats, short_probability)
    masking = dict(probability=probability, whole_word=whole_word) | (
        {"max_predictions": max_predictions} if rule == "exact" else {})
    collate = masking_collate(vocab, rule, **masking)
    held_out = None if dev is None else evaluation_batches(
        dev, read_documents(dev, words), vocab, max_length, short_probability, collate,
        recipe.batch_size)
    plan = planned(recipe, len(examples))       # errors come before anything is removed
    record = {"task": "pretraining",
              **provenance(plan, shape, corpus=corpus, dev=dev)}
    model = BertForPreTraining(config, dtype=dtype, rng=seed)
    identity = {"task": "pretraining", "rule": rule, **masking} | fingerprints(
        model=[model.params], train_data=examples, dev_data=held_out)
    return trained_into(
        out, overwrite, model, words, examples, record, device=device,
        autocast=autocast, compile=compile, collate=collate,
        evaluate=None if held_out is None else partial(
            scores, batches=held_out, progress=progress),
        progress=progress, resume=resume, identity=identity, **training)


show_settings(pretrain, but=["metric", "lower_is_better"])


def checked_length(max_length: int | None, config) -> int:
    """Return max_length, by default 128, once it is known to fit the model."""
    most = config.max_position_embeddings
    if max_length is None:
        return min(128, most)
    if max_length > most:
        raise ValueError(f"max_length is {max_length}, expected at most {most}, the "
                         "config's max_position_embeddings: shorten the pairs, or "
                         "change the config")
    return max_length


def load_config(name) -> BertConfig:
    """Load a config.json, from a file, a folder or the hub.

    Raises:
        FileNotFoundError: the name ends in .json and there is no such file.
    """
    if str(name).lower().endswith(".json") and not Path(name).exists():
        raise FileNotFoundError(errno.ENOENT, "no such file, expected a config.json "
                                "with the shape of the model: check the path",
                                str(name))
    return BertConfig.from_pretrained(name)


def load_tokenizer(name, corpus, config, lowercase: bool) -> BertTokenizer:
    """Load the tokenizer of this name, or learn one from the corpus."""
    if name is not None:
        return BertTokenizer.from_pretrained(str(name))
    if not any(line.strip() for _, line in text_lines(corpus)):
        raise ValueError(f"{corpus} holds no words, expected some to learn a "
                         "vocabulary from: choose another corpus, or name a tokenizer")
    from ..tokenization.learn import train_wordpiece
    learnt = train_wordpiece((line for _, line in text_lines(corpus)),
                             config.vocab_size, lowercase=lowercase)
    return BertTokenizer(learnt, do_lower_case=lowercase,
                         model_max_length=config.max_position_embeddings)


def pairs(file, documents: list[Document], rng, vocab: Vocabulary, max_length: int,
          repeats: int, short_probability: float) -> list[dict]:
    """Cut a corpus into examples, not masked yet.  file: its name, for errors."""
    if repeats < 1:
        raise ValueError(f"repeats is {repeats}, expected at least 1: it counts how "
                         "often the corpus is used")
    if len(documents) < 2:
        raise ValueError(
            f"{file} is one document, expected at least 2, as a random next sentence "
            "comes from another: put a blank line after each document")
    return [pair_inputs(pair, vocab) for _ in range(repeats)
            for pair in next_sentence_pairs(documents, rng, max_length,
                                            short_probability)]


def evaluation_batches(file, documents, vocab, max_length, short_probability, collate,
                       batch_size: int) -> list[dict]:
    """Make batches once, so that every evaluation has the same pairs and masks."""
    rng = np.random.default_rng(0)
    examples = pairs(file, documents, rng, vocab, max_length, 1, short_probability)
    examples.sort(key=lambda example: len(example["input_ids"]))
    return [collate(examples[i:i + batch_size], rng)
            for i in range(0, len(examples), batch_size)]


def scores(model, batches: list[dict], progress: bool | None = None
           ) -> dict[str, float]:
    """Return loss (of both tasks), masked_accuracy and next_sentence_accuracy."""
    totals = np.zeros((2, 3))             # per task: labels, right ones, sum of -log p
    with bar(len(batches), "evaluate", progress, " batches") as shown:
        for batch in batches:
            inputs = dict(batch)
            targets = inputs.pop("labels"), inputs.pop("next_sentence_label")
            out = model(**inputs, packed=True)
            require_finite(model, {
                "prediction_logits": out.prediction_logits,
                "seq_relationship_logits": out.seq_relationship_logits})
            for i, (logits, labels) in enumerate(zip(
                    (out.prediction_logits, out.seq_relationship_logits), targets)):
                totals[i] += tally(logits, labels)
            shown.update()
    (masked, right, lm), (sentences, ordered, nsp) = totals
    return {"loss": float(lm / max(masked, 1) + nsp / sentences),
            "masked_accuracy": float(right / max(masked, 1)),
            "next_sentence_accuracy": float(ordered / sentences)}
