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
    ((None,), ValueError, "text is None, expected a text: pass one"),
    ((3,), TypeError, "text is 3, expected a str: pass one"),
    ((b"bytes",), TypeError, "text is b'bytes', expected a str: pass one"),
    (({"a": 1},), TypeError, "text is {'a': 1}, expected a str"),
    (([],), ValueError, "text is [], expected at least one text: pass"),
    (((),), ValueError, "text is (), expected at least one text: pass"),
    (([3],), TypeError, "text[0] is 3, expected a str or a pair of them: correct it"),
    ((["a", None],), TypeError, "text[1] is None, expected a str or a pair"),
    (([["a", "b", "c"]],), TypeError,
     "text[0] is ['a', 'b', 'c'], expected a str or a pair"),
    (([("a", 3)],), TypeError, "text[0][1] is 3, expected a str"),
    (([("a", "b"), ("c",)],), TypeError, "text[1] is ('c',), expected a str or"),
    (("a", ["b"]), TypeError, "text_pair is ['b'], expected a str: pass one"),
    (("a", 3), TypeError, "text_pair is 3, expected a str"),
    ((["a"], "b"), TypeError,
     "text_pair is 'b', expected a list of 1, as many as in text: pass one for each"),
    ((["a"], ["b", "c"]), ValueError,
     "the length of text_pair is 2, expected 1, the length of text: pass one for each"),
    ((["a"], [None]), TypeError, "text_pair[0] is None, expected a str"),
    (([("a", "b")], ["c"]), TypeError, "text[0] is ('a', 'b'), expected a str"),
    (("\ud800",), TypeError, "half a surrogate pair"),
    ((["fine", "x\udfffy"],), TypeError, "half a surrogate pair"),
]


