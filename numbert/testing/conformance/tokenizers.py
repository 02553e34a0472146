"""The target of the tokenizer's laws, made of the operations of the vectors."""

from __future__ import annotations

import functools
import string
from collections.abc import Callable
from typing import Any

from .. import vectors
from ..properties.targets import TokenizerTarget
from .target import part

ROW = {"ids": "input_ids", "type_ids": "token_type_ids"}     # laws: vectors


class Row(dict):
    """What `encode` gives; what it lacks is not provided."""

    def __missing__(self, name):
        raise NotImplementedError(f"{name}, from encode")

    def __or__(self, other):
        return Row({**self, **other})


@functools.cache
def vocabulary() -> list[str]:
    """Return the pieces that the laws are tried on: those of the vectors, and letters.
    """
    known = vectors.load("wordpiece")["vocabularies"]
    letters = [lead + c for c in string.ascii_lowercase[:24] for lead in ("", "##")]
    return list(dict.fromkeys([*known["words"], *known["gaps"], *letters]))


@functools.cache
def defaults(operation: str) -> dict[str, Any]:
    """Return the settings of an operation that a vector need not name."""
    return next(about["settings"] for group in vectors.groups()
                for name, about in vectors.load(group)["operations"].items()
                if name == operation)


def made_of_operations(target: Any, dialect: str) -> TokenizerTarget:
    """Return the target of the laws for a target with `encode` and others.

    Raises:
        NotImplementedError: it has no `encode`.
    """
    part(target, "encode")
    pieces = vocabulary()
    settings = {name: {**defaults(name), **({"vocab": pieces} if "vocab" in
                                            defaults(name) else {})}
                for name in ("encode", "encode_batch", "decode", "normalize")}

    def asking(operation: str) -> Callable:
        function = part(target, operation)
        return lambda given, **changes: function(
            given, {**settings[operation], **changes})

    plain = asking("encode")
    shown = plain({"text": "a", "pair": None})
    overflow = dialect == "hf-fast"
    batch = None if getattr(target, "encode_batch", None) is None else \
        asking("encode_batch")
    encode_batch = batches(batch, pieces, overflow)

    def encode(text, pair=None, *, add_special_tokens=True, truncation=None, **options):
        if truncation is not None:
            return encode_batch([text], None if pair is None else [pair],
                                add_special_tokens=add_special_tokens,
                                truncation=truncation, **options)[0]
        if pair == "" and dialect == "hf-fast":
            return of_empty_pair(plain, encode_batch, text, add_special_tokens)
        row = plain({"text": text, "pair": pair}, add_special_tokens=add_special_tokens)
        named = {new: row[old] for new, old in ROW.items() if old in row}
        return Row({**row, **named, "overflowing": []})

    optional: dict[str, Any] = {}
    if getattr(target, "decode", None) is not None:
        decoding = asking("decode")
        optional["decode"] = lambda ids, skip_special_tokens=False: decoding(
            {"ids": list(ids)}, skip_special_tokens=skip_special_tokens)
    if getattr(target, "normalize", None) is not None:
        normal = asking("normalize")
        optional["normalize"] = lambda text: " ".join(normal({"text": text}))
    return TokenizerTarget(
        encode, {piece: i for i, piece in enumerate(pieces)},
        encode_batch if batch else None, dialect=dialect,
        offsets="offsets" in shown or None, word_ids="word_ids" in shown or None,
        overflowing=overflow or None, max_word=200 if dialect == "google" else 100,
        **optional)


def batches(batch: Callable | None, pieces: list[str], overflow: bool) -> Callable:
    """Return the `encode_batch` of the laws.

    batch: that of the vectors; None if the target has none.
    overflow: whether to ask for the windows after the first.
    """
    def encode_batch(texts, pairs=None, **options):
        if batch is None:
            raise NotImplementedError("encode_batch")
        options["truncation"] = options.get("truncation") or False
        options["padding"] = options.get("padding") or "do_not_pad"
        out = batch({"samples": [list(both) for both in
                                 zip(texts, pairs or [None] * len(texts))]},
                    overflow=overflow and bool(options["truncation"]), **options)
        rows: list[list] = [[] for _ in texts]
        sample = out.get("sample") or range(len(texts))
        for number, ids, types, mask in zip(sample, out["input_ids"],
                                            out["token_type_ids"],
                                            out["attention_mask"]):
            rows[number].append(row_of(pieces, ids, types, mask, options))
        return [{**main, "overflowing": others} for main, *others in rows]

    return encode_batch


def of_empty_pair(plain: Callable, encode_batch: Callable, text: str,
                  add_special_tokens: bool) -> dict[str, list]:
    """Return the row of a text and an empty one.

    As an operation, `encode` takes the empty text for none in hf-fast; `encode_batch`
    and the laws take it for a text.
    """
    row, = encode_batch([text], [""], add_special_tokens=add_special_tokens)
    alone = plain({"text": text, "pair": None}, add_special_tokens=add_special_tokens)
    more = len(row["ids"]) - len(alone["input_ids"])
    return row | {name: [*alone[name], *[fill] * more] for name, fill in (
        ("offsets", (0, 0)), ("word_ids", None)) if name in alone}


def row_of(pieces: list[str], ids, types, mask, options) -> dict[str, list]:
    """Return a row as the laws expect it, of what `encode_batch` gives.

    Which text a token is of follows from the types: [CLS] a [SEP] have type 0.
    """
    first = sum(real and not kind for real, kind in zip(mask, types))
    second = sum(real and bool(kind) for real, kind in zip(mask, types))
    which: list[int | None]
    if options.get("add_special_tokens", True):
        which = [None, *[0] * (first - 2), None]
        which += [*[1] * (second - 1), None] if second else []
    else:
        which = [*[0] * first, *[1] * second]
    pads: list[int | None] = [None] * (len(ids) - len(which))
    left = options.get("padding_side") == "left"
    which = pads + which if left else which + pads
    return {"tokens": [pieces[i] for i in ids], "ids": list(ids),
            "type_ids": list(types), "attention_mask": list(mask),
            "special_tokens_mask": [int(x is None) for x in which],
            "sequence_ids": which}
