"""Write files and checkpoints whole or not at all: readers see the old or the new.

One process at a time may save into a directory; any number may read it meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import save_file

from .jsonfiles import json_text

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
SHARD = re.compile(r"model(-\d+)?-\d{5}-of-\d{5}\.safetensors")
UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def save(directory: str | os.PathLike, params: Mapping[str, np.ndarray], *,
         config_text: str, max_shard_size: int | str = 5_000_000_000,
         metadata: Mapping[str, str] = {"format": "pt"}) -> None:
    """Write config.json and the weights; the old files stay until both are complete.

    Args:
        directory: made if absent. Files that belong to no checkpoint are left alone.
        params: {name: float array}.
        config_text: the text of config.json.
        max_shard_size: bytes, or "5GB", "200MB"; larger weights are split into shards.
        metadata: texts for the header of each file; transformers needs "format": "pt".

    Raises:
        OSError: the files could not be written. The old checkpoint is unchanged.
        ValueError: an array is not float, or max_shard_size is not a size.
    """
    directory = Path(directory)
    limit = _bytes(max_shard_size)
    _check_floats(params)
    if directory.exists() and not directory.is_dir():
        raise NotADirectoryError(f"{directory} is a file, expected a directory: pass "
                                 "one to save in")
    directory.mkdir(parents=True, exist_ok=True)
    with staging_folder(directory, "checkpoint") as staging:
        shards = _split(params, limit)
        files = _shard_names(directory, len(shards))
        for file, shard in zip(files, shards):
            write_tensors(shard, staging / file, dict(metadata))
        if len(shards) > 1:
            _write(staging / INDEX, _index_text(files, shards).encode("utf-8"))
            files.append(INDEX)
        _write(staging / CONFIG, config_text.encode("utf-8"))
        _put_in_place(directory, staging, files)
    _remove_stale(directory, files)


@contextlib.contextmanager
def atomic_file(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path to write to; the file there then replaces `path`.

    Readers see the whole old file or the whole new one.  After an error the old one
    stays.  A link is replaced, not followed.
    """
    path = Path(path)
    with staging_folder(path.parent, path.name) as folder:
        yield folder / path.name
        _fsync(folder / path.name)
        os.replace(folder / path.name, path)
    fsync_directory(path.parent)


@contextlib.contextmanager
def staging_folder(directory: Path, name: str) -> Iterator[Path]:
    """Yield a new folder inside `directory`, in which files wait until they are whole.

    It is removed at the end.  If the process is killed, it stays: the next call with
    the same name removes it.  A folder, and not a file, because safetensors writes to
    files with names of its own choice, and a checkpoint has several.
    """
    from .places import locked           # not at the top: `import numbert` is quicker
    remove_leftovers(directory, name)
    folder = directory / f".{name}.{os.urandom(16).hex()}.tmp"
    held = None
    try:
        folder.mkdir()
        held = locked(folder)            # which shows others that this writer lives
        yield folder
    finally:
        if held is not None:
            os.close(held)
        _remove_folder(folder)


def remove_leftovers(directory: Path, name: str) -> None:
    """Remove the staging folders of this name whose process was killed."""
    from .places import locked
    ours = re.compile(rf"\.{re.escape(name)}\.[0-9a-f]{{32}}\.tmp")
    found = os.listdir(directory) if directory.is_dir() else []     # quicker than glob
    for folder in [directory / file for file in found if ours.fullmatch(file)]:
        held = locked(folder)
        if held is not None:
            os.close(held)
            _remove_folder(folder)


def atomic_write_text(path: str | os.PathLike, text: str,
                      follow_links: bool = False) -> None:
    """Write a UTF-8 text file whole or not at all; readers see the old or the new.

    A pipe or a device cannot be replaced: the text is written to it.

    Args:
        follow_links: keep a link, and replace the file that it points to.  Meant for
            paths that a user typed.  By default the link itself is replaced: saving
            into a folder of links into the hub's cache must not change the cache.

    Raises:
        OSError: the file could not be written.  The old one is unchanged.
    """
    path, data = Path(path), text.encode("utf-8")
    if path.exists() and not path.is_file():
        path.write_bytes(data)
        return
    try:
        with atomic_file(path.resolve() if follow_links else path) as temporary:
            temporary.write_bytes(data)
    except OSError as error:                # it names the temporary file, or none
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


# ------------------------------------------------------------- what to write

def _bytes(size: int | str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?B)?", str(size).strip().upper())
    number = int(float(match[1]) * UNITS[match[2] or ""]) if match else 0
    if number < 1:
        raise ValueError(f"max_shard_size is {size!r}, expected a number of bytes, or "
                         "a text such as '5GB' or '200MB': pass one of these")
    return number


def _check_floats(params: Mapping[str, np.ndarray]) -> None:
    for name, array in params.items():
        found = getattr(array, "dtype", type(array).__name__)
        if not isinstance(array, np.ndarray) or array.dtype.kind != "f" \
                or array.dtype.itemsize > 8:
            raise ValueError(f"{name} is of type {found}, expected a NumPy array of "
                             "float16, float32 or float64: convert it before saving")


