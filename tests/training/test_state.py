"""Checkpoints of a run that were damaged or edited are refused, old ones are read."""

import itertools
import json
import os
import shutil

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from numbert.training import state as training_state
from training_cases import digest, examples, fresh, run

FLIPS = int(os.environ.get("NUMBERT_TEST_FLIPS", 60))
MUTATIONS = int(os.environ.get("NUMBERT_TEST_MUTATIONS", 80))
OPTIONS = {"dataset": examples(32), "checkpoint_every": 1}


class Stop(Exception):
    """Ends a run."""


def stop(count=6):
    """An evaluation that ends the run when it is called this often."""
    calls = []

    def evaluate(model):
        calls.append(1)
        if len(calls) == count:
            raise Stop
        return {"accuracy": 1 / len(calls), "loss": 0.0}
    return evaluate


def go_on(folder, **changes):
    """Train on from the checkpoint in a folder; the last evaluation is the best."""
    scores = itertools.count(2)
    return run(checkpoint_dir=folder, **{**OPTIONS, **changes},
               evaluate=lambda model: {"accuracy": next(scores)})


@pytest.fixture(scope="module")
def halfway(tmp_path_factory):
    """A folder with the checkpoint of step 17 of 20, and the result of going on."""
    folder = tmp_path_factory.mktemp("halfway")
    with pytest.raises(Stop):
        run(checkpoint_dir=folder, evaluate=stop(), **OPTIONS)
    copy = shutil.copytree(folder, folder.with_name("whole"))
    return folder, go_on(copy)


def read(folder):
    """The state, the tensors and the metadata of a checkpoint."""
    with safe_open(folder / training_state.FILE, "numpy") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}
    return json.loads(metadata["state"]), tensors, metadata


def write(folder, values, tensors, checksum=None):
    """Write a checkpoint, by default with the checksum that fits it."""
    text = json.dumps(values)
    groups = {group: {} for group in training_state.GROUPS}
    for name, x in tensors.items():
        group, name = name.split("/", 1)
        groups.setdefault(group, {})[name] = x
    checksum = checksum or training_state.checksum_of(groups, text)
    save_file(tensors, folder / training_state.FILE,
              {"state": text, "sha256": checksum})


def edited(halfway, tmp_path, change, checksum=None):
    """A folder with the checkpoint after a change of its state and tensors."""
    values, tensors, _ = read(halfway[0])
    change(values, tensors)
    write(tmp_path, values, tensors, checksum)
    return tmp_path


# ---------------------------------------------------------------- what is not damaged

def test_a_checkpoint_written_by_others_in_the_same_way_goes_on(halfway, tmp_path):
    model, result = go_on(edited(halfway, tmp_path, lambda values, tensors: None))
    assert digest(model.params) == digest(halfway[1][0].params)
    assert result.best_step == halfway[1][1].best_step == 20


def test_the_first_checkpoints_go_on_with_the_same_bits(halfway, tmp_path):
    """They had one count of updates, no checksum, and none of the younger settings."""
    values, tensors, _ = read(halfway[0])
    values["updates"] = 17
    for name in ("betas", "eps", "frozen"):
        del values["settings"][name]
    save_file(tensors, tmp_path / training_state.FILE, {"state": json.dumps(values)})
    model, _ = go_on(tmp_path)
    assert digest(model.params) == digest(halfway[1][0].params)
    assert read(tmp_path)[0]["updates"] == dict.fromkeys(model.params, 20)


def test_the_first_checkpoints_know_the_defaults_alone(halfway, tmp_path):
    values, tensors, _ = read(halfway[0])
    values["updates"] = 17
    del values["settings"]["frozen"]
    save_file(tensors, tmp_path / training_state.FILE, {"state": json.dumps(values)})
    with pytest.raises(ValueError, match=r"frozen was \[\], is now \['bert.\*'\]"):
        go_on(tmp_path, frozen=["bert.*"])


def test_each_parameter_goes_on_from_its_own_step(halfway, tmp_path):
    """A bias with 3 updates moves otherwise than one with 17."""
    def change(values, tensors):
        values["updates"]["classifier.bias"] = 3

    model, _ = go_on(edited(halfway, tmp_path, change))
    assert digest(model.params) != digest(halfway[1][0].params)
    counts = read(tmp_path)[0]["updates"]
    assert counts.pop("classifier.bias") == 6 and set(counts.values()) == {20}


# -------------------------------------------------------------------- flipped bytes

