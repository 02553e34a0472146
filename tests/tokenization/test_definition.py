"""The whole tokenizer of the paper in six lines, against BertTokenizer."""

import doctest
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from tokenizer_cases import VOCAB

from numbert.testing.strategies import SPECIAL, bert_text, vocabularies
from numbert.tokenization import BertTokenizer, definition
from numbert.tokenization.definition import tokenize
from numbert.tokenization.definition import encode, wordpiece

TOKENIZERS = {lowercase: BertTokenizer(VOCAB, do_lower_case=lowercase)
              for lowercase in (True, False)}
quick = settings(deadline=None, max_examples=300, derandomize=True,
                 suppress_health_check=[HealthCheck.too_slow])


def has_special(text):
    return any(token in text for token in SPECIAL)


@given(text=bert_text(vocab=tuple(VOCAB)[5:]))
@example(text="a" * 100)
@example(text="a" * 101)
@example(text="한" * 33 + " " + "한" * 34)
@example(text="Nai\u0308ve NAÏVE \u212b \u1e69 İ ΑΣ ß")
@example(text="中文か\u3099\u4dc0\U0002b820\U0002b920\uf900")
@example(text="a\x00b\x0bc\u200b\ue000\ufffd\t\u2028\u0378")
@example(text="[mask] [ MASK ] zzz don't 3.14!")
@quick
def test_tokenize_is_bert_tokenizer(text):
    assume(not has_special(text))
    for lowercase, tokenizer in TOKENIZERS.items():
        assert tokenize(text, VOCAB, lowercase) == tokenizer.tokenize(text)


@given(vocab=vocabularies(special=False), text=bert_text())
@quick
def test_tokenize_is_bert_tokenizer_whatever_the_vocabulary(vocab, text):
    assume(not has_special(text))
    assert tokenize(text, vocab) == BertTokenizer(vocab).tokenize(text)


def test_a_long_text_goes_another_way_and_comes_out_the_same():
    text = "Unaffable naïve Worlds, 中文 don't xyz!\n" * 1000
    assert tokenize(text, VOCAB) == TOKENIZERS[True].tokenize(text)


def test_special_tokens_are_text_here():
    assert tokenize("a [MASK]", VOCAB) == ["a", "[", "mask", "]"]
    assert TOKENIZERS[True].tokenize("a [MASK]") == ["a", "[MASK]"]


@pytest.mark.parametrize("module", [definition, encode, wordpiece])
def test_its_examples(module):
    result = doctest.testmod(module)
    assert result.attempted and not result.failed


def test_it_needs_nothing_but_the_definition():
    """Not even NumPy: its folder works as a package of its own."""
    code = ("import importlib.util, sys\n"
            "spec = importlib.util.spec_from_file_location(\n"
            "    'definition', sys.argv[1], submodule_search_locations=[sys.argv[2]])\n"
            "module = importlib.util.module_from_spec(spec)\n"
            "sys.modules['definition'] = module\n"
            "spec.loader.exec_module(module)\n"
            "from definition import encode\n"
            "assert not {'numbert', 'numpy'} & set(sys.modules)\n"
            "print(module.tokenize('Ab!', {'a', '##b', '!'}))\n"
            "core = encode.compile_core({'a': 5, '##b': 6, '!': 7})\n"
            "print(encode.encode_plain(core, 'Ab!'))\n")
    out = subprocess.run(
        [sys.executable, "-c", code, definition.__file__, definition.__path__[0]],
        check=True, capture_output=True, text=True).stdout
    assert out == ("['a', '##b', '!']\n"
                   "([5, 6, 7], [0, 1, 2], [1, 2, 3], [0, 0, 1])\n")
