"""An exercise, and how an answer is judged.

An answer is a function or a value.  A function is called with fresh inputs; a value is
compared as it is.  Numbers agree if they differ by no more than rounding explains, so
another order of operations passes, and so does float32.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from ...system.terminal import escaped
from ...verify.bugs import CATALOGUE
from ..properties.laws import distance

DRAWS = 3               # inputs per function: no wrong answer fits three by accident


class Exercise(NamedTuple):
    """One exercise.

    Attributes:
        reference: computes the right answer; takes the inputs, or nothing.
        mistakes: {what somebody did: a function that does the same}.  What they did is
            a sentence, or the number of a bug of `numbert verify --explain`.
        inputs: draws the inputs of one call, a tuple, from a NumPy generator; None
            for an exercise that asks for a value.
        digits: how many significant digits a value must have; None means all of them.
    """

    reference: Callable
    mistakes: Mapping[str, Callable]
    inputs: Callable[[np.random.Generator], tuple] | None = None
    digits: int | None = None


def judge(name: str, exercise: Exercise, answer) -> tuple[bool, str]:
    """Return whether an answer is right, and what to tell its author."""
    if answer is ...:
        return False, (f"{name} is still open: put your answer where the ... is, and "
                       "run this cell again.")
    if exercise.inputs and not callable(answer):
        return False, (f"{name} asks for a function, but this is {kind(answer)}: pass "
                       "the function itself, without calling it.")
    if not exercise.inputs and callable(answer):
        return False, f"{name} asks for a value, but this is a function: call it first."
    calls, trouble = [], ""
    for arguments in draws(exercise):
        given, trouble = call(answer, arguments) if exercise.inputs else (answer, "")
        if trouble:
            return False, f"{name} is not right yet: {trouble}"
        calls.append((arguments, given))
    if any(given is ... or given is None for _, given in calls):
        return False, (f"{name} is still open: your function returns {calls[0][1]}.  "
                       "Let it return the answer, and run this cell again.")
    wrong = [first for arguments, given in calls
             if (first := differs(given, exercise.reference, arguments, exercise))]
    if not wrong:
        return True, f"{name} is right."
    for mistake, compute in exercise.mistakes.items():
        if all(agrees(given, compute, inputs, exercise) for inputs, given in calls):
            return False, f"{name} is not right yet.  {told(mistake)}"
    # A NumPy scalar turns an answer in float32 into float64, without more digits.
    if not any(differs(given, exercise.reference, arguments, exercise, "f4")
               for arguments, given in calls):
        return True, f"{name} is right, with the digits of float32."
    return False, f"{name} is not right yet: {wrong[0]}"


def draws(exercise: Exercise) -> list[tuple]:
    """Return the inputs of each call: a few random ones, or none at all for a value."""
    if exercise.inputs is None:
        return [()]
    return [exercise.inputs(np.random.default_rng(seed)) for seed in range(DRAWS)]


def call(function: Callable, arguments: tuple) -> tuple[Any, str]:
    """Call a learner's function on copies; return its result, or what went wrong."""
    copies = copied(arguments)
    try:
        result = function(*copies)
    except Exception as error:
        shapes = ", ".join(map(kind, arguments))
        return None, (f"your function raised {type(error).__name__}: "
                      f"{escaped(str(error))}.  It was called with {shapes}.")
    if any(not alike(before, after) for before, after in zip(arguments, copies)):
        return None, ("your function changes one of its inputs, which the caller may "
                      "still need.  Compute into a new array: x = x + b, not x += b.")
    return result, ""


def told(mistake: str) -> str:
    """Return a mistake as sentences: its own, or those of the catalogue of bugs."""
    if mistake not in CATALOGUE:
        return mistake
    bug = CATALOGUE[mistake]
    return f"This is a well-known bug ({mistake}): {bug.title}.  {bug.why}"


def agrees(given, compute: Callable, arguments: tuple, exercise: Exercise) -> bool:
    """Whether an answer is what this function computes; False if it cannot."""
    try:
        return not differs(given, compute, arguments, exercise)
    except Exception:           # a mistake may not work on every input
        return False


def differs(given, compute: Callable, arguments: tuple, exercise: Exercise,
            dtype=float) -> str:
    """Return how an answer differs from what a function computes; "" if it does not."""
    want = compute(*copied(arguments))
    rough = compute(*in_float32(arguments))       # how far rounding alone takes it
    given, want, rough = parts(given), parts(want), parts(rough)
    if given.keys() != want.keys():
        return f"it has {listed(given)}, expected {listed(want)}."
    for label, value in want.items():
        problem = difference(given[label], value, rough[label], exercise.digits, dtype)
        if problem:
            return f"{label}{': ' * bool(label)}{problem}"
    return ""


