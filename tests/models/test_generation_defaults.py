"""Settings of generate that a checkpoint names, in config.json or a file of their own.
"""

import json
import warnings

import numpy as np
import pytest

import numbert
from common import ids
from generation_cases import V, build, decoder_config
from numbert.models.encoder_decoder import EncoderDecoderModel

OLD = {"max_length": 9, "num_beams": 3, "no_repeat_ngram_size": 2,
       "repetition_penalty": 1.5, "num_return_sequences": 2, "length_penalty": 2.0}
# Which kind of model, what its config.json has at the top and under "decoder" or
# "encoder", and what generation_config.json has.
CASES = {
    "config": ("decoder", OLD, {}, {}, None),
    "own file": ("decoder", OLD, {}, {}, {"max_length": 12, "num_beams": 2}),
    "top": ("encoder_decoder", OLD, {}, {}, None),
    "decoder": ("encoder_decoder", {}, OLD, {}, None),
    "encoder": ("encoder_decoder", {}, {}, OLD, None),
    "top before decoder": ("encoder_decoder", {"max_length": 7, "num_beams": 2},
                           {**OLD, "num_beams": 3}, {}, None),
    "null at the top": ("encoder_decoder", {"max_length": None}, OLD, {}, None),
    "twenty": ("encoder_decoder", {}, {"max_length": 20}, {}, None),
    "own file and decoder": ("encoder_decoder", {}, OLD, {},
                             {"max_length": 12, "decoder_start_token_id": 3}),
}
CALLS = ({}, {"max_new_tokens": 4}, {"num_beams": 2, "repetition_penalty": 1.0},
         {"config": {"max_new_tokens": 3, "num_beams": 4}}, {"config": {"top_k": None}})


def folder(case, directory):
    """Write a checkpoint with these settings; return the class that loads it."""
    kind, top, decoder, encoder, own = CASES[case]
    build(kind, 0).save_pretrained(directory)
    path = directory / "config.json"
    values = json.loads(path.read_text())
    values.update(top)
    if kind == "encoder_decoder":
        values["decoder"].update(decoder)
        values["encoder"].update(encoder)
    path.write_text(json.dumps(values))
    if own is not None:
        (directory / "generation_config.json").write_text(json.dumps(own))
    return "BertLMHeadModel" if kind == "decoder" else "EncoderDecoderModel"


def answer(package, model, prompt, call):
    """What one call of generate gives."""
    call = dict(call)
    if "config" in call:
        call["generation_config"] = package.GenerationConfig(**call.pop("config"))
    return model.generate(prompt, **call).tolist()


@pytest.mark.parametrize("case", CASES)
def test_defaults_are_those_of_hugging_face(case, tmp_path):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    name, prompt = folder(case, tmp_path), ids((2, 4), V)
    hf = getattr(transformers, name).from_pretrained(
        tmp_path, dtype=torch.float64, attn_implementation="eager")
    kind = EncoderDecoderModel if name == "EncoderDecoderModel" else \
        numbert.BertLMHeadModel
    model = kind.from_pretrained(tmp_path, dtype="float64")
    model.save_pretrained(tmp_path / "again")
    again = kind.from_pretrained(tmp_path / "again", dtype="float64")
    for call in CALLS:
        want = answer(transformers, hf, torch.tensor(prompt), call)
        assert answer(numbert, model, prompt, call) == want, call
        assert answer(numbert, again, prompt, call) == want, call


@pytest.mark.parametrize("kind, where", [("decoder", "top"), ("encoder_decoder", "top"),
                                         ("encoder_decoder", "decoder")])
def test_defaults_in_the_configuration_are_those_of_the_call(kind, where):
    model, plain, prompt = build(kind, 0), build(kind, 0), ids((2, 4), V)
    config = model.config if where == "top" else model.config.decoder
    vars(config).update(OLD)
    got = model.generate(prompt)
    assert got.shape == (4, 9)
    assert got.tolist() == plain.generate(prompt, **OLD).tolist()
    assert model.generate(prompt, num_beams=1, num_return_sequences=1).shape == (2, 9)
    model.generation_config = numbert.GenerationConfig(max_new_tokens=3)
    assert model.generate(prompt).tolist() == \
        plain.generate(prompt, max_new_tokens=3).tolist()
    given = numbert.GenerationConfig(num_beams=2)
    assert model.generate(prompt, generation_config=given).tolist() == \
        plain.generate(prompt, num_beams=2, max_new_tokens=3).tolist()


