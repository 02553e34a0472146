"""The files of a tokenizer: vocab.txt, tokenizer.json, and three small ones."""

import os
from collections.abc import Mapping
from pathlib import Path

from ...system.jsonfiles import read_text
from ...system.numbers import is_whole_number
from ...system.saving import atomic_write_text
from ..definition.added_tokens import WHITE_SPACE
from ..definition.normalization import check_unicode

VOCAB_FILE = "vocab.txt"
TOKENIZER_FILE = "tokenizer.json"
CONFIG_FILE = "tokenizer_config.json"
SPECIAL_TOKENS_MAP_FILE = "special_tokens_map.json"
ADDED_TOKENS_FILE = "added_tokens.json"
FILES = (TOKENIZER_FILE, CONFIG_FILE, VOCAB_FILE, SPECIAL_TOKENS_MAP_FILE,
         ADDED_TOKENS_FILE)


MAX_ID = 2**31      # ids are below it: they are kept in four bytes


def read_vocabulary(path, legacy=False):
    """Read a vocab.txt as dict of token -> id, the number of its line from 0 on.

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
    """Return a vocabulary as a dict of str -> int.

    Raises:
        TypeError: it is not a dict, a token is not a str, or an id not a whole number.
        ValueError: an id is negative or too large, or two tokens have the same one.
    """
    if not isinstance(vocab, Mapping):
        raise TypeError(f"vocab is a {type(vocab).__name__}, expected a dict of "
                        "token -> id or the path of a vocab.txt: number the tokens")
    plain = {*map(type, vocab)} <= {str} and {*map(type, vocab.values())} <= {int}
    if not plain:
        for token, index in vocab.items():
            if not isinstance(token, str) or not is_whole_number(index):
                raise TypeError(f"vocab maps {token!r} to {index!r}, expected a str "
                                "and a whole number: convert them")
        vocab = {str(token): int(index) for token, index in vocab.items()}
    ids = set(vocab.values())
    if len(ids) < len(vocab) or ids and not 0 <= min(ids) <= max(ids) < MAX_ID:
        raise ValueError(_bad_ids(vocab))
    check_unicode("".join(vocab), "the tokens of vocab, joined,")
    return dict(vocab)


def _bad_ids(vocab):
    """Return the message that names the first wrong id of a vocabulary."""
    seen: dict[int, str] = {}
    for token, index in vocab.items():
        if not 0 <= index < MAX_ID:
            return (f"the id of {token!r} is {index}, expected a whole number from 0 "
                    f"to {MAX_ID - 1}: number the tokens from 0")
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
    # The last token fills the gaps: of a token on several lines, the last one counts.
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
