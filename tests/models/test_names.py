"""The names of models and configurations that users of transformers type."""

import copy
import json
import pickle
import warnings

import numpy as np
import pytest

import numbert
from common import CLASSES, assert_near, config, ids, stressed, twin


# ------------------------------------------------------------------ BertConfig

def test_the_json_of_a_config_as_transformers_writes_it(tmp_path):
    transformers = pytest.importorskip("transformers")
    for fields in ({}, {"num_labels": 3}, {"return_dict": False, "my_note": [1]},
                   {"id2label": {0: "a", 1: "b"}, "label2id": {"a": 0, "b": 1}},
                   {"torch_dtype": "float16", "architectures": ["BertModel"]},
                   {"problem_type": "regression", "is_decoder": True}):
        ours, theirs = numbert.BertConfig(**fields), transformers.BertConfig(**fields)
        want = theirs.to_diff_dict()
        del want["transformers_version"]                # that of the writer
        assert ours.to_diff_dict() == want
        ours.to_json_file(tmp_path / "ours.json", use_diff=True)
        assert json.loads((tmp_path / "ours.json").read_text()) == json.loads(
            json.dumps(want))
        ours.to_json_file(tmp_path / "whole.json")
        assert numbert.BertConfig.from_json_file(tmp_path / "whole.json") == ours
        theirs.to_json_file(tmp_path / "theirs.json")
        again = numbert.BertConfig.from_json_file(str(tmp_path / "theirs.json"))
        again.transformers_version = None
        assert again == ours


def test_google_s_bert_config(tmp_path):
    """google-research/bert: the file beside bert_model.ckpt."""
    (tmp_path / "bert_config.json").write_text("""{
      "attention_probs_dropout_prob": 0.1, "directionality": "bidi",
      "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "hidden_size": 128,
      "initializer_range": 0.02, "intermediate_size": 512,
      "max_position_embeddings": 512, "num_attention_heads": 2,
      "num_hidden_layers": 2, "pooler_fc_size": 768, "type_vocab_size": 2,
      "vocab_size": 30522}""")
    config = numbert.BertConfig.from_json_file(tmp_path / "bert_config.json")
    assert (config.hidden_size, config.directionality) == (128, "bidi")
    assert config.name_or_path == str(tmp_path / "bert_config.json")


def test_update_changes_all_or_nothing():
    config = numbert.BertConfig(my_note=1)
    config.update({"num_labels": 3, "is_decoder": True, "my_note": 2})
    assert (config.num_labels, config.is_decoder, config.my_note) == (3, True, 2)
    config.update({"id2label": {0: "a", 1: "b"}})
    assert config.label2id == {"a": 0, "b": 1}
    before = config.to_dict()
    with pytest.raises(ValueError, match="use_cache is 'no', expected True or False"):
        config.update({"hidden_size": 24, "num_attention_heads": 4, "use_cache": "no"})
    with pytest.raises(ValueError, match="hidden_size is 25, expected a multiple"):
        config.update({"hidden_size": 25})
    assert config.to_dict() == before


def test_where_a_config_comes_from(tmp_path):
    transformers = pytest.importorskip("transformers")
    stressed(numbert.BertModel, dtype="float32").save_pretrained(tmp_path)
    theirs = transformers.BertModel.from_pretrained(tmp_path).config
    ours = numbert.BertModel.from_pretrained(tmp_path).config
    assert ours.name_or_path == theirs.name_or_path == str(tmp_path)
    assert numbert.BertConfig().name_or_path == transformers.BertConfig().name_or_path
    ours.name_or_path = tmp_path / "other"
    assert ours.name_or_path == str(tmp_path / "other")
    assert "other" not in ours.to_json_string()


def test_unused_keywords_are_returned_if_asked_for(tmp_path):
    transformers = pytest.importorskip("transformers")
    numbert.BertConfig().save_pretrained(save_directory=tmp_path)
    for kind in transformers.BertConfig, numbert.BertConfig:
        config, unused = kind.from_pretrained(
            pretrained_model_name_or_path=tmp_path, return_unused_kwargs=True,
            num_labels=5, is_decoder=True, foo=3)
        assert (config.num_labels, config.is_decoder, unused) == (5, True, {"foo": 3})
    with pytest.raises(TypeError, match="has no argument foo, expected its own or a"):
        numbert.BertConfig.from_pretrained(tmp_path, foo=3)
    with pytest.raises(TypeError, match="takes no push_to_hub, on purpose: numbert d"):
        numbert.BertConfig().save_pretrained(tmp_path, push_to_hub=True)