def difference(given, want, rough, digits: int | None, dtype) -> str:
    """Return how one part of an answer differs from the right one; "" if it doesn't."""
    given, want = plain(given), plain(want)
    if given.dtype == object or given.dtype.kind not in alternatives(want.dtype.kind):
        return f"it is {kind(given)}, expected {kind(want)}."
    if given.shape != want.shape:
        return f"its shape is {given.shape}, expected {want.shape}."
    if want.dtype.kind != "f":
        wrong = np.argwhere(given != want)
        return "" if not len(wrong) else (
            f"{len(wrong)} of {want.size} entries are wrong, first the one at "
            f"{place(wrong[0])}." if want.ndim else "the value is another.")
    error = distance(given, want)
    limit = bound(given, want, rough, dtype) if digits is None else (
        np.abs(want) * 10.0 ** (1 - digits) / 2)
    ratio = np.where(error <= limit, 0, error / np.maximum(limit, np.finfo(float).tiny))
    if not ratio.any():
        return ""
    worst = np.unravel_index(ratio.argmax(), ratio.shape)
    if digits is not None:
        return f"{digits} significant digits are asked for, and they differ."
    where = f" at {place(worst)}" if want.ndim else ""
    return (f"its error{where} is {ratio[worst]:.2g} times the largest that rounding "
            "explains.")


def bound(given, want, rough, dtype) -> float:
    """How far rounding may take an answer in its own dtype, or in this one.

    The reference, computed once more in float32, shows how much rounding grows on the
    way; a few units in the last place of the largest entry are allowed in any case.
    """
    eps = max(np.finfo(given.dtype if given.dtype.kind == "f" else float).eps,
              np.finfo(dtype).eps)
    finite = np.abs(want[np.isfinite(want)])
    peak = float(finite.max(initial=0))
    grown = float(distance(plain(rough), want).max(initial=0)) / np.finfo("f4").eps
    return float(eps) * (16 * peak + 16 * min(grown, peak * 1e4))


def parts(answer) -> dict[str, Any]:
    """Return an answer's parts by name: a mapping's values, a tuple's, or just one."""
    if isinstance(answer, Mapping):
        return {f"{key!r}": value for key, value in answer.items()}
    if isinstance(answer, tuple):
        return {f"part {i}": value for i, value in enumerate(answer, 1)}
    return {"": answer}


def plain(x) -> np.ndarray:
    """Return a number, string or list as an array."""
    try:
        return np.asarray(x)
    except ValueError:                         # ragged lists
        return np.asarray(x, object)


def alternatives(wanted: str) -> str:
    """Return the kinds of dtype that may stand for this one: 2 is as good as 2.0."""
    return {"f": "fiu", "i": "iu", "u": "iu", "S": "SU", "U": "SU"}.get(wanted, wanted)


def in_float32(arguments: tuple) -> tuple:
    """Return the same inputs with every float array in float32."""
    return tuple(
        x.astype(np.float32) if isinstance(x, np.ndarray) and x.dtype.kind == "f" else x
        for x in copied(arguments))


def copied(arguments: tuple) -> tuple:
    """Return the arguments, each array among them copied."""
    return tuple(x.copy() if isinstance(x, np.ndarray) else x for x in arguments)


def alike(x, y) -> bool:
    """Whether an argument is as it was; only arrays are looked at."""
    return not isinstance(x, np.ndarray) or np.array_equal(x, y, x.dtype.kind == "f")


def kind(x) -> str:
    """Return a few words for what a value is."""
    if isinstance(x, np.ndarray) and x.ndim:
        return f"an array {x.dtype} {x.shape}"
    if isinstance(x, np.ndarray):
        return f"a value of type {x.dtype}"
    return f"a value of type {type(x).__name__}"


def listed(named: dict) -> str:
    """Return the names of an answer's parts."""
    return "one part" if list(named) == [""] else ", ".join(map(escaped, named))


def place(index) -> str:
    """Return an index as it is written in Python."""
    return str([int(i) for i in index])


def softmax(x, axis=-1):
    """The softmax over any axis: the wrong one is what many learners take first."""
    exps = np.exp(x - x.max(axis, keepdims=True))
    return exps / exps.sum(axis, keepdims=True)
