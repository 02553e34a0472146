"""Which values count as numbers."""

import json
from fractions import Fraction

import numpy as np
import pytest

from numbert.system.numbers import is_number, is_whole_number, plain

WHOLE = [0, -3, 10**30, np.int8(1), np.uint64(2), np.int64(-5), np.array(7)]
OTHER = [True, False, np.True_, "3", b"3", None, [3], (3,), 3j, np.array([3]),
         np.array([3, 4]), np.array("3"), object]
BROKEN = [3.0, 0.5, np.float32(2), np.float64(2), Fraction(4, 2)]


@pytest.mark.parametrize("value", WHOLE, ids=repr)
def test_whole_numbers(value):
    assert is_whole_number(value)


@pytest.mark.parametrize("value", [*OTHER, *BROKEN], ids=repr)
def test_no_whole_numbers(value):
    assert not is_whole_number(value)


@pytest.mark.parametrize("value", [*WHOLE[:-1], *BROKEN, float("nan")], ids=repr)
def test_numbers(value):
    assert is_number(value)


@pytest.mark.parametrize("value", OTHER, ids=repr)
def test_no_numbers(value):
    assert not is_number(value)


def test_whole_numbers_of_torch():
    torch = pytest.importorskip("torch")
    assert is_whole_number(torch.tensor(3)) and not is_whole_number(torch.tensor(3.0))


@pytest.mark.parametrize("value, kind", [
    (np.int64(3), int), (np.float32(0.5), float), (np.True_, bool), (np.array(3), int),
    (3, int), (0.5, float), (None, type(None)), ([1], list), ("a", str)])
def test_plain_values_are_those_of_json(value, kind):
    assert type(plain(value)) is kind and json.dumps(plain(value)) and \
        plain(value) == value


def test_an_array_is_no_number():
    x = np.arange(3)
    assert plain(x) is x
