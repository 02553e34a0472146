"""Fine-tune a checkpoint on a task from plain files, and evaluate it.

    result = finetune("text-classification", "train.tsv", "dev.tsv", "bert-dir", "out")
    scores, _, _ = evaluate("out", "test.tsv")

Devlin et al. 2019, section 4 and appendix A.3: AdamW, 2 to 4 epochs, batches of 16 or
32, a learning rate of 2e-5 to 5e-5, a linear schedule with 10 % warm-up.
"""

from __future__ import annotations

import errno
import warnings
from pathlib import Path
from typing import Any

from ..models import classes as models, params as parameters
from ..models.config import BertConfig
from ..training.distillation import from_teacher
from ..system.hub import REQUIRED, resolve
from ..system.jsonfiles import json_text, read_json
from ..system.saving import WEIGHTS, atomic_write_text
from . import TASKS, Data, Settings, Task
from .common import names_of
from ..tokenization import BertTokenizer
from ..training.loop import TrainingResult, train
from ..training.recipe import check_numbers
from ..training.state import FILE as STATE
from ..training.state import fingerprint

RECORD = "training.json"               # in `out`: written last, so it marks the end
NOTHING_BEST = ("no evaluation was best, as the deciding score was undefined (nan) in "
                "each; these are the scores of the last")
HEADS = ("classifier.", "qa_outputs.", "cls.")


def finetune(task: str, train_file, dev_file, model, out, *,
             settings: Settings = Settings(), dtype: str = "float32", seed: int = 0,
             teacher=None, temperature: float = 2.0, soft_weight: float = 0.5,
             overwrite: bool = False, epochs: int = 3, lr: float = 5e-5,
             warmup: float = 0.1, accumulate: int = 2, eval_batch_size: int = 32,
             progress: bool | None = None, **training) -> TrainingResult:
    """Train a checkpoint on a task; write model, tokenizer, scores and log to `out`.

    A run that was interrupted goes on if it is called again with the same arguments,
    and ends as if nothing had happened.

    Args:
        task: one of TASKS; the `read` of each says what its files look like.
        train_file, dev_file: the data; dev_file may be None, and then nothing is
            evaluated.  With it the parameters of the best evaluation are kept.
        model: the checkpoint to start from, with its tokenizer.
        out: a folder, made if absent.  It gets the model and tokenizer, and
            training.json (task, settings, scores) and log.jsonl (see
            TrainingResult.history).
        settings: how examples become inputs.
        dtype: "float32" or "float64".
        seed: of the new head, the order of the data, dropout and masking.
        teacher: a checkpoint fine-tuned on the same labels, to learn from as well; see
            `distillation`, for temperature and soft_weight, too.
        overwrite: start anew if `out` holds a model or an unfinished run.
        epochs, lr, warmup, accumulate, **training: see `train`.
        eval_batch_size: examples computed at once in evaluation.
        progress: show bars; None means on a terminal.

    Returns:
        TrainingResult; `best` holds the scores on dev_file.

    Raises:
        ValueError: data, names or settings that do not fit, or are not those of the
            unfinished run in `out`; before any training.
        DivergedError: see `train`; nothing is saved but earlier checkpoints.
        OSError: a file can't be read or written.
    """
    chosen, out = known_task(task), Path(out)
    check_numbers({"epochs": epochs, "lr": lr, "warmup": warmup, "seed": seed,
                   "accumulate": accumulate, "eval_batch_size": eval_batch_size,
                   **training})
    refuse_finished(out, overwrite)
    examples = chosen.read(train_file)
    dev_examples = None if dev_file is None else chosen.read(dev_file)
    tokenizer = BertTokenizer.from_pretrained(model)
    guide = None if teacher is None else load_teacher(chosen, teacher, tokenizer, dtype)
    student = load_student(chosen, model, examples, guide, dtype, seed)
    refuse_other_vocabulary(tokenizer, student.config)
    data = chosen.encode(examples, tokenizer, student.config, settings)
    dev = None if dev_examples is None else \
        chosen.encode(dev_examples, tokenizer, student.config, settings)
    objective = chosen.objective if guide is None else \
        from_teacher(guide, temperature, soft_weight)
    identity = {
        "task": task, **settings._asdict(),
        **fingerprints(model=[student.params], train_data=data.inputs,
                       dev_data=dev and dev.inputs, teacher=guide and [guide.params])}
    if guide is not None:
        identity |= {"temperature": temperature, "soft_weight": soft_weight}
    prepare_folder(out, overwrite)
    result = train(
        student, data.inputs, epochs=epochs, lr=lr, warmup=warmup, seed=seed,
        accumulate=accumulate, collate=chosen.collate(tokenizer, settings),
        objective=objective,
        evaluate=None if dev is None else lambda m: scores(
            chosen, m, dev, tokenizer, settings, eval_batch_size, progress)[0],
        metric=None if dev is None else chosen.metric, log=out / "log.jsonl",
        checkpoint_dir=out, identity=identity, progress=progress, **training)
    finish(out, student, tokenizer, result,
           {"task": task, "settings": settings._asdict()})
    return result


