"""The targets: what the laws expect of the code that they test.

A target is any object with these attributes; the classes here only name them, with
defaults.  To test your own code, make one of these out of your functions.  What you do
not have stays None, and the laws that need it are left out.  `numbert_tokenizer` and
the others below do it for numbert and for transformers.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
ENCODING = ("tokens", "ids", "type_ids", "attention_mask", "special_tokens_mask",
            "offsets", "word_ids", "sequence_ids")


class TokenizerTarget(NamedTuple):
    """A tokenizer.

    encode(text, pair=None, **options) -> dict of lists, one entry for each token:
        tokens, ids, type_ids, attention_mask, special_tokens_mask, sequence_ids (0 or
        1: the text that it is of; None for [CLS], [SEP], [PAD]); if there are any,
        offsets ((start, end) in characters of its text) and word_ids (None for special
        tokens); overflowing, the list of the other windows, each such a dict.
      Options, with their defaults: add_special_tokens=True, truncation=None (or
        "longest_first", "only_first", "only_second"), max_length=None, stride=0,
        truncation_side="right".
    vocab: {token: id}.
    encode_batch(texts, pairs=None, **options) -> list of such dicts.  More options:
        padding=None (or "longest"), padding_side="right", pad_to_multiple_of=1.
    decode(ids, skip_special_tokens=False) -> str.
    normalize(text) -> str: cleaned, lower-cased, without accents.
    reload() -> a TokenizerTarget that was saved and loaded.
    lowercase: whether it lower-cases and strips accents.
    offsets, word_ids, overflowing: whether `encode` returns them; None if not.
    dialect: "hf-fast", "hf-legacy" or "google".
    max_word: the characters of the longest word that is not [UNK].
    special: the special tokens.
    """

    encode: Callable[..., dict]
    vocab: Mapping[str, int]
    encode_batch: Callable | None = None
    decode: Callable | None = None
    normalize: Callable[[str], str] | None = None
    reload: Callable | None = None
    lowercase: bool = True
    offsets: bool | None = True
    word_ids: bool | None = True
    overflowing: bool | None = True
    dialect: str = "hf-fast"
    max_word: int = 100
    special: Sequence[str] = SPECIAL

    def __repr__(self) -> str:
        return "<tokenizer to be tested>"


class MaskingTarget(NamedTuple):
    """The making of pre-training data.

    mask(ids, seed, probability=0.15) -> (masked ids, labels) of one row (T,) with its
        special tokens and padding, int64.
    pairs(documents, seed, max_length) -> list of (a, b, label): two lists of ids
        without special tokens, and whether b follows a.
    vocab_size, mask_id, pad_id, special_ids: of the tokenizer; [UNK] is not special.
    continues: (V,) booleans: the piece starts with "##"; needed for whole words.
    exact: whether each row has the exact number of masked pieces that Google's code
        has, whole words left aside; else None.
    max_predictions: under Google's rule, the most pieces to mask per row; None if each
        piece is drawn by itself.
    ignore_index: the label of what is not to be predicted.
    is_next: the label of a pair whose b follows a.
    """

    mask: Callable[..., tuple]
    vocab_size: int
    mask_id: int = 4
    pad_id: int = 0
    special_ids: Sequence[int] = (0, 2, 3, 4)
    pairs: Callable | None = None
    continues: Any = None
    exact: bool | None = None
    max_predictions: int | None = None
    ignore_index: int = -100
    is_next: int = 0

    def __repr__(self) -> str:
        return "<masking to be tested>"


class ModelTarget(NamedTuple):
    """A model with its weights.

    forward(inputs) -> {name: array}.  Names are Hugging Face's: input_ids (B, T),
        attention_mask, token_type_ids, position_ids, labels, ...; last_hidden_state
        (B, T, C), pooler_output, logits, loss, hidden_states (a tuple), attentions
        (a tuple of (B, N, T, S)); the last two always, if there are any.
    params: {name: array} with Hugging Face's names, of whatever class.
    replaced(params) -> a ModelTarget of the same class with these weights.
    config: an object with num_attention_heads and so on.
    backward(inputs, cotangents) -> {parameter name: gradient}.  Cotangents are
        {output name: array}; {"loss": 1.0} asks for the gradients of the loss.  If
        inputs have inputs_embeds, its gradient is there too.
    train(inputs, seed) -> as forward, with dropout.
    reload() -> a ModelTarget that was saved and loaded.
    step(ids, mask, past) -> (logits, past): read ids (B, T) after what a KV cache
        holds; mask (B, past + T); past None to begin with.
    """

    forward: Callable[[dict], dict]
    params: Mapping[str, np.ndarray]
    replaced: Callable | None
    config: Any
    backward: Callable[[dict, dict], dict] | None = None
    train: Callable | None = None
    reload: Callable | None = None
    step: Callable | None = None

    def __repr__(self) -> str:
        return "<model to be tested>"


class OperationsTarget(NamedTuple):
    """Single operations.

    layer_norm(x, w, b, eps) -> out, where x is (..., C).
    layer_norm_backward(dout, x, w, b, eps) -> dx, dw, db.
    softmax(scores) -> probabilities along the last axis; -inf has probability 0.
    cross_entropy(logits, labels) -> (loss, dlogits): logits (N, K), labels (N,), the
        mean over labels that are not -100.
    adam(p, g, lr) -> p after the first step of AdamW without weight decay, eps 1e-8.
    bert_adam(p, g, lr) -> p after the first step of Google's BertAdam, eps 1e-6.
    """

    layer_norm: Callable | None = None
    layer_norm_backward: Callable | None = None
    softmax: Callable | None = None
    cross_entropy: Callable | None = None
    adam: Callable | None = None
    bert_adam: Callable | None = None

    def __repr__(self) -> str:
        return "<operations to be tested>"


# ------------------------------------------------------------------------ tokenizers

def of_tokenizer(tokenizer, **known) -> TokenizerTarget:
    """Make a target of numbert's BertTokenizer or of transformers', which are alike.

    known: attributes of TokenizerTarget; `normalize` is found where it can be.
    """
    def encode_batch(texts, pairs=None, *, truncation_side="right", padding=None,
                     **options):
        given = texts if pairs is None else [list(both) for both in zip(texts, pairs)]
        if padding is None:
            options.pop("padding_side", None)
        usual, tokenizer.truncation_side = tokenizer.truncation_side, truncation_side
        try:
            out = tokenizer(given, padding=padding or False, verbose=False,
                            return_offsets_mapping=True,
                            return_overflowing_tokens=True, **options)
        finally:
            tokenizer.truncation_side = usual
        rows: list[list] = [[] for _ in texts]
        for i, sample in enumerate(out["overflow_to_sample_mapping"]):
            rows[sample].append({name: list(getattr(out[i], name))
                                 for name in ENCODING})
        return [{**main, "overflowing": others} for main, *others in rows]

    def encode(text, pair=None, **options):
        return encode_batch([text], None if pair is None else [pair], **options)[0]

    def reload():
        with tempfile.TemporaryDirectory() as folder:
            tokenizer.save_pretrained(folder)
            loaded: Any = type(tokenizer).from_pretrained(folder)
            return of_tokenizer(loaded, **known)

    rust = getattr(tokenizer, "backend_tokenizer", None)
    if rust is not None:
        known.setdefault("normalize", rust.normalizer.normalize_str)
    known.setdefault("lowercase", bool(getattr(tokenizer, "do_lower_case", True)))
    return TokenizerTarget(encode, tokenizer.get_vocab(), encode_batch,
                           tokenizer.decode, reload=reload, **known)


def numbert_tokenizer(tokenizer) -> TokenizerTarget:
    """Make a target of numbert's BertTokenizer."""
    from ...tokenization.fast.pipeline import normalize
    return of_tokenizer(tokenizer, normalize=lambda text: normalize(tokenizer.core,
                                                                    text))


