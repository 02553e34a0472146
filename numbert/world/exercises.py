"""Labelled examples of the tasks: opinions, names, questions, choices.

As in `corpus`, the two splits share no sentence and no made-up name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from . import opinions, stories
from .corpus import TOPICS, Said, facts, review, some, story, variant
from .facts import Topic
from .templates import TRAIN, Dice, Filled, Line, belongs, fill

LABEL_OF = {"person": "PER", "other": "PER", "founder": "PER", "company": "ORG",
            "city": "LOC", "town": "LOC", "country": "LOC", "capital": "LOC",
            "continent": "LOC"}
CHOICES = 4


class Opinion(NamedTuple):
    """A review and its label, POSITIVE or NEGATIVE."""

    text: str
    label: str


class Tagged(NamedTuple):
    """The words of a text, and the BIO tag of each."""

    words: list[str]
    tags: list[str]


class Question(NamedTuple):
    """A question about a text, the answer, and where the answer starts.

    If the text does not answer the question, answer is "" and start is -1.
    """

    question: str
    context: str
    answer: str
    start: int


class Cloze(NamedTuple):
    """A sentence with [MASK], the word that it hides, and the kind of fact."""

    text: str
    answer: str
    kind: str


class Choice(NamedTuple):
    """A text, four ways to go on, and the index of the right one."""

    context: str
    choices: list[str]
    label: int


def opinion_texts(count: int, split: str = TRAIN, seed: int = 0, unseen: bool = False
                  ) -> list[Opinion]:
    """Reviews of 1 to 3 sentences, half of them good and half bad.

    unseen: use sentence patterns that no training text has.
    """
    dice = Dice(f"opinions {split} {seed} {unseen}")
    labels = [opinions.POSITIVE, opinions.NEGATIVE]
    return [Opinion(" ".join(review(dice, labels[i % 2], split, dice.between(1, 3),
                                    unseen)), labels[i % 2]) for i in range(count)]


def cloze(split: str = TRAIN) -> list[Cloze]:
    """Every fact that answers a question, with the answer masked."""
    found = []
    for name, topic in TOPICS.items():
        for line in topic.lines:
            for words in topic.subjects:
                for slot in sorted({slot for _, slot in line.questions}):
                    if belongs(fill(line.text, words).text, split):
                        masked = fill(line.text, {**words, slot: "[MASK]"}).text
                        found.append(Cloze(masked, words[slot], f"{name} {slot}"))
    return found


# ------------------------------------------------------------------- names in texts

def tagged_texts(count: int, split: str = TRAIN, seed: int = 0) -> list[Tagged]:
    """Texts of one or two sentences with names; one in eight has none."""
    dice = Dice(f"names {split} {seed}")
    found: list[Tagged] = []
    while len(found) < count:
        if dice.chance(1 / 8):
            plain = nameless(dice, split)
            if plain:
                words = split_words(plain)
                found.append(Tagged([word for word, _ in words], ["O"] * len(words)))
            continue
        made = named(dice, split)
        if made:
            parts = [tagged(filled) for _, filled in made]
            found.append(Tagged([word for part in parts for word in part.words],
                                [tag for part in parts for tag in part.tags]))
    return found


def nameless(dice: Dice, split: str) -> str:
    """A sentence without a person, place or company; "" if none was found."""
    if dice.chance(0.3):
        label = dice.pick([opinions.POSITIVE, opinions.NEGATIVE])
        return review(dice, label, split, 1)[0]
    topics = [topic for name, topic in TOPICS.items()
              if name not in ("country", "family")]
    made = facts(dice, dice.pick(topics), split, 2)
    return made[0][1].text if made else ""


def named(dice: Dice, split: str) -> Said:
    """One or two sentences of one kind, with names; none if the split lacks them."""
    kind = dice.between(1, 8)
    if kind == 1:
        return facts(dice, TOPICS["country"], split, 2)[:2]
    words = stories.person_words(dice, split, new=0.5, full=0.4)
    if kind <= 4:
        return some(dice, stories.NEWS, words, split, 2)[:dice.between(1, 2)]
    if kind == 5:
        return some(dice, stories.FIRST_PERSON, words, split, 2)[:dice.between(1, 2)]
    if kind == 6:
        return story(dice, stories.COMPANY, words, split, 2, "company")
    return story(dice, stories.PERSON, words, split, 2, "person")[:dice.between(1, 2)]


def split_words(text: str) -> list[tuple[str, int]]:
    """Words and punctuation marks, each with the place of its first character."""
    return [(found[0], found.start()) for found in re.finditer(r"\w+|[^\w\s]", text)]


def tagged(filled: Filled) -> Tagged:
    """The words of a sentence, tagged by the slots that they fill."""
    entities = [(start, stop, LABEL_OF[slot])
                for slot, (start, stop) in filled.spans.items() if slot in LABEL_OF]
    words, tags = [], []
    for word, place in split_words(filled.text):
        tag = "O"
        for start, stop, label in entities:
            if start <= place < stop:
                tag = ("B-" if place == start else "I-") + label
        words.append(word)
        tags.append(tag)
    return Tagged(words, tags)


# ------------------------------------------------------------------------ questions

Told = Sequence[tuple[Line, Filled, Mapping[str, str]]]  # what a text says
Asked = Sequence[tuple[Line, Mapping[str, str]]]         # what it leaves out


def passage(dice: Dice, split: str) -> tuple[Told, Asked]:
    """A text, and lines that it leaves out, for questions that it can't answer."""
    kind = dice.between(1, 10)
    if kind <= 2:
        return about_facts(dice, split)
    if kind <= 8:
        told = alike(dice, split)[0] if kind <= 5 else about_persons(dice, split)
        persons = list({words["person"]: words for _, _, words in told}.values())
        stranger = another_person(dice, split, *persons)
        return told, [*((line, words) for words in persons
                        for lines in untold(told, words) for line in lines),
                      *((line, stranger) for line, _, _ in told)]
    words = stories.person_words(dice, split)
    lines, most = (stories.FIRST_PERSON, 4) if kind == 9 else (stories.NEWS, 2)
    told = [(line, filled, words) for line, filled
            in some(dice, lines, words, split, most)]
    if kind == 10:
        told += [(line, filled, words) for line, filled
                 in story(dice, stories.COMPANY, words, split, 3, "company")]
    return told, []


