"""numbert verify: judge another BERT, and say which step and which bug is wrong."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from ..system.places import refuse_inputs
from . import common

DESCRIPTION = """\
Compare another BERT, the candidate, with proven numbers: activations, losses and
gradients of thirteen small models.  The report names the first step that is wrong
and, if it is a known one, the bug.

The candidate is a Python function, a folder of results, or a program:

  MODULE:FUNCTION   takes a numbert.verify.cases.Case and returns {name: array}; see
                    numbert.verify.adapters for torch modules and ONNX files
  DIR               holds a file CASE.safetensors of results for each case
  --exec PROGRAM    is called for each case as PROGRAM IN.safetensors OUT.safetensors

exit codes:
  0  pass: every tensor is as near to the truth as rounding allows, or --known bugs
     explain all that is not
  1  fail: some tensor is wrong
  2  the comparison could not run
  3  incomplete: what was given is right, but a case gave no tensor at all"""
EXAMPLES = """\
  numbert verify mybert:candidate
  numbert verify mybert:candidate --profile bf16 --html report.html
  numbert verify results --rules names.toml --junit report.xml
  numbert verify --timeout 60 --exec ./bert --threads 2
  numbert verify mybert:candidate --propose-rules > names.toml
  numbert verify --explain B13"""
# {option: (what it writes, the function in numbert.verify that makes its text)}
FILES = {"json": ("everything, for programs", "report.to_json"),
         "markdown": ("the report as Markdown", "report.markdown"),
         "junit": ("JUnit XML: a test for each tensor", "report.junit"),
         "html": ("a page that holds all in one file: errors along the depth of the "
                  "model, and a table of every tensor", "page.page")}


def register(command, name: str) -> None:
    """Say what `numbert verify` takes."""
    common.describe(command, run, EXAMPLES, DESCRIPTION)
    command.add_argument("candidate", nargs="?", metavar="CANDIDATE",
                         help="MODULE:FUNCTION, or a folder of results")
    command.add_argument("--exec", nargs=argparse.REMAINDER, metavar="PROGRAM",
                         dest="program",
                         help="a program, and its own arguments to the end of the line")
    command.add_argument("--timeout", type=seconds, default=10.0, metavar="SECONDS",
                         help="how long the program may take for a case (10)")
    command.add_argument("--pack", metavar="PACK",
                         help="a folder or zip file made by `numbert golden make`; "
                              "default: the pack that comes with numbert")
    command.add_argument("--profile", default="fp32", metavar="NAME",
                         help="the precision that the candidate computes in: fp64, "
                              "fp32 (the default), tf32, bf16 or fp16 by autocast, "
                              "pure-bf16, pure-fp16")
    names = command.add_mutually_exclusive_group()
    names.add_argument("--rules", metavar="FILE",
                       help="how the candidate's names become those of the pack")
    names.add_argument("--propose-rules", action="store_true",
                       help="find such rules by matching values, and print them")
    command.add_argument("--no-diagnosis", action="store_true",
                         help="do not look for a known bug")
    command.add_argument("--known", action="append", default=[], metavar="ID",
                         help="a bug that you know of: if it is all that is wrong, the "
                              "exit code is 0; give it again for more bugs")
    for name, (what, _) in FILES.items():
        command.add_argument(f"--{name}", metavar="FILE", help=f"write {what}")
    command.add_argument("--plot", metavar="FILE",
                         help="draw errors over their bounds, along the depth of the "
                              "model, in the case of the first wrong step (needs "
                              "numbert[notebooks])")
    command.add_argument("--all", action="store_true", dest="everything",
                         help="list all that fails, and every tensor")
    command.add_argument("--explain", metavar="ID",
                         help="say what a known bug is, why it happens, how to fix it")
    command.add_argument("--self-test", action="store_true",
                         help="put each known bug into numbert itself, and see whether "
                              "it is noticed, located and named")
    command.add_argument("--pairs", type=common.positive, metavar="N",
                         help="a self-test of N random pairs of bugs instead")


def seconds(text: str) -> float:
    """Return a number above 0; a type for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(
            f"the value is {text!r}, expected a number of seconds above 0: correct it")
    return value


