"""Candidates: other programs, called with a case, that return {pack name: array}.

    from_torch(make)            a torch module with Hugging Face's names
    from_transformers()         Hugging Face's own models
    from_onnx(path_of, names)   an ONNX file for each case
    from_program(argv)          any program that reads and writes safetensors
    from_folder(folder)         what a program wrote earlier

Names that are missing are no error: few programs can show each of their steps.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..models.trace import GRADIENT
from ..system.terminal import escaped
from .cases import Case
from .packs import inputs_of, texts_of
from .results import CandidateError
from .run import PARAMETER, run

Tensors = dict[str, np.ndarray]
Candidate = Callable[[Case], Mapping[str, np.ndarray]]


def nearest(name: str, names) -> str:
    """Return the three names that come nearest to one, for an error."""
    return ", ".join(difflib.get_close_matches(name, list(names), 3, 0)) or "none"


# -------------------------------------------------------------------------- torch

def from_torch(make: Callable[[Case], Any], *, autocast: str | None = None,
               name: str = "torch module") -> Candidate:
    """Return a candidate that runs a torch module with Hugging Face's names.

    Every module's output is a tensor of the pack, as far as the pack knows its path:
    `encoder.layer.0.attention.self.query`, or with ".out" behind the path of a block.
    Attention returns (context, probs).  What goes into a LayerNorm is the sum before.

    Args:
        make: make(case) returns the module.  It gets the weights of the case.  It is
            called with the inputs of the case by name, and returns what has a `loss`,
            or the outputs for which the case has gradients.
        autocast: "bfloat16" or "float16", to run in mixed precision.
        name: what the report calls it.

    Raises (when it is called):
        CandidateError: the module lacks a weight, or has one that the case lacks.
    """
    def candidate(case: Case) -> Tensors:
        import torch
        module = make(case).eval()
        load_weights(module, case)
        floats = [x for x in module.parameters() if x.is_floating_point()]
        device = floats[0].device
        inputs = {key: torch.from_numpy(np.array(x, order="C")).to(device)
                  for key, x in case.inputs.items()}
        for key, x in inputs.items():
            if x.is_floating_point():
                inputs[key] = x.to(floats[0].dtype).requires_grad_(key != "labels")
        seen = Seen(set(run(case)))
        module.zero_grad()
        precision = torch.autocast(device.type, getattr(torch, autocast)) \
            if autocast else contextlib.nullcontext()
        with seen.watching(module), precision:
            output = module(**inputs)
        # Hooks of inner modules have copied what they saw; gradients come later.
        if case.cotangents:
            torch.autograd.backward(
                [output[key] for key in case.cotangents],
                [torch.from_numpy(x).to(output[key]) for key, x in
                 case.cotangents.items()])
        else:
            seen.note("loss", output["loss"])
            output["loss"].backward()
        for key, x in seen.live.items():
            if x.grad is not None:
                seen.note(GRADIENT + key, x.grad)
        for key, x in [*module.named_parameters(), *inputs.items()]:
            if x.grad is not None:
                seen.note(PARAMETER + key, x.grad)
        return seen.tensors

    candidate.__name__ = name
    return candidate


class Seen:
    """The tensors that flowed through a module, and those that will get a gradient."""

    def __init__(self, wanted: set[str]):
        self.wanted, self.tensors = wanted, Tensors()
        self.live: dict[str, Any] = {}

    def note(self, name: str, x) -> None:
        """Copy a tensor, if the pack has its name."""
        if name in self.wanted:
            self.tensors[name] = to_numpy(x)

    def watch(self, name: str, x) -> None:
        """Copy a tensor, and ask for its gradient."""
        if name in self.wanted:
            self.note(name, x)
            if x.requires_grad:
                x.retain_grad()
                self.live[name] = x

    @contextlib.contextmanager
    def watching(self, module):
        """Watch every module inside another, for the time of a `with` block."""
        import torch

        def hook(path):
            def seen(inner, inputs, output):
                block = path.rpartition(".")[0]
                if path.endswith("LayerNorm") and inputs:
                    self.watch(f"{block}.sum", inputs[0])
                    self.watch(f"{block}.act", inputs[0])
                parts = ("context", "probs") if isinstance(output, tuple) else ("out",)
                for part, x in zip(parts, output if isinstance(output, tuple)
                                   else (output,)):
                    if isinstance(x, torch.Tensor):
                        self.watch(f"{path}.{part}", x)
                        if part == "out":
                            self.watch(path, x)
            return seen

        handles = [inner.register_forward_hook(hook(path))
                   for path, inner in module.named_modules() if path]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def to_numpy(x) -> np.ndarray:
    """Return a copy of a torch tensor; half precision becomes float32."""
    x = x.detach().cpu()
    return np.array((x if x.element_size() > 2 or not x.is_floating_point()
                     else x.float()).numpy())


def load_weights(module, case: Case) -> None:
    """Copy the weights of a case into a module, by name.

    Raises:
        CandidateError: a name is missing on either side, or has another shape.
    """
    import torch
    state = module.state_dict(keep_vars=True)
    for name, x in case.params.items():
        if name not in state:
            raise CandidateError(
                f"{case.name}: the module has no parameter {name}, expected Hugging "
                f"Face's names (nearest: {nearest(name, state)}): rename it, or rename "
                "the weights in `make`")
        if tuple(state[name].shape) != x.shape:
            raise CandidateError(
                f"{case.name}: {name} has shape {tuple(state[name].shape)}, expected "
                f"{x.shape}: build the module from case.config")
        with torch.no_grad():
            state[name].copy_(torch.from_numpy(x))
    loaded = {state[name].data_ptr() for name in case.params}
    for name, x in module.named_parameters():
        if name not in case.params and x.data_ptr() not in loaded:   # if not tied
            raise CandidateError(
                f"{case.name}: the module has a parameter {name}, expected only those "
                f"of the case (nearest: {nearest(name, case.params)}): rename it, or "
                "leave it out")


def from_transformers(attn_implementation: str = "eager", dtype: str = "float32",
                      autocast: str | None = None) -> Candidate:
    """Return Hugging Face's own models as a candidate; see from_torch."""
    def make(case: Case):
        import torch
        import transformers
        options: dict = {"attn_implementation": attn_implementation, **case.config}
        config = transformers.BertConfig(**options)
        return getattr(transformers, case.kind)(config).to(getattr(torch, dtype))

    label = " ".join(filter(None, ("transformers", attn_implementation,
                                   f"autocast {autocast}" if autocast else dtype)))
    return from_torch(make, autocast=autocast, name=label)


