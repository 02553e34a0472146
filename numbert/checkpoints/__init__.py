"""The checkpoints that ship with numbert: data, and a function that finds them.

README.md in this folder is the model card: what the models can do and how they were
made.  `python -m numbert.shipped` trains them again.  This room imports nothing of
numbert.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent
PRETRAINED = "pretrained"
# These tasks share the pre-trained model; each of FINE_TUNED has a folder of its own.
USES_PRETRAINED = ("fill-mask", "masked-lm", "next-sentence", "feature-extraction",
                   "sentence-embedding")
FINE_TUNED = ("text-classification", "token-classification", "question-answering",
              "multiple-choice", "text-generation")


def example_checkpoint(task: str = "fill-mask") -> Path:
    """Return the folder of the checkpoint that ships for a task.

    Args:
        task: a task of `pipeline`, such as "fill-mask", or of `finetune`.

    Raises:
        ValueError: no checkpoint ships for this task.
    """
    folders = {**{name: FOLDER / PRETRAINED for name in (PRETRAINED, *USES_PRETRAINED)},
               **{name: FOLDER / name for name in FINE_TUNED}}
    shipped = [name for name, folder in folders.items()
               if (folder / "config.json").exists()]
    if task not in shipped:
        raise ValueError(f"task is {task!r}, expected one with a checkpoint in this "
                         f"copy of numbert ({', '.join(shipped) or 'none'}): pass "
                         "model=, a folder with a checkpoint or a name on the Hugging "
                         "Face hub")
    return folders[task]
