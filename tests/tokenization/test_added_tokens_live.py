"""Added tokens of every kind, also blank ones, at random.

The definition is compared with transformers, and the quick ways with the definition.
"""

import os
import random
import time

import pytest
import tokenizer_cases as cases

from numbert.tokenization import AddedToken, BertTokenizer
from numbert.tokenization.definition.encode import encode_plain, find_added
from numbert.tokenization.fast import pipeline

SEEDS = 3_000 if os.environ.get("NUMBERT_EXHAUSTIVE") else 300
CONTENTS = (" ", "  ", "\n", "\t", " x", "x ", "a b", "new tok", "NewTok", "É", "中",
            "中文", "\u200bq", "İ", "ﬁ", "[ODD]", "#", "##a", "n't", "a\u0301", "한",
            "\u0301x", "a\xa0b", "x\ty")
PARTS = CONTENTS + ("newtok", "NEWTOK", "é", "e\u0301", "a", "b", "x", "hello", "A B",
                    "a  b", "New  Tok", "i\u0307", "ΑΣ", "\xa0", "\x00", "y", "X\tY")


def random_tokens(rng):
    """Some different added tokens: [(content, flags), ...]."""
    out = []
    for content in rng.sample(CONTENTS, rng.randint(1, 3)):
        flags = {name: True for name in ("lstrip", "rstrip", "single_word")
                 if rng.random() < .3}
        flags["normalized"] = rng.random() < .7
        flags["special"] = rng.random() < .15
        out.append((content, flags))
    return out


def same_form(tokenizer):
    """Whether two added tokens are found as one text: see the deviations."""
    forms = [pipeline.normalize(tokenizer.core, token.content) if token.normalized
             else token.content for token in tokenizer.added_tokens_decoder.values()]
    return len(set(forms)) < len(forms)


def test_added_tokens_of_every_kind():
    transformers = pytest.importorskip("transformers")
    count = 0
    for seed in range(SEEDS):
        rng = random.Random(seed)
        setting, tokens = rng.choice(cases.SETTINGS), random_tokens(rng)
        mine = BertTokenizer(dict(cases.VOCAB), **setting)
        mine.add_tokens([AddedToken(text, **flags) for text, flags in tokens])
        if same_form(mine):
            continue
        other = transformers.BertTokenizer(dict(cases.VOCAB), **setting)
        other.add_tokens([transformers.AddedToken(t, **flags) for t, flags in tokens])
        assert mine.get_vocab() == other.get_vocab()
        for _ in range(4):
            text = "".join(rng.choices(PARTS, k=rng.randint(0, 7)))
            try:
                want = other(text, return_offsets_mapping=True)
            except BaseException as error:          # the deviation blank_panic
                assert type(error).__name__ == "PanicException"
                continue
            got, ids = mine(text, return_offsets_mapping=True), want["input_ids"]
            assert dict(got) == dict(want), (seed, text)
            assert got.tokens() == want.tokens(), (seed, text)
            assert mine.convert_ids_to_tokens(ids) == other.convert_ids_to_tokens(ids)
            assert mine.decode(ids) == other.decode(ids)
            count += 1
    assert count > 3 * SEEDS


@pytest.mark.parametrize("small", [10**6, -1], ids=["sentence", "document"])
def test_the_quick_ways_are_the_definition(small, monkeypatch):
    monkeypatch.setattr(pipeline, "SMALL", small)
    monkeypatch.setattr(pipeline, "SMALL_IDS", small)
    for seed in range(SEEDS // 2):
        rng = random.Random(seed)
        added = dict(enumerate([AddedToken(text, **flags) for text, flags in
                                random_tokens(rng)], 100))
        core = pipeline.compile_core(
            cases.VOCAB, added_tokens={**added, 4: AddedToken("[MASK]", special=True)},
            lowercase=rng.random() < .5, chinese_chars=rng.random() < .7)
        parts = PARTS + ("[MASK]", "[MASK]", " ")
        texts = ["".join(rng.choices(parts, k=rng.randint(0, 9))) for _ in range(9)]
        split = rng.random() < .3
        want = [encode_plain(core.plain, text, split) for text in texts]
        got = pipeline.encode(core, texts, split_special_tokens=split)
        columns = [column.tolist() for column in got[:4]]
        ends = got.splits.tolist()
        assert [tuple(column[a:b] for column in columns)
                for a, b in zip(ends, ends[1:])] == want, seed
        ids = pipeline.encode(core, texts, split_special_tokens=split, offsets=False)
        assert ids.ids.tolist() == columns[0] and ids.splits.tolist() == ends
        assert [pipeline.find_added(core, text, split) for text in texts] == [
            find_added(core.plain, text, split) for text in texts], seed


@pytest.mark.parametrize("content, flags, text, want", [
    (" ", {"rstrip": True}, "中文", [" ", "中", "  ", " ", "文", " "]),
    ("中", {"lstrip": True}, "x 中文", ["x", "  中 ", "文"]),
    ("中", {"single_word": True}, "y中", ["[UNK]", "中"]),
    ("NewTok", {"lstrip": True}, "a \tNEWTOK", ["a", "  newtok"]),
    ("New", {"lstrip": True, "normalized": False}, "a \tNew", ["a", " \tNew"]),
    ("É", {"rstrip": True}, "E\u0301 \n.", ["e  ", "."])])
def test_the_text_of_an_added_token(content, flags, text, want):
    """Recorded from transformers 5.24: what was found, normalised if the token is."""
    tokenizer = BertTokenizer(dict(cases.VOCAB))
    tokenizer.add_tokens([AddedToken(content, **flags)])
    assert tokenizer.tokenize(text) == want
    many = tokenizer([text, "a " * 20_000])         # another way, with the same result
    assert many.tokens(0)[1:-1] == want


def test_text_dense_in_special_tokens_is_no_slower(monkeypatch):
    """About a third of the time of the Rust tokenizer on one core."""
    transformers = pytest.importorskip("transformers")
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    texts = ["[MASK] good [SEP] " * 200] * 30
    spent = []
    for tokenizer in (BertTokenizer(dict(cases.VOCAB)),
                      transformers.BertTokenizer(dict(cases.VOCAB))):
        times = []
        for _ in range(5):
            start = time.process_time()
            tokenizer(texts, verbose=False)
            times.append(time.process_time() - start)
        spent.append(min(times))
    assert spent[0] < spent[1], spent