# --------------------------------------------------------------------------- ONNX

def from_onnx(path_of: Callable[[Case], Any], outputs: Mapping[str, str]) -> Candidate:
    """Return a candidate that runs an ONNX file for each case, by onnxruntime.

    Args:
        path_of: path_of(case) returns the file, or None if there is none for a case.
        outputs: {pack name: name of the output in the file}.  Outputs that a file
            does not have are left out.  To see inner steps, mark them as outputs when
            you export.

    Raises (when it is called):
        ImportError: onnxruntime is not installed.
        CandidateError: a file has an input that the case lacks.
    """
    def candidate(case: Case) -> Tensors:
        try:
            import onnxruntime
        except ImportError as error:
            raise ImportError("onnxruntime is not installed, expected it to run an "
                              'ONNX file: pip install "numbert[onnx]"') from error
        path = path_of(case)
        if path is None:
            return {}
        session = onnxruntime.InferenceSession(str(path),
                                               providers=["CPUExecutionProvider"])
        given = {}
        for wanted in session.get_inputs():
            if wanted.name not in case.inputs:
                raise CandidateError(
                    f"{path} asks for the input {wanted.name}, expected one of "
                    f"{', '.join(case.inputs)}: rename it in the export")
            kind = wanted.type.removeprefix("tensor(").removesuffix(")")
            given[wanted.name] = case.inputs[wanted.name].astype(
                {"float": "float32", "double": "float64"}.get(kind, kind))
        has = {output.name for output in session.get_outputs()}
        asked = {name: output for name, output in outputs.items() if output in has}
        values = session.run(list(asked.values()), given)
        return dict(zip(asked, values))

    candidate.__name__ = "onnxruntime"
    return candidate


