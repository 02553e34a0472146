"""Bad input: one clear Python exception each, raised before any work is done."""

import re

import numpy as np
import pytest
import tokenizer_cases as cases

from numbert.tokenization import AddedToken, BertTokenizer, BertTokenizerLegacy, view


def make(**settings):
    return BertTokenizer(dict(cases.VOCAB), **settings)


BAD_TEXTS = [
    # what is passed, the exception, what its message names
    ((None,), ValueError, "nothing to encode"),
    ((3,), TypeError, "text must be a string, got 3 (int)"),
    ((b"bytes",), TypeError, "text must be a string"),
    (({"a": 1},), TypeError, "text must be a string"),
    (([],), ValueError, "The batch is empty"),
    (((),), ValueError, "The batch is empty"),
    (([3],), TypeError, "text[0] must be a string or a pair of them, got 3"),
    ((["a", None],), TypeError, "text[1] must be a string"),
    (([["a", "b", "c"]],), TypeError, "text[0] must be a string or a pair"),
    (([("a", 3)],), TypeError, "text[0][1] must be a string"),
    (([("a", "b"), ("c",)],), TypeError, "text[1] must be"),
    (("a", ["b"]), TypeError, "text_pair must be a string"),
    (("a", 3), TypeError, "text_pair must be a string"),
    ((["a"], "b"), TypeError, "so text_pair must be a list of as many"),
    ((["a"], ["b", "c"]), ValueError, "as many samples, got 1 and 2"),
    ((["a"], [None]), TypeError, "text_pair[0] must be a string"),
    (([("a", "b")], ["c"]), TypeError, "text[0] must be a string"),
    (("\ud800",), TypeError, "half a surrogate pair"),
    ((["fine", "x\udfffy"],), TypeError, "half a surrogate pair"),
]


