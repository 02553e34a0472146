"""The texts of a call: one or many, single or in pairs, whole or split into words."""

from itertools import chain
from typing import NamedTuple, Optional

import numpy as np

from ..definition import normalization as definition

EMPTY = "text is {!r}, expected at least one text: pass a text, or a list of texts"
NO_LIST = ("text_pair is {!r}, expected a list of {}, as many as in text: pass one for "
           "each text")


class Samples(NamedTuple):
    """The texts of a call.  A text is a str or, if it is split, a list of words."""
    first: list
    second: Optional[list]       # None without pairs; None in it for a single text
    batched: bool                # False if the caller passed one sample, not a list


def read(text, text_pair=None, words=False):
    """Turn the text arguments of a call into Samples.

    Args:
        text: a str, or a list of them.  An element of a list may be a pair (a, b), one
            sample of two texts.  With `words`, a text is a list of words.
        text_pair: the second texts, shaped as `text`.  HF: an empty `text_pair` beside
            a single text counts as none.
        words: whether the texts are already split into words.

    Raises:
        TypeError: something that is neither a str nor a list of str.
        ValueError: an empty batch, or `text` and `text_pair` of different lengths.
    """
    if words:
        batched = _is_list(text) and len(text) > 0 and _is_list(text[0])
    else:
        batched = _is_list(text)
    if not batched:
        return _one(text, text_pair, words)
    if len(text) == 0:
        raise ValueError(EMPTY.format(text))
    if text_pair is not None:
        return _two_lists(text, text_pair, words)
    first, second = zip(*[_split_pair(item, words, i) for i, item in enumerate(text)])
    no_pairs = all(b is None for b in second)
    return Samples(list(first), None if no_pairs else list(second), True)


def _one(text, text_pair, words):
    """Return Samples of one text, or of one pair."""
    check(text, words, "text")
    if not text_pair:
        return Samples([text], None, False)
    check(text_pair, words, "text_pair")
    return Samples([text], [text_pair], False)


def _two_lists(text, text_pair, words):
    """Return Samples of two lists, one of the first and one of the second texts."""
    if not _is_list(text_pair):
        raise TypeError(NO_LIST.format(text_pair, len(text)))
    if len(text) != len(text_pair):
        raise ValueError(f"the length of text_pair is {len(text_pair)}, expected "
                         f"{len(text)}, the length of text: pass one for each text")
    for i, (a, b) in enumerate(zip(text, text_pair)):
        check(a, words, f"text[{i}]")
        check(b, words, f"text_pair[{i}]")
    return Samples(list(text), list(text_pair), True)


def _split_pair(item, words, i):
    """Return one element of a batch as (first, second or None)."""
    is_single = is_words(item) if words else isinstance(item, str)
    if not is_single and _is_list(item) and len(item) == 2:
        check(item[0], words, f"text[{i}][0]")
        check(item[1], words, f"text[{i}][1]")
        return item[0], item[1]
    check(item, words, f"text[{i}]")
    return item, None


def check(value, words, name):
    """Raise a TypeError unless value is a str or, with `words`, a list of str."""
    if words and is_words(value) or not words and isinstance(value, str):
        return
    shown = repr(value) if len(repr(value)) < 60 else f"a {type(value).__name__}"
    if words and isinstance(value, str):
        raise TypeError(f"{name} is {shown}, expected a list of words with "
                        "is_split_into_words=True: pass text.split(), for example")
    wanted = "a list of words" if words else "a str"
    if name.endswith("]"):
        raise TypeError(f"{name} is {shown}, expected {wanted} or a pair of them: "
                        "correct it or remove it")
    raise TypeError(f"{name} is {shown}, expected {wanted}: pass one, or a list of "
                    "them for a batch")


def check_unicode(samples, words):
    """Raise a TypeError if a text is not valid Unicode; name the first one."""
    for name, texts in (("text", samples.first), ("text_pair", samples.second or ())):
        for i, text in enumerate(texts):
            here = f"{name}[{i}]" if samples.batched else name
            if not words:
                definition.check_unicode(text or "", here)
                continue
            for j, word in enumerate(text or ()):
                definition.check_unicode(word, f"{here}[{j}]")


def is_words(value):
    """Whether value is a list or tuple of str; an empty one counts."""
    return _is_list(value) and all(isinstance(word, str) for word in value)


def _is_list(value):
    """Whether value is a list or a tuple."""
    return isinstance(value, (list, tuple))


def flatten(texts, words):
    """Return all texts, or all words of all texts, in one list.

    Returns:
        (list of str, splits): text i owns words splits[i]:splits[i + 1]; splits is
        (B + 1,), or None if each text is one str
    """
    if not words:
        return texts, None
    counts = [len(text) for text in texts]
    return list(chain.from_iterable(texts)), np.cumsum([0] + counts)
