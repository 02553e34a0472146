"""Tools for testing an implementation of BERT: numbert's own, or anybody's.

Start with gradcheck, which compares backward passes with finite differences.  Then
strategies, which draws texts and vocabularies that tokenizers get wrong, and stateful,
which looks for a sequence of operations that breaks a KV cache.  This room may import
verify, models, tokenization, training, bert and system.
"""
