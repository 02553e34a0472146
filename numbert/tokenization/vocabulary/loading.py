"""Loading a tokenizer from its files, and saving it to them.

What is found where; the first place that has it wins:

    vocabulary      tokenizer.json, then vocab.txt
    settings        arguments, special_tokens_map.json, tokenizer_config.json
    added tokens    tokenizer_config.json if it lists them; else tokenizer.json, then
                    added_tokens.json

HF: tokenizer.json also says whether to lower-case text, but the setting decides.
"""

import os
import warnings
from pathlib import Path

from ...system.jsonfiles import json_text, read_json, settings_text
from ...system.saving import atomic_write_text
from ..definition.added_tokens import AddedToken
from . import files
from .special_tokens import SPECIAL_TOKENS

HUB_ARGUMENTS = ("revision", "cache_dir", "local_files_only", "token")
# Arguments of transformers that have no effect here.
IGNORED = ("use_fast", "trust_remote_code", "force_download", "proxies")
FLAGS = ("single_word", "lstrip", "rstrip", "normalized", "special")
# Settings that say where a tokenizer came from; they are not saved again.
ORIGIN = ("vocab", "vocab_file", "tokenizer_file", "name_or_path", "tokenizer_class",
          "added_tokens_decoder", "init_inputs", "is_local", "local_files_only")


def load(path, kwargs, legacy=False):
    """Return the vocabulary and the settings of a saved tokenizer.

    Args:
        path: a directory, a vocab.txt, a tokenizer.json, or a name on the hub.
        kwargs: settings that override those in the files; for the hub also revision,
            cache_dir, local_files_only and token.
        legacy: read vocab.txt as the legacy tokenizer does.

    Returns:
        (dict of token -> id, dict of settings)

    Raises:
        FileNotFoundError: there is neither a vocab.txt nor a tokenizer.json.
        ValueError: a file is broken, or belongs to another kind of tokenizer.
    """
    hub = {name: kwargs.pop(name) for name in HUB_ARGUMENTS if name in kwargs}
    kwargs = {name: value for name, value in kwargs.items() if name not in IGNORED}
    found = _find(path, hub)
    saved = _read(found, files.TOKENIZER_FILE)
    settings = _read(found, files.CONFIG_FILE)
    for name in ("tokenizer_class", "init_inputs"):
        settings.pop(name, None)
    settings.update(kwargs)
    extra = settings.pop("additional_special_tokens", None)     # the old name
    if extra and not settings.get("extra_special_tokens"):
        settings["extra_special_tokens"] = extra
    decoder = settings.pop("added_tokens_decoder", None)
    if decoder is None:
        settings.update(_special_tokens_map(found, settings, kwargs))
        decoder = _added_tokens(found, saved, settings)
    decoder = {int(i): _token(token) for i, token in decoder.items()}
    settings = {name: _token(value) if name.endswith(("_token", "special_tokens"))
                else value for name, value in settings.items()}
    for name in ("truncation", "padding"):      # HF: their sides become the defaults
        if saved.get(name):
            side = saved[name].get("direction", "Right")
            settings.setdefault(f"{name}_side", side.lower())
    _warn_of_other_normalizer(saved, settings)
    settings.update(name_or_path=str(path), added_tokens_decoder=decoder)
    return _vocabulary(found, saved, legacy), settings


def _find(path, hub):
    """Find the files of a tokenizer: dict of name -> Path."""
    path = os.fspath(path)
    if os.path.isfile(path):
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


def _read(found, name):
    return read_json(found[name]) if name in found else {}


def _vocabulary(found, saved, legacy):
    """Return the vocabulary, checked."""
    if files.TOKENIZER_FILE not in found:
        return files.read_vocabulary(found[files.VOCAB_FILE], legacy)
    path = found[files.TOKENIZER_FILE]
    model = saved.get("model") or {}
    if not isinstance(model, dict) or model.get("type", "WordPiece") != "WordPiece":
        kind = model.get("type") if isinstance(model, dict) else repr(model)
        raise ValueError(f"{path} holds a {kind} tokenizer, expected WordPiece: pass "
                         "the files of a BERT tokenizer")
    if "vocab" not in model:
        raise ValueError(f"{path} holds no vocabulary, expected model.vocab: save the "
                         f"tokenizer again, or delete this file if there is a "
                         f"{files.VOCAB_FILE}")
    vocab = model["vocab"]
    if isinstance(vocab, list):
        vocab = {token: i for i, token in enumerate(vocab)}
    try:
        return files.check_vocabulary(vocab)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path} is broken: {error}") from None


