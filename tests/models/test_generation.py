"""generate: token for token as Hugging Face, and as searches that try everything."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

import numbert
from common import assert_near, ids, of_today, stressed
from generation_cases import (
    POSITIONS, V, arrays, build, decoder_config, hf_of, ours, random_call, theirs)
from numbert.bert.forward_only import FORWARD_ONLY
from numbert.models.generation import generate
from numbert.models.generation_config import GenerationConfig

GOLDEN = Path(__file__).parents[1] / "golden" / "generation.json"
RECORDED = json.loads(GOLDEN.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def model():
    """A decoder with stress weights."""
    return build("decoder", 0)


def next_logits(model, row):
    """The logits after one unpadded row, by a full pass."""
    return model(np.array([row]), use_cache=False).logits[0, -1]


# ------------------------------------------------------------------- Hugging Face

@pytest.mark.parametrize("case", RECORDED, ids=[
    f"{c['kind']}{c['seed']}" for c in RECORDED])
def test_recorded_answers_of_hugging_face(case):
    got = ours(build(case["kind"], case["seed"]), case["call"])
    assert got.sequences.dtype == np.int64
    assert got.sequences.tolist() == case["sequences"]
    if case["scores"] is not None:      # recorded in float32, and to 7 digits
        np.testing.assert_allclose(got.sequences_scores, case["scores"], rtol=3e-6)


def test_the_recorded_cases_show_something():
    short = [c for c in RECORDED if c["kind"] == "decoder" and len(c["sequences"][0])
             < len(c["call"]["input_ids"][0]) + c["call"]["max_new_tokens"]]
    assert len(short) >= 10                             # rows do end
    assert {c["call"]["num_beams"] for c in RECORDED} == {1, 2, 3, 4, 5}
    for name in ("attention_mask", "repetition_penalty", "no_repeat_ngram_size",
                 "min_new_tokens", "pad_token_id", "decoder_input_ids"):
        assert sum(name in c["call"] for c in RECORDED) >= 5, name


@pytest.mark.parametrize("kind", ["decoder", "cross", "encoder_decoder"])
def test_hugging_face_generates_the_same_now(kind):
    pytest.importorskip("torch")
    of_today()
    rng = np.random.default_rng(5)
    for seed in range(100, 104):
        model = build(kind, seed)
        hf = hf_of(model)
        for _ in range(6):
            call = random_call(kind, rng)
            got, want = ours(model, call), theirs(hf, call)
            assert got.sequences.tolist() == want.sequences.tolist(), call
            for a, b in zip(got.scores, want.scores):
                np.testing.assert_allclose(a, b.numpy(), rtol=1e-4, atol=1e-4)


def test_hugging_face_continues_right_padded_prompts_the_same(model):
    pytest.importorskip("torch")
    call = {"input_ids": [[3, 4, 5], [6, 7, 0]], "max_new_tokens": 8, "eos_token_id": 1}
    want = theirs(hf_of(model), call).sequences.tolist()
    with pytest.warns(UserWarning, match="padded on the right.*left"):
        got = model.generate(**arrays(call))
    assert got.tolist() == want


# ------------------------------------------------------------------------- greedy

def test_greedy_is_the_argmax_of_full_passes_row_by_row(model):
    prompts = [[5, 9, 2, 7], [11, 3], [8]]
    padded = np.array([[0] * (4 - len(p)) + p for p in prompts])
    got = generate(model, padded, max_new_tokens=9)
    for row, prompt in zip(got, prompts):
        for _ in range(9):
            prompt = prompt + [int(next_logits(model, prompt).argmax())]
        assert row[-len(prompt):].tolist() == prompt


@pytest.mark.parametrize("beams", [1, 4])
def test_the_cache_changes_no_token(model, beams):
    kwargs = dict(max_new_tokens=12, num_beams=beams, eos_token_id=[2, 3])
    with_cache = model.generate(ids((2, 3), V), **kwargs)
    without = model.generate(ids((2, 3), V), use_cache=False, **kwargs)
    assert with_cache.tolist() == without.tolist()


def test_each_step_reads_one_token(model, monkeypatch):
    rows, linear = [], FORWARD_ONLY.linear

    def counting(x, *rest):
        rows.append(x.size // x.shape[-1])
        return linear(x, *rest)
    monkeypatch.setattr(FORWARD_ONLY, "linear", counting)
    model.generate(ids((2, 5), V), max_new_tokens=1)
    per_step = len(rows)
    rows.clear()
    model.generate(ids((2, 5), V), max_new_tokens=20)
    assert len(rows) == 20 * per_step
    assert set(rows[per_step:]) == {2}          # after the prompt: 2 rows, 1 token each
    assert max(rows) == 2 * 5 and rows[per_step - 1] == 2   # and only the last logit


def test_rows_that_ended_are_padded(model):
    prompts, mask = ids((3, 4), V), np.ones((3, 4))
    first = generate(model, prompts, mask, max_new_tokens=6)
    ends = int(first[0, 5])                     # the second new token of the first row
    got = generate(model, prompts, mask, max_new_tokens=6, eos_token_id=ends,
                   pad_token_id=7)
    for row, free in zip(got, first):
        stop = np.flatnonzero(free[4:] == ends)
        new = row[4:]
        if stop.size:
            assert new[:stop[0] + 1].tolist() == free[4:5 + stop[0]].tolist()
            assert (new[stop[0] + 1:] == 7).all()
        else:
            assert new.tolist() == free[4:4 + len(new)].tolist()
    assert (got[0] == 7).any()


def test_pad_defaults_to_eos_without_a_pad_token():
    model = stressed(numbert.BertLMHeadModel, decoder_config(pad_token_id=None))
    first = generate(model, ids((2, 3), V), max_new_tokens=4)
    got = generate(model, ids((2, 3), V), max_new_tokens=4,
                   eos_token_id=int(first[0, 3]))
    assert (got[0, 3:] == first[0, 3]).all()


def test_min_new_tokens_holds_the_end_back(model):
    prompt = ids((1, 3), V)
    ends = int(generate(model, prompt, max_new_tokens=1)[0, -1])
    assert generate(model, prompt, eos_token_id=ends).shape == (1, 4)
    got = generate(model, prompt, eos_token_id=ends, min_new_tokens=5)
    assert got.shape[1] >= 3 + 5 and ends not in got[0, 3:8]


def test_without_a_prompt_it_starts_from_bos(model):
    got = generate(model, bos_token_id=9, max_new_tokens=3)
    assert got.tolist() == generate(model, [[9]], max_new_tokens=3).tolist()
    cross = build("cross", 0)
    states = np.random.default_rng(0).standard_normal((3, 5, 12))
    got = cross.generate(None, bos_token_id=9, encoder_hidden_states=states)
    assert got.shape == (3, 21)


def test_lengths(model):
    prompt = ids((1, 6), V)
    assert generate(model, prompt).shape == (1, 26)             # 20 new ones by default
    assert generate(model, prompt, max_length=9).shape == (1, 9)
    assert generate(model, prompt, max_length=9, max_new_tokens=5).shape == (1, 11)
    assert generate(model, ids((1, 35), V)).shape == (1, POSITIONS)     # what there is
    assert generate(model, prompt, max_new_tokens=34).shape == (1, POSITIONS)
    # Padding takes up no positions.
    padded = np.concatenate([np.zeros((1, 30), int), prompt], axis=1)
    assert generate(model, padded, max_new_tokens=34).shape == (1, 70)


def test_the_config_names_the_special_tokens():
    model = stressed(numbert.BertLMHeadModel, decoder_config())
    first = generate(model, ids((2, 3), V), max_new_tokens=5)
    named = stressed(numbert.BertLMHeadModel, decoder_config(
        eos_token_id=[int(first[0, 4]), 22], pad_token_id=4, bos_token_id=3))
    got = generate(named, ids((2, 3), V), max_new_tokens=5)
    assert (got[0, 5:] == 4).all()
    assert generate(named, max_new_tokens=1)[0, 0] == 3


def test_a_generation_config_and_changes_to_it(model):
    base = GenerationConfig(max_new_tokens=7, num_beams=3)
    prompt = ids((1, 3), V)
    got = generate(model, prompt, generation_config=base, max_new_tokens=4)
    assert got.tolist() == generate(model, prompt, max_new_tokens=4,
                                    num_beams=3).tolist()
    assert base.max_new_tokens == 7 and base.max_length is None        # left alone


def test_streaming_shows_each_token(model):
    seen, prompt = [], ids((2, 3), V)
    got = generate(model, prompt, max_new_tokens=6, streamer=seen.append)
    assert np.stack(seen, axis=1).tolist() == got[:, 3:].tolist()

    class Streamer:
        """As transformers' BaseStreamer."""

        def __init__(self):
            self.values, self.ended = [], False

        def put(self, value):
            assert not self.ended
            self.values.append(value)

        def end(self):
            self.ended = True
    streamer = Streamer()
    generate(model, prompt, max_new_tokens=6, streamer=streamer)
    first, *rest = streamer.values
    assert first.tolist() == prompt.tolist() and streamer.ended
    assert np.stack(rest, axis=1).tolist() == got[:, 3:].tolist()


