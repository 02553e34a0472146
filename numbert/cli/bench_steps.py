"""What each contender of `numbert bench` does in a step, and on what.

For each kind of work there is a function for numbert and one for Hugging Face.  It
loads what is needed, and returns a step to time, and numbers on which all contenders
must agree.  All have the same weights and the same input, in float32.
"""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..bert.losses import IGNORE_INDEX
from ..system.jsonfiles import parse_json
from . import common

SENTENCES = (                               # to embed, one after the other
    "A man is eating a plate of pasta in a small restaurant by the sea.",
    "Someone is having a meal with old friends.",
    "The orchestra opens the evening with a symphony that few people know.",
    "Heavy rain is expected tomorrow, so the match may be put off.",
    "She practises her instrument every morning before school.",
    "The forecast says that it will be wet and cold until Friday.",
)
LABELLED = 0.15                             # of the tokens, in masked-lm
RATE, DECAY, CLIP = 5e-5, 0.01, 1.0         # of training; all else: BERT's defaults
CLASSES = {"forward": "BertModel", "masked-lm": "BertForMaskedLM",
           "classification": "BertForSequenceClassification"}
SCRIPT = """
import json, sys, torch, transformers
transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
tokenizer = transformers.AutoTokenizer.from_pretrained(sys.argv[1])
model = transformers.BertModel.from_pretrained(
    sys.argv[1], add_pooling_layer=False, attn_implementation=sys.argv[2]).eval()
with torch.inference_mode():
    states = model(**tokenizer(sys.argv[3], return_tensors="pt")).last_hidden_state
vector = torch.nn.functional.normalize(states.mean(1), dim=-1)[0]
print(json.dumps({"embedding": vector.tolist()}))
"""


class Loaded(NamedTuple):
    """A contender that is ready to run."""

    step: Callable
    numbers: Callable           # numbers() -> array
    model: Any = None           # of numbert or torch


def load(settings: dict) -> Loaded:
    """Load the contender that the settings name."""
    warnings.simplefilter("ignore")         # of heads that are left out, or fresh
    who = settings["contender"]
    if who == "onnxruntime":
        return forward_onnxruntime(settings)
    ours, theirs = LOADERS[settings["work"]]
    if who == "numbert":
        return ours(settings)
    import torch
    import transformers
    torch.set_num_threads(settings["threads"])
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    return theirs(settings)


# -------------------------------------------------------------------- a forward pass

def batch_of(settings: dict) -> tuple[np.ndarray, np.ndarray]:
    """Return the ids and the mask of a batch (B, T): all tokens, or about half of them.

    The lengths of a ragged batch vary about as much as those of sentences do.
    """
    shape = settings["batch"], settings["length"]
    rng = np.random.default_rng(0)
    ids = rng.integers(settings["vocab"], size=shape)
    if not settings["ragged"]:
        return ids, np.ones(shape, bool)
    lengths = np.exp(rng.normal(0, 0.4, shape[0]))                     # (B,)
    lengths = np.ceil(lengths / lengths.max() * shape[1])
    return ids, np.arange(shape[1]) < lengths[:, None]


def forward_numbert(settings: dict) -> Loaded:
    """The last hidden states of a batch."""
    model, (ids, mask) = common.load_backbone(settings["folder"]), batch_of(settings)

    def step():
        return model(ids, mask, packed=True).last_hidden_state
    return Loaded(step, lambda: step() * mask[..., None], model)


def forward_torch(settings: dict) -> Loaded:
    """The same from transformers."""
    import torch
    model = hugging_face(settings, "BertModel", add_pooling_layer=False)
    ids, mask = map(torch.from_numpy, batch_of(settings))
    hides = None if mask.all() else mask.long()

    def step():
        with torch.inference_mode():
            return model(ids, hides).last_hidden_state
    return Loaded(step, lambda: (step() * mask[..., None]).numpy(), model)


def forward_onnxruntime(settings: dict) -> Loaded:
    """The same from numbert's ONNX file."""
    import onnxruntime

    from ..backends.onnx_export import export_onnx
    ids, mask = batch_of(settings)
    file = Path(settings["place"]) / "model.onnx"
    if not file.exists():
        export_onnx(common.load_backbone(settings["folder"]), file)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = settings["threads"]
    session = onnxruntime.InferenceSession(file, options)
    given = {"input_ids": ids, "attention_mask": mask.astype(np.int64),
             "token_type_ids": np.zeros_like(ids)}

    def step():
        return session.run(["last_hidden_state"], given)[0]
    return Loaded(step, lambda: step() * mask[..., None])


def hugging_face(settings: dict, name: str, **options) -> Any:
    """Return transformers' model of a class, with the attention of this contender."""
    import torch
    import transformers
    return getattr(transformers, name).from_pretrained(
        settings["folder"], dtype=torch.float32,
        attn_implementation=settings["contender"], **options).eval()


