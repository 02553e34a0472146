"""A run that was stopped and goes on ends with the bits of one that never stopped."""

import errno
import json
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from safetensors import SafetensorError, safe_open

from numbert.system import saving
from numbert.training import state as training_state
from numbert.training.loop import DivergedError, train
from training_cases import accuracy, digest, examples, fresh, run, without_speed

SCRIPT = Path(__file__).parents[1] / "training_cases.py"
KILLS = int(os.environ.get("NUMBERT_TEST_KILLS", 50))


class Stop(Exception):
    """Stands for whatever ends a run."""


def stopping(step, error=Stop):
    """A dataset that raises when the batch of this step is read."""
    class Data(list):
        reads = 0

        def __getitem__(self, i):
            self.reads += 1
            if self.reads > 8 * step:
                raise error()
            return super().__getitem__(i)
    return Data(examples(32))


def saved(folder):
    """The plain values of the checkpoint in this folder."""
    with safe_open(folder / training_state.FILE, "numpy") as file:
        return json.loads(file.metadata()["state"])


@pytest.fixture(scope="module")
def whole():
    """The model and result of a run that was never stopped, on 32 examples."""
    return run(dataset=examples(32))


# ------------------------------------------------------------------- stop and go on

@pytest.mark.parametrize("stops", [[0], [1], [5, 5, 9], [13], [19]])
@pytest.mark.parametrize("every", [1, 4, None])
def test_the_same_bits_after_any_stop(whole, stops, every, tmp_path):
    options = {"checkpoint_dir": tmp_path, "checkpoint_every": every,
               "log": tmp_path / "log.jsonl"}
    for stop in stops:
        data = stopping(stop + 32 // 8)                 # one pass to find the lengths
        with pytest.raises(Stop):
            run(dataset=data, **options)
    model, result = run(dataset=examples(32), **options)
    assert digest(model.params) == digest(whole[0].params)
    assert without_speed(result.history) == without_speed(whole[1].history)
    assert (result.best, result.best_step) == (whole[1].best, whole[1].best_step)
    rows = [json.loads(line) for line in open(tmp_path / "log.jsonl")]
    assert rows == result.history
    assert set(os.listdir(tmp_path)) == {"log.jsonl", training_state.FILE}


def test_a_run_that_is_over_is_not_trained_again(whole, tmp_path):
    first, _ = run(dataset=examples(32), checkpoint_dir=tmp_path)
    again, result = run(dataset=stopping(4), checkpoint_dir=tmp_path)
    assert digest(first.params) == digest(again.params) == digest(whole[0].params)
    assert result.stopped == "finished" and result.steps == 20


def test_an_early_stop_is_remembered(tmp_path):
    options = {"checkpoint_dir": tmp_path, "patience": 2, "evaluate": lambda m: 0.0,
               "dataset": examples(32)}
    first, result = run(**options)
    again, same = run(**options)
    assert result.stopped == same.stopped == "early" and result.steps == 9
    assert digest(first.params) == digest(again.params)


def test_patience_goes_on_from_where_it_was(tmp_path):
    options = {"checkpoint_dir": tmp_path, "patience": 3, "checkpoint_every": 1,
               "evaluate": lambda model: 0.0}
    with pytest.raises(Stop):
        run(dataset=stopping(4 + 10), **options)    # evaluated at 3 (best), 6 and 9
    assert saved(tmp_path)["worse"] == 2
    _, result = run(dataset=examples(32), **options)
    assert (result.stopped, result.steps) == ("early", 12)


def test_resume_false_starts_anew(whole, tmp_path):
    with pytest.raises(Stop):
        run(dataset=stopping(14), checkpoint_dir=tmp_path)
    model, result = run(dataset=examples(32), checkpoint_dir=tmp_path, resume=False)
    assert len(result.history) == len(whole[1].history)
    assert digest(model.params) == digest(whole[0].params)


def test_kill_9_at_random_moments(tmp_path):
    def start(folder):
        folder.mkdir(exist_ok=True)
        process = subprocess.Popen([sys.executable, SCRIPT, str(folder), "1"],
                                   stdout=subprocess.PIPE)
        process.stdout.readline()                       # imported: training begins
        return process

    straight, killed = tmp_path / "straight", tmp_path / "killed"
    process = start(straight)
    assert process.wait() == 0
    moments, hits, done = random.Random(0), 0, []
    while hits < KILLS:
        process = start(killed)
        try:
            process.wait(timeout=moments.uniform(0.0, 0.12))
        except subprocess.TimeoutExpired:
            process.kill()
            hits += process.wait() == -signal.SIGKILL
            if (killed / training_state.FILE).exists():
                done.append(saved(killed)["step"])
            continue
        assert process.returncode == 0                  # it got through: start again
        assert (killed / "digest").read_text() == (straight / "digest").read_text()
        (killed / training_state.FILE).unlink()
    assert start(killed).wait() == 0
    assert (killed / "digest").read_text() == (straight / "digest").read_text()
    print(f"killed after steps {done}")
    assert any(0 < step < 60 for step in done), done    # some were killed midway
    assert sorted(path.name for path in killed.iterdir()) == [
        "digest", "log.csv", training_state.FILE]


# ------------------------------------------------------------------ what goes wrong

def test_a_checkpoint_is_plain_data(tmp_path):
    model, result = run(checkpoint_dir=tmp_path)
    state = saved(tmp_path)
    with safe_open(tmp_path / training_state.FILE, "numpy") as file:
        groups = {key.split("/")[0] for key in file.keys()}
    assert groups == {"params", "m", "v", "best"}
    assert state["step"] == 20 and state["stopped"] == "finished"
    assert state["updates"] == dict.fromkeys(model.params, 20)
    assert state["settings"]["lr"] == 0.01 and state["settings"]["warmup"] == 2
    assert state["rng"]["bit_generator"] == "PCG64"
    assert state["history"] == result.history


@pytest.mark.parametrize("changes, message", [
    ({"lr": 0.02}, "lr was 0.01, is now 0.02"), ({"seed": 4}, "seed was 3, is now 4"),
    ({"epochs": 6}, "steps was 20, is now 24"),
    ({"batch_size": 6, "steps": 20, "epochs": None}, "batch_size was 8, is now 6"),
    ({"dataset": examples(31)}, "examples was 30, is now 31"),
    ({"identity": {"data": "x", "rule": [1, 2]}}, "data was None, is now 'x'; rule"),
    ({"dropout": False}, "dropout was True, is now False"),
    ({"model": fresh("float32")}, "classifier.bias|is float64 .*, expected float32")])
def test_another_run_is_refused(changes, message, tmp_path):
    run(checkpoint_dir=tmp_path)
    before = (tmp_path / training_state.FILE).read_bytes()
    with pytest.raises(ValueError, match=message):
        run(checkpoint_dir=tmp_path, **changes)
    assert (tmp_path / training_state.FILE).read_bytes() == before


def test_a_run_with_the_same_identity_goes_on(tmp_path):
    options = {"checkpoint_dir": tmp_path, "identity": {"data": "x", "pair": (1, 2)}}
    run(**options)
    assert run(**options)[1].steps == 20
    with pytest.raises(ValueError, match="data was 'x', is now None.*overwrite=True"
                                         " of finetune .*--overwrite.*resume=False"):
        run(checkpoint_dir=tmp_path)


def test_fingerprints():
    def of(**changes):
        row = {"ids": np.arange(4), "labels": 1, **changes}
        return training_state.fingerprint([row])
    same = of(labels=np.array(1))
    assert of() == same and len(same) == 64
    others = [of(labels=2), of(labels=1.0), of(ids=np.arange(4).reshape(2, 2)),
              of(ids=np.arange(4)[::-1]), of(more=0), training_state.fingerprint([])]
    assert len({same, *others}) == 7


@pytest.mark.parametrize("damage", [b"", b"not a checkpoint", None])
def test_a_file_that_is_no_checkpoint_is_refused(damage, tmp_path):
    path = tmp_path / training_state.FILE
    if damage is None:
        run(checkpoint_dir=tmp_path)
        damage = path.read_bytes()[:-8]
    path.write_bytes(damage)
    with pytest.raises(ValueError, match="broken .*expected the checkpoint of a tr"):
        run(checkpoint_dir=tmp_path)


@pytest.mark.parametrize("error", [
    OSError(errno.ENOSPC, "No space left on device"),
    SafetensorError("I/O error: No space left on device (os error 28)")])
def test_a_full_disk_leaves_the_previous_checkpoint(error, whole, tmp_path,
                                                    monkeypatch):
    real, calls = saving.save_file, []

    def write(tensors, path, metadata):
        calls.append(path)
        if len(calls) == 3:
            path.write_bytes(b"half a file")
            raise error
        real(tensors, path, metadata)

    monkeypatch.setattr(saving, "save_file", write)
    options = {"checkpoint_dir": tmp_path, "checkpoint_every": 4}
    with pytest.raises(OSError, match="checkpoint of step 12 could not be written.*No "
                                      "space left.*previous checkpoint is kept"):
        run(dataset=examples(32), **options)
    assert os.listdir(tmp_path) == [training_state.FILE]
    model, _ = run(dataset=examples(32), **options)
    assert len(calls) == 3 + 3                          # from step 8: 12, 16, 20
    assert digest(model.params) == digest(whole[0].params)


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="needs a POSIX system")
def test_a_file_that_may_not_grow(tmp_path):
    process = subprocess.run([sys.executable, SCRIPT, str(tmp_path), "1", "5000"],
                             capture_output=True, text=True)
    assert process.returncode == 1
    assert "OSError" in process.stderr.splitlines()[-1]
    assert "step 1 could not be written" in process.stderr
    assert "there is no earlier one" in process.stderr
    assert not list(tmp_path.glob(".*.tmp")) and not list(tmp_path.glob("*.saf*"))


