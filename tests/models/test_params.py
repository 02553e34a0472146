"""Parameters: names, counts, initialisation, ties, resizing, loading and saving."""

import json
import time
import tracemalloc
import warnings

import numpy as np
import pytest

import numbert
from common import CLASSES, assert_near, config, ids, stressed, twin
from numbert.models.params import param_shapes
from numbert.system.saving import write_tensors


@pytest.mark.parametrize("tie", [True, False])
@pytest.mark.parametrize("cls", CLASSES)
def test_names_shapes_and_order_are_hugging_face_s(cls, tie):
    pytest.importorskip("transformers")
    cfg = config(is_decoder=True, add_cross_attention=True, num_labels=2,
                 tie_word_embeddings=tie)
    model = stressed(cls, cfg)
    want = {name: tuple(p.shape) for name, p in twin(model).named_parameters()}
    assert list(param_shapes(cfg, cls).items()) == list(want.items())
    assert model.num_parameters() == sum(np.prod(s) for s in want.values())


def test_bert_base_has_110_million():
    shapes = param_shapes(numbert.BertConfig(), numbert.BertForPreTraining)
    # Devlin et al. 2019, section 3: 110M; 109,482,240 of them in the backbone.
    backbone = [np.prod(s) for name, s in shapes.items() if name.startswith("bert.")]
    assert sum(backbone) == 109_482_240
    assert sum(map(np.prod, shapes.values())) == 110_106_428


def test_initialisation():
    cfg = config(hidden_size=120, vocab_size=1000, initializer_range=0.05)
    model = numbert.BertForMaskedLM(cfg, rng=3)
    for name, x in model.params.items():
        assert x.dtype == np.float32 and x.flags.c_contiguous
        if name.endswith("LayerNorm.weight"):
            assert np.all(x == 1)
        elif name.endswith("bias"):
            assert np.all(x == 0)
        else:
            # Five standard errors of a sample's standard deviation and mean.
            assert abs(x.std() / 0.05 - 1) < 5 / np.sqrt(x.size), name
            assert abs(x.mean()) < 5 * 0.05 / np.sqrt(x.size), name
    table = model.get_input_embeddings()
    assert np.all(table[0] == 0) and np.all(table[1:].std(1) > 0.02)     # [PAD] is 0


def test_one_seed_one_model():
    one, two = (numbert.BertModel(config(), rng=5, dtype=d)
                for d in ("float32", "float64"))
    for name in one.params:
        assert np.array_equal(one.params[name], two.params[name].astype("float32"))
    other = numbert.BertModel(config(), rng=6)
    assert not np.array_equal(other.get_input_embeddings(), one.get_input_embeddings())


