"""Group pre_tokenization: words at white space, and each punctuation mark apart."""

from vector_cases.rows import case, name

FLAGS = {
    "AsciiPunctuation": "All 32 printable ASCII characters but letters and digits, "
                        "also those that Unicode calls symbols.",
    "UnicodePunctuation": "Beyond ASCII: the categories that begin with P.",
    "NoPunctuation": "Symbols, marks and numbers that stay in their word.",
    "WhiteSpace": "Where words end without a punctuation mark.",
    "UnicodeVersion": "hf-fast has the punctuation of Unicode 8.0.",
    "Mixed": "Several rules in one text."}


def p(text, comment, catches="H16", flags="UnicodePunctuation", **more):
    return case("pre_tokenize", {"text": text}, comment, catches, flags, **more)


def apart(char, why, flags="UnicodePunctuation", catches="H16", **more):
    return p(f"a{char}b", f"{name(char)} {why}.", catches, flags, **more)


CASES = [
    p("", "An empty text has no words, not one empty word.", "", "WhiteSpace"),
    p("   ", "Only spaces: no words, and no empty ones.", "", "WhiteSpace"),
    p(" \tHeLLo!how  \n Are yoU?  ", "The example of google-research/bert.", "H13",
      "Mixed"),
    p("hello", "One word without marks is itself.", "", "WhiteSpace"),
    p("hello world", "Two words: the space belongs to neither.", "", "WhiteSpace"),
    p("  hello   world  ", "Runs of spaces count as one; none at the ends.", "",
      "WhiteSpace"),
    p("hello\tworld\nagain\r\nend", "Tab and line ends part words like spaces.",
      "H7", "WhiteSpace"),
    p("a\xa0b", "A no-break space breaks words.", "H7", "WhiteSpace"),
    p("a\u3000b", "An ideographic space parts words.", "H7", "WhiteSpace"),
    p("a\u2028b\u2029c", "Line and paragraph separators split in all dialects, at one "
      "step or another.", "H7", "WhiteSpace"),
    p("a\u200bb", "A zero width space splits nothing.", "H7", "WhiteSpace"),
    p("a\x0bb\x0cc\x1cd\x85e", "White space for others, but dropped here: one word.",
      "H7", "WhiteSpace"),
    p("a\u2002b\u2009c\u202fd\u205fe\u1680f", "Five more kinds of white space, all Zs, "
      "part words.", "H7",
      "WhiteSpace"),
    p("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", "All 32 ASCII marks: 32 words.", "H16",
      "AsciiPunctuation"),
    p("/0", "The slash is the mark before the digits.", "H16", "AsciiPunctuation"),
    p("9:", "The colon is the mark after the digits.", "H16", "AsciiPunctuation"),
    p("@a", "The at sign is the mark before the letters.", "H16", "AsciiPunctuation",
      lowercase=False),
    p("Z[", "The bracket is the mark after the capitals.", "H16", "AsciiPunctuation",
      lowercase=False),
    p("`a", "The grave accent is the mark before the small letters.", "H16",
      "AsciiPunctuation"),
    p("z{", "The brace is the mark after the small letters.", "H16",
      "AsciiPunctuation"),
]
for char in "$+<=>^`|~":
    CASES.append(apart(char, "is a symbol in Unicode, but ASCII: a mark",
                       "AsciiPunctuation"))
