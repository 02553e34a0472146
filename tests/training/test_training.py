"""The training loop: against torch, against itself, and what it refuses."""

import csv
import dataclasses
import inspect
import json
import math
import re

import numpy as np
import pytest

import numbert
from common import assert_near, config, ids, stressed, twin
from numbert.training import loop as training
from numbert.training.batches import collate, epoch_order
from numbert.training.objectives import LABELS
from numbert.training.optim import SCHEDULES, decayed
from numbert.training.loop import DivergedError, train
from numbert.training.recipe import Recipe, planned, recipe_of
from training_cases import (CONFIG, accuracy, digest, examples, fresh, run,
                            without_speed)


def trained(**changes):
    """A plain run: no dropout, no parts, no evaluation."""
    return run(**{"dropout": False, "accumulate": 1, "evaluate": None,
                  "group_by_length": False, "eval_every": None, **changes})


# -------------------------------------------------------------- against other loops

@pytest.mark.parametrize("schedule, clip", [("linear", 0.5), ("cosine", None),
                                            ("constant", 0.1)])
def test_as_a_loop_written_with_torch_and_transformers(schedule, clip):
    torch, transformers = (pytest.importorskip(n) for n in ("torch", "transformers"))
    model = stressed(numbert.BertForSequenceClassification, config(
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0))
    hf, rows = twin(model).train(), examples(21)
    named = dict(hf.named_parameters())
    groups = [{"params": [p for n, p in named.items() if decayed(n) == decays],
               "weight_decay": 0.05 * decays} for decays in (True, False)]
    optimizer = torch.optim.AdamW(groups, lr=0.003)
    get = getattr(transformers, f"get_{schedule}_schedule_with_warmup")
    scheduler = get(optimizer, 2) if schedule == "constant" else get(optimizer, 2, 9)
    losses = []
    for epoch in range(3):
        order = epoch_order(21, 5, epoch)
        for start in range(0, 21, 8):
            batch = collate([rows[i] for i in order[start:start + 8]])
            loss = hf(**{n: torch.tensor(x) for n, x in batch.items()}).loss
            optimizer.zero_grad()
            loss.backward()
            if clip:
                torch.nn.utils.clip_grad_norm_(hf.parameters(), clip)
            optimizer.step()
            scheduler.step()
            losses.append(loss.item())

    result = train(model, rows, epochs=3, batch_size=8, lr=0.003, warmup=2, seed=5,
                   schedule=schedule, clip=clip, weight_decay=0.05, log_every=1)
    assert_near(np.array([row["loss"] for row in result.history]), losses, 1e-9)
    for name, p in named.items():
        assert_near(model.params[name], p.detach().numpy(), 1e-8, name)


def test_bertadam_takes_longer_steps():
    start = fresh().params
    lengths = []
    for optimizer in ("adamw", "bertadam"):
        model, _ = trained(steps=1, epochs=None, warmup=0, schedule="constant",
                           optimizer=optimizer, weight_decay=0, lr=1e-3)
        step = model.params["classifier.weight"] - start["classifier.weight"]
        lengths.append(np.abs(step).max())
    want = np.array([1, 0.1 / np.sqrt(0.001)]) * 1e-3
    assert_near(np.array(lengths), want, 1e-5)          # eps shortens them a little


def test_it_learns():
    model, result = run(epochs=40, keep_best=True)
    assert accuracy(model)["accuracy"] == 1
    assert result.history[-2]["loss"] < 0.05 < result.history[0]["loss"]


# ------------------------------------------------------------------ what decides bits

def test_the_same_settings_give_the_same_bits():
    first, result = run()
    again, same = run(log_every=3, checkpoint_every=1, progress=False)
    assert digest(first.params) == digest(again.params)
    assert result.best == same.best and result.best_step == same.best_step


@pytest.mark.parametrize("changes", [
    {"seed": 4}, {"lr": 0.011}, {"dropout": False}, {"warmup": 3}, {"clip": 0.01},
    {"weight_decay": 0.1}, {"optimizer": "bertadam"}, {"schedule": "cosine"},
    {"group_by_length": False}, {"batch_size": 7, "epochs": 4}])
def test_every_setting_matters(changes):
    before, after = (run(keep_best=False, **c)[0] for c in ({}, changes))
    assert digest(before.params) != digest(after.params)


@pytest.mark.parametrize("accumulate", [2, 3, 8])
def test_parts_of_a_batch_change_nothing_but_rounding(accumulate):
    whole, result = trained()
    parts, same = trained(accumulate=accumulate)
    for name, x in whole.params.items():
        assert_near(parts.params[name], x, 1e-9, name)
    for row, other in zip(result.history, same.history):
        assert abs(row["loss"] - other["loss"]) < 1e-9


