"""Record what torch and transformers do, for test_optim.py: writes optim.json.

    python tests/golden/make_optim.py            needs torch and transformers

Every number in the file is a double, written so that it reads back as the same bits.
"""

import json
import sys
from pathlib import Path

import torch
import transformers

sys.path.insert(0, str(Path(__file__).parents[1]))
from optim_cases import ADAMW, CLIPS, SCHEDULES, STEPS, start  # noqa: E402

GET = {"linear": transformers.get_linear_schedule_with_warmup,
       "cosine": transformers.get_cosine_schedule_with_warmup,
       "constant": transformers.get_constant_schedule_with_warmup}


def adamw(settings):
    """{step: {name: values}} of torch.optim.AdamW, after 1 and after STEPS steps."""
    params, gradients = start()
    tensors = {name: torch.nn.Parameter(torch.tensor(x)) for name, x in params.items()}
    optimizer = torch.optim.AdamW(tensors.values(), **settings)
    found = {}
    for step in range(STEPS):
        for name, p in tensors.items():
            p.grad = torch.tensor(gradients[step][name])
        optimizer.step()
        if step + 1 in (1, STEPS):
            found[step + 1] = {name: p.tolist() for name, p in tensors.items()}
    return found


def clipped(max_norm):
    """[norm, gradients] of torch's clip_grad_norm_ on the last gradients."""
    tensors = {}
    for name, g in start()[1][-1].items():
        tensors[name] = torch.nn.Parameter(torch.zeros(g.shape, dtype=torch.float64))
        tensors[name].grad = torch.tensor(g)
    norm = torch.nn.utils.clip_grad_norm_(tensors.values(), max_norm)
    return [float(norm), {name: p.grad.tolist() for name, p in tensors.items()}]


def schedule(name, warmup, total):
    """The multipliers that transformers gives to the steps 0 ... total + 2."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    args = (warmup,) if name == "constant" else (warmup, total)
    scheduler = GET[name](optimizer, *args)
    found = []
    for _ in range(total + 3):
        found.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return found


if __name__ == "__main__":
    record = {"torch": torch.__version__, "transformers": transformers.__version__,
              "adamw": [adamw(settings) for settings in ADAMW],
              "clips": [clipped(max_norm) for max_norm in CLIPS],
              "schedules": [schedule(*case) for case in SCHEDULES]}
    Path(__file__).with_name("optim.json").write_text(json.dumps(record) + "\n")
