"""The package as such: light to import, one way, complete, and its README true."""

import ast
import configparser
import importlib.metadata
import re
import resource
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import numbert
from numbert import cli
from minilm import minilm_dir

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "numbert"
OPTIONAL = {"torch", "transformers", "tokenizers", "hypothesis", "matplotlib",
            "huggingface_hub", "tqdm", "mpmath", "pytest", "scipy"}
RUNTIME = {"numpy", "safetensors", "regex"}
# Only these may import optional packages at their top: they are of no use without.
NEEDS_OPTIONAL = ("torch_ops", "testing.")

# Bottom to top: a module of one group may import its own group and those before it.
GROUPS = (
    ("erf", "ops", "losses"),
    ("config", "params", "cache", "trace", "outputs", "saving", "checkpoint", "hub",
     "progress", "packing", "parallel"),
    ("blocks", "embeddings", "attention", "encoder", "heads", "inputs", "targets"),
    ("base", "models"),
)
TOKENIZER_MAY_IMPORT = {"system"}


def modules():
    """{dotted name inside the package: path}; a package's name is its folder's."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(path, name, everywhere):
    """What a module imports: (absolute names, names inside the package).

    everywhere: also inside functions; else only what runs when it is imported.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inner = set() if everywhere else {
        node for function in ast.walk(tree)
        if isinstance(function, (ast.FunctionDef, ast.Lambda)) or typing_only(function)
        for node in ast.walk(function)}
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    package = [part for part in package if part]
    outside, inside = set(), set()
    for node in ast.walk(tree):
        if node in inner:
            continue
        if isinstance(node, ast.Import):
            outside |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            outside.add(node.module)
        elif isinstance(node, ast.ImportFrom):
            base = package[:len(package) - node.level + 1]
            base += node.module.split(".") if node.module else []
            dotted = ".".join(base)
            inside |= {f"{dotted}.{alias.name}".strip(".") for alias in node.names} | \
                ({dotted} if dotted else set())
    inside |= {n.removeprefix("numbert.") for n in outside if n.startswith("numbert.")}
    return {n.split(".")[0] for n in outside}, inside & set(modules()) - {name, ""}


def typing_only(node):
    """Whether a node is `if TYPE_CHECKING:`."""
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def run(code):
    """Standard output of a fresh interpreter."""
    return subprocess.run([sys.executable, "-c", code], check=True, text=True,
                          capture_output=True).stdout


# ------------------------------------------------------------------------- imports

def test_import_is_light():
    loaded = set(run("import sys, numbert; print(*sys.modules)").split())
    assert "numbert.models" in loaded
    assert not loaded & OPTIONAL


def test_import_is_quick():
    """Under 0.25 s with the interpreter's own start.

    Processor time, the best of several: that is what a quiet machine's clock shows.
    """
    times = []
    while len(times) < 10:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run("import numbert")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append((after.ru_utime - before.ru_utime)
                     + (after.ru_stime - before.ru_stime))
        if times[-1] < 0.25:
            return
    assert min(times) < 0.25


def test_help_is_light():
    loaded = run("import sys\nfrom numbert.cli import parser\nparser()\n"
                 "print(*sys.modules)").split()
    assert "numbert.cli" in loaded
    assert not set(loaded) & OPTIONAL


@pytest.mark.parametrize("name", modules())
def test_top_level_imports_are_required_packages(name):
    outside, _ = imports(modules()[name], name, everywhere=False)
    foreign = outside - RUNTIME - set(sys.stdlib_module_names) - {"numbert"}
    if name.startswith(NEEDS_OPTIONAL):
        foreign -= OPTIONAL
    assert not foreign


def test_import_direction():
    rank = {name: i for i, group in enumerate(GROUPS) for name in group}
    for name, path in modules().items():
        _, inside = imports(path, name, everywhere=False)
        for other in inside:
            if name in rank:
                assert rank.get(other, len(GROUPS)) <= rank[name], \
                    f"{name} imports {other}, which stands above it"
            if name.split(".")[0] == "tokenization":
                assert other.split(".")[0] in TOKENIZER_MAY_IMPORT | {"tokenization"}, \
                    f"{name} imports {other}: the tokenizer stands by itself"
            if other == "cli" or other.startswith("cli."):
                assert name in ("__main__", "demo") or name.startswith("cli"), \
                    f"{name} imports {other}: only the command imports the command"


