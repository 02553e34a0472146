"""The package as such: light to import, and whole where it is installed."""

import configparser
import fnmatch
import importlib.metadata
import re
import shutil
import subprocess
import sys
import tarfile
from importlib.util import find_spec
from pathlib import Path

import pytest

import numbert

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "numbert"
OPTIONAL = {"torch", "transformers", "tokenizers", "hypothesis", "matplotlib",
            "huggingface_hub", "tqdm", "mpmath", "pytest", "scipy", "flint", "onnx",
            "onnxruntime", "tomllib"}
# What `import numbert` loads: none of it needs NumPy.
IMPORTED = "models models.others"
# What the command loads besides, before it knows which command it is.
COMMAND = "cli cli.common system system.ranks system.terminal"
# Parts of numbert that one sentence embedding has no use for.
OF_OTHERS = """
    backends deviations models.beams models.encoder_decoder models.generation
    models.sampling models.steps models.taps pipelines.features pipelines.fill_mask
    pipelines.text_generation plots tasks testing tokenization.learn tokenization.legacy
    tokenization.view training verify world"""


def run(code, *words):
    """Standard output of a fresh interpreter."""
    return subprocess.run([sys.executable, "-c", code, *words], check=True, text=True,
                          capture_output=True).stdout


def loaded_by(*words):
    """The modules that a process has loaded at the end of a command."""
    said = run("import sys\nfrom numbert.cli import main\n"
               "try:\n    main()\nexcept SystemExit:\n    pass\n"
               "print(*sys.modules)", *words)
    return {*said.splitlines()[-1].split()}


def of_numbert(modules):
    """Those of them that are numbert's, without that word."""
    return {name.removeprefix("numbert.") for name in modules
            if name.startswith("numbert.")}


# ---------------------------------------------------------------- light to import

def test_import_is_light():
    """It leaves the classes, and NumPy, to the first use of a name."""
    loaded = {*run("import sys, numbert; print(*sys.modules)").split()}
    assert of_numbert(loaded) == {*IMPORTED.split()}
    assert not loaded & {*OPTIONAL, "numpy"}


def test_a_model_needs_no_optional_package():
    loaded = {*run("import sys, numbert; numbert.BertModel, numbert.BertTokenizer\n"
                   "print(*sys.modules)").split()}
    assert {"models.classes", "tokenization.tokenizer"} <= of_numbert(loaded)
    assert not loaded & OPTIONAL


@pytest.mark.parametrize("words", [["--help"], ["--version"]])
def test_help_is_light(words):
    """It imports the file of no command."""
    loaded = loaded_by(*words)
    assert of_numbert(loaded) == {*IMPORTED.split(), *COMMAND.split()}
    assert not loaded & {*OPTIONAL, "numpy", "json", "importlib.metadata"}


def test_an_embedding_loads_no_more_than_it_needs():
    loaded = loaded_by("embed", "Anna lives in Oslo.")
    ours = of_numbert(loaded)
    assert {"pipelines.sentences", "models.classes", "tokenization.tokenizer",
            "system.checkpoint"} <= ours
    assert not {name for name in ours for other in OF_OTHERS.split()
                if f"{name}.".startswith(f"{other}.")}
    assert {name for name in ours if name.startswith("cli.")} == {
        "cli.common", "cli.embed"}
    assert not loaded & {*OPTIONAL, "numpy.random", "tempfile", "subprocess",
                         "concurrent.futures", "multiprocessing", "importlib.metadata"}


def test_tokenizing_loads_no_model():
    ours = of_numbert(loaded_by("tokenize", "Anna lives in Oslo."))
    assert "tokenization.tokenizer" in ours
    assert not {name for name in ours if name.startswith(("bert", "pipelines"))}
    assert not {name for name in ours if name.startswith("models.")} - {"models.others"}


def test_what_is_too_much_has_a_name():
    """A misspelt name would never be found among what is loaded."""
    for name in [*OF_OTHERS.split(), *IMPORTED.split(), *COMMAND.split()]:
        assert find_spec(f"numbert.{name}"), name


def test_the_parsers_need_no_optional_package():
    loaded = {*run("import sys\nfrom numbert.cli import parser\nparser()\n"
                   "print(*sys.modules)").split()}
    assert "cli.bench_sdpa" in of_numbert(loaded)
    assert not loaded & OPTIONAL


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


def test_a_star_imports_all_that_needs_no_optional_package():
    run(f"import sys; sys.modules |= dict.fromkeys({sorted(OPTIONAL)})\n"
        "import numbert\nfrom numbert import *\n"
        "assert {*numbert.LATER, *numbert.AUTO} - {'exact'} <= {*globals()}")


def test_every_public_name_is_there():
    for name in dir(numbert):
        assert getattr(numbert, name) is not None or name.startswith("__"), name
