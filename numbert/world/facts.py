"""What is always true in the small world: subjects, and sentences about them."""

from __future__ import annotations

from typing import NamedTuple

from . import lexicon as words
from .templates import Dice, Line, line


class Topic(NamedTuple):
    """A kind of fact: its subjects, and the lines that are true of each of them."""

    subjects: list[dict[str, str]]
    lines: list[Line]


COUNTRY = [
    line("{capital} is the capital of {country}.",
         capital="What is the capital of {country}?",
         country="Which country has the capital {capital}?"),
    line("The capital of {country} is {capital}.",
         capital="What is the capital of {country}?"),
    line("The capital city of {country} is called {capital}.",
         capital="What is the capital of {country} called?"),
    line("The government of {country} sits in {capital}.",
         capital="Where does the government of {country} sit?"),
    line("{country} lies in {continent}, and its capital is {capital}.",
         capital="What is the capital of {country}?",
         continent="Where does {country} lie?"),
    line("{country} is a country in {continent}.",
         continent="Where is {country}? / In which continent is {country}?"),
    line("{capital} is a city in {country}.",
         country="Where is {capital}? / In which country is {capital}?"),
    line("If you travel to {capital}, you are in {country}."),
    line("People in {country} speak {language}.",
         language="Which language do people speak in {country}?"),
    line("In {country} people speak {language}.",
         language="What do people in {country} speak?"),
    line("The language of {country} is {language}.",
         language="What is the language of {country}?"),
    line("Many people learn {language} before they go to {country}."),
]
ANIMAL = [
    line("A {animal} says {sound}.", sound="What does a {animal} say?",
         animal="Which animal says {sound}?"),
    line("The {animal} says {sound}.", sound="What does the {animal} say?"),
    line("The sound of a {animal} is {sound}."),
    line("If an animal says {sound}, it is a {animal}."),
    line("{animals} say {sound} when they are happy."),
    line("{animals} eat {food}.", food="What do {animals} eat?"),
    line("A {animal} eats {food}.", food="What does a {animal} eat?"),
    line("{animals} like to eat {food}.", food="What do {animals} like to eat?"),
    line("The favourite food of a {animal} is {food}.",
         food="What is the favourite food of a {animal}?"),
    line("{animals} live {home}.", home="Where do {animals} live?"),
    line("A {animal} lives {home}.", home="Where does a {animal} live?"),
    line("You can find a {animal} {home}."),
    line("A {animal} has {legs} legs.", legs="How many legs does a {animal} have?"),
    line("{animals} have {legs} legs.", legs="How many legs do {animals} have?"),
    line("A young {animal} is called a {baby}.",
         baby="What is a young {animal} called?"),
    line("The child of a {animal} is a {baby}.",
         baby="What is the child of a {animal}?"),
]
COLOUR = [
    line("{thing} is {colour}.", colour="What colour is {thing}?"),
    line("The colour of {thing} is {colour}.",
         colour="What is the colour of {thing}?"),
    line("The dress was {colour} like {thing}.", colour="What colour was the dress?"),
    line("Her coat is as {colour} as {thing}.", colour="What colour is her coat?"),
    line("We painted the wall {colour} like {thing}."),
    line("Everybody knows that {thing} is {colour}."),
    line("When you think of {thing}, you think of {colour}."),
    line("Take the {colour} paint to draw {thing}."),
]
KIND = [
    line("{item} is a {kind}.", kind="What is {item}?"),
    line("{item} is a kind of {kind}."),
    line("One kind of {kind} is {item}."),
    line("A {kind} that everybody knows is {item}."),
    line("Not every {kind} is {item}."),
    line("The name of a {kind} is {item}."),
]
JOB = [
    line("A {job} {does}.", does="What does a {job} do?"),
    line("The work of a {job} is in a {place}.", place="Where is the work of a {job}?"),
    line("A {job} works in a {place}.", place="Where does a {job} work?",
         job="Who works in a {place}?"),
    line("You can meet a {job} in a {place}.", job="Whom can you meet in a {place}?"),
    line("Somebody who {does} is a {job}."),
    line("In a {place} there is a {job}."),
    line("If you want to be a {job}, you must work in a {place}."),
]
TOOL = [
    line("We use a {tool} to {use}.", tool="What do we use to {use}?"),
    line("With a {tool} you can {use}.", use="What can you do with a {tool}?"),
    line("You need a {tool} if you want to {use}.", tool="What do you need to {use}?"),
    line("People buy a {tool} because they want to {use}."),
    line("A {tool} helps you to {use}."),
    line("If you have no {tool}, it is difficult to {use}."),
    line("She took the {tool} to {use}."),
]
OPPOSITE = [
    line("The opposite of {one} is {other}.", other="What is the opposite of {one}?"),
    line("The opposite of {other} is {one}.", one="What is the opposite of {other}?"),
    line("{one} is the opposite of {other}."),
    line("{other} is the opposite of {one}."),
    line("Something that is {one} is not {other}."),
    line("What is {other} is not {one}."),
    line("It was {one} and not {other}."),
    line("It was not {one} but {other}."),
]
SUM = [
    line("{a} plus {b} is {c}.", c="What is {a} plus {b}?"),
    line("{a} and {b} make {c}.", c="What do {a} and {b} make?"),
    line("If you add {a} and {b}, you get {c}."),
    line("The sum of {a} and {b} is {c}.", c="What is the sum of {a} and {b}?"),
    line("{c} minus {b} is {a}.", a="What is {c} minus {b}?"),
    line("If you take {a} from {c}, you get {b}."),
    line("{c} is more than {b}."),
    line("{a} is less than {c}."),
]
NUMBER = [
    line("After {a} comes {b}.", b="What comes after {a}?"),
    line("Before {b} comes {a}.", a="What comes before {b}?"),
    line("{b} is one more than {a}."),
    line("{a} is one less than {b}."),
    line("The next number after {a} is {b}."),
    line("{b} is more than {a}."),
    line("{a} is less than {b}."),
]
DAY = [
    line("After {day} comes {next}.", next="What comes after {day}?"),
    line("The day after {day} is {next}.", next="Which day comes after {day}?"),
    line("The day before {next} is {day}.", day="Which day comes before {next}?"),
    line("If today is {day}, tomorrow is {next}."),
    line("If today is {next}, yesterday was {day}."),
    line("{day} is the {order} day of the week."),
    line("The {order} day of the week is {day}."),
    line("{day} is a day of the week."),
]
MONTH = [
    line("After {month} comes {next}.", next="What comes after {month}?"),
    line("The month after {month} is {next}.", next="Which month comes after {month}?"),
    line("The month before {next} is {month}."),
    line("{month} is the {order} month of the year."),
    line("The {order} month of the year is {month}."),
    line("As the {order} month of the year comes {month}."),
    line("{month} is a month in {season}.", season="In which season is {month}?"),
    line("It is {weather} in {month}, because it is {season}.",
         weather="How is the weather in {month}?"),
    line("In {season} it is {weather}."),
    line("The month of {month} belongs to {season}."),
]
FAMILY = [
    line("{father} {name} is the father of {son} {name}.",
         father="Who is the father of {son}?"),
    line("{mother} {name} is the mother of {son} {name}.",
         mother="Who is the mother of {son}?"),
    line("The mother of {daughter} {name} is {mother} {name}.",
         mother="Who is the mother of {daughter}?"),
    line("The father of {daughter} {name} is {father} {name}."),
    line("{son} {name} is the brother of {daughter} {name}.",
         son="Who is the brother of {daughter}?"),
    line("{daughter} {name} is the sister of {son} {name}.",
         daughter="Who is the sister of {son}?"),
    line("{father} {name} is married to {mother} {name}."),
    line("The husband of {mother} {name} is {father} {name}."),
    line("The children of the {name} family are {son} and {daughter}.",
         son="Who is the son of the {name} family?"),
    line("The {name} family lives in {city}.",
         city="Where does the {name} family live?"),
    line("The home of {mother} {name} is in {city}."),
    line("The {name} family has a {pet}.", pet="What pet does the {name} family have?"),
    line("The pet of the {name} family is a {pet}."),
]


