"""Sentence embeddings: one vector per text, from BertModel's last hidden states.

Mean pooling and normalisation: Reimers and Gurevych 2019, Sentence-BERT, section 3.
A text gets a prompt in front, then goes through the tokenizer, BERT, `pool` and the
steps.  sentence_files reads from a checkpoint what it asks for at each stage.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from ..bert import ops
from ..bert.scope import NUMPY
from ..models.classes import BertModel
from ..system.absent import refuse_arguments
from ..system.numbers import is_whole_number
from ..system.progress import bar
from .base import one_of

WINDOW = 32                             # how many batches to sort by length at a time
LAYER_NORM_EPS = 1e-5                   # HF: torch's default, not BERT's 1e-12
OPTIONS: dict[str, Any] = {             # how to make vectors; see `embed`
    "pooling": "mean", "normalize": None, "max_length": None, "steps": (),
    "truncate_dim": None, "prompt": None, "prompt_name": None, "prompts": None,
    "include_prompt": True, "do_lower_case": False}


def embed(model: BertModel, tokenizer: Any, texts, pooling="mean",
          normalize: bool | None = None, batch_size: int = 32,
          max_length: int | None = None, progress: bool | None = False, *,
          steps: Sequence[Callable] = (), truncate_dim: int | None = None,
          prompt: str | None = None, prompt_name: str | None = None,
          prompts: dict | None = None, include_prompt: bool = True,
          do_lower_case: bool = False) -> np.ndarray:
    """Return one vector for each text.

    Args:
        model: a BertModel.  BertModel.from_pretrained loads the backbone of any BERT
            checkpoint.
        tokenizer: the BertTokenizer of the same checkpoint.
        texts: a str, or an iterable of str.
        pooling: how one vector is made of a text's tokens, [CLS] and [SEP] included and
            padding left out: "mean", "max", "cls" (the first token), "lasttoken",
            "weightedmean" (the n-th token counts n times), or "mean_sqrt_len_tokens"
            (their sum, over the root of their number).  Several names in a list give
            one vector after the other.
        normalize: True scales each vector to length 1, so that a dot product is a
            cosine.  False leaves out the scaling with which `steps` end.  None does
            neither.
        batch_size: texts per forward pass.
        max_length: cut each text to this many tokens; None means as many as the
            model and its tokenizer allow.
        progress: show a bar: True, False, or None for "if stderr is a terminal".
        steps: functions that take the pooled vectors (n, C), one after the other, and
            return (n, E).
        truncate_dim: keep this many values of each vector, before `normalize`.
        prompt: a text to put before each text.
        prompt_name: take the prompt of this name from `prompts`, unless there is a
            prompt.
        prompts: {name: prompt}.
        include_prompt: whether pooling takes the tokens of the prompt, too.
        do_lower_case: lower-case the texts, even if the tokenizer does not.

    Returns:
        (n, E) in the model's dtype, in the order of the texts; (E,) for a single str.
        Without steps and with one pooling, E is the hidden size C.

    Raises:
        TypeError: a text is not a str, or the model is not a BertModel.
        ValueError: an unknown pooling or prompt, or a size that the model can't have.

    `sentence_settings(folder)` returns the arguments that a sentence-transformers
    checkpoint asks for: embed(model, tokenizer, texts, **sentence_settings(folder)).
    """
    plan = planned(
        model, tokenizer, pooling=pooling, normalize=normalize, max_length=max_length,
        steps=steps, truncate_dim=truncate_dim, prompt=prompt, prompt_name=prompt_name,
        prompts=prompts, include_prompt=include_prompt, do_lower_case=do_lower_case)
    several = [texts] if isinstance(texts, str) else list(texts)
    with bar(len(several), "embed", progress, " texts") as shown:
        parts = list(embed_stream(model, plan, several, batch_size, shown.update))
    vectors = np.concatenate([np.empty((0, plan.width), model.array_dtype), *parts])
    return vectors[0] if isinstance(texts, str) else vectors


class Plan(NamedTuple):
    """How texts become vectors, checked; `planned` makes one."""

    tokenizer: Any
    max_length: int                     # cut texts to this many tokens
    prompt: str                         # goes before each text
    skipped: int                        # how many first tokens pooling leaves out
    pooling: tuple[str, ...]
    steps: tuple[Callable, ...]         # (n, C) -> (n, E), one after the other
    width: int                          # E, of the vectors


def planned(model: BertModel, tokenizer: Any, **options) -> Plan:
    """Refuse what can't work, and return how to make vectors.

    options: those of OPTIONS; `embed` says what they mean.
    """
    if getattr(model, "heads", None) != ():            # not a backbone alone
        raise TypeError(f"model is a {type(model).__name__}, expected a BertModel: "
                        "BertModel.from_pretrained reads any checkpoint's backbone")
    refuse_arguments("embed", {name: value for name, value in options.items()
                               if name not in OPTIONS}, OPTIONS)
    given = {**OPTIONS, **options}
    pooling = given["pooling"]
    pooling = (pooling,) if isinstance(pooling, str) else tuple(pooling)
    for name in pooling:
        one_of("pooling", name, POOLINGS)
    if not pooling:
        raise ValueError("pooling is empty, expected at least one of "
                         f"{', '.join(POOLINGS)}: name one, such as 'mean'")
    limit = checked_length(model, tokenizer, given["max_length"])
    if given["do_lower_case"] and not tokenizer.do_lower_case:
        tokenizer = lower_casing(tokenizer)
    prompt = chosen_prompt(given["prompt"], given["prompt_name"], given["prompts"])
    skipped = 0
    if prompt and not given["include_prompt"]:
        ids = tokenizer(prompt, truncation=True, max_length=limit)["input_ids"]
        skipped = len(ids) - (ids[-1] in tokenizer.all_special_ids)   # not the [SEP]
    steps = all_steps(given["steps"], given["truncate_dim"], given["normalize"])
    sample = np.zeros((1, model.config.hidden_size * len(pooling)), model.array_dtype)
    for step in steps:
        sample = step(sample)
    return Plan(tokenizer, limit, prompt, skipped, pooling, steps, sample.shape[1])


def embed_stream(model: BertModel, plan: Plan, texts: Iterable[str],
                 batch_size: int = 32, done: Callable = lambda count: None,
                 cut: Callable | None = None) -> Iterator[np.ndarray]:
    """Do what `embed` does for more texts than fit into memory.

    Yields (m, E) arrays in the order of the texts.

    Args:
        done: called after each forward pass, with the number of its texts.
        cut: called now and then with the number of texts that lost their ends, as they
            have more than max_length tokens.

    Texts are taken from the iterable WINDOW batches at a time.  Inside such a window
    they are sorted by length, so that batches hold little padding.
    """
    if not is_whole_number(batch_size) or batch_size < 1:
        raise ValueError(f"batch_size is {batch_size!r}, expected a whole number of at "
                         "least 1: it is the number of texts per forward pass")
    source = iter(texts)
    while window := list(islice(source, WINDOW * batch_size)):
        rows = plan.tokenizer(with_prompt(plan.prompt, window), truncation=True,
                              max_length=plan.max_length)
        if cut is not None:
            cut(count_cut(plan, window, rows["input_ids"]))
        order = np.argsort([-len(ids) for ids in rows["input_ids"]], kind="stable")
        out = np.empty((len(window), plan.width), model.array_dtype)
        for start in range(0, len(order), batch_size):
            chosen = order[start:start + batch_size]
            batch = plan.tokenizer.pad({name: [values[i] for i in chosen]
                                        for name, values in rows.items()},
                                       padding_side="right", return_tensors="np")
            out[chosen] = vectors_of(model(**batch, packed=True).last_hidden_state,
                                     batch["attention_mask"], plan)
            done(len(chosen))
        yield out


def count_cut(plan: Plan, texts: list[str], rows: list) -> int:
    """Return how many texts have more tokens than their rows, which were cut."""
    full = [text for text, ids in zip(texts, rows) if len(ids) == plan.max_length]
    if not full:
        return 0
    whole = plan.tokenizer(with_prompt(plan.prompt, full), verbose=False)["input_ids"]
    return sum(len(ids) > plan.max_length for ids in whole)


def vectors_of(hidden: np.ndarray, mask: np.ndarray, plan: Plan) -> np.ndarray:
    """Pool the hidden states, and take the steps of the plan.

    hidden (B, T, C), mask (B, T) -> out (B, E)
    """
    mask = mask.astype(bool)                                       # (B, T)
    mask[:, :plan.skipped] = False
    vectors = pool(hidden, mask, plan.pooling)                     # (B, C)
    for step in plan.steps:
        vectors = step(vectors)                                    # (B, E)
    return vectors


# ------------------------------------------------------------------- pooling, a table

def pool(hidden: np.ndarray, mask: np.ndarray, pooling: Sequence[str]) -> np.ndarray:
    """Make one vector per text out of one per token.

    hidden (B, T, C), mask (B, T) True = counts -> out (B, C times len(pooling))
    """
    return np.concatenate([POOLINGS[name](hidden, mask) for name in pooling], -1)


def first_token(hidden, mask):
    """hidden (B, T, C), mask (B, T) -> out (B, C)"""
    return hidden[np.arange(len(hidden)), mask.argmax(1)]


def last_token(hidden, mask):
    """hidden (B, T, C), mask (B, T) -> out (B, C)"""
    last = mask.shape[1] - 1 - mask[:, ::-1].argmax(1)             # (B,)
    return hidden[np.arange(len(hidden)), last]


def largest(hidden, mask):
    """hidden (B, T, C), mask (B, T) -> out (B, C)"""
    return np.where(mask[..., None], hidden, -np.inf).max(1)


def mean(hidden, mask):
    """hidden (B, T, C), mask (B, T) -> out (B, C)"""
    weights = mask.astype(hidden.dtype)                            # (B, T)
    return summed(hidden, weights) / weights.sum(1, keepdims=True)


def mean_by_root(hidden, mask):
    """hidden (B, T, C), mask (B, T) -> out (B, C)"""
    weights = mask.astype(hidden.dtype)                            # (B, T)
    return summed(hidden, weights) / np.sqrt(weights.sum(1, keepdims=True))


def mean_by_place(hidden, mask):
    """hidden (B, T, C), mask (B, T) -> out (B, C)   Muennighoff 2022, "SGPT", 4.1"""
    weights = (mask * np.arange(1, mask.shape[1] + 1)).astype(hidden.dtype)
    return summed(hidden, weights) / weights.sum(1, keepdims=True)


def summed(hidden, weights):
    """Add up a text's tokens.   hidden (B, T, C), weights (B, T) -> out (B, C)"""
    return (weights[:, None] @ hidden)[:, 0]