# ---------------------------------------------------------------------------- masking

def numbert_masking(rule: str = "exact", whole_word: bool = False, *, vocab_size=60,
                    continues=None) -> MaskingTarget:
    """Make a target of numbert's masking; ids as in `strategies.models`.

    rule: "exact" or "bernoulli".
    """
    from ...training import masking
    pieces = np.zeros(vocab_size, bool) if continues is None else np.asarray(continues)
    vocab = masking.Vocabulary(vocab_size, 0, 1, 2, 3, 4, (0, 1, 2, 3, 4), pieces)
    pick: Any = {"exact": masking.mask_exact, "bernoulli": masking.mask_bernoulli}[rule]

    def mask(ids, seed, probability=0.15):
        return pick(ids, np.random.default_rng(seed), vocab, probability,
                    whole_word=whole_word)

    def pairs(documents, seed, max_length):
        return masking.next_sentence_pairs(documents, np.random.default_rng(seed),
                                           max_length)

    special = (0, 2, 3, 4) if rule == "exact" else (0, 1, 2, 3, 4)
    return MaskingTarget(mask, vocab_size, special_ids=special, pairs=pairs,
                         continues=pieces if whole_word else None,
                         exact=True if rule == "exact" and not whole_word else None,
                         max_predictions=20 if rule == "exact" else None)


# ----------------------------------------------------------------------------- models