@pytest.mark.parametrize("texts, kind, message", BAD_TEXTS)
def test_bad_texts(texts, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        make()(*texts)


@pytest.mark.parametrize("texts, kind, message", [
    (("a b",), TypeError, "text must be a list of words"),
    ((["a", 3],), TypeError, "text must be a list of words"),
    (([["a"], "b"],), TypeError, "text[1] must be a list of words"),
    (([["a"], [["b"], ["c"], ["d"]]],), TypeError, "text[1] must be a list of words"),
    ((["a"], "b"), TypeError, "text_pair must be a list of words"),
    (([["a"]], [["b"], ["c"]]), ValueError, "as many samples, got 1 and 2")])
def test_bad_words(texts, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        make()(*texts, is_split_into_words=True)


@pytest.mark.parametrize("named, kind, message", [
    (dict(padding="foo"), ValueError, "padding must be True, False or one of longest"),
    (dict(padding=3), ValueError, "padding must be"),
    (dict(truncation="foo"), ValueError, "truncation must be True, False or one of"),
    (dict(padding_side="up"), ValueError, "padding_side must be 'right' or 'left'"),
    (dict(return_tensors="tf"), ValueError, "return_tensors must be 'np'"),
    (dict(return_tensors=3), ValueError, "return_tensors must be 'np'"),
    (dict(truncation=True, max_length=-1), ValueError, "max_length must be 0 or more"),
    (dict(max_length=2.5), TypeError, "max_length must be an integer, got 2.5"),
    (dict(max_length="9"), TypeError, "max_length must be an integer"),
    (dict(max_length=5, stride=-1), ValueError, "stride must be 0 or more"),
    (dict(stride=None), TypeError, "stride must be an integer"),
    (dict(padding=True, pad_to_multiple_of=-4), ValueError, "pad_to_multiple_of must"),
    (dict(max_length=1), ValueError, "max_length=1 has no room for the 2 special"),
    (dict(max_length=5, stride=4), ValueError, "stride=4 is too large for"),
    (dict(max_length=4, stride=2), ValueError, "stride=2 is not less than the number"),
    (dict(truncation="only_second", max_length=4), ValueError, "a second text"),
    (dict(truncation=True, padding="max_length", max_length=6, pad_to_multiple_of=4),
     ValueError, "max_length=6 is not a multiple of pad_to_multiple_of=4"),
    (dict(pad_to_max_length=True), TypeError, "pad_to_max_length")])
@pytest.mark.parametrize("batch", [False, True])
def test_bad_arguments(named, kind, message, batch):
    text = "a b c a b c"
    with pytest.raises(kind, match=re.escape(message)):
        make()([text] * 9 if batch else text, **named)


def test_a_pair_that_cant_be_cut():
    with pytest.raises(ValueError, match="3 must go, but that text has only 1"):
        make()("a b c a b", "c", truncation="only_second", max_length=6)
    with pytest.raises(ValueError, match="max_length=2 has no room for the 3 special"):
        make()("a", "b", truncation=True, max_length=2)


def test_an_error_leaves_the_tokenizer_as_it_was():
    tokenizer = make()
    before = dict(tokenizer("a b", "c"))
    for named in ({"max_length": 1}, {"truncation": "only_second", "max_length": 3}):
        with pytest.raises(ValueError):
            tokenizer("a b c", **named)
    assert dict(tokenizer("a b", "c")) == before


def test_rows_that_make_no_tensor():
    pytest.importorskip("torch")
    with pytest.raises(ValueError, match="pass padding=True"):
        make()(["a", "a b"], return_tensors="pt")


def test_torch_tensors():
    torch = pytest.importorskip("torch")
    for texts in ("a b", ["a", "b"] * 9):
        batch = make()(texts, return_tensors="pt", return_offsets_mapping=True,
                       return_length=True)
        assert all(value.dtype == torch.int64 for value in batch.values())
        assert batch["input_ids"].ndim == 2
    assert batch.to("cpu")["input_ids"].device.type == "cpu"
    assert make().decode(torch.tensor([5, 6])) == "a b"
    assert make().pad([{"input_ids": torch.tensor([2])},
                       {"input_ids": torch.tensor([2, 3])}])["input_ids"].tolist() == [
        [2, 0], [2, 3]]


def test_torch_tensors_without_torch(monkeypatch):
    import sys
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r"pip install numbert\[torch\]"):
        make()("a", return_tensors="pt")


def test_padding_without_a_pad_token():
    tokenizer = make(pad_token=None)
    assert tokenizer("a")["input_ids"] == [2, 5, 3]
    for pad in (lambda: tokenizer("a", padding=True),
                lambda: tokenizer.pad({"input_ids": [1]})):
        with pytest.raises(ValueError, match="add_special_tokens"):
            pad()


@pytest.mark.parametrize("inputs, kind, message", [
    ({"a": [1]}, ValueError, "pad() needs 'input_ids'; it was given ['a']"),
    ([], ValueError, "pad() needs 'input_ids'"),
    ([3], TypeError, "a list of int"),
    ({"input_ids": "abc"}, TypeError, "input_ids must be a list"),
    ({"input_ids": [[1], [2]], "labels": [[1]]}, ValueError, "but labels has 1")])
def test_bad_rows_to_pad(inputs, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        make().pad(inputs)


@pytest.mark.parametrize("ids, kind, message", [
    ([-1], OverflowError, "0 or more, got -1"),
    ([1.5], TypeError, "an integer, got 1.5"),
    ("hello", TypeError, "an integer, got 'hello'"), ([None], TypeError, "got None")])
def test_bad_ids(ids, kind, message):
    for decode in (make().decode, make().batch_decode):
        with pytest.raises(kind, match=re.escape(message)):
            decode(ids)
    with pytest.raises((kind, TypeError)):
        make().convert_ids_to_tokens(ids)


@pytest.mark.parametrize("named, kind, message", [
    (dict(padding_side="x"), ValueError, "padding_side must be"),
    (dict(truncation_side="x"), ValueError, "truncation_side must be"),
    (dict(cls_token=5), TypeError, "cls_token must be a str or an AddedToken, got 5"),
    (dict(cls_token=None), ValueError, "cls_token is None"),
    (dict(unk_token=None), ValueError, "unk_token is None"),
    (dict(extra_special_tokens="x"), TypeError, "extra_special_tokens must be a list"),
    (dict(extra_special_tokens=[3]), TypeError, "extra_special_tokens must be a str")])
def test_bad_settings(named, kind, message):
    with pytest.raises(kind, match=message):
        make(**named)


@pytest.mark.parametrize("name, values, wanted", [
    ("do_lower_case", ("yes", 1, None), "True or False, got"),
    ("tokenize_chinese_chars", ("no", 0, None), "True or False, got"),
    ("do_basic_tokenize", ("no", 0, None), "True or False, got"),
    ("strip_accents", ("no", 0), "True, False or None, got"),
    ("clean_up_tokenization_spaces", ("no", 0), "True or False|True, False or None"),
    ("split_special_tokens", ("no", 0), "True, False or None, got"),
    ("model_max_length", ("x", 2.5, True, float("inf"), [5]), "an integer .* None")])
def test_settings_of_another_type(name, values, wanted):
    for tokenizer in (BertTokenizer, BertTokenizerLegacy):
        if name == "do_basic_tokenize" and tokenizer is BertTokenizer:
            continue                            # kept there, but it means nothing
        for value in values:
            with pytest.raises(TypeError, match=f"{name} must be ({wanted})") as error:
                tokenizer(dict(cases.VOCAB), **{name: value})
            assert repr(value) in str(error.value)


def test_settings_of_the_right_type():
    for tokenizer in (BertTokenizer, BertTokenizerLegacy):
        made = tokenizer(dict(cases.VOCAB), model_max_length=np.int64(7),
                         strip_accents=None, split_special_tokens=None)
        assert made.model_max_length == 7 and made.split_special_tokens is False
        assert tokenizer(dict(cases.VOCAB), model_max_length=None
                         ).model_max_length == int(1e30)


@pytest.mark.parametrize("more", [0, 30_000], ids=["few", "many"])
def test_half_a_surrogate_pair_is_placed(more):
    fine, bad = "fine " + "x " * more, "xy\ud800"
    for texts, name in (((bad,), "text"), ((fine, bad), "text_pair"),
                        (([fine, bad],), "text[1]"),
                        (([fine, fine], [fine, bad]), "text_pair[1]")):
        with pytest.raises(TypeError, match=re.escape(f"character 2 of {name} is")):
            make()(*texts)
    with pytest.raises(TypeError, match=re.escape("character 2 of text[1][2] is")):
        make()([[fine], ["a", "b", bad]], is_split_into_words=True)


@pytest.mark.parametrize("vocab, kind, message", [
    (["a"], TypeError, "vocab must be a dict of token -> id or the path"),
    ({"a": "b"}, TypeError, "maps 'a' to 'b'"),
    ({1: 1}, TypeError, "maps 1 to 1"),
    ({"a": -1}, ValueError, "the id of 'a' is -1"),
    ({"a": 1, "b": 1}, ValueError, "'a' and 'b' have the same id, 1"),
    ("/absent/vocab.txt", FileNotFoundError, "absent")])
def test_bad_vocabularies(vocab, kind, message):
    for tokenizer in (BertTokenizer, BertTokenizerLegacy):
        with pytest.raises(kind, match=message):
            tokenizer(vocab)


def test_bad_tokens():
    tokenizer = make()
    with pytest.raises(TypeError, match="a token must be a str .* got 5"):
        tokenizer.add_tokens([5])
    with pytest.raises(ValueError, match="'foo' is no special token; the names are"):
        tokenizer.add_special_tokens({"foo": "x"})
    with pytest.raises(TypeError, match="pad_token must be"):
        tokenizer.add_special_tokens({"pad_token": 5})
    with pytest.raises(TypeError, match="must be a list"):
        tokenizer.add_special_tokens({"extra_special_tokens": "x"})
    with pytest.raises(TypeError, match="must be a list of tokens"):
        tokenizer.extra_special_tokens = "x"
    with pytest.raises(TypeError, match="content"):
        AddedToken(5)
    assert tokenizer.get_vocab() == cases.VOCAB


@pytest.mark.parametrize("name, hint", [
    ("encode_plus", "call the tokenizer itself"),
    ("batch_encode_plus", "call the tokenizer itself with a list"),
    ("build_inputs_with_special_tokens", "BertTokenizerLegacy"),
    ("truncate_sequences", "truncation"), ("prepare_for_model", "call the tokenizer"),
    ("create_token_type_ids_from_sequences", "BertTokenizerLegacy"),
    ("additional_special_tokens", "extra_special_tokens"),
    ("backend_tokenizer", "no Rust"), ("nonsense", "no attribute")])
def test_what_is_not_there(name, hint):
    with pytest.raises(AttributeError, match=hint):
        getattr(make(), name)


def test_special_tokens_mask_of_ids_without_them():
    with pytest.raises(NotImplementedError, match="already_has_special_tokens=True"):
        make().get_special_tokens_mask([5])
    for tokenizer in (make(), BertTokenizerLegacy(dict(cases.VOCAB))):
        with pytest.raises(ValueError, match="token_ids_1 must be None"):
            tokenizer.get_special_tokens_mask([5], [6], already_has_special_tokens=True)


def test_lookups_out_of_range():
    batch = make()("a b")
    with pytest.raises(IndexError, match="token index 9 .* the row has 4 tokens"):
        batch.token_to_word(9)
    with pytest.raises(IndexError, match="sequence_index=1, but the row holds 1"):
        batch.char_to_token(0, 0, 1)
    with pytest.raises(IndexError):
        batch.tokens(3)
    with pytest.raises(KeyError):
        batch["nonsense"]
    with pytest.raises(AttributeError, match="this one holds input_ids"):
        batch.nonsense
    legacy = BertTokenizerLegacy(dict(cases.VOCAB))("a")
    with pytest.raises(ValueError, match="needs a batch made by BertTokenizer"):
        legacy.word_ids()
    with pytest.raises(KeyError, match="0"):
        legacy[0]


def test_view_of_no_text():
    for show in (view.table, view.explain):
        with pytest.raises(TypeError):
            show(make(), 5)


@pytest.mark.parametrize("texts, kind", [
    (([],), ValueError), ((3,), TypeError), ((["a"], "b"), ValueError),
    (([["a", "b", "c"]],), ValueError), (("a", 5), TypeError)])
def test_bad_texts_legacy(texts, kind):
    with pytest.raises(kind):
        BertTokenizerLegacy(dict(cases.VOCAB))(*texts)


def test_bad_arguments_legacy():
    tokenizer = BertTokenizerLegacy(dict(cases.VOCAB))
    with pytest.raises(ValueError, match="'longest_first' has no overflow"):
        tokenizer("a", "b", truncation=True, max_length=9,
                  return_overflowing_tokens=True)
    with pytest.raises(NotImplementedError, match="no offsets"):
        tokenizer("a", return_offsets_mapping=True)
