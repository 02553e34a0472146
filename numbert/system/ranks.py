"""Which of several processes this is, where torchrun has started several.

Each of them, a rank, finds its number in its environment.  Training on torch lets them
share one run; see backends/torch_ranks.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

NAMES = ("RANK", "WORLD_SIZE", "MASTER_ADDR")       # torchrun sets all of them


def world() -> int:
    """Return how many processes were started together; 1 without torchrun."""
    size = os.environ.get("WORLD_SIZE", "")
    return int(size) if size.isdecimal() and all(map(os.environ.get, NAMES)) else 1


def rank() -> int:
    """Return the number of this process, from 0; 0 without torchrun."""
    return int(os.environ["RANK"]) if world() > 1 else 0


def refuse_several() -> None:
    """Refuse to train with NumPy in several processes: each would do the same work."""
    if world() > 1:
        raise ValueError(f"WORLD_SIZE is {world()}, so torchrun started so many "
                         "processes, expected 1, as NumPy trains in one: add --backend "
                         "torch (to_torch in Python), or start it without torchrun")


class OneProcess:
    """What a run asks of the processes that share it; the answers if there is one."""

    count = 1
    first = True                # whether this process speaks and writes for all

    def summed(self, compute: Callable, jobs: list, params) -> tuple[float, dict]:
        """Share the jobs out, and return the sum of what all processes computed.

        compute(some of the jobs) -> loss, {name: gradient}
        """
        return compute(jobs)

    def once(self, function: Callable[[], Any]) -> Any:
        """Return function(), which the first process calls while the others wait."""
        return function()

    def anywhere(self, flag: bool) -> bool:
        """Whether the flag is set in any process."""
        return flag

    def check_same(self, facts: Callable[[], dict]) -> None:
        """Refuse to begin a run whose processes differ in one of the facts."""
