"""From the word pieces of texts to the rows that a model reads.

Read the files in the order of a call: options and inputs check what was passed,
truncation cuts, layout adds special tokens and padding, encoding does all this for one
call, and batch holds what the call returns.  padding pads rows encoded earlier.
This room imports definition and fast.
"""
