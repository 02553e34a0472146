"""Sentences with slots, dice to fill them, and the rule that holds sentences out."""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

TRAIN, HELD_OUT = "train", "held-out"
SHARE = 10                       # one sentence in ten is held out for tests

T = TypeVar("T")
SLOT = re.compile(r"\{(\w+)\}")
VOWEL = re.compile("(?!uni)[aeiou]")


class Line(NamedTuple):
    """A sentence with slots, and the questions that it answers.

    text: such as "{person} lives in {city}."
    questions: pairs of a question, also with slots, and the slot that answers it.
    """

    text: str
    questions: tuple[tuple[str, str], ...] = ()

    @property
    def slots(self) -> set[str]:
        """The names of the slots in the sentence."""
        return set(SLOT.findall(self.text))


class Filled(NamedTuple):
    """A sentence with its slots filled, and where each slot's word stands.

    spans: slot -> (start, stop) of its first occurrence; stop is not included.
    """

    text: str
    spans: dict[str, tuple[int, int]]


class Dice(random.Random):
    """Random draws that are the same in every Python: all come from random()."""

    def pick(self, items: Sequence[T]) -> T:
        """Draw one of the items."""
        return items[int(self.random() * len(items))]

    def some(self, items: Sequence[T], count: int) -> list[T]:
        """Draw `count` of the items, or all if there are fewer, in random order."""
        pool = list(items)
        return [pool.pop(int(self.random() * len(pool)))
                for _ in range(min(count, len(pool)))]

    def between(self, low: int, high: int) -> int:
        """Draw a whole number from low to high, both included."""
        return low + int(self.random() * (high - low + 1))

    def chance(self, probability: float) -> bool:
        """Whether something of this probability happens."""
        return self.random() < probability


def line(text: str, **questions: str) -> Line:
    """Make a Line from a sentence and the questions that its slots answer.

    line("{person} lives in {city}.", city="Where does {person} live?")

    Write " / " between several questions about one slot.
    """
    return Line(text, tuple((question, slot) for slot, several in questions.items()
                            for question in several.split(" / ")))


def fill(template: str, words: Mapping[str, str]) -> Filled:
    """Put words into the slots of a sentence.

    "a" becomes "an" where needed, and the sentence begins with a capital.

    >>> fill("a {animal} eats {food}.", {"animal": "owl", "food": "mice"}).text
    'An owl eats mice.'
    """
    text, done = "", 0
    spans: dict[str, tuple[int, int]] = {}
    for found in SLOT.finditer(template):
        text += template[done:found.start()]
        word, done = words[found[1]], found.end()
        if re.search(r"\b[Aa] $", text) and VOWEL.match(word.lower()):
            text = text[:-1] + "n "
        spans.setdefault(found[1], (len(text), len(text) + len(word)))
        text += word
    text += template[done:]
    return Filled(text[:1].upper() + text[1:], spans)


def is_held_out(text: str) -> bool:
    """Whether a sentence is held out for tests: this depends on its text alone."""
    return zlib.crc32(text.lower().encode()) % SHARE == 0


def belongs(text: str, split: str) -> bool:
    """Whether a sentence may be used in this split, TRAIN or HELD_OUT.

    Raises:
        ValueError: there is no such split.
    """
    if split not in (TRAIN, HELD_OUT):
        raise ValueError(f"split is {split!r}, expected {TRAIN!r} or {HELD_OUT!r}: "
                         "pass one of these two")
    return is_held_out(text) == (split == HELD_OUT)