@pytest.mark.parametrize("texts, kind, message", BAD_TEXTS)
def test_bad_texts(texts, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        make()(*texts)


@pytest.mark.parametrize("texts, kind, message", [
    (("a b",), TypeError, "text is 'a b', expected a list of words with is_split"),
    ((["a", 3],), TypeError, "text is ['a', 3], expected a list of words: pass one"),
    (([["a"], "b"],), TypeError, "text[1] is 'b', expected a list of words with"),
    (([["a"], [["b"], ["c"], ["d"]]],), TypeError,
     "text[1] is [['b'], ['c'], ['d']], expected a list of words or a pair of them"),
    ((["a"], "b"), TypeError, "text_pair is 'b', expected a list of words with"),
    (([["a"]], [["b"], ["c"]]), ValueError,
     "the length of text_pair is 2, expected 1, the length of text")])
def test_bad_words(texts, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        make()(*texts, is_split_into_words=True)


@pytest.mark.parametrize("named, kind, message", [
    (dict(padding="foo"), ValueError,
     "padding is 'foo', expected True, False or one of longest, max_length, do_"),
    (dict(padding=3), ValueError, "padding is 3, expected True"),
    (dict(truncation="foo"), ValueError,
     "truncation is 'foo', expected True, False or one of"),
    (dict(padding_side="up"), ValueError,
     "padding_side is 'up', expected 'right' or 'left': leave it out"),
    (dict(return_tensors="tf"), ValueError, "return_tensors is 'tf', expected 'np'"),
    (dict(return_tensors=3), ValueError, "return_tensors is 3, expected 'np'"),
    (dict(truncation=True, max_length=-1), ValueError,
     "max_length is -1, expected a whole number, 0 or more: leave it out"),
    (dict(max_length=2.5), TypeError, "max_length is 2.5, expected a whole number"),
    (dict(max_length="9"), TypeError, "max_length is '9', expected a whole number"),
    (dict(max_length=5, stride=-1), ValueError, "stride is -1, expected a whole"),
    (dict(stride=None), TypeError, "stride is None, expected a whole number"),
    (dict(padding=True, pad_to_multiple_of=-4), ValueError,
     "pad_to_multiple_of is -4, expected a whole number, 0 or more"),
    (dict(max_length=1), ValueError,
     "max_length is 1, expected at least 2, the number of special tokens: pass more"),
    (dict(max_length=5, stride=4), ValueError,
     "stride is 4, expected at most 3 with max_length=5: pass a smaller stride"),
    (dict(max_length=4, stride=2), ValueError,
     "stride is 2, expected less than 2, the pieces in a window"),
    (dict(truncation="only_second", max_length=4), ValueError,
     "truncation is 'only_second', expected a second text in every sample: pass"),
    (dict(truncation=True, padding="max_length", max_length=6, pad_to_multiple_of=4),
     ValueError, "max_length is 6, expected a multiple of 4 (pad_to_multiple_of)"),
    (dict(pad_to_max_length=True), TypeError, "pad_to_max_length")])
@pytest.mark.parametrize("batch", [False, True])
def test_bad_arguments(named, kind, message, batch):
    text = "a b c a b c"
    with pytest.raises(kind, match=re.escape(message)):
        make()([text] * 9 if batch else text, **named)


def test_a_pair_that_cant_be_cut():
    with pytest.raises(ValueError, match="text to cut is 1, expected more than 3, to"):
        make()("a b c a b", "c", truncation="only_second", max_length=6)
    with pytest.raises(ValueError, match="max_length is 2, expected at least 3"):
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


@pytest.mark.parametrize("settings, use", [
    ({"pad_token": None}, lambda tokenizer: tokenizer("a", padding=True)),
    ({"pad_token": None}, lambda tokenizer: tokenizer.pad({"input_ids": [1]})),
    ({"unk_token": "[ODD]"}, lambda tokenizer: tokenizer("\u4e00"))])
def test_what_a_file_lacks_is_missed_by_the_file_s_name(settings, use, tmp_path):
    """HF: a tokenizer without it loads, and works for texts that do not need it."""
    make(**settings).save_pretrained(tmp_path)
    tokenizer = BertTokenizer.from_pretrained(tmp_path)
    assert tokenizer("a")["input_ids"] == [2, 5, 3]
    with pytest.raises(ValueError, match=re.escape(f"of {tmp_path}")):
        use(tokenizer)


@pytest.mark.parametrize("inputs, kind, message", [
    ({"a": [1]}, ValueError, "encoded_inputs has the keys ['a'], expected an encoding"),
    ([], ValueError, "encoded_inputs is [], expected an encoding with 'input_ids'"),
    ([3], TypeError, "encoded_inputs[0] is 3, expected an encoding, as in a list"),
    ({"input_ids": "abc"}, TypeError, "input_ids is 'abc', expected a list"),
    ({"input_ids": [[1], [2]], "labels": [[1]]}, ValueError,
     "the number of rows in labels is 1, expected 2 as in input_ids: pass one")])
def test_bad_rows_to_pad(inputs, kind, message):
    with pytest.raises(kind, match=re.escape(message)):
        make().pad(inputs)


@pytest.mark.parametrize("ids, kind, message", [
    ([-1], OverflowError, "a token id is -1, expected a whole number, 0 or more"),
    ([1.5], TypeError, "a token id is 1.5, expected a whole number"),
    ("hello", TypeError, "a token id is 'hello', expected"),
    ([None], TypeError, "a token id is None, expected")])
def test_bad_ids(ids, kind, message):
    for decode in (make().decode, make().batch_decode):
        with pytest.raises(kind, match=re.escape(message)):
            decode(ids)
    with pytest.raises((kind, TypeError)):
        make().convert_ids_to_tokens(ids)


@pytest.mark.parametrize("named, kind, message", [
    (dict(padding_side="x"), ValueError, "padding_side is 'x', expected"),
    (dict(truncation_side="x"), ValueError, "truncation_side is 'x', expected"),
    (dict(cls_token=5), TypeError, "cls_token is 5, expected a str or an AddedToken"),
    (dict(cls_token=None), ValueError, "cls_token is None, expected a token"),
    (dict(unk_token=None), ValueError, "unk_token is None, expected a token"),
    (dict(extra_special_tokens="x"), TypeError,
     "extra_special_tokens is 'x', expected a list"),
    (dict(extra_special_tokens=[3]), TypeError,
     "extra_special_tokens is 3, expected a str")])
def test_bad_settings(named, kind, message):
    with pytest.raises(kind, match=message):
        make(**named)


@pytest.mark.parametrize("name, values, wanted", [
    ("do_lower_case", ("yes", 1, None), "True or False: leave"),
    ("tokenize_chinese_chars", ("no", 0, None), "True or False: leave"),
    ("do_basic_tokenize", ("no", 0, None), "True or False: leave"),
    ("strip_accents", ("no", 0), "True, False or None: leave"),
    ("clean_up_tokenization_spaces", ("no", 0), "True or False:|True, False or None:"),
    ("split_special_tokens", ("no", 0), "True, False or None: leave"),
    ("model_max_length", ("x", 2.5, True, float("inf"), [5]),
     "a whole number of tokens: pass None")])
def test_settings_of_another_type(name, values, wanted):
    for tokenizer in (BertTokenizer, BertTokenizerLegacy):
        if name == "do_basic_tokenize" and tokenizer is BertTokenizer:
            continue                            # kept there, but it means nothing
        for value in values:
            message = f"{name} is {re.escape(repr(value))}, expected ({wanted})"
            with pytest.raises(TypeError, match=message):
                tokenizer(dict(cases.VOCAB), **{name: value})


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
    (["a"], TypeError, "vocab is a list, expected a dict of token -> id or the"),
    ({"a": "b"}, TypeError, "vocab maps 'a' to 'b', expected"),
    ({"[UNK]": True}, TypeError, "vocab maps '[UNK]' to True, expected a str and a"),
    ({"a": 1.0}, TypeError, "vocab maps 'a' to 1.0, expected a str and a whole"),
    ({1: 1}, TypeError, "vocab maps 1 to 1, expected"),
    ({"a": -1}, ValueError, "the id of 'a' is -1, expected a whole number from 0"),
    ({"a": 2**31}, ValueError, "the id of 'a' is 2147483648, expected a whole number"),
    ({"a\ud800": 1}, TypeError, "character 1 of the tokens of vocab, joined, is"),
    ({"a": 1, "b": 1}, ValueError,
     "the id of 'b' is 1, expected a new one, because 'a' has it: give"),
    ("/absent/vocab.txt", FileNotFoundError, "absent")])
