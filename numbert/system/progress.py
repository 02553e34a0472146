"""Show a progress bar on a terminal if tqdm is installed; otherwise nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sized


class NoBar:
    """Takes the place of a bar that nobody would see."""

    def __enter__(self) -> NoBar:
        return self

    def __exit__(self, *error) -> None:
        pass

    def update(self, count: int = 1) -> None:
        """Do nothing."""

    def set_postfix(self, **values) -> None:
        """Do nothing."""


def bar(total: int | None = None, desc: str = "", enabled: bool | None = None,
        unit: str = "it"):
    """Return a bar to move by hand: `with bar(100) as b: b.update(3)`.

    Args:
        total: how much there is to do; None if that is not known.
        desc: a word or two in front of the bar.
        enabled: whether to show it; None shows it if stderr is a terminal.
        unit: what is counted.

    Returns:
        A tqdm bar, or a NoBar with the same methods.  A bar appears on stderr after
        half a second, so short work stays quiet.
    """
    if sys.stderr is None or not (sys.stderr.isatty() if enabled is None else enabled):
        return NoBar()
    try:
        from tqdm import tqdm
    except ImportError:
        return NoBar()
    # A bar moves the cursor, which the command's stderr would escape.
    return tqdm(total=total, desc=desc or None, unit=unit, delay=0.5, smoothing=0.1,
                dynamic_ncols=True, file=getattr(sys.stderr, "stream", sys.stderr))


def progress(iterable: Iterable, total: int | None = None, desc: str = "",
             enabled: bool | None = None, unit: str = "it") -> Iterator:
    """Yield the items of `iterable` and show how many are done.

    The arguments are explained in `bar`.  If total is None, it is len(iterable), if
    there is a length.
    """
    if total is None and isinstance(iterable, Sized):
        total = len(iterable)
    with bar(total, desc, enabled, unit) as shown:
        for item in iterable:
            yield item
            shown.update()
