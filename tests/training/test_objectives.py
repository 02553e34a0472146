"""A batch in parts has the loss and the gradient of the batch in one piece."""

import numpy as np
import pytest

import numbert
from cases import CASES
from common import CLASSES, assert_near, config, ids, stressed
from numbert.training.batches import collate
from numbert.training.objectives import (LABELS, GradientSum, added_up, batch_gradients,
                                         label_counts)

WITH_LOSS = [cls for cls in CLASSES if cls is not numbert.BertModel]
KINDS = [(cls, {}) for cls in WITH_LOSS] + [
    (numbert.BertForSequenceClassification, changes) for changes in (
        {"num_labels": 1}, {"num_labels": 4},
        {"num_labels": 3, "problem_type": "regression"},
        {"num_labels": 3, "problem_type": "multi_label_classification"})]


def ragged(cls, cfg, count=32):
    """Examples of many lengths; some have no label at all, one has many."""
    rng = np.random.default_rng(2)
    found = []
    for i in range(count):
        n = int(rng.integers(2, 12))
        x, kept = ids((n,), rng=i), rng.random(n) < (0, 0.2, 0.5, 1)[i % 4]
        classes = cfg.num_labels
        some = {"labels": int(rng.integers(0, classes))}
        if cls in (numbert.BertForMaskedLM, numbert.BertLMHeadModel,
                   numbert.BertForPreTraining):
            some = {"labels": np.where(kept, x, -100)}
        if cls is numbert.BertForPreTraining:
            some["next_sentence_label"] = int(rng.integers(0, 2)) if i % 5 else -100
        if cls is numbert.BertForTokenClassification:
            some = {"labels": np.where(kept, x % classes, -100)}
        if cls is numbert.BertForQuestionAnswering:
            some = {"start_positions": int(rng.integers(0, 20)), "end_positions": 1}
        if cls is numbert.BertForMultipleChoice:
            x, some = np.stack([x, x[::-1]]), {"labels": i % 2 if i % 3 else -100}
        if cfg.problem_type or classes == 1:
            some = {"labels": rng.integers(0, 2, classes).astype(float)}
        found.append({"input_ids": x, **some})
    return found


@pytest.mark.parametrize("cls, changes", KINDS)
def test_4_times_8_is_1_times_32(cls, changes):
    cfg = config(is_decoder=cls is numbert.BertLMHeadModel, **changes)
    model = stressed(cls, cfg)
    rows = ragged(cls, cfg)
    whole = collate(rows, pad_to_multiple_of=11)
    parts = [collate(rows[i:i + 8], pad_to_multiple_of=11) for i in range(0, 32, 8)]
    counts = [label_counts(model, part) for part in parts]
    if cls not in (numbert.BertForNextSentencePrediction,
                   numbert.BertForSequenceClassification):
        assert len(set(counts)) > 1                     # or the test shows nothing
    loss, grads = batch_gradients(model, parts)
    out, saved = model.forward(**whole)
    want = model.backward(saved)
    assert abs(loss - out.loss) < 1e-13 * (1 + out.loss)
    assert list(grads) == list(model.params)
    for name, g in want.items():
        assert_near(grads[name], g, 1e-13 * (1 + np.abs(g).max()), name)


@pytest.mark.parametrize("name", [name for name, (cls, _, inputs) in CASES.items()
                                  if cls is not numbert.BertModel])
def test_labels_are_counted_as_the_losses_count_them(name):
    cls, changes, inputs = CASES[name]
    model = stressed(cls, config(**changes))
    _, saved = model.forward(**inputs)
    used = tuple(judged.saved[-1] for judged in saved.loss)     # each saves its count
    assert used == label_counts(model, inputs)


def test_a_part_without_labels_adds_nothing():
    model = stressed(numbert.BertForMaskedLM)
    x = ids((4, 5))
    labels = np.where(np.arange(4)[:, None] < 2, x, -100)
    parts = [{"input_ids": x[i:i + 2], "labels": labels[i:i + 2]} for i in (0, 2)]
    loss, grads = batch_gradients(model, parts)
    alone, want = batch_gradients(model, parts[:1])
    assert loss == alone
    for name, g in want.items():
        assert_near(grads[name], g, 0, name)


def test_no_labels_at_all():
    model = stressed(numbert.BertForMaskedLM)
    part = {"input_ids": ids(), "labels": np.full_like(ids(), -100)}
    assert batch_gradients(model, [part, part]) == (0.0, None)
    with pytest.raises(ValueError, match="hold input_ids, expected labels too"):
        batch_gradients(model, [{"input_ids": ids()}])
    qa = stressed(numbert.BertForQuestionAnswering)
    with pytest.raises(ValueError, match="expected start_positions too"):
        batch_gradients(qa, [{"input_ids": ids(), "labels": 1}])


def test_a_tuple_as_output_is_no_hindrance():
    model = stressed(numbert.BertForMaskedLM, config(return_dict=False))
    loss, _ = batch_gradients(model, [{"input_ids": ids(), "labels": ids()}])
    assert loss > 0


