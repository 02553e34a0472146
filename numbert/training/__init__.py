"""Train any model that has a forward and a backward.

Read loop first, then recipe (the settings of a run), optim, batches and objectives.
state, whose fields `fields` checks, and log keep a run's checkpoint and history,
masking makes the data of pre-training, which collators offers under the names of
transformers; distillation learns from a teacher, weighting from weighted labels.
This room may import bert and system; the model comes in as an argument.
"""
