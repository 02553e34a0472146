"""A small made-up world in simple English, and how the models that ship learn from it.

Read templates, lexicon and facts, names and stories: the sentences.  Then opinions,
corpus, exercises and files: the text and the examples.  Then how the checkpoints are
trained: steps (the training), scores (the measuring), probes (questions written by
hand), card (the model card) and shipped (the command, `python -m numbert.shipped`).
This room may import anything.

    documents(1000)                     text for pre-training
    opinion_texts(1000), tagged_texts(1000), questions(1000), choices(1000)

All text comes from the tables and sentence patterns of this room, drawn at random: the
same seed gives the same text on every machine.  Each function makes training data or,
with split=HELD_OUT, test data that has no sentence in common with it.  The models that
ship learnt from nothing else.
"""

from .corpus import documents, statements
from .exercises import choices, cloze, opinion_texts, questions, tagged_texts
from .templates import HELD_OUT, TRAIN
