"""Candidates: every way to hand over an implementation that is to be compared.

A candidate is a function from a case to {pack name: array}.  It may give any subset of
the names; `run.run` lists them.  The simplest is a function of your own:

    def candidate(case):
        out = my_bert(case.params, **case.inputs)
        return {"bert.encoder.layer.0.output.out": out.hidden[1], "loss": out.loss}

The others make one of a torch module, an ONNX file, a program in any language, or a
folder of files that were written before.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..system.checkpoint import read_file
from ..system.saving import write_tensors
from ..system.terminal import escaped
from .cases import Case, program_file
from .modules import TorchRun, array
from .names import fit, nearest
from .results import CandidateError
from .run import run

Candidate = Callable[[Case], Mapping[str, np.ndarray]]
LONGEST = 200                           # letters of an exception in an error
TAIL_LINES, TAIL_BYTES = 6, 2000        # of what a program printed before it failed


def called(candidate: Candidate, case: Case) -> dict[str, np.ndarray]:
    """Return what a candidate gives for a case, as arrays.

    Raises:
        CandidateError: it raised an exception, or gave something else than numbers by
            name.  The error names the case.
    """
    try:
        given = candidate(case)
        pairs = list(given.items()) if isinstance(given, Mapping) else None
    except CandidateError as error:
        raise CandidateError(f"case {case.name}: {error}") from error
    except (Exception, SystemExit) as error:   # sys.exit(0) must not look like a pass
        raise CandidateError(
            f"case {case.name}: the candidate raised {type(error).__name__}: "
            f"{first_line(error)}, expected {{pack name: array}}: call "
            "candidate(case) yourself to see where") from error
    if pairs is None:
        raise CandidateError(f"case {case.name}: the candidate gave a "
                             f"{type(given).__name__}, expected {{pack name: array}}: "
                             "return a dictionary")
    return {_text(name, case): _numbers(name, value, case) for name, value in pairs}


def first_line(error: BaseException) -> str:
    """Return the beginning of what an exception says, which may be pages long."""
    text = (str(error).splitlines() or [""])[0]
    return escaped(text if len(text) <= LONGEST else f"{text[:LONGEST]}...")


def _text(name, case: Case) -> str:
    if not isinstance(name, str):
        raise CandidateError(f"case {case.name}: the candidate gave the name {name!r}, "
                             "expected a string: use the names of the pack")
    return name


def _numbers(name: str, value, case: Case) -> np.ndarray:
    if hasattr(value, "detach"):                                   # a tensor of torch
        return array(value)
    try:
        numbers = np.asarray(value)
        kind = numbers.dtype.kind
    except ValueError:                                             # rows of any length
        kind = "O"
    if kind == "O":                                # other kinds are judged by name
        what = f"an array of {numbers.dtype}" if isinstance(value, np.ndarray) else \
            f"a {type(value).__name__}"
        raise CandidateError(f"case {case.name}: {escaped(name)} is {what}, expected "
                             "an array of real numbers: return NumPy arrays of float")
    return numbers


# ------------------------------------------------------------------ modules of torch

def from_torch(make: Callable[[Case], Any], *, autocast=None,
               load: bool = True) -> Candidate:
    """Return the candidate for a torch module with Hugging Face's names.

        from_torch(lambda case: getattr(transformers, case.kind)(
            transformers.BertConfig(**case.config)))

    The module gets the weights of the case, and is put in evaluation mode, since the
    truth has no dropout.  It is called with the arguments that `numbert`'s class takes,
    and its output read by Hugging Face's names, or in their order if it is a tuple.
    Hooks note what every submodule gives: a tensor of the submodule P is offered as P
    and `P.out`, a tuple as `P.context` and `P.probs`, and what a LayerNorm reads as the
    sum or activation before it.  The names that the case has are kept.

    Args:
        make: a function of a case that returns the module, in the precision and on the
            device that it shall run in.
        autocast: a dtype such as torch.bfloat16, or its name, for torch.autocast.
        load: False if the module has names of its own, and `make` puts the weights in.
            Then all that the hooks see is given, under the paths of the module: P, or
            `P.0` and `P.1` for a tuple, and `P.in` for what a norm reads.  Rules
            translate them; see numbert.verify.names.

    Raises (the candidate, when it is called):
        CandidateError: a name of a weight or an argument does not fit.
    """
    def candidate(case: Case) -> dict[str, np.ndarray]:
        return TorchRun(make(case), case, load).tensors(autocast)

    candidate.__name__ = f"from_torch({getattr(make, '__name__', make)})"
    return candidate


def from_transformers(attn_implementation: str = "eager", dtype: str = "float32",
                      autocast: str | None = None) -> Candidate:
    """Return Hugging Face's own models as a candidate; see from_torch."""
    def make(case: Case):
        import torch
        import transformers
        options: dict = {"attn_implementation": attn_implementation, **case.config}
        config = transformers.BertConfig(**options)
        return getattr(transformers, case.kind)(config).to(getattr(torch, dtype))

    candidate = from_torch(make, autocast=autocast)
    candidate.__name__ = f"transformers, {attn_implementation}, {dtype}" + (
        f", autocast {autocast}" if autocast else "")
    return candidate


