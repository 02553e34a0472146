"""numbert finetune, evaluate and pretrain."""

from __future__ import annotations

import argparse
import math
import warnings
from pathlib import Path

from ..system.ranks import rank
from . import common
from .backends import add_backend, backend_of

TASKS = ("text-classification", "multi-label-classification", "regression",
         "token-classification", "question-answering", "multiple-choice", "masked-lm",
         "seq2seq")
FORMATS = """\
tasks and their files:
  text-classification         TSV: text, label; or text, second text, label
                              JSONL: {"text": ..., "text_pair": ..., "label": ...}
  multi-label-classification  TSV: text, labels with commas between them
                              JSONL: {"text": ..., "labels": [...]}
  regression                  like text-classification, with a number as label
  token-classification        CoNLL: a word and its label per line, a blank line between
                              sentences
                              JSONL: {"tokens": [...], "labels": [...]}
  question-answering          the JSON files of SQuAD
                              JSONL: {"question": ..., "context": ...,
                                      "answers": {"text": [...], "answer_start": [...]}}
  multiple-choice             TSV: context, the choices, index of the right one from 0
                              JSONL: {"context": ..., "choices": [...], "label": 0}
  masked-lm                   one text per line
                              JSONL: {"text": ...}
  seq2seq                     TSV: text, the text to make of it, such as a summary
                              JSONL: {"text": ..., "target": ...}

Files are in UTF-8.  A name that ends in .jsonl means JSONL; so does .json, except for
question-answering.  Any other name means the first format.  A TSV file may begin with a
header line, whose last column is "label".
"""
FINETUNE = """\
Train a checkpoint on a task.  The model, its tokenizer, log.jsonl and training.json
(the scores) go to a folder.  The training file gives the labels, sorted.  If a
run is interrupted, give the same command again to go on, without --overwrite."""
FINETUNE_EXAMPLES = """\
  numbert finetune text-classification --train train.tsv --dev dev.tsv \\
      --model DIR --out OUT
  numbert finetune token-classification --train train.conll --dev dev.conll \\
      --model DIR --out OUT --epochs 3 --lr 5e-5 --batch-size 32
  numbert finetune text-classification --train train.tsv --dev dev.tsv \\
      --model SMALL --teacher LARGE --temperature 2 --out OUT
  numbert finetune text-classification --train train.tsv --model DIR --out OUT \\
      --labels labels.txt --class-weights balanced --label-smoothing 0.1
  numbert finetune seq2seq --train summaries.tsv --model DIR --out OUT"""
EVALUATE_EXAMPLES = """\
  numbert evaluate --model OUT --data test.tsv
  numbert evaluate --model OUT --data test.tsv --predictions predictions.jsonl
  numbert evaluate --task text-classification --model DIR --data test.tsv
  numbert evaluate --task question-answering --data questions.jsonl"""
PRETRAIN = """\
Train a BERT from scratch by masked LM and next sentence prediction.  The corpus is a
text file with one sentence per line and a blank line after each document.  Without
--tokenizer, a WordPiece vocabulary is learnt from it.  If a run is interrupted, give
the same command again to go on, without --overwrite."""
PRETRAIN_EXAMPLES = """\
  numbert pretrain --corpus corpus.txt --config config.json --out OUT --epochs 20
  numbert pretrain --corpus corpus.txt --dev held-out.txt --config config.json \\
      --out OUT --steps 100000 --batch-size 64 --whole-word"""
# The arguments that are fields of tasks.Settings, and the task that each is for.
OF_ONE_TASK = {"doc_stride": "question-answering",
               "max_answer_length": "question-answering",
               "label_all": "token-classification", "mask_probability": "masked-lm",
               "whole_word": "masked-lm", "max_target_length": "seq2seq"}
RULES = ("exact", "bernoulli")             # of masking
# The arguments of numbert.train that both commands have: type, help.
TRAINING = {
    "lr": (float, "the highest learning rate"),
    "warmup": (float, "how long the learning rate climbs: a share of all updates if "
                      "below 1, else a number of updates"),
    "batch-size": (common.positive, "examples per update"),
    "accumulate": (common.positive, "cut each batch into N parts, which N processors "
                                    "compute at once; the update stays the same up to "
                                    "rounding"),
    "optimizer": (("adamw", "bertadam"),
                  "bertadam is the optimizer of google-research/bert"),
    "schedule": (("linear", "cosine", "constant"),
                 "how the learning rate falls after the warm-up"),
    "weight-decay": (float, "how far to shrink weights; biases and LayerNorm do not "
                            "shrink"),
    "clip": (float, "the largest norm that a gradient may have"),
    "eval-every": (common.positive, "evaluate on --dev every N updates (default: after "
                                    "each epoch)"),
    "patience": (common.positive, "stop after N evaluations without a better score"),
    "checkpoint-every": (common.positive, "save the unfinished run every N updates, so "
                                          "that it can go on later (default: after "
                                          "each epoch)"),
    "log-every": (common.positive, "write a line of log.jsonl every N updates"),
    "seed": (int, "the same seed repeats all that is random"),
    "dtype": (("float32", "float64", "bfloat16"),
              "compute in this type; bfloat16 (with --backend torch) keeps the "
              "parameters in float32"),
    "eps": (float, "added to the root of Adam's second mean (default: 1e-8 for adamw, "
                   "1e-6 for bertadam)"),
}


