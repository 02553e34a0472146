"""The checkpoints that ship with numbert.  README.md beside this file says what they
can do, and `python -m numbert.shipped` trains them."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent
PRETRAINED = "pretrained"
# Tasks whose head is not in the pre-trained model have a folder of their own name.
USES_PRETRAINED = ("fill-mask", "masked-lm", "next-sentence", "feature-extraction",
                   "sentence-embedding")
FINE_TUNED = ("text-classification", "token-classification", "question-answering",
              "multiple-choice", "text-generation")


def default_model(task: str = "fill-mask") -> Path:
    """The folder of the checkpoint that ships for a task.

    Args:
        task: the name of a pipeline, such as "fill-mask", or of a task of `finetune`.

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
