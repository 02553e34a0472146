"""The package as such: light to import, and whole where it is installed."""

import configparser
import fnmatch
import importlib.metadata
import re
import resource
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import numbert

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "numbert"
OPTIONAL = {"torch", "transformers", "tokenizers", "hypothesis", "matplotlib",
            "huggingface_hub", "tqdm", "mpmath", "pytest", "scipy", "flint", "onnx",
            "onnxruntime", "tomllib"}
LOADED = """
    bert bert.activations bert.attention bert.blocks bert.embeddings bert.encoder
    bert.erf bert.heads bert.losses bert.ops bert.packing bert.scope
    models models.backend models.base models.cache models.classes models.config
    models.inputs models.outputs models.params models.shards models.targets
    models.tensors models.trace models.weights
    system system.checkpoint system.jsonfiles system.numbers system.parallel
    system.saving"""


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


def seconds(code):
    """Processor time of a fresh interpreter, the best of several runs."""
    def once():
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run(code)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return min(once() for _ in range(5))


def test_import_is_quick():
    """At most twice the time of NumPy alone: seconds depend on the machine's load."""
    assert seconds("import numbert") < 2 * seconds("import numpy")


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


def project_files():
    """The files that git tracks; in an unpacked archive, those that no tool made."""
    found = []
    if (ROOT / ".git").exists():
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True,
                                capture_output=True).stdout.decode()
        found = [name for name in listed.split("\0") if name]
    else:
        ignored = (ROOT / ".gitignore").read_text().splitlines()
        folders = [line.rstrip("/") for line in ignored if line.endswith("/")]
        made = re.compile("|".join(map(fnmatch.translate, folders)))
        found = [str(name) for path in ROOT.rglob("*") if path.is_file()
                 for name in [path.relative_to(ROOT)]
                 if str(name) not in ("PKG-INFO", "demo.png")
                 and not any(map(made.match, name.parts[:-1]))]
    return [name for name in found if (ROOT / name).is_file()]


def test_the_source_archive_is_whole(tmp_path):
    """It holds what git tracks and metadata.  Nothing is downloaded for it."""
    files, copy = project_files(), tmp_path / "copy"
    made = ("tests/__pycache__/common.pyc", "numbert/bert/__pycache__/ops.pyc",
            "tests/.hypothesis/x", "tests/bert/.pytest_cache/x", "tests/.DS_Store",
            ".venv/bin/x", ".mypy_cache/x", "build/lib/numbert/x.py", "demo.png")
    for name in [*files, *made]:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        if name in made:
            (copy / name).touch()
        else:
            shutil.copy(ROOT / name, copy / name)
    subprocess.run([sys.executable, "-c", "from setuptools import build_meta\n"
                    "build_meta.build_sdist('..')"], cwd=copy, check=True,
                   capture_output=True)
    archive, = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        inside = {member.name.split("/", 1)[1]: member.mode for member in tar
                  if member.isfile()}
    metadata = {name for name in inside
                if name == "PKG-INFO" or name.startswith("numbert.egg-info/")}
    assert set(inside) - metadata == set(files)
    assert inside[".ci/run"] & 0o111


def test_every_folder_is_a_package():
    folders = {path.parent for path in PACKAGE.rglob("*.py")}
    assert not [folder for folder in folders if not (folder / "__init__.py").is_file()]


def test_licence_ships():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert setup["metadata"]["license_files"] == "LICENSE"
    assert "Apache License" in (ROOT / "LICENSE").read_text()


# ---------------------------------------------------------------------- what works

def test_the_command_works_without_the_module_resource():
    """Windows has none."""
    run("import sys; sys.modules['resource'] = None\n"
        "from numbert.cli import parser; parser().parse_args(['info'])")


def test_every_public_name_is_there():
    for name in dir(numbert):
        assert getattr(numbert, name) is not None or name.startswith("__"), name
