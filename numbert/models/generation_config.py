"""GenerationConfig: the settings of generate, where they come from, and their files."""

from __future__ import annotations

import copy
import warnings
from dataclasses import dataclass, fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..system.absent import ABSENT, GENERATION_NAMES, no_attribute, refuse_arguments
from ..system.jsonfiles import read_json, settings_text
from ..system.numbers import is_number, is_whole_number, plain
from ..system.saving import atomic_write_text

TOKENS = ("eos_token_id", "pad_token_id", "bos_token_id", "decoder_start_token_id")
DEFAULTS: dict[str, Any] = {
    "min_length": 0, "do_sample": False, "temperature": 1.0, "top_k": 50,
    "top_p": 1.0, "num_beams": 1, "length_penalty": 1.0, "early_stopping": False,
    "num_return_sequences": 1, "repetition_penalty": 1.0, "no_repeat_ngram_size": 0,
    "use_cache": True, "return_dict_in_generate": False, "output_scores": False,
    "output_logits": False, "output_attentions": False,
    "output_hidden_states": False,
}
# Values with which settings that numbert lacks ask for nothing.
NEUTRAL: dict[str, Any] = {
    "typical_p": 1.0, "encoder_repetition_penalty": 1.0, "guidance_scale": 1.0,
    "encoder_no_repeat_ngram_size": 0, "diversity_penalty": 0.0, "num_beam_groups": 1,
    "epsilon_cutoff": 0.0, "eta_cutoff": 0.0, "num_assistant_tokens": 20,
    "num_assistant_tokens_schedule": "constant", "assistant_lookbehind": 10,
    "assistant_confidence_threshold": 0.4, "target_lookbehind": 10,
    "remove_invalid_values": False, "renormalize_logits": False,
}
FILE = "generation_config.json"
EXTRA = ("output_scores", "output_logits", "output_attentions", "output_hidden_states")
GREATER_THAN_0 = "a number from 1e-30 to 1e30"


