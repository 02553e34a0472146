"""Reading and writing JSON: what is accepted, and what each error says."""

import json
import math
import os

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


@pytest.mark.parametrize("opening, closing", ["[]", ("[0,", "]"), ('{"a":', "}")])
def test_the_deepest_json(tmp_path, opening, closing):
    """A hundred levels are read; one more is refused."""
    path, inner = tmp_path / "a.json", "" if opening == "[" else "0"
    for levels, deepest in ((99, False), (100, True), (900, True)):
        path.write_text(f'{{"a": {opening * levels}{inner}{closing * levels}}}')
        if deepest:
            with pytest.raises(ValueError, match="a.json is broken JSON .nested too"):
                jsonfiles.read_json(path)
        else:
            jsonfiles.json_text(jsonfiles.read_json(path))


def test_many_short_lists_are_not_deep(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"a": [[{}]] * 1000}))
    assert jsonfiles.read_json(tmp_path / "a.json") == {"a": [[{}]] * 1000}


def test_a_file_that_is_too_large(tmp_path, monkeypatch):
    (tmp_path / "a.json").write_text('{"a": 1}')
    monkeypatch.setattr(jsonfiles, "MOST_BYTES", 8)
    assert jsonfiles.read_json(tmp_path / "a.json") == {"a": 1}
    monkeypatch.setattr(jsonfiles, "MOST_BYTES", 7)
    with pytest.raises(ValueError, match="a.json has 8 bytes, expected a JSON object"):
        jsonfiles.read_json(tmp_path / "a.json")


def test_pipes_devices_and_folders_are_refused(tmp_path):
    """Nothing is read from them: a pipe that nobody writes to would block for ever."""
    os.mkfifo(tmp_path / "pipe")
    for path, kind in ((tmp_path / "pipe", "a pipe or a device"),
                       (tmp_path, "a folder"), ("/dev/zero", "a pipe or a device")):
        with pytest.raises(OSError, match=f"is {kind}, expected .*: save it to a f"):
            jsonfiles.read_json(path)
    with pytest.raises(FileNotFoundError):
        jsonfiles.read_json(tmp_path / "nothing")


def test_half_a_surrogate_pair_is_no_text(tmp_path):
    path = tmp_path / "a.json"
    for text in (r'{"a": "x\ud800"}', r'{"\uDFFF": 1}', r'{"a": ["\ude00\ud83d"]}',
                 "[" * 90 + r'"\udc00"' + "]" * 90):
        path.write_text(text)
        with pytest.raises(ValueError, match="a.json holds half a surrogate pair"):
            jsonfiles.read_json(path, (dict, list))
    path.write_text(r'{"a": "\ud83d\ude00 \\ud800"}')
    assert jsonfiles.read_json(path) == {"a": "\U0001f600 \\ud800"}


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
