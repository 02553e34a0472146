"""What all model classes share: how a call runs, forward and backward."""

from __future__ import annotations

import inspect
import math
from typing import Any, NamedTuple

import numpy as np

from ..bert.encoder import backbone, backbone_backward
from ..bert.forward_only import FORWARD_ONLY, attend
from ..bert.once import dense, sparing
from ..bert.packing import Plan, plan_of
from ..bert.scope import NUMPY, Run, Scope
from .backend import NUMPY_BACKEND
from .cache import DynamicCache, EncoderDecoderCache, caches, check_cache
from .cache import seen_positions
from .inputs import array, attention_mask as usable_mask, encoder_inputs
from .inputs import token_inputs
from .others import OTHERS
from .outputs import Watch, selected_layers
from .shards import LEAST, backbone_in_shards
from .targets import Targets, Term, checked_targets, checked_totals, labelled
from .targets import output_gradients, reads_padding, total_loss
from .tensors import is_tensor
from .trace import GRADIENT, checked_trace, end_run, within
from .weights import PreTrainedWeights

# The options of every call; `keep` and `tensors` are not for users.
OPTIONS = ("output_attentions", "output_hidden_states", "return_dict", "trace", "rng",
           "label_totals", "labelled_only", "packed")


class Call(NamedTuple):
    """One call: its inputs, checked before anything is computed."""

    p: Scope                    # over the parameters of the whole model
    shape: tuple[int, ...]      # of input_ids: (B, T), or (B, M, T) with M choices
    tokens: dict                # the arguments of `embeddings`
    mask: Any                   # True = may attend, fits (B, N, T, S); a Plan; or None
    source: Any                 # (B, S, C), what cross-attention reads, or None
    source_mask: Any            # True = may attend, fits (B, N, T, S), or None
    past: Any                   # the cache that the call adds to, or None
    gives_past: bool            # whether the call returns it
    targets: tuple[Targets, ...]    # one for each term of the loss; () without labels
    totals: Any                 # what to divide each term's sum by, or None
    places: Any                 # the positions to score words at; None = all
    watch: Watch                # collects hidden_states and attentions
    return_dict: bool
    tensors: bool               # whether a tensor is among the inputs

    def __repr__(self) -> str:
        return f"<the checked inputs of a call, {_times(self.shape)} tokens>"


class States(NamedTuple):
    """What the backbone computes for a head."""

    sequence: Any               # (B, T, C), the last layer's hidden states
    pooled: Any                 # (B, C), or None without a pooler
    saved: Any                  # for backbone_backward


class Saved(NamedTuple):
    """What `forward` keeps for `backward`."""

    call: Call
    bert: Any                   # for backbone_backward; None if nothing was kept
    head: Any                   # for head_backward
    loss: tuple                 # from total_loss: the terms; () without labels
    shapes: dict                # {name of an output: its shape, or None if absent}
    outputs: Any = None         # {name of an output: tensor}, for torch's own backward

    def __repr__(self) -> str:
        kept = "nothing" if self.bert is None else "what backward needs"
        return (f"<Saved: {kept} of a forward pass, {_times(self.call.shape)} tokens, "
                f"outputs {', '.join(x for x in self.shapes if self.shapes[x])}>")


def _times(shape) -> str:
    return " x ".join(map(str, shape))


