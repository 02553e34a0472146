"""Ground truth for other implementations of BERT, and the comparison with it.

Read in this order: cases (what is computed), run (how numbert computes it, step by
step), truth and noise (what must come out, and how nearly), packs (both as files),
compare, mutants and zoo (bugs as data), diagnose; adapters and results are its ends.
proofs says how many digits of a checkpoint's numbers are certain.  This room may import
backends, models, tokenization, training, bert and system.
"""