POOLINGS: dict[str, Callable] = {       # in the order in which several are joined
    "cls": first_token, "max": largest, "mean": mean,
    "mean_sqrt_len_tokens": mean_by_root, "weightedmean": mean_by_place,
    "lasttoken": last_token}


# ------------------------------------------------------------------------------ steps

def unit(x: np.ndarray) -> np.ndarray:
    """Scale each row to length 1; zeros stay zeros.     x (n, C) -> out (n, C)"""
    length = np.sqrt(np.vecdot(x, x))[:, None]                     # (n, 1)
    return x / np.maximum(length, 1e-12)


def cut(x: np.ndarray, count: int) -> np.ndarray:
    """Keep the first values of each row.     x (n, C) -> out (n, count)

    Kusupati et al. 2022, "Matryoshka Representation Learning", section 3.
    """
    return x[:, :count]


def dense(x: np.ndarray, weight: np.ndarray, bias: np.ndarray | None, activation: str,
          residual: bool = False, shortcut: np.ndarray | None = None) -> np.ndarray:
    """Take a linear map and an activation.

    x (n, C), weight (E, C), bias (E,), shortcut (E, C) -> out (n, E)

    activation: the name of one in numbert.bert.
    residual: add x to the result, or its image under `shortcut` if there is one.
    """
    check_width(x, weight.shape[1], "Dense")
    h = x @ weight.T.astype(x.dtype)                               # (n, E)
    if bias is not None:
        h = h + bias.astype(x.dtype)
    out, _ = getattr(NUMPY, activation)(h)                         # (n, E)
    if residual:
        out = out + (x if shortcut is None else x @ shortcut.T.astype(x.dtype))
    return out


