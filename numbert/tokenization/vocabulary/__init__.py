"""The tokens a tokenizer knows, the files it is loaded from and saved to, and decoding.

Start with tokens, then special_tokens; files and loading read and write them.
This room imports definition and rows.
"""
