"""numbert tokenize: what the tokenizer makes of a text."""

from __future__ import annotations

from . import common

EXAMPLES = """\
  numbert tokenize "The Zürich-based unaffable reader." --model DIR
  numbert tokenize --explain "Déjà vu!" --model DIR
  numbert tokenize --json - --model DIR < texts.txt > pieces.jsonl"""
KEYS = ("input_ids", "offset_mapping")


def register(command, name: str) -> None:
    """Say what `numbert tokenize` takes."""
    common.describe(command, run, EXAMPLES)
    command.add_argument("text", nargs="+", metavar="TEXT",
                         help='texts; a single "-" reads stdin, one text per line')
    common.add_model(command)
    form = command.add_mutually_exclusive_group()
    form.add_argument("--explain", action="store_true",
                      help="show the text after each step: cleaned, with CJK "
                           "characters apart, without accents, in lower case, split "
                           "into words, cut into pieces")
    form.add_argument("--json", action="store_true",
                      help="print one JSON object per text: text, tokens, input_ids, "
                           "offset_mapping")


def run(args) -> None:
    """Print the tokens of each text."""
    from ..tokenization import view
    tokenizer = common.load_tokenizer(common.model_folder(args.model))
    texts = common.read_lines("-") if args.text == ["-"] else args.text
    for number, text in enumerate(texts):
        if args.json:
            row = tokenizer(text, return_offsets_mapping=True, verbose=False)
            common.print_json({"text": text, "tokens": row.tokens(),
                               **{key: row[key] for key in KEYS}})
            continue
        if number:
            print()
        print((view.explain if args.explain else view.table)(tokenizer, text))
