"""The whole encoding: added tokens, normaliser, words, WordPiece, with offsets.

This is slow and plain.  `fast/` computes the same more quickly: it calls this module
for words that it sees for the first time, and the tests compare the two.
"""

from typing import Callable, NamedTuple

from .added_tokens import Match, Matcher, compile_matcher, find
from .normalization import (check_unicode, normal_form, normalize, normalizer_steps,
                            plain, spanned, split_words)
from .wordpiece import wordpiece


class Core(NamedTuple):
    """A vocabulary and the options, made ready by `compile_core`."""

    vocab: dict[str, int]
    unk_token: str
    source: str                             # what errors call the vocabulary
    unk_id: int | None                      # None if the vocabulary lacks unk_token
    steps: list[tuple[str, Callable]]       # of the normaliser
    raw_matcher: Matcher | None             # finds added tokens in the original text
    normal_matcher: Matcher | None          # finds added tokens in the normalised text


def compile_core(vocab, *, unk_token="[UNK]", lowercase=True, strip_accents=None,
                 chinese_chars=True, added_tokens=None, source="the vocabulary"):
    """Return the Core of a vocabulary.

    Args:
        vocab: {piece: id}.
        unk_token: the token that stands for a word without pieces.
        lowercase: lower-case the text.
        strip_accents: strip accents; None means "if lowercase".
        chinese_chars: make every CJK ideograph a word of its own.
        added_tokens: {id: AddedToken}.
        source: what errors call the vocabulary.
    """
    added = added_tokens or {}
    steps = normalizer_steps(lowercase, strip_accents, chinese_chars)
    raw = {index: token for index, token in added.items() if not token.normalized}
    rest = {index: token for index, token in added.items() if token.normalized}
    return Core(vocab, unk_token, source, vocab.get(unk_token), steps,
                compile_matcher(raw),
                compile_matcher(rest, lambda content: normal_form(content, steps)))


def encode_plain(core, text, split_special_tokens=False):
    """Return the word pieces of one text as four lists: ids, starts, ends, words.

    Piece i stands for text[starts[i]:ends[i]] and belongs to word number words[i].  An
    added token counts as a word.

    >>> vocab = {"[UNK]": 0, "un": 1, "##aff": 2, "##able": 3, "!": 4}
    >>> encode_plain(compile_core(vocab), "Unaffable!")
    ([1, 2, 3, 4], [0, 2, 5, 9], [2, 5, 9, 10], [0, 0, 0, 1])

    Args:
        core: a Core.
        text: a str.
        split_special_tokens: treat special tokens in the text as ordinary text.

    Raises:
        TypeError: the text is not valid Unicode: it has half a surrogate pair.
        ValueError: a word is unknown and the vocabulary has no unknown token.
    """
    check_unicode(text)
    ids, starts, ends, words = [], [], [], []
    for number, part in enumerate(_split_added(core, text, split_special_tokens)):
        pieces = [part[:3]] if isinstance(part, Match) else _word_pieces(core, part)
        for piece, start, end in pieces:
            ids.append(piece)
            starts.append(start)
            ends.append(end)
            words.append(number)
    return ids, starts, ends, words


def find_added(core, text, split_special_tokens=False):
    """Return the added tokens in a text, as a list of Match; Args as above."""
    return [part for part in _split_added(core, text, split_special_tokens)
            if isinstance(part, Match)]


def _split_added(core, text, split_special_tokens):
    """Split a text into words, [(character, start, end), ...], and added tokens."""
    original = spanned(text)
    out, done = [], 0
    for match in find(core.raw_matcher, text, split_special_tokens) + [None]:
        until = match.start if match else len(text)
        chars = normalize(original[done:until], core.steps)
        out += _split_normalised(core, chars, split_special_tokens)
        if match:
            out.append(match)
            done = match.end
    return out


def _split_normalised(core, chars, split_special_tokens):
    """Split normalised text into words and added tokens."""
    out, done = [], 0
    for match in find(core.normal_matcher, plain(chars), split_special_tokens):
        out += split_words(chars[done:match.start])
        out.append(match._replace(start=chars[match.start][1],
                                  end=chars[match.end - 1][2]))
        done = match.end
    return out + split_words(chars[done:])


def _word_pieces(core, word):
    """Return the pieces of one word, [(id, start, end), ...], in the original text."""
    return [(index, word[start][1], word[end - 1][2])
            for index, start, end in cut(core, plain(word))]


def cut(core, word):
    """Return the pieces of one normalised word, [(id, start, end), ...]."""
    pieces = wordpiece(word, core.vocab)
    if pieces is None:
        return [(unknown(core, word), 0, len(word))]
    return [(core.vocab[piece], start, end) for piece, start, end in pieces]


def unknown(core, word):
    """Return the id of the unknown token, which stands for a word without pieces."""
    if core.unk_id is None:
        raise ValueError(
            f"unk_token is {core.unk_token!r}, expected a token of {core.source} to "
            f"stand for {word[:40]!r}, which has no pieces: add it to the vocabulary, "
            "or pass another unk_token")
    return core.unk_id
