"""Opinions: the sentences of short reviews, each of them good or bad."""

from __future__ import annotations

from typing import NamedTuple

from .templates import Dice, fill

POSITIVE, NEGATIVE = "POSITIVE", "NEGATIVE"

# What is judged, and its parts.
SUBJECTS = {
    "film": "story acting ending music actor picture dialogue",
    "movie": "plot cast ending soundtrack actor scene",
    "book": "story style ending language cover chapter",
    "hotel": "room bed staff breakfast view pool bathroom location",
    "restaurant": "meal food soup service waiter dessert menu pizza wine",
    "concert": "band singer sound song hall show",
    "phone": "screen camera battery keyboard price design",
    "shop": "service staff price quality choice",
    "game": "idea level graphics sound story rules",
    "holiday": "beach weather hotel flight food trip",
}
GOOD = """good great wonderful excellent fantastic amazing lovely nice perfect beautiful
    brilliant superb fine charming pleasant awesome outstanding delightful impressive
    marvellous splendid terrific incredible enjoyable exciting interesting remarkable
    fabulous fun cool""".split()
BAD = """bad terrible horrible awful poor disappointing boring ugly dull dreadful
    disgusting stupid annoying worthless unpleasant weak miserable ridiculous useless
    rubbish mediocre painful tedious sad cheap lousy pathetic nasty rude
    unacceptable""".split()
LIKE = "love like enjoy adore".split()
LIKED = "loved liked enjoyed adored".split()
HATE = "hate dislike regret despise".split()
HATED = "hated disliked regretted despised".split()
HAPPY = "happy glad pleased delighted satisfied excited".split()
ANGRY = "angry disappointed unhappy sad annoyed bored upset".split()
VERY = ["very", "really", "so", "quite", "truly", "absolutely", "extremely"]


class Pattern(NamedTuple):
    """A positive sentence with slots, and its negative counterpart.

    {good}, {like}, {liked}, {happy} take words that agree with the sentence's verdict;
    {bad}, {hate}, {hated}, {angry} take words of the opposite verdict.
    """

    text: str
    opposite: str


def same(text: str) -> Pattern:
    """A pattern whose verdict comes from the words in its slots alone."""
    return Pattern(text, text)


# Training never uses the last few of these: see `patterns`.
PATTERNS = [
    same("The {part} was {good}."),
    same("The {part} was {very} {good}."),
    same("The {subject} was {good}."),
    same("This {subject} is {good}."),
    same("This {subject} is {very} {good}."),
    same("This is a {good} {subject}."),
    same("It was a {good} {subject}."),
    same("What a {good} {subject}!"),
    same("It was {very} {good}."),
    same("I think that the {subject} is {very} {good}."),
    same("The {part} was {good} and the {part2} was {good2}."),
    same("The {part} of this {subject} is {good}."),
    same("The {subject} had a {good} {part}."),
    same("A {good} {subject} with a {good2} {part}."),
    same("I {like} this {subject}."),
    same("I {like} the {part}."),
    same("We {liked} the {subject}."),
    same("I really {liked} the {part} and the {part2}."),
    same("My friends {liked} this {subject}."),
    same("I was {very} {happy} with the {part}."),
    same("The {subject} made me {happy}."),
    same("We are {happy} that we chose this {subject}."),
    same("I expected a {bad} {part}, but it was {good}."),
    same("Although the {part} was {bad}, I {liked} the {subject}."),
    same("The {part} was {bad}, but all in all it was a {good} {subject}."),
    same("Some people {hate} it, but I {like} it."),
    same("I {like} it, because the {part} is {good}."),
    same("I am {happy} with it."),
    same("It is {very} {good}."),
    same("The {part} was not {bad} at all."),
    same("The {part} was not {bad}."),
    same("The {part} is not {bad}."),
    same("The {subject} was not {bad}."),
    same("This {subject} is not {bad}."),
    same("It was not {very} {bad}."),
    same("I was not {angry} with the {part}."),
    same("The {subject} did not make me {angry}."),
    Pattern("I did not {hate} the {part}.", "I did not {hate} this {subject}."),
    Pattern("I do not {hate} the {subject}.", "I do not {hate} this {part}."),
    same("It was not a {bad} {subject}."),
    same("There is nothing {bad} about the {part}."),
    Pattern("I would come back for the {part}.",
            "I will never come back to this {subject}."),
    Pattern("I can recommend this {subject}.", "I cannot recommend this {subject}."),
    Pattern("I want more of this {subject}.",
            "I want my money back for this {subject}."),
    Pattern("The {subject} was worth the money.",
            "The {subject} was a waste of money."),
    Pattern("This {subject} is worth my time.",
            "This {subject} is a waste of time."),
    Pattern("This is the best {subject} of all.", "This is the worst {subject} ever."),
    Pattern("The {part} was the best I know.", "The {part} was the worst I know."),
    Pattern("The {part} was better than I thought.",
            "The {part} was worse than I thought."),
    Pattern("Everybody should try this {subject}.",
            "Nobody should try this {subject}."),
    Pattern("Everything was right with the {subject}.",
            "Everything was wrong with the {subject}."),
    same("I have never had such a {good} {subject}."),
    # held out: patterns that training never shows
    same("If you ask me, the {part} was {good}."),
    same("My sister {liked} it, and so did I."),
    same("How {good} this {subject} is!"),
    same("I must say that we {liked} the {part2}."),
    same("The {subject} with the {good} {part} was {very} {good2}."),
    same("Nobody can say that the {part} was {bad}."),
]
UNSEEN = 6                       # how many at the end of PATTERNS are held out


def patterns(unseen: bool = False) -> list[Pattern]:
    """The patterns for training or, if unseen, those for tests only."""
    return PATTERNS[-UNSEEN:] if unseen else PATTERNS[:-UNSEEN]


def sentence(dice: Dice, subject: str, label: str, unseen: bool = False) -> str:
    """One opinion about a subject."""
    pattern = dice.pick(patterns(unseen))
    text = pattern.text if label == POSITIVE else pattern.opposite
    return fill(text, opinion_words(dice, subject, label)).text


def opinion_words(dice: Dice, subject: str, label: str) -> dict[str, str]:
    """Draw a word for every slot of a pattern."""
    pairs = [("good", "bad", GOOD, BAD), ("like", "hate", LIKE, HATE),
             ("liked", "hated", LIKED, HATED), ("happy", "angry", HAPPY, ANGRY)]
    found: dict[str, str] = {}
    for own, other, positive, negative in pairs:
        if label == NEGATIVE:
            positive, negative = negative, positive
        found |= {own: dice.pick(positive), other: dice.pick(negative)}
        found[own + "2"] = dice.pick(positive)
    part, part2 = dice.some(SUBJECTS[subject].split(), 2)
    return {**found, "subject": subject, "part": part, "part2": part2,
            "very": dice.pick(VERY)}