@pytest.mark.parametrize("at", [1, 6, 15])
def test_ctrl_c_saves_and_stops(at, whole, tmp_path):
    steps = []

    def collate(rows, rng):
        from numbert.training.batches import collate
        steps.append(1)
        if len(steps) == 2 * at:                        # two parts a step
            os.kill(os.getpid(), signal.SIGINT)
        return collate(rows, rng)

    before = signal.getsignal(signal.SIGINT)
    message = (f"after step {at} of 20; saved in .*: repeat the call, without "
               "overwrite, to go on")
    with pytest.raises(KeyboardInterrupt, match=message):
        run(dataset=examples(32), checkpoint_dir=tmp_path, collate=collate)
    assert signal.getsignal(signal.SIGINT) is before
    assert saved(tmp_path)["step"] == at
    model, result = run(dataset=examples(32), checkpoint_dir=tmp_path)
    assert digest(model.params) == digest(whole[0].params)


def test_ctrl_c_without_a_checkpoint(capfd):
    model = fresh()

    def evaluate(model):
        os.kill(os.getpid(), signal.SIGINT)
        return 0.0

    with pytest.raises(KeyboardInterrupt, match="step 3 of 20; nothing was saved"):
        run(model, evaluate=evaluate)
    assert "Ctrl-C again stops at once" in capfd.readouterr().err


