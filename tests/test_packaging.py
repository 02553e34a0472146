"""The package as such: light to import, one way, complete, and its README true."""

import configparser
import importlib.metadata
import re
import resource
import shlex
import subprocess
import sys
from pathlib import Path

import numbert
from numbert import cli
from minilm import minilm_dir

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "numbert"
OPTIONAL = {"torch", "transformers", "tokenizers", "hypothesis", "matplotlib",
            "huggingface_hub", "tqdm", "mpmath", "pytest", "scipy", "flint"}
LOADED = """
    bert bert.attention bert.blocks bert.embeddings bert.encoder bert.erf bert.heads
    bert.losses bert.ops
    models models.base models.cache models.classes models.config models.inputs
    models.outputs models.params models.targets models.trace
    system system.checkpoint system.saving"""


def run(code):
    """Standard output of a fresh interpreter."""
    return subprocess.run([sys.executable, "-c", code], check=True, text=True,
                          capture_output=True).stdout


# ---------------------------------------------------------------- light to import

def test_import_is_light():
    loaded = set(run("import sys, numbert; print(*sys.modules)").split())
    assert "numbert.models" in loaded
    assert not loaded & OPTIONAL


def test_import_loads_no_more_than_it_needs():
    """The modules of numbert that `import numbert` loads: each has to be worth it."""
    loaded = run("import sys, numbert; print(*sys.modules)").split()
    assert {name for name in loaded if name.startswith("numbert.")} == {
        f"numbert.{name}" for name in LOADED.split()}


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
