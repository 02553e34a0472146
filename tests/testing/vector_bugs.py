"""Bugs of the kinds that `catches` names, seeded one by one into implementations.

Those of the stages are seeded into vector_program.py, the others into numbert as
vector_target.py asks it.  A bug is {operation: a function that has it}, made from the
functions that are right.
"""

import math
import unicodedata

import vector_program as stages

BUGS = []       # [(id in the catalogue, or "" if it has none, name, function), ...]
STAGES = ("clean", "normalize", "pre_tokenize", "wordpiece")


def bug(id):
    """Add a function of the right functions that returns those with the bug."""
    def added(function):
        BUGS.append((id, function.__name__, function))
        return function
    return added


def patched(id, name, **changes):
    """A bug that replaces functions or values of the program of stages."""
    def mutant(right):
        def wrong(operation):
            def call(given, settings):
                before = {key: getattr(stages, key) for key in changes}
                try:
                    for key, value in changes.items():
                        setattr(stages, key, value)
                    return stages.answer(operation, given, settings)
                finally:
                    for key, value in before.items():
                        setattr(stages, key, value)
            return call
        return {operation: wrong(operation) for operation in STAGES}
    BUGS.append((id, name, mutant))


def asked(id, name, operations, change):
    """A bug that misreads the input or the settings: change(given, settings)."""
    def mutant(right):
        def wrong(operation):
            return lambda given, settings: right[operation](
                *change(dict(given), dict(settings)))
        return {operation: wrong(operation) for operation in operations.split()}
    BUGS.append((id, name, mutant))


def said(id, name, operations, change):
    """A bug that spoils the output: change(output, given, settings)."""
    def mutant(right):
        def wrong(operation):
            return lambda given, settings: change(right[operation](given, settings),
                                                  given, settings)
        return {operation: wrong(operation) for operation in operations.split()}
    BUGS.append((id, name, mutant))


# ------------------------------------------------------------------- stages of the text

def marks(form, drop):
    """`normalized`, with another way to strip accents."""
    def normalized(text, lowercase, strip_accents, chinese_chars):
        text = right_normalized(text, False, False, chinese_chars)
        if strip_accents or (strip_accents is None and lowercase):
            text = "".join(c for c in (unicodedata.normalize(form, text) if form else
                                       text) if not drop(c))
        return "".join(c.lower() for c in text) if lowercase else text
    return normalized


def lower(change):
    """`normalized`, with another way to lower-case."""
    def normalized(text, lowercase, strip_accents, chinese_chars):
        accents = lowercase if strip_accents is None else strip_accents
        text = right_normalized(text, False, accents, chinese_chars)
        return change(text) if lowercase else text
    return normalized


def cleaner(keep="", drop="", space="", categories=("Cc", "Cf", "Co")):
    """`clean`, with other characters and categories."""
    def clean(text):
        out = ""
        for c in text:
            if c in space or (c in stages.SPACES and c not in keep + drop):
                out += " "
            elif c in keep or not (c in drop + "\ufffd"
                                   or unicodedata.category(c) in categories):
                out += c
        return out
    return clean


def setting(name, value):
    return lambda given, settings: (given, {**settings, name: value(settings)}
                                    if name in settings else settings)


right_normalized, right_wordpiece = stages.normalized, stages.wordpiece
right_clean = stages.clean
MN = "Mn"
patched("H1", "no NFD", normalized=marks(None, lambda c: unicodedata.category(c) == MN))
patched("H1", "Latin marks only", normalized=marks("NFD", lambda c: 0x300 <= ord(c)
                                                   < 0x370))
patched("H1", "NFKD", normalized=marks("NFKD", lambda c: unicodedata.category(c) == MN))
patched("H1", "spacing marks too", normalized=marks(
    "NFD", lambda c: unicodedata.category(c)[0] == "M"))
patched("H1", "combining class for Mn", normalized=marks("NFD", unicodedata.combining))
TEXTS = "normalize pre_tokenize encode"
asked("H2", "accents are kept by default", TEXTS, setting(
    "strip_accents", lambda s: bool(s["strip_accents"])))
asked("H2", "accents are stripped by default", TEXTS, setting(
    "strip_accents", lambda s: s["strip_accents"] is not False))
asked("H3", "CJK is not isolated", TEXTS, setting("chinese_chars", lambda s: False))
asked("H3", "CJK is always isolated", TEXTS, setting("chinese_chars", lambda s: True))
CJK = stages.CJK
for name, ranges in (("only the main block", CJK[:1]), ("no extension A", CJK[:1]
                                                        + CJK[2:]),
                     ("16 bits only", CJK[:2] + CJK[6:7]),
                     ("no compatibility block", CJK[:6] + CJK[7:]),
                     ("the main block ends early", ((0x4E00, 0x9FA5), *CJK[1:])),
                     ("the last is left out", tuple((a, b - 1) for a, b in CJK)),
                     ("kana too", (*CJK, (0x3040, 0x30FF))),
                     ("Hangul too", (*CJK, (0x1100, 0x11FF), (0xAC00, 0xD7A3))),
                     ("extension E from its first", (*CJK, (0x2B820, 0x2B91F)))):
    patched("H3", f"CJK: {name}", CJK=ranges)


