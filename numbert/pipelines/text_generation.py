"""text-generation: continue a text, piece by piece, with BertLMHeadModel."""

from __future__ import annotations

from dataclasses import fields
from functools import partial

import numpy as np

from ..models.classes import BertLMHeadModel
from ..system.numbers import generator
from . import base
from .base import Pipeline

# HF: the defaults of the pipeline, which are not those of generate.
SAMPLING = {"do_sample": True, "temperature": 0.7}
NEW_TOKENS = 256


class TextGenerationPipeline(Pipeline):
    """Continuations of a text.

    Options:
        return_full_text: return the prompt, too, in front of its continuation.
        join: put a space between the two where decoding both at once gives one, as
            before a new word, but not before the rest of a word.  The default, False,
            is what transformers does.
        return_tensors: return ids instead of text, beginning with the prompt's.
        add_special_tokens: put [CLS] before and [SEP] after the prompt.
        skip_special_tokens: leave special tokens out of the text.
        clean_up_tokenization_spaces: passed to the tokenizer's decode.
        prefix: a text to put before each prompt; it is not returned.
        truncation, padding, tokenizer_kwargs: see FillMaskPipeline.
        generation_config, rng (a seed), and the fields of a GenerationConfig: see
            numbert.generate.  Without them the pipeline draws samples at temperature
            0.7, of 256 new tokens or as many as the model has room for.

    Returns for a text:
        a list of dicts, one per sequence, with generated_text (or
        generated_token_ids).
    """

    task = "text-generation"
    model_class = BertLMHeadModel
    defaults = {"return_full_text": True, "join": False, "return_tensors": False,
                "add_special_tokens": True, "skip_special_tokens": True,
                "clean_up_tokenization_spaces": None, "prefix": "",
                "truncation": False, "padding": False, "tokenizer_kwargs": None}

    @classmethod
    def load_options(cls, given):
        return {} if "config" in given else {"is_decoder": True}

    def checked(self, options):
        from ..models.generation import check_decoder
        check_decoder(self.model)
        given = {**self.options, **options}
        known = settings_known()
        settings = {name: given.pop(name) for name in known if name in given}
        own = self.known({**given, **settings}, [*self.defaults, *known])
        given = {name: own[name] for name in given if name in own}
        if "generation_config" not in settings:
            settings = {**sampling(settings), **settings}
        # One generator for all batches of a call, so that their draws differ.
        settings["rng"] = generator(settings.get("rng"))
        return {**self.defaults, **given, "generate": settings}

    def rows(self, item, options):
        prompt = options["prefix"] + base.text_of(self.subject, item)
        rows = self.encode(prompt, None, options,
                           add_special_tokens=options["add_special_tokens"])
        if not rows[0].ids:
            raise ValueError(f"the prompt {item!r:.60} has no tokens, expected "
                             "at least one: give a text, or leave add_special_tokens "
                             "on")
        limit = self.model.config.max_position_embeddings
        new = options["generate"].get("max_new_tokens") or 1
        if len(rows[0].ids) + new > limit:
            raise ValueError(
                f"the prompt {item!r:.60} has {len(rows[0].ids)} tokens, "
                f"expected at most {limit - new}, as max_position_embeddings {limit} "
                f"leaves no room for {new} more: shorten it, or lower max_new_tokens")
        return rows

    def batches(self, lengths, size):
        """Return batches of prompts of equal length, so that none is padded."""
        same: dict[int, list[int]] = {}
        for i, length in enumerate(lengths):
            same.setdefault(length, []).append(i)
        return [group[i:i + size] for group in same.values()
                for i in range(0, len(group), size)]

    def run(self, rows, options):
        ids = self.inputs(rows)["input_ids"]                           # (B, T)
        room = self.model.config.max_position_embeddings - ids.shape[1]
        settings = {"pad_token_id": self.tokenizer.pad_token_id, **options["generate"]}
        if not length_given(settings):
            settings["max_new_tokens"] = min(NEW_TOKENS, room)
        ids = self.model.generate(ids, attention_mask=np.ones_like(ids), **settings)
        return list(ids.reshape(len(rows), -1, ids.shape[-1]))         # (B, n, T)

    def result(self, item, rows, outputs, options):
        if options["return_tensors"]:
            return [{"generated_token_ids": ids.tolist()} for ids in outputs[0]]
        before = item if options["return_full_text"] else ""
        settings = {name: options[name] for name in
                    ("skip_special_tokens", "clean_up_tokenization_spaces")}
        decode, start = partial(self.tokenizer.decode, **settings), len(rows[0].ids)
        space = options["join"] and before and not before[-1].isspace()
        return [{"generated_text": before + " " * bool(
            space and decode(ids).startswith(f"{decode(ids[:start])} "))
            + decode(ids[start:])} for ids in outputs[0]]


def settings_known() -> list[str]:
    """Return the names of the settings that a pipeline can pass on to generate."""
    from ..models.generation_config import EXTRA, GenerationConfig
    output = {"return_dict_in_generate", *EXTRA}
    return ["generation_config", "rng", *(field.name for field in
            fields(GenerationConfig) if field.name not in output)]


def sampling(settings: dict) -> dict:
    """Return the defaults of do_sample and temperature that go with these settings."""
    return SAMPLING if settings.get("do_sample", True) else {}


def length_given(settings: dict) -> bool:
    """Whether these settings say how much to write."""
    given = settings.get("generation_config")
    return any(settings.get(name) is not None or getattr(given, name, None) is not None
               for name in ("max_new_tokens", "max_length"))