def test_dropout_follows_the_config():
    still = fresh()
    still.config = numbert.BertConfig.from_dict(
        still.config.to_dict(), hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0)
    run(still)
    assert digest(still.params) == digest(run(dropout=False)[0].params)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_dtype_stays(dtype):
    model, _ = run(fresh(dtype), epochs=1)
    assert {x.dtype for x in model.params.values()} == {np.dtype(dtype)}


def test_the_data_are_read_in_the_order_of_the_seed():
    seen = []

    def watch(rows, rng):
        seen.extend(row["number"] for row in rows)
        return collate([{k: x for k, x in row.items() if k != "number"}
                        for row in rows])

    rows = [{**row, "number": i} for i, row in enumerate(examples(11))]
    train(fresh(), rows, epochs=2, batch_size=4, lr=0.01, seed=9, collate=watch)
    assert seen == [*epoch_order(11, 9, 0), *epoch_order(11, 9, 1)]


def test_a_random_collate_draws_from_the_generator_of_the_run():
    def mask(rows, rng):
        batch = collate(rows)
        batch["input_ids"] = np.where(rng.random(batch["input_ids"].shape) < 0.3, 2,
                                      batch["input_ids"])
        return batch

    digests = {digest(run(collate=mask, seed=seed)[0].params) for seed in (1, 1, 2)}
    assert len(digests) == 2


def test_any_model_and_labels():
    x = [{"input_ids": row["input_ids"], "labels": row["input_ids"]}
         for row in examples()]
    for row in x[::3]:
        row["next_sentence_label"] = 1
    model = numbert.BertForPreTraining(fresh().config)
    result = train(model, x[::3], epochs=20, batch_size=4, lr=0.01, log_every=1)
    assert result.history[-1]["loss"] < 0.6 * result.history[0]["loss"]


# -------------------------------------------------------------- evaluation and the log

def test_when_it_evaluates():
    for every, want in ((None, [4, 8, 12, 16, 20]), (6, [6, 12, 18, 20])):
        _, result = run(eval_every=every)
        assert [row["step"] for row in result.history if "accuracy" in row] == want


def scores(*values):
    """An evaluate that gives these numbers one after the other."""
    left = list(values)
    return lambda model: left.pop(0)


def test_early_stop_and_the_best_parameters():
    kept = []

    def evaluate(model):
        kept.append({name: x.copy() for name, x in model.params.items()})
        return values(model)

    values = scores(0.1, 0.0, 0.5, 0.5, 0.4, float("nan"), 0.9)
    model, result = run(evaluate=evaluate, patience=3, eval_every=2)
    assert (result.stopped, result.steps) == ("early", 12)
    assert (result.best_step, result.best) == (6, {"score": 0.5})
    assert all(np.array_equal(x, kept[2][name]) for name, x in model.params.items())
    assert digest(kept[2]) != digest(kept[-1])

    values = scores(0.1, 0.5, 0.5, 0.4, 0.3)
    model, result = run(evaluate=evaluate, patience=3, eval_every=2, keep_best=False)
    assert digest(model.params) == digest(kept[-1]) and result.best_step == 4


def test_lower_is_better_and_the_metric_by_name():
    values = scores(*({"f1": f, "loss": x} for f, x in
                      ((1, 0.5), (2, 0.3), (3, 0.4), (2.5, 0.35))))
    _, result = run(evaluate=values, eval_every=5, metric="loss", lower_is_better=True)
    assert result.best == {"f1": 2, "loss": 0.3} and result.best_step == 10
    values = scores(*({"f1": f, "loss": 0.0} for f in (1, 3, 2, 2)))
    assert run(evaluate=values, eval_every=5)[1].best_step == 10
    with pytest.raises(ValueError, match="metric is 'f2', expected one that evaluate"):
        run(evaluate=lambda model: {"f1": 1.0}, metric="f2")


def test_the_history():
    _, result = run(log_every=7, schedule="cosine", accumulate=1)
    rows = [row for row in result.history if "loss" in row and "lr" in row]
    assert [row["step"] for row in rows] == [7, 14, 20]
    assert [row["epoch"] for row in rows] == [1.75, 3.5, 5.0]
    for row in rows:
        want = 0.01 * SCHEDULES["cosine"](row["step"] - 1, 2, 20)
        assert abs(row["lr"] - want) < 1e-17
        assert row["examples_per_second"] > 0 and row["grad_norm"] > 0
        assert 1 < row["tokens_per_second"] / row["examples_per_second"] < 9
    _, each = run(log_every=1, schedule="cosine", accumulate=1)
    losses = [row["loss"] for row in each.history if "lr" in row]
    assert abs(rows[0]["loss"] - np.mean(losses[:7])) < 1e-15
    assert abs(rows[2]["loss"] - np.mean(losses[14:])) < 1e-15


