"""Which values count as numbers."""

import json
from fractions import Fraction

import numpy as np
import pytest

from numbert.system.numbers import KINDS, check_kind, is_number, is_whole_number
from numbert.system.numbers import plain

WHOLE = [0, -3, 10**30, np.int8(1), np.uint64(2), np.int64(-5), np.array(7)]
OTHER = [True, False, np.True_, np.array(True), "3", b"3", None, [3], (3,), 3j,
         np.array([3]), np.array([3, 4]), np.array("3"), object]
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


VALUES = [True, 3, 2.5, "3", {"a": 1}, [1, 2], ["a"], [], None, (1,), [True], [1, "a"]]
TAKEN = {"bool": [0], "int": [1], "float": [1, 2], "str": [3], "dict": [4],
         "list[int]": [5, 7], "list[str]": [6, 7], "None": [8]}


@pytest.mark.parametrize("kind", KINDS)
def test_what_each_type_takes(kind):
    for i, value in enumerate(VALUES):
        if i in TAKEN[kind]:
            check_kind("x", value, kind)
        else:
            with pytest.raises(ValueError, match="^x is .*, expected .*: correct it"):
                check_kind("x", value, kind)


def test_several_types_and_a_long_value():
    check_kind("x", None, "int | list[int] | None")
    check_kind("x", [4], "int | list[int] | None")
    with pytest.raises(ValueError) as error:
        check_kind("x", "y" * 1000, "int | list[int] | None", "do this")
    assert str(error.value).endswith(
        "y, expected a whole number or a list of whole numbers or None: do this")
    assert len(str(error.value)) < 200
