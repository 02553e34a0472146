"""BertConfig: the shape of a model, with Hugging Face's names, defaults and files.

The defaults are bert-base-uncased (Devlin et al. 2019, section 3: L=12, H=768, A=12).
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import inspect
import math
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..bert.activations import ACTIVATIONS, TRAINED
from ..system.jsonfiles import read_json, settings_text
from ..system.numbers import check_kind, is_whole_number, plain

LABELS = ("num_labels", "id2label", "label2id")
MOST_LABELS = 100_000           # without names: more is a mistake, and fills the memory


@dataclass(eq=False, repr=False, kw_only=True)
class CommonFields:
    """Fields, with their defaults, that every configuration of Hugging Face has."""

    architectures: list[str] | None = None
    dtype: str | None = None
    transformers_version: str | None = None
    chunk_size_feed_forward: int = 0
    is_encoder_decoder: bool = False
    output_attentions: bool | None = False
    output_hidden_states: bool | None = False
    return_dict: bool | None = True
    problem_type: str | None = None


@dataclass(eq=False, repr=False)
class Fields(CommonFields):
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


TYPES: dict[str, Any] = {field.name: field.type for field in dataclasses.fields(Fields)}
DEFAULTS = {field.name: field.default for field in dataclasses.fields(Fields)}


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
        attn_implementation: "eager", the only one there is.
        **others: kept as attributes and written back, so that no key of a file is lost.

    A field is checked for its type whenever it is set.

    Raises:
        ValueError: a value of a wrong type, or that no BERT can have; the message says
            why.

    Warns:
        UserWarning: num_labels is not the number of names in id2label.  HF: num_labels
            counts, and the names are dropped.

    Source: Hugging Face `BertConfig`; google-research/bert `modeling.BertConfig`.
    """

    model_type = "bert"
    id2label: dict[int, str]
    label2id: dict[str, int]

    def __init__(self, *args, num_labels=None, id2label=None, label2id=None, **given):
        args, given = copy.deepcopy((args, given))
        kind = given.pop("model_type", "bert")
        if kind != "bert":
            raise ValueError(f"model_type is {kind!r:.80}, expected 'bert': load the "
                             "checkpoint of a BERT, as numbert computes no other model")
        # HF: `torch_dtype` is the old name of `dtype`, which wins if both are given.
        old_dtype = given.pop("torch_dtype", None)
        if given.get("dtype") is None:
            given["dtype"] = old_dtype
        check_attention(given.pop("attn_implementation", None))
        self._name_or_path = str(given.pop("name_or_path", ""))
        super().__init__(*args, **{name: given.pop(name) for name in list(given)
                                   if name in TYPES})
        for name, value in given.items():
            setattr(self, name, value)
        self.id2label, self.label2id = label_maps(num_labels, id2label, label2id)
        check(self)

    # What help() and an editor show: the fields, the labels, and whatever a file holds.
    __signature__ = inspect.Signature([
        *inspect.signature(Fields).parameters.values(),
        *(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None)
          for name in LABELS),
        inspect.Parameter("others", inspect.Parameter.VAR_KEYWORD)])

    def __setattr__(self, name: str, value) -> None:
        value = plain(value)
        if name == "dtype" and value is not None and not isinstance(value, str):
            # A dtype of NumPy or torch: np.float32, np.dtype("float32"), torch.float32.
            value = getattr(value, "__name__", str(value)).removeprefix("torch.")
        if name in TYPES:
            check_kind(name, value, TYPES[name],
                       f"leave it out for {DEFAULTS[name]!r}")
        super().__setattr__(name, value)

    def __getattr__(self, name: str):
        from ..system.absent import no_attribute
        raise no_attribute(type(self).__name__, name)

    @property
    def name_or_path(self) -> str:
        """Where the configuration was loaded from; "" if it was made."""
        return self._name_or_path

    @name_or_path.setter
    def name_or_path(self, name) -> None:
        self._name_or_path = str(name)

    @property
    def torch_dtype(self) -> str | None:
        """The old name of dtype."""
        return self.dtype

    @torch_dtype.setter
    def torch_dtype(self, dtype) -> None:
        self.dtype = dtype

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

    def _repr_html_(self) -> str:
        from ..system.html import table
        return table(type(self).__name__, (), [
            (name, str(value)) for name, value in self.to_diff_dict().items()], most=40)

    def to_dict(self) -> dict[str, Any]:
        """Every field as plain Python values, `model_type` included."""
        values = {"model_type": self.model_type, **copy.deepcopy(vars(self))}
        del values["_name_or_path"]
        return values

    def to_diff_dict(self) -> dict[str, Any]:
        """The fields of BERT, and those others that are not at their defaults."""
        id2label, label2id = label_maps(None, None, None)
        usual = {**dataclasses.asdict(CommonFields()), "id2label": id2label,
                 "label2id": label2id}
        return {name: value for name, value in self.to_dict().items()
                if name not in usual or value != usual[name]}

    def to_json_string(self, use_diff: bool = False) -> str:
        """The text of config.json: keys sorted, label ids as strings.

        use_diff: whether to write only the fields of `to_diff_dict`.
        """
        return settings_text(self.to_diff_dict() if use_diff else self.to_dict())

    def to_json_file(self, json_file_path, use_diff: bool = False) -> None:
        """Write `to_json_string` to a file.  If writing fails, the old file is kept."""
        from ..system.saving import atomic_write_text
        atomic_write_text(json_file_path, self.to_json_string(use_diff))

    def update(self, config_dict: dict[str, Any]) -> None:
        """Set fields.  If one is invalid, none is changed.

        Raises:
            ValueError: a value of a wrong type, or that no BERT can have.
        """
        changes = {"name_or_path": self.name_or_path, **config_dict}
        vars(self).update(vars(self.from_dict(self.to_dict(), **changes)))

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], *, return_unused_kwargs=False,
                  **changes):
        """Build a configuration from a dictionary; `changes` override its fields.

        New label names, or another number of labels, replace the old names.

        return_unused_kwargs: whether to return (config, dict), where the dict holds
            the changes that are neither fields of BERT nor in `config_dict`.
        """
        known = {*TYPES, *LABELS, *config_dict, "name_or_path", "torch_dtype",
                 "attn_implementation"}
        unused = {name: value for name, value in changes.items()
                  if return_unused_kwargs and name not in known}
        count, dropped = changes.get("num_labels"), set(unused)
        if count is not None and count != len(config_dict.get("id2label") or ()):
            dropped |= {"id2label", "label2id"} - set(changes)
        if changes.get("id2label") is not None:
            dropped |= {"num_labels", "label2id"} - set(changes)
        values = {name: value for name, value in {**config_dict, **changes}.items()
                  if name not in dropped}
        config = cls(**values)
        return (config, unused) if return_unused_kwargs else config

    @classmethod
    def from_json_file(cls, json_file) -> "BertConfig":
        """Read a config.json, or Google's bert_config.json.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the file is not JSON, or holds an impossible value.
        """
        return cls.from_pretrained(json_file)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path, *, cache_dir=None,
                        force_download=False, local_files_only=False, token=None,
                        revision=None, subfolder="", return_unused_kwargs=False,
                        **changes):
        """Read config.json from a directory, a file or the hub; `changes` override it.

        cache_dir, force_download, local_files_only, token and revision are for the hub.

        Args:
            pretrained_model_name_or_path: a directory, a file, or a name on the hub.
            subfolder: where config.json lies inside the directory or repository.
            return_unused_kwargs: whether to return (config, dict), where the dict holds
                the changes that are not fields, instead of refusing them.

        Raises:
            TypeError: a change to a field that neither BERT nor the file has.
            FileNotFoundError: there is no such file.
            ValueError: the file is not JSON, or holds an impossible value.
        """
        path = Path(pretrained_model_name_or_path)
        if not path.is_file():
            from ..system.hub import resolve
            path = resolve(pretrained_model_name_or_path, ("config.json",),
                           revision=revision, cache_dir=cache_dir, token=token,
                           local_files_only=local_files_only, subfolder=subfolder,
                           force_download=force_download) / "config.json"
        try:
            values = read_json(path, expected="a JSON object of fields")
        except FileNotFoundError:
            raise FileNotFoundError(
                f"{path} does not exist, expected a config.json in the directory of a "
                "checkpoint: check the path") from None
        changes["name_or_path"] = pretrained_model_name_or_path
        values.pop("_name_or_path", None)
        try:
            config, unused = cls.from_dict(values, return_unused_kwargs=True, **changes)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
        if return_unused_kwargs:
            return config, unused
        refuse_unknown(unused)
        return config

    def save_pretrained(self, save_directory, **others) -> None:
        """Write config.json into `save_directory`, created if it is absent.

        A failure leaves the old file as it was.
        """
        from ..system.absent import refuse_arguments
        refuse_arguments("save_pretrained", others, ("save_directory",))
        Path(save_directory).mkdir(parents=True, exist_ok=True)
        self.to_json_file(Path(save_directory) / "config.json")


