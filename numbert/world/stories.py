"""Lines for short stories: people, companies and news; causes and what follows."""

from __future__ import annotations

from . import lexicon as words
from . import names
from .templates import Dice, Line, line

# What a story may say of a person, by subject; it says one thing on each.
# The first lines on each subject name the person, so they can open a story.
PERSON: dict[str, list[Line]] = {
    "home": [
        line("{person} lives in {city}.", city="Where does {person} live?",
             person="Who lives in {city}?"),
        line("{person} has a house in {city}.",
             city="Where does {person} have a house?",
             person="Who has a house in {city}?"),
        line("{person} moved to {city} last {month}.",
             city="Where did {person} move to?", month="When did {person} move?"),
        line("The home of {person} is in {city}.", city="Where is the home of {person}?"
             " / Where does {person} live?"),
        line("{he} lives in {city}.", city="Where does {person} live?"),
    ],
    "birth": [
        line("{person} was born in {city}.", city="Where was {person} born?",
             person="Who was born in {city}?"),
        line("{person} comes from {city}.", city="Where does {person} come from?",
             person="Who comes from {city}?"),
        line("{he} was born in {city}.", city="Where was {person} born?"),
    ],
    "work": [
        line("{person} works at {company}.", company="Where does {person} work?",
             person="Who works at {company}?"),
        line("{person} works for {company} in {town}.",
             company="Who does {person} work for? / Where does {person} work?",
             town="In which city does {person} work?",
             person="Who works for {company}?"),
        line("{person} got a new job at {company}.",
             company="Where did {person} get a new job?",
             person="Who got a new job at {company}?"),
        line("{person} has an office at {company}.",
             company="Where does {person} have an office?"),
        line("{he} works at {company}.", company="Where does {person} work?"),
        line("{he} works for {company}.", company="Who does {person} work for?"),
    ],
    "job": [
        line("{person} is a {job}.", job="What is the job of {person}?",
             person="Who is a {job}?"),
        line("{person} works as a {job}.", job="What does {person} work as?",
             person="Who works as a {job}?"),
        line("{he} is a {job} in a {place}.", job="What is the job of {person}?"),
    ],
    "age": [
        line("{person} is {age} years old.", age="How old is {person}?"),
        line("{he} is {age} years old.", age="How old is {person}?"),
    ],
    "pet": [
        line("{person} has a {colour} {pet}.", pet="What pet does {person} have?",
             colour="What colour is the {pet} of {person}?",
             person="Who has a {colour} {pet}?"),
        line("The {pet} of {person} is {colour}.",
             colour="What colour is the {pet} of {person}?"),
        line("{he} has a {colour} {pet}.", pet="What pet does {person} have?",
             colour="What colour is the {pet} of {person}?"),
    ],
    "food": [
        line("{person} likes {food} very much.", food="What does {person} like?",
             person="Who likes {food}?"),
        line("{person} eats {food} every {day}.", food="What does {person} eat?",
             day="When does {person} eat {food}?", person="Who eats {food}?"),
        line("{he} likes to eat {food}.", food="What does {person} like to eat?"),
    ],
    "hobby": [
        line("{person} plays {hobby}.", hobby="What does {person} play?",
             person="Who plays {hobby}?"),
        line("On {day} {person} plays {hobby} with {his} friends.",
             hobby="What does {person} play?", day="When does {person} play {hobby}?",
             person="Who plays {hobby}?"),
        line("{he} plays {hobby} on {day}.", hobby="What does {person} play?",
             day="When does {person} play {hobby}?"),
    ],
    "shopping": [
        line("{person} bought {number} {goods} on {day}.",
             number="How many {goods} did {person} buy?",
             goods="What did {person} buy?", day="When did {person} buy the {goods}?",
             person="Who bought {number} {goods}?"),
        line("{person} sold {number} {goods} in {city}.",
             number="How many {goods} did {person} sell?",
             city="Where did {person} sell the {goods}?",
             goods="What did {person} sell?"),
        line("{he} bought {number} {goods}.",
             number="How many {goods} did {person} buy?",
             goods="What did {person} buy?"),
    ],
    "travel": [
        line("{person} travels to {city} by {vehicle}.",
             vehicle="How does {person} travel?", city="Where does {person} travel to?",
             person="Who travels to {city}?"),
        line("{person} went to {city} in {month}.", city="Where did {person} go?",
             month="When did {person} go to {city}?", person="Who went to {city}?"),
        line("Last {month} {he} went to {city} by {vehicle}.",
             city="Where did {person} go?", vehicle="How did {person} go to {city}?"),
    ],
    "language": [
        line("{person} speaks {language}.", person="Who speaks {language}?",
             language="Which language does {person} speak?"
             " / What does {person} speak?"),
        line("{he} learns {language} at school.",
             language="Which language does {person} learn?"),
    ],
    "family": [
        line("The {relation} of {person} is called {other}.",
             other="Who is the {relation} of {person}?"
             " / What is the {relation} of {person} called?"),
        line("{other} is the {relation} of {person}.",
             other="Who is the {relation} of {person}?"),
        line("{person} has a {relation} called {other}.",
             other="Who is the {relation} of {person}?"
             " / What is the name of the {relation} of {person}?"),
        line("{his} {relation} is called {other}.",
             other="What is the name of the {relation} of {person}?"),
        line("{person} met {his} {relation} {other} in {city}.",
             other="Who is the {relation} of {person}? / Whom did {person} meet?",
             city="Where did {person} meet {other}?"),
    ],
}
COMPANY: dict[str, list[Line]] = {
    "place": [
        line("{company} is a company in {city}.", city="Where is {company}?",
             company="Which company is in {city}?"),
        line("The office of {company} is in {city}.",
             city="Where is the office of {company}?"),
    ],
    "product": [
        line("{company} makes {product}.", product="What does {company} make?",
             company="Who makes {product}?"),
        line("People buy {product} from {company}.",
             product="What do people buy from {company}?"),
    ],
    "head": [
        line("The head of {company} is {person}.",
             person="Who is the head of {company}?"),
        line("{person} is the boss of {company}.",
             person="Who is the boss of {company}?",
             company="Which company has {person} as its boss?"),
    ],
    "founded": [
        line("{company} was founded by {founder} in {country}.",
             founder="Who founded {company}?",
             country="Where was {company} founded?"),
    ],
    "staff": [
        line("{number} people work for {company}.",
             number="How many people work for {company}?"),
    ],
}
FIRST_PERSON = [
    line("My name is {person} and I live in {city}.", person="What is my name?",
         city="Where do I live?"),
    line("My name is {person} and I work at {company} in {city}.",
         person="What is my name?", company="Where do I work?",
         city="In which city do I work?"),
    line("I am {person} and I come from {city}.", person="Who am I?",
         city="Where do I come from?"),
    line("My name is {person}.", person="What is my name?"),
    line("I live in {city} and I am {age} years old.", city="Where do I live?",
         age="How old am I?"),
    line("I work for {company}.", company="Where do I work?"),
    line("I have a {colour} {pet}.", pet="What pet do I have?",
         colour="What colour is my {pet}?"),
    line("My {relation} is called {other}.", other="Who is my {relation}?"),
    line("I like {food}.", food="What do I like?"),
    line("I play {hobby} on {day}.", hobby="What do I play?", day="When do I play?"),
]
# Sentences as in a newspaper, with several names each.
NEWS = [
    line("{person}, who works for {company}, flew to {city} on {day}.",
         company="Who does {person} work for?", city="Where did {person} fly to?",
         day="When did {person} fly to {city}?"),
    line("{company} opened a new office in {city}.",
         city="Where did {company} open a new office?",
         company="Who opened a new office in {city}?"),
    line("The president of {country} met {founder} in {city}.",
         founder="Whom did the president of {country} meet?"),
    line("{person} and {founder} met in {city} last {day}.",
         city="Where did {person} meet {founder}?"),
    line("{company} was sold to a bank in {country}."),
    line("{founder} will be the new head of {company}.",
         founder="Who will be the new head of {company}?"),
    line("In {month} {founder} left {company} and moved to {country}.",
         company="What did {founder} leave?", country="Where did {founder} move to?"),
    line("{number} people from {city} wrote a letter to {company}."),
    line("{founder} of {company} said that business was good in {month}."),
    line("The train from {city} to {town} was late on {day}.",
         city="Where did the train come from?", town="Where did the train go to?"),
    line("{person} studied at the university of {city}.",
         city="Where did {person} study?"),
    line("Yesterday {person} travelled from {city} to {town}.",
         city="Where did {person} travel from?", town="Where did {person} travel to?"),
    line("{company} and the city of {town} will build a school in {country}."),
    line("Doctor {founder} works in a hospital in {city}."),
    line("We talked to {founder} about {company}."),
    line("{person} loves {city}.", city="What does {person} love?"),
]
# Causes, and what follows from each of them and from no other.
CAUSES: list[tuple[list[str], list[str]]] = [
    (["{person} was hungry.", "{person} wanted to eat something."],
     ["{he} made a big sandwich.", "{he} ate a plate of soup.",
      "{he} cooked some rice with chicken."]),
    (["{person} was thirsty.", "{person} wanted to drink something."],
     ["{he} drank a glass of water.", "{he} asked for a cup of tea."]),
    (["{person} was very tired.", "{person} could not keep {his} eyes open."],
     ["{he} went to bed early.", "{he} slept for ten hours."]),
    (["{person} was ill.", "{person} had a high fever."],
     ["{he} went to see a doctor.", "The doctor gave {him} some medicine."]),
    (["{person} was cold.", "{person} was out in the snow."],
     ["{he} put on a warm coat.", "{he} sat down by the fire."]),
    (["It was a hot day and {person} was at the lake.",
      "{person} went to the beach in summer."],
     ["{he} swam in the cool water.", "{he} lay in the sun."]),
    (["{person} wanted to read a good story.", "{person} went to the library."],
     ["{he} borrowed a thick book.", "{he} read until the last page."]),
    (["It began to rain when {person} went out.",
      "There were dark clouds over the house of {person}."],
     ["{person} opened {his} umbrella.", "{person} got wet."]),
    (["It was dark in the room of {person}.",
      "{person} could not see anything at night."],
     ["{he} turned on the lamp.", "{he} looked for a candle."]),
    (["{person} lost {his} key.", "{person} could not find the key of the house."],
     ["{he} could not open the door.", "{he} climbed in through the window."]),
    (["{person} broke {his} leg.", "{person} fell from a high ladder."],
     ["{he} had to stay in hospital.", "{he} could not walk for weeks."]),
    (["{person} won the race.", "{person} was faster than all the others."],
     ["{he} got a gold medal.", "Everybody clapped for {him}."]),
    (["It was the birthday of {person}.", "{person} became eight years old."],
     ["There was a cake with candles for {him}.", "{he} got many presents."]),
    (["{person} forgot {his} homework.", "{person} did not listen at school."],
     ["The teacher was angry with {him}.", "{he} had to write it again."]),
    (["{person} was afraid of the big dog.", "A dangerous dog came near {person}."],
     ["{he} ran away.", "{he} shouted for help."]),
    (["{person} went to the bakery.", "{person} had no bread at home."],
     ["{he} bought a fresh loaf.", "The baker gave {him} some rolls."]),
    (["{person} went to the station.", "{person} bought a ticket to {city}."],
     ["{he} took the next train.", "The train with {person} was late."]),
    (["{person} went to the cinema.", "{person} bought a ticket for a film."],
     ["{he} watched a film about pirates.", "The film made {him} laugh."]),
    (["{person} went to the post office.", "{person} wrote to {his} friend."],
     ["{he} sent a long letter.", "{he} bought a stamp."]),
    (["{person} went to the zoo.", "{person} wanted to see wild animals."],
     ["{he} saw lions and monkeys.", "{he} gave a banana to an elephant."]),
    (["{person} went to the bank.", "{person} had no money left."],
     ["{he} took some money from the bank.",
      "{he} put the money into {his} purse."]),
    (["{person} got dirty in the garden.", "There was mud on the face of {person}."],
     ["{he} had a long bath.", "{he} washed with water and soap."]),
    (["The car of {person} did not start.", "The engine of the car was broken."],
     ["The mechanic repaired it for {him}.", "{person} had to go by bus."]),
    (["{person} wanted to hear some music.", "{person} went to a concert."],
     ["The band played a lovely song for {him}.", "{he} listened to the violins."]),
]


