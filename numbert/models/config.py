"""BertConfig: the shape of a model, with Hugging Face's names, defaults and files.

The defaults are bert-base-uncased (Devlin et al. 2019, section 3: L=12, H=768, A=12).
"""

from __future__ import annotations

import copy
import inspect
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..bert.activations import ACTIVATIONS, TRAINED
from ..system.jsonfiles import read_json, settings_text
from ..system.numbers import is_number, is_whole_number, plain

PROBLEM_TYPES = ("regression", "single_label_classification",
                 "multi_label_classification")

# Fields, with their defaults, that every configuration of Hugging Face has.
COMMON = {
    "architectures": None, "dtype": None, "transformers_version": None,
    "chunk_size_feed_forward": 0, "is_encoder_decoder": False,
    "output_attentions": False, "output_hidden_states": False, "return_dict": True,
    "problem_type": None,
}


@dataclass(eq=False, repr=False)
class Fields:
    """BERT's own fields and their defaults, in Hugging Face's order."""

    vocab_size: int = 30522
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    pad_token_id: int | None = 0
    use_cache: bool = True
    classifier_dropout: float | None = None
    is_decoder: bool = False
    add_cross_attention: bool = False
    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = None
    tie_word_embeddings: bool = True


class BertConfig(Fields):
    """The hyperparameters of a BERT model.

    Args:
        vocab_size: number of word pieces, V.
        hidden_size: width of every hidden state, C; a multiple of num_attention_heads.
        num_hidden_layers: number of layers, L.
        num_attention_heads: heads per layer, N; each has size D = C / N.
        intermediate_size: width inside the feed-forward block, F.
        hidden_act: the activation of that block: gelu (the exact form, by erf),
            gelu_new (by tanh), relu, silu or another of `bert.activations.ACTIVATIONS`.
        hidden_dropout_prob: dropout on embeddings and on each block's output.
        attention_probs_dropout_prob: dropout on the attention probabilities.
        max_position_embeddings: the longest sequence, in tokens.
        type_vocab_size: number of token types (segments A and B).
        initializer_range: standard deviation of fresh weights.
        layer_norm_eps: added to the variance under LayerNorm's root.
        pad_token_id: id of [PAD]; the gradient of its embedding lookup is zero.
        use_cache: whether a decoder returns its cache of keys and values.
        classifier_dropout: dropout before a classifier; None means hidden_dropout_prob.
        is_decoder: whether a position attends only to itself and earlier ones (causal).
        add_cross_attention: whether layers also attend to an encoder's output; needs
            is_decoder.
        bos_token_id, eos_token_id: for generation.
        tie_word_embeddings: whether the LM head scores words with the word embedding
            table.
        num_labels: number of classes, K; or give id2label or label2id.
        problem_type: regression, single_label_classification or
            multi_label_classification; None lets the labels decide, as in HF.
        output_attentions, output_hidden_states, return_dict: defaults of every call.
        **others: kept as attributes and written back, so that no key of a file is lost.

    Raises:
        ValueError: a value that no BERT can have; the message says why.

    Source: Hugging Face `BertConfig`; google-research/bert `modeling.BertConfig`.
    """

    model_type = "bert"
    problem_type: str | None
    id2label: dict[int, str]
    label2id: dict[str, int]

    def __init__(self, *args, num_labels=None, id2label=None, label2id=None, **given):
        super().__init__(*args, **{name: given.pop(name) for name in list(given)
                                   if name in Fields.__dataclass_fields__})
        kind = given.pop("model_type", "bert")
        if kind != "bert":
            raise ValueError(f"model_type is {kind!r}, expected 'bert': numbert "
                             "computes no other model")
        given.pop("name_or_path", None)
        # HF: `torch_dtype` is the old name of `dtype`, which wins if both are given.
        old_dtype = given.pop("torch_dtype", None)
        if given.get("dtype") is None and old_dtype is not None:
            given["dtype"] = old_dtype
        for name, value in {**COMMON, **given, **vars(self)}.items():
            setattr(self, name, copy.deepcopy(plain(value)))
        self.id2label, self.label2id = label_maps(num_labels, id2label, label2id)
        check(self)

    # What help() and an editor show: the fields, the labels, and whatever a file holds.
    __signature__ = inspect.Signature([
        *inspect.signature(Fields).parameters.values(),
        *(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None)
          for name in ("num_labels", "id2label", "label2id")),
        inspect.Parameter("others", inspect.Parameter.VAR_KEYWORD)])

    @property
    def num_labels(self) -> int:
        """Number of classes K; always the length of id2label."""
        return len(self.id2label)

    @num_labels.setter
    def num_labels(self, count: int) -> None:
        if count != len(self.id2label):
            self.id2label, self.label2id = label_maps(count, None, None)

    def __eq__(self, other) -> bool:
        return isinstance(other, BertConfig) and self.to_dict() == other.to_dict()

    def __repr__(self) -> str:
        return f"BertConfig {self.to_json_string()}"

    def to_dict(self) -> dict[str, Any]:
        """Every field as plain Python values, `model_type` included."""
        return {"model_type": self.model_type, **copy.deepcopy(vars(self))}

    def to_json_string(self) -> str:
        """The text of config.json: keys sorted, label ids as strings."""
        return settings_text(self.to_dict())

    @classmethod
    def from_dict(cls, values: dict[str, Any], **changes) -> "BertConfig":
        """Build a configuration from a dictionary; `changes` override its fields.

        If num_labels changes, the label names of `values` are dropped.
        """
        count = changes.get("num_labels")
        if count is not None and count != len(values.get("id2label") or ()):
            values = {name: value for name, value in values.items()
                      if name not in ("id2label", "label2id")}
        return cls(**{**values, **changes})

    @classmethod
    def from_pretrained(cls, name_or_path, *, revision=None, cache_dir=None,
                        local_files_only=False, token=None, **changes) -> "BertConfig":
        """Read config.json from a directory, a file or the hub; `changes` override it.

        revision, cache_dir, local_files_only and token are for the hub.

        Raises:
            TypeError: a change to a field that neither BERT nor the file has.
            FileNotFoundError: there is no such file.
            ValueError: the file is not JSON, or holds an impossible value.
        """
        path = Path(name_or_path)
        if not path.is_file():
            from ..system.hub import resolve
            path = resolve(name_or_path, ("config.json",), revision=revision,
                           cache_dir=cache_dir, token=token,
                           local_files_only=local_files_only) / "config.json"
        try:
            values = read_json(path, expected="a JSON object of fields")
        except FileNotFoundError:
            raise FileNotFoundError(
                f"{path} does not exist: a checkpoint directory needs a config.json"
            ) from None
        unknown = sorted(set(changes) - set(values) - set(vars(BertConfig()))
                         - {"num_labels"})
        if unknown:
            raise TypeError(f"from_pretrained takes no argument {', '.join(unknown)}, "
                            "expected its own or a field of the configuration: check "
                            "the spelling")
        try:
            return cls.from_dict(values, **changes)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    def save_pretrained(self, directory) -> None:
        """Write config.json into `directory`, which is made if need be.

        A failure leaves the old file as it was.
        """
        from ..system.saving import atomic_write_text
        Path(directory).mkdir(parents=True, exist_ok=True)
        atomic_write_text(Path(directory) / "config.json", self.to_json_string())


