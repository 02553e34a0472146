"""The C program of tests/verify as a target of the suite: a forward pass by files."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from numbert.verify.adapters import from_program

name, profile = "bert.c", "fp32"
SOURCE = Path(__file__).parents[1] / "verify" / "bert.c"
FOLDER = tempfile.TemporaryDirectory()


def compiled():
    """The candidate, compiled once."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise RuntimeError("no C compiler, expected gcc: apt-get install gcc")
    path = Path(FOLDER.name) / "bert"
    subprocess.run([compiler, "-O2", "-o", path, SOURCE, "-lm"], check=True)
    return from_program([str(path)])


run = compiled()


def forward(case):
    """Every activation and loss; the program wants all inputs to be given."""
    ids = case.inputs.get("input_ids")
    if case.name == "law":
        if case.kind != "BertModel" or ids.ndim != 2:
            raise NotImplementedError("a head without labels")
        inputs = {"token_type_ids": 0, "attention_mask": 1,
                  "position_ids": np.arange(ids.shape[1]), **case.inputs}
        case = case._replace(inputs={
            name: np.broadcast_to(x, ids.shape).astype(np.int64)
            for name, x in inputs.items()})
    return run(case)
