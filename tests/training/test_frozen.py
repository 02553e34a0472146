"""Parameters without an update, and gradients much smaller than those before."""

import math
import os
import signal

import numpy as np
import pytest

from numbert.training import optim
from numbert.training.loop import train
from numbert.training.objectives import Objective, batch_gradients
from optim_cases import start
from training_cases import accuracy, digest, examples, fresh, run

BOTH = [optim.adamw_step, optim.bertadam_step]
# Absent, or None as torch's p.grad of a parameter that was never reached.
WITHOUT = [lambda grads: {"dense.weight": grads["dense.weight"]},
           lambda grads: {n: g if n == "dense.weight" else None
                          for n, g in grads.items()}]


@pytest.mark.parametrize("without", WITHOUT)
def test_the_first_step_of_a_thawed_parameter_moves_by_lr(without):
    """Kingma & Ba 2015, algorithm 1 with t = 1: m^ / sqrt(v^) is the sign of g."""
    params, gradients = start()
    state = optim.adamw_init(params)
    before = params["dense.bias"].copy()
    for grads in gradients[:7]:
        optim.adamw_step(params, without(grads), state, 0.01)
    assert np.array_equal(params["dense.bias"], before)
    assert state["step"] == {"dense.weight": 7, "dense.bias": 0, "LayerNorm.weight": 0}
    g = 50 * np.sign(gradients[0]["dense.bias"])
    optim.adamw_step(params, {"dense.bias": g}, state, 0.01)
    moved = before - params["dense.bias"]
    assert np.allclose(moved, 0.01 * np.sign(g), rtol=1e-8, atol=0)
    assert state["step"]["dense.bias"] == 1 and state["step"]["dense.weight"] == 7


@pytest.mark.parametrize("frozen", [range(0), range(4), range(2, 5), range(1, 10, 2)])
@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.5, 0.9), (0.2, 0.99), (0.0, 0.0)])
def test_frozen_and_thawed_as_torch_does_it_now(frozen, betas):
    torch = pytest.importorskip("torch")
    params, gradients = start()
    tensors = {n: torch.nn.Parameter(torch.tensor(x)) for n, x in params.items()}
    optimizer = torch.optim.AdamW(tensors.values(), lr=0.01, betas=betas)
    state = optim.adamw_init(params)
    for i, grads in enumerate(gradients):
        grads = {n: None if i in frozen and n != "LayerNorm.weight" else g
                 for n, g in grads.items()}
        for name, p in tensors.items():
            p.grad = None if grads[name] is None else torch.tensor(grads[name])
        optimizer.step()
        optim.adamw_step(params, grads, state, 0.01, betas=betas,
                         decays=lambda name: True)
        for name, p in tensors.items():
            assert np.allclose(params[name], p.detach().numpy(), rtol=0, atol=1e-12), i


@pytest.mark.parametrize("step", BOTH)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_small_gradient_after_a_large_one(step, dtype):
    """With beta1 = 0 there is no memory of the large one in m: it is g itself."""
    params = {"w": np.ones(2, dtype)}
    state = optim.adamw_init(params)
    for g in (1e9, 1e-9):
        step(params, {"w": np.array([g, -g], dtype)}, state, 0.01, betas=(0.0, 0.9))
    assert np.array_equal(state["m"]["w"], np.array([1e-9, -1e-9], dtype))


@pytest.mark.parametrize("beta1", [0.1, 0.3, 0.5, 0.7])
def test_the_mean_of_small_gradients_to_the_last_digits(beta1):
    """Against the same sum in exact steps: beta1 m + (1 - beta1) g."""
    params = {"w": np.zeros(1)}
    state, want = optim.adamw_init(params), 0.0
    for g in (1e8, *[3e-8] * 60):
        optim.adamw_step(params, {"w": np.array([g])}, state, 0.01, betas=(beta1, 0.9))
        want = math.fsum([beta1 * want, (1 - beta1) * g])
    assert math.isclose(state["m"]["w"][0], want, rel_tol=1e-9)


# ---------------------------------------------------------------------- in a run

def test_parts_whose_gradients_are_absent():
    """An objective may leave out what a part does not reach; the others count."""
    def gradients(model, part, totals, rng):
        return 1.0, {"a": np.ones(1), "b": None, **({"c": np.ones(1)} if part else {})}

    class Model:
        params = dict.fromkeys("abcd", np.zeros(1))

    _, grads = batch_gradients(Model, [{}, {"x": 1}, {"x": 1}],
                               Objective(lambda *_: (1,), gradients), threads=1)
    assert {name: g.tolist() for name, g in grads.items()} == {"a": [3], "c": [2]}


