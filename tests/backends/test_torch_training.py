"""Training on torch equals training on NumPy, and resumes with the same bits."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file

torch = pytest.importorskip("torch")

import numbert  # noqa: E402
import tiny  # noqa: E402
import training_cases as cases  # noqa: E402
from cli_cases import without  # noqa: E402
from numbert.cli import main  # noqa: E402
from numbert.training.distillation import from_teacher  # noqa: E402
from numbert.training.loop import train  # noqa: E402
from numbert.training.state import FILE  # noqa: E402
from numbert.training.weighting import from_weights  # noqa: E402


def assert_same_run(ours, want, tolerance=1e-12):
    """Both have the same history, and the same parameters to rounding.

    The gradient of key.bias is 0 in exact arithmetic; Adam makes steps of its noise.
    """
    (model, result), (other, expected) = ours, want
    for row, wanted in zip(cases.without_speed(result.history),
                           cases.without_speed(expected.history), strict=True):
        assert row == pytest.approx(wanted, rel=1e-9)
    assert (result.best, result.best_step, result.steps, result.stopped) == (
        expected.best, expected.best_step, expected.steps, expected.stopped)
    for name, x in other.params.items():
        if not name.endswith("key.bias"):
            error = np.abs(model.params[name].detach().numpy() - x).max()
            assert error < tolerance, (name, error)


@pytest.mark.parametrize("changes", [
    {}, {"optimizer": "bertadam"}, {"frozen": ["bert.embeddings.*"], "clip": None},
    {"objective": from_weights([1.0, 3.0], 0.1)},
    {"objective": from_teacher(cases.fresh())}],
    ids=["adamw", "bertadam", "frozen", "weights", "teacher"])
def test_a_run_equals_that_of_numpy(changes):
    changes = {"dropout": False, **changes}
    want = cases.run(**changes)
    ours = cases.run(cases.fresh().to_torch(), **changes)
    start = cases.fresh().params["classifier.weight"]
    assert np.abs(want[0].params["classifier.weight"] - start).max() > 1e-3
    assert_same_run(ours, want)


def pretraining(count=12):
    """Examples with labels of both terms of the loss."""
    rng = np.random.default_rng(1)
    for i in range(count):
        x = rng.integers(1, 23, rng.integers(4, 9))
        labels = np.where(rng.random(len(x)) < 0.4, x, -100)
        yield {"input_ids": x, "labels": labels, "next_sentence_label": i % 2}


def test_two_terms_of_a_loss_in_unequal_parts():
    kwargs = dict(steps=6, batch_size=4, accumulate=3, lr=0.01, dropout=False)
    runs = []
    for kind in "numpy", "torch":
        model = numbert.BertForPreTraining(cases.CONFIG, dtype="float64", rng=2)
        model = model.to_torch() if kind == "torch" else model
        runs.append((model, train(model, list(pretraining()), **kwargs)))
    assert_same_run(runs[1], runs[0])


class Stop(Exception):
    pass


def test_killed_and_resumed_with_dropout_gives_the_same_bits(tmp_path):
    def run(folder, stop=None):
        evaluations = []

        def evaluate(model):
            evaluations.append(1)
            if len(evaluations) == stop:
                raise Stop
            return cases.accuracy(model)
        return cases.run(cases.fresh("float32").to_torch(), evaluate=evaluate,
                         checkpoint_dir=folder, checkpoint_every=2)

    whole, result = run(tmp_path / "whole")
    with pytest.raises(Stop):
        run(tmp_path / "cut", stop=4)
    torch.manual_seed(99)
    resumed, again = run(tmp_path / "cut")
    assert cases.without_speed(again.history) == cases.without_speed(result.history)
    assert again.best == result.best
    for name, x in whole.params.items():
        assert torch.equal(resumed.params[name], x)
    dry, _ = cases.run(cases.fresh("float32").to_torch(), dropout=False)
    assert not torch.equal(dry.params["classifier.weight"],
                           whole.params["classifier.weight"])
    with pytest.raises(ValueError, match="backend was 'torch', is now None"):
        cases.run(cases.fresh("float32"), checkpoint_dir=tmp_path / "cut",
                  checkpoint_every=2)


def test_checkpoint_and_result_are_arrays(tmp_path):
    model, _ = cases.run(cases.fresh("float32").to_torch(), checkpoint_dir=tmp_path)
    saved = load_file(tmp_path / FILE)
    assert {x.dtype for x in saved.values()} == {np.dtype("float32")}
    model.save_pretrained(tmp_path / "out")
    back = numbert.BertForSequenceClassification.from_pretrained(tmp_path / "out")
    for name, x in model.params.items():
        assert np.array_equal(back.params[name], x.detach().numpy())
        assert saved[f"params/{name}"].shape == x.shape


def test_an_encoder_decoder_trains():
    import generation_cases
    rows = [{"input_ids": np.array([3, 4, i]), "labels": np.array([4, i])}
            for i in range(5, 11)]
    runs = []
    for kind in "numpy", "torch":
        model = generation_cases.build("encoder_decoder", 1)
        model = model.to_torch() if kind == "torch" else model
        runs.append((model, train(model, rows, steps=4, lr=1e-3, batch_size=4,
                                  accumulate=2, dropout=False)))
    assert_same_run(runs[1], runs[0])


# -------------------------------------------------------------------- half precision

@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_weights_in_half_precision_are_refused(dtype, tmp_path):
    model = cases.fresh().to_torch(dtype=dtype)
    with pytest.raises(ValueError, match=f"{dtype}, expected float32.*autocast"):
        cases.run(model, checkpoint_dir=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_autocast_computes_in_bfloat16_with_float32_weights(tmp_path):
    seen = []
    model = cases.fresh("float32").to_torch()
    layer = model.module.get_submodule("bert.encoder.layer.0")
    layer.register_forward_hook(lambda part, given, out: seen.append(
        torch.is_autocast_enabled("cpu")))
    model, result = cases.run(model, autocast="bfloat16", dropout=False,
                              checkpoint_dir=tmp_path)
    exact, wanted = cases.run(cases.fresh("float32").to_torch(), dropout=False)
    assert set(seen) == {True, False}               # in training; in evaluation
    assert {x.dtype for x in model.params.values()} == {torch.float32}
    losses, others = ([row["loss"] for row in x.history if "loss" in row
                       and "lr" in row] for x in (result, wanted))
    assert losses != others
    assert losses[0] == pytest.approx(others[0], rel=2 ** -7)
    with open(tmp_path / FILE, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        state = json.loads(json.loads(file.read(size))["__metadata__"]["state"])
    assert state["settings"]["autocast"] == "bfloat16"


@pytest.mark.parametrize("make, autocast, message", [
    (lambda: cases.fresh(), "bfloat16", "computes with torch"),
    (lambda: cases.fresh().to_torch(), "bfloat16", "float64, expected float32"),
    (lambda: cases.fresh("float32").to_torch(), "float16", "expected 'bfloat16'")])
def test_autocast_that_does_not_fit(make, autocast, message):
    with pytest.raises(ValueError, match=message):
        cases.run(make(), autocast=autocast)


# ------------------------------------------------------------------------- compiling

def compiled_run():
    """Traced as a whole, but not made into machine code, which would take minutes."""
    compile, made = torch.compile, []

    def traced(module):
        made.append(compile(module, backend="eager"))
        return made[-1]
    torch.compile = traced
    short = dict(steps=4, epochs=None, dropout=False, evaluate=None, eval_every=None)
    ours = cases.run(cases.fresh().to_torch(), compile=True, **short)
    assert made and not torch._dynamo.utils.counters["graph_break"]
    assert_same_run(ours, cases.run(**short))


def test_a_compiled_run_equals_that_of_numpy():
    """In a process of its own, as torch.compile remembers what was compiled before."""
    code = "import test_torch_training as here; here.compiled_run()"
    said = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True, text=True)
    assert said.returncode == 0, said.stderr


def test_only_the_models_own_loss_is_compiled(files, tmp_path, capsys):
    with pytest.raises(ValueError, match="compile is True, expected False"):
        cases.run(cases.fresh().to_torch(), compile=True,
                  objective=from_weights(None, 0.1))
    words = [*words_of("finetune", files, tmp_path / "out"), "--label-smoothing", "0.1",
             "--backend", "torch", "--compile"]
    assert run_command(words) != 0
    assert "(--compile) out" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


# ----------------------------------------------------------------------- the command

@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A checkpoint, labelled texts, a corpus and a configuration."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "texts.tsv").write_text(
        "the cat runs\tgood\nthe dog is big\tbad\nthe cat is red\tgood\n"
        "the dog runs\tbad\n")
    (folder / "corpus.txt").write_text("".join(
        f"the {x} runs.\nthe {x} is big.\n\n" for x in ("cat", "dog", "moon", "sun")))
    tiny.write(folder, "config.json", tiny.config(vocab_size=60).to_json_string())
    return tiny.checkpoint(folder / "model"), folder


def words_of(command, files, out):
    model, folder = files
    return ["finetune", "text-classification", "--train", folder / "texts.tsv",
            "--model", model, "--epochs", "2", "--out", out] \
        if command == "finetune" else \
        ["pretrain", "--corpus", folder / "corpus.txt", "--config",
         folder / "config.json", "--steps", "3", "--out", out]


def run_command(words):
    return main([str(word) for word in [*words, "--batch-size", "4", "--lr", "0.01"]])


@pytest.mark.parametrize("command", ["finetune", "pretrain"])
def test_the_command_trains_on_torch(command, files, tmp_path, capsys):
    for name, more in {"numpy": [], "torch": ["--backend", "torch"],
                       "half": ["--backend", "torch", "--dtype", "bfloat16"]}.items():
        words = words_of(command, files, tmp_path / name)
        assert run_command([*words, "--no-dropout", *more]) == 0, capsys.readouterr()
    want, ours, half = (load_file(tmp_path / name / "model.safetensors")
                        for name in ("numpy", "torch", "half"))
    assert want.keys() == ours.keys() == half.keys()
    for name, x in want.items():
        if not name.endswith("key.bias"):
            assert np.abs(ours[name] - x).max() < 1e-4, name
        assert half[name].dtype == np.float32
    assert any(np.abs(half[name] - x).max() > 1e-6 for name, x in ours.items())


@pytest.mark.parametrize("more, message", [
    (["--device", "cpu"], "--device cpu is given, expected --backend torch"),
    (["--compile"], "--compile is given, expected --backend torch"),
    (["--dtype", "bfloat16"], "--dtype bfloat16 is given, expected --backend torch"),
    (["--backend", "torch", "--device", "nowhere"], "device is 'nowhere', expected")])
@pytest.mark.parametrize("command", ["finetune", "pretrain"])
def test_options_that_do_not_fit(command, more, message, files, tmp_path, capsys):
    assert run_command([*words_of(command, files, tmp_path / "out"), *more]) != 0
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_command_says_how_to_get_torch(files, tmp_path):
    done = without("torch", *words_of("finetune", files, tmp_path / "out"),
                   "--backend", "torch")
    assert done.returncode != 0 and "pip install" in done.stderr, done
    assert not (tmp_path / "out").exists()
