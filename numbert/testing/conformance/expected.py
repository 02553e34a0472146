"""Failures that a project knows of: a file with a pattern and a reason in each line.

    # in transformers the loss of a language model is computed in float32
    test_forward.py::test_golden[decoder-loss] : HF computes logits.float() first
    test_tokenizer.py::test_vector[added_tokens-*] : we have no added tokens

A pattern is the end of a test's id, as pytest prints it, and * stands for anything.
Such a test must fail: one that passes is a failure, so that the file stays true.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from ...system.terminal import escaped

SEPARATOR = " : "


class Expected(NamedTuple):
    """One line of the file."""

    pattern: str
    reason: str
    line: int

    def fits(self, id: str) -> bool:
        """Whether a test is meant."""
        wanted = ".*".join(map(re.escape, short(self.pattern).split("*")))
        return re.fullmatch(wanted, short(id)) is not None


def short(id: str) -> str:
    """Return a test's id without the folder of its file."""
    path, colons, name = id.partition("::")
    return path.rpartition("/")[2] + colons + name


def read_expected(path) -> list[Expected]:
    """Return the lines of a file of expected failures.

    Raises:
        ValueError: the file can't be read, a line has no reason, or a pattern is there
            twice.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{escaped(str(path))} can't be read ({error}), expected a "
                         "text file of PATTERN : REASON") from None
    found: list[Expected] = []
    for number, line in enumerate(text.splitlines(), 1):
        line, where = line.strip(), f"{escaped(str(path))}:{number}"
        if not line or line.startswith("#"):
            continue
        pattern, _, reason = (part.strip() for part in line.partition(SEPARATOR))
        if not pattern or not reason:
            raise ValueError(f"{where}: {escaped(line)!r} has no reason, expected "
                             "PATTERN : REASON: say why the test is expected to fail")
        if any(pattern == known.pattern for known in found):
            raise ValueError(f"{where}: {escaped(pattern)} is there twice, expected "
                             "each pattern once: delete one")
        found.append(Expected(pattern, reason, number))
    return found


def check_used(path, expected: list[Expected], ids: list[str]) -> None:
    """Refuse patterns that no test has.

    Raises:
        ValueError: there is one.
    """
    for entry in expected:
        if not any(entry.fits(id) for id in ids):
            raise ValueError(
                f"{escaped(str(path))}:{entry.line}: {escaped(entry.pattern)} is the "
                "id of no test, expected one that pytest prints, such as "
                "test_forward.py::test_golden[decoder-loss]: correct it or delete it")
