"""Small checkpoints written by hand, for the tests of reading and saving weights."""

import json
import struct

import numpy as np

from numbert.system import checkpoint, saving

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
TIES = {"cls.predictions.decoder.weight": "bert.embeddings.word_embeddings.weight",
        "cls.predictions.decoder.bias": "cls.predictions.bias"}
WORDS = "bert.embeddings.word_embeddings.weight"


def write_raw(path, tensors, metadata=None):
    """The safetensors format by hand: length, JSON table, bytes.

    tensors: {name: (dtype code, shape, bytes)}
    """
    table, at = ({"__metadata__": metadata} if metadata else {}), 0
    for name, (code, shape, data) in tensors.items():
        table[name] = {"dtype": code, "shape": list(shape),
                       "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(table).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text
                     + b"".join(data for _, _, data in tensors.values()))


def f32(values, shape=None):
    values = list(np.ravel(values))
    return ("F32", shape or (len(values),), struct.pack(f"<{len(values)}f", *values))


def load(folder, shapes, dtype="float32", **options):
    return checkpoint.load(folder, shapes, dtype=dtype,
                           **{"base_prefix": "bert.", **options})


def save(folder, params, config_text="{}", **options):
    saving.save(folder, params, config_text=config_text, **options)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def floats(seed, *shape, dtype=np.float32):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)
