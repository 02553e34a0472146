"""Data files: what each reader yields, and errors that name the line."""

import os

import pytest

from numbert.system import datafiles
from numbert.system.datafiles import (checked, field, is_jsonl, nonempty, read_conll,
                                      read_jsonl, read_tsv, strings, text_lines)


def write(folder, content, name="d.txt"):
    """A file with these bytes, or this text in UTF-8."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def contents(reader, path):
    """What a reader yields, with the number of the line in place of `where`."""
    found = []
    for where, *content in reader(path):
        name, number = where.split(", line ")
        assert name == str(path)
        found.append((int(number), *content))
    return found


# ------------------------------------------------------------------------ lines

@pytest.mark.parametrize("raw, lines", [
    (b"", []),
    (b"a\nb", ["a", "b"]),
    (b"a\n\nb\n", ["a", "", "b"]),
    (b"a\r\nb\r\n", ["a", "b"]),
    (b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n", ["a", "\ufeffb"]),   # a mark only at the start
    ("a\x0bb\x85c\u2028d\n".encode(), ["a\x0bb\x85c\u2028d"]),  # none of them ends one
    (b" a \t\n", [" a \t"]),
])
def test_lines(raw, lines, tmp_path):
    assert contents(text_lines, write(tmp_path, raw)) == list(enumerate(lines, 1))


def test_a_byte_that_is_not_utf8_is_placed(tmp_path):
    path, found = write(tmp_path, b"good\nab\xff\nnever read\n"), []
    with pytest.raises(ValueError, match="d.txt, line 2: byte 2 is 0xff, expected UTF"):
        for _, line in text_lines(path):
            found.append(line)
    assert found == ["good"]


def test_an_open_stream_has_the_name_that_it_is_given(tmp_path):
    with open(write(tmp_path, "a\n"), "rb") as file:
        assert list(datafiles.decoded_lines(file, "stdin")) == [("stdin, line 1", "a")]


def test_a_pipe_is_read_as_it_comes(tmp_path):
    source, sink = os.pipe()
    os.write(sink, b"a\nb\n")
    lines = text_lines(f"/dev/fd/{source}")
    assert [next(lines)[1], next(lines)[1]] == ["a", "b"]
    os.close(sink)
    assert list(lines) == []
    os.close(source)


def test_a_line_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(datafiles, "MOST_BYTES", 4)
    assert contents(text_lines, write(tmp_path, "abc\nabc")) == [(1, "abc"), (2, "abc")]
    with pytest.raises(ValueError, match="line 2 has more than 4 bytes, expected text"):
        list(text_lines(write(tmp_path, "abc\nabcde\n")))
    with pytest.raises(ValueError, match="zero, line 1 has more than 4 bytes"):
        next(text_lines("/dev/zero"))


# -------------------------------------------------------------------------- TSV

@pytest.mark.parametrize("text, rows", [
    ("a\tb\n", [(1, ["a", "b"])]),
    (' "a" \t b\n', [(1, ['"a"', "b"])]),
    ("\na\tb\n \n\nc\td", [(2, ["a", "b"]), (5, ["c", "d"])]),
    ("text\tLabel\na\tb\n", [(2, ["a", "b"])]),
    ("text\tlabels\na\t\n", [(2, ["a", ""])]),
    ("a\tb\ntext\tlabel\n", [(1, ["a", "b"]), (2, ["text", "label"])]),
    ("label\nfoo\n", [(2, ["foo"])]),
])
def test_tsv(text, rows, tmp_path):
    assert contents(read_tsv, write(tmp_path, text)) == rows


@pytest.mark.parametrize("text, match", [
    ("a\tb\nc\n", "line 2: the number of columns is 1, expected 2 as in the first"),
    ("a\tb\n\nc\td\te\n", "line 3: the number of columns is 3, expected 2 as"),
    ("text\tlabel\nc\td\te\n", "line 2: the number of columns is 3, expected 2 as"),
])
def test_tsv_of_unequal_width(text, match, tmp_path):
    with pytest.raises(ValueError, match=f"d.txt, {match}"):
        list(read_tsv(write(tmp_path, text)))


# ------------------------------------------------------------------------- JSONL

def test_jsonl(tmp_path):
    path = write(tmp_path, '{"a": 1}\n \n{"b": [null]}')
    assert contents(read_jsonl, path) == [(1, {"a": 1}), (3, {"b": [None]})]


@pytest.mark.parametrize("line, match", [
    ("{", "is broken JSON .*expected a JSON object such as"),
    ("[1]", "holds a list, expected a JSON object"),
    ("null", "holds null, expected a JSON object"),
    (r'{"a": "\ud800"}', "holds half a surrogate pair, expected a JSON object")])
def test_jsonl_that_is_none(line, match, tmp_path):
    with pytest.raises(ValueError, match=f"d.txt, line 2 {match}"):
        list(read_jsonl(write(tmp_path, '{"a": 1}\n' + line)))


@pytest.mark.parametrize("name, expected, strictly", [
    ("a.jsonl", True, True), ("a.NDJSON", True, True), ("a.json", True, False),
    ("a.tsv", False, False), ("jsonl", False, False), ("a.jsonl.tsv", False, False)])
def test_jsonl_is_known_by_its_name(name, expected, strictly):
    assert is_jsonl(name) is expected and is_jsonl(name, json_too=False) is strictly


# ------------------------------------------------------------------------- CoNLL

@pytest.mark.parametrize("text, sentences", [
    ("a X\nb Y\n\nc Z", [(1, ["a", "b"], ["X", "Y"]), (4, ["c"], ["Z"])]),
    ("\n\na X\n\n\n", [(3, ["a"], ["X"])]),
    ("a N V X\nb  N \u00a0V Y\n", [(1, ["a", "b"], ["X", "Y"])]),
    ("-DOCSTART- -X- O O\n\na b c d\n", [(3, ["a"], ["d"])]),
    ("New York\tB-LOC\nis\tO\n", [(1, ["New York", "is"], ["B-LOC", "O"])]),
    ("", []),
])
def test_conll(text, sentences, tmp_path):
    assert contents(read_conll, write(tmp_path, text)) == sentences


@pytest.mark.parametrize("text, match", [
    ("a X\nb\n", "line 2: 'b' has no label, expected a word, white space, and its"),
    ("a\tX\nb\t\n", "line 2: 'b' has no label"),
    ("a\tX\n\tY\n", "line 2: 'Y' has no label"),
    ("a X\n\nb N Y\n", "line 3: the number of columns is 3, expected 2 as in the")])
def test_conll_that_is_none(text, match, tmp_path):
    with pytest.raises(ValueError, match=f"d.txt, {match}"):
        list(read_conll(write(tmp_path, text)))


# ------------------------------------------------------------------------ fields

ROW = {"s": "a", "n": 3, "list": ["a", "b"], "object": {}, "null": None, "yes": True,
       "float": 1.0, "mixed": ["a", 1]}


@pytest.mark.parametrize("name, kind", [
    ("s", str), ("n", int), ("list", list), ("object", dict)])
def test_a_field_of_its_type(name, kind):
    assert field("x, line 1", ROW, name, kind) is ROW[name]


@pytest.mark.parametrize("name, kind, match", [
    ("none", str, r"none is missing \(there is s, n, .*\), expected a string: add it"),
    ("null", list, "null is null, expected a list: add it"),
    ("n", str, "n is 3, expected a string: correct"),
    ("s", int, 's is "a", expected a whole number: correct'),
    ("yes", int, "yes is true, expected a whole number"),
    ("yes", str, "yes is true, expected a string"),
    ("float", int, "float is 1.0, expected a whole number"),
    ("list", dict, r'list is \["a", "b"\], expected a JSON object')])
def test_a_field_that_is_not(name, kind, match):
    with pytest.raises(ValueError, match=f"^x, line 1: .*{match}"):
        field("x, line 1", ROW, name, kind)


def test_a_field_of_an_empty_object():
    with pytest.raises(ValueError, match=r"a is missing \(there is nothing\)"):
        field("x", {}, "a")


def test_a_long_value_is_cut_in_the_error():
    with pytest.raises(ValueError) as error:
        checked("x", "a", ["b" * 1000])
    assert len(str(error.value)) < 150


def test_strings():
    assert strings("x", ROW, "list") == ["a", "b"]
    with pytest.raises(ValueError, match=r"mixed\[1\] is 1, expected a string"):
        strings("x", ROW, "mixed")
    with pytest.raises(ValueError, match='s is "a", expected a list'):
        strings("x", ROW, "s")


def test_a_file_needs_an_example():
    assert nonempty([0], "d.txt") == [0]
    with pytest.raises(ValueError, match="d.txt holds no examples, expected at least"):
        nonempty([], "d.txt")
