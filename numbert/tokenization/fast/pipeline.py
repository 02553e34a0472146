"""From text to word pieces, by whichever way is quickest.

A sentence goes through the cache of words (words.py), a document or a large batch
through NumPy (vectorized.py).  Both give the same result as `encode_plain` in
definition/encode.py.
"""

from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from ..definition import encode as definition
from ..definition.added_tokens import Match
from ..definition.encode import encode_plain, unknown
from ..definition.normalization import check_unicode, normal_form
from ..definition.tables import CJK, PUNCT
from . import added
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
class FastCore:
    """A Core of the definition with caches, made by `compile_core`."""

    plain: definition.Core
    lowercase: bool
    accents: bool                           # whether accents are stripped
    chinese_chars: bool
    cache: Any = None                       # WordCache
    reader: Any = None                      # Reader, made when first used
    splitter: Any = None                    # Splitter of plain.raw_matcher, or None
    forms: Any = None                       # {code point: its normalised form}

    def __getstate__(self):
        """Return what a copy or a pickle needs; the caches start empty."""
        return {**vars(self), "cache": None, "reader": None, "forms": None}

    def __setstate__(self, state):
        vars(self).update(state)
        _make_caches(self)


def compile_core(vocab, *, unk_token="[UNK]", lowercase=True, strip_accents=None,
                 chinese_chars=True, added_tokens=None, source="the vocabulary"):
    """Return the FastCore of a vocabulary; Args as in `definition.encode`."""
    plain = definition.compile_core(
        vocab, unk_token=unk_token, lowercase=lowercase, strip_accents=strip_accents,
        chinese_chars=chinese_chars, added_tokens=added_tokens, source=source)
    accents = lowercase if strip_accents is None else strip_accents
    core = FastCore(plain, lowercase, accents, chinese_chars,
                    splitter=added.compile_splitter(plain.raw_matcher))
    _make_caches(core)
    return core


def _make_caches(core):
    """Give a core empty caches."""
    core.forms = _Forms(core.plain.steps)
    core.cache = _word_cache(core)


def normalize(core, text):
    """Return the whole normalised text, with its spaces."""
    return normal_form(text, core.plain.steps)


class _Forms(dict):
    """A dict {code point: normalised form of that character}, for str.translate."""

    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def __missing__(self, code):
        self[code] = form = normal_form(chr(code), self.steps)
        return form


def _word_cache(core):
    """Return an empty cache of words, for text without added tokens."""
    bare = core.plain._replace(raw_matcher=None, normal_matcher=None)
    solve = solver(lambda text: encode_plain(bare, text),
                   lambda word: unknown(bare, word), core.accents)
    barriers = PUNCT | CJK if core.chinese_chars else PUNCT
    return WordCache(solve, barriers, core.lowercase)


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
    """Do `encode` with NumPy."""
    blanked: list[str] = []
    columns: tuple = [], [], [], [], []         # of Extra
    for i, text in enumerate(texts):
        found = added.find_added(core, text, split_special_tokens)
        if found is None:
            extra = encode_plain(core.plain, text, split_special_tokens)
            blanked.append("")
        else:
            extra = *found, range(len(found.ids))
            blanked.append(added.blank(text, found) if found.ids else text)
        for column, values in zip(columns, ([i] * len(extra[0]), *extra)):
            column += values
    everything = offsets or bool(columns[0])        # offsets say where to insert
    try:
        pieces, counts = encode_many(_reader(core), blanked, everything)
    except UnicodeEncodeError:
        for text in texts:
            check_unicode(text)
        raise
    per_text = counts[:, 0]
    if columns[0]:
        lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        pieces, per_text = added.insert(
            pieces, per_text, lengths, added.Extra(*map(np.array, columns)))
    ids, starts, ends, words = pieces if offsets else [pieces[0], None, None, None]
    return Pieces(ids, starts, ends, words, np.concatenate([[0], np.cumsum(per_text)]))


def _reader(core):
    """Return the Reader of a core; make it when it is first used."""
    if core.reader is None:
        core.reader = Reader(
            core.plain.vocab,
            {"lowercase": core.lowercase, "accents": core.accents,
             "chinese_chars": core.chinese_chars},
            core.cache.solve, lambda word: unknown(core.plain, word))
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
    found = added.find_added(core, text, split_special_tokens)
    if found is None:
        return encode_plain(core.plain, text, split_special_tokens)
    if not found.ids:
        return core.cache.encode(text, offsets)
    if not offsets:
        return _ids_around(core, text, found), None, None, None
    return _around_added(core, text, found)


def _around_added(core, text, found):
    """Do `encode_one` for a text with added tokens in it."""
    ids, starts, ends, words = [], [], [], []
    done = number = 0
    for index, start, end in [*zip(*found), (None, len(text), 0)]:
        part = text[done:start]
        if part and part != " ":
            part_ids, part_starts, part_ends, part_words = core.cache.encode(part)
            ids += part_ids
            starts += [done + place for place in part_starts]
            ends += [done + place for place in part_ends]
            words += [number + word for word in part_words]
            number = words[-1] + 1 if part_words else number
        if index is not None:
            ids.append(index)
            starts.append(start)
            ends.append(end)
            words.append(number)
            done, number = end, number + 1
    return ids, starts, ends, words


def _ids_around(core, text, found):
    """Do `_around_added` for the ids alone."""
    ids, done = [], 0
    for index, start, end in zip(*found):
        part = text[done:start]
        if part and part != " ":
            ids += core.cache.encode(part, False)[0]
        ids.append(index)
        done = end
    return ids + core.cache.encode(text[done:], False)[0]


def find_added(core, text, split_special_tokens):
    """Find the added tokens in a text, a list of Match."""
    found = added.find_added(core, text, split_special_tokens)
    if found is None:
        return definition.find_added(core.plain, text, split_special_tokens)
    matcher = core.plain.normal_matcher
    normal = {index for index, _ in matcher.tokens.values()} if matcher else ()
    return [Match(index, start, end, normalize(core, text[start:end])
                  if index in normal else text[start:end])
            for index, start, end in zip(*found)]
