"""The frozen character tables, against counts and facts observed in Hugging Face."""

import unicodedata

import pytest

from numbert.tokenization.definition import tables
from numbert.tokenization.definition.tables import (CJK, LOWER, MARK, MN, NFD, PUNCT,
                                                    REMOVED, SPACE, flags, frozen_flags,
                                                    is_word_char, lower_map)

SURROGATES = range(0xD800, 0xE000)


@pytest.mark.parametrize("bit, count", [
    (REMOVED, 137_681), (SPACE, 22), (PUNCT, 726), (CJK, 81_264), (MN, 1_567),
    (NFD, 13_232), (MARK, 83), (LOWER, 1_488)])
def test_how_many_characters_have_a_property(bit, count):
    # The counts of the tokenizers library; SPACE is its 21 that change, and " " itself.
    assert sum(value & bit > 0 for value in frozen_flags()) == count


@pytest.mark.parametrize("char, want", [
    ("a", 0), ("A", LOWER), (" ", SPACE), ("\t", SPACE), ("\u2028", SPACE),
    ("\x0b", REMOVED), ("\x85", REMOVED), ("\0", REMOVED), ("\ufffd", REMOVED),
    ("\u200b", REMOVED), ("\ue000", REMOVED), ("\U0010fffd", REMOVED),
    ("\U0010ffff", 0), ("$", PUNCT), ("`", PUNCT), ("\xbf", PUNCT), ("\xa9", 0),
    ("中", CJK), ("\uf900", CJK | NFD), ("\U0002b820", 0), ("\U0002b920", CJK),
    ("\u0301", MN), ("\u0340", MN | NFD), ("\u302e", MARK), ("É", NFD | LOWER),
    ("가", NFD), ("\u0378", 0), ("\u166d", PUNCT), ("\u1734", MN), ("\ua7dc", LOWER)])
def test_some_characters(char, want):
    assert flags(char) == want


def test_lower_case_differs_from_python_only_by_unicode_version():
    python = {code: chr(code).lower() for code in range(0x110000)
              if code not in SURROGATES and chr(code).lower() != chr(code)}
    newer = {code for code in lower_map().keys() - python.keys()
             if unicodedata.category(chr(code)) != "Cn"}
    # Letters without a lower case in older tables got one in Unicode 16 and 17.
    assert newer <= {0xA7CE, 0xA7D2, 0xA7D4}
    assert all(lower_map()[code] == text for code, text in python.items()
               if code in lower_map())
    if unicodedata.unidata_version < "17":
        assert python.keys() <= lower_map().keys()


def test_decomposition_only_where_python_has_one_too():
    for code in range(0x110000):
        if frozen_flags()[code] & NFD:
            assert unicodedata.normalize("NFD", chr(code)) != chr(code)
    assert flags("\U00011938") == 0         # Unicode 13; the frozen tables are 9.0


def test_marks_and_combining_classes():
    for code, value in enumerate(frozen_flags()):
        if value & MARK:
            assert unicodedata.combining(chr(code)) > 0 and not value & MN


@pytest.mark.parametrize("char, want", [
    ("a", True), ("é", True), ("_", True), ("7", True), ("\u0301", True), ("中", True),
    ("\u200d", True), (" ", False), ("-", False), (".", False), ("\u200b", False)])
def test_what_may_stand_inside_a_word(char, want):
    assert is_word_char(char) is want


def test_the_file_names_each_property_once():
    assert set(tables._lines()) == {
        "removed", "punct", "mn", "nfd", "mark", "lower", "word"}
