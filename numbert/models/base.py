"""What all model classes share: running the backbone, loading, saving, resizing."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..bert.encoder import backbone, backbone_backward
from ..bert.scope import NUMPY, Run, Scope
from ..system import checkpoint
from . import params as parameters
from .cache import DynamicCache, EncoderDecoderCache, caches, check_cache
from .cache import seen_positions
from .config import BertConfig
from .inputs import attention_mask as usable_mask, encoder_inputs, token_inputs
from .params import checked_dtype, checked_params, param_shapes
from .targets import Targets, Term, checked_targets, labelled, output_gradients
from .targets import total_loss
from .trace import Trace

HUB = ("revision", "cache_dir", "local_files_only", "token")
OPTIONS = {"output_attentions", "output_hidden_states", "return_dict", "trace", "rng",
           "label_totals", "labelled_only", "keep"}


class Call(NamedTuple):
    """One call: its inputs, checked before anything is computed."""

    p: Scope                    # of the whole model
    shape: tuple[int, ...]      # of input_ids: (B, T), or (B, M, T) with M choices
    tokens: dict                # the arguments of `embeddings`
    mask: Any                   # may attend: broadcasts to (B, N, T, S); None = all may
    source: Any                 # (B, S, C), what cross-attention reads, or None
    source_mask: Any
    past: Any                   # the cache to fill, or None
    gives_past: bool            # whether the call returns it
    targets: tuple[Targets, ...]    # one for each term of the loss; () without labels
    totals: Any                 # what each term's sum is divided by, or None
    places: Any                 # the positions whose words are scored; None = all
    watch: Trace                # collects hidden_states and attentions
    return_dict: bool


class States(NamedTuple):
    """What the backbone hands to a head."""

    sequence: Any               # (B, T, C), the last layer's hidden states
    pooled: Any                 # (B, C), or None without a pooler
    saved: Any                  # for backbone_backward


class Saved(NamedTuple):
    """What `forward` hands to `backward`."""

    call: Call
    bert: Any                   # the backbone's; None if nothing was kept
    head: Any
    loss: tuple                 # the terms of the loss, from total_loss; () without
    shapes: dict                # {name of an output: its shape, or None}


class BertPreTrainedModel:
    """Base of the nine classes: a config, a flat dict of parameters, and one dtype.

    Args:
        config: a BertConfig.
        dtype: "float32" or "float64", of the parameters and so of every result.
        rng: a seed or a numpy Generator for fresh parameters.
        params: parameters to use instead of fresh ones, with the names and shapes of
            `param_shapes(config, type(self))`.

    Calling a model computes its outputs.  The `forward` of every class takes these
    options besides its own arguments:
        output_attentions, output_hidden_states, return_dict: the config has defaults.
        trace: a Trace that records this run.
        rng: a numpy Generator or a seed; it turns dropout on for this call.
        label_totals: what the sum of each term of the loss is divided by; by default
            the number of labels given.  For a batch that is computed in parts.
        labelled_only: compute the word scores of a masked LM only where a label counts,
            which saves most of the work; the logits are then (P, V).
    """

    prefix = "bert."                    # of the backbone's parameters
    pooler = False                      # whether the backbone has a pooler
    heads: tuple[str, ...] = ()         # names in params.HEAD_SHAPES
    terms: tuple[Term, ...] = ()        # of the loss; () means that there is none
    output: Any = None                  # the class of the outputs
    masked = False                      # whether labelled_only has a meaning
    generates = False                   # whether `generate` can use it
    ops: Any = NUMPY                    # the table of leaf operations
    files: tuple[str, ...] = ("config.json", "model.safetensors")   # of a checkpoint

    def __init__(self, config: BertConfig, *, dtype="float32", rng=0, params=None):
        if not isinstance(config, BertConfig):
            raise TypeError(f"config is a {type(config).__name__}, expected a "
                            "BertConfig: BertConfig.from_pretrained makes one")
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
        """Return (output, saved); each class says what it takes."""
        raise NotImplementedError

    def prepare(self, options: dict, input_ids=None, attention_mask=None,
                token_type_ids=None, position_ids=None, inputs_embeds=None,
                encoder_hidden_states=None, encoder_attention_mask=None, cache=None,
                use_cache=None, shape=None, **labels) -> Call:
        """Check and complete the inputs of a call; nothing is computed yet.

        shape: (B, M, T) of inputs whose choices were made one axis with the batch.
        """
        config = self.config
        run, watch = self.start(options)
        seen = 0 if cache is None else seen_positions(config, cache)
        tokens = token_inputs(config, self.dtype, input_ids, token_type_ids,
                              position_ids, inputs_embeds, seen)
        batch, length = rows = tokens["token_type_ids"].shape
        mask = usable_mask("attention_mask", attention_mask, batch,
                           config.num_attention_heads, length, seen + length,
                           causal=config.is_decoder)
        source, source_mask = encoder_inputs(
            config, self.dtype, encoder_hidden_states, encoder_attention_mask, rows)
        gives_past = config.is_decoder and (
            config.use_cache if use_cache is None else use_cache)
        if cache is not None:
            check_cache(config, cache, batch, source)
        elif gives_past:
            cache = DynamicCache() if source is None else EncoderDecoderCache()
        shape = rows if shape is None else shape
        targets, places = checked_targets(self.terms, config, shape, labels), None
        if self.masked and targets and options.get("labelled_only"):
            places, targets = labelled(targets)
        return Call(Scope(self.params, run), shape, tokens, mask, source, source_mask,
                    cache, gives_past, targets, options.get("label_totals"), places,
                    watch, wanted(options, config, "return_dict"))

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
        run = Run(self.config, self.ops,
                  rng=None if rng is None else np.random.default_rng(rng),
                  keep=options.get("keep", True),
                  traces=tuple(traces if user is None else [*traces, user]))
        return run, watch

    def backbone(self, call: Call) -> States:
        """Run the backbone: embed, run the stack and, if there is a pooler, pool."""
        p = Scope(self.params, call.p.run, self.prefix)
        (sequence, pooled), saved = backbone(
            p, call.tokens, call.mask, call.source, call.source_mask,
            *caches(call.past))
        return States(sequence, pooled, saved)

    def finish(self, call: Call, states: States, head_saved, **outputs):
        """Compute the loss, if there are labels, and return (output, saved).

        outputs: what the head computed, by the names of the output's fields.
        """
        loss, judged = total_loss(call.p.run.ops, self.terms, call.targets, outputs,
                                  call.totals)
        output = self.output(**outputs)
        shared = {"loss": loss, "cache": call.past if call.gives_past else None,
                  **watched(call.watch)}
        for field, value in shared.items():
            if hasattr(output, field):
                setattr(output, field, value)
        shapes = {name: None if x is None else x.shape for name, x in outputs.items()}
        return output if call.return_dict else output.to_tuple(), \
            Saved(call, states.saved, head_saved, judged, shapes)

    # ------------------------------------------------------------------- gradients

    def backward(self, saved: Saved, *, loss=None, trace=None, **outputs) -> dict:
        """Gradients of outputs -> gradients of all parameters, by their names.

        The chain rule, last part first: the loss, the head, the backbone.

        Args:
            saved: from `forward`.
            loss: the gradient of the loss; by default 1, or 0 if any other is given.
            trace: a Trace that records the gradients on the way.
            **outputs: gradients of other outputs, by name (logits=...), each of the
                shape of the output.  Several add up.

        Returns:
            {name: gradient} with the names and shapes of `params`.  If they were given
            to forward, inputs_embeds and encoder_hidden_states have theirs, too.

        Raises:
            TypeError, ValueError: `saved` is not from forward, there is no loss, or a
                gradient does not fit its output.
        """
        g = self.start_backward(saved, trace)
        given = {name: d for name, d in outputs.items() if d is not None}
        if not self.terms and not given:
            raise ValueError(f"{type(self).__name__} has no loss: pass the gradient of "
                             f"an output ({', '.join(saved.shapes)})")
        douts = output_gradients(g.run.ops, saved.loss, loss, self.dtype, saved.shapes,
                                 given)
        dsequence, dpooled = self.head_backward(*douts, saved.head, g)
        dembeds, dsource = backbone_backward(
            dsequence, dpooled, saved.bert, Scope(g.arrays, g.run, self.prefix))
        grads = {name: g.arrays[name] if name in g.arrays
                 else np.zeros(shape, self.dtype)
                 for name, shape in self.shapes.items()}
        call = saved.call
        if call.tokens["inputs_embeds"] is not None:
            grads["inputs_embeds"] = dembeds.reshape(*call.shape, -1)
        if call.source is not None:       # its keys may have come from the cache alone
            grads["encoder_hidden_states"] = \
                np.zeros_like(call.source) if dsource is None else dsource
        return grads

    def head_backward(self, *douts_saved_g) -> tuple[Any, Any]:
        """The gradients of a head's outputs, saved, g -> dsequence, dpooled

        dsequence (B, T, C) and dpooled (B, C) are None where the head reads nothing.
        """
        raise NotImplementedError

    def start_backward(self, saved: Saved, trace=None) -> Scope:
        """A scope over an empty dict of gradients."""
        if not isinstance(saved, Saved):
            raise TypeError(f"saved is a {type(saved).__name__}, expected the second "
                            "result of forward: output, saved = model.forward(...)")
        if saved.bert is None:
            raise ValueError("nothing was saved for a backward pass: use the `saved` "
                             "that model.forward(...) returned")
        traces = () if trace is None else (trace,)
        return Scope({}, saved.call.p.run._replace(traces=traces))

    def label_counts(self, **arguments) -> tuple[int, ...]:
        """How many labels each term of the loss is a mean over.

        arguments: those of `forward`.
        """
        return tuple(targets.used for targets in self.targets(arguments))

    def targets(self, arguments: dict) -> tuple[Targets, ...]:
        """The checked labels of each term, from the arguments of `forward`."""
        embeds = arguments.get("inputs_embeds")
        shape = np.shape(arguments["input_ids"]) if embeds is None else \
            np.shape(embeds)[:-1]
        return checked_targets(self.terms, self.config, shape, arguments)

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
