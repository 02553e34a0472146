"""From text to word pieces: a vocabulary made ready, and the quickest way for a text.

`encode_plain` in definition.py is what everything here must agree with.  One sentence
goes through the cache of words (words.py), a large batch or a document through NumPy
(vectorized.py).
"""

from dataclasses import dataclass, replace
from itertools import accumulate, chain
from typing import Any, Callable, NamedTuple

import numpy as np

from ..definition import normalization as norm
from ..definition.added_tokens import Match, Matcher, compile_matcher, find
from ..definition.encode import check_unicode, encode_plain, unknown
from ..definition.tables import CJK, MARK, PUNCT, flags
from .vectorized import Reader, encode_many
from .words import WordCache, solver

SMALL = 6000            # characters; from here on NumPy is quicker than a dict
SMALL_IDS = 24_000      # the same where ids alone are wanted


class Pieces(NamedTuple):
    """The word pieces of a batch of B texts, n in all, flat; without [CLS] and [SEP].

    ids (n,)
    starts (n,), ends (n,)   offsets in characters of the piece's own text
    words (n,)               number of the word in its text; an added token is a word
    splits (B + 1,)          text i owns ids[splits[i]:splits[i + 1]]
    """

    ids: Any
    starts: np.ndarray | None
    ends: np.ndarray | None
    words: np.ndarray | None
    splits: np.ndarray


@dataclass
class Core:
    """A vocabulary and the options, made ready by `compile_core`."""

    vocab: dict[str, int]
    unk_token: str
    unk_id: int | None
    raw_matcher: Matcher | None             # finds added tokens in the text as given
    normal_matcher: Matcher | None          # finds added tokens in the normalised text
    steps: list[tuple[str, Callable]]       # of the normaliser
    lowercase: bool
    accents: bool | None
    chinese_chars: bool
    cache: Any = None                       # WordCache
    reader: Any = None                      # Reader, when first used
    forms: Any = None                       # {character: its normalised form}

    def __getstate__(self):
        """For pickle and copy: without what has been remembered."""
        return {**vars(self), "cache": None, "reader": None, "forms": None}

    def __setstate__(self, state):
        vars(self).update(state)
        _make_caches(self)


def compile_core(vocab, *, unk_token="[UNK]", lowercase=True, strip_accents=None,
                 chinese_chars=True, added_tokens=None):
    """Make ready to encode.

    Args:
        vocab: {piece: id}.
        unk_token: the piece that stands for a word that can't be cut into pieces.
        lowercase: turn the text to lower case.
        strip_accents: drop accents; None means "if lowercase".
        chinese_chars: make every CJK ideograph a word.
        added_tokens: {id: AddedToken}.

    Returns:
        A Core.
    """
    added = added_tokens or {}
    steps = norm.normalizer_steps(lowercase, strip_accents, chinese_chars)
    raw = {index: token for index, token in added.items() if not token.normalized}
    rest = {index: token for index, token in added.items() if token.normalized}
    core = Core(
        vocab, unk_token, vocab.get(unk_token), compile_matcher(raw),
        compile_matcher(rest, lambda content: _normal_form(steps, content)), steps,
        lowercase, strip_accents, chinese_chars)
    _make_caches(core)
    return core


def _make_caches(core):
    """Give a core its caches, empty."""
    core.forms = _Forms(core.steps)
    core.cache = _word_cache(core)


def normalize(core, text):
    """The whole normalised text, spaces and all."""
    return _normal_form(core.steps, text)


def _normal_form(steps, text):
    return norm.plain(norm.normalize(norm.spanned(text), steps))


class _Forms(dict):
    """{code point: normalised form of that character alone}, for str.translate."""

    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def __missing__(self, code):
        self[code] = form = _normal_form(self.steps, chr(code))
        return form


def _word_cache(core):
    """The cache of words; the words it meets have no added tokens in them."""
    bare = replace(core, raw_matcher=None, normal_matcher=None)
    solve = solver(lambda text: encode_plain(bare, text),
                   lambda word: unknown(bare, word), strips_accents(core))
    barriers = PUNCT | CJK if core.chinese_chars else PUNCT
    return WordCache(solve, barriers, core.lowercase)


def strips_accents(core):
    """Does this normaliser drop accents?"""
    return core.lowercase if core.accents is None else core.accents


def encode(core, texts, *, split_special_tokens=False, offsets=True):
    """The word pieces of every text.

    Args:
        core: from `compile_core`.
        texts: a list of str.
        split_special_tokens: treat special tokens in the text as ordinary text.
        offsets: False if starts, ends and words are not wanted: they are then None.

    Returns:
        Pieces.

    Raises:
        TypeError: a text is not valid Unicode (a lone surrogate).
        ValueError: a word is unknown and the vocabulary has no unknown token.
    """
    if sum(map(len, texts)) > (SMALL if offsets else SMALL_IDS):
        return _encode_large(core, texts, split_special_tokens, offsets)
    rows = [encode_one(core, text, split_special_tokens=split_special_tokens,
                       offsets=offsets) for text in texts]
    splits = np.cumsum([0] + [len(row[0]) for row in rows])
    columns = [np.array(list(chain.from_iterable(row[i] for row in rows)), np.int64)
               if i == 0 or offsets else None for i in range(4)]
    return Pieces(columns[0], columns[1], columns[2], columns[3], splits)


