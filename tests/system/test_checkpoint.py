"""Reading weights into plain dicts: no model is needed here."""

import json
import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from checkpoint_cases import (CONFIG, INDEX, TIES, WEIGHTS, WORDS, f32, load,
                              write_raw)
from numbert.system import checkpoint


# ------------------------------------------------------------------ dtypes

@pytest.mark.parametrize("dtype", ["float32", "float64", np.float64, np.dtype("f4")])
@pytest.mark.parametrize("code", ["F16", "BF16"])
def test_every_half_precision_number_is_read_exactly(tmp_path, code, dtype):
    """All 65,536 bit patterns, against Python's own struct."""
    bits = range(1 << 16)
    if code == "F16":
        wanted = struct.unpack("<65536e", struct.pack("<65536H", *bits))
    else:                                            # the upper half of a float32
        wanted = struct.unpack("<65536f",
                               struct.pack("<65536I", *(b << 16 for b in bits)))
    write_raw(tmp_path / WEIGHTS,
              {"w": (code, (256, 256), struct.pack("<65536H", *bits))})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        params, _ = load(tmp_path, {"w": (256, 256)}, dtype)
    assert params["w"].dtype == np.dtype(dtype) and params["w"].shape == (256, 256)
    got = params["w"].ravel().tolist()
    assert all(a == b and np.signbit(a) == np.signbit(b) or (a != a and b != b)
               for a, b in zip(got, wanted))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("code, letter", [("F32", "f"), ("F64", "d")])
def test_full_precision_is_read_exactly(tmp_path, code, letter, dtype):
    values = [0.1, -0.0, 1e-45, float("inf"), float("nan"), 3.0]
    write_raw(tmp_path / WEIGHTS, {
        "w": (code, (2, 3), struct.pack(f"<6{letter}", *values)),
        "scalar": (code, (), struct.pack(f"<{letter}", 7.5)),
        "empty": (code, (0, 3), b"")}, metadata={"format": "pt"})
    params, report = load(tmp_path, {"empty": (0, 3), "w": (2, 3), "scalar": ()}, dtype)
    assert report == ([], [], [])
    assert list(params) == ["empty", "w", "scalar"]          # the model's order
    stored = np.array(values, letter).astype(dtype).reshape(2, 3)
    np.testing.assert_array_equal(params["w"], stored)
    assert np.signbit(params["w"][0, 1])
    assert params["scalar"].shape == () and params["scalar"] == 7.5
    assert params["empty"].shape == (0, 3)
    for array in params.values():
        assert array.dtype == np.dtype(dtype)
        assert array.flags.c_contiguous and array.flags.writeable
    params["w"][:] = 0                                       # ours: the file stays
    again, _ = load(tmp_path, {"w": (2, 3)}, dtype)
    np.testing.assert_array_equal(again["w"], stored)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int64", None, "huge"])
def test_a_model_is_float32_or_float64(tmp_path, dtype):
    write_raw(tmp_path / WEIGHTS, {"w": f32([1])})
    with pytest.raises(ValueError, match=" is .*, expected 'float32' or 'float64': "):
        load(tmp_path, {"w": (1,)}, dtype)


# ------------------------------------------------------------------ names

@pytest.mark.parametrize("in_file", ["", "bert."])
@pytest.mark.parametrize("in_model", ["", "bert."])
def test_the_prefix_may_be_there_or_not(tmp_path, in_file, in_model):
    write_raw(tmp_path / WEIGHTS, {
        in_file + "encoder.layer.0.output.dense.weight": f32([1, 2], (1, 2)),
        in_file + "pooler.dense.bias": f32([3]),
        "classifier.bias": f32([4])})
    shapes = {in_model + "pooler.dense.bias": (1,),
              in_model + "encoder.layer.0.output.dense.weight": (1, 2)}
    params, report = load(tmp_path, {**shapes, "classifier.bias": (1,)})
    assert report == ([], [], [])
    assert {name: array.tolist() for name, array in params.items()} == {
        in_model + "pooler.dense.bias": [3],
        in_model + "encoder.layer.0.output.dense.weight": [[1, 2]],
        "classifier.bias": [4]}
    _, report = load(tmp_path, {**shapes, "qa_outputs.bias": (2,)})
    assert report == (["qa_outputs.bias"], ["classifier.bias"], [])


