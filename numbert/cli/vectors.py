"""numbert vectors: test vectors for tokenizers and masks, for programs in any language.
"""

from __future__ import annotations

import argparse
import json

from . import common
from .verify import seconds

EXAMPLES = """\
  numbert vectors list
  numbert vectors list cleaning --dialect google
  numbert vectors list --catches H4
  numbert vectors show cleaning-0007
  numbert vectors run --group wordpiece --exec ./my_tokenizer
  numbert vectors run --dialect hf-legacy --flag MaxChars --exec ./my_tokenizer -q"""
DESCRIPTION = """\
Test vectors for BERT's tokenizer, masks, positions and labels.  Each has an input, what
must come out, and why it is there.  They are JSON files, which programs in any language
can read; README.md beside them, in numbert/testing/vectors, explains how."""
RUN = """\
Give the vectors to a program, and compare its answers.

The program is started once.  It reads a JSON object from each line of stdin: id,
operation, input, settings.  It answers each on a line of stdout, in any order:

  {"id": ID, "output": ...}     what comes out
  {"id": ID, "error": "why"}    the input is refused
  {"id": ID, "skip": true}      it has no such operation

exit codes:
  0  every answer is right
  1  some answer is wrong
  2  the program could not run to its end, or its output is not as above"""
FEW = 10                                 # failures that are shown in full


def register(command, name: str) -> None:
    """Say what `numbert vectors` takes."""
    common.describe(command, None, EXAMPLES, DESCRIPTION)
    actions = command.add_subparsers(metavar="list, show or run", required=True)
    listing = common.add_command(actions, "list",
                                 "list the groups, or the vectors of a group")
    common.describe(listing, run_list)
    listing.add_argument("group", nargs="?", metavar="GROUP",
                         help="list the vectors of this group")
    listing.add_argument("--catches", metavar="BUG",
                         help="only those that catch a bug, such as H4; README.md "
                              "beside the vectors lists the bugs")
    listing.add_argument("--json", action="store_true",
                         help="print one JSON object per vector, all of it")
    show = common.add_command(
        actions, "show", "show a vector: why it is there, input, expected output")
    common.describe(show, run_show)
    show.add_argument("id", metavar="ID", help="its id, such as cleaning-0007")
    ask = common.add_command(actions, "run", "give the vectors to a program")
    common.describe(ask, run_program, EXAMPLES, RUN)
    ask.add_argument("--group", metavar="GROUP", help="only those of this group")
    ask.add_argument("--timeout", type=seconds, default=60.0, metavar="SECONDS",
                     help="how long the program may take for all of them (60)")
    ask.add_argument("--all", action="store_true", dest="everything",
                     help=f"show all that fails, not only the first {FEW}")
    for action in (listing, ask):
        action.add_argument("--flag", metavar="FLAG", help="only those with this flag")
        action.add_argument(
            "--dialect", metavar="DIALECT", default=None if action is listing else
            "hf-fast", help="whose rules apply: google, hf-legacy or hf-fast" + (
                "" if action is listing else " (the default)"))
    ask.add_argument("--exec", nargs=argparse.REMAINDER, metavar="PROGRAM",
                     dest="program", required=True,
                     help="the program, and its own arguments to the end of the line")


# ----------------------------------------------------------------------- list and show

def run_list(args) -> None:
    """List groups, or vectors."""
    from ..testing import vectors
    chosen = vectors.every(args.group, args.flag, args.dialect, args.catches)
    if args.json:
        for vector in chosen:
            print(json.dumps(vector))
    elif args.group or args.flag or args.catches:
        for vector in chosen:
            print(f"{vector['id']:22} {common.shorten(vector['comment'], 100)}")
    else:
        count = dict.fromkeys(vectors.groups(), 0)
        for vector in chosen:
            count[vector["id"].rpartition("-")[0]] += 1
        for name, number in count.items():
            print(f"{name:18} {number:4}  {vectors.load(name)['about']}")
        print(f"{'all':18} {len(chosen):4}")


def run_show(args) -> None:
    """Show a vector; its texts are written as in JSON, so that nothing is hidden."""
    from ..testing import vectors
    print("\n".join(shown(vectors.find(args.id))))


def shown(vector) -> list[str]:
    """Return a vector in lines."""
    from ..verify.report import wrapped
    lines = [f"{vector['id']}: {vector['operation']}, {vector['result']}",
             *wrapped(vector["comment"]), "",
             f"input     {json.dumps(vector['input'])}",
             f"settings  {json.dumps(vector['settings'])}"]
    for dialect, output in vector["expected"].items():
        lines.append(f"expected  {'' if dialect == 'all' else f'{dialect}: '}"
                     f"{json.dumps(output)}")
    lines += [f"also      {json.dumps(output)}" for output in vector.get("also", ())]
    for name in ("flags", "catches", "authority"):
        if vector[name]:
            lines.append(f"{name:9} {', '.join(vector[name])}")
    return lines


# --------------------------------------------------------------------------------- run

def run_program(args) -> int:
    """Ask a program; return the exit code."""
    from ..testing import vectors
    if not args.program:
        raise ValueError("--exec is given without a program, expected its path: write "
                         "it after --exec, with its arguments")
    outcomes = vectors.run(args.program, args.dialect, args.group, args.flag,
                           args.timeout)
    failed = [outcome for outcome in outcomes if outcome.problem]
    for outcome in failed if args.everything else failed[:FEW]:
        print("\n".join(failure(outcome, args.dialect)), end="\n\n")
    if len(failed) > FEW and not args.everything:
        print(f"... and {len(failed) - FEW} more failures; --all shows them\n")
    print(f"{'group':18} passed  failed  skipped")
    counts = vectors.summary(outcomes)
    total = {key: sum(row[key] for row in counts.values())
             for key in ("passed", "failed", "skipped")}
    for name, row in [*counts.items(), ("all", total)]:
        print(f"{name:18} {row['passed']:6}  {row['failed']:6}  {row['skipped']:7}")
    if total["skipped"] == len(outcomes):
        raise ValueError(f"all {len(outcomes)} vectors are skipped, expected an answer "
                         "to some: let the program do one of the operations")
    return 1 if failed else 0


def failure(outcome, dialect: str) -> list[str]:
    """Return what went wrong, in lines."""
    from ..testing.vectors import expected
    from ..verify.report import wrapped
    vector = outcome.vector
    return [f"{vector['id']} failed ({vector['operation']}): {outcome.problem}",
            *(f"  {line}" for line in wrapped(f"Why it is there: {vector['comment']}")),
            f"  input     {json.dumps(vector['input'])}",
            f"  settings  {json.dumps(vector['settings'])}",
            f"  expected  {json.dumps(expected(vector, dialect))}"]
