"""The counter itself: no product is missed, and no array that is made."""

import numpy as np
import pytest

from counting import counted, counting, held

SQUARE = np.arange(9.0).reshape(3, 3)
MULTIPLY = {
    "@": lambda a, b: a @ b, "matmul": np.matmul, "linalg": np.linalg.matmul,
    "out": lambda a, b: np.matmul(a, b, out=SQUARE * 1),
    "views": lambda a, b: a.swapaxes(0, 1)[:, ::-1] @ b.reshape(3, 3).T,
    "copies": lambda a, b: np.asfortranarray(a) @ b[[2, 1, 0]].copy()}
OFFSPRING = {
    "ufunc": np.exp, "sum": lambda a: a.sum(0), "like": np.empty_like,
    "in place": lambda a: np.multiply(a, 2, out=SQUARE * 1),
    "where": lambda a: np.where(a > 0, a, 0), "asarray": lambda a: np.asarray(a),
    "concat": lambda a: np.concat([a, SQUARE]), "zeros": lambda a: np.zeros((3, 3)),
    "mean": lambda a: a - a.mean(-1, keepdims=True), "index": lambda a: a[[0, 1]],
    "broadcast": lambda a: np.broadcast_to(a, (2, 3, 3))}


@pytest.mark.parametrize("multiply", MULTIPLY.values(), ids=MULTIPLY)
def test_a_product_counts_if_one_factor_does(multiply):
    for a, b in (counted(SQUARE), SQUARE), (SQUARE, counted(SQUARE)):
        with counting() as work:
            multiply(a, b)
        assert work.products == [((3, 3), (3, 3), 27)]


@pytest.mark.parametrize("make", OFFSPRING.values(), ids=OFFSPRING)
def test_what_is_computed_from_it_counts(make):
    with counting() as work:
        _ = make(counted(SQUARE)) @ SQUARE
    assert len(work.products) == 1


@pytest.mark.parametrize("multiply", [
    lambda a: a.dot(a), lambda a: np.dot(a, a), lambda a: np.einsum("ij,jk", a, a),
    lambda a: np.tensordot(a, a), lambda a: np.inner(a, a)])
def test_what_would_not_be_counted_is_refused(multiply):
    with counting(), pytest.raises(NotImplementedError, match="is not counted: use @"):
        multiply(counted(SQUARE))


def test_passes_and_arrays():
    x = counted(np.ones((4, 5), "f4"))
    with counting() as work:
        y = x.reshape(5, 4) * x.dtype.type(2)            # one pass, a new array
        y += 1                                           # one pass, in place
        y.sum()                                          # one pass, a number
        y[:, [0, 1]], y.T.reshape(10, 2)                # two copies
        np.zeros(3), np.where(y > 0, y, 0)               # three new ones, one pass
    assert work.passes == [20, 20, 20, 20]
    assert [(str(dtype), size) for dtype, size in work.arrays] == [
        ("float32", 80), ("float32", 40), ("float32", 80), ("float64", 24),
        ("bool", 20), ("float32", 80)]
    assert work.large_arrays(least=80) == 3


def test_only_a_block_counts():
    x = counted(SQUARE)
    with counting() as work:
        pass
    _ = x @ x
    assert not work.products and type(np.zeros(3)) is np.ndarray


def test_held_tells_the_result_from_the_most_there_was():
    now, most = held(lambda: np.ones(10 ** 5) + np.ones(10 ** 5))
    assert 8e5 <= now < 8.1e5 and 16e5 <= most < 24.1e5
