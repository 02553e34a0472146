"""From the pieces of texts to the rows that a model reads.

In the order of a call: options, inputs, truncation, padding, layout, encoding, batch.
This room imports definition and fast.
"""
