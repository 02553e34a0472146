"""JSON: one way to read a file of it, and the two texts that numbert writes.

An error names the file, says what was expected in it, and what to do.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

KINDS = {dict: "an object", list: "a list", str: "a string", int: "a number",
         float: "a number", bool: "a boolean", type(None): "null"}
AGAIN = "download or write it again"


def read_text(path, expected: str = "UTF-8",
              remedy: str = "save the file as UTF-8") -> str:
    """Return the text of a UTF-8 file without its byte order mark.

    expected, remedy: how the error says what the file should hold, and what to do.

    Raises:
        OSError: the file can't be read.
        ValueError: it is not UTF-8.
    """
    raw = Path(path).read_bytes()
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{path}: byte {error.start} (line {line}) is "
                         f"0x{raw[error.start]:02x}, expected {expected}: {remedy}"
                         ) from None


def read_json(path, kind: type = dict, expected: str = "a JSON object",
              remedy: str = AGAIN) -> Any:
    """Return the value in a JSON file.

    Args:
        path: the file.
        kind: what the value must be, dict or list.
        expected, remedy: of the errors, as in `read_text`.

    Raises:
        OSError: the file can't be read.
        ValueError: it is not UTF-8, not JSON, nested too deeply, or of another kind.
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
        if not isinstance(value, kind):
            problem = f"holds {KINDS[type(value)]}"
    if problem:
        raise ValueError(f"{name} {problem}, expected {expected}: {remedy}")
    return value


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
