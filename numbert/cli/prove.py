"""numbert prove: how many digits of an embedding are certain."""

from __future__ import annotations

import math
import time
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..system.jsonfiles import json_text
from ..system.places import refuse_inputs
from ..system.progress import bar
from ..system.saving import atomic_file, atomic_write_text, write_tensors
from . import common

DESCRIPTION = """\
Compute the embedding of a text with proven digits, and count how many digits float64
and float32 get right on the way.

Every number is an interval that is certain to hold the exact value.  The exact value is
what the formulas of BERT give for the weights of the checkpoint, without any rounding.
A number has 7 right digits, say, if its error is a ten-millionth of it; a sum that
nearly cancels has few.  Needs python-flint: pip install "numbert[exact]"."""
EXAMPLES = """\
  numbert prove --text "A man is eating." --model DIR
  numbert prove --text "A man is eating." --all --json proof.json --plot digits.png
  numbert prove --text "A man is eating." --of hidden --save exact.safetensors"""
WANTED = {"sentence": "sentence vector", "pooler": "pooler output",
          "hidden": "last hidden states"}
SHOWN, DIGITS = 4, 20                    # how many values are printed, how many digits
FLOAT64 = 17                             # digits that tell any two float64 apart


class Found(NamedTuple):
    """An embedding with what was computed on the way to it."""

    text: str
    tokens: list[str]
    kind: str                            # one of WANTED's values
    value: Any                           # an array of balls
    steps: list                          # of proofs.Step; the last is the embedding
    bits: int
    seconds: float


def register(command, name: str) -> None:
    """Say what `numbert prove` takes."""
    common.describe(command, run, EXAMPLES, DESCRIPTION)
    command.add_argument("--text", required=True, help="the text to embed")
    common.add_model(command)
    command.add_argument("--of", choices=WANTED, default="sentence",
                         help="what to prove: the vector of `numbert embed`, the "
                              "pooler's output or the last hidden state of each token "
                              "(default: sentence)")
    command.add_argument("--bits", type=common.positive, metavar="N",
                         help="precision of the computation (default: 128, and 32 "
                              "for each layer)")
    command.add_argument("--all", action="store_true",
                         help="list every step, not only where a layer ends")
    command.add_argument("--json", metavar="FILE",
                         help="write values, digits and all steps; null stands for "
                              "all digits")
    command.add_argument("--plot", metavar="FILE",
                         help="draw the right digits of each step (needs "
                              "numbert[notebooks])")
    command.add_argument("--save", metavar="FILE.safetensors",
                         help="write the embedding as float64, each value rounded "
                              "once")


def run(args) -> None:
    """Prove the embedding, print it, and write what was asked for."""
    check_places(args)
    found = embedding(args)
    print_embedding(found)
    print()
    print_steps(found.steps if args.all else ends(found.steps))
    if args.json:
        atomic_write_text(args.json, json_text(as_json(found), indent=1) + "\n")
    if args.save:
        save(found, args.save)
    if args.plot:
        from ..plots import digits_by_depth
        common.save_picture(digits_by_depth(found.steps), args.plot)
    proven = found.steps[-1].proven
    if proven < FLOAT64:
        warnings.warn(f"the embedding has a value with {shown(proven)} proven digits, "
                      f"expected {FLOAT64} or more, as no column of the table can "
                      f"say more than is proven: raise --bits over {found.bits}")


def check_places(args) -> None:
    """Refuse, before any work, what could not be written after it."""
    for option in ("json", "plot", "save"):
        path = getattr(args, option)
        if path is None:
            continue
        refuse_inputs(path, model=common.model_folder(args.model))
        common.check_file(option, path)
    common.check_picture(args.plot)


def embedding(args) -> Found:
    """Compute what --of asks for, and compare it with plain NumPy."""
    from ..pipelines.sentence_files import sentence_settings
    from ..pipelines.sentences import planned, vectors_of, with_prompt
    from ..verify import proofs
    folder = common.model_folder(args.model)
    model = load(folder, args.of == "pooler")
    settings = sentence_settings(folder) if args.of == "sentence" else {}
    plan = planned(model, common.load_tokenizer(folder), **settings)
    steps = exact_steps(plan.steps)
    if args.of == "sentence":
        proofs.check_sentence(plan.pooling, steps)
    rows = plan.tokenizer(with_prompt(plan.prompt, [args.text]), truncation=True,
                          max_length=plan.max_length, return_tensors="np")
    start = time.perf_counter()
    with bar(proofs.count_steps(model), "prove", unit=" steps") as progress:
        proof = proofs.prove(model, rows, args.bits, progress.update)
    if args.of == "sentence":
        mask = rows["attention_mask"]
        counts = mask.astype(bool)
        counts[:, :plan.skipped] = False
        value = proofs.sentence_vector(proof.output.last_hidden_state, counts,
                                       plan.pooling, steps, proof.bits)
        plain = [vectors_of(out.last_hidden_state, mask, plan) for out in proof.plain]
    else:
        field = {"pooler": "pooler_output", "hidden": "last_hidden_state"}[args.of]
        value = proof.output[field]
        plain = [out[field] for out in proof.plain]
    kind = WANTED[args.of]
    with proofs.precision(proof.bits):
        last = proofs.compared(kind, value, *plain)
    tokens = plan.tokenizer.convert_ids_to_tokens(rows["input_ids"][0].tolist())
    return Found(args.text, tokens, kind, value[0], [*proof.steps, last], proof.bits,
                 time.perf_counter() - start)


