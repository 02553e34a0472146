"""Compute the parts of a batch in threads.

Cut a batch into as many parts as there are cores, and let a thread run plain sequential
code on each.  This keeps all cores busy in every step, not only in matrix products,
because NumPy releases Python's lock while it computes.

How many threads there are is up to set_num_threads or the variable NUMBERT_NUM_THREADS;
by default there is one per core.  The number decides how batches are cut, and so it may
change the last bits of a result.  Runs with the same number give the same bits.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Lock, local

import numpy as np

from .numbers import is_whole_number

NAMES = ("scipy_openblas_{}_num_threads64_", "scipy_openblas_{}_num_threads",
         "openblas_{}_num_threads64_", "openblas_{}_num_threads")
LOCK, HOLDERS = Lock(), [0, 1]      # how many are inside; BLAS threads before that
CHOSEN: list[int] = []              # by set_num_threads
WORKER = local()                    # WORKER.busy: this is a thread of in_threads
VARIABLE = "NUMBERT_NUM_THREADS"


def cores() -> int:
    """Return how many processors this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def set_num_threads(count: int) -> None:
    """Let numbert, and NumPy's matrix products, use this many threads.

    It holds for the whole process, as in torch.  A BLAS other than OpenBLAS is left
    alone: set its own variable before Python starts.

    Raises:
        TypeError, ValueError: count is not a whole number of at least 1.
    """
    if not is_whole_number(count):
        raise TypeError(f"the number of threads is {count!r}, expected a whole number: "
                        "give one of at least 1")
    if count < 1:
        raise ValueError(f"the number of threads is {count}, expected a whole number "
                         "of at least 1: this machine has "
                         f"{cores()} core{'s' * (cores() > 1)}")
    CHOSEN[:] = [int(count)]
    with LOCK:
        HOLDERS[1] = int(count)         # what the last one inside will put back
        blas = openblas()
        if HOLDERS[0] == 0 and blas is not None:
            blas[1](int(count))


def num_threads() -> int:
    """Return how many threads numbert may use: 1 in a thread that it started itself.

    Raises:
        ValueError: the variable NUMBERT_NUM_THREADS is not a number of at least 1.
    """
    if getattr(WORKER, "busy", False):
        return 1
    if not CHOSEN and VARIABLE in os.environ:
        given = os.environ[VARIABLE]
        if not (given.isascii() and given.isdigit() and int(given)):
            raise ValueError(f"{VARIABLE} is {given!r}, expected a whole number of at "
                             "least 1: correct it, or unset it for one per core")
        set_num_threads(int(given))
    return CHOSEN[0] if CHOSEN else cores()


@cache
def openblas() -> tuple[Callable, Callable] | None:
    """Return the functions that get and set the number of threads of NumPy's OpenBLAS.

    None if NumPy was built with another library: that one is left alone.
    """
    home = Path(np.__file__).parent
    for path in [*home.parent.glob("numpy.libs/*openblas*"),
                 *home.glob(".dylibs/*openblas*")]:
        library = ctypes.CDLL(str(path))
        for name in NAMES:
            if hasattr(library, name.format("set")):
                return (getattr(library, name.format("get")),
                        getattr(library, name.format("set")))
    return None


@contextmanager
def blas_threads(count: int) -> Iterator[None]:
    """Let each matrix product use so many threads, in the whole process.

    Of those that are nested, the outermost decides.
    """
    get, put = openblas() or (lambda: 1, lambda count: None)
    with LOCK:
        if HOLDERS[0] == 0:
            HOLDERS[1] = get()
            put(count)
        HOLDERS[0] += 1
    try:
        yield
    finally:
        with LOCK:
            HOLDERS[0] -= 1
            if HOLDERS[0] == 0:
                put(HOLDERS[1])


def in_threads(function: Callable, items: Iterable, threads: int | None = None) -> list:
    """Return [function(item) for item in items], several of them at a time.

    threads: how many at most; by default num_threads.
    The results have the order of the items.  An error in any of them is raised here.
    If the threads of matrix products can't be limited, the items run one by one:
    threads inside threads would be slower.
    """
    items = list(items)
    threads = min(num_threads() if threads is None else threads, len(items))
    if threads < 2 or openblas() is None or getattr(WORKER, "busy", False):
        return [function(item) for item in items]
    share = max(1, num_threads() // threads)

    def limited(item):
        # The workers limit BLAS, not this thread.  Ctrl-C may stop this thread
        # anywhere, even in a `finally`, but never a worker: those put the number back.
        WORKER.busy = True
        with blas_threads(share):
            return function(item)

    from concurrent.futures import ThreadPoolExecutor
    pool = ThreadPoolExecutor(threads)
    try:
        return list(pool.map(limited, items))
    finally:
        pool.shutdown(cancel_futures=True)     # after an error or Ctrl-C: drop the rest


if VARIABLE in os.environ:
    num_threads()                       # so that it holds from the first product on
