"""Group wordpiece: one word into pieces; and the file that holds the pieces."""

from vector_cases.rows import ALL, case

FLAGS = {
    "LongestMatch": "Whether the longest piece wins at each place, and nothing else.",
    "WholeWord": "A word that can't be cut to its end is one [UNK], not several.",
    "MaxChars": "The longest word: 100 code points in the two of transformers, 200 in "
                "google-research/bert; in code points, not bytes or code units.",
    "Prefix": "Only pieces that begin with ## can continue a word.",
    "VocabularyFile": "How vocab.txt is read."}


def w(word, comment, catches="", flags="LongestMatch", vocab="words", **more):
    return case("wordpiece", {"word": word}, comment, catches, flags, vocab=vocab,
                **more)


LONG = [
    (99, "one less than the limit of 100"), (100, "exactly the limit of 100"),
    (101, "one more than 100: only google-research/bert, with 200, still cuts it"),
    (199, "one less than the limit of 200"), (200, "exactly the limit of 200"),
    (201, "one more than 200: [UNK] everywhere")]
CASES = [
    w("unaffable", "The example of the paper's code: three pieces.", "H5"),
    w("a", "A word that is a piece is itself."),
    w("ab", "A piece and one that continues it.", "H15", "Prefix"),
    w("aa", "The first letter is a, the second ##a: ids must differ.", "", "Prefix"),
    w("unaffordable", "A whole word in the vocabulary wins over un + ##aff + ...."),
    w("unaffx", "The longest first piece is unaff, although un + ##aff + ##x would do: "
      "both are cuts, one is right."),
    w("abcde", "Greedy takes abcd, then ##e: it never tries abc + ##d + ##e.",
      vocab="gaps"),
    w("abcdx", "The longest piece leads to a dead end, so the word is [UNK] even if a "
      "shorter one would not: no backtracking.", vocab="gaps"),
    w("abcd", "All of abcd is a piece: no continuation follows.", vocab="gaps"),
    w("abd", "ab + ##d: the end of the word, exactly.", vocab="gaps"),
    w("abccde", "abc + ##cde: the longest continuation, not ##c + ##d + ##e.",
      vocab="gaps"),
    w("abbc", "ab + ##bc, not ab + ##b, which the vocabulary lacks.", vocab="gaps"),
    w("ac", "a + ##c: two letters, no piece of both.", vocab="gaps"),
    w("xyzzz", "xy + ##zz + ##z: of three equal letters the first two go together.",
      vocab="gaps"),
    w("xyzz", "xy + ##zz, not xy + ##z + ##z.", vocab="gaps"),
    w("z", "Only ##z is known, which can't begin a word.", "", "Prefix WholeWord",
      vocab="gaps"),
    w("e", "Only ##e is known, which can't begin a word.", "", "Prefix WholeWord",
      vocab="gaps"),
    w("xya", "A continuation that is also known without ##.", "", "Prefix",
      vocab="gaps"),
    w("xyab", "ab is a piece, but only ##ab could continue xy: ##a, then no ##b.", "",
      "Prefix WholeWord", vocab="gaps"),
    w("unq", "A known start and an unknown end: one [UNK], not un + [UNK].", "H5",
      "WholeWord"),
    w("qun", "An unknown start: one [UNK], not [UNK] + ##un.", "H5", "WholeWord"),
    w("unqable", "Unknown in the middle: one [UNK], not un + [UNK] + ##able.", "H5",
      "WholeWord"),
    w("unaffqable", "A dead end after two pieces: the pieces found are given up.", "H5",
      "WholeWord"),
    w("qq", "Two unknown letters are one [UNK].", "H5", "WholeWord"),
    w("q", "A single unknown letter is [UNK].", "H5", "WholeWord"),
    w("", "No characters, no pieces; not [UNK].", dialects=("hf-legacy", "google",
                                                            "hf-fast")),
    w("tokenization", "token + ##ization, not ##iz + ...."),
    w("tokeniz", "token + ##iz: the shorter continuation where the longer doesn't "
      "fit."),
    w("##a", "A word that looks like a continuation is in the vocabulary: the piece "
      "itself.", "", "Prefix"),
    w("##", "The prefix alone is a piece of this vocabulary.", "", "Prefix"),
    w("#", "One number sign is a piece.", "", "Prefix"),
    w("###", "The longest piece is ##; what is left needs ###, which is unknown.", "",
      "Prefix WholeWord"),
    w("a##b", "Inside a word # has no meaning: no piece is ### or ####b.", "",
      "Prefix WholeWord"),
    w("Hello", "WordPiece itself never changes case: Hello is a piece here."),
    w("HELLO", "No piece begins with H but Hello: unknown, as nothing is lower-cased "
      "here.", "H13", "WholeWord"),
    w("World", "World is a piece, and so are W and ##orld: the longest wins."),
    w("Worldorld", "After the longest piece, World, ##orld continues."),
    w("Worlda", "A whole word with a continuation: World + ##a."),
    w("[UNK]", "The unknown token is in the vocabulary, so the word [UNK] is a piece."),
    w("[MASK]", "Special tokens are pieces like others at this stage.", "H8"),
    w("[MASK]a", "A special token can be the first piece of a word.", "H8"),
    w("\u4e2d", "A CJK character that is a piece.", "H3"),
    w("\u4e2d\u6587", "Two CJK characters that were not isolated: \u6587 continues.",
      "H3", "Prefix"),
    w("\u00e9", "A composed letter is a piece.", "H1"),
    w("e\u0301", "The decomposed letter is e and a continuing accent: WordPiece does "
      "not compose.", "H1 H6"),
    w("\u0301", "A combining mark alone can begin a word.", "H6"),
    w("\U0001f600", "A character beyond the Basic Multilingual Plane is one unit.",
      "H6", "LongestMatch MaxChars"),
    w("\U0001f600\U0001f600", "Two of them: a piece and its continuation, no half "
      "surrogates.", "H6"),
    w("\u1112\u1161\u11ab", "The jamo of one Hangul syllable are three pieces.", "H6"),
    w("\ud55c", "The composed syllable is a piece of its own.", "H6"),
    w("stra\u00dfe", "stra + ##\u00dfe: sharp s is one character.", "H6"),
    w("i\u0307", "i and the dot above, what \u0130 becomes.", "H14"),
    w("\u03b1\u03c3", "A final sigma is another letter: this one is \u03c3.", "H14"),
    w("\u03b1\u03c2", "And this one is \u03c2.", "H14"),
    w("caf\u00e9", "A word with an accent that is a piece."),
    w("cafe\u0301", "The same word decomposed: cafe, then the accent.", "H6"),
]
for count, why in LONG:
    CASES.append(w("a" * count, f"{count} letters: {why}.", "H4", "MaxChars"))
