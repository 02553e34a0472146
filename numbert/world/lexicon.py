"""The words of the small world, in tables.  What they say of the real world is true."""

from __future__ import annotations


def table(text: str, *columns: str) -> list[dict[str, str]]:
    """Read a table: one row per line, cells separated by commas.

    Raises:
        ValueError: a row has too few or too many cells.
    """
    rows = [[cell.strip() for cell in row.split(",")]
            for row in text.strip().splitlines()]
    wrong = [row for row in rows if len(row) != len(columns)]
    if wrong:
        raise ValueError(f"the row {wrong[0]} has {len(wrong[0])} cells, expected "
                         f"{len(columns)}: write {', '.join(columns)}")
    return [dict(zip(columns, row)) for row in rows]


COUNTRIES = table("""
    France, Paris, Europe, French
    Germany, Berlin, Europe, German
    Italy, Rome, Europe, Italian
    Spain, Madrid, Europe, Spanish
    England, London, Europe, English
    Portugal, Lisbon, Europe, Portuguese
    Greece, Athens, Europe, Greek
    Poland, Warsaw, Europe, Polish
    Sweden, Stockholm, Europe, Swedish
    Norway, Oslo, Europe, Norwegian
    Finland, Helsinki, Europe, Finnish
    Denmark, Copenhagen, Europe, Danish
    Hungary, Budapest, Europe, Hungarian
    Austria, Vienna, Europe, German
    Ireland, Dublin, Europe, English
    Russia, Moscow, Europe, Russian
    Turkey, Ankara, Asia, Turkish
    China, Beijing, Asia, Chinese
    Japan, Tokyo, Asia, Japanese
    Thailand, Bangkok, Asia, Thai
    Vietnam, Hanoi, Asia, Vietnamese
    Egypt, Cairo, Africa, Arabic
    Kenya, Nairobi, Africa, Swahili
    Ghana, Accra, Africa, English
    Senegal, Dakar, Africa, French
    Cuba, Havana, America, Spanish
    Canada, Ottawa, America, English
    Peru, Lima, America, Spanish
    Chile, Santiago, America, Spanish
    Brazil, Brasilia, America, Portuguese
    """, "country", "capital", "continent", "language")

ANIMALS = table("""
    cow, cows, moo, grass, on a farm, four, calf
    dog, dogs, woof, meat, in a house, four, puppy
    cat, cats, meow, fish, in a house, four, kitten
    sheep, sheep, baa, grass, on a farm, four, lamb
    pig, pigs, oink, corn, on a farm, four, piglet
    horse, horses, neigh, hay, in a stable, four, foal
    duck, ducks, quack, bread, on a lake, two, duckling
    hen, hens, cluck, seeds, on a farm, two, chick
    owl, owls, hoot, mice, in a forest, two, owlet
    lion, lions, roar, meat, in Africa, four, cub
    wolf, wolves, howl, meat, in a forest, four, pup
    frog, frogs, croak, flies, in a pond, four, tadpole
    mouse, mice, squeak, cheese, in a house, four, pup
    robin, robins, tweet, worms, in a garden, two, chick
    snake, snakes, hiss, mice, in the desert, no, hatchling
    goat, goats, bleat, leaves, in the mountains, four, kid
    bear, bears, growl, honey, in a forest, four, cub
    """, "animal", "animals", "sound", "food", "home", "legs", "baby")

COLOURED = table("""
    grass, green
    the sky, blue
    snow, white
    coal, black
    a lemon, yellow
    a banana, yellow
    a carrot, orange
    a tomato, red
    a strawberry, red
    blood, red
    milk, white
    the sun, yellow
    chocolate, brown
    a plum, purple
    the night, black
    the sea, blue
    a leaf, green
    a cherry, red
    a swan, white
    a raven, black
    a pea, green
    an elephant, grey
    a pumpkin, orange
    a violet, purple
    a flamingo, pink
    a cloud, white
    a rose, red
    coffee, brown
    """, "thing", "colour")
COLOURS = sorted({row["colour"] for row in COLOURED})

KINDS = {
    "fruit": "apple banana cherry lemon pear plum strawberry grape",
    "vegetable": "carrot potato onion cabbage bean pea",
    "animal": "cow dog cat horse lion wolf goat",
    "bird": "duck hen owl robin swan raven flamingo",
    "tool": "hammer saw knife needle broom ladder",
    "flower": "rose violet tulip daisy lily",
    "tree": "oak pine birch willow maple",
    "metal": "gold silver iron copper tin",
    "drink": "milk tea coffee water juice wine",
    "instrument": "piano violin guitar flute drum",
    "colour": "red blue green yellow white black brown",
    "game": "chess football tennis golf hockey",
}
NO_ARTICLE = ("metal", "drink", "colour", "game")

