"""BertTokenizerLegacy, the older tokenizer in pure Python, which has its own rules.

Read words, which splits a text into words, then pieces, which turns words into ids,
then tokenizer, which builds rows from ids.
This room imports definition, rows and vocabulary; no other room imports it.
"""