# ---------------------------------------------------------------------- ONNX files

def from_onnx(path_of: Callable[[Case], Any], outputs: Mapping[str, str], *,
              options=None) -> Candidate:
    """Return the candidate for ONNX files, which onnxruntime computes.

        from_onnx(lambda case: f"{case.name}.onnx", {"classifier.out": "logits"})

    A file holds its weights, so each case needs one of its own.  Its inputs have the
    names of the arguments of numbert's class; what it does not read is left out.  To
    compare a step inside, make it an output of the graph before you export.

    Args:
        path_of: a function of a case that returns the path of its file.
        outputs: {pack name: name of an output of the graph}, for all cases together:
            what a case or its file lacks is left out.  `bert.` may be left out too.
        options: an onnxruntime.SessionOptions, to turn optimisations off, say.

    Raises:
        ImportError: onnxruntime is not installed.

    Raises (the candidate, when it is called):
        CandidateError: the file can't be loaded, reads something that the case lacks,
            or has none of the outputs.
    """
    try:
        import onnxruntime
    except ImportError:
        raise ImportError("onnxruntime is not installed, expected it to run ONNX files:"
                          ' pip install "numbert[onnx]"') from None

    def candidate(case: Case) -> dict[str, np.ndarray]:
        path = Path(path_of(case))
        if not path.is_file():
            raise CandidateError(f"{escaped(str(path))} is not a file, expected the "
                                 "model of this case: export one for each case")
        try:
            session = onnxruntime.InferenceSession(
                path, options, providers=["CPUExecutionProvider"])
        except Exception as error:         # its exceptions have no class in common
            raise CandidateError(f"{escaped(str(path))} can't be loaded "
                                 f"({escaped(str(error))}), expected ONNX: export it "
                                 "again") from None
        asked = _onnx_outputs(session, case, outputs, path)
        values = session.run(list(asked.values()), _onnx_inputs(session, case))
        return dict(zip(asked, values))

    candidate.__name__ = "from_onnx"
    return candidate


def _onnx_outputs(session, case: Case, outputs: Mapping[str, str], path: Path
                  ) -> dict[str, str]:
    """Return the outputs that both the graph and the case have, by pack name."""
    made, known = [x.name for x in session.get_outputs()], set(run(case))
    asked = {fit(name, known): out for name, out in outputs.items() if out in made}
    asked = {name: out for name, out in asked.items() if name in known}
    if not asked:
        raise CandidateError(
            f"{escaped(str(path))} has the outputs {escaped(', '.join(made))}, "
            f"expected one of {escaped(', '.join(outputs.values()))} for a step of "
            "the case: change the names, or make steps outputs of the graph")
    return asked


def _onnx_inputs(session, case: Case) -> dict[str, np.ndarray]:
    """Return what a graph reads of a case, in the graph's own dtypes."""
    dtypes = {"float": "float32", "double": "float64"}
    found = {}
    for x in session.get_inputs():
        if x.name not in case.inputs:
            raise CandidateError(
                f"the graph reads {escaped(x.name)}, expected an input of the case; "
                f"nearest: {nearest(x.name, case.inputs)}: rename it in the export")
        kind = x.type.removeprefix("tensor(").removesuffix(")")
        found[x.name] = case.inputs[x.name].astype(dtypes.get(kind, kind))
    return found


# ------------------------------------------------------------ programs, and folders

