"""The tokens of a tokenizer, the files that hold them, and the way back to text.

Read special_tokens, then tokens, which adds the vocabulary; decoding turns tokens into
text.  loading gathers the settings of a saved tokenizer, and files reads and writes
each file.
This room imports definition and rows, and numbert.system for names on the hub.
"""
