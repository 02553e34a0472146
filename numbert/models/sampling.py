"""Settings of generation, and what they do to the scores of the next token.

The filters are functions of arrays: scores (R, V) of R rows and V tokens go in, scores
come out, with -inf for a token that must not follow.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from ..bert.ops import softmax
from ..system.jsonfiles import read_json, settings_text
from ..system.numbers import is_number, is_whole_number, plain
from ..system.saving import atomic_write_text

GREATER_THAN_0 = "a number greater than 0"


@dataclass
class GenerationConfig:
    """The settings of generate, with Hugging Face's names and defaults.

    Args:
        max_new_tokens: how many tokens to add at most; None means 20, or fewer if the
            model has no more positions.
        max_length: the same, prompt included; used if max_new_tokens is None.
        min_new_tokens: how many tokens to add before one may be an eos token.
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
        decoder_start_token_id: starts the target of an encoder-decoder.
            If one of these four is None, the model's configuration may name it.
        use_cache: whether to keep keys and values, so that a step computes one token.
        return_dict_in_generate: whether to return a GenerateOutput.
        output_scores, output_logits: whether it holds every step's scores or logits.
    """

    max_new_tokens: int | None = None
    max_length: int | None = None
    min_new_tokens: int = 0
    do_sample: bool = False
    temperature: float = 1.0
    top_k: int = 50
    top_p: float = 1.0
    num_beams: int = 1
    length_penalty: float = 1.0
    early_stopping: bool | str = False
    num_return_sequences: int = 1
    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0
    eos_token_id: int | list[int] | None = None
    pad_token_id: int | None = None
    bos_token_id: int | None = None
    decoder_start_token_id: int | None = None
    use_cache: bool = True
    return_dict_in_generate: bool = False
    output_scores: bool = False
    output_logits: bool = False

    @property
    def eos(self) -> list[int]:
        """The eos tokens, as a list; it may be empty."""
        ids = self.eos_token_id
        return [] if ids is None else [ids] if isinstance(ids, int) else list(ids)


def read_generation_config(directory) -> GenerationConfig | None:
    """Read a checkpoint's generation_config.json; return None if there is none.

    null means the default.  Settings that numbert doesn't have are ignored, with a
    warning unless they only ask for more output.

    Raises:
        ValueError: the file is not a JSON object.
    """
    path = Path(directory) / "generation_config.json"
    if not path.is_file():
        return None
    values = read_json(path, expected="a JSON object of settings",
                       remedy="write it again, or remove it")
    names = {field.name for field in fields(GenerationConfig)}
    given = {name: value for name, value in values.items() if value is not None}
    others = sorted(name for name in set(given) - names - {"transformers_version"}
                    if not name.startswith(("_", "output_", "return_")))
    if others:
        warnings.warn(f"{path} sets {', '.join(others)}, which numbert's generate does "
                      "not have and ignores: remove them from the file", stacklevel=4)
    return GenerationConfig(**{name: given[name] for name in names & set(given)})


def write_generation_config(directory, settings) -> None:
    """Write generation_config.json, or nothing if the settings are None."""
    if settings is not None:
        values = {name: plain(value) for name, value in vars(settings).items()
                  if value is not None}
        atomic_write_text(Path(directory) / "generation_config.json",
                          settings_text(values))


def resolved(given, changes: dict, *configs) -> GenerationConfig:
    """Return the settings of one call, checked, with the special tokens of the model.

    Args:
        given: a GenerationConfig or None.
        changes: fields that replace those of `given`.
        configs: where to look for a special token that is None; the first one that
            has it decides.
    """
    names = [field.name for field in fields(GenerationConfig)]
    unknown = sorted(set(changes) - set(names))
    if unknown:
        raise TypeError(f"generate takes no argument {', '.join(unknown)}, expected "
                        f"one of {', '.join(names)}: check the spelling")
    given = GenerationConfig() if given is None else given
    if not isinstance(given, GenerationConfig):
        raise TypeError(f"generation_config is a {type(given).__name__}, expected a "
                        "numbert.GenerationConfig: make one with GenerationConfig(...)")
    settings = replace(given, **changes)
    for name in names:
        if name.endswith("_token_id"):
            values = [getattr(place, name, None) for place in (settings, *configs)]
            setattr(settings, name, next((v for v in values if v is not None), None))
    check(settings, configs[-1].vocab_size)
    if settings.pad_token_id is None and settings.eos:
        settings.pad_token_id = settings.eos[0]                    # HF: does so too
    return settings


def check(settings, vocab: int) -> None:
    """Refuse settings that cannot work, and say what was expected."""
    s = settings

    def require(name, good, expected):
        if not good:
            raise ValueError(f"{name} is {getattr(s, name)!r}, expected {expected}")

    for name, least in (("max_new_tokens", 1), ("max_length", 1), ("min_new_tokens", 0),
                        ("top_k", 0), ("num_beams", 1), ("num_return_sequences", 1),
                        ("no_repeat_ngram_size", 0)):
        value = getattr(s, name)
        require(name, (is_whole_number(value) and value >= least) or
                (value is None and name.startswith("max")),
                f"a whole number >= {least}")
    for name in ("temperature", "top_p", "repetition_penalty", "length_penalty"):
        value = getattr(s, name)
        require(name, is_number(value), "a number")
    remedy = ": for the likeliest token each time use do_sample=False"
    require("temperature", 0 < s.temperature < float("inf"), GREATER_THAN_0 + remedy)
    require("top_p", 0 <= s.top_p <= 1, "a probability from 0 to 1")
    require("repetition_penalty", 0 < s.repetition_penalty < float("inf"),
            GREATER_THAN_0)
    require("length_penalty", abs(s.length_penalty) < float("inf"), "a finite number")
    require("early_stopping", s.early_stopping in (True, False, "never"),
            'True, False or "never"')
    if s.num_beams > 1 or not s.do_sample:
        require("num_return_sequences", s.num_return_sequences <= s.num_beams,
                f"at most num_beams, {s.num_beams}: raise num_beams, or draw several "
                "sequences with do_sample=True and num_beams=1")
    for name in ("eos_token_id", "pad_token_id", "bos_token_id"):
        ids = s.eos if name == "eos_token_id" else [getattr(s, name) or 0]
        require(name, all(is_whole_number(i) and 0 <= i < vocab
                          for i in ids), f"ids from 0 to {vocab - 1}")
    defaults = (("temperature", 1), ("top_k", 50), ("top_p", 1))
    useless = [name for name, default in defaults
               if getattr(s, name) != default and not s.do_sample]
    if useless:
        warnings.warn("without sampling these settings change nothing: "
                      f"{', '.join(useless)}; add do_sample=True, or leave them out",
                      stacklevel=4)


# ------------------------------------------------------------------- the scores

def processed(scores, ids, prompt: int, mask, settings):
    """Do to the scores all that the settings ask for, in Hugging Face's order.

    scores (R, V), ids (R, T), mask (R, P) -> out (R, V)
    """
    if settings.repetition_penalty != 1:
        scores = penalise_repetition(scores, ids, mask, settings.repetition_penalty)
    if settings.no_repeat_ngram_size:
        scores = ban_ngrams(scores, ids, settings.no_repeat_ngram_size)
    if ids.shape[1] - prompt < settings.min_new_tokens:
        scores = ban(scores, settings.eos)
    if settings.do_sample:
        # A beam search must keep a token that does not end the sequence.
        keep = 1 if settings.num_beams == 1 else max(2, 1 + len(settings.eos))
        scores = scores / settings.temperature
        if settings.top_k:
            scores = top_k_filter(scores, max(settings.top_k, keep))
        if settings.top_p < 1:
            scores = top_p_filter(scores, settings.top_p, keep)
    return scores


def ban(scores, tokens):
    """Forbid some tokens.   scores (R, V) -> out (R, V)"""
    scores = scores.copy()
    scores[:, list(tokens)] = -np.inf
    return scores


def penalise_repetition(scores, ids, mask, penalty):
    """Lower the scores of tokens that are there already.

    scores (R, V), ids (R, T), mask (R, P) or None -> out (R, V)
    The penalty multiplies scores below 0 and divides the others.  Keskar et al. 2019,
    section 4.1.  HF: the prompt counts too, from its first token that is not padding.
    """
    start = np.zeros(len(ids), int) if mask is None else mask.argmax(1)
    used = np.zeros(scores.shape, bool)                            # (R, V)
    for row, tokens, first in zip(used, ids, start):
        row[tokens[first:]] = True
    weaker = np.where(scores < 0, scores * penalty, scores / penalty)
    return np.where(used, weaker, scores)


def ban_ngrams(scores, ids, n):
    """Forbid each token that would make the last n tokens a repetition.

    scores (R, V), ids (R, T) -> out (R, V)
    """
    scores, length = scores.copy(), ids.shape[1]
    if length >= n:
        windows = np.lib.stride_tricks.sliding_window_view(ids, n, axis=1)  # (R, ., n)
        last = ids[:, None, length + 1 - n:]                       # (R, 1, n - 1)
        row, place = np.nonzero((windows[..., :-1] == last).all(-1))
        scores[row, windows[row, place, -1]] = -np.inf
    return scores


def top_k_filter(scores, k):
    """Keep the k best tokens of each row, and those that tie with the last of them.

    scores (R, V) -> out (R, V)                              Fan et al. 2018, section 5
    """
    k = min(k, scores.shape[-1])
    least = np.partition(scores, -k, axis=-1)[:, -k, None]         # (R, 1)
    return np.where(scores < least, -np.inf, scores).astype(scores.dtype, copy=False)


def top_p_filter(scores, p, keep=1):
    """Keep the fewest tokens that together have probability p, and at least `keep`.

    scores (R, V) -> out (R, V)         Holtzman et al. 2020, section 3.1: the nucleus
    The least likely tokens are dropped, as many as together have at most 1 - p.
    """
    order = np.argsort(scores, axis=-1, kind="stable")             # (R, V) worst first
    probs, _ = softmax(np.take_along_axis(scores, order, axis=-1))
    goes = probs.cumsum(-1) <= 1 - p                               # (R, V)
    goes[:, -keep:] = False
    out = scores.copy()
    np.put_along_axis(out, order, np.where(
        goes, -np.inf, np.take_along_axis(scores, order, axis=-1)), axis=-1)
    return out


# -------------------------------------------------------------------- the choice

def log_gumbel(shape, rng):
    """Draw noise that turns "the largest score" into a draw from softmax(scores).

    -> noise (...)
    argmax(scores + noise) is token v with probability softmax(scores)[v], and the k
    largest are k draws without replacement (Gumbel 1954; Kool et al. 2019).
    """
    return rng.gumbel(size=shape)


def largest(x, k):
    """Return the indices of the k largest entries, largest first, equals in order.

    x (N,) -> indices (k,)
    """
    top = np.sort(np.argpartition(-x, k - 1)[:k])
    return top[np.argsort(-x[top], kind="stable")]
