"""The special tokens of a tokenizer: [CLS], [SEP], ... by name."""

from ..definition.added_tokens import AddedToken

SPECIAL_TOKENS = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token",
                  "cls_token", "mask_token")

GONE = {    # names of transformers that are not here, and what to do instead
    "encode_plus": "call the tokenizer itself",
    "batch_encode_plus": "call the tokenizer itself with a list",
    "prepare_for_model": "call the tokenizer on text, or use BertTokenizerLegacy",
    "build_inputs_with_special_tokens":
        "call the tokenizer, or use BertTokenizerLegacy",
    "create_token_type_ids_from_sequences":
        "call the tokenizer, or use BertTokenizerLegacy",
    "truncate_sequences": "pass truncation=..., or use BertTokenizerLegacy",
    "additional_special_tokens": "use extra_special_tokens",
    "backend_tokenizer": "numbert has no Rust tokenizer inside",
}

NO_LIST = ("extra_special_tokens is {!r}, expected a list of tokens: put a single "
           "token into a list")


def _special_token(name):
    """A property: the text of one special token, or None."""
    def get(self):
        token = self._special[name]
        return None if token is None else str(token)

    def set_(self, value):
        self._special[name] = check_token(name, value)

    return property(get, set_, doc=f"The text of the {name}, or None.")


def _special_token_id(name):
    """A property: the id of one special token, or None."""
    def get(self):
        token = self._special[name]
        return None if token is None else self.convert_tokens_to_ids(str(token))

    def set_(self, value):
        text = None if value is None else self.convert_ids_to_tokens(value)
        self._special[name] = check_token(name, text)

    return property(get, set_, doc=f"The id of the {name}, or None.")


def check_token(name, value):
    """Return value if it can be a special token: a str, an AddedToken or None."""
    if value is not None and not isinstance(value, (str, AddedToken)):
        raise TypeError(f"{name} is {value!r}, expected a str or an AddedToken: pass "
                        "the text of the token")
    return value


class SpecialTokens:
    """The part of a tokenizer that holds its special tokens."""

    _special: dict             # name -> str, AddedToken or None
    _extra_special: list       # the ones without a name

    bos_token = _special_token("bos_token")
    eos_token = _special_token("eos_token")
    unk_token = _special_token("unk_token")
    sep_token = _special_token("sep_token")
    pad_token = _special_token("pad_token")
    cls_token = _special_token("cls_token")
    mask_token = _special_token("mask_token")
    bos_token_id = _special_token_id("bos_token")
    eos_token_id = _special_token_id("eos_token")
    unk_token_id = _special_token_id("unk_token")
    sep_token_id = _special_token_id("sep_token")
    pad_token_id = _special_token_id("pad_token")
    cls_token_id = _special_token_id("cls_token")
    mask_token_id = _special_token_id("mask_token")

    def _set_special(self, special, kwargs):
        """Fill `_special` (by name) and `_extra_special` from the settings."""
        self._special = dict.fromkeys(SPECIAL_TOKENS)
        for name, value in special.items():
            self._special[name] = check_token(name, value)
        for name in SPECIAL_TOKENS:
            if name in kwargs:
                self._special[name] = check_token(name, kwargs.pop(name))
        named = dict(kwargs.pop("model_specific_special_tokens", None) or {})
        extra = kwargs.pop("additional_special_tokens", None)
        extra = kwargs.pop("extra_special_tokens", None) or extra or []
        if isinstance(extra, dict):
            named, extra = {**named, **extra}, []
        if not isinstance(extra, (list, tuple)):
            raise TypeError(f"extra_special_tokens is {extra!r}, expected a list of "
                            "tokens, or a dict of name -> token: put a single token "
                            "into a list")
        for name in [key for key in kwargs if key.endswith("_token")]:
            if isinstance(kwargs[name], (str, AddedToken)):
                named[name] = kwargs.pop(name)
        for name, value in named.items():
            self._special[name] = check_token(name, value)
        self._extra_special = [check_token("extra_special_tokens", t) for t in extra]

    def __getattr__(self, name):
        """Return a special token, or its id, by the user's own name: image_token_id."""
        special = self.__dict__.get("_special", {})
        if name in special:
            return None if special[name] is None else str(special[name])
        if name.endswith("_id") and name[:-3] in special:
            token = special[name[:-3]]
            return None if token is None else self.convert_tokens_to_ids(str(token))
        hint = f": {GONE[name]}" if name in GONE else ""
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}{hint}")

    @property
    def special_tokens_map(self):
        """dict of name -> text of the special tokens that are set."""
        return {name: str(token) for name, token in self._special.items()
                if token is not None}

    @property
    def extra_special_tokens(self):
        """The special tokens without a name, a list of str."""
        return [str(token) for token in self._extra_special]

    @extra_special_tokens.setter
    def extra_special_tokens(self, tokens):
        tokens = [] if tokens is None else tokens
        if not isinstance(tokens, (list, tuple)):
            raise TypeError(NO_LIST.format(tokens))
        self._extra_special = [check_token("extra_special_tokens", token)
                               for token in tokens]

    @property
    def extra_special_tokens_ids(self):
        """The ids of extra_special_tokens."""
        return self.convert_tokens_to_ids(self.extra_special_tokens)

    @property
    def all_special_tokens(self):
        """All special tokens, a list of str, each once."""
        return list(dict.fromkeys([*self.special_tokens_map.values(),
                                   *self.extra_special_tokens]))

    @property
    def all_special_ids(self):
        """The ids of all special tokens."""
        return self.convert_tokens_to_ids(self.all_special_tokens)
