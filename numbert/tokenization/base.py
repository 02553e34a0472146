"""What both BERT tokenizers share: the call and its arguments, loading and saving."""

import os
import warnings
from typing import NamedTuple, Optional

from .vocabulary import files, loading
from .rows import inputs, options
from .rows.batch import BatchEncoding, check_tensor_type
from .rows.padding import NO_PAD_TOKEN, pad as pad_rows
from .vocabulary.tokens import Vocabulary


class Request(NamedTuple):
    """What a call wants, beside its texts and its Options."""
    keys: tuple                  # the outputs with one value per token, in order
    length: bool                 # the number of tokens per row, too
    tensors: Optional[str]       # None, "np" or "pt"
    words: bool                  # the texts are lists of words
    split: bool                  # special tokens in the text are ordinary text
    warn: bool                   # about rows that are too long for the model


class TokenizerBase(Vocabulary):
    """A tokenizer but for `_encode`, which is where the two of them differ."""

    def _encode(self, samples, plan, request):
        """Encode inputs.Samples by Options and Request; returns a BatchEncoding."""
        raise NotImplementedError

    def __call__(self, text=None, text_pair=None, text_target=None,
                 text_pair_target=None, add_special_tokens=True, padding=False,
                 truncation=None, max_length=None, stride=0, is_split_into_words=False,
                 pad_to_multiple_of=None, padding_side=None, return_tensors=None,
                 return_token_type_ids=None, return_attention_mask=None,
                 return_overflowing_tokens=False, return_special_tokens_mask=False,
                 return_offsets_mapping=False, return_length=False, verbose=True,
                 tokenizer_kwargs=None, split_special_tokens=None,
                 max_target_length=None):
        """Turn text into the inputs of a model.

        Args:
            text: a str, or a list of str; an element of a list may be a pair (a, b).
            text_pair: the second text(s) of the pair(s), shaped as `text`.
            text_target, text_pair_target: texts whose ids become "labels".
            add_special_tokens: put [CLS] and [SEP] around the texts.
            padding: False; True or "longest" (to the longest row); or "max_length".
            truncation: False; True or "longest_first"; "only_first"; "only_second".
            max_length: in tokens; None means model_max_length.
            stride: tokens that neighbouring windows of a long text share.
            is_split_into_words: each text is a list of words.
            pad_to_multiple_of: round the padded width up to a multiple of this.
            padding_side: "right" or "left"; None means the tokenizer's.
            return_tensors: None (lists), "np" or "pt".
            return_token_type_ids, return_attention_mask: None means as
                model_input_names says.
            return_overflowing_tokens: one more row for each window of a long text.
            return_special_tokens_mask: 1 for special tokens and padding, 0 for text.
            return_offsets_mapping: (start, end) of each token in its text, in
                characters.
            return_length: the number of tokens in each row.
            verbose: warn about rows that are too long for the model.
            tokenizer_kwargs: dict of arguments that override those above.
            split_special_tokens: treat "[MASK]" in the text as ordinary text; None
                means as the tokenizer was made.
            max_target_length: max_length of text_target.

        Returns:
            BatchEncoding with input_ids, token_type_ids, attention_mask, and, if asked
            for, special_tokens_mask, offset_mapping, length,
            overflow_to_sample_mapping, labels.  One text gives flat lists; a batch, or
            return_tensors, gives rows.

        Raises:
            TypeError: something that is not a string, or not valid Unicode.
            ValueError: options that contradict each other; a sample that can't be cut;
                an empty batch.
        """
        if tokenizer_kwargs:
            given = {**locals(), **tokenizer_kwargs, "tokenizer_kwargs": None}
            return self(**{k: v for k, v in given.items() if k != "self"})
        plan, request = self._settle(
            add_special_tokens, padding, truncation, max_length, stride,
            is_split_into_words, pad_to_multiple_of, padding_side, return_tensors,
            self._keys(return_token_type_ids, return_attention_mask,
                       return_special_tokens_mask, return_offsets_mapping),
            return_overflowing_tokens, return_length, verbose, split_special_tokens)
        if text_target is None:
            if text is None:
                raise ValueError("There is nothing to encode: pass a text.")
            samples = self._read(text, text_pair, request.words)
            return self._encode(samples, plan, request)
        batch = BatchEncoding()
        if text is not None:
            samples = self._read(text, text_pair, request.words)
            batch = self._encode(samples, plan, request)
        if max_target_length is not None:
            plan = plan._replace(max_length=max_target_length)
        samples = self._read(text_target, text_pair_target, request.words)
        target = self._encode(samples, plan, request)
        if text is None:
            return target
        batch["labels"] = target["input_ids"]
        return batch

    def _settle(self, add_special_tokens=True, padding=False, truncation=None,
                max_length=None, stride=0, words=False, pad_to_multiple_of=None,
                padding_side=None, return_tensors=None, keys=(), overflow=False,
                length=False, verbose=True, split_special_tokens=None):
        """The arguments of a call, checked, as Options and Request."""
        fill, cut, limit = options.resolve(
            padding, truncation, max_length, self.model_max_length, pad_to_multiple_of,
            verbose)
        if fill is not None and self.pad_token is None:
            raise ValueError(NO_PAD_TOKEN)
        plan = options.Options(
            fill, cut, limit, options.stride(stride), pad_to_multiple_of,
            options.side("padding_side", padding_side or self.padding_side),
            self.truncation_side, bool(add_special_tokens), bool(overflow))
        if split_special_tokens is None:
            split_special_tokens = self.split_special_tokens
        tensors = None if return_tensors is None else check_tensor_type(return_tensors)
        return plan, Request(keys, length, tensors, words, split_special_tokens,
                             verbose and max_length is None)

    def _read(self, text, text_pair, words):
        """The texts of a call as inputs.Samples."""
        return inputs.read(text, text_pair, words)

    def _keys(self, types, mask, special, offsets):
        """The names of the outputs, in order."""
        names = self.model_input_names
        types = "token_type_ids" in names if types is None else types
        mask = "attention_mask" in names if mask is None else mask
        wanted = (("input_ids", True), ("token_type_ids", types),
                  ("attention_mask", mask), ("special_tokens_mask", special),
                  ("offset_mapping", offsets))
        return tuple([name for name, want in wanted if want])
    # Lengths

    def num_special_tokens_to_add(self, pair=False):
        """How many special tokens a text (a pair) gets: 2 (3)."""
        return 3 if pair else 2

    @property
    def max_len_single_sentence(self):
        """The pieces of one text that fit into the model."""
        return self.model_max_length - self.num_special_tokens_to_add()

    @property
    def max_len_sentences_pair(self):
        """The pieces of two texts together that fit into the model."""
        return self.model_max_length - self.num_special_tokens_to_add(pair=True)

    def warn_if_too_long(self, longest):
        """Warn, once, of a row of more tokens than the model takes."""
        if not self._warned_too_long and 0 < self.model_max_length < longest:
            self._warned_too_long = True
            warnings.warn(
                f"A sequence of {longest} tokens is longer than the model's maximum of "
                f"{self.model_max_length}; pass truncation=True before giving it to "
                "the model.", stacklevel=4)

    def pad(self, encoded_inputs, padding=True, max_length=None,
            pad_to_multiple_of=None, padding_side=None, return_attention_mask=None,
            return_tensors=None, verbose=True):
        """Pad rows that were encoded earlier: see `rows.padding`."""
        return pad_rows(self, encoded_inputs, padding, max_length, pad_to_multiple_of,
                        padding_side, return_attention_mask, return_tensors,
                        verbose)

    def encode(self, text, text_pair=None, **kwargs):
        """The ids of a call, and nothing else; the arguments are those of a call."""
        return self(text, text_pair, **kwargs)["input_ids"]

    def save_vocabulary(self, save_directory, filename_prefix=None):
        """Write the vocabulary as vocab.txt, one token per line.

        Returns:
            The paths written, in a tuple.
        """
        return files.save_vocabulary(self._vocab, save_directory, filename_prefix)

    @classmethod
    def from_pretrained(cls, path, **kwargs):
        """Load a saved tokenizer.

        Args:
            path: a directory, a vocab.txt, a tokenizer.json, or a name on the Hugging
                Face hub (which needs huggingface_hub).
            kwargs: settings that override those in the files; and, for the hub,
                revision, cache_dir, local_files_only and token.

        Raises:
            FileNotFoundError: there is no tokenizer at that place.
            ValueError: a file that is broken, or of another kind of tokenizer.
        """
        vocab, settings = loading.load(path, dict(kwargs), legacy=not cls.is_fast)
        return cls(vocab, **settings)

    def save_pretrained(self, save_directory, filename_prefix=None):
        """Save the tokenizer; transformers can load it, too.

        Args:
            save_directory: made if it doesn't exist.
            filename_prefix: put before the file names, with a "-".

        Returns:
            The paths written, in a tuple.  Each file is replaced whole or not at all.
        """
        os.makedirs(save_directory, exist_ok=True)
        return self._save(save_directory, filename_prefix)

    def _save(self, directory, prefix):
        return loading.save(self, directory, prefix)

    def __repr__(self):
        added = "".join(f"\n\t{i}: {token!r}," for i, token in
                        self.added_tokens_decoder.items())
        return (f"{type(self).__name__}(name_or_path={self.name_or_path!r}, "
                f"vocab_size={self.vocab_size}, "
                f"model_max_length={self.model_max_length}, "
                f"padding_side={self.padding_side!r}, "
                f"truncation_side={self.truncation_side!r}, "
                f"special_tokens={self.special_tokens_map}, "
                f"added_tokens_decoder={{{added}\n}})")
