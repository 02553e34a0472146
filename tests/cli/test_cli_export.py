"""numbert export: which class it takes, what it prints, and what it refuses."""

import json
import shutil
import sys

import numpy as np
import pytest

import numbert
from common import assert_near, bound, config, ids, stressed

pytest.importorskip("torch")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


@pytest.fixture
def to_onnx(numbert_main, tmp_path):
    """Runs the command: exit code, stdout, stderr, and the file that it may write."""
    def run(model, *args):
        out = tmp_path / "model.onnx"
        return *numbert_main("export", "--to", "onnx", "--model", model, "--out", out,
                             *args), out
    return run


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """The folder of a classifier, and its model."""
    model = stressed(numbert.BertForSequenceClassification,
                     config(num_labels=3, num_hidden_layers=1), "float32")
    folder = tmp_path_factory.mktemp("classifier")
    model.save_pretrained(folder)
    return folder, model


def logits(path):
    x = ids((3, 6))
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return x, session.run(None, {"input_ids": x, "attention_mask": np.ones_like(x),
                                 "token_type_ids": np.zeros_like(x)})


def test_a_checkpoint_becomes_a_file(to_onnx, classifier):
    """A second time only with --overwrite."""
    folder, model = classifier
    code, out, err, path = to_onnx(folder)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith(f"{path}: BertForSequenceClassification, 1,")
    assert "  reads attention_mask  (batch, length)" in lines
    said, = [line for line in lines if line.startswith("  gives")]
    assert said.startswith("  gives logits          (batch, 3), off from NumPy by ")
    assert lines[-1] == "checked with onnxruntime on 1 x 11 and 3 x 5 tokens"
    x, (got,) = logits(path)
    assert_near(got, model(x).logits, bound("float32", 200, np.abs(got).max()))
    before = path.read_bytes()
    code, out, err, _ = to_onnx(folder)
    assert (code, out) == (2, "") and "exists, expected the name of a new" in err
    assert path.read_bytes() == before


def test_the_backbone_alone(to_onnx, tmp_path):
    """--class BertModel leaves a head out, and a pooler that the checkpoint lacks."""
    model = stressed(numbert.BertForTokenClassification, config(), "float32")
    model.save_pretrained(tmp_path / "model")
    (tmp_path / "model.onnx").write_bytes(b"old")
    code, out, err, path = to_onnx(tmp_path / "model", "--class", "BertModel",
                                   "--overwrite")
    assert (code, err) == (0, "")
    assert "gives last_hidden_state" in out and "pooler" not in out
    x, (got,) = logits(path)
    want = model.base_model(x).last_hidden_state
    assert_near(got, want, bound("float32", 200, np.abs(want).max()))


def changed(folder, place, **fields):
    """A copy of a checkpoint whose config.json has other fields."""
    shutil.copytree(folder, place)
    values = json.loads((place / "config.json").read_text())
    (place / "config.json").write_text(json.dumps({**values, **fields}))
    return place


@pytest.mark.parametrize("fields, args, says", [
    ({}, ["--class", "Bert"], "--class is 'Bert', expected one of BertModel, BertFor"),
    ({}, ["--class", "BertForMaskedLM"], "lacks cls.predictions.bias, cls."),
    ({}, ["--class", "BertForTokenClassification"],
     "was saved as BertForSequenceClassification, expected the trained head of a Bert"),
    ({"architectures": None}, [], "names no class, expected one of BertModel, BertFor"),
    ({"architectures": ["RobertaModel"]}, [], "names RobertaModel, expected one of B"),
    ({"model_type": "encoder-decoder"}, [], "is an encoder-decoder, which is two gr"),
    ({}, ["--to", "tflite"], "invalid choice: 'tflite' (choose from")])
def test_what_does_not_fit_is_refused(to_onnx, classifier, tmp_path, fields, args,
                                      says):
    place = changed(classifier[0], tmp_path / "model", **fields)
    code, out, err, path = to_onnx(place, *args)
    assert (code, out) == (2, "") and says in err and not path.exists()


def test_a_place_that_does_not_fit_is_refused(to_onnx, classifier, tmp_path):
    for args, says in (
            (["--out", tmp_path / "none" / "x.onnx"], "is not a folder, expected one"),
            (["--out", tmp_path], "is a folder, expected a file"),
            (["--overwrite", "--out", classifier[0] / "model.safetensors"],
             "would replace")):
        code, out, err, _ = to_onnx(classifier[0], *args)
        assert (code, out) == (2, "") and says in err
    assert to_onnx(tmp_path / "none")[0] == 2
    assert not list(tmp_path.iterdir())


def test_without_onnx_the_extra_is_named(to_onnx, classifier, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    code, _, err, path = to_onnx(classifier[0])
    assert code == 2 and err.count("\n") == 1 and not path.exists()
    assert 'onnx is not installed' in err and '"numbert[torch,onnx]"' in err
