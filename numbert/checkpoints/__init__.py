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


def default_model(task: str = "fill-mask") -> Path:
    """The folder of the checkpoint that ships for a task.

    Args:
        task: a task of `pipeline`, such as "fill-mask", or of `finetune`.

    Raises:
        ValueError: no checkpoint ships for this task.
    """
    name = PRETRAINED if task in USES_PRETRAINED else task
    folder = FOLDER / name
    if name not in (PRETRAINED, *FINE_TUNED) or not (folder / "config.json").exists():
        raise ValueError(f"no checkpoint for {task!r} comes with this copy of numbert: "
                         "pass model=, a folder with a checkpoint or a name on the "
                         "Hugging Face hub")
    return folder
