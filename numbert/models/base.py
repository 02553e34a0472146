"""What all model classes share: running the backbone, loading, saving, resizing."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..system import checkpoint
from . import params as parameters
from .cache import DynamicCache, EncoderDecoderCache, caches, check_cache
from .cache import seen_positions
from .config import BertConfig
from ..bert.embeddings import embeddings, embeddings_backward
from ..bert.encoder import pooler, pooler_backward, stack, stack_backward
from .inputs import attention_mask as usable_mask, encoder_inputs, token_inputs
from .params import Run, Scope, checked_dtype, checked_params, param_shapes
from .trace import Trace

HUB = ("revision", "cache_dir", "local_files_only", "token")
OPTIONS = {"output_attentions", "output_hidden_states", "return_dict", "trace", "rng",
           "keep"}


class Backbone(NamedTuple):
    """What the backbone hands to its backward."""

    embeddings: Any
    stack: Any
    pooler: Any
    shape: tuple                # (B, T, C) of the hidden states
    embeds: bool                # whether inputs_embeds were given
    source: tuple | None        # (B, S, C) of encoder_hidden_states, if given


class Saved(NamedTuple):
    """What `forward` hands to `backward`: the run, and each part's `saved`."""

    run: Run
    bert: Any                   # a Backbone; None if nothing was kept
    head: Any = None
    loss: Any = None            # per logits: (backward, its saved, weight); or None
    shapes: tuple = ()          # of the logits


class Call(NamedTuple):
    """One call's inputs, checked: what is wrong with them is said before any work."""

    tokens: dict                # the arguments of `embeddings`
    mask: Any                   # may attend: broadcasts to (B, N, T, S); None = all may
    source: Any                 # (B, S, C) what cross-attention reads, or None
    source_mask: Any
    past: Any                   # the cache to fill, or None
    gives_past: bool            # whether the call gives it back
    shape: tuple[int, int]      # (B, T)
    run: Run
    watch: Trace                # collects hidden_states and attentions


class States(NamedTuple):
    """What the backbone gives to a head."""

    sequence: Any               # (B, T, C) the last layer's hidden states
    pooled: Any                 # (B, C), or None without a pooler
    past: Any                   # the cache, or None
    p: Scope                    # the scope of the run, for the head
    watched: dict               # the fields that all outputs share


