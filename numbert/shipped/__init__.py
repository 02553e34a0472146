"""How the checkpoints that ship with numbert are made: `python -m numbert.shipped`.

    steps    the training, from the text of `numbert.world` to the folders of models
    scores   what they get right on held-out text, beside simple baselines
    card     README.md, the model card
"""
