"""Reading and writing JSON: what is accepted, and what each error says."""

import json
import math

import pytest
from hypothesis import given, strategies as st

from numbert.system import jsonfiles

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(), inner, max_size=3), max_leaves=9)


# ------------------------------------------------------------------ reading

@given(st.dictionaries(st.text(), VALUES, max_size=4))
def test_what_json_writes_is_read(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("json") / "a.json"
    for escape in True, False:
        path.write_text(json.dumps(value, ensure_ascii=escape), encoding="utf-8",
                        errors="surrogatepass")
        assert jsonfiles.read_json(path) == value


def test_a_byte_order_mark_is_skipped(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(b'\xef\xbb\xbf{"a": "\xc3\xa4"}')
    assert jsonfiles.read_json(str(path)) == {"a": "ä"}
    assert jsonfiles.read_text(path) == '{"a": "ä"}'


@pytest.mark.parametrize("data, problem", [
    (b"", "is broken JSON (Expecting value: line 1 column 1 (char 0))"),
    (b'{"a": 1', "is broken JSON (Expecting ',' delimiter: line 1 column 8 (char 7))"),
    (b"[" * 100_000, "is broken JSON (nested too deeply)"),
    (b'{"a":' * 100_000, "is broken JSON (nested too deeply)"),
    (b"[1]", "holds a list"), (b'"a"', "holds a string"), (b"1", "holds a number"),
    (b"0.5", "holds a number"), (b"true", "holds a boolean"), (b"null", "holds null")])
def test_an_error_says_what_was_expected_and_what_to_do(tmp_path, data, problem):
    path = tmp_path / "a.json"
    path.write_bytes(data)
    with pytest.raises(ValueError) as caught:
        jsonfiles.read_json(path, expected="an object of fields", remedy="remove it")
    assert str(caught.value) == (
        f"{path} {problem}, expected an object of fields: remove it")
    with pytest.raises(ValueError, match="expected a JSON object: download or"):
        jsonfiles.read_json(path)


def test_a_number_that_is_too_long(tmp_path):
    """Python refuses to turn more than 4300 digits into an int, as a ValueError."""
    path = tmp_path / "a.json"
    path.write_text("9" * 5000)
    with pytest.raises(ValueError, match="is broken JSON|holds a number"):
        jsonfiles.read_json(path)


def test_a_list_where_one_is_expected(tmp_path):
    path = tmp_path / "a.json"
    path.write_text("[1]")
    assert jsonfiles.read_json(path, list, "a JSON list") == [1]
    path.write_text("{}")
    with pytest.raises(ValueError, match="holds an object, expected a JSON list: "):
        jsonfiles.read_json(path, list, "a JSON list")


def test_another_encoding(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes('{"a":\n"ä"}'.encode("latin-1"))
    place = r"a.json: byte 7 \(line 2\) is 0xe4, expected "
    with pytest.raises(ValueError, match=place + "a JSON object, in UTF-8: download"):
        jsonfiles.read_json(path)
    with pytest.raises(ValueError, match=place + "UTF-8: save the file as UTF-8"):
        jsonfiles.read_text(path)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="a.json"):
        jsonfiles.read_json(tmp_path / "a.json")
    with pytest.raises(OSError):
        jsonfiles.read_json(tmp_path)


def test_a_line_of_a_file_is_named():
    assert jsonfiles.parse_json('{"a": 1}', "d.jsonl, line 2") == {"a": 1}
    with pytest.raises(ValueError, match="^d.jsonl, line 2 is broken JSON"):
        jsonfiles.parse_json("{", "d.jsonl, line 2")


# ------------------------------------------------------------------ writing

@given(VALUES, st.sampled_from([None, 2]))
def test_a_text_is_what_the_standard_library_writes(value, indent):
    text = jsonfiles.json_text(value, indent)
    assert text == json.dumps(value, indent=indent, ensure_ascii=False)
    assert json.loads(text) == value


def test_what_is_not_finite_becomes_null():
    value = {"a": [math.nan, 1.5], "b": {"c": (math.inf, -math.inf)}, "d": "nan"}
    assert jsonfiles.json_text(value) == (
        '{"a": [null, 1.5], "b": {"c": [null, null]}, "d": "nan"}')


def test_settings_are_written_as_hugging_face_does():
    values = {"b": "ä", "a": [1, math.inf], "c": None}
    lines = '{\n  "a": [\n    1,\n    Infinity\n  ],\n  "b": "%s",\n  "c": null\n}\n'
    assert jsonfiles.settings_text(values) == lines % "\\u00e4"
    assert jsonfiles.settings_text(values, escape=False) == lines % "ä"


@pytest.mark.parametrize("write", [jsonfiles.json_text, jsonfiles.settings_text])
def test_what_json_cannot_hold(write):
    with pytest.raises(TypeError, match="not JSON serializable"):
        write({"a": object()})


@given(VALUES)
def test_as_json_is_the_value_that_a_file_gives_back(value):
    assert jsonfiles.as_json(value) == value
    assert jsonfiles.as_json({"a": (value, value)}) == {"a": [value, value]}
    with pytest.raises(TypeError):
        jsonfiles.as_json({"a": {1, 2}})
