"""`numbert vectors`: listing, showing, and asking programs that behave badly."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from numbert.testing import vectors

HERE = Path(__file__).parent
GOOD = HERE.parent / "testing" / "vector_program.py"
ECHO = """
import json, sys, time
asked = [json.loads(line) for line in sys.stdin]
def say(**answer):
    print(json.dumps(answer), flush=True)
"""


@pytest.fixture
def program(tmp_path):
    """Makes a program of a few lines: [python, its path]."""
    def make(code):
        path = tmp_path / "program.py"
        path.write_text(ECHO + code)
        return [sys.executable, path]
    return make


def count(group, dialect="hf-fast"):
    """How many vectors of a group a program is asked."""
    return len(vectors.every(group, dialect=dialect))


# ------------------------------------------------------------------------ list and show

def test_the_groups_are_listed(numbert_main):
    code, out, _ = numbert_main("vectors", "list")
    lines = out.splitlines()
    assert code == 0 and [line.split()[0] for line in lines] == [
        *vectors.groups(), "all"]
    assert lines[-1].split()[1] == str(len(vectors.every()))
    google = numbert_main("vectors", "list", "--dialect", "google")[1]
    assert "offsets               0" in google


def test_the_vectors_of_a_group_are_listed(numbert_main):
    code, out, _ = numbert_main("vectors", "list", "cleaning", "--flag", "PrivateUse")
    assert code == 0 and len(out.splitlines()) == len(
        vectors.every("cleaning", "PrivateUse")) > 3
    assert "cleaning-0070" in out and "is the first private character" in out
    lines = numbert_main("vectors", "list", "--catches", "H4")[1].splitlines()
    assert len(lines) == len(vectors.every(bug="H4")) > 10
    lines = numbert_main("vectors", "list", "cleaning", "--json")[1].splitlines()
    assert [json.loads(line) for line in lines] == vectors.every("cleaning")


def test_a_vector_is_shown(numbert_main):
    code, out, _ = numbert_main("vectors", "show", "wordpiece-0061")
    assert code == 0 and out.startswith("wordpiece-0061: wordpiece, valid\n")
    assert "expected  google: " in out and 'expected  hf-fast: ["[UNK]"]' in out
    assert "catches   H4" in out and out.isascii()


def test_every_vector_can_be_shown():
    from numbert.cli.vectors import shown
    for vector in vectors.every():
        assert all(line.isprintable() for line in shown(vector)), vector["id"]


@pytest.mark.parametrize("args, says", [
    (["list", "words"], "the group is 'words', expected one of cleaning"),
    (["list", "--flag", "Nothing"], "the flag is 'Nothing', expected one of"),
    (["list", "--dialect", "rust"], "the dialect is 'rust', expected one of google"),
    (["show", "cleaning-1"], "the vector is 'cleaning-1', expected an id such as"),
    (["run", "--exec"], "--exec is given without a program"),
    (["run", "--dialect", "x", "--exec", "a"], "the dialect is 'x', expected one of"),
    (["run", "--timeout", "0", "--exec", "a"], "expected a number of seconds above 0"),
    (["run"], "the following arguments are required: --exec"),
    ([], "list, show or run")])
def test_what_is_wrong_is_said(numbert_main, args, says):
    code, out, err = numbert_main("vectors", *args)
    assert code == 2 and says in err and not out


# --------------------------------------------------------------------------------- run

def test_a_program_is_asked(numbert_main):
    code, out, _ = numbert_main("vectors", "run", "--group", "wordpiece", "--exec",
                                sys.executable, GOOD)
    files = len([v for v in vectors.every("wordpiece")
                 if v["operation"] == "read_vocabulary"])
    numbers = f"{count('wordpiece') - files:6}       0  {files:7}"
    assert code == 0 and out.splitlines() == [
        "group              passed  failed  skipped",
        f"wordpiece          {numbers}", f"all                {numbers}"]


def test_failures_are_shown_with_their_reason(numbert_main):
    code, out, _ = numbert_main("vectors", "run", "--group", "cleaning", "--exec",
                                sys.executable, GOOD)
    assert code == 1 and out.count(" failed (clean): got ") == 3
    assert "cleaning-0035 failed (clean): got 'ab', expected 'a\\u08e2b'" in out
    assert "Why it is there: U+08E2" in out
    assert '  input     {"text": "a\\u08e2b"}' in out
    assert f"cleaning           {count('cleaning') - 3:6}       3        0" in out


def test_only_the_first_failures_are_shown(numbert_main, program):
    wrong = program('for x in asked: say(id=x["id"], output="\\x1b[31m")')
    args = ("vectors", "run", "--group", "cleaning")
    code, out, _ = numbert_main(*args, "--exec", *wrong)
    assert code == 1 and out.count("Why it is there") == 10
    assert f"... and {count('cleaning') - 10} more failures; --all shows them" in out
    assert "\x1b" not in out
    out = numbert_main(*args, "--all", "--exec", *wrong)[1]
    assert out.count("Why it is there") == count("cleaning")


def test_the_order_of_answers_does_not_matter(numbert_main, program):
    code, out, _ = numbert_main(
        "vectors", "run", "--group", "decoding", "--dialect", "hf-legacy", "--exec",
        *program('say(id=asked[-1]["id"], error="no")\n'
                 'for x in asked[-2::-1]: say(id=x["id"], skip=True)'))
    skipped = count("decoding", "hf-legacy") - 1
    assert code == 1 and re.search(rf"decoding +0 +1 +{skipped}\n", out)
    assert "it was refused: no" in out


@pytest.mark.parametrize("code, says", [
    ("", "ended without an answer to wordpiece-0001 and {rest} others"),
    ("say(id=asked[0]['id'], skip=True)",
     "ended without an answer to wordpiece-0002 and"),
    ("print('hello')", "line 1 of its output is not JSON in UTF-8"),
    ("sys.stdout.buffer.write(b'\\xff')", "line 1 of its output is not JSON in UTF-8"),
    ("print('[' * 100000)", "line 1 of its output is not JSON in UTF-8"),
    ("print('[1]')", "line 1 of its output is [1], expected an object with id and one"),
    ("say(id='wordpiece-0001')", "expected an object with id and one of output"),
    ("say(id='wordpiece-0001', skip=False)", 'and "skip": true: correct it'),
    ("say(id='wordpiece-0001', output=[], error='')", "expected an object with id and"),
    ("say(output=[])", "expected an object with id and one of output"),
    ("say(id='wordpiece-9', skip=True)", "line 1 of its output answers 'wordpiece-9', "
     "expected the id of a request"),
    ("say(id='wordpiece-0001', skip=True)\nsay(id='wordpiece-0001', skip=True)",
     "line 2 of its output answers wordpiece-0001 for the second time"),
    ("for x in asked: say(id=x['id'], skip=True)",
     "all {all} vectors are skipped, expected an answer to some"),
    ("say(id='wordpiece-0001', skip=True)\nsys.exit('\\x1b[31mbroken')",
     "failed (exit code 1), expected exit code 0"),
    ("import os; os.kill(os.getpid(), 9)", "failed (signal 9 ended it)"),
    ("say(id='wordpiece-0001', skip=True)\ntime.sleep(60)",
     "ran for more than 2 seconds and was stopped")])
def test_what_a_program_does_wrong_is_said(numbert_main, program, code, says):
    code, out, err = numbert_main("vectors", "run", "--group", "wordpiece", "--timeout",
                                  2, "--exec", *program(code))
    total = count("wordpiece")
    says = says.replace("{all}", str(total)).replace("{rest}", str(total - 1))
    assert code == 2 and says in err and "\x1b" not in out + err
    if "exit code 1" in says or "seconds" in says:
        assert f"It had answered 1 of {total} requests; the first without an answer " \
            "is wordpiece-0002" in err


def test_a_program_that_is_not_there(numbert_main, tmp_path):
    code, _, err = numbert_main("vectors", "run", "--exec", tmp_path / "none")
    assert code == 2 and "could not be started" in err and "answered" not in err


def test_the_javascript_of_the_page_runs(numbert_main, tmp_path):
    """Where there is no node, this sees only that the page has the program."""
    page = (Path(vectors.__file__).parent / "README.md").read_text()
    source = re.search(r"```javascript\n(.*?)```", page, re.S)[1]
    assert "JSON.parse" in source and len(source.splitlines()) < 45
    if shutil.which("node"):
        (tmp_path / "tokenizer.js").write_text(source)
        outcomes = vectors.run(["node", str(tmp_path / "tokenizer.js")])
        failed = [x.vector for x in outcomes if x.problem]
        assert all("UnicodeVersion" in vector["flags"] for vector in failed)
        assert sum(not x.skipped for x in outcomes) > 160 and len(failed) < 5


def test_the_command_works_as_a_process():
    done = subprocess.run([sys.executable, "-m", "numbert", "vectors", "show",
                           "labels-0001"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("labels-0001: targets")
