"""BertTokenizer: from text to the arrays that a BERT model reads, and back."""

import dataclasses
from functools import partial

from ..system.absent import refuse_arguments
from .base import TokenizerBase
from .fast.pipeline import compile_core, find_added, normalize
from .rows import encoding, inputs
from .rows.options import flag
from .vocabulary import decoding, loading, rust
from .vocabulary.special_tokens import check_extra
from .vocabulary.tokens import as_special, as_vocabulary, in_order

FEW, SHORT = 8, 10_000      # lists are quicker up to 8 samples and 10,000 characters


def _normalizer_setting(name):
    """Return a property: a setting of the normaliser, which a new value changes."""
    def get(self):
        return getattr(self, "_" + name)

    def set_(self, value):
        setattr(self, "_" + name, flag(name, value, name == "strip_accents"))
        self._core = None
        self._written.clear()

    return property(get, set_, doc=f"The {name} of the normaliser.")


def renamed(token, names):
    """Return a special token, a str or an AddedToken, under its new name if it has one.
    """
    text = names.get(str(token), str(token))
    return text if isinstance(token, str) else dataclasses.replace(token, content=text)


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
        tokenizer_object, tokenizer_file: a tokenizers.Tokenizer, or the path of a
            tokenizer.json.  Its vocabulary, added tokens, do_lower_case, strip_accents
            and tokenize_chinese_chars are used.
        kwargs: model_max_length, padding_side, truncation_side, split_special_tokens,
            clean_up_tokenization_spaces, extra_special_tokens, model_input_names,
            name_or_path, and special tokens of other names, such as image_token.

    Raises:
        TypeError: a vocabulary, a token or a setting of the wrong type, or an unknown
            argument.
        ValueError: two tokens with one id, a vocab.txt that is not UTF-8, an unknown
            side, no unk_token, cls_token or sep_token, or a tokenizer_file that is not
            BERT's or contradicts an argument.

    Source: Devlin et al., "BERT", 2019, section 3 ([CLS] a [SEP] b [SEP], segments).
    Ids, offsets and defaults are as in transformers 5.24, except for what
    `numbert.tokenization.deviations` lists.
    """

    vocab_files_names = {"vocab_file": "vocab.txt", "tokenizer_file": "tokenizer.json"}
    model_input_names = ["input_ids", "token_type_ids", "attention_mask"]
    needed = "unk_token", "cls_token", "sep_token"
    is_fast = True               # it maps tokens to words and characters
    do_lower_case = _normalizer_setting("do_lower_case")
    strip_accents = _normalizer_setting("strip_accents")
    tokenize_chinese_chars = _normalizer_setting("tokenize_chinese_chars")

    def __init__(self, /, vocab=None, do_lower_case=True, unk_token="[UNK]",
                 sep_token="[SEP]", pad_token="[PAD]", cls_token="[CLS]",
                 mask_token="[MASK]", tokenize_chinese_chars=True, strip_accents=None,
                 vocab_file=None, tokenizer_object=None, tokenizer_file=None, **kwargs):
        special = {"unk_token": unk_token, "sep_token": sep_token,
                   "pad_token": pad_token, "cls_token": cls_token,
                   "mask_token": mask_token}
        own = {"do_lower_case": do_lower_case, "strip_accents": strip_accents,
               "tokenize_chinese_chars": tokenize_chinese_chars}
        vocab = vocab_file if vocab is None else vocab
        added, model_unk_token = [], None
        if tokenizer_object is not None or tokenizer_file is not None:
            vocab, model_unk_token, own, added, sides = rust.read(
                tokenizer_object, tokenizer_file, own)
            kwargs = {**sides, **kwargs}
        if vocab is None:
            names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
            vocab = {str(special[name]): i for i, name in enumerate(names)}
        super().__init__(as_vocabulary(vocab), special, kwargs)
        self._written: dict[int, str] = {}      # what each id adds to a decoded text
        for name, value in own.items():
            setattr(self, name, value)
        self.init_kwargs.update(own)
        self._add_first_tokens([
            *added, *in_order(kwargs.get("added_tokens_decoder")).values()])
        # HF: rows keep these tokens, even if the attributes change later.
        self.model_unk_token = model_unk_token or self.unk_token
        self.template_tokens = self.cls_token, self.sep_token
        self._template_ids = self.cls_token_id, self.sep_token_id

    def _add_first_tokens(self, saved):
        """Add the tokens of a saved tokenizer, then the special ones."""
        named = self.special_tokens_map.values()
        tokens = {}
        for token in saved:
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
                chinese_chars=self.tokenize_chinese_chars, added_tokens=added,
                source=f"the vocabulary{self.origin}")
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

    def token_texts(self, ids, offsets, sources, split_special_tokens):
        """Return the text of each token of a row.

        HF: an added token is shown as the text that it was found in, white space
        included, and normalised if the token is.

        Args:
            ids: the ids of the tokens.
            offsets: (start, end) of each token in its text.
            sources: the text that each token comes from; None for special tokens.
            split_special_tokens: as in the call.
        """
        tokens = list(map(self._token_of, ids))
        odd = set()         # added tokens whose text may be another than the token
        for i in self._added.keys() & ids:
            token = self._added[i]
            if token.lstrip or token.rstrip or self._shown(token) != token.content:
                odd.add(i)
        found: dict[str, dict] = {}         # {source: {(id, start, end): text}}
        for k, (i, offset, source) in enumerate(zip(ids, offsets, sources)):
            if i not in odd or source is None:
                continue
            if source not in found:
                matches = find_added(self.core, source, split_special_tokens)
                found[source] = {match[:3]: match.text for match in matches}
            text = found[source].get((i, *offset))
            tokens[k] = self._piece_of(i) or tokens[k] if text is None else text
        return tokens

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

    def train_new_from_iterator(self, text_iterator, vocab_size, length=None,
                                new_special_tokens=None, special_tokens_map=None,
                                min_frequency=0, limit_alphabet=None,
                                show_progress=False, **kwargs):
        """Return a tokenizer like this one, with a vocabulary learned from text.

        `learn.train_wordpiece` learns it.  The special tokens come first; other added
        tokens are left out.

        Args:
            text_iterator: an iterable of str, or of lists of str.
            vocab_size: the number of tokens, special tokens included.
            new_special_tokens: more special tokens, a list of str or AddedToken.
            special_tokens_map: {old: new}, to rename special tokens.
            min_frequency: leave pairs of pieces alone that occur less often.
            limit_alphabet: how many characters to keep; None keeps all.
            length, show_progress: have no effect; there is no progress to show.

        Raises:
            TypeError: what is not text, or an unknown argument.
            ValueError: no words, or a vocab_size that is too small.
        """
        from .learn import each_text, train_wordpiece
        refuse_arguments("train_new_from_iterator", kwargs, (
            "length", "new_special_tokens", "special_tokens_map", "min_frequency",
            "limit_alphabet", "show_progress"))
        new = partial(renamed, names=special_tokens_map or {})
        more = [as_special(token) for token in check_extra(new_special_tokens or [])]
        special = [new(token) for token in in_order(self._added).values()
                   if token.special]
        special = list({token.content: token for token in special + more}.values())
        vocab = train_wordpiece(
            each_text(text_iterator), vocab_size, lowercase=self.do_lower_case,
            strip_accents=self.strip_accents, chinese_chars=self.tokenize_chinese_chars,
            special_tokens=[token.content for token in special],
            min_frequency=min_frequency, limit_alphabet=limit_alphabet)
        settings = {
            **loading.settings_of(self), "name_or_path": self.name_or_path,
            **{name: new(token) for name, token in self._special.items()
               if token is not None},
            "extra_special_tokens": [*map(new, self._extra_special), *more],
            "added_tokens_decoder": {vocab[token.content]: token for token in special}}
        return loading.make(type(self), vocab, settings)

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
