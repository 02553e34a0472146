"""One training run shared by several processes, on one machine or many.

    torchrun --nproc_per_node 2 -m numbert finetune ... --backend torch

Each process, a rank, holds the whole model and draws the same batches, masks and seeds
of dropout.  It computes its share of the parts of a batch, one sum over all ranks makes
the gradient of the whole batch, and each makes the same update.  So the ranks never
differ, and whatever is done once, such as evaluation, is told to the others.

Nothing here waits for a rank that has ended: torchrun ends all when one fails.
"""

from __future__ import annotations

import atexit
import os
from datetime import timedelta

from . import torch_ops     # noqa: F401    it says what to install if torch is absent
from ..system.ranks import OneProcess, world

import torch
import torch.distributed as dist

PATIENCE = timedelta(days=1)    # an evaluation by the first rank may take its time


def ranks() -> OneProcess:
    """Return the processes that share a run of this one."""
    return Ranks() if world() > 1 else OneProcess()


class Ranks(OneProcess):
    """The processes that torchrun started; each of them calls every method.

    Sums of tensors on a GPU go over nccl, all else over gloo.
    """

    def __init__(self):
        if not dist.is_initialized():
            dist.init_process_group(timeout=PATIENCE)
            # A thread of torch that still runs at the end would abort the process.
            atexit.register(dist.destroy_process_group)
        self.count, self.rank = dist.get_world_size(), dist.get_rank()
        self.first = self.rank == 0

    def summed(self, compute, jobs, params):
        """See OneProcess; a parameter has a gradient if any rank gives it one.

        With fewer jobs than ranks, some ranks repeat a job and add nothing: so they
        have drawn the same random numbers as the others.
        """
        mine = jobs[self.rank::self.count]
        loss, grads = compute(mine or jobs[:1])
        like = next(iter(params.values())).detach()
        told = like.new_tensor([loss, *(name in grads for name in params)])
        flat = torch.cat([*(grads.pop(name, torch.zeros_like(x)).reshape(-1)
                            for name, x in params.items()), told])
        if not mine:
            flat.zero_()
        dist.all_reduce(flat)
        *found, told = flat.split([*(x.numel() for x in params.values()), len(told)])
        loss, *givers = told.tolist()
        return loss, {name: g.view_as(x) for (name, x), g, given
                      in zip(params.items(), found, givers) if given}

    def once(self, function):
        box = [function() if self.first else None]
        dist.broadcast_object_list(box, device=torch.device("cpu"))
        return box[0]

    def anywhere(self, flag):
        found = torch.tensor(int(flag))
        dist.all_reduce(found)
        return bool(found)

    def check_same(self, facts):
        """Raise ValueError in all ranks if they differ, as they would drift apart."""
        of_all: list = [None] * self.count
        dist.all_gather_object(of_all, facts())
        for number, found in enumerate(of_all):
            for name, value in of_all[0].items():
                if found.get(name) != value:
                    raise ValueError(
                        f"the {name} of process {number} is {found.get(name)!r:.200}, "
                        f"expected that of process 0, {value!r:.200}: let all processes"
                        " read the same files, with the same options and seeds")


def own_device(device):
    """Return the device of this process: "cuda" means the GPU of its local rank."""
    if world() > 1 and device.type == "cuda" and device.index is None:
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
    return device
