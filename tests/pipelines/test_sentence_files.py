"""Checkpoints of sentence-transformers: its vectors, and what is refused by name."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import numbert
import sentence_cases as cases
from common import assert_near, bound
from numbert.pipelines import pipeline
from numbert.pipelines.sentences import planned

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "sentences.json")
                    .read_text(encoding="utf-8"))["vectors"]


def near(got, want):
    """Within rounding of float32: sums of 12 * 19 terms, in two layers and more."""
    assert got.dtype == np.float32
    scale = float(np.abs(want).max())
    assert_near(got, np.array(want, np.float32), bound("float32", 12 * 19, scale))


@pytest.mark.parametrize("asked, want", list(zip(cases.ASKED, GOLDEN)),
                         ids=[f"{name}-{prompt}" for name, prompt in cases.ASKED])
def test_recorded(tmp_path, asked, want):
    name, prompt = asked
    near(cases.vectors(cases.saved(tmp_path, name), prompt), want)


@pytest.mark.parametrize("name", cases.CASES)
def test_live(tmp_path, name):
    """The folder as it is, and as sentence-transformers itself writes it again."""
    transformer = pytest.importorskip("sentence_transformers").SentenceTransformer
    folder, again = cases.saved(tmp_path, name), tmp_path / "again"
    transformer(str(folder), device="cpu").save(str(again))
    for place in (folder, again):
        theirs = transformer(str(place), device="cpu")
        for prompt in (None, *theirs.prompts) if place is again else (None,):
            near(cases.vectors(place, prompt),
                 theirs.encode(cases.TEXTS, prompt_name=prompt))
        near(cases.vectors(place, truncate_dim=3, normalize=True),
             theirs.encode(cases.TEXTS, truncate_dim=3, normalize_embeddings=True))
        near(cases.vectors(place, prompt="rain :"),
             theirs.encode(cases.TEXTS, prompt="rain :"))


@pytest.mark.parametrize("name", ["labse", "everything", "old"])
def test_the_pipeline_gives_the_same(tmp_path, name):
    folder = cases.saved(tmp_path, name)
    ask = pipeline("sentence-embedding", folder)
    want = cases.vectors(folder)
    got = ask(cases.TEXTS, batch_size=3)
    assert_near(got, want, bound("float32", 12 * 19, np.abs(want).max()))
    assert_near(ask(cases.TEXTS[0]), got[0], bound("float32", 12, np.abs(want).max()))
    assert ask([]).shape == (0, want.shape[1])
    if name == "everything":
        want = cases.vectors(folder, "query")
        assert_near(ask(cases.TEXTS, prompt_name="query"), want,
                    bound("float32", 12 * 19, np.abs(want).max()))


def test_no_normalize_leaves_out_the_last_scaling(tmp_path):
    folder = cases.saved(tmp_path, "labse")
    whole = cases.vectors(folder, normalize=False)
    length = np.linalg.norm(whole, axis=1)
    assert np.abs(length - 1).max() > 0.1
    near(cases.vectors(folder), whole / length[:, None])


def test_a_longest_text_beyond_the_model_is_no_error(tmp_path):
    folder = cases.saved(tmp_path, "e5")
    want = cases.vectors(folder)
    put(folder / "sentence_bert_config.json", {"max_seq_length": 512})
    np.testing.assert_array_equal(cases.vectors(folder), want)


def test_float64_keeps_its_digits(tmp_path):
    folder = cases.saved(tmp_path, "everything")
    model = numbert.BertModel.from_pretrained(folder, dtype="float64")
    got = numbert.embed(model, numbert.BertTokenizer.from_pretrained(folder),
                        cases.TEXTS, **numbert.sentence_settings(folder))
    assert got.dtype == np.float64
    near(cases.vectors(folder), got)


# ------------------------------------------------------------------ refused, by name

def put(path, value):
    path.write_text(json.dumps(value))


def changed(path, **values):
    put(path, {**json.loads(path.read_text()), **values})


BAD_FILES = [
    ("sentence_bert_config.json", {"max_seq_length": 0}, "max_seq_length in .* is 0"),
    ("sentence_bert_config.json", {"max_seq_length": True}, "max_seq_length .* True"),
    ("sentence_bert_config.json", {"do_lower_case": "no"}, "do_lower_case .* 'no'"),
    ("sentence_bert_config.json", {"model_args": {"a": 1}}, "model_args .*expected no"),
    ("sentence_bert_config.json", {"transformer_task": "fill-mask"}, "er_task"),
    ("config_sentence_transformers.json", {"truncate_dim": -1}, "truncate_dim .* -1"),
    ("config_sentence_transformers.json", {"prompts": ["a"]}, "prompts .*an object"),
    ("config_sentence_transformers.json", {"prompts": {"a": 3}}, "prompts .*of texts"),
    ("config_sentence_transformers.json", {"default_prompt_name": "b"}, "name .* 'b'"),
    ("config_sentence_transformers.json", {"default_prompt_name": ["a"]}, "the name"),
    ("config_sentence_transformers.json", {"model_type": "SparseEncoder"}, "el_type"),
    ("1_Pooling/config.json", {"pooling_mode": "median"}, "pooling_mode .* 'median'"),
    ("1_Pooling/config.json", {"pooling_mode": []}, r"pooling_mode .* \[\]"),
    ("1_Pooling/config.json", {"pooling_mode_cls_token": 1}, "pooling_mode_cls_token"),
    ("1_Pooling/config.json", {"include_prompt": "false"}, "include_prompt .*true or"),
    ("1_Pooling/config.json", {"heads": 3}, "heads in .* is 3, expected no such"),
    ("2_Dense/config.json", {"activation_function": "os.system"}, "is 'os.system'"),
    ("2_Dense/config.json", {"activation_function": "torch.nn.Softmax"}, "Softmax"),
    ("2_Dense/config.json", {"out_features": None}, "out_features is missing"),
    ("2_Dense/config.json", {"out_features": 10 ** 12}, "2_Dense.*shape"),
    ("2_Dense/config.json", {"bias": False}, "linear.bias, expected linear.weight"),
    ("2_Dense/config.json", {"module_input_name": "token_embeddings"}, "module_input"),
]


@pytest.mark.parametrize("file, values, says", BAD_FILES)
def test_a_setting_is_applied_or_refused(tmp_path, file, values, says):
    changed(cases.saved(tmp_path, "labse") / file, **values)
    with pytest.raises(ValueError, match=f"(?s){says}"):
        numbert.sentence_settings(tmp_path)


@pytest.mark.parametrize("name, step", [("labse", "2_Dense"),
                                        ("matryoshka", "3_LayerNorm")])
def test_a_step_made_for_other_vectors_is_named(tmp_path, name, step):
    folder = cases.saved(tmp_path, name)
    put(folder / "1_Pooling" / "config.json", {"pooling_mode": ["cls", "max"]})
    with pytest.raises(ValueError, match=f"{step}: a vector has 24 values, exp.* 12"):
        numbert.sentence_settings(folder)


@pytest.mark.parametrize("entry, says", [
    ({"type": "sentence_transformers.models.LSTM"}, "type 'sent.*LSTM', expected T"),
    ({"type": "elsewhere.Dense"}, "type 'elsewhere.Dense'"),
    ({"type": None}, "type None"),
    ({"path": "../other"}, re.escape("into '../other', expected the name of a folder")),
    ({"path": "/etc"}, "into '/etc'"), ({"path": "a/../../b"}, "into 'a/"),
    ({"path": ""}, "into ''"), ({"path": 3}, "into 3"),
    ({"type": "sentence_transformers.models.Pooling"}, "expected Transformer, Pool"),
])
def test_modules_are_known_and_inside_the_folder(tmp_path, entry, says):
    path = cases.saved(tmp_path, "labse") / "modules.json"
    modules = json.loads(path.read_text())
    modules[2].update(entry)
    put(path, modules)
    with pytest.raises(ValueError, match=says):
        numbert.sentence_settings(tmp_path)


def test_a_transformer_in_a_folder_of_its_own_is_refused(tmp_path):
    path = cases.saved(tmp_path, "e5") / "modules.json"
    modules = json.loads(path.read_text())
    put(path, [{**modules[0], "path": "0_BERT"}, *modules[1:]])
    with pytest.raises(ValueError, match="Transformer into '0_BERT', expected ''"):
        numbert.sentence_settings(tmp_path)
    put(path, [modules[1], modules[0]])
    with pytest.raises(ValueError, match="Pooling, Transformer, expected Transformer"):
        numbert.sentence_settings(tmp_path)


def test_links_may_not_leave_the_checkpoint(tmp_path):
    elsewhere = cases.saved(tmp_path / "elsewhere", "labse")
    folder = cases.saved(tmp_path / "here", "labse")
    dense = folder / "2_Dense"
    for file in dense.iterdir():
        file.unlink()
    dense.rmdir()
    dense.symlink_to(elsewhere / "2_Dense")
    with pytest.raises(ValueError, match="is a link to .*refused"):
        numbert.sentence_settings(folder)


def test_a_subfolder_of_a_repository_in_the_cache(tmp_path):
    pytest.importorskip("huggingface_hub")
    commit, cache = "c" * 40, tmp_path / "models--owner--name"
    folder = cases.saved(cache / "snapshots" / commit / "a" / "b", "labse")
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text(commit)
    got = numbert.sentence_settings("owner/name", cache_dir=tmp_path, subfolder="a/b",
                                    local_files_only=True)
    want = numbert.sentence_settings(folder)
    assert got.keys() == want.keys() and got["pooling"] == want["pooling"]
    x = np.linspace(-1, 1, 24).reshape(2, 12)
    for ours, theirs in zip(got["steps"], want["steps"], strict=True):
        np.testing.assert_array_equal(ours(x), theirs(x))
        x = theirs(x)


def test_pickles_are_not_read(tmp_path):
    folder = cases.saved(tmp_path, "labse") / "2_Dense"
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(OSError, match="only pytorch_model.bin.*expected model.safe"):
        numbert.sentence_settings(tmp_path)
    (folder / "pytorch_model.bin").unlink()
    with pytest.raises(OSError, match="holds no weights, expected model.safetensors"):
        numbert.sentence_settings(tmp_path)


def test_missing_files_are_named(tmp_path):
    (cases.saved(tmp_path, "labse") / "1_Pooling" / "config.json").unlink()
    with pytest.raises(OSError, match="1_Pooling.config.json is missing"):
        numbert.sentence_settings(tmp_path)


def test_tensors_must_be_those_of_the_module(tmp_path):
    file = cases.saved(tmp_path, "labse") / "2_Dense" / "model.safetensors"
    save_file({**load_file(file), "other": np.zeros(3, "float32")}, file)
    with pytest.raises(ValueError, match="other, expected linear.weight, linear.bias"):
        numbert.sentence_settings(tmp_path)


def test_prompts_and_widths_are_checked(tmp_path):
    folder = cases.saved(tmp_path, "labse")
    with pytest.raises(ValueError, match="prompt_name is 'query', expected one of non"):
        cases.vectors(folder, "query")
    with pytest.raises(TypeError, match="prompt is 3, expected a str"):
        cases.vectors(folder, prompt=3)
    with pytest.raises(ValueError, match="has 24 values, expected 12 for the step Den"):
        cases.vectors(folder, pooling=["cls", "mean"])
    with pytest.raises(ValueError, match="truncate_dim is 0"):
        cases.vectors(folder, truncate_dim=0)
    with pytest.raises(TypeError, match="embed has no argument pool, expected one of"):
        planned(numbert.BertModel.from_pretrained(folder), None, pool="mean")
    with pytest.raises(ValueError, match="pooling is empty"):
        cases.vectors(folder, pooling=[])