@pytest.mark.parametrize("given", ["float32", np.float32, np.dtype("float32"), "torch"])
def test_the_dtype_of_a_config_is_a_text(given):
    if given == "torch":
        given = pytest.importorskip("torch").float32
    config = numbert.BertConfig(dtype=given)
    assert config.dtype == config.torch_dtype == "float32"
    config.torch_dtype = given
    assert json.loads(config.to_json_string())["dtype"] == "float32"


def test_other_attention_is_refused(tmp_path):
    stressed(numbert.BertModel, dtype="float32").save_pretrained(tmp_path)
    message = "attn_implementation is 'flash', expected 'eager'"
    for call in (lambda name: numbert.BertConfig(attn_implementation=name),
                 lambda name: numbert.BertModel.from_config(
                     config(), attn_implementation=name),
                 lambda name: numbert.BertModel.from_pretrained(
                     tmp_path, attn_implementation=name)):
        call("eager")
        with pytest.raises(ValueError, match=message):
            call("flash")
    assert "attn_implementation" not in \
        numbert.BertConfig(attn_implementation="eager").to_dict()


# ---------------------------------------------------------------------- models

@pytest.mark.parametrize("tie", [True, False])
@pytest.mark.parametrize("cls", CLASSES)
def test_state_dict_and_parameters_have_hugging_face_s_names(cls, tie):
    pytest.importorskip("transformers")
    model = stressed(cls, config(tie_word_embeddings=tie), "float32")
    hf = twin(model)
    want = {name: x.numpy() for name, x in hf.state_dict().items()}
    got = model.state_dict()
    assert got.keys() == want.keys()
    assert all(np.array_equal(got[name], want[name]) for name in want)
    assert [name for name, _ in model.named_parameters()] == [
        name for name, _ in hf.named_parameters()]
    assert all(x is model.params[name] for name, x in model.named_parameters())
    assert cls.can_generate() == hf.can_generate()
    assert cls.base_model_prefix == hf.base_model_prefix
    assert cls.main_input_name == hf.main_input_name
    assert model.num_labels == getattr(hf, "num_labels", hf.config.num_labels)
    assert cls.config_class is numbert.BertConfig and str(model.device) == "cpu"
    assert model.num_parameters(only_trainable=True) == hf.num_parameters()


@pytest.mark.parametrize("cls", CLASSES)
def test_the_backbone_of_a_model(cls):
    pytest.importorskip("transformers")
    import torch
    model = stressed(cls, dtype="float64")
    hf = twin(model)
    got, want = model.base_model(ids()), hf.base_model(torch.tensor(ids()))
    assert_near(got.last_hidden_state, want.last_hidden_state.detach().numpy(), 1e-12)
    assert (got.pooler_output is None) == (want.pooler_output is None)
    name = "embeddings.word_embeddings.weight"
    assert model.base_model.params[name] is model.params[model.prefix + name]
    if cls is numbert.BertModel:
        assert model.base_model is model and not hasattr(model, "bert")
    else:
        assert type(model.bert) is numbert.BertModel


def test_there_is_no_training_mode():
    model = stressed(numbert.BertModel)
    assert model.eval() is model and model.train(False) is model
    assert model.training is False
    with pytest.raises(TypeError, match="mode is True, expected False, .*pass rng="):
        model.train()


def test_names_left_out_say_why():
    model = stressed(numbert.BertForMaskedLM)
    with pytest.raises(AttributeError, match="BertForMaskedLM has no push_to_hub, on "):
        model.push_to_hub("x")
    with pytest.raises(AttributeError, match="'BertForMaskedLM' object has no at"):
        model.evaluate
    with pytest.raises(AttributeError, match="BertConfig has no push_to_hub, on p"):
        model.config.push_to_hub("x")
    for again in copy.deepcopy(model), pickle.loads(pickle.dumps(model)):
        assert np.array_equal(again(ids()).logits, model(ids()).logits)
    assert copy.copy(model.config) == model.config


def test_given_parameters_take_the_dtype_that_is_asked_for():
    single = stressed(numbert.BertModel, dtype="float32")
    double = numbert.BertModel(single.config, dtype="float64", params=single.params)
    assert double.dtype == np.float64 and single.dtype == np.float32
    assert all(np.array_equal(x, single.params[name])
               for name, x in double.params.items())
    kept = numbert.BertModel(single.config, params=double.params)
    assert kept.dtype == np.float64
    assert numbert.BertModel(single.config).dtype == np.float32


def test_new_rows_without_the_mean():
    model = stressed(numbert.BertForMaskedLM, config(
        hidden_size=120, tie_word_embeddings=False, initializer_range=0.05))
    old = dict(model.params)
    model.resize_token_embeddings(137, mean_resizing=False)
    for name, x in model.params.items():
        assert np.array_equal(x[:37], old[name][:37])
        if x.shape != old[name].shape:
            new = x[37:]
            assert (new == 0).all() if x.ndim == 1 else \
                abs(new.std() / 0.05 - 1) < 5 / np.sqrt(new.size), name
    assert model(ids()).logits.shape == (2, 5, 137)