@pytest.mark.parametrize("cls", CLASSES)
def test_saved_and_loaded_bit_by_bit(cls, tmp_path):
    model = stressed(cls, config(num_labels=2), "float32")
    model.save_pretrained(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again = cls.from_pretrained(tmp_path)
    assert again.config.to_dict() == {**model.config.to_dict(), "dtype": "float32",
                                      "architectures": [cls.__name__]}
    assert list(again.params) == list(model.params)
    for name, x in model.params.items():
        assert np.array_equal(x, again.params[name]) and x.dtype == np.float32


@pytest.mark.parametrize("tie", [True, False])
@pytest.mark.parametrize("cls", CLASSES)
def test_hugging_face_loads_what_we_save_and_back(cls, tie, tmp_path):
    transformers = pytest.importorskip("transformers")
    model = stressed(cls, config(tie_word_embeddings=tie), "float32")
    model.save_pretrained(tmp_path / "ours")
    hf, info = getattr(transformers, cls.__name__).from_pretrained(
        tmp_path / "ours", output_loading_info=True)
    assert not any(info[k] for k in ("missing_keys", "unexpected_keys",
                                     "mismatched_keys")), info
    hf.save_pretrained(tmp_path / "theirs")
    again, report = cls.from_pretrained(tmp_path / "theirs", output_loading_info=True)
    assert report == {"missing_keys": set(), "unexpected_keys": set(),
                      "mismatched_keys": set(), "error_msgs": []}
    for name, x in model.params.items():
        assert np.array_equal(x, again.params[name]), name


def test_a_head_that_starts_fresh_is_named(tmp_path):
    stressed(numbert.BertForMaskedLM, dtype="float32").save_pretrained(tmp_path)
    with pytest.warns(UserWarning, match="starts fresh.*bert.pooler.dense.weight.*"
                      "classifier.weight.*does not use 5 tensors.*cls.predictions"):
        model, report = numbert.BertForSequenceClassification.from_pretrained(
            tmp_path, num_labels=5, output_loading_info=True)
    assert model.params["classifier.weight"].shape == (5, 12)
    assert len(report["unexpected_keys"]) == 5
    assert sorted(report["missing_keys"]) == [
        "bert.pooler.dense.bias", "bert.pooler.dense.weight", "classifier.bias",
        "classifier.weight"]
    with pytest.warns(UserWarning, match="BertModel starts fresh.*pooler.dense.weight"):
        numbert.BertModel.from_pretrained(tmp_path)
    with pytest.warns(UserWarning, match="does not use"):
        bare = numbert.BertModel.from_pretrained(tmp_path, add_pooling_layer=False)
    assert not any(name.startswith("pooler") for name in bare.params)


def test_a_checkpoint_without_its_backbone_is_refused(tmp_path):
    model = stressed(numbert.BertModel, dtype="float32")
    model.save_pretrained(tmp_path)
    lost = [name for name in model.params if ".layer.1.output." in name]
    write_tensors({name: x for name, x in model.params.items() if name not in lost},
                  tmp_path / "model.safetensors", {})
    with pytest.raises(ValueError, match="lacks 4 tensors of the backbone.*"
                       "encoder.layer.1.output.dense.weight.*of unknown name"):
        numbert.BertModel.from_pretrained(tmp_path)


@pytest.mark.parametrize("fields, message", [
    ({"num_hidden_layers": 3}, "num_hidden_layers is 3, expected 2, as many as"),
    ({"num_hidden_layers": 10**9}, "num_hidden_layers is 1000000000, expected 2, as"),
    ({"num_labels": 10**8}, "config.json: num_labels is 100000000, expected .*100000:"),
    ({"vocab_size": 10**12}, "word_embeddings.weight: .37, 12. in the file, "),
    ({"max_position_embeddings": 10**12}, "position_embeddings.weight: .11, 12."),
    ({"hidden_size": 3 * 10**12}, "word_embeddings.weight: .37, 12. in the file"),
    ({"intermediate_size": 10**12}, "intermediate.dense.weight: .* in the file")])
def test_a_config_beyond_its_weights_costs_neither_time_nor_memory(
        tmp_path, fields, message):
    cls = numbert.BertForSequenceClassification
    model = stressed(cls, dtype="float32")
    model.save_pretrained(tmp_path)
    values = {**model.config.to_dict(), **fields}
    if "num_labels" in fields:
        del values["id2label"], values["label2id"]
    (tmp_path / "config.json").write_text(json.dumps(values))
    begin = time.monotonic()
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=message):
            cls.from_pretrained(tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 4e6
    finally:
        tracemalloc.stop()
    assert time.monotonic() - begin < 5


def test_wrong_shapes_are_all_named(tmp_path):
    stressed(numbert.BertForSequenceClassification, dtype="float32"
             ).save_pretrained(tmp_path)
    cls = numbert.BertForSequenceClassification
    with pytest.raises(ValueError, match=r"(?s)classifier.weight.*\(2, 12\).*\(3, 12\)"
                       r".*classifier.bias"):
        cls.from_pretrained(tmp_path, num_labels=3)
    with pytest.warns(UserWarning, match="starts fresh"):
        model = cls.from_pretrained(tmp_path, num_labels=3,
                                    ignore_mismatched_sizes=True)
    assert model.params["classifier.bias"].shape == (3,)
    with pytest.raises(ValueError, match="config is given together with changes"):
        cls.from_pretrained(tmp_path, config=config(), num_labels=3)


def test_dtype_when_loading(tmp_path):
    stressed(numbert.BertModel, dtype="float64").save_pretrained(tmp_path)
    assert numbert.BertModel.from_pretrained(tmp_path).dtype == np.float32
    exact = numbert.BertModel.from_pretrained(tmp_path, dtype="float64")
    assert exact.dtype == np.float64
    with pytest.raises(ValueError, match="half-precision files are converted"):
        numbert.BertModel.from_pretrained(tmp_path, dtype="float16")


@pytest.mark.parametrize("tie", [True, False])
def test_resizing_the_vocabulary(tie):
    model = stressed(numbert.BertForMaskedLM, config(tie_word_embeddings=tie))
    before = model(ids()).logits
    old = {name: x.copy() for name, x in model.params.items()}
    table = model.resize_token_embeddings(40, pad_to_multiple_of=8)
    assert table.shape == (40, 12) and model.config.vocab_size == 40
    after = model(ids()).logits
    assert_near(after[..., :37], before, 1e-12)
    name = "bert.embeddings.word_embeddings.weight"
    assert_near(table[37:], np.tile(old[name].mean(0), (3, 1)), 1e-15)
    model.resize_token_embeddings(37)
    assert all(np.array_equal(x, old[name]) for name, x in model.params.items())
    with pytest.raises(ValueError, match="expected a whole number above 0"):
        model.resize_token_embeddings(0)


def test_embeddings_and_ties():
    model = stressed(numbert.BertForMaskedLM)
    assert model.get_output_embeddings() is model.get_input_embeddings()
    assert stressed(numbert.BertModel).get_output_embeddings() is None
    untied = stressed(numbert.BertForMaskedLM, config(tie_word_embeddings=False))
    assert untied.get_output_embeddings() is not untied.get_input_embeddings()
    untied.tie_weights()                                       # HF: changes nothing
    assert untied.get_output_embeddings() is not untied.get_input_embeddings()
    assert not untied.config.tie_word_embeddings
    hf = twin(untied)
    assert hf.get_output_embeddings().weight is not hf.get_input_embeddings().weight
    untied.set_input_embeddings(np.ones((37, 12), "float32"))
    assert untied.get_input_embeddings().dtype == np.float64
    with pytest.raises(ValueError, match="resize_token_embeddings"):
        untied.set_input_embeddings(np.ones((38, 12)))
    every = untied.num_parameters()
    assert every - untied.num_parameters(exclude_embeddings=True) == (37 + 11 + 2) * 12


@pytest.mark.parametrize("tied", [True, False])
def test_tie_weights_changes_nothing(tied):
    """Neither here nor in transformers, whose logits stay as they were."""
    model = stressed(numbert.BertForMaskedLM, config(tie_word_embeddings=tied))
    before, logits = dict(model.params), model(ids()).logits
    model.tie_weights()
    assert list(model.params) == list(before)
    assert all(model.params[name] is x for name, x in before.items())
    assert model.config.tie_word_embeddings is tied
    assert np.array_equal(model(ids()).logits, logits)
    torch = pytest.importorskip("torch")
    hf = twin(model)
    hf.tie_weights()
    assert_near(hf(torch.tensor(ids())).logits.detach().numpy(), logits, 1e-12)


def test_a_decoder_starts_from_an_encoder(tmp_path):
    stressed(numbert.BertForMaskedLM, dtype="float32").save_pretrained(tmp_path)
    with pytest.warns(UserWarning, match="starts fresh.*layer.0.crossattention"):
        model = numbert.BertLMHeadModel.from_pretrained(
            tmp_path, is_decoder=True, add_cross_attention=True)
    states = np.ones((2, 3, 12))
    assert model(ids(), encoder_hidden_states=states).logits.shape == (2, 5, 37)


def test_unknown_arguments_of_from_pretrained(tmp_path):
    stressed(numbert.BertModel, dtype="float32").save_pretrained(tmp_path)
    for name, message in (("dtyp", "has no argument dtyp, expected its own or a "),
                          ("device_map", "takes no device_map, on purpose: a NumPy ")):
        with pytest.raises(TypeError, match=message):
            numbert.BertModel.from_pretrained(tmp_path, **{name: "auto"})
    numbert.BertModel.from_pretrained(tmp_path, device_map=None,
                                      trust_remote_code=False)
    with pytest.raises(TypeError, match="None is not a model, expected a directory"):
        numbert.BertModel.from_pretrained(None)
    assert numbert.BertModel.from_pretrained(tmp_path, torch_dtype="float64"
                                             ).dtype == np.float64


def test_a_loaded_model_keeps_its_weights_when_another_is_saved_there(tmp_path):
    """Its own are not in memory yet: the file that holds them must stay for it."""
    first, second = (numbert.BertModel(config(), rng=seed) for seed in (1, 2))
    first.save_pretrained(tmp_path)
    loaded = numbert.BertModel.from_pretrained(tmp_path)
    second.save_pretrained(tmp_path)
    again = numbert.BertModel.from_pretrained(tmp_path)
    again.params["embeddings.word_embeddings.weight"] += 1          # of this one alone
    for model, same in ((loaded, first), (
            numbert.BertModel.from_pretrained(tmp_path), second)):
        assert {*model.params} == {*same.params}
        for name, x in same.params.items():
            np.testing.assert_array_equal(model.params[name], x, strict=True)


def test_as_many_labels_as_before_keep_their_names(tmp_path):
    cls = numbert.BertForSequenceClassification
    names = {0: "bad", 1: "good"}
    stressed(cls, config(id2label=names), dtype="float32").save_pretrained(tmp_path)
    assert cls.from_pretrained(tmp_path, num_labels=2).config.id2label == names


def test_generation_config(tmp_path):
    model = stressed(numbert.BertLMHeadModel, config(is_decoder=True), "float32")
    model.generation_config = numbert.GenerationConfig(max_new_tokens=2, num_beams=3)
    model.save_pretrained(tmp_path)
    again = numbert.BertLMHeadModel.from_pretrained(tmp_path)
    assert again.generation_config == model.generation_config
    assert again.generate(ids()).shape == (2, 7)
    assert again.generate(ids(), max_new_tokens=1).shape == (2, 6)
    path = tmp_path / "generation_config.json"
    path.write_text('{"max_new_tokens": 3, "top_k": null, "_x": 1, "early": true}')
    with pytest.warns(UserWarning, match="sets early, expected settings of generate: "):
        again = numbert.BertLMHeadModel.from_pretrained(tmp_path)
    assert again.generation_config == numbert.GenerationConfig(max_new_tokens=3)
    path.write_text("[1]")
    with pytest.raises(ValueError, match="a list, expected a JSON object of settings"):
        numbert.BertLMHeadModel.from_pretrained(tmp_path)


def test_generation_config_of_hugging_face(tmp_path):
    transformers = pytest.importorskip("transformers")
    model = stressed(numbert.BertLMHeadModel, config(is_decoder=True), "float32")
    hf = twin(model)
    hf.generation_config = transformers.GenerationConfig(
        num_beams=3, max_new_tokens=4, eos_token_id=7, pad_token_id=0)
    hf.save_pretrained(tmp_path)
    import torch
    want = hf.generate(torch.tensor(ids())).numpy()
    got = numbert.BertLMHeadModel.from_pretrained(tmp_path).generate(ids())
    assert np.array_equal(got, want)


@pytest.mark.parametrize("size, multiple", [(2.7, None), ("x", None), (5, -3), (5, 0)])
def test_resizing_to_no_size(size, multiple):
    with pytest.raises(ValueError, match="expected a whole number above 0"):
        stressed(numbert.BertModel).resize_token_embeddings(size, multiple)
