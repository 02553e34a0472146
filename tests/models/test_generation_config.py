"""GenerationConfig: its files and methods, and settings that numbert does not have."""

import json
import warnings

import pytest

import numbert
from generation_cases import build, decoder_config
from numbert import GenerationConfig
from numbert.models.generation_config import DEFAULTS, NEUTRAL
from numbert.system.absent import ABSENT, GENERATION_NAMES

SETTINGS = {"num_beams": 3, "max_length": 9, "eos_token_id": [3, 4],
            "early_stopping": "never", "length_penalty": 0.5}


def test_files_are_those_of_hugging_face(tmp_path):
    transformers = pytest.importorskip("transformers")
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    GenerationConfig(**SETTINGS).save_pretrained(ours)
    transformers.GenerationConfig(**SETTINGS).save_pretrained(theirs)
    written = [json.loads((place / "generation_config.json").read_text())
               for place in (ours, theirs)]
    written[1].pop("transformers_version")
    assert written[0] == written[1] == SETTINGS
    loaded = transformers.GenerationConfig.from_pretrained(ours)
    for name in (*DEFAULTS, *SETTINGS):
        assert getattr(loaded, name) == SETTINGS.get(name)
    assert GenerationConfig.from_pretrained(theirs) == GenerationConfig(**SETTINGS)


def test_the_defaults_are_those_of_hugging_face():
    transformers = pytest.importorskip("transformers")
    theirs = transformers.GenerationConfig._get_default_generation_params()
    for name, value in {**DEFAULTS, **NEUTRAL}.items():
        if name in theirs:
            assert theirs[name] == value, name
    empty = vars(transformers.GenerationConfig())
    assert all(empty[name] is None for name in vars(GenerationConfig()))


def test_each_setting_of_hugging_face_is_here_or_has_a_reason():
    transformers = pytest.importorskip("transformers")
    for name in vars(transformers.GenerationConfig()):
        if not name.startswith("_") and name != "transformers_version":
            assert (name in vars(GenerationConfig())) != (name in ABSENT), name


@pytest.mark.parametrize("values", [
    decoder_config(num_beams=3, max_length=9, do_sample=True, foo=1).to_dict(),
    {"decoder": {"num_beams": 3, "max_length": 9}, "max_length": 7, "top_k": None}],
    ids=["one", "two"])
def test_from_a_configuration_as_hugging_face(values):
    transformers = pytest.importorskip("transformers")
    got = GenerationConfig.from_model_config(values)
    want = transformers.GenerationConfig.from_model_config(dict(values))
    for name in ("num_beams", "max_length", "do_sample", "pad_token_id", "top_k"):
        assert getattr(got, name) == getattr(want, name), name
    config = build("encoder_decoder", 0).config
    config.decoder.num_beams = 4
    assert GenerationConfig.from_model_config(config).num_beams == 4


def test_methods(tmp_path):
    settings = GenerationConfig.from_dict(SETTINGS, num_beams=2)
    assert settings.to_diff_dict() == {**SETTINGS, "num_beams": 2}
    assert settings.to_dict()["top_k"] is None
    assert json.loads(settings.to_json_string()) == settings.to_diff_dict()
    assert json.loads(settings.to_json_string(use_diff=False)) == settings.to_dict()
    assert settings.update(max_length=5, foo=1) == {"foo": 1}
    assert settings.max_length == 5
    with pytest.raises(ValueError, match="num_beams is 0, expected .*: "):
        settings.update(max_length=6, num_beams=0)
    assert (settings.max_length, settings.num_beams) == (5, 2)
    settings.to_json_file(tmp_path / "a.json")
    again = GenerationConfig.from_pretrained(tmp_path, "a.json", max_length=7)
    assert again == GenerationConfig.from_dict(SETTINGS, num_beams=2, max_length=7)
    settings.top_p = 2
    with pytest.raises(ValueError, match="top_p is 2"):
        settings.validate()
    for error, bad in (
            (TypeError, lambda: GenerationConfig.from_dict({"max_lenght": 3})),
            (TypeError, lambda: settings.save_pretrained(tmp_path, push_to_hub=True)),
            (AttributeError, lambda: settings.push_to_hub),
            (OSError, lambda: GenerationConfig.from_pretrained(tmp_path))):
        with pytest.raises(error):
            bad()


@pytest.mark.parametrize("name", sorted(GENERATION_NAMES - {
    "get_generation_mode", "extra_output_flags"}))
def test_a_setting_that_numbert_lacks_is_refused_by_name(name, monkeypatch):
    model = build("decoder", 0)
    monkeypatch.setattr(type(model), "forward", None)           # no work is done
    for call in (lambda: model.generate([[3]], **{name: [7]}),
                 lambda: GenerationConfig.from_dict({name: [7]})):
        with pytest.raises(TypeError, match=f"{name}, on purpose: "):
            call()
    setattr(model.config, name, [7])
    with pytest.raises(ValueError, match=f"{name} is .7. in .*, expected None: "):
        model.generate([[3]])


def test_a_setting_that_asks_for_nothing_passes(tmp_path):
    model = build("decoder", 0)
    want = model.generate([[3, 4]], max_new_tokens=3).tolist()
    assert model.generate([[3, 4]], max_new_tokens=3, **NEUTRAL,
                          bad_words_ids=None).tolist() == want
    vars(model.config).update(NEUTRAL, suppress_tokens=None)
    assert model.generate([[3, 4]], max_new_tokens=3).tolist() == want
    model.save_pretrained(tmp_path)
    (tmp_path / "generation_config.json").write_text(json.dumps(NEUTRAL))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = numbert.BertLMHeadModel.from_pretrained(tmp_path)
    assert again.generation_config == GenerationConfig()


@pytest.mark.parametrize("call, words", [
    ({"length_penalty": 1e9, "num_beams": 2}, "length_penalty is 1000000000.0 float"),
    ({"length_penalty": -1e9, "num_beams": 2}, "length_penalty is -1000000000.0 float"),
    ({"temperature": 1e-300, "do_sample": True}, "temperature is 1e-300 1e-30"),
    ({"repetition_penalty": 1e300}, "repetition_penalty is 1e+300 1e30"),
    ({"max_new_tokens": 10 ** 30}, "max_position_embeddings"),
])
def test_values_beyond_all_sense_are_refused_in_words(call, words):
    with pytest.raises(ValueError) as caught:
        build("decoder", 0).generate([[3, 4]], **call)
    assert all(word in str(caught.value) for word in words.split()), caught.value
