"""What all model classes have: a configuration, parameters, and files for both."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..system import checkpoint, saving
from ..system.numbers import generator, is_whole_number
from . import params as parameters
from .backend import NUMPY_BACKEND, torch_options
from .config import BertConfig, check_attention
from .params import checked_dtype, checked_params, loaded_dtype, param_shapes
from .params import tied_names

HUB = ("revision", "cache_dir", "local_files_only", "token", "subfolder",
       "force_download")
STATE_DICT = "state_dict"               # stands for a directory, if there is none
LAYER = re.compile(r"\blayer\.(\d+)\.")


class ModuleNames:
    """The methods of a torch module that users call, for models that hold a dict."""

    params: Any
    aliases: dict[str, str] = {}        # second names of tied tensors, for state_dict
    main_input_name = "input_ids"
    training = False
    generates = False                   # whether `generate` accepts the model
    halves: tuple[str, ...] = ()        # attributes that are models of their own

    def __getattr__(self, name: str):
        from ..system.absent import no_attribute
        raise no_attribute(type(self).__name__, name)

    @property
    def device(self):
        """Where the parameters are: "cpu" for NumPy, or a device of torch."""
        return next(iter(self.params.values())).device

    def eval(self):
        """Return the model itself: without rng, a call never drops anything."""
        return self.train(False)

    def train(self, mode: bool = True):
        """Refuse training mode, as there are no modes; train(False) is eval().

        Dropout is turned on for one call at a time: model(..., rng=seed).
        """
        if mode:
            raise TypeError(f"mode is {mode!r}, expected False, as there are no modes: "
                            "pass rng=seed to each call that needs dropout")
        return self

    def state_dict(self) -> dict[str, np.ndarray]:
        """Return all parameters by name, tied ones under each of their names.

        The arrays are those of `params`, not copies.
        """
        return {**self.params, **{alias: self.params[name] for alias, name
                                  in self.aliases.items() if name in self.params
                                  and alias not in self.params}}

    def named_parameters(self) -> Iterator[tuple[str, np.ndarray]]:
        """Yield (name, array) for each parameter, tied ones once."""
        yield from self.params.items()

    def num_parameters(self, only_trainable: bool = False,
                       exclude_embeddings: bool = False) -> int:
        """Count the numbers in all parameters; tied tensors count once.

        only_trainable: changes nothing, as all of them are.
        exclude_embeddings: whether to leave out the three embedding tables.
        """
        return sum(math.prod(x.shape) for name, x in self.params.items()
                   if not (exclude_embeddings and "_embeddings." in name))

    @classmethod
    def can_generate(cls) -> bool:
        """Whether the class has `generate`."""
        return cls.generates


class PreTrainedWeights(ModuleNames):
    """A configuration and a flat dict of parameters, all of one dtype.

    Args:
        config: a BertConfig.
        dtype: "float32" or "float64", of the parameters and so of every result; by
            default the dtype of `params` or, for fresh ones, float32.
        rng: a seed or a numpy Generator for fresh parameters.
        params: parameters to use instead of fresh ones, with the names and shapes of
            `param_shapes(config, type(self))`.
    """

    config_class = BertConfig
    base_model_prefix = "bert"
    backbone_class: Any = None          # BertModel; classes.py says so
    prefix = "bert."                    # starts the names of the backbone's parameters
    pooler = False                      # whether the backbone has a pooler
    heads: tuple[str, ...] = ()         # keys of params.HEAD_SHAPES
    rows = "B"                          # what a row of the backbone's input is
    files: tuple[str, ...] = ("config.json", "model.safetensors")   # of a checkpoint
    dtype: Any                          # of the parameters; see BertPreTrainedModel
    to_torch: Any
    backend: Any = NUMPY_BACKEND        # where the arrays are, and how they get there

    def __init__(self, config: BertConfig, *, dtype=None, rng=0, params=None):
        if not isinstance(config, BertConfig):
            raise TypeError(f"config is a {type(config).__name__}, expected a "
                            "BertConfig: make one with BertConfig(...) or "
                            "BertConfig.from_pretrained(...)")
        self.config = config
        self.shapes = param_shapes(config, type(self), self.pooler)
        wanted = checked_dtype("float32" if dtype is None else dtype)
        if params is None:
            params = parameters.init(config, self.shapes, rng, wanted)
        self.params: dict[str, np.ndarray] = checked_params(params, self.shapes)
        if dtype is not None:
            self.params = {name: x.astype(wanted, copy=False)
                           for name, x in self.params.items()}

    @property
    def num_labels(self) -> int:
        """The number of classes K, as the configuration has it."""
        return self.config.num_labels

    @property
    def aliases(self) -> dict[str, str]:                # type: ignore[override]
        """Second names of tied parameters: {alias: name in params}."""
        return tied_names(type(self), self.config)

    @property
    def base_model(self):
        """The backbone as a BertModel that shares this model's arrays.

        It is made when asked for: a parameter that is replaced later, here or there, is
        not replaced in the other.
        """
        if not self.prefix:
            return self
        if self.backend.base_model is not None:
            return self.backend.base_model(self)
        return self.backbone_class(
            self.config, add_pooling_layer=self.pooler,
            params={name.removeprefix(self.prefix): x for name, x in self.params.items()
                    if name.startswith(self.prefix)})

    @property
    def bert(self):
        """The same as base_model, in a model with a head."""
        if not self.prefix:
            raise AttributeError("bert")
        return self.base_model

    def __repr__(self) -> str:
        return (f"{type(self).__name__}({self.num_parameters():,} parameters, "
                f"{self.dtype}, {self.config.num_hidden_layers} layers of "
                f"{self.config.hidden_size})")

    def _repr_html_(self) -> str:
        from ..system.html import table
        return table(f"{type(self).__name__}, {self.num_parameters():,} parameters, "
                     f"{self.dtype}", ("part", "tensors", "parameters"),
                     parameters.parts(self.params, self.prefix))

    # ----------------------------------------------------------------------- files

    @classmethod
    def from_config(cls, config, *, attn_implementation=None, **options):
        """Make a model with fresh parameters: the same as cls(config, **options)."""
        check_attention(attn_implementation)
        return cls(config, **options)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, *, config=None,
                        dtype="float32", rng=0, ignore_mismatched_sizes=False,
                        output_loading_info=False, revision=None, cache_dir=None,
                        local_files_only=False, token=None, subfolder="",
                        force_download=False, state_dict=None, use_safetensors=None,
                        attn_implementation=None, add_pooling_layer=None,
                        low_cpu_mem_usage=None, torch_dtype=None, device=None,
                        **changes):
        """Load a checkpoint: config.json and safetensors weights.

        float32 weights are mapped into memory, and read where they are first used.  So
        do not overwrite their file in place while the model is in use; replacing it, as
        save_pretrained does, is fine.  See system.checkpoint.load.

        Args:
            pretrained_model_name_or_path: a directory, or a name on the Hugging Face
                hub.  The hub needs `pip install "numbert[hub]"`; its local cache is
                searched first.  May be None if config and state_dict are given.
            config: a BertConfig to use instead of the checkpoint's own, or where to
                load it from.
            dtype: "float32" or "float64"; half-precision files are converted.  "auto"
                takes float64 if the checkpoint is in float64, else float32.
            rng: seed or Generator for the parameters that start fresh.
            ignore_mismatched_sizes: whether a parameter that has another shape in the
                file starts fresh, instead of raising an error.
            output_loading_info: whether to return (model, dict).  The dict holds the
                sets missing_keys, unexpected_keys and mismatched_keys; in the last,
                each name comes with its shape in the file and in the model.
            revision, cache_dir, local_files_only, token, force_download: passed to
                huggingface_hub.
            subfolder: where the checkpoint lies inside the directory or repository.
            state_dict: {name: array} to use in place of the weights of the checkpoint.
            use_safetensors: True or None, as numbert reads nothing else.
            attn_implementation: "sdpa" gives a model that computes with torch's fused
                attention; "eager" or None changes nothing, unless there is a device.
            device: gives a model that computes with torch there, as to_torch does;
                dtype may then be "float16" or "bfloat16" too.
            add_pooling_layer: BertModel only; whether it has a pooler.
            low_cpu_mem_usage: ignored, in transformers too.
            torch_dtype: the old name of dtype.
            **changes: fields to change in the configuration (num_labels=3, ...).

        Raises:
            OSError, ValueError: the checkpoint is absent, damaged or not BERT's, or it
                lacks a part of the backbone.
            TypeError: an argument that does not exist.

        Warns:
            UserWarning: a head or the pooler starts fresh, or the model does not use
                some tensors of the file.
        """
        torch = torch_options(device, torch_dtype or dtype, attn_implementation)
        check_safetensors("use_safetensors", use_safetensors)
        hub = {"revision": revision, "cache_dir": cache_dir, "token": token,
               "local_files_only": local_files_only, "subfolder": subfolder,
               "force_download": force_download}
        directory = located(cls, pretrained_model_name_or_path, config, state_dict, hub)
        if config is None:
            changes.setdefault("name_or_path", pretrained_model_name_or_path)
            config = BertConfig.from_pretrained(directory, **changes)
        elif changes:
            raise ValueError("config is given together with changes to it "
                             f"({', '.join(sorted(changes))}), expected only one of "
                             "these: change the config first")
        elif not isinstance(config, BertConfig):
            config = BertConfig.from_pretrained(config)
        stored = checkpoint.inventory(Path(directory)) if state_dict is None else \
            checkpoint.in_memory(state_dict)
        check_layers(directory, config, stored)
        dtype = loaded_dtype(torch_dtype or dtype, config, stored, torch)
        has_pooler = cls.pooler if add_pooling_layer is None else add_pooling_layer
        shapes = param_shapes(config, cls, has_pooler)
        loaded, report = checkpoint.load(
            directory, shapes, dtype=dtype, base_prefix=f"{cls.base_model_prefix}.",
            aliases=tied_names(cls, config),
            ignore_mismatched_sizes=ignore_mismatched_sizes, stored=stored)
        fresh = [name for name in shapes if name not in loaded]
        judge(cls, directory, report, fresh)
        loaded |= parameters.init(config, {name: shapes[name] for name in fresh},
                                  rng, dtype)
        options = {} if add_pooling_layer is None else \
            {"add_pooling_layer": add_pooling_layer}
        model = cls(config, params={name: loaded[name] for name in shapes}, **options)
        if directory != STATE_DICT:
            model.read_others(directory)
        if torch is not None:
            model = model.to_torch(**torch)
        if output_loading_info:
            return model, loading_info(report, model.aliases)
        return model

    def save_pretrained(self, save_directory, *, state_dict=None,
                        max_shard_size="50GB", safe_serialization=True,
                        **others) -> None:
        """Write config.json and model.safetensors, either both or neither.

        Transformers loads them in its class of the same name.

        Args:
            save_directory: created if it does not exist.
            state_dict: {name: array} to write in place of the model's parameters.
            max_shard_size: bytes, or "5GB", "200MB"; larger weights are split into
                shards.
            safe_serialization: True, as numbert writes no pickles.

        Raises:
            OSError: the files could not be written.  The old ones are unchanged.
            TypeError: an argument that does not exist.
            ValueError: the state_dict does not fit the model.
        """
        from ..system.absent import refuse_arguments
        refuse_arguments("save_pretrained", others, (
            "save_directory", "state_dict", "max_shard_size", "safe_serialization"))
        check_safetensors("safe_serialization", safe_serialization)
        given = self.params if state_dict is None else state_dict
        params = checked_params(
            {name: x for name, x in self.backend.arrays(given).items()
             if name not in self.aliases}, self.shapes)
        dtype = next(iter(params.values())).dtype
        config = BertConfig.from_dict({
            **self.config.to_dict(), "architectures": [type(self).__name__],
            "dtype": str(dtype)})
        saving.save(Path(save_directory), params, config_text=config.to_json_string(),
                    max_shard_size=max_shard_size)
        self.write_others(save_directory)

    def read_others(self, directory) -> None:
        """Read what a class keeps besides configuration and weights, if anything."""

    def write_others(self, directory) -> None:
        """Write what a class keeps besides configuration and weights, if anything."""

    # ------------------------------------------------------------------ embeddings

    @property
    def table_name(self) -> str:
        """The name of the word embedding table among the parameters."""
        return f"{self.prefix}embeddings.word_embeddings.weight"

    def get_input_embeddings(self) -> np.ndarray:
        """The word embedding table (V, C)."""
        return self.params[self.table_name]

    def set_input_embeddings(self, value) -> None:
        """Replace the word embedding table by one of the same shape."""
        self.backend.check_resizable(self)
        table = np.asarray(value).astype(self.dtype)
        if table.shape != self.get_input_embeddings().shape:
            raise ValueError(f"value has shape {table.shape}, expected "
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
        """Change nothing: weights that the configuration ties are one array already.

        HF: the same.  To tie a model that has tie_word_embeddings=False, build one with
        True from its parameters.
        """

    def resize_token_embeddings(self, new_num_tokens: int | None = None,
                                pad_to_multiple_of: int | None = None,
                                mean_resizing: bool = True, *, rng=0) -> np.ndarray:
        """Change the vocabulary size by adding or dropping rows at the end.

        A new row is the mean of the old ones, and so is a new bias: the score of a new
        token starts as the mean of all scores (Hewitt 2021).  Hugging Face adds noise
        whose covariance is 1e-9 of the table's, about 3e-5 of its spread.

        Args:
            new_num_tokens: the new vocab_size; None keeps it.
            pad_to_multiple_of: then round vocab_size up to a multiple of this.
            mean_resizing: if False, new rows are drawn as in a fresh model, and new
                biases are 0.
            rng: a seed or Generator for these.

        Returns:
            the new table (V, C).
        """
        self.backend.check_resizable(self)
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
            rng, spread = generator(rng), self.config.initializer_range
            for name, shape in self.shapes.items():
                x = self.params[name]
                if x.shape != shape:
                    new = np.repeat(x.mean(0, keepdims=True), max(size - old, 0), 0)
                    if not mean_resizing:
                        new = np.zeros_like(new) if x.ndim == 1 else \
                            (rng.standard_normal(new.shape) * spread).astype(x.dtype)
                    self.params[name] = np.concatenate([x[:size], new])
        return self.get_input_embeddings()


def check_safetensors(name: str, wanted) -> None:
    """Refuse to read or write weights as pickles."""
    if wanted not in (None, True):
        raise ValueError(f"{name} is {wanted!r}, expected True: leave it out, as only "
                         "safetensors are read and written; a pickle can run code")


def located(cls, name, config, state_dict, hub: dict):
    """Return the directory of a checkpoint; STATE_DICT if there is nothing to read."""
    from ..system.hub import resolve
    if name is None and config is not None and state_dict is not None:
        return STATE_DICT
    files = [file for file in cls.files if state_dict is None or file != saving.WEIGHTS]
    return resolve(name, files, **hub)


def check_layers(directory, config: BertConfig, stored) -> None:
    """Refuse more layers than the weights have, before anything is made for each."""
    found = len({match[1] for name in stored if (match := LAYER.search(name))})
    if config.num_hidden_layers > found:
        raise ValueError(f"num_hidden_layers is {config.num_hidden_layers}, expected "
                         f"{found}, as many as the weights in {directory} have: use "
                         "the config.json that belongs to them")


def loading_info(report, aliases: dict[str, str]) -> dict:
    """Return a report of missing, unexpected and mismatched names as transformers does.

    HF: if a tied tensor is missing, each of its names is.
    """
    missing = set(report.missing)
    return {"missing_keys": missing | {alias for alias, name in aliases.items()
                                       if name in missing},
            "unexpected_keys": set(report.unexpected),
            "mismatched_keys": set(report.mismatched), "error_msgs": []}


def judge(cls, directory, report, fresh: list[str]) -> None:
    """Refuse a checkpoint without the whole backbone; warn of what starts fresh."""
    reshaped = {name for name, *_ in report.mismatched}
    # A decoder that starts from an encoder's checkpoint always lacks cross-attention.
    lost = [name for name in fresh if name not in reshaped
            and name.removeprefix(cls.prefix).startswith(("embeddings.", "encoder."))
            and ".crossattention." not in name]
    if lost:
        raise ValueError(
            f"{directory} lacks {len(lost)} tensors of the backbone, expected all of "
            "them: check that it is a BERT checkpoint and that config.json belongs to "
            f"it.  It lacks {', '.join(lost)}, and holds "
            f"{', '.join(report.unexpected) or 'no tensors'} of unknown name")
    lines = []
    if fresh:
        lines.append(f"{cls.__name__} starts fresh in the {len(fresh)} tensors that "
                     f"{directory} lacks, so train it before use: {', '.join(fresh)}")
    if report.unexpected:
        lines.append(f"{cls.__name__} does not use {len(report.unexpected)} tensors of "
                     f"{directory}: {', '.join(report.unexpected)}")
    if lines:
        warnings.warn(". ".join(lines), stacklevel=3)
