"""Tokenizers: from text to the ids that BERT reads, and back.

Read definition first: the paper's tokenizer, written for learners.  fast computes the
same more quickly, rows makes rows for a model, vocabulary holds the tokens and their
files.  base and tokenizer put these together; legacy is an older tokenizer, learn makes
a vocabulary from text, and view shows each stage.
This room may import system, and nothing else of numbert.
"""

from .definition.added_tokens import AddedToken
from .learn import train_wordpiece
from .legacy.pieces import WordpieceTokenizer
from .legacy.tokenizer import BertTokenizerLegacy
from .legacy.words import BasicTokenizer
from .rows.batch import BatchEncoding
from .tokenizer import BertTokenizer, BertTokenizerFast
