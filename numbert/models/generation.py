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
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from ..bert.losses import log_softmax
from .cache import DynamicCache, EncoderDecoderCache
from .inputs import integers, shaped
from .outputs import ModelOutput
from .sampling import largest, log_gumbel, processed, resolved

DEFAULT_NEW_TOKENS = 20
UNREACHED = -1e9                # the score of a beam that does not exist yet


@dataclass
class GenerateOutput(ModelOutput):
    """What generate returns with return_dict_in_generate=True.

    sequences (B num_return_sequences, T): prompts included.
    sequences_scores (B num_return_sequences,): of a beam search, with output_scores.
    scores: with output_scores, one (R, V) for each step, as the settings changed them.
    logits: with output_logits, one (R, V) for each step, as the model gave them.
    cache: the KV cache.
    """

    sequences: Any = None
    sequences_scores: Any = None
    scores: Any = None
    logits: Any = None
    cache: Any = None


class Rows(NamedTuple):
    """What the model is given in every step, besides the tokens of the rows."""

    model: Any
    past: Any                   # the cache, or None
    positions: Any              # (R, P) of the prompt
    mask: Any                   # (R, P) of the prompt; None if there is no padding
    source: Any = None          # (R, S, C), the encoder's output, for cross-attention
    source_mask: Any = None     # (R, S)


def generate(model, input_ids=None, attention_mask=None, *, position_ids=None,
             encoder_hidden_states=None, encoder_attention_mask=None,
             generation_config=None, rng=None, streamer=None, **changes):
    """Continue each prompt, by greedy search, sampling or beam search.

    Args:
        model: a BertLMHeadModel with is_decoder=True.
        input_ids: (B, P) prompts; None starts from bos_token_id.
        attention_mask: (B, P), 0 at padding, which belongs on the left.
            HF: by default pad tokens are padding, unless they are eos tokens, too.
        position_ids: (B, P) or (1, P); by default padding takes up no positions.
        encoder_hidden_states, encoder_attention_mask: (B, S, C), (B, S), for a model
            with cross-attention.
        generation_config: a GenerationConfig; see there for all settings.
        rng: seed or numpy Generator of the draws when do_sample is True.
        streamer: gets the new tokens (R,) after each step: a function of them, or an
            object with put(tokens) and end(), which gets the prompts first.
        **changes: fields of GenerationConfig: max_new_tokens=40, num_beams=4, ...

    Returns:
        (B num_return_sequences, T) ids, prompts included, shorter rows padded; or a
        GenerateOutput with return_dict_in_generate=True.

    Raises:
        ValueError, TypeError: a setting or a prompt that cannot work, or more tokens
            than the model has positions. Nothing has been computed by then.
    """
    check_decoder(model)
    if generation_config is None:
        generation_config = getattr(model, "generation_config", None)
    settings = resolved(generation_config, changes, model.config)
    if streamer is not None and settings.num_beams > 1:
        raise ValueError(f"num_beams is {settings.num_beams}, expected 1 with a "
                         "streamer: beams are known only at the end, so use "
                         "num_beams=1 or no streamer")
    ids = prompts(model.config, settings, input_ids, encoder_hidden_states)
    mask = prompt_mask(settings, ids, attention_mask)              # (B, P)
    positions = prompt_positions(mask, position_ids)
    settings = replace(settings, max_length=length_limit(
        model.config, settings, ids.shape[1], int(positions.max()) + 1))

    copies = max(settings.num_beams, settings.num_return_sequences)
    kind = DynamicCache if encoder_hidden_states is None else EncoderDecoderCache
    past = kind() if settings.use_cache else None
    rows = Rows(model, past, *(repeated(x, copies) for x in (
        positions, None if mask.all() else mask,
        encoder_hidden_states, encoder_attention_mask)))
    search = beam_search if settings.num_beams > 1 else continue_rows
    output = search(rows, repeated(ids, copies), settings, np.random.default_rng(rng),
                    streamer)
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
                      "tokenizer", stacklevel=3)
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


def repeated(x, copies: int):
    """Repeat each row of x `copies` times, side by side; None stays None."""
    return None if x is None else np.repeat(np.asarray(x), copies, axis=0)


# -------------------------------------------------------------------- the steps

def next_logits(rows, ids):
    """Score every token as the one that follows each row.

    ids (R, T) -> logits (R, V)
    With a cache, only the tokens that it has not seen go through the model.
    """
    seen = 0 if rows.past is None else rows.past.get_seq_length()
    new = ids.shape[1] - rows.positions.shape[1]                   # generated so far
    later = rows.positions[:, -1:] + np.arange(1, new + 1)         # (R, new)
    positions = np.concatenate([rows.positions, later], axis=1)    # (R, T)
    mask = rows.mask
    if mask is not None:
        mask = np.pad(mask, ((0, 0), (0, new)), constant_values=True)
    output = rows.model(
        ids[:, seen:], mask, position_ids=positions[:, seen:],
        encoder_hidden_states=rows.source, encoder_attention_mask=rows.source_mask,
        cache=rows.past, use_cache=rows.past is not None, logits_to_keep=1,
        return_dict=True, output_attentions=False, output_hidden_states=False)
    return np.asarray(output.logits)[:, -1]


def record(output, settings, scores, logits) -> None:
    """Add the scores and logits of a step to the output, if the caller wants them."""
    if settings.output_scores:
        output.scores = (*(output.scores or ()), scores)
    if settings.output_logits:
        output.logits = (*(output.logits or ()), logits)


def continue_rows(rows, ids, settings, rng, streamer=None) -> GenerateOutput:
    """Continue each row by itself, with the likeliest token each time or with a draw.

    ids (R, P) -> sequences (R, T)
    A row that has ended gets padding until all rows have ended.
    """
    show = getattr(streamer, "put", None)
    if show is not None:
        show(ids)
    output = GenerateOutput()
    ended = np.zeros(len(ids), bool)
    # Without a pad token there is no eos token either: no row ends, and none is padded.
    pad = 0 if settings.pad_token_id is None else settings.pad_token_id
    prompt = ids.shape[1]
    while ids.shape[1] < settings.max_length and not ended.all():
        logits = next_logits(rows, ids)                            # (R, V)
        scores = processed(logits, ids, prompt, rows.mask, settings)
        noise = log_gumbel(scores.shape, rng) if settings.do_sample else 0
        tokens = (scores + noise).argmax(-1)                       # (R,)
        tokens = np.where(ended, pad, tokens)
        ids = np.concatenate([ids, tokens[:, None]], axis=1)
        ended |= np.isin(tokens, settings.eos)
        record(output, settings, scores, logits)
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


def beam_search(rows, ids, settings, rng, streamer=None) -> GenerateOutput:
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
        logits = next_logits(rows, ids)                            # (R, V)
        scores = processed(log_softmax(logits), ids, prompt, rows.mask, settings)
        record(output, settings, scores, logits)
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