def run(args) -> int:
    """Do what was asked for, and return the exit code."""
    given = args.candidate or args.program
    if args.pairs and not args.self_test:
        raise ValueError("--pairs is given without --self-test, expected both: add "
                         "--self-test")
    if given and (args.explain is not None or args.self_test):
        raise ValueError(f"{given} is given with --explain or --self-test, expected no "
                         "candidate: leave one of them out")
    if args.explain is not None:
        return explain(args.explain)
    if args.self_test:
        return self_test(args)
    for id in args.known:
        mutants_of(id)                                  # refuses an unknown one
    candidate = chosen(args)
    refuse_outputs(args)
    pack = read(args.pack)
    if args.propose_rules:
        return propose_rules(candidate, pack)
    report = compare(candidate, pack, args)
    show(report, args.everything)
    write(report, args)
    return known(report, args.known)


# ------------------------------------------------------------------- the candidate

def chosen(args) -> Callable:
    """Return the candidate that was asked for.

    Raises:
        ValueError: none, or two; or it can't be loaded.
    """
    from ..verify.adapters import from_folder, from_program
    if (args.candidate is None) == (args.program is None):
        raise ValueError("the command names " + (
            "no candidate" if args.candidate is None else
            f"two candidates, {args.candidate} and --exec") + ", expected one: give "
            "MODULE:FUNCTION, a folder of results, or --exec PROGRAM")
    if args.program is not None:
        if not args.program:
            raise ValueError("--exec is given without a program, expected its path: "
                             "write it after --exec, with its arguments")
        return from_program(args.program, timeout=args.timeout)
    if Path(args.candidate).is_dir():
        return from_folder(args.candidate)
    return load_function(args.candidate)


def load_function(name: str) -> Callable:
    """Return the function that MODULE:FUNCTION names; the module may lie here.

    Raises:
        ValueError: there is none.
    """
    module, colon, path = name.partition(":")
    if not (module and colon and path) or module.endswith(".py"):
        raise ValueError(
            f"the candidate is {name!r}, expected MODULE:FUNCTION (mybert:candidate "
            "for a function in mybert.py) or a folder of results: check the spelling")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found: Any = import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except (Exception, SystemExit) as error:          # it is anyone's code
        raise ValueError(
            f"{name} can't be loaded ({type(error).__name__}: {error}), expected a "
            "function in a module that Python can import from here: correct it, or "
            "change to the folder that holds it") from error
    if not callable(found):
        raise ValueError(f"{name} is of type {type(found).__name__}, expected a "
                         "function of a case that returns {name: array}: name one")
    return found


def refuse_outputs(args) -> None:
    """Refuse to write over an input, or two files to one place."""
    module = sys.modules.get((args.candidate or "").partition(":")[0])
    inputs = {"pack": args.pack, "rules": args.rules, "candidate": args.candidate,
              "module": getattr(module, "__file__", None)}
    programs = {f"program's argument {i}": word
                for i, word in enumerate(args.program or ())}
    taken: dict[Path, str] = {}
    common.check_picture(args.plot)
    for name in (*FILES, "plot"):
        path = getattr(args, name)
        if path is None:
            continue
        refuse_inputs(path, **inputs, **programs)
        other = taken.setdefault(Path(path).resolve(), name)
        if other != name:
            raise ValueError(f"--{name} is {path}, which --{other} writes too, "
                             "expected a file of its own: choose another")


def renamed(candidate: Callable, rules, seen: set[str]) -> Callable:
    """Return a candidate whose names are changed by rules; `seen` gets the old ones."""
    from ..verify.adapters import called
    from ..verify.compare import label
    from ..verify.names import rename

    def with_names(case):
        tensors = called(candidate, case)
        seen.update(tensors)
        return rename(rules, tensors, case)

    with_names.__name__ = label(candidate)
    return with_names


# ------------------------------------------------------------------ the comparison

def read(path: str | None):
    """Return the pack that was asked for, or the one that ships."""
    from ..verify.packs import read_pack, shipped
    return read_pack(path) if path else shipped()


def compare(candidate: Callable, pack, args):
    """Return the report on a candidate; a bar shows how far it is."""
    from ..system.progress import progress
    from ..verify.compare import verify
    from ..verify.names import check_used, read_rules
    seen: set[str] = set()
    rules = read_rules(args.rules) if args.rules else None
    report = verify(pack, renamed(candidate, rules, seen) if rules else candidate,
                    profile=args.profile, diagnose=not args.no_diagnosis,
                    progress=lambda cases: progress(cases, unit="case"))
    if rules:
        check_used(rules, seen)
    return report


