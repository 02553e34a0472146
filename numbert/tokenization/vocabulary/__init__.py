"""The tokens of a tokenizer, the files that hold them, and the way back to text.

Read special_tokens, then tokens, which adds the vocabulary; decoding turns tokens into
text.  loading makes a tokenizer from its files and saves it: reading reads and checks
the JSON files, rust knows the one that holds a whole tokenizer, and files reads and
writes the vocabulary.
This room imports definition and rows, and numbert.system for names on the hub.
"""
