"""Tokenizers: from text to the ids that BERT reads, and back.

Read definition first: it is the paper's tokenizer, written for learners.  fast computes
the same more quickly, rows turns word pieces into the rows that a model reads, and
vocabulary holds the tokens and their files.  base and tokenizer put these together for
the user.  legacy is an older tokenizer, learn makes a vocabulary from text, and view
shows each stage.
This room imports numbert.system and nothing else of numbert.
"""

from .definition.added_tokens import AddedToken
from .rows.batch import BatchEncoding
from .legacy.tokenizer import BertTokenizerLegacy
from .tokenizer import BertTokenizer, BertTokenizerFast
from .learn import train_wordpiece