# -------------------------------------------------------------- files and programs

def from_folder(folder) -> Candidate:
    """Return a candidate of results that lie in a folder: CASE.safetensors files.

    Raises:
        CandidateError: it holds no such file, or (when it is called) a broken one.
    """
    folder = Path(folder)
    if not any(folder.glob("*.safetensors")):
        raise CandidateError(
            f"{folder} holds no .safetensors file, expected one for each case, named "
            "as the case is and with the names of the pack inside: write them there")

    def candidate(case: Case) -> Tensors:
        path = folder / f"{case.name}.safetensors"
        return read_tensors(path, "the results") if path.exists() else {}

    candidate.__name__ = str(folder)
    return candidate


def from_program(argv: Sequence[str], *, timeout: float = 10.0) -> Candidate:
    """Return a candidate that runs a program: ARGV IN.safetensors OUT.safetensors.

    The program is called once for each case.  IN holds param:, in:, cot: and config:,
    as a pack does, and the names of case, class, hidden_act and problem_type as JSON in
    its metadata, under "case".  OUT holds results by their names in a pack; any may be
    left out.

    Args:
        argv: the program, and arguments of its own.
        timeout: how many seconds one case may take.

    Raises (when it is called):
        CandidateError: the program can't be started, failed, took too long, or wrote no
            file or a broken one.
    """
    def candidate(case: Case) -> Tensors:
        from safetensors.numpy import save_file
        import json
        with tempfile.TemporaryDirectory() as folder:
            given, result = Path(folder, "in.safetensors"), Path(folder,
                                                                 "out.safetensors")
            save_file(inputs_of(case), given, {"case": json.dumps(texts_of(case))})
            call([*map(str, argv), str(given), str(result)], case.name, timeout)
            if not result.exists():
                raise CandidateError(
                    f"{argv[0]} wrote no file in the case {case.name}, expected its "
                    "results in the file that its last argument names: write them "
                    "there")
            return read_tensors(result, f"what {argv[0]} wrote in the case {case.name}")

    candidate.__name__ = " ".join(map(str, argv))
    return candidate


def call(argv: list[str], case: str, timeout: float) -> None:
    """Run a program to its end; kill it and its children if it takes too long."""
    try:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                   start_new_session=True)
    except OSError as error:
        raise CandidateError(
            f"{argv[0]} can't be started ({error.strerror}), expected a program: check "
            "its path, and that it may be executed") from error
    try:
        _, said = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        raise CandidateError(
            f"{argv[0]} still runs after {timeout:g} seconds in the case {case}, "
            "expected it to end: pass a longer timeout, or look where it hangs"
            ) from None
    finally:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    if process.returncode:
        tail = escaped("\n".join(said.decode("utf-8", "replace").splitlines()[-5:]))
        raise CandidateError(
            f"{argv[0]} ended with exit code {process.returncode} in the case {case}, "
            f"expected 0: look at what it says: {tail or '(nothing on stderr)'}")


def read_tensors(path: Path, what: str) -> Tensors:
    """Return the arrays of a safetensors file.

    Raises:
        CandidateError: it is empty, cut short, or of another format.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load
    data = path.read_bytes()
    if not data:
        raise CandidateError(f"{what} is an empty file ({path.name}), expected "
                             "safetensors: write it to its end")
    try:
        return load(data)
    except (SafetensorError, ValueError, KeyError, TypeError) as error:
        raise CandidateError(f"{what} is no safetensors file ({escaped(str(error))}), "
                             "expected one that is whole: check the header and the "
                             "offsets, and that it is written to its end") from None
