"""What generate takes beside its settings, and what more it returns."""

import numpy as np
import pytest

from common import assert_near, ids
from generation_cases import V, build, hf_of
from numbert.models.generation import generate

KINDS = ("decoder", "encoder_decoder")


def pair(kind):
    """A model and its twin in transformers."""
    pytest.importorskip("torch")
    model = build(kind, 0)
    return model, hf_of(model)


def asked(hf, prompt, **call):
    """What transformers gives."""
    import torch
    with torch.no_grad():
        return hf.generate(torch.tensor(prompt), **call)


@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("beams", [1, 3])
def test_token_types_go_on_as_in_hugging_face(beams, cached):
    model, hf = pair("decoder")
    prompt = np.array([[0, 5, 7], [3, 8, 9]])
    mask, types = (prompt != 0).astype(int), np.array([[0, 0, 1], [0, 1, 0]])
    call = {"max_new_tokens": 7, "num_beams": beams, "use_cache": cached}
    import torch
    want = asked(hf, prompt, attention_mask=torch.tensor(mask),
                 token_type_ids=torch.tensor(types), **call).tolist()
    batch = {"input_ids": prompt, "attention_mask": mask, "token_type_ids": types}
    assert model.generate(**batch, **call).tolist() == want
    assert model.generate(prompt, mask, **call).tolist() != want


def test_token_types_of_new_tokens_are_the_last_of_their_row():
    model = build("decoder", 0)
    prompt, types = np.array([[5, 7, 8]]), [[0, 0, 1]]
    row = model.generate(prompt, token_type_ids=types, max_new_tokens=6)[0]
    for t in range(3, 9):
        whole = np.array([[0, 0] + [1] * (t - 2)])
        logits = model(row[None, :t], token_type_ids=whole).logits
        assert row[t] == logits[0, -1].argmax()
    with pytest.raises(ValueError, match=r"token_type_ids .*\(1, 2\).*\(1, 3\)"):
        model.generate(prompt, token_type_ids=[[0, 0]])


