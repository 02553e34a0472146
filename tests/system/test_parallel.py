"""Threads: order, errors, and the number of BLAS threads put back."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import numbert
from common import config, ids, stressed
from numbert.training import objectives
from numbert.system import parallel

ROOT = Path(numbert.__file__).parents[1]


def test_results_are_in_order_and_threads_are_used():
    barrier = threading.Barrier(2, timeout=20)         # two must run at the same time

    def work(i):
        barrier.wait()
        return i * i

    if parallel.openblas() is None:
        pytest.skip("this NumPy has no OpenBLAS")
    assert parallel.in_threads(work, range(6), 2) == [0, 1, 4, 9, 16, 25]
    assert parallel.in_threads(lambda i: i, range(3), 1) == [0, 1, 2]
    assert parallel.in_threads(lambda i: i, [], 4) == []


def test_blas_has_one_thread_inside_and_its_own_number_after():
    if parallel.openblas() is None:
        pytest.skip("this NumPy has no OpenBLAS")
    get, put = parallel.openblas()
    before = get()
    put(2)
    try:
        with parallel.blas_threads(1):
            assert get() == 1
            with parallel.blas_threads(1):
                assert get() == 1
            assert get() == 1
        assert get() == 2
        with pytest.raises(ZeroDivisionError):
            parallel.in_threads(lambda i: 1 // i, [1, 0], 2)
        assert get() == 2
    finally:
        put(before)


INTERRUPTS = """
import signal, time
from numbert.system import parallel

def interrupt(number, frame):
    raise KeyboardInterrupt

get, put = parallel.openblas()
signal.signal(signal.SIGALRM, interrupt)
put(2)
for i in range(300):
    state = "finished"
    try:
        signal.setitimer(signal.ITIMER_REAL, 1e-5 + 2e-6 * i)
        parallel.in_threads(lambda j: sum(range(2000)), range(3), 2)
        signal.setitimer(signal.ITIMER_REAL, 0)
    except (KeyboardInterrupt, RuntimeError):
        state = "interrupted"
    deadline = time.monotonic() + 10
    while get() != 2 and time.monotonic() < deadline:
        time.sleep(0.001)                       # for a worker to end its item
    print(state if get() == 2 else "stuck", flush=True)
"""


def test_an_interrupt_at_any_moment_puts_the_number_back(tmp_path):
    """Ctrl-C raises in the main thread, between any two of its steps.

    It may also leave one of Python's own locks locked, and then the process hangs when
    it next starts a thread: hence a process of its own, and a limit of time.
    """
    if parallel.openblas() is None or not hasattr(signal, "setitimer"):
        pytest.skip("this NumPy has no OpenBLAS, or this system no timers")
    with open(tmp_path / "states", "w") as states:
        process = subprocess.Popen([sys.executable, "-c", INTERRUPTS], cwd=ROOT,
                                   stdout=states, stderr=subprocess.DEVNULL)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    found = (tmp_path / "states").read_text().split()
    assert "interrupted" in found and "stuck" not in found


def test_without_openblas_items_follow_each_other(monkeypatch):
    monkeypatch.setattr(parallel, "openblas", lambda: None)
    main = threading.get_ident()
    idents = parallel.in_threads(lambda i: threading.get_ident(), range(3), 4)
    assert idents == [main] * 3


def test_a_model_in_two_threads_gives_what_it_gives_in_one():
    model = stressed(numbert.BertForMaskedLM, config())
    batches = [ids((3, n), rng=n) for n in (4, 7, 9, 2)]
    alone = [model(x).logits for x in batches]
    for got, want in zip(parallel.in_threads(lambda x: model(x).logits, batches, 2),
                         alone):
        assert np.array_equal(got, want)


def test_gradients_do_not_depend_on_the_number_of_threads():
    model = stressed(numbert.BertForMaskedLM, config())
    parts = [{"input_ids": ids((2, n), rng=n), "labels": ids((2, n), rng=9 + n)}
             for n in (4, 7, 5)]

    def run(threads, seed=None):
        rng = None if seed is None else np.random.default_rng(seed)
        return objectives.batch_gradients(model, parts, rng=rng, threads=threads)

    for seed in (None, 3):
        (loss, grads), (again, others) = run(1, seed), run(2, seed)
        assert loss == again
        assert all(np.array_equal(grads[k], others[k]) for k in grads)
    assert run(2, 3)[0] != run(2, 4)[0]                     # dropout was drawn


# -------------------------------------------------------------- how many threads

@pytest.fixture
def blas(monkeypatch):
    """A BLAS that only remembers its number of threads; nothing chosen so far."""
    count = [3]
    monkeypatch.setattr(parallel, "openblas", lambda: (
        lambda: count[0], lambda n: count.__setitem__(0, n)))
    monkeypatch.setattr(parallel, "CHOSEN", [])
    monkeypatch.delenv(parallel.VARIABLE, raising=False)
    return count


def test_one_thread_per_core_unless_told_otherwise(blas, monkeypatch):
    assert parallel.num_threads() == parallel.cores()
    monkeypatch.setenv(parallel.VARIABLE, "5")
    assert parallel.num_threads() == 5 and blas == [5]
    numbert.set_num_threads(np.int64(2))                    # the last word counts
    assert parallel.num_threads() == 2 and blas == [2]


@pytest.mark.parametrize("value", ["0", "", "two", "-1", "1.5", "²"])
def test_the_variable_is_checked(blas, monkeypatch, value):
    monkeypatch.setenv(parallel.VARIABLE, value)
    with pytest.raises(ValueError, match=f"NUMBERT_NUM_THREADS is '{value}', expected"):
        parallel.num_threads()


@pytest.mark.parametrize("count, error", [(0, ValueError), (-3, ValueError),
                                          (1.0, TypeError), (True, TypeError),
                                          ("2", TypeError), (None, TypeError)])
def test_the_number_is_checked(blas, count, error):
    with pytest.raises(error, match="number of threads is .*, expected a whole number"):
        numbert.set_num_threads(count)
    assert blas == [3] and not parallel.CHOSEN


def test_a_number_chosen_meanwhile_is_put_back(blas):
    with parallel.blas_threads(1):
        numbert.set_num_threads(7)
        assert blas == [1]
    assert blas == [7]


def test_threads_start_no_threads(blas):
    numbert.set_num_threads(4)
    inner = parallel.in_threads(lambda i: (
        parallel.num_threads(), blas[0],
        parallel.in_threads(lambda j: threading.get_ident(), range(3))), range(2))
    assert [(n, count) for n, count, _ in inner] == [(1, 2)] * 2    # of 4, two each
    assert all(len(set(idents)) == 1 for _, _, idents in inner)
    assert parallel.num_threads() == 4 and blas == [4]


def test_the_variable_holds_from_the_start():
    if parallel.openblas() is None:
        pytest.skip("this NumPy has no OpenBLAS")
    script = ("import numbert; from numbert.system import parallel; "
              "print(parallel.openblas()[0](), parallel.num_threads())")
    found = subprocess.run([sys.executable, "-c", script], cwd=ROOT, text=True,
                           env={**os.environ, "NUMBERT_NUM_THREADS": "1"},
                           capture_output=True, timeout=60, check=True)
    assert found.stdout.split() == ["1", "1"]
