"""Record Hugging Face's outputs and gradients for tests/test_models.py.

Run with the `oracle` extra installed:  python tests/golden/make_models.py
"""

import sys
from pathlib import Path

import numpy as np

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "models")]

from safetensors.numpy import save_file                    # noqa: E402

from cases import CASES                                    # noqa: E402
from test_models import GOLDEN, build, hf_run, summary     # noqa: E402

if __name__ == "__main__":
    arrays = {}
    for name in CASES:
        model, inputs = build(name)
        outputs, grads = hf_run(model, inputs)
        for k, x in outputs.items():
            if not k.startswith(("hidden_states", "attentions")):
                arrays[f"{name}:out:{k}"] = np.array(x, order="C")
        if not np.isnan(outputs.get("loss", 0)):
            for k, x in grads.items():
                arrays[f"{name}:grad:{k}"] = summary(k, x)
    save_file(arrays, str(GOLDEN))
    print(f"{len(arrays)} arrays of {len(CASES)} cases in {GOLDEN}")
