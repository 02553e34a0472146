"""Check and complete the arguments of a call, before anything is computed."""

from __future__ import annotations

import numpy as np

from ..bert.attention import causal_mask
from ..bert.losses import IGNORE_INDEX
from .tensors import all_true, is_tensor, kind, namespace, visible


def array(name, values):
    """Return `values` as an array; refuse rows of several lengths and whole batches.

    A tensor of torch stays what it is: the model's backend places it.
    """
    if is_tensor(values):
        return values
    if hasattr(values, "keys"):
        raise TypeError(f"{name} is a {type(values).__name__}, expected an array: use "
                        "model(**batch) to pass all that it holds by name")
    try:
        return np.asarray(values)
    except ValueError:
        raise TypeError(f"{name} has rows of different lengths, expected an array: pad "
                        "them (padding=True in the tokenizer)") from None


def floats(name, values, dtype=None):
    """Return real numbers as an array of floats, of this dtype if one is given.

    Raises:
        TypeError: they are not real numbers.
    """
    values = array(name, values)
    if kind(values) not in "iufbO":
        raise TypeError(f"{name} has dtype {values.dtype}, expected real numbers: "
                        "convert it first")
    if is_tensor(values):
        return values
    whole = values.dtype.kind in "iub"
    return values.astype(float if whole and dtype is None else dtype or values.dtype,
                         copy=False)


def integers(name, values, limit=None, limit_name="", ignore=None):
    """Return `values` as int64; refuse any outside [0, limit) that is not `ignore`."""
    values = array(name, values)
    if kind(values) not in "iu":
        remedy = "encode text with a tokenizer first" if kind(values) in "UO" \
            else "convert it with astype(int)"
        raise TypeError(f"{name} has dtype {values.dtype}, expected integers: {remedy}")
    seen = visible(values)
    if limit is not None and seen is not None and seen.size:
        bad = (seen < 0) | (seen >= limit)
        if ignore is not None:
            bad &= seen != ignore
        if bad.any():
            where = tuple(int(i) for i in np.argwhere(bad)[0])
            also = "" if ignore is None else f", or {ignore} to ignore"
            raise ValueError(f"{name} holds {seen[where]} at {list(where)}, expected "
                             f"0 to {limit - 1}{also}, as {limit_name} is {limit}: "
                             "check that it belongs to this model")
    return values.long() if is_tensor(values) else values.astype(np.int64, copy=False)


def shaped(name, array, *shapes, remedy="make it fit the input"):
    """Return `array` if its shape is one of `shapes`; refuse it otherwise."""
    if array.shape not in shapes:
        expected = " or ".join(map(str, dict.fromkeys(shapes)))
        raise ValueError(f"{name} has shape {tuple(array.shape)}, expected {expected}: "
                         f"{remedy}")
    return array


def attention_mask(name, mask, batch, heads, queries, keys, causal=False):
    """Return a caller's mask as booleans that fit (B, N, T, S); True = may attend.

    mask (B, S), (B, T, S) or (B, N, T, S), boolean or 0/1, or None.  As in NumPy, any
    axis may be 1 and the first ones may be missing.
    causal: whether later positions are to be hidden too.
    HF: a mask with an axis T of queries is used as it is, even in a decoder: the caller
    must make it causal.

    Returns:
        (mask, causal), the arguments of joined_mask.  The mask is None if it hides
        nothing.
    """
    if mask is None:
        return None, causal
    mask = array(name, mask)
    if kind(mask) not in "biuf":
        raise TypeError(f"{name} has dtype {mask.dtype}, expected booleans, or 0 and 1 "
                        "where 1 = attend: pass what the tokenizer returned")
    seen = None if kind(mask) == "b" else visible(mask)
    if seen is not None and not np.isin(seen, (0, 1)).all():
        raise ValueError(f"{name} holds {seen[~np.isin(seen, (0, 1))].flat[0]}, "
                         "expected booleans, or 0 and 1 where 1 = attend: turn an "
                         "additive mask into booleans with `mask == 0`")
    whole = {3: (batch, queries, keys), 4: (batch, heads, queries, keys)}.get(
        mask.ndim, (batch, keys))
    fits = mask.ndim <= 4 and all(n in (1, size) for n, size in
                                  zip(mask.shape[::-1], whole[::-1]))
    # Beside a cache, a mask of the new token alone is more likely a mistake.
    short = causal and mask.ndim in (1, 2) and mask.shape[-1] != keys
    if short or not fits:
        shaped(name, mask, (batch, keys), (batch, queries, keys),
               (batch, heads, queries, keys),
               remedy="leave out or set to 1 any axis along which it is the same")
    mask = mask.bool() if is_tensor(mask) else mask.astype(bool)
    if mask.ndim > 2:                                      # fits (B, N, T, S)
        return mask if mask.ndim == 4 else mask[:, None], False
    if all_true(mask):
        return None, causal
    return namespace(mask).broadcast_to(mask, whole)[:, None, None, :], causal


def joined_mask(mask, causal, queries, keys):
    """Hide later positions too, if causal.

    mask, fits (B, N, T, S), or None if it hides nothing -> the same
    """
    if not causal:
        return mask
    later = causal_mask(queries, keys)
    return later if mask is None else mask & later


