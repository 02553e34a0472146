"""Record what Hugging Face's tokenizers make of many calls.

    python tests/golden/make_tokenizer.py

writes tokenizer.json: per seed of tokenizer_cases the call itself and its outputs, or
that it fails.  Recorded with transformers 5.23.0 and tokenizers 0.23.3.
"""

import json
import os
import sys
import tempfile
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import tokenizer_cases as cases  # noqa: E402

FILE = Path(__file__).with_name("tokenizer.json")
FAST, LEGACY = 150, 70
LEGACY_WITHOUT = ("return_offsets_mapping", "return_overflowing_tokens")


def outputs(tokenizer, seed, without=()):
    """One call and its result, for JSON."""
    texts, named, attributes = cases.call(seed, without)
    for name, value in attributes.items():
        setattr(tokenizer, name, value)
    case = {"seed": seed, "texts": texts, "named": named, "attributes": attributes}
    try:
        batch = tokenizer(*texts, verbose=False, **named)
    except BaseException as error:       # a Rust panic is no Exception
        return {**case, "error": type(error).__name__}
    case["outputs"] = {name: value for name, value in batch.items()}
    if tokenizer.is_fast:
        rows = range(len(batch.encodings))
        case["tokens"] = [batch.tokens(i) for i in rows]
        case["words"] = [batch.word_ids(i) for i in rows]
        case["sequences"] = [batch.sequence_ids(i) for i in rows]
    first = batch["input_ids"]
    while first and isinstance(first[0], list):
        first = first[0]
    ids = [*first, 9, 10, 1, 500, 28, 29, 27, 24]
    case["ids"] = ids
    case["decoded"] = [tokenizer.decode(ids, skip_special_tokens=skip,
                                        clean_up_tokenization_spaces=clean)
                       for skip in (False, True) for clean in (None, False, True)]
    return case


def main():
    """Write the file."""
    os.environ["RUST_BACKTRACE"] = "0"
    from transformers import AddedToken, BertTokenizer
    from transformers.models.bert.tokenization_bert_legacy import BertTokenizerLegacy

    warnings.simplefilter("ignore")
    fast, legacy = [], []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "vocab.txt")
        path.write_text("\n".join(cases.VOCAB), encoding="utf-8")
        for seed in range(FAST):
            tokenizer = BertTokenizer(dict(cases.VOCAB), **cases.setting(seed))
            added = cases.tokens(seed)
            tokenizer.add_tokens([AddedToken(text, **flags) for text, flags in added])
            fast.append({**outputs(tokenizer, seed), "added": added})
        for seed in range(LEGACY):
            tokenizer = BertTokenizerLegacy(str(path), **cases.setting(seed))
            added = cases.tokens(seed)
            tokenizer.add_tokens([AddedToken(text, **flags) for text, flags in added])
            legacy.append({**outputs(tokenizer, seed, LEGACY_WITHOUT), "added": added})
    lines = [json.dumps({"kind": kind, **case}, separators=(",", ":"))
             for kind, all_cases in (("fast", fast), ("legacy", legacy))
             for case in all_cases]
    FILE.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
    print(f"{len(lines)} calls, {FILE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
