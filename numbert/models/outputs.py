"""What models return: dataclasses with Hugging Face's names and order of fields.

An output is also a dictionary, out["logits"], and a tuple, out[0] or out.to_tuple().
Both leave out the fields that are None.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

OLD_NAMES = {"past_key_values": "cache"}


@dataclass
class ModelOutput:
    """The base of all outputs: attributes, dictionary and tuple at once.

    HF: `past_key_values` is the name that `cache` had before transformers 5.24; it
    still works.
    """

    @property
    def past_key_values(self):
        """The old name of `cache`."""
        return self.cache                                   # type: ignore[attr-defined]

    def keys(self) -> list[str]:
        """The names of the fields that are not None."""
        return [f.name for f in fields(self) if getattr(self, f.name) is not None]

    def values(self) -> list:
        """The values of the fields that are not None."""
        return [getattr(self, name) for name in self.keys()]

    def items(self) -> list[tuple[str, Any]]:
        """Pairs of name and value, for the fields that are not None."""
        return [(name, getattr(self, name)) for name in self.keys()]

    def to_tuple(self) -> tuple:
        """The values of the fields that are not None, in order."""
        return tuple(self.values())

    def get(self, name: str, default=None):
        """The value of a field, or `default` if it is absent or None."""
        return getattr(self, name) if name in self else default

    def __getitem__(self, index):
        if isinstance(index, str):
            if index not in self:
                raise KeyError(f"{type(self).__name__} has no {index!r} in this call, "
                               f"expected one of {', '.join(self.keys())}")
            return getattr(self, index)
        return self.to_tuple()[index]

    def __iter__(self):
        return iter(self.keys())        # HF: over the names, as in a dictionary

    def __len__(self) -> int:
        return len(self.keys())

    def __contains__(self, name) -> bool:
        return OLD_NAMES.get(name, name) in self.keys()


@dataclass
class BaseModelOutputWithPoolingAndCrossAttentions(ModelOutput):
    """BertModel's output.

    last_hidden_state (B, T, C); pooler_output (B, C); hidden_states L + 1 of (B, T, C),
    the embeddings first; attentions L of (B, N, T, S); cross_attentions L of
    (B, N, T, S).
    """

    last_hidden_state: Any = None
    pooler_output: Any = None
    cache: Any = None           # HF: third in a tuple, although declared fourth
    hidden_states: Any = None
    attentions: Any = None
    cross_attentions: Any = None


@dataclass
class BertForPreTrainingOutput(ModelOutput):
    """loss (); prediction_logits (B, T, V); seq_relationship_logits (B, 2)."""

    loss: Any = None
    prediction_logits: Any = None
    seq_relationship_logits: Any = None
    hidden_states: Any = None
    attentions: Any = None


@dataclass
class CausalLMOutputWithCrossAttentions(ModelOutput):
    """loss (); logits (B, T, V) of the next token; cache, the KV cache."""

    loss: Any = None
    logits: Any = None
    cache: Any = None
    hidden_states: Any = None
    attentions: Any = None
    cross_attentions: Any = None


@dataclass
class MaskedLMOutput(ModelOutput):
    """loss (); logits (B, T, V)."""

    loss: Any = None
    logits: Any = None
    hidden_states: Any = None
    attentions: Any = None


@dataclass
class NextSentencePredictorOutput(MaskedLMOutput):
    """loss (); logits (B, 2): column 0 is "B follows A", column 1 "B is random"."""


@dataclass
class SequenceClassifierOutput(MaskedLMOutput):
    """loss (); logits (B, K)."""


@dataclass
class MultipleChoiceModelOutput(MaskedLMOutput):
    """loss (); logits (B, M)."""


@dataclass
class TokenClassifierOutput(MaskedLMOutput):
    """loss (); logits (B, T, K)."""


@dataclass
class QuestionAnsweringModelOutput(ModelOutput):
    """loss (); start_logits (B, T); end_logits (B, T)."""

    loss: Any = None
    start_logits: Any = None
    end_logits: Any = None
    hidden_states: Any = None
    attentions: Any = None


@dataclass
class Seq2SeqLMOutput(ModelOutput):
    """loss (); logits (B, T, V) of the target; other fields are those of the halves."""

    loss: Any = None
    logits: Any = None
    cache: Any = None
    decoder_hidden_states: Any = None
    decoder_attentions: Any = None
    cross_attentions: Any = None
    encoder_last_hidden_state: Any = None
    encoder_hidden_states: Any = None
    encoder_attentions: Any = None
