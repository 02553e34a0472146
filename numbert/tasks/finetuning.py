"""Fine-tune a checkpoint on a task from plain files, and evaluate it.

    result = finetune("text-classification", "train.tsv", "dev.tsv", "bert-dir", "out")
    scores, _, _ = evaluate("out", "test.tsv")

Devlin et al. 2019, section 4 and appendix A.3: AdamW for 2 to 4 epochs, batches of 16
or 32, a learning rate of 2e-5 to 5e-5 on a linear schedule with 10 % warm-up.
"""

from __future__ import annotations

import errno
import warnings
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from ..models import classes as models, params as parameters
from ..models.config import BertConfig
from ..system.datafiles import checked
from ..system.hub import REQUIRED, resolve
from ..system.jsonfiles import json_text, read_json
from ..system.numbers import is_number, is_whole_number
from ..system.places import one_run, refuse_busy, refuse_inputs
from ..system.ranks import rank
from ..system.saving import WEIGHTS, atomic_write_text
from ..tokenization import BertTokenizer
from ..training.loop import TrainingResult, train
from ..training.objectives import LABELS, Objective
from ..training.recipe import check_numbers, optim_for, planned, recipe_of
from ..training.recipe import show_settings
from ..training.state import FILE as STATE
from ..training.state import fingerprint
from . import TASKS, Data, Settings, Task
from .common import Prediction, checked_labels, longest, names_of, reading
from .records import provenance
from .weights import objective_of, refuse_weighting, weights_by_id

RECORD = "training.json"               # written to `out` last: it marks a finished run
NOTHING_BEST = ("no evaluation was best, as the deciding score was undefined (nan) in "
                "each; these are the scores of the last")
HEADS = ("classifier.", "qa_outputs.", "cls.")


def finetune(task: str, train_file, dev_file, model, out, *,
             settings: Settings = Settings(), dtype: str = "float32", seed: int = 0,
             labels: Sequence[str] | None = None,
             class_weights: Sequence[float] | str | None = None,
             label_smoothing: float = 0.0, teacher=None,
             temperature: float = 2.0, soft_weight: float = 0.5,
             overwrite: bool = False, device: str | None = None,
             epochs: float | None = 3, lr: float = 5e-5,
             warmup: float = 0.1, accumulate: int = 2, eval_batch_size: int = 32,
             progress: bool | None = None, resume: bool = True,
             autocast: str | None = None, compile: bool = False, **training
             ) -> TrainingResult:
    """Train a checkpoint on a task; write model, tokenizer, scores and log to `out`.

    An interrupted run goes on when you repeat the call with the same arguments, and
    ends as if it had never stopped.

    Args:
        task: one of TASKS; the `read` of each says what its files look like.
        train_file, dev_file: the data.  The parameters that score best on dev_file are
            kept; with None nothing is evaluated.
        model: the checkpoint to start from, with its tokenizer.
        out: a folder, made if absent, for the model, the tokenizer, training.json
            (task, settings, scores, and what the run started from: see `provenance`)
            and log.jsonl (see TrainingResult.history).
        settings: how examples become inputs.
        dtype: "float32" or "float64".
        seed: fixes the new head, the order of the data, dropout and masking.
        labels: the names of the classes, for labels that the training data lacks.  None
            takes those that occur in it, sorted.  A model that already has exactly
            these classes keeps their order.
        class_weights: how much a label of each class counts: numbers above 0 in the
            order of `labels`, or "balanced", which lets rare classes count as much as
            frequent ones.
        label_smoothing: the share of each label, from 0 to 1, that is spread evenly
            over all classes.  Both are for tasks with one class per text or word.
        teacher: a checkpoint fine-tuned on the same labels, to learn from as well.
            temperature and soft_weight are explained in `distillation`.
        overwrite: start anew if `out` holds a model or an unfinished run.
        device: of torch, such as "cuda", which computes then; see to_torch, and
            autocast and compile of `train`.
        eval_batch_size: examples computed at once in evaluation.
        progress: True shows bars, False hides them, None shows them on a terminal.
        resume, autocast, compile: see `train`; the other keywords are settings of the
            training, below.

    Returns:
        TrainingResult; `best` holds the scores on dev_file.

    Raises:
        TypeError: an unknown setting of training.
        ValueError: data, names or settings that do not fit, or that differ from those
            of the unfinished run in `out`; before any training.
        DivergedError: see `train`; nothing is saved but earlier checkpoints.
        OSError: a file can't be read or written.
    """
    chosen, out = known_task(task), Path(out)
    training = dict(epochs=epochs, lr=lr, warmup=warmup, accumulate=accumulate,
                    seed=seed, metric=None if dev_file is None else chosen.metric,
                    **training)
    recipe = recipe_of(training, evaluates=dev_file is not None)
    check_numbers({"eval_batch_size": eval_batch_size})
    labels = checked_labels(chosen, labels)
    refuse_weighting(chosen, class_weights, label_smoothing, teacher)
    refuse_folder(out, overwrite, model=model, teacher=teacher, data=train_file,
                  dev=dev_file)
    examples = chosen.read(train_file)
    dev_examples = None if dev_file is None else chosen.read(dev_file)
    tokenizer = BertTokenizer.from_pretrained(model)
    guide = None if teacher is None else load_teacher(chosen, teacher, tokenizer, dtype)
    student = load_student(chosen, model, examples, guide, dtype, seed, labels) \
        if chosen.load is None else chosen.load(model, tokenizer, dtype, seed)
    refuse_other_vocabulary(tokenizer, student.config)
    fitted = chosen, tokenizer, student.config, settings
    data = encoded(train_file, examples, *fitted)
    dev = None if dev_examples is None else encoded(dev_file, dev_examples, *fitted)
    objective, told = objective_of(
        guide, temperature, soft_weight, label_smoothing, weights_by_id(
            class_weights, labels or chosen.labels and chosen.labels(examples),
            student.config, data))
    identity = {
        "task": task, **settings._asdict(), **told,
        **fingerprints(model=[student.params], train_data=data.inputs,
                       dev_data=dev and dev.inputs, teacher=guide and [guide.params])}
    plan = planned(recipe, len(data.inputs))    # errors come before anything is removed
    record = {"task": task, "settings": settings._asdict(), **told,
              **provenance(plan, model, train=train_file, dev=dev_file)}
    return trained_into(
        out, overwrite, student, tokenizer, data.inputs, record, device=device,
        autocast=autocast, compile=compile, objective=objective,
        collate=chosen.collate(tokenizer, settings),
        evaluate=None if dev is None else lambda m: scores(
            chosen, m, dev, tokenizer, settings, eval_batch_size, progress)[0],
        progress=progress, resume=resume, identity=identity, **training)


