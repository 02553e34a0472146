"""The JSON files of a tokenizer, read and checked; errors begin with the file's name.

A path may be None, for a file that is not there: it then holds nothing.
"""

import contextlib
from typing import NamedTuple

from ...system.jsonfiles import read_json
from ...system.numbers import is_whole_number
from ..definition.added_tokens import AddedToken
from . import files

FLAGS = ("single_word", "lstrip", "rstrip", "normalized", "special")
LISTS = ("extra_special_tokens", "additional_special_tokens")       # of special tokens
OBJECT = "{} is {!r:.80}, expected a JSON object: download or write it again"


class Saved(NamedTuple):
    """What tokenizer.json says."""
    vocab: dict | None              # token -> id; None without the file
    added: dict                     # id -> AddedToken
    sides: dict                     # truncation_side, padding_side, if it has them
    normalizer: dict


@contextlib.contextmanager
def naming(path):
    """Turn an error about what a file holds into a ValueError that names the file."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None


def read_config(path):
    """Read a tokenizer_config.json.

    Returns:
        (settings, added tokens): a dict of name -> value, and a dict of id ->
        AddedToken, or None if the file lists none
    """
    if path is None:
        return {}, None
    settings = read_json(path)
    with naming(path):
        added = settings.pop("added_tokens_decoder", None)
        if added is not None:
            _check_object("added_tokens_decoder", added)
            added = {_id(index): _added_token(token) for index, token in added.items()}
        return {name: _setting(name, value) for name, value in settings.items()}, added


def read_special_tokens(path):
    """Read a special_tokens_map.json: dict of name -> str, AddedToken or list."""
    if path is None:
        return {}
    values = read_json(path)
    with naming(path):
        return {name: _setting(name, value, special=True)
                for name, value in values.items()}


def read_added_tokens(path):
    """Read an added_tokens.json: dict of text -> id."""
    if path is None:
        return {}
    values = read_json(path)
    with naming(path):
        return {text: _id(index) for text, index in values.items()}


def read_saved(path):
    """Read a tokenizer.json, and return it as Saved."""
    if path is None:
        return Saved(None, {}, {}, {})
    values = read_json(path)
    with naming(path):
        return saved_of(values)


def saved_of(values):
    """Return the content of a tokenizer.json as Saved."""
    tokens = values.get("added_tokens") or []
    if not isinstance(tokens, list):
        raise TypeError(f"added_tokens is {tokens!r:.80}, expected a list: "
                        "download or write it again")
    sides = {}
    for name in ("truncation", "padding"):
        part = _object(values, name)
        if part:
            sides[f"{name}_side"] = _side(name, part.get("direction", "Right"))
    added = [(_id(_added_dict(token).get("id")), _added_token(token))
             for token in tokens]
    return Saved(_vocabulary(_object(values, "model")), dict(added), sides,
                 _object(values, "normalizer"))


def _object(values, name):
    """Return the object values[name], {} if there is none."""
    value = values.get(name)
    if value is None:
        return {}
    _check_object(name, value)
    return value


def _check_object(name, value):
    if not isinstance(value, dict):
        raise TypeError(OBJECT.format(name, value))


def _vocabulary(model):
    """Return the vocabulary of the `model` in a tokenizer.json, checked."""
    kind = model.get("type", "WordPiece")
    if kind != "WordPiece":
        raise ValueError(f"the type of model is {kind!r:.80}, expected 'WordPiece': "
                         "pass the files of a BERT tokenizer")
    if "vocab" not in model:
        raise ValueError("model has no vocab, expected the vocabulary: save the "
                         "tokenizer again, or delete this file if there is a vocab.txt")
    vocab = model["vocab"]
    if isinstance(vocab, list):
        for i, token in enumerate(vocab):
            if not isinstance(token, str):
                raise TypeError(f"token {i} of vocab is {token!r:.80}, expected a "
                                "str: pass the files of a BERT tokenizer")
        vocab = {token: i for i, token in enumerate(vocab)}
    return files.check_vocabulary(vocab)


def _side(name, direction):
    """Return "left" or "right" for the direction of padding or truncation."""
    if direction not in ("Left", "Right"):
        raise ValueError(f"the direction of {name} is {direction!r:.80}, expected "
                         "'Left' or 'Right': correct it")
    return direction.lower()


def _id(value):
    """Return the id of an added token as an int; a key of an object is a str."""
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        value = int(value) if len(value) < 20 else value
    if not is_whole_number(value) or not 0 <= value < files.MAX_ID:
        raise ValueError(f"the id of an added token is {value!r:.80}, expected a "
                         f"whole number from 0 to {files.MAX_ID - 1}: correct it")
    return int(value)


def _added_dict(value):
    """Return the object that stands for an added token."""
    if not isinstance(value, dict):
        raise TypeError(OBJECT.format("an added token", value))
    return value


def _added_token(value, **flags):
    """Return an AddedToken, given as an object with its content and flags.

    A flag that is not there has its default.
    """
    value = _added_dict(value)
    flags = {**{name: value[name] for name in FLAGS if name in value}, **flags}
    return AddedToken(value.get("content"), **flags)


def _setting(name, value, **flags):
    """Return a setting, with an AddedToken for each object that is a special token."""
    if name in LISTS and isinstance(value, list):
        return [_special_token(item, flags) for item in value]
    if name in LISTS and isinstance(value, dict):
        return {own: _special_token(item, flags) for own, item in value.items()}
    return _special_token(value, flags) if name.endswith("_token") else value


def _special_token(value, flags):
    """Return a special token as an AddedToken if it is an object, else as it is."""
    return _added_token(value, **flags) if isinstance(value, dict) else value
