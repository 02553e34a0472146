"""Packs: what is in them, that they are the same again, and what a damaged one says."""

import json
import shutil
import struct
import zipfile

import numpy as np
import pytest
from tiny import checkpoint

from numbert.cli import main
from numbert.verify import make, packs
from numbert.verify.cases import make_case
from numbert.verify.make import make_files, write_files
from numbert.verify.packs import PackError, read_pack, shipped
from numbert.verify.run import PARAMETER, UPDATE, run


@pytest.fixture(scope="module")
def pack():
    return shipped()


@pytest.fixture
def folder(tmp_path):
    """The shipped pack, unpacked."""
    zipfile.ZipFile(packs.SHIPPED).extractall(tmp_path / "golden")
    return tmp_path / "golden"


def test_the_shipped_pack_is_made_again_byte_for_byte(tmp_path):
    pytest.importorskip("flint")
    files = make_files(enabled=False)
    with zipfile.ZipFile(packs.SHIPPED) as archive:
        assert sorted(files) == archive.namelist()
        for name, data in files.items():
            if name == packs.MANIFEST:              # shows where they differ
                assert json.loads(data) == json.loads(archive.read(name))
            assert data == archive.read(name), name
    assert packs.SHIPPED.stat().st_size < 2e6
    assert write_files(files, tmp_path / "a.zip")
    assert not write_files(files, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").stat().st_size < 2e6


def test_noise_is_not_at_the_edge_of_its_two_digits(pack):
    """What another machine's BLAS changes, 1e-9 of it, must not change a digit."""
    case = make_case("decoder")
    noise = make.measured(case, make.PROFILES["fp32"])
    for name, pair in noise.items():
        for x in pair:
            assert float(f"{x * (1 + 1e-9):.1e}") == float(f"{x * (1 - 1e-9):.1e}")
        assert pack.cases["decoder"].noise["fp32"][name] == tuple(make.rounded(pair))


def test_a_pack_holds_what_it_says(pack):
    assert len(pack.cases) == 13 and pack.manifest["proven"] is True
    for name, packed in pack.cases.items():
        case = make_case(name)
        assert packed.case.kind == case.kind and packed.case.config == case.config
        for kind in ("params", "inputs", "cotangents"):
            ours, theirs = getattr(case, kind), getattr(packed.case, kind)
            assert ours.keys() == theirs.keys()
            for key, x in ours.items():
                assert x.dtype == theirs[key].dtype and np.array_equal(x, theirs[key])
        assert list(packed.truth) == list(run(case))
    steps = {UPDATE.fullmatch(name)[1] + UPDATE.fullmatch(name)[2]
             for name in pack.cases["classification"].truth if UPDATE.fullmatch(name)}
    assert steps == {f"{kind}{i}" for kind in ("adamw", "bertadam") for i in (1, 2, 3)}


def test_read_by_hand_as_the_page_in_the_pack_says(folder, pack):
    raw = (folder / "tokens.safetensors").read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8:8 + length])
    assert header.pop("__metadata__") == {
        "case": "tokens", "class": "BertForTokenClassification", "hidden_act": "gelu"}
    start, end = header["loss"]["data_offsets"]
    assert struct.unpack("<d", raw[8 + length + start:8 + length + end]) == \
        (pack.cases["tokens"].truth["loss"],)
    start, _ = header["config.layer_norm_eps"]["data_offsets"]
    assert struct.unpack_from("<d", raw, 8 + length + start) == (1e-12,)
    start, _ = header["config.num_labels"]["data_offsets"]
    assert struct.unpack_from("<q", raw, 8 + length + start) == (5,)


@pytest.mark.parametrize("name", ("pretraining", "decoder", "regression"))
def test_parents_are_all_that_a_step_needs(name, pack):
    """With nonsense in place of all other tensors, the step comes out the same."""
    packed = pack.cases[name]
    rng = np.random.default_rng(0)
    for target, x in packed.truth.items():
        known = set(packed.parents[target])
        given = {other: y if other in known else rng.standard_normal(y.shape)
                 for other, y in packed.truth.items() if y.ndim}
        # Two names may show one array, as the gradients of a sum and its first part do.
        same = {other: y for other, y in packed.truth.items() if any(
            parent in packed.truth and np.array_equal(y, packed.truth[parent])
            for parent in known)}
        got = run(packed.case, given={**given, **same})[target]
        size = np.sqrt(np.mean(x * x)) or 1
        assert np.abs(got - x).max() <= 1e-11 * size, target
        assert known or not x.any(), target     # words that are given as vectors


