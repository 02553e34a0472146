"""Threads: order, errors, and the number of BLAS threads put back."""

import threading

import numpy as np
import pytest

import numbert
from common import config, ids, stressed
from numbert.training import objectives
from numbert.system import parallel


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
        with parallel.one_blas_thread():
            assert get() == 1
            with parallel.one_blas_thread():
                assert get() == 1
            assert get() == 1
        assert get() == 2
        with pytest.raises(ZeroDivisionError):
            parallel.in_threads(lambda i: 1 // i, [1, 0], 2)
        assert get() == 2
    finally:
        put(before)


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
