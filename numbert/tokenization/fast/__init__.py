"""The result of `definition`, many times as fast; the tests hold the two together.

pipeline decides which way a text goes: words looks up words it has seen, vectorized
cuts whole documents at once with letters, lexicon and keytable.
This room imports definition.
"""
