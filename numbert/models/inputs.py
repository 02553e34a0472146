"""Check and complete the arguments of a call, before anything is computed."""

from __future__ import annotations

import numpy as np

from ..bert.attention import causal_mask
from ..bert.losses import IGNORE_INDEX


def integers(name, values, limit=None, limit_name="", ignore=None):
    """Return `values` as int64, after checking that each is in [0, limit) or `ignore`.
    """
    try:
        values = np.asarray(values)
    except ValueError:                                     # rows of several lengths
        values = np.empty(0, object)
    if values.dtype == bool or not np.issubdtype(values.dtype, np.integer):
        remedy = {"O": ": its rows have different lengths, so pad them (padding=True "
                       "in the tokenizer)",
                  "U": ": encode text with a tokenizer first"}
        raise TypeError(f"{name} has dtype {values.dtype}, expected integers"
                        f"{remedy.get(values.dtype.kind, '')}")
    if limit is not None and values.size:
        bad = (values < 0) | (values >= limit)
        if ignore is not None:
            bad &= values != ignore
        if bad.any():
            where = tuple(int(i) for i in np.argwhere(bad)[0])
            also = "" if ignore is None else f", or {ignore} to ignore"
            raise ValueError(f"{name} holds {values[where]} at {list(where)}, expected "
                             f"0 to {limit - 1}{also} ({limit_name} is {limit})")
    return values.astype(np.int64, copy=False)


def shaped(name, array, *shapes):
    """Return `array` if its shape is one of `shapes`; refuse it otherwise."""
    if array.shape not in shapes:
        expected = " or ".join(str(shape) for shape in shapes)
        raise ValueError(f"{name} has shape {array.shape}, expected {expected}")
    return array


def attention_mask(name, mask, batch, heads, queries, keys, causal=False):
    """Return a caller's mask as booleans that fit (B, N, T, S); True = may attend.

    mask (B, S), (B, T, S) or (B, 1 or N, T, S), boolean or 0/1, or None.
    causal: whether to hide later positions too.
    Return None if every query may attend to every key.
    HF: a mask with an axis T of queries is used as it is, even in a decoder: the caller
    must make it causal.
    """
    if mask is None:
        return causal_mask(queries, keys) if causal else None
    mask = np.asarray(mask)
    if mask.dtype != bool and not np.isin(mask, (0, 1)).all():
        raise ValueError(f"{name} holds {mask[~np.isin(mask, (0, 1))].flat[0]}, "
                         "expected booleans, or 0 and 1 where 1 = attend: turn an "
                         "additive mask into booleans with `mask == 0`")
    shaped(name, mask, (batch, keys), (batch, queries, keys),
           (batch, 1, queries, keys), (batch, heads, queries, keys))
    mask = mask.astype(bool)
    if mask.ndim == 2 and mask.all():
        return attention_mask(name, None, batch, heads, queries, keys, causal)
    if mask.ndim == 2:
        mask = mask[:, None, None, :]                      # (B, 1, 1, S)
        return mask & causal_mask(queries, keys) if causal else mask
    return mask if mask.ndim == 4 else mask[:, None]       # (B, 1, T, S)