def another_person(dice: Dice, split: str, *persons: Mapping[str, str], **names: float
                   ) -> dict[str, str]:
    """Draw the words of a person who has nothing in common with the others.

    names: `new` and `full` of `stories.person_words`.
    """
    taken = {word for words in persons for word in words.values()}
    taken -= {"he", "she", "his", "her", "him"}
    while True:
        words = stories.person_words(dice, split, **names)
        if taken.isdisjoint(words.values()):
            return words


def about_persons(dice: Dice, split: str) -> Told:
    """A story about each of two persons."""
    one = another_person(dice, split)
    return [(line, filled, words) for words in (one, another_person(dice, split, one))
            for line, filled in story(dice, stories.PERSON, words, split, 3, "person")]


def alike(dice: Dice, split: str, most: int = 3, **names: float
          ) -> tuple[Told, Asked]:
    """Say the same things about two persons, so that only the name tells them apart.

    First all about one, then all about the other; or, if no line says "he", in turns.
    At most `most` lines each.
    """
    while True:
        one = another_person(dice, split, **names)
        other = another_person(dice, split, one, **names)
        lines = [line for line, _ in
                 story(dice, stories.PERSON, one, split, 3, "person")[:most]]
        rows = [[(line, fill(line.text, words), words) for line in lines]
                for words in (one, other)]
        if lines and all(belongs(filled.text, split) for _, filled, _ in rows[1]):
            break
    if all("person" in line.slots for line in lines) and dice.chance(0.5):
        rows = [list(both) for both in zip(*rows)]
    return [said for row in rows for said in row], []


def short(dice: Dice, split: str) -> tuple[Told, Asked]:
    """One line about each of two persons, as in `alike`, without surnames.

    From these a model as small as ours learns to heed the name in a question.  From
    longer texts alone it does not.
    """
    return alike(dice, split, most=1, full=0)


