"""The vocabulary of a tokenizer: from tokens to ids, and from ids back to text."""

import dataclasses
import os
import warnings
from collections.abc import Mapping

from ...system.absent import refuse_arguments
from ...system.numbers import is_whole_number
from ..definition.added_tokens import AddedToken
from ..rows import options
from . import decoding, files
from .special_tokens import SPECIAL_TOKENS, SpecialTokens, check_extra, check_token

# The arguments that both constructors pass on, besides special tokens.
SETTINGS = ("model_max_length", "max_len", "padding_side", "truncation_side",
            "split_special_tokens", "clean_up_tokenization_spaces",
            "extra_special_tokens", "additional_special_tokens",
            "model_specific_special_tokens", "model_input_names", "name_or_path",
            "added_tokens_decoder")
NO_ID = ("a token id is {!r}, expected a whole number, 0 or more: pass ids as the "
         "tokenizer returns them")


class Vocabulary(SpecialTokens):
    """The part of a tokenizer that holds the tokens and their ids."""

    # The arguments of the constructor that the two tokenizers define for themselves.
    own_settings: tuple = ("do_lower_case", "strip_accents", "tokenize_chinese_chars")
    is_fast = False
    vocab_files_names = {"vocab_file": "vocab.txt"}
    model_input_names = ["input_ids", "attention_mask"]
    padding_side = "right"
    truncation_side = "right"
    pad_token_type_id = 0
    clean_up_tokenization_spaces = False

    def __init__(self, vocab, special, kwargs):
        """Take over the vocabulary and the settings.

        Args:
            vocab: dict of token -> id.
            special: dict of name -> str, AddedToken or None, for `SPECIAL_TOKENS`.
            kwargs: the other settings, as found in tokenizer_config.json.
        """
        kwargs = self.checked(type(self).__name__, kwargs)
        self.init_kwargs = {**special, **kwargs}
        self._vocab = vocab
        self._tokens_by_id = None                 # the inverse, made when first needed
        self._core = None                         # the compiled pipeline, likewise
        self._added: dict[int, AddedToken] = {}   # by id, in the order of adding
        self._added_ids: dict[str, int] = {}      # the same, by content
        self._ever_special: set[str] = set()      # HF: once special, always special
        self._warned_too_long = False
        self._set_special(special, kwargs)
        self.name_or_path = str(kwargs.pop("name_or_path", ""))
        self.model_max_length = options.limit(
            kwargs.pop("model_max_length", kwargs.pop("max_len", None)))
        for name in ("padding_side", "truncation_side"):
            value = kwargs.pop(name, None)
            value = getattr(self, name) if value is None else value
            setattr(self, name, options.side(name, value))
        names = options.strings(
            "model_input_names", kwargs.pop("model_input_names", None))
        self.model_input_names = names or list(self.model_input_names)
        clean = kwargs.pop("clean_up_tokenization_spaces", None)
        if clean is not None:
            self.clean_up_tokenization_spaces = options.flag(
                "clean_up_tokenization_spaces", clean)
        self.split_special_tokens = bool(options.flag(
            "split_special_tokens", kwargs.pop("split_special_tokens", None), True))

    @property
    def origin(self):
        """What errors add to name the files: " of DIR", or "" if there are none."""
        return f" of {self.name_or_path}" if self.name_or_path else ""

    @classmethod
    def takes(cls, name, value):
        """Whether the constructor takes a setting, for itself or as a special token."""
        return name in SETTINGS or name in cls.own_settings or (
            name in SPECIAL_TOKENS
            or name.endswith("_token") and isinstance(value, (str, AddedToken)))

    @classmethod
    def checked(cls, function, kwargs):
        """Return the arguments of a function that the constructor takes, as a dict.

        Raises:
            TypeError: there are others.
        """
        unknown = {name: value for name, value in kwargs.items()
                   if not cls.takes(name, value)}
        refuse_arguments(function, unknown,
                         (*cls.own_settings, *SETTINGS, *SPECIAL_TOKENS))
        return {name: kwargs[name] for name in kwargs if name not in unknown}

    def add_special_tokens(self, special_tokens_dict,
                           replace_extra_special_tokens=True):
        """Set special tokens by name, and add those that the vocabulary lacks.

        Args:
            special_tokens_dict: name -> str or AddedToken; for "extra_special_tokens" a
                list of them.
            replace_extra_special_tokens: False keeps the earlier extra tokens.

        Returns:
            How many tokens were added or changed.

        Raises:
            ValueError: an unknown name.
            TypeError: something that is not a token.
        """
        new = []
        for name, value in special_tokens_dict.items():
            if name in ("extra_special_tokens", "additional_special_tokens"):
                new += self._add_extra(value, replace_extra_special_tokens)
            elif name in self._special:
                token = as_special(check_token(name, value))
                self._special[name] = token
                new.append(token)
            else:
                raise ValueError(
                    f"a key of special_tokens_dict is {name!r}, expected one of "
                    f"{', '.join(self._special)}, extra_special_tokens: use add_tokens "
                    "for a token without a name")
        return self.add_tokens(new, special_tokens=True)

    def _add_extra(self, value, replace):
        """Set or extend the tokens without a name; return the new ones."""
        known = () if replace else self.extra_special_tokens
        new = [as_special(token) for token in check_extra(value)
               if str(token) not in known]
        self._extra_special = new if replace and new else self._extra_special + new
        return new

    def add_tokens(self, new_tokens, special_tokens=False):
        """Add tokens that are found in the text before it is split into words.

        Args:
            new_tokens: a str or AddedToken, or a list of them.
            special_tokens: mark them as special.  Decoding can skip special tokens,
                and they are found in the original text, not in the normalised one.

        Returns:
            How many were added or changed.  A token of the vocabulary keeps its id.

        Raises:
            TypeError: something that is not a token.
        """
        if not isinstance(new_tokens, (list, tuple)):
            new_tokens = [new_tokens]
        for token in new_tokens:
            if not isinstance(token, (str, AddedToken)):
                raise TypeError(f"a new token is {token!r}, expected a str or an "
                                "AddedToken: pass the text of the token")
        count = self._add(new_tokens, special_tokens)
        self._core = None
        return count

    def _add(self, tokens, special):
        """Give each token its id, and return how many are new or changed.

        HF: new ids start at the number of tokens in the vocabulary, or after the last
        added token, even if the vocabulary has larger ids.
        """
        size, last = len(self._vocab), max(self._added, default=-1)
        following = last + 1 if last >= size else size
        count = 0
        for token in tokens:
            if special:
                token = as_special(token)
            elif isinstance(token, str):
                token = AddedToken(token)
            index = self._id_of(token.content)
            if not token.content or self._added.get(index) == token:
                continue
            if index is None:
                index, following = following, following + 1
                self._warn_if_taken(token, index)
            self._added[index] = token
            self._added_ids[token.content] = index
            if token.special:
                self._ever_special.add(token.content)
            count += 1
        return count

    def _warn_if_taken(self, token, index):
        """Warn if a new token gets an id that another token has."""
        taken = Vocabulary._token_of(self, index)
        if taken is not None:
            warnings.warn(f"the new token {token.content!r} gets the id {index}, which "
                          f"{taken!r} already has: the vocabulary has gaps, or a token "
                          "on several lines", stacklevel=4)

    # The vocabulary

    @property
    def vocab_size(self):
        """The number of tokens in the vocabulary, without the added ones."""
        return len(self._vocab)

    def __len__(self):
        return len(self.get_vocab())

    def __bool__(self):
        return True             # even without tokens

    def __getstate__(self):
        """Return what a copy or a pickle needs; the rest is made again."""
        return {**self.__dict__, "_core": None, "_tokens_by_id": None}

    @property
    def base_vocab(self):
        """dict of token -> id, without the added tokens; do not change it."""
        return self._vocab

    def get_vocab(self):
        """Return a dict of token -> id, with the added tokens."""
        return {**self._vocab, **self._added_ids}

    @property
    def vocab(self):
        """The same as get_vocab()."""
        return self.get_vocab()

    @property
    def added_tokens_decoder(self):
        """dict of id -> AddedToken, by id."""
        return dict(sorted(self._added.items()))

    @property
    def added_tokens_encoder(self):
        """dict of text -> id of the added tokens, by id."""
        return {token.content: i for i, token in sorted(self._added.items())}

    def get_added_vocab(self):
        """Return added_tokens_encoder."""
        return self.added_tokens_encoder

    def _id_of(self, token):
        """Return the id of a token, or None."""
        index = self._added_ids.get(token)
        return self._vocab.get(token) if index is None else index

    def _token_of(self, index):
        """Return the token of an id, or None."""
        added = self._added.get(index)
        return self._piece_of(index) if added is None else self._shown(added)

    def _piece_of(self, index):
        """Return the piece of the vocabulary that has an id, or None."""
        if self._tokens_by_id is None:
            self._tokens_by_id = {i: token for token, i in self._vocab.items()}
        return self._tokens_by_id.get(index)

    def _shown(self, token):
        """Return the text that stands for an added token in decoded text."""
        return token.content

    def convert_tokens_to_ids(self, tokens):
        """Return the id of a token, or a list of ids; an unknown one gets unk_token's.

        Args:
            tokens: a str, or a list of them.
        """
        if isinstance(tokens, str):
            index = self._id_of(tokens)
            return self._id_of(self.unk_token) if index is None else index
        return [self.convert_tokens_to_ids(token) for token in tokens]

    def convert_ids_to_tokens(self, ids, skip_special_tokens=False):
        """Return the token of an id, or a list of tokens; None for an unused id.

        Args:
            ids: an int, or a list or array of them.
            skip_special_tokens: leave special tokens out of a list.

        Raises:
            OverflowError: a negative id.
            TypeError: something that is not a whole number.
        """
        if hasattr(ids, "__index__") and not getattr(ids, "ndim", 0):
            return self._token_of(check_id(ids))
        skip = set(self.all_special_ids) if skip_special_tokens else ()
        return [self._token_of(i) for i in map(check_id, ids) if i not in skip]

    def _find_special(self, row, second=None):
        """Return 1 for each id of a special token in a whole row, 0 for the others."""
        if second is not None:
            raise ValueError(f"token_ids_1 is {second!r}, expected None with "
                             "already_has_special_tokens=True: pass the whole row as "
                             "token_ids_0")
        special = set(self.all_special_ids)
        return [int(check_id(i) in special) for i in row]

    # Back to text

    def convert_tokens_to_string(self, tokens):
        """Return the text that tokens stand for."""
        raise NotImplementedError

    def _decode_ids(self, ids, skip_special_tokens):
        """Return the text of a list of ids, before cleaning up."""
        raise NotImplementedError

    def decode(self, token_ids, skip_special_tokens=False,
               clean_up_tokenization_spaces=None, spaces_between_special_tokens=True):
        """Return the text of ids.

        Args:
            token_ids: an int, a list of ints, or a list of such lists; each of them may
                also be an array or a tensor.  Or an encoding with "input_ids".
            skip_special_tokens: leave [CLS], [SEP], [PAD] ... out.
            clean_up_tokenization_spaces: remove spaces before punctuation; None means
                as the tokenizer was made.
            spaces_between_special_tokens: HF: has no effect; there are always spaces.

        Returns:
            str, or a list of str for a list of lists

        Raises:
            OverflowError: a negative id.
            TypeError: something that is not a whole number.
        """
        ids = _as_lists(token_ids)
        if isinstance(ids, list) and ids and isinstance(ids[0], list):
            return [self.decode(row, skip_special_tokens, clean_up_tokenization_spaces)
                    for row in ids]
        ids = [check_id(i) for i in (ids if isinstance(ids, list) else [ids])]
        text = self._decode_ids(ids, skip_special_tokens)
        if clean_up_tokenization_spaces is None:
            clean_up_tokenization_spaces = self.clean_up_tokenization_spaces
        return decoding.clean_up(text) if clean_up_tokenization_spaces else text

    def batch_decode(self, sequences, skip_special_tokens=False,
                     clean_up_tokenization_spaces=None,
                     spaces_between_special_tokens=True):
        """Decode as `decode` does, but always return a list of str, [] for []."""
        ids = _as_lists(sequences)
        if ids == []:
            return []
        texts = self.decode(ids, skip_special_tokens, clean_up_tokenization_spaces)
        return [texts] if isinstance(texts, str) else texts

    def clean_up_tokenization(self, text):
        """Remove the spaces before English punctuation and contractions."""
        return decoding.clean_up(text)


