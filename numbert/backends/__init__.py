"""Other tables of leaf operations, for the same blocks.

exact computes with rigorous balls: its digits are proven.  A model takes a table as
`model.ops`, and then computes with it in both directions.
This room may import bert and models.
"""
