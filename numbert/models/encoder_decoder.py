"""An encoder-decoder made of two BERTs: one reads the source, one writes the target.

Both may start from checkpoints of encoders (Rothe et al. 2020, "BERT2BERT").  The
decoder is a BertLMHeadModel whose layers get a fresh attention over the encoder's last
hidden states.  Names, arguments and files are those of transformers' class.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from ..bert.losses import IGNORE_INDEX
from ..system import checkpoint, saving
from . import params as parameters
from .base import BertPreTrainedModel
from .cache import given_cache
from .classes import BertLMHeadModel, BertModel
from .config import BertConfig
from .encoder_decoder_config import EncoderDecoderConfig
from .generation import generate
from .inputs import integers, shaped
from .outputs import Seq2SeqLMOutput
from .params import TIES, checked_dtype, linear_shapes
from .sampling import read_generation_config, resolved, write_generation_config
from .targets import Term, checked_targets, checked_totals, output_gradients
from .targets import total_loss, word_targets
from .weights import HUB

PROJECTION = "enc_to_dec_proj"
BOTH = ("output_attentions", "output_hidden_states", "rng", "trace", "keep")


class Saved(NamedTuple):
    """What `forward` hands to `backward`."""

    encoder: Any                # its Saved; None if encoder_outputs were given
    decoder: Any                # its Saved
    projection: Any             # of the linear layer; None if the halves are as wide
    source: Any                 # (B, S, C), what the decoder read
    loss: tuple                 # from total_loss: the terms; () without labels
    shapes: dict                # {name of an output: its shape}


class EncoderDecoderModel:
    """Two BERTs as one model.

    Args:
        config: an EncoderDecoderConfig; or
        encoder, decoder: a BertModel and a BertLMHeadModel with cross-attention.
        dtype, rng: of fresh parameters, if only a config is given.
        params: parameters to use, with the names of the attribute `params`.

    `params` is a read-only view {name: array} of both halves' parameters, whose names
    start with `encoder.` or `decoder.`; `model.params = {...}` replaces them all.  If
    the halves differ in width, a linear layer `enc_to_dec_proj` joins them.
    """

    terms = (Term("logits", "labels", word_targets),)

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
        rng = np.random.default_rng(rng)
        kwargs = {"dtype": dtype, "rng": rng}
        self.encoder = encoder or BertModel(config.encoder, **kwargs)
        self.decoder = decoder or BertLMHeadModel(config.decoder, **kwargs)
        check_halves(self.encoder, self.decoder)
        self.config = config
        shapes = projection_shapes(config)
        self.projection = parameters.init(config.decoder, shapes, rng, dtype)
        self.shapes = {
            **{f"encoder.{name}": s for name, s in self.encoder.shapes.items()},
            **{f"decoder.{name}": s for name, s in self.decoder.shapes.items()},
            **shapes}
        if params is not None:
            self.params = params

    @property
    def params(self) -> MappingProxyType:
        """All parameters under Hugging Face's names."""
        return MappingProxyType({
            **{f"encoder.{name}": x for name, x in self.encoder.params.items()},
            **{f"decoder.{name}": x for name, x in self.decoder.params.items()},
            **self.projection})

    @params.setter
    def params(self, values) -> None:
        wrong = sorted(set(values) ^ set(self.shapes))
        if wrong:
            raise ValueError(f"params have {', '.join(wrong)} too many or too few, "
                             "expected exactly the names of the model's parameters: "
                             "start from dict(model.params)")
        self.encoder.params = under("encoder.", values)
        self.decoder.params = under("decoder.", values)
        self.projection = {name: values[name] for name in self.projection}

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the parameters."""
        return self.encoder.dtype

    def num_parameters(self) -> int:
        """Count the numbers in all parameters; tied tensors count once."""
        return sum(x.size for x in self.params.values())

    def __repr__(self) -> str:
        return (f"EncoderDecoderModel({self.num_parameters():,} parameters, "
                f"{self.dtype}, {self.encoder!r}, {self.decoder!r})")

    def get_input_embeddings(self) -> np.ndarray:
        """The encoder's word embedding table (V, C)."""
        return self.encoder.get_input_embeddings()

    def get_output_embeddings(self) -> np.ndarray | None:
        """The table (V, C) with which the decoder scores words."""
        return self.decoder.get_output_embeddings()

    def resize_token_embeddings(self, *args, **kwargs):
        """HF: refuse, as each half has a vocabulary of its own; resize one of them."""
        raise NotImplementedError("an encoder-decoder has two vocabularies: use "
                                  "model.encoder.resize_token_embeddings or "
                                  "model.decoder.resize_token_embeddings")

    def tie_weights(self) -> None:
        """Make the decoder score words with its own word embeddings from now on."""
        self.decoder.tie_weights()

    # ------------------------------------------------------------------ computing

    def __call__(self, *args, **kwargs):
        """Return the output of `forward`, and keep nothing for backward."""
        return self.forward(*args, **kwargs, keep=False)[0]

    def forward(self, input_ids=None, attention_mask=None, decoder_input_ids=None,
                decoder_attention_mask=None, encoder_outputs=None, cache=None,
                inputs_embeds=None, decoder_inputs_embeds=None, labels=None,
                use_cache=None, **options):
        """Return (Seq2SeqLMOutput, saved).

        input_ids, attention_mask (B, S): the source; or inputs_embeds (B, S, C).
        decoder_input_ids, decoder_attention_mask (B, T): the target so far; or
        decoder_inputs_embeds (B, T, C).  By default the labels, moved one place right.
        labels (B, T): the target, -100 to ignore; the logits at t are compared with the
        label at t.
        encoder_outputs: those of an earlier call, in place of the source.
        cache, use_cache: see BertLMHeadModel.
        **options: those of BertPreTrainedModel go to both halves, those that start with
        `decoder_` to the decoder, all others (token_type_ids, ...) to the encoder.
        """
        return_dict = options.pop("return_dict", None)
        cache = given_cache(options, cache)
        totals = checked_totals(self.terms, options.pop("label_totals", None))
        options.pop("labelled_only", None)              # for masked LMs only
        shared = {name: options[name] for name in BOTH if name in options}
        for_decoder = under("decoder_", options)
        for_encoder = {name: value for name, value in options.items()
                       if not name.startswith("decoder_")}
        if labels is not None:
            labels = integers("labels", labels, self.config.decoder.vocab_size,
                              "vocab_size", ignore=IGNORE_INDEX)
            if decoder_input_ids is None and decoder_inputs_embeds is None:
                decoder_input_ids = self.prepare_decoder_input_ids_from_labels(labels)
                if decoder_attention_mask is None:
                    pad = self.config.pad_token_id
                    decoder_attention_mask = decoder_input_ids != pad
        encoder_saved = None
        if encoder_outputs is None:
            encoder_outputs, encoder_saved = self.encoder.forward(
                input_ids, attention_mask, inputs_embeds=inputs_embeds,
                return_dict=True, **for_encoder)
        source, projection_saved = self.project(encoder_outputs[0])
        out, decoder_saved = self.decoder.forward(
            decoder_input_ids, decoder_attention_mask,
            inputs_embeds=decoder_inputs_embeds, encoder_hidden_states=source,
            encoder_attention_mask=attention_mask, cache=cache,
            use_cache=use_cache, return_dict=True, **for_decoder, **shared)
        targets = checked_targets(self.terms, self.config.decoder,
                                  out.logits.shape[:-1], {"labels": labels})
        loss, judged = total_loss(self.decoder.ops, self.terms, targets,
                                  {"logits": out.logits}, totals)
        saved = Saved(encoder_saved, decoder_saved, projection_saved, source, judged,
                      {"logits": out.logits.shape})
        output = joined_output(loss, out, encoder_outputs)
        if return_dict is None:
            return_dict = getattr(self.config, "return_dict", True)
        return (output if return_dict else output.to_tuple()), saved

    def project(self, hidden):
        """Bring the encoder's states (B, S, C) to the decoder's width: out, saved."""
        hidden = np.asarray(hidden)
        if not self.projection:
            return hidden, None
        return self.decoder.ops.linear(
            hidden, *(self.projection[f"{PROJECTION}.{part}"]
                      for part in ("weight", "bias")))

    def prepare_decoder_input_ids_from_labels(self, labels):
        """labels (B, T) -> decoder_input_ids (B, T)"""
        return shift_tokens_right(labels, self.config.pad_token_id,
                                  self.config.decoder_start_token_id)

    def backward(self, saved, *, loss=None, logits=None, trace=None) -> dict:
        """Return the gradient of each parameter, from the loss or from the logits.

        If forward was given inputs_embeds or decoder_inputs_embeds, theirs too; and if
        it was given encoder_outputs, encoder_hidden_states, that of encoder_outputs[0].
        """
        dlogits, = output_gradients(
            self.decoder.ops, saved.loss, loss, self.dtype, saved.shapes,
            {} if logits is None else {"logits": logits})
        decoder = self.decoder.backward(saved.decoder, logits=dlogits, trace=trace)
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
                                            trace=trace)
        grads |= {f"encoder.{name}": encoder[name] for name in self.encoder.shapes}
        if "inputs_embeds" in encoder:
            grads["inputs_embeds"] = encoder["inputs_embeds"]
        return grads

    def targets(self, arguments: dict):
        """Return the checked labels of each term, from the arguments of `forward`."""
        return checked_targets(self.terms, self.config.decoder,
                               np.shape(arguments["labels"]), arguments)

    def generate(self, input_ids=None, attention_mask=None, *, decoder_input_ids=None,
                 decoder_attention_mask=None, encoder_outputs=None,
                 generation_config=None, rng=None, streamer=None, inputs_embeds=None,
                 token_type_ids=None, **changes):
        """Write a target for each source; see numbert.generate.

        input_ids, attention_mask (B, S): the sources.  HF: nothing looks for padding in
        them, so a padded batch needs its attention_mask.
        decoder_input_ids (B, P): how the targets begin; by default with
        decoder_start_token_id or, if that is None, bos_token_id.
        """
        if generation_config is None:
            generation_config = self.generation_config
        settings = resolved(generation_config, changes,
                            self.config, self.config.decoder)
        start = settings.decoder_start_token_id
        start = settings.bos_token_id if start is None else start
        if start is None:
            raise ValueError("decoder_start_token_id is None, expected an id: pass it, "
                             "or set it in the model's config, usually to [CLS]'s id")
        if encoder_outputs is None:
            encoder_outputs = self.encoder(input_ids, attention_mask, return_dict=True,
                                           token_type_ids=token_type_ids,
                                           inputs_embeds=inputs_embeds)
        source, _ = self.project(encoder_outputs[0])
        ids, mask = start_of_target(decoder_input_ids, decoder_attention_mask,
                                    len(source), start)
        return generate(
            self.decoder, ids, mask, position_ids=np.arange(ids.shape[1])[None],
            encoder_hidden_states=source, encoder_attention_mask=attention_mask,
            generation_config=settings, rng=rng, streamer=streamer)

    # ----------------------------------------------------------------------- files

    @classmethod
    def from_encoder_decoder_pretrained(
            cls, encoder_pretrained_model_name_or_path=None,
            decoder_pretrained_model_name_or_path=None, *, dtype="float32", rng=0,
            decoder_start_token_id=None, **options):
        """Start both halves from checkpoints, each of any BERT.

        Args:
            encoder_pretrained_model_name_or_path, decoder_...: directories or hub
                names, see BertModel.from_pretrained.
            dtype: of both halves.
            rng: seed or Generator of what starts fresh: the cross-attention, and the
                LM head if the decoder's checkpoint has none.
            decoder_start_token_id: a field of the joint configuration.
            **options: `encoder_...` and `decoder_...` go to from_pretrained of that
                half, apart from encoder_model and decoder_model, which are models to
                use as they are.  All others become fields of the joint configuration.
        """
        rng = np.random.default_rng(rng)
        encoder = half(BertModel, encoder_pretrained_model_name_or_path, False,
                       under("encoder_", options), dtype, rng)
        decoder = half(BertLMHeadModel, decoder_pretrained_model_name_or_path, True,
                       under("decoder_", options), dtype, rng)
        others = {name: value for name, value in options.items()
                  if not name.startswith(("encoder_", "decoder_"))}
        config = EncoderDecoderConfig.from_encoder_decoder_configs(
            encoder.config, decoder.config,
            decoder_start_token_id=decoder_start_token_id, **others)
        return cls(config, encoder, decoder)

    @classmethod
    def from_pretrained(cls, name_or_path, *, dtype="float32", **changes):
        """Load what save_pretrained wrote, here or in transformers.

        Raises:
            OSError, ValueError: the checkpoint is absent, damaged or of another kind.
        """
        from ..system.hub import resolve
        hub = {name: changes.pop(name) for name in HUB if name in changes}
        directory = resolve(name_or_path, BertLMHeadModel.files, **hub)
        model = cls(EncoderDecoderConfig.from_pretrained(directory, **changes),
                    dtype=dtype)
        aliases = {f"decoder.{alias}": f"decoder.{name}"
                   for alias, name in TIES.items()}
        loaded, report = checkpoint.load(directory, model.shapes, dtype=dtype,
                                         aliases=aliases)
        lost = [name for name in report.missing if ".pooler." not in name]
        if lost:
            raise ValueError(f"{directory} lacks {', '.join(lost)}: check that "
                             "config.json belongs to these weights")
        if report.unexpected:
            warnings.warn(f"{directory} holds tensors that this model leaves unused: "
                          f"{', '.join(report.unexpected)}", stacklevel=2)
        model.params = {**model.params, **loaded}
        model.generation_config = read_generation_config(directory)
        return model

    def save_pretrained(self, directory, *, max_shard_size="50GB") -> None:
        """Write config.json and model.safetensors, which transformers loads too."""
        config = EncoderDecoderConfig(**{
            **self.config.to_dict(), "architectures": [type(self).__name__],
            "dtype": str(self.dtype)})
        saving.save(Path(directory), dict(self.params),
                    config_text=config.to_json_string(), max_shard_size=max_shard_size)
        write_generation_config(directory, self.generation_config)


