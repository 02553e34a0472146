"""Fine-tune, evaluate and pre-train a model from plain files.

Read finetuning first, then common (what a task is) and texts (the simplest one); words,
questions, choices, masked and sequences are the others.  pretraining starts from a
corpus, metrics holds the scores, weights the losses, records what training.json says.
This room may import training, models, tokenization, bert and system.
"""

from . import choices, masked, questions, sequences, texts, words
from .common import Data, Settings, Task

TASKS = {task.name: task for task in (
    texts.ONE_LABEL, texts.SOME_LABELS, texts.NUMBER, words.TASK, questions.TASK,
    choices.TASK, masked.TASK, sequences.TASK)}
