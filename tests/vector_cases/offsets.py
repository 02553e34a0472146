"""Group offsets: the place of each piece in the text, and its word."""

from vector_cases.rows import case

FLAGS = {
    "CodePoints": "Offsets count code points, not bytes, UTF-16 units or graphemes.",
    "Original": "Offsets point into the raw text, not the normalized one.",
    "Dropped": "What dropped characters do to the span of their piece.",
    "WordIds": "Words are what pre-tokenization makes: a mark is a word.",
    "Pairs": "Offsets and words start again in the second text.",
    "Specials": "Special tokens of the layout: (0, 0), and no word.",
    "SpecialInText": "A special token in the text has a span and a word.",
    "Expansion": "One character becomes several."}
SPANS = "tokens offsets word_ids sequence_ids"
FAST = ("hf-fast",)


def o(text, comment, catches="", flags="Original", pair=None, fields=SPANS, **more):
    given = {"text": text} if pair is None else {"text": text, "pair": pair}
    return case("encode", given, comment, catches, flags, fields=fields, dialects=FAST,
                **more)


CASES = [
    o("hello world", "Two words; the space belongs to none.", "", "Specials WordIds"),
    o("", "Only special tokens.", "", "Specials"),
    o("unaffable", "Three pieces of one word: ## takes no room.", "", "WordIds"),
    o("  hello  ", "Spaces at the start shift the offsets.", "", "Original"),
    o("a  b", "Two spaces between words.", "", "Original"),
    o("a\t\n b", "White space of several characters.", "H7", "Original"),
    o("hello", "A pair: the second text counts from 0 again.", "", "Pairs",
      pair="world"),
    o("a b", "Word numbers start again, too.", "", "Pairs WordIds", pair="c unaffable"),
    o("a", "A second text of white space: its [SEP] is all there is.", "H10", "Pairs",
      pair=" "),
    o("hello world", "Without special tokens.", "", "WordIds",
      add_special_tokens=False),
    o("don't", "Marks are words: 0, 1, 2.", "H16", "WordIds"),
    o("hello, world!", "Marks between and after words.", "H16", "WordIds"),
    o("...", "Three marks, three words.", "H16", "WordIds"),
    o("qqq a", "[UNK] spans the whole word.", "H5", "WordIds"),
    o("a unq b", "[UNK] spans the known beginning, too.", "H5", "WordIds"),
    o("a" * 101 + " b", "[UNK] of a word that is too long.", "H4 H5", "WordIds"),
    # Code points
    o("\u00e9a b", "A letter of two bytes is one place.", "H6", "CodePoints"),
    o("\u4e2da", "A character of three bytes is one place.", "H6 H3", "CodePoints"),
    o("\U0001f600 a", "Four bytes, two UTF-16 units: one place.", "H6", "CodePoints"),
    o("\U0001f600\U0001f600a", "Two of them in a word that is unknown.", "H6",
      "CodePoints"),
    o("\U0001f600\U0001f600 b", "Pieces of one place each.", "H6", "CodePoints"),
    o("\U0001f468\u200d\U0001f469 a", "One grapheme of three code points.", "H6 H7",
      "CodePoints Dropped"),
    o("e\u0301 a", "One grapheme of two code points: its accent is outside the span.",
      "H6 H1", "CodePoints Dropped"),
    o("\r\n a", "One grapheme, two places.", "H6 H7", "CodePoints"),
    # Accents and dropped characters
    o("caf\u00e9 a", "A composed letter keeps its place.", "H1", "Original"),
    o("cafe\u0301 a", "A trailing accent is outside the span of its word.", "H1",
      "Dropped"),
    o("nai\u0308ve", "An accent in the middle is inside.", "H1", "Dropped"),
    o("e\u0301x", "The piece ##x starts after the accent.", "H1", "Dropped"),
    o("\u0301a", "A mark at the start: the span begins after it.", "H1", "Dropped"),
    o("a \u0301 b", "A mark alone between words leaves no word number.", "H1",
      "Dropped WordIds"),
    o("a\u200bb", "A dropped character inside: the pieces stand around it.", "H7",
      "Dropped"),
    o("a\u200b", "Dropped at the end: outside.", "H7", "Dropped"),
    o("\u200ba", "Dropped at the start: outside.", "H7", "Dropped"),
    o("\u200b\u200b a \u200b b", "Several dropped characters between words.", "H7",
      "Dropped"),
    o("a\u200bqq b", "A dropped character inside an unknown word is in its span.",
      "H7 H5", "Dropped"),
    o("un\0aff\ufffdable", "Between the pieces of one word.", "H7", "Dropped WordIds"),
    o("a\u200b!b", "Before a mark.", "H7 H16", "Dropped WordIds"),
    # CJK and expansion
    o("\u4e2d\u6587", "The added spaces take no room.", "H3", "Original"),
    o("a\u4e2db", "Letters around an ideograph.", "H3", "Original WordIds"),
    o("\u4e2d\u6587", "Not isolated: one word, two pieces.", "H3", "WordIds",
      chinese_chars=False),
    o("\u4e2d \u6587\u3002a", "With a space and a full stop.", "H3 H16",
      "Original WordIds"),
    o("\ud55c a", "All jamo of a syllable have the place of the syllable.", "H6 H1",
      "Expansion"),
    o("\ud55c\ud55cx", "Two syllables and an unknown end: one [UNK] over three places.",
      "H6 H5", "Expansion"),
    o("\u0130x", "The dot is stripped: i keeps the place of \u0130.", "H14",
      "Expansion"),
    o("\u0130x", "The dot stays: two pieces share one place.", "H14 H2", "Expansion",
      strip_accents=False),
    o("\u2260a", "A symbol that becomes a mark keeps its place.", "H16 H1", "Expansion"),
    o("\u00dfa \u1e9e", "Sharp s never becomes two letters.", "H14", "Expansion"),
    o("\uf900 a", "A compatibility ideograph is replaced by one character.", "H3",
      "Expansion"),
    o("\u304c a", "A dakuten is stripped off a composed kana.", "H1", "Expansion"),
    o("\u304b\u3099 a", "The same, decomposed.", "H1", "Expansion Dropped"),
    # Special tokens in the text
    o("hello [MASK] world", "[MASK] has the span of its six characters and a word of its "
      "own.", "H8", "SpecialInText WordIds"),
    o("a[MASK]b", "Without spaces, three words.", "H8", "SpecialInText WordIds"),
    o("\u00e9[MASK]\u4e2d!", "Behind a letter of two bytes.", "H8 H6",
      "SpecialInText CodePoints"),
    o("a [SEP] b", "A [SEP] in the text has a span; the one of the layout has (0, 0).",
      "H8", "SpecialInText Specials", pair="[CLS]"),
    o("[mask] a", "Ordinary text: three words.", "H8", "SpecialInText WordIds"),
    o("Hello World", "A cased model: the same spans, other pieces.", "H13", "Original",
      lowercase=False),
    o("cafe\u0301 a", "Accents kept: the mark is a part of an unknown word or a piece.",
      "H2", "Original", strip_accents=False),
]
