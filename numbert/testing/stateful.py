"""A state machine that uses a KV cache in any order and compares with no cache.

    TestMyCache = make_cache_machine(lambda: my_decoder).TestCase

Hypothesis looks for the shortest sequence of appends, crops, reorders and repeats after
which the logits from the cache differ from those of one pass over the whole sequence.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .strategies import st          # first, as it says what to install
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant
from hypothesis.stateful import precondition, rule

SEEDS = st.integers(0, 2 ** 32 - 1)
started = precondition(lambda self: self.trial.cache is not None)


def call_numbert(model, input_ids, attention_mask, past, source, source_mask):
    """Call a numbert decoder, in the form that make_cache_machine asks for.

    input_ids (B, T), attention_mask (B, past + T), source (B, S, C) or None,
    source_mask (B, S) or None; past: a cache, or None -> logits (B, T, V), cache
    """
    output = model(input_ids, attention_mask, cache=past, use_cache=True,
                   encoder_hidden_states=source, encoder_attention_mask=source_mask)
    return output.logits, output.cache


class CacheTrial:
    """Sequences read through a cache, and all that it takes to read them without one.

    Args:
        model, call, tolerance, batch, source_length: see make_cache_machine.
        seed: for the encoder's output and its mask, if there is cross-attention.
    """

    def __init__(self, model, call, tolerance, batch, source_length, seed):
        self.model, self.call, self.tolerance = model, call, tolerance
        self.ids = np.zeros((batch, 0), np.int64)
        self.mask = np.zeros((batch, 0), np.int64)
        self.cache: Any = None
        self.source: Any = None
        self.source_mask: Any = None
        if model.config.add_cross_attention:
            rng = np.random.default_rng(seed)
            shape = (batch, source_length, model.config.hidden_size)
            self.source = rng.standard_normal(shape)
            self.source_mask = rng.integers(0, 2, shape[:2])
            self.source_mask[:, 0] = 1

    @property
    def room(self) -> int:
        """The number of tokens that the model still has positions for."""
        return self.model.config.max_position_embeddings - self.ids.shape[1]

    def read(self, ids, past):
        """Return the logits of `ids` after `past`, and the cache."""
        logits, cache = self.call(self.model, ids, self.mask, past, self.source,
                                  self.source_mask)
        return np.asarray(logits), cache

    def append(self, length: int, padded: bool, seed: int) -> None:
        """Read a chunk through the cache and compare its logits with a full pass.

        padded: make about half of the chunk's tokens padding.
        """
        rng, length = np.random.default_rng(seed), min(length, self.room)
        shape = len(self.ids), length
        new = rng.integers(1, self.model.config.vocab_size, shape)
        seen = rng.integers(0, 2, shape) if padded else np.ones(shape, np.int64)
        self.ids = np.concatenate([self.ids, new], axis=1)
        self.mask = np.concatenate([self.mask, seen], axis=1)
        given = self.cache
        got, self.cache = self.read(new, given)
        want = self.read(self.ids, None)[0][:, -length:]
        assert got.shape == want.shape, (
            f"the logits have shape {got.shape}, expected {want.shape}")
        # The logits of a padding token are useless: it may have nothing to attend to.
        error = np.abs(got - want)[seen == 1].max(initial=0)
        assert error <= self.tolerance, (
            f"{length} tokens after {self.ids.shape[1] - length} in the cache: the "
            f"logits are off by {error:.3g}, expected at most {self.tolerance:.3g}")
        assert given is None or self.cache is given, (
            "the call returned another cache, expected the one that was passed in")

    def crop(self, drop: int) -> None:
        """Forget the last `drop` tokens.  HF: crop takes that number negative."""
        self.cache.crop(-drop)
        self.ids, self.mask = self.ids[:, :-drop], self.mask[:, :-drop]

    def reorder(self, rows) -> None:
        """Keep these rows in this order, some maybe twice, as beam search does."""
        self.cache.reorder_cache(np.array(rows))
        self.take(np.array(rows))

    def repeat(self, times: int) -> None:
        """Repeat each row, its copies side by side."""
        self.cache.batch_repeat_interleave(times)
        self.take(np.repeat(np.arange(len(self.ids)), times))

    def take(self, rows) -> None:
        """Take these rows of everything but the cache."""
        self.ids, self.mask = self.ids[rows], self.mask[rows]
        if self.source is not None:
            self.source = self.source[rows]
            self.source_mask = self.source_mask[rows]

    def check_length(self) -> None:
        """Check that the cache holds one position per token."""
        if self.cache is not None:
            held, expected = self.cache.get_seq_length(), self.ids.shape[1]
            assert held == expected, (
                f"the cache holds {held} positions, expected {expected}")


class CacheMachine(RuleBasedStateMachine):
    """The rules of make_cache_machine; CacheTrial does the work."""

    start_trial: Any                # seed -> a CacheTrial
    batch = 2                       # rows to start with

    @initialize(seed=SEEDS)
    def start(self, seed):
        self.trial = self.start_trial(seed)

    @precondition(lambda self: self.trial.room > 0)
    @rule(length=st.integers(1, 4), padded=st.booleans(), seed=SEEDS)
    def append(self, length, padded, seed):
        self.trial.append(length, padded, seed)

    @started
    @precondition(lambda self: self.trial.ids.shape[1] > 1)
    @rule(data=st.data())
    def crop(self, data):
        drop = st.integers(1, self.trial.ids.shape[1] - 1)
        self.trial.crop(data.draw(drop, label="drop"))

    @started
    @rule(data=st.data())
    def reorder(self, data):
        rows = len(self.trial.ids)
        order = st.lists(st.integers(0, rows - 1), min_size=rows, max_size=rows)
        self.trial.reorder(data.draw(order, label="rows"))

    @started
    @precondition(lambda self: len(self.trial.ids) <= self.batch)
    @rule(times=st.integers(1, 3))
    def repeat(self, times):
        self.trial.repeat(times)

    @started
    @rule(seed=SEEDS)
    def start_again(self, seed):
        self.start(seed)

    @invariant()
    def length(self):
        if hasattr(self, "trial"):
            self.trial.check_length()


def make_cache_machine(model_factory, *, call=call_numbert, tolerance=1e-12, batch=2,
                       source_length=4):
    """Make a Hypothesis RuleBasedStateMachine for a decoder and its KV cache.

    Its rules: append a chunk of 1 to 4 tokens, some of them padding; crop; reorder the
    rows; repeat each row; start again.  After every append, each token that is not
    padding must have the logits of a full pass without a cache.  The cache must be the
    object that was passed in, and must hold one position per token.

    Args:
        model_factory: a function that returns a decoder in evaluation mode.  The
            decoder's `config` has vocab_size, max_position_embeddings, hidden_size and
            add_cross_attention.
        call: how to call the decoder; see call_numbert.  The cache needs
            get_seq_length, crop, reorder_cache and batch_repeat_interleave.
        tolerance: the largest absolute difference of a logit; 1e-12 suits float64.
        batch: the number of rows to start with.
        source_length: the tokens of the encoder's output, if there is cross-attention.

    Returns:
        the class; its `.TestCase` is a unittest case that pytest collects.
    """
    def start_trial(self, seed):
        return CacheTrial(model_factory(), call, tolerance, batch, source_length, seed)

    return type("CacheMachine", (CacheMachine,),
                {"start_trial": start_trial, "batch": batch})