@pytest.mark.parametrize("call", [
    {"min_length": 9}, {"min_length": 9, "num_beams": 3}, {"min_length": 2},
    {"min_length": 12, "min_new_tokens": 2}, {"min_length": 12, "min_new_tokens": 0}],
    ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_min_length_is_that_of_hugging_face(kind, call):
    model, hf = pair(kind)
    prompt = ids((2, 4), V)
    ends = [int(x) for x in model.generate(prompt, max_new_tokens=2)[:, -1]]
    call = {**call, "eos_token_id": ends, "max_new_tokens": 14}
    assert model.generate(prompt, **call).tolist() == \
        asked(hf, prompt, **call).tolist()


def test_min_length_counts_the_prompt():
    model, prompt = build("decoder", 0), ids((1, 3), V)
    ends = int(generate(model, prompt, max_new_tokens=1)[0, -1])
    got = generate(model, prompt, eos_token_id=ends, min_length=8)
    assert got.shape[1] > 8 and ends not in got[0, 3:8]
    assert generate(model, prompt, eos_token_id=ends, min_length=3).shape == (1, 4)


def test_a_start_token_for_each_source():
    model, hf = pair("encoder_decoder")
    prompt, starts = ids((3, 4), V), [3, 9, 5]
    call = {"decoder_start_token_id": starts, "max_new_tokens": 5}
    got = model.generate(prompt, **call)
    assert got.tolist() == asked(hf, prompt, **call).tolist()
    assert got[:, 0].tolist() == starts
    for row, start, source in zip(got, starts, prompt):
        alone = model.generate(source[None], decoder_start_token_id=start,
                               max_new_tokens=5)
        assert row.tolist() == alone[0].tolist()
    begun = model.generate(prompt, **call, decoder_input_ids=[[8], [8], [8]])
    assert begun[:, :2].tolist() == [[3, 8], [9, 8], [5, 8]]
    with pytest.raises(ValueError, match="has 2 ids, expected 3: "):
        model.generate(prompt, decoder_start_token_id=[3, 4])
    with pytest.raises(ValueError, match="decoder_start_token_id is .*, expected ids"):
        model.generate(prompt, decoder_start_token_id=[3, 4, V])


@pytest.mark.parametrize("beams", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_attentions_and_states_of_each_step(kind, beams):
    model, hf = pair(kind)
    prompt = ids((2, 4), V)
    call = {"max_new_tokens": 3, "num_beams": beams, "return_dict_in_generate": True,
            "output_attentions": True, "output_hidden_states": True}
    got, want = model.generate(prompt, **call), asked(hf, prompt, **call)
    names = {name for name in want.keys() if name.endswith(("attentions", "states"))}
    assert names and names == {name for name in got.keys()
                               if name.endswith(("attentions", "states"))}
    for name in names:
        mine, theirs = flat(got[name]), flat(want[name])
        assert len(mine) == len(theirs) > 0
        for x, y in zip(mine, theirs):
            y = y.numpy()
            assert_near(x, y, 1e-11 * max(1, np.abs(y).max()), name)


def flat(values):
    """The arrays in a tuple, or in a tuple of tuples."""
    return [x for value in values
            for x in (value if isinstance(value, tuple) else (value,))]


def test_a_configuration_may_ask_for_more_output():
    model = build("decoder", 0)
    model.config.output_attentions = True
    assert len(model.generate([[3, 4]], max_new_tokens=2).attentions) == 2


@pytest.mark.parametrize("call", [
    {}, {"num_beams": 3}, {"do_sample": True, "top_k": 1}], ids=str)
def test_functions_change_the_scores_as_in_hugging_face(call):
    torch = pytest.importorskip("torch")
    model, hf = pair("decoder")
    prompt = ids((2, 4), V)
    banned = [int(x) for x in model.generate(prompt, max_new_tokens=1)[:, -1]]

    def ban(input_ids, scores):
        kind = torch if isinstance(scores, torch.Tensor) else np
        there = kind.zeros_like(scores)
        there[:, banned] = -kind.inf
        return scores + there
    call = {**call, "max_new_tokens": 6}
    want = asked(hf, prompt, **call, logits_processor=[ban]).tolist()
    for given in (ban, [ban]):
        got = model.generate(prompt, **call, logits_processor=given)
        assert got.tolist() == want and not np.isin(got[:, 4:], banned).any()
    with pytest.raises(ValueError, match=r"logits_processor has shape \(23,\), expe"):
        model.generate(prompt, logits_processor=lambda i, s: s[0])
    with pytest.raises(TypeError, match="logits_processor holds a int, expected"):
        model.generate(prompt, logits_processor=[3])


def test_an_encoder_reads_embeddings():
    model, prompt = build("encoder_decoder", 0), ids((2, 4), V)
    states = model.get_input_embeddings()[prompt]
    assert model.generate(inputs_embeds=states, max_new_tokens=4).tolist() == \
        model.generate(prompt, max_new_tokens=4).tolist()


@pytest.mark.parametrize("with_ids", [False, True])
@pytest.mark.parametrize("call", [
    {}, {"max_new_tokens": 5}, {"max_length": 9}, {"num_beams": 3, "max_length": 11},
    {"min_length": 10, "max_length": 12, "eos_token_id": [1, 2, 3, 4, 5, 6, 7, 8]},
    {"min_new_tokens": 3, "eos_token_id": [1, 2, 3, 4, 5, 6, 7, 8]},
    {"repetition_penalty": 3.0}, {"no_repeat_ngram_size": 1, "num_beams": 2},
    {"masked": True, "num_beams": 2}], ids=str)
def test_a_decoder_continues_embeddings_as_in_hugging_face(call, with_ids):
    torch = pytest.importorskip("torch")
    model, hf = pair("decoder")
    rng, prompt, call = np.random.default_rng(1), ids((2, 4), V), dict(call)
    call.setdefault("max_new_tokens", None if "max_length" in call else 6)
    states = model.get_input_embeddings()[prompt] + 3 * rng.normal(size=(2, 4, 12))
    given, theirs = {}, {}
    if call.pop("masked", False):
        given["attention_mask"] = np.array([[0, 1, 1, 1], [1, 1, 1, 1]])
        theirs["attention_mask"] = torch.tensor(given["attention_mask"])
    if with_ids:
        given["input_ids"], theirs["input_ids"] = prompt, torch.tensor(prompt)
    with torch.no_grad():
        want = hf.generate(inputs_embeds=torch.tensor(states), **theirs, **call)
    got = model.generate(inputs_embeds=states, **given, **call)
    assert got.tolist() == want.tolist()
    # HF: without a cache, it refuses.
    assert model.generate(inputs_embeds=states, **given, **call,
                          use_cache=False).tolist() == got.tolist()


def test_embeddings_of_the_words_are_the_words():
    model, prompt = build("decoder", 0), ids((2, 4), V)
    states = model.get_input_embeddings()[prompt]
    want = model.generate(prompt, max_new_tokens=6)
    assert model.generate(inputs_embeds=states,
                          max_new_tokens=6).tolist() == want[:, 4:].tolist()
    both = model.generate(prompt[:, ::-1], inputs_embeds=states, max_new_tokens=6)
    assert both.tolist() == np.hstack([prompt[:, ::-1], want[:, 4:]]).tolist()
    assert both.tolist() != model.generate(prompt[:, ::-1], max_new_tokens=6).tolist()
    shown = []
    model.generate(inputs_embeds=states, max_new_tokens=2, streamer=shown.append)
    assert np.array(shown).T.tolist() == want[:, 4:6].tolist()
    for bad, message in (
            ({"inputs_embeds": states[0]}, r"inputs_embeds has shape \(4, 12\), expec"),
            ({"inputs_embeds": states[..., 1:]}, r"inputs_embeds has shape \(2, 4, 11"),
            ({"inputs_embeds": states, "input_ids": prompt[:, :3]},
             r"input_ids has shape \(2, 3\), expected \(2, 4\)"),
            ({"inputs_embeds": states, "attention_mask": [[1]]},
             r"attention_mask has shape \(1, 1\), expected \(2, 4\)")):
        with pytest.raises(ValueError, match=message):
            model.generate(**bad)


@pytest.mark.parametrize("kind", KINDS)
def test_functions_end_rows(kind):
    model, prompt = build(kind, 0), ids((2, 4), V)
    free = model.generate(prompt, max_new_tokens=9)
    start = free.shape[1] - 9

    def at(*lengths):
        return lambda ids, scores: [ids.shape[1] >= start + n for n in lengths]
    for given in (at(3, 5), [at(3, 9), at(9, 5)]):
        got = model.generate(prompt, max_new_tokens=9, stopping_criteria=given)
        assert got[0].tolist() == [*free[0, :start + 3], 0, 0]
        assert got[1].tolist() == free[1, :start + 5].tolist()
    one = model.generate(prompt, max_new_tokens=9,
                         stopping_criteria=lambda ids, scores: ids.shape[1] > start)
    assert one.tolist() == free[:, :start + 1].tolist()
    for error, call in ((ValueError, {"stopping_criteria": at(1, 2, 3)}),
                        (ValueError, {"stopping_criteria": at(1), "num_beams": 3}),
                        (TypeError, {"stopping_criteria": ["stop"]})):
        with pytest.raises(error, match="stopping.*, expected"):
            model.generate(prompt, **call)


@pytest.mark.parametrize("early", [True, False, "never"])
@pytest.mark.parametrize("beams", [2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_functions_end_beams_as_in_hugging_face(kind, beams, early):
    torch = pytest.importorskip("torch")
    model, hf = pair(kind)
    prompt, calls = ids((2, 4), V), 0

    def even(ids, scores):
        """End the sequences in which an even token follows a token below 12."""
        nonlocal calls
        calls += 1
        assert scores is None
        return (ids[:, -1] % 2 == 0) & (ids[:, -2] < 12)

    def long(ids, scores):
        kind = torch if isinstance(ids, torch.Tensor) else np
        return kind.full((len(ids),), ids.shape[1] >= 7)

    def most(ids, scores):
        """So many that hardly any beam goes on."""
        return ids[:, -1] % 7 != 3

    for given in ([even], [even, long], [most], [long, most]):
        call = {"num_beams": beams, "max_new_tokens": 8, "early_stopping": early,
                "num_return_sequences": beams, "eos_token_id": 5, "pad_token_id": 1,
                "stopping_criteria": given}
        want = asked(hf, prompt, **call).tolist()
        assert model.generate(prompt, **call).tolist() == want
    assert calls
    free = model.generate(prompt, **{**call, "stopping_criteria": None})
    assert free.tolist() != want


@pytest.mark.parametrize("seed", range(4))
def test_draws_of_a_beam_search_are_chosen_as_in_hugging_face(seed, monkeypatch):
    """With the same noise, the same sequences: the best draws come first."""
    torch = pytest.importorskip("torch")
    model, hf = pair("decoder")
    prompt, beams = ids((1, 4), V), 3
    noises = np.random.default_rng(seed).gumbel(size=(9, 1, beams * V))

    def give():
        left = iter(noises)
        monkeypatch.setattr("numbert.models.beams.log_gumbel",
                            lambda shape, rng: next(left).reshape(shape))
        monkeypatch.setattr(torch, "multinomial", lambda p, num_samples: torch.topk(
            torch.log(p) + torch.tensor(next(left)), num_samples)[1])
    call = {"num_beams": beams, "max_new_tokens": 8, "do_sample": True, "top_k": 0,
            "num_return_sequences": beams, "eos_token_id": [5, 6, 7, 8, 9],
            "pad_token_id": 1}
    give()
    want = asked(hf, prompt, **call).tolist()
    give()
    assert model.generate(prompt, **call).tolist() == want