def test_the_output_with_return_dict(model):
    out = generate(model, ids((2, 3), V), max_new_tokens=4, min_new_tokens=2,
                   eos_token_id=5, return_dict_in_generate=True, output_scores=True,
                   output_logits=True)
    assert out.keys() == ["sequences", "scores", "logits", "cache"]
    assert len(out.scores) == len(out.logits) == out.sequences.shape[1] - 3
    assert all(x.shape == (2, V) and x.dtype == np.float64 for x in out.scores)
    assert np.isinf(out.scores[1][:, 5]).all() and np.isfinite(out.logits[1]).all()
    want = next_logits(model, out.sequences[1, :4])
    assert_near(out.logits[1][1], want, 1e-12)
    # The last token was never read.
    assert out.past_key_values.get_seq_length() == out.sequences.shape[1] - 1


def test_nothing_given_is_changed(model):
    prompt, mask = ids((2, 4), V), np.array([[0, 1, 1, 1], [1, 1, 1, 1]])
    inputs = prompt.copy(), mask.copy()
    before = {name: x.copy() for name, x in model.params.items()}
    generate(model, prompt, mask, num_beams=3, no_repeat_ngram_size=1, max_new_tokens=4)
    assert (inputs[0] == prompt).all() and (inputs[1] == mask).all()
    assert all((before[name] == x).all() for name, x in model.params.items())


