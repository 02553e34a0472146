"""The rules of google-research/bert, written down slowly, for the vectors.

Authority: tokenization.py, run_classifier.py and create_pretraining_data.py of
google-research/bert, by their published rules.  Nothing of numbert or transformers.
"""

import unicodedata

# First and last code point of what BERT takes as Chinese characters.
CJK = ((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F),
       (0x2B740, 0x2B81F), (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F))
MOST_CHARS = 200


def clean(text):
    """Drop NUL, U+FFFD and the categories Cc and Cf; white space becomes a blank."""
    kept = []
    for char in text:
        if char in "\t\n\r" or unicodedata.category(char) == "Zs":
            kept.append(" ")
        elif char not in "\0\ufffd" and unicodedata.category(char) not in ("Cc", "Cf"):
            kept.append(char)
    return "".join(kept)


def isolate(text):
    """A blank on both sides of each Chinese character."""
    return "".join(f" {c} " if any(a <= ord(c) <= b for a, b in CJK) else c
                   for c in text)


def normalize(text, lowercase=True):
    """The words between blanks; lower case and without accents, if asked for."""
    words = isolate(clean(text)).split()
    if not lowercase:
        return words
    plain = ["".join(c for c in unicodedata.normalize("NFD", word.lower())
                     if unicodedata.category(c) != "Mn") for word in words]
    return " ".join(plain).split()


def is_punctuation(char):
    """ASCII but letters, digits and blanks; beyond it, Unicode's punctuation."""
    code = ord(char)
    return 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or \
        123 <= code <= 126 or unicodedata.category(char).startswith("P")


def pre_tokenize(text, lowercase=True):
    """Each punctuation mark is a word of its own."""
    words = []
    for word in normalize(text, lowercase):
        words += "".join(f" {c} " if is_punctuation(c) else c for c in word).split()
    return words


def wordpiece(word, vocab, most=MOST_CHARS):
    """The longest piece that fits, again and again; [UNK] for the word if none does."""
    if len(word) > most:
        return ["[UNK]"]
    pieces, start = [], 0
    while start < len(word):
        fits = [end for end in range(start + 1, len(word) + 1)
                if "##" * (start > 0) + word[start:end] in vocab]
        if not fits:
            return ["[UNK]"]
        pieces.append("##" * (start > 0) + word[start:fits[-1]])
        start = fits[-1]
    return pieces


def tokenize(text, vocab, lowercase=True):
    """A whole text; special tokens in it are ordinary text."""
    return [piece for word in pre_tokenize(text, lowercase)
            for piece in wordpiece(word, vocab)]


def row(a, b, vocab, most=None):
    """[CLS] a [SEP] b [SEP] of at most so many tokens: (tokens, token types).

    A pair loses the last token of its longer text, of the second one if they are
    equally long, until it fits.
    """
    a, b = list(a), None if b is None else list(b)
    if most is not None and b is None:
        a = a[:most - 2]
    while most is not None and b is not None and len(a) + len(b) > most - 3:
        (a if len(a) > len(b) else b).pop()
    first = ["[CLS]", *a, "[SEP]"]
    second = [] if b is None else [*b, "[SEP]"]
    return first + second, [0] * len(first) + [1] * len(second)


def mlm_count(length, probability, most):
    """How many pieces create_masked_lm_predictions masks."""
    return min(most, max(1, int(round(length * probability))))
