"""The text for pre-training: short documents about the small world.

Training and held-out documents have no sentence in common.  But a held-out fact, such
as "The capital of Peru is Lima.", may well occur in training in other words: "Lima is
the capital of Peru."
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from . import opinions, stories
from .facts import Topic, topics
from .templates import TRAIN, Dice, Filled, Line, belongs, fill

TOPICS = topics()
# How many of 100 documents are of each kind; see `document`.
MIX = {"subject": 26, "topic": 18, "quiz": 8, "person": 20, "company": 7, "I": 3,
       "news": 4, "cause": 7, "review": 7}
ANSWERS = ["It is", "The answer is"]


def documents(count: int, split: str = TRAIN, seed: int = 0, new: float = 0.3
              ) -> list[list[str]]:
    """Make documents, each a list of 2 to 6 sentences that belong together.

    Args:
        count: the number of documents.
        split: TRAIN or HELD_OUT.
        seed: each seed gives other documents.
        new: probability that a name is made up.
    """
    dice = Dice(f"documents {split} {seed} {new}")
    kinds = [kind for kind, share in MIX.items() for _ in range(share)]
    found: list[list[str]] = []
    while len(found) < count:
        made = document(dice, dice.pick(kinds), split, new)
        if len(made) >= 2:                    # few held-out sentences fit together
            found.append(made)
    return found


def statements(split: str = TRAIN) -> list[str]:
    """All sentences that state a fact, each once."""
    texts = {fill(line.text, words).text for topic in TOPICS.values()
             for line in topic.lines for words in topic.subjects}
    return sorted(text for text in texts if belongs(text, split))


def document(dice: Dice, kind: str, split: str, new: float) -> list[str]:
    """Make a document of a kind in MIX; it is short if the split lacks sentences."""
    topic = TOPICS[dice.pick(list(TOPICS))]
    if kind == "subject":
        return [filled.text for _, filled in facts(dice, topic, split, 5)]
    if kind == "topic":
        return survey(dice, topic, split, dice.between(2, 5))
    if kind == "quiz":
        return quiz(dice, split)
    if kind == "cause":
        return cause(dice, split, new)
    if kind == "review":
        return review(dice, dice.pick([opinions.POSITIVE, opinions.NEGATIVE]), split,
                      dice.between(2, 4))
    words = stories.person_words(dice, split, new)
    if kind == "company":
        made = story(dice, stories.COMPANY, words, split, 4, "company")
    elif kind == "I":
        made = some(dice, stories.FIRST_PERSON, words, split, 4)
    elif kind == "news":
        made = some(dice, stories.NEWS, words, split, 3)
    else:
        made = story(dice, stories.PERSON, words, split, 5, "person")
    return [filled.text for _, filled in made]


Said = list[tuple[Line, Filled]]         # lines, each with the sentence made of it


def some(dice: Dice, lines: Sequence[Line], words: Mapping[str, str], split: str,
         most: int, least: int = 2) -> Said:
    """Fill `least` to `most` of the lines whose sentences belong to the split."""
    count, made = dice.between(least, most), Said()
    for line in dice.some(lines, len(lines)):
        filled = fill(line.text, words)
        if len(made) < count and belongs(filled.text, split):
            made.append((line, filled))
    return made


def facts(dice: Dice, topic: Topic, split: str, most: int) -> Said:
    """Two or more facts about one subject of a topic, at most `most`."""
    return some(dice, topic.lines, dice.pick(topic.subjects), split, most)


def survey(dice: Dice, topic: Topic, split: str, count: int) -> list[str]:
    """One fact about each of `count` subjects of a topic."""
    made = [some(dice, topic.lines, words, split, 1, 1)
            for words in dice.some(topic.subjects, count)]
    return [filled.text for said in made for _, filled in said]


def story(dice: Dice, subjects: Mapping[str, Sequence[Line]], words: Mapping[str, str],
          split: str, most: int, name: str) -> Said:
    """Tell a story of 2 to `most` sentences, each on a different subject.

    The first has the slot `name`, as most others do.  Sentences that bring in somebody
    else come last, so that it stays clear who "he" is.
    """
    count, made = dice.between(2, most), Said()
    for subject in dice.some(list(subjects), len(subjects)):
        free = bool(made) and dice.chance(0.5)             # to say "he"
        lines = [line for line in subjects[subject] if free or name in line.slots]
        if len(made) < count:
            made += some(dice, lines, words, split, 1, 1)
    return made[:1] + sorted(made[1:], key=lambda pair: "other" in pair[0].slots)


def quiz(dice: Dice, split: str) -> list[str]:
    """Up to three questions about one subject, each followed by its answer."""
    topic = TOPICS[dice.pick(list(TOPICS))]
    words = dice.pick(topic.subjects)
    found = []
    for line in topic.lines:
        for question, slot in line.questions:
            text = (fill(question, words).text + " "
                    + fill("{form} {x}.", {"form": dice.pick(ANSWERS),
                                           "x": words[slot]}).text)
            if belongs(text, split) and text not in found:
                found.append(text)
    return dice.some(found, 3)


def cause(dice: Dice, split: str, new: float) -> list[str]:
    """Something that happens, and one or two things that follow from it."""
    words = stories.person_words(dice, split, new)
    causes, effects = dice.pick(stories.CAUSES)
    lines = [dice.pick(causes), *dice.some(effects, dice.between(1, 2))]
    found = [variant(line, words, split) for line in lines]
    return [text for text in found if text] if found[0] else []


def variant(line: str, words: Mapping[str, str], split: str) -> str:
    """Fill a line; where the split lacks the sentence, with the name instead of "he".

    Return "" if the split lacks both.
    """
    name = words["person"]
    named = {**words, "he": name, "him": name, "his": f"{name}'s"}
    for text in (fill(line, words).text, fill(line, named).text):
        if belongs(text, split):
            return text
    return ""


def review(dice: Dice, label: str, split: str, count: int, unseen: bool = False
           ) -> list[str]:
    """Write `count` sentences about one subject that share a verdict."""
    subject, found = dice.pick(list(opinions.SUBJECTS)), list[str]()
    while len(found) < count:
        text = opinions.sentence(dice, subject, label, unseen)
        if belongs(text, split) and text not in found:
            found.append(text)
    return found
