"""What a tokenizer call returns: a dict that also knows where each token comes from."""

from collections import UserDict
from collections.abc import Sequence
from typing import NamedTuple, Optional

import numpy as np

BAD_TENSORS = ("return_tensors is {!r}, expected 'np' (NumPy arrays) or 'pt' (torch "
               "tensors): leave it out for lists")
RAGGED = ("{} has rows of different lengths, expected equal ones for a tensor: pass "
          "padding=True, and truncation=True if they may be long")


class CharSpan(NamedTuple):
    """Characters start:end of a text."""
    start: int
    end: int


class TokenSpan(NamedTuple):
    """Tokens start:end of a row."""
    start: int
    end: int


class Encoding:
    """One row, token by token.  Indices count special tokens and padding too.

    Attributes:
        ids, tokens, type_ids, attention_mask, special_tokens_mask: one per token.
        offsets: (start, end) in characters of the token's own text; (0, 0) for special
            tokens.
        word_ids: the index of the token's word in its text, None for special tokens.
        sequence_ids: 0 or 1 for a token of the first or second text, None for special
            tokens.
        n_sequences: the number of texts in the row, 1 or 2.
        overflowing: the encodings of the windows that were cut off.
    """

    def __init__(self, ids, tokens, type_ids, attention_mask, special_tokens_mask,
                 offsets, word_ids, sequence_ids, n_sequences, overflowing=()):
        self.ids = ids
        self.tokens = tokens
        self.type_ids = type_ids
        self.attention_mask = attention_mask
        self.special_tokens_mask = special_tokens_mask
        self.offsets = offsets
        self.word_ids = word_ids
        self.sequence_ids = sequence_ids
        self.n_sequences = n_sequences
        self.overflowing = list(overflowing)

    @property
    def words(self):
        """The same as word_ids."""
        return self.word_ids

    def __len__(self):
        return len(self.ids)

    def __repr__(self):
        return (f"Encoding(num_tokens={len(self)}, attributes=[ids, type_ids, tokens, "
                "offsets, attention_mask, special_tokens_mask, overflowing])")

    def token_to_sequence(self, token_index):
        """0 or 1, the text that a token belongs to; None for special tokens."""
        return self._at(self.sequence_ids, token_index)

    def token_to_word(self, token_index):
        """The index of a token's word in its text; None for special tokens."""
        return self._at(self.word_ids, token_index)

    def token_to_chars(self, token_index):
        """The (start, end) of a token in its text; None for special tokens."""
        if self._at(self.sequence_ids, token_index) is None:
            return None
        return self.offsets[token_index]

    def char_to_token(self, char_pos, sequence_index=0):
        """The first token that covers a character; None if none does (white space)."""
        for i in self._tokens_of(sequence_index):
            start, end = self.offsets[i]
            if start <= char_pos < end:
                return i
        return None

    def char_to_word(self, char_pos, sequence_index=0):
        """The index of the word that covers a character; None if none does."""
        token = self.char_to_token(char_pos, sequence_index)
        return None if token is None else self.word_ids[token]

    def word_to_tokens(self, word_index, sequence_index=0):
        """The (first, past the last) token of a word; None if it has none."""
        found = [i for i in self._tokens_of(sequence_index)
                 if self.word_ids[i] == word_index]
        return (found[0], found[-1] + 1) if found else None

    def word_to_chars(self, word_index, sequence_index=0):
        """The (start, end) of a word in its text; None if it has no tokens."""
        span = self.word_to_tokens(word_index, sequence_index)
        if span is None:
            return None
        return self.offsets[span[0]][0], self.offsets[span[1] - 1][1]

    def _tokens_of(self, sequence_index):
        """Return the indices of the tokens of one text."""
        if not 0 <= sequence_index < self.n_sequences:
            raise IndexError(
                f"sequence_index is {sequence_index}, expected less than "
                f"{self.n_sequences}, the number of texts in the row: pass 0 for the "
                "first text")
        return [i for i, s in enumerate(self.sequence_ids) if s == sequence_index]

    def _at(self, column, index):
        """Return the value of one token, after checking its index."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"the token index is {index}, expected less than "
                             f"{len(self)}, the number of tokens in the row: count "
                             "from 0, or from -1 backwards")
        return column[index]


class Encodings(Sequence):
    """The rows of a batch as Encoding objects, each made when it is first asked for."""

    def __init__(self, count, build):
        self._rows: list[Optional[Encoding]] = [None] * count
        self._build = build

    def __len__(self):
        return len(self._rows)

    def __getitem__(self, item):
        if isinstance(item, slice):
            return [self[i] for i in range(*item.indices(len(self)))]
        index = range(len(self))[item]
        row = self._rows[index]
        if row is None:
            row = self._rows[index] = self._build(index)
        return row

    def __repr__(self):
        return f"[{', '.join(map(repr, self))}]"


class BatchEncoding(UserDict):
    """The outputs of a tokenizer call, by name.

    `batch["input_ids"]` and `batch.input_ids` are the same; `batch[0]` is the Encoding
    of row 0.  The methods go from tokens to words and characters and back.  They take
    (batch_index, index), or (index) for row 0.

    Args:
        data: dict of name -> lists, arrays or tensors.
        encoding: one Encoding, a sequence of them, or None.
        tensor_type: "np" or "pt" converts the values; None leaves them as they are.
        prepend_batch_axis: add a first axis of size 1 when converting.
        n_sequences: the number of texts per row, if known.
    """

    def __init__(self, data=None, encoding=None, tensor_type=None,
                 prepend_batch_axis=False, n_sequences=None):
        self.data = {} if data is None else dict(data)
        self._encodings = [encoding] if isinstance(encoding, Encoding) else encoding
        self._n_sequences = n_sequences
        if tensor_type is not None:
            self.convert_to_tensors(tensor_type, prepend_batch_axis)

    def __getitem__(self, item):
        if isinstance(item, str):
            return self.data[item]
        if self._encodings is not None:
            return self._encodings[item]
        if isinstance(item, slice):
            return {key: value[item] for key, value in self.data.items()}
        raise KeyError(f"the key is {item!r}, expected a name such as 'input_ids', or "
                       "a slice: encode with BertTokenizer to have rows by number")

    def __getattr__(self, name):
        try:
            return self.__dict__["data"][name]
        except KeyError:
            names = ", ".join(self.__dict__.get("data", ()))
            raise AttributeError(f"BatchEncoding has no attribute {name!r}, expected "
                                 f"one of {names}: ask for it in the call") from None

    def _ipython_key_completions_(self):
        return list(self.data)              # for batch[" in a notebook

    def _repr_html_(self):
        from ...system.html import arrays, table
        rows = self._encodings or ()
        if not rows or len(rows) > 4 or max(map(len, rows)) > 24:
            return arrays(f"BatchEncoding, {len(rows)} rows", self.data)
        columns = {name: value if hasattr(value[0], "__len__") else [value]
                   for name, value in self.data.items() if len(value)}
        return "".join(table("BatchEncoding", (), [
            ("token", *row.tokens), *((name, *map(str, value[i]))
                                      for name, value in columns.items()
                                      if len(value) == len(rows)
                                      and len(value[i]) == len(row))])
            for i, row in enumerate(rows))

    def __getstate__(self):
        encodings = None if self._encodings is None else list(self._encodings)
        return {"data": self.data, "encodings": encodings,
                "n_sequences": self._n_sequences}

    def __setstate__(self, state):
        self.data = state["data"]
        self._encodings = state["encodings"]
        self._n_sequences = state["n_sequences"]

    @property
    def is_fast(self):
        """Whether tokens can be mapped to words and characters."""
        return self._encodings is not None

    @property
    def encodings(self):
        """The rows as Encoding objects, or None."""
        return self._encodings

    @property
    def n_sequences(self):
        """The number of texts per row: 1, 2, or None if unknown."""
        if self._n_sequences is None and self._encodings:
            return self._encodings[0].n_sequences
        return self._n_sequences

    def tokens(self, batch_index=0):
        """The tokens of a row, a list of str."""
        return self._row("tokens", batch_index).tokens

    def word_ids(self, batch_index=0):
        """The index of each token's word in its text; None for special tokens."""
        return self._row("word_ids", batch_index).word_ids

    def sequence_ids(self, batch_index=0):
        """The text that each token belongs to, 0 or 1; None for special tokens."""
        return self._row("sequence_ids", batch_index).sequence_ids

    def token_to_sequence(self, batch_or_token_index, token_index=None):
        """0 or 1, the text that a token belongs to; None for special tokens."""
        return self._look_up("token_to_sequence", batch_or_token_index, token_index)

    def token_to_word(self, batch_or_token_index, token_index=None):
        """The index of a token's word in its text; None for special tokens."""
        return self._look_up("token_to_word", batch_or_token_index, token_index)

    def token_to_chars(self, batch_or_token_index, token_index=None):
        """The CharSpan of a token in its text; None for special tokens."""
        return _span(CharSpan, self._look_up(
            "token_to_chars", batch_or_token_index, token_index))

    def char_to_token(self, batch_or_char_index, char_index=None, sequence_index=0):
        """The index of the token that covers a character; None if none does."""
        return self._look_up("char_to_token", batch_or_char_index, char_index,
                             sequence_index)

    def char_to_word(self, batch_or_char_index, char_index=None, sequence_index=0):
        """The index of the word that covers a character; None if none does."""
        return self._look_up("char_to_word", batch_or_char_index, char_index,
                             sequence_index)

    def word_to_tokens(self, batch_or_word_index, word_index=None, sequence_index=0):
        """The TokenSpan of a word in its row; None if it has no tokens."""
        return _span(TokenSpan, self._look_up(
            "word_to_tokens", batch_or_word_index, word_index, sequence_index))

    def word_to_chars(self, batch_or_word_index, word_index=None, sequence_index=0):
        """The CharSpan of a word in its text; None if it has no tokens."""
        return _span(CharSpan, self._look_up(
            "word_to_chars", batch_or_word_index, word_index, sequence_index))

    def convert_to_tensors(self, tensor_type=None, prepend_batch_axis=False):
        """Turn the values, in place, into arrays ("np") or tensors ("pt")."""
        if tensor_type is None:
            return self
        tensor_type = check_tensor_type(tensor_type)
        for key, value in self.data.items():
            value = [value] if prepend_batch_axis else value
            self.data[key] = as_tensor(key, value, tensor_type)
        return self

    def to(self, device, *, non_blocking=False):
        """Move torch tensors to a device, in place, and return self."""
        for key, value in self.data.items():
            if hasattr(value, "to"):
                self.data[key] = value.to(device=device, non_blocking=non_blocking)
        return self

    def _row(self, method, batch_index):
        """Return the Encoding of a row, for the method of this name."""
        if self._encodings is None:
            raise ValueError(f"encodings is None, expected rows for {method}(): encode "
                             "with BertTokenizer; BertTokenizerLegacy keeps no offsets")
        return self._encodings[batch_index]

    def _look_up(self, method, first, second, *rest):
        """Call a method of row `first` with `second`; of row 0 if `second` is None."""
        batch_index, index = (0, first) if second is None else (first, second)
        return getattr(self._row(method, batch_index), method)(index, *rest)


