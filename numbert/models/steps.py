"""Generation, one step at a time: score the next token of every row, and choose.

Here are greedy search and sampling, in which each row goes on by itself; beams holds
beam search.  For the dimensions see generation.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .outputs import GenerateOutput
from .sampling import log_gumbel, processed
from .tensors import to_host


class Rows(NamedTuple):
    """What the model is given in every step, besides the tokens of the rows."""

    model: Any
    past: Any                   # the cache, or None
    positions: Any              # (R, P) of the prompt
    mask: Any                   # (R, P) of the prompt; None if there is no padding
    source: Any = None          # (R, S, C), the encoder's output, for cross-attention
    source_mask: Any = None     # (R, S)
    types: Any = None           # (R, P), token_type_ids of the prompt
    embeds: Any = None          # (R, P, C), in place of the prompt's tokens
    hidden: int = 0             # P if the prompt has no tokens, only embeds; else 0

    @property
    def prompt_mask(self):
        """The mask of the prompt's tokens; None without padding or without tokens."""
        return None if self.hidden else self.mask


class Hooks(NamedTuple):
    """What a caller may add to each step; see `generate`."""

    streamer: Any = None
    processors: tuple = ()
    criteria: tuple = ()


def hooks(streamer=None, logits_processor=None, stopping_criteria=None) -> Hooks:
    """Return the hooks of a call, after checking that they are functions."""
    lists = []
    for name, given in (("logits_processor", logits_processor),
                        ("stopping_criteria", stopping_criteria)):
        given = () if given is None else (given,) if callable(given) else tuple(given)
        wrong = [x for x in given if not callable(x)]
        if wrong:
            raise TypeError(f"{name} holds a {type(wrong[0]).__name__}, expected "
                            "functions of (input_ids, scores): pass one, or a list")
        lists.append(given)
    return Hooks(streamer, *lists)


def next_step(rows, ids, settings):
    """Score every token as the one that follows each row.

    ids (R, T) -> logits (R, V), and the whole output of the model
    With a cache, only the tokens that it has not seen go through the model.
    """
    seen = 0 if rows.past is None else rows.past.get_seq_length()
    prompt = rows.positions.shape[1]                               # P
    new = rows.hidden + ids.shape[1] - prompt                      # generated so far
    later = rows.positions[:, -1:] + np.arange(1, new + 1)         # (R, new)
    positions = np.concatenate([rows.positions, later], axis=1)    # (R, P + new)
    mask = rows.mask
    if mask is not None:
        mask = np.pad(mask, ((0, 0), (0, new)), constant_values=True)
    types = rows.types
    if types is not None:
        types = np.pad(types, ((0, 0), (0, new)), mode="edge")[:, seen:]
    embeds = None
    if rows.embeds is not None and not seen:       # later the cache knows the prompt
        table = to_host(rows.model.get_input_embeddings())         # (V, C)
        written = table[ids[:, prompt - rows.hidden:]]             # (R, new, C)
        embeds = np.concatenate([rows.embeds, written], axis=1)
    output = rows.model(
        ids[:, seen - rows.hidden:] if embeds is None else None, mask,
        token_type_ids=types, position_ids=positions[:, seen:], inputs_embeds=embeds,
        encoder_hidden_states=rows.source, encoder_attention_mask=rows.source_mask,
        cache=rows.past, use_cache=rows.past is not None, logits_to_keep=1,
        return_dict=True, output_attentions=settings.output_attentions,
        output_hidden_states=settings.output_hidden_states)
    return np.asarray(to_host(output.logits))[:, -1], output


def record(output, settings, scores, logits, step) -> None:
    """Add what the caller wants of a step to the output.

    step: the output of the model.
    """
    for name, value, wanted in (
            ("scores", scores, settings.output_scores),
            ("logits", logits, settings.output_logits),
            ("attentions", step.attentions, settings.output_attentions),
            ("cross_attentions", step.cross_attentions, settings.output_attentions),
            ("hidden_states", step.hidden_states, settings.output_hidden_states)):
        if wanted and value is not None and len(value):
            setattr(output, name, (*(getattr(output, name) or ()), value))


def stops(criteria, ids, scores):
    """Whether one of the criteria ends each row.   ids (R, T) -> ends (R,)"""
    ends = np.zeros(len(ids), bool)
    for criterion in criteria:
        found = np.asarray(criterion(ids, scores))
        if found.shape not in ((), ends.shape):
            raise ValueError("the result of a stopping criterion has shape "
                             f"{found.shape}, expected {ends.shape}: return a boolean "
                             "for each row")
        ends |= found.astype(bool)
    return ends


def continue_rows(rows, ids, settings, rng, extra=Hooks()) -> GenerateOutput:
    """Continue each row by itself, with the likeliest token each time or with a draw.

    ids (R, P) -> sequences (R, T)
    A row that has ended gets padding until all rows have ended.
    """
    streamer = extra.streamer
    show = getattr(streamer, "put", None)
    if show is not None:
        show(ids)
    output = GenerateOutput()
    ended = np.zeros(len(ids), bool)
    # Without a pad token there is no eos token either: no row ends, and none is padded.
    pad = 0 if settings.pad_token_id is None else settings.pad_token_id
    prompt = ids.shape[1]
    while ids.shape[1] < settings.max_length and not ended.all():
        logits, step = next_step(rows, ids, settings)              # (R, V)
        scores = processed(logits, ids, prompt, rows.prompt_mask, settings,
                           extra.processors)
        noise = log_gumbel(scores.shape, rng) if settings.do_sample else 0
        tokens = (scores + noise).argmax(-1)                       # (R,)
        tokens = np.where(ended, pad, tokens)
        ids = np.concatenate([ids, tokens[:, None]], axis=1)
        ended |= np.isin(tokens, settings.eos)
        record(output, settings, scores, logits, step)
        ended |= stops(extra.criteria, ids, output.scores)
        if streamer is not None:
            (show or streamer)(tokens)
    if show is not None:
        streamer.end()
    output.sequences = ids
    return output