@dataclass
class GenerationConfig:
    """The settings of generate, with Hugging Face's names.

    A setting that is None is taken from the model: from its generation_config, or else
    from its config, where old checkpoints have such settings (an encoder-decoder at
    the top, then in its decoder).  Otherwise DEFAULTS applies.

    Args:
        max_new_tokens: how many tokens to add at most; None means 20, or fewer if the
            model has no more positions.
        max_length: the same, prompt included; used if max_new_tokens is None.
        min_new_tokens: how many tokens to add before one may be an eos token.
        min_length: the same, prompt included; used if min_new_tokens is None.
        do_sample: whether to draw tokens instead of taking the likeliest.
        temperature: divides the scores before a draw; below 1, likely tokens become
            even likelier, and above 1 less likely.
        top_k: draw only among the k likeliest tokens; 0 for all.
        top_p: draw only among the fewest likeliest tokens that together have this
            probability.
        num_beams: n; above 1 it is a beam search.
        length_penalty: a beam search divides scores by the length to this power.
        early_stopping: when a beam search stops: True, at n ended sequences; False,
            when no better one is likely; "never", when none is possible.
        num_return_sequences: how many sequences to return for each prompt.
        repetition_penalty: above 1, tokens that are there already become less likely
            (Keskar et al. 2019, section 4.1).
        no_repeat_ngram_size: n, if no n tokens in a row may come twice; 0 if they may.
        eos_token_id: the token, or a list of tokens, that ends a sequence.
        pad_token_id: pads sequences that have ended; by default the first eos token.
        bos_token_id: starts a generation without a prompt.
        decoder_start_token_id: starts the target of an encoder-decoder; or a list, with
            a token for each source.
            If one of these four is None, the model's configuration may name it.
        use_cache: whether to keep keys and values, so that a step computes one token.
        return_dict_in_generate: whether to return a GenerateOutput.
        output_scores, output_logits, output_attentions, output_hidden_states: whether
            it holds these of every step.
    """

    max_new_tokens: int | None = None
    max_length: int | None = None
    min_new_tokens: int | None = None
    min_length: int | None = None
    do_sample: bool | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    num_beams: int | None = None
    length_penalty: float | None = None
    early_stopping: bool | str | None = None
    num_return_sequences: int | None = None
    repetition_penalty: float | None = None
    no_repeat_ngram_size: int | None = None
    eos_token_id: int | list[int] | None = None
    pad_token_id: int | None = None
    bos_token_id: int | None = None
    decoder_start_token_id: int | list[int] | None = None
    use_cache: bool | None = None
    return_dict_in_generate: bool | None = None
    output_scores: bool | None = None
    output_logits: bool | None = None
    output_attentions: bool | None = None
    output_hidden_states: bool | None = None

    @property
    def eos(self) -> list[int]:
        """The eos tokens, as a list; it may be empty."""
        return token_list(self.eos_token_id)

    def __getattr__(self, name: str):
        raise no_attribute(type(self).__name__, name)

    def to_dict(self) -> dict[str, Any]:
        """Every setting as plain Python values."""
        return {name: plain(value) for name, value in copy.deepcopy(vars(self)).items()}

    def to_diff_dict(self) -> dict[str, Any]:
        """The settings that are not None."""
        return {name: value for name, value in self.to_dict().items()
                if value is not None}

    def to_json_string(self, use_diff: bool = True) -> str:
        """The text of generation_config.json; use_diff leaves out what is None."""
        return settings_text(self.to_diff_dict() if use_diff else self.to_dict())

    def to_json_file(self, json_file_path, use_diff: bool = True) -> None:
        """Write `to_json_string` to a file.  If writing fails, the old file is kept."""
        atomic_write_text(Path(json_file_path), self.to_json_string(use_diff))

    def save_pretrained(self, save_directory, config_file_name=FILE, **others) -> None:
        """Write generation_config.json into a directory, created if it is absent."""
        refuse_arguments("save_pretrained", others, ("save_directory",
                                                     "config_file_name"))
        Path(save_directory).mkdir(parents=True, exist_ok=True)
        self.to_json_file(Path(save_directory) / config_file_name)

    @classmethod
    def from_dict(cls, config_dict: dict, **changes) -> "GenerationConfig":
        """Make settings from a dictionary; `changes` override its entries.

        Raises:
            TypeError: a setting that numbert does not have.
            ValueError: a value that cannot work.
        """
        values = known_settings("from_dict", {**config_dict, **changes})
        settings = cls(**values)
        settings.validate()
        return settings

    @classmethod
    def from_pretrained(cls, pretrained_model_name, config_file_name=FILE, *,
                        cache_dir=None, force_download=False, local_files_only=False,
                        token=None, revision=None, subfolder="", **changes):
        """Read generation_config.json from a directory or the hub; see `from_dict`.

        Raises:
            OSError: there is no such file.
        """
        from ..system.hub import resolve
        directory = resolve(
            pretrained_model_name, (config_file_name,), cache_dir=cache_dir,
            force_download=force_download, local_files_only=local_files_only,
            token=token, revision=revision, subfolder=subfolder)
        return cls.from_dict(read_settings(directory / config_file_name), **changes)

    @classmethod
    def from_model_config(cls, model_config) -> "GenerationConfig":
        """Take the settings that a model's configuration, or a dict of it, has.

        HF: those at the top come first, then those of the decoder.
        """
        places = [model_config if isinstance(model_config, dict) else
                  vars(model_config)]
        decoder = places[0].get("decoder") or {}
        places.append(decoder if isinstance(decoder, dict) else vars(decoder))
        return merged(None, None, {}, [SimpleNamespace(**place) for place in places])

    def update(self, **changes) -> dict[str, Any]:
        """Set settings; return those that do not exist.  An error changes nothing."""
        known = {name: changes[name] for name in NAMES if name in changes}
        replace(self, **known).validate()
        vars(self).update(known)
        return {name: value for name, value in changes.items() if name not in known}

    def validate(self) -> None:
        """Raise ValueError if a value cannot work."""
        check(filled(self), 2**31)


