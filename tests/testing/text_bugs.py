"""Bugs in how a text becomes pieces: cleaning, CJK, accents, case, words, pieces.

property_bugs has them all, and says what they are for.
"""

import string
import unicodedata
from collections.abc import Callable
from typing import NamedTuple

from numbert.tokenization.definition import normalization as n
from readable_tokenizer import cut, target


class Bug(NamedTuple):
    """A bug: what kind, what is wrong, and how to make a tokenizer that has it."""

    kind: str
    name: str
    make: Callable


def bug(kind, name, lowercase=True, **stages):
    """A bug in stages of the readable tokenizer."""
    return Bug(kind, name, lambda: target(lowercase=lowercase, **stages))


def is_space(c):
    """What the right tokenizer takes for white space."""
    return bool(n.flags(c) & n.SPACE)


def each(change):
    """A stage that changes each character: change(c) -> str; the span stays."""
    return lambda chars: [(x, a, b) for c, a, b in chars for x in change(c)]


def cleaned(change):
    """A `clean` that looks at each character first; None: as it should be."""
    def clean(chars):
        out = []
        for char in chars:
            text = change(char[0])
            out += n.clean([char]) if text is None else \
                [(x, *char[1:]) for x in text]
        return out
    return clean


def instead(which, text):
    """A `clean` that puts `text` (None: the character) for the characters in which."""
    return cleaned(lambda c: (c if text is None else text) if c in which else None)


CONTROL = [chr(c) for c in range(32) if chr(c) not in "\t\n\r"] + ["\x7f"]
FORMAT = "\u200b\u200c\u200d\u200e\u2060\ufeff\xad"

CLEANING = [
    bug("cleaning", "control characters are kept", clean=instead(CONTROL, None)),
    bug("cleaning", "control characters become spaces", clean=instead(CONTROL, " ")),
    bug("cleaning", "NUL is kept", clean=instead("\x00", None)),
    bug("cleaning", "U+FFFD is kept", clean=instead("\ufffd", None)),
    bug("cleaning", "U+FFFD becomes a space", clean=instead("\ufffd", " ")),
    bug("cleaning", "format characters are kept", clean=instead(FORMAT, None)),
    bug("cleaning", "zero-width space is white space", clean=instead("\u200b", " ")),
    bug("cleaning", "DEL is kept", clean=instead("\x7f", None)),
    bug("cleaning", "tabs are dropped", clean=instead("\t", "")),
    bug("cleaning", "line ends are dropped", clean=instead("\n\r", "")),
    bug("cleaning", "U+00A0 is no white space", clean=instead("\xa0", "\u0378")),
    bug("cleaning", "U+3000 is no white space", clean=instead("\u3000", "\u0378")),
    bug("cleaning", "U+2028 is no white space", clean=instead("\u2028", "\u0378")),
    bug("cleaning", "only ASCII spaces separate", clean=cleaned(
        lambda c: "\u0378" if is_space(c) and not c.isascii() else None)),
    bug("cleaning", "the text ends at NUL", enter=lambda text: text.split("\x00")[0]),
    bug("cleaning", "only the first line is read",
        enter=lambda text: (text.splitlines() or [""])[0]),
    bug("cleaning", "all but ASCII is dropped",
        clean=cleaned(lambda c: None if c.isascii() else "")),
]


def isolating(test, pattern=" {} "):
    """A `cjk` that puts spaces around the characters that pass a test."""
    return each(lambda c: pattern.format(c) if test(c) else c)


def ideograph(c):
    """What the right tokenizer takes for an ideograph."""
    return bool(n.flags(c) & n.CJK)


CHINESE = [
    bug("cjk", "ideographs are not isolated", cjk=lambda chars: chars),
    bug("cjk", "only the basic block is isolated",
        cjk=isolating(lambda c: "\u4e00" <= c <= "\u9fff")),
    bug("cjk", "the last ideograph of a block is left out",
        cjk=isolating(lambda c: ideograph(c) and c != "\u9fff")),
    bug("cjk", "the first ideograph of a block is left out",
        cjk=isolating(lambda c: ideograph(c) and c != "\u4e00")),
    bug("cjk", "extension A is left out",
        cjk=isolating(lambda c: ideograph(c) and not "\u3400" <= c < "\u4dc0")),
    bug("cjk", "ideographs beyond 16 bits are left out",
        cjk=isolating(lambda c: ideograph(c) and c < "\U00010000")),
    bug("cjk", "compatibility ideographs are left out",
        cjk=isolating(lambda c: ideograph(c) and not "\uf900" <= c < "\ufb00")),
    bug("cjk", "kana are isolated",
        cjk=isolating(lambda c: ideograph(c) or "\u3040" <= c < "\u3100")),
    bug("cjk", "Hangul is isolated",
        cjk=isolating(lambda c: ideograph(c) or "\uac00" <= c < "\ud7a4")),
    bug("cjk", "hexagrams count as ideographs",
        cjk=isolating(lambda c: ideograph(c) or "\u4dc0" <= c < "\u4e00")),
    bug("cjk", "a space only before an ideograph", cjk=isolating(ideograph, " {}")),
    bug("cjk", "a space only after an ideograph", cjk=isolating(ideograph, "{} ")),
    bug("cjk", "ideographs are dropped", cjk=isolating(ideograph, " ")),
]


