"""Find a checkpoint by its name: a local folder, or a repository of the hub.

Only this module talks to the Hugging Face hub, through the optional package
huggingface_hub.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from .checkpoint import read_index
from .saving import CONFIG, INDEX, WEIGHTS

REPOSITORY = re.compile(r"(\w[\w.-]*/)?\w[\w.-]*", re.ASCII)
REQUIRED = (CONFIG, WEIGHTS)


class Repository(NamedTuple):
    """A folder of a repository at one revision, and how to reach it."""
    name: str
    subfolder: str
    revision: str | None
    cache_dir: Path | None
    local_files_only: bool
    token: str | bool | None
    force_download: bool


def resolve(name_or_path: str | os.PathLike,
            filenames: Sequence[str] = (CONFIG,), *, revision: str | None = None,
            cache_dir: str | os.PathLike | None = None, local_files_only: bool = False,
            token: str | bool | None = None, subfolder: str = "",
            force_download: bool = False) -> Path:
    """Find the local directory of a checkpoint, fetching files from the hub if needed.

    A directory of this name comes first.  Otherwise, a name of one or two parts may be
    a repository on the hub, even if there is a directory with the name of its owner.
    So the hub is asked, but only once: without a network the error comes at once.

    Args:
        name_or_path: a directory, which is returned unchanged, or a hub name such as
            "bert-base-uncased" or "google-bert/bert-base-uncased".
        filenames: the files to fetch, and no others. config.json and
            model.safetensors are required if they are listed (an index with its shards
            will do instead of the latter). Other files are optional, but at least one
            of all must exist.
        revision: branch, tag or commit of the repository; None means its main branch.
        cache_dir, local_files_only, token, force_download: as in
            huggingface_hub.hf_hub_download.
        subfolder: where the checkpoint lies inside the directory or the repository.

    Returns:
        The directory, with its subfolder. All files come from one commit: the one in
        the local cache, if the cache has any of them.

    Raises:
        OSError: the directory or repository does not exist or cannot be reached.
        ValueError: the subfolder leads out of the directory.
    """
    if not isinstance(name_or_path, (str, os.PathLike)):
        raise TypeError(f"{name_or_path!r:.80} is not a model, expected a directory or "
                        "a name on the hub: pass a text or a Path")
    path, inside = Path(name_or_path), PurePosixPath(subfolder or "")
    if inside.is_absolute() or ".." in inside.parts or {*inside.as_posix()} & {*"\\:"}:
        raise ValueError(f"subfolder is {subfolder!r}, expected a path inside the "
                         "directory or repository: pass the path itself as the name")
    if path.is_dir() and name_or_path != "":         # Path would take "" for "."
        if not (path / inside).is_dir():
            raise FileNotFoundError(f"{path} has no directory {subfolder!r}, expected "
                                    "one with a checkpoint: check subfolder=...")
        return path / inside
    _check_repository(name_or_path, path)
    cache = None if cache_dir is None else Path(cache_dir)
    prefix = f"{inside}/" if inside.parts else ""
    repository = Repository(
        str(name_or_path), prefix, revision, cache, local_files_only, token,
        force_download and not local_files_only)
    try:
        return _from_hub(repository, filenames) / inside
    except ConnectionError as error:
        raise ConnectionError(f"{path.absolute()}: no such directory, and {error}"
                              ) from error


def _check_repository(name: str | os.PathLike, path: Path) -> None:
    """Refuse what is not a directory and can't be on the hub either."""
    if name == "":
        raise FileNotFoundError("'' is not a model, expected a directory or a name on "
                                "the hub: pass '.' for the current directory")
    if path.exists():
        raise NotADirectoryError(f"{path} is a file, expected a directory: pass the "
                                 "directory it is in")
    if not isinstance(name, str) or not REPOSITORY.fullmatch(name):
        raise FileNotFoundError(
            f"{path.absolute()}: no such directory, and {str(name)!r} is not the name "
            "of a hub repository ('name' or 'owner/name'), expected one of these: "
            "check the path")
    try:
        import huggingface_hub  # noqa: F401
    except ImportError:
        raise FileNotFoundError(
            f"{path.absolute()}: no such directory, expected one, or the name of a "
            "repository on the Hugging Face hub: pass a directory, or pip install "
            '"numbert[hub]"') from None


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
                    f"{_label(repository)} has no {' or '.join(choices)}, expected one "
                    "of them: if its weights are in another format, convert them with "
                    "transformers' save_pretrained, as numbert reads only safetensors")
            continue
        folder = found.parents[f"{repository.subfolder}{filename}".count("/")]
        # Stay on this commit: the branch may have moved on since the file was cached.
        repository = repository._replace(revision=folder.name)
        if found.name == INDEX:
            for shard in sorted(set(read_index(found).values())):
                _fetch(repository, (shard,))
    if folder is None:
        raise FileNotFoundError(f"{_label(repository)} has none of "
                                f"{', '.join(filenames)}, expected one of them: check "
                                "the name of the repository")
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
    name, subfolder, revision, cache_dir, local_files_only, token, force = repository
    wanted = f"cannot get {' or '.join(choices)} of {_label(repository)}: "
    unknown = []
    try:
        for file in [f"{subfolder}{choice}" for choice in choices]:
            cached = try_to_load_from_cache(name, file, cache_dir=cache_dir,
                                            revision=revision)
            if isinstance(cached, str) and not force:
                return Path(cached)
            if force or cached is not _CACHED_NO_EXIST:
                unknown.append(file)
        for file in unknown:
            try:
                if not local_files_only:
                    _reach(repository, file)
                return Path(hf_hub_download(
                    name, file, revision=revision, cache_dir=cache_dir, token=token,
                    local_files_only=local_files_only, force_download=force))
            except (LocalEntryNotFoundError, ConnectionError) as error:  # no answer
                raise ConnectionError(
                    f"{wanted}it is not in the local cache, expected it there, as the "
                    "hub cannot be reached, or may not be (offline mode): connect "
                    "once, or pass a directory") from error
            except EntryNotFoundError:                       # the answer: no such file
                pass
    except ConnectionError:
        raise
    except Exception as error:         # OSError, ValueError, or an HTTP library's own
        raise OSError(wanted + _reason(error)) from error
    return None


def _reach(repository: Repository, file: str) -> None:
    """Raise ConnectionError if the hub does not answer one request about a file.

    Without a network, hf_hub_download would keep trying for 23 seconds.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.utils import HfHubHTTPError, HFValidationError
    name, _, revision, _, _, token, _ = repository
    try:
        get_hf_file_metadata(hf_hub_url(name, file, revision=revision), token=token)
    except (HfHubHTTPError, HFValidationError):
        pass                           # an answer, which hf_hub_download explains
    except Exception as error:                     # an HTTP library's own
        raise ConnectionError(str(error)) from error


def _label(repository: Repository) -> str:
    folder = f"{repository.subfolder!r} in " if repository.subfolder else ""
    at = f" at {repository.revision}" if repository.revision else ""
    return f"{folder}the hub repository {repository.name!r}{at}"


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
