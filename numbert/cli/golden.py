"""numbert golden: make a pack of golden values."""

from __future__ import annotations

from pathlib import Path

from . import common

EXAMPLES = """\
  numbert golden make --out golden
  numbert golden make --out mine --model DIR --text "A sentence of yours."
  numbert golden make --out mine --model DIR --text "A sentence." --prove"""


def register(command, name: str) -> None:
    """Say what `numbert golden` takes."""
    common.describe(
        command, None, EXAMPLES,
        "Make a pack of golden values: small models with inputs, and every activation,"
        "\nloss and gradient that must come out.  README.md in the pack explains it.")
    actions = command.add_subparsers(metavar="make", required=True)
    make = common.add_command(actions, "make", "make a pack")
    common.describe(
        make, run, EXAMPLES,
        "Make a pack: the thirteen cases that numbert verify uses, proven (this needs"
        "\nnumbert[exact]), or one case from a model and texts of your own.")
    make.add_argument("--out", metavar="DIR", required=True,
                      help="where to write it: a folder, or a file that ends in .zip")
    make.add_argument("--model", metavar="DIR",
                      help="make a pack of this checkpoint's backbone instead")
    make.add_argument("--text", metavar="TEXT", action="append",
                      help="with --model: an input; give it again for a batch")
    make.add_argument("--prove", action="store_true",
                      help="with --model: prove the numbers; memory and time grow a "
                           "hundredfold, so this is for small models")


def run(args) -> None:
    """Make a pack."""
    from ..verify.make import make_files, write_files
    if args.model and not args.text:
        raise ValueError("--model is given without --text, expected both: add the text "
                         "that the model should read")
    if (args.text or args.prove) and not args.model:
        raise ValueError("--text and --prove are given without --model, expected it "
                         "too: the thirteen cases have inputs of their own and are "
                         "always proven")
    if args.model:
        from ..verify.cases import case_of
        tokenizer = common.load_tokenizer(args.model)
        case = case_of(common.load_backbone(args.model), tokenizer(
            args.text, padding=True, return_tensors="np"))
        files = make_files([case], prove=args.prove)
    else:
        files = make_files()
    written = write_files(files, Path(args.out))
    size = sum(map(len, files.values()))
    print(f"{args.out}: {len(files)} files, {size / 1e6:.2f} MB, "
          f"{'written' if written else 'the same as before'}")
