"""Strategies for tests: what they draw can be used as it is."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from numbert.testing.strategies import bert_text, call_options, vocabularies
from numbert.tokenization import BertTokenizer

ROOT = Path(__file__).resolve().parents[2]


@given(texts=st.lists(bert_text(max_parts=6), min_size=1, max_size=4),
       vocab=vocabularies(), named=call_options())
@settings(max_examples=150, deadline=None)
def test_options_go_together(texts, vocab, named):
    tokenizer = BertTokenizer(vocab)
    tokenizer(texts, **named)
    tokenizer(texts[0], **named)


@pytest.mark.parametrize("name", [
    "padding", "truncation", "max_length", "add_special_tokens", "padding_side",
    "return_special_tokens_mask", "return_offsets_mapping", "return_length",
    "return_tensors", "return_overflowing_tokens", "stride"])
def test_every_option_is_drawn(name):
    assert name in find(call_options(), lambda named: name in named)


@pytest.mark.parametrize("name", ["return_overflowing_tokens", "stride"])
def test_no_windows_unless_asked_for(name):
    with pytest.raises(NoSuchExample):
        find(call_options(overflow=False), lambda named: name in named,
             settings=settings(max_examples=300, database=None))


PROBE = """
import json, sys
sys.modules["hypothesis"] = None                # as if it were not installed
import numbert
answers = [numbert.testing.__name__, "testing" in dir(numbert)]
try:
    numbert.testing.strategies
except ImportError as error:
    answers.append(str(error))
print(json.dumps(answers))
"""


def test_without_hypothesis_the_error_says_what_to_install():
    run = subprocess.run([sys.executable, "-c", PROBE], cwd=ROOT, text=True, check=True,
                         capture_output=True)
    name, listed, message = json.loads(run.stdout)
    assert (name, listed) == ("numbert.testing", True)
    assert 'pip install "numbert[test]"' in message
