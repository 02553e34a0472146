"""The KV cache: keys and values of the positions that a decoder has seen.

A new position attends to the keys and values of all earlier ones.  Those never change,
so a decoder that keeps them computes the attention of a token in O(T), not O(T^2).
Names are Hugging Face's.
"""

from __future__ import annotations

import numpy as np

from .tensors import namespace


class Cache:
    """The base of both caches: a name that they lack gives its reason."""

    def __getattr__(self, name: str):
        from ..system.absent import no_attribute
        raise no_attribute(type(self).__name__, name)


class CacheLayer:
    """Keys and values of one layer, each (B, N, S, D); None while empty."""

    def __init__(self, keys=None, values=None):
        self.keys, self.values = keys, values

    def __iter__(self):
        return iter((self.keys, self.values))

    def update(self, k, v):
        """Append k and v after the positions held; return all keys and all values."""
        if self.keys is not None:
            concat = namespace(k).concat
            k = concat([self.keys, k], axis=-2)
            v = concat([self.values, v], axis=-2)
        self.keys, self.values = k, v
        return k, v

    def length(self) -> int:
        """Return the number of positions held."""
        return 0 if self.keys is None else self.keys.shape[-2]

    def apply(self, change) -> None:
        """Replace keys and values by change(keys) and change(values)."""
        if self.keys is not None:
            self.keys, self.values = change(self.keys), change(self.values)


class DynamicCache(Cache):
    """A cache that grows with every call: one CacheLayer for each layer of the model.

    Args:
        layers: a pair of keys and values for each layer, to start from.
        config: accepted as in transformers, where it tells how long layers remember;
            BERT's remember everything.
    """

    def __init__(self, layers=(), *, config=None):
        self.layers = [CacheLayer(keys, values) for keys, values in layers]

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self):
        return iter(tuple(layer) for layer in self.layers)

    def __getitem__(self, index: int) -> CacheLayer:
        while index >= len(self.layers):
            self.layers.append(CacheLayer())
        return self.layers[index]

    def update(self, key_states, value_states, layer_idx: int):
        """Append (B, N, T, D) keys and values to a layer; return all that it holds."""
        return self[layer_idx].update(key_states, value_states)

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Return the number of positions held."""
        return self[layer_idx].length() if layer_idx < len(self.layers) else 0

    def reset(self) -> None:
        """Forget everything."""
        self.layers = []

    def reorder_cache(self, beam_idx) -> None:
        """Replace row i of the batch by row beam_idx[i]; beam search needs this."""
        self.batch_select_indices(beam_idx)

    def batch_select_indices(self, indices) -> None:
        """Keep only these rows of the batch, in this order."""
        self._apply(lambda x: x[np.asarray(indices)])

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Repeat each row of the batch `repeats` times, copies side by side."""
        self._apply(lambda x: x[np.repeat(np.arange(len(x)), repeats)])

    def crop(self, max_length: int) -> None:
        """Keep the first max_length positions; -n drops the last n."""
        keep = max_length if max_length >= 0 else self.get_seq_length() + max_length
        self._apply(lambda x: x[..., :max(keep, 0), :])

    def _apply(self, change) -> None:
        for layer in self.layers:
            layer.apply(change)


class EncoderDecoderCache(Cache):
    """A decoder's own cache, and the encoder's keys and values, which never grow.

    Args:
        self_attention_cache, cross_attention_cache: a DynamicCache each; empty if None.
    """

    def __init__(self, self_attention_cache=None, cross_attention_cache=None):
        own, cross = self_attention_cache, cross_attention_cache
        self.self_attention_cache = DynamicCache() if own is None else own
        self.cross_attention_cache = DynamicCache() if cross is None else cross

    @property
    def is_updated(self) -> dict[int, bool]:
        """Whether each layer holds the encoder's keys and values, by its number."""
        return {i: layer.length() > 0
                for i, layer in enumerate(self.cross_attention_cache.layers)}

    def __len__(self) -> int:
        return len(self.self_attention_cache)

    def __iter__(self):
        for own, cross in zip(self.self_attention_cache, self.cross_attention_cache):
            yield (*own, *cross)

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Return the number of the decoder's own positions held."""
        return self.self_attention_cache.get_seq_length(layer_idx)

    def reset(self) -> None:
        """Forget everything."""
        self.self_attention_cache.reset()
        self.cross_attention_cache.reset()

    def reorder_cache(self, beam_idx) -> None:
        """Replace row i of the batch by row beam_idx[i] in both caches."""
        self.batch_select_indices(beam_idx)

    def batch_select_indices(self, indices) -> None:
        """Keep only these rows of the batch, in this order, in both caches."""
        self.self_attention_cache.batch_select_indices(indices)
        self.cross_attention_cache.batch_select_indices(indices)

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Repeat each row of the batch in both caches."""
        self.self_attention_cache.batch_repeat_interleave(repeats)
        self.cross_attention_cache.batch_repeat_interleave(repeats)

    def crop(self, max_length: int) -> None:
        """Keep the first max_length of the decoder's own positions; -n drops n."""
        self.self_attention_cache.crop(max_length)


def caches(past):
    """The self- and cross-attention caches of `past`; each may be None."""
    if isinstance(past, EncoderDecoderCache):
        return past.self_attention_cache, past.cross_attention_cache
    return past, None


def given_cache(options: dict, cache):
    """Return the cache of a call; take its old name, past_key_values, out of `options`.

    HF: past_key_values became cache in transformers 5.24; both names work.
    """
    old = options.pop("past_key_values", None)
    if cache is not None and old is not None:
        raise ValueError("cache and past_key_values are given, expected only one, as "
                         "both name the same argument: pass cache")
    return old if cache is None else cache


def seen_positions(config, past) -> int:
    """Count the positions in the cache of a call; refuse what is not usable as one."""
    if not isinstance(past, (DynamicCache, EncoderDecoderCache)):
        raise TypeError(f"cache is a {type(past).__name__}, expected a DynamicCache or "
                        "an EncoderDecoderCache: pass what an earlier call returned")
    if not config.is_decoder:
        raise ValueError(f"cache is a {type(past).__name__}, expected None, as this "
                         "model is not a decoder: build it with is_decoder=True")
    return past.get_seq_length()


def check_cache(config, past, batch: int, source) -> None:
    """Refuse a cache of another model, batch or encoder output, before it is used."""
    heads, own = config.num_attention_heads, past.get_seq_length()
    width = config.hidden_size // heads
    kinds = zip(caches(past), (own, None if source is None else source.shape[1]))
    for cache, positions in kinds:
        for i, layer in enumerate(() if cache is None else cache.layers):
            expected = (batch, heads, positions, width)
            if layer.keys is not None and layer.keys.shape != expected:
                raise ValueError(
                    f"cache holds keys of shape {tuple(layer.keys.shape)} in layer "
                    f"{i}, expected {expected}, the (batch, heads, positions, head "
                    "size) of this model, input and encoder output: start with a new "
                    "cache, or repeat or select its rows")
