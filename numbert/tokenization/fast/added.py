"""Added tokens in a text, found quickly, and their place among the pieces.

For a document, blanks are put in the place of its added tokens.  White space is a
barrier, so the words around them are cut as they would be alone, and all offsets stay.
Then the added tokens are inserted among the pieces.
"""

import re
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np

from ..definition.added_tokens import find
from ..definition.tables import MARK, frozen_flags


class Found(NamedTuple):
    """The added tokens in a text, from left to right: their ids and their places."""

    ids: list[int]
    starts: list[int]
    ends: list[int]


class Splitter(NamedTuple):
    """A Matcher for tokens that can be found with `re.split` alone."""

    pattern: re.Pattern
    ids: dict[str, int]         # {text: id}
    has_special: bool


def compile_splitter(matcher):
    """Return the Splitter of a Matcher, or None if a token asks for more."""
    if matcher is None or any(token.lstrip or token.rstrip or token.single_word
                              for _, token in matcher.tokens.values()):
        return None
    return Splitter(re.compile(f"({matcher.pattern.pattern})"),
                    {text: index for text, (index, _) in matcher.tokens.items()},
                    any(token.special for _, token in matcher.tokens.values()))


def find_added(core, text, split_special_tokens):
    """Return the added tokens in a text as Found; None if only the definition can.

    That is so if marks may have changed places, or if a token with normalized=True
    begins or ends inside what one character has turned into.
    """
    raw = _find_raw(core, text, split_special_tokens)
    matcher = core.plain.normal_matcher
    if matcher is None:
        return raw
    marks = _has_marks(text)
    if not matcher.pattern.search(text.translate(core.forms)):
        return None if marks else raw
    if marks:
        return None
    ids: list[int] = []
    starts: list[int] = []
    ends: list[int] = []
    done = 0
    for index, start, end in [*zip(*raw), (None, len(text), 0)]:
        found = _find_normalised(core, text[done:start], split_special_tokens)
        if found is None:
            return None
        ids += found.ids
        starts += [done + place for place in found.starts]
        ends += [done + place for place in found.ends]
        if index is not None:
            ids.append(index)
            starts.append(start)
            ends.append(end)
            done = end
    return Found(ids, starts, ends)


def _find_raw(core, text, split_special_tokens):
    """Find the tokens with normalized=False in a text."""
    matcher, splitter = core.plain.raw_matcher, core.splitter
    if splitter is None or split_special_tokens and splitter.has_special:
        return _columns(find(matcher, text, split_special_tokens))
    for first in matcher.firsts:        # much quicker than the pattern
        if first in text:
            break
    else:
        return Found([], [], [])
    parts = splitter.pattern.split(text)        # text, token, text, ..., token, text
    bounds = list(accumulate(map(len, parts)))
    ids = [*map(splitter.ids.__getitem__, parts[1::2])]
    return Found(ids, bounds[:-1:2], bounds[1::2])


def _columns(matches):
    """Return a list of Match as Found."""
    return Found([m.id for m in matches], [m.start for m in matches],
                 [m.end for m in matches])


def _has_marks(text):
    """Whether a text has a character that the canonical order may move."""
    if text.isascii():
        return False
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")
    return bool((np.frombuffer(frozen_flags(), np.uint8)[codes] & MARK).any())


def _find_normalised(core, text, split_special_tokens):
    """Find the tokens with normalized=True, by their place in the original text.

    Return None if one begins or ends inside what one character has turned into.
    """
    normal = text.translate(core.forms)
    found = _columns(find(core.plain.normal_matcher, normal, split_special_tokens))
    if not found.ids or text.isascii() and len(normal) == len(text):
        return found                    # each character has become one
    bounds = list(accumulate(len(core.forms[ord(c)]) for c in text))
    first = {start: i for i, start in enumerate([0] + bounds[:-1])}
    last = {end: i for i, end in reversed(list(enumerate(bounds)))}
    if not (first.keys() >= {*found.starts} and last.keys() >= {*found.ends}):
        return None
    return Found(found.ids, [first[start] for start in found.starts],
                 [last[end] + 1 for end in found.ends])


def blank(text, found):
    """Return a text with blanks in the place of its added tokens."""
    out, done = [], 0
    for start, end in zip(found.starts, found.ends):
        if end > done:                  # the one before may have gone further
            out += [text[done:start], " " * (end - max(start, done))]
            done = end
    out.append(text[done:])
    return "".join(out)


class Extra(NamedTuple):
    """Pieces to insert among others, (k,) each, in the order of their texts."""

    owner: Any          # the text that they belong to
    ids: Any
    starts: Any
    ends: Any
    ranks: Any          # the number of their word among the extra words of the text


def insert(columns, counts, lengths, extra):
    """Insert extra pieces among the pieces of texts, at their places.

    Args:
        columns: ids, starts, ends and words of the pieces, each int32 (n,).
        counts: how many pieces each text has, (B,).
        lengths: of the texts, (B,).
        extra: Extra, as arrays.

    Returns:
        the new columns and counts
    """
    text = np.repeat(np.arange(len(counts)), counts)                    # (n,)
    base = np.concatenate([[0], np.cumsum(lengths + 1)])
    places, new = base[text] + columns[1], base[extra.owner] + extra.starts
    at = np.searchsorted(places, new)                                   # (k,)
    begin = np.concatenate([[0], np.cumsum(counts)])[extra.owner]       # (k,)
    words = np.append(columns[3], 0)[at - 1] + 1        # of the piece before, plus 1
    words = np.where(at > begin, words, 0) + extra.ranks                # (k,)
    earlier = np.searchsorted(new, places, "right")     # extra pieces, in all texts
    columns[3] += (earlier - np.searchsorted(extra.owner, text)).astype(np.int32)
    values = extra.ids, extra.starts, extra.ends, words
    columns = [np.insert(old, at, value) for old, value in zip(columns, values)]
    return columns, counts + np.bincount(extra.owner, minlength=len(counts))
