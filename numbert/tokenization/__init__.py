"""Tokenizers: from text to the ids that BERT reads, and back.

Begin with definition, the paper's tokenizer in a form to be read.  tokenizer and base
are what a user calls: they take word pieces from fast, which computes the same sooner,
build rows with rows, and know their tokens through vocabulary.  legacy is an older
tokenizer, learn makes a vocabulary from text, and view shows each stage.
This room imports numbert.system and nothing else of numbert.
"""

from .definition.added_tokens import AddedToken
from .rows.batch import BatchEncoding
from .legacy.tokenizer import BertTokenizerLegacy
from .tokenizer import BertTokenizer, BertTokenizerFast
from .learn import train_wordpiece
