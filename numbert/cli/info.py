"""numbert info: what a checkpoint holds, without computing anything."""

from __future__ import annotations

import math
import re
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from . import common

EXAMPLES = """\
  numbert info --model DIR
  numbert info --model DIR --json"""
BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "BOOL": 1}
NAMES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16",
         "I64": "int64", "I32": "int32", "BOOL": "bool"}
LAYER = re.compile(r"(?P<before>(.*\.)?layer\.)(?P<number>\d+)(?P<after>\..*)")
FIELDS = ("num_hidden_layers", "hidden_size", "num_attention_heads", "intermediate_size",
          "vocab_size", "max_position_embeddings", "type_vocab_size", "hidden_act",
          "layer_norm_eps", "hidden_dropout_prob", "attention_probs_dropout_prob")


class Row(NamedTuple):
    """Tensors that differ only in the number of their layer."""

    name: str                    # "encoder.layer.*.output.dense.weight"
    shape: tuple[int, ...]
    dtype: str                   # in the file
    layers: int                  # how many layers have it; 1 outside the stack

    @property
    def parameters(self) -> int:
        """How many numbers all of them hold."""
        return self.layers * math.prod(self.shape)


def register(commands) -> None:
    """Add `numbert info`."""
    command = common.add_command(
        commands, "info", run, "what a checkpoint holds: architecture, parameters, "
        "tokenizer", EXAMPLES,
        "Show the architecture, the tensors in the files with shape, dtype and size, and "
        "the\ntokenizer.  Nothing is computed, and no weights are read.")
    common.add_model(command)
    command.add_argument("--json", action="store_true",
                         help="print one JSON object, with every tensor by itself")


def run(args) -> None:
    """Print what the checkpoint holds."""
    from ..checkpoint import inventory
    from ..config import BertConfig
    from ..hub import resolve
    folder = resolve(args.model, ("config.json", "model.safetensors"))
    config = BertConfig.from_pretrained(folder)
    stored = inventory(Path(folder))
    tokenizer, reason = try_tokenizer(args.model)
    if args.json:
        common.print_json(as_json(folder, config, stored, tokenizer), indent=2)
    else:
        print(f"{folder}\n")
        print_architecture(config)
        print_tensors(group(stored))
        print_tokenizer(tokenizer, reason)


def try_tokenizer(name: str) -> tuple[Any, str]:
    """The tokenizer; or None, and the reason."""
    try:
        return common.load_tokenizer(name), ""
    except (OSError, ValueError) as error:
        return None, str(error)


def group(stored: dict) -> list[Row]:
    """One row for each tensor, but one for all layers, in the order of the model."""
    found = Counter()
    for name, tensor in stored.items():
        layer = LAYER.fullmatch(name)
        if layer:
            name = f"{layer['before']}*{layer['after']}"
        found[name, tensor.shape, tensor.dtype] += 1
    rows = [Row(name, shape, dtype, count)
            for (name, shape, dtype), count in found.items()]
    return sorted(rows, key=lambda row: (part(row.name), row.name))


def part(name: str) -> int:
    """The place of a tensor in the model: embeddings, layers, pooler, heads."""
    for place, mark in enumerate((".embeddings.", ".layer.", ".pooler.")):
        if mark in f".{name}":
            return place
    return 3


def print_architecture(config) -> None:
    """The configuration's main fields."""
    print(f"architecture   {', '.join(config.architectures or ['not named'])}")
    for name in FIELDS:
        print(f"  {name:30} {getattr(config, name)}")
    if config.is_decoder:
        print(f"  {'is_decoder':30} True, cross-attention: {config.add_cross_attention}")
    if part_labels := [str(label) for label in config.id2label.values()]:
        print(f"  {'labels':30} {common.shorten(', '.join(part_labels), 60)}")


def print_tensors(rows: list[Row]) -> None:
    """The table of parameters, with a total per part."""
    width = max([len(row.name) for row in rows], default=0)
    total = sum(row.parameters for row in rows)
    bytes_ = sum(row.parameters * BYTES.get(row.dtype, 0) for row in rows)
    for place, title in enumerate(("embeddings", "layers", "pooler", "heads")):
        chosen = [row for row in rows if part(row.name) == place]
        if not chosen:
            continue
        count = sum(row.parameters for row in chosen)
        print(f"\n{title}: {count:,} parameters, {100 * count / total:.1f} %")
        for row in chosen:
            times = f"x {row.layers}" if row.layers > 1 else ""
            print(f"  {row.name:{width}}  {str(row.shape):16} {times:5}"
                  f"{row.parameters:13,}  {NAMES.get(row.dtype, row.dtype)}")
    dtypes = sorted({NAMES.get(row.dtype, row.dtype) for row in rows})
    print(f"\ntotal: {total:,} parameters, {', '.join(dtypes)}, {common.size(bytes_)}")


def print_tokenizer(tokenizer, reason: str) -> None:
    """What the tokenizer does to text."""
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
    """The tokenizer's settings, for printing or JSON."""
    return {"class": type(tokenizer).__name__, "vocab_size": len(tokenizer),
            "do_lower_case": tokenizer.do_lower_case,
            "strip_accents": tokenizer.strip_accents,
            "tokenize_chinese_chars": tokenizer.tokenize_chinese_chars,
            "model_max_length": tokenizer.model_max_length,
            "special_tokens": {token: tokenizer.convert_tokens_to_ids(token)
                               for token in tokenizer.all_special_tokens}}


def as_json(folder, config, stored: dict, tokenizer) -> dict:
    """Everything, for programs."""
    tensors = {name: {"shape": list(tensor.shape),
                      "dtype": NAMES.get(tensor.dtype, tensor.dtype),
                      "parameters": math.prod(tensor.shape)}
               for name, tensor in stored.items()}
    return {"directory": str(folder), "config": config.to_dict(),
            "parameters": sum(tensor["parameters"] for tensor in tensors.values()),
            "bytes": sum(math.prod(tensor.shape) * BYTES.get(tensor.dtype, 0)
                         for tensor in stored.values()),
            "tensors": tensors,
            "tokenizer": None if tokenizer is None else tokenizer_facts(tokenizer)}
