"""BasicTokenizer and WordpieceTokenizer, alone and inside BertTokenizerLegacy.

Authority: the paper's examples, and transformers where it is installed.
"""

import os
import random

import pytest
import tokenizer_cases as cases

import numbert
from numbert import BasicTokenizer, BertTokenizerLegacy, WordpieceTokenizer

VOCAB = ["[UNK]", "[CLS]", "[SEP]", "want", "##want", "##ed", "wa", "un", "runn",
         "##ing"]


@pytest.fixture(scope="module")
def theirs():
    os.environ["HF_HUB_OFFLINE"] = "1"
    return pytest.importorskip("transformers.models.bert.tokenization_bert_legacy")


# The cases of google-research/bert, tokenization_test.py.
@pytest.mark.parametrize("options, text, want", [
    ({}, "ah\u535a\u63a8zz", ["ah", "\u535a", "\u63a8", "zz"]),
    ({}, " \tHeLLo!how  \n Are yoU?  ", ["hello", "!", "how", "are", "you", "?"]),
    ({}, "H\u00e9llo", ["hello"]),
    ({"do_lower_case": False}, " \tHeLLo!how  \n Are yoU?  ",
     ["HeLLo", "!", "how", "Are", "yoU", "?"]),
    ({"strip_accents": False}, "H\u00c4LLO", ["h\u00e4llo"]),
    ({"do_lower_case": False, "strip_accents": True}, "H\u00e4LLo", ["HaLLo"]),
    ({"never_split": ["[UNK]"]}, "Are yoU? [UNK]", ["are", "you", "?", "[UNK]"]),
    ({"do_split_on_punc": False}, "a'll !!to? 's", ["a'll", "!!to?", "'s"]),
    ({"tokenize_chinese_chars": False}, "a\u535ab", ["a\u535ab"]), ({}, "", [])])
def test_words(options, text, want):
    assert BasicTokenizer(**options).tokenize(text) == want


@pytest.mark.parametrize("text, want", [
    ("", []), ("unwanted running", ["un", "##want", "##ed", "runn", "##ing"]),
    ("unwantedX running", ["[UNK]", "runn", "##ing"]), (" want\twa ", ["want", "wa"])])
def test_pieces(text, want):
    assert WordpieceTokenizer(set(VOCAB), "[UNK]").tokenize(text) == want
    short = WordpieceTokenizer(VOCAB, "?", max_input_chars_per_word=0)
    assert short.tokenize(text) == ["?"] * len(text.split())


@pytest.mark.parametrize("seed", range(40))
def test_random_texts_are_as_in_transformers(theirs, seed):
    rng = random.Random(seed)
    options = {name: rng.choice((True, False)) for name in (
        "do_lower_case", "tokenize_chinese_chars", "do_split_on_punc")}
    options.update(strip_accents=rng.choice((None, True, False)),
                   never_split=rng.sample(cases.PARTS, 3))
    text, never = cases.text(rng, 30), rng.choice((None, ["Hello", "[MASK]", "É"]))
    words = BasicTokenizer(**options).tokenize(text, never_split=never)
    assert words == theirs.BasicTokenizer(**options).tokenize(text, never_split=never)
    longest = rng.choice((1, 5, 100))
    mine = WordpieceTokenizer(cases.VOCAB, "[UNK]", longest)
    other = theirs.WordpieceTokenizer(cases.VOCAB, "[UNK]", longest)
    assert mine.tokenize(" ".join(words)) == other.tokenize(" ".join(words))


def test_wrong_settings_are_refused():
    with pytest.raises(TypeError, match="do_lower_case is 'no', expected True or"):
        BasicTokenizer(do_lower_case="no")
    with pytest.raises(TypeError, match="do_split_on_punc is None, expected True"):
        BasicTokenizer(do_split_on_punc=None)


# ------------------------------------------------------------ inside of the tokenizer

def both(theirs, tmp_path, **settings):
    (tmp_path / "vocab.txt").write_text("\n".join(cases.VOCAB), "utf-8")
    path = str(tmp_path / "vocab.txt")
    return (BertTokenizerLegacy(path, **settings),
            theirs.BertTokenizerLegacy(path, **settings))


CHANGES = {
    "do_lower_case": lambda t: setattr(t.basic_tokenizer, "do_lower_case", False),
    "strip_accents": lambda t: setattr(t.basic_tokenizer, "strip_accents", False),
    "punctuation": lambda t: setattr(t.basic_tokenizer, "do_split_on_punc", False),
    "never_split": lambda t: t.basic_tokenizer.never_split.add("worlds"),
    "long words": lambda t: setattr(
        t.wordpiece_tokenizer, "max_input_chars_per_word", 4),
    "unk_token": lambda t: setattr(t, "unk_token", "hello"),
    "their unk_token": lambda t: setattr(t.wordpiece_tokenizer, "unk_token", "a"),
    "cls_token": lambda t: setattr(t, "cls_token", "World"),
    "do_basic_tokenize": lambda t: setattr(t, "do_basic_tokenize", False),
    "another stage": lambda t: setattr(t, "basic_tokenizer", type(t.basic_tokenizer)(
        tokenize_chinese_chars=False)),
    "other pieces": lambda t: setattr(
        t, "wordpiece_tokenizer", type(t.wordpiece_tokenizer)({"a", "##b"}, "[MASK]")),
}
TEXT = "Hello World worlds, naïve 中文 [MASK] zzz don't [mask]!"


@pytest.mark.parametrize("called", [False, True])
@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_stage_changes_the_tokenizer(theirs, tmp_path, change, called):
    pair = both(theirs, tmp_path)
    for tokenizer in pair:
        if called:
            tokenizer(TEXT)
        CHANGES[change](tokenizer)
    mine, other = pair
    assert mine.tokenize(TEXT) == other.tokenize(TEXT)
    assert mine(TEXT)["input_ids"] == other(TEXT)["input_ids"]
    assert mine.do_lower_case == other.basic_tokenizer.do_lower_case


def test_the_tokenizer_holds_its_stages(theirs, tmp_path):
    settings = dict(do_lower_case=False, never_split=["zzz", "b"], strip_accents=True,
                    tokenize_chinese_chars=False)
    mine, other = both(theirs, tmp_path, **settings)
    assert vars(mine.basic_tokenizer) == vars(other.basic_tokenizer)
    for name in ("unk_token", "max_input_chars_per_word"):
        assert (getattr(mine.wordpiece_tokenizer, name)
                == getattr(other.wordpiece_tokenizer, name))
    for tokenizer in (mine, other):
        tokenizer.add_tokens(["Brandnew"])
    assert mine.vocab == dict(other.vocab) == mine.wordpiece_tokenizer.vocab
    assert mine.ids_to_tokens == dict(other.ids_to_tokens)


def test_a_change_is_saved(tmp_path):
    tokenizer = BertTokenizerLegacy(dict(cases.VOCAB))
    tokenizer.basic_tokenizer.do_lower_case = False
    tokenizer.basic_tokenizer.never_split.add("zzz")
    tokenizer.save_pretrained(tmp_path)
    again = numbert.BertTokenizerLegacy.from_pretrained(tmp_path)
    assert again.do_lower_case is False and again.never_split == ["zzz"]
    assert again.tokenize("Hello zzz") == ["Hello", "zzz"]
