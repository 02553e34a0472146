"""Tokens that are found before the text is split: [MASK], [SEP], and a user's own.

There are two searches.  The first looks in the original text for the tokens with
normalized=False.  What remains is normalised.  The second looks there for the tokens
with normalized=True, each in its own normalised form.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

from .tables import SPACES, is_word_char

WHITE_SPACE = "".join(map(chr, (*SPACES, 0x0B, 0x0C, 0x85)))    # Unicode's White_Space


@dataclass(frozen=True)
class AddedToken:
    """A piece of text that is always one token.

    Args:
        content: the text.
        single_word: find it only where it is not part of a longer word.
        lstrip: include the white space before it.
        rstrip: include the white space after it.
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
        if self.normalized is None:
            object.__setattr__(self, "normalized", not self.special)

    def __str__(self):
        return self.content

    def __repr__(self):
        flags = (f"{name}={getattr(self, name)}" for name in
                 ("rstrip", "lstrip", "single_word", "normalized", "special"))
        return f'AddedToken("{self.content}", {", ".join(flags)})'


class Match(NamedTuple):
    """A found added token: its id and its place, stripped white space included."""

    id: int
    start: int
    end: int


class Matcher(NamedTuple):
    """What `find` needs: one pattern for all tokens, and who they are."""

    pattern: re.Pattern
    firsts: str                                 # the first characters of all tokens
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
    """Find the added tokens in a text, from left to right; the longest one wins.

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
        found.append(Match(number, start, end))
        done = end
    return found


def _stands_alone(text, start, end):
    """Whether no word character touches text[start:end]."""
    around = text[max(start - 1, 0):start] + text[end:end + 1]
    return not any(map(is_word_char, around))
