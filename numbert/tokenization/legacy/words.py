"""How BertTokenizerLegacy finds words: as plain strings, without offsets.

It differs from the definition in three ways.  It asks the running Python about each
character.  It composes the text first (Unicode NFC).  And it lower-cases whole words,
so a sigma at the end of a word becomes ς.
"""

import functools
import unicodedata

from ..definition.tables import (ASCII_PUNCT, CJK, CJK_BLOCKS, MN, PUNCT, REMOVED,
                                 SPACE)
from ..rows.options import flag


@functools.lru_cache(maxsize=65536)
def live_flags(char):
    """Return the flags of one character in the running Python's Unicode tables.

    They differ from the definition's `flags`: unassigned characters are REMOVED as
    well, and NFD, MARK and LOWER are never set, because words go through
    `unicodedata.normalize` and `str.lower`.
    """
    code, category = ord(char), unicodedata.category(char)
    if char in "\t\n\r" or category == "Zs":
        return SPACE
    if code in (0, 0xFFFD) or category[0] == "C":
        return REMOVED
    if char in ASCII_PUNCT or category[0] == "P":
        return PUNCT
    cjk = any(a <= code < b for a, b in CJK_BLOCKS) or 0x2B820 <= code < 0x2B920
    return CJK * cjk | MN * (category == "Mn")


class BasicTokenizer:
    """The first stage of BertTokenizerLegacy: from a text to normalised words.

    Args:
        do_lower_case: lower-case the words.
        never_split: words that are kept as they are.
        tokenize_chinese_chars: make every CJK ideograph a word of its own.
        strip_accents: strip accents; None means "if do_lower_case".
        do_split_on_punc: make every punctuation character a word of its own.

    Source: google-research/bert, tokenization.py, BasicTokenizer.
    """

    def __init__(self, do_lower_case=True, never_split=None,
                 tokenize_chinese_chars=True, strip_accents=None,
                 do_split_on_punc=True):
        self.do_lower_case = flag("do_lower_case", do_lower_case)
        self.never_split = set(never_split or ())
        self.tokenize_chinese_chars = flag(
            "tokenize_chinese_chars", tokenize_chinese_chars)
        self.strip_accents = flag("strip_accents", strip_accents, or_none=True)
        self.do_split_on_punc = flag("do_split_on_punc", do_split_on_punc)

    def tokenize(self, text, never_split=None):
        """Return the words of a text, a list of str.

        >>> BasicTokenizer().tokenize("Naïve, isn't it?")
        ['naive', ',', 'isn', "'", 't', 'it', '?']

        Args:
            text: a str.
            never_split: more words to keep as they are.
        """
        return split_words(
            text, lowercase=self.do_lower_case, accents=self.strip_accents,
            chinese_chars=self.tokenize_chinese_chars,
            never_split=self.never_split.union(never_split or ()),
            punctuation=self.do_split_on_punc)


def split_words(text, *, lowercase, accents, chinese_chars, never_split,
                punctuation=True):
    """Return the normalised words of a text, a list of str.

    Args:
        text: the text.
        lowercase: lower-case the words.
        accents: strip accents; None means "if lowercase".
        chinese_chars: make every CJK ideograph a word of its own.
        never_split: words that are kept as they are.
        punctuation: make every punctuation character a word of its own.
    """
    strip = lowercase if accents is None else accents
    words = []
    for word in unicodedata.normalize("NFC", _clean(text, chinese_chars)).split():
        if word not in never_split:
            word = word.lower() if lowercase else word      # HF: a final Σ becomes ς
            word = _strip_accents(word) if strip else word
        if punctuation and word not in never_split:
            word = "".join(f" {c} " if live_flags(c) & PUNCT else c for c in word)
        words += word.split()
    return words


def _clean(text, chinese_chars):
    """Drop control characters, make white space plain, set ideographs apart."""
    out = []
    for c in text:
        kind = live_flags(c)
        if kind & SPACE:
            out.append(" ")
        elif kind & CJK and chinese_chars:
            out.append(f" {c} ")
        elif not kind & REMOVED:
            out.append(c)
    return "".join(out)


def _strip_accents(word):
    """Decompose the word (Unicode NFD) and drop its non-spacing marks."""
    decomposed = unicodedata.normalize("NFD", word)
    return "".join(c for c in decomposed if not live_flags(c) & MN)
