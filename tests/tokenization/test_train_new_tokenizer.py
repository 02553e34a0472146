"""train_new_from_iterator: what the new tokenizer takes over from the old one.

The vocabulary itself is learned as test_train_wordpiece.py has it; transformers has
another rule (see the deviations), so here the two are compared in all else.
"""

import os

import pytest
import tokenizer_cases as cases

from numbert.tokenization import AddedToken, BertTokenizer, train_wordpiece

TEXTS = ["Hello hello World", "naïve worlds, worlds!", "[MASK] hello <e> 中文"] * 3


def make(kind=BertTokenizer, token=AddedToken, **settings):
    tokenizer = kind(dict(cases.VOCAB), **settings)
    tokenizer.add_tokens(["Ordinary"])
    tokenizer.add_special_tokens({"extra_special_tokens": ["<e>"]})
    tokenizer.add_tokens([token("<s>", special=True, lstrip=True)])
    return tokenizer


def test_the_vocabulary_is_learned_with_the_same_settings():
    old = make(do_lower_case=False, model_max_length=9)
    new = old.train_new_from_iterator(TEXTS, 60)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "<e>", "<s>"]
    assert new.base_vocab == train_wordpiece(
        TEXTS, 60, lowercase=False, special_tokens=special, min_frequency=1,
        limit_alphabet=None)
    assert list(new.base_vocab)[:7] == special and len(new) == 60
    assert new.do_lower_case is False and new.model_max_length == 9
    assert "Ordinary" not in new.get_vocab() and "Ordinary" in old.get_vocab()
    assert "<e>" in new.tokenize("Hello<e>worlds")
    batches = old.train_new_from_iterator(iter([TEXTS[:4], tuple(TEXTS[4:])]), 60)
    assert batches.get_vocab() == new.get_vocab()


def test_a_setting_that_was_changed_later_counts():
    old = make()
    old.do_lower_case, old.padding_side = False, "left"
    new = old.train_new_from_iterator(TEXTS, 60)
    assert new.padding_side == "left" and "H" in new.get_vocab()
    assert new.tokenize("Hello") != ["[UNK]"] and new.do_lower_case is False


@pytest.mark.parametrize("settings", [{}, {"do_lower_case": False}])
@pytest.mark.parametrize("changes", [
    {}, {"special_tokens_map": {"[MASK]": "<mask>", "[CLS]": "<cls>", "[UNK]": "??"}},
    {"new_special_tokens": ["<n>", "[X]"]}])
def test_the_rest_is_as_in_transformers(settings, changes):
    os.environ["HF_HUB_OFFLINE"] = "1"
    transformers = pytest.importorskip("transformers")
    mine = make(**settings).train_new_from_iterator(TEXTS, 70, **changes)
    theirs = make(transformers.BertTokenizer, transformers.AddedToken, **settings)
    theirs = theirs.train_new_from_iterator(TEXTS, 70, **changes)
    assert mine.special_tokens_map == theirs.special_tokens_map
    assert mine.extra_special_tokens == theirs.extra_special_tokens
    assert mine.all_special_ids == theirs.all_special_ids
    assert {i: (t.content, t.special, t.normalized, t.lstrip)
            for i, t in mine.added_tokens_decoder.items()} == {
        i: (t.content, t.special, t.normalized, t.lstrip)
        for i, t in theirs.added_tokens_decoder.items()}
    text = "hello  <s> <e> [MASK] <mask> <n> zzz"
    for one in (mine, theirs):              # both know every word of the corpus
        assert one.unk_token_id not in one("Hello worlds")["input_ids"]
    added = set(mine.added_tokens_encoder.values())
    rows = [[i for i in one(text)["input_ids"] if i in added] for one in (mine, theirs)]
    assert rows[0] == rows[1]
    assert mine.do_lower_case == theirs.do_lower_case


def test_a_renamed_token_begins_the_rows():
    new = make().train_new_from_iterator(
        TEXTS, 60, special_tokens_map={"[CLS]": "<cls>", "<e>": "<f>"})
    assert new("hello").tokens()[0] == "<cls>" and new.cls_token_id == 2
    assert new.extra_special_tokens == ["<f>"] and "<e>" not in new.get_vocab()


def test_it_survives_a_round_trip(tmp_path):
    old = make()
    old.init_kwargs["note"] = [1]
    new = old.train_new_from_iterator(TEXTS, 60, new_special_tokens=["<n>"])
    new.save_pretrained(tmp_path)
    again = BertTokenizer.from_pretrained(tmp_path)
    assert again.get_vocab() == new.get_vocab() and again.init_kwargs["note"] == [1]
    assert again.added_tokens_decoder == new.added_tokens_decoder


@pytest.mark.parametrize("arguments, error, message", [
    (("one text", 60), TypeError, "texts is one str, expected an iterable of str"),
    (([["a", 3]], 60), TypeError, "text 1 is 3, expected a str"),
    ((TEXTS, 9), ValueError, "vocab_size is 9, expected at least"),
    (([], 60), ValueError, "texts holds no words"),
    ((TEXTS, 60, None, "<n>"), TypeError, "extra_special_tokens is '<n>', expected a"),
    ((TEXTS, 60, None, [3]), TypeError, "is 3, expected a str or an AddedToken")])
def test_what_cannot_be_learned_from(arguments, error, message):
    with pytest.raises(error) as raised:
        make().train_new_from_iterator(*arguments)
    assert message in str(raised.value)


def test_unknown_arguments_are_refused():
    with pytest.raises(TypeError, match="has no argument initial_alphabet, expected "
                       "one of length"):
        make().train_new_from_iterator(TEXTS, 60, initial_alphabet=["x"])
    assert make().train_new_from_iterator(TEXTS, 60, length=9, show_progress=True)