def register(command, name: str) -> None:
    """Say what one of the three commands takes."""
    {"finetune": register_finetune, "evaluate": register_evaluate,
     "pretrain": register_pretrain}[name](command)


def register_finetune(command) -> None:
    """Say what `numbert finetune` takes."""
    common.describe(command, run_finetune, FINETUNE_EXAMPLES,
                    f"{FINETUNE}\n\n{FORMATS}", "finetuning.finetune")
    command.add_argument("task", choices=TASKS, metavar="TASK",
                         help="one of the tasks above")
    files = command.add_argument_group("files")
    files.add_argument("--train", required=True, metavar="FILE", help="training data")
    files.add_argument("--dev", metavar="FILE",
                       help="data to evaluate on after each epoch; the model that "
                            "scores best is kept")
    files.add_argument("--labels", metavar="FILE|A,B,...",
                       help="the names of the classes, one per line of a file or with "
                            "commas between them, for labels that --train lacks "
                            "(default: those in --train, sorted)")
    common.add_model(files)
    add_out(files)
    add_inputs(command)
    group = add_training(command)
    group.add_argument("--epochs", type=common.positive, help="passes over the data")
    group.add_argument("--label-smoothing", type=float, metavar="X",
                       help="spread this share of each label over all classes; 0.1 is "
                            "usual")
    group.add_argument("--class-weights", metavar="A,B,...|balanced",
                       help="how much each class counts, in the order of --labels or, "
                            "without it, sorted by name; balanced lets rare classes "
                            "count as much as frequent ones")
    group = command.add_argument_group("distillation")
    group.add_argument("--teacher", metavar="DIR",
                       help="learn from this model, too; it must be fine-tuned on the "
                            "same labels")
    group.add_argument("--temperature", type=float, metavar="T",
                       help="soften the probabilities of teacher and student by T")
    group.add_argument("--soft-weight", type=float, metavar="W",
                       help="from 0, where only the labels count, to 1, where only the "
                            "teacher does")


def register_evaluate(command) -> None:
    """Say what `numbert evaluate` takes."""
    common.describe(
        command, run_evaluate, EVALUATE_EXAMPLES, "Score a model on a file, by the "
        "metrics of its task.  A model that `numbert finetune`\nmade knows its task "
        "and settings.  Without --model, --task chooses one that comes with\nnumbert."
        f"\n\n{FORMATS}", "finetuning.evaluate")
    common.add_model(command)
    command.add_argument("--data", required=True, metavar="FILE", help="labelled data")
    command.add_argument("--task", choices=TASKS, metavar="TASK",
                         help="one of the tasks above, for a model that `finetune` did "
                              "not make")
    command.add_argument("--predictions", metavar="FILE.jsonl",
                         help="write each example to this file, one per line: its "
                              "text, its right answer (gold), the prediction, and how "
                              "sure the model is (score)")
    command.add_argument("--batch-size", type=common.positive, metavar="N",
                         help="examples per forward pass")
    command.add_argument("--json", action="store_true",
                         help="print the scores as one JSON object")


def register_pretrain(command) -> None:
    """Say what `numbert pretrain` takes."""
    common.describe(command, run_pretrain, PRETRAIN_EXAMPLES, PRETRAIN,
                    "pretraining.pretrain")
    files = command.add_argument_group("files")
    files.add_argument("--corpus", required=True, metavar="FILE",
                       help="text to train on")
    files.add_argument("--dev", metavar="FILE", help="text to evaluate on")
    files.add_argument("--config", required=True, metavar="FILE",
                       help="a config.json with the shape of the model")
    files.add_argument("--tokenizer", metavar="DIR",
                       help="a folder with a tokenizer, or a vocab.txt")
    files.add_argument("--cased", action="store_true",
                       help="keep upper case in the vocabulary that is learnt")
    add_out(files)
    data = command.add_argument_group("data")
    add_number(data, "max-length", common.positive, "tokens in a pair of segments "
               "(default: 128, or what the model takes if less)")
    add_number(data, "repeats", common.positive,
               "cut the corpus into pairs N times, each time differently")
    add_number(data, "short-probability", float,
               "the share of pairs that are short on purpose")
    data.add_argument("--rule", choices=RULES,
                      help="exact masks an exact share of each pair, as "
                           "google-research/bert does; bernoulli draws for each piece "
                           "by itself, as Hugging Face does")
    add_number(data, "probability", float, "the share of pieces to mask")
    add_number(data, "max-predictions", common.positive,
               "with --rule exact: the most pieces to mask in a pair")
    data.add_argument("--whole-word", action="store_true", help="mask whole words")
    group = add_training(command)
    length = group.add_mutually_exclusive_group(required=True)
    length.add_argument("--epochs", type=common.positive,
                        help="passes over the pairs")
    length.add_argument("--steps", type=common.positive,
                        help="updates")


