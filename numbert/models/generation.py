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

import numpy as np

from ..system.numbers import generator
from .beams import beam_search
from .cache import DynamicCache, EncoderDecoderCache
from .generation_config import resolved
from .inputs import array, integers, shaped, vectors
from .steps import Hooks, Rows, continue_rows, hooks
from .tensors import to_host

DEFAULT_NEW_TOKENS = 20


def generate(model, input_ids=None, attention_mask=None, *, position_ids=None,
             encoder_hidden_states=None, encoder_attention_mask=None,
             token_type_ids=None, inputs_embeds=None, generation_config=None, rng=None,
             streamer=None, logits_processor=None, stopping_criteria=None, **changes):
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
        inputs_embeds: (B, P, C), what the model reads as the prompts.  With input_ids
            too, the result begins with these; without, it holds the new tokens alone.
        generation_config: a GenerationConfig; see there for all settings.
        rng: seed or numpy Generator of the draws when do_sample is True.
        streamer: gets the new tokens (R,) after each step: a function of them, or an
            object with put(tokens) and end(), which gets the prompts first.
        logits_processor: a function, or a list: f(ids (R, T), scores (R, V)) returns
            the scores to use.  It comes after the settings, and before those that
            belong to do_sample.
        stopping_criteria: a function, or a list: f(ids (R, T), scores so far or None)
            returns which rows end, (R,) or one boolean for all.  In a beam search its
            rows are the candidates of each step, at least 2 n for each prompt.
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
                     hooks(streamer, logits_processor, stopping_criteria),
                     inputs_embeds)


def continued(model, settings, input_ids=None, attention_mask=None, position_ids=None,
              encoder_hidden_states=None, encoder_attention_mask=None,
              token_type_ids=None, rng=None, extra=Hooks(), inputs_embeds=None):
    """Do what `generate` does, with settings that are complete and checked."""
    if extra.streamer is not None and settings.num_beams > 1:
        raise ValueError(f"num_beams is {settings.num_beams}, expected 1 with a "
                         "streamer: beams are known only at the end, so use "
                         "num_beams=1 or leave out the streamer")
    given = (input_ids, inputs_embeds, attention_mask)
    input_ids, attention_mask, position_ids, token_type_ids, inputs_embeds = map(
        to_host, (input_ids, attention_mask, position_ids, token_type_ids,
                  inputs_embeds))
    rng = generator(rng)
    ids, embeds = prompts(model, settings, input_ids, inputs_embeds,
                          encoder_hidden_states)
    mask = prompt_mask(settings, ids, embeds, attention_mask)      # (B, P)
    positions = prompt_positions(mask, position_ids)
    length, hidden = mask.shape[1], mask.shape[1] - ids.shape[1]
    limit = length_limit(model.config, settings, length, int(positions.max()) + 1)
    check_penalty(settings, limit - length)
    settings = replace(settings, max_length=limit - hidden,
                       min_length=max(settings.min_length - hidden, 0))

    copies = max(settings.num_beams, settings.num_return_sequences)
    kind = DynamicCache if encoder_hidden_states is None else EncoderDecoderCache
    past = kind() if settings.use_cache else None
    types = None if token_type_ids is None else shaped(
        "token_type_ids", integers("token_type_ids", token_type_ids), mask.shape)
    rows = Rows(
        model, past, repeated(positions, copies),
        None if mask.all() else repeated(mask, copies),
        source=repeated(encoder_hidden_states, copies),
        source_mask=repeated(encoder_attention_mask, copies),
        types=repeated(types, copies), embeds=repeated(embeds, copies), hidden=hidden)
    search = beam_search if settings.num_beams > 1 else continue_rows
    output = search(rows, repeated(ids, copies), settings, rng, extra)
    output.cache = past
    output = output if settings.return_dict_in_generate else output.sequences
    return model.backend.given_back(output, given)


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


def prompts(model, settings, input_ids, inputs_embeds, source):
    """Return the prompts: ids (B, P), and their vectors (B, P, C) or None.

    With vectors alone there are no tokens to begin with, and ids is (B, 0).  With
    neither, ids holds a bos token for each row.
    """
    config, embeds, shape = model.config, None, None
    if inputs_embeds is not None:
        embeds = vectors(config, inputs_embeds)
        shape = embeds.shape[:2]
        if input_ids is None:
            return np.zeros((shape[0], 0), np.int64), embeds
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
    if shape is not None:
        shaped("input_ids", ids, shape, remedy="pass the ids of the same prompts as "
               "inputs_embeds, or none")
    return ids, embeds


def prompt_mask(settings, ids, embeds, attention_mask) -> np.ndarray:
    """Return which tokens of the prompts are not padding, as (B, P) booleans."""
    pad = settings.pad_token_id
    shape = ids.shape if embeds is None else embeds.shape[:2]
    if attention_mask is not None:
        mask = shaped("attention_mask", np.asarray(attention_mask), shape) != 0
    elif pad is None or pad in settings.eos or embeds is not None:
        mask = np.ones(shape, bool)
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
    if x is None:
        return None
    x = array("an input", x)
    return x[np.repeat(np.arange(len(x)), copies)]
