"""The files of a tokenizer: vocab.txt, tokenizer.json, and three small ones."""

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
    """Read a vocab.txt as dict of token -> id: the id is the number of the line.

    HF: if a token stands on several lines, the last one counts.  A blank line is the
    token "".  White space at the end of a line is dropped, except for the legacy
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
        lines.pop()                # nothing follows the last line break
    if not legacy:
        lines = [line.rstrip(WHITE_SPACE) for line in lines]
    if not lines:
        raise ValueError(f"{path} is empty, expected one token per line: save the "
                         "vocabulary again")
    return {token: number for number, token in enumerate(lines)}


def check_vocabulary(vocab):
    """Return vocab as a dict if it maps tokens to ids.

    Raises:
        TypeError: it is not a dict, or holds something other than str -> int.
        ValueError: a negative id, or two tokens with one id.
    """
    if not isinstance(vocab, Mapping):
        raise TypeError(f"vocab is a {type(vocab).__name__}, expected a dict of "
                        "token -> id or the path of a vocab.txt: number the tokens")
    plain = {*map(type, vocab)} <= {str} and {*map(type, vocab.values())} <= {int}
    for token, index in () if plain else vocab.items():
        if not isinstance(token, str) or not isinstance(index, int):
            raise TypeError(f"vocab maps {token!r} to {index!r}, expected a str and an "
                            "int: convert them")
    if len(set(vocab.values())) < len(vocab) or min(vocab.values(), default=0) < 0:
        raise ValueError(_bad_ids(vocab))
    return dict(vocab)


def _bad_ids(vocab):
    """Say which id of a vocabulary is wrong."""
    seen: dict[int, str] = {}
    for token, index in vocab.items():
        if index < 0:
            return (f"the id of {token!r} is {index}, expected 0 or more: number the "
                    "tokens from 0")
        if index in seen:
            return (f"the id of {token!r} is {index}, expected a new one, because "
                    f"{seen[index]!r} has it: give each token an id of its own")
        seen[index] = token
    return ""


def save_vocabulary(vocab, save_directory, filename_prefix=None):
    """Write a vocabulary as vocab.txt: one token per line, the id is the line number.

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
        raise ValueError("vocab is empty, expected at least one token: there is "
                         f"nothing to write to {VOCAB_FILE}")
    last = max(vocab, key=vocab.__getitem__)
    if vocab[last] > 2 * len(vocab) + 1000:
        raise ValueError(f"the largest id is {vocab[last]}, expected fewer gaps for a "
                         f"{VOCAB_FILE} of {len(vocab)} tokens: call save_pretrained, "
                         f"which writes {TOKENIZER_FILE}")
    # If a token is on several lines, the last one counts: the last token fills gaps.
    lines = [last] * (vocab[last] + 1)
    for token, index in vocab.items():
        if "\n" in token or "\r" in token:
            raise ValueError(f"token {token!r} has a line break, expected none in "
                             f"{VOCAB_FILE}: call save_pretrained, which writes "
                             f"{TOKENIZER_FILE}")
        lines[index] = token
    atomic_write_text(path, "".join(token + "\n" for token in lines))
    return (str(path),)


def prefixed(save_directory, name, prefix):
    """Return the path of a file to save, with the prefix before its name.

    Raises:
        NotADirectoryError: the directory doesn't exist.
    """
    if not os.path.isdir(save_directory):
        raise NotADirectoryError(f"save_directory is {str(save_directory)!r}, expected "
                                 "a directory: create it first")
    return Path(save_directory, f"{prefix}-{name}" if prefix else name)
