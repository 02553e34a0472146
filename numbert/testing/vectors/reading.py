"""Find vectors: by group, by id, and what each asks and expects."""

from __future__ import annotations

import copy
import functools
from pathlib import Path
from typing import Any

from ...system.jsonfiles import read_json
from ...verify.names import nearest

FOLDER = Path(__file__).parent
DIALECTS = ("google", "hf-legacy", "hf-fast")
Vector = dict[str, Any]


def groups() -> list[str]:
    """Return the names of the groups, in the order in which a text is worked on."""
    order = ("cleaning", "normalization", "pre_tokenization", "wordpiece", "encoding",
             "offsets", "truncation", "padding", "decoding", "added_tokens",
             "attention_masks", "positions", "labels")
    return [name for name in order if (FOLDER / f"{name}.json").is_file()]


@functools.cache
def _read(group: str) -> dict[str, Any]:
    """Return the content of a group's file; it must not be changed."""
    if group not in groups():
        raise ValueError(f"the group is {group!r}, expected one of "
                         f"{', '.join(groups())}: correct it")
    return read_json(FOLDER / f"{group}.json")


def load(group: str) -> dict[str, Any]:
    """Return a group: its file, with "vectors", "operations", "flags" and more.

    It is a copy, which may be changed.

    Raises:
        ValueError: there is no such group.
    """
    return copy.deepcopy(_read(group))


def every(group: str | None = None, flag: str | None = None,
          dialect: str | None = None, bug: str | None = None) -> list[Vector]:
    """Return all vectors, or those that are wanted.

    Args:
        group: only those of this group.
        flag: only those with this flag.
        dialect: only those that concern google, hf-legacy or hf-fast.
        bug: only those that catch a bug of README.md, such as "H4".

    Raises:
        ValueError: there is no such group, flag, dialect or bug.
    """
    names = groups() if group is None else [group]
    found = [vector for name in names for vector in _read(name)["vectors"]]
    for what, value, among in (("flag", flag, "flags"), ("bug", bug, "catches")):
        known = {one for vector in found for one in vector[among]}
        if value is not None and value not in known:
            raise ValueError(f"the {what} is {value!r}, expected one of "
                             f"{', '.join(sorted(known))}: correct it")
    if dialect is not None:
        check_dialect(dialect)
    return [copy.deepcopy(vector) for vector in found
            if (flag is None or flag in vector["flags"])
            and (bug is None or bug in vector["catches"])
            and (dialect is None or applies(vector, dialect))]


def find(id: str) -> Vector:
    """Return the vector of an id, such as "cleaning-0012".

    Raises:
        ValueError: there is none.
    """
    group = id.rpartition("-")[0]
    among = every(group) if group in groups() else every()
    for vector in among:
        if vector["id"] == id:
            return vector
    raise ValueError(f"the vector is {id!r}, expected an id such as "
                     f"{nearest(id, [vector['id'] for vector in among])}: check the "
                     "spelling")


def request(vector: Vector) -> dict[str, Any]:
    """Return what a program is asked: id, operation, input and all settings.

    Settings that the vector leaves out have their defaults, and the vocabulary, which
    the vector names, is the list of its pieces: a piece's id is its place.
    """
    group = _read(vector["id"].rpartition("-")[0])
    settings = {**group["operations"][vector["operation"]]["settings"],
                **vector["settings"]}
    if "vocab" in settings:
        settings["vocab"] = group["vocabularies"][settings["vocab"]]
    return copy.deepcopy({"id": vector["id"], "operation": vector["operation"],
                          "input": vector["input"], "settings": settings})


def applies(vector: Vector, dialect: str) -> bool:
    """Whether a vector says anything about a dialect."""
    return "all" in vector["expected"] or dialect in vector["expected"]


def expected(vector: Vector, dialect: str) -> Any:
    """Return the output that a dialect must give.

    Raises:
        ValueError: there is no such dialect, or the vector says nothing about it.
    """
    check_dialect(dialect)
    if not applies(vector, dialect):
        raise ValueError(f"{vector['id']} is for {', '.join(vector['expected'])}, "
                         f"expected it to be for {dialect}: leave it out")
    values = vector["expected"]
    return copy.deepcopy(values[dialect] if dialect in values else values["all"])


def check_dialect(dialect: str) -> None:
    """Refuse an unknown dialect."""
    if dialect not in DIALECTS:
        raise ValueError(f"the dialect is {dialect!r}, expected one of "
                         f"{', '.join(DIALECTS)}: correct it")
