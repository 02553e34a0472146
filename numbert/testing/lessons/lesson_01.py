"""The exercises of notebook 01, WordPiece by hand."""

import re
import unicodedata
from typing import Any

from ...tokenization import definition
from ...tokenization.definition import encode, normalization, plain, spanned
from .exercise import Exercise

ACCENTS = ["Brasília", "Zoë", "cafe\u0301", "Ångström", "½ naïve", "Łódź", "東京",
           "한국", "हिन्दी", "गुरु"]
FRAGMENTS = ["Don't", " $5+tax ", "snake_case", "...", "e-mail\t", "  Oslo.",
             " <b> "]
WORDS = ["unhappy", "unaffable", "able", "unknown", "fable", "una", "happy", "bla"]
PIECES = {"un", "una", "##aff", "##able", "##a", "##h", "##happy", "##f",
          "##ffable", "able", "##ble", "ble", "happy", "unh", "fa", "##no", "##k",
          "##b", "a", "##l"}
GREEK = ["ΟΔΟΣ", "Σίσυφος", "ΣΟΦΟΣ", "Straße", "İZMİR", "Oslo"]
TEXTS = ["Brasília's best footballer", "Zoë  lives in São Paulo",
         "Tom, the  naïve baker"]
LETTERS = [chr(c) for c in range(ord("a"), ord("z") + 1)]


def shuffled(rng, items):
    """Return the items in a random order, a list."""
    return [items[i] for i in rng.permutation(len(items))]


def apart(form, dropped):
    """Return a function: normalise a text, then drop characters of some categories."""
    return lambda text: "".join(c for c in unicodedata.normalize(form, text)
                                if not unicodedata.category(c).startswith(dropped))


def greedy(words, vocab, ends=lambda start, stop: range(stop, start, -1), prefix="##",
           failed=lambda pieces: ["[UNK]"]):
    """Cut words into pieces, with one thing or another done differently.

    Args:
        words, vocab: as in the exercise.
        ends: the order in which the ends of a piece are tried.
        prefix: of pieces within a word.
        failed: what becomes of the pieces of a word that can't be cut to its end.
    """
    out = []
    for word in words:
        pieces: list[Any] = []
        start = 0
        while start < len(word):
            lead = prefix if start else ""
            found = [end for end in ends(start, len(word))
                     if lead + word[start:end] in vocab]
            if not found:
                pieces = failed(pieces)
                break
            pieces.append(lead + word[start:found[0]])
            start = found[0]
        out += pieces
    return out


def cut_any_way(words, vocab):
    """Cut words with a search that goes back where the greedy cut fails."""
    def ways(word, start):
        if start == len(word):
            return []
        for end in range(len(word), start, -1):
            piece = "##" * (start > 0) + word[start:end]
            rest = ways(word, end) if piece in vocab else None
            if rest is not None:
                return [piece, *rest]
        return None
    return [piece for word in words for piece in ways(word, 0) or ["[UNK]"]]


def without_marks(words, vocab):
    """Cut words rightly, but show the pieces without ##."""
    return [piece.removeprefix("##") for piece in greedy(words, vocab)]


def spans(rng):
    """Draw a text, its pieces' offsets, and two places; the last one begins a word."""
    core = encode.compile_core({piece: i for i, piece in enumerate(
        ["[UNK]", "football", "##er", *LETTERS, *(f"##{c}" for c in LETTERS)])})
    text = TEXTS[int(rng.integers(len(TEXTS)))]
    _, starts, ends, _ = encode.encode_plain(core, text)
    after_space = [i for i in range(2, len(starts)) if starts[i] > ends[i - 1]]
    last = after_space[int(rng.integers(len(after_space)))]
    return text, list(zip(starts, ends)), int(rng.integers(last - 1)), last