def test_old_layer_norm_names(tmp_path):
    """gamma is the weight, beta the bias (bug class: silently 'newly initialised')."""
    write_raw(tmp_path / WEIGHTS, {
        "bert.embeddings.LayerNorm.gamma": f32([1, 2]),
        "bert.embeddings.LayerNorm.beta": f32([3, 4]),
        "cls.predictions.transform.LayerNorm.gamma": f32([5]),
        "cls.predictions.transform.LayerNorm.beta": f32([6])})
    params, report = load(tmp_path, {
        "embeddings.LayerNorm.weight": (2,), "embeddings.LayerNorm.bias": (2,)})
    assert params["embeddings.LayerNorm.weight"].tolist() == [1, 2]
    assert params["embeddings.LayerNorm.bias"].tolist() == [3, 4]
    assert report.unexpected == ["cls.predictions.transform.LayerNorm.bias",
                                 "cls.predictions.transform.LayerNorm.weight"]


def test_saved_buffers_are_ignored(tmp_path):
    write_raw(tmp_path / WEIGHTS, {
        "w": f32([1]),
        "bert.embeddings.position_ids": ("I64", (1, 2), struct.pack("<2q", 0, 1)),
        "embeddings.token_type_ids": ("I64", (1, 2), struct.pack("<2q", 0, 0))})
    assert load(tmp_path, {"w": (1,)})[1] == ([], [], [])


def test_an_alias_stands_in_for_its_tensor(tmp_path):
    write_raw(tmp_path / WEIGHTS, {
        "cls.predictions.decoder.weight": f32([1, 2], (2, 1)),
        "cls.predictions.decoder.bias": f32([3, 4])})
    shapes = {WORDS: (2, 1), "cls.predictions.bias": (2,)}
    params, report = load(tmp_path, shapes, aliases=TIES)
    assert params[WORDS].tolist() == [[1], [2]]
    assert params["cls.predictions.bias"].tolist() == [3, 4]
    assert report == ([], [], [])
    assert load(tmp_path, shapes)[1] == (list(shapes), sorted(TIES), [])
    untied = {"cls.predictions.decoder.weight": (2, 1)}      # asked for: no alias then
    assert list(load(tmp_path, untied, aliases=TIES)[0]) == list(untied)


@pytest.mark.parametrize("word_table", [WORDS, WORDS.removeprefix("bert.")])
def test_an_alias_is_dropped_beside_its_tensor(tmp_path, word_table):
    write_raw(tmp_path / WEIGHTS, {
        "cls.predictions.decoder.weight": f32([1, float("nan")]),
        word_table: f32([1, float("nan")])})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        params, report = load(tmp_path, {WORDS: (2,)}, aliases=TIES)
    assert params[WORDS][0] == 1 and report == ([], [], [])


@pytest.mark.parametrize("other", [
    f32([1, 3]), f32([1, 2, 3]), ("I64", (2,), struct.pack("<2q", 1, 2))])
def test_an_alias_that_differs_is_warned_of(tmp_path, other):
    write_raw(tmp_path / WEIGHTS,
              {"cls.predictions.decoder.weight": other, WORDS: f32([1, 2])})
    with pytest.warns(UserWarning, match="weight' differs from .*tie_word") as caught:
        params, _ = checkpoint.load(tmp_path, {WORDS: (2,)}, dtype="float32",
                                    base_prefix="bert.",
                                    aliases=TIES)
    assert len(caught) == 1 and params[WORDS].tolist() == [1, 2]
    assert caught[0].filename == __file__


def test_the_exact_name_wins_over_an_old_or_bare_one(tmp_path):
    write_raw(tmp_path / WEIGHTS, {
        "bert.a.LayerNorm.gamma": f32([1]), "bert.a.LayerNorm.weight": f32([2]),
        "a.LayerNorm.weight": f32([3])})
    with pytest.warns(UserWarning, match="'bert.a.LayerNorm.weight' is used"):
        params, report = load(tmp_path, {"bert.a.LayerNorm.weight": (1,)})
    assert params["bert.a.LayerNorm.weight"] == 2 and report == ([], [], [])


# ------------------------------------------------------------------ shapes, dtypes

