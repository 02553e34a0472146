"""What all model classes have: a configuration, parameters, and files for both."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from ..system import checkpoint, saving
from ..system.numbers import is_whole_number
from . import params as parameters
from .config import BertConfig
from .params import checked_dtype, checked_params, param_shapes

HUB = ("revision", "cache_dir", "local_files_only", "token")


class PreTrainedWeights:
    """A configuration and a flat dict of parameters, all of one dtype.

    Args:
        config: a BertConfig.
        dtype: "float32" or "float64", of fresh parameters and so of every result.
        rng: a seed or a numpy Generator for fresh parameters.
        params: parameters to use instead of fresh ones, in a dtype of their own, with
            the names and shapes of `param_shapes(config, type(self))`.
    """

    prefix = "bert."                    # starts the names of the backbone's parameters
    pooler = False                      # whether the backbone has a pooler
    heads: tuple[str, ...] = ()         # keys of params.HEAD_SHAPES
    files: tuple[str, ...] = ("config.json", "model.safetensors")   # of a checkpoint

    def __init__(self, config: BertConfig, *, dtype="float32", rng=0, params=None):
        if not isinstance(config, BertConfig):
            raise TypeError(f"config is a {type(config).__name__}, expected a "
                            "BertConfig: make one with BertConfig(...) or "
                            "BertConfig.from_pretrained(...)")
        self.config = config
        self.shapes = param_shapes(config, type(self), self.pooler)
        dtype = checked_dtype(dtype)
        if params is None:
            params = parameters.init(config, self.shapes, rng, dtype)
        self.params: dict[str, np.ndarray] = checked_params(params, self.shapes)

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the parameters."""
        return next(iter(self.params.values())).dtype

    def __repr__(self) -> str:
        return (f"{type(self).__name__}({self.num_parameters():,} parameters, "
                f"{self.dtype}, {self.config.num_hidden_layers} layers of "
                f"{self.config.hidden_size})")

    # ----------------------------------------------------------------------- files

    @classmethod
    def from_pretrained(cls, name_or_path, *, config=None, dtype="float32", rng=0,
                        ignore_mismatched_sizes=False, output_loading_info=False,
                        revision=None, cache_dir=None, local_files_only=False,
                        token=None, add_pooling_layer=None, torch_dtype=None,
                        **changes):
        """Load a checkpoint: config.json and safetensors weights.

        Args:
            name_or_path: a directory, or a name on the Hugging Face hub.  The hub needs
                `pip install "numbert[hub]"`; its local cache is searched first.
            config: a BertConfig to use instead of the checkpoint's own.
            dtype: "float32" or "float64"; half-precision files are converted.
            rng: seed or Generator for the parameters that start fresh.
            ignore_mismatched_sizes: whether a parameter that has another shape in the
                file starts fresh, instead of raising an error.
            output_loading_info: whether to return (model, dict), where the dict lists
                the names that were missing, unexpected or mismatched.
            revision, cache_dir, local_files_only, token: passed to huggingface_hub.
            add_pooling_layer: BertModel only; whether it has a pooler.
            torch_dtype: the old name of dtype.
            **changes: fields to change in the configuration (num_labels=3, ...).

        Raises:
            OSError, ValueError: the checkpoint is absent, damaged or not BERT's, or it
                lacks a part of the backbone.

        Warns:
            UserWarning: a head or the pooler starts fresh, or the model does not use
                some tensors of the file.
        """
        from ..system.hub import resolve
        dtype = checked_dtype(torch_dtype or dtype)
        directory = resolve(name_or_path, cls.files, revision=revision, token=token,
                            cache_dir=cache_dir, local_files_only=local_files_only)
        if config is None:
            config = BertConfig.from_pretrained(directory, **changes)
        elif changes:
            raise ValueError("config is given together with changes to it "
                             f"({', '.join(sorted(changes))}), expected only one of "
                             "these: change the config first")
        has_pooler = cls.pooler if add_pooling_layer is None else add_pooling_layer
        shapes = param_shapes(config, cls, has_pooler)
        tied = "lm" in cls.heads and config.tie_word_embeddings
        loaded, report = checkpoint.load(
            directory, shapes, dtype=dtype, aliases=parameters.TIES if tied else None,
            ignore_mismatched_sizes=ignore_mismatched_sizes)
        fresh = [name for name in shapes if name not in loaded]
        judge(cls, directory, report, fresh)
        loaded |= parameters.init(config, {name: shapes[name] for name in fresh},
                                  rng, dtype)
        options = {} if add_pooling_layer is None else \
            {"add_pooling_layer": add_pooling_layer}
        model = cls(config, dtype=dtype,
                    params={name: loaded[name] for name in shapes}, **options)
        model.read_others(directory)
        return (model, report._asdict()) if output_loading_info else model

    def save_pretrained(self, directory, *, max_shard_size="50GB") -> None:
        """Write config.json and model.safetensors, either both or neither.

        Transformers loads them in its class of the same name.
        max_shard_size: bytes, or "5GB", "200MB"; larger weights are split into shards.
        """
        config = BertConfig.from_dict({
            **self.config.to_dict(), "architectures": [type(self).__name__],
            "dtype": str(self.dtype)})
        saving.save(Path(directory), self.params, config_text=config.to_json_string(),
                    max_shard_size=max_shard_size)
        self.write_others(directory)

    def read_others(self, directory) -> None:
        """Read what a class keeps besides configuration and weights, if anything."""

    def write_others(self, directory) -> None:
        """Write what a class keeps besides configuration and weights, if anything."""

    # ------------------------------------------------------------------ embeddings

    @property
    def table_name(self) -> str:
        """The name of the word embedding table among the parameters."""
        return f"{self.prefix}embeddings.word_embeddings.weight"

    def num_parameters(self, exclude_embeddings: bool = False) -> int:
        """Count the numbers in all parameters; tied tensors count once.

        exclude_embeddings: whether to leave out the three embedding tables.
        """
        return sum(x.size for name, x in self.params.items()
                   if not (exclude_embeddings and "_embeddings." in name))

    def get_input_embeddings(self) -> np.ndarray:
        """The word embedding table (V, C)."""
        return self.params[self.table_name]

    def set_input_embeddings(self, table) -> None:
        """Replace the word embedding table by one of the same shape."""
        table = np.asarray(table).astype(self.dtype)
        if table.shape != self.get_input_embeddings().shape:
            raise ValueError(f"the table has shape {table.shape}, expected "
                             f"{self.get_input_embeddings().shape}: change the number "
                             "of rows with resize_token_embeddings")
        self.params[self.table_name] = table

    def get_output_embeddings(self) -> np.ndarray | None:
        """The table (V, C) with which the LM head scores words; None without one."""
        if "lm" not in self.heads:
            return None
        return self.params.get("cls.predictions.decoder.weight",
                               self.params[self.table_name])

    def tie_weights(self) -> None:
        """Make the LM head score words with the word embedding table from now on.

        With tie_word_embeddings, the default, it does already: there is one table.
        """
        if not self.config.tie_word_embeddings and "lm" in self.heads:
            self.config = BertConfig.from_dict(self.config.to_dict(),
                                               tie_word_embeddings=True)
            self.shapes = param_shapes(self.config, type(self), self.pooler)
            self.params = {name: self.params[name] for name in self.shapes}

    def resize_token_embeddings(self, new_num_tokens: int | None = None,
                                pad_to_multiple_of: int | None = None) -> np.ndarray:
        """Change the vocabulary size by adding or dropping rows at the end.

        A new row is the mean of the old ones, and so is a new bias: the score of a new
        token starts as the mean of all scores (Hewitt 2021).  Hugging Face adds noise
        whose covariance is 1e-9 of the table's, about 3e-5 of its spread.

        Args:
            new_num_tokens: the new vocab_size; None keeps it.
            pad_to_multiple_of: then round vocab_size up to a multiple of this.

        Returns:
            the new table (V, C).
        """
        old = self.config.vocab_size
        size = old if new_num_tokens is None else new_num_tokens
        multiple = 1 if pad_to_multiple_of is None else pad_to_multiple_of
        for name, value in (("new_num_tokens", size), ("pad_to_multiple_of", multiple)):
            if not is_whole_number(value) or value < 1:
                raise ValueError(f"{name} is {value!r}, expected a whole number above "
                                 "0: leave it out for no change")
        size = -(-int(size) // int(multiple)) * int(multiple)
        if size != old:
            self.config = BertConfig.from_dict(self.config.to_dict(), vocab_size=size)
            self.shapes = param_shapes(self.config, type(self), self.pooler)
            for name, shape in self.shapes.items():
                x = self.params[name]
                if x.shape != shape:
                    new = np.repeat(x.mean(0, keepdims=True), max(size - old, 0), 0)
                    self.params[name] = np.concatenate([x[:size], new])
        return self.get_input_embeddings()


def judge(cls, directory, report, fresh: list[str]) -> None:
    """Refuse a checkpoint that lacks a part of the backbone; warn of what starts fresh.
    """
    reshaped = {name for name, *_ in report.mismatched}
    # A decoder that starts from an encoder's checkpoint always lacks cross-attention.
    lost = [name for name in fresh if name not in reshaped
            and name.removeprefix(cls.prefix).startswith(("embeddings.", "encoder."))
            and ".crossattention." not in name]
    if lost:
        raise ValueError(
            f"{directory} lacks {len(lost)} tensors of the backbone: "
            f"{', '.join(lost)}; and holds {len(report.unexpected)} of unknown name: "
            f"{', '.join(report.unexpected) or 'none'}. Check that it is a BERT "
            "checkpoint and that config.json belongs to it")
    lines = []
    if fresh:
        lines.append(f"{cls.__name__} starts fresh in {len(fresh)} tensors, which need "
                     f"training: {', '.join(fresh)}")
    if report.unexpected:
        lines.append(f"{cls.__name__} does not use {len(report.unexpected)} tensors of "
                     f"{directory}: {', '.join(report.unexpected)}")
    if lines:
        warnings.warn(". ".join(lines), stacklevel=3)
