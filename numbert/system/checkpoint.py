"""Read weights: model.safetensors, or shards with an index, in Hugging Face's names.

`load` reads the tensors that a model asks for; `saving.save` writes them.
Pickles are never read: opening one can run any code that its author put there.
"""

from __future__ import annotations

import contextlib
import functools
import math
import mmap
import os
import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open

from .jsonfiles import AGAIN, parse_json, read_json
from .saving import INDEX, WEIGHTS

# bfloat16 is the upper half of a float32; NumPy can only hold its bits.
FLOATS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
# HF: before 2019 LayerNorm's weight and bias were called gamma and beta.
OLD_NAMES = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}
# HF: old versions saved these buffers; they hold 0, 1, 2, ... and 0, 0, 0, ...
IGNORED = ("embeddings.position_ids", "embeddings.token_type_ids")
FOREIGN = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt*", "*.h5", "*.msgpack")

Shape = tuple[int, ...]


class Report(NamedTuple):
    """Where a checkpoint and a model disagree, for the caller to judge.

    missing: names in the model but not in the files, in the model's order.
    unexpected: names in the files but not in the model, sorted.
    mismatched: (name, shape in the file, shape in the model); not loaded.
    """
    missing: list[str]
    unexpected: list[str]
    mismatched: list[tuple[str, Shape, Shape]]


class Stored(NamedTuple):
    """Where a tensor is stored: `offset` bytes from the start of `file`, or in memory.
    """
    file: Path
    dtype: str
    shape: Shape
    offset: int
    values: np.ndarray | None = None


def load(directory: str | os.PathLike, shapes: Mapping[str, Shape], *,
         dtype: Any, base_prefix: str,
         aliases: Mapping[str, str] | None = None,
         ignore_mismatched_sizes: bool = False,
         stored: Mapping[str, Stored] | None = None
         ) -> tuple[dict[str, np.ndarray], Report]:
    """Read the tensors of a model from a directory.

    Args:
        directory: a folder with model.safetensors, or an index and its shards.
        shapes: {name: shape} of the model, in Hugging Face's state-dict names.
        dtype: "float32" or "float64"; files of F16, BF16, F32 and F64 are converted.
        base_prefix: how the names of the backbone begin in a model with a head. Names
            match with or without it, in the files and in `shapes`.
        aliases: {other name: name in `shapes`} for tied tensors. An alias is used
            where the files lack the tensor itself.
        ignore_mismatched_sizes: leave out tensors of the wrong shape instead of
            refusing the checkpoint.
        stored: what to read, if not `inventory(directory)`.

    Returns:
        ({name: array}, Report). The arrays are C-contiguous, writable and in the
        order of `shapes`. What is written to them never reaches the files.

    A tensor that is in the wanted dtype already is not read but mapped: the system
    fetches each part of it when that is first used. So a model loads quickly, and a
    row of embeddings that no text needs is never read. A file may be replaced or
    deleted meanwhile, as by numbert's own saving: its content stays for those who have
    mapped it. But a program that changes the file in place, as `cp` over it does, can
    change the arrays, and one that shortens it can crash the process. The same holds
    for transformers. On Windows, files are read and not mapped.

    Raises:
        OSError: the directory does not exist, or holds no weights that can be read.
        ValueError: damaged files, an unsafe index, wrong dtypes, or wrong shapes (all
            of them in one message). No array has been read by then.

    Warns:
        UserWarning: an alias and the tensor it stands for have different values.
    """
    to = _model_dtype(dtype)
    stored = inventory(Path(directory)) if stored is None else stored
    claims, unexpected = _match(stored, shapes, base_prefix, aliases or {})
    chosen = {name: stored[claims[name][0]] for name in shapes if name in claims}
    _check_floats(directory, chosen)
    mismatched = [(name, found.shape, tuple(shapes[name]))
                  for name, found in chosen.items()
                  if found.shape != tuple(shapes[name])]
    if mismatched and not ignore_mismatched_sizes:
        _refuse_shapes(directory, mismatched)
    left_out = {name for name, _, _ in mismatched}
    mapped = functools.cache(map_file)               # one map for all tensors of a file
    params = {name: _read(found, to, mapped) for name, found in chosen.items()
              if name not in left_out}
    for name, value in params.items():
        used, *others = claims[name]
        for other in others:
            if stored[other].dtype not in FLOATS or not np.array_equal(
                    _read(stored[other], to, mapped), value, equal_nan=True):
                _warn_of_alias(directory, name, used, other)
    missing = [name for name in shapes if name not in claims]
    return params, Report(missing, unexpected, mismatched)