def half(kind, path, is_decoder: bool, options: dict, dtype, rng):
    """Load one half from a checkpoint of any BERT, or take the `model` in `options`."""
    model, config = options.pop("model", None), options.pop("config", None)
    if model is not None:
        return model
    if path is None:
        name = "decoder" if is_decoder else "encoder"
        raise ValueError(f"{name}_pretrained_model_name_or_path is None, expected a "
                         f"directory or a hub name: pass it, or {name}_model=...")
    roles = {"is_decoder": is_decoder, "add_cross_attention": is_decoder}
    if config is None:
        options = {**options, **roles}
    else:
        config = BertConfig.from_dict(config.to_dict(), **roles)
    return kind.from_pretrained(path, config=config, dtype=dtype, rng=rng, **options)


def under(prefix: str, values) -> dict:
    """Pick the entries whose names start with a prefix, and remove it."""
    return {name.removeprefix(prefix): value for name, value in values.items()
            if name.startswith(prefix)}


def check_halves(encoder, decoder) -> None:
    """Refuse two models that cannot work as encoder and decoder."""
    for half, kind, place in ((encoder, BertModel, "encoder"),
                              (decoder, BertLMHeadModel, "decoder")):
        if not isinstance(half, BertPreTrainedModel) or not isinstance(half, kind):
            raise TypeError(f"the {place} is a {type(half).__name__}, expected a "
                            f"{kind.__name__}: load its checkpoint with that class")
    if not decoder.config.add_cross_attention:
        raise ValueError("the decoder has no cross-attention: build it with "
                         "is_decoder=True and add_cross_attention=True")
    if encoder.dtype != decoder.dtype:
        raise ValueError(f"the encoder is {encoder.dtype} and the decoder "
                         f"{decoder.dtype}, expected the same dtype: pass it to both")


