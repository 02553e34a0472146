"""Reading and writing weights, on plain dicts: no model is needed here."""

import json
import os
import re
import stat
import struct
import subprocess
import sys
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from safetensors.numpy import load_file

from numbert.system import checkpoint

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
TIES = {"cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight",
        "cls.predictions.decoder.bias": "cls.predictions.bias"}
WORDS = "bert.embeddings.word_embeddings.weight"


def write_raw(path, tensors, metadata=None):
    """The safetensors format by hand: length, JSON table, bytes.

    tensors: {name: (dtype code, shape, bytes)}
    """
    table, at = ({"__metadata__": metadata} if metadata else {}), 0
    for name, (code, shape, data) in tensors.items():
        table[name] = {"dtype": code, "shape": list(shape),
                       "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(table).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text
                     + b"".join(data for _, _, data in tensors.values()))


def f32(values, shape=None):
    values = list(np.ravel(values))
    return ("F32", shape or (len(values),), struct.pack(f"<{len(values)}f", *values))


def load(folder, shapes, dtype="float32", **options):
    return checkpoint.load(folder, shapes, dtype=dtype, **options)


def save(folder, params, config_text="{}", **options):
    checkpoint.save(folder, params, config_text=config_text, **options)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def floats(seed, *shape, dtype=np.float32):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


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


def test_reading_does_not_hold_the_file_twice(tmp_path):
    """Peak memory: the result and at most two tensors more."""
    count, size = 20, 100_000
    save(tmp_path, {f"w{i}": floats(i, size) for i in range(count)})
    tracemalloc.start()
    params, _ = load(tmp_path, {f"w{i}": (size,) for i in range(count)}, "float64")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    result = sum(array.nbytes for array in params.values())
    assert result == count * size * 8
    assert peak < result + 2 * size * 8


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "int64", None, "huge"])
def test_a_model_is_float32_or_float64(tmp_path, dtype):
    write_raw(tmp_path / WEIGHTS, {"w": f32([1])})
    with pytest.raises(ValueError, match="must be 'float32' or 'float64', not"):
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
        params, _ = load(tmp_path, {WORDS: (2,)}, aliases=TIES)
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
    with pytest.raises(ValueError, match="a: I8; b: BOOL. Convert"):
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
                "not a whole safetensors file", "download it again")


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
    refused(tmp_path, ValueError, INDEX, "v (one.safetensors)", "different saves")


# ------------------------------------------------------------------ saving

@settings(deadline=None, max_examples=40)
@given(st.dictionaries(
    st.from_regex(r"[a-z]{1,3}(\.[a-z]{1,3}){0,2}", fullmatch=True),
    st.tuples(st.sampled_from(["f2", "f4", "f8", ">f4"]),
              st.lists(st.integers(0, 4), max_size=3)),
    min_size=1, max_size=6), st.integers(1, 300))
def test_what_is_saved_is_read_back(tmp_path_factory, tensors, limit):
    folder = tmp_path_factory.mktemp("saved")
    params = {name: floats(i, *shape).astype(dtype)
              for i, (name, (dtype, shape)) in enumerate(tensors.items())}
    save(folder, params, max_shard_size=limit)
    shapes = {name: array.shape for name, array in params.items()}
    loaded, report = load(folder, shapes, "float64", base_prefix="-")
    assert report == ([], [], [])
    for name, array in params.items():
        np.testing.assert_array_equal(loaded[name], array.astype(np.float64))


def test_strided_views_are_saved_as_they_read(tmp_path):
    grid = floats(0, 4, 6)
    params = {"t": grid.T, "steps": grid[::2, ::-3], "fortran": np.asfortranarray(grid)}
    save(tmp_path, params)
    for name, array in load_file(tmp_path / WEIGHTS).items():
        np.testing.assert_array_equal(array, params[name])


