"""Tokenizers: from text to the ids that BERT reads, and back.

Read definition first: the paper's tokenizer, written for learners.  fast computes the
same more quickly, rows makes rows for a model, vocabulary holds the tokens and their
files.  base and tokenizer put these together; legacy is an older tokenizer, learn makes
a vocabulary from text, and view shows each stage.
This room may import system, and nothing else of numbert.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from .definition.added_tokens import AddedToken
from .rows.batch import BatchEncoding
from .tokenizer import BertTokenizer, BertTokenizerFast

if TYPE_CHECKING:
    from .learn import train_wordpiece
    from .legacy.pieces import WordpieceTokenizer
    from .legacy.tokenizer import BertTokenizerLegacy
    from .legacy.words import BasicTokenizer

# Imported on first use: few programs need them.
LATER = {"train_wordpiece": "learn", "WordpieceTokenizer": "legacy.pieces",
         "BertTokenizerLegacy": "legacy.tokenizer", "BasicTokenizer": "legacy.words"}


def __getattr__(name):
    if name not in LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{LATER[name]}", __name__), name)


def __dir__():
    return sorted({*globals(), *LATER})