def test_parents_come_before(pack):
    for packed in pack.cases.values():
        order = {name: i for i, name in enumerate(packed.truth)}
        for name, parents in packed.parents.items():
            for parent in parents:
                kind = parent.split(":")[0]
                assert order.get(parent, -1) < order[name]
                assert parent in order or parent.endswith(":") or kind in (
                    "param", "in", "cot") or parent.startswith(PARAMETER), parent


# ------------------------------------------------------------------- damaged packs

def read(path):
    with pytest.raises(PackError) as caught:
        read_pack(path)
    return str(caught.value)


def test_a_folder_and_a_zip_file_are_the_same(folder, pack):
    again = read_pack(folder)
    assert again.sha256 == pack.sha256 and again.cases.keys() == pack.cases.keys()


def test_tampered_with(folder):
    path = folder / "choice.safetensors"
    raw = bytearray(path.read_bytes())
    raw[-100] ^= 1
    path.write_bytes(raw)
    assert "choice.safetensors has another sha256 than the manifest" in read(folder)
    path.write_bytes(raw[:1000])
    assert "cut short" in read(folder)
    path.unlink()
    assert "there is no choice.safetensors, expected the folder" in read(folder)


def test_no_pack_at_all(tmp_path, folder):
    assert "there is no manifest.json" in read(tmp_path / "nowhere")
    assert "there is no manifest.json" in read(tmp_path)
    (tmp_path / "broken.zip").write_bytes(packs.SHIPPED.read_bytes()[:100_000])
    assert "can't be read" in read(tmp_path / "broken.zip")
    (tmp_path / "text.zip").write_text("hello")
    assert "can't be read" in read(tmp_path / "text.zip")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    assert "expected the zip file of a pack" in read(tmp_path / "empty.zip")


@pytest.mark.parametrize("change, words", [
    ({"format": 2}, "format is 2, expected 1"),
    ({"cases": {"x": {"file": "../x", "sha256": ""}}}, "names '../x', expected a file"),
    ({"cases": []}, "is no manifest"),
    ({"cases": {"x": {}}}, "is no manifest"),
    ({"cases": {"x": {"file": 3}}}, "is no manifest"),
])
def test_a_strange_manifest(folder, change, words):
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    assert words in read(folder)


def test_a_manifest_that_is_no_json(folder):
    (folder / "manifest.json").write_text("{")
    with pytest.raises(ValueError, match="manifest.json"):
        read_pack(folder)


# -------------------------------------------------------------------- the command

def test_a_pack_of_a_checkpoint(tmp_path, capsys):
    model = checkpoint(tmp_path / "model")
    out = tmp_path / "mine"
    args = ["golden", "make", "--model", str(model), "--text", "the cat", "--out",
            str(out)]
    assert main(args) == 0 and "written" in capsys.readouterr().out
    pack = read_pack(out)
    assert not pack.manifest["proven"] and list(pack.cases) == ["own"]
    packed = pack.cases["own"]
    again = run(packed.case)
    assert all(np.array_equal(x, again[name]) for name, x in packed.truth.items())
    assert main(args) == 0 and "the same as before" in capsys.readouterr().out
    pytest.importorskip("flint")
    shutil.rmtree(out)
    assert main([*args, "--prove"]) == 0
    proven = read_pack(out)
    assert proven.manifest["proven"] and np.allclose(
        proven.cases["own"].truth["encoder.layer.0.output.out"],
        packed.truth["encoder.layer.0.output.out"], rtol=1e-10)


@pytest.mark.parametrize("args, words", [
    (["--model", "x"], "--model is given without --text"),
    (["--text", "x"], "--text and --prove are given without --model"),
    (["--prove"], "--text and --prove are given without --model"),
])
def test_arguments_that_need_others(args, words, capsys, tmp_path):
    assert main(["golden", "make", "--out", str(tmp_path / "out"), *args]) == 2
    assert words in capsys.readouterr().err and not (tmp_path / "out").exists()
