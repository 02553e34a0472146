"""A small world to learn from: facts, stories and opinions in simple English.

    documents(1000)                     text for pre-training
    opinion_texts(1000), tagged_texts(1000), questions(1000), choices(1000)

Everything comes from tables and sentence patterns in this package, drawn at random from
a seed: the same seed gives the same text, on every machine.  Each function makes
training data, or with split=HELD_OUT test data that has no sentence in common with it.
The checkpoint that ships with numbert learnt from nothing else; see `numbert.shipped`.
"""

from .corpus import documents, statements
from .exercises import choices, cloze, opinion_texts, questions, tagged_texts
from .templates import HELD_OUT, TRAIN