def test_one_file(tmp_path):
    save(tmp_path / "new" / "folder", {"w": floats(0, 3)}, '{"é": 1}')
    folder = tmp_path / "new" / "folder"
    assert names(folder) == [CONFIG, WEIGHTS]
    assert (folder / CONFIG).read_bytes() == '{"é": 1}'.encode()
    length, = struct.unpack("<Q", (folder / WEIGHTS).read_bytes()[:8])
    table = json.loads((folder / WEIGHTS).read_bytes()[8:8 + length])
    assert table["__metadata__"] == {"format": "pt"} and table["w"]["dtype"] == "F32"


@pytest.mark.parametrize("limit", [1000, "1KB", "1 kb", "0.001MB", "1000"])
def test_shards_are_filled_in_order(tmp_path, limit):
    """Names and index as Hugging Face writes them; a large tensor has its own shard."""
    params = {"a": floats(0, 100), "b": floats(1, 150), "c": floats(2, 1000),
              "d": floats(3, 2), "e": floats(4, 248), "f": floats(5, 1)}
    save(tmp_path, params, max_shard_size=limit)
    shards = [f"model-0000{i}-of-00004.safetensors" for i in (1, 2, 3, 4)]
    assert names(tmp_path) == [CONFIG, *shards, INDEX]
    assert json.loads((tmp_path / INDEX).read_text()) == {
        "metadata": {"total_size": 4 * 1501},
        "weight_map": {"a": shards[0], "b": shards[0], "c": shards[1],
                       "d": shards[2], "e": shards[2], "f": shards[3]}}
    assert sorted(load_file(tmp_path / shards[2])) == ["d", "e"]


def test_saving_leaves_other_files_alone(tmp_path):
    kept = ["vocab.txt", "model-card.md", "pytorch_model.bin",
            "model-00001.safetensors", "other-00001-of-00002.safetensors"]
    for name in kept:
        (tmp_path / name).write_text(name)
    for limit in 10**6, 10, 20, 10**6:
        save(tmp_path, {"a": floats(0, 2), "b": floats(1, 2), "c": floats(2, 2)},
             max_shard_size=limit)
        for name in kept:
            assert (tmp_path / name).read_text() == name
    assert names(tmp_path) == sorted([*kept, CONFIG, WEIGHTS])


def test_an_unchanged_config_is_not_touched(tmp_path):
    save(tmp_path, {"w": floats(0, 2)}, "same")
    before = (tmp_path / CONFIG).stat()
    save(tmp_path, {"w": floats(1, 2)}, "same")
    assert (tmp_path / CONFIG).stat().st_ino == before.st_ino


@pytest.mark.parametrize("size", [0, -1, "0", "five", "5XB", "GB", "", None, "1e9"])
def test_impossible_shard_sizes(tmp_path, size):
    with pytest.raises(ValueError, match=f"'5GB', not {re.escape(repr(size))}"):
        save(tmp_path / "x", {"w": floats(0, 2)}, max_shard_size=size)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("value", [
    np.arange(3), [1.0, 2.0], np.ones(2, complex), np.ones(2, np.longdouble), None])
def test_only_float_arrays_are_saved(tmp_path, value):
    with pytest.raises(ValueError, match="^bad.name: expected a NumPy array of float"):
        save(tmp_path / "x", {"w": floats(0, 2), "bad.name": value})
    assert not (tmp_path / "x").exists()


def test_saving_onto_a_file(tmp_path):
    (tmp_path / "x").touch()
    with pytest.raises(NotADirectoryError, match="is a file; pass a directory"):
        save(tmp_path / "x", {"w": floats(0, 2)})


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
def test_a_crash_at_any_step_leaves_a_whole_checkpoint():
    """kill -9 and exceptions at every file operation: see saving_crashes.py."""
    script = Path(__file__).parents[1] / "saving_crashes.py"
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True,
                          timeout=300)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert len(done.stdout.splitlines()) == 32               # every case was run