def longest(size):
    return lambda word, vocab: ["[UNK]"] if size(word) else right_wordpiece(word, vocab)


def cut_longer(word, vocab):
    """Up to 200 characters, in the way of the right one."""
    return [piece for part in (word,) for piece in greedy(part, vocab, 200)]


def greedy(word, vocab, most, prefix="##", unknown=lambda pieces: ["[UNK]"]):
    pieces, start = [], 0
    if len(word) > most:
        return ["[UNK]"]
    while start < len(word):
        end = next((e for e in range(len(word), start, -1)
                    if (prefix if start else "") + word[start:e] in vocab), None)
        if end is None:
            return unknown(pieces)
        pieces.append((prefix if start else "") + word[start:end])
        start = end
    return pieces


patched("H4", "up to 200 characters", wordpiece=cut_longer)
patched("H4", "99 at most", wordpiece=longest(lambda w: len(w) >= 100))
patched("H4", "counted in bytes", wordpiece=longest(lambda w: len(w.encode()) > 100))
patched("H4", "counted in UTF-16", wordpiece=longest(
    lambda w: len(w.encode("utf-16-le")) > 200))
patched("H4", "counted in pieces", wordpiece=lambda word, vocab: (
    lambda pieces: pieces if len(pieces) <= 100 else ["[UNK]"])(
        greedy(word, vocab, math.inf)))
patched("H5", "[UNK] after the pieces found", wordpiece=lambda word, vocab: greedy(
    word, vocab, 100, unknown=lambda pieces: [*pieces, "[UNK]"]))
patched("H5", "unknown words vanish", wordpiece=lambda word, vocab: greedy(
    word, vocab, 100, unknown=lambda pieces: []))


def shortest(word, vocab):
    """The shortest piece first."""
    pieces, start = [], 0
    while start < len(word) <= 100:
        end = next((e for e in range(start + 1, len(word) + 1)
                    if "##" * (start > 0) + word[start:e] in vocab), None)
        if end is None:
            return ["[UNK]"]
        pieces.append("##" * (start > 0) + word[start:end])
        start = end
    return pieces if len(word) <= 100 else ["[UNK]"]


patched("H15", "no ## in the look-up", wordpiece=lambda word, vocab: greedy(
    word, vocab, 100, prefix=""))
patched("", "the shortest piece", wordpiece=shortest)
patched("H6", "UTF-16 units", wordpiece=lambda word, vocab: right_wordpiece(
    "".join(chr(0xD800 + (ord(c) >> 10)) + chr(0xDC00 + (ord(c) & 1023))
            if ord(c) > 0xFFFF else c for c in word), vocab))
patched("H6", "composed clusters", wordpiece=lambda word, vocab: right_wordpiece(
    unicodedata.normalize("NFC", word), vocab))
patched("H7", "dropped becomes a space", clean=lambda text: "".join(
    c if right_clean(c) else " " for c in "".join(
        " " if c in stages.SPACES else c for c in text)))
patched("H7", "Cf is kept", clean=cleaner(categories=("Cc", "Co")))
patched("H7", "Cc is kept", clean=cleaner(categories=("Cf", "Co")))
patched("H7", "U+FFFD is kept", clean=cleaner(keep="\ufffd"))
patched("H7", "NUL is kept", clean=cleaner(keep="\0"))
patched("H7", "ASCII spaces only", clean=cleaner(keep=stages.SPACES[4:]))
patched("H7", "white space of Python", clean=cleaner(space="\x0b\x0c\x1c\x1d\x1e\x1f"
                                                     "\x85"))
patched("H7", "a zero width space parts", clean=cleaner(space="\u200b"))
patched("H7", "a tab is dropped", clean=cleaner(drop="\t"))
patched("H14", "private use is kept", clean=cleaner(categories=("Cc", "Cf")))
patched("H14", "unassigned is dropped", clean=cleaner(
    categories=("Cc", "Cf", "Co", "Cn")))
patched("H14", "final sigma", normalized=lower(str.lower))
patched("H14", "case folding", normalized=lower(
    lambda text: "".join(map(str.casefold, text))))
patched("H16", "Unicode punctuation only", words=lambda text: "".join(
    f" {c} " if unicodedata.category(c)[0] == "P" else c for c in text).split(" "))
patched("H16", "ASCII punctuation only", words=lambda text: "".join(
    f" {c} " if c.isascii() and c.isprintable() and not c.isalnum() and c != " " else c
    for c in text).split(" "))
patched("H16", "all symbols", words=lambda text: "".join(
    f" {c} " if unicodedata.category(c)[0] in "PS" else c for c in text).split(" "))
patched("H16", "an underscore is a letter", words=lambda text: "".join(
    f" {c} " if c not in " _" and (c.isascii() and not c.isalnum() or
                                   unicodedata.category(c)[0] == "P") else c
    for c in text).split(" "))
asked("H13", "always lower case", TEXTS, setting("lowercase", lambda s: True))
asked("H13", "never lower case", TEXTS, setting("lowercase", lambda s: False))
