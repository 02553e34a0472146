"""Pipelines: from text to answers in one call, with the results of transformers.

Read base first: it takes an item through three steps, rows, run and result.  Each other
file fills in these steps for one or two tasks; text_classification is a short one.
sentences turns texts into vectors, and deviations lists where we differ on purpose.
This room may import models, tokenization, checkpoints, bert and system.
"""

from __future__ import annotations

import os
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

from ..models.config import BertConfig
from ..tokenization import BertTokenizer
from .base import Pipeline

# {task: file.class}; a file is imported when its task is asked for.
TASKS = {
    "fill-mask": "fill_mask.FillMaskPipeline",
    "text-classification": "text_classification.TextClassificationPipeline",
    "token-classification": "token_classification.TokenClassificationPipeline",
    "question-answering": "question_answering.QuestionAnsweringPipeline",
    "next-sentence": "sentence_pairs.NextSentencePipeline",
    "multiple-choice": "sentence_pairs.MultipleChoicePipeline",
    "feature-extraction": "features.FeatureExtractionPipeline",
    "sentence-embedding": "features.SentenceEmbeddingPipeline",
    "text-generation": "text_generation.TextGenerationPipeline",
    "zero-shot-classification": "zero_shot.ZeroShotClassificationPipeline",
}
ALIASES = {"sentiment-analysis": "text-classification", "ner": "token-classification"}
# Where and how to look for files: these go to the config and the tokenizer, too.
HUB = ("revision", "cache_dir", "local_files_only", "token", "subfolder",
       "force_download")


def pipeline(task: str, model: Any = None, tokenizer: Any = None, *,
             batch_size: int = 1, dtype: str | None = None,
             progress: bool | None = None, model_kwargs: dict | None = None,
             config: Any = None, revision: str | None = None,
             token: str | bool | None = None, device: Any = None,
             torch_dtype: str | None = None, **options) -> Pipeline:
    """Make a pipeline, which is called with texts and returns answers.

        fill = pipeline("fill-mask")
        fill("Paris is the [MASK] of France.")[0]["token_str"]

    Args:
        task: fill-mask, text-classification (or sentiment-analysis),
            token-classification (or ner), question-answering, next-sentence,
            multiple-choice, feature-extraction, sentence-embedding, text-generation or
            zero-shot-classification.
        model: a folder or a name on the hub, to load into the class that the task
            needs; or a model of that class.  None means the checkpoint that comes with
            numbert.
        tokenizer: a BertTokenizer, or where to load one from; None means from where the
            model is.
        batch_size: rows per forward pass.  Results change by rounding at most.
        dtype: load the model in "float32" (the default) or "float64".
        progress: show a bar for lists: True, False, or None for "if stderr is a
            terminal".
        model_kwargs: a dict of more arguments for from_pretrained.  HF: those that say
            where to look, such as subfolder, hold for all files, the tokenizer's too.
        config: a BertConfig to use instead of the checkpoint's own, or where to load
            one from.
        revision, token: which version of a repository on the hub, and the key to it.
        device: "cpu" or -1; there is no other.
        torch_dtype: the old name of dtype.
        **options: the options of the task; see the class of its pipeline.

    Returns:
        a Pipeline.

    Raises:
        ValueError, TypeError: an unknown task, model or option.
        FileNotFoundError: there is no such checkpoint.

    Warns:
        UserWarning: the checkpoint has no head for the task, so the head starts fresh.
    """
    kind = task_class(task)
    check_device(device)
    dtype = torch_dtype if dtype is None else dtype
    given = {**{name: value for name, value in (
        ("config", config), ("revision", revision), ("token", token))
        if value is not None}, **(model_kwargs or {})}
    hub = {name: value for name, value in given.items() if name in HUB}
    if model is None:
        from ..checkpoints import example_checkpoint
        model = example_checkpoint(kind.task)
    if isinstance(model, (str, os.PathLike)):
        tokenizer = model if tokenizer is None else tokenizer
        options = {**kind.saved_options(model, hub), **options}
        model = loaded(kind, model, dtype, given, hub)
    else:
        check_given(tokenizer, dtype, given)
    if isinstance(tokenizer, (str, os.PathLike)):
        tokenizer = BertTokenizer.from_pretrained(tokenizer, **hub)
    return kind(model, tokenizer, batch_size=batch_size, progress=progress, **options)


def check_device(device) -> None:
    """Refuse every device but the processor."""
    if device is not None and str(device) not in ("cpu", "-1"):
        raise ValueError(f"device is {device!r}, expected 'cpu' or -1, as pipelines "
                         "compute with NumPy: leave it out")


def check_given(tokenizer, dtype, model_kwargs) -> None:
    """Refuse arguments that do not fit a model which is loaded already."""
    if tokenizer is None:
        raise ValueError("tokenizer is None, expected a BertTokenizer, as the model is "
                         "an object: pass tokenizer=BertTokenizer.from_pretrained(...)")
    if dtype is not None or model_kwargs:
        named = {**({} if dtype is None else {"dtype": dtype}), **model_kwargs}
        raise ValueError(f"{' and '.join(named)} is given, expected neither dtype nor "
                         "arguments of from_pretrained, as the model is loaded already:"
                         " pass them to from_pretrained")


def task_class(task: str) -> type[Pipeline]:
    """Return the pipeline class of a task, given its name or an alias."""
    name = ALIASES.get(task, task)
    if name not in TASKS:
        raise ValueError(f"task is {task!r}, expected one of "
                         f"{', '.join(sorted([*TASKS, *ALIASES]))}: choose one of "
                         "these")
    file, _, kind = TASKS[name].partition(".")
    return getattr(import_module(f".{file}", __package__), kind)


def loaded(kind: type[Pipeline], place, dtype: str | None, given: dict, hub: dict):
    """Load a checkpoint for a task; warn if it was saved for another one.

    given, hub: the arguments of from_pretrained, and those of them that are in HUB.

    from_pretrained warns of heads that start fresh.  But the classifiers of texts,
    tokens and choices have the same tensor names, so one would load as another
    silently.
    """
    settings = {"dtype": dtype or "float32", **given}
    settings = {**kind.load_options(settings), **settings}
    if isinstance(settings.get("config"), (str, os.PathLike)):
        settings["config"] = BertConfig.from_pretrained(settings["config"], **hub)
    model_class, name = kind.model_class, kind.model_class.__name__
    with warnings.catch_warnings():
        # More heads than the one that is needed, as after pre-training, are fine.
        warnings.filterwarnings("ignore", message=f"{name} does not use")
        model = model_class.from_pretrained(place, **settings)
    saved_as = getattr(model.config, "architectures", None) or []
    fits = {name, model_class.backbone_class.__name__, *model_class.fits}
    if model_class.heads and saved_as and not fits & set(saved_as):
        warnings.warn(f"{place} was saved as {', '.join(saved_as)}, expected {name}: "
                      "its head was trained for another task", stacklevel=3)
    return model