def check_attention(implementation) -> None:
    """Refuse an implementation of attention that NumPy does not have."""
    if implementation not in (None, "eager"):
        raise ValueError(f"attn_implementation is {implementation!r}, expected "
                         "'eager' in NumPy, or 'sdpa' in from_pretrained and "
                         "to_torch, which compute with torch: leave it out")


def refuse_unknown(changes: dict) -> None:
    """Refuse changes to fields that neither BERT nor the file has."""
    from ..system.absent import ABSENT, refuse_arguments
    refuse_arguments("from_pretrained", {name: value for name, value in changes.items()
                                         if name in ABSENT}, ())
    unknown = sorted(set(changes) - set(ABSENT))
    if unknown:
        raise TypeError(f"from_pretrained has no argument {', '.join(unknown)}, "
                        "expected its own or a field of the configuration: check the "
                        "spelling")


def label_maps(num_labels, id2label, label2id):
    """Return the maps from class ids to names and back, made from what is given.

    HF: without any, there are two classes, LABEL_0 and LABEL_1.
    """
    for name, value, kind in (("num_labels", num_labels, "int | None"),
                              ("id2label", id2label, "dict | None"),
                              ("label2id", label2id, "dict | None")):
        check_kind(name, value, kind)
    if id2label is not None:
        id2label = {class_id("id2label", i): name for i, name in id2label.items()}
    elif label2id:
        id2label = {class_id("label2id", i): name for name, i in label2id.items()}
    if num_labels is not None and id2label is not None \
            and num_labels != len(id2label):
        warnings.warn(f"num_labels is {num_labels}, but id2label names {len(id2label)} "
                      "classes: num_labels counts, and the names are dropped",
                      stacklevel=4)
        id2label = label2id = None
    if id2label is None:
        count = 2 if num_labels is None else int(num_labels)
        if not 0 <= count <= MOST_LABELS:
            raise ValueError(f"num_labels is {count}, expected a whole number from 0 "
                             f"to {MOST_LABELS}: name the classes in id2label for more")
        id2label = {i: f"LABEL_{i}" for i in range(count)}
        label2id = None
    if label2id is None:
        unnamed = [name for name in id2label.values() if isinstance(name, (dict, list))]
        if unnamed:
            raise ValueError(f"id2label holds {unnamed[0]!r:.80}, expected the name of "
                             "a class: correct it")
        label2id = {name: i for i, name in id2label.items()}
    return id2label, {name: class_id("label2id", i) for name, i in label2id.items()}


