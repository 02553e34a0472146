"""The configuration of an encoder-decoder: two BertConfigs and a few special tokens."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from ..system.absent import no_attribute, refuse_arguments
from ..system.jsonfiles import read_json, settings_text
from .config import BertConfig, CommonFields
from .generation_config import NAMES

FIELDS = ("encoder", "decoder", *CommonFields.__dataclass_fields__, *NAMES)


class EncoderDecoderConfig:
    """The configurations of both halves, and the special tokens of generation.

    Args:
        encoder, decoder: a BertConfig each, or a dictionary of its fields.
        pad_token_id, decoder_start_token_id: for making decoder inputs from labels.
        **others: kept as attributes and written back.

    Raises:
        ValueError: a half is missing or is not a BERT, or the decoder is not made to
            attend to an encoder.
    """

    model_type = "encoder-decoder"
    dtype: str | None = None
    pad_token_id: int | None
    decoder_start_token_id: int | None

    def __init__(self, encoder=None, decoder=None, pad_token_id=None,
                 decoder_start_token_id=None, **others):
        if encoder is None or decoder is None:
            raise ValueError(f"{'encoder' if encoder is None else 'decoder'} is None, "
                             "expected a BertConfig: pass both encoder=... and "
                             "decoder=...")
        self.encoder, self.decoder = as_config(encoder), as_config(decoder)
        if not (self.decoder.is_decoder and self.decoder.add_cross_attention):
            raise ValueError(
                f"the decoder has is_decoder={self.decoder.is_decoder} and "
                f"add_cross_attention={self.decoder.add_cross_attention}, expected "
                "is_decoder=True and add_cross_attention=True: "
                "EncoderDecoderConfig.from_encoder_decoder_configs sets both")
        others = {**others, "is_encoder_decoder": True, "pad_token_id": pad_token_id,
                  "decoder_start_token_id": decoder_start_token_id}
        others.pop("model_type", None)
        for name, value in others.items():
            setattr(self, name, copy.deepcopy(value))

    def __getattr__(self, name: str):
        raise no_attribute(type(self).__name__, name)

    def _repr_html_(self) -> str:
        from ..system.html import table
        halves = self.encoder.to_diff_dict(), self.decoder.to_diff_dict()
        return table(type(self).__name__, ("", "encoder", "decoder"), [
            (name, *(str(half.get(name, "")) for half in halves))
            for name in {**halves[0], **halves[1]}], most=40)

    @classmethod
    def from_encoder_decoder_configs(cls, encoder_config, decoder_config, **others):
        """Join two configurations; the second is made a decoder's."""
        decoder = BertConfig.from_dict(decoder_config.to_dict(), is_decoder=True,
                                       add_cross_attention=True)
        return cls(encoder_config.to_dict(), decoder, **others)

    @classmethod
    def from_pretrained(cls, directory, **changes):
        """Read config.json from a directory; `changes` override its fields."""
        path = Path(directory) / "config.json"
        try:
            values = read_json(path, expected="a JSON object of fields")
        except FileNotFoundError:
            raise FileNotFoundError(
                f"{path} does not exist, expected a configuration: pass a directory "
                "that EncoderDecoderModel.save_pretrained wrote") from None
        if values.get("model_type") != cls.model_type:
            raise ValueError(f"{path} has model_type {values.get('model_type')!r}, "
                             f"expected {cls.model_type!r}: use a single BERT as one "
                             "half with from_encoder_decoder_pretrained")
        check_fields("from_pretrained", changes, values)
        return cls(**{**values, **changes})

    def to_dict(self) -> dict[str, Any]:
        """Every field as plain Python values."""
        values = copy.deepcopy({**vars(self), "model_type": self.model_type})
        return {**values, "encoder": self.encoder.to_dict(),
                "decoder": self.decoder.to_dict()}

    def to_json_string(self) -> str:
        """The text of config.json."""
        return settings_text(self.to_dict())

    def __eq__(self, other) -> bool:
        return isinstance(other, type(self)) and self.to_dict() == other.to_dict()


def as_config(half) -> BertConfig:
    """Return a BertConfig as it is, or make one from a dictionary of its fields."""
    return half if isinstance(half, BertConfig) else BertConfig.from_dict(half)


def check_fields(function: str, changes: dict, known=()) -> None:
    """Refuse changes to fields that neither numbert nor the file, `known`, has."""
    names = (*FIELDS, *known)
    refuse_arguments(function, {name: value for name, value in changes.items()
                                if name not in names}, names)