def test_imports_have_no_cycle():
    graph = {name: imports(path, name, everywhere=False)[1]
             for name, path in modules().items()}
    graph = {name: {o for o in others if not name.startswith(o + ".")}
             for name, others in graph.items()}       # a module and its own package
    while graph:
        free = {name for name, others in graph.items() if not others & set(graph)}
        assert free, f"a cycle among {sorted(graph)}"
        for name in free:
            del graph[name]


def test_direction_check_sees_a_wrong_import(tmp_path):
    wrong = tmp_path / "ops.py"
    wrong.write_text("import torch.nn\nfrom . import models\n"
                     "from .cli.common import size\n"
                     "def f():\n    import matplotlib\n    from .base import x\n")
    assert imports(wrong, "ops", False) == ({"torch"}, {"models", "cli.common"})
    assert imports(wrong, "ops", True)[0] == {"torch", "matplotlib"}


# ---------------------------------------------------------------------- what ships

def test_version_is_one():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert setup["metadata"]["version"] == "attr: numbert.__version__"
    assert importlib.metadata.version("numbert") == numbert.__version__


def test_console_command():
    (entry,) = importlib.metadata.entry_points(group="console_scripts", name="numbert")
    assert callable(entry.load())


def test_data_files_ship():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    shipped = set()
    for package, globs in setup["options.package_data"].items():
        folder = ROOT / package.replace(".", "/")
        for pattern in re.split(r"[,\s]+", globs.strip()):
            shipped |= {path for path in folder.glob(pattern) if path.is_file()}
    present = {path for path in PACKAGE.rglob("*") if path.is_file()
               and path.suffix not in (".py", ".pyc") and not path.name.startswith(".")}
    assert PACKAGE / "py.typed" in shipped
    assert present - shipped == set()


def test_every_folder_is_a_package():
    folders = {path.parent for path in PACKAGE.rglob("*.py")}
    assert not [folder for folder in folders if not (folder / "__init__.py").is_file()]


def test_licence_ships():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert setup["metadata"]["license_files"] == "LICENSE"
    assert "Apache License" in (ROOT / "LICENSE").read_text()


# ---------------------------------------------------------------- README, Makefile

def test_readme_names_targets_that_exist():
    targets = set(re.findall(r"^([a-z]+):.*##", (ROOT / "Makefile").read_text(), re.M))
    assert {"help", "setup", "demo", "test", "lint", "golden", "notebooks",
            "clean"} == targets
    named = set(re.findall(r"make ([a-z]+)`", (ROOT / "README.md").read_text()))
    assert {"demo", "test"} <= named <= targets


def test_readme_names_files_that_exist():
    names = re.findall(r"`(numbert/[\w/.]+)`", (ROOT / "README.md").read_text())
    assert names
    for name in names:
        assert (ROOT / name).exists(), name


def test_readme_and_help_show_commands_that_parse():
    top = cli.parser()
    texts = [(ROOT / "README.md").read_text()]
    for action in top._actions:
        if isinstance(action.choices, dict):
            texts += [command.epilog or "" for command in action.choices.values()]
    lines = [re.split(" [<>|] ", line)[0] for text in texts for line in
             re.findall(r"^ +numbert ([a-z].*)", text.replace("\\\n", " "), re.M)
             if "ner | " not in line and "--help" not in line]
    assert len(lines) > 30
    for line in lines:
        assert top.parse_args(shlex.split(line)).run, line


def test_the_command_works_without_the_module_resource():
    """Windows has none."""
    run("import sys; sys.modules['resource'] = None\n"
        "from numbert.cli import parser; parser().parse_args(['info'])")


def test_readme_example_runs(monkeypatch):
    folder = minilm_dir()
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert blocks
    monkeypatch.chdir(ROOT)
    space: dict = {}
    for block in blocks:
        exec(compile(block.replace("path/to/MiniLM", str(folder)), "README.md", "exec"),
             space)
    assert space["hidden"].shape[-1] == 384
    assert space["grads"].keys() >= space["model"].params.keys()


def test_every_public_name_is_there():
    import numbert
    for name in dir(numbert):
        assert getattr(numbert, name) is not None or name.startswith("__"), name