@pytest.mark.parametrize("limit", [10**6, 10])
@pytest.mark.parametrize("failing", ["save_file", "fsync", "replace"])
def test_a_failing_writer_cleans_up(tmp_path, monkeypatch, failing, limit):
    """Half a file is written, then the disk is full; or renaming never works."""
    save(tmp_path, {"a": floats(0, 2), "b": floats(1, 2)}, "old")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}

    def full(*arguments):
        if failing == "save_file":
            arguments[1].write_bytes(b"half")
        raise OSError(28, "No space left on device")

    from numbert.system import saving
    monkeypatch.setattr(saving if failing == "save_file" else os, failing, full)
    with pytest.raises(OSError, match="No space"):
        save(tmp_path, {"a": floats(2, 2), "b": floats(3, 2)}, "new",
             max_shard_size=limit)
    monkeypatch.undo()
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("old_limit", [10**6, 10])
@pytest.mark.parametrize("limit", [10**6, 10])
def test_from_the_nth_rename_on_nothing_works(tmp_path, monkeypatch, old_limit, limit):
    """The old files come back even when every later rename fails too."""
    rename = os.replace
    for n in range(1, 6):
        folder = tmp_path / str(n)
        save(folder, {"a": floats(0, 2), "b": floats(1, 2)}, "old",
             max_shard_size=old_limit)
        before = {path: path.read_bytes() for path in folder.iterdir()}
        calls = []

        def fails(source, target):
            calls.append(target)
            if len(calls) >= n:
                raise OSError("read-only")
            return rename(source, target)

        monkeypatch.setattr(os, "replace", fails)
        try:
            save(folder, {"a": floats(2, 2), "b": floats(3, 2)}, "new",
                 max_shard_size=limit)
        except OSError:
            assert {p: p.read_bytes() for p in folder.iterdir()} == before
        else:
            assert (folder / CONFIG).read_text() == "new" and len(calls) < n
        monkeypatch.undo()
        assert len(calls) >= min(n, 2)


@pytest.mark.parametrize("old_limit", [10**6, 10])
@pytest.mark.parametrize("limit", [10**6, 10])
def test_an_interrupt_after_the_last_step(tmp_path, monkeypatch, old_limit, limit):
    """Ctrl-C when the new files are in place already: nothing of them is put back."""
    save(tmp_path, {"a": floats(0, 2), "b": floats(1, 2)}, "old",
         max_shard_size=old_limit)
    decisive = WEIGHTS if limit == 10**6 or old_limit == 10**6 else INDEX
    name = "unlink" if limit == 10 and old_limit == 10**6 else "replace"
    step = getattr(os, name)

    def interrupted(*arguments, **options):
        step(*arguments, **options)
        if Path(arguments[-1]) == tmp_path / decisive:
            raise KeyboardInterrupt

    monkeypatch.setattr(os, name, interrupted)
    new = {"a": floats(2, 2), "b": floats(3, 2)}
    with pytest.raises(KeyboardInterrupt):
        save(tmp_path, new, "new", max_shard_size=limit)
    monkeypatch.undo()
    loaded, report = load(tmp_path, {"a": (2,), "b": (2,)})
    assert (tmp_path / CONFIG).read_text() == "new" and report.missing == []
    for key, array in new.items():
        np.testing.assert_array_equal(loaded[key], array)


# ------------------------------------------------------------------ atomic_write_text

