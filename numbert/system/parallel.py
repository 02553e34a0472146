"""Compute the parts of a batch in threads.

Cut a batch into as many parts as there are cores, and let a thread run plain sequential
code on each.  This keeps all cores busy in every step, not only in matrix products,
because NumPy releases Python's lock while it computes.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Lock

import numpy as np

NAMES = ("scipy_openblas_{}_num_threads64_", "scipy_openblas_{}_num_threads",
         "openblas_{}_num_threads64_", "openblas_{}_num_threads")
LOCK, HOLDERS = Lock(), [0, 1]      # how many are inside; BLAS threads before that


def cores() -> int:
    """Return how many processors this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


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
def one_blas_thread() -> Iterator[None]:
    """Let matrix products use one core only, in the whole process.  May be nested."""
    get, put = openblas() or (lambda: 1, lambda count: None)
    with LOCK:
        if HOLDERS[0] == 0:
            HOLDERS[1] = get()
            put(1)
        HOLDERS[0] += 1
    try:
        yield
    finally:
        with LOCK:
            HOLDERS[0] -= 1
            if HOLDERS[0] == 0:
                put(HOLDERS[1])


def in_threads(function: Callable, items: Iterable, threads: int) -> list:
    """Return [function(item) for item in items], up to `threads` of them at a time.

    The results have the order of the items.  An error in any of them is raised here.
    If the threads of matrix products can't be limited, the items run one by one:
    threads inside threads would be slower.
    """
    def limited(item):
        # The workers limit BLAS, not this thread.  Ctrl-C may stop this thread
        # anywhere, even in a `finally`, but never a worker: those put the number back.
        with one_blas_thread():
            return function(item)

    items = list(items)
    if min(threads, len(items)) < 2 or openblas() is None:
        return [function(item) for item in items]
    pool = ThreadPoolExecutor(threads)
    try:
        return list(pool.map(limited, items))
    finally:
        pool.shutdown(cancel_futures=True)     # after an error or Ctrl-C: drop the rest
