"""From text to word pieces: added tokens, normaliser, words, WordPiece.

`encode_plain` is the definition, one character at a time.
"""

from dataclasses import dataclass, field
from itertools import chain
from typing import Callable, NamedTuple

import numpy as np

from . import normalization as norm
from .added_tokens import AddedToken, Match, Matcher, compile_matcher, find
from .tables import live_flags
from .wordpiece import MAX_CHARS, wordpiece


class Pieces(NamedTuple):
    """The word pieces of a batch of B texts, n in all, flat; without [CLS] and [SEP].

    ids (n,)
    starts (n,), ends (n,)   offsets in characters of the piece's own text
    words (n,)               number of the word in its text; an added token is a word
    splits (B + 1,)          text i owns ids[splits[i]:splits[i + 1]]
    """

    ids: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    words: np.ndarray
    splits: np.ndarray


@dataclass
class Core:
    """A vocabulary and the options, made ready by `compile_core`."""

    vocab: dict[str, int]
    unk_token: str
    unk_id: int | None
    added: dict[int, AddedToken]
    raw_matcher: Matcher | None             # finds added tokens in the text as given
    normal_matcher: Matcher | None          # finds added tokens in the normalised text
    lowercase: bool = True
    accents: bool | None = None
    chinese_chars: bool = True
    steps: list[tuple[str, Callable]] = field(default_factory=list)
    legacy: bool = False
    basic: bool = True
    never_split: frozenset[str] = frozenset()


def compile_core(vocab, *, unk_token="[UNK]", lowercase=True, strip_accents=None,
                 chinese_chars=True, added_tokens=None, legacy=False, never_split=(),
                 basic=True):
    """Make ready to encode.

    Args:
        vocab: {piece: id}.
        unk_token: the piece that stands for a word that can't be cut into pieces.
        lowercase: turn the text to lower case.
        strip_accents: drop accents; None means "if lowercase".
        chinese_chars: make every CJK ideograph a word.
        added_tokens: {id: AddedToken}.
        legacy: as BertTokenizerLegacy does it.
        never_split: Legacy only: words that are kept whole.
        basic: Legacy only: False for WordPiece on the text as it is.

    Returns:
        A Core.
    """
    added = dict(added_tokens or {})
    by_content = {token.content: number for number, token in added.items()}
    steps = norm.normalizer_steps(lowercase, strip_accents, chinese_chars)
    raw = {n: t for n, t in added.items() if legacy or not t.normalized}
    rest = {n: t for n, t in added.items() if n not in raw}
    unk_id = vocab.get(unk_token, by_content.get(unk_token) if legacy else None)

    def normal_form(content):
        return norm.plain(norm.normalize(norm.spanned(content), steps))

    return Core(
        vocab, unk_token, unk_id, added, compile_matcher(raw),
        compile_matcher(rest, normal_form), lowercase, strip_accents, chinese_chars,
        steps, legacy, basic, frozenset(never_split))


def encode(core, texts, *, split_special_tokens=False):
    """The word pieces of every text.

    Args:
        core: from `compile_core`.
        texts: a list of str.
        split_special_tokens: treat special tokens in the text as ordinary text.

    Returns:
        Pieces.

    Raises:
        TypeError: a text is not valid Unicode (a lone surrogate).
        ValueError: a word is unknown and the vocabulary has no unknown token.
    """
    rows = [encode_plain(core, text, split_special_tokens) for text in texts]
    columns = [list(chain.from_iterable(column)) for column in zip(*rows)] or [[]] * 4
    splits = np.cumsum([0] + [len(row[0]) for row in rows])
    return Pieces(*(np.array(column, np.int64) for column in columns), splits)


def stages(core, text):
    """The text after each step, for reading: [(name of the step, text), ...].

    Args:
        core: from `compile_core`.
        text: a str.

    Returns:
        A list of (name, text); "split" has the words between bars, "pieces" the word
        pieces between spaces.  Added tokens are not looked for.
    """
    check_unicode(text)
    chars, out = norm.spanned(text), []
    if core.legacy:
        words = _legacy_words(core, text) if core.basic else text.split()
    else:
        for name, step in core.steps:
            chars = step(chars)
            out.append((name, norm.plain(chars)))
        words = [norm.plain(word) for word in norm.split_words(chars)]
    names = {number: piece for piece, number in core.vocab.items()}
    pieces = [names[number] for word in words for number, _, _ in cut(core, word)]
    return out + [("split", "|".join(words)), ("pieces", " ".join(pieces))]


def encode_one(core, text, *, split_special_tokens=False):
    """The word pieces of one text: four lists (ids, starts, ends, words).

    Raises as `encode`.
    """
    return encode_plain(core, text, split_special_tokens)


# --- the definition ------------------------------------------------------------------

