"""Distillation against loops, finite differences, and the plain loss."""

import math

import numpy as np
import pytest
import tiny

import numbert
from numbert.training.distillation import (distillation, distillation_backward,
                                           from_teacher)
from numbert.training.objectives import LABELS


def soft_by_loops(logits, teacher, labels, t, weight):
    def probs(row, heat):
        exps = [math.exp(x / heat) for x in row]
        return [e / sum(exps) for e in exps]

    total, rows = 0.0, 0
    for z, v, y in zip(logits, teacher, labels):
        if y != -100:
            rows += 1
            soft = -sum(p * math.log(q) for p, q in zip(probs(v, t), probs(z, t)))
            total += (1 - weight) * -math.log(probs(z, 1)[y]) + weight * t * t * soft
    return total / rows


@pytest.mark.parametrize("t, weight", [(1.0, 0.5), (2.5, 0.3), (4.0, 1.0), (2.0, 0.0)])
def test_distillation_loss(t, weight):
    rng = np.random.default_rng(0)
    logits, teacher = 2 * rng.standard_normal((2, 5, 4))
    labels = np.array([0, 3, -100, 1, 2])
    loss, saved = distillation(logits, teacher, labels, t, weight)
    assert loss == pytest.approx(soft_by_loops(logits, teacher, labels, t, weight),
                                 rel=1e-13)
    dlogits = distillation_backward(1.7, saved)
    for at in np.ndindex(logits.shape):
        step = np.zeros_like(logits)
        step[at] = 1e-5
        up, down = (soft_by_loops(x, teacher, labels, t, weight)
                    for x in (logits + step, logits - step))
        assert dlogits[at] == pytest.approx(1.7 * (up - down) / 2e-5, abs=1e-9)
    assert (dlogits[2] == 0).all()
    small = distillation(*(x.astype(np.float32) for x in (logits, teacher)), labels)
    assert small[0].dtype == np.float32
    assert distillation_backward(1.0, small[1]).dtype == np.float32


def test_a_student_like_its_teacher_has_nothing_to_learn():
    logits = np.random.default_rng(1).standard_normal((3, 4))
    _, saved = distillation(logits, logits, np.zeros(3, int), 3.0, 1.0)
    assert abs(distillation_backward(1.0, saved)).max() < 1e-16


def test_the_objective_of_a_teacher():
    config = tiny.config(num_labels=3, hidden_dropout_prob=0.5)
    student, teacher = (numbert.BertForTokenClassification(
        config, rng=i, dtype="float64") for i in (0, 1))
    for model in (student, teacher):
        for name in model.params:
            model.params[name] = model.params[name] * 10
    ids = np.random.default_rng(2).integers(5, 30, (4, 6))
    labels = np.random.default_rng(3).integers(0, 3, (4, 6))
    labels[0, 2:] = labels[3, 4] = -100
    batch = {"input_ids": ids, "labels": labels}
    parts = [{name: x[rows] for name, x in batch.items()}
             for rows in (slice(0, 1), slice(1, 4))]
    objective = from_teacher(teacher, 2.0, 0.5)
    totals = objective.counts(student, batch)
    assert totals == (19,)
    whole = objective.gradients(student, batch, totals, None)
    shares = [objective.gradients(student, part, totals, None) for part in parts]
    assert sum(loss for loss, _ in shares) == pytest.approx(whole[0], rel=1e-12)
    for name in student.params:                     # parts of a batch add up
        both = shares[0][1][name] + shares[1][1][name]
        assert np.allclose(both, whole[1][name], rtol=1e-10, atol=1e-14)
    hard = from_teacher(teacher, 2.0, 0.0).gradients(student, batch, totals, None)
    plain = LABELS.gradients(student, batch, LABELS.counts(student, batch), None)
    assert hard[0] == pytest.approx(plain[0], rel=1e-12)
    assert all(np.allclose(hard[1][n], plain[1][n], rtol=1e-10, atol=1e-14)
               for n in plain[1])
    again = objective.gradients(student, batch, totals, np.random.default_rng(0))
    assert again[0] != whole[0]                     # dropout, of the student


@pytest.mark.parametrize("cls, fields, args, message", [
    (numbert.BertForSequenceClassification, {}, (0, .5), "temperature is 0"),
    (numbert.BertForSequenceClassification, {}, (2, 1.5), "weight 1.5"),
    (numbert.BertForQuestionAnswering, {}, (), "gives no probabilities"),
    (numbert.BertForSequenceClassification, {"problem_type": "regression"}, (),
     "gives no probabilities")])
def test_bad_teachers(cls, fields, args, message):
    with pytest.raises(ValueError, match=message):
        from_teacher(cls(tiny.config(**fields)), *args)
