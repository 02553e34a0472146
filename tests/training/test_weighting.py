"""Class weights and label smoothing as an objective of training."""

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

import numbert
from common import assert_near, config, ids, stressed
from numbert.training.batches import collate
from numbert.training.objectives import LABELS, batch_gradients
from numbert.training.weighting import (balanced_weights, from_weights,
                                        soft_cross_entropy, soft_cross_entropy_backward)

WEIGHTS = [0.2, 3.0, 1.5]
TEXT, WORDS = (numbert.BertForSequenceClassification,
               numbert.BertForTokenClassification)


def examples(cls, count=12):
    """Texts of many lengths; some have no label that counts."""
    rng, found = np.random.default_rng(2), []
    for i in range(count):
        x = ids((int(rng.integers(2, 12)),), rng=i)
        labels = rng.integers(0, 3, len(x))
        labels[rng.random(len(x)) < (0, 0.5, 1)[i % 3]] = -100
        found.append({"input_ids": x, "labels":
                      (i % 3 if i % 5 else -100) if cls is TEXT else labels})
    return found


def model_of(cls, **changes):
    return stressed(cls, config(**{"num_labels": 3, **changes}))


@pytest.mark.parametrize("cls", [TEXT, WORDS])
@pytest.mark.parametrize("weights, smoothing", [
    (WEIGHTS, 0.0), (None, 0.1), (WEIGHTS, 0.3)])
def test_a_batch_in_parts_is_the_loss_of_torch(cls, weights, smoothing):
    """However the labels, and so the weights, are spread over the parts."""
    torch = pytest.importorskip("torch")
    model, rows = model_of(cls), examples(cls)
    parts = [collate(rows[i:i + 4], pad_to_multiple_of=11) for i in (0, 4, 8)]
    loss, grads = batch_gradients(model, parts, from_weights(weights, smoothing))
    whole = collate(rows, pad_to_multiple_of=11)
    labels = torch.tensor(whole.pop("labels").reshape(-1))
    out, saved = model.forward(**whole)
    logits = torch.tensor(out.logits.reshape(-1, 3), requires_grad=True)
    want = torch.nn.functional.cross_entropy(
        logits, labels, weight=weights and torch.tensor(weights, dtype=torch.float64),
        label_smoothing=smoothing)
    assert loss == pytest.approx(want.item(), rel=1e-12)
    want.backward()
    slopes = model.backward(saved, logits=logits.grad.numpy().reshape(out.logits.shape))
    for name, g in slopes.items():
        assert_near(grads[name], g, 1e-12 * (1 + np.abs(g).max()), name)


def test_equal_weights_are_no_weights():
    model, rows = model_of(WORDS), examples(WORDS)
    parts = [collate(rows)]
    loss, grads = batch_gradients(model, parts, from_weights([0.25] * 3))
    want, slopes = batch_gradients(model, parts, LABELS)
    assert loss == pytest.approx(want, rel=1e-13)
    for name, g in slopes.items():
        assert_near(grads[name], g, 1e-12 * (1 + np.abs(g).max()), name)


def test_parts_without_labels():
    model = model_of(WORDS)
    part = collate([{"input_ids": ids((5,)), "labels": np.full(5, -100)}])
    assert batch_gradients(model, [part], from_weights(WEIGHTS)) == (0.0, None)


@given(st.lists(st.integers(0, 4), min_size=1))
def test_balanced_weights(labels):
    """All classes that occur weigh the same in sum; a label weighs 1 on average."""
    weights = balanced_weights(np.array(labels), 6)
    sums = [weights[k] * labels.count(k) for k in set(labels)]
    assert sums == pytest.approx([len(labels) / len(set(labels))] * len(sums))
    assert all(weights[k] == 1 for k in range(6) if k not in labels)


@pytest.mark.parametrize("weights, smoothing, message", [
    ([1, 0, 1], 0, "a class weight is 0, expected a number above 0: to train without"),
    ([1, float("nan"), 1], 0, "a class weight is nan"),
    ([1, "2", 1], 0, "weight is '2'"), ([1, float("inf"), 1], 0, "class weight is inf"),
    (None, 1.5, "smoothing is 1.5, expected a number from 0 to 1"),
    (None, -0.1, "smoothing is -0.1"), (None, float("nan"), "smoothing is nan"),
    (None, True, "smoothing is True"),
])
def test_what_is_out_of_range(weights, smoothing, message):
    with pytest.raises(ValueError, match=message):
        from_weights(weights, smoothing)


