"""The `numbert` command.

Read this file, then common, which all commands share, then any command.  Each file with
a `register` function adds its commands.  They import what they need inside the
functions that run, so that `--help` is quick.  This room may import anything.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
import time
import warnings
from typing import Any

from .. import __version__
from ..system.ranks import rank, world
from ..system.terminal import Escaped

EXPECTED = (ValueError, TypeError, OSError, KeyError, ImportError, MemoryError)
PROBLEM, INTERRUPTED, BROKEN_PIPE = 2, 130, 141
SHARED = ("finetune", "pretrain")       # the commands that torchrun's processes share


def main(argv: list[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: the arguments; None means those of the process.

    Returns:
        the exit code: 0 if all went well, 2 after an error, 130 after Ctrl-C, and 141
        when the reader of the output is gone; or what a command says about itself,
        such as `numbert verify`.  An error prints one line on stderr.
        Set NUMBERT_TRACEBACK=1 in the environment to see its traceback instead.

    What a terminal shows, and all of stderr, has its control characters escaped.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):     # not a text file of Python's own
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    out: Any = Escaped(sys.stdout) if is_terminal(sys.stdout) else sys.stdout
    err: Any = Escaped(sys.stderr) if sys.stderr else sys.stderr
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        shared = (sys.argv[1:] if argv is None else argv)[:1]
        return quietly(argv) if rank() and shared and shared[0] in SHARED else \
            checked(argv)


def quietly(argv: list[str] | None, patience: float = 5.0) -> int:
    """Run the command in a process that torchrun started, but not as its first.

    The first speaks for all.  If it fails, torchrun ends the others at once.  So one
    that is still there some seconds after an error has an error of its own, and tells.
    """
    said = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
        try:
            code = checked(argv)
        except SystemExit as end:                        # argparse's own way out
            code = PROBLEM if end.code else 0
    if code == PROBLEM:
        time.sleep(patience)
        print(f"process {rank()} of {world()}, counted from 0: "
              + said.getvalue().rstrip().rpartition("\n")[2], file=sys.stderr)
    return code


def is_terminal(stream) -> bool:
    """Whether people see what is written to a stream; pipes and files carry data."""
    return stream is not None and stream.isatty()


def checked(argv: list[str] | None) -> int:
    """Run the command; turn errors into a line on stderr and an exit code."""
    try:
        args = parser().parse_args(argv)
        with warnings.catch_warnings():
            warnings.showwarning = show_warning  # type: ignore[assignment]
            code = args.run(args)
            sys.stdout.flush()
    except KeyboardInterrupt as error:           # training says how to go on
        print(f"numbert: {str(error) or 'interrupted'}", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # At exit Python writes what is left in the buffer, which would fail again.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except EXPECTED as error:
        if os.environ.get("NUMBERT_TRACEBACK"):
            raise
        print(f"numbert: error: {message(error)}", file=sys.stderr)
        return PROBLEM
    return code or 0


class Formatter(argparse.HelpFormatter):
    """argparse's formatter, with room for the indent of the commands."""

    def __init__(self, prog: str):
        super().__init__(prog)
        self._action_max_length = 17


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    from . import (bench, embed, export, golden, info, prove, tasks, tokenize, train,
                   vectors, verify, verify_masking)
    top = argparse.ArgumentParser(
        prog="numbert", description="BERT in pure NumPy.",
        epilog="Type `numbert COMMAND --help` to see what a command does, with "
               "examples.",
        formatter_class=Formatter)
    top.add_argument("--version", action="version", version=f"numbert {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", dest="command",
                                  required=True)
    for group in (embed, tokenize, info, tasks, train, export, verify, verify_masking,
                  golden, vectors, prove, bench):
        group.register(commands)
    return top


def message(error: BaseException) -> str:
    """Return what an error says, without the quotes that KeyError puts around it."""
    if isinstance(error, MemoryError):
        return f"not enough memory ({error}): try a smaller --batch-size"
    if isinstance(error, KeyError) and len(error.args) == 1:
        return str(error.args[0])
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return str(error) or type(error).__name__


def show_warning(text, category, filename, lineno, file=None, line=None) -> None:
    """Print a warning on one line, without its place in the source."""
    print(f"numbert: warning: {text}", file=sys.stderr)
