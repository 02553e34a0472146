"""The nine BERT classes, with the names, arguments and outputs of Hugging Face.

Start with classes: each is a short story of backbone, head, loss.  Then base, which
runs it, and targets, its loss; inputs checks what callers pass; weights loads and saves.
cache, generation, sampling and encoder_decoder are about writing text with a decoder.
This room imports bert and system.
"""