def projection_shapes(config) -> dict:
    """The shapes of the layer between halves of different widths; {} if as wide."""
    widths = config.encoder.hidden_size, config.decoder.hidden_size
    return {} if widths[0] == widths[1] else linear_shapes(PROJECTION, *widths)


def joined_output(loss, decoder, encoder) -> Seq2SeqLMOutput:
    """Join the outputs; the encoder's may be a tuple that starts with its last states.
    """
    of_encoder = {name: getattr(encoder, name, None)
                  for name in ("hidden_states", "attentions")}
    return Seq2SeqLMOutput(
        loss=loss, logits=decoder.logits, cache=decoder.cache,
        decoder_hidden_states=decoder.hidden_states,
        decoder_attentions=decoder.attentions,
        cross_attentions=decoder.cross_attentions,
        encoder_last_hidden_state=encoder[0],
        encoder_hidden_states=of_encoder["hidden_states"],
        encoder_attentions=of_encoder["attentions"])


def shift_tokens_right(input_ids, pad_token_id, decoder_start_token_id):
    """Make what the decoder reads while it learns to write `input_ids`.

    input_ids (B, T), -100 to ignore -> ids (B, T): the start token, then all input_ids
    but the last, with padding in place of -100.
    """
    for name, value in (("pad_token_id", pad_token_id),
                        ("decoder_start_token_id", decoder_start_token_id)):
        if value is None:
            raise ValueError(f"{name} is None, expected a token id, as decoder inputs "
                             f"are made from labels with it: set model.config.{name}")
    input_ids = np.asarray(input_ids)
    if input_ids.ndim != 2:
        raise ValueError(f"labels has shape {input_ids.shape}, expected "
                         "(batch, tokens): put a single target into a list")
    shifted = np.roll(input_ids, 1, axis=1)
    shifted[:, 0] = decoder_start_token_id
    return np.where(shifted == IGNORE_INDEX, pad_token_id, shifted)


def start_of_target(ids, mask, batch: int, start: int):
    """Return the decoder's prompts (B, P) and their mask (B, P).

    HF: the start token goes in front of all of them, unless any begins with it.
    """
    if ids is None:
        ids, mask = np.full((batch, 1), start), None
    ids = integers("decoder_input_ids", ids)
    if ids.ndim != 2 or len(ids) != batch:
        raise ValueError(f"decoder_input_ids has shape {ids.shape}, expected ({batch}, "
                         "tokens): pass one target for each source")
    mask = np.ones(ids.shape, bool) if mask is None else shaped(
        "decoder_attention_mask", np.asarray(mask), ids.shape)
    if (ids[:, 0] != start).all():
        ids, mask = (np.pad(x, ((0, 0), (1, 0)), constant_values=value)
                     for x, value in ((ids, start), (mask, 1)))
    return ids, mask
