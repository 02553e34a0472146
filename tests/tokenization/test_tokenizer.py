"""BertTokenizer: recorded calls, live calls of transformers, and examples by hand.

Some thousand random calls are compared with transformers each time, ten times as many
with NUMBERT_EXHAUSTIVE=1.  The comparison of 200,000 random strings, which that asks
for as well, is in test_vectorized.py.
"""

import copy
import json
import os
import pickle
import random
from pathlib import Path

import numpy as np
import pytest
import tokenizer_cases as cases
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from numbert.testing.strategies import bert_text, call_options, split_text
from numbert.tokenization import AddedToken, BertTokenizer, BertTokenizerFast
from numbert.tokenization import BatchEncoding, view
from numbert.tokenization import tokenizer as tokenizer_module

GOLDEN = Path(__file__).parents[1] / "golden" / "tokenizer.json"
FAST = [case for case in json.loads(GOLDEN.read_text("utf-8"))
        if case["kind"] == "fast"]
CALLS = 50_000 if os.environ.get("NUMBERT_EXHAUSTIVE") else 5_000    # random ones


def make(seed=0, **changes):
    """A tokenizer of the small vocabulary."""
    return BertTokenizer(dict(cases.VOCAB), **{**cases.setting(seed), **changes})


def plain(value):
    """Tuples and arrays as lists, as JSON has them."""
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def call(tokenizer, case, **more):
    for name, value in case["attributes"].items():
        setattr(tokenizer, name, value)
    texts = case["texts"]
    if not case["named"].get("is_split_into_words"):
        texts = [[tuple(item) if isinstance(item, list) else item for item in text]
                 if isinstance(text, list) else text for text in texts]
    return tokenizer(*texts, verbose=False, **case["named"], **more)


# --------------------------------------------------- recorded from transformers 5.23

@pytest.mark.parametrize("few", [8, 0], ids=["lists", "arrays"])
def test_recorded_calls(few, monkeypatch):
    monkeypatch.setattr(tokenizer_module, "FEW", few)
    good = failed = 0
    for case in FAST:
        tokenizer = make(case["seed"])
        tokenizer.add_tokens([AddedToken(t, **flags) for t, flags in case["added"]])
        if "error" in case:
            with pytest.raises(ValueError):
                call(tokenizer, case)
            failed += 1
            continue
        batch = call(tokenizer, case)
        assert list(batch) == list(case["outputs"]), case
        assert {name: plain(batch[name]) for name in batch} == case["outputs"], case
        rows = range(len(batch.encodings))
        assert [batch.tokens(i) for i in rows] == case["tokens"], case
        assert [batch.word_ids(i) for i in rows] == case["words"], case
        assert [batch.sequence_ids(i) for i in rows] == case["sequences"], case
        decoded = [tokenizer.decode(case["ids"], skip, clean)
                   for skip in (False, True) for clean in (None, False, True)]
        assert decoded == case["decoded"], case
        good += 1
    assert good > 100 and failed > 3


def test_lists_and_arrays_agree(monkeypatch):
    for case in FAST:
        if "error" in case:
            continue
        tokenizer = make(case["seed"])
        results = []
        for few in (8, 0):
            monkeypatch.setattr(tokenizer_module, "FEW", few)
            results.append(call(tokenizer, case, return_tensors="np"))
        one, other = results
        assert list(one) == list(other)
        for name in one:
            assert one[name].dtype == other[name].dtype
            assert one[name].shape == other[name].shape
            assert plain(one[name]) == plain(other[name])


# ----------------------------------------------------------- live, if it is installed

@pytest.fixture(scope="module")
def transformers():
    os.environ["HF_HUB_OFFLINE"] = "1"
    module = pytest.importorskip("transformers")
    module.logging.set_verbosity_error()
    version = pytest.importorskip("tokenizers").__version__
    if version in ("0.23.1", "0.23.2"):
        pytest.skip("this version of tokenizers loses overflow")
    return module


def theirs(transformers, seed):
    return transformers.BertTokenizer(dict(cases.VOCAB), **cases.setting(seed))


@pytest.mark.filterwarnings("ignore")
def test_random_calls_equal_transformers(transformers):
    good = 0
    for seed in range(1000, 1000 + CALLS):
        texts, named, attributes = cases.call(seed)
        tensors = "np" if seed % 3 == 0 else None
        mine, other = make(seed), theirs(transformers, seed)
        tokens = cases.tokens(seed)
        mine.add_tokens([AddedToken(text, **flags) for text, flags in tokens])
        other.add_tokens([transformers.AddedToken(t, **flags) for t, flags in tokens])
        for name, value in attributes.items():
            setattr(mine, name, value)
            setattr(other, name, value)
        try:
            want = other(*texts, verbose=False, return_tensors=tensors, **named)
        except BaseException as error:       # a Rust panic is no Exception
            assert type(error).__name__ in ("PanicException", "Exception", "ValueError")
            with pytest.raises(ValueError):
                mine(*texts, verbose=False, return_tensors=tensors, **named)
            continue
        got = mine(*texts, verbose=False, return_tensors=tensors, **named)
        assert list(got) == list(want), seed
        for name in want:
            assert type(got[name]) is type(want[name]), (seed, name)
            assert plain(got[name]) == plain(want[name]), (seed, name)
        assert len(got.encodings) == len(want.encodings), seed
        for a, b in zip(got.encodings, want.encodings):
            compare_encodings(a, b)
        good += 1
    assert good > 0.8 * CALLS


