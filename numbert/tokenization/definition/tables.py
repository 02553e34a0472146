"""What the tokenizer knows about each character.

`flags(character)` returns one byte.  Each of its bits, listed below, says one thing
about the character.  Python's own tables change with every version of Unicode.  The
published checkpoints are used with the tables of the `tokenizers` library, so a copy of
those is frozen in `unicode_tables.txt`.
"""

import functools
from pathlib import Path

REMOVED = 1         # is dropped: control characters, private use
SPACE = 2           # is white space
PUNCT = 4           # is punctuation
CJK = 8             # is a CJK ideograph
MN = 16             # is a non-spacing mark (Unicode category Mn), such as an accent
NFD = 32            # decomposes: é is e and an accent
MARK = 64           # is another mark, which is kept but may change its place
LOWER = 128         # becomes something else in lower case

CODE_POINTS = 0x110000
SPACES = (0x09, 0x0A, 0x0D, 0x20, 0xA0, 0x1680, *range(0x2000, 0x200B),
          0x2028, 0x2029, 0x202F, 0x205F, 0x3000)
ASCII_PUNCT = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
PRIVATE_USE = ((0xE000, 0xF900), (0xF0000, 0xFFFFE), (0x100000, 0x10FFFE))
HANGUL = (0xAC00, 0xD7A4)
# HF: the Rust library begins the sixth block at 2B920; BERT's own code has 2B820.
CJK_BLOCKS = ((0x4E00, 0xA000), (0x3400, 0x4DC0), (0x20000, 0x2A6E0),
              (0x2A700, 0x2B740), (0x2B740, 0x2B820), (0x2B920, 0x2CEB0),
              (0xF900, 0xFB00), (0x2F800, 0x2FA20))


@functools.cache
def _lines():
    """Read the frozen file: {property: text}."""
    text = Path(__file__).with_name("unicode_tables.txt").read_text("ascii")
    rows = (line.split(" ", 1) for line in text.splitlines() if line[:1] not in "#")
    return {name: rest for name, rest in rows}


def _ranges(items):
    """Return the (start, stop) ranges that one line of the frozen file lists."""
    stop, out = 1, []
    for item in items.split(","):
        delta, _, further = item.partition(".")
        start = stop - 1 + int(delta, 16)
        stop = start + int(further or "0", 16) + 1
        out.append((start, stop))
    return out


@functools.cache
def lower_map():
    """Return {code point: its lower case} for the 1,488 characters that change."""
    out = {}
    for run in _lines()["lower"].split(";"):
        start, further, step, delta = (int(field, 16) for field in run.split("."))
        for code in range(start, start + further + 1, step):
            out[code] = chr(code + delta)
    out[0x130] = "i\u0307"      # HF: the only one that becomes two characters
    return out


@functools.cache
def frozen_flags():
    """Return one byte of flags for every code point, as a bytearray."""
    table = bytearray(CODE_POINTS)
    lines = _lines()
    sources = [(REMOVED, PRIVATE_USE), (CJK, CJK_BLOCKS), (NFD, [HANGUL]),
               (SPACE, [(c, c + 1) for c in SPACES]),
               (PUNCT, [(ord(c), ord(c) + 1) for c in ASCII_PUNCT]),
               (LOWER, [(c, c + 1) for c in lower_map()])]
    for bit, name in ((REMOVED, "removed"), (PUNCT, "punct"), (MN, "mn"), (NFD, "nfd"),
                      (MARK, "mark")):
        sources.append((bit, _ranges(lines[name])))
    for bit, ranges in sources:
        for start, stop in ranges:
            _add(table, bit, start, stop)
    return table


@functools.cache
def _word_chars():
    """Return one byte for every code point: 1 if it can be part of a word, else 0."""
    table = bytearray(CODE_POINTS)
    for start, stop in _ranges(_lines()["word"]):
        table[start:stop] = b"\1" * (stop - start)
    return table


def is_word_char(char):
    """Whether a character can be part of a word, \\w of a regular expression."""
    return bool(_word_chars()[ord(char)])


def _add(table, bit, start, stop):
    """Set `bit` in table[start:stop]."""
    if stop - start == 1:                       # most ranges
        table[start] |= bit
        return
    seen = table[start:stop]
    if seen.count(seen[0]) == len(seen):        # nearly always, and much quicker
        table[start:stop] = bytes([seen[0] | bit]) * len(seen)
    else:
        table[start:stop] = bytes(flags | bit for flags in seen)


def flags(char):
    """Return the flags of one character, an int."""
    return frozen_flags()[ord(char)]
