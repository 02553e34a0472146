"""From text to word pieces, by whichever way is quickest.

A sentence goes through the cache of words (words.py), a document or a large batch
through NumPy (vectorized.py).  Both give the same result as `encode_plain` in
definition/encode.py.
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

SMALL = 6000            # with more characters, NumPy is quicker than a dict
SMALL_IDS = 24_000      # the same if only ids are wanted


class Pieces(NamedTuple):
    """The word pieces of B texts, n in all, in flat arrays; without [CLS] and [SEP].

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
    raw_matcher: Matcher | None             # finds added tokens in the original text
    normal_matcher: Matcher | None          # finds added tokens in the normalised text
    steps: list[tuple[str, Callable]]       # of the normaliser
    lowercase: bool
    accents: bool | None
    chinese_chars: bool
    cache: Any = None                       # WordCache
    reader: Any = None                      # Reader, made when first used
    forms: Any = None                       # {code point: its normalised form}

    def __getstate__(self):
        """Return what a copy or a pickle needs; the caches start empty."""
        return {**vars(self), "cache": None, "reader": None, "forms": None}

    def __setstate__(self, state):
        vars(self).update(state)
        _make_caches(self)


def compile_core(vocab, *, unk_token="[UNK]", lowercase=True, strip_accents=None,
                 chinese_chars=True, added_tokens=None):
    """Return the Core of a vocabulary.

    Args:
        vocab: {piece: id}.
        unk_token: the token that stands for a word without pieces.
        lowercase: lower-case the text.
        strip_accents: strip accents; None means "if lowercase".
        chinese_chars: make every CJK ideograph a word of its own.
        added_tokens: {id: AddedToken}.
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
    """Give a core empty caches."""
    core.forms = _Forms(core.steps)
    core.cache = _word_cache(core)


def normalize(core, text):
    """Return the whole normalised text, with its spaces."""
    return _normal_form(core.steps, text)


def _normal_form(steps, text):
    return norm.plain(norm.normalize(norm.spanned(text), steps))


class _Forms(dict):
    """A dict {code point: normalised form of that character}, for str.translate."""

    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def __missing__(self, code):
        self[code] = form = _normal_form(self.steps, chr(code))
        return form


def _word_cache(core):
    """Return an empty cache of words, for text without added tokens."""
    bare = replace(core, raw_matcher=None, normal_matcher=None)
    solve = solver(lambda text: encode_plain(bare, text),
                   lambda word: unknown(bare, word), strips_accents(core))
    barriers = PUNCT | CJK if core.chinese_chars else PUNCT
    return WordCache(solve, barriers, core.lowercase)


def strips_accents(core):
    """Whether the normaliser strips accents."""
    return core.lowercase if core.accents is None else core.accents


def encode(core, texts, *, split_special_tokens=False, offsets=True):
    """Return the word pieces of many texts, as Pieces.

    Args:
        core: from `compile_core`.
        texts: a list of str.
        split_special_tokens: treat special tokens in the text as ordinary text.
        offsets: False leaves out starts, ends and words: they are then None.

    Raises:
        TypeError: a text is not valid Unicode: it has half a surrogate pair.
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
    """Do `encode` with NumPy: all stretches between added tokens at once."""
    stretches: list[str] = []
    owner, base = [], []        # of each stretch: its text, and where in it it starts
    extra = []                  # (stretch, four lists of pieces that go before it)
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
    """Insert pieces, mostly those of added tokens, before some of the stretches.

    Args:
        columns: ids, and perhaps starts, ends and words, each (n,).
        counts: how many pieces and words each stretch has, (m, 2).
        owner, base: the text of each stretch, and where in it it starts, (m,).
        extra: [(stretch, four lists of pieces that go before it), ...].

    Returns:
        the new columns and counts
    """
    n_words = counts[:, 1].copy()           # and those that go before it
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
    """Return the Reader of a core; make it when it is first used."""
    if core.reader is None:
        core.reader = Reader(
            core.vocab, {"lowercase": core.lowercase, "accents": strips_accents(core),
                         "chinese_chars": core.chinese_chars},
            core.cache.solve, lambda word: unknown(core, word))
    return core.reader


def encode_one(core, text, *, split_special_tokens=False, offsets=True):
    """Return the word pieces of one text as four lists: ids, starts, ends, words.

    With offsets=False the last three are None.  Args and Raises as for `encode`.
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
    """Do `encode_one` for a text with added tokens in it."""
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
    """Find the added tokens in a text, a list of Match; None if that is not cheap."""
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
    """Find the tokens with normalized=True in a text, by their place in the original.

    Return None if a match begins or ends inside what one character has turned into, or
    if marks may have changed places.
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