def test_a_second_ctrl_c_stops_at_once(tmp_path):
    def evaluate(model):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        return accuracy(model)

    with pytest.raises(KeyboardInterrupt):
        run(checkpoint_dir=tmp_path, evaluate=evaluate, checkpoint_every=100)
    assert not (tmp_path / training_state.FILE).exists()


def test_training_in_a_thread(whole):
    found = []
    thread = threading.Thread(target=lambda: found.append(run(dataset=examples(32))))
    thread.start()
    thread.join()
    assert digest(found[0][0].params) == digest(whole[0].params)


def test_a_run_that_diverges_keeps_the_last_good_checkpoint(tmp_path):
    from numbert.training.objectives import LABELS
    good = {}

    def gradients(model, part, totals, rng):
        loss, grads = LABELS.gradients(model, part, totals, rng)
        if len(seen) == 2 * 11:
            loss = float("nan")
        return loss, grads

    def counts(model, part):
        seen.append(1)
        if len(seen) == 2 * 10 + 1:
            good.update({name: x.copy() for name, x in model.params.items()})
        return LABELS.counts(model, part)

    seen, model = [], fresh()
    with pytest.raises(DivergedError, match="step 11: the loss is nan"):
        run(model, objective=LABELS._replace(counts=counts, gradients=gradients),
            checkpoint_dir=tmp_path, checkpoint_every=5)
    assert saved(tmp_path)["step"] == 10
    with safe_open(tmp_path / training_state.FILE, "numpy") as file:
        for name, x in good.items():
            assert np.array_equal(file.get_tensor(f"params/{name}"), x)
            assert np.array_equal(model.params[name], x)


def test_parameters_that_are_not_finite_are_never_saved(tmp_path):
    model = fresh()
    calls = []

    def evaluate(model):
        calls.append(1)
        if len(calls) == 2:
            model.params["classifier.bias"][0] = np.inf
        return 0.0

    with pytest.raises(DivergedError, match="step 6: classifier.bias holds nan or inf"):
        train(model, examples(), steps=9, lr=0.01, evaluate=evaluate, eval_every=3,
              checkpoint_dir=tmp_path, checkpoint_every=3, batch_size=8)
    assert saved(tmp_path)["step"] == 3
