"""The nine BERT classes, with the names, arguments and outputs of Hugging Face.

Start with classes: each is a short story of backbone, head and loss.  base runs a call
and targets computes its loss.  inputs checks the arguments of a call, outputs holds its
results, and trace records what happens inside.  config and params describe a model;
weights loads and saves it.  cache, sampling, generation and encoder_decoder are for
writing text.  This room imports only bert and system.
"""
