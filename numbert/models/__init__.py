"""The nine BERT classes, with the names, arguments and outputs of Hugging Face.

Start with classes: each is a short story of backbone, head and loss.  base runs a call,
inputs checks it, targets computes its loss, and outputs holds its results.  trace shows
what happens inside; taps names it.  config and params describe a model; weights loads
it.  To generate text: cache, generation_config, sampling, steps, beams, generation, and
halves, encoder_decoder*.  This room imports only bert and system.
"""
