"""Tokens, ids and text of BertTokenizer, and back: examples by hand."""

import copy
import pickle

import numpy as np
import tokenizer_cases as cases

from numbert.tokenization import BertTokenizer, BertTokenizerLegacy, view


def make(**settings):
    """A tokenizer of the small vocabulary."""
    return BertTokenizer(dict(cases.VOCAB), **settings)


def test_special_tokens_by_name():
    tokenizer = make()
    assert tokenizer.mask_token == "[MASK]" and tokenizer.mask_token_id == 4
    assert tokenizer.bos_token is None and tokenizer.bos_token_id is None
    assert tokenizer.all_special_ids == [1, 3, 0, 2, 4]
    assert tokenizer.add_special_tokens({"pad_token": "<pad>",
                                         "extra_special_tokens": ["<e>"]}) == 2
    assert tokenizer.pad_token_id == len(cases.VOCAB)
    assert tokenizer.extra_special_tokens == ["<e>"]
    assert tokenizer.extra_special_tokens_ids == [len(cases.VOCAB) + 1]
    assert tokenizer("a", padding="max_length", max_length=4)["input_ids"][3] == len(
        cases.VOCAB)
    tokenizer.bos_token_id = 5
    assert tokenizer.bos_token == "a"
    named = make(extra_special_tokens={"image_token": "<img>"})
    assert named.image_token == "<img>" and named.image_token_id == len(cases.VOCAB)
    # HF: what rows are built with is settled when the tokenizer is made.
    tokenizer.cls_token = "b"
    assert tokenizer("a")["input_ids"] == [2, 5, 3]
    assert make(cls_token="b")("a")["input_ids"] == [6, 5, 3]


def test_decoding():
    tokenizer = make()
    ids = tokenizer("Hello, unaffable world! don't do not [MASK]")["input_ids"]
    assert tokenizer.decode(ids) == (
        "[CLS] hello, unaffable world! don ' t do not [MASK] [SEP]")
    assert tokenizer.decode(ids, skip_special_tokens=True,
                            clean_up_tokenization_spaces=True) == (
        "hello, unaffable world! don't do not")
    assert tokenizer.decode([9, 8, 8]) == "##baa"
    assert tokenizer.decode([5, 99999]) == "a"
    assert tokenizer.decode([[5], [6]]) == ["a", "b"] == tokenizer.batch_decode(
        np.array([[5], [6]]))
    assert tokenizer.batch_decode([5, 6]) == ["a b"] and tokenizer.decode(5) == "a"
    assert tokenizer.decode({"input_ids": [5]}) == "a" and tokenizer.decode([]) == ""
    assert tokenizer.convert_tokens_to_string(["a", "##b", "!"]) == "ab!"
    assert tokenizer.convert_tokens_to_string(["a", "do not"]) == "a don't"
    capital = [5, cases.VOCAB["Hello"]]
    assert tokenizer.decode(capital) == "a Hello"
    tokenizer.add_tokens(["Hello"])          # HF: found, and shown, in lower case
    assert tokenizer.decode(capital) == "a hello"


def test_ids_of_numpy_are_ids(tmp_path):
    vocab = {piece: np.int64(i) for piece, i in cases.VOCAB.items()}
    for tokenizer in (BertTokenizer(vocab), BertTokenizerLegacy(vocab)):
        assert tokenizer.get_vocab() == cases.VOCAB
        assert {type(i) for i in tokenizer.get_vocab().values()} == {int}
        tokenizer.save_pretrained(tmp_path)             # int64 is no number of JSON
    ids = [np.int64(5), np.int64(6)]
    assert tokenizer(ids)["input_ids"] == [2, 5, 6, 3]
    assert tokenizer([(ids, ids)])["input_ids"] == [[2, 5, 6, 3, 5, 6, 3]]


def test_conversions():
    tokenizer = make()
    assert tokenizer.convert_tokens_to_ids("a") == 5
    assert tokenizer.convert_tokens_to_ids(["a", "stranger"]) == [5, 1]
    assert tokenizer.convert_ids_to_tokens(5) == "a"
    assert tokenizer.convert_ids_to_tokens(np.array([5, 999])) == ["a", None]
    assert tokenizer.convert_ids_to_tokens([2, 5], skip_special_tokens=True) == ["a"]
    assert tokenizer.get_vocab() == cases.VOCAB == tokenizer.vocab
    assert tokenizer.vocab_size == len(tokenizer) == len(cases.VOCAB)
    assert tokenizer.get_added_vocab()["[CLS]"] == 2
    mask = tokenizer.get_special_tokens_mask([2, 5, 4], already_has_special_tokens=True)
    assert mask == [1, 0, 1]
    assert tokenizer.num_special_tokens_to_add(pair=True) == 3
    assert make(model_max_length=9).max_len_single_sentence == 7
    assert make(model_max_length=9).max_len_sentences_pair == 6
    assert tokenizer.encode("a", "b") == [2, 5, 3, 6, 3]
    assert tokenizer.tokenize("unaffable", pair="a") == ["un", "##aff", "##able", "a"]
    assert tokenizer.tokenize("a", add_special_tokens=True) == ["[CLS]", "a", "[SEP]"]
    assert "vocab_size=" in repr(tokenizer)


def test_copies():
    tokenizer = make()
    tokenizer.add_tokens(["<new>"])
    before = dict(tokenizer("a <new> b"))
    for copied in (copy.deepcopy(tokenizer), pickle.loads(pickle.dumps(tokenizer))):
        assert dict(copied("a <new> b")) == before
        copied.add_tokens(["a b"])
        assert dict(tokenizer("a <new> b")) == before


def test_the_view():
    tokenizer = make()
    table = view.table(tokenizer, "Unaffable a\u200bb [MASK]").splitlines()
    assert [line.split() for line in table[2:7]] == [
        [], ["un", "14", "0-2", "Un"], ["##aff", "15", "2-5", "aff"],
        ["##able", "16", "5-9", "able"], []]
    assert "zz<U+200B>z" in view.table(tokenizer, "zz\u200bz")
    stages = view.explain(tokenizer, "É a")
    assert "accents  E␣a" in stages and "pieces   e a" in stages
