"""Tokens that are found before the text is split: [MASK], [SEP], and a user's own.

There are two searches.  The first looks in the original text for the tokens with
normalized=False.  The rest of the text is then normalised, and the second search looks
in it for the normalised form of the tokens with normalized=True.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

from .normalization import check_unicode
from .tables import SPACES, is_word_char

WHITE_SPACE = "".join(map(chr, (*SPACES, 0x0B, 0x0C, 0x85)))    # Unicode's White_Space


@dataclass(frozen=True)
class AddedToken:
    """A piece of text that is always one token.

    Args:
        content: the text.
        single_word: find it only where it is not part of a longer word.
        lstrip: also match the white space before it.
        rstrip: also match the white space after it.
        normalized: look for it in the normalised text; None means "unless special".
        special: whether it is a control token such as [MASK].
    """

    content: str
    single_word: bool = False
    lstrip: bool = False
    rstrip: bool = False
    normalized: bool | None = None
    special: bool = False

    def __post_init__(self):
        if not isinstance(self.content, str):
            raise TypeError(f"content is {self.content!r}, expected a str: pass the "
                            "text of the token")
        check_unicode(self.content, "content")
        for name in ("single_word", "lstrip", "rstrip", "normalized", "special"):
            value = getattr(self, name)
            if not isinstance(value, bool) and (name, value) != ("normalized", None):
                raise TypeError(f"{name} is {value!r}, expected True or False: leave "
                                "it out for the default")
        if self.normalized is None:
            object.__setattr__(self, "normalized", not self.special)

    def __str__(self):
        return self.content

    def __repr__(self):
        flags = (f"{name}={getattr(self, name)}" for name in
                 ("rstrip", "lstrip", "single_word", "normalized", "special"))
        return f'AddedToken("{self.content}", {", ".join(flags)})'


class Match(NamedTuple):
    """An added token in a text: its id, its place, and what stands there.

    The place includes the white space that lstrip and rstrip take.
    """

    id: int
    start: int
    end: int
    text: str           # normalised if the token is


class Matcher(NamedTuple):
    """Some added tokens, made ready for `find`."""

    pattern: re.Pattern                         # matches each of them
    firsts: str                                 # their first characters
    tokens: dict[str, tuple[int, AddedToken]]   # {text that matches: (id, token)}


def compile_matcher(tokens, normalized=str):
    """Return a Matcher for some added tokens, or None if there is nothing to find.

    Args:
        tokens: {id: AddedToken}.
        normalized: function that turns a token's content into the text to look for.
    """
    by_text: dict[str, tuple[int, AddedToken]] = {}
    for item in sorted(tokens.items(), key=lambda item: not item[1].special):
        by_text.setdefault(normalized(item[1].content), item)
    by_text.pop("", None)
    longest_first = sorted(by_text, key=len, reverse=True)
    if not longest_first:
        return None
    pattern = re.compile("|".join(map(re.escape, longest_first)))
    return Matcher(pattern, "".join({text[0] for text in by_text}), by_text)


def find(matcher, text, split_special_tokens=False):
    """Find the added tokens in a text, from left to right; the longest match wins.

    Args:
        matcher: from `compile_matcher`; None finds nothing.
        text: a str, normalised if the matcher's tokens are.
        split_special_tokens: skip special tokens, so that they are split like text.

    Returns:
        list of Match
    """
    if matcher is None:
        return []
    for first in matcher.firsts:        # much quicker than the pattern
        if first in text:
            break
    else:
        return []
    found, done = [], 0
    for match in matcher.pattern.finditer(text):
        number, token = matcher.tokens[match.group()]
        start, end = match.span()
        if split_special_tokens and token.special:
            continue
        if token.single_word and not _stands_alone(text, start, end):
            continue
        if token.lstrip:        # HF: only as far as the previous match
            start = done + len(text[done:start].rstrip(WHITE_SPACE))
        if token.rstrip:
            end = len(text) - len(text[end:].lstrip(WHITE_SPACE))
        if start >= end:        # white space that the previous match covers
            continue
        found.append(Match(number, start, end, text[start:end]))
        done = end
    return found


def _stands_alone(text, start, end):
    """Whether text[start:end] is not part of a longer word."""
    around = text[max(start - 1, 0):start] + text[end:end + 1]
    return not any(map(is_word_char, around))