def encode_plain(core, text, split_special_tokens=False):
    """The definition: one character at a time.  Returns and raises as `encode_one`."""
    if core.legacy:
        return _encode_legacy(core, text)
    check_unicode(text)
    ids, starts, ends, words = [], [], [], []
    number = 0
    for part in _split_added(core, text, split_special_tokens):
        pieces = [part] if isinstance(part, Match) else _word_pieces(core, part)
        for piece, start, end in pieces:
            ids.append(piece)
            starts.append(start)
            ends.append(end)
            words.append(number)
        number += 1
    return ids, starts, ends, words


def check_unicode(text):
    """Raise TypeError if `text` can't be written in any Unicode encoding."""
    try:
        text.isascii() or text.encode("utf-8")
    except UnicodeEncodeError as error:
        where = error.start
        raise TypeError(
            f"character {where} of the text is {text[where]!r}, half of a surrogate pair: "
            "not valid Unicode; decode the bytes with errors='replace'") from None


def _split_added(core, text, split_special_tokens):
    """The text as words, each [(character, start, end), ...], and added tokens."""
    original = norm.spanned(text)
    out, done = [], 0
    for match in find(core.raw_matcher, text, split_special_tokens) + [None]:
        until = match.start if match else len(text)
        chars = norm.normalize(original[done:until], core.steps)
        out += _split_normalised(core, chars, split_special_tokens)
        if match:
            out.append(match)
            done = match.end
    return out


def _split_normalised(core, chars, split_special_tokens):
    """The same for normalised text."""
    out, done = [], 0
    for match in find(core.normal_matcher, norm.plain(chars), split_special_tokens):
        out += norm.split_words(chars[done:match.start])
        out.append(Match(match.id, chars[match.start][1], chars[match.end - 1][2]))
        done = match.end
    return out + norm.split_words(chars[done:])


def _word_pieces(core, word):
    """The pieces of one word, a list of (character, start, end), as [(id, start, end), ...]."""
    return [(number, word[start][1], word[end - 1][2])
            for number, start, end in cut(core, norm.plain(word))]


def cut(core, word):
    """The pieces of one normalised word, as [(id, start, end), ...]."""
    pieces = wordpiece(word, core.vocab) if len(word) <= MAX_CHARS else None
    if pieces is None:
        return [(unknown(core, word), 0, len(word))]
    return [(core.vocab[piece], start, end) for piece, start, end in pieces]


def unknown(core, word):
    """The id that stands for `word`."""
    if core.unk_id is None:
        raise ValueError(
            f"no pieces make up {word[:40]!r}, and the vocabulary has no "
            f"{core.unk_token!r} to stand for it; add that or pass another unk_token")
    return core.unk_id


# --- Legacy --------------------------------------------------------------------------

def _encode_legacy(core, text):
    """BertTokenizerLegacy's pieces; it has no offsets, so those are zeros."""
    ids, words = [], []
    for number, tokens in enumerate(legacy_tokens(core, text)):
        ids += tokens
        words += [number] * len(tokens)
    return ids, [0] * len(ids), [0] * len(ids), words


def legacy_tokens(core, text):
    """The ids of each word in turn, a list of lists."""
    by_content = core.raw_matcher.tokens if core.raw_matcher else {}
    for part in _legacy_split(core, text):
        if part in by_content:
            yield [by_content[part][0]]
            continue
        words = _legacy_words(core, part) if core.basic else part.split()
        for word in words:
            if core.basic and word in core.never_split:
                yield [core.vocab[word] if word in core.vocab else unknown(core, word)]
            else:
                yield [number for number, _, _ in cut(core, word)]


def _legacy_words(core, text):
    """The words of a text; special tokens and never_split stay whole."""
    special = {token.content for token in core.added.values() if token.special}
    return norm.legacy_words(
        text, live_flags, lowercase=core.lowercase, accents=core.accents,
        chinese_chars=core.chinese_chars, never_split=core.never_split | special)


def _legacy_split(core, text):
    """Cut `text` at the added tokens, by Legacy's rules for strips and single_word."""
    if core.raw_matcher is None:
        return [text]
    parts = _around(core.raw_matcher.pattern, text)
    for i in range(1, len(parts), 2):
        _, token = core.raw_matcher.tokens[parts[i]]
        left, right = parts[i - 1], parts[i + 1]
        if token.rstrip:
            parts[i + 1] = right.lstrip()
        if token.lstrip:
            parts[i - 1] = left.rstrip()
        if token.single_word:       # HF: spaces only, in the text before it was trimmed
            if left and left[-1] != " ":
                parts[i - 1] += parts[i]
                parts[i] = ""
            elif right and right[0] != " ":
                parts[i + 1] = parts[i] + parts[i + 1]
                parts[i] = ""
    return [part for part in parts if part]


def _around(pattern, text):
    """[text, match, text, match, ..., text]"""
    parts, done = [], 0
    for match in pattern.finditer(text):
        parts += [text[done:match.start()], match.group()]
        done = match.end()
    return parts + [text[done:]]