def _split(params: Mapping[str, np.ndarray], limit: int) -> list[dict[str, np.ndarray]]:
    """Fill shards in order up to `limit` bytes; a larger tensor gets its own shard."""
    shards: list[dict[str, np.ndarray]] = [{}]
    room = limit
    for name, array in params.items():
        if array.nbytes > room and shards[-1]:
            shards.append({})
            room = limit
        shards[-1][name] = array
        room -= array.nbytes
    return shards


def _shard_names(directory: Path, count: int) -> list[str]:
    """Name shards as Hugging Face does, but avoid the names of shards in use."""
    if count == 1:
        return [WEIGHTS]
    stem, number = "model", 0
    while any(directory.glob(f"{stem}-?????-of-?????.safetensors")):
        number += 1
        stem = f"model-{number}"
    return [f"{stem}-{i:05d}-of-{count:05d}.safetensors" for i in range(1, count + 1)]


def _index_text(files: list[str], shards: list[dict[str, np.ndarray]]) -> str:
    total = sum(array.nbytes for shard in shards for array in shard.values())
    weight_map = {name: file for file, shard in zip(files, shards) for name in shard}
    return json_text({"metadata": {"total_size": total}, "weight_map": weight_map},
                     indent=2) + "\n"


# ------------------------------------------------------------ putting it in place

def _put_in_place(directory: Path, staging: Path, files: list[str]) -> None:
    """Move config.json and `files`, whose last one is what readers open first."""
    # Readers, including Hugging Face's, open model.safetensors if it exists, else the
    # index and the shards that it names. So one step decides which weights they see:
    #   to a single file:            model.safetensors is replaced, and hides an index.
    #   from shards to shards:       the index is replaced. Until then nothing names the
    #                                new shards, which have names of their own.
    #   from single file to shards:  model.safetensors is removed. Until then it hides
    #                                the new index.
    # Everything else moves before that step, while nobody looks at it, and stale files
    # go after it. config.json is a second file. If its text is the same, it is left
    # alone; else it is replaced just before the step, and put back if the step fails.
    # Only a kill (not an error) between those two can pair a changed config with the
    # old weights: no system call replaces two files at once.
    hidden = files[-1] == INDEX and (directory / WEIGHTS).exists()
    early = files if hidden else files[:-1]
    # The step is done when this file is gone.
    waiting = directory / WEIGHTS if hidden else staging / files[-1]
    config = directory / CONFIG
    old_config = config.read_bytes() if config.exists() else None
    try:
        for file in early:
            os.replace(staging / file, directory / file)
        fsync_directory(directory)
        if old_config != (staging / CONFIG).read_bytes():
            os.replace(staging / CONFIG, config)
        if hidden:
            waiting.unlink()
        else:
            os.replace(waiting, directory / files[-1])
    except BaseException:
        if waiting.exists():
            _put_back(directory, early, old_config)
        raise
    fsync_directory(directory)


def _put_back(directory: Path, early: list[str], old_config: bytes | None) -> None:
    config = directory / CONFIG
    if old_config is None:
        config.unlink(missing_ok=True)
    elif config.read_bytes() != old_config:
        config.write_bytes(old_config)
    for file in early:
        (directory / file).unlink(missing_ok=True)


def _remove_stale(directory: Path, files: list[str]) -> None:
    if files[-1] == WEIGHTS:
        (directory / INDEX).unlink(missing_ok=True)
    for path in list(directory.iterdir()):
        if SHARD.fullmatch(path.name) and path.name not in files:
            path.unlink()


# --------------------------------------------------------------- to the disk

def _remove_folder(folder: Path) -> None:
    import shutil                        # not at the top: `import numbert` is quicker
    shutil.rmtree(folder, ignore_errors=True)


def write_tensors(tensors: Mapping[str, np.ndarray], path: Path,
                  metadata: dict[str, str]) -> None:
    """Write a safetensors file, and wait until it has reached the disk."""
    path.touch()
    mode = stat.S_IMODE(path.stat().st_mode)         # what the user's umask allows
    # The package copies memory as it is, strided or not, into a file of mode 0600.
    ordered = {name: np.asarray(array, order="C") for name, array in tensors.items()}
    try:
        save_file(ordered, path, metadata)
    except SafetensorError as error:                 # such as a full disk
        raise OSError(f"{path} could not be written ({error}), expected a disk that "
                      "takes it: free some space, or choose another folder") from None
    path.chmod(mode)
    _fsync(path)


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    _fsync(path)


def _fsync(path: Path) -> None:
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def fsync_directory(directory: Path) -> None:
    """Make renames survive a power cut, where the file system can do that."""
    if os.name == "posix":
        descriptor = os.open(directory, os.O_RDONLY)
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
        os.close(descriptor)
