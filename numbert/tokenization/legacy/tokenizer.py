"""BertTokenizerLegacy: the older tokenizer, which older results were computed with.

`legacy.pieces` turns a text into ids.  Here rows are built from ids, one by one.
"""

import dataclasses
import warnings

from ...system.numbers import is_whole_number
from ..base import TokenizerBase
from ..definition.added_tokens import AddedToken
from ..rows.inputs import EMPTY, NO_LIST, Samples
from ..rows.options import Arguments, flag, strings
from ..vocabulary import decoding
from ..vocabulary.tokens import as_vocabulary, in_order
from . import pieces
from .words import BasicTokenizer


def _stage_setting(name):
    """Return a property: a setting that basic_tokenizer holds."""
    def get(self):
        return getattr(self.basic_tokenizer, name)

    def set_(self, value):
        setattr(self.basic_tokenizer, name, flag(name, value, name == "strip_accents"))

    return property(get, set_, doc=f"The {name} of basic_tokenizer.")


class BertTokenizerLegacy(TokenizerBase):
    """The WordPiece tokenizer of BERT as transformers has it in pure Python.

    Args:
        vocab_file: the path of a vocab.txt, or a dict of token -> id.
        do_lower_case: lower-case the text.
        do_basic_tokenize: False splits the text at white space and does nothing else.
        never_split: words that are kept whole where white space surrounds them.
        unk_token, sep_token, pad_token, cls_token, mask_token: the special tokens.
        tokenize_chinese_chars: make every CJK ideograph a word of its own.
        strip_accents: strip accents; None means "if do_lower_case".
        clean_up_tokenization_spaces: decode without spaces before punctuation.
        kwargs: as for BertTokenizer.

    Attributes:
        basic_tokenizer: the BasicTokenizer that finds words.  It holds do_lower_case,
            strip_accents, tokenize_chinese_chars and never_split.
        wordpiece_tokenizer: the WordpieceTokenizer that cuts words into pieces.
    """

    model_input_names = ["input_ids", "attention_mask"]
    own_settings = (*TokenizerBase.own_settings, "do_basic_tokenize", "never_split")
    do_lower_case = _stage_setting("do_lower_case")
    strip_accents = _stage_setting("strip_accents")
    tokenize_chinese_chars = _stage_setting("tokenize_chinese_chars")

    def __init__(self, /, vocab_file, do_lower_case=True, do_basic_tokenize=True,
                 never_split=None, unk_token="[UNK]", sep_token="[SEP]",
                 pad_token="[PAD]", cls_token="[CLS]", mask_token="[MASK]",
                 tokenize_chinese_chars=True, strip_accents=None,
                 clean_up_tokenization_spaces=True, **kwargs):
        special = {"unk_token": unk_token, "sep_token": sep_token,
                   "pad_token": pad_token, "cls_token": cls_token,
                   "mask_token": mask_token}
        super().__init__(as_vocabulary(vocab_file, legacy=True), special, kwargs)
        self.clean_up_tokenization_spaces = flag(
            "clean_up_tokenization_spaces", clean_up_tokenization_spaces, or_none=True)
        self.do_basic_tokenize = flag("do_basic_tokenize", do_basic_tokenize)
        self.basic_tokenizer = BasicTokenizer(
            do_lower_case, strings("never_split", never_split),
            tokenize_chinese_chars, strip_accents)
        # HF: it keeps this unk_token, even if the attribute changes later.
        self.wordpiece_tokenizer = pieces.WordpieceTokenizer(
            self._vocab, self.unk_token)
        self.init_kwargs.update(
            do_lower_case=do_lower_case, do_basic_tokenize=do_basic_tokenize,
            never_split=never_split, tokenize_chinese_chars=tokenize_chinese_chars,
            strip_accents=strip_accents,
            clean_up_tokenization_spaces=clean_up_tokenization_spaces)
        for index, token in in_order(kwargs.get("added_tokens_decoder")).items():
            self._added[index] = token
            self._added_ids[token.content] = index
        self._add([token for token in self.all_special_tokens
                   if token not in self._added_ids], special=True)

    @property
    def never_split(self):
        """The words that are kept whole, a list of str."""
        return sorted(self.basic_tokenizer.never_split)

    @never_split.setter
    def never_split(self, words):
        self.basic_tokenizer.never_split = set(strings("never_split", words) or ())

    @property
    def vocab(self):
        """dict of token -> id, without the added tokens; do not change it."""
        return self._vocab

    @property
    def ids_to_tokens(self):
        """dict of id -> token, without the added tokens."""
        return {index: token for token, index in self._vocab.items()}

    @property
    def core(self):
        """The vocabulary and the options, ready for use; see `legacy.pieces`.

        Only what takes time is kept: basic_tokenizer, wordpiece_tokenizer and the
        special tokens may change at any time.
        """
        if self._core is None:
            self._core = pieces.compile_core(self._vocab, self._added)
        return self._core._replace(
            unk_token=self.unk_token, unk_id=self._id_of(self.unk_token),
            source=f"the vocabulary{self.origin}",
            special=frozenset(self.all_special_tokens),
            basic=self.basic_tokenizer if self.do_basic_tokenize else None,
            wordpiece=self.wordpiece_tokenizer)

    def _core_for(self, split_special_tokens):
        """Return the core; with split_special_tokens, it finds no added tokens."""
        if split_special_tokens is None:
            split_special_tokens = self.split_special_tokens
        if not split_special_tokens:
            return self.core
        return self.core._replace(matcher=None)

    def _add(self, tokens, special):
        """Give each token its id, and return how many are new to the vocabulary.

        HF: unlike BertTokenizer, it lower-cases a token that is found in normalised
        text.
        """
        count, size = 0, len(self.get_vocab())
        for token in tokens:
            if str(token) == "" or isinstance(token, str) and token in self._added_ids:
                continue
            if isinstance(token, str):
                token = AddedToken(
                    token, special=special or token in self.all_special_tokens)
            elif special:
                token = dataclasses.replace(token, special=True)
            if not token.special and token.normalized and self.do_lower_case:
                token = dataclasses.replace(token, content=token.content.lower())
            index = self._id_of(token.content)
            if index is None:
                index = size + count
                count += 1
                self._warn_if_taken(token, index)
            if token.special and token.content not in self.all_special_tokens:
                self._extra_special.append(token)
            self._added[index] = token
            self._added_ids[token.content] = index
        return count

    # From text to ids

    def tokenize(self, text, split_special_tokens=None):
        """Return the tokens of a text, a list of str.

        HF: a word of never_split is shown as it is, even if [UNK] stands for it.
        """
        core = self._core_for(split_special_tokens)
        return [token for _, tokens in pieces.split(core, text) for token in tokens]

    def _ids(self, text, words, core):
        """Return the ids of a text: a str, or a list of words, of tokens or of ids."""
        if isinstance(text, str):
            return pieces.encode(core, text)
        if isinstance(text, (list, tuple)) and text:
            if all(isinstance(item, str) for item in text):
                if words:
                    return [i for word in text for i in pieces.encode(core, word)]
                return self.convert_tokens_to_ids(list(text))
            if all(map(is_whole_number, text)):
                return list(map(int, text))
        raise TypeError(f"a text is {text!r}, expected a str, or a list of words, "
                        "tokens or ids that is not empty: correct it or remove it")

    def _read(self, text, text_pair, words):
        """Return the texts of a call as inputs.Samples.

        HF: a list of ints is one text, given as ids.  "" is a text like any other.
        """
        lists = (list, tuple)
        if not isinstance(text, lists):
            batched = False
        elif not text:
            batched = not words
        else:
            batched = isinstance(text[0], lists if words else (str, *lists))
        if not batched:
            return Samples([text], None if text_pair is None else [text_pair], False)
        if not text:
            raise ValueError(EMPTY.format(text))
        if text_pair is None:
            pairs = [_split_pair(item, words) for item in text]
            return Samples([a for a, _ in pairs], [b for _, b in pairs], True)
        if not isinstance(text_pair, lists) or len(text_pair) != len(text):
            raise ValueError(NO_LIST.format(text_pair, len(text)))
        return Samples(list(text), list(text_pair), True)

    def _encode(self, samples, settled):
        if "offset_mapping" in settled.keys:
            raise NotImplementedError(
                "return_offsets_mapping is True, expected False, because "
                "BertTokenizerLegacy keeps no offsets: use BertTokenizer")
        core = self._core_for(settled.split)
        rows = []
        for a, b in zip(samples.first, samples.second or [None] * len(samples.first)):
            b = None if b is None else self._ids(b, settled.words, core)
            rows.append(self._row(self._ids(a, settled.words, core), b, settled))
        if not samples.batched:
            return self._finish(rows[0], settled, True)
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        return self._finish(columns, settled, False)

    def _row(self, ids, pair_ids, settled):
        """Return the outputs of one sample, without padding and attention mask."""
        special = settled.add_special_tokens
        total = len(ids) + len(pair_ids or ())
        if special:
            total += self.num_special_tokens_to_add(pair_ids is not None)
        excess = 0 if not settled.truncation or not settled.max_length else max(
            total - settled.max_length, 0)
        pair = pair_ids is not None
        if settled.overflow and settled.truncation == "longest_first" and pair:
            raise ValueError("truncation is 'longest_first', expected 'only_first' or "
                             "'only_second' for the overflow of a pair: pass one of "
                             "them")
        strategy = settled.truncation or "longest_first"
        ids, pair_ids, overflow = self.truncate_sequences(
            ids, pair_ids, excess, strategy, settled.stride)
        if special:
            row = {"input_ids": self.build_inputs_with_special_tokens(ids, pair_ids)}
            types = self.create_token_type_ids_from_sequences(ids, pair_ids)
            mask = self.get_special_tokens_mask(ids, pair_ids)
        else:
            row = {"input_ids": ids + (pair_ids or [])}
            types = mask = [0] * len(row["input_ids"])
        if "token_type_ids" in settled.keys:
            row["token_type_ids"] = types
        if "special_tokens_mask" in settled.keys:
            row["special_tokens_mask"] = mask
        if settled.overflow:
            row["overflowing_tokens"] = overflow
            row["num_truncated_tokens"] = excess
        if settled.warn:
            self.warn_if_too_long(len(row["input_ids"]))
        return row

    def _finish(self, columns, settled, single, batch_axis=True):
        """Pad the rows and convert them to tensors."""
        overflow = columns.get("overflowing_tokens") or ()
        if settled.tensors or not (overflow if single else any(overflow)):
            columns = {k: v for k, v in columns.items() if k not in OVERFLOW}
        rows = columns["input_ids"]
        if settled.length and not single:     # HF: a batch's lengths leave out padding
            columns["length"] = [len(row) for row in rows]
        out = self.pad(columns, settled.padding or False, settled.max_length,
                       settled.pad_to_multiple_of, settled.padding_side,
                       "attention_mask" in settled.keys)
        if settled.length and single:
            out["length"] = len(out["input_ids"])
        return out.convert_to_tensors(settled.tensors, single and batch_axis)

    # From ids to rows

    def prepare_for_model(self, ids, pair_ids=None, add_special_tokens=True,
                          padding=False, truncation=False, max_length=None, stride=0,
                          pad_to_multiple_of=None, padding_side=None,
                          return_tensors=None, return_token_type_ids=None,
                          return_attention_mask=None, return_overflowing_tokens=False,
                          return_special_tokens_mask=False, return_length=False,
                          verbose=True, prepend_batch_axis=False):
        """Do what a call does with one sample whose texts are already ids.

        Args:
            ids: the ids of the text, a list of int.
            pair_ids: the ids of the second text, or None.
            prepend_batch_axis: with return_tensors, add a first axis of size 1.
            the others: as in a call.
        """
        settled = self._settle(Arguments(
            add_special_tokens, padding, truncation, max_length, stride, False,
            pad_to_multiple_of, padding_side, return_tensors, return_token_type_ids,
            return_attention_mask, return_overflowing_tokens,
            return_special_tokens_mask, False, return_length, verbose, None))
        row = self._row(list(ids), pair_ids, settled)
        return self._finish(row, settled, True, prepend_batch_axis)

    def truncate_sequences(self, ids, pair_ids=None, num_tokens_to_remove=0,
                           truncation_strategy="longest_first", stride=0):
        """Remove tokens from one text or from a pair.

        HF: two things differ from BertTokenizer.  If an odd number of tokens is shared
        out, the second text loses one more.  And a text that is not long enough is
        emptied, or left as it is, instead of refused.

        Args:
            ids, pair_ids: the ids of the texts; pair_ids may be None.
            num_tokens_to_remove: how many tokens to remove.
            truncation_strategy: "longest_first", "only_first" or "only_second".
            stride: how many of the kept tokens to repeat in the removed ones.

        Returns:
            (ids, pair_ids, removed tokens); removed tokens are [] for a pair with
            "longest_first"
        """
        excess = num_tokens_to_remove
        if excess <= 0:
            return ids, pair_ids, []
        if truncation_strategy == "longest_first" and pair_ids is not None:
            a, b = _shares(len(ids), len(pair_ids), excess)
            return self._drop(ids, a), self._drop(pair_ids, b), []
        first = truncation_strategy != "only_second"
        text = ids if first else pair_ids
        if not text or len(text) < excess:
            warnings.warn(f"a text of length {len(text or ())} can't lose {excess}: "
                          "the row stays longer than max_length", stacklevel=5)
        if not text:
            return ids, pair_ids, []
        window = min(len(text), stride + excess)
        left = self.truncation_side == "left"
        overflow = text[:window] if left else text[-window:]
        kept = self._drop(text, excess)
        return (kept, pair_ids, overflow) if first else (ids, kept, overflow)

    def _drop(self, ids, count):
        """Remove `count` ids at the side where texts are cut."""
        if self.truncation_side == "left":
            return ids[count:]
        return ids[:max(len(ids) - count, 0)]

    def build_inputs_with_special_tokens(self, token_ids_0, token_ids_1=None):
        """Return the ids of [CLS] a [SEP], or of [CLS] a [SEP] b [SEP].

        Raises:
            ValueError: cls_token or sep_token is None.
        """
        for name in ("cls_token", "sep_token"):
            if self._special[name] is None:
                raise ValueError(f"{name} is None, expected a token around the texts: "
                                 "set one, or pass add_special_tokens=False")
        row = [self.cls_token_id, *token_ids_0, self.sep_token_id]
        return row if token_ids_1 is None else [*row, *token_ids_1, self.sep_token_id]

    def create_token_type_ids_from_sequences(self, token_ids_0, token_ids_1=None):
        """Return 0 for each token of [CLS] a [SEP], 1 for each of b [SEP]."""
        types = [0] * (len(token_ids_0) + 2)
        return types if token_ids_1 is None else types + [1] * (len(token_ids_1) + 1)

    def get_special_tokens_mask(self, token_ids_0, token_ids_1=None,
                                already_has_special_tokens=False):
        """Return 1 for special tokens, 0 for the others.

        Args:
            token_ids_0, token_ids_1: the ids of the texts.
            already_has_special_tokens: True if token_ids_0 is a whole row.  False
                returns the mask of the row that would be built from the texts.

        Raises:
            ValueError: a whole row, and a second list.
        """
        if not already_has_special_tokens:
            mask = [1] + [0] * len(token_ids_0) + [1]
            return mask if token_ids_1 is None else mask + [0] * len(token_ids_1) + [1]
        return self._find_special(token_ids_0, token_ids_1)

    # Back to text

    def _token_of(self, index):
        token = super()._token_of(index)        # HF: an unused id is [UNK]
        return self.unk_token if token is None else token

    def convert_tokens_to_string(self, tokens):
        """Join tokens into text."""
        return decoding.join_legacy(tokens)

    def _decode_ids(self, ids, skip_special_tokens):
        return decoding.join_legacy(
            self.convert_ids_to_tokens(ids, skip_special_tokens))


OVERFLOW = ("overflowing_tokens", "num_truncated_tokens")


def _shares(a, b, excess):
    """Return how many of `excess` tokens each text of a pair loses.

    The longer one is cut to the length of the other, then both lose alike.  If their
    share is odd, the second text loses one more.
    """
    level = min(abs(a - b), excess)
    rest = excess - level
    if a > b:
        return level + rest // 2, rest - rest // 2
    return rest // 2, level + rest - rest // 2


def _split_pair(item, words):
    """Return an element of a batch as (first, second or None)."""
    lists = (list, tuple)
    if not isinstance(item, lists) or not item or is_whole_number(item[0]):
        return item, None
    texts = all(isinstance(part, (str, *lists)) for part in item)
    if len(item) == 2 and texts and (not words or isinstance(item, tuple)):
        return item[0], item[1]
    if len(item) == 1:
        return item[0], None
    if not words:
        raise ValueError(f"an element of the batch is {item!r}, expected a text or a "
                         "pair of them: correct it or remove it")
    return item, None
