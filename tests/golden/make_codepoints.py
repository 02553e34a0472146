"""Record what Hugging Face's BertTokenizer makes of every code point.

    python tests/golden/make_codepoints.py

writes codepoints.json: for each setting and each plane of 65,536 code points a digest
of all ids and offsets.  Recorded with transformers 5.23.0 and tokenizers 0.23.3.
"""

import hashlib
import json
from pathlib import Path

import numpy as np

FILE = Path(__file__).with_name("codepoints.json")
CONTEXTS = ("{}", "a_{}b")
PLANE = 0x10000
# Characters that are pieces here, so that it shows what they turn into.
KNOWN = ((0x20, 0x3100), (0xA000, 0xB000), (0xF900, 0xFFF0), (0x10000, 0x11D00),
         (0x1D100, 0x1D250), (0x1E000, 0x1EA00), (0x1F600, 0x1F620))


def vocabulary():
    """{piece: id}: single characters, each at the beginning of a word and inside."""
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    for start, stop in KNOWN:
        for code in range(start, stop):
            pieces += [chr(code), "##" + chr(code)]
    return {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}


def texts(plane, context):
    """One text for each code point of a plane; half surrogates are left out."""
    codes = range(plane * PLANE, (plane + 1) * PLANE)
    return [context.format(chr(c)) for c in codes if not 0xD800 <= c < 0xE000]


def digest(ids, starts, ends, splits):
    """One digest of many texts' pieces: flat arrays (n,) and splits (texts + 1,)."""
    columns = (np.asarray(column, "<i4").tobytes()
               for column in (ids, starts, ends, splits))
    return hashlib.sha256(b"|".join(columns)).hexdigest()[:16]


def settings():
    """[(name, lowercase, context), ...]"""
    return [(f"{'uncased' if lowercase else 'cased'} {context}", lowercase, context)
            for lowercase in (True, False) for context in CONTEXTS]


def main():
    from transformers import BertTokenizer

    record = {}
    for name, lowercase, context in settings():
        tokenizer = BertTokenizer(vocab=vocabulary(), do_lower_case=lowercase)
        record[name] = []
        for plane in range(17):
            rows = tokenizer._tokenizer.encode_batch(
                texts(plane, context), add_special_tokens=False)
            spans = [span for row in rows for span in row.offsets]
            record[name].append(digest(
                [i for row in rows for i in row.ids], [a for a, _ in spans],
                [b for _, b in spans], np.cumsum([0] + [len(row.ids) for row in rows])))
    FILE.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
