"""How BERT cuts text into word pieces, written to be read.

Read normalization, then wordpiece, then encode, which puts them together; added_tokens
finds [MASK] and its like, and tables holds what Unicode says of each character.
This room imports nothing else of numbert.
"""
