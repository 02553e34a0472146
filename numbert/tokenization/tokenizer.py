"""BertTokenizer: from text to the arrays that a BERT model reads, and back."""

import dataclasses

from .base import TokenizerBase
from .fast.pipeline import compile_core, normalize
from .rows import encoding, inputs
from .rows.options import flag
from .vocabulary import decoding, files
from .vocabulary.tokens import as_special, as_vocabulary

FEW, SHORT = 8, 10_000      # up to so many samples and characters, lists are quicker


class BertTokenizer(TokenizerBase):
    """The WordPiece tokenizer of BERT.

    Args:
        vocab: dict of token -> id, or the path of a vocab.txt.  None makes a vocabulary
            of the five special tokens alone.
        do_lower_case: lower-case the text.
        unk_token, sep_token, pad_token, cls_token, mask_token: the special tokens;
            those that the vocabulary lacks are added to it.
        tokenize_chinese_chars: make every CJK ideograph a word of its own.
        strip_accents: strip accents; None means "if do_lower_case".
        vocab_file: another name for `vocab`.
        kwargs: model_max_length, padding_side, truncation_side, split_special_tokens,
            clean_up_tokenization_spaces, extra_special_tokens, model_input_names.
            Others are kept, and saved with the tokenizer.

    Raises:
        TypeError: a vocabulary, a token or a setting of the wrong type.
        ValueError: two tokens with one id, a vocab.txt that is not UTF-8, an unknown
            side, or no unk_token, cls_token or sep_token.

    Source: Devlin et al., "BERT", 2019, section 3 ([CLS] a [SEP] b [SEP], segments).
    Ids, offsets and defaults are those of transformers 5.24, except for what
    `numbert.tokenization.deviations` lists.
    """

    vocab_files_names = {"vocab_file": "vocab.txt", "tokenizer_file": "tokenizer.json"}
    model_input_names = ["input_ids", "token_type_ids", "attention_mask"]
    is_fast = True               # it maps tokens to words and characters

    def __init__(self, vocab=None, do_lower_case=True, unk_token="[UNK]",
                 sep_token="[SEP]", pad_token="[PAD]", cls_token="[CLS]",
                 mask_token="[MASK]", tokenize_chinese_chars=True, strip_accents=None,
                 vocab_file=None, **kwargs):
        special = {"unk_token": unk_token, "sep_token": sep_token,
                   "pad_token": pad_token, "cls_token": cls_token,
                   "mask_token": mask_token}
        vocab = vocab_file if vocab is None else vocab
        if vocab is None:
            names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
            vocab = {str(special[name]): i for i, name in enumerate(names)}
        super().__init__(as_vocabulary(vocab), special, kwargs)
        self.do_lower_case = flag("do_lower_case", do_lower_case)
        self.tokenize_chinese_chars = flag(
            "tokenize_chinese_chars", tokenize_chinese_chars)
        self.strip_accents = flag("strip_accents", strip_accents, or_none=True)
        self.init_kwargs.update(
            do_lower_case=do_lower_case, strip_accents=strip_accents,
            tokenize_chinese_chars=tokenize_chinese_chars)
        for name in ("unk_token", "cls_token", "sep_token"):
            if self._special[name] is None:
                raise ValueError(f"{name} is None, expected a token, because BERT "
                                 "needs one: leave it out for the default")
        self._written: dict[int, str] = {}      # what each id adds to a decoded text
        self._add_first_tokens(kwargs.get("added_tokens_decoder") or {})
        # HF: rows keep these tokens, even if the attributes change later.
        self.model_unk_token = self.unk_token
        self.template_tokens = self.cls_token, self.sep_token
        self._template_ids = self.cls_token_id, self.sep_token_id

    def _add_first_tokens(self, decoder):
        """Add the tokens of a saved tokenizer, then the special ones."""
        named = self.special_tokens_map.values()
        tokens = {}
        for _, token in sorted(decoder.items()):
            tokens[token.content] = dataclasses.replace(
                token, special=token.special or token.content in named)
        for token in [*self._special.values(), *self._extra_special]:
            if isinstance(token, str) or token is not None and token.content in named:
                token = as_special(token)
            if token is not None:
                tokens.setdefault(token.content, token)
        self._add(tokens.values(), special=False)

    @property
    def core(self):
        """The vocabulary and the options, ready for use; see `fast.pipeline`."""
        if self._core is None:
            added = {i: dataclasses.replace(token, special=token.content in
                                            self._ever_special)
                     for i, token in self._added.items()}
            self._core = compile_core(
                self._vocab, unk_token=self.model_unk_token,
                lowercase=self.do_lower_case, strip_accents=self.strip_accents,
                chinese_chars=self.tokenize_chinese_chars, added_tokens=added)
        return self._core

    @property
    def template_ids(self):
        """The ids of [CLS], [SEP] and [PAD] in a row."""
        return *self._template_ids, self.pad_token_id or 0

    def _add(self, tokens, special):
        self._written.clear()
        return super()._add(tokens, special)

    def _encode(self, samples, settled):
        few = len(samples.first) <= FEW and not (settled.words or settled.overflow)
        if few:
            texts = samples.first + [text for text in samples.second or () if text]
            few = sum(map(len, texts)) <= SHORT
        encode = encoding.encode_few if few else encoding.encode_batch
        try:
            return encode(self, samples, settled)
        except TypeError:
            inputs.check_unicode(samples, settled.words)    # says which text it is
            raise

    def token_texts(self, ids, offsets, sources):
        """Return the text of each token of a row.

        Args:
            ids: the ids of the tokens.
            offsets: (start, end) of each token in its text.
            sources: the text that each token comes from; None for special tokens.
        """
        tokens = list(map(self._token_of, ids))
        wide = {i for i, token in self._added.items() if token.lstrip or token.rstrip}
        if wide:       # HF: the text of such a token includes the stripped white space
            for k, (i, (start, end), source) in enumerate(zip(ids, offsets, sources)):
                if i in wide and source is not None:
                    tokens[k] = self._with_spaces(i, tokens[k], source[start:end])
        return tokens

    def _with_spaces(self, index, token, found):
        """Return `token` with the white space around it in the text it was found in."""
        if self._added[index].normalized:
            found = normalize(self.core, found)
        start = found.find(token)
        end = start + len(token)
        left = len(found[:start]) - len(found[:start].rstrip(files.WHITE_SPACE))
        right = len(found[end:]) - len(found[end:].lstrip(files.WHITE_SPACE))
        return found[start - left:end + right] if start >= 0 else token

    def _shown(self, token):
        """Return what stands for a token in text.

        HF: a token that is found in normalised text is shown normalised.
        """
        if not token.normalized:
            return token.content
        return normalize(self.core, token.content)

    def tokenize(self, text, pair=None, add_special_tokens=False,
                 is_split_into_words=False, split_special_tokens=None):
        """Return the tokens of a text, or of a pair of texts, as a list of str.

        Args:
            text: a str; with is_split_into_words, a list of words.
            pair: the second text.
            add_special_tokens: put [CLS] and [SEP] around the texts.
            is_split_into_words: each text is a list of words.
            split_special_tokens: as in a call.

        Raises:
            TypeError: something else, such as a batch.
        """
        inputs.check(text, is_split_into_words, "text")
        return self(text, pair, add_special_tokens=add_special_tokens, verbose=False,
                    is_split_into_words=is_split_into_words,
                    split_special_tokens=split_special_tokens).tokens()

    def convert_tokens_to_string(self, tokens):
        """Join tokens into text, without spaces before English punctuation."""
        return "".join([decoding.written(token, i == 0)
                        for i, token in enumerate(tokens)])

    def _decode_ids(self, ids, skip_special_tokens):
        skip = set()
        if skip_special_tokens:
            skip = {i for i in self._added if self._token_of(i) in self._ever_special}
        known = self._written                   # HF: unused ids are dropped
        ids = [i for i in ids if i not in skip and (i in known or self._write(i))]
        if not ids:
            return ""
        first = decoding.written(self._token_of(ids[0]), first=True)
        return first + "".join([known[i] for i in ids[1:]])

    def _write(self, index):
        """Remember what an id adds to a text; return whether it has a token."""
        token = self._token_of(index)
        if token is not None:
            self._written[index] = decoding.written(token)
        return token is not None

    def get_special_tokens_mask(self, token_ids_0, token_ids_1=None,
                                already_has_special_tokens=False):
        """Return 1 for each id of a special token, 0 for the others.

        Args:
            token_ids_0: ids with their special tokens.
            token_ids_1: None; a second list is not supported.
            already_has_special_tokens: must be True.

        Raises:
            NotImplementedError: ids without special tokens, which only
                BertTokenizerLegacy takes.
            ValueError: a second list of ids.
        """
        if not already_has_special_tokens:
            raise NotImplementedError(
                "already_has_special_tokens is False, expected True: pass ids with "
                "their special tokens, or call the tokenizer with "
                "return_special_tokens_mask=True")
        return self._find_special(token_ids_0, token_ids_1)


BertTokenizerFast = BertTokenizer
