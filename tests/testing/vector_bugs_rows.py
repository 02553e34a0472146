"""Bugs of rows, masks, positions and labels; see vector_bugs.py."""

import copy

import numpy as np

import vector_bugs
from vector_bugs import asked, bug, said

# ------------------------------------------------------------------------------ rows


def with_text(change):
    return lambda given, settings: ({**given, "text": change(given["text"])}, settings)


asked("H8", "special tokens are lower-cased", "encode", with_text(str.lower))
asked("H8", "special tokens are split", "encode", lambda given, settings: (
    given, {**settings, "split_special_tokens": True}))
asked("H8", "special tokens need blanks", "encode", with_text(
    lambda text: " ".join(word if word in ("[MASK]", "[SEP]", "[CLS]", "[PAD]", "[UNK]")
                          else word.replace("[", "[\u200b") for word in text.split())))
asked("H8", "added tokens are forgotten", "encode decode", lambda given, settings: (
    given, {**settings, "added_tokens": []}))
asked("H8", "special tokens are not left out", "decode", lambda given, settings: (
    given, {**settings, "skip_special_tokens": False}))
asked("H10", "an empty text is a text", "encode", lambda given, settings: (
    {**given, "pair": "\u200b" if given["pair"] == "" else given["pair"]}, settings))


@bug("H10")
def a_tie_shortens_the_second(right):
    """As in the two older dialects."""
    def call(given, settings):
        swapped = [[b, a] for a, b in given["samples"]]
        if settings["truncation"] != "longest_first" or None in given["samples"][0] or \
                settings["overflow"] or settings["padding"] != "max_length":
            return right["encode_batch"](given, settings)
        out = right["encode_batch"]({**given, "samples": swapped}, settings)
        for row, types in zip(out["input_ids"], out["token_type_ids"]):
            first = row.index(3)
            last = first + types.count(1)
            row[:last + 1] = [2, *row[first + 1:last], 3, *row[1:first], 3]
            types[:last + 1] = [0] * (last - first + 1) + [1] * first
        return out
    return {"encode_batch": call}


asked("H10", "truncation on the other side", "encode_batch", lambda given, settings: (
    given, {**settings, "truncation_side": "right"}))
asked("H10", "the stride is ignored", "encode_batch", lambda given, settings: (
    given, {**settings, "stride": 0}))
asked("H10", "special tokens are not counted", "encode_batch", lambda given, settings: (
    given, {**settings, "max_length": (settings["max_length"] or 0) + 1}
    if settings["truncation"] else settings))
asked("H10", "always longest_first", "encode_batch", lambda given, settings: (
    given, {**settings, "truncation": settings["truncation"] and "longest_first"}))


def changed(change):
    """A change of the rows of a batch, in a copy: change(out, given, settings)."""
    def spoilt(out, given, settings):
        out = copy.deepcopy(out)
        change(out)
        return out
    return spoilt


def all_attended(out):
    out["attention_mask"] = [[1] * len(row) for row in out["attention_mask"]]


def mask_from_ids(out):
    out["attention_mask"] = [[int(x != 0) for x in row] for row in out["input_ids"]]


def types_of_the_end(out):
    for types, mask in zip(out["token_type_ids"], out["attention_mask"]):
        if 0 in mask and mask[0]:
            types[mask.index(0):] = [types[mask.index(0) - 1]] * mask.count(0)


def no_types(out):
    types = out["token_type_ids"]
    out["token_type_ids"] = [[0] * len(row) for row in types] if types and isinstance(
        types[0], list) else [0] * len(types)


def late_types(out):
    types = out["token_type_ids"]
    if 1 in types and types[0] == 0:
        types[types.index(1)] = 0


def swapped_types(out):
    out["token_type_ids"], out["attention_mask"] = \
        out["attention_mask"], out["token_type_ids"]


