"""Hugging Face's transformers as a target of the conformance suite.

`eager` and `sdpa` are its two ways to compute attention.
"""

import tempfile
from types import SimpleNamespace

import numpy as np
import torch
import transformers
from transformers import AddedToken, BertTokenizer

from numbert.testing.conformance.tokenizers import vocabulary
from numbert.testing.properties import targets as of
from numbert.verify.adapters import from_transformers

VERSIONS = {"transformers": transformers.__version__, "torch": torch.__version__}


# --------------------------------------------------------------------- the tokenizer

def make(settings):
    """The tokenizer that a request asks for."""
    made = BertTokenizer(
        vocab={piece: i for i, piece in enumerate(settings["vocab"])},
        do_lower_case=settings.get("lowercase", True),
        strip_accents=settings.get("strip_accents"),
        tokenize_chinese_chars=settings.get("chinese_chars", True))
    for token in settings.get("added_tokens", ()):
        flags = {name: value for name, value in token.items() if name != "content"}
        made.add_tokens([AddedToken(token["content"], **flags)],
                        special_tokens=flags.get("special", False))
    return made


def rust(settings):
    """Its library, for single stages."""
    return make({"vocab": vocabulary(), **settings}).backend_tokenizer


def normalize(given, settings):
    text = rust(settings).normalizer.normalize_str(given["text"])
    return [word for word in text.split(" ") if word]


def pre_tokenize(given, settings):
    found = rust(settings)
    text = found.normalizer.normalize_str(given["text"])
    return [word for word, _ in found.pre_tokenizer.pre_tokenize_str(text)]


def wordpiece(given, settings):
    model = make(settings).backend_tokenizer.model
    return [token.value for token in model.tokenize(given["word"])]


def encode(given, settings):
    row = make(settings)(
        given["text"], given["pair"], return_offsets_mapping=True, verbose=False,
        return_special_tokens_mask=True,
        add_special_tokens=settings["add_special_tokens"],
        split_special_tokens=settings["split_special_tokens"])
    return {**row, "tokens": row.tokens(), "word_ids": row.word_ids(),
            "sequence_ids": row.sequence_ids(),
            "offsets": [list(span) for span in row["offset_mapping"]]}


def encode_batch(given, settings):
    tokenizer = make(settings)
    tokenizer.truncation_side = settings["truncation_side"]
    named = {name: settings[name] for name in (
        "add_special_tokens", "truncation", "max_length", "stride", "padding",
        "padding_side", "pad_to_multiple_of")}
    batch = tokenizer([a if b is None else (a, b) for a, b in given["samples"]],
                      return_overflowing_tokens=settings["overflow"], verbose=False,
                      **named)
    return {**batch, "sample": batch.get("overflow_to_sample_mapping")}


def decode(given, settings):
    return make(settings).decode(given["ids"],
                                 skip_special_tokens=settings["skip_special_tokens"],
                                 clean_up_tokenization_spaces=settings["clean_up"])


def read_vocabulary(given, settings):
    with tempfile.NamedTemporaryFile(suffix=".txt") as file:
        file.write(given["file"].encode())
        file.flush()
        vocab = BertTokenizer(vocab=file.name).get_vocab()
    return sorted(map(list, vocab.items()), key=lambda entry: entry[1])


TOKENIZER = {function.__name__: function for function in (
    normalize, pre_tokenize, wordpiece, encode, encode_batch, decode, read_vocabulary)}


# ------------------------------------------------------------------------- the models

def built(kind, config, params, attention="eager"):
    """A model in float64, in evaluation mode."""
    made = getattr(transformers, kind)(transformers.BertConfig(
        attn_implementation=attention, **config))
    made.load_state_dict({name: torch.tensor(np.asarray(x)) for name, x in
                          params.items()}, strict=False)
    return made.double().eval()


def operations():
    """Its optimiser's first step, and torch's operations."""
    def softmax(scores):
        return torch.softmax(torch.tensor(scores), -1).numpy()

    def layer_norm(x, w, b, eps):
        return torch.layer_norm(*map(torch.tensor, (x,)), w.shape, torch.tensor(w),
                                torch.tensor(b), eps).numpy()

    def cross_entropy(logits, labels):
        given = torch.tensor(logits, requires_grad=True)
        loss = torch.nn.functional.cross_entropy(given, torch.tensor(labels))
        loss.backward()
        return loss.detach().numpy(), given.grad.numpy()

    def adam(p, g, lr):
        return updated({"weight": p}, 1, lambda _: {"weight": g}, lr=lr)[0]["weight"]

    return of.OperationsTarget(layer_norm, None, softmax, cross_entropy, adam)


def updated(params, updates, gradients, *, lr, betas=(0.9, 0.999), eps=1e-8,
            weight_decay=0.0):
    """{name: array} after each update by torch's AdamW."""
    own = {name: torch.tensor(np.asarray(x, np.float64)) for name, x in params.items()}
    plain = {name for name in own if name.endswith("bias") or "LayerNorm" in name}
    optimizer = torch.optim.AdamW([
        {"params": [own[name] for name in own if name not in plain]},
        {"params": [own[name] for name in plain], "weight_decay": 0.0}],
        lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)
    found = []
    for _ in range(updates):
        for name, x in gradients({k: v.numpy() for k, v in own.items()}).items():
            if name in own:
                own[name].grad = torch.tensor(np.asarray(x, np.float64))
        optimizer.step()
        found.append({name: x.numpy().copy() for name, x in own.items()})
    return found


def target(attention):
    """All of it, with one way to compute attention."""
    run = from_transformers(attention, "float64")

    def part(case, colon):
        return {name: x for name, x in run(case).items() if (":" in name) == colon}

    def training_step(case, optimizer, updates, **settings):
        if optimizer != "adamw":
            raise NotImplementedError(optimizer)

        def gradients(params):
            found = run(case._replace(params=params))
            return {name.removeprefix("dparam:"): x for name, x in found.items()
                    if name.startswith("dparam:")}
        return updated(case.params, updates, gradients, **settings)

    def generate(case, input_ids, attention_mask, count):
        made = built(case.kind, case.config, case.params, attention)
        out = made.generate(
            torch.tensor(input_ids), attention_mask=torch.tensor(attention_mask),
            max_new_tokens=count, do_sample=False, eos_token_id=None, pad_token_id=0)
        return out[:, input_ids.shape[1]:].numpy()

    return SimpleNamespace(
        **TOKENIZER, name=f"transformers, {attention} attention", versions=VERSIONS,
        profile="fp64", operations=operations(),
        tokenizer=of.of_tokenizer(BertTokenizer(
            vocab={piece: i for i, piece in enumerate(vocabulary())})),
        model=lambda kind, config, params: of.torch_model(
            built(kind, config, params, attention)),
        forward=lambda case: part(case, False), backward=lambda case: part(case, True),
        training_step=training_step, generate=generate)


eager, sdpa = target("eager"), target("sdpa")