def _model_dtype(dtype: Any) -> np.dtype:
    for known in (np.dtype(np.float32), np.dtype(np.float64)):
        with contextlib.suppress(TypeError):         # NumPy does not know this dtype
            if dtype is not None and np.dtype(dtype) == known:
                return known
    raise ValueError(f"dtype is {dtype!r}, expected 'float32' or 'float64': NumPy "
                     "computes in these two")


# -------------------------------------------------------- what the files hold

def inventory(directory: Path) -> dict[str, Stored]:
    """Find where every tensor of a checkpoint is stored, without reading any.

    Raises:
        OSError, ValueError: as in `load`.
    """
    if not directory.exists():
        raise FileNotFoundError(f"{directory}: no such directory, expected one that "
                                f"holds {WEIGHTS}: check the path")
    if not directory.is_dir():
        raise NotADirectoryError(f"{directory} is a file, expected a directory: pass "
                                 "the directory it is in")
    if (directory / WEIGHTS).is_file():              # HF: preferred over an index
        return _header(directory / WEIGHTS)
    if (directory / INDEX).is_file():
        return _sharded(directory)
    foreign = sorted({path.name for glob in FOREIGN for path in directory.glob(glob)})
    if foreign:
        raise FileNotFoundError(
            f"{directory} holds {', '.join(foreign)}, expected {WEIGHTS}: numbert "
            "reads only safetensors, because a pickle can run code; load the model in "
            "transformers and convert it with model.save_pretrained(folder, "
            "safe_serialization=True)")
    raise FileNotFoundError(
        f"{directory} holds no weights, expected {WEIGHTS} or {INDEX}: pass a "
        "directory that save_pretrained wrote, or download the weights into this one")


def in_memory(state_dict: Mapping[str, Any]) -> dict[str, Stored]:
    """Make an inventory of arrays of NumPy or tensors of torch, by name."""
    codes = {np.dtype(code): name for name, code in FLOATS.items() if name != "BF16"}
    stored = {}
    for name, tensor in state_dict.items():
        if hasattr(tensor, "detach"):
            tensor = tensor.detach().cpu()
            if str(tensor.dtype) == "torch.bfloat16":        # NumPy has no such dtype
                tensor = tensor.float()
        values = np.asarray(tensor)
        stored[name] = Stored(Path("state_dict"), codes.get(values.dtype,
                              values.dtype.name), values.shape, 0, values)
    return stored


def _header(path: Path) -> dict[str, Stored]:
    """Return the table at the start of a safetensors file, checked by the package."""
    try:
        with safe_open(path, framework="numpy"):     # checks the table and the length
            pass
    except SafetensorError as error:
        raise ValueError(
            f"{path} ({path.stat().st_size} bytes) is cut short or has another format "
            f"({error}), expected a whole safetensors file: {AGAIN}") from None
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        table = parse_json(file.read(length).decode(), path)
    return {name: Stored(path, entry["dtype"], tuple(entry["shape"]),
                         8 + length + entry["data_offsets"][0])
            for name, entry in table.items() if name != "__metadata__"}


def _sharded(directory: Path) -> dict[str, Stored]:
    index = directory / INDEX
    weight_map = read_index(index)
    files = sorted(set(weight_map.values()))
    absent = [file for file in files if not (directory / file).is_file()]
    if absent:
        raise FileNotFoundError(f"{index} names {', '.join(absent)}, expected in the "
                                "same directory: copy or download the missing shards")
    for file in files:
        check_inside(directory, file)
    headers = {file: _header(directory / file) for file in files}
    lost = [f"{name} ({file})" for name, file in weight_map.items()
            if name not in headers[file]]
    if lost:
        raise ValueError(f"{index} names {', '.join(lost)}, expected tensors that are "
                         "in their shards: copy or download index and shards of one "
                         "save")
    return {name: headers[file][name] for name, file in weight_map.items()}


def read_index(path: Path) -> dict[str, str]:
    """Read {tensor name: shard file} from an index.

    Raises:
        ValueError: the file is not JSON or has no weight_map, or the name of a shard
            is not a plain file name.
    """
    expected = 'an index of shards, {"weight_map": {tensor: file}}'
    weight_map = read_json(path, expected=expected).get("weight_map")
    if not isinstance(weight_map, dict):
        raise ValueError(f"{path} has no \"weight_map\", expected {expected}: {AGAIN}")
    for file in weight_map.values():
        if not (isinstance(file, str)
                and re.fullmatch(r"\w[\w.-]*\.safetensors", file)):
            raise ValueError(
                f"{path} names the shard {file!r:.80}, expected a plain file name, "
                "*.safetensors, in the same directory: refused as unsafe; download the "
                "index again")
    return weight_map


