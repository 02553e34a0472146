"""Models and random calls of generate, for the tests and for the recorded answers."""

import tempfile
import warnings

import numpy as np
import pytest

import numbert
from common import config, stress, stressed, to_torch, twin
from numbert.models.encoder_decoder import EncoderDecoderConfig, EncoderDecoderModel

V, POSITIONS, S = 23, 40, 5


def decoder_config(**changes):
    """A decoder with few words, so that rows end, and room for 40 tokens."""
    return config(**{"vocab_size": V, "max_position_embeddings": POSITIONS,
                     "is_decoder": True, **changes})


def build(kind, seed):
    """One of the three models that generate."""
    if kind == "decoder":
        return stressed(numbert.BertLMHeadModel, decoder_config(), rng=seed)
    if kind == "cross":
        return stressed(numbert.BertLMHeadModel,
                        decoder_config(add_cross_attention=True), rng=seed)
    return encoder_decoder(seed)


def encoder_decoder(seed=0, decoder_start_token_id=3, pad_token_id=0, **of_encoder):
    """Two halves of different vocabularies, depths and, if asked, widths."""
    model = EncoderDecoderModel(EncoderDecoderConfig(
        config(**of_encoder), decoder_config(add_cross_attention=True,
                                             num_hidden_layers=3),
        decoder_start_token_id=decoder_start_token_id, pad_token_id=pad_token_id),
        dtype="float64")
    model.params = stress(model.params, seed)
    return model


def hf_of(model):
    """The same model in transformers, on the same weights."""
    transformers = pytest.importorskip("transformers")
    if not isinstance(model, EncoderDecoderModel):
        return twin(model)
    import torch
    with tempfile.TemporaryDirectory() as directory:
        model.save_pretrained(directory)
        return transformers.EncoderDecoderModel.from_pretrained(
            directory, dtype=torch.float64, attn_implementation="eager").eval()


def random_call(kind, rng):
    """Arguments of generate, as nested lists and numbers only.

    A third of the prompts are padded on the left with a mask, a third without.
    """
    batch, length = int(rng.integers(1, 4)), int(rng.integers(1, 7))
    vocab = 37 if kind == "encoder_decoder" else V
    ids = rng.integers(1, vocab, (batch, length))
    padding = rng.integers(0, 3)
    real = np.arange(length) >= rng.integers(0, length, (batch, 1))
    call = {}
    if padding:
        ids = np.where(real, ids, 0)
    if padding == 1:
        call["attention_mask"] = real.astype(int)
    call["input_ids"] = ids
    if kind == "cross":
        call["encoder_hidden_states"] = rng.integers(-99, 99, (batch, S, 12)) / 64
        mask = rng.integers(0, 2, (batch, S))
        call["encoder_attention_mask"] = mask | np.eye(S, dtype=int)[0]
    if kind == "encoder_decoder" and rng.integers(2):
        call["decoder_input_ids"] = rng.integers(1, V, (batch, 2))
        call["decoder_attention_mask"] = np.array([[1, 1], [0, 1], [1, 1]])[:batch]
    call = {name: x.tolist() for name, x in call.items()}
    return call | random_settings(rng)


def random_settings(rng):
    """Settings of a deterministic generation."""
    def sometimes(chance, **settings):
        return settings if rng.random() < chance else {}

    beams = int(rng.choice([1, 1, 2, 3, 4, 5]))
    count = rng.choice([0, 1, 3, 6])
    ends = rng.choice(np.arange(1, V), count, replace=False).tolist()
    settings = {"max_new_tokens": int(rng.integers(1, 16)), "num_beams": beams}
    if ends:
        settings["eos_token_id"] = ends[0] if len(ends) == 1 else ends
    if beams > 1:
        settings |= {
            "num_return_sequences": int(rng.integers(1, beams + 1)),
            "length_penalty": float(rng.choice([-1, 0, 0.7, 1, 2])),
            "early_stopping": [True, False, "never"][rng.integers(3)]}
    return {**settings, **sometimes(0.3, repetition_penalty=1.3),
            **sometimes(0.3, no_repeat_ngram_size=2),
            **sometimes(0.3, min_new_tokens=3), **sometimes(0.25, use_cache=False),
            **sometimes(0.25, pad_token_id=int(rng.integers(0, 5)))}


def ending_call(kind, rng):
    """Arguments under which when beams stop decides what is found; pad may be eos."""
    ends = rng.choice(np.arange(1, V), 8, replace=False).tolist()
    beams = int(rng.integers(2, 4))
    return {"input_ids": rng.integers(1, V, (2, 4)).tolist(), "eos_token_id": ends,
            "max_new_tokens": int(rng.integers(8, 20)), "num_beams": beams,
            "num_return_sequences": beams,
            "length_penalty": float(rng.choice([0.5, 1, 2, 3])),
            "early_stopping": ["never", False, True][rng.integers(3)],
            "pad_token_id": [0, ends[0], ends[3]][rng.integers(3)]}


def arrays(call):
    """Lists as arrays, except those that are settings."""
    return {name: np.array(x) if isinstance(x, list) and name != "eos_token_id" else x
            for name, x in call.items()}


def ours(model, call):
    """What numbert generates: a GenerateOutput with scores."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.generate(**arrays(call), return_dict_in_generate=True,
                              output_scores=True)


def theirs(hf, call):
    """What Hugging Face generates.

    HF: BertLMHeadModel.generate with encoder_hidden_states fails unless use_cache=False
    (its DynamicCache has no room for cross-attention); numbert's works with both.
    """
    import torch
    if "encoder_hidden_states" in call:
        call = {**call, "use_cache": False}
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return hf.generate(**to_torch(arrays(call)), return_dict_in_generate=True,
                           output_scores=True)
