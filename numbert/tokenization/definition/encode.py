"""Encoding as defined: added tokens, normaliser, words, WordPiece, by the character.

Slow and plain.  `fast/` has quicker ways to the same result.  They call this for what
they have not seen, and the tests compare them with it.
"""

from . import normalization as norm
from .added_tokens import Match, find
from .tables import live_flags
from .wordpiece import MAX_CHARS, wordpiece


def encode_plain(core, text, split_special_tokens=False):
    """The word pieces of one text, as four lists: ids, starts, ends, words.

    Args:
        core: from `compile_core`.
        text: a str.
        split_special_tokens: treat special tokens in the text as ordinary text.

    Raises:
        TypeError: the text is not valid Unicode (a lone surrogate).
        ValueError: a word is unknown and the vocabulary has no unknown token.
    """
    if core.legacy:
        return encode_legacy(core, text)
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
    """Raise TypeError if `text` can't be written in any Unicode encoding."""
    try:
        text.isascii() or text.encode("utf-8")
    except UnicodeEncodeError as error:
        where = error.start
        raise TypeError(
            f"character {where} of {name} is {text[where]!r}, half a surrogate pair: "
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
    """The pieces of one word as split above, as [(id, start, end), ...]."""
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

def encode_legacy(core, text):
    """BertTokenizerLegacy's pieces; it has no offsets, so those are zeros."""
    ids, words = [], []
    for number, tokens in enumerate(_legacy_tokens(core, text)):
        ids += tokens
        words += [number] * len(tokens)
    return ids, [0] * len(ids), [0] * len(ids), words


def _legacy_tokens(core, text):
    """The ids of each word in turn, a list of lists."""
    by_content = core.raw_matcher.tokens if core.raw_matcher else {}
    for part in legacy_parts(core, text):
        if part in by_content:
            yield [by_content[part][0]]
            continue
        for word in legacy_words(core, part):
            if core.basic and word in core.never_split:
                yield [_whole(core, word)]
            else:
                yield [number for number, _, _ in cut(core, word)]


def _whole(core, word):
    """The id of a word of never_split: an added token's, a piece's, or the unknown.

    HF: that of an added token even where those aren't looked for.
    """
    for number, token in core.added.items():
        if token.content == word:
            return number
    return core.vocab[word] if word in core.vocab else unknown(core, word)


def legacy_words(core, text):
    """The words of a text; special tokens and never_split stay whole."""
    if not core.basic:
        return text.split()
    special = {token.content for token in core.added.values() if token.special}
    return norm.legacy_words(
        text, live_flags, lowercase=core.lowercase, accents=core.accents,
        chinese_chars=core.chinese_chars, never_split=core.never_split | special)


def legacy_parts(core, text):
    """Cut `text` at the added tokens, by Legacy's rules for strips and single_word.

    HF: the neighbour of a token may be a token, too, and is none any more once a word
    is put to it.
    """
    if core.raw_matcher is None:
        return [text]
    parts = [part for part in _around(core.raw_matcher.pattern, text) if part]
    for i, part in enumerate(parts):
        if part not in core.raw_matcher.tokens:
            continue
        _, token = core.raw_matcher.tokens[part]
        left = parts[i - 1] if i else ""
        right = parts[i + 1] if i + 1 < len(parts) else ""
        if token.rstrip and right:
            parts[i + 1] = right.lstrip()
        if token.lstrip and left:
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
