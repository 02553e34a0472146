"""Level masking: what is to be predicted, and what the model sees in its place."""

import numpy as np
import pytest

from ..masking_report import check_masking, rules, text
from .target import part

LEVEL = "masking"
ROWS, WIDTH = 600, 128


def test_vector(suite, vector):
    """The output for a vector is right."""
    suite.check_vector(vector)


def test_law(suite, law):
    """A law holds."""
    suite.check_law(law)


def test_shares(suite):
    """15 % are selected, 80 % of them become [MASK], 10 % any other piece."""
    masking = part(suite.target, "masking")
    asked = rules(masking.vocab_size, masking.mask_id, masking.special_ids,
                  pad_id=masking.pad_id, unk_id=1, continues=masking.continues,
                  rule="bernoulli" if masking.max_predictions is None else "count",
                  max_predictions=masking.max_predictions or 20,
                  whole_words=masking.continues is not None,
                  ignored=masking.ignore_index)
    report = check_masking(rows(masking), asked, "600 rows of random words")
    if report.verdict == "wrong":
        pytest.fail(text(report), pytrace=False)


def rows(masking):
    """Yield rows of random ids, [CLS] words [SEP] and padding, as they are masked."""
    rng = np.random.default_rng(0)
    words = [id for id in range(5, masking.vocab_size) if id not in masking.special_ids]
    for seed in range(ROWS):
        length = int(rng.integers(WIDTH * 3 // 4, WIDTH + 1))
        ids = rng.choice(words, WIDTH).astype(np.int64)
        ids[0], ids[length - 1], ids[length:] = 2, 3, masking.pad_id
        masked, labels = masking.mask(ids.copy(), seed)
        yield ids, np.asarray(masked), np.asarray(labels)
