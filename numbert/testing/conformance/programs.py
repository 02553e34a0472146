"""A program as a target: its operations are asked by JSON lines.

The vectors are given to it all at once.  The laws ask it one request at a time, so it
must answer each before it reads the next: it has to flush its output.
"""

from __future__ import annotations

import functools
import json
import queue
import shlex
import subprocess
import threading
from typing import Any

from ...system.terminal import escaped
from ...verify.results import CandidateError
from .. import vectors
from ..vectors.programs import ask, parsed
from .target import OPERATIONS

PATIENCE = 600.0                        # seconds for all vectors together
AT_ONCE = 10.0                          # for one request of a law
LATE = "its laws: the program answers late; flush the output after each line"


class Refused(ValueError):
    """A program refuses an input, in its own words."""


class ProgramTarget:
    """A program with any operations of the vectors, as a target of the suite."""

    def __init__(self, command: str, dialect: str):
        self.argv, self.name, self.dialect = shlex.split(command), command, dialect
        self.process: Any = None
        self.late = False
        if not self.argv:
            raise ValueError("--exec is empty, expected a program and its arguments: "
                             "pass --exec ./my_tokenizer")

    def __getattr__(self, name: str) -> Any:
        if any(name in names for names in OPERATIONS.values()):
            return functools.partial(self.live, name)
        raise AttributeError(name)

    @functools.cached_property
    def answers(self) -> dict[str, dict]:
        """Return the answers to all vectors of the dialect, by id."""
        return ask(self.argv, vectors.every(dialect=self.dialect), PATIENCE)

    def live(self, operation: str, given: Any, settings: dict) -> Any:
        """Ask one request, and return the output.

        Raises:
            NotImplementedError: it has no such operation, or answers too late.
            CandidateError: it ended, or its answer is malformed.
            Refused: it refuses the input.
        """
        if self.late:
            raise NotImplementedError(LATE)
        if self.process is None:
            self.start()
        asked = {"id": "law", "operation": operation, "input": given,
                 "settings": settings}
        try:
            self.process.stdin.write(json.dumps(asked).encode() + b"\n")
            self.process.stdin.flush()
            line = self.lines.get(timeout=AT_ONCE)
        except queue.Empty:
            self.late = True
            self.close()
            raise NotImplementedError(LATE) from None
        except OSError:
            line = b""
        if not line:
            self.close()
            raise CandidateError(f"{escaped(self.name)} ended at the request "
                                 f"{json.dumps(asked)[:200]}, expected an answer: run "
                                 "it with this line")
        said = parsed(line, f"{escaped(self.name)}: its answer")
        if "skip" in said:
            raise NotImplementedError(operation)
        if "error" in said:
            refusal = str(said["error"])
            raise Refused(refusal)
        return said["output"]

    def start(self) -> None:
        """Start the program, and a thread that reads what it prints."""
        self.process = subprocess.Popen(self.argv, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        self.lines: queue.Queue = queue.Queue()

        def read(stream, lines):
            for line in stream:
                lines.put(line)
            lines.put(b"")

        threading.Thread(target=read, args=(self.process.stdout, self.lines),
                         daemon=True).start()

    def close(self) -> None:
        """End the program."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
