"""The exercises of the notebooks: right answers pass, mistakes are called by name.

Beside each notebook's own exercises, tests/notebooks/answers_NN.py holds what learners
write: right answers in other forms, and at least three wrong ones for each exercise.
"""

import re
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from numbert.testing import lessons
from numbert.testing.lessons import Exercise, check, judged
from numbert.testing.lessons.exercise import copied, draws, in_float32, judge, told
from numbert.verify.bugs import CATALOGUE

ANSWERS = Path(__file__).parents[1] / "notebooks"
NAMES = [name for lesson in lessons.lessons() for name in lessons.exercises(lesson)]


def exercise(name):
    return lessons.exercises(name[:2])[name]


def answers(name):
    """What learners write for one exercise: {"right": [...], "wrong": [...]}."""
    return import_module(f"answers_{name[:2]}").ANSWERS[name]


@pytest.fixture(autouse=True)
def path(monkeypatch):
    monkeypatch.syspath_prepend(str(ANSWERS))


def as_answer(name, compute):
    """What a learner hands in who computes this: the function, or its value."""
    return compute if exercise(name).inputs else compute()


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_is_right(name):
    assert judged(name, as_answer(name, exercise(name).reference)) == (
        True, f"{name} is right.")


@pytest.mark.parametrize("name", [name for name in NAMES if exercise(name).inputs])
def test_float32_is_right(name):
    """A learner may compute in float32, whatever the inputs are."""
    reference = exercise(name).reference
    right, said = judged(name, lambda *inputs: reference(*in_float32(inputs)))
    assert right, said


@pytest.mark.parametrize("name", NAMES)
def test_each_mistake_is_called_by_its_name(name):
    mistakes = exercise(name).mistakes
    assert len(mistakes) >= 3
    for mistake, compute in mistakes.items():
        right, said = judged(name, as_answer(name, compute))
        assert not right and told(mistake) in said, (mistake, said)
        assert re.fullmatch(r"[A-Z0-9`].*\.", mistake) or mistake in CATALOGUE, mistake


@pytest.mark.parametrize("name", NAMES)
def test_answers_of_learners(name):
    """Right in another form passes; of wrong ones, `check` says what is wrong."""
    found = answers(name)
    for answer in found["right"]:
        assert judged(name, answer)[0], judged(name, answer)[1]
    assert len(found["wrong"]) >= 3
    for answer, fragment in found["wrong"]:
        right, said = judged(name, answer)
        assert not right and fragment in said, said


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_that_is_missing_is_still_open(name):
    assert judged(name, ...)[1].startswith(f"{name} is still open")
    if exercise(name).inputs:
        assert judged(name, lambda *inputs: ...)[1].startswith(f"{name} is still open")


@pytest.mark.parametrize("name", NAMES)
def test_check_does_not_give_the_answer_away(name):
    """The numbers of the right answer are never printed, nor is its word."""
    reference = as_answer(name, exercise(name).reference)
    for compute in exercise(name).mistakes.values():
        said = judged(name, as_answer(name, compute))[1]
        if isinstance(reference, str):
            assert f"`{reference}`" not in said and f'"{reference}"' not in said


# ------------------------------------------------------------------------- the judge

SQUARES = Exercise(
    inputs=lambda rng: (rng.normal(size=(2, 3)),), reference=lambda x: x * x,
    mistakes={"It is doubled, not squared.": lambda x: 2 * x,
              "It fails on every input.": lambda x: 1 / "x"})


@pytest.mark.parametrize("answer, said", [
    (lambda x: x ** 2, "is right."),
    (lambda x: (x.astype("f4") ** 2), "is right."),
    (lambda x: (x * x).tolist(), "is right."),
    (lambda x: x + x, "It is doubled, not squared."),
    (lambda x: x.astype("f4") * x.astype("f4") * np.float64(1), "is right, with the "),
    (lambda x: x * x * (1 + 1e-4), "times the largest that rounding explains"),
    (lambda x: np.where(x > 0, x * x, np.nan), "times the largest"),
    (lambda x: (x * x).T, "its shape is (3, 2), expected (2, 3)"),
    (lambda x: x > 0, "expected an array float64 (2, 3)"),
    (lambda x: [[1], [2, 3]], "expected an array float64 (2, 3)"),
    (lambda x: (x, x), "it has part 1, part 2, expected one part"),
    (lambda x: x @ x, "your function raised ValueError"),
    (lambda x: x.nothing("\x1b[2J"), "your function raised AttributeError"),
    (lambda x: np.multiply(x, x, out=x), "changes one of its inputs"),
    (lambda x: None, "is still open"),
    (lambda: 1, "your function raised TypeError"),
    (np.zeros((2, 3)), "asks for a function"),
    (..., "is still open"),
])
def test_what_is_said_of_an_answer(answer, said):
    right, text = judge("99.1", SQUARES, answer)
    assert said in text
    assert right is said.startswith("is right")
    assert "\x1b" not in text


@pytest.mark.parametrize("value, digits, answer, right", [
    (3, None, 3, True), (3, None, 3.5, False), (3, None, np.int64(3), True),
    (0.1 + 0.2, None, 0.3, True), (0.3, None, 0.30001, False), (2.0, None, 2, True),
    (0.123456, 3, 0.1234, True), (0.123456, 3, 0.125, False), (0.5, None, "0.5", False),
    ("cls", None, "cls", True), ("cls", None, "sep", False),
    ([1, 2], None, (1, 2), False),
    ([1, 2], None, np.array([1, 2]), True), ([1, 2], None, [2, 1], False),
    (True, None, True, True), (True, None, 1, False), (3, None, abs, False),
    ({"a": 1}, None, {"a": 1}, True), ({"a": 1}, None, {"b": 1}, False),
])
def test_values(value, digits, answer, right):
    judge_it = Exercise(reference=lambda: value, mistakes={}, digits=digits)
    assert judge("99.2", judge_it, answer)[0] is right


def test_a_sum_in_another_order_is_right():
    """Rounding that cancellation magnifies is allowed for: the reference has it too."""
    total = Exercise(inputs=lambda rng: (rng.normal(size=4000) * 1e3,), mistakes={},
                     reference=lambda x: x.sum())
    assert judge("99.3", total, lambda x: sum(x[::-1].tolist()))[0]
    assert not judge("99.3", total, lambda x: x.sum() * 1.01)[0]


def test_inputs_are_the_same_at_every_call():
    first, second = draws(SQUARES), draws(SQUARES)
    assert len(first) > 1
    for (x,), (y,) in zip(first, second):
        assert np.array_equal(x, y)
    assert not np.array_equal(first[0][0], first[1][0])
    assert copied(first[0])[0] is not first[0][0]


def test_an_unknown_exercise():
    with pytest.raises(ValueError, match=r"exercise is '03\.99', expected one of 0"):
        check("03.99", 1)
    with pytest.raises(ValueError, match="expected one of"):
        check(3.1, 1)


def test_check_prints(capsys):
    assert check("03.4", ...) is None
    assert capsys.readouterr().out.startswith("03.4 is still open")
