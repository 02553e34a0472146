"""Make the vectors that ship in numbert/testing/vectors.

    python tests/golden/make_vectors.py

writes a file for each group of tests/vector_cases: the cases with what each dialect
answers.  The answers come from transformers and tokenizers, from the published rules of
google-research/bert, and from slow loops; nothing of numbert is asked.  Recorded with
transformers 5.24.0, tokenizers 0.23.3 and the Unicode 14.0 of Python 3.11.
New cases go to the end of a list, for an id is the place of a case in it.
"""

import importlib
import json
import sys
import warnings
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

import slow_masks  # noqa: E402
import vector_oracles  # noqa: E402
from vector_cases.operations import DIALECTS, OPERATIONS, VOCABULARIES  # noqa: E402

FOLDER = ROOT / "numbert" / "testing" / "vectors"
GROUPS = {
    "cleaning": "control characters, white space and what is dropped",
    "normalization": "CJK characters, accents and case",
    "pre_tokenization": "words: white space and punctuation",
    "wordpiece": "words into pieces, and the file of the vocabulary",
    "encoding": "whole rows: special tokens, pairs, token types",
    "offsets": "where each piece stands in the text, and to which word it belongs",
    "truncation": "rows that are too long: strategies, sides, stride, overflow",
    "padding": "rows of one width",
    "decoding": "ids back into text",
    "added_tokens": "tokens that are found before the text is cut",
    "attention_masks": "who may attend to whom, and the weights that follow",
    "positions": "position ids and token types",
    "labels": "targets, losses, and the data of masked language models"}
NEEDS_VOCAB = ("wordpiece", "encode", "encode_batch", "decode")
AUTHORITY = {
    "google": "the rules of google-research/bert",
    "hf-legacy": "BertTokenizerLegacy of transformers 5.24.0",
    "hf-fast": "tokenizers 0.23.3"}
LOOPS = "slow loops by the published rules"


def complete(operation, given):
    """The input, with null for what is left out."""
    names = {"encode": ("pair",), "attention_mask": ("padding", "segments", "batch")}
    return {**{name: None for name in names.get(operation, ())}, **given}


def expected(case):
    """({dialect: output}, authorities) of a case."""
    operation, given = case["operation"], complete(case["operation"], case["input"])
    settings = {**OPERATIONS[operation][3], **case["settings"]}
    if operation in slow_masks.ORACLES:
        if case["result"] == "invalid":
            return {"all": {"refused": True}}, [LOOPS]
        return {"all": slow_masks.ORACLES[operation](given, settings)}, [LOOPS]
    pieces = VOCABULARIES[settings.pop("vocab")] if operation in NEEDS_VOCAB else ()
    vocab = {piece: i for i, piece in enumerate(pieces)}
    assert len(vocab) == len(pieces)
    found = {}
    for dialect in case["dialects"]:
        try:
            out = vector_oracles.answer(dialect, operation, given, settings, vocab)
        except vector_oracles.Refused as error:
            if case["result"] != "invalid":
                raise AssertionError(f"{dialect} refuses {case}") from error
            out = {"refused": True}
        if out is not None:
            assert case["result"] != "invalid" or out == {"refused": True}, case
            found[dialect] = chosen(out, case["fields"])
    assert found, case
    authority = [AUTHORITY[dialect] for dialect in found]
    values = list(found.values())
    if len(found) == len(DIALECTS) and all(x == values[0] for x in values):
        return {"all": values[0]}, authority
    return found, authority


def chosen(out, fields):
    """The fields of an output that matter."""
    if fields is None or out == {"refused": True}:
        return out
    return {name: out[name] for name in fields if name in out}


def group(name):
    """The content of a group's file."""
    module = importlib.import_module(f"vector_cases.{name}")
    vectors, vocabularies = [], set()
    for number, case in enumerate(module.CASES, 1):
        values, authority = expected(case)
        settings = dict(case["settings"])
        if case["operation"] in NEEDS_VOCAB:
            vocabularies.add(settings.setdefault("vocab", "words"))
        vector = {"id": f"{name}-{number:04}", "operation": case["operation"],
                  "comment": case["comment"], "flags": case["flags"],
                  "catches": case["catches"], "result": case["result"],
                  "input": complete(case["operation"], case["input"]),
                  "settings": settings, "expected": values, "authority": authority}
        if case["also"] is not None:
            vector["also"] = case["also"]
        vectors.append(vector)
    used = dict.fromkeys(case["operation"] for case in module.CASES)
    return {"schema": "schema.json", "group": name, "about": GROUPS[name],
            "dialects": DIALECTS, "flags": module.FLAGS,
            "operations": {op: dict(zip(("does", "input", "output", "settings"),
                                        OPERATIONS[op])) for op in used},
            "vocabularies": {v: VOCABULARIES[v] for v in sorted(vocabularies)},
            "vectors": vectors}


def text(content):
    """JSON in ASCII, with a line for each part of a vector."""
    head = {name: x for name, x in content.items() if name != "vectors"}
    lines = json.dumps(head, indent=1)[:-2].rstrip()
    blocks = [",\n  ".join(f"{json.dumps(key)}: {json.dumps(x, allow_nan=False)}"
                           for key, x in vector.items())
              for vector in content["vectors"]]
    return lines + ',\n "vectors": [\n' + ",\n".join(
        f" {{{block}}}" for block in blocks) + "\n ]\n}\n"


def main():
    """Write the files."""
    warnings.simplefilter("ignore")
    total = 0
    for name in GROUPS:
        content = group(name)
        (FOLDER / f"{name}.json").write_text(text(content), encoding="ascii")
        total += len(content["vectors"])
        print(f"{name:18} {len(content['vectors']):4}")
    print(f"{'all':18} {total:4}")


if __name__ == "__main__":
    main()
