"""Finding added tokens.  The expected values were observed in Hugging Face."""

import pytest

from numbert.tokenization.definition.added_tokens import (AddedToken, Match,
                                                          compile_matcher, find)
from numbert.tokenization.definition.encode import encode_plain
from numbert.tokenization.fast.pipeline import compile_core, encode_one

VOCAB = {piece: i for i, piece in enumerate(
    ["[UNK]", "[MASK]", "a", "b", "[", "]", "mask", "中", "##s", "new", "##tok"])}


def core_with(*tokens, **options):
    """A core whose added tokens have the ids 100, 101, ..., after [MASK]."""
    added = {1: AddedToken("[MASK]", special=True), **dict(enumerate(tokens, 100))}
    return compile_core(VOCAB, added_tokens=added, **options)


def spans(core, text, **options):
    """[(id, start, end), ...], which both ways must agree on."""
    got = encode_one(core, text, **options)
    split = options.get("split_special_tokens", False)
    assert got == encode_plain(core.plain, text, split)
    return list(zip(*got[:3]))


@pytest.mark.parametrize("text, want", [
    ("a[MASK]b", [(2, 0, 1), (1, 1, 7), (3, 7, 8)]),
    ("[mask]", [(4, 0, 1), (6, 1, 5), (5, 5, 6)]),
    ("[MASK][MASK]", [(1, 0, 6), (1, 6, 12)])])
def test_special_tokens_are_found_as_they_are(text, want):
    assert spans(core_with(), text) == want


def test_split_special_tokens():
    core = core_with(AddedToken("newtok"))
    assert spans(core, "[MASK] newtok", split_special_tokens=True) == [
        (4, 0, 1), (6, 1, 5), (5, 5, 6), (100, 7, 13)]


@pytest.mark.parametrize(
    "text", ["newtok", "NEWTOK", "NewTök", "newtok\u0301", "new\xadtok"])
def test_normalised_tokens_are_found_in_normalised_text(text):
    got = spans(core_with(AddedToken("NewTok")), "a " + text + "s")
    assert [i for i, _, _ in got] == [2, 100, 0]        # "s" alone is no piece
    raw = spans(core_with(AddedToken("NewTok", normalized=False)), text)
    assert [i for i, _, _ in raw] == [9, 10]


def test_strips_take_white_space_along():
    core = core_with(AddedToken("newtok", lstrip=True, rstrip=True))
    assert spans(core, "a \t newtok \n b") == [(2, 0, 1), (100, 1, 13), (3, 13, 14)]
    assert spans(core, " newtok newtok ") == [(100, 0, 8), (100, 8, 15)]


@pytest.mark.parametrize("content", [" ", "\n", "\t", "  "])
@pytest.mark.parametrize("flags, want", [
    (dict(lstrip=True, rstrip=True), [(2, 0, 1), (100, 1, 5), (3, 5, 6)]),
    (dict(lstrip=True, rstrip=True, normalized=False), None)])
def test_blank_tokens_take_the_blanks_around_them_once(content, flags, want):
    core = core_with(AddedToken(content, **flags))
    if want is None:            # found in the raw text: only where the content stands
        want = [(2, 0, 1), (100, 1, 5), (3, 5, 6)] if content in "a \n\t b" else [
            (2, 0, 1), (3, 5, 6)]
    assert spans(core, "a \n\t b") == want


def test_rstrip_and_the_space_around_a_cjk_character_overlap():
    core = core_with(AddedToken("NewTok", rstrip=True))
    assert spans(core, "NewTok中") == [(100, 0, 7), (7, 6, 7)]


@pytest.mark.parametrize("text, found", [
    ("x newtok y", True), ("newtok", True), ("newtok.", True), ("xnewtok", False),
    ("newtok_", False), ("newtok7", False), ("newtok\u200d", False),
    ("中newtok", False)])
def test_single_word(text, found):
    token = AddedToken("newtok", single_word=True, normalized=False)
    assert (100 in [i for i, _, _ in spans(core_with(token), text)]) is found


def test_the_longest_of_several_wins():
    matcher = compile_matcher(
        {7: AddedToken("ab"), 8: AddedToken("abc"), 9: AddedToken("bcd")})
    assert find(matcher, "abcd ab bcd") == [
        Match(8, 0, 3, "abc"), Match(7, 5, 7, "ab"), Match(9, 8, 11, "bcd")]


def test_nothing_to_find():
    assert compile_matcher({}) is None
    assert compile_matcher({3: AddedToken("")}) is None
    assert find(None, "abc") == []


@pytest.mark.parametrize("content", ["\u200b", "", "\u0301"])
def test_a_token_whose_normal_form_is_empty_is_never_found(content):
    assert spans(core_with(AddedToken(content)), "a b") == [(2, 0, 1), (3, 2, 3)]


def test_added_token():
    token = AddedToken("x", lstrip=True)
    assert str(token) == "x" and token.normalized
    assert not AddedToken("y", special=True).normalized
    assert token == AddedToken("x", lstrip=True, normalized=True) != AddedToken("x")
    assert repr(token) == (
        'AddedToken("x", rstrip=False, lstrip=True, single_word=False, '
        "normalized=True, special=False)")
    with pytest.raises(TypeError, match="content is 7, expected a str"):
        AddedToken(7)
