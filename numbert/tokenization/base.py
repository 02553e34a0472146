"""What the two BERT tokenizers share: the call, its arguments, loading, saving."""

import os
import warnings

from ..system.absent import refuse_arguments
from .rows import inputs, options
from .rows.batch import BatchEncoding, check_tensor_type
from .rows.padding import check_pad_token, pad as pad_rows
from .vocabulary import files, loading
from .vocabulary.tokens import Vocabulary


class TokenizerBase(Vocabulary):
    """A tokenizer without `_encode`, which each of the two does in its own way."""

    def _encode(self, samples, settled):
        """Encode inputs.Samples with options.Options; return a BatchEncoding."""
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
            text: a str, or a list of str.  An element of a list may be a pair (a, b).
            text_pair: the second text of each pair, shaped as `text`.
            text_target, text_pair_target: texts whose ids become "labels".
            add_special_tokens: put [CLS] and [SEP] around the texts.
            padding: False; True or "longest" (to the longest row); or "max_length".
            truncation: False; True or "longest_first"; "only_first"; "only_second".
            max_length: the most tokens of a row; None means model_max_length.
            stride: how many tokens neighbouring windows of a long text share.
            is_split_into_words: each text is a list of words.
            pad_to_multiple_of: round the padded width up to a multiple of this.
            padding_side: "right" or "left"; None means the tokenizer's.
            return_tensors: None (lists), "np" or "pt".
            return_token_type_ids, return_attention_mask: None means "if
                model_input_names has them".
            return_overflowing_tokens: one more row for each window of a long text.
            return_special_tokens_mask: 1 for special tokens and padding, 0 for text.
            return_offsets_mapping: (start, end) of each token in its text, in
                characters.
            return_length: the number of tokens in each row.
            verbose: warn about rows that are too long for the model.
            tokenizer_kwargs: dict of arguments that override the others.
            split_special_tokens: treat "[MASK]" in the text as ordinary text; None
                means as the tokenizer was made.
            max_target_length: max_length of text_target.

        Returns:
            BatchEncoding with input_ids, token_type_ids and attention_mask.  On request
            also special_tokens_mask, offset_mapping, length,
            overflow_to_sample_mapping and labels.  One text gives flat lists; a batch,
            or return_tensors, gives rows.

        Raises:
            TypeError: something that is not a str, or not valid Unicode.
            ValueError: options that contradict each other, a sample that can't be cut,
                or an empty batch.
        """
        given = options.Arguments(
            add_special_tokens, padding, truncation, max_length, stride,
            is_split_into_words, pad_to_multiple_of, padding_side, return_tensors,
            return_token_type_ids, return_attention_mask, return_overflowing_tokens,
            return_special_tokens_mask, return_offsets_mapping, return_length, verbose,
            split_special_tokens)
        if tokenizer_kwargs:
            return self(**{
                "text": text, "text_pair": text_pair, "text_target": text_target,
                "text_pair_target": text_pair_target, **given._asdict(),
                "max_target_length": max_target_length, **tokenizer_kwargs})
        settled = self._settle(given)
        if text is None and text_target is None:
            raise ValueError("text is None, expected a text: pass one, or a batch")
        batch = BatchEncoding()
        if text is not None:
            batch = self._encode(self._read(text, text_pair, settled.words), settled)
        if text_target is None:
            return batch
        if max_target_length is not None:
            settled = settled._replace(max_length=max_target_length)
        samples = self._read(text_target, text_pair_target, settled.words)
        target = self._encode(samples, settled)
        if text is None:
            return target
        batch["labels"] = target["input_ids"]
        return batch

    def _settle(self, given):
        """Check the Arguments of a call, and return them as Options."""
        padding, truncation, max_length = options.resolve(
            given.padding, given.truncation, given.max_length, self.model_max_length,
            given.pad_to_multiple_of, given.verbose)
        if padding is not None:
            check_pad_token(self)
        tensors, split = given.return_tensors, given.split_special_tokens
        return options.Options(
            padding=padding, truncation=truncation, max_length=max_length,
            stride=options.stride(given.stride),
            pad_to_multiple_of=given.pad_to_multiple_of,
            padding_side=options.side(
                "padding_side", given.padding_side or self.padding_side),
            truncation_side=self.truncation_side,
            add_special_tokens=bool(given.add_special_tokens),
            overflow=bool(given.return_overflowing_tokens),
            keys=self._keys(given), length=given.return_length,
            tensors=None if tensors is None else check_tensor_type(tensors),
            words=given.is_split_into_words,
            split=self.split_special_tokens if split is None else split,
            warn=given.verbose and given.max_length is None)

    def _read(self, text, text_pair, words):
        """Return the texts of a call as inputs.Samples."""
        return inputs.read(text, text_pair, words)

    def _keys(self, given):
        """Return the names of the outputs with one value per token, in order."""
        keys = ["input_ids"]
        for name, asked in (("token_type_ids", given.return_token_type_ids),
                            ("attention_mask", given.return_attention_mask)):
            if name in self.model_input_names if asked is None else asked:
                keys.append(name)
        if given.return_special_tokens_mask:
            keys.append("special_tokens_mask")
        if given.return_offsets_mapping:
            keys.append("offset_mapping")
        return tuple(keys)

    # Lengths

    def num_special_tokens_to_add(self, pair=False):
        """Return how many special tokens a row gets: 2 for a text, 3 for a pair."""
        return 3 if pair else 2

    @property
    def max_len_single_sentence(self):
        """How many pieces of one text fit into the model."""
        return self.model_max_length - self.num_special_tokens_to_add()

    @property
    def max_len_sentences_pair(self):
        """How many pieces of two texts together fit into the model."""
        return self.model_max_length - self.num_special_tokens_to_add(pair=True)

    def warn_if_too_long(self, longest):
        """Warn, but only once, that a row has more tokens than the model takes."""
        if not self._warned_too_long and 0 < self.model_max_length < longest:
            self._warned_too_long = True
            warnings.warn(
                f"a row of {longest} tokens is longer than the model's maximum of "
                f"{self.model_max_length}: pass truncation=True to shorten it",
                stacklevel=4)

    def pad(self, encoded_inputs, padding=True, max_length=None,
            pad_to_multiple_of=None, padding_side=None, return_attention_mask=None,
            return_tensors=None, verbose=True):
        """Pad rows that were encoded earlier; see `rows.padding.pad`."""
        return pad_rows(self, encoded_inputs, padding, max_length, pad_to_multiple_of,
                        padding_side, return_attention_mask, return_tensors,
                        verbose)

    def encode(self, text, text_pair=None, add_special_tokens=True, padding=False,
               truncation=None, max_length=None, stride=0, padding_side=None,
               return_tensors=None, **kwargs):
        """Return only the ids of a call; the arguments are those of a call."""
        return self(text, text_pair, add_special_tokens=add_special_tokens,
                    padding=padding, truncation=truncation, max_length=max_length,
                    stride=stride, padding_side=padding_side,
                    return_tensors=return_tensors, **kwargs)["input_ids"]

    def save_vocabulary(self, save_directory, filename_prefix=None):
        """Write the vocabulary as vocab.txt, one token per line.

        Returns:
            tuple of the paths written
        """
        return files.save_vocabulary(self._vocab, save_directory, filename_prefix)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, *, revision=None,
                        cache_dir=None, force_download=False, local_files_only=False,
                        token=None, subfolder="", tokenizer_file=None,
                        tokenizer_object=None, use_fast=None, **kwargs):
        """Load a saved tokenizer.

        Args:
            pretrained_model_name_or_path: a directory, a vocab.txt, a tokenizer.json,
                or a name on the Hugging Face hub (which needs huggingface_hub).
            revision, cache_dir, force_download, local_files_only, token: for the hub;
                see system.hub.resolve.
            subfolder: where the files lie in the directory or the repository.
            tokenizer_file: the path of a tokenizer.json, read in place of the
                directory's.
            tokenizer_object: a tokenizers.Tokenizer, whose vocabulary, added tokens
                and normaliser take the place of the files'.
            use_fast: HF: has no effect; BertTokenizerLegacy is the slow tokenizer.
            kwargs: arguments of the constructor, which override the files.

        Raises:
            FileNotFoundError: there is no tokenizer there.
            ValueError: a file is broken, or belongs to another kind of tokenizer.
            TypeError: a setting has the wrong type, or an argument is unknown.
        """
        hub = {"revision": revision, "cache_dir": cache_dir, "token": token,
               "force_download": force_download, "subfolder": subfolder,
               "local_files_only": local_files_only}
        return loading.load(cls, pretrained_model_name_or_path, hub, kwargs,
                            tokenizer_file, tokenizer_object)

    def save_pretrained(self, save_directory, legacy_format=None, filename_prefix=None,
                        **kwargs):
        """Save the tokenizer; transformers can load it too.

        A crash leaves each file either as it was or as it should be.

        Args:
            save_directory: a directory, created if it doesn't exist.
            legacy_format: True writes vocab.txt and, for tokens that it lacks,
                added_tokens.json; False writes tokenizer.json; None means as the
                class does.  BertTokenizerLegacy can only do the former.
            filename_prefix: put before the file names, with a "-".

        Returns:
            tuple of the paths written

        Raises:
            ValueError: legacy_format=False with BertTokenizerLegacy.
            TypeError: an unknown argument.
        """
        refuse_arguments(f"{type(self).__name__}.save_pretrained", kwargs,
                         ("legacy_format", "filename_prefix"))
        if legacy_format is None:
            legacy_format = not self.is_fast
        if not legacy_format and not self.is_fast:
            raise ValueError("legacy_format is False, expected True or None, because "
                             "BertTokenizerLegacy has no other format: use "
                             "BertTokenizer")
        os.makedirs(save_directory, exist_ok=True)
        save = loading.save_legacy if legacy_format else loading.save
        return save(self, save_directory, filename_prefix)

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
