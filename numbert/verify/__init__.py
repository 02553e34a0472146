"""Ground truth for other implementations of BERT, and the comparison with it.

Read in this order: cases (what is computed), run (how numbert computes it, step by
step), results (what a comparison says); and proofs, which says how many digits of a
checkpoint's numbers are certain.  This room may import backends, models,
tokenization, training, bert and system.
"""
