"""tokenizer.json: a whole tokenizer in one file, as the Rust tokenizers write it."""

import warnings

from ...system.jsonfiles import parse_json, read_json
from ..rows.options import flag
from .files import TOKENIZER_FILE
from .reading import FLAGS, naming, saved_of

# Our names for the settings of the normaliser, the file's names, and the defaults.
NORMALIZER = (("do_lower_case", "lowercase", True),
              ("strip_accents", "strip_accents", None),
              ("tokenize_chinese_chars", "handle_chinese_chars", True))
DEFAULTS = {name: default for name, _, default in NORMALIZER}
PRE_TOKENIZER = {"type": "BertPreTokenizer"}
DECODER = {"type": "WordPiece", "prefix": "##", "cleanup": True}
MODEL = {"type": "WordPiece", "continuing_subword_prefix": "##",
         "max_input_chars_per_word": 100}


def read(tokenizer_object, tokenizer_file, given):
    """Read a whole tokenizer from the object, or else from the file.

    Args:
        tokenizer_object: a tokenizers.Tokenizer, or None.
        tokenizer_file: the path of a tokenizer.json.
        given: the constructor's arguments do_lower_case, strip_accents and
            tokenize_chinese_chars.

    Returns:
        (vocab, unk_token, settings, added, sides): dict of token -> id, str, the three
        settings as the tokenizer has them, a list of AddedToken, and perhaps
        truncation_side and padding_side.

    Raises:
        ValueError: it is not a BERT tokenizer, or contradicts an argument.
    """
    if tokenizer_object is None:
        name, values = tokenizer_file, read_json(tokenizer_file)
    else:
        name = "tokenizer_object"
        if not hasattr(tokenizer_object, "to_str"):
            raise TypeError(f"{name} is {tokenizer_object!r:.80}, expected a "
                            "tokenizers.Tokenizer: pass the path of a file as "
                            "tokenizer_file")
        values = parse_json(tokenizer_object.to_str(), name)
    with naming(name):
        saved = saved_of(values)
        _check(values)
        settings = {}
        for setting, key, default in NORMALIZER:
            used = saved.normalizer.get(key, default)
            settings[setting] = flag(f"{key} of normalizer", used, default is None)
            if given[setting] not in (default, used):
                raise ValueError(f"{setting} is {given[setting]!r}, expected "
                                 f"{used!r}, as the normalizer says: leave it out")
    added = [token for _, token in sorted(saved.added.items())]
    return (saved.vocab, values["model"].get("unk_token", "[UNK]"), settings, added,
            saved.sides)


def _check(values):
    """Raise ValueError unless the steps of a tokenizer.json are those of BERT."""
    parts: dict[str, dict] = {
        "normalizer": {"type": "BertNormalizer", "clean_text": True},
        "pre_tokenizer": PRE_TOKENIZER, "decoder": DECODER, "model": MODEL}
    for part, wanted in parts.items():
        found = values.get(part)
        for key, value in wanted.items():
            own = found.get(key, value) if isinstance(found, dict) else found
            if own != value:
                raise ValueError(f"{key} of {part} is {own!r:.80}, expected {value!r},"
                                 " as BERT has it: pass the file of a BERT tokenizer")


def warn_of_other_normalizer(normalizer, settings):
    """Warn if a tokenizer.json has another normalizer than the settings ask for."""
    if normalizer.get("type") != "BertNormalizer":
        return
    for setting, name, default in NORMALIZER:
        used = settings.get(setting, default)
        if name in normalizer and normalizer[name] != used:
            warnings.warn(
                f"{TOKENIZER_FILE} says {name}={normalizer[name]!r}, but "
                f"{setting}={used!r} is used, as in transformers: if the model was "
                f"trained otherwise, pass {setting}={normalizer[name]!r}", stacklevel=4)


def saved_token(token):
    """Return an AddedToken as the files hold it, a dict."""
    return {"content": token.content, **{name: getattr(token, name) for name in FLAGS}}


def tokenizer_json(tokenizer):
    """Return the content of tokenizer.json for a BertTokenizer."""
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
            {"id": i, **saved_token(token)}
            for i, token in tokenizer.added_tokens_decoder.items()],
        "normalizer": {
            "type": "BertNormalizer", "clean_text": True,
            "handle_chinese_chars": tokenizer.tokenize_chinese_chars,
            "strip_accents": tokenizer.strip_accents,
            "lowercase": tokenizer.do_lower_case},
        "pre_tokenizer": PRE_TOKENIZER,
        "post_processor": {
            "type": "TemplateProcessing", "single": segments, "pair": segments + more,
            "special_tokens": {name: {"id": name, "ids": [i], "tokens": [name]}
                               for name, i in zip(names, (cls, sep))}},
        "decoder": DECODER,
        "model": {**MODEL, "unk_token": tokenizer.model_unk_token,
                  "vocab": tokenizer.base_vocab},
    }


def _piece(kind, name, type_id):
    """Return one element of a template of rows, as tokenizer.json holds it."""
    return {kind: {"id": name, "type_id": type_id}}