def check_inside(directory: Path, file: str) -> None:
    """Refuse a shard that is a link to a file outside its checkpoint.

    One kind of link is allowed: in the hub's cache, snapshots/<revision>/<file> points
    into blobs/ of the same repository.
    """
    home, target = directory.resolve(), (directory / file).resolve()
    allowed = [home]
    if home.parent.name == "snapshots":
        allowed.append((home.parent.parent / "blobs").resolve())
    if not any(target.is_relative_to(place) for place in allowed):
        raise ValueError(f"{directory / file} is a link to {target}, expected a file "
                         f"inside {home}: refused as unsafe; put the file itself there")


def read_file(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Return {name: array} of one safetensors file, in the dtypes that it holds.

    NumPy has no bfloat16, so such a tensor comes as float32, which holds its values.

    Raises:
        OSError: there is no such file.
        ValueError: it is cut short, has another format, or a dtype that NumPy lacks.
    """
    stored = _header(Path(path))
    odd = [f"{name}: {found.dtype}" for name, found in stored.items()
           if not re.fullmatch(r"BOOL|BF16|F(16|32|64)|[IU](8|16|32|64)", found.dtype)]
    if odd:
        raise ValueError(f"{path} holds {'; '.join(odd)}, expected dtypes that NumPy "
                         "has, or BF16: convert these first")
    mapped = functools.cache(map_file)
    with safe_open(path, framework="numpy") as file:
        return {name: _read(found, np.dtype(np.float32), mapped)
                if found.dtype == "BF16" else file.get_tensor(name)
                for name, found in stored.items()}


# ---------------------------------------------------------- matching and reading

def _match(stored: Mapping[str, Stored], shapes: Mapping[str, Shape], prefix: str,
           aliases: Mapping[str, str]) -> tuple[dict[str, list[str]], list[str]]:
    """Return ({name in shapes: its names in the files, best first}, unexpected)."""
    claims: dict[str, list[tuple[int, str]]] = {}
    unexpected = []
    for name in stored:
        modern = name
        for old, new in OLD_NAMES.items():
            if name.endswith(old):
                modern = name.removesuffix(old) + new
        forms = [name, modern, modern.removeprefix(prefix), prefix + modern,
                 aliases.get(modern, "")]
        rank = next((i for i, form in enumerate(forms) if form in shapes), None)
        if rank is not None:
            claims.setdefault(forms[rank], []).append((rank, name))
        elif not name.endswith(IGNORED):
            unexpected.append(modern)
    best_first = {target: [name for _, name in sorted(names)]
                  for target, names in claims.items()}
    return best_first, sorted(unexpected)


def _check_floats(directory: Any, chosen: Mapping[str, Stored]) -> None:
    wrong = [f"{name}: {found.dtype}" for name, found in chosen.items()
             if found.dtype not in FLOATS]
    if wrong:
        raise ValueError(
            f"{directory} holds {'; '.join(wrong)}, expected tensors of "
            f"{', '.join(FLOATS)}: convert the weights to one of these first")


def _refuse_shapes(directory: Any, mismatched: list) -> None:
    listed = "".join(f"\n  {name}: {found} in the file, {wanted} in the model"
                     for name, found, wanted in mismatched)
    raise ValueError(
        f"{directory} holds {len(mismatched)} tensor(s) of other shapes, expected "
        "those of config.json: use the config.json of these weights, or pass "
        f"ignore_mismatched_sizes=True to start with new weights there{listed}")


def map_file(path: Path) -> mmap.mmap | None:
    """Return a map of a file, which can be written to and leaves the file alone.

    None where it has to be read instead.
    """
    if os.name == "nt":                   # Windows can't replace a file that is mapped
        return None
    with open(path, "rb") as file, contextlib.suppress(OSError):   # no maps there
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    return None


def _read(found: Stored, dtype: np.dtype, mapped: Callable) -> np.ndarray:
    if found.values is not None:
        return np.array(found.values, dtype, order="C")
    memory, size = mapped(found.file), math.prod(found.shape)
    raw = np.fromfile(found.file, FLOATS[found.dtype], size, offset=found.offset) \
        if memory is None else \
        np.frombuffer(memory, FLOATS[found.dtype], size, found.offset)
    if not raw.flags.aligned:                        # a file may put a tensor anywhere
        raw = raw.copy()
    if found.dtype == "BF16":
        raw = (raw.astype(np.uint32) << 16).view(np.float32)
    with np.errstate(invalid="ignore"):              # a signalling NaN is a NaN, too
        return raw.astype(dtype, copy=False).reshape(found.shape)


def _warn_of_alias(directory: Any, name: str, used: str, other: str) -> None:
    """Warn that an alias differs from its tensor.  HF: unties the two in this case."""
    warnings.warn(
        f"{directory}: {other!r} differs from {used!r}, but both stand for {name!r}; "
        f"{used!r} is used. If the two are meant to differ, set "
        '"tie_word_embeddings": false in config.json', stacklevel=3)
