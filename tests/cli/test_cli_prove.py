"""`numbert prove`: what it prints and writes, and what it refuses before any work."""

import json
import re
import shutil
import signal

import numpy as np
import pytest
from safetensors import safe_open

import numbert
from cli_cases import TEXTS, sentence_files, start, without

pytest.importorskip("flint")

TEXT = TEXTS[1]                                  # 5 words: 7 tokens


def test_the_sentence_vector_is_that_of_embed(numbert_main, folder, parts, tmp_path):
    file, tensors = tmp_path / "a.json", tmp_path / "a.safetensors"
    code, out, err = numbert_main("prove", "--text", TEXT, "--model", folder, "--json",
                                  file, "--save", tensors)
    assert (code, err) == (0, "")
    assert "7 tokens, 192 bits" in out and "sentence vector, 12 values" in out
    found = json.loads(file.read_text())
    want = numbert.embed(*parts, TEXT)
    np.testing.assert_allclose(found["float64"], want, rtol=1e-12)
    for digits, rounded in zip(found["digits"], found["float64"]):
        assert float(digits) == rounded and len(digits) > 40
    first = re.search(r"^ +1  (\S+)", out, re.M)[1]
    assert float(first) == pytest.approx(found["float64"][0], rel=1e-15)
    with safe_open(tensors, "numpy") as saved:
        assert list(saved.keys()) == ["sentence_vector"]
        assert saved.get_tensor("sentence_vector").tolist() == found["float64"]
        assert saved.metadata() == {"text": TEXT, "bits": "192", "undecided": "0"}
    last = found["steps"][-1]
    assert last["name"] == "sentence vector" and last["proven"] > 30
    assert last["float64"]["median"] > 13 > 9 > last["float32"]["median"] > 5
    assert found["steps"][0]["float64"] == {"median": None, "worst": None}   # exact
    assert found["tokens"] == ["[CLS]", *TEXT.split(), "[SEP]"]


def test_the_checkpoint_says_how_to_pool(numbert_main, folder, tmp_path):
    shutil.copytree(folder, tmp_path / "model")
    sentence_files(tmp_path / "model", {"pooling_mode_weightedmean_tokens": True,
                                        "word_embedding_dimension": 12})
    file = tmp_path / "a.json"
    code, out, err = numbert_main("prove", "--text", TEXT, "--model",
                                  tmp_path / "model", "--json", file)
    assert (code, err) == (0, "") and "5 tokens" in out          # its longest text
    found = json.loads(file.read_text())["float64"]
    assert np.dot(found, found) == pytest.approx(1, abs=1e-15)   # ends in Normalize
    _, out, _ = numbert_main("embed", TEXT, "--model", tmp_path / "model", "--json",
                             "--dtype", "float64")
    np.testing.assert_allclose(found, json.loads(out)["embedding"], rtol=1e-12)


@pytest.mark.filterwarnings("ignore:BertModel does not use")
@pytest.mark.parametrize("kind, field", [("hidden", "last_hidden_state"),
                                         ("pooler", "pooler_output")])
def test_other_outputs(numbert_main, tmp_path, kind, field):
    model = numbert.example_checkpoint("feature-extraction")
    file = tmp_path / "a.json"
    code, out, err = numbert_main("prove", "--text", "Anna likes soup.", "--of", kind,
                                  "--json", file, "--all")
    assert (code, err) == (0, "")
    found = json.loads(file.read_text())
    whole = numbert.BertModel.from_pretrained(model, dtype="float64")
    rows = numbert.BertTokenizer.from_pretrained(model)("Anna likes soup.",
                                                        return_tensors="np")
    want = whole(**rows)[field][0]
    assert found["shape"] == list(want.shape)
    np.testing.assert_allclose(found["float64"], want, rtol=1e-9, atol=1e-13)
    for step in found["steps"]:
        assert re.search(f"^{re.escape(step['name'])} ", out, re.M)
    assert ("pooler.out" in out) == (kind == "pooler")


def test_the_table_shows_where_layers_end_unless_all(numbert_main, folder):
    _, short, _ = numbert_main("prove", "--text", "rain", "--model", folder)
    _, whole, _ = numbert_main("prove", "--text", "rain", "--model", folder, "--all")
    names = re.findall(r"^(\S+\.\S+) ", short, re.M)
    assert names == ["embeddings.out", "encoder.layer.0.output.out",
                     "encoder.layer.1.output.out"]
    assert "encoder.layer.1.attention.self.probs " in whole
    assert re.search(r"^embeddings.sum +all +all +all +\d", whole, re.M)


def test_the_picture(numbert_main, folder, tmp_path):
    pytest.importorskip("matplotlib")
    for name, start_of in (("a.png", b"\x89PNG"), ("a.svg", b"<?xml")):
        code, _, err = numbert_main("prove", "--text", "rain", "--model", folder,
                                    "--plot", tmp_path / name)
        assert (code, err) == (0, "")
        assert (tmp_path / name).read_bytes().startswith(start_of)


def test_too_few_bits_are_said(numbert_main):
    code, out, err = numbert_main("prove", "--text", "Oslo", "--bits", 64)
    assert code == 0 and "at least 0.0 proven digits" in out
    assert "raise --bits over 64" in err and err.count("\n") == 1


@pytest.mark.parametrize("words, says", [
    ("", "the following arguments are required: --text"),
    ("--text a --bits 63", "bits is 63, expected a whole number of at least 64"),
    ("--text a --bits x", "the value is 'x', expected a whole number above 0"),
    ("--text a --json {here}/none/a.json", "none is not a folder, expected one for the "
     "file of --json: make it first"),
    ("--text a --save {here}", "is a folder, expected a file: give --save"),
    ("--text a --plot {here}/a.txt", "ends in .png, .svg or .pdf"),
    ("--text a --of pooler --model {folder}", "has no pooler, expected one"),
    ("--text a --model {folder} --save {folder}/model.safetensors", "would replace")])
def test_mistakes(numbert_main, folder, tmp_path, words, says):
    words = words.format(here=tmp_path, folder=folder).split()
    code, out, err = numbert_main("prove", *words)
    assert (code, out) == (2, "") and says in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("package, option, extra", [
    ("flint", [], "exact"), ("matplotlib.figure", ["--plot", "a.png"], "notebooks")])
def test_a_package_that_is_not_installed(folder, package, option, extra):
    said = without(package, "prove", "--text", "a", "--model", folder, *option)
    assert (said.returncode, said.stdout) == (2, "")
    assert f'pip install "numbert[{extra}]"' in said.stderr
    assert said.stderr.count("\n") == 1


def test_an_interrupt_leaves_nothing(tmp_path):
    """Ctrl-C in the middle of a proof that would take minutes."""
    process = start("prove", "--text", "Anna likes soup. " * 20, "--bits", 3000,
                    "--json", tmp_path / "a.json")
    with pytest.raises(Exception, match="timed out"):
        process.wait(3)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (130, b"", b"numbert: interrupted\n")
    assert not list(tmp_path.iterdir())
