"""numbert fill-mask, classify, ner, answer, choose, next-sentence, generate.

Each command reads texts, asks a pipeline, and prints each answer as it comes.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from ..system.progress import progress
from . import common

TABS = "with tabs between them"


class Task(NamedTuple):
    """One command: its pipeline, its examples, and what sets it apart."""

    name: str
    task: str
    examples: str
    add: Callable               # parser -> None: adds its arguments
    read: Callable              # args -> items for the pipeline, and how many if known
    options: Callable           # args -> options for the pipeline
    lines: Callable             # (item, result) -> lines of plain text


def register(command, name: str) -> None:
    """Say what one of the commands takes."""
    task, = (task for task in TASKS if task.name == name)
    common.describe(command, run, task.examples)
    task.add(command)
    common.add_model(command)
    command.add_argument("--json", action="store_true",
                         help="print one JSON object per line, with the input and its "
                              "result")
    command.add_argument("--batch-size", type=common.positive, default=1, metavar="N",
                         help="rows per forward pass (default: 1)")
    command.add_argument("--dtype", choices=("float32", "float64"), default="float32",
                         help="compute in this type (default: float32)")
    command.set_defaults(spec=task)


def run(args) -> None:
    """Answer each input of a command, and print the answers."""
    from ..pipelines import pipeline
    task: Task = args.spec
    items, total = task.read(args)
    # Answers that appear on the screen need no bar.
    show = False if sys.stdout.isatty() or total == 1 else None
    ask = pipeline(task.task, args.model, batch_size=args.batch_size, dtype=args.dtype,
                   **task.options(args))
    asked: list[Any] = []                     # the items whose answers come next
    number = cut = 0
    for number, result in enumerate(progress(
            ask(remember(items, asked)), total, task.name, show), 1):
        item = asked.pop(0)
        cut += is_cut(ask, item)
        if args.json:
            common.print_json({**as_dict(item), "result": result})
            continue
        lines = list(task.lines(item, result))
        if number > 1 and len(lines) > 1:
            print()
        print(*lines, sep="\n", flush=True)
    if cut:
        warnings.warn(f"{cut} of {number} inputs lost their ends, as they have more "
                      "tokens than the model takes: shorten them for answers that "
                      "look at all of the text")


def is_cut(ask, item) -> bool:
    """Whether a pipeline that cuts long texts has cut one of this item's."""
    options = ask.checked({})
    cuts = options.get("truncation", ask.task == "token-classification")
    if not cuts or options.get("stride"):
        return False
    if isinstance(item, str):
        pairs = [(item, None)]
    elif "choices" in item:
        pairs = [(item["prompt"], choice) for choice in item["choices"]]
    else:
        pairs = [(item["text"], item["text_pair"])]
    windows = {"truncation": True, "max_length": options.get("max_length"),
               "tokenizer_kwargs": {"return_overflowing_tokens": True}}
    return any(len(ask.encode(*pair, windows)) > 1 for pair in pairs)


def remember(items: Iterable, asked: list) -> Iterator:
    """Yield the items, and note them in `asked`."""
    for item in items:
        asked.append(item)
        yield item


def as_dict(item) -> dict:
    """Return an item as part of a JSON object; a long context is not repeated."""
    if isinstance(item, str):
        return {"text": item}
    return {key: value for key, value in item.items() if key != "context"}


# -------------------------------------------------------------------- reading texts

def add_texts(command, what: str, metavar: str = "TEXT") -> None:
    """Add the arguments that name the inputs."""
    command.add_argument("text", nargs="*", metavar=metavar,
                         help=f'{what}; a single "-" reads stdin, one per line')
    command.add_argument("--file", metavar="FILE",
                         help="read the inputs from a UTF-8 file or a pipe, one per "
                              "line; blank lines are skipped")


def source(args) -> tuple[Iterable[str], int | None]:
    """Return the lines of a file or stdin, or the arguments; and how many, if known."""
    if bool(args.text) == bool(args.file):
        found = "the input is given twice" if args.text else "the input is missing"
        raise ValueError(f"{found}, expected arguments, or --file FILE, or - to read "
                         "stdin: give one of them")
    path = "-" if args.text == ["-"] else args.file
    if not path:
        return args.text, len(args.text)
    lines = (line for line in common.read_lines(path) if line.strip())
    first = next(lines, None)           # a bad path must fail before anything loads
    if first is None:
        raise ValueError(f"{'stdin' if path == '-' else path} holds no text, expected "
                         "at least one line: write one input per line")
    return chain([first], lines), None


