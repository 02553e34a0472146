"""The deviations in how a tokenizer is made, changed, saved and trained: test_NAME.

The others are in test_tokenizer_deviations.py.
"""

import json
import os

import numpy as np
import pytest
from deviation_cases import error, legacy, make
from tokenizer_cases import VOCAB

import numbert
from numbert.tokenization import BertTokenizer, BertTokenizerLegacy


def write(folder, **files):
    """Write a vocab.txt, and JSON files by their names without .json."""
    folder.mkdir(exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(VOCAB), "utf-8")
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content), "utf-8")
    return str(folder)


def test_tokenizer_file(hf, tmp_path):
    make(do_lower_case=False).save_pretrained(tmp_path)
    file = str(tmp_path / "tokenizer.json")
    assert BertTokenizer(tokenizer_file=file).do_lower_case is False
    assert error(lambda: BertTokenizer(tokenizer_file=file, strip_accents=True)
                 ) == "ValueError"
    if hf:
        theirs = hf.BertTokenizer(tokenizer_file=file, strip_accents=True)
        assert theirs.tokenize("Hello") == ["Hello"] and theirs.do_lower_case
        theirs.save_pretrained(tmp_path)
        assert hf.BertTokenizer.from_pretrained(tmp_path).tokenize("Hello") == ["hello"]


def test_absent_tokenizer_file(hf):
    assert error(lambda: BertTokenizer(tokenizer_file="/x")) == "FileNotFoundError"
    if hf:
        assert hf.BertTokenizer(tokenizer_file="/x").vocab_size == 5


def test_another_tokenizer_file(hf, tmp_path):
    folder, other = make(), make()
    folder.add_tokens(["<f>"])
    other.add_tokens(["<o>"])
    folder.save_pretrained(tmp_path)
    other.save_pretrained(tmp_path / "o")
    for kind, token in (BertTokenizer, "<o>"), (hf and hf.BertTokenizer, "<f>"):
        if kind:
            loaded = kind.from_pretrained(
                tmp_path, tokenizer_file=str(tmp_path / "o" / "tokenizer.json"))
            assert [*loaded.get_added_vocab()][-1] == token


def test_late_settings(hf, tmp_path):
    for tokenizer, tokens in (make(), ["Hello"]), (hf and hf.make(), ["hello"]):
        if tokenizer:
            tokenizer.do_lower_case = False
            assert tokenizer.tokenize("Hello") == tokens
            tokenizer.save_pretrained(tmp_path)
            saved = json.loads((tmp_path / "tokenizer_config.json").read_text("utf-8"))
            assert saved["do_lower_case"] is False


def test_late_sides(hf, tmp_path):
    for tokenizer, side in (make(), "left"), (hf and hf.make(), "right"):
        if tokenizer:
            tokenizer.padding_side = "left"
            tokenizer.save_pretrained(tmp_path)
            assert type(tokenizer).from_pretrained(tmp_path).padding_side == side


def test_unknown_setting(hf, tmp_path):
    assert error(lambda: make(do_lowercase=False)) == "TypeError"
    assert error(lambda: make(max_length=3)) == "TypeError"
    path = write(tmp_path, tokenizer_config={"do_lowercase": False})
    assert BertTokenizer.from_pretrained(path).init_kwargs["do_lowercase"] is False
    if hf:
        theirs = hf.make(do_lowercase=False, max_length=3)
        assert theirs.tokenize("Hello a b c b") == ["hello", "a", "b", "c", "b"]


def test_legacy_settings(hf, tmp_path):
    settings = {"never_split": ["Hello"], "do_basic_tokenize": False}
    assert error(lambda: make(never_split=["Hello"])) == "TypeError"
    assert error(lambda: make(do_basic_tokenize=False)) == "TypeError"
    path = write(tmp_path, tokenizer_config=settings)
    with pytest.warns(UserWarning) as warned:
        ours = BertTokenizer.from_pretrained(path)
    for text, one in zip(("do_basic_tokenize=False", "never_split=['Hello']"), warned):
        assert f"says {text}, which BertTokenizer can't do" in str(one.message)
    for tokenizer in [ours] + ([hf.make(**settings)] if hf else []):
        assert tokenizer.tokenize("Hello!") == ["hello", "!"]
    assert BertTokenizerLegacy.from_pretrained(path).tokenize("Hello") == ["Hello"]


