"""BertTokenizer: recorded calls and live calls of transformers.

Some thousand random calls are compared with transformers each time, ten times as many
with NUMBERT_EXHAUSTIVE=1.  The comparison of 200,000 random strings, which that asks
for as well, is in test_vectorized.py.
"""

import json
import os
import random
from pathlib import Path

import numpy as np
import pytest
import tokenizer_cases as cases
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from numbert.testing.strategies import bert_text, call_options, split_text
from numbert.tokenization import AddedToken, BertTokenizer
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
       named=call_options(), stride=st.none() | st.integers(0, 24))
@settings(max_examples=150, deadline=None, derandomize=True,
          suppress_health_check=list(HealthCheck))
@pytest.mark.filterwarnings("ignore")
def test_text_that_is_hard_equals_transformers(transformers, batch, words, seed, named,
                                               stride):
    mine, other = make(seed), theirs(transformers, seed)
    if stride is not None:         # it may be too large, and then both refuse it
        named["stride"] = stride
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


# ------------------------------------------- one by one, and all at once

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


def test_a_notebook_completes_the_keys_of_a_batch():
    batch = make()("a b", return_length=True)
    assert batch._ipython_key_completions_() == list(batch)