BATCH, ONE = "encode_batch", "encode"
said("H12", "padding is attended to", BATCH, changed(all_attended))
said("B1", "the mask is made from the ids", BATCH, changed(mask_from_ids))
said("H12", "padding has the type of the end", BATCH, changed(types_of_the_end))
said("A1", "no types in a batch", BATCH, changed(no_types))
said("A1", "no types", ONE, changed(no_types))
said("A1", "types change too late", ONE, changed(late_types))
asked("H12", "padding on the right", BATCH, lambda given, settings: (
    given, {**settings, "padding_side": "right"}))
asked("H12", "no multiple", BATCH, lambda given, settings: (
    given, {**settings, "pad_to_multiple_of": None}))
said("H12", "rows in order of length", BATCH, changed(
    lambda out: out["input_ids"].sort(key=len)))
said("A2", "types and mask are swapped", "encode", changed(swapped_types))
said("H6", "offsets in bytes", "encode", lambda out, given, settings: {
    **out, "offsets": [[len(given["text"][:i].encode()) for i in span]
                       for span in out["offsets"]]})
said("H6", "offsets in UTF-16 units", "encode", lambda out, given, settings: {
    **out, "offsets": [[len(given["text"][:i].encode("utf-16-le")) // 2 for i in span]
                       for span in out["offsets"]]})
said("H5", "decoding hides [UNK]", "decode", lambda out, given, settings: out.replace(
    "[UNK] ", ""))
said("H15", "## is left in the text", "decode", lambda out, given, settings: out if
     "##" in out else out.replace("un", "un ##"))


def vocabulary(split, first=False):
    def call(given, settings):
        lines = split(given["file"])
        found = {}
        for i, line in enumerate(lines):
            if not (first and line in found):
                found[line] = i
        return sorted(map(list, found.items()), key=lambda entry: entry[1])
    return lambda right: {"read_vocabulary": call}


def ended(text):
    return text.removesuffix("\n").split("\n")


FILES = {"split as Python does": vocabulary(str.splitlines),
         "\\r stays": vocabulary(lambda text: [x.rstrip(" \t\u3000") if not x.endswith(
             "\r") else x for x in ended(text)]),
         "an empty last piece": vocabulary(lambda text: [x.rstrip() for x in
                                                         text.split("\n")]),
         "blanks in front are cut": vocabulary(lambda text: [x.strip() for x in
                                                             ended(text)]),
         "blanks at the end stay": vocabulary(lambda text: [x.rstrip("\r") for x in
                                                            ended(text)]),
         "the first of two wins": vocabulary(lambda text: [x.rstrip() for x in
                                                           ended(text)], first=True),
         "repeated lines are skipped": vocabulary(lambda text: list(dict.fromkeys(
             x.rstrip() for x in ended(text))))}
vector_bugs.BUGS += [("H15", f"vocab.txt: {name}", mutant)
                     for name, mutant in FILES.items()]

# ----------------------------------------------------------------- masks and positions

MASK, WEIGHTS = "attention_mask", "attention_weights"
said("B1", "no mask", MASK, lambda out, *_: [[[1] * len(row) for row in rows]
                                             for rows in out])
said("B2", "inverted", MASK, lambda out, *_: [[[1 - x for x in row] for row in rows]
                                              for rows in out])
asked("B18", "causal is lost", MASK, lambda given, settings: (
    {**given, "causal": False}, settings))
said("B18", "one later key is seen", MASK, lambda out, given, settings: [
    [[1 if given["causal"] and s == t + 1 else x for s, x in enumerate(row)]
     for t, row in enumerate(rows)] for rows in out])
said("B19", "the triangle begins at the first key", MASK, lambda out, given, settings: [
    [[x and int(not given["causal"] or s <= t) for s, x in enumerate(row)]
     for t, row in enumerate(rows)] for rows in out])
asked("B20", "padding is lost if causal", MASK, lambda given, settings: (
    {**given, "padding": given["padding"] and [[1] * len(row)
                                               for row in given["padding"]]
     if given["causal"] else given["padding"]}, settings))
said("B1", "padding queries see nothing", MASK, lambda out, given, settings: [
    [[x * (given["padding"][b][t] if given["padding"] and
           len(row) == len(rows) else 1) for x in row] for t, row in enumerate(rows)]
    for b, rows in enumerate(out)])
said("B1", "the mask of the first row for all", MASK, lambda out, *_: [out[0]] * len(
    out))
said("B21", "transposed", MASK, lambda out, *_: [np.array(rows).T.tolist()
                                                 for rows in out])


def weights(scored, axis=-1):
    """Another way to hide scores before the softmax."""
    def call(given, settings):
        scores, allowed = np.array(given["scores"]), np.array(given["allowed"])
        with np.errstate(all="ignore"):
            x = scored(scores, allowed)
            x = np.exp(x - x.max(axis, keepdims=True))
            return (x / x.sum(axis, keepdims=True)).tolist()
    return lambda right: {"attention_weights": call}


def unshifted(given, settings):
    x = np.where(given["allowed"], np.exp(np.array(given["scores"])), 0)
    return (x / x.sum(-1, keepdims=True)).tolist()


HIDDEN = {
    ("B1", "weights without a mask"): weights(lambda s, a: s),
    ("B2", "an inverted mask"): weights(lambda s, a: np.where(a, -np.inf, s)),
    ("B3", "0 and 1 are added"): weights(lambda s, a: s + a),
    ("B4", "scores times mask"): weights(lambda s, a: s * a),
    ("B5", "-10,000"): weights(lambda s, a: s + (1 - a) * -1e4),
    ("B5", "-100,000"): weights(lambda s, a: s + (1 - a) * -1e5),
    ("B5", "-100"): weights(lambda s, a: np.where(a, s, -100.0)),
    ("B7", "-inf"): weights(lambda s, a: np.where(a, s, -np.inf)),
    ("B8", "0 times -inf"): weights(lambda s, a: s + (1 - a) * -np.inf),
    ("B9", "the other axis"): weights(lambda s, a: np.where(a, s, -1e30), axis=0)}
vector_bugs.BUGS += [(id, name, mutant) for (id, name), mutant in HIDDEN.items()]


@bug("E12")
def no_shift_in_softmax(right):
    def call(given, settings):
        with np.errstate(all="ignore"):
            return unshifted(given, settings)
    return {"attention_weights": call}


PLACES, TYPES = "position_ids", "token_type_ids"


def more_by(number):
    return lambda out, *_: [[x + number for x in row] for row in out]


said("A3", "positions from 1", PLACES, more_by(1))
said("A3", "positions from 2", PLACES, more_by(2))
said("A4", "padding takes up positions", PLACES, lambda out, given, settings: out if
     given["kind"] != "generation" else [[i for i, x in enumerate(row) if x]
                                         for row in given["padding"]])
said("A4", "packed texts go on", PLACES, lambda out, given, settings: out if
     given["kind"] != "packed" else [list(range(len(row))) for row in out])
asked("B19", "the cache is not counted", PLACES, lambda given, settings: (
    {**given, "past": 0}, settings))
said("A8", "at most 256 positions", PLACES, lambda out, *_: [[x % 256 for x in row]
                                                             for row in out])
said("A1", "all types are 0", TYPES, lambda out, *_: [[0] * len(row) for row in out])
said("A1", "padding of type 1", TYPES, lambda out, given, settings: [
    [1 if b is not None and i >= sum((a, b, 3)) else x for i, x in enumerate(row)]
    for row, (a, b) in zip(out, given["lengths"])])
asked("A4", "types are padded on the right", TYPES, lambda given, settings: (
    given, {**settings, "padding_side": "right"}))
asked("D6", "[CLS] stays in front", "encode_batch", lambda given, settings: (
    given, {**settings, "padding_side": "right"}))