def from_program(argv: Sequence[str], *, timeout: float = 10.0) -> Candidate:
    """Return the candidate for a program in any language.

    For each case it is run as `argv... in.safetensors out.safetensors`.  It reads the
    first file, see `cases.program_file`, and writes the second: any subset of the
    pack names.

    Args:
        argv: the program and its first arguments, as a list.
        timeout: the seconds that one case may take.

    Raises (the candidate, when it is called):
        CandidateError: the program could not be started, failed, took too long, or
            left no whole safetensors file.

    Raises:
        ValueError: argv is not a list of texts, or timeout is not above 0.
    """
    if isinstance(argv, (str, bytes)) or not argv:
        raise ValueError(f"argv is {argv!r}, expected a list such as ['./bert']: put "
                         "the program and each argument in a list")
    if not timeout > 0:
        raise ValueError(f"timeout is {timeout}, expected seconds above 0: pass 10, "
                         "for example")

    def candidate(case: Case) -> dict[str, np.ndarray]:
        tensors, metadata = program_file(case)
        with tempfile.TemporaryDirectory(prefix="numbert-") as folder:
            given, made = Path(folder) / "in.safetensors", \
                Path(folder) / "out.safetensors"
            write_tensors(tensors, given, metadata)
            execute([*map(str, argv), str(given), str(made)], timeout,
                    Path(folder) / "log.txt")
            return _results(made, f"{shown}: out.safetensors")

    shown = candidate.__name__ = escaped(" ".join(map(str, argv)))
    return candidate


def execute(command: Sequence[str], timeout: float, log: Path,
            stdin: Path | None = None, stdout: Path | None = None) -> None:
    """Run a command to its end, or kill it and all that it started.

    Args:
        command: the program and its arguments.
        timeout: the seconds that it may take.
        log: the file for what it prints on stderr, and on stdout too by default.
        stdin: the file that it reads; by default there is nothing to read.
        stdout: the file for what it prints on stdout.

    Raises:
        CandidateError: it could not be started, took too long, or failed.
    """
    shown = escaped(command[0])
    with contextlib.ExitStack() as files:
        printed = files.enter_context(open(log, "wb"))
        given = subprocess.DEVNULL if stdin is None else \
            files.enter_context(open(stdin, "rb"))
        out = printed if stdout is None else files.enter_context(open(stdout, "wb"))
        try:
            process = subprocess.Popen(command, stdin=given, stdout=out,
                                       stderr=printed, start_new_session=True)
        except OSError as error:
            raise CandidateError(
                f"{shown} could not be started ({error.strerror}), expected a program: "
                "check the path, and whether it may be executed") from None
        try:
            code = process.wait(timeout)
        except BaseException as error:                 # too slow, or Ctrl-C
            _kill(process)
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            raise CandidateError(
                f"{shown} ran for more than {timeout:g} seconds and was stopped, "
                "expected the results by then: pass a larger timeout, or see what it "
                f"waits for{_tail(log)}") from None
    if code:
        how = f"signal {-code} ended it" if code < 0 else f"exit code {code}"
        raise CandidateError(f"{shown} failed ({how}), expected exit code 0: see what "
                             f"it printed{_tail(log)}")


def _kill(process: subprocess.Popen) -> None:
    """Kill a process and, where the system knows groups, what it started."""
    with contextlib.suppress(ProcessLookupError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()


def _tail(log: Path) -> str:
    """Return the last lines that a program printed, escaped, each on its own line."""
    with open(log, "rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL_BYTES))
        lines = file.read().decode("utf-8", "replace").splitlines()[-TAIL_LINES:]
    return "".join(f"\n  {escaped(line)}" for line in lines) or " (nothing)"


def _results(path: Path, what: str) -> dict[str, np.ndarray]:
    """Return the tensors of a file that a candidate wrote; errors call it `what`."""
    remedy = "write a whole safetensors file of pack names"
    if not path.is_file():
        raise CandidateError(f"{what} was not written, expected results: {remedy}")
    if not path.stat().st_size:
        raise CandidateError(f"{what} is empty (0 bytes), expected results: {remedy}")
    try:
        return read_file(path)
    except ValueError as error:
        problem = escaped(str(error)).replace(f"{path} ", "", 1)
        raise CandidateError(f"{what} {problem}") from None


def from_folder(folder) -> Candidate:
    """Return the candidate for results that a program wrote before.

    The folder holds `<case>.safetensors`, each with any subset of the pack names.  A
    case without a file gives nothing.

    Raises:
        CandidateError: there is no such folder, or no safetensors file in it.
    """
    folder = Path(folder)
    shown = escaped(str(folder))
    if not folder.is_dir():
        raise CandidateError(f"{shown} is not a folder, expected one of results: check "
                             "the path")
    if not any(folder.glob("*.safetensors")):
        raise CandidateError(f"{shown} holds no results, expected files named "
                             "<case>.safetensors: write one for each case")

    def candidate(case: Case) -> dict[str, np.ndarray]:
        path = folder / f"{case.name}.safetensors"
        return _results(path, escaped(str(path))) if path.exists() else {}

    candidate.__name__ = shown
    return candidate
