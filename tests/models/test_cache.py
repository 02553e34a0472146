"""The KV cache: cutting a sequence changes nothing, and a step costs one token."""

import copy
import itertools

import numpy as np
import pytest

import numbert
from cache_cases import LONGEST, MASKS, B, S, T, across, decoder, error
from common import assert_near, bound, config, ids, stressed, to_torch, twin
from numbert.bert.forward_only import FORWARD_ONLY
from numbert.models.cache import DynamicCache, EncoderDecoderCache
from numbert.testing.gradcheck import check_model


def cuts(length):
    """Every way of cutting a sequence into pieces: 2 ** (length - 1) of them."""
    for marks in itertools.product((False, True), repeat=length - 1):
        ends = [i + 1 for i, cut in enumerate(marks) if cut] + [length]
        yield list(zip([0, *ends], ends))


def in_pieces(model, x, pieces, mask=None, **inputs):
    """The logits of all pieces one after the other, through one cache."""
    past, logits = None, []
    for start, end in pieces:
        seen = None if mask is None else mask[:, :end]
        out = model(x[:, start:end], seen, past_key_values=past, use_cache=True,
                    **inputs)
        assert past is None or out.past_key_values is past
        past = out.past_key_values
        assert past.get_seq_length() == end
        logits.append(out.logits)
    return np.concatenate(logits, axis=1)


# ------------------------------------------------------------------- any cutting

@pytest.mark.parametrize("cross", [False, True])
@pytest.mark.parametrize("mask", MASKS)
def test_every_cut_gives_the_logits_of_the_full_pass(mask, cross):
    model, x, mask = decoder(cross), ids((B, T)), MASKS[mask]
    full = model(x, mask, **across(cross)).logits
    useful = np.ones((B, T), bool) if mask is None else mask == 1
    for pieces in cuts(T):
        got = in_pieces(model, x, pieces, mask, **across(cross))
        assert_near(got[useful], full[useful], 1e-12, f"cut into {pieces}")


def test_float32_cuts_agree_to_rounding():
    model, x = decoder(dtype="float32"), ids((B, T))
    full = model(x).logits
    for pieces in ([(i, i + 1) for i in range(T)], [(0, 4), (4, 6)]):
        got = in_pieces(model, x, pieces)
        assert_near(got, full, bound("float32", 200, np.abs(full).max()))


@pytest.mark.parametrize("cross", [False, True])
@pytest.mark.parametrize("mask", ["none", "left"])
def test_hugging_face_gives_the_same_logits_for_each_piece(mask, cross):
    torch = pytest.importorskip("torch")
    model, x, mask = decoder(cross), ids((B, T)), MASKS[mask]
    hf, ours, theirs = twin(model), None, None
    for start, end in [(0, 3), (3, 4), (4, 6)]:
        inputs = {"input_ids": x[:, start:end], **across(cross), "use_cache": True,
                  "attention_mask": None if mask is None else mask[:, :end]}
        out = model(**inputs, past_key_values=ours)
        with torch.no_grad():
            want = hf(**to_torch(inputs), past_key_values=theirs)
        ours, theirs = out.past_key_values, want.past_key_values
        assert type(ours).__name__ == type(theirs).__name__
        useful = np.ones((B, end), bool) if mask is None else mask[:, :end] == 1
        useful = useful[:, start:]
        assert_near(out.logits[useful], want.logits.numpy()[useful], 1e-12,
                    f"tokens {start} to {end}")


# ------------------------------------------------------------------------ the cost