NAMES = tuple(field.name for field in fields(GenerationConfig))


def token_list(ids) -> list:
    """Return one token, several or None as a list."""
    return [] if ids is None else list(ids) if isinstance(
        ids, (list, tuple, np.ndarray)) and np.ndim(ids) else [ids]


def read_generation_config(directory) -> GenerationConfig | None:
    """Read a checkpoint's generation_config.json; return None if there is none.

    null means the default.  Settings that numbert's generate lacks are kept: `merged`
    refuses those that ask for something, and save_pretrained writes them again.

    Raises:
        ValueError: the file is not a JSON object.

    Warns:
        UserWarning: a setting that transformers does not have either.
    """
    path = Path(directory) / FILE
    if not path.is_file():
        return None
    given = read_settings(path)
    settings = GenerationConfig(**{name: given.pop(name) for name in NAMES
                                   if name in given})
    vars(settings).update({name: value for name, value in given.items()
                           if not hasattr(GenerationConfig, name)})   # not a method
    unknown = sorted(set(asked(given)) - GENERATION_NAMES)
    if unknown:
        warnings.warn(f"{path} sets {', '.join(unknown)}, expected settings of "
                      "generate: correct the spelling, or remove them, as they change "
                      "nothing", stacklevel=4)
    return settings


def read_settings(path) -> dict:
    """Return the settings in a file that are not null, without notes on the file."""
    values = read_json(path, expected="a JSON object of settings",
                       remedy="write it again, or remove it")
    return {name: value for name, value in values.items()
            if value is not None and not is_note(name)}


def is_note(name: str) -> bool:
    """Whether an entry of a file says something about the file, and sets nothing."""
    return name == "transformers_version" or name.startswith("_")


def asked(values: dict) -> dict:
    """Return the settings that ask for something."""
    return {name: value for name, value in values.items() if value is not None
            and value is not False and NEUTRAL.get(name) != value}


def known_settings(function: str, values: dict) -> dict:
    """Return numbert's settings out of these; refuse others, unless neutral."""
    refuse_arguments(function, {
        name: value for name, value in values.items() if name not in NAMES
        and not (name in NEUTRAL and NEUTRAL[name] == value) and not is_note(name)},
        NAMES)
    return {name: value for name, value in values.items() if name in NAMES}


def write_generation_config(directory, settings) -> None:
    """Write generation_config.json, or nothing if the settings are None."""
    if settings is not None:
        settings.save_pretrained(directory)


def resolved(given, own, changes: dict, *configs) -> GenerationConfig:
    """Return the settings of one call, complete and checked.

    Args:
        given: a GenerationConfig or None.
        own: the model's; also a GenerationConfig or None.
        changes: fields that replace those of `given` and `own`.
        configs: the model's; the first one that has a setting decides.  HF: without
            `own` they have a say in every setting, and else only in special tokens.
    """
    changes = known_settings("generate", changes)
    for place in (given, own):
        if not isinstance(place, (GenerationConfig, type(None))):
            raise TypeError(f"generation_config is a {type(place).__name__}, expected "
                            "a numbert.GenerationConfig: make one with "
                            "GenerationConfig(...)")
    settings = merged(given, own, changes, configs)
    settings = filled(settings)
    check(settings, configs[-1].vocab_size)
    if settings.pad_token_id is None and settings.eos:
        settings.pad_token_id = settings.eos[0]                    # HF: does so too
    return settings