def _span(kind, pair):
    """Return a (start, end) as a CharSpan or TokenSpan; None stays None."""
    return None if pair is None else kind(*pair)


def check_tensor_type(tensor_type):
    """Return "np" or "pt".

    Raises:
        ValueError: anything else.
        ImportError: "pt" without torch.
    """
    kind = getattr(tensor_type, "value", tensor_type)     # an enum of transformers
    if kind == "pt":
        try:
            import torch  # noqa: F401
        except ImportError:
            raise ImportError("return_tensors is 'pt', expected torch to be installed: "
                              "pip install numbert[torch], or pass 'np'") from None
    elif kind != "np":
        raise ValueError(BAD_TENSORS.format(tensor_type))
    return kind


def as_tensor(name, value, kind):
    """Return one output as an array ("np") or a tensor ("pt").

    HF: "np" accepts rows of different lengths and makes an array of arrays.  "pt" turns
    Python's floats into torch's default, float32, but keeps the dtype of arrays.
    """
    if type(value).__module__.partition(".")[0] == "torch":
        return value if kind == "pt" else value.numpy()
    first = value[0] if isinstance(value, (list, tuple)) and value else value
    if not isinstance(value, np.ndarray):
        value = _array(name, value)
    if kind == "np":
        return value
    if value.dtype.kind not in "biufc":
        raise ValueError(_no_tensor(name, value))
    import torch
    out = torch.from_numpy(np.asarray(value, order="C"))
    python = value.dtype.kind == "f" and not isinstance(first, np.ndarray)
    return out.to(torch.get_default_dtype()) if python else out


def _no_tensor(name, value):
    """Return the message about an array that torch has no tensor for."""
    first = value.flat[0]
    if _is_row(first):
        return RAGGED.format(name)
    what = "text" if isinstance(first, (str, bytes)) else repr(first)
    return (f"{name} holds {what}, expected numbers for a tensor: remove it, or leave "
            "return_tensors out")


def _array(name, value):
    """Return the lists of one output as an array, or an array of unequal arrays."""
    rows = isinstance(value, (list, tuple)) and bool(value) and _is_row(value[0])
    if rows and len({len(row) for row in value}) > 1:
        out = np.empty(len(value), object)
        for i, row in enumerate(value):
            out[i] = _array(name, row)
        return out
    try:
        out = np.asarray(value)
    except ValueError:
        raise ValueError(RAGGED.format(name)) from None
    return out.astype(np.int64) if out.size == 0 else out


def _is_row(value):
    """Whether a value is a row: a list, a tuple or an array."""
    return isinstance(value, (list, tuple, np.ndarray))