# ----------------------------------------------------------------------- arguments

def add_out(group) -> None:
    """Add --out and --overwrite."""
    group.add_argument("--out", required=True, metavar="DIR",
                       help="a folder for the result, and for the state of a run that "
                            "is not finished")
    group.add_argument("--overwrite", action="store_true",
                       help="start again even if --out holds a model or an unfinished "
                            "run")


def add_number(group, name: str, kind, text: str) -> None:
    """Add one argument."""
    choices = kind if isinstance(kind, tuple) else None
    group.add_argument(f"--{name}", type=None if choices else kind, choices=choices,
                       help=text, metavar=None if choices else "N")


def add_inputs(command: argparse.ArgumentParser) -> None:
    """Add how examples become inputs: the fields of tasks.Settings."""
    group = command.add_argument_group("inputs")
    add_number(group, "max-length", common.positive,
               "cut inputs to N tokens (default: what the model takes)")
    add_number(group, "doc-stride", common.positive,
               "question-answering: tokens that neighbouring windows share (default: "
               "128, or a quarter of --max-length if that is less)")
    add_number(group, "max-answer-length", common.positive,
               "question-answering: tokens in the longest answer")
    group.add_argument("--label-all", action="store_true", default=None,
                       help="token-classification: train on every piece of a word, not "
                            "only on the first")
    add_number(group, "mask-probability", float,
               "masked-lm: the share of pieces to mask")
    group.add_argument("--whole-word", action="store_true", default=None,
                       help="masked-lm: mask whole words")
    add_number(group, "max-target-length", common.positive,
               "seq2seq: cut targets to N tokens (default: 128, or what the model "
               "takes if that is less)")


def add_training(command: argparse.ArgumentParser):
    """Add the arguments that go to `train`; return their group."""
    group = command.add_argument_group("training")
    for name, (kind, text) in TRAINING.items():
        add_number(group, name, kind, text)
    group.add_argument("--betas", type=float, nargs=2, metavar=("B1", "B2"),
                       help="how slowly Adam's two means forget")
    group.add_argument("--freeze", dest="frozen", nargs="+", metavar="PATTERN",
                       help='do not train parameters with such names, as in '
                            '"bert.embeddings.*"')
    group.add_argument("--no-dropout", dest="dropout", action="store_const",
                       const=False, help="train without dropout")
    group.add_argument("--group-by-length", action="store_true", default=None,
                       help="put examples of similar length into one batch, which is "
                            "faster")
    add_backend(command)
    return group


def training_of(args) -> dict:
    """Return what add_training read and was given, as arguments of `train`."""
    if args.dev is None and (args.patience or args.eval_every):
        raise ValueError("--dev is missing, expected a file for --patience and "
                         "--eval-every: add --dev FILE, or leave these out")
    found = given(args, (*(name.replace("-", "_") for name in TRAINING), "betas",
                         "frozen", "dropout", "group_by_length", "epochs", "overwrite"))
    return found | backend_of(args)


# --------------------------------------------------------------------------- running

def run_finetune(args) -> None:
    """Train, and print the scores."""
    from ..tasks import Settings
    from ..tasks.finetuning import finetune
    settings = Settings(**applying(args))
    options = training_of(args)
    if args.labels is not None:
        options["labels"] = labels_of(args.labels)
    if args.class_weights is not None:
        options["class_weights"] = weights_of(args.class_weights)
    options |= given(args, ("label_smoothing",))
    distilling = given(args, ("temperature", "soft_weight"))
    if args.teacher is not None:
        options |= {"teacher": args.teacher, **distilling}
    elif distilling:
        raise ValueError("--teacher is missing, expected a folder for "
                         f"{option(next(iter(distilling)))}: add --teacher DIR, or "
                         "leave it out")
    if args.model is None:
        warnings.warn("--model is missing, so training starts from the small "
                      "checkpoint that comes with numbert and knows only a made-up "
                      "world: for real work, add --model DIR")
    result = finetune(args.task, args.train, args.dev,
                      common.model_folder(args.model), args.out,
                      settings=settings, **options)
    report(result, args.out)