@pytest.mark.parametrize("optimizer", ["adamw", "bertadam"])
def test_frozen_parameters_keep_their_bits(optimizer):
    model = fresh()
    before = {name: x.copy() for name, x in model.params.items()}
    run(model, frozen=["bert.embeddings.*", "*.bias"], optimizer=optimizer)
    for name, x in model.params.items():
        held = name.startswith("bert.embeddings.") or name.endswith(".bias")
        # the loss does not depend on the keys' bias, but that is frozen too
        assert np.array_equal(x, before[name]) == held, name


def test_frozen_gradients_have_no_part_in_the_norm():
    """In torch their .grad is None, so clip_grad_norm_ does not see them."""
    head = ["bert.*"]
    _, all_of_it = run(log_every=1, steps=1, epochs=None, warmup=0)
    _, part = run(log_every=1, steps=1, epochs=None, warmup=0, frozen=head)
    assert 0 < part.history[0]["grad_norm"] < all_of_it.history[0]["grad_norm"]
    assert part.history[0]["loss"] == all_of_it.history[0]["loss"]


def test_frozen_parameters_survive_a_resume(tmp_path):
    options = {"frozen": ("bert.*",), "betas": [0.8, 0.9], "eps": 1e-5}
    whole, _ = run(**options)
    with pytest.raises(KeyboardInterrupt):
        run(checkpoint_dir=tmp_path, evaluate=interrupt_once(), **options)
    again, _ = run(checkpoint_dir=tmp_path, **options)
    assert digest(again.params) == digest(whole.params)
    with pytest.raises(ValueError, match=r"frozen was \['bert.\*'\], is now \[\]"):
        run(checkpoint_dir=tmp_path, **{**options, "frozen": ()})


def interrupt_once():
    """An evaluation that is interrupted, after the step of its call is complete."""
    def evaluate(model):
        os.kill(os.getpid(), signal.SIGINT)
        return accuracy(model)
    return evaluate


@pytest.mark.parametrize("changes", [{"betas": (0.5, 0.9)}, {"eps": 1e-2},
                                     {"frozen": ["classifier.*"]}])
def test_each_setting_matters(changes):
    assert digest(run(**changes)[0].params) != digest(run()[0].params)


def test_eps_is_the_optimizer_s_own():
    for optimizer, eps in (("adamw", 1e-8), ("bertadam", 1e-6)):
        assert digest(run(optimizer=optimizer)[0].params) == digest(
            run(optimizer=optimizer, eps=eps)[0].params)


@pytest.mark.parametrize("changes, message", [
    ({"betas": (0.9, 1.0)}, r"betas is \(0.9, 1.0\), expected two numbers >= 0 and"),
    ({"betas": 0.9}, "betas is 0.9"), ({"betas": (0.9,)}, "betas is"),
    ({"betas": ("a", 0)}, "betas is"), ({"eps": -1}, "eps is -1, expected a number"),
    ({"frozen": "bert.*"}, r"frozen is 'bert.\*', expected a list of patterns"),
    ({"frozen": [1]}, "frozen is"),
    ({"frozen": ["bert.*", "pooler"]}, "frozen has the pattern 'pooler', which match"),
    ({"frozen": ["*"]}, "matches all parameters, expected some left")])
def test_settings_that_do_not_fit(changes, message):
    with pytest.raises(ValueError, match=message):
        run(**changes)


# HF: the first update of a warm-up has learning rate 0; so it is the only one here.
@pytest.mark.parametrize("settings", [
    {"steps": 1, "warmup": 1}, {"steps": 1, "warmup": 0.1},
    {"steps": 1, "warmup": 1, "schedule": "constant"}])
def test_a_run_whose_only_update_has_no_learning_rate_warns(settings):
    model = fresh()
    before = digest(model.params)
    with pytest.warns(UserWarning, match="steps is 1 and warmup is 1, so each update "
                                         "has learning rate 0.*set warmup=0"):
        train(model, examples(), lr=0.1, **settings)
    assert digest(model.params) == before


@pytest.mark.parametrize("settings", [
    {"steps": 1}, {"steps": 2, "warmup": 1}, {"steps": 2, "warmup": 2}])
def test_a_run_that_learns_does_not_warn(settings, recwarn):
    train(fresh(), examples(), lr=0.1, **settings)
    assert not recwarn