def test_logs_hold_the_history(tmp_path):
    _, result = run(log=tmp_path / "new" / "log.jsonl")
    with open(tmp_path / "new" / "log.jsonl", encoding="utf-8") as file:
        assert [json.loads(line) for line in file] == result.history
    _, result = run(log=tmp_path / "log.csv")
    with open(tmp_path / "log.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(result.history)
    for row, want in zip(rows, result.history):
        assert {k: float(x) for k, x in row.items() if x} == want
    assert set(rows[0]) == {"step", "epoch", "loss", "lr", "grad_norm", "accuracy",
                            "examples_per_second", "tokens_per_second"}


def test_a_log_is_written_as_the_run_goes_on(tmp_path):
    seen = []

    def evaluate(model):
        seen.append(len(open(tmp_path / "log.csv").readlines()))
        return 0.0

    run(log=tmp_path / "log.csv", evaluate=evaluate, eval_every=4, log_every=1)
    assert seen == [1 + 3, 1 + 8, 1 + 13, 1 + 18, 1 + 23]   # the head, rows before it


def test_the_progress_bar(capsys, monkeypatch):
    pytest.importorskip("tqdm")
    import tqdm
    real = tqdm.tqdm
    monkeypatch.setattr(tqdm, "tqdm", lambda **options: real(**{
        **options, "delay": 0, "mininterval": 0}))
    run(progress=True)
    shown = capsys.readouterr().err
    assert "20/20" in shown and "loss=0." in shown and "examples/s=" in shown
    run(progress=False)
    assert capsys.readouterr().err == ""


# ------------------------------------------------------------------------- bad input

@pytest.mark.parametrize("changes, message", [
    ({"epochs": None}, "epochs is None and steps is None"),
    ({"steps": 3}, "epochs is 5 and steps is 3"),
    ({"epochs": 0}, "epochs is 0, expected a number above 0"),
    ({"batch_size": 0}, "batch_size is 0"), ({"accumulate": 0}, "accumulate is 0"),
    ({"lr": -1}, "lr is -1"), ({"lr": float("nan")}, "lr is nan"),
    ({"warmup": 21}, "warmup is 21, expected at most the run's 20"),
    ({"warmup": -0.1}, "warmup is -0.1"), ({"clip": 0}, "clip is 0"),
    ({"optimizer": "sgd"}, "optimizer is 'sgd', expected adamw or bertadam"),
    ({"schedule": "step"}, "schedule is 'step', expected constant or linear or cosine"),
    ({"patience": 3, "evaluate": None}, "patience is 3, expected None, as"),
    ({"metric": "loss", "evaluate": None}, "metric is 'loss', expected None, as"),
    ({"lr": "1e-3"}, "lr is '1e-3', expected a number >= 0"),
    ({"batch_size": 2.5}, "batch_size is 2.5, expected a whole number above 0"),
    ({"batch_size": True}, "batch_size is True"), ({"seed": -1}, "seed is -1, exp"),
    ({"seed": None}, "seed is None"), ({"eval_every": 1.5}, "eval_every is 1.5"),
    ({"epochs": math.inf}, "epochs is inf"), ({"clip": "1"}, "clip is '1'"),
    ({"identity": {"lr": 1}}, "identity names lr, expected other names"),
    ({"identity": {"a": {1}}}, "identity is .*expected a dict .* JSON can hold"),
    ({"log": "log.txt"}, "log is 'log.txt', expected a name that ends in .jsonl")])
def test_settings_that_do_not_fit(changes, message, tmp_path):
    model = fresh()
    before = digest(model.params)
    with pytest.raises(ValueError, match=message):
        run(model, checkpoint_dir=tmp_path / "new", **changes)
    assert digest(model.params) == before and not (tmp_path / "new").exists()


def test_data_that_do_not_fit():
    with pytest.raises(ValueError, match="no examples"):
        train(fresh(), [], epochs=1, lr=0.1)
    with pytest.raises(ValueError, match="expected labels too, .*: add it to each"):
        train(fresh(), [{"input_ids": [1, 2]}], epochs=1, lr=0.1)
    with pytest.raises(ValueError, match=r"labels holds 2 at \[0\], expected 0 to 1"):
        train(fresh(), [{"input_ids": [1, 2], "labels": 2}], epochs=1, lr=0.1)


def test_a_class_without_a_loss_is_refused():
    rows = [{"input_ids": [1, 2]}]
    model = numbert.BertModel(CONFIG)
    with pytest.raises(ValueError, match="^model is a BertModel, which has no loss, "
                                         "expected a class with a head, such as Bert"):
        train(model, rows, epochs=1, lr=0.1)


@pytest.mark.parametrize("found", [{}, None, "good", {"a": None}, [1.0, 2.0]])
def test_evaluate_must_give_numbers(found):
    with pytest.raises(ValueError, match="^the result of evaluate is .*, expected a"):
        run(evaluate=lambda model: found)


@pytest.mark.filterwarnings("ignore")
def test_a_last_update_that_ruins_the_model_is_no_result(tmp_path):
    """Its argmax would be class 0, which looks like a prediction."""
    model = fresh("float32")
    options = dict(lr=1e30, schedule="constant", batch_size=30, dropout=False)
    with pytest.raises(DivergedError, match="step 1: after this last update, at learn"):
        train(model, examples(), steps=1, checkpoint_dir=tmp_path, **options)
    assert not list(tmp_path.iterdir())


def test_an_evaluation_of_outputs_that_are_not_finite():
    def evaluate(model):
        training.require_finite(model, {"logits": np.array([1.0, np.nan])})

    with pytest.raises(DivergedError, match="evaluation after step 3: the logits of "
                                            "this Bert.* not finite.*try a lower lr"):
        run(evaluate=evaluate)


def test_scores_that_are_undefined(tmp_path):
    """The log is JSON that any reader takes; the last scores are not lost."""
    def evaluate(model):
        return {"pearson": math.nan, "mse": 2.0}

    def refuse(text):
        raise AssertionError(f"{text} is not JSON")

    _, result = run(evaluate=evaluate, log=tmp_path / "log.jsonl")
    rows = [json.loads(line, parse_constant=refuse) for line in open(
        tmp_path / "log.jsonl")]
    assert rows[-1]["pearson"] is None and rows[-1]["mse"] == 2.0
    assert result.best is None and result.last["mse"] == 2.0
    assert math.isnan(result.last["pearson"]) and set(result.last) == {"pearson", "mse"}
    assert run(evaluate=None)[1].last is None


def test_a_batch_without_labels_makes_no_update():
    rows = [{"input_ids": ids((4,)), "labels": np.full(4, -100)}]
    model = stressed(numbert.BertForMaskedLM)
    before = digest(model.params)
    with pytest.warns(UserWarning, match="step 1: no label of this batch counts"):
        result = train(model, rows, epochs=1, lr=0.1)
    assert digest(model.params) == before and result.history[-1]["loss"] is None


@pytest.mark.parametrize("value, where", [(np.inf, "loss"), (np.nan, "gradient")])
def test_what_is_not_finite_stops_the_run_before_the_update(value, where):
    steps = []

    def gradients(model, part, totals, rng):
        loss, grads = LABELS.gradients(model, part, totals, rng)
        steps.append(digest(model.params))
        if len(steps) == 4:
            if where == "loss":
                loss = value
            else:
                grads["classifier.bias"][0] = value
        return loss, grads

    model = fresh()
    with pytest.raises(DivergedError, match=f"step 4: the .*{where} is {value}") as e:
        trained(model=model, objective=LABELS._replace(gradients=gradients))
    assert "try a lower lr" in str(e.value) and isinstance(e.value, ValueError)
    assert digest(model.params) == steps[-1]


def test_a_plan_says_how_long_an_epoch_is():
    recipe = recipe_of({"lr": 1.0, "batch_size": 8, "epochs": 2.5, "warmup": 0.11},
                       evaluates=False)
    plan = planned(recipe, len(examples()))
    assert (plan.steps_per_epoch, plan.steps, plan.warmup) == (4, 10, 2)
    assert (plan.eval_every, plan.checkpoint_every) == (4, 4)
    assert without_speed([{"seconds": 1, "step": 2}]) == [{"step": 2}]


def test_every_setting_is_shown_by_help_and_a_wrong_one_is_refused():
    shown = inspect.signature(train).parameters
    assert shown["lr"].default is inspect.Parameter.empty
    assert shown["batch_size"].default == 32 and shown["resume"].default is True
    assert "settings" not in shown
    for field in dataclasses.fields(Recipe):
        assert field.name in shown
        assert re.search(rf"^    (\w+, )*{field.name}(, \w+)*: ", train.__doc__, re.M)
    with pytest.raises(TypeError, match="unexpected keyword argument 'epoch', expected "
                                        "the settings lr, epochs, .*: see help"):
        train(fresh(), examples(), lr=0.1, epoch=1)
    with pytest.raises(TypeError, match="missing a required .*argument: 'lr'"):
        train(fresh(), examples(), epochs=1)


def test_a_collate_may_leave_the_mask_out():
    """attention_mask is optional in forward, so it is here."""
    def plain(rows, rng):
        return {name: np.stack([row[name] for row in rows])
                for name in ("input_ids", "labels")}

    rows = [{"input_ids": ids((5,), rng=i), "labels": i % 2} for i in range(8)]
    model = numbert.BertForSequenceClassification(config(num_labels=2))
    result = train(model, rows, lr=0.01, steps=2, batch_size=4, collate=plain,
                   log_every=1)
    assert [row["tokens_per_second"] > row["examples_per_second"] > 0
            for row in result.history] == [True, True]
