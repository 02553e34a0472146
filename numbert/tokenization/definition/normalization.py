"""BERT's normaliser, one character at a time: the readable definition.

The text is a list of (character, start, end): each character carries the span of the
original text that it came from, so that every word piece can be traced back.  Each step
takes such a list and returns a new one.  `tokenization/fast/vectorized.py` computes
the same for whole documents; the tests hold the two together.

Source: the BERT paper says only "WordPiece"; the steps are those of BasicTokenizer in
google-research/bert (tokenization.py), in the order and with the Unicode versions of
Hugging Face's BertNormalizer.
"""

import unicodedata

from .tables import CJK, LOWER, MARK, MN, NFD, PUNCT, REMOVED, SPACE, flags, lower_map


def spanned(text):
    """Give each character of `text` its own span: [(character, start, end), ...]."""
    return [(c, i, i + 1) for i, c in enumerate(text)]


def plain(chars):
    """The text alone."""
    return "".join(c for c, _, _ in chars)


def clean(chars, flags=flags):
    """Drop control characters, and turn every white space character into a plain space.

    HF: a dropped character does not split: "a\\x0bb" becomes "ab".
    """
    return [(" " if flags(c) & SPACE else c, start, end)
            for c, start, end in chars if not flags(c) & REMOVED]


def isolate_cjk(chars, flags=flags):
    """Put a space on both sides of every CJK ideograph: each is a word of its own."""
    out = []
    for c, start, end in chars:
        out += [(s, start, end) for s in (f" {c} " if flags(c) & CJK else c)]
    return out


def strip_accents(chars):
    """Decompose each character (Unicode NFD), then drop non-spacing marks: é -> e."""
    return [char for char in decompose(chars) if not flags(char[0]) & MN]


def decompose(chars):
    """Unicode canonical decomposition, with the spans that Hugging Face gives.

    HF: canonical ordering moves marks, but spans stay in order: the k-th character that
    begins a decomposition takes the span of the k-th character of the input.
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
    """Sort each run of marks by combining class, keeping the order of equals."""
    out, marks = [], []
    for part in parts:
        if combining_class(part[0]):
            marks.append(part)
        else:
            out += sorted(marks, key=lambda mark: combining_class(mark[0])) + [part]
            marks = []
    return out + sorted(marks, key=lambda mark: combining_class(mark[0]))


def combining_class(char):
    """The canonical combining class, as of Unicode 9.0."""
    return unicodedata.combining(char) if flags(char) & (MN | MARK) else 0


def lower(chars):
    """Lower case, by character (HF: so there is no final sigma, and İ becomes two)."""
    return [(s, start, end) for c, start, end in chars
            for s in (lower_map()[ord(c)] if flags(c) & LOWER else c)]


def normalizer_steps(lowercase, accents, chinese_chars):
    """The steps that these options ask for, as [(name, function), ...].

    Args:
        lowercase: turn the text to lower case.
        accents: strip accents; None means "if lowercase".
        chinese_chars: isolate CJK ideographs.
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


def split_words(chars, flags=flags):
    """Cut at white space, which is dropped, and around each punctuation character.

    Returns a list of words, each a list of (character, start, end).
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


# --- Legacy: BertTokenizerLegacy, the pure Python tokenizer of old -------------------

def legacy_words(text, live, *, lowercase, accents, chinese_chars, never_split):
    """The words of `text` as BertTokenizerLegacy finds them, strings without offsets.

    Args:
        text: the text.
        live: the flags function, `live_flags`.
        never_split: words (between white space) that are kept as they are.
    """
    chars = clean(spanned(text), live)
    chars = isolate_cjk(chars, live) if chinese_chars else chars
    words = []
    for word in unicodedata.normalize("NFC", plain(chars)).split():
        if word in never_split:
            words.append(word)
            continue
        if lowercase:
            word = word.lower()         # HF: the whole word, so a final Σ becomes ς
        if lowercase if accents is None else accents:
            decomposed = unicodedata.normalize("NFD", word)
            word = "".join(c for c in decomposed if not live(c) & MN)
        words += [word] if word in never_split else _split_punct(word, live)
    return [piece for word in words for piece in word.split()]


def _split_punct(word, live):
    """Cut a word around each punctuation character."""
    parts = split_words(spanned(word), lambda c: live(c) & PUNCT)
    return [plain(part) for part in parts]
