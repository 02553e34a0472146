"""Tokenizers for the tests of the deviations, and what a call raises."""

from tokenizer_cases import VOCAB

from numbert.tokenization import BertTokenizer, BertTokenizerLegacy


def make(**named):
    return BertTokenizer(dict(VOCAB), **named)


def legacy(**named):
    return BertTokenizerLegacy(dict(VOCAB), **named)


def error(call):
    """The name of the exception that a call raises, or None; a Rust panic counts."""
    try:
        call()
    except BaseException as caught:
        return type(caught).__name__
    return None