JOBS = table("""
    teacher, school, teaches children
    doctor, hospital, helps sick people
    baker, bakery, bakes bread
    farmer, farm, grows corn
    cook, kitchen, cooks meals
    pilot, plane, flies planes
    waiter, restaurant, serves food
    librarian, library, lends books
    actor, theatre, plays on a stage
    gardener, garden, plants flowers
    sailor, ship, sails ships
    judge, court, punishes thieves
    dentist, clinic, looks after teeth
    mechanic, garage, repairs cars
    tailor, workshop, makes clothes
    student, university, learns from books
    """, "job", "place", "does")

TOOLS = table("""
    knife, cut bread
    key, open the door
    pen, write a letter
    spoon, eat soup
    umbrella, stay dry in the rain
    clock, see the time
    bed, sleep at night
    cup, drink tea
    broom, clean the floor
    needle, sew clothes
    hammer, hit nails
    towel, dry your hands
    phone, call a friend
    camera, take pictures
    lamp, read in the dark
    map, find the way
    ladder, climb a wall
    oven, bake a cake
    boat, cross a river
    pillow, rest your head
    """, "tool", "use")

OPPOSITES = [tuple(pair.split("-")) for pair in """
    hot-cold big-small good-bad old-young fast-slow long-short light-dark happy-sad
    rich-poor strong-weak clean-dirty wet-dry high-low early-late hard-soft open-closed
    full-empty loud-quiet cheap-expensive easy-difficult thick-thin sweet-sour
    """.split()]

NUMBERS = """zero one two three four five six seven eight nine ten eleven twelve
    thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty""".split()
ORDER = """first second third fourth fifth sixth seventh eighth ninth tenth eleventh
    twelfth""".split()
DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = """January February March April May June July August September October
    November December""".split()
SEASONS = "winter winter spring spring spring summer summer summer autumn autumn autumn"
SEASON_OF = dict(zip(MONTHS, [*SEASONS.split(), "winter"]))
WEATHER = {"winter": "cold", "spring": "mild", "summer": "hot", "autumn": "windy"}

WOMEN = """Anna Maria Clara Emma Julia Laura Sarah Lucy Sophie Nina Helen Alice Eva Ruth
    Rosa Olga Mary Jane Kate Lisa""".split()
MEN = """Tom Peter John Paul David Max Leo Jack Ben Sam Oscar Henry Hugo Victor Martin
    Simon Adam Felix George James""".split()
SURNAMES = """Miller Smith Jones Taylor Wilson Fischer Rossi Garcia Novak Larsen Silva
    Dubois Weber Kowalski Moreau Santos Lindgren Costa Hansen Petrov Sato Khan Cohen
    Murphy""".split()
CITIES = [row["capital"] for row in COUNTRIES] + [
    "Hamburg", "Milan", "Lyon", "Boston", "Chicago", "Osaka", "Sydney", "Barcelona",
    "Geneva", "Munich", "Toronto", "Berkeley", "New York", "San Francisco", "Hong Kong",
    "Los Angeles"]
COMPANIES = [name.strip() for name in """
    Norvik, Bluebird Bank, Sunfield Foods, Redwood Books, Stellar Motors, Alpine Tools,
    Greenleaf, Harbour Line, Quickpost, Silver Star Hotels, Globex, Westfield Hospital,
    Bright Software, Royal Airways, Ocean Press, Northern Steel, Happy Toys,
    Central Radio, Golden Bakery, United Glass""".split(",")]

PETS = "dog cat horse rabbit parrot mouse goat duck pig hen".split()
FOODS = """pizza soup bread cheese rice fish chicken salad cake pasta honey chocolate
    apples eggs""".split()
HOBBIES = ["tennis", "chess", "football", "golf", "hockey", "the piano", "the violin",
           "the guitar", "the flute", "the drums"]
VEHICLES = "train bus car bicycle boat plane taxi tram".split()
GOODS = """apples books cups pens eggs shoes lamps plates roses candles oranges shirts
    tickets stamps""".split()
PRODUCTS = "cars shoes phones toys bread glass paper software clothes bicycles".split()
RELATIONS = {"brother": "m", "sister": "f", "father": "m", "mother": "f",
             "son": "m", "daughter": "f", "uncle": "m", "aunt": "f",
             "husband": "m", "wife": "f", "friend": "mf", "neighbour": "mf"}
