"""Read data files: lines, TSV, JSONL and CoNLL, with errors that name the line.

Each reader yields (where, content).  `where` is "train.tsv, line 3", for later errors.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from .jsonfiles import MOST_BYTES, json_text, parse_json
from .numbers import is_whole_number


def text_lines(path) -> Iterator[tuple[str, str]]:
    """Yield the lines of a UTF-8 file, without line ends and byte order mark."""
    with open(path, "rb") as file:
        yield from decoded_lines(file, path)


def decoded_lines(file: IO[bytes], name) -> Iterator[tuple[str, str]]:
    """Yield the lines of an open file, which errors call `name`; see `text_lines`.

    It may be a stream, such as a pipe: its lines are read once, as they come.
    """
    lines = iter(lambda: file.readline(MOST_BYTES + 1), b"")
    for number, raw in enumerate(lines, 1):
        where = f"{name}, line {number}"
        if len(raw) > MOST_BYTES:
            raise ValueError(f"{where} has more than {MOST_BYTES:,} bytes, expected "
                             "text: check what the file is")
        try:
            line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{where}: byte {error.start} is 0x{raw[error.start]:02x}, expected "
                "UTF-8: save the file as UTF-8") from None
        yield where, line.rstrip("\n").rstrip("\r")


def read_tsv(path) -> Iterator[tuple[str, list[str]]]:
    """Yield the columns of each line, stripped; quotation marks have no meaning.

    Blank lines are skipped.  So is a first line whose last column is "label".

    Raises:
        ValueError: a line has more or fewer columns than the first.
    """
    first = 0
    for where, line in text_lines(path):
        columns = [column.strip() for column in line.split("\t")]
        if columns == [""]:
            continue
        if not first:
            first = len(columns)
            if columns[-1].lower() in ("label", "labels"):
                continue
        if len(columns) != first:
            raise ValueError(f"{where}: the number of columns is {len(columns)}, "
                             f"expected {first} as in the first line: separate "
                             "columns with a TAB")
        yield where, columns


def read_jsonl(path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the JSON object on each line; blank lines are skipped."""
    yield from json_rows(text_lines(path))


def json_rows(lines: Iterable[tuple[str, str]], example: str =
              '{"text": ..., "label": ...}') -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the JSON object on each of some lines; blank lines are skipped.

    lines: from `text_lines` or `decoded_lines`.
    example: of what errors say was expected.
    """
    for where, line in lines:
        if not line.strip():
            continue
        yield where, parse_json(
            line, where, expected=f"a JSON object such as {example}",
            remedy="write one object on each line")


def read_conll(path) -> Iterator[tuple[str, list[str], list[str]]]:
    """Yield the words and labels of each sentence.

    Each line holds a word: the word first, its label last, with white space or a TAB
    between columns.  A blank line ends a sentence.  "-DOCSTART-" lines are skipped.

    Raises:
        ValueError: a word has no label, or a line has more or fewer columns than the
            first.
    """
    width, start, words, labels = 0, "", list[str](), list[str]()
    for where, line in text_lines(path):
        columns = [column.strip() for column in line.split("\t")] if "\t" in line \
            else line.split()
        if not any(columns) or columns[0] == "-DOCSTART-":
            if words:
                yield start, words, labels
            words, labels = [], []
            continue
        if len(columns) < 2 or not columns[0] or not columns[-1]:
            raise ValueError(f"{where}: {line.strip()!r} has no label, expected a "
                             "word, white space, and its label: add the label")
        width = width or len(columns)
        if len(columns) != width:
            raise ValueError(f"{where}: the number of columns is {len(columns)}, "
                             f"expected {width} as in the first line: give every word "
                             "the same columns")
        start = start if words else where
        words.append(columns[0])
        labels.append(columns[-1])
    if words:
        yield start, words, labels


def is_jsonl(path, json_too: bool = True) -> bool:
    """Whether a file is JSONL by its name; files named *.json often are, too."""
    return Path(path).suffix.lower() in (".jsonl", ".ndjson", *[".json"] * json_too)


def field(where: str, row: dict, name: str, kind: type = str) -> Any:
    """Return one field of a JSON object, checked.

    Raises:
        ValueError: it is absent or null, or has another type.
    """
    if row.get(name) is None:
        found = "is null" if name in row else \
            f"is missing (there is {', '.join(row) or 'nothing'})"
        raise ValueError(f"{where}: {name} {found}, expected a {NAMES[kind]}: add it")
    return checked(where, name, row[name], kind)


def checked(where: str, name: str, value: Any, kind: type = str) -> Any:
    """Return `value` if it has this type."""
    if not (is_whole_number(value) if kind is int else isinstance(value, kind)):
        raise ValueError(f"{where}: {name} is {json_text(value)[:60]}, expected a "
                         f"{NAMES[kind]}: correct this value")
    return value


def strings(where: str, row: dict, name: str) -> list[str]:
    """Return one field of a JSON object, which must be a list of strings."""
    return [checked(where, f"{name}[{i}]", value)
            for i, value in enumerate(field(where, row, name, list))]


NAMES = {str: "string", list: "list", int: "whole number", dict: "JSON object"}


def nonempty(examples: list, path) -> list:
    """Return the examples of a file, if there are any."""
    if not examples:
        raise ValueError(f"{path} holds no examples, expected at least one: add some")
    return examples
