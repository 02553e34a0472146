"""BERT's normaliser: from raw text to words, one character at a time.

A text is a list of (character, start, end): the character comes from text[start:end]
of the original, so every word piece can be traced back to its place.  Each step takes
such a list and returns a new one.

Source: the BERT paper says only "WordPiece".  The steps come from BasicTokenizer in
google-research/bert (tokenization.py).  Their order and the versions of Unicode are
those of Hugging Face's BertNormalizer.
"""

import unicodedata

from .tables import CJK, LOWER, MARK, MN, NFD, PUNCT, REMOVED, SPACE, flags, lower_map


def check_unicode(text, name="the text"):
    """Raise a TypeError, which calls the text `name`, if it is not valid Unicode."""
    try:
        text.isascii() or text.encode("utf-8")
    except UnicodeEncodeError as error:
        where = error.start
        raise TypeError(
            f"character {where} of {name} is {text[where]!r}, half a surrogate pair, "
            "expected valid Unicode: decode the bytes with errors='replace'") from None


def spanned(text):
    """Give each character of a text its own span: [(character, start, end), ...]."""
    return [(c, i, i + 1) for i, c in enumerate(text)]


def plain(chars):
    """Return the characters as a str, without their spans."""
    return "".join(c for c, _, _ in chars)


def clean(chars):
    """Drop control characters, and turn every kind of white space into a plain space.

    HF: a dropped character does not split a word: "a\\x0bb" becomes "ab".
    """
    return [(" " if flags(c) & SPACE else c, start, end)
            for c, start, end in chars if not flags(c) & REMOVED]


def isolate_cjk(chars):
    """Put spaces around every CJK ideograph, so that it is a word of its own."""
    out = []
    for c, start, end in chars:
        out += [(s, start, end) for s in (f" {c} " if flags(c) & CJK else c)]
    return out


def strip_accents(chars):
    """Decompose each character (Unicode NFD), then drop non-spacing marks: é -> e."""
    return [char for char in decompose(chars) if not flags(char[0]) & MN]


def decompose(chars):
    """Decompose each character (Unicode NFD) and put the marks in canonical order.

    HF: sorting moves the marks, but their spans stay where they were.  In the result,
    the k-th character that begins a decomposition has the span of the k-th character
    of the input.
    """
    parts = []
    for c, _, _ in chars:
        whole = unicodedata.normalize("NFD", c) if flags(c) & NFD else c
        parts += [(part, i == 0) for i, part in enumerate(whole)]
    source, out = -1, []
    for part, begins in canonical_order(parts):
        source += begins
        out.append((part, *chars[source][1:]))
    return out


def canonical_order(parts):
    """Sort each run of marks by combining class; within a class, keep their order."""
    out, marks = [], []
    for part in parts:
        if combining_class(part[0]):
            marks.append(part)
        else:
            out += sorted(marks, key=lambda mark: combining_class(mark[0])) + [part]
            marks = []
    return out + sorted(marks, key=lambda mark: combining_class(mark[0]))


def combining_class(char):
    """Return the canonical combining class of a character as of Unicode 9.0."""
    return unicodedata.combining(char) if flags(char) & (MN | MARK) else 0


def lower(chars):
    """Lower-case each character.

    HF: each character is lower-cased alone, so Σ becomes σ even at the end of a word.
    İ becomes two characters, i and a dot above.
    """
    return [(s, start, end) for c, start, end in chars
            for s in (lower_map()[ord(c)] if flags(c) & LOWER else c)]


def normalizer_steps(lowercase=True, accents=None, chinese_chars=True):
    """Return the steps that the options ask for, in order: [(name, function), ...].

    Args:
        lowercase: lower-case the text.
        accents: strip accents; None means "if lowercase".
        chinese_chars: make every CJK ideograph a word of its own.
    """
    accents = lowercase if accents is None else accents
    steps = [("clean", clean, True), ("cjk", isolate_cjk, chinese_chars),
             ("accents", strip_accents, accents), ("lower", lower, lowercase)]
    return [(name, step) for name, step, wanted in steps if wanted]


def normalize(chars, steps):
    """Apply the steps in order."""
    for _, step in steps:
        chars = step(chars)
    return chars


def normal_form(text, steps):
    """Return a text after all steps, as a str."""
    return plain(normalize(spanned(text), steps))


def split_words(chars):
    """Split at white space, drop it, and make each punctuation mark a word of its own.

    Returns:
        The words, each a list of (character, start, end).
    """
    words: list[list] = []
    word: list = []
    for char in chars:
        kind = flags(char[0])
        if kind & (SPACE | PUNCT):
            words += [word, [char] if kind & PUNCT else []]
            word = []
        else:
            word.append(char)
    return [word for word in words + [word] if word]
