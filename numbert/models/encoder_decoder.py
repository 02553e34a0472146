"""An encoder-decoder made of two BERTs: one reads the source, one writes the target.

Both may start from checkpoints of encoders (Rothe et al. 2020, "BERT2BERT").  The
decoder is a BertLMHeadModel whose layers get a fresh attention over the encoder's last
hidden states.  Names, arguments and files are those of transformers' class.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..bert.losses import IGNORE_INDEX
from ..bert.scope import Run
from ..system.numbers import generator
from . import params as parameters
from .base import check_options, module_of, signatures
from .cache import given_cache
from .classes import BertLMHeadModel, BertModel
from .encoder_decoder_config import EncoderDecoderConfig
from .encoder_decoder_files import EncoderDecoderFiles
from .generation import continued, hooks
from .generation_config import resolved
from .halves import PROJECTION, JointParams, check_halves, named_for_halves
from .halves import projection_shapes, shift_tokens_right, start_of_target, under
from .inputs import array, integers
from .others import OTHERS
from .outputs import joined_output
from .params import checked_dtype, checked_params
from .targets import Term, checked_targets, checked_totals, output_gradients
from .targets import total_loss, word_targets
from .tensors import is_tensor, to_host
from .trace import GRADIENT, end_run, within


class Saved(NamedTuple):
    """What `forward` hands to `backward`."""

    encoder: Any                # its Saved; None if encoder_outputs were given
    decoder: Any                # its Saved
    projection: Any             # of the linear layer; None if the halves are as wide
    source: Any                 # (B, S, C), what the decoder read
    loss: tuple                 # from total_loss: the terms; () without labels
    shapes: dict                # {name of an output: its shape}
    outputs: Any = None         # {name of an output: tensor}, for torch's own backward
    tensors: bool = False       # whether a tensor is among the inputs
    hidden: Any = None          # (B, S, C), the encoder's, before the projection

    def __repr__(self) -> str:
        return f"<Saved: of the encoder {self.encoder}, of the decoder {self.decoder}>"


class EncoderDecoderModel(EncoderDecoderFiles):
    """Two BERTs as one model.

    Args:
        config: an EncoderDecoderConfig; or
        encoder, decoder: a BertModel and a BertLMHeadModel with cross-attention.
        dtype, rng: of fresh parameters, if only a config is given.
        params: parameters to use, with the names of the attribute `params`.

    `params` shows both halves' parameters as one dict, see JointParams;
    `model.params = {...}` replaces them all.  If the halves differ in width, a linear
    layer `enc_to_dec_proj` joins them.  `config` holds the configurations of both
    models, not copies: when a half is resized, config.json will say so.
    """

    terms = (Term("logits", "labels", word_targets),)
    config_class = EncoderDecoderConfig
    base_model_prefix = "encoder_decoder"
    halves = ("encoder", "decoder")

    def __init__(self, config=None, encoder=None, decoder=None, *, dtype="float32",
                 rng=0, params=None):
        if config is None:
            if encoder is None or decoder is None:
                raise ValueError("config is None, expected an EncoderDecoderConfig: "
                                 "pass one, or both an encoder and a decoder")
            config = EncoderDecoderConfig.from_encoder_decoder_configs(
                encoder.config, decoder.config)
        self.generation_config = None           # the defaults of generate
        dtype = checked_dtype(dtype) if encoder is None else encoder.dtype
        rng = generator(rng)
        kwargs = {"dtype": dtype, "rng": rng}
        self.encoder = encoder or BertModel(config.encoder, **kwargs)
        self.decoder = decoder or BertLMHeadModel(config.decoder, **kwargs)
        check_halves(self.encoder, self.decoder)
        for name in self.halves:
            if getattr(config, name) != getattr(self, name).config:
                raise ValueError(f"the {name} has another configuration than "
                                 f"config.{name}, expected the same: leave config out, "
                                 f"or the {name}")
        self.joint = config
        self.projection = parameters.init(
            config.decoder, projection_shapes(config), rng, dtype)
        if params is not None:
            self.params = params

    @property
    def config(self) -> EncoderDecoderConfig:
        """The configuration; its halves are those that the two models have now."""
        self.joint.encoder = self.encoder.config
        self.joint.decoder = self.decoder.config
        return self.joint

    @property
    def shapes(self) -> dict:
        """Every parameter's name and shape."""
        return {**{f"encoder.{name}": s for name, s in self.encoder.shapes.items()},
                **{f"decoder.{name}": s for name, s in self.decoder.shapes.items()},
                **projection_shapes(self.config)}

    @property
    def params(self) -> JointParams:
        """All parameters under Hugging Face's names."""
        return JointParams(self)

    @params.setter
    def params(self, values) -> None:
        values = checked_params({name: np.asarray(x) for name, x in values.items()},
                                self.shapes)
        self.encoder.params = under("encoder.", values)
        self.decoder.params = under("decoder.", values)
        self.projection = {name: values[name] for name in self.projection}

    @property
    def aliases(self) -> dict[str, str]:                # type: ignore[override]
        """Second names of tied parameters: {alias: name in params}."""
        return {f"decoder.{alias}": f"decoder.{name}"
                for alias, name in self.decoder.aliases.items()}

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the parameters."""
        return self.encoder.dtype

    def to_torch(self, device=None, dtype=None, attn_implementation="sdpa"):
        """Return the same model computing with torch; see BertPreTrainedModel."""
        return OTHERS["torch"]().to_torch(self, device, dtype, attn_implementation)

    def as_module(self):
        """Return the parameters of a torch model as a torch.nn.Module."""
        return module_of(self)

    def __repr__(self) -> str:
        return (f"EncoderDecoderModel({self.num_parameters():,} parameters, "
                f"{self.dtype}, {self.encoder!r}, {self.decoder!r})")

    def _repr_html_(self) -> str:
        return self.encoder._repr_html_() + self.decoder._repr_html_()

    @property
    def base_model(self) -> EncoderDecoderModel:
        """The model itself, as it has no head."""
        return self

    def get_input_embeddings(self) -> np.ndarray:
        """The encoder's word embedding table (V, C)."""
        return self.encoder.get_input_embeddings()

    def set_input_embeddings(self, value) -> None:
        """Replace the encoder's word embedding table by one of the same shape."""
        self.encoder.set_input_embeddings(value)

    def get_output_embeddings(self) -> np.ndarray | None:
        """The table (V, C) with which the decoder scores words."""
        return self.decoder.get_output_embeddings()

    def resize_token_embeddings(self, *args, **kwargs):
        """HF: refuse, as each half has a vocabulary of its own; resize one of them."""
        raise NotImplementedError("an encoder-decoder has two vocabularies: use "
                                  "model.encoder.resize_token_embeddings or "
                                  "model.decoder.resize_token_embeddings")

    @classmethod
    def can_generate(cls) -> bool:
        """Whether the class has `generate`: it has."""
        return True

    def tie_weights(self) -> None:
        """Change nothing, as in the halves: tied weights are one array already."""
        self.decoder.tie_weights()

    # ------------------------------------------------------------------ computing

    def forward(self, input_ids=None, attention_mask=None, decoder_input_ids=None,
                decoder_attention_mask=None, encoder_outputs=None, cache=None,
                inputs_embeds=None, decoder_inputs_embeds=None, labels=None,
                use_cache=None, *, token_type_ids=None, position_ids=None,
                decoder_token_type_ids=None, decoder_position_ids=None, **options):
        """Return (Seq2SeqLMOutput, saved).

        input_ids, attention_mask (B, S): the source; or inputs_embeds (B, S, C).
        decoder_input_ids, decoder_attention_mask (B, T): the target so far; or
        decoder_inputs_embeds (B, T, C).  By default the labels, moved one place right.
        labels (B, T): the target, -100 to ignore; the logits at t are compared with the
        label at t.
        encoder_outputs: those of an earlier call, in place of the source, of which
        only attention_mask is read then.
        cache, use_cache: see BertLMHeadModel.
        token_type_ids, position_ids: of the source, and decoder_... of the target.
        **options: those of BertPreTrainedModel; they go to both halves.
        """
        cache = given_cache(options, cache)
        check_options(type(self).__name__, options)
        rng, trace = options.get("rng"), options.get("trace")
        given = (input_ids, inputs_embeds, attention_mask, decoder_input_ids,
                 decoder_inputs_embeds, labels)
        tensors = options.get("tensors", False) or any(map(is_tensor, given))
        shared = {"return_dict": True, "keep": options.get("keep", True),
                  "tensors": True, "once": options.get("once"),
                  "rng": None if rng is None else self.backend.generator(rng),
                  **{name: options.get(name) for name in (
                      "output_attentions", "output_hidden_states", "packed")}}
        totals = checked_totals(self.terms, options.get("label_totals"))
        if labels is not None:
            labels = integers("labels", labels, self.config.decoder.vocab_size,
                              "vocab_size", ignore=IGNORE_INDEX)
            if decoder_input_ids is None and decoder_inputs_embeds is None:
                decoder_input_ids, mask = self.decoder_inputs(labels)
                if decoder_attention_mask is None:
                    decoder_attention_mask = mask
        encoder_saved = None
        if encoder_outputs is None:
            encoder_outputs, encoder_saved = self.encoder.forward(
                input_ids, attention_mask, token_type_ids, position_ids, inputs_embeds,
                trace=within("encoder.", trace), **shared)
        hidden = self.placed(array("encoder_outputs", encoder_outputs[0]))
        source, projection_saved = self.project(hidden)
        out, decoder_saved = self.decoder.forward(
            decoder_input_ids, decoder_attention_mask, decoder_token_type_ids,
            decoder_position_ids, decoder_inputs_embeds, source, attention_mask,
            cache=cache, use_cache=use_cache, trace=within("decoder.", trace), **shared)
        loss, term_losses = self.decoder_loss(out.logits, labels, totals, trace)
        end_run(trace, self)
        saved = Saved(encoder_saved, decoder_saved, projection_saved, source,
                      term_losses, {"logits": out.logits.shape},
                      self.backend.differentiable({"logits": out.logits}, loss),
                      tensors, hidden)
        output = self.backend.give(joined_output(loss, out, encoder_outputs), tensors)
        return_dict = options.get("return_dict")
        if return_dict is None:
            return_dict = getattr(self.config, "return_dict", True)
        return (output if return_dict else output.to_tuple()), saved

    __call__ = signatures(forward)

    def decoder_loss(self, logits, labels, totals, trace) -> tuple[Any, tuple]:
        """Return the loss, None without labels, and what its backward needs.

        logits (B, T, V), labels (B, T) or None
        """
        shape = tuple(logits.shape[:-1])
        targets = checked_targets(self.terms, self.config.decoder, shape,
                                  {"labels": labels})
        targets = tuple(x._replace(labels=self.placed(x.labels)) for x in targets)
        return total_loss(self.run(trace), self.terms, targets, {"logits": logits},
                          totals)

    def run(self, trace) -> Run:
        """Return the run in which the loss and its gradient are computed."""
        return Run(self.config, self.decoder.ops,
                   traces=() if trace is None else (trace,))

    @property
    def backend(self):
        """Where the arrays are, and how they get there: that of both halves."""
        return self.decoder.backend

    def placed(self, x):
        """Return an input where the parameters are."""
        return self.backend.place(x, self.decoder.like)

    def project(self, hidden):
        """Bring the encoder's states (B, S, C) to the decoder's width: out, saved."""
        if not self.projection:
            return hidden, None
        return self.decoder.ops.linear(
            hidden, *(self.projection[f"{PROJECTION}.{part}"]
                      for part in ("weight", "bias")))

    def prepare_decoder_input_ids_from_labels(self, labels):
        """labels (B, T) -> decoder_input_ids (B, T)"""
        return shift_tokens_right(labels, self.config.pad_token_id,
                                  self.config.decoder_start_token_id)

    def decoder_inputs(self, labels):
        """labels (B, T) -> decoder_input_ids (B, T) and the mask of their padding"""
        decoder_ids = self.prepare_decoder_input_ids_from_labels(labels)
        return decoder_ids, decoder_ids != self.config.pad_token_id

    def backward(self, saved, *, loss=None, logits=None, trace=None, hand_on=None
                 ) -> dict:
        """Return the gradient of each parameter, from the loss or from the logits.

        If forward was given inputs_embeds or decoder_inputs_embeds, theirs too; and if
        it was given encoder_outputs, encoder_hidden_states, that of encoder_outputs[0].
        hand_on: see BertPreTrainedModel.backward.
        """
        if self.backend.backward is not None:
            return self.backend.backward(self, saved, loss, trace, {"logits": logits})
        run = self.run(within(GRADIENT, trace))
        dlogits, = output_gradients(
            run, saved.loss, loss, self.dtype, saved.shapes,
            {} if logits is None else {"logits": logits})
        decoder = self.decoder.backward(saved.decoder, logits=dlogits,
                                        trace=within("decoder.", trace),
                                        hand_on=named("decoder.", hand_on))
        grads = {f"decoder.{name}": decoder[name] for name in self.decoder.shapes}
        if "inputs_embeds" in decoder:
            grads["decoder_inputs_embeds"] = decoder["inputs_embeds"]
        dsource = decoder["encoder_hidden_states"]                 # (B, S, C)
        if saved.projection is not None:
            dsource, dw, db = self.decoder.ops.linear_backward(
                dsource, saved.projection)
            grads |= {f"{PROJECTION}.weight": dw, f"{PROJECTION}.bias": db}
        if saved.encoder is None:
            encoder = {name: np.zeros(s, self.dtype)
                       for name, s in self.encoder.shapes.items()}
            grads["encoder_hidden_states"] = dsource
        else:
            encoder = self.encoder.backward(saved.encoder, last_hidden_state=dsource,
                                            trace=within("encoder.", trace),
                                            hand_on=named("encoder.", hand_on))
        end_run(trace, self, backward=True)
        grads |= {f"encoder.{name}": encoder[name] for name in self.encoder.shapes}
        if "inputs_embeds" in encoder:
            grads["inputs_embeds"] = encoder["inputs_embeds"]
        return grads

    def targets(self, arguments: dict):
        """Return the checked labels of each term, from the arguments of `forward`."""
        return checked_targets(self.terms, self.config.decoder,
                               array("labels", arguments["labels"]).shape, arguments)

    def generate(self, input_ids=None, attention_mask=None, *, decoder_input_ids=None,
                 decoder_attention_mask=None, encoder_outputs=None,
                 generation_config=None, rng=None, streamer=None, inputs_embeds=None,
                 token_type_ids=None, logits_processor=None, stopping_criteria=None,
                 **changes):
        """Write a target for each source; see numbert.generate.

        input_ids, attention_mask (B, S): the sources.  HF: nothing looks for padding in
        them, so a padded batch needs its attention_mask.
        decoder_input_ids (B, P): how the targets begin; by default with
        decoder_start_token_id or, if that is None, bos_token_id.
        """
        settings = resolved(generation_config, self.generation_config, changes,
                            self.config, self.config.decoder)
        start = settings.decoder_start_token_id
        start = settings.bos_token_id if start is None else start
        if start is None:
            raise ValueError("decoder_start_token_id is None, expected an id: pass it, "
                             "or set it in the model's config, usually to [CLS]'s id")
        if encoder_outputs is None:
            encoder_outputs = self.encoder(
                input_ids, attention_mask, token_type_ids, inputs_embeds=inputs_embeds,
                return_dict=True, output_attentions=settings.output_attentions,
                output_hidden_states=settings.output_hidden_states)
        with self.backend.without_gradient():
            hidden = self.placed(array("encoder_outputs", encoder_outputs[0]))
            source, _ = self.project(hidden)
        ids, mask = start_of_target(to_host(decoder_input_ids),
                                    to_host(decoder_attention_mask), len(source), start)
        out = continued(self.decoder, settings, ids, mask,
                        np.arange(ids.shape[1])[None], source, attention_mask, rng=rng,
                        extra=hooks(streamer, logits_processor, stopping_criteria))
        out = self.backend.given_back(out, (input_ids, inputs_embeds, attention_mask))
        return named_for_halves(out, encoder_outputs, settings)


def named(prefix: str, hand_on):
    """Return a function that hands gradients on under the names of the whole model."""
    return None if hand_on is None else lambda grads: hand_on(
        {prefix + name: gradient for name, gradient in grads.items()})
