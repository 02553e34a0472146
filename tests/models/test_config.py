"""BertConfig: Hugging Face's fields and defaults, round trips, impossible values."""

import json

import numpy as np
import pytest

import numbert


def test_defaults_are_hugging_face_s():
    transformers = pytest.importorskip("transformers")
    want, got = transformers.BertConfig().to_dict(), numbert.BertConfig().to_dict()
    # _name_or_path says where HF loaded it from; the version is that of the writer.
    for name in set(want) - {"_name_or_path", "transformers_version"}:
        assert got[name] == want[name], name


def test_round_trip_keeps_unknown_keys(tmp_path):
    config = numbert.BertConfig(hidden_size=24, num_attention_heads=3, num_labels=3,
                                gradient_checkpointing=False, my_note={"a": [1, 2]})
    config.save_pretrained(tmp_path / "new")
    text = json.loads((tmp_path / "new" / "config.json").read_text())
    assert text["my_note"] == {"a": [1, 2]} and text["model_type"] == "bert"
    again = numbert.BertConfig.from_pretrained(tmp_path / "new")
    assert again == config and again.my_note == {"a": [1, 2]}
    assert again.id2label == {0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"}


def test_what_we_write_hugging_face_reads(tmp_path):
    transformers = pytest.importorskip("transformers")
    config = numbert.BertConfig(num_labels=3, hidden_act="relu", is_decoder=True,
                                add_cross_attention=True, eos_token_id=[5, 6])
    config.save_pretrained(tmp_path)
    hf = transformers.BertConfig.from_pretrained(tmp_path)
    for name in ("hidden_act", "num_labels", "id2label", "label2id", "eos_token_id",
                 "add_cross_attention"):
        assert getattr(hf, name) == getattr(config, name), name
    hf.save_pretrained(tmp_path)
    assert numbert.BertConfig.from_pretrained(tmp_path).id2label == config.id2label


def test_labels():
    config = numbert.BertConfig(label2id={"yes": 1, "no": 0})
    assert config.id2label == {0: "no", 1: "yes"} and config.num_labels == 2
    assert numbert.BertConfig.from_dict(config.to_dict(), num_labels=4).num_labels == 4
    config.num_labels = 3
    assert config.label2id == {"LABEL_0": 0, "LABEL_1": 1, "LABEL_2": 2}
    assert numbert.BertConfig(torch_dtype="float16").dtype == "float16"


def test_no_sharing_between_configurations():
    labels = {0: "a", 1: "b"}
    one = numbert.BertConfig(id2label=labels)
    two = numbert.BertConfig.from_dict(one.to_dict())
    one.id2label[0] = "changed"
    assert labels[0] == two.id2label[0] == "a"


@pytest.mark.parametrize("changes, message", [
    ({"hidden_size": 10, "num_attention_heads": 3}, "10, expected a multiple of .* 3"),
    ({"hidden_act": "geluu"}, "'geluu', expected one of gelu"),
    ({"hidden_act": "prelu"}, "'prelu', which has parameters of its own, expected"),
    ({"position_embedding_type": "relative_key"}, "'relative_key', .*absolute"),
    ({"vocab_size": 0}, "vocab_size is 0, expected a whole number above 0"),
    ({"hidden_size": 12.0}, "hidden_size is 12.0"),
    ({"num_hidden_layers": -1}, "num_hidden_layers is -1"),
    ({"hidden_dropout_prob": 1}, r"hidden_dropout_prob is 1, expected .* \[0, 1\)"),
    ({"classifier_dropout": -0.1}, "classifier_dropout is -0.1"),
    ({"layer_norm_eps": float("nan")}, "layer_norm_eps is nan"),
    ({"pad_token_id": 30522}, "pad_token_id is 30522"),
    ({"add_cross_attention": True}, "True, expected False .*set is_decoder=True"),
    ({"problem_type": "ranking"}, "'ranking'"),
    ({"problem_type": "single_label_classification", "num_labels": 1},
     "num_labels is 1, expected more for problem_type"),
    ({"num_labels": 3, "id2label": {0: "a"}}, "names 1 classes"),
    ({"id2label": {0: "a", 2: "b"}}, r"ids \[0, 2\]"),
    ({"num_labels": 0}, "num_labels is 0"),
    ({"model_type": "roberta"}, "'roberta'"),
])
def test_impossible_values_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        numbert.BertConfig(**changes)


@pytest.mark.parametrize("text, message", [
    ("{", "is broken JSON .*, expected a JSON object of fields: download or"),
    ("", "is broken JSON"), ("[1]", "holds a list, expected a JSON object"),
    ('{"hidden_size": 7}', "config.json: hidden_size is 7, expected a multiple"),
    ("\udcff", "byte 0 .* is 0xff, expected a JSON object of fields, in UTF-8: "),
    ("[" * 100_000, "broken JSON .nested too deeply., expected a JSON object")])
def test_broken_files(tmp_path, text, message):
    (tmp_path / "config.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ValueError, match=message):
        numbert.BertConfig.from_pretrained(tmp_path)


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="needs a config.json"):
        numbert.BertConfig.from_pretrained(tmp_path)


def test_numbers_of_numpy_are_saved_as_those_of_json(tmp_path):
    given = numbert.BertConfig(vocab_size=np.int64(31), num_labels=np.int32(3),
                               pad_token_id=np.array(2), layer_norm_eps=np.float32(0.5))
    given.save_pretrained(tmp_path)
    again = numbert.BertConfig.from_pretrained(tmp_path)
    assert again == given == numbert.BertConfig(vocab_size=31, num_labels=3,
                                                pad_token_id=2, layer_norm_eps=0.5)


@pytest.mark.parametrize("name", ["vocab_size", "num_hidden_layers", "num_labels",
                                  "layer_norm_eps", "pad_token_id"])
@pytest.mark.parametrize("value", [True, False, "3"])
def test_what_is_no_number_is_refused(name, value):
    with pytest.raises(ValueError, match=f"{name} is {value!r}, expected "):
        numbert.BertConfig(**{name: value})
