"""Each row of MODELS in numbert/deviations.py has its test here, test_NAME.

Those of GENERATION are tested beside what they concern: ELSEWHERE says where.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import numbert
from common import B, T, assert_near, config, ids, of_today, stressed, to_torch, twin
from numbert import deviations

ELSEWHERE = {
    "scores_in_the_model_s_dtype":
        "test_generation.py::test_the_output_with_return_dict",
    "decoder_with_encoder_states_and_cache":
        "test_generation.py::test_recorded_answers_of_hugging_face",
    "past_the_last_position":
        "test_generation.py::test_bad_settings_are_one_clear_error",
    "prompt_of_padding":
        "test_generation.py::test_bad_prompts_are_one_clear_error",
    "random_draws":
        "test_sampling.py::test_draws_have_the_frequencies_of_the_filtered_softmax",
    "crop":
        "test_cache.py::test_operations_of_the_cache",
    "special_tokens_of_an_encoder_decoder":
        "test_encoder_decoder.py::test_generation_starts_with_what_is_given",
    "decoder_start_token_id":
        "test_encoder_decoder.py::test_a_warm_start_takes_both_halves_from_encoders",
    "unused_parameters":
        "test_encoder_decoder.py::test_values_and_gradients_are_those_of_hugging_face",
    "settings_in_the_configuration":
        "test_generation_defaults.py::"
        "test_defaults_in_the_configuration_are_those_of_the_call",
    "settings_that_numbert_lacks":
        "test_generation_defaults.py::"
        "test_a_setting_that_numbert_lacks_stays_in_its_file_and_is_refused",
    "embeddings_as_prompts":
        "test_generate_arguments.py::test_embeddings_of_the_words_are_the_words",
}


@pytest.fixture(scope="module")
def hugging_face():
    """A function that runs the same model in transformers."""
    pytest.importorskip("transformers")
    return lambda model, **inputs: twin(model)(**to_torch(inputs))


def test_every_deviation_has_a_test_and_a_name_of_its_own():
    names = [d.name for d in deviations.MODELS]
    assert len(set(names)) == len(names)
    assert {f"test_{name}" for name in names} <= set(globals())


def test_the_tests_that_are_named_exist():
    assert list(ELSEWHERE) == [d.name for d in deviations.GENERATION]
    for place in ELSEWHERE.values():
        file, test = place.split("::")
        path, = Path(__file__).parent.rglob(file)
        source = path.read_text(encoding="utf-8")
        assert f"def {test}(" in source, place


def test_loss_in_float64(hugging_face):
    model = stressed(numbert.BertLMHeadModel, config(is_decoder=True))
    x = ids()
    loss = model(x, labels=x).loss
    assert loss.dtype == np.float64
    theirs = hugging_face(model, input_ids=x, labels=x).loss
    assert str(theirs.dtype) == "torch.float32"
    assert_near(loss, float(theirs.detach()), 1e-5)


def test_config_is_never_written(hugging_face):
    model = stressed(numbert.BertForSequenceClassification)
    hf = twin(model)
    hf(**to_torch({"input_ids": ids(), "labels": np.array([0, 1])}))
    assert hf.config.problem_type == "single_label_classification"
    model(ids(), labels=[0, 1])
    assert model.config.problem_type is None
    several = model(ids(), labels=np.ones((B, 2))).loss
    model.config.problem_type = "multi_label_classification"
    assert model(ids(), labels=np.ones((B, 2))).loss == several


def test_encoder_states_without_cross_attention(hugging_face):
    model, states = stressed(numbert.BertModel), np.ones((B, 7, 12))
    theirs = hugging_face(model, input_ids=ids(), encoder_hidden_states=states)
    assert_near(model(ids()).last_hidden_state,
                theirs.last_hidden_state.detach().numpy(), 1e-12)
    with pytest.raises(ValueError, match="no cross-attention"):
        model(ids(), encoder_hidden_states=states)


def test_unknown_argument(hugging_face):
    model = stressed(numbert.BertModel)
    hugging_face(model, input_ids=ids(), tokens_type_ids=ids())
    with pytest.raises(TypeError, match="takes no argument tokens_type_ids"):
        model(ids(), tokens_type_ids=ids())


def test_masks_are_boolean(hugging_face):
    model = stressed(numbert.BertModel)
    mask = np.ones((B, 1, T, T))
    mask[..., -2:] = 0
    hidden = model(ids(), mask).last_hidden_state
    additive = np.where(mask > 0, 0, np.finfo(float).min)
    for given, same in ((mask, False), (additive, True)):
        theirs = hugging_face(model, input_ids=ids(), attention_mask=given)
        theirs = theirs.last_hidden_state.detach().numpy()
        assert bool(np.abs(theirs - hidden).max() < 1e-12) is same
    with pytest.raises(ValueError, match="mask == 0"):
        model(ids(), additive)


def test_mask_per_query(hugging_face):
    model, mask = stressed(numbert.BertModel), np.tri(T, dtype=bool)[None].repeat(B, 0)
    keys = np.arange(T) < 3
    for given, same in ((mask, mask[:, None]), (keys, np.tile(keys, (B, 1))),
                        (keys[None], np.tile(keys, (B, 1)))):
        with pytest.raises((ValueError, RuntimeError, IndexError)):
            hugging_face(model, input_ids=ids(), attention_mask=given)
        assert np.array_equal(model(ids(), given).last_hidden_state,
                              model(ids(), same).last_hidden_state)


def test_mask_and_past(hugging_face):
    model = stressed(numbert.BertLMHeadModel, config(is_decoder=True))
    past, long = model(ids((B, 3))).past_key_values, np.ones((B, T + 9), int)
    hf = twin(model)
    theirs = hf(**to_torch({"input_ids": ids((B, 3))})).past_key_values
    hf(**to_torch({"input_ids": ids()}), past_key_values=theirs,
       attention_mask=to_torch({"m": long})["m"])
    with pytest.raises(ValueError, match=r"shape \(2, 14\), expected \(2, 8\)"):
        model(ids(), long, past_key_values=past)


def test_past_of_an_encoder(hugging_face):
    import transformers
    model = stressed(numbert.BertModel)
    hf = twin(model)
    cache = transformers.DynamicCache()
    hf(**to_torch({"input_ids": ids()}), past_key_values=cache)
    assert cache.get_seq_length() == T
    with pytest.raises(ValueError, match="not a decoder"):
        model(ids(), past_key_values=numbert.DynamicCache())


def test_labels_out_of_range(hugging_face):
    model = stressed(numbert.BertForTokenClassification)
    with pytest.raises(IndexError):
        hugging_face(model, input_ids=ids(), labels=ids() + 2)
    with pytest.raises(ValueError, match="num_labels is 2"):
        model(ids(), labels=ids() + 2)


def test_unknown_problem_type(hugging_face):
    model = stressed(numbert.BertForSequenceClassification,
                     config(problem_type="ranking"))
    labels = np.zeros(B, int)
    assert hugging_face(model, input_ids=ids(), labels=labels).loss is None
    assert model(ids()).loss is None
    with pytest.raises(ValueError, match="problem_type is 'ranking', expected one of"):
        model(ids(), labels=labels)


def test_label2id_alone():
    transformers = pytest.importorskip("transformers")
    fields = {"label2id": {"no": 0, "yes": 1, "maybe": 2}}
    assert transformers.BertConfig(**fields).num_labels == 2
    assert numbert.BertConfig(**fields).id2label == {0: "no", 1: "yes", 2: "maybe"}


def test_whole_number_as_a_number():
    transformers = pytest.importorskip("transformers")
    for name in "layer_norm_eps", "initializer_range":
        with pytest.raises(Exception, match="expected float, got int"):
            transformers.BertConfig(**{name: 1})
        assert getattr(numbert.BertConfig(**{name: 1}), name) == 1


def test_training_mode(hugging_face):
    model = stressed(numbert.BertModel, config(hidden_dropout_prob=0.5))
    hf = twin(model).train()
    inputs = to_torch({"input_ids": ids()})
    assert (hf(**inputs)[0] != hf(**inputs)[0]).any()
    with pytest.raises(TypeError, match="pass rng=seed to each call"):
        model.train()
    assert (model(ids(), rng=1)[0] != model(ids(), rng=2)[0]).any()


def test_missing_backbone(tmp_path):
    transformers = pytest.importorskip("transformers")
    stressed(numbert.BertModel, dtype="float32").save_pretrained(tmp_path)
    config(num_hidden_layers=3).save_pretrained(tmp_path)
    theirs = transformers.BertModel.from_pretrained(tmp_path)
    assert len(theirs.encoder.layer) == 3
    with pytest.raises(ValueError, match="num_hidden_layers is 3, expected 2, as many"):
        numbert.BertModel.from_pretrained(tmp_path)


def test_rows_without_keys():
    model = stressed(numbert.BertModel, config(num_hidden_layers=1))
    inputs = {"input_ids": ids(), "attention_mask": np.zeros((B, T), int)}
    default = twin(model, "sdpa")(**to_torch(inputs))[0].detach()
    eager = twin(model, "eager")(**to_torch(inputs))[0].detach()
    assert_near(model(**inputs)[0], eager, 1e-12)
    assert_near(model.to_torch()(**inputs)[0], default, 1e-12)
    assert np.abs(np.asarray(default - eager)).max() > 0.1


def test_default_dtype(tmp_path):
    transformers = pytest.importorskip("transformers")
    stressed(numbert.BertModel, dtype="float64").save_pretrained(tmp_path)
    theirs = transformers.BertModel.from_pretrained(tmp_path)
    assert str(theirs.dtype) == "torch.float64"
    assert numbert.BertModel.from_pretrained(tmp_path).dtype == np.float32


def test_low_cpu_mem_usage(tmp_path):
    transformers = pytest.importorskip("transformers")
    stressed(numbert.BertModel, dtype="float32").save_pretrained(tmp_path)
    for library in transformers, numbert:
        one, two = (library.BertModel.from_pretrained(tmp_path, low_cpu_mem_usage=value)
                    for value in (True, "any"))
        assert one.num_parameters() == two.num_parameters()


def test_config_in_full(tmp_path):
    transformers = pytest.importorskip("transformers")
    names = []
    for library in transformers, numbert:
        library.BertConfig().save_pretrained(tmp_path)
        names.append(set(json.loads((tmp_path / "config.json").read_text())))
    assert names[1] - names[0] >= {"id2label", "return_dict", "output_attentions"}
    assert names[0] <= names[1]
    numbert.BertConfig().to_json_file(tmp_path / "config.json", use_diff=True)
    assert set(json.loads((tmp_path / "config.json").read_text())) == \
        names[0] - {"transformers_version"}


def test_pickled_weights(tmp_path):
    pytest.importorskip("transformers")
    import torch
    model = stressed(numbert.BertModel, dtype="float32")
    model.config.save_pretrained(tmp_path)
    torch.save(twin(model).state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(FileNotFoundError, match="pickle can run code.*convert"):
        numbert.BertModel.from_pretrained(tmp_path)


def test_resized_embeddings(hugging_face):
    model = stressed(numbert.BertModel)
    mean = model.get_input_embeddings().mean(0)
    hf = twin(model)
    hf.resize_token_embeddings(40)
    theirs = hf.get_input_embeddings().weight.detach().numpy()[37:]
    ours = model.resize_token_embeddings(40)[37:]
    assert np.array_equal(ours, np.tile(mean, (3, 1)))
    assert 0 < np.abs(theirs - ours).max() < 2e-4      # the spread is 0.5


def test_position_ids_of_one_axis(hugging_face):
    model, places = stressed(numbert.BertModel), np.arange(T)
    with pytest.raises((IndexError, RuntimeError)):
        hugging_face(model, input_ids=ids(), position_ids=places)
    assert np.array_equal(model(ids(), position_ids=places).last_hidden_state,
                          model(ids(), position_ids=places[None]).last_hidden_state)


def test_no_layers(hugging_face):
    of_today()
    model = stressed(numbert.BertModel, config(num_hidden_layers=0))
    theirs = hugging_face(model, input_ids=ids(), output_hidden_states=True)
    assert theirs.hidden_states == ()
    out = model(ids(), output_hidden_states=True)
    assert len(out.hidden_states) == 1
    assert_near(out.pooler_output, theirs.pooler_output.detach().numpy(), 1e-12)


def test_the_command_prints_every_deviation():
    printed = subprocess.run(
        [sys.executable, "-m", "numbert.deviations"], capture_output=True, text=True,
        check=True, env={**os.environ,
                         "PYTHONPATH": str(Path(numbert.__file__).parents[1])}).stdout
    rows = [f"{name}\n    transformers: {theirs}\n    numbert:      {ours}\n"
            for name, theirs, ours in deviations.DEVIATIONS]
    assert all(row in printed for row in rows)
    assert printed.count("\n    numbert:") == len(rows)