class BertPreTrainedModel(PreTrainedWeights):
    """The base of the nine classes; see PreTrainedWeights for making and loading one.

    Call a model to compute its outputs.  Besides its own arguments, the `forward` of
    every class takes these options:
        output_attentions, output_hidden_states: whether the output holds them; by
            default what the config says.
        return_dict: False for a tuple; by default what the config says.
        trace: a Trace that records this run.
        rng: a numpy Generator or a seed; it turns dropout on for this call.
        label_totals: a number for each term of the loss, to divide its sum by; by
            default the number of its labels.  For a batch that is computed in parts.
        labelled_only: whether a masked LM scores words only at the P positions that
            have a label, which saves most of that work; the logits are then (P, V).
            Other classes have nothing to save and ignore it.
        packed: whether to leave padding out of the computation, which saves its time.
            The hidden states there are then 0.  A call whose padding counts is computed
            as usual: one that is traced, returns states of all layers, has a cache or a
            source, starts a text with padding, or has a loss that reads it.
    """

    terms: tuple[Term, ...] = ()        # of the loss; () means that there is none
    output: Any = None                  # the class of the outputs
    masked = False                      # whether labelled_only applies
    fits: tuple[str, ...] = ()          # classes whose checkpoints hold this head too
    ops: Any = NUMPY                    # the table of leaf operations
    backend: Any = NUMPY_BACKEND        # where the arrays are, and how they get there

    @property
    def dtype(self) -> np.dtype:                            # type: ignore[override]
        """The dtype of the parameters."""
        return self.like.dtype

    @property
    def like(self):
        """A parameter; inputs go to where it is, and floats get its dtype."""
        return self.params[next(iter(self.shapes))]

    @property
    def array_dtype(self) -> np.dtype:
        """The dtype of the arrays that a call returns."""
        return self.backend.array_dtype(self.dtype)

    def to_torch(self, device=None, dtype=None, attn_implementation="sdpa"):
        """Return the same model, with the same parameters, computing with torch.

        Inputs may be arrays, and outputs are arrays then.  If one input is a tensor,
        outputs are tensors.  Dropout and gradients work as in NumPy.

        Args:
            device: of torch, such as "cuda"; None means "cpu".
            dtype: float32, float64, float16 or bfloat16; by default the model's.
            attn_implementation: "sdpa" for torch's fused attention, or "eager", which
                computes it step by step and so can return the probabilities.

        Raises:
            ImportError: torch is not installed.
            ValueError: there is no such device, dtype or implementation.
        """
        return OTHERS["torch"]().to_torch(self, device, dtype, attn_implementation)

    def as_module(self):
        """Return the parameters of a torch model as a torch.nn.Module.

        It has transformers' names, and shares its parameters with this model.  Call it
        with tensors; in training mode dropout acts.

        Raises:
            TypeError: this is a NumPy model.
        """
        return module_of(self)

    # ------------------------------------------------------------------ computing

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "forward" in vars(cls):
            setattr(cls, "__call__", signatures(cls.forward))

    def __call__(self, *args, **kwargs):
        """Return the output of `forward`, and keep nothing for backward."""
        raise NotImplementedError

    def forward(self, *args, **kwargs) -> tuple[Any, Saved]:
        """Return (output, saved); each class lists its arguments."""
        raise NotImplementedError

    def prepare(self, options: dict, input_ids=None, attention_mask=None,
                token_type_ids=None, position_ids=None, inputs_embeds=None,
                encoder_hidden_states=None, encoder_attention_mask=None, cache=None,
                use_cache=None, shape=None, **labels) -> Call:
        """Check and complete the inputs of a call; nothing is computed yet.

        shape: (B, M, T) if the rows are M choices for each of B questions.
        labels: those of the loss, by the names of `forward`'s arguments.
        """
        config, like = self.config, self.like
        run, watch = self.start(options)
        place = self.backend.place
        seen = 0 if cache is None else seen_positions(config, cache)
        tokens = token_inputs(config, input_ids, token_type_ids, position_ids,
                              inputs_embeds, seen)
        batch, length = rows = tuple(tokens["token_type_ids"].shape)
        mask = usable_mask("attention_mask", attention_mask, batch,
                           config.num_attention_heads, length, seen + length,
                           causal=config.is_decoder)
        source, source_mask = encoder_inputs(
            config, encoder_hidden_states, encoder_attention_mask, rows)
        gives_past = config.is_decoder and (
            config.use_cache if use_cache is None else use_cache)
        if cache is not None:
            check_cache(config, cache, batch, source)
        elif gives_past:
            cache = DynamicCache() if source is None else EncoderDecoderCache()
        shape = rows if shape is None else shape
        targets, places = checked_targets(self.terms, config, shape, labels), None
        plan = None
        if options.get("packed") and not run.traces and cache is source is None:
            plan = self.plan(mask, rows, targets)
        if self.masked and targets and options.get("labelled_only"):
            places, targets = labelled(targets)
        totals = checked_totals(self.terms, options.get("label_totals"))
        given = (input_ids, inputs_embeds, attention_mask, encoder_hidden_states,
                 *labels.values())
        there = 0 if source is None else source.shape[1]
        return Call(
            p=Scope(self.params, run), shape=shape,
            tokens={name: place(x, like) for name, x in tokens.items()},
            mask=plan or self.backend.mask(*mask, length, seen + length, like),
            source=place(source, like),
            source_mask=self.backend.mask(*source_mask, length, there, like),
            past=cache, gives_past=gives_past,
            targets=tuple(x._replace(labels=place(x.labels, like)) for x in targets),
            totals=totals, places=place(places, like), watch=watch,
            return_dict=wanted(options, config, "return_dict"),
            tensors=options.get("tensors", False) or any(map(is_tensor, given)))

    def start(self, options: dict) -> tuple[Run, Watch]:
        """Return the run of a call, and what collects the states that it returns."""
        check_options(type(self).__name__, options)
        watch = Watch(
            selected_layers(wanted(options, self.config, "output_hidden_states"),
                            self.config.num_hidden_layers),
            bool(wanted(options, self.config, "output_attentions")))
        rng, trace = options.get("rng"), options.get("trace")
        traces = [watch] if watch.fields else []
        if trace is not None:
            traces.append(checked_trace(trace))
        backend = self.backend
        backend.check(self, watch, trace)
        run = Run(self.config, self.ops,
                  rng=None if rng is None else backend.generator(rng),
                  keep=options.get("keep", True), traces=tuple(traces),
                  attend=backend.attend, call=backend.call,
                  once=bool(options.get("once")))
        # Dropout draws the random numbers for all probabilities of a layer in one go,
        # and most traces read what lies inside a layer.
        if run.ops is NUMPY and not run.keep and rng is None and not any(
                getattr(each, "reads_attention", True) for each in traces):
            run = run._replace(ops=FORWARD_ONLY, attend=attend)
        return sparing(run) if run.once else run, watch

    def plan(self, masks, shape, targets) -> Plan | None:
        """Plan how to pack a batch (B, T); None if its padding must be computed.

        masks: what attention_mask returned.
        """
        mask, causal = masks
        if not self.backend.shards or mask is None or mask.shape[1:3] != (1, 1):
            return None
        tokens = np.broadcast_to(mask[:, 0, 0], shape)                 # (B, T)
        # The pooler reads the first token, whatever it is.
        if not tokens[:, 0].all() or reads_padding(self.terms, targets, ~tokens):
            return None
        return plan_of(tokens, causal)

    def backbone(self, call: Call) -> States:
        """Run BERT: embeddings, stack of layers and, if there is one, the pooler."""
        p = Scope(self.params, call.p.run, self.prefix)
        if self.alone(call):
            sequence, pooled = backbone_in_shards(p, call.tokens, call.mask)
            return States(sequence, pooled, None)
        (sequence, pooled), saved = backbone(
            p, call.tokens, call.mask, call.source, call.source_mask,
            *(() if call.past is None else caches(call.past)))
        return States(sequence, pooled, saved)

    def alone(self, call: Call) -> bool:
        """Whether each text can be computed alone, and there is enough to deal out."""
        run = call.p.run
        return math.prod(call.shape) >= 2 * LEAST and self.backend.shards and not (
            run.keep or run.traces or run.rng) and call.past is call.source is None

    def finish(self, call: Call, states: States, head_saved, **outputs):
        """Compute the loss, if there are labels, and return (output, saved).

        outputs: what the head computed, by the names of the output's fields.
        """
        loss, term_losses = total_loss(call.p.run, self.terms, call.targets, outputs,
                                       call.totals)
        output = self.output(**outputs)
        shared = {"loss": loss, "cache": call.past if call.gives_past else None,
                  **call.watch.fields}
        for field, value in shared.items():
            if hasattr(output, field):
                setattr(output, field, value)
        shapes = {name: None if x is None else x.shape for name, x in outputs.items()}
        for trace in call.p.run.traces:
            end_run(trace, self)
        saved = Saved(call, states.saved, head_saved, term_losses, shapes,
                      self.backend.differentiable(outputs, loss))
        output = self.backend.give(output, call.tensors)
        return output if call.return_dict else output.to_tuple(), saved

    # ------------------------------------------------------------------- gradients

    def backward(self, saved: Saved, *, loss=None, trace=None, hand_on=None,
                 **outputs) -> dict:
        """Return the gradient of each parameter, from the loss or from other outputs.

        The chain rule, last part first: the loss, the head, the backbone.

        Args:
            saved: the second result of `forward`; it can be used more than once.
            loss: the gradient of the loss, one number; by default 1, or 0 if the
                gradient of another output is given.
            trace: a Trace that records the gradient of what forward taps, as
                `grad:NAME`.
            hand_on: a function of {name: gradient} that gets each layer's gradients as
                soon as they are complete, and at last all others.  The result then has
                None in their place.  So they need not all be in memory at once.
            **outputs: gradients of other outputs, by name and each of its output's
                shape.  Several add up, that of the loss included.
                BertModel: last_hidden_state (B, T, C), pooler_output (B, C)
                BertForPreTraining: prediction_logits (B, T, V),
                    seq_relationship_logits (B, 2)
                BertForQuestionAnswering: start_logits (B, T), end_logits (B, T)
                all others: logits (their shape: see the class's output)

        Returns:
            {name: gradient}, with the names, shapes and dtype of `params`; a parameter
            that the outputs do not depend on has the gradient 0.  Also
            "inputs_embeds" (B, T, C) and "encoder_hidden_states" (B, S, C) if forward
            was given them.

        Raises:
            TypeError: `saved` is not from forward, a gradient is not an array of
                real numbers, or trace is not a Trace.
            ValueError: forward kept nothing (`model(...)` does not), there is no loss
                and no gradient to start from, or a gradient is given for an output that
                forward did not return or has another shape than that.
        """
        if self.backend.backward is not None:
            return self.backend.backward(self, saved, loss, trace, outputs)
        g = self.start_backward(saved, trace, hand_on)
        given = {name: d for name, d in outputs.items() if d is not None}
        if not self.terms and not given:
            raise ValueError(f"no gradient is given, and {type(self).__name__} has no "
                             "loss, expected the gradient of an output: pass "
                             f"{' or '.join(f'{name}=...' for name in saved.shapes)}")
        douts = output_gradients(g.run, saved.loss, loss, self.dtype, saved.shapes,
                                 given)
        dsequence, dpooled = self.head_backward(*douts, saved.head, g)
        dembeds, dsource = backbone_backward(
            dsequence, dpooled, saved.bert, Scope(g.arrays, g.run, self.prefix))
        g.hand_on()
        grads = {name: dense(g.arrays[name]) if name in g.arrays
                 else np.zeros(shape, self.dtype)
                 for name, shape in self.shapes.items()}
        call = saved.call
        end_run(trace, self, backward=True)
        if call.tokens["inputs_embeds"] is not None:
            grads["inputs_embeds"] = dembeds.reshape(*call.shape, -1)
        if call.source is not None:       # dsource: None if a cache held all its keys
            grads["encoder_hidden_states"] = \
                np.zeros_like(call.source) if dsource is None else dsource
        return grads

    def head_backward(self, *douts_saved_g) -> tuple[Any, Any]:
        """Gradients of the head's outputs, saved, g -> dsequence, dpooled

        dsequence (B, T, C) or dpooled (B, C) is None if the head does not read it.
        """
        raise NotImplementedError

    def start_backward(self, saved: Saved, trace=None, hand_on=None) -> Scope:
        """Check `saved`, and return a scope over an empty dict of gradients."""
        if not isinstance(saved, Saved):
            raise TypeError(f"saved is a {type(saved).__name__}, expected the second "
                            "result of forward: output, saved = model.forward(...)")
        if saved.bert is None:
            raise ValueError("saved is empty, expected what a forward kept for its "
                             "backward: use the `saved` that model.forward(...) "
                             "returned")
        run = saved.call.p.run
        if run.once and len(saved.bert[1]) < run.config.num_hidden_layers:
            raise ValueError("saved has been used up, expected that of a forward since "
                             "then: leave out once=True to use it more than once")
        if run.attend_backward is not None and trace is not None:
            raise ValueError("trace is given to a backward that computes attention in "
                             "parts, expected None: leave out once=True to trace it")
        traces = () if trace is None else (within(GRADIENT, trace),)
        return Scope({}, run._replace(traces=traces, hand_on=hand_on))

    def targets(self, arguments: dict) -> tuple[Targets, ...]:
        """Return the checked labels of each term, from the arguments of `forward`."""
        embeds = arguments.get("inputs_embeds")
        shape = array("input_ids", arguments["input_ids"]).shape if embeds is None \
            else array("inputs_embeds", embeds).shape[:-1]
        return checked_targets(self.terms, self.config, shape, arguments)


