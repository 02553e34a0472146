"""The state machine of the KV cache: it passes right caches and finds wrong ones."""

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from cache_cases import decoder
from common import twin
from numbert.models.cache import DynamicCache
from numbert.testing.stateful import call_numbert, make_cache_machine

FEW = settings(max_examples=40, stateful_step_count=20, deadline=None,
               suppress_health_check=list(HealthCheck))
# A mistake is to be found, not explained: no shrinking.
HUNT = settings(FEW, max_examples=60, phases=[Phase.generate], database=None,
                derandomize=True)


class TestMachine(make_cache_machine(decoder).TestCase):
    """Any order of appends, crops, reorders and repeats."""

    settings = FEW


class TestMachineWithCrossAttention(
        make_cache_machine(lambda: decoder(cross=True)).TestCase):
    """The same over an encoder's output."""

    settings = FEW


class TorchCache:
    """A Hugging Face cache that takes NumPy indices, for the state machine."""

    def __init__(self, cache):
        self.cache = cache

    def __getattr__(self, name):
        return getattr(self.cache, name)

    def reorder_cache(self, rows):
        import torch
        self.cache.reorder_cache(torch.tensor(rows))


def test_the_machine_drives_other_peoples_models_too():
    torch = pytest.importorskip("torch")
    hf = twin(decoder())

    def call(model, input_ids, attention_mask, past, source, source_mask):
        with torch.no_grad():
            out = model(input_ids=torch.tensor(input_ids), use_cache=True,
                        attention_mask=torch.tensor(attention_mask),
                        past_key_values=past and past.cache)
        return out.logits.numpy(), past or TorchCache(out.past_key_values)

    run_state_machine_as_test(make_cache_machine(lambda: hf, call=call),
                              settings=settings(FEW, max_examples=3))


class NoReorder(DynamicCache):
    """Beams keep the keys of other beams."""

    def reorder_cache(self, beam_idx):
        pass


class CropsOneLess(DynamicCache):
    """Drops one position too few."""

    def crop(self, max_length):
        super().crop(max_length + 1)


class RepeatsTheBatch(DynamicCache):
    """a b a b instead of a a b b."""

    def batch_repeat_interleave(self, repeats):
        self._apply(lambda x: np.tile(x, (repeats, 1, 1, 1)))


def positions_from_0(model, input_ids, attention_mask, past, source, source_mask):
    """A call that forgets how many tokens the cache holds."""
    out = model(input_ids, attention_mask, past_key_values=past, use_cache=True,
                position_ids=np.arange(input_ids.shape[1]))
    return out.logits, out.past_key_values


def forgetful_mask(model, input_ids, attention_mask, past, source, source_mask):
    """A call that treats padding in the cache as tokens."""
    mask = attention_mask.copy()
    mask[:, :-input_ids.shape[1]] = 1
    return call_numbert(model, input_ids, mask, past, source, source_mask)


def with_cache(kind):
    """A call that starts with a cache of this kind."""
    def call(model, input_ids, attention_mask, past, source, source_mask):
        return call_numbert(model, input_ids, attention_mask,
                            kind() if past is None else past, source, source_mask)
    return call


@pytest.mark.parametrize("call", [
    with_cache(NoReorder), with_cache(CropsOneLess), with_cache(RepeatsTheBatch),
    positions_from_0, forgetful_mask],
    ids=["reorder", "crop", "repeat", "positions", "mask"])
def test_the_machine_finds_mistakes(call):
    model = decoder()
    with pytest.raises((AssertionError, ValueError)):
        run_state_machine_as_test(make_cache_machine(lambda: model, call=call),
                                  settings=HUNT)


def test_the_machine_passes_the_cache_that_those_mistakes_are_made_in():
    model = decoder()
    run_state_machine_as_test(
        make_cache_machine(lambda: model, call=with_cache(DynamicCache)), settings=FEW)