def about_facts(dice: Dice, split: str) -> tuple[Told, Asked]:
    """Facts about two subjects of a topic, and lines about a third."""
    topic: Topic = TOPICS[dice.pick([name for name, topic in TOPICS.items()
                                     if name != "colour"])]
    first, second, third = dice.some(topic.subjects, 3)
    told = [(line, filled, words) for words in (first, second) for line, filled
            in some(dice, topic.lines, words, split, 2)]
    return told, [(line, third) for line in topic.lines]


def untold(told: Told, words: Mapping[str, str]) -> list[list[Line]]:
    """The lines about a person on subjects that the text does not touch."""
    used = [line for line, _, known in told if known is words]
    return [lines for lines in stories.PERSON.values()
            if not any(line in lines for line in used)]


def ask(dice: Dice, told: Told, untold_lines: Asked) -> Question | None:
    """Ask something that a text answers once or, one time in four, not at all.

    Return None if the text answers no question clearly.
    """
    context, answers = "", dict[str, set[tuple[str, int]]]()
    for line, filled, words in told:
        for question, slot in line.questions:
            start = filled.spans[slot][0]
            answer = filled.text[start:filled.spans[slot][1]]
            answers.setdefault(fill(question, words).text, set()).add(
                (answer, len(context) + start))
        context += filled.text + " "
    context = context.strip()
    others = sorted({fill(question, words).text for line, words in untold_lines
                     for question, _ in line.questions} - set(answers))
    if others and context and dice.chance(0.25):
        return Question(dice.pick(others), context, "", -1)
    clear = [(question, *min(found, key=lambda pair: pair[1]))
             for question, found in sorted(answers.items())
             if len({answer.lower() for answer, _ in found}) == 1]
    if not clear:
        return None
    question, answer, start = dice.pick(clear)
    return Question(question, context, answer, start)


def questions(count: int, split: str = TRAIN, seed: int = 0,
              passages: Callable[[Dice, str], tuple[Told, Asked]] = passage
              ) -> list[Question]:
    """Questions about the texts that `passages` makes.

    By default these are stories and facts of 2 to 6 sentences, and one question in five
    has no answer.
    """
    dice = Dice(f"questions {split} {seed} {passages.__name__}")
    found: list[Question] = []
    while len(found) < count:
        told, asked = passages(dice, split)
        made = ask(dice, told, asked)
        if made is not None:
            found.append(made)
    return found


# -------------------------------------------------------------------------- choices

def choices(count: int, split: str = TRAIN, seed: int = 0) -> list[Choice]:
    """Choices of what follows from a cause, or of the answer to a question."""
    dice = Dice(f"choices {split} {seed}")
    found: list[Choice] = []
    while len(found) < count:
        made = consequence(dice, split) if dice.chance(0.5) else answer(dice, split)
        if made is not None:
            found.append(made)
    return found


def consequence(dice: Dice, split: str) -> Choice | None:
    """A cause, one thing that follows from it, and three that follow from others."""
    words = stories.person_words(dice, split)
    groups = dice.some(stories.CAUSES, CHOICES)
    context = variant(dice.pick(groups[0][0]), words, split)
    texts = [variant(dice.pick(effects), words, split) for _, effects in groups]
    return shuffled(dice, context, texts) if context and all(texts) else None


def answer(dice: Dice, split: str) -> Choice | None:
    """A question about a fact, with the right answer and three wrong ones."""
    topic = TOPICS[dice.pick(list(TOPICS))]
    words = dice.pick(topic.subjects)
    question, slot = dice.pick([pair for line in topic.lines
                                for pair in line.questions])
    context, right = fill(question, words).text, words[slot]
    wrong = sorted({row[slot] for row in topic.subjects} - right_answers(
        topic, question, slot, context))
    if len(wrong) < CHOICES - 1 or not belongs(f"{context} {right}", split):
        return None
    return shuffled(dice, context, [right, *dice.some(wrong, CHOICES - 1)])


def right_answers(topic: Topic, question: str, slot: str, context: str) -> set[str]:
    """All right answers: any colour fits "What colour was the dress?"."""
    return {row[slot] for row in topic.subjects
            if fill(question, row).text == context}


def shuffled(dice: Dice, context: str, texts: list[str]) -> Choice:
    """Shuffle the texts, of which the first is right."""
    order = dice.some(range(len(texts)), len(texts))
    return Choice(context, [texts[i] for i in order], order.index(0))
