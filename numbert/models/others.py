"""The other backends.  The models know none of them, so that none has to be there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# {name: what imports the module of that backend}; numbert/__init__.py fills it.
OTHERS: dict[str, Callable[[], Any]] = {}