def _encode_large(core, texts, split_special_tokens, offsets):
    """`encode` through NumPy: the stretches between added tokens all at once."""
    stretches: list[str] = []
    owner, base = [], []        # of which text, and from which character of it
    extra = []                  # (stretch that it precedes, its four lists)
    for i, text in enumerate(texts):
        matches, done = added_in(core, text, split_special_tokens), 0
        if matches is None:
            lists = encode_plain(core, text, split_special_tokens)
            extra.append((len(stretches), lists))
            matches, done = [], len(text)
        for match in matches + [None]:
            stretches.append(text[done:match.start] if match else text[done:])
            owner.append(i)
            base.append(done)
            if match:
                lists = [match.id], [match.start], [match.end], [0]
                extra.append((len(stretches), lists))
                done = match.end
    try:
        columns, counts = encode_many(_reader(core), stretches, offsets)
    except UnicodeEncodeError:
        for text in texts:
            check_unicode(text)
        raise
    if len(stretches) > len(texts) or extra:
        columns, counts = _insert(
            columns, counts, np.array(owner), np.array(base), extra)
    per_text = np.bincount(owner, counts[:, 0], len(texts)).astype(np.int64)
    ids, starts, ends, words = columns + [None] * (4 - len(columns))
    return Pieces(ids, starts, ends, words, np.concatenate([[0], np.cumsum(per_text)]))


def _insert(columns, counts, owner, base, extra):
    """Put the pieces of added tokens between those of the stretches around them.

    columns: ids, and perhaps starts, ends and words, each (n,); counts, owner, base:
    for each stretch.  Returns the new columns and counts.
    """
    n_words = counts[:, 1].copy()           # with those of the extra before it
    n_pieces = counts[:, 0].copy()
    before = np.zeros(len(counts), np.int64)
    at: list[int] = []
    values: list = [[], [], [], []]
    for stretch, lists in extra:
        at += [stretch] * len(lists[0])
        before[stretch] = lists[3][-1] + 1 if lists[3] else 0
        for column, new in zip(values, lists):
            column += new
    n_words += before
    n_pieces += np.bincount(at, minlength=len(counts)).astype(np.int64)
    first = np.concatenate([[0], np.cumsum(n_words)[:-1]])
    first -= first[np.searchsorted(owner, owner)]       # words of this text so far
    if len(columns) > 1:
        base = np.repeat(base, counts[:, 0]).astype(np.int32)
        columns[1] += base
        columns[2] += base
        columns[3] += np.repeat(first + before, counts[:, 0]).astype(np.int32)
        values[3] = first[at] + values[3]
    places = np.concatenate([[0], np.cumsum(counts[:, 0])])[at]
    columns = [np.insert(old, places, new) for old, new in zip(columns, values)]
    return columns, np.stack([n_pieces, n_words], 1)


def _reader(core):
    """What vectorized.py needs, made when it is first used."""
    if core.reader is None:
        core.reader = Reader(
            core.vocab, {"lowercase": core.lowercase, "accents": strips_accents(core),
                         "chinese_chars": core.chinese_chars},
            core.cache.solve, lambda word: unknown(core, word))
    return core.reader


def encode_one(core, text, *, split_special_tokens=False, offsets=True):
    """The word pieces of one text, as four lists: ids, starts, ends, words.

    With offsets=False the last three are None.  Raises as `encode`.
    """
    if len(text) > (SMALL if offsets else SMALL_IDS):
        columns = encode(core, [text], split_special_tokens=split_special_tokens,
                         offsets=offsets)[:4]
        return tuple(None if column is None else column.tolist() for column in columns)
    check_unicode(text)
    matches = added_in(core, text, split_special_tokens)
    if not matches:
        if matches is None:
            return encode_plain(core, text, split_special_tokens)
        return core.cache.encode(text, offsets)
    return _around_added(core, text, matches)


def _around_added(core, text, matches):
    """`encode_one` of a text with added tokens in it."""
    ids, starts, ends, words = [], [], [], []
    done = number = 0
    for match in matches + [None]:
        until = match.start if match else len(text)
        part = core.cache.encode(text[done:until])
        ids += part[0]
        starts += [done + start for start in part[1]]
        ends += [done + end for end in part[2]]
        words += [number + word for word in part[3]]
        if match:
            number = words[-1] + 1 if words else 0
            ids.append(match.id)
            starts.append(match.start)
            ends.append(match.end)
            words.append(number)
            done, number = match.end, number + 1
    return ids, starts, ends, words


def added_in(core, text, split_special_tokens):
    """The added tokens in `text`, a list of Match; None if that is not cheap."""
    matches = find(core.raw_matcher, text, split_special_tokens)
    if core.normal_matcher is None:
        return matches
    out, done = [], 0
    for match in matches + [None]:
        until = match.start if match else len(text)
        found = _normalised_in(core, text[done:until], split_special_tokens)
        if found is None:
            return None
        out += [Match(n, done + start, done + end) for n, start, end in found]
        if match:
            out.append(match)
            done = match.end
    return out


def _normalised_in(core, text, split_special_tokens):
    """The tokens with normalized=True in a text, by their place in the text as given.

    None where a match begins or ends inside what one character has turned into, or
    where marks may have changed places.
    """
    normal = text.translate(core.forms)
    found = find(core.normal_matcher, normal, split_special_tokens)
    if not found:
        return None if any(flags(c) & MARK for c in text) else []
    if any(flags(c) & MARK for c in text):
        return None
    ends = list(accumulate(len(core.forms[ord(c)]) for c in text))
    first = {start: i for i, start in enumerate([0] + ends[:-1])}
    last = {end: i for i, end in reversed(list(enumerate(ends)))}
    if not all(m.start in first and m.end in last for m in found):
        return None
    return [Match(m.id, first[m.start], last[m.end] + 1) for m in found]
