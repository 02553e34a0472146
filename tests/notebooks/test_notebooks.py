"""The notebooks: they run, print what they kept, and read well."""

import importlib.util
import re
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("jupytext")
pytest.importorskip("nbclient")
pytest.importorskip("matplotlib")
pytest.importorskip("flint")

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "notebooks"
SPEC = importlib.util.spec_from_file_location("build", FOLDER / "build.py")
build = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(build)

SOURCES = build.sources()
CELLS, LINES = 40, 12               # at most: cells of a notebook, lines of a cell
LONGEST, MEAN = 25, 15              # words of a sentence
HEAVIEST = 1_000_000                # bytes of a notebook with its pictures
each_source = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)


def kept(source, solved=False):
    """The notebook as it was committed."""
    return nbformat.read(build.target(source, solved), 4)


def texts(source):
    """The text cells of a source."""
    return [cell.source for cell in build.made(source, False).cells
            if cell.cell_type == "markdown"]


# ------------------------------------------------------------------------- they run

@cache
def runs():
    """{source: a future of what is wrong when its solutions run}, two at a time."""
    pool = ThreadPoolExecutor(2)
    return {source: pool.submit(build.checked, source) for source in SOURCES}


@each_source
def test_it_runs_and_prints_what_it_has_kept(source):
    if "torch" in source.stem:
        pytest.importorskip("torch")
    assert not runs()[source].result()


@each_source
@pytest.mark.parametrize("solved", [False, True])
def test_both_notebooks_are_those_of_the_source(source, solved):
    fresh, old = build.made(source, solved), kept(source, solved)
    assert [(cell.cell_type, cell.source) for cell in fresh.cells] == [
        (cell.cell_type, cell.source) for cell in old.cells], "build it again"
    nbformat.validate(old)


@each_source
def test_the_learners_notebook_prints_what_the_solutions_print(source):
    """Nothing after an exercise depends on its answer."""
    mine = [cell for cell in kept(source).cells if "exercise" not in build.tags(cell)]
    theirs = [cell for cell in kept(source, True).cells
              if "solution" not in build.tags(cell)]
    assert len(mine) == len(theirs)
    for cell, other in zip(mine, theirs):
        if "varies" not in build.tags(cell):
            assert build.alike(build.shown(cell), build.shown(other)), cell.source
    open_ones = [cell for cell in kept(source).cells if "exercise" in build.tags(cell)]
    assert open_ones
    for cell in open_ones:
        assert "is still open" in build.shown(cell), cell.source


@pytest.mark.parametrize("solved", [False, True])
def test_each_notebook_has_a_source(solved):
    found = build.target(FOLDER / "x.py", solved).parent.glob("*.ipynb")
    assert set(found) == {build.target(source, solved) for source in SOURCES}


def test_what_is_stale_is_found():
    source = SOURCES[0]
    old, new = kept(source, True), kept(source, True)
    assert not [*build.stale(new, old)]
    printing = next(cell for cell in new.cells if build.shown(cell)
                    and cell.outputs[0].get("name") == "stdout")
    printing.outputs[0].text += "more\n"
    assert [*build.stale(new, old)]
    new.cells[0].source += "!"
    assert [*build.stale(new, old)]


@pytest.mark.parametrize("new, old, same", [
    ("a 1.00", "a 1.01", True), ("a 1.00", "a 1.10", False), ("a 1", "b 1", False),
    ("1.2e-16", "3.4e-16", True), ("1.2e-16", "3.4e-3", False), ("", "", True),
    ("1 2", "1", False), ("-1.8e308", "-1.8e308", True), ("-0.5", "0.5", False)])
def test_numbers_are_compared_as_numbers(new, old, same):
    assert build.alike(new, old) is same


# ------------------------------------------------------------------- they read well

@each_source
def test_its_size(source):
    notebook = build.made(source, False)
    assert len(notebook.cells) <= CELLS
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert len(cell.source.splitlines()) <= LINES, cell.source
            assert max(map(len, cell.source.splitlines())) <= 88, cell.source
    assert build.target(source, False).stat().st_size <= HEAVIEST


def sentences(text):
    """The sentences of a text cell; formulas, code and addresses count as one word."""
    text = re.sub(r"```.*?```|\$\$.*?\$\$", "", text, flags=re.S)
    text = re.sub(r"\$[^$]*\$|`[^`]*`", "X", text)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    # A heading, an item of a list and a row of a table end a sentence, too.
    text = re.sub(r"^(#+ .*)$", r"\1.", text, flags=re.M)
    text = re.sub(r"\n\s*\n|\n(?=\s*(?:[*#|-]|\d+\.))", ".\n", text)
    pieces = re.split(r"[.!?:;]+[\"*)]*(?=\s|$)", re.sub(r"\|", ". ", text))
    return [words for piece in pieces
            if len(words := re.findall(r"[^\s*#>|-][^\s|]*", piece)) > 2]


@each_source
def test_its_sentences_are_short(source):
    found = [words for text in texts(source) for words in sentences(text)]
    longest = max(found, key=len)
    assert len(longest) <= LONGEST, " ".join(longest)
    assert sum(map(len, found)) / len(found) <= MEAN


def test_sentences_are_counted():
    assert [len(words) for words in sentences(
        "# A title of five words\nOne two three. `a b c` is $x + y$, no more!\n"
        "* an item of five words\n\nThe end has come")] == [5, 3, 5, 5, 4]


@each_source
@pytest.mark.parametrize("solved", [False, True])
def test_its_links_lead_somewhere(source, solved):
    for cell in kept(source, solved).cells:
        for address in re.findall(r"\]\(([^)]+)\)", cell.source):
            if cell.cell_type == "markdown" and not re.match(r"https?:|#", address):
                path, _, _ = address.partition("#")
                assert (build.target(source, solved).parent / path).exists(), address


@each_source
def test_the_names_it_mentions_exist(source):
    """`numbert.bert.ops.softmax` in a text is something that can be imported."""
    for text in texts(source):
        for name in re.findall(r"`(numbert(?:\.\w+)+)", text):
            assert resolved(name), name


def resolved(name):
    """Whether a dotted name leads to a module or to something in one."""
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            value = import_module(".".join(parts[:cut]))
        except ImportError:
            continue
        for attribute in parts[cut:]:
            if not hasattr(value, attribute):
                return False
            value = getattr(value, attribute)
        return True
    return False


@each_source
def test_it_has_exercises_with_solutions(source):
    notebook = build.jupytext.read(source, fmt="py:percent")
    marked = [(tag, cell) for cell in notebook.cells for tag in build.tags(cell)
              if tag in ("exercise", "solution")]
    assert [tag for tag, _ in marked] == ["exercise", "solution"] * (len(marked) // 2)
    checked = [re.search(r'check\("([\d.]+)"', cell.source)[1] for _, cell in marked]
    assert checked[::2] == checked[1::2]
    from numbert.testing.lessons import exercises
    assert sorted(checked[::2]) == sorted(exercises(source.name[:2]))


def test_the_list_of_notebooks_is_complete():
    page = (FOLDER / "README.md").read_text("utf-8")
    listed = re.findall(r"\]\((\d\d_\w+\.ipynb)\)", page)
    assert sorted(set(listed)) == [f"{source.stem}.ipynb" for source in SOURCES]
    for address in re.findall(r"\]\(([^)#]+)\)", page):
        assert address.startswith("http") or (FOLDER / address).exists(), address