def test_a_text_is_replaced_whole(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    checkpoint.atomic_write_text(path, "ä\n")
    assert path.read_bytes() == "ä\n".encode()               # UTF-8, no \r\n
    checkpoint.atomic_write_text(str(path), "new")
    assert path.read_text() == "new" and names(tmp_path) == ["a.json"]
    with pytest.raises(UnicodeEncodeError):
        checkpoint.atomic_write_text(path, "\ud800")

    def full(*_):
        raise OSError(28, "No space left on device")

    for function in "fsync", "replace":
        monkeypatch.setattr(os, function, full)
        with pytest.raises(OSError, match="No space"):
            checkpoint.atomic_write_text(path, "newer")
        monkeypatch.undo()
    assert path.read_text() == "new" and names(tmp_path) == ["a.json"]


def test_a_text_has_ordinary_permissions_and_links_are_not_followed(tmp_path):
    """A temporary file of mode 0600 would lock others out of a shared model."""
    plain, linked = tmp_path / "plain", tmp_path / "linked"
    plain.write_text("target")
    linked.symlink_to(plain)
    checkpoint.atomic_write_text(linked, "new")
    assert plain.read_text() == "target" and linked.read_text() == "new"
    assert stat.S_IMODE(linked.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)
    save(tmp_path / "model", {"w": floats(0, 2)})
    for path in (tmp_path / "model").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a POSIX system")
def test_a_pipe_is_written_to(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    checkpoint.atomic_write_text(pipe, "new")
    assert os.read(reader, 9) == b"new" and names(tmp_path) == ["pipe"]
    os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


# ------------------------------------------------------------------ transformers

@pytest.fixture
def hf(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return pytest.importorskip("transformers")


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def small(hf, **changes):
    return hf.BertConfig(vocab_size=31, hidden_size=12, num_hidden_layers=2,
                         num_attention_heads=3, intermediate_size=20,
                         max_position_embeddings=16, **changes)


@pytest.mark.parametrize("limit", ["5GB", "3KB"])
@pytest.mark.parametrize("name", ["BertModel", "BertForPreTraining"])
def test_transformers_reads_what_we_save(hf, torch, tmp_path, name, limit):
    cls = getattr(hf, name)
    model = cls(small(hf))
    ties = getattr(cls, "_tied_weights_keys", None) or {}
    params = {key: np.random.default_rng(len(key)).standard_normal(tensor.shape)
              for key, tensor in model.state_dict().items()
              if key not in ties and tensor.is_floating_point()}
    save(tmp_path, params, json.dumps({**model.config.to_dict(), "dtype": "float64"}),
         max_shard_size=limit)
    assert (tmp_path / INDEX).exists() == (limit == "3KB")
    loaded, info = cls.from_pretrained(tmp_path, output_loading_info=True,
                                       dtype=torch.float64)
    assert not any(info.values()), info
    state = loaded.state_dict()
    for key, array in params.items():
        np.testing.assert_array_equal(state[key].numpy(), array)
    for alias, key in ties.items():
        assert state[alias].data_ptr() == state[key].data_ptr()


@pytest.mark.parametrize("limit", ["5GB", "3KB"])
@pytest.mark.parametrize("half", ["float16", "bfloat16", "float32"])
def test_we_read_what_transformers_saves(hf, torch, tmp_path, half, limit):
    model = hf.BertForMaskedLM(small(hf)).to(getattr(torch, half))
    model.save_pretrained(tmp_path, max_shard_size=limit)
    state = {key: tensor for key, tensor in model.state_dict().items()
             if key not in TIES and tensor.is_floating_point()}
    shapes = {key: tuple(tensor.shape) for key, tensor in state.items()}
    params, report = load(tmp_path, shapes, "float64", aliases=TIES)
    assert report == ([], [], [])
    for key, tensor in state.items():
        np.testing.assert_array_equal(params[key], tensor.double().numpy())


def test_a_full_disk_is_an_os_error_and_the_old_checkpoint_stays(tmp_path, monkeypatch):
    from safetensors import SafetensorError

    def full(*args):
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    checkpoint.save(tmp_path, {"w": np.ones(3, "float32")}, config_text="{}")
    monkeypatch.setattr("numbert.system.saving.save_file", full)
    with pytest.raises(OSError, match="could not be written: .*No space left"):
        checkpoint.save(tmp_path, {"w": np.zeros(3, "float32")}, config_text="{}")
    loaded, _ = checkpoint.load(tmp_path, {"w": (3,)}, dtype="float32")
    assert np.array_equal(loaded["w"], np.ones(3))
