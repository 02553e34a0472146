"""Optimisers, clipping and schedules: loops over numbers, torch, closed forms."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from common import CLASSES, assert_near, config
from numbert.training import optim
from numbert.models.params import param_shapes
from optim_cases import ADAMW, CLIPS, SCHEDULES, STEPS, start

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "optim.json").read_text())
NEAR = 1e-12                            # parameters are of size 1, in float64


def everything(name):
    """Decay all parameters, as torch does."""
    return True


def run(step, params, gradients, dtype="float64", steps=STEPS, **settings):
    """The parameters after some steps, from copies."""
    params = {name: x.astype(dtype) for name, x in params.items()}
    state = optim.adamw_init(params)
    for grads in gradients[:steps]:
        step(params, {n: g.astype(dtype) for n, g in grads.items()}, state, **settings)
    assert set(state["step"].values()) == {min(steps, len(gradients))}
    return params


def adamw_loop(p, gs, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
    """Loshchilov & Hutter 2019, algorithm 2, for one number."""
    m = v = 0.0
    for t, g in enumerate(gs, 1):
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g * g
        m_hat, v_hat = m / (1 - betas[0] ** t), v / (1 - betas[1] ** t)
        p = p - lr * (m_hat / (math.sqrt(v_hat) + eps) + weight_decay * p)
    return p


def bertadam_loop(p, gs, lr, betas=(0.9, 0.999), eps=1e-6, weight_decay=0.01):
    """google-research/bert's optimizer for one number: no undoing of the zero start."""
    m = v = 0.0
    for g in gs:
        m = betas[0] * m + (1.0 - betas[0]) * g
        v = betas[1] * v + (1.0 - betas[1]) * (g * g)
        update = m / (math.sqrt(v) + eps)
        update += weight_decay * p
        p = p - lr * update
    return p


# ---------------------------------------------------------------------- optimisers

@pytest.mark.parametrize("step, loop", [(optim.adamw_step, adamw_loop),
                                        (optim.bertadam_step, bertadam_loop)])
