"""The rooms of numbert: which may import which, and how each introduces itself."""

import ast
import re
import sys
from graphlib import CycleError, TopologicalSorter
from importlib import import_module
from pathlib import Path

import pytest

import numbert
from numbert import pipelines, tokenization
from imports import read_imports

PACKAGE = Path(numbert.__file__).parent

# The law: what the files of a room may import, in functions and for typing too.
LAW = {
    "bert": "",
    "system": "",
    "checkpoints": "",
    "models": "bert system",
    "tokenization": "system",
    "tokenization.definition": "",
    "training": "bert system",
    "backends": "bert models system",
    "verify": "backends models tokenization training bert system",
    "testing": "verify backends tasks models tokenization training checkpoints bert "
               "system",
    "tasks": "training models tokenization bert system",
    "pipelines": "models tokenization checkpoints bert system",
    "world": "anything",
    "cli": "anything",
    "__init__": "anything",
    "__main__": "anything",
    "shipped": "anything",
    "deviations": "anything",
    "plots": "models tokenization verify bert system",
}
# The little that even "anything" leaves out: who alone may import these.
ONLY_FOR = {
    "cli": ("cli", "__main__"),
    "deviations": ("cli", "__main__", "shipped"),
    "plots": ("plots", "cli", "__main__", "shipped"),
}
REQUIRED = {"numpy", "safetensors", "regex"}
OPTIONAL = {"torch", "flint", "transformers", "tokenizers", "huggingface_hub",
            "hypothesis", "pytest", "mpmath", "matplotlib", "tqdm", "onnx",
            "onnxruntime", "onnxscript", "tomllib"}     # Python 3.10 lacks the last
# Files of these rooms may import optional packages at their top.
NEED_OPTIONAL = ("backends", "testing")
LOAD, EVER = ("load",), ("load", "call", "typing")

# {full name: path} of every module; a package's name is its folder's.
MODULES = {".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
           .removesuffix(".__init__"): path for path in sorted(PACKAGE.rglob("*.py"))}
FILES = {path.relative_to(PACKAGE).as_posix(): name for name, path in MODULES.items()}


def room(module):
    """The room of a module: the longest name of LAW that it begins with."""
    inside = module.removeprefix("numbert").lstrip(".") or "__init__"
    names = [name for name in LAW if f"{inside}.".startswith(f"{name}.")]
    return max(names, key=len, default=inside.split(".")[0])


def imports(name, source=None):
    """The imports of a module, or of another source in its place."""
    path = MODULES[name]
    return read_imports(path.read_text("utf-8") if source is None else source, name,
                        is_package=path.name == "__init__.py")


def targets(found):
    """The modules that an import leads to."""
    return {name if name in MODULES else found.module for name in
            [f"{found.module}.{name}" for name in found.names] or [found.module]}


def complaints(file, source=None):
    """What is wrong with the imports of a file: one line each, or an empty list."""
    own, said = room(FILES[file]), []
    for found in imports(FILES[file], source):
        for target in sorted(targets(found)):
            wrong = (bad_room(own, target) if target.split(".")[0] == "numbert" else
                     bad_package(own, target.split(".")[0], found.when))
            if wrong:
                said.append(f"{file}:{found.line}: {wrong}")
    return said


def bad_room(own, target):
    """What is wrong with an import of numbert from this room, or None."""
    other, law = room(target), LAW.get(own, "")
    if target not in MODULES:
        return f"{own} imports {target}, which does not exist"
    if own not in ONLY_FOR.get(other, (own,)):
        return f"{own} imports {target}, which is only for {', '.join(ONLY_FOR[other])}"
    if law == "anything" or any(f"{other}.".startswith(f"{name}.")
                                for name in (own, *law.split())):
        return None
    return f"{own} imports {target}, but may import only: {law or 'nothing'}"


def bad_package(own, package, when):
    """What is wrong with an import of another package from this room, or None."""
    if package in REQUIRED or package in sys.stdlib_module_names:
        return None
    if not package:
        return None if LAW.get(own) == "anything" else \
            f"{own} imports what the source does not name: write the name out"
    if package not in OPTIONAL:
        return f"{package} is neither required nor optional"
    if when == "call" or own in NEED_OPTIONAL:
        return None
    return f"{package} is optional: import it in the function that needs it"


def imported(name, source=None, when=EVER):
    """The modules of numbert that run when this one is imported, itself left out.

    To import a.b.c runs a and a.b first.  They run already when this module lies in
    them, but a name that is taken from them has to be there by then.
    """
    above, found = set(packages(name)), set()
    for one in imports(name, source):
        for target in targets(one) if one.when in when else ():
            found |= {target} | set(packages(target)) - above
    return found & set(MODULES) - {name}


