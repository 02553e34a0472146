"""Weights are mapped, not read; and where that can't be, they are read."""

import errno
import mmap
import struct
import tracemalloc

import numpy as np
import pytest

from checkpoint_cases import WEIGHTS, f32, floats, load, save, write_raw
from numbert.system import checkpoint


def owner(array):
    """What holds the memory of an array."""
    while isinstance(array, (np.ndarray, memoryview)):
        array = array.obj if isinstance(array, memoryview) else array.base
    return array


@pytest.fixture(name="no_maps")
def fixture_no_maps(monkeypatch):
    """A file system that can't map files."""
    def refuse(*given, **options):
        raise OSError(errno.ENODEV, "No such device")
    monkeypatch.setattr(checkpoint.mmap, "mmap", refuse)


def test_tensors_of_the_wanted_dtype_are_not_read_but_mapped(tmp_path):
    save(tmp_path, {"a": floats(0, 2, 3), "b": floats(1, 4),
                    "half": floats(2, 5, dtype="f2")})
    shapes = {"a": (2, 3), "b": (4,), "half": (5,)}
    params, _ = load(tmp_path, shapes)
    assert isinstance(owner(params["a"]), mmap.mmap)
    assert owner(params["a"]) is owner(params["b"])              # one map for a file
    assert owner(params["half"]) is None                         # converted
    params, _ = load(tmp_path, shapes, "float64")
    assert [owner(x) for x in params.values()] == [None, None, None]


def test_what_is_written_to_an_array_stays_out_of_the_file(tmp_path):
    save(tmp_path, {"a": floats(0, 2000), "b": floats(1, 2000)})
    before = (tmp_path / WEIGHTS).read_bytes()
    shapes = {"a": (2000,), "b": (2000,)}
    (one, _), (two, _) = load(tmp_path, shapes), load(tmp_path, shapes)
    one["a"] *= 3
    one["b"][-1] = 7
    np.testing.assert_array_equal(two["a"], floats(0, 2000))     # nor in another load
    np.testing.assert_array_equal(one["a"], floats(0, 2000) * np.float32(3))
    np.testing.assert_array_equal(one["b"][:-1], floats(1, 2000)[:-1])
    assert (tmp_path / WEIGHTS).read_bytes() == before


@pytest.mark.parametrize("shift", [1, 2, 4])
@pytest.mark.parametrize("code, letter", [("F32", "f"), ("F64", "d"), ("F16", "e")])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_tensor_may_lie_anywhere(tmp_path, shift, code, letter, dtype):
    """Behind an odd number of bytes; what comes out is aligned all the same."""
    values = [0.5, -3.0, 1024.0]
    write_raw(tmp_path / WEIGHTS, {
        "odd": ("U8", (shift,), b"x" * shift),
        "w": (code, (3,), struct.pack(f"<3{letter}", *values))})
    array = load(tmp_path, {"w": (3,)}, dtype)[0]["w"]
    assert array.tolist() == values and array.dtype == dtype
    assert array.flags.aligned and array.flags.writeable and array.flags.c_contiguous


def test_a_file_that_is_replaced_or_deleted_keeps_its_arrays(tmp_path):
    save(tmp_path, {"w": floats(0, 50, 100)})
    old, _ = load(tmp_path, {"w": (50, 100)})                # nothing is touched yet
    save(tmp_path, {"w": floats(1, 20)})
    new, _ = load(tmp_path, {"w": (20,)})
    (tmp_path / WEIGHTS).unlink()
    np.testing.assert_array_equal(old["w"], floats(0, 50, 100))
    np.testing.assert_array_equal(new["w"], floats(1, 20))


def test_a_model_may_be_saved_where_it_was_loaded_from(tmp_path):
    save(tmp_path, {"a": floats(0, 3000), "b": floats(1, 3000)})
    params, _ = load(tmp_path, {"a": (3000,), "b": (3000,)})
    params["a"] += 1
    save(tmp_path, {"b": params["b"], "a": params["a"]})
    again, _ = load(tmp_path, {"a": (3000,), "b": (3000,)})
    for found in (params, again):
        np.testing.assert_array_equal(found["a"], floats(0, 3000) + np.float32(1))
        np.testing.assert_array_equal(found["b"], floats(1, 3000))


@pytest.mark.usefixtures("no_maps")
def test_where_nothing_can_be_mapped_files_are_read(tmp_path):
    save(tmp_path, {"a": floats(0, 2, 3), "b": floats(1, 4)})
    params, _ = load(tmp_path, {"a": (2, 3), "b": (4,)})
    np.testing.assert_array_equal(params["a"], floats(0, 2, 3))
    np.testing.assert_array_equal(params["b"], floats(1, 4))
    for array in params.values():
        assert owner(array) is None and array.flags.writeable


def test_windows_can_not_replace_a_mapped_file_so_it_maps_none(tmp_path, monkeypatch):
    path = tmp_path / WEIGHTS
    write_raw(path, {"w": f32([1])})
    assert checkpoint.map_file(path) is not None
    with monkeypatch.context() as patched:
        patched.setattr(checkpoint.os, "name", "nt")
        assert checkpoint.map_file(path) is None


@pytest.mark.parametrize("maps", [True, False])
def test_reading_does_not_hold_the_file_twice(tmp_path, request, maps):
    """Peak memory: the result and at most two tensors more."""
    if not maps:
        request.getfixturevalue("no_maps")
    count, size = 20, 100_000
    save(tmp_path, {f"w{i}": floats(i, size) for i in range(count)})
    tracemalloc.start()
    params, _ = load(tmp_path, {f"w{i}": (size,) for i in range(count)}, "float64")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    result = sum(array.nbytes for array in params.values())
    assert result == count * size * 8
    assert peak < result + 2 * size * 8