# ------------------------------------------------------------------- a training step

def examples_of(settings: dict) -> list[dict]:
    """Return the texts of a batch with their labels: a class, or 15 % of the tokens."""
    ids, mask = batch_of(settings)
    rng = np.random.default_rng(1)
    chosen = rng.random(ids.shape) < LABELLED
    if settings["work"] == "masked-lm":
        chosen[:, 0] = True                               # each text has a label
        labels = np.where(chosen, ids, IGNORE_INDEX)
        return [{"input_ids": row[real], "labels": wanted[real]}
                for row, real, wanted in zip(ids, mask, labels)]
    return [{"input_ids": row[real], "labels": label}
            for row, real, label in zip(ids, mask, rng.integers(2, size=len(ids)))]


def train_numbert(settings: dict) -> Loaded:
    """A step of training with dropout: gradients, clipping, AdamW."""
    from ..models import classes
    from ..training import loop, optim
    from ..training.batches import collate
    cls = getattr(classes, CLASSES[settings["work"]])
    model, examples = cls.from_pretrained(settings["folder"]), examples_of(settings)
    plan = loop.planned(loop.recipe_of(dict(
        lr=RATE, steps=10**6, batch_size=len(examples), schedule="constant",
        weight_decay=DECAY, clip=CLIP, accumulate=settings["threads"]), False),
        len(examples))
    task = loop.Task(model, examples, collate, loop.LABELS, None, None, frozenset(),
                     optim.optim_of(model))
    state = loop.begin(task, plan, None, {})
    data, speed = loop.batches(task, plan, state), loop.Speed()

    def step():
        loop.one_step(task, plan, state, data, speed)
    return Loaded(step, lambda: np.array(model(**collate(examples)).loss), model)


def train_torch(settings: dict) -> Loaded:
    """The same from transformers and torch, with the optimiser of its Trainer."""
    import torch

    from ..training.batches import collate
    model = hugging_face(settings, CLASSES[settings["work"]])
    batch = {name: torch.from_numpy(np.asarray(x, np.int64))
             for name, x in collate(examples_of(settings)).items()}
    optimizer = torch.optim.AdamW(model.parameters(), RATE, weight_decay=DECAY,
                                  fused=True)

    def step():
        model.train()(**batch).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        optimizer.zero_grad()

    def loss():
        with torch.inference_mode():
            return model.eval()(**batch).loss.numpy()
    return Loaded(step, loss, model)


# -------------------------------------------------- one sentence, and a whole command

def embed_numbert(settings: dict) -> Loaded:
    """One sentence, from its text to its vector."""
    from ..pipelines.sentences import embed
    model = common.load_backbone(settings["folder"])
    tokenizer, turns = common.load_tokenizer(settings["folder"]), cycle(SENTENCES)

    def step():
        return embed(model, tokenizer, next(turns), normalize=True)
    return Loaded(step, step, model)


def embed_torch(settings: dict) -> Loaded:
    """The same from transformers, in the lines that its model cards show."""
    import torch
    import transformers
    model = hugging_face(settings, "BertModel", add_pooling_layer=False)
    tokenizer = transformers.AutoTokenizer.from_pretrained(settings["folder"])
    turns = cycle(SENTENCES)

    def step():
        with torch.inference_mode():
            states = model(**tokenizer(next(turns), return_tensors="pt"))[0]
        return torch.nn.functional.normalize(states.mean(1), dim=-1)[0]
    return Loaded(step, lambda: step().numpy(), model)


def start_numbert(settings: dict) -> Loaded:
    """The whole of `numbert embed TEXT`, from the start of Python."""
    return command("-m", "numbert", "embed", SENTENCES[0], "--json", "--model",
                   settings["folder"])


def start_torch(settings: dict) -> Loaded:
    """A script for Hugging Face that does the same."""
    return command("-c", SCRIPT, settings["folder"], settings["contender"],
                   SENTENCES[0])


def command(*words: str) -> Loaded:
    """A command of Python's that prints an embedding."""
    def step():
        return subprocess.run([sys.executable, *words], check=True,
                              stdout=subprocess.PIPE).stdout.decode()

    def numbers():
        vector = np.array(parse_json(step(), "what the command prints")["embedding"])
        return vector / np.linalg.norm(vector)
    return Loaded(step, numbers)


LOADERS: dict[str, tuple[Callable, Callable]] = {
    "forward": (forward_numbert, forward_torch),
    "classification": (train_numbert, train_torch),
    "masked-lm": (train_numbert, train_torch),
    "embed": (embed_numbert, embed_torch),
    "cold-start": (start_numbert, start_torch),
}