def test_drawing_may_be_the_default():
    model, prompt = build("decoder", 0), ids((1, 3), V)
    model.config.do_sample, model.config.temperature = True, 3.0
    rows = [model.generate(prompt, rng=seed).tolist() for seed in range(3)]
    assert rows[0] != rows[1] != rows[2]
    assert model.generate(prompt, do_sample=False, temperature=1.0).tolist() == \
        build("decoder", 0).generate(prompt).tolist()


@pytest.mark.parametrize("name, value", [("num_beams", "3"), ("max_length", 2.5),
                                         ("repetition_penalty", "1")])
def test_a_default_of_a_wrong_type_is_named(name, value):
    model = numbert.BertLMHeadModel(decoder_config(**{name: value}))
    with pytest.raises(ValueError, match=f"{name} is {value!r}, expected .*: "):
        model.generate([[3, 4]])


def test_token_ids_may_be_numbers_of_numpy():
    model, prompt = build("decoder", 0), ids((1, 3), V)
    end = model.generate(prompt, max_new_tokens=2)[0, -1]
    got = model.generate(prompt, eos_token_id=end, max_new_tokens=6)
    assert isinstance(end, np.int64)
    assert got.tolist() == model.generate(prompt, eos_token_id=[int(end)],
                                          max_new_tokens=6).tolist()
    with pytest.raises(ValueError, match="decoder_start_token_id is 'x', expected ids"):
        build("encoder_decoder", 0).generate(prompt, decoder_start_token_id="x")


def test_a_setting_with_the_name_of_a_method_does_not_take_its_place(tmp_path):
    model, prompt = build("decoder", 0), ids((2, 4), V)
    model.save_pretrained(tmp_path)
    path, names = tmp_path / "generation_config.json", ("to_dict", "eos", "validate")
    path.write_text(json.dumps({**dict.fromkeys(names, 3), "max_new_tokens": 2}))
    with pytest.warns(UserWarning, match="sets eos, to_dict, validate, expected"):
        again = numbert.BertLMHeadModel.from_pretrained(tmp_path, dtype="float64")
    again.save_pretrained(tmp_path)
    assert json.loads(path.read_text()) == {"max_new_tokens": 2}
    assert again.generate(prompt).tolist() == \
        model.generate(prompt, max_new_tokens=2).tolist()


@pytest.mark.parametrize("kind", ["decoder", "encoder_decoder"])
def test_a_setting_that_numbert_lacks_stays_in_its_file_and_is_refused(kind, tmp_path):
    """transformers applies it, so to ignore it would be a silent wrong result."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    model, prompt = build(kind, 0), ids((2, 4), V)
    model.save_pretrained(tmp_path)
    path = tmp_path / "generation_config.json"
    values = {"forced_eos_token_id": 9, "max_new_tokens": 4, "low_memory": False,
              "decoder_start_token_id": 3}
    path.write_text(json.dumps(values))
    hf = getattr(transformers, type(model).__name__).from_pretrained(
        tmp_path, dtype=torch.float64, attn_implementation="eager")
    assert hf.generate(torch.tensor(prompt))[:, -1].tolist() == [9, 9]
    with warnings.catch_warnings():
        warnings.simplefilter("error")          # the model itself is fine
        again = type(model).from_pretrained(tmp_path, dtype="float64")
    words = "forced_eos_token_id is 9 in generation_config, expected None: .* function"
    with pytest.raises(ValueError, match=words):
        again.generate(prompt)
    with pytest.raises(ValueError, match=words):
        model.generate(prompt, generation_config=again.generation_config)
    again.save_pretrained(tmp_path / "again")
    assert json.loads((tmp_path / "again" / path.name).read_text()) == values
    again.generation_config.forced_eos_token_id = None
    assert again.generate(prompt).tolist() == \
        model.generate(prompt, max_new_tokens=4).tolist()
