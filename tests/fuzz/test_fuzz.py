"""A small run of the harness, and the harness itself."""

import random
import sys
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

import fuzzing
import mutations


@pytest.fixture(scope="module", name="counts")
def fixture_counts():
    return fuzzing.run(450, seed="test")


def test_mutated_files_load_or_are_refused(counts):
    """No traceback, no endless loop, no flood of memory."""
    assert not [row for row in counts[1] if row[2] in ("traceback", "hang", "memory")]


def test_every_kind_of_file_was_tried(counts):
    found, _ = counts
    assert len(found) >= 30 and sum(map(sum, map(dict.values, found.values()))) == 450
    assert sum(row["named"] for row in found.values()) > 150
    assert sum(row["equal"] + row["other"] for row in found.values()) > 100
    assert all(what in fuzzing.OUTCOMES for row in found.values() for what in row)
    assert fuzzing.table(found).splitlines()[-1].startswith("all ")


# ---------------------------------------------------------------------- itself

def raises(error):
    def load(folder):
        raise error
    return load


@pytest.mark.parametrize("load, expected", [
    (lambda folder: 1, "equal"), (lambda folder: 2, "other"),
    (raises(ValueError("x/a.json is 1, expected 2: try")), "named"),
    (raises(OSError("x/a.json is 1, expected 2: try")), "named"),
    (raises(ValueError("it is 1, expected 2: try")), "unnamed"),
    (raises(TypeError("it is 1, expected 2: try")), "unnamed"),
    (raises(TypeError("x/a.json is 1, expected 2: try")), "named"),
    (raises(TypeError("x/a.json")), "traceback"), (raises(KeyError("a")), "traceback"),
    (raises(RecursionError()), "traceback"), (raises(MemoryError()), "memory")])
def test_outcomes(load, expected):
    import targets
    assert fuzzing.outcome(load, Path("/x"), Path("/x/a.json"), targets.digest(1)
                           )[0] == expected


@pytest.mark.parametrize("code, expected", [
    ("import time; time.sleep(60)", "hang"), ("import sys; sys.exit(1)", "memory")])
def test_a_worker_that_hangs_or_dies(code, expected, monkeypatch, tmp_path):
    monkeypatch.setattr(fuzzing, "SECONDS", 0.2 if expected == "hang" else 20)
    worker = fuzzing.Worker()
    worker.root = tmp_path / "made"
    worker.process = Popen([sys.executable, "-c", code], text=True, bufsize=1,
                           stdin=PIPE, stdout=PIPE)
    assert worker.ask("a", "0")[0] == expected
    assert worker.process is None


def test_a_seed_repeats_its_mutation():
    data = b'{"a": [1, {"b": "c"}], "d": null}'
    made = [mutations.mutate(random.Random(i), "a.json", data) for i in range(200)]
    again = [mutations.mutate(random.Random(i), "a.json", data) for i in range(200)]
    assert made == again and len(set(made)) > 120