def labels_of(text: str) -> list[str]:
    """Read --labels: the lines of a file, or names with commas between them."""
    if Path(text).is_file():
        lines = (line.strip() for line in common.read_lines(text))
        return [line for line in lines if line]
    names = [name.strip() for name in text.split(",")]
    if len(names) < 2 or not all(names):
        raise ValueError(f"--labels is {text!r}, expected a file with one label per "
                         "line, or two or more labels with one comma between them: "
                         "check the path, or write them as in good,bad")
    return names


def weights_of(text: str) -> list[float] | str:
    """Read --class-weights: numbers with commas between them, or "balanced"."""
    if text == "balanced":
        return text
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"--class-weights is {text!r}, expected balanced, or a number "
                         "for each class with one comma between them: write them as in "
                         "1,2.5") from None


def given(args, names) -> dict:
    """Return those arguments of these names that were given."""
    return {name: getattr(args, name) for name in names
            if getattr(args, name) is not None}


def option(name: str) -> str:
    """Return an argument as the user writes it."""
    return "--" + name.replace("_", "-")


def applying(args) -> dict:
    """Return the fields of tasks.Settings that were given.

    Raises:
        ValueError: the task has no use for one of them.
    """
    found = given(args, ("max_length", *OF_ONE_TASK))
    for name in found:
        if OF_ONE_TASK.get(name, args.task) != args.task:
            raise ValueError(f"the task is {args.task}, expected {OF_ONE_TASK[name]} "
                             f"for {option(name)}: leave {option(name)} out")
    return found


def run_pretrain(args) -> None:
    """Train, and print the scores."""
    from ..tasks.pretraining import pretrain
    if args.max_predictions is not None and args.rule not in (None, "exact"):
        raise ValueError(f"--rule is {args.rule}, expected exact for --max-predictions:"
                         f" leave --max-predictions out, as {args.rule} draws for each "
                         "piece by itself")
    if args.tokenizer is not None and args.cased:
        raise ValueError("--cased and --tokenizer are both given, expected one: leave "
                         "--cased out, as the tokenizer has its vocabulary already")
    result = pretrain(
        args.corpus, args.config, args.out, dev=args.dev, tokenizer=args.tokenizer,
        lowercase=not args.cased, **training_of(args), **given(args, (
            "max_length", "repeats", "short_probability", "rule", "probability",
            "max_predictions", "whole_word", "steps")))
    report(result, args.out)


def report(result, out: str) -> None:
    """Print what came of a run."""
    if rank():                              # the first of several processes prints
        return
    from ..models.config import BertConfig
    from ..system.jsonfiles import read_json
    from ..tasks.common import names_of
    updates = "1 update" if result.steps == 1 else f"{result.steps} updates"
    print(f"{updates}, {result.stopped}; saved in {out}")
    if read_json(Path(out) / "config.json")["model_type"] == BertConfig.model_type:
        names = names_of(BertConfig.from_pretrained(out))
        if names[0] != "LABEL_0":                   # the name of a class without one
            print(f"classes: {', '.join(names)}")
    if result.best is not None:
        print(f"best evaluation, after update {result.best_step}:")
        print_scores(result.best)
    elif result.last is not None:
        from ..tasks.finetuning import NOTHING_BEST
        print(f"{NOTHING_BEST}:")
        print_scores(result.last)


def print_scores(scores: dict) -> None:
    """Print one metric per line."""
    for name, value in scores.items():
        print(f"  {name:24} "
              + (f"{value:.4f}" if math.isfinite(value) else "undefined"))


def run_evaluate(args) -> None:
    """Print the scores, and write the predictions."""
    from ..system.places import refuse_inputs
    from ..tasks.finetuning import evaluate
    if args.model is None and args.task is None:
        raise ValueError("--model is missing, expected --model DIR, or --task TASK "
                         "for one that comes with numbert: give one of them")
    output = Path(args.predictions or ".").resolve()        # follows a link
    if not output.parent.is_dir():
        raise FileNotFoundError(f"{output.parent} is not a folder, expected one for "
                                "the file of --predictions: make it first")
    refuse_inputs(args.predictions, data=args.data, model=args.model)
    scores, examples, _ = evaluate(
        common.model_folder(args.model, args.task), args.data, task=args.task,
        predictions=args.predictions, **given(args, ("batch_size",)))
    if args.json:
        common.print_json({"examples": len(examples), **scores})
    else:
        print(f"{len(examples)} examples")
        print_scores(scores)
