"""Runs that two processes share, as a script that torchrun starts in each of them.

    torchrun --nproc_per_node 2 rank_cases.py CASE FOLDER
"""

import os
import signal
import sys
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from safetensors.numpy import save_file

import numbert
import training_cases as cases
from numbert.training.loop import train


def words(count=13):
    """Rows of words of which some have many labels, and some only one."""
    rng = np.random.default_rng(1)
    for i in range(count):
        x = rng.integers(1, 23, rng.integers(4, 9))
        labels = np.full(len(x), -100)
        labels[:len(x) if i % 3 == 0 else 1] = x[0]
        yield {"input_ids": x, "labels": labels, "next_sentence_label": i % 2}


def pretrained(count=1, **changes):
    """A run of BertForPreTraining; count: the parts of a batch.

    The last batch of an epoch is one row, fewer than there are processes.
    """
    model = numbert.BertForPreTraining(cases.CONFIG, dtype="float64", rng=2).to_torch()
    return model, train(model, list(words()), **{
        "epochs": 2, "batch_size": 4, "accumulate": count, "lr": 0.01, "log_every": 1,
        **changes})


def classified(**changes):
    """A run of a classifier that stops early."""
    return cases.run(cases.fresh().to_torch(), **{"patience": 2, **changes})


RUNS = {"pretrained": lambda: pretrained(dropout=False),
        "dropped": lambda: pretrained(2),
        "three": lambda: pretrained(3),
        "stopped": classified}


def killed(folder, stop=None):
    """A run with dropout; from the batch `stop` on its last process is gone."""
    batches = []

    def collate(examples, rng):
        batches.append(1)
        if len(batches) == stop and dist.get_rank() == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return numbert.training.batches.collate(examples, rng)
    return cases.run(cases.fresh("float32").to_torch(), collate=collate,
                     checkpoint_dir=folder, checkpoint_every=2, log=folder / "log.csv")


def keep(folder, name, model, result):
    """Write what a process ended with."""
    history = repr((cases.without_speed(result.history), result.best, result.best_step,
                    result.steps, result.stopped))
    save_file({name: x.detach().numpy() for name, x in model.params.items()},
              folder / f"{name}{os.environ['RANK']}.safetensors", {"history": history})


def steps(module, batch, weight=1.0, count=3):
    """Let torch's own SGD take a few steps, without dropout."""
    module.eval()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    for _ in range(count):
        optimizer.zero_grad()
        (module(**batch).loss * weight).backward()
        optimizer.step()


def batch(rows=slice(None)):
    """Four rows of a batch for `cases.fresh`."""
    rng = np.random.default_rng(5)
    return {"input_ids": torch.tensor(rng.integers(1, 23, (4, 7))[rows]),
            "labels": torch.tensor(rng.integers(0, 2, 4)[rows])}


def wrapped(folder):
    """torch's own ways to share a module: copies of it (DDP), and pieces (FSDP2)."""
    from torch.distributed.fsdp import fully_shard
    dist.init_process_group("gloo")
    mine = batch(slice(2 * dist.get_rank(), 2 * dist.get_rank() + 2))
    copied = cases.fresh().to_torch().as_module()
    steps(torch.nn.parallel.DistributedDataParallel(copied), mine)
    cut = cases.fresh().to_torch().as_module()
    fully_shard(cut)
    steps(cut, mine)
    whole = {name: x.full_tensor() for name, x in cut.named_parameters()}
    for name, params in (("ddp", dict(copied.named_parameters())), ("fsdp", whole)):
        save_file({key: x.detach().numpy() for key, x in params.items()},
                  folder / f"{name}{dist.get_rank()}.safetensors")
    dist.destroy_process_group()


if __name__ == "__main__":
    case, folder = sys.argv[1], Path(sys.argv[2])
    torch.set_num_threads(1)
    if case == "wrapped":
        wrapped(folder)
    elif case == "runs":
        for name, run in RUNS.items():
            keep(folder, name, *run())
        keep(folder, "whole", *killed(folder / "whole"))
        killed(folder / "cut", 25)
    elif case == "again":
        keep(folder, "cut", *killed(folder / "cut"))