@pytest.mark.parametrize("cls", [numbert.BertForMaskedLM, numbert.BertForPreTraining])
def test_labelled_only_is_the_loss_of_the_model(cls):
    model = stressed(cls, config())
    examples = ragged(cls, model.config, 8)
    assert any((x["labels"] == -100).all() for x in examples)
    batch = collate(examples)
    out, saved = model.forward(**batch)
    wanted = model.backward(saved)
    few, saved = model.forward(**batch, labelled_only=True)
    grads = model.backward(saved)
    used = batch["labels"] != -100
    name = cls.terms[0].output
    assert few[name].shape == (used.sum(), model.config.vocab_size)
    assert_near(few[name], out[name][used], 1e-13)
    assert abs(few.loss - out.loss) < 1e-12 and grads.keys() == wanted.keys()
    assert all(np.abs(grads[name] - wanted[name]).max() < 1e-12 for name in wanted)


def test_labelled_only_means_nothing_to_other_classes():
    model = stressed(numbert.BertLMHeadModel, config(is_decoder=True))
    labels = np.where(np.arange(5) < 3, ids(), -100)
    out = model(ids(), labels=labels, labelled_only=True)
    assert_near(out.logits, model(ids(), labels=labels).logits, 0)


@pytest.mark.parametrize("totals", [(), (1, 2), 3, (0,), (-1,), ("a",), (True,)])
def test_label_totals_of_a_wrong_kind(totals):
    model = stressed(numbert.BertForMaskedLM)
    with pytest.raises(ValueError, match="label_totals is .*, expected 1 numbers"):
        model(ids(), labels=ids(), label_totals=totals)


def test_label_totals_divide_the_sums():
    model = stressed(numbert.BertForPreTraining)
    batch = {"input_ids": ids(), "labels": ids(rng=4), "next_sentence_label": [0, 1]}
    out = model(**batch)
    order = model(**{**batch, "labels": np.full_like(ids(), -100)},
                  label_totals=(1, 2)).loss                 # the second term alone
    got = model(**batch, label_totals=(20, 4)).loss         # of 10 labels and of 2
    assert_near(got, out.loss / 2, 1e-13 * out.loss)
    assert 0 < order < out.loss


# ------------------------------------------------------------- sums that come in pieces

def pieces(rng, parts, names):
    """Gradients of each part by name: float32, of very different sizes; some None."""
    return [{name: None if rng.random() < 0.2 else
             (rng.standard_normal(50) * 10.0 ** rng.integers(-4, 4)).astype("f4")
             for name in names} for _ in range(parts)]


def in_order(grads, names):
    """The sums as plain loops make them, part after part."""
    out = {}
    for name in names:
        some = [part[name] for part in grads if part[name] is not None]
        out[name] = None
        for x in some:
            out[name] = x.copy() if out[name] is None else out[name] + x
    return out


def test_a_sum_has_the_same_bits_in_whatever_order_its_pieces_come():
    rng, names = np.random.default_rng(1), list("abcdefg")
    for _ in range(50):
        grads = pieces(rng, parts=4, names=names)
        want, total = in_order(grads, names), GradientSum(names)
        handed = [(i, name) for i in range(4) for name in names if rng.random() < 0.5]
        for i, name in rng.permutation(np.array(handed, object)):
            if grads[i][name] is not None:
                total.add(i, {name: grads[i][name].copy()})
        for i in rng.permutation(4):
            left = {name: None if (i, name) in handed else x
                    for name, x in grads[i].items()}
            total.finish(int(i), left)
        assert total.early == {} and list(total.sums) == names
        for name in names:
            if want[name] is None:
                assert total.sums[name] is None
            else:
                np.testing.assert_array_equal(total.sums[name], want[name])


def test_threads_that_hand_on_at_once_change_no_bit():
    rng, names = np.random.default_rng(2), [f"{i}.w" for i in range(30)]
    grads = pieces(rng, parts=8, names=names)
    want = in_order(grads, names)

    def compute(part, hand_on):
        left = dict(part)
        for name in names[::-1]:
            if part[name] is not None:
                hand_on({name: part[name].copy()})
                left[name] = None
        return 1.0, left

    for threads in (1, 2, 8):
        loss, found = added_up(compute, grads, threads, names)
        assert loss == 8.0 and list(found) == [x for x in names if want[x] is not None]
        for name, x in found.items():
            np.testing.assert_array_equal(x, want[name])


@pytest.mark.parametrize("threads", [1, 2])
def test_an_objective_need_not_hand_on(threads):
    """One that was written with four arguments gives the same gradient."""
    model = stressed(numbert.BertForTokenClassification, config())
    rows = ragged(numbert.BertForTokenClassification, model.config, 8)
    parts = [collate(rows[:4]), collate(rows[4:])]
    plain = LABELS._replace(gradients=lambda model, part, totals, rng:
                            LABELS.gradients(model, part, totals, rng))
    (loss, grads), (want_loss, want) = (
        batch_gradients(model, parts, objective, threads=threads)
        for objective in (plain, LABELS))
    assert loss == want_loss and list(grads) == list(want)
    for name, x in want.items():
        np.testing.assert_array_equal(grads[name], x)
