"""How the two halves of an encoder-decoder share parameters and exchange inputs."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, MutableMapping

import numpy as np

from ..bert.losses import IGNORE_INDEX
from .base import BertPreTrainedModel
from .classes import BertLMHeadModel, BertModel
from .config import BertConfig
from .inputs import array, integers, shaped
from .params import linear_shapes
from .tensors import namespace

PROJECTION = "enc_to_dec_proj"


class JointParams(MutableMapping):
    """The parameters of both halves as one dict, without copies.

    Names start with `encoder.` or `decoder.`, except those of the projection.
    Assigning to a name replaces the array in its half.  Shape and dtype must match;
    names cannot be added or removed.
    """

    def __init__(self, model):
        self.model = model

    def place(self, name: str) -> tuple[dict, str]:
        """Return the dict that holds a parameter, and its name there."""
        half, _, rest = name.partition(".")
        if half in ("encoder", "decoder"):
            return getattr(self.model, half).params, rest
        return self.model.projection, name

    def __getitem__(self, name: str) -> np.ndarray:
        params, own = self.place(name)
        if own not in params:
            raise KeyError(name)
        return params[own]

    def __setitem__(self, name: str, value) -> None:
        if name not in self:
            raise ValueError(f"{name!r} is not a parameter of the model, expected one "
                             "of its names: list(model.params) shows them")
        params, own = self.place(name)
        old, new = params[own], np.asarray(value)
        if new.dtype != old.dtype:
            raise TypeError(f"{name} is {new.dtype}, expected {old.dtype}: convert it "
                            "with astype, or assign all of model.params at once")
        if new.shape != old.shape:
            raise ValueError(f"{name} has shape {new.shape}, expected {old.shape}: "
                             "change a vocabulary with resize_token_embeddings of the "
                             "half")
        params[own] = new

    def __delitem__(self, name: str) -> None:
        raise TypeError(f"{name} would be deleted, expected every parameter to be "
                        "kept: set it to zeros")

    def __iter__(self) -> Iterator[str]:
        return iter(self.model.shapes)

    def __len__(self) -> int:
        return len(self.model.shapes)

    def __or__(self, other) -> dict:
        return {**self, **other}

    def __repr__(self) -> str:
        return f"<{len(self)} parameters of an encoder-decoder>"


def half(kind, path, is_decoder: bool, options: dict, dtype, rng):
    """Load one half from a checkpoint of any BERT, or take the `model` in `options`."""
    model, config = options.pop("model", None), options.pop("config", None)
    name = "decoder" if is_decoder else "encoder"
    if model is not None:
        others = [*options, *(["config"] if config is not None else [])]
        if others:
            raise ValueError(f"{name}_model is given together with {name}_"
                             f"{', '.join(others)}, expected only the model: change "
                             "it first")
        return model
    if path is None:
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
        raise ValueError("add_cross_attention of the decoder is False, expected True: "
                         "build it with is_decoder=True and add_cross_attention=True")
    if encoder.dtype != decoder.dtype:
        raise ValueError(f"the encoder is {encoder.dtype} and the decoder "
                         f"{decoder.dtype}, expected the same dtype: pass it to both")


def check_report(directory, report) -> None:
    """Refuse a checkpoint that lacks parameters; warn of tensors that are not used."""
    lost = [name for name in report.missing if ".pooler." not in name]
    if lost:
        raise ValueError(f"{directory} lacks {', '.join(lost)}, expected every "
                         "parameter but the pooler's: check that config.json "
                         "belongs to these weights")
    if report.unexpected:
        warnings.warn(f"{directory} holds tensors that this model leaves unused: "
                      f"{', '.join(report.unexpected)}", stacklevel=3)


def projection_shapes(config) -> dict:
    """The shapes of the layer between two halves; {} if their widths are equal."""
    widths = config.encoder.hidden_size, config.decoder.hidden_size
    return {} if widths[0] == widths[1] else linear_shapes(PROJECTION, *widths)


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
    input_ids = array("labels", input_ids)
    if input_ids.ndim != 2:
        raise ValueError(f"labels has shape {tuple(input_ids.shape)}, expected "
                         "(batch, tokens): put a single target into a list")
    xp = namespace(input_ids)
    first = xp.full_like(input_ids[:, :1], decoder_start_token_id)     # (B, 1)
    shifted = xp.concat([first, input_ids[:, :-1]], axis=1)            # (B, T)
    return xp.where(shifted == IGNORE_INDEX, pad_token_id, shifted)


def named_for_halves(output, encoder_outputs, settings):
    """Return what generate gave, with the names that it has in an encoder-decoder."""
    if settings.return_dict_in_generate:
        for name in ("attentions", "hidden_states"):
            setattr(output, f"decoder_{name}", getattr(output, name))
            setattr(output, name, None)
            if getattr(settings, f"output_{name}"):
                setattr(output, f"encoder_{name}", getattr(encoder_outputs, name, None))
    return output


def start_of_target(ids, mask, batch: int, start):
    """Return the decoder's prompts (B, P) and their mask (B, P).

    start: a token, or one for each of the B sources.

    HF: the start token goes in front of all of them, unless any begins with it.
    """
    if np.ndim(start) and np.shape(start) != (batch,):
        raise ValueError(f"decoder_start_token_id has {np.size(start)} ids, expected "
                         f"{batch}: pass one for each source, or one for all")
    starts = np.broadcast_to(start, batch)
    if ids is None:
        ids, mask = starts[:, None], None
    ids = integers("decoder_input_ids", ids)
    if ids.ndim != 2 or len(ids) != batch:
        raise ValueError(f"decoder_input_ids has shape {ids.shape}, expected ({batch}, "
                         "tokens): pass one target for each source")
    mask = np.ones(ids.shape, bool) if mask is None else shaped(
        "decoder_attention_mask", np.asarray(mask), ids.shape)
    if (ids[:, 0] != starts).all():
        ids = np.concatenate([starts[:, None], ids], axis=1)
        mask = np.pad(mask, ((0, 0), (1, 0)), constant_values=1)
    return ids, mask
