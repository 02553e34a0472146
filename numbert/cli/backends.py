"""The options that say what computes a training run: NumPy, or torch and how."""

from __future__ import annotations

import argparse

from ..system.ranks import refuse_several


def add_backend(command: argparse.ArgumentParser) -> None:
    """Add --backend, --device and --compile; see backend_of."""
    group = command.add_argument_group("where to compute")
    group.add_argument("--backend", choices=("numpy", "torch"), default="numpy",
                       help="what computes (default: numpy); torch must be "
                            "installed")
    group.add_argument("--device", metavar="NAME",
                       help="with --backend torch: where to compute, such as cuda "
                            "(default: cpu)")
    group.add_argument("--compile", action="store_true",
                       help="with --backend torch: let torch.compile make the model "
                            "faster, after a slow start")


def backend_of(args) -> dict:
    """Return what --backend, --device, --dtype and --compile say, checked.

    Raises:
        ValueError: one of them needs --backend torch, or torchrun does.
        ImportError: torch is not installed.
    """
    if args.backend == "torch":
        from ..models.backend import torch_options
        device = args.device or "cpu"
        torch_options(device, None, None)
        mixed = {"dtype": "float32", "autocast": "bfloat16"} \
            if args.dtype == "bfloat16" else {}
        return {"device": device, "compile": args.compile, **mixed}
    refuse_several()
    for name, value in (("device", args.device), ("compile", args.compile),
                        ("dtype", args.dtype == "bfloat16" and args.dtype)):
        if value:
            shown = "" if value is True else f" {value}"
            raise ValueError(f"--{name}{shown} is given, expected --backend torch with "
                             f"it: add that, or leave --{name} out")
    return {}
