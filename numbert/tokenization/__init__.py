"""Tokenizers: from text to the ids that BERT reads, and back."""

from .added_tokens import AddedToken
from .batch import BatchEncoding
from .legacy import BertTokenizerLegacy
from .tokenizer import BertTokenizer, BertTokenizerFast
from .training import train_wordpiece