def module_of(model):
    """Return the module of a torch model; raise TypeError for a model of NumPy."""
    if "module" not in vars(model):
        raise TypeError(f"this {type(model).__name__} computes with NumPy, expected a "
                        "model of torch: use model.to_torch().as_module()")
    return model.module


def check_options(cls: str, options: dict) -> None:
    """Refuse options of a call that a class of this name does not have."""
    unknown = sorted(set(options) - {*OPTIONS, "keep", "tensors", "once"})
    if unknown:
        raise TypeError(f"{cls} takes no argument {', '.join(unknown)}, expected those "
                        f"of its forward or {', '.join(OPTIONS)}: check the spelling")


def wanted(options: dict, config, name: str):
    """Return an option of one call or, if it is None, the configuration's default."""
    value = options.get(name)
    return getattr(config, name) if value is None else value


def signatures(forward):
    """Return the function `__call__` for a `forward`; show all options of both.

    In place of **options, notebooks and help() show the options by name.
    """
    def __call__(self, *args, **kwargs):
        """Return the output of `forward`, and keep nothing for backward."""
        with self.backend.without_gradient():
            return self.forward(*args, **kwargs, keep=False)[0]

    shown = inspect.signature(forward)
    own = [x for x in shown.parameters.values() if x.kind != x.VAR_KEYWORD]
    options = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None)
               for name in OPTIONS]
    forward.__signature__ = shown.replace(parameters=[*own, *options])
    __call__.__signature__ = forward.__signature__          # type: ignore[attr-defined]
    return __call__
