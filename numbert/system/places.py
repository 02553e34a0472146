"""Where results may go: never over an input, nor where another run is writing."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

# The files of a checkpoint, and the log beside them.
SUFFIXES, NAMES = (".json", ".safetensors"), ("vocab.txt", "log.jsonl")
LOCK = ".numbert-lock"                     # only where a folder itself can't be locked


def refuse_inputs(out, **inputs) -> None:
    """Refuse a place for results if writing there would replace an input.

    A folder stands for the files of a checkpoint that lie in it.  Links and `..` hide
    nothing: files are compared, not their names.

    Args:
        out: a file or folder; it need not exist.
        inputs: {what it is: file or folder}.  "-" is stdin.  None, and what is not
            there, such as a name on the Hugging Face hub, can't be replaced.

    Raises:
        ValueError: an input would be replaced.
    """
    if out is None:
        return
    written = files(out, "*")
    for name, path in inputs.items():
        read = files("/dev/stdin" if path == "-" else path, "*", "*/*")
        for replaced in (written[file] for file in written if file in read):
            raise ValueError(
                f"the output {out} would replace {replaced}, expected a place that "
                f"holds no part of the {name} {path}: choose another")


def files(path, *patterns: str) -> dict[tuple[int, int], Path]:
    """Return {device and inode: name} of a file, or of a folder and its checkpoint."""
    if path is None or not (path := Path(path)).exists():
        return {}
    if not path.is_dir():
        return {identity(path): path} if path.is_file() else {}
    inside = [file for pattern in patterns for file in path.glob(pattern)
              if file.is_file() and (file.suffix in SUFFIXES or file.name in NAMES)]
    return {identity(file): file for file in [path, *inside]}


def identity(path: Path) -> tuple[int, int]:
    """Return what identifies a file, whatever path leads to it: device and inode."""
    found = path.stat()
    return found.st_dev, found.st_ino


@contextlib.contextmanager
def one_run(folder) -> Iterator[None]:
    """Keep other runs out of a folder, which is made if absent.

    The operating system holds the lock, so it ends with the process, even if that is
    killed.

    Raises:
        BlockingIOError: another run has the folder.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    held = locked(folder)
    if held is None:
        raise BlockingIOError(f"{folder} is in use by another run, expected a folder "
                              "of its own: wait for that run, or choose another folder")
    try:
        yield
    finally:
        os.close(held)


def refuse_busy(folder) -> None:
    """Refuse a folder, at once, that another run has; see `one_run`."""
    if Path(folder).is_dir():
        with one_run(folder):
            pass


def locked(folder: Path) -> int | None:
    """Lock a folder; return what to close to unlock it, None if it is locked already.

    Some network drives know no locks: there, nothing keeps a second run out.
    """
    try:
        import fcntl
    except ImportError:                    # Windows removes the file when it is closed
        flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_TEMPORARY", 0)
        with contextlib.suppress(FileExistsError):
            return os.open(folder / LOCK, flags)
        return None
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        return None
    except OSError:                        # such a drive
        pass
    return held