@pytest.mark.parametrize("settings", [
    {}, {"weight_decay": 0.0},
    {"betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.3}])
def test_as_a_loop_over_numbers(step, loop, settings):
    params, gradients = start()
    got = run(step, params, gradients, lr=0.01, **settings)
    for name, x in params.items():
        plain = dict(settings)
        if name != "dense.weight":              # biases and LayerNorm never decay
            plain["weight_decay"] = 0.0
        want = [loop(float(x[i]), [float(g[name][i]) for g in gradients], 0.01, **plain)
                for i in np.ndindex(x.shape)]
        assert_near(got[name], np.reshape(want, x.shape), NEAR, name)


@pytest.mark.parametrize("case", range(len(ADAMW)))
@pytest.mark.parametrize("steps", [1, STEPS])
def test_adamw_as_recorded_from_torch(case, steps):
    got = run(optim.adamw_step, *start(), steps=steps, decays=everything, **ADAMW[case])
    for name, want in GOLDEN["adamw"][case][str(steps)].items():
        assert_near(got[name], want, NEAR, name)


@pytest.mark.parametrize("settings", ADAMW + [{"lr": 0.1}])
@pytest.mark.parametrize("dtype, near", [("float64", NEAR), ("float32", 2e-6)])
def test_adamw_as_torch_does_it_now(settings, dtype, near):
    torch = pytest.importorskip("torch")
    params, gradients = start()
    tensors = {n: torch.nn.Parameter(torch.tensor(x.astype(dtype)))
               for n, x in params.items()}
    optimizer = torch.optim.AdamW(tensors.values(), **settings)
    for steps in range(1, STEPS + 1):
        for name, p in tensors.items():
            p.grad = torch.tensor(gradients[steps - 1][name].astype(dtype))
        optimizer.step()
        got = run(optim.adamw_step, params, gradients, dtype, steps,
                  decays=everything, **settings)
        for name, p in tensors.items():
            assert_near(got[name], p.detach().numpy(), near, f"{name}, step {steps}")


@pytest.mark.parametrize("step, length", [
    (optim.adamw_step, 1.0), (optim.bertadam_step, 0.1 / math.sqrt(0.001))])
def test_the_first_step_is_the_sign_of_the_gradient(step, length):
    params, gradients = start()
    grads = {name: np.sign(g) * (50 + np.abs(g)) for name, g in gradients[0].items()}
    got = run(step, params, [grads], lr=0.01, weight_decay=0)
    for name, x in params.items():
        # |g| > 50, so eps shortens the step by less than eps / (50 sqrt(0.001)) of it.
        assert_near(got[name], x - length * 0.01 * np.sign(grads[name]), 1e-7, name)
    assert abs(0.1 / math.sqrt(0.001) - 3.162) < 3e-4


@pytest.mark.parametrize("step", [optim.adamw_step, optim.bertadam_step])
def test_decay_shrinks_weights_and_nothing_else(step):
    params, _ = start()
    zero = {name: np.zeros(x.shape) for name, x in params.items()}
    got = run(step, params, [zero], lr=0.5, weight_decay=0.1)
    for name, x in params.items():
        factor = 0.95 if name == "dense.weight" else 1.0
        assert_near(got[name], factor * x, 1e-15, name)


@pytest.mark.parametrize("cls", CLASSES)
def test_which_parameters_decay(cls):
    names = param_shapes(config(), cls)
    kept = [name for name in names if not optim.decayed(name)]
    assert kept == [n for n in names if "LayerNorm" in n or n.split(".")[-1] == "bias"]
    assert all(x.ndim == 2 for n, x in cls(config()).params.items() if optim.decayed(n))


@pytest.mark.parametrize("step", [optim.adamw_step, optim.bertadam_step])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_blocks_and_threads_change_no_bit(step, dtype, monkeypatch):
    rng = np.random.default_rng(1)
    params = {"weight": rng.standard_normal((37, 41)), "bias": rng.standard_normal(5)}
    gradients = [{n: rng.standard_normal(x.shape) for n, x in params.items()}
                 for _ in range(3)]
    want = run(step, params, gradients, dtype, lr=0.1)
    for block, threads in ((1, 1), (7, 1), (7, 3), (100, 2), (1 << 20, 4)):
        monkeypatch.setattr(optim, "BLOCK", block)
        monkeypatch.setattr(optim, "num_threads", lambda: threads)
        got = run(step, params, gradients, dtype, lr=0.1)
        for name, x in want.items():
            assert got[name].dtype == dtype and np.array_equal(got[name], x)


def test_parameters_are_written_in_place_and_gradients_are_not():
    params, gradients = start()
    arrays, grads = dict(params), gradients[0]
    before = {name: g.copy() for name, g in grads.items()}
    values = {name: x.copy() for name, x in params.items()}
    del grads["dense.bias"]                     # no gradient: not touched
    optim.adamw_step(params, grads, optim.adamw_init(params), 0.1)
    for name, x in arrays.items():
        assert params[name] is x
        assert np.array_equal(x, values[name]) == (name == "dense.bias")
    assert all(np.array_equal(g, before[name]) for name, g in grads.items())


def test_arrays_that_cannot_be_written_to_are_replaced():
    params, gradients = start()
    want = run(optim.adamw_step, params, gradients, lr=0.1)
    odd = {name: x.copy(order="F") for name, x in params.items()}
    odd["dense.bias"].flags.writeable = False
    state = optim.adamw_init(odd)
    for grads in gradients:
        optim.adamw_step(odd, {n: np.asfortranarray(g) for n, g in grads.items()},
                         state, 0.1)
    assert all(np.array_equal(odd[name], x) for name, x in want.items())


@pytest.mark.parametrize("changes, message", [
    ({"lr": -1e-9}, "lr is -1e-09"), ({"lr": float("nan")}, "lr is nan"),
    ({"betas": (0.9, 1.0)}, "betas are"), ({"eps": -1.0}, "eps is -1.0")])
@pytest.mark.parametrize("step", [optim.adamw_step, optim.bertadam_step])
def test_settings_out_of_range(step, changes, message):
    params, gradients = start()
    state = optim.adamw_init(params)
    with pytest.raises(ValueError, match=message):
        step(params, gradients[0], state, **{"lr": 0.1, **changes})
    assert set(state["step"].values()) == {0}


def test_gradients_that_do_not_fit():
    params, gradients = start()
    state = optim.adamw_init(params)
    with pytest.raises(ValueError, match="'inputs_embeds', expected only names"):
        optim.adamw_step(params, {"inputs_embeds": np.ones(3)}, state, 0.1)
    with pytest.raises(ValueError, match=r"shape \(4,\), expected \(3,\)"):
        optim.adamw_step(params, {"dense.bias": np.ones(4)}, state, 0.1)


# ------------------------------------------------------------------------- clipping

@pytest.mark.parametrize("case", range(len(CLIPS)))
def test_clipping_as_recorded_from_torch(case):
    grads = start()[1][-1]
    norm, want = GOLDEN["clips"][case]
    assert_near(optim.clip_by_global_norm(grads, CLIPS[case]), norm, NEAR * norm)
    for name, g in want.items():
        assert_near(grads[name], g, 1e-14 * min(norm, CLIPS[case]), name)


@pytest.mark.parametrize("max_norm", CLIPS)
def test_clipping_as_torch_does_it_now(max_norm):
    torch = pytest.importorskip("torch")
    for grads in start()[1]:
        tensors = {n: torch.nn.Parameter(torch.zeros_like(torch.tensor(g)))
                   for n, g in grads.items()}
        for name, p in tensors.items():
            p.grad = torch.tensor(grads[name])
        want = float(torch.nn.utils.clip_grad_norm_(tensors.values(), max_norm))
        assert_near(optim.clip_by_global_norm(grads, max_norm), want, NEAR * want)
        for name, p in tensors.items():
            assert_near(grads[name], p.grad.numpy(), 1e-14 * min(want, max_norm), name)


def test_the_norm_is_of_all_gradients_together():
    grads = {"a": np.full((2, 2), 3.0), "b": np.array([8.0])}       # 36 + 64 = 10^2
    assert optim.clip_by_global_norm(grads, 100.0) == 10
    assert grads["b"][0] == 8
    optim.clip_by_global_norm(grads, 5.0)
    assert abs(optim.global_norm(grads) - 5) < 1e-5
    assert abs(grads["b"][0] / grads["a"][0, 0] - 8 / 3) < 1e-15


def test_the_norm_of_many_float32_numbers():
    x = np.random.default_rng(0).standard_normal(1_000_003).astype(np.float32)
    want = math.sqrt(math.fsum(float(v) ** 2 for v in x[:200_003]))
    assert abs(optim.global_norm({"x": x[:200_003]}) / want - 1) < 1e-6


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_norm_that_is_not_finite_is_only_reported(bad):
    grads = {"a": np.array([1.0, bad]), "b": np.ones(2)}
    assert not math.isfinite(optim.clip_by_global_norm(grads, 1.0))
    assert np.array_equal(grads["b"], [1, 1])


def test_max_norm_out_of_range():
    with pytest.raises(ValueError, match="max_norm is 0"):
        optim.clip_by_global_norm({}, 0)


# ------------------------------------------------------------------------ schedules

@pytest.mark.parametrize("case", range(len(SCHEDULES)))
def test_schedules_as_recorded_from_transformers(case):
    name, warmup, total = SCHEDULES[case]
    got = [optim.SCHEDULES[name](step, warmup, total) for step in range(total + 3)]
    assert_near(np.array(got), GOLDEN["schedules"][case], 1e-15)


@pytest.mark.parametrize("name", optim.SCHEDULES)
def test_schedules_as_transformers_does_them_now(name):
    torch, transformers = (pytest.importorskip(n) for n in ("torch", "transformers"))
    for warmup, total in ((0, 9), (1, 9), (4, 9), (9, 9), (25, 40)):
        args = (warmup,) if name == "constant" else (warmup, total)
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        scheduler = getattr(transformers, f"get_{name}_schedule_with_warmup")(
            optimizer, *args)
        for step in range(total + 3):
            want = scheduler.get_last_lr()[0]
            assert abs(optim.SCHEDULES[name](step, warmup, total) - want) < 1e-15
            optimizer.step()
            scheduler.step()


@settings(deadline=None)
@given(st.sampled_from(sorted(optim.SCHEDULES)), st.integers(0, 50),
       st.integers(0, 50), st.integers(0, 120))
def test_schedules_climb_to_1_then_fall_and_stay_positive(name, warmup, rest, step):
    f, total = optim.SCHEDULES[name], warmup + rest
    here, after = f(step, warmup, total), f(step + 1, warmup, total)
    assert 0 <= here <= 1
    if step < warmup:
        assert here == step / warmup
        if rest:
            assert after > here
    elif step < total:
        assert after <= here
    if step == warmup and rest:
        assert here == 1
    if name != "constant" and rest and step == total:
        assert here == 0