class BertPreTrainedModel:
    """Base of the nine classes: a config, a flat dict of parameters, and one dtype.

    Args:
        config: a BertConfig.
        dtype: "float32" or "float64", of the parameters and so of everything computed.
        rng: a seed or numpy Generator for fresh parameters.
        params: parameters to use instead of fresh ones, with the names and shapes of
            `param_shapes(config, type(self))`.

    Calling a model computes its outputs.  Every class's `forward` takes these options
    besides its own arguments:
        output_attentions, output_hidden_states, return_dict: default from the config.
        trace: a Trace that listens to this run.
        rng: a numpy Generator or a seed; turns dropout on for this call.
    """

    prefix = "bert."                    # of the backbone's parameters
    pooler = False                      # whether the backbone has a pooler
    heads: tuple[str, ...] = ()         # names in params.HEAD_SHAPES
    files: tuple[str, ...] = ("config.json", "model.safetensors")   # of a checkpoint

    def __init__(self, config: BertConfig, *, dtype="float32", rng=0, params=None):
        if not isinstance(config, BertConfig):
            raise TypeError(f"config is a {type(config).__name__}, expected a "
                            "BertConfig (BertConfig.from_pretrained makes one)")
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

    # ------------------------------------------------------------------ computing

    def __call__(self, *args, **kwargs):
        """The outputs, by the arguments of `forward`; nothing is kept for backward."""
        return self.forward(*args, **kwargs, keep=False)[0]

    def forward(self, *args, **kwargs) -> tuple[Any, Saved]:
        """Give (output, saved); see each class."""
        raise NotImplementedError

    def prepare(self, options: dict, input_ids=None, attention_mask=None,
                token_type_ids=None, position_ids=None, inputs_embeds=None,
                encoder_hidden_states=None, encoder_attention_mask=None, cache=None,
                use_cache=None) -> Call:
        """Check and complete the inputs of the backbone; nothing is computed yet."""
        config, past = self.config, cache
        seen = 0 if past is None else seen_positions(config, past)
        tokens = token_inputs(config, self.dtype, input_ids, token_type_ids,
                              position_ids, inputs_embeds, seen)
        batch, length = shape = tokens["token_type_ids"].shape
        mask = usable_mask("attention_mask", attention_mask, batch,
                           config.num_attention_heads, length, seen + length,
                           causal=config.is_decoder)
        source, source_mask = encoder_inputs(
            config, self.dtype, encoder_hidden_states, encoder_attention_mask, shape)
        gives_past = config.is_decoder and (
            config.use_cache if use_cache is None else use_cache)
        if past is not None:
            check_cache(config, past, batch, source)
        elif gives_past:
            past = DynamicCache() if source is None else EncoderDecoderCache()
        return Call(tokens, mask, source, source_mask, past, gives_past, shape,
                    *self.start(options))

    def run_bert(self, call: Call) -> tuple[States, Saved]:
        """The backbone: embed, run the stack, pool.

        Returns:
            the states for a head, and Saved with `bert` filled in.
        """
        run = call.run
        p = Scope(self.params, run, self.prefix)
        x, embeddings_saved = embeddings(p.at("embeddings"), **call.tokens)
        x, stack_saved = stack(p.at("encoder"), x, call.mask, call.source,
                               call.source_mask, *caches(call.past))
        pooled, pooler_saved = None, None
        if self.pooler:
            pooled, pooler_saved = pooler(p.at("pooler"), x)
        states = States(x, pooled, call.past if call.gives_past else None,
                        Scope(self.params, run), watched(call.watch))
        saved = Backbone(embeddings_saved, stack_saved, pooler_saved, x.shape,
                         call.tokens["inputs_embeds"] is not None,
                         None if call.source is None else call.source.shape)
        return states, Saved(run, saved if run.keep else None)

    def start(self, options: dict) -> tuple[Run, Trace]:
        """The run of one call, and the trace that collects the outputs it asks for."""
        unknown = sorted(set(options) - OPTIONS)
        if unknown:
            raise TypeError(f"{type(self).__name__} takes no argument "
                            f"{', '.join(unknown)}; the options of every call are "
                            f"{', '.join(sorted(OPTIONS - {'keep'}))}")
        patterns = []
        if wanted(options, self.config, "output_hidden_states"):
            patterns += [f"{self.prefix}embeddings.out",
                         f"{self.prefix}encoder.layer.*[0-9].output.out"]
        if wanted(options, self.config, "output_attentions"):
            patterns += [f"{self.prefix}encoder.layer.*attention.self.probs"]
        watch, user = Trace(*patterns), options.get("trace")
        traces = [watch] if patterns else []
        rng = options.get("rng")
        run = Run(self.config, rng=None if rng is None else np.random.default_rng(rng),
                  keep=options.get("keep", True),
                  traces=tuple(traces if user is None else [*traces, user]))
        return run, watch

    def finish(self, options: dict, output, states: States):
        """The output as asked for: an object, or a tuple if return_dict is False."""
        for field, value in states.watched.items():
            if hasattr(output, field):
                setattr(output, field, value)
        return output if wanted(options, self.config, "return_dict") else \
            output.to_tuple()

    # ------------------------------------------------------------------- gradients

    def start_backward(self, saved: Saved, trace=None) -> Scope:
        """A scope over an empty dict of gradients."""
        if saved.bert is None:
            raise ValueError("nothing was saved for a backward pass: use the `saved` "
                             "that model.forward(...) returned")
        run = replace(saved.run, traces=() if trace is None else (trace,))
        return Scope({}, run)

    def bert_backward(self, g: Scope, saved: Saved, dsequence=None,
                      dpooled=None) -> dict:
        """Gradients of the whole backbone; completes and returns the gradient dict.

        dsequence (B, T, C), dpooled (B, C): either may be None, meaning zero.
        The chain rule, last part first: pooler, stack, embeddings.  The pooler reads
        position 0 of the sequence, so there its gradient is added to dsequence.
        """
        bert = saved.bert
        root, g = g, Scope(g.arrays, g.run, self.prefix)
        dx = np.zeros(bert.shape, self.dtype)                      # (B, T, C)
        if dsequence is not None:
            dx += dsequence
        if dpooled is not None:
            dx[:, 0] += pooler_backward(dpooled, bert.pooler, g.at("pooler"))
        dx, dsource = stack_backward(dx, bert.stack, g.at("encoder"))
        dembeds = embeddings_backward(dx, bert.embeddings, g.at("embeddings"))
        grads = {name: root.arrays[name] if name in root.arrays
                 else np.zeros(shape, self.dtype)
                 for name, shape in self.shapes.items()}
        if bert.embeds:
            grads["inputs_embeds"] = dembeds
        if bert.source is not None:       # its keys may have come from the cache alone
            grads["encoder_hidden_states"] = \
                np.zeros(bert.source, self.dtype) if dsource is None else dsource
        return grads

    # ----------------------------------------------------------------------- files

    @classmethod
    def from_pretrained(cls, name_or_path, *, config=None, dtype="float32", rng=0,
                        ignore_mismatched_sizes=False, output_loading_info=False,
                        revision=None, cache_dir=None, local_files_only=False,
                        token=None, add_pooling_layer=None, torch_dtype=None,
                        **changes):
        """Load a checkpoint: config.json and safetensors weights.

        Args:
            name_or_path: a directory, or a name on the Hugging Face hub (which needs
                `pip install "numbert[hub]"`; its local cache is looked in first).
            config: a BertConfig to use instead of the checkpoint's own.
            dtype: "float32" or "float64"; half-precision files are converted.
            rng: seed or Generator for the parts that start fresh.
            ignore_mismatched_sizes: start fresh what has another shape in the file.
            output_loading_info: also return a dict of the names that did not match.
            revision, cache_dir, local_files_only, token: passed to huggingface_hub.
            add_pooling_layer: BertModel only; whether it has a pooler.
            torch_dtype: the old name of dtype.
            **changes: fields to change in the configuration (num_labels=3, ...).

        Raises:
            FileNotFoundError, ValueError: the checkpoint is absent, damaged, foreign or
                lacks a part of the backbone.

        Warns:
            UserWarning: a head, or the pooler, starts fresh; or tensors of the file
                are left unused.
        """
        from ..system.hub import resolve
        dtype = checked_dtype(torch_dtype or dtype)
        directory = resolve(name_or_path, cls.files, revision=revision, token=token,
                            cache_dir=cache_dir, local_files_only=local_files_only)
        if config is None:
            config = BertConfig.from_pretrained(directory, **changes)
        elif changes:
            raise ValueError("config given, and changes to it too "
                             f"({sorted(changes)}): change the config first")
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
        """Write config.json and model.safetensors, all or nothing.

        The files load in transformers under the class of the same name.
        """
        config = BertConfig.from_dict({
            **self.config.to_dict(), "architectures": [type(self).__name__],
            "dtype": str(self.dtype)})
        checkpoint.save(Path(directory), self.params,
                        config_text=config.to_json_string(),
                        max_shard_size=max_shard_size)

        self.write_others(directory)

    def read_others(self, directory) -> None:
        """Read what a class keeps beside the configuration and the weights."""

    def write_others(self, directory) -> None:
        """Write what a class keeps beside the configuration and the weights."""

    # ------------------------------------------------------------------ embeddings

    @property
    def table_name(self) -> str:
        """The name of the word embedding table among the parameters."""
        return f"{self.prefix}embeddings.word_embeddings.weight"

    def num_parameters(self, exclude_embeddings: bool = False) -> int:
        """How many numbers the model has; tied tensors count once."""
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
        """The decoder's table (V, C), the tied one unless untied; None without one."""
        if "lm" not in self.heads:
            return None
        return self.params.get("cls.predictions.decoder.weight",
                               self.params[self.table_name])

    def tie_weights(self) -> None:
        """Make the decoder share the word embedding table from now on.

        With tie_word_embeddings, the default, it does already: stored once.
        """
        if not self.config.tie_word_embeddings and "lm" in self.heads:
            self.config = BertConfig.from_dict(self.config.to_dict(),
                                               tie_word_embeddings=True)
            self.shapes = param_shapes(self.config, type(self), self.pooler)
            self.params = {name: self.params[name] for name in self.shapes}

    def resize_token_embeddings(self, new_num_tokens: int | None = None,
                                pad_to_multiple_of: int | None = None) -> np.ndarray:
        """Change the vocabulary size: drop rows at the end, or add rows there.

        A new row is the mean of the old ones, so that a new token starts as likely as
        the average one (Hewitt 2021); biases too.  HF adds noise whose covariance is
        1e-9 of the table's, some 3e-5 of its spread.

        Args:
            new_num_tokens: the new vocab_size; None keeps it (but see the next).
            pad_to_multiple_of: round it up to a multiple of this.

        Returns:
            the new table (V, C).
        """
        old = self.config.vocab_size
        size = old if new_num_tokens is None else new_num_tokens
        multiple = 1 if pad_to_multiple_of is None else pad_to_multiple_of
        for name, value in (("new_num_tokens", size), ("pad_to_multiple_of", multiple)):
            if not isinstance(value, (int, np.integer)) or value < 1:
                raise ValueError(f"{name} is {value!r}, expected a positive integer")
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


