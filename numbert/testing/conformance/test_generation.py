"""Level generation: causality, the KV cache, and the likeliest continuation."""

import numpy as np
import pytest

from ...models import classes
from ...models.config import BertConfig
from .models import model_case
from .target import part

LEVEL = "generation"
COUNT, CLOSE = 4, 1e-3                  # ids to add; a tie, for float32
PROMPTS = {"one row": [[7, 11, 5]], "two rows": [[7, 11, 5], [30, 6, 6]],
           "padding on the left": [[0, 0, 9, 12], [8, 5, 17, 6]],
           "a single token": [[36]]}


def test_law(suite, law):
    """A law holds."""
    suite.check_law(law)


@pytest.mark.parametrize("prompt", PROMPTS)
def test_greedy(suite, prompt):
    """Each id is the likeliest one after all before it; padding changes nothing.

    Every row is compared with full passes over the row alone, without padding.
    """
    generate = part(suite.target, "generate")
    case, ids = model_case("BertLMHeadModel", "float64"), np.array(PROMPTS[prompt])
    asked = model_case("BertLMHeadModel", suite.dtype)
    got = np.asarray(generate(asked, ids, (ids != 0).astype(np.int64), COUNT))
    assert got.shape == (len(ids), COUNT), f"shape {got.shape}, expected (B, count)"
    for row, (given, found) in enumerate(zip(ids, got)):
        want = likeliest(case, given[given != 0])
        assert found[:len(want)].tolist() == want, f"the ids of row {row}"


def likeliest(case, ids) -> list[int]:
    """Return the likeliest ids after one row, up to the first tie."""
    model = classes.BertLMHeadModel(BertConfig(**case.config), params=case.params,
                                    dtype="float64")
    ids = ids.tolist()
    found: list[int] = []
    while len(found) < COUNT:
        logits = model(np.array([ids])).logits[0, -1]
        second, first = np.sort(logits)[-2:]
        if first - second < CLOSE:
            break
        found.append(int(logits.argmax()))
        ids.append(found[-1])
    return found