def load(folder: str, pooler: bool) -> Any:
    """Return the backbone in float64, with its pooler if that is wanted."""
    if not pooler:
        return common.load_backbone(folder, "float64")
    from ..models.classes import BertModel
    from ..system.checkpoint import inventory
    from ..system.hub import resolve
    path = Path(resolve(folder, ("config.json", "model.safetensors")))
    if not any(name.endswith("pooler.dense.weight") for name in inventory(path)):
        raise ValueError(f"--of is pooler, and {folder} has no pooler, expected one: "
                         "prove --of hidden, whose first row is what a pooler reads")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="BertModel does not use")
        return BertModel.from_pretrained(folder, dtype="float64")


def exact_steps(steps) -> list[tuple]:
    """Return the names of the steps after pooling, with their arguments."""
    return [(step.func.__name__, *step.keywords.values()) if hasattr(step, "func")
            else (step.__name__,) for step in steps]


# ----------------------------------------------------------------------- what it says

def print_embedding(found: Found) -> None:
    """Print the first values, and how many digits of all are proven."""
    shape = " x ".join(map(str, found.value.shape))
    print(f"{common.shorten(found.text, 60)}\n{len(found.tokens)} tokens, {found.bits} "
          f"bits, {common.seconds(found.seconds)}\n\n{found.kind}, {shape} values, "
          f"each with at least {shown(found.steps[-1].proven)} proven digits")
    values = found.value.ravel().tolist()
    for number, ball in enumerate(values[:SHOWN], 1):
        print(f"{number:6}  {decimals(ball, DIGITS)}")
    if len(values) > SHOWN:
        print(f"   ...  and {len(values) - SHOWN:,} more; get all with --json FILE or "
              "--save FILE")


def decimals(ball, count: int) -> str:
    """Return the digits of a ball that are certain but for one in the last, as text."""
    return "unknown" if ball.contains(0) and not ball.is_zero() else \
        ball.str(count, radius=False)


def ends(steps) -> list:
    """Return the steps at which the embeddings, a layer or the model ends."""
    return [step for step in steps if step.name in WANTED.values() or
            step.name.endswith((".output.out", "embeddings.out", "pooler.out"))
            and ".attention." not in step.name]


def print_steps(steps) -> None:
    """Print the table of digits."""
    width = max(len(step.name) for step in steps)
    print(f"{'right digits':{width}}   proven       float64          float32\n"
          f"{'':{width}}   fewest   median fewest   median fewest")
    for step in steps:
        cells = [step.proven, *step.float64, *step.float32]
        print(f"{step.name:{width}}" + "".join(
            f"{shown(x):>{size}}" for x, size in zip(cells, (9, 9, 7, 9, 7))))


def shown(digits: float) -> str:
    """Return a number of digits as text, rounded down."""
    return "all" if math.isinf(digits) else f"{math.floor(digits * 10) / 10:.1f}"


def as_json(found: Found) -> dict:
    """Return everything, for programs to read."""
    return {"text": found.text, "tokens": found.tokens, "bits": found.bits,
            "seconds": found.seconds, "name": found.kind,
            "shape": list(found.value.shape),
            "float64": found.value.to_float64().tolist(),
            "undecided": int(found.value.undecided().sum()),
            "digits": np.vectorize(decimals, [object])(found.value, 40).tolist(),
            "steps": [{**step._asdict(), "float64": step.float64._asdict(),
                       "float32": step.float32._asdict()} for step in found.steps]}


def save(found: Found, path: str) -> None:
    """Write the embedding as float64 into a safetensors file."""
    with atomic_file(path) as temporary:
        write_tensors({found.kind.replace(" ", "_"): found.value.to_float64()},
                      temporary, {"text": found.text, "bits": str(found.bits),
                                  "undecided": str(found.value.undecided().sum())})