def wanted(options: dict, config, name: str):
    """An option of one call, or else the configuration's default."""
    value = options.get(name)
    return getattr(config, name) if value is None else value


def watched(watch: Trace) -> dict:
    """The fields hidden_states, attentions and cross_attentions, if asked for."""
    fields: dict[str, tuple] = {}
    if any(pattern.endswith(".probs") for pattern in watch.patterns):
        # HF: without cross-attention its attentions are an empty tuple, not None.
        fields = {"attentions": (), "cross_attentions": ()}
    for name, value in watch.items():
        field = ("hidden_states" if name.endswith(".out") else
                 "cross_attentions" if ".crossattention." in name else "attentions")
        fields[field] = (*fields.get(field, ()), value)
    return fields


def judge(cls, directory, report, fresh: list[str]) -> None:
    """Refuse a checkpoint that lacks a part of the backbone; tell what starts fresh."""
    reshaped = {name for name, *_ in report.mismatched}
    # The cross-attention of a decoder that starts from an encoder is always fresh.
    lost = [name for name in fresh if name not in reshaped
            and name.removeprefix(cls.prefix).startswith(("embeddings.", "encoder."))
            and ".crossattention." not in name]
    if lost:
        raise ValueError(
            f"{directory} lacks {len(lost)} tensors of the backbone: "
            f"{', '.join(lost)}; and holds {len(report.unexpected)} of unknown name: "
            f"{', '.join(report.unexpected) or 'none'}. Is it a BERT checkpoint, and "
            "does config.json belong to it?")
    lines = []
    if fresh:
        lines.append(f"{cls.__name__} starts fresh, to be trained: {', '.join(fresh)}")
    if report.unexpected:
        lines.append(f"{cls.__name__} does not use {len(report.unexpected)} tensors of "
                     f"{directory}: {', '.join(report.unexpected)}")
    if lines:
        warnings.warn(". ".join(lines), stacklevel=3)