def test_no_flipped_bit_goes_unseen(halfway, tmp_path):
    raw = (halfway[0] / training_state.FILE).read_bytes()
    rng, path = np.random.default_rng(0), tmp_path / training_state.FILE
    header = 8 + int.from_bytes(raw[:8], "little")
    places = [*rng.integers(header, size=FLIPS // 2),
              *rng.integers(header, len(raw), size=FLIPS // 2)]
    for place in map(int, places):
        damaged = bytearray(raw)
        damaged[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=training_state.FILE):
            go_on(tmp_path)
        assert path.read_bytes() == damaged


def test_a_flipped_bit_of_a_weight_is_named(halfway, tmp_path):
    raw = bytearray((halfway[0] / training_state.FILE).read_bytes())
    raw[-1] ^= 1
    (tmp_path / training_state.FILE).write_bytes(raw)
    with pytest.raises(ValueError, match="training.safetensors holds other bytes than "
                                         "were written, expected the checksum .*: "
                                         "remove it, or start anew"):
        go_on(tmp_path)


def test_a_checksum_that_is_gone_or_wrong(halfway, tmp_path):
    values, tensors, _ = read(halfway[0])
    save_file(tensors, tmp_path / training_state.FILE, {"state": json.dumps(values)})
    with pytest.raises(ValueError, match="holds other bytes than were written"):
        go_on(tmp_path)
    with pytest.raises(ValueError, match="expected the checksum 0000"):
        go_on(edited(halfway, tmp_path, lambda *_: None, "0" * 64))


# -------------------------------------------------------------------- edited fields

HISTORY = [{"step": 2, "epoch": 0.5, "loss": 0.1}]


@pytest.mark.parametrize("field, value", [
    ("step", 21), ("step", 10**30), ("step", -1), ("step", "17"), ("step", 17.0),
    ("step", True), ("step", None), ("step", [17]), ("step", 20),
    ("stopped", "finished"), ("stopped", "x"), ("stopped", 0), ("stopped", []),
    ("updates", -1), ("updates", 18), ("updates", "17"), ("updates", None),
    ("updates", []), ("updates", {"classifier.bias": 18}), ("updates", {}),
    ("updates", {"x": 17}), ("worse", -1), ("worse", None), ("worse", 1e3),
    ("losses", None), ("losses", {}), ("losses", ["1"]), ("losses", [float("nan")]),
    ("losses", [0.1] * 18), ("history", None), ("history", {}), ("history", [1]),
    ("history", [{}]), ("history", [{"step": 1}]), ("history", [{"epoch": 1}]),
    ("history", [{**HISTORY[0], "step": 18}]), ("history", [{**HISTORY[0], "a": "b"}]),
    ("history", [{**HISTORY[0], "lr": None}]), ("best_step", 0), ("best_step", 18),
    ("best_step", "3"), ("best", {}), ("best", []), ("best", {"accuracy": "1"}),
    ("best", None), ("rng", None), ("rng", {}), ("rng", {"bit_generator": "MT19937"}),
    ("settings", None), ("settings", []), ("settings", {"steps": "20"})])
def test_a_field_that_does_not_fit_is_named(field, value, halfway, tmp_path):
    folder = edited(halfway, tmp_path, lambda values, _: values.update({field: value}))
    shown = "best" if (field, value) == ("best_step", None) else field
    if (field, value) == ("step", 20):
        shown = "stopped"
    with pytest.raises(ValueError, match=rf"training.safetensors: {shown} is .*"
                                         "expected .*: remove it, or start anew"):
        go_on(folder)


@pytest.mark.parametrize("field", [
    *training_state.PLAIN, "settings", "updates", "rng"])
def test_a_field_that_is_missing_is_named(field, halfway, tmp_path):
    folder = edited(halfway, tmp_path, lambda values, _: values.pop(field))
    with pytest.raises(ValueError, match=f"training.safetensors lacks the field {field}"
                                         ", expected the state .*: remove it, or"):
        go_on(folder)


VALUES = [None, True, False, -1, 0, 1, 2, 18, 20, 21, 10**30, 0.5, 1e308, float("nan"),
          float("inf"), "17", "", "finished", [], {}, [1], [[]], {"a": 1}, {"step": 1}]


def places(value, path=()):
    """The path to each entry of nested lists and dicts."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) \
        if isinstance(value, list) else ()
    for key, inside in entries:
        yield (*path, key)
        yield from places(inside, (*path, key))


def mutate(values, path, rng):
    """Replace, remove or add an entry, or put it into a list; return what was done."""
    *above, key = path
    for step in above:
        values = values[step]
    kind, value = rng.integers(4), VALUES[rng.integers(len(VALUES))]
    if kind == 0:
        values.pop(key)
    elif kind == 1 and isinstance(values, list):
        values.insert(key, value)
    elif kind == 1:
        values[f"{key}x"] = value
    else:
        values[key] = value if kind == 2 else [values[key]]
    return kind, path, value


def test_every_mutation_of_the_state_is_refused_by_name_or_harmless(halfway, tmp_path):
    """With a checksum that fits, as if somebody had edited the file by a program."""
    refused, rng = 0, np.random.default_rng(5)
    for _ in range(MUTATIONS):
        values, tensors, _ = read(halfway[0])
        paths = list(places(values))
        top = rng.integers(len(values))         # else most are counts of parameters
        paths = [path for path in paths if path[0] == list(values)[top]]
        done = [mutate(values, paths[rng.integers(len(paths))], rng)]
        write(tmp_path, values, tensors)
        try:
            model, result = go_on(tmp_path)
        except ValueError as error:
            refused += 1
            assert training_state.FILE in str(error), (done, error)
            assert "expected" in str(error), (done, error)
        else:
            assert result.steps == 20 and result.stopped == "finished", done
            assert all(np.isfinite(x).all() for x in model.params.values()), done
    assert MUTATIONS / 4 < refused < MUTATIONS  # else they are too weak, or too strong


@pytest.mark.parametrize("change", [
    lambda s: s["state"].update(state=-1), lambda s: s["state"].update(state=2**200),
    lambda s: s["state"].update(inc="1"), lambda s: s.update(state=1),
    lambda s: s.update(has_uint32=7), lambda s: s.update(uinteger=-1),
    lambda s: s.update(uinteger=None), lambda s: s.pop("has_uint32")])
def test_a_generator_that_does_not_fit_is_refused(change, halfway, tmp_path):
    folder = edited(halfway, tmp_path, lambda values, _: change(values["rng"]))
    with pytest.raises(ValueError, match="training.safetensors: rng is .*, expected the"
                                         " state of a PCG64 generator: remove it"):
        go_on(folder)


@pytest.mark.parametrize("change, message", [
    (lambda t: t.pop("m/classifier.bias"), "m/classifier.bias is absent, expected fl"),
    (lambda t: t.update({"v/classifier.bias": np.zeros(3)}),
     r"v/classifier.bias is float64 \(3,\), expected float64 \(2,\)"),
    (lambda t: t.update({"m/x": np.zeros(3)}), r"m/x is float64 \(3,\), expected abs"),
    (lambda t: t.pop("best/classifier.bias"), "best/classifier.bias is absent, exp"),
    (lambda t: t.update({"x/y": np.zeros(1)}), "expected the checkpoint"),
    (lambda t: t.update({"x": np.zeros(1)}), "expected the checkpoint"),
    (lambda t: t.pop("params/classifier.bias"), "in which classifier.bias is abs"
     )])
def test_tensors_that_do_not_fit_are_named(change, message, halfway, tmp_path):
    values, tensors, metadata = read(halfway[0])
    change(tensors)
    save_file(tensors, tmp_path / training_state.FILE, metadata)
    with pytest.raises(ValueError, match=message):
        go_on(tmp_path)


@pytest.mark.parametrize("text", [
    "{", "[]", "[" * 100_000, '{"a": NaNN}', "1" * 9999])
def test_a_state_that_is_not_json_is_refused(text, halfway, tmp_path):
    save_file(read(halfway[0])[1], tmp_path / training_state.FILE, {"state": text})
    with pytest.raises(ValueError, match="the state in .*training.safetensors .*, "
                                         "expected a JSON object: remove it, or start"):
        go_on(tmp_path)


def test_what_is_no_file_is_refused(tmp_path):
    (tmp_path / training_state.FILE).mkdir()
    with pytest.raises(ValueError, match="is not a file, expected a checkpoint: remo"):
        go_on(tmp_path)


def test_an_evaluation_by_other_names_than_before(halfway, tmp_path):
    folder = edited(halfway, tmp_path, lambda *_: None)
    with pytest.raises(ValueError, match="evaluate's metrics are f1, expected acc"):
        run(checkpoint_dir=folder, evaluate=lambda model: {"f1": 0.5}, **OPTIONS)


def test_a_run_without_evaluation_has_no_best(tmp_path):
    options = {"evaluate": None, "checkpoint_dir": tmp_path, **OPTIONS}
    first, _ = run(fresh(), **options)
    again, result = run(fresh(), **options)
    assert digest(first.params) == digest(again.params) and result.best is None
