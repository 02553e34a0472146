"""Padding, and the order of the data."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from common import ids
from numbert.training.batches import collate, epoch_order, in_parts

LENGTHS = (3, 5, 2)


def examples(**more):
    """Examples of three lengths."""
    return [{"input_ids": ids((n,), rng=n).tolist(),
             **{name: make(n) for name, make in more.items()}} for n in LENGTHS]


def test_everything_that_goes_with_tokens_is_padded():
    rows = examples(token_type_ids=np.ones, labels=np.arange, weight=np.ones)
    batch = collate(rows, pad_token_id=9)
    for name, fill in {"input_ids": 9, "token_type_ids": 0, "labels": -100, "weight": 0,
                       "attention_mask": 0}.items():
        assert batch[name].shape == (3, 5)
        for i, n in enumerate(LENGTHS):
            own = rows[i].get(name, np.ones(n))
            assert list(batch[name][i]) == list(own) + [fill] * (5 - n)
    assert batch["input_ids"].dtype.kind == batch["attention_mask"].dtype.kind == "i"


def test_a_mask_of_the_examples_is_kept():
    batch = collate(examples(attention_mask=np.zeros))
    assert not batch["attention_mask"].any()


def test_labels_of_a_text_are_stacked():
    assert collate(examples(labels=lambda n: n))["labels"].tolist() == [3, 5, 2]
    several = collate(examples(labels=lambda n: np.ones(2) * n))["labels"]
    assert several.tolist() == [[3, 3], [5, 5], [2, 2]] and several.dtype == np.float64


def test_choices_are_padded_in_the_last_axis():
    rows = [{"input_ids": np.ones((4, n), int), "labels": 1} for n in LENGTHS]
    batch = collate(rows)
    assert batch["input_ids"].shape == batch["attention_mask"].shape == (3, 4, 5)
    assert batch["attention_mask"].sum(-1).tolist() == [[n] * 4 for n in LENGTHS]


def test_a_multiple_of_a_number():
    rows = examples(labels=np.arange)
    for name, x in collate(rows, pad_to_multiple_of=4).items():
        assert x.shape == (3, 8), name
    assert collate(rows[:1], pad_to_multiple_of=3)["input_ids"].shape == (1, 3)


def test_bad_examples_are_refused():
    with pytest.raises(ValueError, match="no examples"):
        collate([])
    with pytest.raises(ValueError, match="holds labels, expected input_ids"):
        collate([{"labels": 1}])
    with pytest.raises(ValueError, match="example 2 of a batch holds input_ids, exp"):
        collate([*examples(labels=int)[:2], {"input_ids": [1]}])
    with pytest.raises(ValueError, match=r"labels has shapes \[\(1,\), \(2,\)\]"):
        collate([{"input_ids": [1, 2], "labels": [1]},
                 {"input_ids": [1, 2], "labels": [1, 2]}])


@settings(deadline=None)
@given(st.integers(1, 400), st.integers(1, 9), st.integers(0, 9), st.booleans())
def test_an_epoch_goes_through_all_examples_once(count, size, seed, grouped):
    lengths = np.random.default_rng(seed).integers(1, 99, count) if grouped else None
    orders = [epoch_order(count, seed, epoch, lengths, size) for epoch in (0, 1, 0)]
    for order in orders:
        assert sorted(order) == list(range(count))
    assert np.array_equal(orders[0], orders[2])         # a function of its arguments
    if count > 30 and not grouped:
        assert not np.array_equal(orders[0], orders[1])
        assert not np.array_equal(orders[0], epoch_order(count, seed + 1, 0))


def test_grouping_by_length_pads_less_and_keeps_whole_batches_in_random_order():
    lengths = np.random.default_rng(0).integers(1, 100, 3207)

    def padding(order):
        return sum(lengths[order[i:i + 8]].max() * len(order[i:i + 8]) - lengths[
            order[i:i + 8]].sum() for i in range(0, len(order), 8))

    grouped = epoch_order(len(lengths), 1, 0, lengths, 8)
    assert padding(grouped) < 0.05 * padding(epoch_order(len(lengths), 1, 0))
    firsts = lengths[grouped[::8]]
    assert abs(np.corrcoef(firsts[:-1], firsts[1:])[0, 1]) < 0.2


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 50))
def test_parts_of_a_batch_are_nearly_equal_and_never_empty(count, parts):
    found = in_parts(np.arange(count), parts)
    assert np.array_equal(np.concatenate(found), np.arange(count))
    sizes = [len(part) for part in found]
    assert 1 <= min(sizes) >= max(sizes) - 1 and len(sizes) == min(parts, count)


@pytest.mark.parametrize("name", ["labels", "token_type_ids"])
def test_ragged_rows_of_an_example_are_refused(name):
    rows = [{"input_ids": [1, 2], name: [[0, 1], [0, 1]]},
            {"input_ids": [1, 2], name: [[0, 1], [0]]}]
    with pytest.raises(ValueError, match=f"^{name} of example 1 of a batch is ragged, "
                                         "expected rows of one length: pad them"):
        collate(rows)
