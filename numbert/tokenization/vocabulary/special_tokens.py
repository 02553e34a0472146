"""The special tokens of a tokenizer: [CLS], [SEP], ... by name."""

from ...system.absent import no_attribute
from ..definition.added_tokens import AddedToken

SPECIAL_TOKENS = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token",
                  "cls_token", "mask_token")

NO_LIST = ("extra_special_tokens is {!r}, expected a list of tokens{}: put a single "
           "token into a list")


def _special_token(name):
    """Return a property: the text of one special token, or None."""
    def get(self):
        token = self._special[name]
        return None if token is None else str(token)

    def set_(self, value):
        self._special[name] = check_token(name, value, self.needed)

    return property(get, set_, doc=f"The text of the {name}, or None.")


def _special_token_id(name):
    """Return a property: the id of one special token, or None."""
    def get(self):
        token = self._special[name]
        return None if token is None else self.convert_tokens_to_ids(str(token))

    def set_(self, value):
        text = None if value is None else self.convert_ids_to_tokens(value)
        self._special[name] = check_token(name, text, self.needed)

    return property(get, set_, doc=f"The id of the {name}, or None.")


def check_token(name, value, needed=()):
    """Return value if it can be a special token: a str, an AddedToken or None.

    Raises:
        TypeError: it is something else.
        ValueError: it is None, and its name is one of `needed`.
    """
    if value is None and name in needed:
        raise ValueError(f"{name} is None, expected a token, because BERT needs one: "
                         "leave it out for the default")
    if value is not None and not isinstance(value, (str, AddedToken)):
        raise TypeError(f"{name} is {value!r}, expected a str or an AddedToken: pass "
                        "the text of the token")
    return value


def check_extra(tokens, more=""):
    """Return the special tokens without a name as a list, if they are one."""
    if not isinstance(tokens, (list, tuple)):
        raise TypeError(NO_LIST.format(tokens, more))
    for token in tokens:
        if token is None:
            raise TypeError("a token of extra_special_tokens is None, expected a str "
                            "or an AddedToken: leave it out")
        check_token("extra_special_tokens", token)
    return list(tokens)


class SpecialTokens:
    """The part of a tokenizer that holds its special tokens."""

    SPECIAL_TOKENS_ATTRIBUTES = list(SPECIAL_TOKENS)     # their names
    needed: tuple = ()         # the names of those that can't be None
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
            self._special[name] = check_token(name, value, self.needed)
        for name in SPECIAL_TOKENS:
            if name in kwargs:
                self._special[name] = check_token(name, kwargs.pop(name))
        named = kwargs.pop("model_specific_special_tokens", None)
        named = {} if named is None else named
        if not isinstance(named, dict):
            raise TypeError(f"model_specific_special_tokens is {named!r}, expected a "
                            "dict of name -> token: use extra_special_tokens")
        old = kwargs.pop("additional_special_tokens", None)
        extra = kwargs.pop("extra_special_tokens", None) or old
        extra = [] if extra is None else extra
        if isinstance(extra, dict):
            named, extra = {**named, **extra}, []
        self._extra_special = check_extra(extra, ", or a dict of name -> token")
        for name in [key for key in kwargs if key.endswith("_token")]:
            if isinstance(kwargs[name], (str, AddedToken)):
                named[name] = kwargs.pop(name)
        for name, value in named.items():
            self._special[name] = check_token(name, value)
        if named:
            self.SPECIAL_TOKENS_ATTRIBUTES = list(self._special)

    def __getattr__(self, name):
        """Return a special token, or its id, by the user's own name: image_token_id."""
        special = self.__dict__.get("_special", {})
        if name in special:
            return None if special[name] is None else str(special[name])
        if name.endswith("_id") and name[:-3] in special:
            token = special[name[:-3]]
            return None if token is None else self.convert_tokens_to_ids(str(token))
        raise no_attribute(type(self).__name__, name)

    def __setattr__(self, name, value):
        """Set an attribute, or a special token by the user's own name: image_token."""
        if name in self.__dict__.get("_special", ()) and name not in SPECIAL_TOKENS:
            self._special[name] = check_token(name, value)
        else:
            super().__setattr__(name, value)

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
        self._extra_special = [] if tokens is None else check_extra(tokens)

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