def as_vocabulary(vocab, legacy=False):
    """Return a vocabulary as a dict, given a dict or the path of a vocab.txt."""
    if isinstance(vocab, (str, os.PathLike)):
        return files.read_vocabulary(vocab, legacy)
    return files.check_vocabulary(vocab)


def in_order(added_tokens_decoder):
    """Return a dict of id -> AddedToken, by id, once it is checked; None is empty."""
    tokens = {} if added_tokens_decoder is None else added_tokens_decoder
    if not isinstance(tokens, Mapping):
        raise TypeError(f"added_tokens_decoder is {tokens!r}, expected a dict of id -> "
                        "AddedToken: pass tokenizer.added_tokens_decoder")
    for index, token in tokens.items():
        if not is_whole_number(index) or not isinstance(token, AddedToken):
            raise TypeError(f"added_tokens_decoder maps {index!r} to {token!r}, "
                            "expected a whole number and an AddedToken: convert them")
    return dict(sorted(tokens.items()))


def as_special(token):
    """Return a str or an AddedToken as a special AddedToken."""
    if isinstance(token, str):
        return AddedToken(token, special=True)
    if token.special:
        return token
    # HF: a token that becomes special is looked for in the original text.
    return dataclasses.replace(token, special=True, normalized=False)


def check_id(value):
    """Return a token id as an int.

    Raises:
        TypeError: it is not a whole number.
        OverflowError: it is negative.
    """
    if type(value) is not int:          # most are, and this is called for each id
        if not is_whole_number(value):
            raise TypeError(NO_ID.format(value))
        value = int(value)
    if value < 0:
        raise OverflowError(NO_ID.format(value))
    return value


def _as_lists(ids):
    """Return ids in any form as an int, a list of ints, or a list of lists."""
    if isinstance(ids, Mapping) and "input_ids" in ids:
        ids = ids["input_ids"]
    if hasattr(ids, "tolist"):
        ids = ids.tolist()
    if isinstance(ids, (list, tuple, range)):
        return [item if type(item) is int else _as_lists(item) for item in ids]
    return ids
