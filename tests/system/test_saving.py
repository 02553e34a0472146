"""Writing weights: shards, and an old checkpoint that outlives every failure."""

import json
import os
import re
import stat
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from safetensors.numpy import load_file

from checkpoint_cases import CONFIG, INDEX, TIES, WEIGHTS, floats, load, names, save
from numbert.system import checkpoint, saving


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
    with pytest.raises(ValueError, match=re.escape(f"size is {size!r}, exp")):
        save(tmp_path / "x", {"w": floats(0, 2)}, max_shard_size=size)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("value", [
    np.arange(3), [1.0, 2.0], np.ones(2, complex), np.ones(2, np.longdouble), None])
def test_only_float_arrays_are_saved(tmp_path, value):
    with pytest.raises(ValueError, match="^bad.name is .*, expected a NumPy array"):
        save(tmp_path / "x", {"w": floats(0, 2), "bad.name": value})
    assert not (tmp_path / "x").exists()


def test_saving_onto_a_file(tmp_path):
    (tmp_path / "x").touch()
    with pytest.raises(NotADirectoryError, match="is a file, expected a directory"):
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
    owner = Path if name == "unlink" else os
    step = getattr(owner, name)

    def interrupted(*arguments, **options):
        step(*arguments, **options)
        if Path(arguments[-1]) == tmp_path / decisive:
            raise KeyboardInterrupt

    monkeypatch.setattr(owner, name, interrupted)
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
    saving.atomic_write_text(path, "ä\n")
    assert path.read_bytes() == "ä\n".encode()               # UTF-8, no \r\n
    saving.atomic_write_text(str(path), "new")
    assert path.read_text() == "new" and names(tmp_path) == ["a.json"]
    with pytest.raises(UnicodeEncodeError):
        saving.atomic_write_text(path, "\ud800")

    def full(*_):
        raise OSError(28, "No space left on device")

    for function in "fsync", "replace":
        monkeypatch.setattr(os, function, full)
        with pytest.raises(OSError, match="No space"):
            saving.atomic_write_text(path, "newer")
        monkeypatch.undo()
    assert path.read_text() == "new" and names(tmp_path) == ["a.json"]


def test_a_text_has_ordinary_permissions_and_links_are_not_followed(tmp_path):
    """A temporary file of mode 0600 would lock others out of a shared model."""
    plain, linked = tmp_path / "plain", tmp_path / "linked"
    plain.write_text("target")
    linked.symlink_to(plain)
    saving.atomic_write_text(linked, "new")
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
    saving.atomic_write_text(pipe, "new")
    assert os.read(reader, 9) == b"new" and names(tmp_path) == ["pipe"]
    os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_link_is_followed_if_that_is_asked_for(tmp_path):
    real, link, dangling = (tmp_path / name for name in ("real", "link", "dangling"))
    real.write_text("old")
    link.symlink_to(real)
    dangling.symlink_to(tmp_path / "made")
    for path in link, dangling:
        saving.atomic_write_text(path, "new", follow_links=True)
        assert path.is_symlink() and path.read_text() == "new"
    assert names(tmp_path) == ["dangling", "link", "made", "real"]
    assert real.read_text() == "new"


@pytest.mark.skipif(not Path("/dev/stdout").exists(), reason="needs /dev/stdout")
@pytest.mark.parametrize("follow", [True, False])
def test_the_standard_output_is_written_to(follow):
    """Through a pipe, which /dev/stdout is a link to."""
    code = ("from numbert.system.saving import atomic_write_text\n"
            f"atomic_write_text('/dev/stdout', 'new', follow_links={follow})")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "new"), done.stderr


def test_writing_a_text_asks_no_umask(tmp_path, monkeypatch):
    """The umask is of the whole process: other threads would write with it."""
    monkeypatch.setattr(os, "umask", None)
    saving.atomic_write_text(tmp_path / "a", "new")
    assert names(tmp_path) == ["a"]