def test_wrong_shapes_are_listed_together(tmp_path):
    write_raw(tmp_path / WEIGHTS, {
        "bert.a": f32([1, 2], (2, 1)), "b": f32([1, 2]), "c": f32([1])})
    shapes = {"a": (1, 2), "b": (3,), "c": (1,), "d": (4,)}
    with pytest.raises(ValueError) as error:
        load(tmp_path, shapes)
    text = str(error.value)
    assert str(tmp_path) in text and "2 tensor(s)" in text
    assert "a: (2, 1) in the file, (1, 2) in the model" in text
    assert "b: (2,) in the file, (3,) in the model" in text
    assert "c:" not in text and "ignore_mismatched_sizes=True" in text
    params, report = load(tmp_path, shapes, ignore_mismatched_sizes=True)
    assert list(params) == ["c"]
    assert report.mismatched == [("a", (2, 1), (1, 2)), ("b", (2,), (3,))]
    assert report.missing == ["d"] and report.unexpected == []


def test_integers_where_floats_belong(tmp_path):
    write_raw(tmp_path / WEIGHTS, {
        "a": ("I8", (2,), b"\1\2"), "b": ("BOOL", (1,), b"\1"), "c": f32([1]),
        "unused": ("I32", (1,), b"\0" * 4)})
    with pytest.raises(ValueError, match="holds a: I8; b: BOOL, expected .*: convert"):
        load(tmp_path, {"a": (2,), "b": (1,), "c": (1,)})
    assert load(tmp_path, {"c": (1,)})[1].unexpected == ["a", "b", "unused"]


# ------------------------------------------------------------------ absent or foreign

def refused(folder, kind, *words):
    """Loading fails with one line that holds these words."""
    with pytest.raises(kind) as error:
        load(folder, {"w": (1,)})
    text = str(error.value)
    assert "\n" not in text
    for word in (str(folder),) + words:
        assert word in text, text


def test_no_such_directory(tmp_path):
    refused(tmp_path / "nowhere", FileNotFoundError, "no such directory", WEIGHTS)
    (tmp_path / "file").touch()
    refused(tmp_path / "file", NotADirectoryError, "is a file", "pass the directory")


def test_a_directory_without_weights(tmp_path):
    (tmp_path / CONFIG).write_text("{}")
    refused(tmp_path, FileNotFoundError, WEIGHTS, INDEX, "download")


@pytest.mark.parametrize("file", [
    "pytorch_model.bin", "pytorch_model-00001-of-00002.bin", "bert_model.ckpt.index",
    "tf_model.h5", "flax_model.msgpack", "weights.pt"])
def test_other_formats_are_refused(tmp_path, file):
    (tmp_path / file).write_bytes(b"\x80\x04c__builtin__\neval\n")
    refused(tmp_path, FileNotFoundError, file, "pickle can run code",
            "save_pretrained(folder, safe_serialization=True)")


def test_damaged_files(tmp_path):
    path = tmp_path / WEIGHTS
    write_raw(path, {"w": f32([1, 2])})
    whole = path.read_bytes()
    cut = [whole[:n] for n in (0, 3, 8, 20, len(whole) - 1)]
    foreign = [b"PK\3\4" + whole, b"\x80\x04\x95" * 50, b"version https://git-lfs" * 9,
               struct.pack("<Q", 5) + b"[1,2]", whole + b"x"]
    for data in cut + foreign:
        path.write_bytes(data)
        refused(tmp_path, ValueError, WEIGHTS, f"({len(data)} bytes)",
                "expected a whole safetensors file", "download or write it again")


# ------------------------------------------------------------------ shards

def write_shards(folder, weight_map, **files):
    (folder / INDEX).write_text(json.dumps({"weight_map": weight_map}))
    for stem, tensors in files.items():
        write_raw(folder / f"{stem}.safetensors", tensors)


def test_shards_are_read_through_the_index(tmp_path):
    write_shards(tmp_path, {"bert.a": "one.safetensors", "b": "two.safetensors"},
                 one={"bert.a": f32([1]), "b": f32([9])}, two={"b": f32([2])})
    params, report = load(tmp_path, {"a": (1,), "b": (1,)})
    assert params["a"] == 1 and params["b"] == 2 and report == ([], [], [])
    write_raw(tmp_path / WEIGHTS, {"a": f32([5])})       # HF: preferred
    params, report = load(tmp_path, {"a": (1,), "b": (1,)})
    assert params["a"] == 5 and report.missing == ["b"]


@pytest.mark.parametrize("text", [
    "", "{", '{"weight_map": ', "[]", "3", "{}", '{"weight_map": ["a"]}', "\xff"])
def test_a_broken_index(tmp_path, text):
    (tmp_path / INDEX).write_bytes(text.encode("latin-1"))
    refused(tmp_path, ValueError, INDEX, '{"weight_map": {tensor: file}}', "download")