def unmarked(form, drop):
    """An `accents` by another normal form, or that drops other characters."""
    return each(lambda c: "".join(x for x in unicodedata.normalize(form, c)
                                  if not drop(x)))


def mark(c):
    """Whether a character is a non-spacing mark."""
    return unicodedata.category(c) == "Mn"


def composed(chars):
    """Compose e and an accent, then drop the marks that are left."""
    out = []
    for c, a, b in chars:
        whole = unicodedata.normalize("NFC", out[-1][0] + c) if out else c
        if out and len(whole) == 1:
            out[-1] = (whole, out[-1][1], b)
        elif not mark(c):
            out.append((c, a, b))
    return out


ACCENTS = [
    bug("accents", "accents are kept", accents=lambda chars: chars),
    bug("accents", "accents are decomposed but kept", accents=n.decompose),
    bug("accents", "NFC instead of NFD", accents=composed),
    bug("accents", "marks are dropped without decomposing",
        accents=each(lambda c: "" if mark(c) else c)),
    bug("accents", "only Latin accents are dropped",
        accents=unmarked("NFD", lambda c: "\u0300" <= c < "\u0370")),
    bug("accents", "NFKD instead of NFD", accents=unmarked("NFKD", mark)),
    bug("accents", "all that is not ASCII is dropped after NFD",
        accents=unmarked("NFD", lambda c: not c.isascii() and not ideograph(c))),
    bug("accents", "letters with a stroke lose it", accents=lambda chars:
        n.strip_accents(each(lambda c: {"ø": "o", "ł": "l"}.get(c, c))(chars))),
    bug("accents", "an accent becomes a space",
        accents=lambda chars: each(lambda c: " " if mark(c) else c)(
            n.decompose(chars))),
    bug("accents", "accents are stripped from cased text", lowercase=False,
        clean=lambda chars: n.strip_accents(n.clean(chars))),
]

CASE = [
    bug("case", "the text is not lower-cased", lower=lambda chars: chars),
    bug("case", "only ASCII is lower-cased",
        lower=each(lambda c: c.lower() if c.isascii() else c)),
    bug("case", "upper case instead of lower", lower=each(str.upper)),
    bug("case", "case folding instead of lower case", lower=each(str.casefold)),
    bug("case", "I becomes a dotless i, as in Turkish",
        lower=lambda chars: n.lower(each(lambda c: "ı" if c == "I" else c)(chars))),
    bug("case", "a final sigma is lower-cased as in Greek", lower=lambda chars: [
        ("ς" if c == "Σ" and (i + 1 == len(chars) or is_space(chars[i + 1][0]))
         else n.lower([(c, a, b)])[0][0], a, b) for i, (c, a, b) in enumerate(chars)]),
    bug("case", "cased text is lower-cased", lowercase=False,
        clean=lambda chars: n.lower(n.clean(chars))),
    bug("case", "words in capitals are not lower-cased", lower=lambda chars:
        chars if len(chars) > 1 and all(c.isupper() for c, _, _ in chars)
        else n.lower(chars)),
]


def splitting(test, keep=True):
    """A `words` that splits at other characters."""
    def words(chars):
        out, word = [], []
        for char in chars:
            if is_space(char[0]) or test(char[0]):
                out += [word, [char] if keep and not is_space(char[0]) else []]
                word = []
            else:
                word.append(char)
        return [word for word in [*out, word] if word]
    return words


def punct(c):
    """What the right tokenizer takes for punctuation."""
    return bool(n.flags(c) & n.PUNCT)


def runs(chars):
    """Words, in which punctuation marks side by side stay together."""
    out = []
    for word in n.split_words(chars):
        if out and punct(word[0][0]) and punct(out[-1][-1][0]) and \
                out[-1][-1][2] == word[0][1]:
            out[-1] = out[-1] + word
        else:
            out.append(word)
    return out