def evaluate(model, file, *, task: str | None = None, settings: Settings | None = None,
             dtype: str = "float32", batch_size: int = 32, progress: bool | None = None
             ) -> tuple[dict[str, float], list, list]:
    """Score a fine-tuned model on a file.

    Args:
        model: a checkpoint; one that `finetune` wrote knows its task and settings.
        file: the data, in a format of the task.
        task, settings: to be given for a checkpoint from elsewhere.
        dtype, batch_size, progress: as in `finetune`.

    Returns:
        the scores, the examples of the file, and a prediction for each of them.

    Raises:
        ValueError: an unknown task, or data that does not fit it.
        OSError: a file can't be read.
    """
    refuse_unfinished(Path(model))
    folder = Path(resolve(str(model), REQUIRED))
    record = read_record(folder)
    chosen = known_task(task or record.get("task") or "")
    settings = settings or Settings(**record.get("settings", {}))
    examples = chosen.read(file)
    tokenizer = BertTokenizer.from_pretrained(model)
    loaded = load_finished(chosen, model, dtype)
    refuse_other_vocabulary(tokenizer, loaded.config)
    data = chosen.encode(examples, tokenizer, loaded.config, settings)
    found, predictions = scores(chosen, loaded, data, tokenizer, settings, batch_size,
                                progress)
    return found, examples, predictions


def scores(task: Task, model, data: Data, tokenizer, settings: Settings,
           batch_size: int = 32, progress: bool | None = None
           ) -> tuple[dict[str, float], list]:
    """The task's metrics of a model on encoded data, and its predictions."""
    predictions = task.predict(model, data, tokenizer, settings, batch_size, progress)
    return task.score(data.examples, predictions, names_of(model.config)), predictions


def finish(out: Path, model, tokenizer, result: TrainingResult, record: dict) -> None:
    """Write the result of a run; only then is its state removed."""
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    record = {**record, "steps": result.steps, "best_step": result.best_step,
              "scores": result.best or result.last}
    if result.best is None and result.last is not None:
        record["note"] = NOTHING_BEST
    atomic_write_text(out / RECORD, json_text(record, indent=2) + "\n")
    (out / STATE).unlink(missing_ok=True)


# ------------------------------------------------------------------ before training

def fingerprints(**parts) -> dict[str, str | None]:
    """What a run depends on, as `train` records it: {NAME_sha256: ...}."""
    return {f"{name}_sha256": None if rows is None else fingerprint(rows)
            for name, rows in parts.items()}


def known_task(name: str) -> Task:
    """The task of this name."""
    if name not in TASKS:
        given = f"there is no task {name!r}" if name else "the task is not known"
        raise ValueError(f"{given}: expected one of {', '.join(TASKS)}")
    return TASKS[name]