def packages(name):
    """The packages in which a module lies."""
    parts = name.split(".")
    return [".".join(parts[:i]) for i in range(1, len(parts))]


def graph(when=EVER, place=lambda name: name, **changed):
    """{module, or the place it lies in: the others that it imports}.

    when: which imports count.
    changed: sources that replace those on disk, by file name without .py.
    """
    edges = {}
    for name in MODULES:
        source = changed.get(name.split(".")[-1])
        others = edges.setdefault(place(name), set())
        others |= {place(other) for other in imported(name, source, when)}
        others.discard(place(name))
    return edges


def circle(edges):
    """One circle in a graph, as the list of its members, or None."""
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        return error.args[1]
    return None


# -------------------------------------------------------------------------- the law

def test_every_room_has_a_line_in_the_law():
    there = {room(name) for name in MODULES}
    assert there <= set(LAW)
    for law in LAW.values():
        assert law == "anything" or set(law.split()) <= set(LAW)


@pytest.mark.parametrize("file", FILES)
def test_imports_keep_the_law(file):
    assert not complaints(file)


def test_modules_import_each_other_in_no_circle():
    """Not when they are imported, and not by way of functions either."""
    assert circle(graph(LOAD)) is None
    assert circle(graph()) is None


def test_rooms_import_each_other_in_no_circle():
    assert circle(graph(place=lambda name: room(name).split(".")[0])) is None


def test_the_rooms_of_tokenization_import_each_other_in_no_circle():
    inner = graph(place=lambda name: ".".join(name.split(".")[:3]))
    assert circle({name: others for name, others in inner.items()
                   if name.startswith("numbert.tokenization.")}) is None


def test_what_needs_an_optional_package_is_imported_when_needed():
    def needs(name):
        return OPTIONAL & {found.module.split(".")[0] for found in imports(name)
                           if found.when == "load"}

    for name, others in graph(LOAD).items():
        for other in others:
            assert needs(other) <= needs(name), f"{name} imports {other}"


def test_names_that_are_loaded_later_lead_somewhere():
    for name, module in numbert.LATER.items():
        target = f"numbert.{module}"
        assert target in MODULES and bad_room("__init__", target) is None, name
        assert hasattr(import_module(target), name), name
    for name, module in tokenization.LATER.items():
        assert hasattr(import_module(f"numbert.tokenization.{module}"), name), name


@pytest.mark.parametrize("package", [numbert, tokenization])
def test_what_is_loaded_later_is_what_type_checkers_see(package):
    typed = {name: found.module.removeprefix(f"{package.__name__}.")
             for found in imports(package.__name__) if found.when == "typing"
             for name in found.names}
    assert typed == package.LATER


def test_an_auto_class_is_the_one_that_type_checkers_see():
    typed = {}
    for node in ast.walk(ast.parse(MODULES["numbert"].read_text("utf-8"))):
        if isinstance(node, ast.Assign):
            names, values = (getattr(side, "elts", [side])
                             for side in (node.targets[0], node.value))
            typed |= {ast.unparse(name): ast.unparse(value)
                      for name, value in zip(names, values)}
    assert numbert.AUTO == {name: value for name, value in typed.items()
                            if name.startswith("Auto")}
    for name, value in numbert.AUTO.items():
        assert getattr(numbert, name) is getattr(numbert, value)


def test_a_pipeline_is_made_by_the_class_of_its_task():
    for task in pipelines.TASKS:
        assert pipelines.task_class(task).task == task


# ------------------------------------------------------------- the law is enforced