@pytest.mark.parametrize("shard", [
    "../secret.safetensors", "sub/x.safetensors", "/etc/x.safetensors", "..", ".", "",
    "sub\\x.safetensors", "C:x.safetensors", "x\0.safetensors", "~/x.safetensors",
    "x.bin", ".hidden.safetensors", "x.safetensors\n", None, 3, ["x.safetensors"]])
def test_an_index_may_only_name_files_beside_it(tmp_path, shard):
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    for place in tmp_path / "secret.safetensors", folder / "sub" / "x.safetensors":
        write_raw(place, {"w": f32([1])})
    write_shards(folder, {"w": shard})
    refused(folder, ValueError, INDEX, repr(shard), "refused", "plain file name")


def test_links_must_stay_inside(tmp_path):
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    write_raw(tmp_path / "outside.safetensors", {"w": f32([1])})
    write_raw(folder / "sub" / "inside.safetensors", {"w": f32([2])})
    write_shards(folder, {"w": "x.safetensors"})
    link = folder / "x.safetensors"
    link.symlink_to(Path("..") / "outside.safetensors")
    refused(folder, ValueError, "is a link to", "outside.safetensors", "refused")
    link.unlink()
    link.symlink_to(Path("sub") / "inside.safetensors")
    assert load(folder, {"w": (1,)})[0]["w"] == 2
    (tmp_path / "linked").symlink_to(folder)                 # the folder itself may be
    assert load(tmp_path / "linked", {"w": (1,)})[0]["w"] == 2


def test_links_of_the_hub_cache_are_followed(tmp_path):
    """snapshots/<revision>/<file> -> ../../blobs/<hash>, and nowhere else."""
    repository = tmp_path / "models--org--name"
    snapshot = repository / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (repository / "blobs").mkdir()
    write_raw(repository / "blobs" / "abc", {"w": f32([1])})
    write_raw(tmp_path / "secret", {"w": f32([2])})
    write_shards(snapshot, {"w": "x.safetensors"})
    link = snapshot / "x.safetensors"
    link.symlink_to(Path("..") / ".." / "blobs" / "abc")
    assert load(snapshot, {"w": (1,)})[0]["w"] == 1
    link.unlink()
    link.symlink_to(tmp_path / "secret")
    refused(snapshot, ValueError, "is a link to", "secret", "refused")


def test_shards_that_do_not_fit_their_index(tmp_path):
    write_shards(tmp_path, {"w": "one.safetensors", "v": "gone.safetensors",
                            "u": "lost.safetensors"}, one={"w": f32([1])})
    refused(tmp_path, FileNotFoundError, INDEX, "gone.safetensors, lost.safetensors",
            "missing shards")
    write_shards(tmp_path, {"w": "one.safetensors", "v": "one.safetensors"})
    refused(tmp_path, ValueError, INDEX, "v (one.safetensors)", "of one save")


# ------------------------------------------------------------------------ one file

def test_one_file_comes_in_the_dtypes_that_it_holds(tmp_path):
    arrays = {dtype: np.arange(6).reshape(2, 3).astype(dtype) for dtype in
              ("float64", "float32", "float16", "int64", "int32", "int8", "uint8",
               "bool")}
    arrays["scalar"] = np.array(2.5)
    save_file(arrays, tmp_path / "x.safetensors")
    got = checkpoint.read_file(tmp_path / "x.safetensors")
    assert set(got) == set(arrays)
    for name, x in arrays.items():
        assert got[name].dtype == x.dtype and got[name].shape == x.shape
        assert np.array_equal(got[name], x)


def test_bfloat16_comes_as_float32_and_what_numpy_lacks_is_refused(tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file as save_torch
    x = torch.linspace(-3, 3, 7).bfloat16()
    save_torch({"x": x}, tmp_path / "x.safetensors")
    got = checkpoint.read_file(str(tmp_path / "x.safetensors"))["x"]
    assert got.dtype == np.float32 and np.array_equal(got, x.float().numpy())
    save_torch({"x": x, "y": x.to(torch.float8_e5m2)}, tmp_path / "y.safetensors")
    with pytest.raises(ValueError, match="y.safetensors holds y: F8_E5M2, expected"):
        checkpoint.read_file(tmp_path / "y.safetensors")


def test_one_file_that_is_cut_short_or_missing(tmp_path):
    path = tmp_path / "x.safetensors"
    with pytest.raises(FileNotFoundError):
        checkpoint.read_file(path)
    save_file({"x": np.ones(100)}, path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match="cut short"):
        checkpoint.read_file(path)
