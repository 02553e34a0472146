"""Decoding ids in every form: lists, arrays, tensors, and lists of these."""

import numpy as np
import pytest
import tokenizer_cases as cases

from numbert.tokenization import BertTokenizer, BertTokenizerLegacy

TOKENIZERS = [BertTokenizer(dict(cases.VOCAB)),
              BertTokenizerLegacy(dict(cases.VOCAB))]


def unequal_rows():
    """An array of arrays, as return_tensors="np" makes of unequal rows."""
    rows = np.empty(2, object)
    rows[0], rows[1] = np.array([5, 6]), np.array([7])
    return rows


def forms(as_tensor):
    """(ids, what decode returns, what batch_decode returns), given np.array or torch's.
    """
    return [
        ([as_tensor(5), as_tensor(6)], "a b", ["a b"]),
        ([as_tensor([5, 6]), as_tensor([7])], ["a b", "c"], ["a b", "c"]),
        ([[as_tensor(5), as_tensor(6)], [as_tensor(7)]], ["a b", "c"], ["a b", "c"]),
        (as_tensor([[5, 6], [7, 8]]), ["a b", "ca"], ["a b", "ca"]),
        (as_tensor([5, 6]), "a b", ["a b"]), (as_tensor(5), "a", None),
        (as_tensor([]), "", []), ([as_tensor([])], [""], [""])]


FORMS = forms(lambda ids: np.array(ids, np.int64)) + [
    ([], "", []), ([[]], [""], [""]), ([[], [5]], ["", "a"], ["", "a"]),
    (np.zeros((0, 3), int), "", []), (np.zeros((2, 0), int), ["", ""], ["", ""]),
    ([np.int64(5), np.int32(6)], "a b", ["a b"]), ((5, 6), "a b", ["a b"]),
    ([(5, 6), (7,)], ["a b", "c"], ["a b", "c"]), (range(5, 7), "a b", ["a b"]),
    (unequal_rows(), ["a b", "c"], ["a b", "c"])]


def check(decoder, ids, one, many):
    assert decoder.decode(ids) == one
    if many is not None:            # transformers takes no single id there
        assert decoder.batch_decode(ids) == many


@pytest.mark.parametrize("ids, one, many", FORMS)
@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=["fast", "legacy"])
def test_ids_in_every_form(tokenizer, ids, one, many):
    check(tokenizer, ids, one, many)


@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=["fast", "legacy"])
def test_torch_ids_in_every_form(tokenizer):
    torch = pytest.importorskip("torch")
    for ids, one, many in forms(lambda ids: torch.tensor(ids, dtype=torch.int64)):
        check(tokenizer, ids, one, many)


def test_the_same_in_transformers():
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    other = transformers.BertTokenizer(dict(cases.VOCAB))
    for ids, one, many in FORMS + forms(lambda x: torch.tensor(x, dtype=torch.int64)):
        if getattr(ids, "dtype", None) == object:   # a list of arrays fails there
            one = None
        if one is not None:
            assert other.decode(ids) == one
        if many is not None:
            assert other.batch_decode(ids) == many


@pytest.mark.parametrize("ids", [
    [5, [6]], [True], [5.0], np.array([5.0]), "5", ["5"], None, {"a": [5]},
    {5: 6}, [[5], "a"]])
def test_what_is_no_id(ids):
    for tokenizer in TOKENIZERS:
        for decode in (tokenizer.decode, tokenizer.batch_decode):
            with pytest.raises(TypeError, match="a token id is .*, expected a whole"):
                decode(ids)


@pytest.mark.parametrize("ids", [
    [np.array([5, 6])], np.array([[5, 6]]), [[5]], [True], {"a": 5}])
def test_what_has_no_token(ids):
    for tokenizer in TOKENIZERS:
        with pytest.raises(TypeError, match="a token id is .*, expected a whole"):
            tokenizer.convert_ids_to_tokens(ids)
