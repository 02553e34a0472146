"""Laws N18 to N20 of decoders: causality, the KV cache, cross-attention.

See `targets.ModelTarget` for what `model` is.  `stateful.make_cache_machine` looks for
a whole sequence of operations that breaks a cache.
"""

from __future__ import annotations

import numpy as np

from .forward import alike, output
from .laws import APPROXIMATE, EXACT, Words, law, require, same, same_bits


@law("N18", "generation", EXACT, model="BertLMHeadModel",
     catches="a causal mask that is missing or off by one, for some lengths "
             "only or with padding only (B18)")
def the_future_changes_nothing(model, ids, place, rng):
    """Other tokens from `place` on change no bit of the logits before it.

    And they do change the logits at `place`.
    """
    rng, vocab = np.random.default_rng(rng), model.config.vocab_size
    later = (ids[:, place:] + rng.integers(1, vocab, ids[:, place:].shape)) % vocab
    other = np.concatenate([ids[:, :place], later], axis=1)
    before, after = (output(model, {"input_ids": x}) for x in (ids, other))
    same_bits(after[:, :place], before[:, :place], "the logits before the change")
    require((after[:, place] != before[:, place]).any(), "the logits at the change",
            got=Words("the same"), expected=Words("others"))


@law("N19", "generation", APPROXIMATE, needs=["step"], model="BertLMHeadModel",
     catches="positions that start again at 0 in each chunk, keys in the wrong "
             "order, a mask that forgets the cache (B18, B19)")
def chunks_are_one_pass(model, ids, cuts):
    """Read in chunks through a KV cache, a text has the logits of one pass.

    cuts: where chunks end, ascending, below T.
    """
    past, parts = None, []
    for start, end in zip((0, *cuts), (*cuts, ids.shape[1])):
        mask = np.ones((len(ids), end), np.int64)
        logits, past = model.step(ids[:, start:end], mask, past)
        same(np.shape(logits)[:2], (len(ids), end - start), "the shape of the logits")
        parts.append(np.asarray(logits))
    return alike(model, np.concatenate(parts, axis=1),
                 output(model, {"input_ids": ids}), f"the logits in chunks of {cuts}")


@law("N20", "generation", APPROXIMATE, model="BertLMHeadModel with cross-attention",
     catches="cross-attention with the decoder's own mask or keys, a causal "
             "mask over the source (B21)")
def the_order_of_the_source_does_not_matter(model, ids, source, source_mask, rng):
    """Cross-attention has no positions: a permuted source changes nothing.

    source (B, S, C), source_mask (B, S); what the mask hides changes nothing either.
    """
    order = np.random.default_rng(rng).permutation(source.shape[1])
    hidden = np.where(source_mask[..., None] != 0, source, source[:, ::-1] + 1)

    def logits(states, mask):
        return output(model, {"input_ids": ids, "encoder_hidden_states": states,
                              "encoder_attention_mask": mask})

    want = logits(source, source_mask)
    same_bits(logits(hidden, source_mask), want,
              "the logits with another source where it is masked")
    other = logits(source + 1, source_mask)
    require((other != want).any(), "the logits with another source",
            got=Words("the same"), expected=Words("others"))
    return alike(model, logits(source[:, order], source_mask[:, order]), want,
                 "the logits with the source in another order")