def texts(args) -> tuple[Iterable, int | None]:
    """Return one item per text."""
    return source(args)


def pairs(args) -> tuple[Iterable, int | None]:
    """Return one pair, of two arguments, or one for each line of a file."""
    if args.file or args.text == ["-"]:
        lines, total = source(args)
        return (pair(split(line)) for line in lines), total
    return [pair(args.text)], 1


def texts_or_pairs(args) -> tuple[Iterable, int | None]:
    """Return texts; a line or argument with a tab in it is a pair."""
    lines, total = source(args)
    return (pair(split(line)) if "\t" in line else line for line in lines), total


def pair(parts: list[str]) -> dict:
    """Return two texts as an item."""
    if len(parts) != 2:
        raise ValueError(f"the number of texts is {len(parts)}, expected 2: give two "
                         f"arguments, or in each line of a file two texts {TABS}")
    return {"text": parts[0], "text_pair": parts[1]}


def choices(args) -> tuple[Iterable, int | None]:
    """Return a prompt and its choices, of the arguments or of each line of a file."""
    if args.file or args.text == ["-"]:
        lines, total = source(args)
        return (choice(split(line)) for line in lines), total
    return [choice(args.text)], 1


def choice(parts: list[str]) -> dict:
    """Return a prompt and its choices as an item."""
    if len(parts) < 3:
        raise ValueError(f"the number of texts is {len(parts)}, expected 3 or more, a "
                         "prompt and at least two choices: give them as arguments, or "
                         f"in each line of a file {TABS}")
    return {"prompt": parts[0], "choices": parts[1:]}


def questions(args) -> tuple[Iterable, int | None]:
    """Return questions, each with the same context."""
    if (args.context is None) == (args.context_file is None):
        found = "missing" if args.context is None else "given twice"
        raise ValueError(f"the text to look in is {found}, expected one: give "
                         "--context TEXT or --context-file FILE")
    context = args.context
    if context is None:
        context = "\n".join(common.read_lines(args.context_file))
    lines, total = source(args)
    return ({"question": line, "context": context} for line in lines), total


def split(line: str) -> list[str]:
    """Return the parts of a line, which tabs separate."""
    return [part.strip() for part in line.split("\t")]


# ---------------------------------------------------------- arguments of each command

def add_top_k(command, default, what: str) -> None:
    """Add --top-k, how many answers to give."""
    command.add_argument("--top-k", type=common.positive, default=default, metavar="N",
                         help=f"{what} (default: {default or 'all'})")


def add_truncate(command) -> None:
    """Add --truncate, whether to cut long texts."""
    command.add_argument("--truncate", action="store_true",
                         help="cut a text that is too long for the model instead of "
                              "refusing it")


def add_fill_mask(command) -> None:
    add_texts(command, "texts with [MASK] in them")
    add_top_k(command, 5, "how many words to show for each mask")
    command.add_argument("--targets", metavar="WORD,...",
                         help="choose from these words only")
    add_truncate(command)


def add_classify(command) -> None:
    add_texts(command, "texts; write a pair of texts with a tab between them")
    command.add_argument("--top-k", type=common.positive, metavar="N",
                         help="how many labels to show for each text (default: 1, or "
                              "all above 0.5 if a text may have several labels)")
    command.add_argument("--function", choices=("softmax", "sigmoid", "none"),
                         help="how to turn logits into scores (default: sigmoid for a "
                              "model with one label or with several at once, none for "
                              "a regression, softmax for the rest)")


def add_ner(command) -> None:
    add_texts(command, "texts")
    command.add_argument("--strategy", default="first",
                         choices=("none", "simple", "first", "average", "max"),
                         help="how to label words and names: first gives a word the "
                              "label of its first piece, as finetune trains it, and "
                              "average and max that of the mean or of the surest "
                              "piece; simple labels pieces of words by themselves; "
                              "all four join neighbours with the same entity, and "
                              "none shows each token on a line of its own (default: "
                              "first)")
    command.add_argument("--all", action="store_true",
                         help="also show tokens with the label O, which are no entity")
    command.add_argument("--stride", type=common.positive, metavar="N",
                         help="cut long texts into windows that share N tokens, "
                              "instead of dropping their end")