def numbert_model(model) -> ModelTarget:
    """Make a target of one of numbert's models."""
    extras = {"output_hidden_states": True, "output_attentions": True}

    def as_dict(out):
        return {name: out[name] for name in out.keys()}

    def backward(inputs, cotangents):
        out, saved = model.forward(**inputs)
        if set(cotangents) == {"loss"}:
            return model.backward(saved, loss=cotangents["loss"])
        return model.backward(saved, **cotangents)

    def replaced(params):
        return numbert_model(type(model)(model.config, dtype=model.dtype,
                                         params=dict(params)))

    def reload():
        with tempfile.TemporaryDirectory() as folder:
            model.save_pretrained(folder)
            return numbert_model(type(model).from_pretrained(folder,
                                                             dtype=str(model.dtype)))

    def step(ids, mask, past):
        out = model(ids, mask, cache=past, use_cache=True)
        return out.logits, out.cache

    return ModelTarget(
        lambda inputs: as_dict(model(**inputs, **extras)), model.params, replaced,
        model.config, backward, lambda inputs, seed: as_dict(model(**inputs, rng=seed)),
        reload, step if model.config.is_decoder else None)


def torch_model(model) -> ModelTarget:
    """Make a target of a transformers BERT in evaluation mode.

    Only eager attention shows its probabilities.
    """
    import torch
    attention = model.config._attn_implementation

    def tensors(inputs):
        return {name: torch.tensor(np.ascontiguousarray(x))
                for name, x in inputs.items()}

    def call(inputs, **options):
        out = model(**tensors(inputs), **options)
        return {name: value for name, value in out.items() if value is not None}

    def forward(inputs):
        with torch.no_grad():
            out = call(inputs, output_hidden_states=True, output_attentions=True)
        return {name: tuple(x.numpy() for x in value) if isinstance(value, tuple)
                else value.numpy() for name, value in out.items()
                if isinstance(value, (tuple, torch.Tensor))}       # not the KV cache

    def backward(inputs, cotangents):
        return _torch_gradients(model, tensors(inputs), cotangents)

    def replaced(params):
        other = copy.deepcopy(model)
        other.load_state_dict({name: torch.tensor(np.asarray(x)) for name, x
                               in params.items()}, strict=False)
        return torch_model(other)

    def reload():
        with tempfile.TemporaryDirectory() as folder:
            model.save_pretrained(folder)
            again = type(model).from_pretrained(folder, dtype=model.dtype,
                                                attn_implementation=attention)
            # Weights in a mapped file may lie at odd addresses, where torch's products
            # round differently.  A copy lies as the model's own weights do.
            return torch_model(copy.deepcopy(again.eval()))

    params = {name: p.detach().numpy() for name, p in model.named_parameters()}
    return ModelTarget(forward, params, replaced, model.config, backward, None, reload,
                       _torch_step(model) if model.config.is_decoder else None)


def _torch_gradients(model, given: dict, cotangents: dict) -> dict:
    """Return the gradients of a module, for these gradients of its outputs.

    given: {argument: tensor}; inputs_embeds get a gradient too.
    """
    import torch
    model.zero_grad()
    if "inputs_embeds" in given:
        given["inputs_embeds"].requires_grad_()
    out = model(**given)
    sum((out[name] * torch.tensor(x, dtype=out[name].dtype)).sum()
        for name, x in cotangents.items()).backward()
    grads = {name: np.zeros(p.shape) if p.grad is None else p.grad.numpy().copy()
             for name, p in model.named_parameters()}
    if "inputs_embeds" in given:
        grads["inputs_embeds"] = given["inputs_embeds"].grad.numpy()
    return grads


def _torch_step(model) -> Callable:
    """Return the `step` of a decoder of transformers."""
    import inspect

    import torch
    new = "cache" in inspect.signature(type(model).forward).parameters
    cache = "cache" if new else "past_key_values"

    def step(ids, mask, past):
        with torch.no_grad():
            out = model(torch.tensor(ids), attention_mask=torch.tensor(mask),
                        use_cache=True, **{cache: past})
        return out.logits.numpy(), out[cache]

    return step


def numbert_operations() -> OperationsTarget:
    """Make a target of numbert's operations and optimisers."""
    from ...bert import losses, ops
    from ...training import optim

    def softmax_cross_entropy(logits, labels):
        loss, saved = losses.cross_entropy(logits, labels)
        return loss, losses.cross_entropy_backward(np.ones_like(loss), saved)

    def first_step(step):
        def updated(p, g, lr):
            params = {"weight": p.copy()}
            step(params, {"weight": g}, optim.adamw_init(params), lr, weight_decay=0.0)
            return params["weight"]
        return updated

    return OperationsTarget(
        lambda x, w, b, eps: ops.layer_norm(x, w, b, eps)[0],
        lambda dout, x, w, b, eps: ops.layer_norm_backward(
            dout, ops.layer_norm(x, w, b, eps)[1]),
        lambda scores: ops.softmax(scores)[0], softmax_cross_entropy,
        first_step(optim.adamw_step), first_step(optim.bertadam_step))
