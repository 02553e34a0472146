"""A small training run; as a script, one that can be killed and started again.

    python training_cases.py FOLDER CHECKPOINT_EVERY [LIMIT]

trains with a checkpoint in FOLDER, and writes the digest of the parameters to
FOLDER/digest at the end.  LIMIT: no file may become larger than so many bytes.
"""

import hashlib
import signal
import sys
from pathlib import Path

import numpy as np

import numbert
from numbert.training.loop import train

CONFIG = numbert.BertConfig(
    vocab_size=23, hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
    intermediate_size=12, max_position_embeddings=10, num_labels=2)


def examples(count=30):
    """Texts of several lengths whose label is whether token 7 is there."""
    rng = np.random.default_rng(0)
    rows = [rng.integers(1, 23, rng.integers(3, 9)) for _ in range(count)]
    return [{"input_ids": x, "labels": int(7 in x)} for x in rows]


def fresh(dtype="float64"):
    """The model before training."""
    return numbert.BertForSequenceClassification(CONFIG, dtype=dtype, rng=4)


def accuracy(model):
    """A number to evaluate by."""
    right = [int(model(x["input_ids"][None]).logits.argmax()) == x["labels"]
             for x in examples()]
    return {"accuracy": float(np.mean(right)), "loss": 1 - float(np.mean(right))}


def run(model=None, dataset=None, **changes):
    """A run of 20 updates with everything on; returns the model and the result."""
    model = fresh() if model is None else model
    settings = {"epochs": 5, "batch_size": 8, "lr": 0.01, "warmup": 0.1, "seed": 3,
                "accumulate": 2, "evaluate": accuracy, "eval_every": 3, "log_every": 2,
                "group_by_length": True, **changes}
    return model, train(model, dataset or examples(), **settings)


def digest(params):
    """A fingerprint of every bit of the parameters."""
    found = hashlib.sha256()
    for name, x in params.items():
        found.update(name.encode() + str(x.dtype).encode() + x.tobytes())
    return found.hexdigest()


def without_speed(history):
    """What of a history is the same in every run."""
    return [{k: v for k, v in row.items() if "second" not in k} for row in history]


if __name__ == "__main__":
    folder, every = Path(sys.argv[1]), int(sys.argv[2])
    if len(sys.argv) > 3:
        import resource
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
    print("ready", flush=True)
    trained, result = run(checkpoint_dir=folder, checkpoint_every=every,
                          log=folder / "log.csv", epochs=15)
    (folder / "digest").write_text(digest(trained.params))
