"""What a terminal shows can't control it."""

import io
import json
import unicodedata

import pytest

from numbert.system.terminal import Escaped, escaped

BIDIRECTIONAL = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def controls(char):
    """Whether a character controls: by Unicode's own tables."""
    return (unicodedata.category(char) in ("Cc", "Zl", "Zp") and char not in "\t\n") \
        or unicodedata.bidirectional(char) in BIDIRECTIONAL \
        or unicodedata.name(char, "").endswith(("-TO-RIGHT MARK", "-TO-LEFT MARK",
                                                "LETTER MARK"))


def test_every_character_that_controls_and_no_other():
    chars = [chr(i) for i in range(0x110000)]
    assert [c for c in chars if escaped(c) != c] == [c for c in chars if controls(c)]


@pytest.mark.parametrize("text, shown", [
    ("\x1b[31mred\x1b[0m", r"\u001b[31mred\u001b[0m"), ("a\rb\ac", r"a\u000db\u0007c"),
    ("\x9b2J", r"\u009b2J"), ("\u202egnp", r"\u202egnp"), ("a\tb\nc é 字 👩‍💻", None),
    (r"\u001b", None)])
def test_escapes(text, shown):
    assert escaped(text) == (text if shown is None else shown)


def test_json_stays_json():
    value = {"label": "\x1b]0;title\x07 \x9b \u2067 \\ é"}
    assert json.loads(escaped(json.dumps(value, ensure_ascii=False))) == value


def test_a_stream():
    plain = io.StringIO()
    stream = Escaped(plain)
    print("a\x1bb", file=stream, flush=True)
    assert plain.getvalue() == "a\\u001bb\n" and not stream.isatty()
    assert stream.stream is plain