def merged(given, own, changes: dict, configs) -> GenerationConfig:
    """Return the settings of one call; what nobody has set is None.  See `resolved`."""
    settings = GenerationConfig()
    for name in NAMES:
        places = (given, own) if own is not None and name not in TOKENS else \
            (given, own, *configs)
        if name in changes and (name not in TOKENS or changes[name] is not None):
            value = changes[name]
        else:
            values = (getattr(place, name, None) for place in places)
            value = next((v for v in values if v is not None), None)
        setattr(settings, name, value)
    for place in (given, own):
        refuse_lacking(place, "generation_config", "generation_config")
    if own is None:
        for place in configs:
            refuse_lacking(place, "the model's configuration", "model.config")
        if settings.return_dict_in_generate is None:
            # HF: a configuration that asks for more output asks for a GenerateOutput.
            settings.return_dict_in_generate = any(
                getattr(place, name, None) for place in configs for name in EXTRA)
    return settings


def refuse_lacking(place, what: str, attribute: str) -> None:
    """Refuse a setting that numbert lacks, where a file or a caller has set it."""
    values = {} if place is None else asked(vars(place))
    for name in sorted(GENERATION_NAMES & set(values)):
        raise ValueError(f"{name} is {values[name]!r:.80} in {what}, expected None: "
                         f"{ABSENT[name]}, then set {attribute}.{name} = None")


def filled(settings: GenerationConfig) -> GenerationConfig:
    """Return the settings with DEFAULTS in place of None."""
    return replace(settings, **{name: value for name, value in DEFAULTS.items()
                                if getattr(settings, name) is None})


def check(settings, vocab: int) -> None:
    """Refuse settings that cannot work, and say what was expected."""
    s = settings

    def require(name, good, expected, remedy=None):
        if not good:
            remedy = remedy or f"leave it out for {DEFAULTS.get(name)!r}"
            raise ValueError(f"{name} is {getattr(s, name)!r:.80}, expected {expected}:"
                             f" {remedy}")

    for name, least in (("max_new_tokens", 1), ("max_length", 1), ("min_new_tokens", 0),
                        ("min_length", 0), ("top_k", 0), ("num_beams", 1),
                        ("num_return_sequences", 1), ("no_repeat_ngram_size", 0)):
        value = getattr(s, name)
        require(name, (is_whole_number(value) and value >= least) or
                (value is None and name not in DEFAULTS),
                f"a whole number >= {least}")
    for name in ("temperature", "top_p", "repetition_penalty", "length_penalty"):
        value = getattr(s, name)
        require(name, is_number(value), "a number")
    require("temperature", 1e-30 <= s.temperature <= 1e30, GREATER_THAN_0,
            "for the likeliest token each time use do_sample=False")
    require("top_p", 0 <= s.top_p <= 1, "a probability from 0 to 1")
    require("repetition_penalty", 1e-30 <= s.repetition_penalty <= 1e30, GREATER_THAN_0)
    require("length_penalty", abs(s.length_penalty) < float("inf"), "a finite number")
    require("early_stopping", s.early_stopping in (True, False, "never"),
            'True, False or "never"')
    if s.num_beams > 1 or not s.do_sample:
        require("num_return_sequences", s.num_return_sequences <= s.num_beams,
                f"at most num_beams, {s.num_beams}", "raise num_beams, or draw several "
                "sequences with do_sample=True and num_beams=1")
    for name in TOKENS:
        value = getattr(s, name)
        several = name in ("eos_token_id", "decoder_start_token_id")
        ids = token_list(value) if several else [0 if value is None else value]
        require(name, all(is_whole_number(i) and 0 <= i < vocab for i in ids),
                f"ids from 0 to {vocab - 1}", "use the tokenizer's")
    defaults = (("temperature", 1), ("top_k", 50), ("top_p", 1))
    useless = [name for name, default in defaults
               if getattr(s, name) != default and not s.do_sample]
    if useless:
        warnings.warn("without sampling these settings change nothing: "
                      f"{', '.join(useless)}; add do_sample=True, or leave them out",
                      stacklevel=4)