BREACHES = [
    ("bert/ops.py", "from ..models import base",
     "bert imports numbert.models.base, but may import only: nothing"),
    ("models/config.py", "def f():\n    from ..training import loop",
     "models imports numbert.training.loop"),
    ("system/hub.py", "import importlib\nimportlib.import_module('numbert.bert.ops')",
     "system imports numbert.bert.ops"),
    ("training/loop.py", "import_module(f'..models.{name}', package=__package__)",
     "training imports numbert.models"),
    ("training/loop.py", "import_module('..tasks.' + name, __package__)",
     "training imports numbert.tasks"),
    ("tokenization/base.py", "import numbert.bert.ops as ops",
     "tokenization imports numbert.bert.ops"),
    ("tokenization/definition/__init__.py", "from .. import rows",
     "tokenization.definition imports numbert.tokenization.rows, but"),
    ("bert/heads.py", "if TYPE_CHECKING:\n    from numbert.models.params import Scope",
     "bert imports numbert.models.params"),
    ("pipelines/base.py", "f = lambda: __import__('numbert.tasks')",
     "pipelines imports numbert.tasks, but"),
    ("models/base.py", "from .. import BertModel", "models imports numbert, but"),
    ("models/base.py", "import numbert", "models imports numbert, but"),
    ("models/base.py", "from .nowhere import x", "which does not exist"),
    ("tasks/__init__.py", "class A:\n    from numbert.cli import main",
     "numbert.cli, which is only for cli, __main__"),
    ("world/__init__.py", "async def f():\n    from ..cli.common import size",
     "numbert.cli.common, which is only for cli, __main__"),
    ("__init__.py", "from .deviations import DEVIATIONS", "numbert.deviations, which"),
    ("verify/page.py", "from ..plots import curves",
     "numbert.plots, which is only for"),
    ("plots/flow.py", "from ..training import loop",
     "plots imports numbert.training"),
    ("bert/ops.py", "def f(x):\n    return import_module(x)", "does not name"),
    ("bert/ops.py", "list(map(__import__, names))", "does not name"),
    ("bert/ops.py", "from importlib import import_module as load", "does not name"),
    ("bert/ops.py", "exec('import numbert.models')", "does not name"),
    ("models/base.py", "try:\n    import torch\nexcept ImportError:\n    pass",
     "torch is optional"),
    ("models/base.py", "def f(x=__import__('torch')):\n    pass", "torch is optional"),
    ("models/base.py", "def f():\n    import requests", "neither required nor"),
]
FINE = [
    ("models/base.py", "def f():\n    import torch.nn"),
    ("models/base.py", "from ..bert.ops import linear"),
    ("testing/strategies/text.py", "import pytest"),
    ("cli/info.py", "import_module(name)"),
    ("cli/info.py", "from ..deviations import DEVIATIONS"),
    ("__main__.py", "from numbert import cli, deviations"),
]


def new_complaints(file, code):
    """What is wrong once this code stands at the end of a file, and was not before."""
    source = (PACKAGE / file).read_text("utf-8")
    return [line for line in complaints(file, f"{source}\n\n{code}\n")
            if line not in complaints(file)]


@pytest.mark.parametrize("file, code, says", BREACHES)
def test_a_breach_is_seen(file, code, says):
    line, = new_complaints(file, code)
    assert line.startswith(f"{file}:") and says in line


@pytest.mark.parametrize("file, code", FINE)
def test_what_is_allowed_is_not_reported(file, code):
    assert not new_complaints(file, code)


@pytest.mark.parametrize("code, when", [
    ("from .heads import classifier", "load"),
    ("from . import heads", "load"),
    ("import numbert.bert.heads", "load"),
    ("def f():\n    from .heads import classifier", "call"),
    ("def f():\n    import_module('.heads', __package__)", "call"),
    ("if TYPE_CHECKING:\n    from .heads import classifier", "typing")])
def test_a_circle_is_seen(code, when):
    """heads imports ops: here ops imports heads."""
    edges = {name: others for name, others in graph(ops=code).items()
             if name.startswith("numbert.bert.")}
    assert "numbert.bert.ops" in circle(edges)
    assert circle(graph(LOAD, ops=code)) is None or when == "load"


def test_a_circle_through_the_name_of_a_package_is_seen():
    assert circle(graph(LOAD, batch="from .. import BatchEncoding"))
    assert circle(graph(LOAD, batch="from .. import definition")) is None


# ------------------------------------------------------- how the rooms introduce them

FOLDERS = [file for file in FILES if file.endswith("/__init__.py")]


@pytest.mark.parametrize("file", FOLDERS)
def test_a_room_says_in_a_few_lines_what_it_is_for(file):
    """What it is for, in which order to read it and, last, what it may import."""
    text = ast.get_docstring(ast.parse((PACKAGE / file).read_text("utf-8"))) or ""
    lines = [line for line in text.splitlines() if line.strip()]
    law, = [i for i, line in enumerate(lines) if "This room" in line]
    assert 3 <= law + 1 <= 6 and "import" in " ".join(lines[law:law + 2])


def test_the_mathematics_can_be_read_in_the_order_that_it_names():
    import numbert.bert as bert
    named, = re.findall(r"order:\s+([\w\s,]+)\.", bert.__doc__ or "")
    # erf is one formula that NumPy lacks, and packing moves tokens without changing
    # them; a reader may take both as given.  The last two only save work.
    names = "erf", "packing", *re.split(r"[,\s]+", named), "forward_only", "once"
    order = [f"numbert.bert.{name}" for name in names]
    assert sorted(["numbert.bert", *order]) == sorted(
        name for name in MODULES if room(name) == "bert")
    edges = graph()
    for i, name in enumerate(order):
        assert edges[name] <= set(order[:i]), f"{name} needs what comes after it"
