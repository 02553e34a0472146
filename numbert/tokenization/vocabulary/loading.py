"""Loading a tokenizer from its files, and saving it to them.

Where each thing is looked for; the first place that has it wins:

    vocabulary      tokenizer.json, then vocab.txt
    settings        arguments, special_tokens_map.json, tokenizer_config.json
    added tokens    tokenizer_config.json if it lists them; else tokenizer.json, then
                    added_tokens.json

HF: tokenizer.json also says whether to lower-case text, but the setting decides.
"""

import os
import warnings
from pathlib import Path

from ...system.jsonfiles import json_text, settings_text
from ...system.saving import atomic_write_text
from ..definition.added_tokens import AddedToken
from . import files
from .reading import (naming, read_added_tokens, read_config, read_saved,
                      read_special_tokens)
from .rust import DEFAULTS, saved_token, tokenizer_json, warn_of_other_normalizer
from .special_tokens import SPECIAL_TOKENS

# Only BertTokenizerLegacy applies these settings of a file.
LEGACY: dict[str, tuple] = {
    "do_basic_tokenize": (True, None), "never_split": ([], None)}
# Settings that say where a tokenizer came from: neither read from a file nor saved.
ORIGIN = ("vocab", "vocab_file", "tokenizer_file", "tokenizer_object", "name_or_path",
          "tokenizer_class", "added_tokens_decoder", "init_inputs", "is_local",
          "local_files_only")

# Settings that are attributes: their last values are saved.
ATTRIBUTES = ("model_max_length", "padding_side", "truncation_side",
              "model_input_names", "clean_up_tokenization_spaces",
              "split_special_tokens")


def load(cls, path, hub, kwargs, tokenizer_file=None, tokenizer_object=None):
    """Return a saved tokenizer.

    Args:
        cls: BertTokenizer or BertTokenizerLegacy.
        path: a directory, a vocab.txt, a tokenizer.json, or a name on the hub.
        hub: the arguments of system.hub.resolve.
        kwargs: settings that override those in the files.
        tokenizer_file: the path of a tokenizer.json that is read in place of the
            directory's.
        tokenizer_object: a tokenizers.Tokenizer, whose vocabulary, added tokens and
            normaliser take the place of the files'.

    Raises:
        FileNotFoundError: there is neither a vocab.txt nor a tokenizer.json.
        ValueError: a file is broken, or belongs to another kind of tokenizer.
        TypeError: a setting has the wrong type.  Both begin with the file's name.
    """
    kwargs = cls.checked(f"{cls.__name__}.from_pretrained", kwargs)
    found = _find(path, hub)
    if tokenizer_file is not None:
        found[files.TOKENIZER_FILE] = Path(tokenizer_file)
    saved = read_saved(found.get(files.TOKENIZER_FILE))
    settings, sources = _settings(found, saved, kwargs)
    if tokenizer_object is None:
        warn_of_other_normalizer(saved.normalizer, settings)
    else:
        settings = {name: value for name, value in settings.items()
                    if name in kwargs or name not in DEFAULTS}
    settings.update({"name_or_path": str(path), **kwargs})
    vocab = saved.vocab
    if vocab is None:
        vocab = files.read_vocabulary(found[files.VOCAB_FILE], not cls.is_fast)
    _warn_of_legacy_settings(cls, settings)
    try:
        return make(cls, vocab, settings, tokenizer_object)
    except (TypeError, ValueError) as error:
        source = sources.get(str(error).partition(" ")[0], path)
        if source is None:
            raise
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{source}: {error}") from None


def _settings(found, saved, kwargs):
    """Return the settings of a tokenizer, added tokens included, and where each is set.

    Args:
        found: {name of a file: Path}.
        saved: what tokenizer.json says.
        kwargs: settings that override those in the files.

    Returns:
        {name: value}, and {name: Path, or None for one of kwargs}.
    """
    config, decoder = read_config(found.get(files.CONFIG_FILE))
    settings = {name: value for name, value in config.items() if name not in ORIGIN}
    settings.update(kwargs)
    extra = settings.pop("additional_special_tokens", None)     # the old name
    if extra and not settings.get("extra_special_tokens"):
        settings["extra_special_tokens"] = extra
    special = {}
    if decoder is None:
        special = _special_tokens(found, settings, kwargs)
        settings.update(special)
        decoder = _added_tokens(found, saved, settings)
    for name, side in saved.sides.items():      # HF: they become the defaults
        settings.setdefault(name, side)
    settings["added_tokens_decoder"] = decoder
    sources = {**dict.fromkeys(config, found.get(files.CONFIG_FILE)),
               **dict.fromkeys(special, found.get(files.SPECIAL_TOKENS_MAP_FILE)),
               **dict.fromkeys(kwargs)}
    return settings, sources


def make(cls, vocab, settings, tokenizer_object=None):
    """Make a tokenizer; it keeps settings that it doesn't know, and saves them again.

    Args: as for `load`.
    """
    known = {name: value for name, value in settings.items()
             if cls.takes(name, value)}
    kept = {name: settings[name] for name in settings if name not in known}
    if tokenizer_object is not None:
        known["tokenizer_object"] = tokenizer_object
    tokenizer = cls(vocab, **known)
    tokenizer.init_kwargs = {**kept, **tokenizer.init_kwargs}
    return tokenizer


