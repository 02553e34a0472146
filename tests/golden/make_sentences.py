"""Record the vectors of sentence-transformers for tests/sentence_cases.py.

    python tests/golden/make_sentences.py

writes sentences.json.  Recorded with sentence-transformers 6.2.0.
"""

import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
FILE = Path(__file__).with_name("sentences.json")


def main():
    import sentence_transformers
    from sentence_cases import ASKED, TEXTS, saved
    vectors = []
    for name, prompt in ASKED:
        with tempfile.TemporaryDirectory() as folder:
            model = sentence_transformers.SentenceTransformer(
                str(saved(Path(folder), name)), device="cpu")
            rows = model.encode(TEXTS, prompt_name=prompt)
        vectors.append([[float(f"{x:.8g}") for x in row] for row in rows])
    FILE.write_text(json.dumps({
        "sentence_transformers": sentence_transformers.__version__,
        "vectors": vectors}) + "\n")


if __name__ == "__main__":
    main()
