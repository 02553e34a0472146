"""Compare an answer with what a vector expects."""

from __future__ import annotations

from typing import Any

from .reading import Vector, expected

CLOSE = 1e-6            # of 1, or of the number if that is larger: float32 is enough
REFUSED = {"refused": True}


def output_of(answer: dict[str, Any]) -> Any:
    """Return the output in an answer, {"refused": True} for an error.

    An answer has exactly one of "output" and "error".

    Raises:
        ValueError: it has neither, or both.
    """
    if not isinstance(answer, dict) or ("output" in answer) == ("error" in answer):
        raise ValueError(f"the answer is {answer!r:.100}, expected an object with "
                         "output or error: give one of them")
    return answer["output"] if "output" in answer else REFUSED


def check(vector: Vector, answer: dict[str, Any], dialect: str = "hf-fast"
          ) -> str | None:
    """Return what is wrong with an answer to a vector, or None if nothing is.

    An object in the answer may have more than the vector expects; all else must be
    equal.  Numbers of attention weights and losses may differ by 1e-6, relative to
    numbers above 1; an expected 0 must be exactly 0.  If the result of the vector is
    "invalid", the answer must be an error; if it is "acceptable", one of the outputs in
    "also" will do, and so will an error.

    Args:
        vector: from `load`, `every` or `find`.
        answer: {"output": ...}, or {"error": why the implementation refuses}.
        dialect: whose rules apply: google, hf-legacy or hf-fast.

    Raises:
        ValueError: the answer is malformed, or the vector is for other dialects.
    """
    got, want = output_of(answer), expected(vector, dialect)
    if vector["result"] == "acceptable" and (
            got == REFUSED or any(difference(got, x) is None
                                  for x in vector.get("also", ()))):
        return None
    if want == REFUSED:
        return None if got == REFUSED else "it must be refused, with an error"
    if got == REFUSED:
        return f"it was refused: {answer['error']}"
    return difference(got, want)


def difference(got: Any, want: Any, where: str = "") -> str | None:
    """Return the first place where a value differs from the expected one, or None."""
    if isinstance(want, dict):
        if not isinstance(got, dict):
            return differs(got, want, where)
        missing = [name for name in want if name not in got]
        if missing:
            return f"{at(where)}{missing[0]!r} is missing"
        return first(difference(got[name], x, f"{where}.{name}".lstrip("."))
                     for name, x in want.items())
    if isinstance(want, list):
        if not isinstance(got, list):
            return differs(got, want, where)
        if len(got) != len(want):
            return f"{at(where)}there are {len(got)} entries, expected {len(want)}"
        return first(difference(x, y, f"{where}[{i}]")
                     for i, (x, y) in enumerate(zip(got, want)))
    return None if same(got, want) else differs(got, want, where)


def same(got: Any, want: Any) -> bool:
    """Whether two values that are no lists or objects agree."""
    if isinstance(want, float) and want:
        return is_number(got) and abs(got - want) <= CLOSE * max(1.0, abs(want))
    if is_number(want):
        return is_number(got) and got == want
    return type(got) is type(want) and got == want


def is_number(value: Any) -> bool:
    """Whether a value is a number; true and false are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def first(problems) -> str | None:
    """Return the first problem that there is."""
    return next((problem for problem in problems if problem is not None), None)


def differs(got: Any, want: Any, where: str) -> str:
    """Say what was got and expected; only ASCII, so that nothing hides."""
    return f"{at(where)}got {ascii(got):.200}, expected {ascii(want):.200}"


def at(where: str) -> str:
    """Return how a problem names its place."""
    return f"{where}: " if where else ""
