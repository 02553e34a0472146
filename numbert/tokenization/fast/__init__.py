"""The same result as `definition`, many times faster; the tests compare the two.

Read pipeline, which chooses the quickest way for a text.  A sentence goes through
words, which remembers the pieces of words.  A document goes through vectorized, which
works on arrays: letters makes them from text, and lexicon looks up words in keytable.
added finds the added tokens for both.
This room imports definition.
"""