def _warn_of_legacy_settings(cls, settings):
    """Warn of settings that have an effect in BertTokenizerLegacy, but not in `cls`."""
    for name, without_effect in LEGACY.items():
        if name not in cls.own_settings and settings.get(name) not in without_effect:
            warnings.warn(
                f"{files.CONFIG_FILE} says {name}={settings[name]!r:.80}, which "
                "BertTokenizer can't do and ignores, as in transformers: use "
                "BertTokenizerLegacy", stacklevel=4)


def _find(path, hub):
    """Find the files of a tokenizer: dict of name -> Path."""
    path = os.fspath(path)
    if os.path.isfile(path):
        if hub.get("subfolder"):
            raise ValueError(f"subfolder is {hub['subfolder']!r}, expected none beside "
                             f"the file {path}: leave it out")
        whole = path.endswith(files.TOKENIZER_FILE)
        return {files.TOKENIZER_FILE if whole else files.VOCAB_FILE: Path(path)}
    from numbert.system.hub import resolve
    directory = Path(resolve(path, files.FILES, **hub))
    found = {name: directory / name for name in files.FILES
             if (directory / name).is_file()}
    if files.VOCAB_FILE not in found and files.TOKENIZER_FILE not in found:
        raise FileNotFoundError(f"{directory} has neither {files.VOCAB_FILE} nor "
                                f"{files.TOKENIZER_FILE}, expected one of them: pass "
                                "the directory of a BERT tokenizer")
    return found


def _special_tokens(found, settings, kwargs):
    """Return the settings of special_tokens_map.json, except what the caller gave."""
    out = {}
    for name, value in read_special_tokens(
            found.get(files.SPECIAL_TOKENS_MAP_FILE)).items():
        if name in kwargs or name in ORIGIN:
            continue
        if name in ("extra_special_tokens", "additional_special_tokens") and isinstance(
                value, list):
            known = _as_list(settings.get("extra_special_tokens"))
            out["extra_special_tokens"] = known + [t for t in value if t not in known]
        else:
            out[name] = value
    return out


def _added_tokens(found, saved, settings):
    """Return dict of id -> AddedToken, from added_tokens.json and tokenizer.json."""
    special = {str(settings[name]) for name in SPECIAL_TOKENS if settings.get(name)}
    special.update(map(str, _as_list(settings.get("extra_special_tokens"))))
    path = found.get(files.ADDED_TOKENS_FILE)
    with naming(path):
        out = {index: AddedToken(text, special=text in special)
               for text, index in read_added_tokens(path).items()}
    return {**out, **saved.added}


def _as_list(value):
    """Return the special tokens without a name, if they are a list."""
    return list(value) if isinstance(value, (list, tuple)) else []


def save(tokenizer, directory, prefix=None):
    """Save a BertTokenizer as tokenizer_config.json and tokenizer.json.

    Args:
        tokenizer: a BertTokenizer.
        directory: an existing directory.
        prefix: put before the file names, with a "-".

    Returns:
        tuple of the paths written
    """
    config = files.prefixed(directory, files.CONFIG_FILE, prefix)
    whole = files.prefixed(directory, files.TOKENIZER_FILE, prefix)
    settings = settings_text(settings_of(tokenizer), escape=False)
    atomic_write_text(whole, json_text(tokenizer_json(tokenizer), indent=2))
    atomic_write_text(config, settings)
    return str(config), str(whole)


def save_legacy(tokenizer, directory, prefix=None):
    """Save a BertTokenizerLegacy as tokenizer_config.json and vocab.txt.

    Tokens that vocab.txt lacks go into added_tokens.json.  Args and Returns as for
    `save`.
    """
    config = files.prefixed(directory, files.CONFIG_FILE, prefix)
    settings = settings_of(tokenizer)
    settings["added_tokens_decoder"] = {
        str(index): saved_token(token)
        for index, token in tokenizer.added_tokens_decoder.items()}
    text = settings_text(settings, escape=False)
    written = [str(config), *tokenizer.save_vocabulary(directory, prefix)]
    added = {token: i for token, i in tokenizer.added_tokens_encoder.items()
             if i >= tokenizer.vocab_size}
    if added:
        path = files.prefixed(directory, files.ADDED_TOKENS_FILE, prefix)
        atomic_write_text(path, settings_text(added, escape=False))
        written.append(str(path))
    atomic_write_text(config, text)
    return tuple(written)


def settings_of(tokenizer):
    """Return the content of tokenizer_config.json."""
    settings = {name: value for name, value in tokenizer.init_kwargs.items()
                if name not in ORIGIN}
    for name in (*tokenizer.own_settings, *ATTRIBUTES):
        value = getattr(tokenizer, name)
        if name in settings or value != getattr(type(tokenizer), name, False):
            settings[name] = value
    settings.update({name: None for name in tokenizer.SPECIAL_TOKENS_ATTRIBUTES
                     if name in settings})
    settings.update(tokenizer.special_tokens_map)
    for name in ("extra_special_tokens", "additional_special_tokens",
                 "model_specific_special_tokens"):
        settings.pop(name, None)
    if tokenizer.extra_special_tokens:
        settings["extra_special_tokens"] = tokenizer.extra_special_tokens
    settings["tokenizer_class"] = type(tokenizer).__name__
    return settings
