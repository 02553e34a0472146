"""The nine BERT classes, with the names, arguments and outputs of Hugging Face.

Start with classes: each class there is the backbone, a head and a loss.  base is what
they share; inputs and targets check what a caller passes; generation and cache write
text with a decoder.  This room imports bert and system.
"""