def class_id(where: str, value) -> int:
    """Return the id of a class; the keys of a JSON object are texts."""
    number = value
    if isinstance(value, str):
        with contextlib.suppress(ValueError):
            number = int(value)
    if not is_whole_number(number):
        raise ValueError(f"{where} has the id {value!r:.80}, expected a whole number: "
                         "correct it")
    return int(number)


def label_name(config, index: int) -> str:
    """Return the name of a class.

    Raises:
        ValueError: id2label has none for it.
    """
    if index not in config.id2label:
        raise ValueError(f"id2label has no name for class {index}, expected names for "
                         f"the {config.num_labels} classes from 0 on: number them "
                         "without gaps in config.json")
    return str(config.id2label[index])


def check(config: BertConfig) -> None:
    """Raise ValueError if a field has an impossible value; say what was expected."""
    for names, lowest, highest, expected in (
            (("vocab_size", "hidden_size", "num_attention_heads", "intermediate_size",
              "max_position_embeddings", "type_vocab_size"), 1, math.inf,
             "a whole number above 0"),
            (("num_hidden_layers",), 0, math.inf, "a whole number >= 0"),
            (("layer_norm_eps", "initializer_range"), 0, math.inf, "a number >= 0"),
            (("hidden_dropout_prob", "attention_probs_dropout_prob",
              "classifier_dropout"), 0, 1, "a number in [0, 1]")):
        for name in names:
            value = getattr(config, name)
            if value is not None and not lowest <= value <= highest:
                raise ValueError(f"{name} is {value!r:.80}, expected {expected}: leave "
                                 f"it out for {DEFAULTS[name]!r}")
    check_combinations(config)


def check_combinations(config: BertConfig) -> None:
    """Refuse fields that do not go together, and names that numbert doesn't know."""
    width, heads = config.hidden_size, config.num_attention_heads
    if width % heads:
        raise ValueError(f"hidden_size is {width}, expected a multiple of "
                         f"num_attention_heads {heads}: heads take equal shares of it")
    pad, vocab = config.pad_token_id, config.vocab_size
    if pad is not None and not -vocab <= pad < vocab:
        raise ValueError(f"pad_token_id is {pad}, expected an id below vocab_size "
                         f"{vocab}, or None: use the id of [PAD] in vocab.txt")
    if config.add_cross_attention and not config.is_decoder:
        raise ValueError("add_cross_attention is True, expected False in an encoder: "
                         "set is_decoder=True, as only a decoder attends to an encoder")
    for name, known in (("hidden_act", tuple(ACTIVATIONS)),
                        ("position_embedding_type", (None, "absolute"))):
        value = vars(config).get(name)
        if value in TRAINED and name == "hidden_act":
            raise ValueError(f"hidden_act is {value!r}, which has parameters of its "
                             f"own, expected one of {', '.join(ACTIVATIONS)}: train "
                             "with one of these")
        if value not in known:
            raise ValueError(f"{name} is {value!r:.80}, expected one of "
                             f"{', '.join(map(str, known))}: numbert computes no other")
    if config.problem_type == "single_label_classification" and config.num_labels == 1:
        raise ValueError("num_labels is 1, expected more for problem_type "
                         "single_label_classification: use num_labels=2, or "
                         "problem_type='regression'")