def label_maps(num_labels, id2label, label2id):
    """Return the maps from class ids to names and back, made from what is given.

    HF: without any, there are two classes, LABEL_0 and LABEL_1.
    """
    if id2label is not None:
        id2label = {int(i): label for i, label in id2label.items()}
    elif label2id:
        id2label = {int(i): label for label, i in label2id.items()}
    else:
        count = 2 if num_labels is None else num_labels
        if not is_whole_number(count) or count < 1:
            raise ValueError(f"num_labels is {count!r}, expected a whole number above "
                             "0: leave it out for two classes")
        id2label = {i: f"LABEL_{i}" for i in range(count)}
    if num_labels is not None and num_labels != len(id2label):
        raise ValueError(f"num_labels is {num_labels}, but id2label names "
                         f"{len(id2label)} classes, expected as many: give only one of "
                         "the two")
    if sorted(id2label) != list(range(len(id2label))):
        raise ValueError(f"id2label has the ids {sorted(id2label)}, expected "
                         f"0 to {len(id2label) - 1}: number classes without gaps")
    if label2id is None:
        label2id = {label: i for i, label in id2label.items()}
    return id2label, {label: int(i) for label, i in label2id.items()}


def check(config: BertConfig) -> None:
    """Refuse a value that no BERT can have, and say what was expected."""
    for names, lowest, fits, expected in (
            (("vocab_size", "hidden_size", "num_attention_heads", "intermediate_size",
              "max_position_embeddings", "type_vocab_size"), 1, is_whole_number,
             "a whole number above 0"),
            (("num_hidden_layers",), 0, is_whole_number, "a whole number >= 0"),
            (("layer_norm_eps", "initializer_range"), 0, is_number, "a number >= 0")):
        for name in names:
            value = getattr(config, name)
            if not fits(value) or not value >= lowest:
                raise ValueError(f"{name} is {value!r}, expected {expected}")
    for name in ("hidden_dropout_prob", "attention_probs_dropout_prob",
                 "classifier_dropout"):
        value = getattr(config, name)
        if value is None and name == "classifier_dropout":
            continue
        if not isinstance(value, (int, float)) or not 0 <= value < 1:
            raise ValueError(f"{name} is {value!r}, expected a number in [0, 1)")
    check_combinations(config)


def check_combinations(config: BertConfig) -> None:
    """Refuse fields that do not go together, and names that numbert doesn't know."""
    width, heads = config.hidden_size, config.num_attention_heads
    if width % heads:
        raise ValueError(f"hidden_size is {width}, expected a multiple of "
                         f"num_attention_heads {heads}: heads take equal shares of it")
    pad, vocab = config.pad_token_id, config.vocab_size
    if pad is not None and not (is_whole_number(pad) and -vocab <= pad < vocab):
        raise ValueError(f"pad_token_id is {pad!r}, expected an id below vocab_size "
                         f"{vocab}, or None")
    if config.add_cross_attention and not config.is_decoder:
        raise ValueError("add_cross_attention is True, expected False in an encoder: "
                         "set is_decoder=True, as only a decoder attends to an encoder")
    for name, known in (("hidden_act", tuple(ACTIVATIONS)),
                        ("position_embedding_type", (None, "absolute")),
                        ("problem_type", (None, *PROBLEM_TYPES))):
        value = getattr(config, name, None)
        if value in TRAINED and name == "hidden_act":
            raise ValueError(f"hidden_act is {value!r}, which has parameters of its "
                             f"own, expected one of {', '.join(ACTIVATIONS)}")
        if value not in known:
            raise ValueError(f"{name} is {value!r}, expected one of "
                             f"{', '.join(map(str, known))}")
    if config.problem_type == "single_label_classification" and config.num_labels == 1:
        raise ValueError("num_labels is 1, expected more for problem_type "
                         "single_label_classification: use num_labels=2, or "
                         "problem_type='regression'")