def propose_rules(candidate: Callable, pack) -> int:
    """Print rules that turn the candidate's names into those of the pack."""
    from ..verify.adapters import called
    from ..verify.propose import propose
    given = {name: called(candidate, packed.case)
             for name, packed in pack.cases.items()}
    print(propose({name: packed.truth for name, packed in pack.cases.items()}, given)
          .rstrip("\n"))
    return 0


def show(report, everything: bool) -> None:
    """Print a report; its verdict is in color on a terminal."""
    from ..verify.report import text
    # A terminal's stdout escapes all that is written to it; the report has done so.
    terminal = getattr(sys.stdout, "stream", None)
    if terminal and not os.environ.get("NO_COLOR"):
        terminal.write(text(report, color=True, everything=everything))
    else:
        print(text(report, everything=everything), end="")


def write(report, args) -> None:
    """Write the files that were asked for."""
    from ..system.saving import atomic_write_text
    for name, (_, where) in FILES.items():
        if getattr(args, name) is not None:
            module, function = where.split(".")
            writer = getattr(import_module(f"numbert.verify.{module}"), function)
            atomic_write_text(getattr(args, name), writer(report), follow_links=True)
    if args.plot is not None:
        from ..plots import errors_by_depth
        common.save_picture(errors_by_depth(report), args.plot)


def known(report, ids: list[str]) -> int:
    """Return the exit code; say what the bugs that are known change about it."""
    found = {bug.id: bug.id in ids or bug.id.split("-")[0] in ids
             for bug in report.diagnosis}
    for id in ids:
        if not any(id in (bug, bug.split("-")[0]) for bug in found):
            print(f"{id} is given as known, but was not found: leave out --known {id}")
    if found and all(found.values()) and not report.partly:
        print(f"Only what is known is wrong ({', '.join(found)}): exit code 0.")
        return 0
    return report.exit_code


# ------------------------------------------------------------------- the known bugs

def mutants_of(id: str) -> list:
    """Return the known bugs of an id: "B13", or one of its forms, "B13-hidden".

    Raises:
        ValueError: no bug has this id.
    """
    from ..verify.names import nearest
    from ..verify.zoo import MUTANTS
    found = [mutant for mutant in MUTANTS if id in (mutant.id, mutant.bug)]
    if not found:
        ids = sorted({x for mutant in MUTANTS for x in (mutant.id, mutant.bug)})
        alike = [x for x in ids if x[0] == id[:1].upper()] or ids
        raise ValueError(f"the bug is {id!r}, expected an id such as "
                         f"{nearest(id, alike)}: check the spelling")
    return found


def explain(id: str) -> int:
    """Print what a known bug is, why it happens and how to fix it."""
    from ..verify.bugs import CATALOGUE
    from ..verify.report import wrapped
    mutants = mutants_of(id)
    bug = CATALOGUE[mutants[0].bug]
    print("\n".join([*wrapped(f"{mutants[0].bug}: {bug.title}"), "",
                     *wrapped(f"Why: {bug.why}"), *wrapped(f"Fix: {bug.fix}"), "",
                     "Its forms that numbert recognises:"]))
    for mutant in mutants:
        print(f"  {mutant.id:16} {mutant.title}")
    return 0


def self_test(args) -> int:
    """Put each known bug into numbert, and print whether it is seen and named."""
    from ..system.progress import progress
    from ..verify.selftest import bugs, pairs
    from ..verify.zoo import MUTANTS
    pack = read(args.pack)

    def shown(work):
        return progress(work, unit="bug")

    scores = pairs(pack, args.pairs, progress=shown) if args.pairs else \
        bugs(pack, args.profile, shown)
    what = "pairs of known bugs" if args.pairs else "known bugs"
    titles = {mutant.id: mutant.title for mutant in MUTANTS}
    for score in scores:
        wrong = [] if score.killed else ["not noticed"]
        wrong += [] if score.step else ["another step was named"]
        wrong += [] if score.right else [
            f"named as {', '.join(score.named) or 'no known bug'}"]
        if wrong or args.everything:
            title = " + ".join(titles[id] for id in score.id.split(" + "))
            print(f"{score.id}, {title}: {', '.join(wrong) or 'found'}")
    for flags, how in (([score.killed for score in scores], "are noticed"),
                       ([score.step for score in scores], "at the right step"),
                       ([score.right for score in scores], "by their name")):
        print(f"{sum(flags)} of {len(flags)} {what} {how} "
              f"({100 * sum(flags) / len(flags):.1f} %)")
    return 0 if all(score.killed for score in scores) else 1
