"""The script that fine-tunes beside Hugging Face, on a few examples."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tiny

import numbert
from numbert.checkpoints import FOLDER, PRETRAINED

SCRIPT = Path(__file__).parents[1] / "acceptance_finetune.py"
SENTENCES = "".join(f"the {thing} was {word}\t{label}\n" for thing in (
    "film", "room", "soup") for word, label in (("good", 1), ("bad", 0), ("fine", 1)))
ENTITIES = "".join(f"{name}\tB-person\nlives\tO\nin\tO\n{city}\tB-location\n.\tO\n\n"
                   for name, city in (("Anna", "Oslo"), ("Tom", "Rome"),
                                      ("Wolfgang", "Lima")))


def test_both_sides_follow_the_same_path(tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    for folder, text in (("sst2", SENTENCES), ("wnut17", ENTITIES)):
        (tmp_path / folder).mkdir()
        suffix = "tsv" if folder == "sst2" else "conll"
        for split in ("train", "dev"):
            tiny.write(tmp_path / folder, f"{split}.{suffix}", text)
    found = subprocess.run(
        [sys.executable, str(SCRIPT), "--model", str(FOLDER / PRETRAINED), "--sst2",
         str(tmp_path / "sst2"), "--wnut17", str(tmp_path / "wnut17"), "--batch-size",
         "4", "--epochs", "2", "--lr", "1e-3", "--no-dropout", "--threads", "1",
         "--json"], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(Path(numbert.__file__).parents[1])})
    rows = [json.loads(line) for line in found.stdout.splitlines()]
    assert [row["task"] for row in rows] == ["text-classification",
                                             "token-classification"]
    for row, updates in zip(rows, (6, 2)):
        ours, theirs = row["numbert"], row["huggingface"]
        assert ours["updates"] == updates
        assert ours["scores"] == pytest.approx(theirs["scores"])
        assert ours["last_loss"] == pytest.approx(theirs["last_loss"], rel=1e-4)
