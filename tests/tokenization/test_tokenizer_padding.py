"""Padding of rows that were encoded earlier: `tokenizer.pad`."""

import re

import numpy as np
import pytest
import tokenizer_cases as cases

from numbert.tokenization import BatchEncoding, BertTokenizer


def make(**settings):
    """A tokenizer of the small vocabulary."""
    return BertTokenizer(dict(cases.VOCAB), **settings)


def test_pad_later():
    tokenizer = make()
    rows = [dict(tokenizer("a")), dict(tokenizer("a b"))]
    padded = tokenizer.pad(rows, return_tensors="np")
    assert padded["input_ids"].tolist() == [[2, 5, 3, 0], [2, 5, 6, 3]]
    assert padded["attention_mask"].tolist() == [[1, 1, 1, 0], [1, 1, 1, 1]]
    one = tokenizer.pad({"input_ids": [2, 3], "labels": [7]}, padding="max_length",
                        max_length=4, padding_side="left")
    assert one["input_ids"] == [0, 0, 2, 3] and one["labels"] == [7]
    arrays = tokenizer.pad({"input_ids": [np.array([2]), np.array([2, 3])]})
    assert arrays["input_ids"].tolist() == [[2, 0], [2, 3]]
    assert tokenizer.pad({"input_ids": []}) == {"input_ids": [], "attention_mask": []}


# What else a row may hold passes as it is: (rows, what transformers 5.24 returns).
OTHERS = [
    ([{"input_ids": [2, 3], "text": "ab"}, {"input_ids": [2], "text": "c"}],
     {"input_ids": [[2, 3], [2, 0]], "text": ["ab", "c"],
      "attention_mask": [[1, 1], [1, 0]]}),
    ([{"input_ids": [2, 3], "note": None}, {"input_ids": [2], "note": {"a": 1}}],
     {"input_ids": [[2, 3], [2, 0]], "note": [None, {"a": 1}],
      "attention_mask": [[1, 1], [1, 0]]}),
    ({"input_ids": [[2, 3], [2]], "offset_mapping": [[(0, 1), (1, 2)], [(0, 1)]],
      "score": [.5, .25]},
     {"input_ids": [[2, 3], [2, 0]], "offset_mapping": [[(0, 1), (1, 2)], [(0, 1)]],
      "score": [.5, .25], "attention_mask": [[1, 1], [1, 0]]}),
    ({"input_ids": [2, 3], "text": "ab", "note": None, "words": ("a", "b")},
     {"input_ids": [2, 3], "text": "ab", "note": None, "words": ("a", "b"),
      "attention_mask": [1, 1]})]


@pytest.mark.parametrize("rows, want", OTHERS)
def test_other_columns_pass_as_they_are(rows, want):
    got = make().pad(rows)
    assert dict(got) == want and repr(got) == repr(want)       # tuples stay tuples


def test_other_columns_in_transformers():
    transformers = pytest.importorskip("transformers")
    other = transformers.BertTokenizer(dict(cases.VOCAB))
    for rows, want in OTHERS:
        assert dict(other.pad(rows)) == want


def test_arrays_of_other_columns():
    rows = [{"input_ids": np.array([2, 3]), "vector": np.array([.5, 1.5]), "text": "x"},
            {"input_ids": np.array([2]), "vector": np.array([2.5, .25]), "text": "yz"}]
    got = make().pad(rows)
    assert got["vector"].tolist() == [[.5, 1.5], [2.5, .25]]
    assert got["text"].tolist() == ["x", "yz"]
    kept = make().pad([{"input_ids": [2], "vector": rows[0]["vector"]}])
    assert kept["vector"][0] is rows[0]["vector"]              # ids are lists: all stay


@pytest.mark.parametrize("rows, kind, message", [
    ([{"input_ids": [2], "x": 1}, {"input_ids": [2]}], ValueError,
     "row 1 of encoded_inputs has no 'x', expected the keys of row 0: "),
    ([{"input_ids": [2]}, None], TypeError, "encoded_inputs[1] is None, expected an"),
    ({"input_ids": [[2], 3]}, TypeError,
     "input_ids[1] is 3, expected a list of numbers"),
    ({"input_ids": [2, "b"]}, TypeError,
     "input_ids is [2, 'b'], expected a list of numbers"),
    ({"input_ids": [[2], None]}, TypeError, "input_ids[1] is None, expected a list"),
    ({"input_ids": [2, 3], "attention_mask": None}, TypeError,
     "attention_mask is None, expected a list of numbers"),
    ({"input_ids": [[2]], "token_type_ids": "a"}, TypeError,
     "token_type_ids[0] is 'a', expected a list of numbers"),
    ({"input_ids": [[2], [3]], "text": 5}, TypeError,
     "text is 5, expected 2 rows as in input_ids: pass one for each row")])
def test_what_can_not_be_padded(rows, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        make().pad(rows)


# ------------------------------------------------------------------- arrays and tensors

def test_floats_become_float32_in_torch():
    torch = pytest.importorskip("torch")
    data = {"a": [.5, 1.5], "b": [[1, 2]], "c": [True], "d": [[0.]], "e": 1.5,
            "f": np.array([.5]), "g": [np.array([.5])],
            "h": np.array([.5], np.float32), "i": [], "j": [[]]}
    got = BatchEncoding(data, tensor_type="pt")
    assert {name: value.dtype for name, value in got.items()} == {
        "a": torch.float32, "b": torch.int64, "c": torch.bool, "d": torch.float32,
        "e": torch.float32, "f": torch.float64, "g": torch.float64,
        "h": torch.float32, "i": torch.int64, "j": torch.int64}
    arrays = BatchEncoding(data, tensor_type="np")
    assert arrays["a"].dtype == arrays["d"].dtype == np.float64
    rows = [{"input_ids": [2], "score": .5}, {"input_ids": [2], "score": .25}]
    assert make().pad(rows, return_tensors="pt")["score"].dtype == torch.float32
    transformers = pytest.importorskip("transformers")
    del data["e"]                                   # it takes no single number
    other = transformers.BatchEncoding(data, tensor_type="pt")
    for name, value in other.items():
        assert got[name].dtype == value.dtype and got[name].shape == value.shape, name


def test_text_is_no_tensor():
    pytest.importorskip("torch")
    rows = [{"input_ids": [2], "text": "a"}, {"input_ids": [2], "text": "b"}]
    with pytest.raises(ValueError, match="text holds text, expected numbers for"):
        make().pad(rows, return_tensors="pt")
    with pytest.raises(ValueError, match="note holds None, expected numbers for"):
        BatchEncoding({"note": [None]}, tensor_type="pt")
