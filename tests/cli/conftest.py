"""What the tests of the command share."""

import pytest

import cli_cases
from numbert.cli import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A small checkpoint of a whole model, head included, with its tokenizer."""
    return cli_cases.saved(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="module")
def parts(folder):
    """The model in float64, and the tokenizer."""
    return cli_cases.loaded(folder)


@pytest.fixture
def numbert_main(capsys):
    """Runs the command in this process: (exit code, stdout, stderr)."""
    def run(*args):
        try:
            code = main([str(arg) for arg in args])
        except SystemExit as end:                        # argparse's own way out
            code = end.code
        return (code, *capsys.readouterr())
    return run
