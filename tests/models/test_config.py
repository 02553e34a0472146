"""BertConfig: Hugging Face's fields and defaults, round trips, impossible values."""

import json
import warnings

import numpy as np
import pytest

import numbert
from numbert.models.config import TYPES, Fields, label_name


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


def test_labels_that_do_not_fit_load_as_in_transformers(tmp_path):
    transformers = pytest.importorskip("transformers")
    for fields in ({"num_labels": 3, "id2label": {"0": "a", "1": "b"}},
                   {"id2label": {"0": "a", "2": "b"}}, {"id2label": {"0": 7, "1": 8}},
                   {"num_labels": 0}, {"problem_type": "ranking"},
                   {"hidden_dropout_prob": 1.0, "classifier_dropout": 1.0}):
        (tmp_path / "config.json").write_text(json.dumps(fields))
        want = transformers.BertConfig.from_pretrained(tmp_path)
        with warnings.catch_warnings():
            warnings.simplefilter("error" if len(fields) == 1 else "ignore")
            got = numbert.BertConfig.from_pretrained(tmp_path)
        for name in ("num_labels", "id2label", *fields):
            assert getattr(got, name) == getattr(want, name), (name, fields)


def test_num_labels_that_does_not_fit_drops_the_names():
    with pytest.warns(UserWarning, match="num_labels is 3, but id2label names 1 class"):
        config = numbert.BertConfig(num_labels=3, id2label={0: "a"})
    assert config.id2label == {0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"}
    assert config.label2id == {"LABEL_0": 0, "LABEL_1": 1, "LABEL_2": 2}


def test_labels_are_refused_only_where_they_are_used():
    sizes = {"vocab_size": 13, "hidden_size": 6, "num_attention_heads": 3,
             "num_hidden_layers": 1, "intermediate_size": 5}
    none = numbert.BertConfig(num_labels=0, **sizes)
    numbert.BertModel(none)
    with pytest.raises(ValueError, match="num_labels is 0, expected .*: pass num_"):
        numbert.BertForTokenClassification(none)
    gap = numbert.BertConfig(id2label={0: 7, 2: "b"}, **sizes)
    assert label_name(gap, 0) == "7"
    with pytest.raises(ValueError, match="no name for class 1, expected names for"):
        label_name(gap, 1)
    model = numbert.BertForSequenceClassification(
        numbert.BertConfig(problem_type="ranking", **sizes))
    assert model([[1, 2]]).logits.shape == (1, 2)
    with pytest.raises(ValueError, match="problem_type is 'ranking', expected one of"):
        model([[1, 2]], labels=[1])


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
    ({"hidden_dropout_prob": 1.5}, r"prob is 1.5, expected .* \[0, 1\]: leave it"),
    ({"classifier_dropout": -0.1}, "classifier_dropout is -0.1"),
    ({"layer_norm_eps": float("nan")}, "layer_norm_eps is nan"),
    ({"pad_token_id": 30522}, "pad_token_id is 30522"),
    ({"add_cross_attention": True}, "True, expected False .*set is_decoder=True"),
    ({"problem_type": "single_label_classification", "num_labels": 1},
     "num_labels is 1, expected more for problem_type"),
    ({"num_labels": -1}, "num_labels is -1, expected a whole number from 0 to 1000"),
    ({"num_labels": 10**8}, "num_labels is 100000000, expected .*: name the classes"),
    ({"id2label": [1]}, r"id2label is \[1\], expected an object or None"),
    ({"id2label": {"1.5": "a"}}, "id2label has the id '1.5', expected a whole number"),
    ({"id2label": {0: ["a"]}}, "id2label holds .'a'., expected the name of a class"),
    ({"label2id": {"a": 1.5}}, "label2id has the id 1.5, expected a whole number: "),
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
    with pytest.raises(FileNotFoundError, match="expected a config.json"):
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


# Values of each kind that JSON has; transformers is asked which of them a field takes.
ANYTHING = ["False", "1", 1, 0, 2.5, True, None, [1], ["a"], {"a": 1}]


def takes(config, name, value):
    try:
        setattr(config, name, value)
    except Exception:
        return False
    return True


def test_every_field_takes_the_types_that_transformers_takes():
    """One difference is meant: a whole number may stand for a number."""
    transformers = pytest.importorskip("transformers")
    ours, theirs = numbert.BertConfig(), transformers.BertConfig()
    for name in Fields.__annotations__:
        for value in ANYTHING:
            want = takes(theirs, name, value) or (
                TYPES[name].startswith("float") and type(value) is int)
            assert takes(ours, name, value) == want, (name, value)


@pytest.mark.parametrize("name", [
    "is_decoder", "use_cache", "tie_word_embeddings", "add_cross_attention",
    "output_attentions", "output_hidden_states", "return_dict", "is_encoder_decoder"])
def test_a_text_is_no_boolean(tmp_path, name):
    (tmp_path / "config.json").write_text(json.dumps({name: "False"}))
    with pytest.raises(ValueError, match=f"config.json: {name} is 'False', expected "
                                         "True or False.*: leave it out for "):
        numbert.BertConfig.from_pretrained(tmp_path)
    config = numbert.BertConfig()
    with pytest.raises(ValueError, match=f"{name} is 'False'"):
        setattr(config, name, "False")
    assert getattr(config, name) is getattr(numbert.BertConfig(), name)


def test_no_value_of_json_gives_anything_but_a_value_error(tmp_path):
    path = tmp_path / "config.json"
    strange = [*ANYTHING, {}, [], "", -1, 10**30, 1e308, [[]], {"0": {}}, {"a": None},
               {"0": "a", "00": "b"}, "\ud800", [None]]
    names = [*TYPES, "num_labels", "id2label", "label2id", "model_type", "torch_dtype",
             "name_or_path", "_name_or_path", "position_embedding_type", "other"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in names:
            for value in strange:
                path.write_text(json.dumps({name: value}))
                try:
                    config = numbert.BertConfig.from_pretrained(path)
                except ValueError as error:
                    assert str(error).startswith(str(path)) and len(str(error)) < 600
                else:
                    config.save_pretrained(tmp_path / "again")
                    assert numbert.BertConfig.from_pretrained(
                        tmp_path / "again") == config
