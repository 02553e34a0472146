"""Tokenizers: from text to the ids that BERT reads, and back."""

from .definition.added_tokens import AddedToken
from .rows.batch import BatchEncoding
from .legacy.tokenizer import BertTokenizerLegacy
from .tokenizer import BertTokenizer, BertTokenizerFast
from .learn import train_wordpiece
