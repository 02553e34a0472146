"""What a tokenizer call was given: one text or many, single texts or pairs, words."""

from itertools import chain
from typing import NamedTuple, Optional

import numpy as np

from ..definition import encode as definition


class Samples(NamedTuple):
    """The texts of a call; with words, a text is a list of words, not a string."""
    first: list
    second: Optional[list]       # None without pairs; else None per single text
    batched: bool                # False: the caller passed one sample, not a list


def read(text, text_pair=None, words=False):
    """Sort out the arguments of a call.

    Args:
        text: a string, or a list of them; in a list, a pair (a, b) is one sample of two
            texts. With `words`, a list of words, or a list of such lists (or of pairs
            of them).
        text_pair: the second texts, shaped as `text`.  HF: an empty `text_pair` beside
            a single text counts as absent.
        words: the text is already split into words.

    Returns:
        Samples.

    Raises:
        TypeError: something that is neither a string nor a list of strings.
        ValueError: an empty batch, or `text` and `text_pair` of different lengths.
    """
    if words:
        batched = _is_list(text) and len(text) > 0 and _is_list(text[0])
    else:
        batched = _is_list(text)
    if not batched:
        return _one(text, text_pair, words)
    if len(text) == 0:
        raise ValueError("The batch is empty: pass at least one text.")
    if text_pair is not None:
        return _two_lists(text, text_pair, words)
    first, second = zip(*[_split_pair(item, words, i) for i, item in enumerate(text)])
    no_pairs = all(b is None for b in second)
    return Samples(list(first), None if no_pairs else list(second), True)


def _one(text, text_pair, words):
    check(text, words, "text")
    if not text_pair:
        return Samples([text], None, False)
    check(text_pair, words, "text_pair")
    return Samples([text], [text_pair], False)


def _two_lists(text, text_pair, words):
    if not _is_list(text_pair):
        raise TypeError(f"text is a batch of {len(text)}, so text_pair must be a list "
                        f"of as many, got {type(text_pair).__name__}.")
    if len(text) != len(text_pair):
        raise ValueError("text and text_pair must have as many samples, got "
                         f"{len(text)} and {len(text_pair)}.")
    for i, (a, b) in enumerate(zip(text, text_pair)):
        check(a, words, f"text[{i}]")
        check(b, words, f"text_pair[{i}]")
    return Samples(list(text), list(text_pair), True)


def _split_pair(item, words, i):
    """One element of a batch as (first, second or None)."""
    is_single = is_words(item) if words else isinstance(item, str)
    if is_single:
        return item, None
    if _is_list(item) and len(item) == 2:
        check(item[0], words, f"text[{i}][0]")
        check(item[1], words, f"text[{i}][1]")
        return item[0], item[1]
    check(item, words, f"text[{i}]")
    raise AssertionError("unreachable")


def check(value, words, name):
    """Raise a TypeError that names `name` unless value is a text (a list of words)."""
    if words and is_words(value) or not words and isinstance(value, str):
        return
    if words and isinstance(value, str):
        raise TypeError(f"{name} must be a list of words, as is_split_into_words=True "
                        "says, but is a string; pass text.split(), for example.")
    wanted = "a list of words (strings)" if words else "a string"
    pair = " or a pair of them" if name.endswith("]") else ""
    shown = repr(value) if len(repr(value)) < 60 else type(value).__name__
    raise TypeError(f"{name} must be {wanted}{pair}, got {shown} "
                    f"({type(value).__name__}).")


def check_unicode(samples, words):
    """Raise a TypeError that names the first text that is not valid Unicode, if any."""
    for name, texts in (("text", samples.first), ("text_pair", samples.second or ())):
        for i, text in enumerate(texts):
            here = f"{name}[{i}]" if samples.batched else name
            if not words:
                definition.check_unicode(text or "", here)
                continue
            for j, word in enumerate(text or ()):
                definition.check_unicode(word, f"{here}[{j}]")


def is_words(value):
    """Whether value is a list (or tuple) of strings; an empty list is."""
    return _is_list(value) and all(isinstance(word, str) for word in value)


def _is_list(value):
    return isinstance(value, (list, tuple))


def flatten(texts, words):
    """All texts (or all words of all texts) in a row, and where each text's own begin.

    Returns:
        (list of str, splits (B + 1,) or None if every text is one string)
    """
    if not words:
        return texts, None
    counts = [len(text) for text in texts]
    return list(chain.from_iterable(texts)), np.cumsum([0] + counts)
