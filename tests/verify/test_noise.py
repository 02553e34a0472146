"""The noise of rounding: of the right size, and the same each time."""

import numpy as np
import pytest

from numbert.verify.cases import make_case, make_cases
from numbert.verify.counts import LAWS, counted, law
from numbert.verify.noise import F32, F64, PROFILES, measured
from numbert.verify.run import run

CASES = make_cases()


def errors(case, got, truth):
    """{name: RMS error over the entries that count}."""
    places = counted(case, truth)
    return {name: np.sqrt(np.mean((np.asarray(got[name], float) - truth[name])
                                  [places[name]] ** 2))
            for name in truth if places[name].any()}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_noise_is_what_float32_does(case):
    """Not below it, or right programs fail; nor far above, or bugs pass."""
    truth = run(case)
    noise = measured(case, PROFILES["fp32"])
    found = errors(case, run(case, dtype="float32"), truth)
    shares = [error / noise[name][0] for name, error in found.items() if error]
    assert max(shares) < 2 and 0.05 < np.median(shares) < 1
    assert all(noise[name][0] > 0 for name, error in found.items() if error)
    assert all(largest >= rms for rms, largest in noise.values())


def test_noise_is_the_same_each_time_and_grows_with_the_roundoff():
    case = make_case("classification")
    noise = {name: measured(case, profile, runs=4)
             for name, profile in PROFILES.items()}
    assert noise["fp32"] == measured(case, PROFILES["fp32"], runs=4)
    for name, (rms, _) in noise["fp32"].items():
        assert noise["fp64"][name][0] == rms * F64 / F32
        if rms and ":" not in name:
            assert 100 < noise["fp16"][name][0] / rms
            assert noise["bf16"][name][0] > 2 * noise["fp16"][name][0], name


def test_a_step_has_less_noise_than_the_whole_run():
    case = make_case("model")
    whole = measured(case, PROFILES["fp32"])
    steps = measured(case, PROFILES["fp32"], run(case))
    last = "encoder.layer.1.output.out"
    assert 0 < steps[last][0] < 0.5 * whole[last][0]
    assert all(steps[name][0] <= 1.2 * whole[name][0] for name in whole)


# ------------------------------------------------------------------ what counts

@pytest.mark.parametrize("case", [
    case for case in CASES if case.name != "questions"], ids=str)   # it reads padding
def test_entries_that_count_do_not_depend_on_padding(case):
    """Other words, kinds and positions at padding: the entries that count stay."""
    mask, inputs = case.inputs["attention_mask"] == 1, dict(case.inputs)
    first = np.arange(mask.shape[-1]) == 0                  # a pooler reads it
    for name, x in inputs.items():
        if name in ("input_ids", "token_type_ids", "position_ids"):
            inputs[name] = np.where(mask | first, x, 1 - x if "type" in name else
                                    (x + 3) % 13)
    truth, other = run(case), run(case._replace(inputs=inputs))
    places = counted(case, truth)
    compared = 0
    for name, x in truth.items():
        if "position_embeddings" in name or name.startswith(("adamw", "bertadam")):
            continue
        if name.startswith("dparam:"):          # the same terms, in another order
            assert np.abs(x - other[name]).max() <= 1e-13 * (np.abs(x).max() or 1)
            continue
        assert np.array_equal(x[places[name]], other[name][places[name]]), name
        compared += not np.array_equal(x, other[name])
    assert compared > 3                                     # padding was changed


def test_each_law_is_used_and_leaves_out_what_it_says():
    used = {law(case, name) for case in CASES for name in run(case)}
    assert used == set(LAWS)
    case = make_case("decoder")
    places = counted(case, run(case))
    stem = "bert.encoder.layer.0."
    causal = places[f"{stem}attention.self.scores"]
    assert causal[0, 0].sum() == 7 * 8 / 2                  # a full row, causal
    assert causal[3].sum() == 3 and not places[f"{stem}output.out"][3, 1:].any()
    cross = places[f"{stem}crossattention.self.probs"]
    assert cross[0].all() and cross.shape[-1] == 5
    assert places[f"{stem}crossattention.self.key"][0, :, 0].tolist() == \
        [True] * 3 + [False] * 2
    assert places["loss"].shape == () and places["loss"]