show_settings(finetune, but=["metric"])


def evaluate(model, file, *, task: str | None = None, settings: Settings | None = None,
             dtype: str = "float32", batch_size: int = 32, progress: bool | None = None,
             predictions=None, device: str | None = None
             ) -> tuple[dict[str, float], list, list]:
    """Score a fine-tuned model on a file.

    Args:
        model: a checkpoint; one that `finetune` wrote knows its task and settings.
        file: the data, in a format of the task.
        task, settings: needed only for a checkpoint from elsewhere.
        dtype, batch_size, progress: as in `finetune`.
        predictions: a file to write, with a JSON object per example: where it stands,
            its text, its right answer (gold), the prediction, and how sure the model is
            (score), which is a probability or, for the span of an answer, a sum of two
            logits.
        device: of torch, such as "cuda", which computes then; see to_torch.

    Returns:
        the scores, the examples of the file, and a prediction for each example.

    Raises:
        ValueError: an unknown task, or data that does not fit it.
        OSError: a file can't be read.
    """
    refuse_unfinished(Path(model))
    folder = Path(resolve(str(model), REQUIRED))
    record = read_record(folder)
    chosen = known_task(task) if task else known_task(record["task"], record["where"])
    where = record["where"] if settings is None else ""
    settings = settings or record["settings"]
    examples = chosen.read(file)
    tokenizer = BertTokenizer.from_pretrained(model)
    loaded = load_finished(chosen, model, dtype) if chosen.load is None else \
        chosen.load(model, tokenizer, dtype)
    refuse_other_vocabulary(tokenizer, loaded.config)
    longest(tokenizer, loaded.config, settings, where)
    loaded = loaded if device is None else loaded.to_torch(device)
    data = encoded(file, examples, chosen, tokenizer, loaded.config, settings)
    found, guesses = scores(chosen, loaded, data, tokenizer, settings, batch_size,
                            progress)
    if predictions is not None:
        atomic_write_text(predictions, "".join(
            json_text(prediction_row(chosen, *pair)) + "\n"
            for pair in zip(examples, guesses)), follow_links=True)
    return found, examples, [guess.value for guess in guesses]