@pytest.mark.parametrize("cls, changes, message", [
    (TEXT, {"problem_type": "regression"}, "whose loss is of mse, expected one cross"),
    (numbert.BertForQuestionAnswering, {"num_labels": 2},
     "loss is of cross_entropy, cross_entropy, expected one"),
])
def test_a_model_whose_loss_is_another(cls, changes, message):
    model = model_of(cls, **changes)
    part = {"input_ids": ids((2, 5)), "labels": np.zeros((2, 3))}
    if cls is not TEXT:
        part = {"input_ids": ids((2, 5)), "start_positions": np.array([1, 2]),
                "end_positions": np.array([1, 2])}
    with pytest.raises(ValueError, match=message):
        batch_gradients(model, [part], from_weights(None, 0.1))


def test_a_model_with_more_classes_than_weights():
    part = collate(examples(TEXT))
    with pytest.raises(ValueError, match="there are 2 class weights, expected one for"):
        batch_gradients(model_of(TEXT), [part], from_weights([1, 2]))


# ------------------------------------------------------------------------ the loss

def by_loops(logits, labels, weights, smoothing):
    """The sum over labels, and the sum of their weights, as the formula has them."""
    total = 0.0
    for row, label in zip(logits.tolist(), labels.tolist()):
        if label == -100:
            continue
        norm = math.log(math.fsum(map(math.exp, row)))
        each = [w * (norm - z) for w, z in zip(weights, row)]     # w_k times -log p_k
        total += (1 - smoothing) * each[label] + smoothing * math.fsum(each) / len(row)
    return total, math.fsum(weights[label] for label in labels.tolist() if label >= 0)


CASES = st.tuples(st.integers(0, 10 ** 6), st.integers(1, 6), st.integers(2, 5),
                  st.sampled_from([0.0, 0.1, 0.5, 1.0]), st.booleans(),
                  st.sampled_from([None, 2.5]))


@given(CASES)
def test_weights_and_smoothing_are_those_of_torch(case):
    """Values by loops, and values and gradients by torch, in float64."""
    torch = pytest.importorskip("torch")
    seed, rows, classes, smoothing, weighted, count = case
    rng = np.random.default_rng(seed)
    logits = 3 * rng.standard_normal((rows, classes))
    labels = rng.integers(0, classes, rows)
    labels[1:][rng.random(rows - 1) < 0.3] = -100              # the first counts
    weights = rng.uniform(0.05, 3, classes) if weighted else None
    loss, saved = soft_cross_entropy(logits, labels, weights, smoothing, count)
    total, used = by_loops(logits, labels, np.ones(classes) if weights is None
                           else weights, smoothing)
    assert loss == pytest.approx(total / (count or used), rel=1e-13)
    x = torch.tensor(logits, requires_grad=True)
    want = torch.nn.functional.cross_entropy(
        x, torch.tensor(labels), label_smoothing=smoothing,
        weight=None if weights is None else torch.tensor(weights),
        reduction="mean" if count is None else "sum") / (count or 1)
    assert loss == pytest.approx(want.item(), rel=1e-13)
    want.backward()
    dlogits = soft_cross_entropy_backward(1.0, saved)
    assert_near(dlogits, x.grad.numpy(), 1e-13)
    assert np.all(dlogits[labels == -100] == 0)                          # exactly


def test_weights_and_smoothing_keep_the_dtype_and_the_shape():
    logits = np.ones((2, 3, 4), "float32")
    for options in ({"weights": [1, 2, 3, 4.0]}, {"smoothing": 0.25}):
        loss, saved = soft_cross_entropy(logits, np.zeros((2, 3), int), **options)
        dlogits = soft_cross_entropy_backward(1.0, saved)
        assert loss.dtype == dlogits.dtype == np.float32 and dlogits.shape == (2, 3, 4)