EXERCISES = {
    "01.1": Exercise(
        inputs=lambda rng: (" ".join(shuffled(rng, ACCENTS)),),
        reference=apart("NFD", ("Mn",)),
        mistakes={
            "The text is taken apart, but its marks are still there.":
                lambda text: unicodedata.normalize("NFD", text),
            "Nothing was taken apart (NFC, or no form at all): in é no mark can be "
            "dropped.":
                apart("NFC", ("Mn",)),
            "Marks that stood alone are dropped, but é was not taken apart first.":
                lambda text: "".join(c for c in text
                                     if unicodedata.category(c) != "Mn"),
            "Some marks are still there: those of combining class 0, such as vowels in "
            "Hindi.  Ask for the category.":
                lambda text: "".join(c for c in unicodedata.normalize("NFD", text)
                                     if not unicodedata.combining(c)),
            "Letters are dropped together with their accents.  Take é apart first.":
                lambda text: text.encode("ascii", "ignore").decode(),
            "All that is not ASCII is dropped, and so are letters of other scripts.":
                lambda text: unicodedata.normalize("NFD", text).encode(
                    "ascii", "ignore").decode(),
            "More than accents has changed: ½ became three characters.  NFKD takes "
            "apart what only looks alike.":
                apart("NFKD", ("Mn",)),
            "Marks that take space (Mc) are dropped, too.  In Hindi they are vowels.":
                apart("NFD", ("M",)),
            "The capitals are gone, too.  That is another step.":
                lambda text: apart("NFD", ("Mn",))(text).lower(),
            "The text is composed again at the end, which BERT doesn't do.":
                lambda text: unicodedata.normalize("NFC", apart("NFD", ("Mn",))(text)),
        }),
    "01.2": Exercise(
        inputs=lambda rng: (" ".join(shuffled(rng, FRAGMENTS)),),
        reference=lambda text: [plain(word) for word in definition.split_words(
            normalization.clean(spanned(text)))],
        mistakes={
            "H16":
                lambda text: "".join(
                    f" {c} " if unicodedata.category(c).startswith("P") else c
                    for c in text).split(),
            "Punctuation still hangs on its word: Oslo and Oslo. are two words.":
                lambda text: text.split(),
            "The punctuation is gone.  Each mark should be a word of its own.":
                lambda text: re.findall(r"[^\W_]+", text),
            "The punctuation is gone, and the underscore counts as a letter.":
                lambda text: re.findall(r"\w+", text),
            "A run of marks is one word.  Each mark should stand alone: the three dots "
            "are three words.":
                lambda text: re.findall(r"[^\W_]+|(?:[^\w\s]|_)+", text),
            "A run of marks is one word, and the underscore counts as a letter.":
                lambda text: re.findall(r"\w+|[^\w\s]+", text),
            "The underscore counts as a letter, as in a regular expression's \\w.  For "
            "BERT it is punctuation.":
                lambda text: re.findall(r"\w+|[^\w\s]", text),
            "There are empty words: split() without an argument leaves them out.":
                lambda text: "".join(
                    f" {c} " if not c.isalnum() and not c.isspace() else c
                    for c in text).split(" "),
        }),
    "01.3": Exercise(
        inputs=lambda rng: (shuffled(rng, WORDS), set(PIECES)),
        reference=greedy,
        mistakes={
            "H17": lambda words, vocab: greedy(
                words, vocab, ends=lambda start, stop: range(start + 1, stop + 1)),
            "H15": lambda words, vocab: greedy(words, vocab, prefix=""),
            "H5": lambda words, vocab: greedy(
                words, vocab, failed=lambda pieces: [*pieces, "[UNK]"]),
            "A word that can't be cut to its end keeps the pieces found before.  It "
            "gives one `[UNK]` and nothing else.":
                lambda words, vocab: greedy(words, vocab, failed=lambda pieces: pieces),
            "A word that can't be cut to its end is missing.  It gives one `[UNK]`.":
                lambda words, vocab: greedy(words, vocab, failed=lambda pieces: []),
            "You go back and try another way where the greedy cut fails.  BERT never "
            "goes back.":
                cut_any_way,
            "The pieces are right, but those inside a word must keep their ##.":
                without_marks,
            "Only whole words are looked up.  Look for shorter pieces, too.":
                lambda words, vocab: [word if word in vocab else "[UNK]"
                                      for word in words],
            "The last character of a word is never part of a piece tried: ranges end "
            "one before their stop.":
                lambda words, vocab: greedy(
                    words, vocab, ends=lambda start, stop: range(stop - 1, start, -1)),
        }),
    "01.4": Exercise(
        inputs=lambda rng: (" ".join(shuffled(rng, GREEK)),),
        reference=lambda text: plain(normalization.lower(spanned(text))),
        mistakes={
            "H14": lambda text: text.lower(),
            "`casefold` is for comparing: it also changes ς and ß.":
                lambda text: text.casefold(),
            "Only the letters of English are lower-cased.":
                lambda text: text.translate({c: c + 32 for c in range(65, 91)}),
            "This is upper case.": lambda text: text.upper(),
            "The accents are gone as well.  That is another step.":
                lambda text: apart("NFD", ("Mn",))(
                    plain(normalization.lower(spanned(text)))),
        }),
    "01.5": Exercise(
        inputs=spans,
        reference=lambda text, offsets, first, last: text[
            offsets[first][0]:offsets[last][1]],
        mistakes={
            "The last token is missing: its end is the second of its two numbers.":
                lambda text, offsets, first, last: text[
                    offsets[first][0]:offsets[last][0]],
            "The last token is missing: `last` belongs to the answer.":
                lambda text, offsets, first, last: text[
                    offsets[first][0]:offsets[last - 1][1]],
            "The first token is missing: its start is the first of its two numbers.":
                lambda text, offsets, first, last: text[
                    offsets[first][1]:offsets[last][1]],
            "There is one character too many: an end is already one after the last "
            "character.":
                lambda text, offsets, first, last: text[
                    offsets[first][0]:offsets[last][1] + 1],
            "`first` and `last` count tokens, not characters: look up their offsets.":
                lambda text, offsets, first, last: text[first:last + 1],
            "The tokens' texts are glued with spaces, which the text may not have.  "
            "One slice of the text is enough.":
                lambda text, offsets, first, last: " ".join(
                    text[a:b] for a, b in offsets[first:last + 1]),
            "The spaces between the words are lost.  One slice of the text is enough.":
                lambda text, offsets, first, last: "".join(
                    text[a:b] for a, b in offsets[first:last + 1]),
        }),
}