@pytest.mark.skipif(os.name != "posix", reason="needs a POSIX system")
@pytest.mark.parametrize("mask", [0o002, 0o022, 0o077])
def test_the_umask_decides_who_may_read(tmp_path, mask):
    old = os.umask(mask)
    try:
        saving.atomic_write_text(tmp_path / "a", "new")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o666 & ~mask


def test_an_error_names_the_file_that_was_asked_for(tmp_path):
    path = tmp_path / "none" / "a"
    with pytest.raises(FileNotFoundError) as caught:
        saving.atomic_write_text(path, "new")
    assert caught.value.filename == str(path)


# ------------------------------------------------------------------ atomic_file

def test_a_file_written_in_parts_is_replaced_whole(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with saving.atomic_file(path) as temporary:
        with open(temporary, "wb") as file:
            for part in b"n", b"ew":
                file.write(part)
                file.flush()
                assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new" and names(tmp_path) == ["a.bin"]


@pytest.mark.parametrize("error", [OSError("full"), KeyboardInterrupt(), ValueError()])
def test_after_an_error_the_old_file_stays(tmp_path, error):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises(type(error)) as caught:
        with saving.atomic_file(path) as temporary:
            temporary.write_bytes(b"half")
            temporary.with_name("of-another-library").write_bytes(b"half")
            raise error
    assert caught.value is error
    assert path.read_bytes() == b"old" and names(tmp_path) == ["a.bin"]


def test_what_a_killed_writer_left_is_removed(tmp_path):
    """And nothing else, whatever the characters of its name."""
    path = tmp_path / "log[1].csv"
    code = ("import os, sys\nfrom numbert.system.saving import atomic_file\n"
            "with atomic_file(sys.argv[1]) as path:\n"
            "    path.write_bytes(b'half')\n    os._exit(1)")
    subprocess.run([sys.executable, "-c", code, str(path)])
    (tmp_path / ".log1.csv.x.tmp").mkdir()
    assert len(names(tmp_path)) == 2 and not path.exists()
    saving.atomic_write_text(path, "whole")
    assert names(tmp_path) == [".log1.csv.x.tmp", "log[1].csv"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows locks open files")
def test_a_save_removes_what_a_killed_save_left_and_nothing_else(tmp_path):
    code = ("import os, sys\nfrom pathlib import Path\n"
            "from numbert.system import saving\n"
            "saving.os.replace = lambda *names: os._exit(1)\n"
            "import numpy\n"
            "saving.save(sys.argv[1], {'w': numpy.zeros(3)}, config_text='{}')")
    subprocess.run([sys.executable, "-c", code, str(tmp_path)])
    assert len(names(tmp_path)) == 1
    with saving.staging_folder(tmp_path, "checkpoint") as alive:   # of another save
        assert names(tmp_path) == [alive.name]
        save(tmp_path, {"w": floats(0, 3)})
        assert alive.is_dir()
    assert names(tmp_path) == [CONFIG, WEIGHTS]


def test_what_a_living_writer_has_stays(tmp_path):
    with saving.atomic_file(tmp_path / "a.txt") as temporary:
        temporary.write_text("first")
        saving.atomic_write_text(tmp_path / "a.txt", "second")
        assert (tmp_path / "a.txt").read_text() == "second"
    assert (tmp_path / "a.txt").read_text() == "first" and names(tmp_path) == ["a.txt"]


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

    saving.save(tmp_path, {"w": np.ones(3, "float32")}, config_text="{}")
    monkeypatch.setattr("numbert.system.saving.save_file", full)
    with pytest.raises(OSError, match="could not be written .*No space left"):
        saving.save(tmp_path, {"w": np.zeros(3, "float32")}, config_text="{}")
    loaded, _ = checkpoint.load(tmp_path, {"w": (3,)}, dtype="float32", base_prefix="")
    assert np.array_equal(loaded["w"], np.ones(3))


def test_leftovers_of_a_folder_that_does_not_exist(tmp_path):
    saving.remove_leftovers(tmp_path / "nowhere", "log.jsonl")         # there are none
    assert not (tmp_path / "nowhere").exists()