CASES += [
    p("don't", "An apostrophe is apart: three words.", "H16", "AsciiPunctuation"),
    p("snake_case", "An underscore is punctuation (Pc), though \\w in regular "
      "expressions.", "H16", "AsciiPunctuation"),
    p("state-of-the-art", "Each hyphen is apart: seven words.",
      "H16", "AsciiPunctuation"),
    p("3.14", "A decimal point is a mark like others.", "H16", "AsciiPunctuation"),
    p("1,000", "So is a comma between digits.", "H16", "AsciiPunctuation"),
    p("a@b.com", "An address is five words: @ and the point are marks.",
      "H16", "AsciiPunctuation"),
    p("http://x.y/?q=1&r#s", "So many marks in one address.", "H16",
      "AsciiPunctuation"),
    p("...", "Three stops are three words.", "H16", "AsciiPunctuation"),
    p("!?", "Two marks side by side are two words.", "H16", "AsciiPunctuation"),
    p("$5", "A dollar sign is apart from its number.", "H16", "AsciiPunctuation"),
    p("C++", "Two plus signs are two words.", "H16", "AsciiPunctuation"),
    p("##a", "Number signs are marks here: ##a is three words.", "H16",
      "AsciiPunctuation"),
    p("[MASK]", "Without added tokens the special token is three words, in lower case.",
      "H8", "AsciiPunctuation"),
    apart("\u00a1", "opens an exclamation (Po)"),
    apart("\u00ab", "opens a quotation (Pi)"), apart("\u00bb", "closes one (Pf)"),
    apart("\u00a7", "is Po since Unicode 6.1"),
    apart("\u00b6", "is Po since Unicode 6.1, too"),
    apart("\u00b7", "is Po, although Catalan words hold it"),
    apart("\u2010", "is a hyphen (Pd) beyond ASCII"),
    apart("\u2014", "is a dash (Pd)"),
    apart("\u2018", "opens a quotation (Pi)"),
    apart("\u2019", "is the usual apostrophe (Pf)"),
    apart("\u201c", "opens a quotation (Pi)"), apart("\u201e", "is Ps, not Pi"),
    apart("\u2026", "is one mark, not three"),
    apart("\u203f", "is a connector (Pc) beyond ASCII"),
    apart("\u2045", "is Ps"), apart("\u2046", "is Pe"),
    apart("\u3001", "is the comma of Chinese and Japanese"),
    apart("\u3002", "is their full stop"),
    apart("\u300c", "opens their quotation"),
    apart("\u30fb", "stands between words of katakana"),
    apart("\uff01", "is a fullwidth mark"),
    apart("\uff3f", "is a fullwidth underscore (Pc)"),
    apart("\ufe33", "is a connector for vertical text"),
    apart("\u060c", "is the Arabic comma"),
    apart("\u061f", "is the Arabic question mark"),
    apart("\u066a", "is a per cent sign, but Po"),
    apart("\u05be", "joins Hebrew words, and is Pd"),
    apart("\u0964", "ends a Hindi sentence"),
    apart("\u0589", "ends an Armenian sentence"),
    apart("\u1362", "ends an Ethiopic sentence"),
    apart("\u17d4", "ends a Khmer sentence"),
    apart("\u037e", "is the Greek question mark: NFD makes it a semicolon"),
    apart("\u0387", "is the Greek middle dot: NFD makes it U+00B7"),
    apart("\U00010100", "is punctuation beyond 16 bits", catches="H16 H6"),
    apart("\U0001da87", "is a comma of SignWriting", catches="H16 H6"),
    apart("\U0001e95e", "is Po since Unicode 9.0: hf-fast leaves it in the word",
          "UnicodePunctuation UnicodeVersion", "H16 H14"),
    apart("\u2e43", "is Po since Unicode 9.0: hf-fast leaves it in the word",
          "UnicodePunctuation UnicodeVersion", "H16 H14"),
    apart("\u09fd", "is Po since Unicode 10.0: hf-fast leaves it in the word",
          "UnicodePunctuation UnicodeVersion", "H16 H14"),
    apart("\u166d", "was Po until Unicode 12.0: hf-fast still splits at it",
          "UnicodePunctuation UnicodeVersion", "H16 H14"),
    apart("\U000111c9", "was Po until Unicode 11.0: hf-fast still splits at it",
          "UnicodePunctuation UnicodeVersion", "H16 H14"),
]
for char, why in (("\u00a2", "is a currency sign (Sc)"),
                  ("\u20ac", "is a currency sign (Sc), unlike $ not ASCII"),
                  ("\u00a9", "is a symbol (So)"), ("\u2122", "is a symbol (So)"),
                  ("\u00b0", "is a symbol (So)"), ("\u00b1", "is mathematical (Sm)"),
                  ("\u00d7", "is mathematical (Sm), unlike * not ASCII"),
                  ("\u00ac", "is mathematical (Sm)"), ("\u2212", "is a minus sign, no "
                                                       "hyphen (Sm)"),
                  ("\u2192", "is an arrow (Sm)"), ("\u00b2", "is a number (No)"),
                  ("\u00bd", "is a number (No)"), ("\u00aa", "is a letter (Lo)"),
                  ("\u00b4", "is a modifier (Sk), unlike ` not ASCII"),
                  ("\u02bc", "is a letter (Lm) that looks like an apostrophe"),
                  ("\u309b", "is a modifier (Sk)"), ("\u30fc", "is a letter (Lm) that "
                                                     "looks like a dash"),
                  ("\uff0b", "is a fullwidth plus sign (Sm)"),
                  ("\uff04", "is a fullwidth dollar sign (Sc)"),
                  ("\u2044", "is a slash for fractions (Sm)"),
                  ("\U0001f600", "is an emoji (So)"), ("\u2500", "draws lines (So)")):
    CASES.append(apart(char, f"{why}: it stays in the word", "NoPunctuation"))
CASES += [
    p("a\u2260b", "Stripping the accent makes it =, which is a mark.", "H16 H1",
      "AsciiPunctuation Mixed"),
    p("a\u2260b", "With its accent it is a symbol, and stays in the word.", "H16 H2",
      "NoPunctuation Mixed", lowercase=False),
    p("a\u1fefb", "Stripped, it becomes a grave accent, which is a mark.", "H16 H1",
      "AsciiPunctuation Mixed"),
    p("\u4e2d,\u6587\u3002", "Ideographs and their marks: four words.", "H3 H16",
      "Mixed"),
    p("\u4e2d\u6587\u3002", "Marks are apart even if ideographs are not.", "H3 H16",
      "Mixed", chinese_chars=False),
    p("caf\u00e9-Bar\u2019s \u4e2d!", "Accent, hyphen, apostrophe, ideograph.",
      "H1 H3 H16", "Mixed"),
    p("a\u0301!", "A mark with an accent before it.", "H1 H16", "Mixed"),
    p("!\u0301a", "An accent on the punctuation itself.", "H1 H16", "Mixed"),
    p("a.\u200bb", "A dropped character beside a mark.", "H7 H16", "Mixed"),
    p("\U0001f468\u200d\U0001f469!", "Emoji without their joiner are one word.",
      "H6 H16", "Mixed"),
]
