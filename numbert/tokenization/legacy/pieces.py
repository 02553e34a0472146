"""How BertTokenizerLegacy gets from a text to ids: added tokens, words, pieces."""

from typing import NamedTuple

from ..definition.added_tokens import Matcher, compile_matcher
from ..definition.encode import cut, unknown
from .words import split_words


class LegacyCore(NamedTuple):
    """A vocabulary and the options, made ready by `compile_core`."""

    vocab: dict[str, int]
    unk_token: str
    unk_id: int | None
    matcher: Matcher | None         # finds added tokens; None: treat them as text
    added_ids: dict[str, int]       # {content of an added token: its id}
    special: frozenset[str]         # the contents of the special ones
    lowercase: bool
    accents: bool | None
    chinese_chars: bool
    never_split: frozenset[str]
    basic: bool


def compile_core(vocab, *, unk_token="[UNK]", lowercase=True, strip_accents=None,
                 chinese_chars=True, added_tokens=None, never_split=(), basic=True):
    """Return the LegacyCore of a vocabulary.

    Args:
        vocab: {piece: id}.
        unk_token: the token that stands for a word without pieces.
        lowercase: lower-case the text.
        strip_accents: strip accents; None means "if lowercase".
        chinese_chars: make every CJK ideograph a word of its own.
        added_tokens: {id: AddedToken}.
        never_split: words that are kept whole.
        basic: False splits the raw text at white space and does nothing else to it.
    """
    added = added_tokens or {}
    ids = {token.content: index for index, token in added.items()}
    special = frozenset(token.content for token in added.values() if token.special)
    return LegacyCore(vocab, unk_token, vocab.get(unk_token, ids.get(unk_token)),
                      compile_matcher(added), ids, special, lowercase, strip_accents,
                      chinese_chars, frozenset(never_split), basic)


def encode(core, text):
    """Return the ids of a text.

    Raises:
        ValueError: a word is unknown and there is no unknown token.
    """
    ids: list[int] = []
    for token, whole in split(core, text):
        ids += [_whole_id(core, token)] if whole else piece_ids(core, token)
    return ids


def split(core, text):
    """Yield (token, whole) from left to right.

    A whole token is an added token or a word of never_split; any other token is a word
    that is still to be cut into pieces.
    """
    added = core.matcher.tokens if core.matcher else {}
    for part in _parts(core, text):
        if part in added:
            yield part, True
            continue
        for word in find_words(core, part):
            yield word, core.basic and word in core.never_split


def find_words(core, text):
    """Return the words of a text; special tokens and never_split stay whole."""
    if not core.basic:
        return text.split()
    return split_words(text, lowercase=core.lowercase, accents=core.accents,
                       chinese_chars=core.chinese_chars,
                       never_split=core.never_split | core.special)


def piece_ids(core, word):
    """Return the ids of the pieces of one word."""
    return [index for index, _, _ in cut(core, word)]


def _whole_id(core, token):
    """Return the id of a token that is not cut, or that of the unknown token.

    HF: a word of never_split gets the id of an added token even where added tokens
    are not searched for.
    """
    if token in core.added_ids:
        return core.added_ids[token]
    return core.vocab[token] if token in core.vocab else unknown(core, token)


def _parts(core, text):
    """Cut a text at the added tokens; apply their lstrip, rstrip and single_word.

    HF: the neighbour of a token may be an added token too.  Once a word is joined to
    it, it no longer is one.
    """
    if core.matcher is None:
        return [text]
    parts = [part for part in _around(core.matcher.pattern, text) if part]
    for i, part in enumerate(parts):
        if part not in core.matcher.tokens:
            continue
        _, token = core.matcher.tokens[part]
        left = parts[i - 1] if i else ""
        right = parts[i + 1] if i + 1 < len(parts) else ""
        if token.rstrip and right:
            parts[i + 1] = right.lstrip()
        if token.lstrip and left:
            parts[i - 1] = left.rstrip()
        if token.single_word:       # HF: asks for a space, before stripping
            if left and left[-1] != " ":
                parts[i - 1] += parts[i]
                parts[i] = ""
            elif right and right[0] != " ":
                parts[i + 1] = parts[i] + parts[i + 1]
                parts[i] = ""
    return [part for part in parts if part]


def _around(pattern, text):
    """Return [text, match, text, match, ..., text]."""
    parts, done = [], 0
    for match in pattern.finditer(text):
        parts += [text[done:match.start()], match.group()]
        done = match.end()
    return parts + [text[done:]]
