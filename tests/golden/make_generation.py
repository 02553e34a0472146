"""Record what Hugging Face generates, for tests/test_generation.py.

    python tests/golden/make_generation.py

writes generation.json.  Recorded with transformers 5.23.0 and float64 models.
"""

import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from generation_cases import build, hf_of, random_call, theirs      # noqa: E402

FILE = Path(__file__).with_name("generation.json")
CASES = (("decoder", 40), ("cross", 15), ("encoder_decoder", 25))

if __name__ == "__main__":
    rng, cases = np.random.default_rng(2026), []
    for kind, count in CASES:
        for seed in range(count):
            model, call = hf_of(build(kind, seed)), random_call(kind, rng)
            answer = theirs(model, call)
            scores = getattr(answer, "sequences_scores", None)
            cases.append({
                "kind": kind, "seed": seed, "call": call,
                "sequences": answer.sequences.tolist(),
                "scores": None if scores is None else
                [float(f"{x:.7g}") for x in scores.tolist()]})
    lines = ",\n".join(json.dumps(case) for case in cases)
    FILE.write_text(f"[\n{lines}\n]\n")
    print(f"{len(cases)} cases in {FILE}")
