"""numbert info: what a checkpoint holds, read without computing anything."""

from __future__ import annotations

import math
import re
from collections import Counter
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from ..models.params import bert_shapes
from . import common

EXAMPLES = """\
  numbert info --model DIR
  numbert info --model DIR --json"""
BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
NAMES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16",
         "I64": "int64", "I32": "int32", "BOOL": "bool"}
PARTS = {".embeddings.": "embeddings", ".layer.": "layers", ".pooler.": "pooler"}
ORDER = (*PARTS.values(), "heads", "no parameters")
LAYER = re.compile(r"(?P<before>(.*\.)?layer\.)(?P<number>\d+)(?P<after>\..*)")
FIELDS = ("num_hidden_layers", "hidden_size", "num_attention_heads",
          "intermediate_size", "vocab_size", "max_position_embeddings",
          "type_vocab_size", "hidden_act", "layer_norm_eps", "hidden_dropout_prob",
          "attention_probs_dropout_prob")


class Row(NamedTuple):
    """Tensors whose names differ only in the number of the layer."""

    name: str                    # "encoder.layer.*.output.dense.weight"
    shape: tuple[int, ...]
    dtype: str                   # as the file names it
    layers: int                  # how many layers have it; 1 outside the stack

    @property
    def size(self) -> int:
        """How many numbers they hold together."""
        return self.layers * math.prod(self.shape)

    @property
    def part(self) -> str:
        """The part of the model to which they belong."""
        if not is_float(self.dtype):
            return "no parameters"
        for mark, part in PARTS.items():
            if mark in f".{self.name}":
                return part
        return "heads"


def register(command, name: str) -> None:
    """Say what `numbert info` takes."""
    common.describe(
        command, run, EXAMPLES,
        "Show what a checkpoint holds: its architecture, its tensors with their shapes,"
        "\ndtypes and sizes, and its tokenizer.  Nothing is computed, and no weights "
        "are read.")
    common.add_model(command)
    command.add_argument("--json", action="store_true",
                         help="print one JSON object, which lists every tensor")


def run(args) -> None:
    """Print what the checkpoint holds."""
    from ..models.config import BertConfig
    from ..system.checkpoint import inventory
    from ..system.hub import resolve
    folder = resolve(common.model_folder(args.model),
                     ("config.json", "model.safetensors"))
    config = BertConfig.from_pretrained(folder)
    stored = inventory(Path(folder))
    tokenizer, reason = try_tokenizer(common.model_folder(args.model))
    if args.json:
        common.print_json(as_json(folder, config, stored, tokenizer), indent=2)
    else:
        print(f"{folder}\n")
        print_architecture(config)
        print_tensors(group(stored, config))
        print_tokenizer(tokenizer, reason)


def try_tokenizer(name: str) -> tuple[Any, str]:
    """Return the tokenizer, or None and the reason."""
    try:
        return common.load_tokenizer(name), ""
    except (OSError, ValueError) as error:
        return None, str(error)


def group(stored: dict, config) -> list[Row]:
    """Return one row per tensor, in model order; what layers repeat shares one."""
    found: Counter = Counter()
    for name, tensor in stored.items():
        found[starred(name), tensor.shape, tensor.dtype] += 1
    rows = [Row(name, shape, dtype, count)
            for (name, shape, dtype), count in found.items()]
    order = {starred(name): i for i, name in enumerate(bert_shapes(config, True))}
    return sorted(rows, key=lambda row: (
        ORDER.index(row.part),
        order.get(row.name.removeprefix("bert."), len(order)), row.name))


def is_float(dtype: str) -> bool:
    """Whether a tensor of this type holds parameters rather than, say, positions."""
    return dtype in BYTES


def starred(name: str) -> str:
    """Return a tensor's name with a star for the number of its layer."""
    layer = LAYER.fullmatch(name)
    return f"{layer['before']}*{layer['after']}" if layer else name


def print_architecture(config) -> None:
    """Print the main fields of the configuration."""
    print(f"architecture   {', '.join(config.architectures or ['not named'])}")
    for name in FIELDS:
        print(f"  {name:30} {getattr(config, name)}")
    if config.is_decoder:
        print(f"  {'is_decoder':30} True\n  {'add_cross_attention':30} "
              f"{config.add_cross_attention}")
    labels = list(config.id2label.values())
    if labels != [f"LABEL_{i}" for i in range(len(labels))]:
        print(f"  {'labels':30} {common.shorten(', '.join(map(str, labels)), 60)}")


def print_tensors(rows: list[Row]) -> None:
    """Print the table of tensors, with a total for each part and for the model."""
    width = max([len(row.name) for row in rows], default=0)
    floats = [row for row in rows if is_float(row.dtype)]
    total = sum(row.size for row in floats)
    for part, chosen in groupby(rows, key=lambda row: row.part):
        members = list(chosen)
        count = sum(row.size for row in members)
        share = f", {100 * count / total:.1f} %" if members[0] in floats else ""
        print(f"\n{part}: {count:,}{share}")
        for row in members:
            times = f"x {row.layers}" if row.layers > 1 else ""
            print(f"  {row.name:{width}}  {str(row.shape):14} {times:5}"
                  f"{row.size:13,}  {NAMES.get(row.dtype, row.dtype)}")
    dtypes = sorted({NAMES[row.dtype] for row in floats})
    print(f"\ntotal: {total:,} parameters, {', '.join(dtypes)}, "
          f"{common.size(sum(row.size * BYTES[row.dtype] for row in floats))}")


def print_tokenizer(tokenizer, reason: str) -> None:
    """Print what the tokenizer does to text."""
    if tokenizer is None:
        print(f"\nno tokenizer: {reason}")
        return
    facts = tokenizer_facts(tokenizer)
    special = facts.pop("special_tokens")
    print(f"\ntokenizer      {facts.pop('class')}")
    for name, value in facts.items():
        print(f"  {name:30} {value}")
    print(f"  {'special tokens':30} "
          + ", ".join(f"{token} {index}" for token, index in special.items()))


def tokenizer_facts(tokenizer) -> dict:
    """Return the tokenizer's settings, for printing or JSON."""
    return {"class": type(tokenizer).__name__, "vocab_size": len(tokenizer),
            "do_lower_case": tokenizer.do_lower_case,
            "strip_accents": tokenizer.strip_accents,
            "tokenize_chinese_chars": tokenizer.tokenize_chinese_chars,
            "model_max_length": tokenizer.model_max_length,
            "special_tokens": {token: tokenizer.convert_tokens_to_ids(token)
                               for token in tokenizer.all_special_tokens}}


def as_json(folder, config, stored: dict, tokenizer) -> dict:
    """Return everything, for programs to read."""
    tensors = {name: {"shape": list(tensor.shape),
                      "dtype": NAMES.get(tensor.dtype, tensor.dtype),
                      "size": math.prod(tensor.shape)}
               for name, tensor in stored.items()}
    sizes = {name: math.prod(tensor.shape) for name, tensor in stored.items()
             if is_float(tensor.dtype)}
    return {"directory": str(folder), "config": config.to_dict(),
            "parameters": sum(sizes.values()),
            "bytes": sum(BYTES[stored[name].dtype] * n for name, n in sizes.items()),
            "tensors": tensors,
            "tokenizer": None if tokenizer is None else tokenizer_facts(tokenizer)}