CASES += [
    w("\u00e9" * 51, "51 letters of two bytes, 102 bytes: the limit counts no bytes.",
      "H4", "MaxChars"),
    w("\u00e9" * 100, "100 letters of two bytes: still a word.", "H4", "MaxChars"),
    w("\u00e9" * 101, "101 letters of two bytes: too long for 100.", "H4", "MaxChars"),
    w("\U0001f600" * 51, "51 characters of two UTF-16 code units, 102 units: the limit "
      "counts no units.", "H4 H6", "MaxChars"),
    w("\U0001f600" * 100, "100 such characters: still a word.", "H4 H6", "MaxChars"),
    w("\U0001f600" * 101, "101 characters beyond 16 bits: too long for 100.",
      "H4 H6", "MaxChars"),
    w("e\u0301" * 51, "51 letters with an accent each, 102 code points: the limit "
      "counts no grapheme clusters.", "H4 H6", "MaxChars"),
    w("a" * 99 + "q", "At the limit, and without pieces at its very end.", "H4 H5",
      "MaxChars WholeWord"),
    w("unaffordable" + "a" * 88, "100 characters in 89 pieces: the limit counts no "
      "pieces.", "H4", "MaxChars"),
    w("unaffordable" + "a" * 89, "101 characters in 90 pieces.", "H4", "MaxChars"),
    w("q" * 201, "Too long, and unknown anyway.", "H4", "MaxChars WholeWord"),
]


def v(lines, comment, dialects=("hf-legacy", "hf-fast"), **more):
    return case("read_vocabulary", {"file": lines}, comment, "H15", "VocabularyFile",
                dialects=dialects, **more)


HEAD = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"
CASES += [
    v(HEAD + "a\n##b\n", "One piece in each line; the id is the number of the line."),
    v(HEAD + "a\n##b", "The last line may lack its end: no piece is lost."),
    v("a\n[MASK]\n[SEP]\n[CLS]\n[UNK]\n[PAD]\n", "Special tokens may stand anywhere: "
      "their ids are not fixed."),
    v((HEAD + "a\n##b\n").replace("\n", "\r\n"), "Windows line ends are no part of a "
      "piece."),
    v(HEAD + "a\nb\na\n", "A piece that occurs twice has the later id, and the ids "
      "after it don't move."),
    v(HEAD + "a\na\nb\n", "Twice, side by side: b is 7, not 6."),
    v(HEAD + "\u00e9\ne\u0301\n", "A composed and a decomposed letter are two pieces: "
      "a reader must not normalize."),
    v(HEAD + "\u4e2d\n##\u4e2d\n\U0001f600\n", "UTF-8 of three and four bytes."),
    v(HEAD + "##\n###\n#\n", "The prefix alone, and one more #, are pieces too."),
    v(HEAD + "A\na\n", "Capital letters stay: an uncased model never looks them up."),
    v(HEAD + "a b\n[unused 1]\n", "A blank inside a line belongs to the piece."),
    v(HEAD + "a\t\nb\n", "A tab at the end of a line: Rust cuts it off, Python keeps "
      "it."),
    v(HEAD + "b \nc\n", "A blank at the end of a line: Rust cuts it off, Python keeps "
      "it."),
    v(HEAD + "a\u3000\nb\n", "An ideographic space at the end of a line: Rust cuts off "
      "that, too."),
    v(HEAD + " a\nb\n", "A blank at the beginning of a line stays in both."),
    v(HEAD + "a\u2028b\nc\n", "U+2028 LINE SEPARATOR ends no line: only \\n and \\r\\n "
      "do."),
    v(HEAD + "a\x0bb\nc\n", "U+000B ends no line: Python's str.splitlines would split "
      "here."),
    v(HEAD + "a\x85b\nc\n", "U+0085 ends no line either."),
    v(HEAD + "\u200b\na\n", "A zero width space is a piece: it is no white space."),
]
assert ALL
