"""What models return: dataclasses with Hugging Face's names and order of fields.

An output is also a dictionary, out["logits"], and a tuple, out[0] or out.to_tuple().
Both leave out the fields that are None.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from typing import Any

from ..system.numbers import is_whole_number

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
                               f"expected one of {', '.join(self.keys())}: check the "
                               "spelling, or pass what it needs (labels, output_...)")
            return getattr(self, index)
        return self.to_tuple()[index]

    def __iter__(self):
        return iter(self.keys())        # HF: over the names, as in a dictionary

    def __len__(self) -> int:
        return len(self.keys())

    def __contains__(self, name) -> bool:
        return OLD_NAMES.get(name, name) in self.keys()

    def _ipython_key_completions_(self) -> list[str]:
        return self.keys()

    def _repr_html_(self) -> str:
        from ..system.html import arrays
        return arrays(type(self).__name__, dict(self.items()))


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


def joined_output(loss, decoder, encoder) -> Seq2SeqLMOutput:
    """Join the outputs of both halves.

    encoder: its output, or a tuple that starts with its last hidden states.
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


class Watch:
    """A trace for the hidden states and attentions that an output holds.

    Args:
        layers: which hidden states to keep, numbers from 0 (the embeddings) to L; or
            None for no field of hidden states.
        attentions: whether to keep the attention probabilities.

    Attributes:
        fields: {name of an output's field: tuple of arrays}.  A hidden state that is
            not kept is None.
        reads_attention: whether it needs more than hidden states: the probabilities of
            all queries at once.
    """

    def __init__(self, layers=None, attentions=False):
        self.layers, self.reads_attention = layers, attentions
        # HF: without cross-attention, cross_attentions is an empty tuple, not None.
        names = ["hidden_states"] * (layers is not None) + \
            ["attentions", "cross_attentions"] * attentions
        self.fields: dict[str, tuple] = {name: () for name in names}

    def record(self, name: str, value) -> None:
        """Append `value` to its field, if that is wanted."""
        field = ""
        if name.endswith(".probs"):
            field = "cross_attentions" if ".crossattention." in name else "attentions"
        elif fnmatchcase(name, "*layer.*[0-9].output.out") or \
                name.endswith("embeddings.out"):
            field = "hidden_states"
        if field in self.fields:
            held = self.fields[field]
            if field == "hidden_states" and len(held) not in self.layers:
                value = None
            self.fields[field] = (*held, value)


def selected_layers(wanted, layers: int):
    """Return the numbers of the hidden states that `output_hidden_states` asks for.

    wanted: a boolean; or a number or several, which select some of the layers + 1
        states and count from the end if negative.
    -> the numbers, or None for no hidden states.
    HF: 0 alone and an empty list ask for none; numbers out of range select nothing.
    """
    if wanted is None or isinstance(wanted, bool):
        return range(layers + 1) if wanted else None
    numbers = [wanted] if is_whole_number(wanted) else wanted
    if isinstance(numbers, str) or not hasattr(numbers, "__iter__") or \
            not all(is_whole_number(i) for i in numbers):
        raise TypeError(f"output_hidden_states is {wanted!r}, expected True, False or "
                        "a list of whole numbers: 0 selects the embeddings, i the "
                        "output of layer i")
    if not len(numbers) or is_whole_number(wanted) and wanted == 0:
        return None
    return {int(i) % (layers + 1) for i in numbers if -layers - 1 <= i <= layers}


@dataclass
class GenerateOutput(ModelOutput):
    """What generate returns with return_dict_in_generate=True.

    sequences (B num_return_sequences, T): prompts included.
    sequences_scores (B num_return_sequences,): of a beam search, with output_scores.
    scores: with output_scores, one (R, V) for each step, as the settings changed them.
    logits: with output_logits, one (R, V) for each step, as the model gave them.
    attentions, cross_attentions, hidden_states: with output_attentions and
        output_hidden_states, those of the model for each step.  In an encoder-decoder
        they are called decoder_attentions, cross_attentions and decoder_hidden_states,
        and those of the encoder are there too.
    cache: the KV cache.
    """

    sequences: Any = None
    sequences_scores: Any = None
    scores: Any = None
    logits: Any = None
    encoder_attentions: Any = None
    encoder_hidden_states: Any = None
    attentions: Any = None
    decoder_attentions: Any = None
    cross_attentions: Any = None
    hidden_states: Any = None
    decoder_hidden_states: Any = None
    cache: Any = None