def layer_norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Give each row mean 0 and variance 1, then scale and shift it.

    x (n, C), weight (C,), bias (C,) -> out (n, C)
    """
    check_width(x, len(weight), "LayerNorm")
    return ops.layer_norm(x, weight.astype(x.dtype), bias.astype(x.dtype),
                          LAYER_NORM_EPS)[0]


def check_width(x: np.ndarray, width: int, step: str) -> None:
    """Refuse vectors that a step was not made for."""
    if x.shape[1] != width:
        raise ValueError(f"a vector has {x.shape[1]} values, expected {width} for the "
                         f"step {step}: pool as the checkpoint says, with the "
                         "model that belongs to it")


def all_steps(steps: Sequence[Callable], count: int | None, normalize: bool | None
              ) -> tuple[Callable, ...]:
    """Return the steps with what truncate_dim and normalize add to them."""
    steps = list(steps)
    while normalize is False and steps and steps[-1] is unit:
        steps.pop()
    if count is not None:
        if not is_whole_number(count) or count < 1:
            raise ValueError(f"truncate_dim is {count!r}, expected a whole number of "
                             "at least 1: leave it out for all values")
        steps.append(partial(cut, count=count))
    if normalize:
        steps.append(unit)
    return tuple(steps)


# ------------------------------------------------------------------ texts and prompts

def checked_length(model, tokenizer, max_length) -> int:
    """Return the number of tokens to cut texts to."""
    positions = model.config.max_position_embeddings
    if max_length is None:
        return min(positions, tokenizer.model_max_length)
    if not (is_whole_number(max_length) and 2 < max_length <= positions):
        raise ValueError(f"max_length is {max_length!r}, expected 3 to {positions}: "
                         "room for [CLS], a token and [SEP], and at most the model's "
                         "max_position_embeddings")
    return int(max_length)


def chosen_prompt(prompt: str | None, name: str | None, prompts: dict | None) -> str:
    """Return the text to put before each text: the prompt, or that of a name, or ""."""
    if prompt is None and name is None:
        return ""
    if prompt is None:
        known = prompts or {}
        if name not in known:
            raise ValueError(f"prompt_name is {name!r}, expected one of "
                             f"{', '.join(map(repr, known)) or 'none, as there are no'}"
                             " prompts: pass prompt= with the text itself")
        prompt = known[name]
    if not isinstance(prompt, str):
        raise TypeError(f"prompt is {prompt!r}, expected a str: the text to put before "
                        "each text")
    return prompt


def with_prompt(prompt: str, texts: list) -> list:
    """Put the prompt before each text; leave what is not a str to the tokenizer."""
    return [prompt + text if isinstance(text, str) else text for text in texts] \
        if prompt else texts


def lower_casing(tokenizer: Any) -> Any:
    """Return a copy of a tokenizer that also lower-cases, and treats accents as before.
    """
    made = copy.copy(tokenizer)
    made.strip_accents = bool(tokenizer.strip_accents)     # None: if do_lower_case
    made.do_lower_case = True
    return made
