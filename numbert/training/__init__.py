"""Train any model that has forward and backward.

Start with loop, then optim, batches and objectives; recipe, state and log are its
settings, its checkpoints and its history; masking makes the data of pre-training.
This room imports bert and system; the model comes in as an argument.
"""