# -------------------------------------------------------------------------- beams

def everything(model, prompt, new, ends, penalty):
    """All sequences of up to `new` tokens with their scores, the best first."""
    found, open_rows = [], [([], 0.0)]
    for step in range(1, new + 1):
        longer = []
        for row, total in open_rows:
            logits = next_logits(model, prompt + row)
            norm = math.log(math.fsum(math.exp(x) for x in logits))
            for token, x in enumerate(logits):
                entry = (row + [token], total + x - norm)
                if token in ends or step == new:
                    found.append((entry[1] / step ** penalty, entry[0]))
                else:
                    longer.append(entry)
        open_rows = longer
    return sorted(found, reverse=True)


@pytest.mark.parametrize("ends", [[], [2], [1, 4]])
@pytest.mark.parametrize("penalty", [-1.0, 0.0, 1.0, 2.5])
def test_wide_beams_find_the_best_of_all_sequences(ends, penalty):
    small = stressed(numbert.BertLMHeadModel, decoder_config(vocab_size=5), rng=3)
    want = everything(small, [3, 1], 3, ends, penalty)
    n = 125 if not ends else 30             # no fewer than there are unfinished ones
    want = want[:n]
    out = generate(small, [[3, 1]], max_new_tokens=3, num_beams=n,
                   num_return_sequences=8, length_penalty=penalty,
                   early_stopping="never", eos_token_id=ends or None,
                   return_dict_in_generate=True, output_scores=True)
    best = [score for score, _ in want[:8]]
    np.testing.assert_allclose(out.sequences_scores, best, rtol=1e-12)
    for row, (_, tokens) in zip(out.sequences, want):
        assert row[2:2 + len(tokens)].tolist() == tokens


def test_a_beam_never_scores_below_the_greedy_row(model):
    prompt = ids((4, 3), V)
    greedy = generate(model, prompt, max_new_tokens=8)
    out = generate(model, prompt, max_new_tokens=8, num_beams=5, length_penalty=0.0,
                   return_dict_in_generate=True, output_scores=True)
    better = 0
    for row, score in zip(greedy, out.sequences_scores):
        logits = model(row[None], use_cache=False).logits[0, 2:-1]
        logp = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        total = logp[np.arange(8), row[3:]].sum()
        assert score > total - 1e-9
        better += score > total + 1e-9
    assert better                                       # or beams would be of no use


def test_each_prompt_has_beams_of_its_own(model):
    prompts = ids((3, 4), V)
    kwargs = dict(num_beams=4, num_return_sequences=3, max_new_tokens=7,
                  eos_token_id=[6])
    together = generate(model, prompts, **kwargs)
    for b in range(3):
        alone = generate(model, prompts[b:b + 1], **kwargs)
        width = alone.shape[1]
        assert together[3 * b:3 * b + 3, :width].tolist() == alone.tolist()


