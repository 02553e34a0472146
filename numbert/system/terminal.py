"""Show text on a terminal without letting the text control the terminal.

A label, a token or the name of a file may hold escape sequences that hide lines, change
the title or write over what was printed before.
"""

from __future__ import annotations

import re

# Control characters but TAB and the end of a line, marks of the direction of writing,
# and the line ends of Unicode.
CONTROL = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e"
                     "\u2066-\u2069]")


def escaped(text: str) -> str:
    r"""Return a text with \u001b, say, in place of each character that controls.

    This is how JSON writes them: a line of JSON stays JSON.
    """
    return CONTROL.sub(lambda found: rf"\u{ord(found[0]):04x}", text)


class Escaped:
    """A stream of text that escapes what is written to it.

    The original stream is in `stream`, for what controls a terminal on purpose.
    """

    def __init__(self, stream):
        self.stream = stream

    def write(self, text: str) -> int:
        """Write a text, escaped."""
        return self.stream.write(escaped(text))

    def __getattr__(self, name):
        return getattr(self.stream, name)