def test_without_effect(hf, vocab_file):
    for kind in [BertTokenizer] + ([hf.BertTokenizer] if hf else []):
        tokenizer = kind.from_pretrained(vocab_file, use_fast=False)
        assert tokenizer.is_fast and "[CLS] a" == tokenizer.decode(
            [2, 5], spaces_between_special_tokens=False)
        assert tokenizer.batch_decode(
            [[2, 5]], spaces_between_special_tokens=False) == ["[CLS] a"]


def test_old_special_tokens_map(hf, tmp_path):
    path = write(tmp_path, added_tokens={"<e>": len(VOCAB)},
                 special_tokens_map={"additional_special_tokens": ["<e>"]})
    kinds = [(BertTokenizer, True), (BertTokenizerLegacy, True)]
    for kind, special in kinds + (
            [(hf.BertTokenizer, False), (hf.Legacy, False)] if hf else []):
        loaded = kind.from_pretrained(path)
        assert loaded.extra_special_tokens == ["<e>"]
        assert loaded.added_tokens_decoder[len(VOCAB)].special is special
    write(tmp_path, special_tokens_map={
        "additional_special_tokens": [{"content": "<e>", "lstrip": True}]})
    assert BertTokenizer.from_pretrained(path).extra_special_tokens == ["<e>"]
    if hf:
        assert error(lambda: hf.BertTokenizer.from_pretrained(path)) == "TypeError"


def test_explicit_none(hf, tmp_path):
    path = write(tmp_path, special_tokens_map={"mask_token": "[MASK]"})
    assert BertTokenizer.from_pretrained(path, mask_token=None).mask_token is None
    if hf:
        theirs = hf.BertTokenizer.from_pretrained(path, mask_token=None)
        assert theirs.mask_token == "[MASK]"


def test_legacy_format(hf, tmp_path):
    tokenizer = make(do_lower_case=False)
    tokenizer.add_tokens(["<f>"])
    paths = tokenizer.save_pretrained(tmp_path / "ours", legacy_format=True)
    assert [os.path.basename(path) for path in paths] == [
        "tokenizer_config.json", "vocab.txt", "added_tokens.json"]
    for kind in [BertTokenizer] + ([hf.BertTokenizer] if hf else []):
        again = kind.from_pretrained(str(tmp_path / "ours"))
        assert again("Hello <f>")["input_ids"] == [2, 58, len(VOCAB), 3]
    assert error(lambda: legacy().save_pretrained(
        tmp_path, legacy_format=False)) == "ValueError"
    if hf:
        hf.make().save_pretrained(tmp_path / "theirs", legacy_format=True)
        assert (tmp_path / "theirs" / "tokenizer.json").exists()


def test_learned_vocabulary(hf):
    # ab is the most frequent pair, but its letters also stand beside others.
    texts = ["ab"] * 5 + ["xy"] * 4 + [f"a{c}" for c in "cdefgh"] * 4 + [
        f"{c}b" for c in "cdefgh"] * 4
    for tokenizer, first in (make(), "xy"), (hf and hf.make(), "ab"):
        if tokenizer:
            new = tokenizer.train_new_from_iterator(texts, 60, show_progress=False)
            pairs = [token for token in new.get_vocab() if len(token) == 2]
            assert min(pairs, key=new.get_vocab().get) == first


def test_renamed_special_token(hf):
    for tokenizer, kept in (make(), False), (hf and hf.make(), True):
        if tokenizer:
            tokenizer.add_special_tokens({"extra_special_tokens": ["<e>"]})
            new = tokenizer.train_new_from_iterator(
                ["a b"], 30, special_tokens_map={"<e>": "<f>"})
            assert "<f>" in new.get_vocab() and ("<e>" in new.get_vocab()) is kept


def test_collators(hf):
    collator = numbert.DataCollatorForLanguageModeling(make())
    assert isinstance(collator([[2, 5, 3]])["labels"], np.ndarray)
    np.random.seed(0)
    state = np.random.get_state()[1].tolist()
    collator([[2, 5, 3]])
    assert np.random.get_state()[1].tolist() == state
    if hf:
        theirs = hf.DataCollator(hf.make())
        assert type(theirs([[2, 5, 3]])["labels"]).__module__ == "torch"
        theirs([[2, 5, 3]], return_tensors="np")
        assert np.random.get_state()[1].tolist() != state or (
            np.random.get_state()[2] != 624)