def add_answer(command) -> None:
    add_texts(command, "questions", "QUESTION")
    command.add_argument("--context", metavar="TEXT",
                         help="the text to look for the answer in")
    command.add_argument("--context-file", metavar="FILE",
                         help="a UTF-8 file with that text, of any length")
    add_top_k(command, 1, "how many answers to show for each question")
    command.add_argument("--max-answer-len", type=common.positive, default=15,
                         metavar="N", help="tokens in the longest answer (default: 15)")
    command.add_argument("--max-seq-len", type=common.positive, metavar="N",
                         help="tokens in a window, into which a long text is cut "
                              "(default: 384, or what the model takes if less)")
    command.add_argument("--doc-stride", type=common.positive, metavar="N",
                         help="tokens that neighbouring windows share (default: 128, "
                              "or half a window if less)")
    command.add_argument("--impossible", action="store_true",
                         help="allow the answer that there is none")


def add_choose(command) -> None:
    add_texts(command, "a prompt and two or more choices; a file has a prompt and its "
                       f"choices in each line, {TABS}", "PROMPT CHOICE")
    add_top_k(command, None, "how many choices to show, best first")
    add_truncate(command)


def add_next_sentence(command) -> None:
    add_texts(command, f"two texts; a file has two texts in each line, {TABS}")
    add_truncate(command)


def add_generate(command) -> None:
    add_texts(command, "prompts", "PROMPT")
    command.add_argument("--max-new-tokens", type=common.positive, default=20,
                         metavar="N", help="the most tokens to write (default: 20)")
    command.add_argument("--num-beams", type=common.positive, default=1, metavar="N",
                         help="width of the beam search (default: 1, greedy)")
    command.add_argument("--sample", action="store_true",
                         help="draw words at random instead of taking the likeliest")
    command.add_argument("--temperature", type=float, metavar="X",
                         help="with --sample: above 1 draws unlikely words more often, "
                              "below 1 less often (default: 0.7)")
    command.add_argument("--seed", type=int, default=0, metavar="N",
                         help="with --sample: the same seed draws the same words "
                              "(default: 0)")
    command.add_argument("--sequences", type=common.positive, default=1, metavar="N",
                         help="texts to write for each prompt (default: 1)")
    command.add_argument("--new-text", action="store_true",
                         help="print only the new text, without the prompt")
    command.add_argument("--no-special-tokens", action="store_true",
                         help="do not put [CLS] and [SEP] around the prompt")


def given(**options) -> dict:
    """Return the options that are not None."""
    return {name: value for name, value in options.items() if value is not None}


def classify_options(args) -> dict:
    """Return the options of text-classification: texts are cut as evaluate cuts them.

    A text may have several labels if the model was trained so.  Those are shown that
    evaluate predicts: all with a score above 0.5, or a logit above 0.
    """
    from ..models.config import BertConfig
    from ..system.hub import REQUIRED, resolve
    from ..tasks.finetuning import read_record
    model = common.model_folder(args.model, "text-classification")
    several = BertConfig.from_pretrained(model).problem_type == \
        "multi_label_classification"
    settings = read_record(Path(resolve(model, REQUIRED)))["settings"]
    options = {"truncation": True, "max_length": settings.max_length,
               "function_to_apply": args.function}
    if several and args.top_k is None:
        return options | {"top_k": None,
                          "threshold": 0.0 if args.function == "none" else 0.5}
    return options | {"top_k": args.top_k or 1}


def generate_options(args) -> dict:
    """Return the options of text-generation."""
    if args.temperature is not None and not args.sample:
        raise ValueError(f"--temperature is {args.temperature} without --sample, "
                         "expected both: add --sample, as only draws have a "
                         "temperature")
    return given(max_new_tokens=args.max_new_tokens, do_sample=args.sample,
                 temperature=args.temperature, num_beams=args.num_beams, rng=args.seed,
                 num_return_sequences=args.sequences,
                 return_full_text=not args.new_text, join=True,
                 add_special_tokens=not args.no_special_tokens)


# ---------------------------------------------------------------------- plain text

def fill_mask_lines(item, result) -> Iterator[str]:
    yield item
    several = isinstance(result[0], list)
    for number, words in enumerate(result if several else [result], 1):
        if several:
            yield f"  mask {number}"
        width = max(len(word["token_str"]) for word in words)
        for word in words:
            line = f"  {word['score']:.4f}  {word['token_str']:{width}}"
            yield line.rstrip() if several else f"{line}  {word['sequence']}"


