"""The `numbert` command.

Read this file, then common, which all commands share, then any command.  COMMANDS says
which file holds which; the `register` function of that file says what it takes.  Only
the file of the command that was given is imported, and it imports what is large inside
the functions that run, so that answers come quickly.  This room may import anything.
"""

from __future__ import annotations

import argparse
import atexit
import contextlib
import gc
import io
import os
import sys
import time
import warnings
from collections.abc import Collection
from importlib import import_module
from typing import Any

from .. import __version__
from ..system.ranks import rank, world
from ..system.terminal import Escaped
from .common import add_command

EXPECTED = (ValueError, TypeError, OSError, KeyError, ImportError, MemoryError)
PROBLEM, INTERRUPTED, BROKEN_PIPE = 2, 130, 141
SHARED = ("finetune", "pretrain")       # the commands that torchrun's processes share
COMMANDS = {                            # {command: (its file, what it does)}
    "embed": ("embed", "turn sentences into vectors, one per text"),
    "tokenize": ("tokenize", "cut a text into word pieces, with ids and offsets"),
    "info": ("info", "show what a checkpoint holds"),
    "fill-mask": ("tasks", "find the words that fit in place of [MASK]"),
    "classify": ("tasks", "label a text, or a pair of texts"),
    "ner": ("tasks", "find the names of people and places"),
    "answer": ("tasks", "find the answer to a question in a text"),
    "choose": ("tasks", "choose the text that goes with a prompt"),
    "next-sentence": ("tasks", "say whether one text follows another"),
    "generate": ("tasks", "continue a text"),
    "finetune": ("train", "train a checkpoint on a task"),
    "evaluate": ("train", "score a fine-tuned model on a file"),
    "pretrain": ("train", "train a BERT from scratch"),
    "export": ("export", "write a checkpoint as an ONNX file"),
    "verify": ("verify", "tell what is wrong with another BERT"),
    "verify-masking": ("verify_masking",
                       "tell what is wrong with data for masked language modeling"),
    "golden": ("golden", "make golden values for other programs"),
    "vectors": ("vectors", "test a tokenizer or masks in any language"),
    "prove": ("prove", "prove the digits of an embedding"),
    "bench": ("bench", "measure speed and memory, beside Hugging Face"),
}


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
    if argv is None:                     # the process is there for this command alone
        seldom_collect_garbage()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):     # not a text file of Python's own
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    out: Any = Escaped(sys.stdout) if is_terminal(sys.stdout) else sys.stdout
    err: Any = Escaped(sys.stderr) if sys.stderr else sys.stderr
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        words = sys.argv[1:] if argv is None else argv
        shared = rank() > 0 and words[:1] and words[0] in SHARED
        return quietly(words) if shared else checked(words)


def seldom_collect_garbage() -> None:
    """Save the tenth of a short command's time in which Python looks for garbage.

    To import and to load makes many objects but no circles of them, and when the
    process ends, all its memory is free anyway.
    """
    gc.set_threshold(50_000)
    if hasattr(gc, "freeze"):                         # CPython
        atexit.register(gc.freeze)


def quietly(words: list[str], patience: float = 5.0) -> int:
    """Run the command in a process that torchrun started, but not as its first.

    The first speaks for all.  If it fails, torchrun ends the others at once.  So one
    that is still there some seconds after an error has an error of its own, and tells.
    """
    said = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(said):
        try:
            code = checked(words)
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


def checked(words: list[str]) -> int:
    """Run the command; turn errors into a line on stderr and an exit code."""
    try:
        args = parser(words).parse_args(words)
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


def parser(words: Collection[str] = COMMANDS) -> argparse.ArgumentParser:
    """Return the parser of the command line.

    words: what was typed.  Of a command that is not among them, the parser knows only
        the name and what it does, and its file is not imported.
    """
    top = argparse.ArgumentParser(
        prog="numbert", description="BERT in pure NumPy.",
        epilog="Type `numbert COMMAND --help` to see what a command does, with "
               "examples.",
        formatter_class=Formatter)
    top.add_argument("--version", action="version", version=f"numbert {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", dest="command",
                                  required=True)
    for name, (file, what) in COMMANDS.items():
        command = add_command(commands, name, what)
        if name in words:
            import_module(f".{file}", __package__).register(command, name)
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
