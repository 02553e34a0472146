"""Generation: continue prompts token by token with a decoder that has an LM head.

Each step asks the model for the scores of the next token and chooses: the likeliest one
(greedy), a draw (sampling), or the best of several continuations kept side by side
(beam search).  With a KV cache, the cost of a step grows in proportion to the length.

Dimensions: B prompts, n beams, R rows that the model sees (B n, or in sampling
B num_return_sequences), P prompt tokens, T tokens so far, V vocabulary.  Scores have
the model's dtype.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ..bert.losses import log_softmax
from .cache import DynamicCache, EncoderDecoderCache
from .generation_config import resolved
from .inputs import integers, shaped
from .outputs import GenerateOutput
from .sampling import largest, log_gumbel, processed

DEFAULT_NEW_TOKENS = 20
UNREACHED = -1e9                # the score of a beam that does not exist yet


class Rows(NamedTuple):
    """What the model is given in every step, besides the tokens of the rows."""

    model: Any
    past: Any                   # the cache, or None
    positions: Any              # (R, P) of the prompt
    mask: Any                   # (R, P) of the prompt; None if there is no padding
    source: Any = None          # (R, S, C), the encoder's output, for cross-attention
    source_mask: Any = None     # (R, S)
    types: Any = None           # (R, P), token_type_ids of the prompt


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


def generate(model, input_ids=None, attention_mask=None, *, position_ids=None,
             encoder_hidden_states=None, encoder_attention_mask=None,
             token_type_ids=None, generation_config=None, rng=None, streamer=None,
             logits_processor=None, stopping_criteria=None, **changes):
    """Continue each prompt, by greedy search, sampling or beam search.

    Args:
        model: a BertLMHeadModel with is_decoder=True.
        input_ids: (B, P) prompts; None starts from bos_token_id.
        attention_mask: (B, P), 0 at padding, which belongs on the left.
            HF: by default pad tokens are padding, unless they are eos tokens, too.
        position_ids: (B, P) or (1, P); by default padding takes up no positions.
        encoder_hidden_states, encoder_attention_mask: (B, S, C), (B, S), for a model
            with cross-attention.
        token_type_ids: (B, P); new tokens get the last one of their row.
        generation_config: a GenerationConfig; see there for all settings.
        rng: seed or numpy Generator of the draws when do_sample is True.
        streamer: gets the new tokens (R,) after each step: a function of them, or an
            object with put(tokens) and end(), which gets the prompts first.
        logits_processor: a function, or a list: f(ids (R, T), scores (R, V)) returns
            the scores to use.  It comes after the settings, and before those that
            belong to do_sample.
        stopping_criteria: a function, or a list: f(ids (R, T), scores so far or None)
            returns which rows end, (R,) or one boolean for all.  Not for beams.
        **changes: fields of GenerationConfig: max_new_tokens=40, num_beams=4, ...

    Returns:
        (B num_return_sequences, T) ids, prompts included, shorter rows padded; or a
        GenerateOutput with return_dict_in_generate=True.

    Raises:
        ValueError, TypeError: a setting or a prompt that cannot work, or more tokens
            than the model has positions. Nothing has been computed by then.
    """
    check_decoder(model)
    settings = resolved(generation_config, getattr(model, "generation_config", None),
                        changes, model.config)
    return continued(model, settings, input_ids, attention_mask, position_ids,
                     encoder_hidden_states, encoder_attention_mask, token_type_ids, rng,
                     hooks(streamer, logits_processor, stopping_criteria))


def continued(model, settings, input_ids=None, attention_mask=None, position_ids=None,
              encoder_hidden_states=None, encoder_attention_mask=None,
              token_type_ids=None, rng=None, extra=Hooks()):
    """Do what `generate` does, with settings that are complete and checked."""
    for name, given in (("a streamer", extra.streamer is not None),
                        ("stopping_criteria", extra.criteria)):
        if given and settings.num_beams > 1:
            raise ValueError(f"num_beams is {settings.num_beams}, expected 1 with "
                             f"{name}: beams are known only at the end, so use "
                             f"num_beams=1 or leave out {name}")
    ids = prompts(model.config, settings, input_ids, encoder_hidden_states)
    mask = prompt_mask(settings, ids, attention_mask)              # (B, P)
    positions = prompt_positions(mask, position_ids)
    settings = replace(settings, max_length=length_limit(
        model.config, settings, ids.shape[1], int(positions.max()) + 1))
    check_penalty(settings, settings.max_length - ids.shape[1])

    copies = max(settings.num_beams, settings.num_return_sequences)
    kind = DynamicCache if encoder_hidden_states is None else EncoderDecoderCache
    past = kind() if settings.use_cache else None
    types = None if token_type_ids is None else shaped(
        "token_type_ids", integers("token_type_ids", token_type_ids), ids.shape)
    rows = Rows(model, past, *(repeated(x, copies) for x in (
        positions, None if mask.all() else mask,
        encoder_hidden_states, encoder_attention_mask, types)))
    search = beam_search if settings.num_beams > 1 else continue_rows
    output = search(rows, repeated(ids, copies), settings, np.random.default_rng(rng),
                    extra)
    output.cache = past
    return output if settings.return_dict_in_generate else output.sequences


# ------------------------------------------------------------------- the prompt

def check_decoder(model) -> None:
    """Refuse a model that cannot generate."""
    if not getattr(model, "generates", False):
        raise TypeError(f"model is a {type(model).__name__}, expected a "
                        "BertLMHeadModel, which can generate: load the same checkpoint "
                        "with that class")
    if not model.config.is_decoder:
        raise ValueError("is_decoder is False, expected True, so that no token sees "
                         "those after it: load the model with is_decoder=True")


def prompts(config, settings, input_ids, source) -> np.ndarray:
    """Return the prompts (B, P); without any, a bos token each."""
    if input_ids is None:
        if settings.bos_token_id is None:
            raise ValueError("input_ids and bos_token_id are None, expected one of "
                             "them: pass prompts, or the token to start from as "
                             "bos_token_id=...")
        input_ids = np.full((1 if source is None else len(source), 1),
                            settings.bos_token_id)
    ids = np.asarray(input_ids)
    if ids.size:
        ids = integers("input_ids", ids, config.vocab_size, "vocab_size")
    if ids.ndim != 2 or not ids.size:
        raise ValueError(f"input_ids has shape {ids.shape}, expected (prompts, tokens) "
                         "with at least one of each: put a single prompt into a list")
    return ids


def prompt_mask(settings, ids, attention_mask) -> np.ndarray:
    """Return which tokens of the prompts are not padding, as (B, P) booleans."""
    pad = settings.pad_token_id
    if attention_mask is not None:
        mask = shaped("attention_mask", np.asarray(attention_mask), ids.shape) != 0
    elif pad is None or pad in settings.eos:
        mask = np.ones(ids.shape, bool)
    else:
        mask = ids != pad
    empty = np.flatnonzero(~mask.any(1))
    if empty.size:
        raise ValueError(f"prompt {empty[0]} holds only padding, expected at least one "
                         "other token: start it with [CLS], for example")
    if not mask[:, -1].all():
        # HF: the same warning; positions then start again at 1 after the padding.
        warnings.warn("a prompt is padded on the right, expected on the left: its "
                      "continuation will be poor, so set padding_side='left' in the "
                      "tokenizer", stacklevel=4)
    return mask


def prompt_positions(mask, position_ids) -> np.ndarray:
    """Return the positions (B, P); padding, which nothing sees, is not counted."""
    if position_ids is None:
        return np.where(mask, np.cumsum(mask, axis=1) - 1, 0)
    positions = integers("position_ids", position_ids)
    shaped("position_ids", positions, mask.shape, (1, mask.shape[1]))
    return np.broadcast_to(positions, mask.shape)


def length_limit(config, settings, prompt: int, taken: int) -> int:
    """Return the length, prompt included, at which generation stops.

    prompt: P; taken: how many positions the longest prompt takes up.
    """
    longest = config.max_position_embeddings
    new = settings.max_new_tokens
    if new is None and settings.max_length is not None:
        new = settings.max_length - prompt
        if new < 1:
            raise ValueError(f"max_length is {settings.max_length}, expected more than "
                             f"the {prompt} tokens of the prompt: raise it, or use "
                             "max_new_tokens")
    if new is None:
        new = max(1, min(DEFAULT_NEW_TOKENS, longest - taken))
    if taken + new > longest:
        raise ValueError(
            f"{taken} tokens of the prompt and {new} new ones make {taken + new}, "
            f"expected at most max_position_embeddings {longest}: shorten the prompt, "
            f"or set max_new_tokens to at most {max(longest - taken, 0)}")
    return prompt + new


def check_penalty(settings, longest: int) -> None:
    """Refuse a length_penalty with which the score of a long beam is not a number."""
    try:
        power = float(longest) ** settings.length_penalty
    except OverflowError:
        power = float("inf")
    if settings.num_beams > 1 and not 0 < power < float("inf"):
        raise ValueError(f"length_penalty is {settings.length_penalty}, expected a "
                         f"power of {longest} that a float can hold: values from -2 to "
                         "2 are usual")


def repeated(x, copies: int):
    """Repeat each row of x `copies` times, side by side; None stays None."""
    return None if x is None else np.repeat(np.asarray(x), copies, axis=0)


# -------------------------------------------------------------------- the steps

def next_step(rows, ids, settings):
    """Score every token as the one that follows each row.

    ids (R, T) -> logits (R, V), and the whole output of the model
    With a cache, only the tokens that it has not seen go through the model.
    """
    seen = 0 if rows.past is None else rows.past.get_seq_length()
    new = ids.shape[1] - rows.positions.shape[1]                   # generated so far
    later = rows.positions[:, -1:] + np.arange(1, new + 1)         # (R, new)
    positions = np.concatenate([rows.positions, later], axis=1)    # (R, T)
    mask = rows.mask
    if mask is not None:
        mask = np.pad(mask, ((0, 0), (0, new)), constant_values=True)
    types = rows.types
    if types is not None:
        types = np.pad(types, ((0, 0), (0, new)), mode="edge")[:, seen:]
    output = rows.model(
        ids[:, seen:], mask, token_type_ids=types, position_ids=positions[:, seen:],
        encoder_hidden_states=rows.source, encoder_attention_mask=rows.source_mask,
        cache=rows.past, use_cache=rows.past is not None, logits_to_keep=1,
        return_dict=True, output_attentions=settings.output_attentions,
        output_hidden_states=settings.output_hidden_states)
    return np.asarray(output.logits)[:, -1], output


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
            raise ValueError(f"a stopping criterion gave the shape {found.shape}, "
                             f"expected {ends.shape}: return a boolean for each row")
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
        scores = processed(logits, ids, prompt, rows.mask, settings, extra.processors)
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


# ------------------------------------------------------------------ beam search

class Ended(NamedTuple):
    """A complete sequence."""

    score: float                # log-probability over length ** length_penalty
    ids: np.ndarray             # (T,), prompt included


def beam_search(rows, ids, settings, rng, extra=Hooks()) -> GenerateOutput:
    """Keep the n best continuations of each prompt; return the best that have ended.

    ids (R, P), R = B n: each prompt n times -> sequences (B num_return_sequences, T)

    While a sequence grows, its score is its log-probability.  Once it has ended,

        score = log p(tokens | prompt) / (number of new tokens) ** length_penalty

    because every token makes p smaller: with length_penalty 0, short answers win.
    HF: the number of tokens is (5 + number) / 6 in Wu et al. 2016, eq. 14.
    """
    n, prompt = settings.num_beams, ids.shape[1]
    batch, output = len(ids) // n, GenerateOutput()
    beams = np.full((batch, n), UNREACHED)                         # (B, n) scores
    beams[:, 0] = 0         # a prompt's n rows are still the same, so only one counts
    ended: list[list[Ended]] = [[] for _ in range(batch)]
    done = np.zeros(batch, bool)
    while not done.all() and ids.shape[1] < settings.max_length:
        logits, made = next_step(rows, ids, settings)              # (R, V)
        scores = processed(log_softmax(logits), ids, prompt, rows.mask, settings,
                           extra.processors)
        record(output, settings, scores, logits, made)
        totals = (beams.reshape(-1, 1) + scores).reshape(batch, -1)      # (B, n V)
        steps = [beam_step(totals[b], ids[b * n:(b + 1) * n], prompt, settings, rng)
                 for b in range(batch)]
        for b in np.flatnonzero(~done):
            ended[b] = sorted(ended[b] + steps[b].ended,
                              key=lambda sequence: -sequence.score)[:n]
            done[b] = cannot_improve(ended[b], steps[b], prompt, settings)
        if ids.shape[1] + 1 == settings.max_length:
            break
        beams = np.stack([step.scores for step in steps])          # (B, n)
        ids = np.concatenate([step.ids for step in steps])         # (R, T + 1)
        if rows.past is not None:
            parents = [b * n + step.parents for b, step in enumerate(steps)]
            rows.past.reorder_cache(np.concatenate(parents))
    best = [e for group in ended for e in group[:settings.num_return_sequences]]
    output.sequences = joined([e.ids for e in best], settings)
    if settings.output_scores:
        output.sequences_scores = np.array([e.score for e in best])
    return output


class Step(NamedTuple):
    """One prompt's beams after a step: n that go on, and those that have ended."""

    parents: np.ndarray         # (n,), the old beam that each of the n continues
    ids: np.ndarray             # (n, T + 1)
    scores: np.ndarray          # (n,), the best first
    ended: list[Ended]          # those that end here and are among the n best


