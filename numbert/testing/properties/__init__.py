"""Properties: laws that every right tokenizer, masking and model keeps.

Read laws for what a property is, targets for how your code is handed over, and then
tokenizer, rows, masking, operations, forward, backward or generation.  table has them
all, with strategies, and runs them; only it needs hypothesis.
This room may import what testing may.
"""
