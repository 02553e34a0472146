"""A BERT in C: a candidate that shares no line with numbert, and agrees with it."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from numbert.system.saving import write_tensors
from numbert.verify.adapters import called, from_program, program_file
from numbert.verify.cases import TABLE, make_case
from numbert.verify.results import CandidateError
from numbert.verify.run import run

SOURCE = Path(__file__).with_name("bert.c")
EPS = float(np.finfo(np.float32).eps)


def built(folder, *options):
    """The program, compiled with all warnings as errors."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    assert compiler, "no C compiler, expected gcc: apt-get install gcc"
    path = folder / "bert"
    subprocess.run([compiler, "-O2", "-Wall", "-Wextra", "-Werror", *options,
                    "-o", path, SOURCE, "-lm"], check=True)
    return str(path)


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    """The candidate in C."""
    return from_program([built(tmp_path_factory.mktemp("right"))])


@pytest.fixture(scope="module")
def tanh_bert(tmp_path_factory):
    """The same with the wrong GELU."""
    return from_program([built(tmp_path_factory.mktemp("wrong"), "-DTANH_GELU")])


def forward(case):
    """The true activations and losses."""
    return {name: x for name, x in run(case).items() if ":" not in name}


def error(got, want):
    """The RMS of the difference over that of the truth, in units of float32's eps."""
    return np.sqrt(np.mean((got - want) ** 2) / np.mean(want ** 2)) / EPS


@pytest.mark.parametrize("name", TABLE)
def test_every_step_of_every_case_is_right(bert, name):
    """Within rounding: each tensor to 8 eps of its size."""
    case = make_case(name)
    want, got = forward(case), called(bert, case)
    assert set(got) == set(want)
    for name, x in want.items():
        assert got[name].dtype == np.float32 and got[name].shape == np.shape(x), name
        assert error(got[name], x) < 8, name


@pytest.mark.parametrize("name", [name for name in TABLE if name != "next-sentence"])
def test_the_wrong_gelu_shows_first_where_it_is(tanh_bert, name):
    case = make_case(name)
    got = called(tanh_bert, case)
    wrong = [name for name, x in forward(case).items() if not error(got[name], x) < 50]
    assert wrong[0].endswith("encoder.layer.0.intermediate.out")


def test_where_the_tanh_form_is_right_it_passes(tanh_bert):
    case = make_case("next-sentence")
    got = called(tanh_bert, case)
    assert all(error(got[name], x) < 8 for name, x in forward(case).items())


def test_no_memory_is_misused(tmp_path, monkeypatch):
    """By what gcc's checkers see.  The program frees nothing before its end."""
    monkeypatch.setenv("ASAN_OPTIONS", "detect_leaks=0")
    checked = from_program([built(tmp_path, "-g", "-fsanitize=address,undefined",
                                  "-fno-sanitize-recover")], timeout=60)
    for name in ("decoder", "questions", "multi-label"):
        case = make_case(name)
        assert set(called(checked, case)) == set(forward(case))


def test_it_says_what_it_lacks(bert):
    case = make_case("model")
    params = dict(case.params)
    del params["pooler.dense.bias"]
    with pytest.raises(CandidateError, match="there is no param:pooler.dense.bias"):
        called(bert, case._replace(params=params))


def test_it_refuses_a_file_that_is_cut_short(tmp_path):
    path, made = tmp_path / "in.safetensors", tmp_path / "out.safetensors"
    tensors, metadata = program_file(make_case("model"))
    write_tensors(tensors, path, metadata)
    path.write_bytes(path.read_bytes()[:-8])
    done = subprocess.run([built(tmp_path), path, made], capture_output=True, text=True)
    assert done.returncode == 1 and "the end is missing of" in done.stderr
    assert not made.exists()
