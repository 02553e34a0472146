"""The normaliser, step by step, against recorded facts and Python's own."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numbert.tokenization.definition.normalization import (clean, decompose,
                                                           isolate_cjk, lower,
                                                           normalize, normalizer_steps,
                                                           plain, spanned, split_words,
                                                           strip_accents)
from numbert.tokenization.definition.tables import LOWER, MN, NFD, REMOVED, flags

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
# In Unicode since long ago: every version of Python agrees about these.
OLD = st.text(st.characters(max_codepoint=0x24F) | st.sampled_from("ΑΣσά̧̣́नि가한\u0344"))


@pytest.mark.parametrize("step, text, want", [
    (clean, "a\x0bb\u200bc\0d\ufffd", "abcd"),
    (clean, "\ta\r\n\u2028\u3000\xa0", " a     "),
    (clean, "a\ue000\U000f0000b\u0378", "ab\u0378"),
    (isolate_cjk, "a中文b", "a 中  文 b"), (isolate_cjk, "かカ한\U0002b820", "かカ한\U0002b820"),
    (strip_accents, "éÅ\u0301ñ", "eAn"), (strip_accents, "한", "\u1112\u1161\u11ab"),
    (strip_accents, "≠", "="), (strip_accents, "ø\u0338", "ø"),
    (lower, "ÀİẞΣ", "ài\u0307ßσ"), (lower, "\ua7dc", "\u019b")])
def test_each_step(step, text, want):
    assert plain(step(spanned(text))) == want


@pytest.mark.parametrize("text, want", [
    ("e\u0301x", [("e", 0, 1), ("x", 2, 3)]), ("é", [("e", 0, 1)]),
    ("a\u200bb", [("a", 0, 1), ("b", 2, 3)]),
    ("중", [("\u110c", 0, 1), ("\u116e", 0, 1), ("\u11bc", 0, 1)]),
    ("中", [(" ", 0, 1), ("中", 0, 1), (" ", 0, 1)]),
    # HF: 302E sorts before 0301, but takes the span of the second character.
    ("x\u0301\u302e", [("x", 0, 1), ("\u302e", 1, 2)])])
def test_spans_point_to_where_a_character_came_from(text, want):
    assert normalize(spanned(text), normalizer_steps(True, None, True)) == want


@given(OLD)
def test_decompose_is_unicode_nfd(text):
    assert plain(decompose(spanned(text))) == unicodedata.normalize("NFD", text)


@given(TEXT, st.booleans(), st.sampled_from([None, True, False]), st.booleans())
@settings(max_examples=300)
def test_whatever_the_text(text, lowercase, accents, cjk):
    chars = normalize(spanned(text), normalizer_steps(lowercase, accents, cjk))
    assert all(0 <= start < end <= len(text) for _, start, end in chars)
    assert [start for _, start, _ in chars] == sorted(start for _, start, _ in chars)
    assert not any(flags(c) & REMOVED for c, _, _ in chars)
    if lowercase if accents is None else accents:
        assert not any(flags(c) & (MN | NFD) for c, _, _ in chars)
    if lowercase:
        assert not any(flags(c) & LOWER for c, _, _ in chars)
    words = split_words(chars)
    assert all(words) and "".join(map(plain, words)) == plain(chars).replace(" ", "")


@given(TEXT, TEXT)
def test_a_space_is_a_barrier(left, right):
    steps = normalizer_steps(True, None, True)
    whole = plain(normalize(spanned(left + " " + right), steps))
    parts = (plain(normalize(spanned(part), steps)) for part in (left, right))
    assert whole == " ".join(parts)


@pytest.mark.parametrize("text, want", [
    ("a,b.", ["a", ",", "b", "."]), ("  a  b ", ["a", "b"]), ("", []),
    ("...", [".", ".", "."]), ("$5", ["$", "5"]), ("don't", ["don", "'", "t"])])
def test_split_words(text, want):
    assert [plain(word) for word in split_words(spanned(text))] == want
