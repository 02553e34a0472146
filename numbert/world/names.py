"""Names of persons, places and companies: known ones and made-up ones.

A model that saw only known names would learn them by heart.  Made-up names make it read
the words around them.
"""

from __future__ import annotations

from . import lexicon as words
from .templates import Dice, belongs

STARTS = "b d f g h k l m n p r s t v z br dr fr gr kr pr st tr sh ch w j c".split()
VOWELS = "a e i o u a e i o ai ea oo".split()
ENDS = {"person": ["", "", "n", "s", "l", "r"],
        "city": ["", "", "n", "burg", "ton", "ville", "stad", "ford"],
        "company": ["", "", "x", "tec", "soft", "corp", "n", "k"]}
PERSONS = {"m": words.MEN, "f": words.WOMEN}
TRADES = """Bank, Foods, Books, Motors, Tools, Hotels, Software, Airways, Press, Steel,
    Toys, Radio, Glass, Group, Systems, Industries""".replace("\n", " ").split(",")
SUFFIXES = ["Ltd", "Inc", "Corporation", "Brothers"]


def made_up(dice: Dice, kind: str, split: str) -> str:
    """Make up a name.  A name of one split never occurs in the other."""
    while True:
        parts = [dice.pick(STARTS) + dice.pick(VOWELS) for _ in
                 range(dice.between(2, 3))]
        name = "".join(parts) + dice.pick(ENDS[kind])
        if len(name) > 3 and belongs(name, split):
            return name.capitalize()


def first_name(dice: Dice, gender: str, split: str, new: float) -> str:
    """A first name; with probability `new` it is made up, and fits either gender."""
    if dice.chance(new):
        return made_up(dice, "person", split)
    return dice.pick(PERSONS[gender])


def full_name(dice: Dice, gender: str, split: str, new: float) -> str:
    """A first name and a surname."""
    last = made_up(dice, "person", split) if dice.chance(new) else \
        dice.pick(words.SURNAMES)
    return f"{first_name(dice, gender, split, new)} {last}"


def city(dice: Dice, split: str, new: float) -> str:
    """A city; one made-up name in ten has two words."""
    if not dice.chance(new):
        return dice.pick(words.CITIES)
    name = made_up(dice, "city", split)
    return f"{dice.pick(['New', 'San', 'Port', 'Lake'])} {name}" if dice.chance(0.1) \
        else name


def company(dice: Dice, split: str, new: float) -> str:
    """A company, such as Zorvix, Zorvix Foods, Miller Inc or University of Oslo."""
    if not dice.chance(new):
        return dice.pick(words.COMPANIES)
    name = made_up(dice, "company", split)
    form = dice.between(1, 6)
    if form == 1:
        return f"{name} {dice.pick(TRADES).strip()}"
    if form == 2:
        return f"{dice.pick(words.SURNAMES)} {dice.pick(SUFFIXES)}"
    if form == 3:
        return f"{name} {dice.pick(SUFFIXES)}"
    if form == 4:
        return f"University of {city(dice, split, new)}"
    return name