def person_words(dice: Dice, split: str, new: float = 0.3, full: float = 0.2
                 ) -> dict[str, str]:
    """Draw a word for every slot of the lines about one person.

    new: probability that a name is made up.
    full: probability that the person has a surname.
    """
    gender = dice.pick("mf")
    name = names.full_name if dice.chance(full) else names.first_name
    relation = dice.pick([relation for relation in words.RELATIONS
                          if relation != ("husband" if gender == "m" else "wife")])
    job = dice.pick(words.JOBS)
    he, his, him = ("he", "his", "him") if gender == "m" else ("she", "her", "her")
    person = name(dice, gender, split, new)
    other = person
    while other in person:
        other = names.first_name(dice, dice.pick(words.RELATIONS[relation]), split, new)
    return {
        "person": person, "he": he, "his": his, "him": him,
        "relation": relation, "other": other,
        "city": names.city(dice, split, new), "town": names.city(dice, split, new),
        "company": names.company(dice, split, new), "job": job["job"],
        "place": job["place"], "age": age(dice), "colour": dice.pick(words.COLOURS),
        "pet": dice.pick(words.PETS), "food": dice.pick(words.FOODS),
        "hobby": dice.pick(words.HOBBIES), "day": dice.pick(words.DAYS),
        "month": dice.pick(words.MONTHS), "goods": dice.pick(words.GOODS),
        "number": dice.pick(words.NUMBERS[2:13]),
        "vehicle": dice.pick(words.VEHICLES),
        "language": dice.pick(words.COUNTRIES)["language"],
        "country": dice.pick(words.COUNTRIES)["country"],
        "product": dice.pick(words.PRODUCTS),
        "founder": names.full_name(dice, dice.pick("mf"), split, new),
    }


def age(dice: Dice) -> str:
    """An age: a word up to twenty, digits above."""
    years = dice.between(6, 99)
    return words.NUMBERS[years] if years <= 20 else str(years)
