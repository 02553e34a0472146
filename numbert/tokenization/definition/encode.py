"""The whole encoding: added tokens, normaliser, words, WordPiece, with offsets.

This is slow and plain.  `fast/` computes the same more quickly: it calls this module
for words that it sees for the first time, and the tests compare the two.
"""

from . import normalization as norm
from .added_tokens import Match, find
from .wordpiece import wordpiece


def encode_plain(core, text, split_special_tokens=False):
    """Return the word pieces of one text as four lists: ids, starts, ends, words.

    Piece i stands for text[starts[i]:ends[i]] and belongs to word number words[i].  An
    added token counts as a word.

    Args:
        core: the vocabulary and the options, from `fast.pipeline.compile_core`.
        text: a str.
        split_special_tokens: treat special tokens in the text as ordinary text.

    Raises:
        TypeError: the text is not valid Unicode: it has half a surrogate pair.
        ValueError: a word is unknown and the vocabulary has no unknown token.
    """
    check_unicode(text)
    ids, starts, ends, words = [], [], [], []
    for number, part in enumerate(_split_added(core, text, split_special_tokens)):
        pieces = [part] if isinstance(part, Match) else _word_pieces(core, part)
        for piece, start, end in pieces:
            ids.append(piece)
            starts.append(start)
            ends.append(end)
            words.append(number)
    return ids, starts, ends, words


def check_unicode(text, name="the text"):
    """Raise a TypeError if a text is not valid Unicode; `name` is what it is called."""
    try:
        text.isascii() or text.encode("utf-8")
    except UnicodeEncodeError as error:
        where = error.start
        raise TypeError(
            f"character {where} of {name} is {text[where]!r}, half a surrogate pair, "
            "expected valid Unicode: decode the bytes with errors='replace'") from None


def _split_added(core, text, split_special_tokens):
    """Split a text into words, [(character, start, end), ...], and added tokens."""
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
    """Split normalised text into words and added tokens."""
    out, done = [], 0
    for match in find(core.normal_matcher, norm.plain(chars), split_special_tokens):
        out += norm.split_words(chars[done:match.start])
        out.append(Match(match.id, chars[match.start][1], chars[match.end - 1][2]))
        done = match.end
    return out + norm.split_words(chars[done:])


def _word_pieces(core, word):
    """Return the pieces of one word, [(id, start, end), ...], in the original text."""
    return [(index, word[start][1], word[end - 1][2])
            for index, start, end in cut(core, norm.plain(word))]


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
            f"unk_token is {core.unk_token!r}, expected a token of the vocabulary to "
            f"stand for {word[:40]!r}, which has no pieces: add it to the vocabulary, "
            "or pass another unk_token")
    return core.unk_id
