"""Names: the three nearest of those that exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str], count: int = 3) -> str:
    """Return the known names that are spelled most like this one, best first."""
    found = difflib.get_close_matches(name, list(known), count, 0)
    return ", ".join(found) or "none"