def prediction_row(task: Task, example, guess: Prediction) -> dict[str, Any]:
    """Return an example and its prediction as a JSON object; see `evaluate`."""
    sure = {} if guess.score is None else {"score": guess.score}
    return {"where": example.where, **task.show(example), "prediction": guess.value,
            **sure}


def scores(task: Task, model, data: Data, tokenizer, settings: Settings,
           batch_size: int = 32, progress: bool | None = None
           ) -> tuple[dict[str, float], list[Prediction]]:
    """Return the task's metrics of a model on encoded data, and its predictions."""
    guesses = task.predict(model, data, tokenizer, settings, batch_size, progress)
    return task.score(data.examples, [guess.value for guess in guesses],
                      names_of(model.config)), guesses


def trained_into(out: Path, overwrite: bool, model, tokenizer, dataset, record: dict,
                 *, device: str | None, autocast, compile: bool,
                 objective: Objective = LABELS, **training) -> TrainingResult:
    """Train a model, and write it to a folder that no other run uses meanwhile.

    device: see `finetune`; the other keywords are those of `train`.

    Raises:
        ImportError, ValueError: torch is not installed, or these do not fit.  Nothing
            has been removed then.
    """
    model = model if device is None else model.to_torch(device)
    how = {"objective": objective, "autocast": autocast, "compile": compile}
    ranks = optim_for(model, **how).ranks
    with one_run(out) if ranks.first else nullcontext():
        ranks.once(lambda: prepare_folder(out, overwrite))
        result = train(model, dataset, log=out / "log.jsonl", checkpoint_dir=out,
                       **how, **training)
        ranks.once(lambda: finish(out, model, tokenizer, result, record))
    return result


def finish(out: Path, model, tokenizer, result: TrainingResult, record: dict) -> None:
    """Write the result of a run, and only then remove its checkpoint."""
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
    """Return what a run depends on as `train` records it: {NAME_sha256: ...}."""
    return {f"{name}_sha256": None if rows is None else fingerprint(rows)
            for name, rows in parts.items()}


def known_task(name: str, where: str = "") -> Task:
    """Look up a task by name.  where: the file that names it, for the error."""
    if name not in TASKS:
        given = f"{where}task is {name!r:.60}" if name else f"{where}no task is named"
        raise ValueError(f"{given}, expected one of {', '.join(TASKS)}: pass task "
                         "(--task)")
    return TASKS[name]


def refuse_folder(out: Path, overwrite: bool, **inputs) -> None:
    """Refuse a folder that is taken, or that holds one of the inputs of the run."""
    refuse_finished(out, overwrite)
    refuse_inputs(out, **inputs)
    if rank() == 0:                     # the first of several processes takes it
        refuse_busy(out)


def refuse_finished(out: Path, overwrite: bool) -> None:
    """Make sure that no model in `out` is lost or mixed with another by mistake."""
    if out.exists() and not out.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "this is a file, expected a folder for "
                                 "the result: choose another name", str(out))
    if not overwrite and ((out / RECORD).exists() or (
            (out / WEIGHTS).exists() and not (out / STATE).exists())):
        raise ValueError(f"{out} already holds a model, expected a folder without one: "
                         "choose another, or set overwrite (--overwrite) to replace it")


def prepare_folder(out: Path, overwrite: bool) -> None:
    """Make sure that the folder is free, or with overwrite, make it so."""
    refuse_finished(out, overwrite)            # another run may have ended meanwhile
    if overwrite:
        for name in (STATE, RECORD, WEIGHTS):
            (out / name).unlink(missing_ok=True)


def refuse_unfinished(folder: Path) -> None:
    """Refuse a folder whose run has not ended."""
    if (folder / STATE).exists() and not (folder / RECORD).exists():
        raise ValueError(f"{folder} holds an unfinished run, expected a finished one: "
                         "repeat the command that began it, without --overwrite")


def read_record(folder: Path) -> dict[str, Any]:
    """Read the task and settings that `finetune` recorded beside a model, and where.

    A model from elsewhere has no record: its task is "", its settings are the defaults.
    The task need not be one of TASKS: `pretrain` writes records, too.

    Raises:
        ValueError: the record does not hold what `finetune` writes.
    """
    path = folder / RECORD
    record = read_json(path) if path.exists() else {}
    task = checked(str(path), "task", record.get("task", ""))
    given = checked(str(path), "settings", record.get("settings", {}), dict)
    for name, value in given.items():
        if name not in Settings._fields or not fits(
                value, Settings._field_defaults[name]):
            raise ValueError(f"{path}: the setting {name} is {value!r:.60}, expected "
                             f"{', '.join(Settings._fields)} as `finetune` writes them:"
                             " correct the file, or pass task and settings")
    return {"task": task, "where": f"{path}: ", "settings": Settings(**given)}


