"""The mathematics of BERT: every formula of the paper with its gradient right under it.

Read in this order: ops, losses, erf, blocks, embeddings, attention, encoder, heads.
Each file needs only those before it.  This room imports nothing else of numbert.
"""
