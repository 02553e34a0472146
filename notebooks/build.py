"""Build the notebooks, and their solutions, from the plain text in notebooks/source.

    python notebooks/build.py            # all of them, run, with what they print
    python notebooks/build.py 03 08      # only these
    python notebooks/build.py --check    # run the solutions; nothing is written

A source is Python text in the percent format: `# %%` begins a code cell and
`# %% [markdown]` a text cell.  Three tags mean something:

    exercise    a cell that the learner completes; `...` stands where the answer goes
    solution    the cell after it, complete: it takes the exercise's place in solutions/
    varies      a cell whose printed numbers change from run to run, such as timings

Needs jupytext and nbclient: pip install "numbert[notebooks]".
"""

import argparse
import copy
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError

HERE = Path(__file__).resolve().parent
SECONDS = 240            # the longest that one cell may run, on a busy machine
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?", re.IGNORECASE)


def sources(numbers=()):
    """The source files, in order: all, or those whose two-digit numbers are given."""
    found = sorted((HERE / "source").glob("[0-9][0-9]_*.py"))
    chosen = [path for path in found if not numbers or path.name[:2] in numbers]
    missing = set(numbers) - {path.name[:2] for path in chosen}
    if missing:
        sys.exit(f"there is no notebook {', '.join(sorted(missing))}, expected one of "
                 f"{', '.join(path.name[:2] for path in found)}")
    return chosen


def made(source, solved):
    """The notebook of a source, not yet run: with exercises, or with solutions."""
    notebook = jupytext.read(source, fmt="py:percent")
    unwanted = "exercise" if solved else "solution"
    cells = [cell for cell in notebook.cells if unwanted not in tags(cell)]
    for i, cell in enumerate(cells):
        cell["id"] = f"{source.name[:2]}-{i:02}"               # the same at every build
        cell["metadata"] = {"tags": tags(cell)} if tags(cell) else {}
        if solved and cell.cell_type == "markdown":            # one folder further down
            cell.source = re.sub(r"\]\((?!https?:|#|attachment:)", "](../", cell.source)
    notebook.cells = cells
    notebook.metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def tags(cell):
    """The tags of a cell."""
    return list(cell.metadata.get("tags", ()))


def target(source, solved):
    """Where the notebook of a source lies."""
    return HERE / ("solutions" if solved else "") / f"{source.stem}.ipynb"


def run(notebook):
    """Run a notebook, all cells in order; keep what it prints, but no timings."""
    notebook = copy.deepcopy(notebook)
    # A learner works in notebooks/.  One thread each: two notebooks share two cores.
    threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    client = NotebookClient(notebook, timeout=SECONDS, kernel_name="python3",
                            extra_arguments=["--log-level=ERROR"],
                            resources={"metadata": {"path": str(HERE)}})
    try:
        with suppress(CellExecutionError):             # the cell shows what it is
            client.execute(env={**os.environ, **threads})
    except CellTimeoutError:
        sys.exit(f"{notebook.cells[0].source.splitlines()[0]}: a cell ran longer than "
                 f"{SECONDS} seconds, expected the whole to take less than two minutes")
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    return notebook


def complaints(notebook, solved):
    """What is wrong in what a notebook printed: warnings, or a wrong solution."""
    for cell in notebook.cells:
        printed = shown(cell)
        for output in cell.get("outputs", ()):
            if output.output_type == "error" or output.get("name") == "stderr":
                yield f"{cell.id} prints a warning or an error:\n{printed}"
        if solved and "solution" in tags(cell) and " is right" not in printed:
            yield f"{cell.id}, a solution, is not right:\n{printed}"


def shown(cell):
    """The text that a cell printed; a picture counts as the word [picture]."""
    pieces = []
    for output in cell.get("outputs", ()):
        data = output.get("data", {})
        pieces.append(output.get("text") or ("[picture]" if "image/png" in data else "")
                      or data.get("text/html") or data.get("text/plain", "")
                      or "\n".join(output.get("traceback", ())))
    return COLOUR.sub("", "".join(pieces))


def alike(new, old):
    """Whether two printed texts agree: the words exactly, the numbers nearly."""
    if NUMBER.sub("#", new) != NUMBER.sub("#", old):
        return False
    pairs = zip(NUMBER.findall(new), NUMBER.findall(old))
    return all(near(float(x), float(y)) for x, y in pairs)


def near(x, y):
    """Whether two printed numbers agree to 2 %, or are both no more than rounding."""
    size = max(abs(x), abs(y))
    return x == y or abs(x - y) <= 0.02 * size or size < 1e-4


def stale(new, old):
    """The cells whose code or output is not what the committed notebook has."""
    if [cell.source for cell in new.cells] != [cell.source for cell in old.cells]:
        yield "its cells are not those of the source"
        return
    for cell, kept in zip(new.cells, old.cells):
        if "varies" not in tags(cell) and not alike(shown(cell), shown(kept)):
            yield f"{cell.id} printed\n{shown(cell)}\nand has kept\n{shown(kept)}"


def checked(source):
    """Run the solutions of one source; what is wrong with them, a list of texts."""
    new, old = run(made(source, True)), nbformat.read(target(source, True), 4)
    return [*complaints(new, True), *stale(new, old)]


def build(source):
    """Write both notebooks of a source, run; return what is wrong, and write nothing
    then."""
    notebooks = {solved: run(made(source, solved)) for solved in (False, True)}
    wrong = [text for solved, notebook in notebooks.items()
             for text in complaints(notebook, solved)]
    if not wrong:
        for solved, notebook in notebooks.items():
            path = target(source, solved)
            path.parent.mkdir(exist_ok=True)
            path.write_text(nbformat.writes(notebook) + "\n", "utf-8")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("numbers", nargs="*", help="two digits each; none means all")
    parser.add_argument("--check", action="store_true",
                        help="run the solutions and compare; write nothing")
    options = parser.parse_args()
    failed = False
    with ThreadPoolExecutor(2) as pool:                        # two kernels at a time
        chosen = sources(options.numbers)
        for source, wrong in zip(chosen, pool.map(
                checked if options.check else build, chosen)):
            failed |= bool(wrong)
            done = "is right" if options.check else "is built"
            print(source.stem, *(wrong or [done]), sep="\n  " if wrong else " ",
                  flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
