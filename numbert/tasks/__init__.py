"""Fine-tuning tasks: from plain files to inputs, predictions and metrics."""

from . import choices, masked, questions, texts, words
from .common import Data, Settings, Task

TASKS = {task.name: task for task in (
    texts.ONE_LABEL, texts.SOME_LABELS, texts.NUMBER, words.TASK, questions.TASK,
    choices.TASK, masked.TASK)}