def classify_lines(item, result) -> Iterator[str]:
    text = item if isinstance(item, str) else f"{item['text']} | {item['text_pair']}"
    for label in result:
        yield f"{label['label']}  {label['score']:.4f}  {common.shorten(text, 60)}"
    if not result:
        yield f"no label  {common.shorten(text, 60)}"


def ner_lines(item, result) -> Iterator[str]:
    yield item
    for entity in result:
        label = entity.get("entity_group", entity.get("entity"))
        place = f"{entity['start']}:{entity['end']}"
        yield (f"  {label:8} {entity['score']:.4f}  {place:9} "
               f"{item[entity['start']:entity['end']]}")
    if not result:
        yield "  nothing found"


def answer_lines(item, result) -> Iterator[str]:
    yield item["question"]
    for answer in result if isinstance(result, list) else [result]:
        place = f"{answer['start']}:{answer['end']}"
        yield f"  {answer['score']:.4f}  {place:9} {answer['answer'] or '(no answer)'}"


def choose_lines(item, result) -> Iterator[str]:
    yield item["prompt"]
    for answer in result:
        yield f"  {answer['score']:.4f}  {answer['choice']}"


def next_sentence_lines(item, result) -> Iterator[str]:
    yield (f"{result['is_next']:.4f} follows, {result['not_next']:.4f} does not: "
           f"{common.shorten(item['text'], 40)} | "
           f"{common.shorten(item['text_pair'], 40)}")


def generate_lines(item, result) -> Iterator[str]:
    for answer in result:
        yield answer["generated_text"]


TASKS = (
    Task("fill-mask", "fill-mask", """\
  numbert fill-mask "Paris is the [MASK] of France."
  numbert fill-mask "The film was [MASK]." --targets good,bad --model DIR
  numbert fill-mask --file texts.txt --json > words.jsonl""",
         add_fill_mask, texts, lambda args: given(
             top_k=args.top_k, truncation=args.truncate,
             targets=args.targets and args.targets.split(",")), fill_mask_lines),
    Task("classify", "text-classification", """\
  numbert classify "A film that I shall see again." --model DIR
  numbert classify --top-k 3 --json - --model DIR < reviews.txt
  numbert classify $'A man eats.\\tSomeone has a meal.' --model DIR""",
         add_classify, texts_or_pairs, classify_options, classify_lines),
    Task("ner", "token-classification", """\
  numbert ner "Anna Smith lives in Paris." --model DIR
  numbert ner --strategy none --all "Anna Smith" --model DIR
  numbert ner --file article.txt --stride 16 --json --model DIR""",
         add_ner, texts, lambda args: given(
             aggregation_strategy=args.strategy, stride=args.stride,
             ignore_labels=[] if args.all else None), ner_lines),
    Task("answer", "question-answering", """\
  numbert answer "Where does Anna live?" --context "Anna lives in Paris." --model DIR
  numbert answer "Who?" "When?" --context-file article.txt --top-k 3 --model DIR
  numbert answer --file questions.txt --context-file article.txt --json --model DIR""",
         add_answer, questions, lambda args: given(
             top_k=args.top_k, max_answer_len=args.max_answer_len,
             max_seq_len=args.max_seq_len, doc_stride=args.doc_stride,
             handle_impossible_answer=args.impossible), answer_lines),
    Task("choose", "multiple-choice", """\
  numbert choose "He poured the tea" "into a cup." "into a song." --model DIR
  numbert choose --file questions.tsv --top-k 1 --json --model DIR""",
         add_choose, choices, lambda args: given(
             top_k=args.top_k, truncation=args.truncate), choose_lines),
    Task("next-sentence", "next-sentence", """\
  numbert next-sentence "She opened the door." "The room was dark."
  numbert next-sentence --file pairs.tsv --json > scores.jsonl""",
         add_next_sentence, pairs, lambda args: given(truncation=args.truncate),
         next_sentence_lines),
    Task("generate", "text-generation", """\
  numbert generate "Once upon a time" --model DIR
  numbert generate "Once upon a time" --sample --seed 3 --sequences 2 --model DIR
  numbert generate --file prompts.txt --num-beams 4 --json --model DIR""",
         add_generate, texts, generate_options, generate_lines),
)
