"""From examples to batches: padding, and the order of the data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def collate(examples: Sequence[dict], rng=None, *, pad_token_id: int = 0,
            pad_to_multiple_of: int = 1) -> dict[str, np.ndarray]:
    """Put examples together into one batch, padded to the longest of them.

    Args:
        examples: dicts with the same names.  Each holds input_ids (..., T) and may hold
            attention_mask, token_type_ids, labels and others, arrays or numbers.
        rng: not used; a collate that masks or draws would.
        pad_token_id: what input_ids are padded with.
        pad_to_multiple_of: round the length up.

    Returns:
        {name: array (B, ...)}.  What has the same shape in all examples is stacked; else
        the last axis is padded: labels with -100, the others with 0.  attention_mask is
        made if it is not there: 0 at the padding.

    Raises:
        ValueError: an example lacks a name, or shapes do not fit together.
    """
    raise NotImplementedError
