"""The greedy cut, and the cache of words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numbert.tokenization.fast import words as words_module
from numbert.tokenization.definition.encode import encode_plain
from numbert.tokenization.fast.pipeline import compile_core, encode_one
from numbert.tokenization.definition.wordpiece import wordpiece
from numbert.tokenization.view import stages

VOCAB = {piece: i for i, piece in enumerate(
    "[UNK] un ##aff ##able ##a a b ##b ab ##abb , . the".split())}


@pytest.mark.parametrize("word, want", [
    ("unaffable", ["un", "##aff", "##able"]), ("the", ["the"]), ("ab", ["ab"]),
    ("abba", ["ab", "##b", "##a"]), ("abb", ["ab", "##b"]), ("ba", ["b", "##a"]),
    ("xa", None),
    ("ax", None), ("", [])])
def test_examples(word, want):
    got = wordpiece(word, VOCAB)
    assert (got if got is None else [piece for piece, _, _ in got]) == want


@given(word=st.text("abc", max_size=15),
       vocab=st.sets(st.text("abc", min_size=1, max_size=4), max_size=15),
       inside=st.sets(st.text("abc", min_size=1, max_size=4), max_size=15))
@settings(max_examples=300, deadline=None)
def test_every_piece_is_the_longest_there_is(word, vocab, inside):
    pieces = vocab | {"##" + piece for piece in inside}
    got = wordpiece(word, pieces)
    if got is None:         # then cutting by hand ends at a place where nothing fits
        at = 0
        while at < len(word):
            fits = [n for n in range(1, 5)
                    if at + n <= len(word)
                    and word[at:at + n] in (inside if at else vocab)]
            if not fits:
                break
            at += max(fits)
        assert at < len(word)
        return
    assert "".join(piece.removeprefix("##") if start else piece
                   for piece, start, _ in got) == word
    assert [start for _, start, _ in got] == [0, *(end for _, _, end in got)][:len(got)]
    for _, start, end in got:
        known = inside if start else vocab
        assert word[start:end] in known
        assert not any(word[start:longer] in known
                       for longer in range(end + 1, len(word) + 1))


@pytest.mark.parametrize("n, known", [(100, True), (101, False)])
def test_a_word_of_more_than_a_hundred_characters_is_unknown(n, known):
    core = compile_core(VOCAB)
    ids, starts, ends, _ = encode_one(core, "a" * n)
    assert (ids == [5] + [4] * (n - 1)) is known
    if not known:
        assert (ids, starts, ends) == ([0], [0], [101])


def test_hangul_counts_as_its_letters():
    core = compile_core(
        {"[UNK]": 0, "\u1112": 1, "##\u1161": 2, "##\u11ab": 3, "##\u1112": 4})
    assert len(encode_one(core, "한" * 33)[0]) == 99
    assert encode_one(core, "한" * 34)[0] == [0]


def test_the_cache_is_bounded(monkeypatch):
    monkeypatch.setattr(words_module, "MAX_WORDS", 50)
    core = compile_core(VOCAB)
    for i in range(500):
        encode_one(core, f"a{i} b " + "x" * i)
        assert len(core.cache) <= 50
        assert all(len(word) <= words_module.MAX_KEY for word in core.cache)


def test_what_encode_one_returns_is_the_callers():
    core = compile_core(VOCAB)
    for _ in range(2):
        ids, starts, ends, words = encode_one(core, "the")
        assert (ids, starts, ends, words) == ([12], [0], [3], [0])
        for column in (ids, starts, ends, words):
            column.append(99)


@pytest.mark.parametrize("text", [
    "b" * 2000, "\u200b" * 999 + "ab" + "\xad" * 999, "\u0301" * 2000, "é" * 3000,
    "가" * 1500, "a\u302e" * 800, "\u2260" * 1001,
    "\u200ba\u200b" * 90 + "\u0301" * 2000])
def test_giant_words(text):
    vocab = {**VOCAB, "=": 20, "e": 21, "##e": 22}
    for accents in (True, False):
        core = compile_core(vocab, strip_accents=accents)
        assert encode_one(core, text) == encode_plain(core.plain, text)


def test_stages_show_each_step():
    core = compile_core(VOCAB, lowercase=True)
    assert stages(core, "The\tÁb中,\u200b unaffable") == [
        ("clean", "The Áb中, unaffable"), ("cjk", "The Áb 中 , unaffable"),
        ("accents", "The Ab 中 , unaffable"), ("lower", "the ab 中 , unaffable"),
        ("split", "the|ab|中|,|unaffable"),
        ("pieces", "the ab [UNK] , un ##aff ##able")]
    cased = compile_core(VOCAB, lowercase=False, chinese_chars=False)
    assert [name for name, _ in stages(cased, "x")] == ["clean", "split", "pieces"]
