"""BertTokenizerLegacy, the pure Python tokenizer of old, with its own rules.

This room imports the other rooms of tokenization.
"""
