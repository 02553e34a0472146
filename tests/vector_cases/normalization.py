"""Group normalization: CJK characters apart, accents stripped, lower case."""

from vector_cases.rows import case

FLAGS = {
    "Accents": "NFD, then non-spacing marks (Mn) are dropped; spacing ones stay.",
    "Case": "Lower case: each character alone in hf-fast, whole words in the others.",
    "CJK": "Spaces around each character of the blocks of CJK ideographs.",
    "CJKRange": "The first and the last of a block, and their neighbours.",
    "Compatibility": "NFD, not NFKD: what looks like other letters is not replaced.",
    "Hangul": "NFD takes Hangul syllables apart into jamo.",
    "NFC": "hf-legacy composes all text (NFC), even if it strips no accents.",
    "Order": "The order of marks after NFD.",
    "Settings": "strip_accents follows lowercase, unless it is given.",
    "UnicodeVersion": "hf-fast: Unicode 8.0 for marks, 9.0 for NFD, 17.0 for case; the "
                      "others: the Python that runs them."}


def n(text, comment, catches="", flags="Accents", **more):
    return case("normalize", {"text": text}, comment, catches, flags, **more)


def cased(text, comment, catches="H2 H13", flags="Case Settings", **more):
    return n(text, comment, catches, flags, lowercase=False, **more)


def edge(code, inside, block, **more):
    return n(f"a{chr(code)}b", f"U+{code:04X} is {inside} {block}.", "H3",
             "CJK CJKRange", **more)