def test_bad_vocabularies(vocab, kind, message):
    for tokenizer in (BertTokenizer, BertTokenizerLegacy):
        with pytest.raises(kind, match=re.escape(message)):
            tokenizer(vocab)


def test_bad_tokens():
    tokenizer = make()
    with pytest.raises(TypeError, match="a new token is 5, expected a str or an Add"):
        tokenizer.add_tokens([5])
    with pytest.raises(ValueError, match="_tokens_dict is 'foo', expected one of bos"):
        tokenizer.add_special_tokens({"foo": "x"})
    with pytest.raises(TypeError, match="pad_token is 5, expected a str"):
        tokenizer.add_special_tokens({"pad_token": 5})
    with pytest.raises(TypeError, match="_tokens is 'x', expected a list"):
        tokenizer.add_special_tokens({"extra_special_tokens": "x"})
    with pytest.raises(TypeError, match="_tokens is 'x', expected a list of tokens"):
        tokenizer.extra_special_tokens = "x"
    with pytest.raises(TypeError, match="content is 5, expected a str"):
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
    with pytest.raises(NotImplementedError,
                       match="already_has_special_tokens is False, expected True"):
        make().get_special_tokens_mask([5])
    for tokenizer in (make(), BertTokenizerLegacy(dict(cases.VOCAB))):
        with pytest.raises(ValueError, match=r"token_ids_1 is \[6\], expected None"):
            tokenizer.get_special_tokens_mask([5], [6], already_has_special_tokens=True)


def test_lookups_out_of_range():
    batch = make()("a b")
    with pytest.raises(IndexError, match="token index is 9, expected less than 4"):
        batch.token_to_word(9)
    with pytest.raises(IndexError, match="sequence_index is 1, expected less than 1"):
        batch.char_to_token(0, 0, 1)
    with pytest.raises(IndexError):
        batch.tokens(3)
    with pytest.raises(KeyError):
        batch["nonsense"]
    with pytest.raises(AttributeError, match="'nonsense', expected one of input_ids"):
        batch.nonsense
    legacy = BertTokenizerLegacy(dict(cases.VOCAB))("a")
    with pytest.raises(ValueError, match=r"expected rows for word_ids\(\): encode"):
        legacy.word_ids()
    with pytest.raises(KeyError, match="the key is 0, expected a name .* encode with"):
        legacy[0]


def test_view_of_no_text():
    for show in (view.table, view.explain):
        with pytest.raises(TypeError):
            show(make(), 5)


@pytest.mark.parametrize("texts, kind", [
    (([],), ValueError), ((3,), TypeError), ((["a"], "b"), ValueError),
    (([["a", "b", "c"]],), ValueError), (("a", 5), TypeError),
    (([True, False],), TypeError)])
def test_bad_texts_legacy(texts, kind):
    with pytest.raises(kind):
        BertTokenizerLegacy(dict(cases.VOCAB))(*texts)


def test_bad_arguments_legacy():
    tokenizer = BertTokenizerLegacy(dict(cases.VOCAB))
    with pytest.raises(ValueError, match="is 'longest_first', expected 'only_first'"):
        tokenizer("a", "b", truncation=True, max_length=9,
                  return_overflowing_tokens=True)
    with pytest.raises(NotImplementedError,
                       match="return_offsets_mapping is True, expected False"):
        tokenizer("a", return_offsets_mapping=True)
