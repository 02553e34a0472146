"""Pipelines: from text to answers in one call, with the results of transformers'."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

from ..tokenization import BertTokenizer
from .base import Pipeline
from .features import FeatureExtractionPipeline, SentenceEmbeddingPipeline
from .fill_mask import FillMaskPipeline
from .question_answering import QuestionAnsweringPipeline
from .sentence_pairs import MultipleChoicePipeline, NextSentencePipeline
from .text_classification import TextClassificationPipeline
from .text_generation import TextGenerationPipeline
from .token_classification import TokenClassificationPipeline

TASKS: dict[str, type[Pipeline]] = {kind.task: kind for kind in (
    FillMaskPipeline, TextClassificationPipeline, TokenClassificationPipeline,
    QuestionAnsweringPipeline, NextSentencePipeline, MultipleChoicePipeline,
    FeatureExtractionPipeline, SentenceEmbeddingPipeline, TextGenerationPipeline)}
ALIASES = {"sentiment-analysis": "text-classification", "ner": "token-classification"}
# Checkpoints whose heads have the same names and the same meaning.
ALSO_FITS = {"BertForMaskedLM": ("BertForPreTraining",),
             "BertForNextSentencePrediction": ("BertForPreTraining",),
             "BertLMHeadModel": ("BertForPreTraining", "BertForMaskedLM")}

HUB = ("revision", "cache_dir", "local_files_only", "token")   # where a name leads to


def pipeline(task: str, model: Any = None, tokenizer: Any = None, *,
             batch_size: int = 1, dtype: str | None = None,
             progress: bool | None = None, model_kwargs: dict | None = None,
             **options) -> Pipeline:
    """Make a pipeline: a callable from texts to answers.

    Args:
        task: fill-mask, text-classification (or sentiment-analysis),
            token-classification (or ner), question-answering, next-sentence,
            multiple-choice, feature-extraction, sentence-embedding or text-generation.
        model: a directory or hub name, which is loaded into the class that the task
            needs; or a model of that class.  None means the checkpoint that comes with
            numbert.
        tokenizer: a BertTokenizer, or where to load one; None means the place of the
            model.
        batch_size: rows per forward pass.  It changes no result but for rounding.
        dtype: "float32" (the default) or "float64", to load the model in.
        progress: a bar for lists: True, False, or None for "if stderr is a terminal".
        model_kwargs: a dict of further arguments of from_pretrained.
        **options: of the task; see the class of its pipeline.

    Returns:
        a Pipeline: pipeline("fill-mask", place)("Paris is the [MASK] of France.")

    Raises:
        ValueError, TypeError: an unknown task, model, item or option.
        FileNotFoundError: there is no such checkpoint.

    Warns:
        UserWarning: the checkpoint has no head for the task, so it starts fresh.
    """
    kind = task_class(task)
    if model is None:
        from ..checkpoints import default_model
        model = default_model(kind.task)
    if not isinstance(model, (str, os.PathLike)):
        check_given(tokenizer, dtype, model_kwargs)
    else:
        if tokenizer is None:
            tokenizer = BertTokenizer.from_pretrained(model, **{
                name: value for name, value in (model_kwargs or {}).items()
                if name in HUB})
        if kind is SentenceEmbeddingPipeline:
            from .sentences import sentence_settings
            hub = {name: value for name, value in (model_kwargs or {}).items()
                   if name in HUB}
            options = {**sentence_settings(model, **hub), **options}
        model = loaded(kind.model_class, model,
                       {"dtype": dtype or "float32", **(model_kwargs or {})})
    if isinstance(tokenizer, (str, os.PathLike)):
        tokenizer = BertTokenizer.from_pretrained(tokenizer)
    return kind(model, tokenizer, batch_size=batch_size, progress=progress, **options)


def check_given(tokenizer, dtype, model_kwargs) -> None:
    """Refuse what does not go with a model that is an object already."""
    if tokenizer is None:
        raise ValueError("the model is an object, so its tokenizer must be given too: "
                         "tokenizer=BertTokenizer.from_pretrained(...)")
    if dtype is not None or model_kwargs:
        raise ValueError("dtype and model_kwargs are for loading, but the model is an "
                         "object already: leave them out")


def task_class(task: str) -> type[Pipeline]:
    """The pipeline class of a task, by its name or an alias."""
    name = ALIASES.get(task, task)
    if name not in TASKS:
        raise ValueError(f"unknown task {task!r}; the tasks are "
                         f"{', '.join(sorted([*TASKS, *ALIASES]))}")
    return TASKS[name]


def loaded(model_class, place, settings: dict):
    """The checkpoint as this class; a warning if it was saved as another one.

    from_pretrained tells what starts fresh.  But the classifiers of texts, tokens and
    choices have the same names, so that one loads as another without a word.
    """
    name = model_class.__name__
    if name == "BertModel":             # the hidden states need no head and no pooler
        settings = {"add_pooling_layer": False, **settings}
    if name == "BertLMHeadModel" and "config" not in settings:
        settings = {"is_decoder": True, **settings}
    with warnings.catch_warnings():
        # Other heads beside the one that is needed, as after pre-training, are fine.
        warnings.filterwarnings("ignore", message=f"{name} does not use")
        model = model_class.from_pretrained(place, **settings)
    if name == "BertModel":
        return model
    saved_as = getattr(model.config, "architectures", None) or []
    fits = {name, "BertModel", *ALSO_FITS.get(name, ())}
    if saved_as and not fits & set(saved_as):
        warnings.warn(f"{place} was saved as {', '.join(saved_as)} and is used as "
                      f"{name}: its head was made for another task", stacklevel=3)
    return model