def refuse_finished(out: Path, overwrite: bool) -> None:
    """Make sure that nothing in `out` is lost by mistake, nor mixed up."""
    if out.exists() and not out.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "this is a file; expected a folder for "
                                 "the result", str(out))
    if not overwrite and ((out / RECORD).exists() or (
            (out / WEIGHTS).exists() and not (out / STATE).exists())):
        raise ValueError(f"{out} already holds a model: choose another folder, or "
                         "overwrite it (--overwrite)")


def prepare_folder(out: Path, overwrite: bool) -> None:
    """Make the folder; to start anew, remove an earlier run and its model."""
    out.mkdir(parents=True, exist_ok=True)
    if overwrite:
        for name in (STATE, RECORD, WEIGHTS):
            (out / name).unlink(missing_ok=True)


def refuse_unfinished(folder: Path) -> None:
    """Say what is missing of a run that has not ended."""
    if (folder / STATE).exists() and not (folder / RECORD).exists():
        raise ValueError(f"{folder} holds an unfinished run: give the command that "
                         "began it again, without --overwrite, to end it")


def read_record(folder: Path) -> dict[str, Any]:
    """What `finetune` wrote beside the model; nothing if it wasn't made by it."""
    path = folder / RECORD
    return read_json(path) if path.exists() else {}


def load_student(task: Task, model, examples: list, guide, dtype, seed: int):
    """The model to train; with a fresh head unless it knows the very same labels."""
    folder = resolve(str(model), REQUIRED)
    old = names_of(BertConfig.from_pretrained(folder))
    changes = dict(task.config)
    if task.labels is not None:
        names = task.labels(examples)
        known = old if guide is None else names_of(guide.config)
        if guide is not None and set(names) != set(known):
            raise ValueError(f"the teacher's labels are {', '.join(known)}, those of "
                             f"the training data {', '.join(names)}: expected the same")
        if set(names) == set(known):
            names = known              # their order belongs to the head's rows
        changes |= {"id2label": dict(enumerate(names)),
                    "label2id": {name: i for i, name in enumerate(names)}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")      # a fresh head is what this is about
        student, report = getattr(models, task.model).from_pretrained(
            model, dtype=dtype, rng=seed, ignore_mismatched_sizes=True,
            output_loading_info=True, **changes)
    for name, found, expected in report["mismatched"]:
        if not name.startswith(HEADS):
            raise ValueError(f"{model}: {name} has shape {found} in the file, but "
                             f"{expected} by config.json")
    if task.labels is not None and names != old:
        heads = {name: shape for name, shape in student.shapes.items()
                 if name.startswith("classifier.")}
        student.params |= parameters.init(student.config, heads, seed, dtype)
    return student


def load_teacher(task: Task, teacher, tokenizer, dtype):
    """The teacher, if it reads the same tokens."""
    if BertTokenizer.from_pretrained(teacher).get_vocab() != tokenizer.get_vocab():
        raise ValueError(f"the teacher {teacher} has another vocabulary than the "
                         "model: expected the same, so that both read the same inputs")
    return load_finished(task, teacher, dtype)


def load_finished(task: Task, model, dtype):
    """A model whose head is trained; one that lacks it is refused."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found, report = getattr(models, task.model).from_pretrained(
            model, dtype=dtype, output_loading_info=True)
    fresh = [name for name in report["missing"] if name.startswith(HEADS)]
    if fresh:
        raise ValueError(f"{model} has no trained head for {task.name} "
                         f"({', '.join(fresh)} missing): fine-tune it first")
    for name, wanted in task.config.items():
        value = getattr(found.config, name)
        if value not in (wanted, None):
            raise ValueError(f"{model} has {name} {value}, but {task.name} needs "
                             f"{wanted}: it was made for another task")
    return found


def refuse_other_vocabulary(tokenizer, config) -> None:
    """A tokenizer with more tokens than the model would fail in the middle of a run."""
    if len(tokenizer) > config.vocab_size:
        raise ValueError(f"the tokenizer has {len(tokenizer)} tokens, the model's "
                         f"vocab_size is {config.vocab_size}: they do not belong "
                         "together")
