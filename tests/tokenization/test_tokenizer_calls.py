"""Calls of BertTokenizer and what they return: examples by hand."""

import pickle

import numpy as np
import pytest
import tokenizer_cases as cases

from numbert.tokenization import BatchEncoding, BertTokenizer, BertTokenizerFast


def make(**settings):
    """A tokenizer of the small vocabulary."""
    return BertTokenizer(dict(cases.VOCAB), **settings)


def test_one_text():
    batch = make()("Hello, unaffable world!")
    assert batch.tokens() == ["[CLS]", "hello", ",", "un", "##aff", "##able", "world",
                              "!", "[SEP]"]
    assert batch["input_ids"] == [cases.VOCAB[token] for token in batch.tokens()]
    assert batch["token_type_ids"] == [0] * 9 and batch.attention_mask == [1] * 9
    assert BertTokenizerFast is BertTokenizer


def test_a_pair():
    batch = make()("a b", "c", return_special_tokens_mask=True)
    assert batch.tokens() == ["[CLS]", "a", "b", "[SEP]", "c", "[SEP]"]
    assert batch["token_type_ids"] == [0, 0, 0, 0, 1, 1]
    assert batch["special_tokens_mask"] == [1, 0, 0, 1, 0, 1]
    assert batch.sequence_ids() == [None, 0, 0, None, 1, None]
    assert batch.n_sequences == 2 and batch[0].n_sequences == 2
    many = make()(["a"] * 20 + [("a", "b")])
    assert many[0].n_sequences == 1 and many[20].n_sequences == 2


def test_empty_second_texts():
    tokenizer = make()
    assert tokenizer("a", "")["input_ids"] == tokenizer("a")["input_ids"]
    assert tokenizer(["a"], [""]).tokens() == ["[CLS]", "a", "[SEP]", "[SEP]"]


def test_a_batch_of_two_is_no_pair():
    assert len(make()(("a", "c"))["input_ids"]) == 2
    assert len(make()([("a", "c")])["input_ids"]) == 1


def test_padding_sides_and_multiples():
    tokenizer = make()
    right = tokenizer(["a", "a b c"], padding=True)
    assert right["input_ids"][0] == [2, 5, 3, 0, 0]
    assert right["attention_mask"][0] == [1, 1, 1, 0, 0]
    left = tokenizer(["a", "a b c"], padding=True, padding_side="left",
                     pad_to_multiple_of=4, return_tensors="np")
    assert left["input_ids"].tolist() == [[0, 0, 0, 0, 0, 2, 5, 3],
                                          [0, 0, 0, 2, 5, 6, 7, 3]]
    assert left["input_ids"].dtype == np.int64
    wide = tokenizer("a", padding="max_length", max_length=6)
    assert wide["input_ids"] == [2, 5, 3, 0, 0, 0] and wide.word_ids()[3:] == [None] * 3


def test_windows_overlap_by_stride():
    batch = make()("a b c a b c a", truncation=True, max_length=5, stride=1,
                   return_overflowing_tokens=True, return_offsets_mapping=True)
    assert batch["input_ids"] == [[2, 5, 6, 7, 3], [2, 7, 5, 6, 3], [2, 6, 7, 5, 3]]
    assert batch["overflow_to_sample_mapping"] == [0, 0, 0]
    assert batch["offset_mapping"][1][1:4] == [(4, 5), (6, 7), (8, 9)]
    assert [len(row) for row in batch[0].overflowing] == [5, 5]
    assert batch[1].overflowing == []


def test_rows_without_room_overflow_whole():
    """HF: and that overflow, longer than the rows, does not widen the padding."""
    batch = make()("a b", max_length=2, truncation=True, padding=True,
                   return_overflowing_tokens=True)
    assert batch["input_ids"] == [[2, 3], [2, 5, 6, 3]]


@pytest.mark.parametrize("strategy, left, right", [
    ("longest_first", 4, 4), ("only_first", 2, 6), ("only_second", 7, 1)])
def test_what_a_pair_loses(strategy, left, right):
    row = make()("a b c a b c a", "a b c a b c", truncation=strategy, max_length=11)[0]
    assert row.sequence_ids.count(0) == left and row.sequence_ids.count(1) == right


def test_words_that_are_split_already():
    batch = make()(["hello", "", "unaffable world", "[MASK]"], is_split_into_words=True,
                   return_offsets_mapping=True)
    assert batch.word_ids() == [None, 0, 2, 2, 2, 2, 3, None]
    assert batch["offset_mapping"][2:6] == [(0, 2), (2, 5), (5, 9), (10, 15)]


def test_from_tokens_to_characters_and_back():
    batch = make()(["a unaffable", "b c"], ["hello a", "c"], padding=True)
    assert batch.token_to_chars(0, 3) == (4, 7)
    assert batch.token_to_chars(0, 3).start == 4
    assert batch.token_to_chars(0, 0) is None
    assert batch.token_to_word(0, 4) == 1 and batch.token_to_sequence(0, 6) == 1
    assert batch.token_to_word(-2) == batch.token_to_word(0, -2) == 1
    assert batch.char_to_token(0, 5) == 3 and batch.char_to_token(0, 1) is None
    assert batch.char_to_token(0, 6, 1) == 7 and batch.char_to_word(1, 0, 1) == 0
    assert batch.word_to_tokens(0, 1) == (2, 5)
    assert batch.word_to_tokens(0, 1).end == 5
    assert batch.word_to_chars(0, 1) == (2, 11) and batch.word_to_chars(0, 9) is None


def test_a_batch_encoding_is_a_dict():
    batch = make()(["a", "b"])
    assert set(batch) == {"input_ids", "token_type_ids", "attention_mask"}
    assert {**batch} == dict(batch.items()) and "input_ids" in batch
    assert batch[1].ids == [2, 6, 3]
    assert [row.ids for row in batch[0:2]] == batch.input_ids
    again = pickle.loads(pickle.dumps(batch))
    assert again == batch and again[1].tokens == ["[CLS]", "b", "[SEP]"]
    loose = BatchEncoding({"input_ids": [[1, 2], [3, 4]]}, tensor_type="np")
    assert loose["input_ids"].shape == (2, 2)
    assert loose[0:1]["input_ids"].shape == (1, 2)
    assert not loose.is_fast and batch.is_fast
    row = BatchEncoding({"x": [1]}, tensor_type="np", prepend_batch_axis=True)
    assert row["x"].shape == (1, 1)


def test_rows_of_unequal_length_make_an_array_of_arrays():
    batch = make()(["a", "a b"], return_tensors="np", return_offsets_mapping=True)
    assert batch["input_ids"].dtype == object and batch["input_ids"].shape == (2,)
    assert batch["offset_mapping"][1].shape == (4, 2)


def test_labels():
    batch = make()("a b", text_target="c", max_target_length=2)
    assert batch["labels"] == [2, 7, 3]
    cut = make()("a b c", text_target="c a", truncation=True, max_length=9,
                 max_target_length=3)
    assert cut["labels"] == [2, 7, 3] and len(cut["input_ids"]) == 5
    assert make()(text_target="c")["input_ids"] == [2, 7, 3]
    assert make()("a b c", tokenizer_kwargs={"max_length": 3})["input_ids"] == [2, 5, 3]


def test_a_long_row_warns_once():
    tokenizer = make(model_max_length=4)
    with pytest.warns(UserWarning, match="5 tokens is longer than the model's .* of 4"):
        tokenizer("a b c")
    tokenizer("a b c")           # a second warning would be an error here
    make(model_max_length=4)("a b c", verbose=False)
    make(model_max_length=4)("a b c", truncation=True)
