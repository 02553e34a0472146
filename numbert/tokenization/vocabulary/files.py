"""The files of a tokenizer: vocab.txt, tokenizer.json, and the small ones."""

import os
from collections.abc import Mapping
from pathlib import Path

from ...system.jsonfiles import read_text
from ...system.saving import atomic_write_text

VOCAB_FILE = "vocab.txt"
TOKENIZER_FILE = "tokenizer.json"
CONFIG_FILE = "tokenizer_config.json"
SPECIAL_TOKENS_MAP_FILE = "special_tokens_map.json"
ADDED_TOKENS_FILE = "added_tokens.json"
FILES = (TOKENIZER_FILE, CONFIG_FILE, VOCAB_FILE, SPECIAL_TOKENS_MAP_FILE,
         ADDED_TOKENS_FILE)

# The 25 characters that Unicode calls White_Space.
WHITE_SPACE = ("\t\n\x0b\x0c\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006"
               "\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000")


def read_vocabulary(path, legacy=False):
    """A vocab.txt as dict of token -> id: the id of a token is the number of its line.

    HF: of a token that stands on several lines the last counts; a blank line is the
    token ""; white space at the end of a line is dropped, but kept by the legacy
    tokenizer.

    Raises:
        ValueError: the file is not UTF-8, or empty.
        OSError: it can't be read.
    """
    text = read_text(path)
    if legacy:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()                # what follows the last line break is no line
    if not legacy:
        lines = [line.rstrip(WHITE_SPACE) for line in lines]
    if not lines:
        raise ValueError(f"{path} is empty; a vocabulary has one token per line.")
    return {token: number for number, token in enumerate(lines)}


def check_vocabulary(vocab):
    """Return vocab as a dict if it maps tokens to ids.

    Raises:
        TypeError: it is no dict, or holds something that is not str -> int.
        ValueError: a negative id, or two tokens with one id.
    """
    if not isinstance(vocab, Mapping):
        raise TypeError("vocab must be a dict of token -> id or the path of a "
                        f"vocab.txt, got a {type(vocab).__name__}.")
    plain = {*map(type, vocab)} <= {str} and {*map(type, vocab.values())} <= {int}
    for token, index in () if plain else vocab.items():
        if not isinstance(token, str) or not isinstance(index, int):
            raise TypeError("vocab must map str to int, but maps "
                            f"{token!r} to {index!r}.")
    if len(set(vocab.values())) < len(vocab) or min(vocab.values(), default=0) < 0:
        raise ValueError(_bad_ids(vocab))
    return dict(vocab)


def _bad_ids(vocab):
    seen: dict[int, str] = {}
    for token, index in vocab.items():
        if index < 0:
            return f"the id of {token!r} is {index}; ids must be 0 or more."
        if index in seen:
            return f"{seen[index]!r} and {token!r} have the same id, {index}."
        seen[index] = token
    return ""


def save_vocabulary(vocab, save_directory, filename_prefix=None):
    """Write a vocabulary as vocab.txt: one token per line, so line numbers are ids.

    Args:
        vocab: dict of token -> id.
        save_directory: an existing directory.
        filename_prefix: put before the file name, with a "-".

    Returns:
        The path written, in a tuple.

    Raises:
        NotADirectoryError: the directory doesn't exist.
        ValueError: far fewer tokens than ids, or a token that holds a line break.
    """
    path = prefixed(save_directory, VOCAB_FILE, filename_prefix)
    if not vocab:
        raise ValueError(f"an empty vocabulary can't be written to {VOCAB_FILE}.")
    last = max(vocab, key=vocab.__getitem__)
    if vocab[last] > 2 * len(vocab) + 1000:
        raise ValueError(f"the vocabulary's size is {len(vocab)}, but it has ids up "
                         f"to {vocab[last]}: too many empty lines for {VOCAB_FILE}; "
                         f"save_pretrained writes {TOKENIZER_FILE}, which can hold it.")
    # Of a token on several lines the last counts: the last token may fill every gap.
    lines = [last] * (vocab[last] + 1)
    for token, index in vocab.items():
        if "\n" in token or "\r" in token:
            raise ValueError(f"token {token!r} holds a line break, so it can't be "
                             f"written to {VOCAB_FILE}.")
        lines[index] = token
    atomic_write_text(path, "".join(token + "\n" for token in lines))
    return (str(path),)


def prefixed(save_directory, name, prefix):
    """The path of a file to be saved; NotADirectoryError without its directory."""
    if not os.path.isdir(save_directory):
        raise NotADirectoryError(f"{save_directory} is no directory; create it first.")
    return Path(save_directory, f"{prefix}-{name}" if prefix else name)