def test_short_beams_are_filled_as_hugging_face_fills_them(model):
    calls = [c for c in RECORDED if c["kind"] == "decoder"
             and c["call"]["num_beams"] > 1 and "eos_token_id" in c["call"]
             and "pad_token_id" not in c["call"]]
    filled = 0
    for case in calls:
        ends = case["call"]["eos_token_id"]
        ends = [ends] if isinstance(ends, int) else ends
        for row in case["sequences"]:
            new = row[len(case["call"]["input_ids"][0]):]
            stop = next((i for i, t in enumerate(new) if t in ends), len(new))
            assert set(new[stop + 1:]) <= {ends[0]}     # eos, not the pad token 0
            filled += len(new) > stop + 1
    assert filled


# --------------------------------------------------------------------------- errors

@pytest.mark.parametrize("kind, named, words", [
    (ValueError, {"max_new_tokens": 38}, "3 tokens and 38 new ones make 41 37"),
    (ValueError, {"max_length": 41}, "max_position_embeddings 40"),
    (ValueError, {"max_length": 3}, "max_length 3 max_new_tokens"),
    (ValueError, {"max_new_tokens": 0}, "max_new_tokens 0 >= 1"),
    (ValueError, {"max_new_tokens": 2.5}, "max_new_tokens 2.5 whole"),
    (ValueError, {"do_sample": True, "temperature": 0}, "temperature do_sample=False"),
    (ValueError, {"temperature": -1}, "temperature -1"),
    (ValueError, {"temperature": float("nan")}, "temperature nan"),
    (ValueError, {"top_p": 1.5}, "top_p 1.5"),
    (ValueError, {"top_k": -1}, "top_k -1"),
    (ValueError, {"num_beams": 0}, "num_beams 0"),
    (ValueError, {"num_beams": True}, "num_beams True"),
    (ValueError, {"num_return_sequences": 2}, "num_return_sequences do_sample=True"),
    (ValueError, {"num_beams": 2, "num_return_sequences": 3}, "num_beams, 2"),
    (ValueError, {"early_stopping": "soon"}, "early_stopping 'soon' never"),
    (ValueError, {"length_penalty": float("inf")}, "length_penalty inf"),
    (ValueError, {"repetition_penalty": 0}, "repetition_penalty 0"),
    (ValueError, {"eos_token_id": [3, 23]}, "eos_token_id 23] 22"),
    (ValueError, {"pad_token_id": -1}, "pad_token_id -1"),
    (TypeError, {"max_tokens": 3}, "max_tokens max_new_tokens"),
    (TypeError, {"generation_config": {"top_k": 3}}, "dict GenerationConfig"),
    (ValueError, {"num_beams": 2, "streamer": print}, "streamer num_beams=1"),
])
def test_bad_settings_are_one_clear_error(model, kind, named, words, monkeypatch):
    monkeypatch.setattr(type(model), "forward", None)           # no work is done
    with pytest.raises(kind) as caught:
        generate(model, ids((1, 3), V), **named)
    message = str(caught.value)
    assert "\n" not in message
    assert all(word in message for word in words.split()), message


@pytest.mark.parametrize("kind, inputs, words", [
    (ValueError, (), "bos_token_id"),
    (ValueError, ([],), "shape (0,)"),
    (ValueError, ([3, 4],), "(2,) list"),
    (ValueError, (np.zeros((2, 0), int),), "(2, 0) tokens"),
    (TypeError, ("text",), "input_ids tokenizer"),
    (ValueError, ([[3, 23]],), "23 vocab_size"),
    (ValueError, ([[3, 4]], [[1, 1, 1]]), "attention_mask (1, 3) (1, 2)"),
    (ValueError, ([[3, 4], [5, 6]], [[1, 1], [0, 0]]), "prompt 1 padding"),
])
def test_bad_prompts_are_one_clear_error(model, kind, inputs, words):
    with pytest.raises(kind) as caught:
        generate(model, *(np.array(x) for x in inputs))
    assert all(word in str(caught.value) for word in words.split()), caught.value


def test_what_cannot_generate(model):
    with pytest.raises(ValueError, match="is_decoder=True"):
        generate(stressed(numbert.BertLMHeadModel), [[3]])
    with pytest.raises(TypeError, match="BertForMaskedLM.*BertLMHeadModel"):
        generate(stressed(numbert.BertForMaskedLM), [[3]])
    with pytest.raises(ValueError, match="cross-attention"):
        generate(model, [[3]], encoder_hidden_states=np.zeros((1, 2, 12)))