def compare_encodings(mine, other):
    for name in ("ids", "tokens", "type_ids", "attention_mask", "special_tokens_mask",
                 "offsets", "word_ids", "sequence_ids", "n_sequences"):
        assert getattr(mine, name) == getattr(other, name), name
    for i in range(len(other)):
        assert mine.token_to_chars(i) == other.token_to_chars(i)
        assert mine.token_to_word(i) == other.token_to_word(i)
        assert mine.token_to_sequence(i) == other.token_to_sequence(i)
    for sequence in range(other.n_sequences):
        for i in range(8):
            for name in ("char_to_token", "char_to_word", "word_to_tokens",
                         "word_to_chars"):
                assert (getattr(mine, name)(i, sequence)
                        == getattr(other, name)(i, sequence)), name


@pytest.mark.filterwarnings("ignore")
def test_added_tokens_equal_transformers(transformers):
    for seed in range(120):
        rng = random.Random(seed)
        mine, other = make(seed), theirs(transformers, seed)
        special = rng.random() < .4
        for _ in range(rng.randint(1, 3)):
            tokens = rng.sample(cases.TOKENS, rng.randint(1, 3))
            tokens = [(text, {k: v for k, v in flags.items() if k != "normalized"})
                      for text, flags in tokens]
            mine_count = mine.add_tokens(
                [AddedToken(t, **flags) for t, flags in tokens], special_tokens=special)
            other_count = other.add_tokens(
                [transformers.AddedToken(t, **flags) for t, flags in tokens],
                special_tokens=special)
            assert mine_count == other_count
        assert mine.get_vocab() == other.get_vocab()
        assert len(mine) == len(other)
        assert str(mine.added_tokens_decoder) == str(other.added_tokens_decoder)
        for _ in range(5):
            text = cases.text(rng)
            got = mine(text, return_offsets_mapping=True)
            want = other(text, return_offsets_mapping=True)
            assert dict(got) == dict(want), (seed, text)
            assert got.tokens() == want.tokens(), (seed, text)
            ids = want["input_ids"] + [rng.randrange(len(other) + 2) for _ in range(5)]
            assert (mine.convert_ids_to_tokens(ids, True)
                    == other.convert_ids_to_tokens(ids, skip_special_tokens=True))
            assert mine.decode(ids, True) == other.decode(ids, skip_special_tokens=True)


@given(batch=st.lists(bert_text(vocab=tuple(cases.VOCAB)[5:]), min_size=1, max_size=12),
       words=st.lists(split_text(), min_size=1, max_size=3), seed=st.integers(0, 4),
       named=call_options())
@settings(max_examples=150, deadline=None, derandomize=True,
          suppress_health_check=list(HealthCheck))
@pytest.mark.filterwarnings("ignore")
def test_text_that_is_hard_equals_transformers(transformers, batch, words, seed, named):
    mine, other = make(seed), theirs(transformers, seed)
    for texts, more in ((batch, {}), (words, {"is_split_into_words": True})):
        try:
            want = other(texts, **named, **more)
        except BaseException:          # a stride too large: a Rust panic, no Exception
            with pytest.raises(ValueError):
                mine(texts, **named, **more)
            continue
        got = mine(texts, **named, **more)
        assert {name: plain(value) for name, value in got.items()} == {
            name: plain(value) for name, value in want.items()}
        for i in range(len(want.encodings)):
            assert got.tokens(i) == want.tokens(i)
            assert got.word_ids(i) == want.word_ids(i)


# ----------------------------------------------------------------- examples by hand

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


def test_many_texts_as_one_by_one():
    tokenizer = make()
    texts = [cases.text(random.Random(seed), 20) for seed in range(300)]
    batch = tokenizer(texts, padding=True, return_tensors="np",
                      return_offsets_mapping=True)
    for i, text in enumerate(texts):
        row = tokenizer(text, return_offsets_mapping=True)
        size = len(row["input_ids"])
        assert batch["input_ids"][i, :size].tolist() == row["input_ids"]
        assert plain(batch["offset_mapping"][i, :size]) == plain(row["offset_mapping"])
        assert not batch["attention_mask"][i, size:].any()
        assert batch[i].ids[:size] == row["input_ids"]


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
