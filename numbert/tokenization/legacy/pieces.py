"""How BertTokenizerLegacy gets from a text to ids: added tokens, words, pieces."""

from typing import NamedTuple

from ..definition.added_tokens import Matcher, compile_matcher
from ..definition.encode import unknown
from ..definition.wordpiece import MAX_CHARS, wordpiece
from .words import BasicTokenizer


class WordpieceTokenizer:
    """The second stage of BertTokenizerLegacy: from words to pieces.

    Args:
        vocab: the pieces; anything that `in` works with, such as {piece: id}.
        unk_token: the token that stands for a word without pieces.
        max_input_chars_per_word: a longer word is unknown.

    Source: google-research/bert, tokenization.py, WordpieceTokenizer.
    """

    def __init__(self, vocab, unk_token, max_input_chars_per_word=MAX_CHARS):
        self.vocab = vocab
        self.unk_token = unk_token
        self.max_input_chars_per_word = max_input_chars_per_word

    def tokenize(self, text):
        """Return the pieces of the words of a text, a list of str.

        >>> vocab = {"un", "##aff", "##able"}
        >>> WordpieceTokenizer(vocab, "[UNK]").tokenize("unaffable zzz")
        ['un', '##aff', '##able', '[UNK]']

        Args:
            text: words with white space between them, as BasicTokenizer returns them.
        """
        tokens = []
        for word in text.split():
            pieces = wordpiece(word, self.vocab, self.max_input_chars_per_word)
            tokens += [self.unk_token] if pieces is None else [
                piece for piece, _, _ in pieces]
        return tokens


class LegacyCore(NamedTuple):
    """A vocabulary and the options, made ready by `compile_core`."""

    vocab: dict[str, int]
    matcher: Matcher | None         # finds added tokens; None: treat them as text
    added_ids: dict[str, int]       # {content of an added token: its id}
    basic: BasicTokenizer | None    # None: only split at white space
    wordpiece: WordpieceTokenizer
    unk_token: str = "[UNK]"
    source: str = "the vocabulary"          # what errors call the vocabulary
    unk_id: int | None = None       # the id of an unknown token, if it has one
    special: frozenset[str] = frozenset()       # special tokens, which stay whole


def compile_core(vocab, added_tokens, unk_token="[UNK]"):
    """Return the LegacyCore of a vocabulary, with the stages of the paper.

    Args:
        vocab: {piece: id}.
        added_tokens: {id: AddedToken}.
        unk_token: the token that stands for a word without pieces.
    """
    ids = {token.content: index for index, token in added_tokens.items()}
    return LegacyCore(vocab, compile_matcher(added_tokens), ids, BasicTokenizer(),
                      WordpieceTokenizer(vocab, unk_token), unk_token)


def encode(core, text):
    """Return the ids of a text.

    Raises:
        ValueError: a word is unknown and there is no unknown token.
    """
    return [_id(core, token, word) for word, tokens in split(core, text)
            for token in tokens]


def split(core, text):
    """Yield (word, its tokens) from left to right.

    A word of never_split, an added token and a special token are one token.
    """
    added = core.matcher.tokens if core.matcher else {}
    for part in _parts(core, text):
        if part in added or core.matcher and part in core.special:
            yield part, [part]
            continue
        for word in find_words(core, part):
            whole = core.basic is not None and word in core.basic.never_split
            tokens = [word] if whole else core.wordpiece.tokenize(word)
            if None in tokens:
                unknown(core, word)         # raises
            yield word, tokens


def find_words(core, text):
    """Return the words of a text; special tokens and never_split stay whole."""
    if core.basic is None:
        return text.split()
    return core.basic.tokenize(text, never_split=core.special)


def _id(core, token, word):
    """Return the id of a token of `word`, or else the id of the unknown token.

    HF: a token gets the id of an added token even where added tokens are not searched
    for.
    """
    if token in core.added_ids:
        return core.added_ids[token]
    return core.vocab[token] if token in core.vocab else unknown(core, word)


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