def token_inputs(config, dtype, input_ids, token_type_ids, position_ids, inputs_embeds,
                 past: int) -> dict:
    """Check and complete the arguments of `embeddings`, which say what each token is.

    By default token types are 0 and positions past, past + 1, ...
    -> {ids (B, T) or None, inputs_embeds (B, T, C) or None, position_ids (1 or B, T),
    token_type_ids (B, T)}
    """
    if (input_ids is None) == (inputs_embeds is None):
        both = "both" if input_ids is not None else "neither"
        raise ValueError(f"{both} of input_ids and inputs_embeds given, expected "
                         "exactly one: pass ids, or their vectors in their place")
    if input_ids is not None:
        input_ids = integers("input_ids", input_ids, config.vocab_size, "vocab_size")
        shape = input_ids.shape
        if input_ids.ndim != 2:
            raise ValueError(f"input_ids has shape {shape}, expected (batch, tokens): "
                             "put a single sequence into a list")
    else:
        inputs_embeds = np.asarray(inputs_embeds).astype(dtype, copy=False)
        shape = inputs_embeds.shape[:-1]
        if inputs_embeds.ndim != 3 or inputs_embeds.shape[-1] != config.hidden_size:
            raise ValueError(f"inputs_embeds has shape {inputs_embeds.shape}, expected "
                             f"(batch, tokens, {config.hidden_size})")
    batch, length = shape
    if batch == 0 or length == 0:
        raise ValueError(f"the input has shape {shape}, expected at least one sequence "
                         "of at least one token: leave empty batches out")
    longest = config.max_position_embeddings
    if position_ids is None:
        if past + length > longest:
            raise ValueError(f"the sequence has {past + length} tokens, expected at "
                             f"most max_position_embeddings {longest}: truncate it")
        position_ids = np.arange(past, past + length)[None]            # (1, T)
    else:
        position_ids = integers("position_ids", position_ids, longest,
                                "max_position_embeddings")
        shaped("position_ids", position_ids, (length,), (1, length), shape)
        position_ids = position_ids.reshape(-1, length)
    if token_type_ids is None:
        token_type_ids = np.zeros(shape, np.int64)
    else:
        token_type_ids = integers("token_type_ids", token_type_ids,
                                  config.type_vocab_size, "type_vocab_size")
        shaped("token_type_ids", token_type_ids, shape, (1, length))
        token_type_ids = np.broadcast_to(token_type_ids, shape)
    return {"ids": input_ids, "inputs_embeds": inputs_embeds,
            "position_ids": position_ids, "token_type_ids": token_type_ids}


def encoder_inputs(config, dtype, states, mask, shape):
    """Check an encoder's output and its mask, for cross-attention; both may be None."""
    if states is None:
        if mask is not None:
            raise ValueError("encoder_attention_mask is given without "
                             "encoder_hidden_states, expected both or neither: pass "
                             "the encoder's output too")
        return None, None
    if not config.add_cross_attention:
        raise ValueError("encoder_hidden_states is given, but this model has no "
                         "cross-attention: build it with is_decoder=True and "
                         "add_cross_attention=True")
    batch, length = shape
    states = np.asarray(states).astype(dtype, copy=False)
    if states.ndim != 3 or states.shape[::2] != (batch, config.hidden_size):
        raise ValueError(f"encoder_hidden_states has shape {states.shape}, expected "
                         f"({batch}, source tokens, {config.hidden_size})")
    return states, attention_mask("encoder_attention_mask", mask, batch,
                                  config.num_attention_heads, length, states.shape[1])


def class_labels(name, labels, classes, *shapes, limit_name="num_labels"):
    """Check integer labels: each is in [0, classes), or -100 to ignore.

    They may have any of `shapes`; the result has the first.
    """
    labels = integers(name, labels, classes, limit_name, ignore=IGNORE_INDEX)
    return shaped(name, labels, *shapes).reshape(shapes[0])


def as_rows(input_ids, attention_mask, token_type_ids, position_ids, inputs_embeds):
    """Join the axes of batch and choices: the backbone reads each choice as a row.

    input_ids (B, M, T) -> input_ids (B M, T), and so on

    Returns:
        ({name: input}, (B, M, T)); inputs that are None stay None.
    """
    shape = np.shape(input_ids if inputs_embeds is None else inputs_embeds)
    if len(shape) != (3 if inputs_embeds is None else 4):
        raise ValueError(f"the input has shape {shape}, expected (batch, choices, "
                         "tokens), or for inputs_embeds (batch, choices, tokens, "
                         "hidden size): put a single question into a list")
    inputs = {"input_ids": input_ids, "attention_mask": attention_mask,
              "token_type_ids": token_type_ids, "inputs_embeds": inputs_embeds}
    rows = {name: None if x is None else np.reshape(x, (-1, *np.shape(x)[2:]))
            for name, x in inputs.items()}
    if position_ids is not None:                           # (T,) is allowed, too
        position_ids = np.reshape(position_ids, (-1, np.shape(position_ids)[-1]))
    return {**rows, "position_ids": position_ids}, shape[:3]