# ----------------------------------------------------------------------- files

def quietly(kind, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return kind.from_pretrained(*args, **kwargs)


@pytest.mark.parametrize("name", ["BertModel", "BertForSequenceClassification",
                                  "BertForPreTraining", "BertLMHeadModel"])
def test_the_loading_info_is_that_of_transformers(tmp_path, name):
    transformers = pytest.importorskip("transformers")
    stressed(numbert.BertForSequenceClassification, config(num_labels=3),
             "float32").save_pretrained(tmp_path / "classifier")
    stressed(numbert.BertForMaskedLM, dtype="float32").save_pretrained(tmp_path / "lm")
    for folder in "classifier", "lm":
        want, got = (quietly(getattr(library, name), tmp_path / folder, num_labels=2,
                             ignore_mismatched_sizes=True, output_loading_info=True)[1]
                     for library in (transformers, numbert))
        want["mismatched_keys"] = {(name, tuple(one), tuple(two)) for name, one, two
                                   in want["mismatched_keys"]}
        assert got == want


def test_weights_from_a_state_dict(tmp_path):
    model = stressed(numbert.BertForMaskedLM, dtype="float32")
    other = numbert.BertForMaskedLM(model.config, rng=1)
    other.save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    state = model.state_dict()
    for got in (numbert.BertForMaskedLM.from_pretrained(tmp_path, state_dict=state),
                numbert.BertForMaskedLM.from_pretrained(
                    None, config=model.config, state_dict=state)):
        assert all(np.array_equal(x, got.params[name])
                   for name, x in model.params.items())
        got.params["cls.predictions.bias"][0] = 7                # a copy
        assert model.params["cls.predictions.bias"][0] != 7
    with pytest.raises(ValueError, match="classifier.weight: .2, 12. in the file"):
        numbert.BertForSequenceClassification.from_pretrained(
            None, config=config(num_labels=3), state_dict={
                **state, "classifier.weight": np.ones((2, 12))})
    other.save_pretrained(tmp_path, state_dict=state)
    again = numbert.BertForMaskedLM.from_pretrained(tmp_path)
    assert all(np.array_equal(x, again.params[name]) for name, x in
               model.params.items())
    with pytest.raises(ValueError, match="params hold bert.emb.* is missing, expected"):
        other.save_pretrained(tmp_path, state_dict={})


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_a_state_dict_of_torch(dtype):
    torch = pytest.importorskip("torch")
    model = stressed(numbert.BertModel, dtype="float32")
    state = {name: torch.nn.Parameter(torch.tensor(x).to(getattr(torch, dtype)))
             for name, x in model.params.items()}
    got = numbert.BertModel.from_pretrained(None, config=model.config, state_dict=state)
    assert all(np.array_equal(got.params[name], x.detach().float().numpy())
               for name, x in state.items())


def test_the_dtype_auto(tmp_path):
    for dtype in "float64", "float32":
        stressed(numbert.BertModel, dtype=dtype).save_pretrained(tmp_path)
        assert numbert.BertModel.from_pretrained(tmp_path, dtype="auto").dtype == dtype
        values = json.loads((tmp_path / "config.json").read_text())
        del values["dtype"]                                  # then the tensors decide
        (tmp_path / "config.json").write_text(json.dumps(values))
        assert numbert.BertModel.from_pretrained(tmp_path, dtype="auto").dtype == dtype


def test_subfolder_and_the_other_arguments_of_files(tmp_path):
    model = stressed(numbert.BertModel, dtype="float32")
    model.save_pretrained(save_directory=tmp_path / "last", safe_serialization=True)
    for kind in numbert.BertModel, numbert.BertConfig:
        kind.from_pretrained(pretrained_model_name_or_path=tmp_path, subfolder="last",
                             force_download=True)
    numbert.BertModel.from_pretrained(tmp_path / "last", low_cpu_mem_usage=True,
                                      use_safetensors=True, config=tmp_path / "last")
    with pytest.raises(ValueError, match="use_safetensors is False, expected True"):
        numbert.BertModel.from_pretrained(tmp_path / "last", use_safetensors=False)
    with pytest.raises(ValueError, match="safe_serialization is False, expected True"):
        model.save_pretrained(tmp_path, safe_serialization=False)
    with pytest.raises(TypeError, match="takes no push_to_hub, on purpose"):
        model.save_pretrained(tmp_path, push_to_hub=True)
    with pytest.raises(TypeError, match="save_pretrained has no argument shard, "):
        model.save_pretrained(tmp_path, shard=3)