def beam_step(totals, ids, prompt, settings, rng) -> Step:
    """Extend one prompt's n beams by every token and choose among these n V.

    totals (n V,): the log-probability of each extension; ids (n, T)
    At most n times the number of eos tokens can end here.  Looking at n more than that
    leaves n to go on.
    """
    n, length = settings.num_beams, ids.shape[1] + 1
    noise = log_gumbel(totals.shape, rng) if settings.do_sample else 0
    looked_at = min(max(2, 1 + len(settings.eos)) * n, totals.size)
    picked = largest(totals + noise, looked_at)                    # (looked_at,)
    parents, tokens = np.divmod(picked, totals.size // n)
    extended = np.concatenate([ids[parents], tokens[:, None]], axis=1)
    ends = np.isin(tokens, settings.eos) | (length == settings.max_length)
    penalty = float(length - prompt) ** settings.length_penalty
    # A sequence that ends counts only if it is among the n best, ended or not.
    ended = [Ended(float(totals[picked[i]]) / penalty, extended[i])
             for i in np.flatnonzero(ends[:n])]
    going = np.flatnonzero(~ends)
    going = going[np.argsort(-totals[picked[going]], kind="stable")][:n]
    return Step(parents[going], extended[going], totals[picked[going]], ended)


def cannot_improve(ended, step, prompt, settings) -> bool:
    """Whether a prompt's n ended sequences are final, by settings.early_stopping.

    True: as soon as there are n.
    False: once the best beam, if it ended now, would not beat the worst of them.  That
        is a guess: with a length penalty above 0, a longer sequence may score higher.
    "never": once it would not beat the worst of them at the greatest length either.
    """
    if len(ended) < settings.num_beams or not len(step.scores):
        return False
    if settings.early_stopping is True:
        return True
    length = step.ids.shape[1] - prompt
    if settings.early_stopping == "never" and settings.length_penalty > 0:
        length = settings.max_length - prompt
    hoped = step.scores[0] / float(length) ** settings.length_penalty
    return not hoped > ended[-1].score


def joined(sequences, settings) -> np.ndarray:
    """Put sequences of several lengths into one array."""
    # HF: if the pad token's id is 0, as BERT's is, beams are padded with the eos token
    # (`pad or eos` takes 0 for absent), although greedy rows get the pad token.
    fill = settings.pad_token_id or (settings.eos[0] if settings.eos else 0)
    out = np.full((len(sequences), max(map(len, sequences))), fill, np.int64)
    for row, sequence in zip(out, sequences):
        row[:len(sequence)] = sequence
    return out