SPLITTING = [
    bug("splitting", "punctuation is not split", words=splitting(lambda c: False)),
    bug("splitting", "punctuation is dropped", words=splitting(punct, keep=False)),
    bug("splitting", "only ASCII punctuation is split",
        words=splitting(lambda c: c in string.punctuation)),
    bug("splitting", "symbols such as $ and + are not punctuation",
        words=splitting(lambda c: unicodedata.category(c)[0] == "P")),
    bug("splitting", "an apostrophe belongs to its word",
        words=splitting(lambda c: punct(c) and c != "'")),
    bug("splitting", "a hyphen belongs to its word",
        words=splitting(lambda c: punct(c) and c != "-")),
    bug("splitting", "an underscore belongs to its word",
        words=splitting(lambda c: punct(c) and c != "_")),
    bug("splitting", "a point between digits belongs to its number",
        words=splitting(lambda c: punct(c) and c != ".")),
    bug("splitting", "punctuation marks side by side are one word", words=runs),
    bug("splitting", "every digit is a word", words=splitting(
        lambda c: punct(c) or c.isdigit())),
    bug("splitting", "symbols of all kinds are punctuation", words=splitting(
        lambda c: punct(c) or unicodedata.category(c) == "So")),
    bug("splitting", "the last word is lost",
        words=lambda chars: n.split_words(chars)[:-1] if len(chars) > 4
        else n.split_words(chars)),
]


def search(word, vocab, ends, prefix="##", unknown=None):
    """A cut of a word with another order of ends, or with other rules."""
    out, start = [], 0
    while start < len(word):
        lead = prefix if start else ""
        for end in ends(start, len(word)):
            if lead + word[start:end] in vocab:
                break
        else:
            if unknown is None:
                return [("[UNK]", 0, len(word))]
            more = unknown(out, start, len(word))
            out, start = more
            continue
        out.append((lead + word[start:end], start, end))
        start = end
    return out


def longest(start, stop):
    """The ends to try, the longest piece first."""
    return range(stop, start, -1)


def searched(ends=longest, **rules):
    """A `cut` by `search`."""
    return lambda word, vocab: [("[UNK]", 0, len(word))] if len(word) > 100 else \
        search(word, vocab, ends, **rules)


def walked(word, vocab):
    """A walk in a trie that does not go back to the last piece on a dead end."""
    def ends(start, stop):
        lead, end = "##" if start else "", start
        while end < stop and any(v.startswith(lead + word[start:end + 1])
                                 for v in vocab):
            end += 1
        return [end] if end > start else []
    return searched(ends)(word, vocab)


def from_the_right(word, vocab):
    """A cut that takes the longest piece at the end first."""
    out, end = [], len(word)
    while end:
        for start in range(end):
            piece = ("##" if start else "") + word[start:end]
            if piece in vocab:
                break
        else:
            return [("[UNK]", 0, len(word))]
        out.insert(0, (piece, start, end))
        end = start
    return out if len(word) <= 100 else [("[UNK]", 0, len(word))]


def limited(size):
    """A `cut` with another limit of a word's length: size(word) > 0 is too long."""
    def limit(word, vocab):
        return [("[UNK]", 0, len(word))] if size(word) else search(word, vocab, longest)
    return limit


PIECES = [
    bug("pieces", "the shortest piece is taken",
        cut=searched(lambda start, stop: range(start + 1, stop + 1))),
    bug("pieces", "inner pieces are looked up without ##", cut=searched(prefix="")),
    bug("pieces", "[UNK] for a piece", cut=searched(unknown=lambda out, start, stop: (
        [*out, ("[UNK]", start, start + 1)], start + 1))),
    bug("pieces", "pieces before a failure are kept",
        cut=searched(unknown=lambda out, start, stop: (
            [*out, ("[UNK]", start, stop)], stop))),
    bug("pieces", "what has no piece is dropped",
        cut=searched(unknown=lambda out, start, stop: (out, start + 1))),
    bug("pieces", "a dead end in the trie is a failure", cut=walked),
    bug("pieces", "the cut goes from right to left", cut=from_the_right),
    bug("pieces", "pieces have 5 letters at most",
        cut=searched(lambda start, stop: range(min(stop, start + 5), start, -1))),
    bug("pieces", "words of 200 letters are allowed",
        cut=limited(lambda word: len(word) > 200)),
    bug("pieces", "words of any length are allowed", cut=limited(lambda word: False)),
    bug("pieces", "words of 100 letters are too long",
        cut=limited(lambda word: len(word) >= 100)),
    bug("pieces", "words are measured with two letters more",
        cut=limited(lambda word: len(word) + 2 > 100)),
    bug("pieces", "long words are cut at 100 letters", cut=lambda word, vocab:
        cut(word[:100], vocab)),
    bug("pieces", "unknown words are left out", cut=lambda word, vocab: [
        piece for piece in cut(word, vocab) if piece[0] != "[UNK]"]),
    bug("pieces", "one-letter words are unknown", cut=lambda word, vocab:
        [("[UNK]", 0, 1)] if len(word) == 1 and word.isalpha() else cut(word, vocab)),
]

TEXT_BUGS = CLEANING + CHINESE + ACCENTS + CASE + SPLITTING + PIECES