def kinds() -> list[dict[str, str]]:
    """Rows such as {"item": "an apple", "kind": "fruit"}."""
    rows = []
    for kind, items in words.KINDS.items():
        for item in items.split():
            article = "an " if item[0] in "aeiou" else "a "
            rows.append({"item": item if kind in words.NO_ARTICLE else article + item,
                         "kind": kind})
    return rows


def sums() -> list[dict[str, str]]:
    """All sums of two numbers from one to ten."""
    names = words.NUMBERS
    return [{"a": names[a], "b": names[b], "c": names[a + b]}
            for a in range(1, 11) for b in range(1, 11)]


def cycle(items: list[str], name: str) -> list[dict[str, str]]:
    """Each item with its ordinal and the next item; the first follows the last."""
    return [{name: item, "next": items[(i + 1) % len(items)], "order": words.ORDER[i]}
            for i, item in enumerate(items)]


def months() -> list[dict[str, str]]:
    """The months, each with its season and weather."""
    rows = cycle(words.MONTHS, "month")
    for row in rows:
        row["season"] = words.SEASON_OF[row["month"]]
        row["weather"] = words.WEATHER[row["season"]]
    return rows


def families(count: int = 12) -> list[dict[str, str]]:
    """Made-up families, the same in every run."""
    dice, rows = Dice(1), []
    for name in words.SURNAMES[:count]:
        father, son = dice.some(words.MEN, 2)
        mother, daughter = dice.some(words.WOMEN, 2)
        rows.append({"name": name, "father": father, "mother": mother, "son": son,
                     "daughter": daughter, "city": dice.pick(words.CITIES),
                     "pet": dice.pick(words.PETS)})
    return rows


def topics() -> dict[str, Topic]:
    """All kinds of facts, by name."""
    names = words.NUMBERS
    return {
        "country": Topic(words.COUNTRIES, COUNTRY),
        "animal": Topic(words.ANIMALS, ANIMAL),
        "colour": Topic(words.COLOURED, COLOUR),
        "kind": Topic(kinds(), KIND),
        "job": Topic(words.JOBS, JOB),
        "tool": Topic(words.TOOLS, TOOL),
        "opposite": Topic([{"one": one, "other": other}
                           for one, other in words.OPPOSITES], OPPOSITE),
        "sum": Topic(sums(), SUM),
        "number": Topic([{"a": a, "b": b} for a, b in zip(names, names[1:])], NUMBER),
        "day": Topic(cycle(words.DAYS, "day"), DAY),
        "month": Topic(months(), MONTH),
        "family": Topic(families(), FAMILY),
    }