def token_inputs(config, input_ids, token_type_ids, position_ids, inputs_embeds,
                 past: int) -> dict:
    """Check and complete the arguments of `embeddings`, which say what each token is.

    By default token types are 0 and positions past, past + 1, ...
    -> {ids (B, T) or None, inputs_embeds (B, T, C) or None, position_ids (1 or B, T),
    token_type_ids (B, T)}
    """
    if (input_ids is None) == (inputs_embeds is None):
        given = "None" if input_ids is None else "both given"
        raise ValueError(f"input_ids and inputs_embeds are {given}, expected exactly "
                         "one of them: pass ids, or vectors in their place")
    if input_ids is not None:
        words = input_ids = word_ids(config, input_ids)
    else:
        words = inputs_embeds = vectors(config, inputs_embeds)
    batch, length = shape = tuple(words.shape[:2])
    xp = namespace(words)
    if batch == 0 or length == 0:
        raise ValueError(f"the input has shape {shape}, expected at least one sequence "
                         "of at least one token: leave empty batches out")
    longest = config.max_position_embeddings
    if position_ids is None:
        if past + length > longest:
            raise ValueError(f"the sequence has {past + length} tokens, expected at "
                             f"most max_position_embeddings {longest}: truncate it")
        position_ids = xp.arange(past, past + length, device=words.device)
        position_ids = position_ids[None]                              # (1, T)
    else:
        position_ids = integers("position_ids", position_ids, longest,
                                "max_position_embeddings")
        shaped("position_ids", position_ids, (length,), (1, length), shape)
        position_ids = position_ids.reshape(-1, length)
    if token_type_ids is None:
        token_type_ids = xp.zeros(shape, dtype=xp.int64, device=words.device)
    else:
        token_type_ids = integers("token_type_ids", token_type_ids,
                                  config.type_vocab_size, "type_vocab_size")
        shaped("token_type_ids", token_type_ids, shape, (1, length))
        token_type_ids = namespace(token_type_ids).broadcast_to(token_type_ids, shape)
    return {"ids": input_ids, "inputs_embeds": inputs_embeds,
            "position_ids": position_ids, "token_type_ids": token_type_ids}


def word_ids(config, input_ids):
    """Return the ids of words as integers (B, T), each of them in the vocabulary."""
    ids = integers("input_ids", input_ids, config.vocab_size, "vocab_size")
    if ids.ndim != 2:
        raise ValueError(f"input_ids has shape {tuple(ids.shape)}, expected "
                         "(batch, tokens): put a single sequence into a list")
    return ids


def vectors(config, inputs_embeds):
    """Return the vectors that stand for words as numbers (B, T, C)."""
    embeds = floats("inputs_embeds", inputs_embeds)
    if embeds.ndim != 3 or embeds.shape[-1] != config.hidden_size:
        raise ValueError(f"inputs_embeds has shape {tuple(embeds.shape)}, expected "
                         f"(batch, tokens, {config.hidden_size}): give each "
                         "token a vector of the model's hidden size")
    return embeds


def encoder_inputs(config, states, mask, shape):
    """Check an encoder's output and its mask, for cross-attention; both may be None.

    -> states (B, S, C), mask as attention_mask returns it
    """
    if states is None:
        if mask is not None:
            raise ValueError("encoder_attention_mask is given without "
                             "encoder_hidden_states, expected both or neither: pass "
                             "the encoder's output too")
        return None, (None, False)
    if not config.add_cross_attention:
        raise ValueError("encoder_hidden_states is given, expected None, as this model "
                         "has no cross-attention: build it with is_decoder=True and "
                         "add_cross_attention=True")
    batch, length = shape
    states = floats("encoder_hidden_states", states)
    if states.ndim != 3 or states.shape[::2] != (batch, config.hidden_size):
        raise ValueError(f"encoder_hidden_states has shape {tuple(states.shape)}, "
                         f"expected ({batch}, source tokens, {config.hidden_size}): "
                         "pass the last_hidden_state of an encoder for the same batch")
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
    inputs = {"input_ids": input_ids, "attention_mask": attention_mask,
              "token_type_ids": token_type_ids, "inputs_embeds": inputs_embeds,
              "position_ids": position_ids}
    inputs = {name: None if x is None else array(name, x) for name, x in inputs.items()}
    words = inputs["input_ids" if inputs_embeds is None else "inputs_embeds"]
    shape = () if words is None else tuple(words.shape)
    if len(shape) != (3 if inputs_embeds is None else 4):
        raise ValueError(f"the input has shape {shape}, expected (batch, choices, "
                         "tokens), or for inputs_embeds (batch, choices, tokens, "
                         "hidden size): put a single question into a list")
    for name, x in inputs.items():
        if x is not None and x.ndim > 2:                   # (T,) is allowed, too
            if all(n in (1, size) for n, size in zip(x.shape, shape[:2])):
                x = namespace(x).broadcast_to(x, (*shape[:2], *x.shape[2:]))
            inputs[name] = x.reshape(-1, *x.shape[2:])
    return inputs, shape[:3]