def _special_tokens_map(found, settings, kwargs):
    """Return the settings of special_tokens_map.json, except what the caller gave."""
    out = {}
    for name, value in _read(found, files.SPECIAL_TOKENS_MAP_FILE).items():
        if kwargs.get(name):
            continue
        if name in ("extra_special_tokens", "additional_special_tokens") and isinstance(
                value, list):
            known = list(settings.get("extra_special_tokens") or [])
            new = [_special(token) for token in value]
            out["extra_special_tokens"] = known + [t for t in new if t not in known]
        else:
            out[name] = _special(value)
    return out


def _added_tokens(found, saved, settings):
    """Return dict of id -> token, from added_tokens.json and tokenizer.json."""
    special = {str(settings[name]) for name in SPECIAL_TOKENS if settings.get(name)}
    special.update(str(token) for token in settings.get("extra_special_tokens") or [])
    out = {index: AddedToken(token, special=token in special)
           for token, index in _read(found, files.ADDED_TOKENS_FILE).items()}
    for token in saved.get("added_tokens", []):
        out[token["id"]] = _token({name: token[name] for name in ("content", *FLAGS)})
    return out


def _special(value):
    """Return a token of special_tokens_map.json, a str or a dict with its flags."""
    if not isinstance(value, dict) or "content" not in value:
        return value
    return _token({**value, "special": True})


def _token(value):
    """Return a value of a JSON file; dicts that stand for a token become AddedToken."""
    if isinstance(value, list):
        return [_token(item) for item in value]
    if isinstance(value, dict) and isinstance(value.get("content"), str):
        return AddedToken(value["content"], **{name: value[name] for name in FLAGS
                                               if name in value})
    return value


def _warn_of_other_normalizer(saved, settings):
    """Warn if tokenizer.json has another normalizer than the settings ask for."""
    normalizer = saved.get("normalizer") or {}
    if normalizer.get("type") != "BertNormalizer":
        return
    for name, setting, default in (
            ("lowercase", "do_lower_case", True),
            ("strip_accents", "strip_accents", None),
            ("handle_chinese_chars", "tokenize_chinese_chars", True)):
        used = settings.get(setting, default)
        if name in normalizer and normalizer[name] != used:
            warnings.warn(
                f"{files.TOKENIZER_FILE} says {name}={normalizer[name]}, but "
                f"{setting}={used} is used, as in transformers: if the model was "
                f"trained otherwise, pass {setting}={normalizer[name]}", stacklevel=4)


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
        str(i): _saved(token) for i, token in tokenizer.added_tokens_decoder.items()}
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


def _saved(token):
    return {"content": token.content, **{name: getattr(token, name) for name in FLAGS}}


def settings_of(tokenizer):
    """Return the content of tokenizer_config.json."""
    settings = {name: value for name, value in tokenizer.init_kwargs.items()
                if name not in ORIGIN}
    for name in (*settings, "model_max_length"):
        if name in vars(tokenizer):
            settings[name] = getattr(tokenizer, name)
    settings.update(tokenizer.special_tokens_map)
    for name in SPECIAL_TOKENS:
        if settings.get(name, "") is None:
            del settings[name]
    for name in ("extra_special_tokens", "additional_special_tokens",
                 "model_specific_special_tokens"):
        settings.pop(name, None)
    if tokenizer.extra_special_tokens:
        settings["extra_special_tokens"] = tokenizer.extra_special_tokens
    settings["tokenizer_class"] = type(tokenizer).__name__
    return settings


def tokenizer_json(tokenizer):
    """Return the content of tokenizer.json, the file of the Rust tokenizers."""
    cls, sep, _ = tokenizer.template_ids
    names = tokenizer.template_tokens
    segments = [_piece("SpecialToken", names[0], 0), _piece("Sequence", "A", 0),
                _piece("SpecialToken", names[1], 0)]
    more = [_piece("Sequence", "B", 1), _piece("SpecialToken", names[1], 1)]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": i, **_saved(token)}
            for i, token in tokenizer.added_tokens_decoder.items()],
        "normalizer": {
            "type": "BertNormalizer", "clean_text": True,
            "handle_chinese_chars": tokenizer.tokenize_chinese_chars,
            "strip_accents": tokenizer.strip_accents,
            "lowercase": tokenizer.do_lower_case},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing", "single": segments, "pair": segments + more,
            "special_tokens": {name: {"id": name, "ids": [i], "tokens": [name]}
                               for name, i in zip(names, (cls, sep))}},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {
            "type": "WordPiece", "unk_token": tokenizer.model_unk_token,
            "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
            "vocab": tokenizer.base_vocab},
    }


def _piece(kind, name, type_id):
    return {kind: {"id": name, "type_id": type_id}}
