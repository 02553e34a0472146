"""A training run that two processes share is the run of one process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

torch = pytest.importorskip("torch")

import numbert  # noqa: E402
import rank_cases  # noqa: E402
import tiny  # noqa: E402
import training_cases as cases  # noqa: E402

TESTS = Path(rank_cases.__file__).parent
LIMIT = 240                             # seconds


def torchrun(*args, processes=2):
    """Run a script or `-m module` in two processes, to its end."""
    paths = [str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH", "")]
    return subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node",
         str(processes), "--rdzv_backend", "c10d", "--rdzv_endpoint", "localhost:0",
         *map(str, args)], text=True, capture_output=True, timeout=LIMIT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths),
             "OMP_NUM_THREADS": "1"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What two processes ended with, after the last run had lost one and went on."""
    folder = tmp_path_factory.mktemp("ranks")
    for name in ("whole", "cut"):
        (folder / name).mkdir()
    script = TESTS / "rank_cases.py"
    broken = torchrun(script, "runs", folder)
    assert broken.returncode and "SIGKILL" in broken.stderr, broken.stderr[-2000:]
    assert (folder / "whole0.safetensors").exists(), broken.stderr[-2000:]
    assert not (folder / "cut0.safetensors").exists()
    again = torchrun(script, "again", folder)
    assert again.returncode == 0, again.stderr[-2000:]
    return folder


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """What DDP and FSDP2 made of a module."""
    folder = tmp_path_factory.mktemp("shared")
    done = torchrun(TESTS / "rank_cases.py", "wrapped", folder)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


def ended(folder, name):
    """The parameters and the history that each of the two processes ended with."""
    found = []
    for rank in (0, 1):
        with safe_open(folder / f"{name}{rank}.safetensors", "numpy") as file:
            found.append(({key: file.get_tensor(key) for key in file.keys()},
                          eval(file.metadata()["history"], {"nan": np.nan})))
    return found


ALONE = {"pretrained": lambda: rank_cases.pretrained(2, dropout=False),
         "dropped": lambda: rank_cases.pretrained(2),
         "three": lambda: rank_cases.pretrained(3),
         "stopped": rank_cases.classified}


@pytest.mark.parametrize("name", ALONE)
def test_two_processes_give_what_one_gives(folder, name):
    """Rows with many labels and rows with one: a mean of the ranks' means is wrong."""
    model, result = ALONE[name]()
    want = cases.without_speed(result.history)
    (first, history), (second, theirs) = ended(folder, name)
    assert all(np.array_equal(first[key], second[key]) for key in first)
    for found, best, best_step, steps, stopped in (history, theirs):
        assert (steps, stopped, best_step) == (result.steps, result.stopped,
                                               result.best_step)
        assert best == (result.best and pytest.approx(result.best))
        for row, wanted in zip(found, want, strict=True):
            assert row == pytest.approx(wanted, rel=1e-9, nan_ok=True)
    for key, x in model.params.items():
        # The gradient of key.bias is 0 in exact arithmetic; Adam steps by its noise.
        if not key.endswith("key.bias"):
            error = np.abs(first[key] - x.detach().numpy()).max()
            assert error < 1e-12, (key, error)


def test_it_learns_something(folder):
    start = numbert.BertForPreTraining(cases.CONFIG, dtype="float64", rng=2).params
    for params, _ in ended(folder, "pretrained"):
        assert np.abs(params["cls.seq_relationship.weight"]
                      - start["cls.seq_relationship.weight"]).max() > 1e-3


def test_a_run_that_lost_a_process_goes_on_to_the_same_bits(folder):
    whole, cut = ended(folder, "whole"), ended(folder, "cut")
    for (params, history), (others, theirs) in zip(whole, cut):
        assert all(np.array_equal(params[key], others[key]) for key in params)
        assert repr(history[1:]) == repr(theirs[1:])
    assert (folder / "cut" / "log.csv").read_text().count("\n") == (
        folder / "whole" / "log.csv").read_text().count("\n")


def test_the_command(tmp_path):
    base = tiny.checkpoint(tmp_path / "base")
    data = tiny.write(tmp_path, "data.tsv", tiny.FILES["text-classification"])
    args = ["-m", "numbert", "finetune", "text-classification", "--model", base,
            "--train", data, "--dev", data, "--epochs", 2, "--batch-size", 4,
            "--backend", "torch", "--out"]
    two = torchrun(*args, tmp_path / "two")
    assert two.returncode == 0, two.stderr[-2000:]
    record = json.loads((tmp_path / "two" / "training.json").read_text())
    assert record["scores"] and two.stdout.count("saved in") == 1
    params = load_file(tmp_path / "two" / "model.safetensors")
    assert all(np.isfinite(x).all() for x in params.values())
    again = torchrun(*args, tmp_path / "two")               # the folder is taken
    assert again.returncode and "--overwrite" in again.stderr


@pytest.mark.parametrize("way", ["ddp", "fsdp"])
def test_a_module_is_shared_by_torch_itself(shared, way):
    """Each process has half of the rows, and as many labels as the other."""
    module = cases.fresh().to_torch().as_module()
    start = {name: x.detach().clone() for name, x in module.named_parameters()}
    rank_cases.steps(module, rank_cases.batch())
    for rank in (0, 1):
        found = load_file(shared / f"{way}{rank}.safetensors")
        assert list(found) and set(found) == set(start)
        for name, x in module.named_parameters():
            assert np.abs(found[name] - x.detach().numpy()).max() < 1e-12, name
    assert any((x - start[name]).abs().max() > 1e-3
               for name, x in module.named_parameters())


def test_numpy_trains_in_one_process(tmp_path, monkeypatch):
    for name, value in (("WORLD_SIZE", "2"), ("RANK", "1"), ("MASTER_ADDR", "x")):
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match="WORLD_SIZE is 2, .*--backend torch"):
        cases.run()
