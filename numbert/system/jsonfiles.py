"""Read JSON files, and write the two kinds of JSON that numbert writes.

An error names the file, says what was expected in it, and tells what to do.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

KINDS = {dict: "an object", list: "a list", str: "a string", int: "a number",
         float: "a number", bool: "a boolean", type(None): "null"}
AGAIN = "download or write it again"
MOST_BYTES, MOST_LEVELS = 2**30, 100         # of a text that is read at once
HALF = re.compile(r"\\u[dD][89a-fA-F]")      # an escape of half a character


def read_text(path, expected: str = "UTF-8",
              remedy: str = "save the file as UTF-8") -> str:
    """Return the text of a UTF-8 file without its byte order mark.

    expected, remedy: how the error says what the file should hold, and what to do.

    Raises:
        OSError: the file can't be read; see `refuse_pipe`, too.
        ValueError: it is not UTF-8, or too large.
    """
    path = Path(path)
    refuse_pipe(path, expected)
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise ValueError(f"{path} has {size:,} bytes, expected {expected} of at most "
                         f"{MOST_BYTES:,}: {remedy}")
    raw = path.read_bytes()
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{path}: byte {error.start} (line {line}) is "
                         f"0x{raw[error.start]:02x}, expected {expected}: {remedy}"
                         ) from None


def refuse_pipe(path, expected: str) -> None:
    """Refuse a pipe or a device, which can be read only once and may never end.

    expected: what the file should hold.

    Raises:
        OSError: `path` is a pipe, a device or a folder; it has not been opened.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        kind, error = ("a folder", IsADirectoryError) if path.is_dir() else \
            ("a pipe or a device", OSError)
        raise error(f"{path} is {kind}, expected a file with {expected}: save it to a "
                    "file, and pass that")


def read_json(path, kind: type = dict, expected: str = "a JSON object",
              remedy: str = AGAIN) -> Any:
    """Return the value in a JSON file.

    Args:
        path: the file.
        kind: what the value must be, dict or list.
        expected, remedy: of the errors, as in `read_text`.

    Raises:
        OSError: as in `read_text`.
        ValueError: it is not UTF-8, not JSON, nested too deeply, too large, or of
            another kind.
    """
    text = read_text(path, f"{expected}, in UTF-8", remedy)
    return parse_json(text, path, kind, expected, remedy)


def parse_json(text: str, name, kind: type = dict, expected: str = "a JSON object",
               remedy: str = AGAIN) -> Any:
    """Return the value of a JSON text, which errors call `name`; see `read_json`."""
    problem = None
    try:
        value = json.loads(text)
    except ValueError as error:
        problem = f"is broken JSON ({error})"
    except RecursionError:
        problem = "is broken JSON (nested too deeply)"
    else:
        if is_deeper(value, text):
            problem = "is broken JSON (nested too deeply)"
        elif not isinstance(value, kind):
            problem = f"holds {KINDS[type(value)]}"
        elif HALF.search(text) and not is_unicode(value):
            problem = "holds half a surrogate pair"
    if problem:
        raise ValueError(f"{name} {problem}, expected {expected}: {remedy}")
    return value


def is_deeper(value, text: str) -> bool:
    """Whether a value has more than MOST_LEVELS levels of lists and objects.

    A recursive function that walks such a value could run out of stack.
    """
    if text.count("[") + text.count("{") <= MOST_LEVELS:       # most files: no walk
        return False
    level = nested([value])
    for _ in range(MOST_LEVELS):
        level = [x for outer in level for x in nested(outer)]
        if not level:
            return False
    return True


def nested(value: dict | list) -> list:
    """Return the lists and objects right inside a list or an object."""
    inside = value.values() if isinstance(value, dict) else value
    if not {dict, list} & {*map(type, inside)}:      # such as a vocabulary
        return []
    return [x for x in inside if isinstance(x, (dict, list))]


def is_unicode(value) -> bool:
    """Whether all text in a value of JSON is valid Unicode."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def json_text(value, indent: int | None = None) -> str:
    """Return standard JSON, not escaped: a number that is not finite becomes null.

    Raises:
        TypeError: the value holds something that JSON can't.
    """
    return json.dumps(finite(value), indent=indent, ensure_ascii=False, allow_nan=False)


def finite(value) -> Any:
    """Return the same value with None for each nan and infinity in it."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: finite(x) for name, x in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(x) for x in value]
    return value


def as_json(value) -> Any:
    """Return the value as it comes back from a JSON file: a tuple is a list there.

    Raises:
        TypeError, ValueError: it holds something that JSON can't.
    """
    return json.loads(json.dumps(value))


def settings_text(values: dict, escape: bool = True) -> str:
    """Return the text of a file of settings, as Hugging Face writes it: keys sorted.

    HF: config.json and generation_config.json escape what is not ASCII; a tokenizer's
    files (escape=False) do not.  Python's NaN and Infinity stay, so that no value is
    lost.

    Raises:
        TypeError: a value is something that JSON can't hold.
    """
    return json.dumps(values, indent=2, sort_keys=True, ensure_ascii=escape) + "\n"