def fits(value, default) -> bool:
    """Whether a value has the type of a default; None stands for a count."""
    if isinstance(default, bool):
        return isinstance(value, bool)
    if isinstance(default, float):
        return is_number(value)
    return is_whole_number(value) or default is value is None


def encoded(file, examples: list, task: Task, tokenizer, config,
            settings: Settings) -> Data:
    """Encode the examples of a file, and warn if some of them lose their ends."""
    data = task.encode(examples, tokenizer, config, settings)
    if data.cut:
        length = longest(tokenizer, config, settings)
        more = length < reading(config).max_position_embeddings
        warnings.warn(f"{data.cut} of {len(data.examples)} examples in {file} have more"
                      f" than {length} tokens, so their ends were cut" + more * (
                          ": train with a larger max_length (--max-length) to use more "
                          "of them"))
    return data


def load_student(task: Task, model, examples: list, guide, dtype, seed: int,
                 labels: list[str] | None = None):
    """Load the model to train, with a fresh head unless it knows the same labels."""
    folder = resolve(str(model), REQUIRED)
    old = names_of(BertConfig.from_pretrained(folder))
    changes = dict(task.config)
    if task.labels is not None:
        names = labels or task.labels(examples)
        known = old if guide is None else names_of(guide.config)
        if guide is not None and set(names) != set(known):
            raise ValueError(f"the teacher's labels are {', '.join(known)}, expected "
                             f"those of the training data, {', '.join(names)}: "
                             "fine-tune it on the same labels")
        if set(names) == set(known):
            names = known              # the head's rows are in their order
        changes |= {"id2label": dict(enumerate(names)),
                    "label2id": {name: i for i, name in enumerate(names)}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")      # they warn of a fresh head: it is meant
        student, report = getattr(models, task.model).from_pretrained(
            model, dtype=dtype, rng=seed, ignore_mismatched_sizes=True,
            output_loading_info=True, **changes)
    for name, found, expected in sorted(report["mismatched_keys"]):
        if not name.startswith(HEADS):
            raise ValueError(f"{model}: {name} has shape {found} in the file, expected "
                             f"{expected} from config.json: the two do not match")
    if task.labels is not None and names != old:
        heads = {name: shape for name, shape in student.shapes.items()
                 if name.startswith("classifier.")}
        student.params |= parameters.init(student.config, heads, seed, dtype)
    return student


def load_teacher(task: Task, teacher, tokenizer, dtype):
    """Load the teacher, which must read the same tokens as the model."""
    if task.load is not None:
        raise ValueError(f"the teacher is {teacher}, expected none for {task.name}, as "
                         "it would teach classes: leave it out (--teacher)")
    if BertTokenizer.from_pretrained(teacher).get_vocab() != tokenizer.get_vocab():
        raise ValueError(f"the teacher {teacher} has another vocabulary than the "
                         "model, expected the same: both read the same inputs")
    return load_finished(task, teacher, dtype)


def load_finished(task: Task, model, dtype):
    """Load a model whose head is trained for the task, and refuse any other."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found, report = getattr(models, task.model).from_pretrained(
            model, dtype=dtype, output_loading_info=True)
    fresh = [name for name in sorted(report["missing_keys"]) if name.startswith(HEADS)]
    if fresh:
        raise ValueError(f"{model} lacks {', '.join(fresh)}, expected a trained head "
                         f"for {task.name}: fine-tune it first")
    for name, wanted in task.config.items():
        value = getattr(found.config, name)
        if value not in (wanted, None):
            raise ValueError(f"{model} has {name} {value}, expected {wanted} for "
                             f"{task.name}: use a model that was trained for it")
    return found


def refuse_other_vocabulary(tokenizer, config) -> None:
    """Refuse a tokenizer with more tokens than the model: a run would fail midway."""
    size = reading(config).vocab_size
    if len(tokenizer) > size:
        raise ValueError(f"the tokenizer has {len(tokenizer)} tokens, expected at most "
                         f"the model's vocab_size, {size}: use the "
                         "tokenizer that belongs to the model")
