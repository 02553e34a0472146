"""Find a checkpoint by its name: a local folder, or a repository of the hub.

Only this module talks to the Hugging Face hub, through the optional package
huggingface_hub.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .checkpoint import read_index
from .saving import CONFIG, INDEX, WEIGHTS

REPOSITORY = re.compile(r"(\w[\w.-]*/)?\w[\w.-]*", re.ASCII)
REQUIRED = (CONFIG, WEIGHTS)


class Repository(NamedTuple):
    """A repository at one revision, and how to reach it."""
    name: str
    revision: str | None
    cache_dir: Path | None
    local_files_only: bool
    token: str | bool | None


def resolve(name_or_path: str | os.PathLike,
            filenames: Sequence[str] = (CONFIG,), *, revision: str | None = None,
            cache_dir: str | os.PathLike | None = None, local_files_only: bool = False,
            token: str | bool | None = None) -> Path:
    """Find the local directory of a checkpoint, fetching files from the hub if needed.

    Args:
        name_or_path: a directory, which is returned unchanged, or a hub name such as
            "bert-base-uncased" or "google-bert/bert-base-uncased".
        filenames: the files to fetch, and no others. config.json and
            model.safetensors are required if they are listed (an index with its shards
            will do instead of the latter). Other files are optional, but at least one
            of all must exist.
        revision: branch, tag or commit of the repository; None means its main branch.
        cache_dir, local_files_only, token: as in huggingface_hub.hf_hub_download.

    Returns:
        The directory. All files come from one commit: the one in the local cache, if
        the cache has any of them.

    Raises:
        OSError: the directory or repository does not exist or cannot be reached.
    """
    if not isinstance(name_or_path, (str, os.PathLike)):
        raise TypeError(f"{name_or_path!r} is not a model, expected a directory or a "
                        "name on the hub")
    path = Path(name_or_path)
    if name_or_path == "":                           # Path would take it for "."
        raise FileNotFoundError("'' is not a model, expected a directory or a name on "
                                "the hub")
    if path.is_dir():
        return path
    if path.exists():
        raise NotADirectoryError(f"{path} is a file, expected a directory: pass the "
                                 "directory it is in")
    if not isinstance(name_or_path, str) or not REPOSITORY.fullmatch(name_or_path):
        raise FileNotFoundError(
            f"{path.absolute()}: no such directory, and {str(name_or_path)!r} is not "
            "the name of a hub repository ('name' or 'owner/name'): check the path")
    try:
        import huggingface_hub  # noqa: F401
    except ImportError:
        raise FileNotFoundError(
            f"{path.absolute()}: no such directory. If {name_or_path!r} is a "
            'repository on the Hugging Face hub, pip install "numbert[hub]"; else pass '
            "a directory") from None
    cache = None if cache_dir is None else Path(cache_dir)
    return _from_hub(Repository(name_or_path, revision, cache, local_files_only, token),
                     filenames)


def _from_hub(repository: Repository, filenames: Sequence[str]) -> Path:
    folder = None
    for filename in filenames:
        choices = (WEIGHTS, INDEX) if filename == WEIGHTS else (filename,)
        try:
            found = _fetch(repository, choices)
        except ConnectionError:
            if filename in REQUIRED:
                raise
            found = None
            repository = repository._replace(local_files_only=True)   # no second wait
        if found is None:
            if filename in REQUIRED:
                raise FileNotFoundError(
                    f"{_label(repository)} has no {' or '.join(choices)}. If its "
                    "weights are in another format (numbert reads only safetensors), "
                    "load them in transformers and convert them with save_pretrained")
            continue
        folder = found.parents[filename.count("/")]
        # Stay on this commit: the branch may have moved on since the file was cached.
        repository = repository._replace(revision=folder.name)
        if found.name == INDEX:
            for shard in sorted(set(read_index(found).values())):
                _fetch(repository, (shard,))
    if folder is None:
        raise FileNotFoundError(f"{_label(repository)} has none of "
                                f"{', '.join(filenames)}: check that it is a BERT "
                                "checkpoint")
    return folder


def _fetch(repository: Repository, choices: Sequence[str]) -> Path | None:
    """Return the first of `choices` in the local cache, else on the hub, else None.

    Raises:
        ConnectionError: the hub may have one, but cannot be asked.
        OSError: anything else failed.
    """
    from huggingface_hub import (_CACHED_NO_EXIST, hf_hub_download,
                                 try_to_load_from_cache)
    from huggingface_hub.utils import EntryNotFoundError, LocalEntryNotFoundError
    name, revision, cache_dir, local_files_only, token = repository
    wanted = f"cannot get {' or '.join(choices)} of {_label(repository)}: "
    unknown = []
    try:
        for choice in choices:
            cached = try_to_load_from_cache(name, choice, cache_dir=cache_dir,
                                            revision=revision)
            if isinstance(cached, str):
                return Path(cached)
            if cached is not _CACHED_NO_EXIST:
                unknown.append(choice)
        for choice in unknown:
            try:
                return Path(hf_hub_download(
                    name, choice, revision=revision, cache_dir=cache_dir, token=token,
                    local_files_only=local_files_only))
            except (LocalEntryNotFoundError, ConnectionError) as error:  # no answer
                raise ConnectionError(
                    f"{wanted}it is not in the local cache, and the hub cannot be "
                    "reached, or may not be (offline mode). Connect once, or pass a "
                    "directory") from error
            except EntryNotFoundError:                       # the answer: no such file
                pass
    except ConnectionError:
        raise
    except Exception as error:         # OSError, ValueError, or an HTTP library's own
        raise OSError(wanted + _reason(error)) from error
    return None


def _label(repository: Repository) -> str:
    at = f" at {repository.revision}" if repository.revision else ""
    return f"the hub repository {repository.name!r}{at}"


def _reason(error: Exception) -> str:
    from huggingface_hub import utils
    known: list[tuple[Any, str]] = [
        (utils.GatedRepoError, "its owner must grant access: pass token=..."),
        (utils.RepositoryNotFoundError,
         "no such repository, or a private one: check the name, or pass token=..."),
        (utils.RevisionNotFoundError, "no such revision: check revision=..."),
    ]
    for kind, reason in known:
        if isinstance(error, kind):
            return reason
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"
