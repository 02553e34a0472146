"""Other tables of leaf operations, for the same blocks.

exact computes with rigorous balls: its digits are proven.  torch_model computes with
torch (to_torch), from the table in torch_ops and the modules in torch_module.
torch_ranks shares a training run among processes.  A model takes a table as
`model.ops`.  onnx_export writes a model to an ONNX file.
This room may import bert, models and system.
"""
