"""How BertTokenizerLegacy finds words, against examples and Hugging Face's own."""

import os

import pytest

from numbert.tokenization.definition.tables import CJK, MN, PUNCT, REMOVED, SPACE
from numbert.tokenization.legacy.words import BasicTokenizer, live_flags


@pytest.mark.parametrize("char, want", [
    ("\x0b", REMOVED), ("\ue000", REMOVED), ("\U0010ffff", REMOVED), ("\u3000", SPACE),
    ("\u2028", 0), ("$", PUNCT), ("\U0002b820", CJK), ("\u0301", MN), ("a", 0)])
def test_legacy_asks_the_running_python(char, want):
    assert live_flags(char) == want


@pytest.mark.parametrize("text, want", [
    ("ΑΣ ΑΣΑ", ["ας", "ασα"]), ("cafe\u0301!", ["cafe", "!"]), ("a\x0bb\u0378", ["ab"]),
    ("a\u2028b", ["a", "b"]), ("\U0002b820x", ["\U0002b820", "x"]), ("İ", ["i"]),
    ("Keep KEEP keep,", ["keep", "KEEP", "keep", ","]), ("[MASK] [mask]",
                                                         ["[MASK]", "[", "mask", "]"])])
def test_legacy_words(text, want):
    assert BasicTokenizer(never_split=["KEEP"]).tokenize(text, ["[MASK]"]) == want


def test_legacy_composes_where_the_other_leaves_apart():
    cased = BasicTokenizer(do_lower_case=False)
    assert cased.tokenize("e\u0301 \uf900 \u037e \u1112\u1161") == [
        "é", "豈", ";", "하"]


@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize("context", ["{}", "a_{}b"])
def test_legacy_is_as_in_hugging_face_on_this_python(lowercase, context):
    legacy = pytest.importorskip("transformers.models.bert.tokenization_bert_legacy")
    basic = legacy.BasicTokenizer(do_lower_case=lowercase)
    mine = BasicTokenizer(do_lower_case=lowercase)
    step = 1 if os.environ.get("NUMBERT_EXHAUSTIVE") else 23
    codes = set(range(0, 0x110000, step)) | set(range(0x3400))
    for code in sorted(codes - set(range(0xD800, 0xE000))):
        text = context.format(chr(code))
        assert mine.tokenize(text) == basic.tokenize(text), hex(code)
