"""Every error says what is wrong, what was expected, and what to do about it.

The form is "X is V, expected E: remedy".  This reads the text of every `raise` in the
package, and the texts that modules keep in constants for it.
"""

import ast
import re
from pathlib import Path

import numbert

FOLDER = Path(numbert.__file__).parent
# Python's own errors, or raised by functions that have the form already.
OTHER = {"NotImplementedError", "StopIteration", "AttributeError", "no_attribute",
         "SystemExit",
         "Broken"}              # a law's, which tells of the program that is tested
PARTS = {                # they end or begin with the error that they pass on
    "checkpoint.py: '{}: {}'", "config.py: '{}: {}'", "loading.py: '{}: {}'",
    "reading.py: '{}: {}'", "reading.py: 'an added token'",
    "params.py: 'params hold {}: take them from a model with the same configuration'",
    "hub.py: '{}: no such directory, and {}'",
    "absent.py: '{} takes no {}, on purpose: {}'",      # the table holds the remedy
    "adapters.py: 'case {}: {}'", "adapters.py: '{} {}'",
    "names.py: 'rule {} of {}, for {}: {}'", "programs.py: '{}\\n{}'",
    "loop.py: 'evaluation after step {}: {}; {}; {}'"}


def text_of(node) -> str:
    """The longest string in an expression, with {} for what is filled in."""
    found = [""]
    for part in ast.walk(node):
        if isinstance(part, ast.JoinedStr):
            found.append("".join(x.value if isinstance(x, ast.Constant) else "{}"
                                 for x in part.values))
        elif isinstance(part, ast.Constant) and isinstance(part.value, str):
            found.append(part.value)
    return max(found, key=len)


def errors(path: Path):
    """(line, text) of each error that a file raises with a text of its own."""
    tree = ast.parse(path.read_text())
    kept = {node.targets[0].id: text_of(node.value) for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and \
                ast.unparse(node.exc.func) not in OTHER:
            text = max((text_of(x) for x in node.exc.args), key=len, default="") or max(
                (kept.get(x.id, "") for x in ast.walk(node.exc)
                 if isinstance(x, ast.Name)), key=len, default="")
            if text and f"{path.name}: {text!r}" not in PARTS:
                yield node.lineno, text


def in_form(text: str) -> bool:
    """Whether a text tells what was expected and, after a colon, what to do."""
    found, expected, rest = text.partition("expected")
    return bool(expected) and ": " in rest.replace("{name: number}", "") and \
        not re.search(r"\bgot\b", found)


def test_every_error_says_what_was_expected_and_what_to_do():
    wrong, count = [], 0
    for path in sorted(FOLDER.rglob("*.py")):
        for line, text in errors(path):
            count += 1
            if not in_form(text):
                wrong.append(f"{path.relative_to(FOLDER)}:{line}: {text}")
    assert count > 300
    assert not wrong, "\n".join(wrong)


def test_a_text_without_a_remedy_is_found(tmp_path):
    file = tmp_path / "a.py"
    file.write_text('raise ValueError(f"x is {x}, expected 3: add one")\n'
                    'raise ValueError(f"x is {x}, expected 3")\n'
                    'raise ValueError("x: is bad")\n'
                    'raise ValueError(f"got {x}, expected 3: add one")\n'
                    'TEXT = "{} is bad"\nraise ValueError(TEXT.format(3))\n')
    found = [in_form(text) for _, text in errors(file)]
    assert found == [True, False, False, False, False]