CASES = [
    n("caf\u00e9", "A composed accent is taken apart and dropped.", "H1 H2"),
    n("cafe\u0301", "A decomposed accent is dropped alike.", "H1 H6"),
    n("H\u00c4LLO", "Capital letter and accent at once.", "H1 H13", "Accents Case"),
    n("na\u00efve r\u00e9sum\u00e9", "Two words with three accents: all go, the space "
      "stays.", "H1 H2"),
    n("\u1ec7", "Two marks on one Vietnamese letter: NFD goes on to the end.", "H1"),
    n("\u1e69", "A dot below and a dot above: both go.", "H1",
      "Accents Order"),
    n("s\u0307\u0323", "The same letter with its marks in the other order.", "H1",
      "Accents Order"),
    n("\u00e5\u212b", "The letter \u00e5, and U+212B ANGSTROM SIGN, which decomposes "
      "to a capital.", "H1", "Accents Case"),
    n("\u00f1\u00f5\u00fc\u00e7\u0107\u0159", "Tilde, umlaut, cedilla, acute, caron.",
      "H1"),
    n("\u00f8\u0142\u0111\u0127", "A stroke is no mark: NFD leaves these letters "
      "whole.", "H1", "Accents Compatibility"),
    n("\u0439\u0451", "Cyrillic: \u0439 becomes \u0438 and \u0451 becomes \u0435, so "
      "marks are not only Latin.", "H1"),
    n("\u03ac\u1f00\u1fb7", "Greek accents and breathings, up to three on one letter.",
      "H1"),
    n("\u304c\u3071", "Japanese dakuten and handakuten are Mn: \u304c becomes \u304b.",
      "H1"),
    n("\u30ac", "Katakana with a dakuten, composed: the mark goes.", "H1"),
    n("\uff76\uff9e", "Halfwidth dakuten is a letter (Lm): it stays.", "H1",
      "Accents Compatibility"),
    n("\u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd", "Hebrew points are Mn: only the "
      "consonants stay.", "H1"),
    n("\u0645\u064f\u062d\u064e\u0645\u0651\u064e\u062f", "Arabic vowel signs are Mn.",
      "H1"),
    n("\u0622", "Alef with madda decomposes, and the madda goes.", "H1"),
    n("\u0939\u093f\u0928\u094d\u0926\u0940", "Hindi: the vowel signs \u093f, \u0940 "
      "are spacing marks (Mc) and stay; the virama \u094d is Mn and goes.", "H1"),
    n("\u0958", "A letter with a nukta decomposes, and the nukta goes.", "H1"),
    n("\u0e17\u0e35\u0e48", "A Thai vowel and a tone mark are Mn.", "H1"),
    n("\u0ba8\u0bbf", "A Tamil vowel sign is Mc and stays.", "H1"),
    n("\u0dda", "A Sinhala vowel decomposes into Mc and Mn: one stays, one goes.",
      "H1"),
    n("a\u20dd", "A circle around a letter is an enclosing mark (Me), not Mn: it "
      "stays.", "H1"),
    n("a\u0345", "U+0345 is Mn although it turns into a letter in capitals.", "H1"),
    n("a\ufe0f", "A variation selector is Mn, too.", "H1 H7"),
    n("\u0301", "A mark alone: no word is left.", "H1"),
    n("a \u0301 b", "A mark alone between two words leaves nothing.", "H1"),
    n("\u0363a", "A small letter above is Mn.", "H1"),
    n("\u1dfb", "U+1DFB is Mn since Unicode 9.0: hf-fast keeps it.", "H1 H14",
      "Accents UnicodeVersion"),
    n("a\u08d4", "U+08D4 is Mn since Unicode 9.0: hf-fast keeps it.", "H1 H14",
      "Accents UnicodeVersion"),
    n("a\u08d4\u0323", "A mark that stays and one that goes.", "H1 H14",
      "Accents Order UnicodeVersion"),
    n("a\U0001e008\u08d4\u302e", "Marks that stay are put into canonical order: the "
      "class of U+302E is lower.", "H1 H14", "Accents Order UnicodeVersion"),
    n("a\u302f\u302e", "Two spacing tone marks (Mc) with combining classes: NFD sorts "
      "them.", "H1 H14", "Accents Order"),
    n("\U0001d157\U0001d165", "Musical stems are Mc with a class: kept.", "H1 H6"),
    n("\U0001d15e", "A half note decomposes into head and stem.", "H1 H6"),
    n("\u1b06", "A Balinese letter decomposes; its vowel sign is Mc.", "H1"),
    n("\U00011099\U000110ba", "Kaithi beyond 16 bits: the nukta is Mn.", "H1 H6"),
    n("\u2260\u226e", "\u2260 becomes = once its stroke is gone, and \u226e becomes <.",
      "H1 H16"),
    n("\u1fef", "U+1FEF GREEK VARIA decomposes to a grave accent: ASCII.", "H1 H16"),
    n("\u037e", "The Greek question mark decomposes to a semicolon.", "H1 H16"),
    n("\u2126\u212a", "Ohm and Kelvin signs become Greek and Latin letters, "
      "lower-cased.", "H1", "Accents Case"),
    # Case
    n("HELLO World", "Capital letters become small ones.", "H13", "Case"),
    n("\u03a3", "A capital sigma alone is no final one.", "H14", "Case"),
    n("\u03bf\u03b4\u03bf\u03a3", "At the end of a word Python makes a final sigma; "
      "Rust's rule sees one character at a time.", "H14", "Case"),
    n("\u039f\u0394\u039f\u03a3 \u039f\u0394\u039f\u03a3.", "Before a full stop it is "
      "final, too, in Python.", "H14", "Case"),
    n("\u03a3\u0391", "At the beginning of a word it is not final.", "H14", "Case"),
    n("\u0391\u03a3\u0301", "A mark after the sigma: still final in Python.", "H14",
      "Case Accents"),
    n("\u03c2", "A final sigma that is small already stays.", "H14", "Case"),
    n("\u0130", "U+0130 becomes i and a dot above, and the dot goes.", "H14",
      "Case Accents"),
    n("\u0130stanbul I\u015f\u0131k", "Turkish: no locale; \u0131 stays, I becomes i.",
      "H14", "Case Accents"),
    n("\u00df\u1e9e", "Sharp s stays, and the capital one becomes small; never ss.",
      "H14", "Case"),
    n("\u01c4\u01c5", "Digraphs have a title case, too.", "", "Case Compatibility"),
    n("\u1e9a", "A letter and a half ring is a compatibility character: it stays.", "",
      "Case Compatibility"),
    n("\ufb01\u2167\u2460", "Ligature, Roman numeral and circled digit: no NFKC; only "
      "the numeral has a small form.", "", "Case Compatibility"),
    n("\uff21\uff11", "Fullwidth letters stay fullwidth.", "", "Case Compatibility"),
    n("\u24b6", "A circled capital becomes a circled small letter.", "", "Case"),
    n("\U00010400", "Deseret has case beyond 16 bits.", "H6", "Case"),
    n("\u10a0\u13a0", "Georgian and Cherokee have small letters in other blocks.",
      "H14", "Case"),
    n("\u1c90", "Georgian capitals of Unicode 11.0.", "H14", "Case"),
    n("\ua7cb", "U+A7CB has a small letter since Unicode 16.0.", "H14",
      "Case UnicodeVersion", dialects=("hf-fast",)),
    n("\U0001e900", "Adlam, of Unicode 9.0, has case.", "H6 H14", "Case"),
    n("\u2c2f", "U+2C2F has a small letter since Unicode 14.0.", "H14",
      "Case UnicodeVersion", dialects=("hf-fast",)),
    # Settings
    cased("Hello WORLD", "A cased model keeps capitals."),
    cased("Caf\u00e9", "A cased model keeps accents: strip_accents follows lowercase.",
          "H2 H13", "Accents Settings"),
    cased("Cafe\u0301", "Cased and decomposed: hf-legacy composes, the others do not.",
          "H2 H6", "Accents NFC Settings"),
    cased("Caf\u00e9", "Accents can be stripped without lower case.", "H2",
          "Accents Settings", strip_accents=True),
    cased("\u0130", "Without lower case but stripped: I.", "H2 H14",
          "Accents Settings", strip_accents=True),
    n("H\u00c4LLO", "Accents can be kept in lower case.", "H2", "Accents Settings",
      strip_accents=False),
    n("\u0130", "Accents kept: i and the dot above stay two characters.", "H2 H14",
      "Case Settings", strip_accents=False),
    n("H\u00c4LLO", "strip_accents=true says what is the default anyway.", "H2",
      "Accents Settings", strip_accents=True),
    n("e\u0301", "Accents kept, decomposed: hf-fast never composes.", "H2 H6",
      "NFC Settings", strip_accents=False),
    cased("\uac00\u1112\u1161\u11ab", "Jamo: hf-legacy composes them to a syllable.",
          "H6", "Hangul NFC"),
    cased("\uf900", "A compatibility ideograph: hf-legacy replaces it by NFC.", "H3",
          "CJK NFC"),
    cased("\u037e\u212b", "NFC replaces the Greek question mark and the Angstrom sign.",
          "", "NFC"),
    cased("\u0958", "NFC takes this letter apart: it is excluded from composition.", "",
          "NFC"),
    # Hangul
    n("\ud55c\uae00", "Two syllables of three jamo each.", "H1 H6", "Hangul"),
    n("\uac00", "The first syllable: two jamo.", "H1 H6", "Hangul"),
    n("\ud7a3", "The last Hangul syllable: three jamo.", "H1 H6", "Hangul"),
    n("\u1112\u1161\u11ab", "Jamo that are apart stay apart.", "H6", "Hangul"),
    n("\u3131", "A compatibility jamo stays.", "", "Hangul Compatibility"),
    # CJK
    n("a\u4e2db", "A character in the middle of a word is apart.", "H3", "CJK"),
    n("\u4e2d\u6587", "Two characters are two words.", "H3", "CJK"),
    n("\u4e2d\u6587", "Not if chinese_chars is false.", "H3", "CJK Settings",
      chinese_chars=False),
    n("ah\u535a\u63a8zz", "The example of google-research/bert.", "H3", "CJK"),
    n("\u304b\u306a\u30ab\u30ca", "Kana are no ideographs: one word.", "H3", "CJK"),
    n("\ud55c\uae00\u4e2d", "Hangul is not isolated, the ideograph beside it is.", "H3",
      "CJK Hangul"),
    n("\u3005\u3007\u3021", "Iteration mark, zero and Hangzhou numeral lie outside.",
      "H3", "CJK"),
    n("\u3105", "Bopomofo lies outside the blocks of ideographs.", "H3", "CJK"),
    n("\uf900\U0002f800", "Compatibility ideographs are isolated, and NFD replaces "
      "them.", "H3", "CJK Accents"),
    n("\ufa0e", "Twelve of that block are no compatibility characters: nothing "
      "replaces this one.", "H3", "CJK"),
]
for first_, last, block in ((0x4E00, 0x9FFF, "the main block"),
                            (0x3400, 0x4DBF, "extension A"),
                            (0x20000, 0x2A6DF, "extension B"),
                            (0x2A700, 0x2B73F, "extension C"),
                            (0x2B740, 0x2B81F, "extension D"),
                            (0x2B920, 0x2CEAF, "extension E as the Rust code has it"),
                            (0xF900, 0xFAFF, "the compatibility block"),
                            (0x2F800, 0x2FA1F, "the compatibility supplement")):
    kept = {"dialects": ("google", "hf-fast")}      # many are unassigned
    if first_ not in (0x2B740, 0x2B920, 0xF900):     # what is before has a case already
        CASES.append(edge(first_ - 1, "right before", block, **kept))
    CASES += [edge(first_, "the first of", block, **kept),
              edge(last, "the last of", block, **kept)]
    if last not in (0x2B73F, 0x2B81F, 0x2CEAF):
        CASES.append(edge(last + 1, "right after", block, **kept))
CASES += [
    edge(0x2B820, "the first of", "extension E: the Rust code begins at 2B920",
         dialects=("google", "hf-legacy", "hf-fast")),
    edge(0x2B91F, "the last that the Rust code leaves out of", "extension E"),
    edge(0x2CEB0, "the first of", "extension F, which no rule lists",),
    edge(0x30000, "the first of", "extension G, which no rule lists"),
    edge(0x2E80, "of the radicals, which lie outside", "the blocks"),
    edge(0x31C0, "of the strokes, which lie outside", "the blocks"),
    n("\u00e9\u0301\u00e9", "Idempotent: nothing is left to strip the second time.",
      "H1"),
    n("\u0958\u0301\u1e69", "Several languages in one word.", "H1"),
]
