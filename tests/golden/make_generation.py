"""Record what Hugging Face generates, for tests/test_generation.py.

    python tests/golden/make_generation.py

writes generation.json.  Recorded with transformers 5.23.0 and float64 models.
"""

import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from generation_cases import (                             # noqa: E402
    build, ending_call, hf_of, random_call, theirs)

FILE = Path(__file__).with_name("generation.json")
CASES = (("decoder", 40, random_call), ("cross", 15, random_call),
         ("encoder_decoder", 25, random_call), ("decoder", 24, ending_call))

if __name__ == "__main__":
    rng, cases = np.random.default_rng(2026), []
    for kind, count, make in CASES:
        for seed in range(count):
            model, call = hf_of(build(kind, seed)), make(kind, rng)
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
