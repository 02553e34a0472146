"""The exercises of the notebooks, and `check`, which looks at an answer.

    from numbert.testing.lessons import check
    check("03.1", my_merge_heads)       # prints what is right or what went wrong

No answer is stored: `check` computes the right one again, and the well-known mistakes.
Start with exercise.py, which judges an answer; each lesson_NN.py belongs to a notebook.
This room may import what testing may import.
"""

from importlib import import_module
from pathlib import Path

from .exercise import Exercise, judge

__all__ = ["Exercise", "check", "exercises", "judged"]


def check(name: str, answer) -> None:
    """Print whether an answer is right and, if it is not, the mistake it looks like.

    Args:
        name: the exercise's number, as in "08.3".
        answer: what the exercise asks for: a function, or a value.

    Raises:
        ValueError: there is no exercise of this name.
    """
    print(judged(name, answer)[1])


def judged(name: str, answer) -> tuple[bool, str]:
    """Return whether an answer is right, and the sentences that `check` prints."""
    known = exercises(name[:2]) if isinstance(name, str) else {}
    if name not in known:
        names = (each for lesson in lessons() for each in exercises(lesson))
        raise ValueError(f"the exercise is {name!r}, expected one of "
                         f"{', '.join(names)}: give the number that stands over it")
    return judge(name, known[name], answer)


def exercises(lesson: str) -> dict[str, Exercise]:
    """Return the exercises of one notebook, {"03.1": Exercise, ...}; lesson: "03"."""
    if lesson not in lessons():
        return {}
    return import_module(f".lesson_{lesson}", __name__).EXERCISES


def lessons() -> list[str]:
    """Return the numbers of all notebooks that have exercises, in order."""
    files = Path(__file__).parent.glob("lesson_*.py")
    return sorted(file.stem.removeprefix("lesson_") for file in files)