class Count:
    """Counts rows and multiply-adds of the matrix products of the forward pass."""

    def __init__(self, monkeypatch):
        self.rows, self.work = [], 0
        for name in ("linear", "attention_scores", "weighted_sum"):
            counting = self.counting(name, getattr(FORWARD_ONLY, name))
            monkeypatch.setattr(FORWARD_ONLY, name, counting)

    def counting(self, name, op):
        def counted(x, w, *rest):
            if name == "linear":
                self.rows.append(x.size // x.shape[-1])
                self.work += x.size * w.shape[0]
            else:                           # q (.., T, D) k (.., S, D), or probs v
                self.work += x.size * w.shape[-2 if name == "attention_scores" else -1]
            return op(x, w, *rest)
        return counted

    def take(self):
        work, self.work, self.rows = self.work, 0, []
        return work


@pytest.mark.parametrize("cross", [False, True])
def test_a_token_costs_o_of_t_with_the_cache(cross, monkeypatch):
    layers, width, length = 2, 12, 40
    model = decoder(cross, max_position_embeddings=length)
    x, count, past, work = ids((B, length)), Count(monkeypatch), None, []
    for t in range(length):
        out = model(x[:, t:t + 1], past_key_values=past, **across(cross))
        past = out.past_key_values
        assert max(count.rows) == (B * S if cross and t == 0 else B)
        work.append(count.take())
    growth = np.diff(work[1:])
    # Scores and weighted sum: C multiply-adds each, per key, layer and row; only that.
    assert (growth == 2 * width * layers * B).all(), growth


def test_without_the_cache_a_token_costs_more_and_more(monkeypatch):
    model, x, count, work = decoder(), ids((B, LONGEST)), Count(monkeypatch), []
    for t in range(LONGEST):
        model(x[:, :t + 1], use_cache=False)
        work.append(count.take())
    assert (np.diff(work, n=2) > 0).all()       # the counter does see what is saved


def test_the_encoders_keys_and_values_are_computed_once(monkeypatch):
    model, x, count = decoder(cross=True), ids((B, T)), Count(monkeypatch)
    model(x[:, :2], use_cache=False, **across(True))
    assert count.rows.count(B * S) == 2 * 2                 # 2 layers, keys and values
    count.take()
    out = model(x[:, :2], **across(True))
    assert count.rows.count(B * S) == 4
    count.take()
    for t in range(2, T):
        model(x[:, t:t + 1], past_key_values=out.past_key_values, **across(True))
        assert B * S not in count.rows
    out.past_key_values.reset()
    model(x[:, :1], past_key_values=out.past_key_values, **across(True))
    assert count.rows.count(B * S) == 4                     # once per encoder output


# ----------------------------------------------------------------------- the object

@pytest.mark.parametrize("cross", [False, True])
def test_the_cache_given_is_the_cache_given_back(cross):
    model, x = decoder(cross), ids((B, T))
    for cache in (DynamicCache(), EncoderDecoderCache()):
        out = model(x[:, :2], past_key_values=cache, **across(cross))
        assert out.past_key_values is cache and cache.get_seq_length() == 2
        out = model(x[:, 2:], past_key_values=cache, **across(cross))
        assert out.past_key_values is cache and cache.get_seq_length() == T
    made = model(x, **across(cross)).past_key_values
    assert type(made) is (EncoderDecoderCache if cross else DynamicCache)


def test_use_cache_false_gives_none():
    assert decoder()(ids((B, T)), use_cache=False).past_key_values is None
    assert decoder(use_cache=False)(ids((B, T))).past_key_values is None


def filled(kind=DynamicCache):
    """A cache of one layer with distinct numbers, and those numbers."""
    x = np.arange(3 * 2 * 5 * 4.0).reshape(3, 2, 5, 4)
    cache = kind()
    (cache if kind is DynamicCache else cache.self_attention_cache).update(x, -x, 0)
    if kind is EncoderDecoderCache:
        cache.cross_attention_cache.update(x + 1000, -x, 0)
    return cache, x


@pytest.mark.parametrize("change, expected", [
    (lambda c: c.crop(3), lambda x: x[:, :, :3]),
    (lambda c: c.crop(-2), lambda x: x[:, :, :3]),
    (lambda c: c.crop(9), lambda x: x),
    (lambda c: c.crop(-9), lambda x: x[:, :, :0]),
    (lambda c: c.reorder_cache(np.array([2, 2, 0])), lambda x: x[[2, 2, 0]]),
    (lambda c: c.batch_select_indices([1]), lambda x: x[1:2]),
    (lambda c: c.batch_repeat_interleave(2), lambda x: x[[0, 0, 1, 1, 2, 2]]),
])
def test_operations_of_the_cache(change, expected):
    for kind in (DynamicCache, EncoderDecoderCache):
        cache, x = filled(kind)
        change(cache)
        own = cache if kind is DynamicCache else cache.self_attention_cache
        keys, values = own[0]
        np.testing.assert_array_equal(keys, expected(x))
        np.testing.assert_array_equal(values, -expected(x))
        if kind is EncoderDecoderCache:         # rows change there too, positions don't
            source = expected(x).shape[0]
            assert cache.cross_attention_cache[0].keys.shape[0] == source
            assert cache.cross_attention_cache[0].keys.shape[2] == 5


def test_views_and_reset_of_the_caches():
    cache, x = filled()
    assert len(cache) == 1 and cache.get_seq_length() == 5
    (keys, values), = cache
    assert keys is cache[0].keys and (values == -keys).all()
    again = DynamicCache(cache)
    assert again.get_seq_length() == 5
    cache.reset()
    assert cache.get_seq_length() == 0 and again.get_seq_length() == 5
    both, x = filled(EncoderDecoderCache)
    assert both.is_updated == {0: True} and len(both) == 1
    assert [a.shape for a in next(iter(both))] == [x.shape] * 4
    both.reset()
    assert both.get_seq_length() == 0 and not any(both.is_updated.values())


# --------------------------------------------------------------------------- errors

def test_a_mask_of_the_wrong_length_is_one_clear_error():
    model, x = decoder(), ids((B, T))
    past = model(x[:, :4]).past_key_values
    for length in (2, 5, 7):            # of the 2 new tokens alone, and off by one
        message = error(ValueError, x[:, 4:], np.ones((B, length)),
                        past_key_values=past, model=model)
        assert f"({B}, {length})" in message and f"({B}, 6)" in message
        assert past.get_seq_length() == 4                    # and nothing was computed


def test_other_mistakes_with_a_cache():
    model, x = decoder(), ids((B, T))
    past = model(x).past_key_values
    message = error(ValueError, ids((B, 6)), past_key_values=past, model=model)
    assert "12" in message and "max_position_embeddings 11" in message
    assert "not a decoder" in error(
        ValueError, x, past_key_values=past, model=stressed(numbert.BertModel))
    assert "tuple" in error(TypeError, x, past_key_values=((1, 2),), model=model)
    message = error(ValueError, x[:1, :1], past_key_values=past, model=model)
    assert "(2, 3, 6, 4)" in message and "expected (1, 3, 6, 4)" in message


# -------------------------------------------------------------------- the two names

def test_the_cache_has_its_old_name_too():
    """transformers 5.24 calls cache what was past_key_values before."""
    model = stressed(numbert.BertLMHeadModel, config(is_decoder=True))
    ids = np.array([[5, 6, 7, 8, 9]])
    whole, out = model(ids), model(ids[:, :3], use_cache=True)
    assert out.past_key_values is out.cache is out["past_key_values"]
    assert "past_key_values" in out and out.get("past_key_values") is out.cache
    assert "cache" in out.keys() and "past_key_values" not in out.keys()
    logits = model(ids[:, 3:], past_key_values=out.past_key_values).logits
    assert np.abs(logits - whole.logits[:, 3:]).max() < 1e-12
    with pytest.raises(ValueError, match="cache and past_key_values are given"):
        model(ids[:, 4:], cache=out.cache, past_key_values=out.cache)
    masked = stressed(numbert.BertForMaskedLM, config())
    with pytest.raises(TypeError, match="takes no argument past_key_values"):
        masked(ids, past_key_values=out.cache)
    with pytest.raises(AttributeError):
        masked(ids).past_key_values


# ------------------------------------------------------------------------ gradients

NAMES = ("cache", "past_key_values")


class Repeatable(numbert.BertLMHeadModel):
    """Gives each call a copy of the cache, so that every call finds the same one."""

    def forward(self, *args, **options):
        options = {name: copy.deepcopy(x) if name in NAMES else x
                   for name, x in options.items()}
        return super().forward(*args, **options)


def continued(cross, mask, name):
    """A decoder, and inputs that continue the two tokens in a cache."""
    model = stressed(Repeatable, config(is_decoder=True, add_cross_attention=cross))
    x, mask = ids((B, T)), MASKS[mask]
    past = model(x[:, :2], mask[:, :2], **across(cross)).cache
    return model, {"input_ids": x[:, 2:], "attention_mask": mask, name: past,
                   **across(cross)}


@pytest.mark.parametrize("source", ["none", "cached", "new"])
@pytest.mark.parametrize("name, mask", [
    ("cache", "left"), ("past_key_values", "holes"), ("cache", "right")])
def test_the_cache_is_a_constant_to_gradients(name, mask, source):
    model, inputs = continued(source != "none", mask, name)
    if source == "new":
        inputs[name] = EncoderDecoderCache(inputs[name].self_attention_cache)
    report = check_model(model, inputs, cotangents=["logits"], directions=1)
    assert report.ok, report
    states = set(inputs) & {"encoder_hidden_states"}
    assert {c.name for c in report.comparisons} == set(model.params) | states
