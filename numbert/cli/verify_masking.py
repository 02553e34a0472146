"""numbert verify-masking: judge the data that any pipeline made for pre-training."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from ..system.places import refuse_inputs
from . import common

DESCRIPTION = """\
Check masked language modeling and next sentence data that a pipeline wrote: whether
15 % of the pieces are selected, whether 80 % of these become [MASK], 10 % a random
piece of the whole vocabulary and 10 % stay, whether special tokens and padding are
spared, words are whole, and labels are right.  What is left to chance is compared with
exact bounds; a right pipeline is called wrong with a probability of at most
--false-alarms, all checks together.

FILE has one JSON object per line, "-" is stdin:

  {"original": [101, 7592, 2088, 102],    ids before masking, all of them
   "masked":   [101, 7592, 103, 102],     ids after masking
   "labels":   [-100, -100, 2088, -100]}  the original where selected, -100 elsewhere

and, if there is more to check:

  "attention_mask": [1, 1, 1, 1]          0 at padding; without it, [PAD] is padding
  "special_tokens_mask": [1, 0, 0, 1]     1 where nothing may be masked
  "word_ids": [null, 0, 1, null]          for --whole-words without --tokenizer
  "next_sentence_label": 0                0: B follows A; 1: B is random
  "is_next": true                         whether B follows A, to check that label
  "documents": [3, 3]                     or the documents that A and B are from

exit codes:
  0  right: chance explains all that is seen
  1  wrong: something in the data is not as it should be
  2  the file could not be checked"""
EXAMPLES = """\
  numbert verify-masking masked.jsonl --tokenizer DIR
  numbert verify-masking masked.jsonl --tokenizer DIR --rule count
  numbert verify-masking bert.jsonl --vocab-size 30522 --mask-id 103 \\
    --special-ids 0,100,101,102 --pad-id 0 --unk-id 100 --plot masking.png
  mypipeline | numbert verify-masking - --tokenizer DIR --json"""


def register(command, name: str) -> None:
    """Say what `numbert verify-masking` takes."""
    common.describe(command, run, EXAMPLES, DESCRIPTION)
    command.add_argument("file", metavar="FILE", help="JSONL; - is stdin")
    command.add_argument("--tokenizer", metavar="DIR",
                         help="a folder with the tokenizer that made the ids; or:")
    command.add_argument("--vocab-size", type=common.positive, metavar="N",
                         help="how many pieces the vocabulary has")
    command.add_argument("--mask-id", type=whole, metavar="N", help="the id of [MASK]")
    command.add_argument("--special-ids", type=numbers(int), metavar="N,N",
                         help="what may never be masked: [CLS], [SEP], ...")
    command.add_argument("--pad-id", type=whole, metavar="N", help="the id of [PAD]")
    command.add_argument("--unk-id", type=whole, metavar="N",
                         help="the id of [UNK], which may be masked or not")
    command.add_argument("--rate", type=float, default=0.15, metavar="SHARE",
                         help="the share of pieces to select (0.15)")
    command.add_argument("--split", type=numbers(float), default=[0.8, 0.1, 0.1],
                         metavar="M,R,K", help="the shares of these that become "
                         "[MASK], random, and stay (.8,.1,.1)")
    command.add_argument("--rule", choices=("bernoulli", "count"), default="bernoulli",
                         help="select each piece by itself (Hugging Face; the default) "
                              "or a number for each row (google-research/bert)")
    command.add_argument("--max-predictions", type=common.positive, default=20,
                         metavar="N", help="with --rule count, the most in a row (20)")
    command.add_argument("--whole-words", action="store_true",
                         help="words are selected as a whole")
    command.add_argument("--ignored", type=int, default=-100, metavar="N",
                         help="the label where nothing was selected (-100)")
    command.add_argument("--next-share", type=numbers(float), default=[0.5],
                         metavar="SHARE", help="the share of pairs in which B follows "
                         "A, or the least and the most: .45,.5 (.5)")
    command.add_argument("--false-alarms", type=float, default=1e-6, metavar="RATE",
                         help="how often a right pipeline may fail (1e-6)")
    command.add_argument("--json", action="store_true",
                         help="print JSON with every number")
    command.add_argument("--all", action="store_true", dest="everything",
                         help="list every number behind the checks")
    command.add_argument("--plot", metavar="FILE.png",
                         help="draw the shares and what chance explains")


def whole(text: str) -> int:
    """Return an integer of at least 0; a type for argparse."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a whole number, expected one: correct it")
    return int(text)


def numbers(kind: type):
    """Return a type for argparse: numbers with commas between them."""
    def read(text: str) -> list:
        try:
            return [kind(part) for part in text.split(",")]
        except ValueError:
            raise argparse.ArgumentTypeError(
                f"{text!r} is not a list of numbers, expected commas between them: "
                "correct it") from None
    return read


def run(args) -> int:
    """Check the file, print the report, and return the exit code."""
    from ..testing.masking_report import judged, text, to_json
    common.check_picture(args.plot)
    refuse_inputs(args.plot, file=args.file, tokenizer=args.tokenizer)
    asked = rules_asked(args)
    report = judged(rows(args.file), asked, "stdin" if args.file == "-" else args.file)
    print(to_json(report) if args.json else text(report, args.everything), end="")
    if args.plot:
        from ..plots import masking_histogram
        common.save_picture(masking_histogram(report), args.plot)
    return 0 if report.verdict == "right" else 1


def rules_asked(args) -> Any:
    """Return what the pipeline was asked to do.

    Raises:
        ValueError: the vocabulary is not given, or twice.
    """
    from ..testing.masking_report import rules, rules_of
    settings = {name: getattr(args, name) for name in (
        "rate", "split", "rule", "max_predictions", "whole_words", "ignored",
        "false_alarms")}
    share = args.next_share
    settings["next_share"] = share[0] if len(share) == 1 else share
    given = [args.vocab_size, args.mask_id, args.special_ids]
    if args.tokenizer is not None:
        if any(x is not None for x in [*given, args.pad_id, args.unk_id]):
            raise ValueError("--tokenizer is given with ids or --vocab-size, expected "
                             "one of both: leave the ids out")
        return rules_of(common.load_tokenizer(args.tokenizer), **settings)
    if any(x is None for x in given):
        raise ValueError("the vocabulary is not given in full, expected --tokenizer "
                         "DIR, or --vocab-size, --mask-id and --special-ids: add them")
    return rules(*given, pad_id=args.pad_id, unk_id=args.unk_id, **settings)


def rows(path: str) -> Any:
    """Yield the rows of a file or of stdin; a bar on a terminal counts them."""
    from ..system.datafiles import decoded_lines, text_lines
    from ..system.progress import progress
    from ..testing.masking_report.rows import file_rows
    lines = decoded_lines(sys.stdin.buffer, "stdin") if path == "-" else \
        text_lines(path)
    return progress(file_rows(lines), common.count_lines(path), "checking", unit="row")
