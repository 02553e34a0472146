"""Hypothesis strategies: what to test a tokenizer or a model with.

text has those for tokenizers, models those for models, masking and losses.  All of them
shrink to small cases that can be read.  They need hypothesis, an optional package: pip
install "numbert[test]".
This room may import what testing may.
"""

try:
    import hypothesis.strategies as st
except ImportError as error:
    raise ImportError("hypothesis is not installed, expected for numbert.testing: "
                      'pip install "numbert[test]"') from error

from .models import (attention_masks, classification_labels, configs, documents,
                     encoded_batches, mlm_batches, nsp_pairs, position_ids,
                     stress_weights)
from .text import (ACCENTED, CASES, CJK, CONTROLS, EMOJI, LONG, LOOKALIKES, MARKS,
                   PUNCTUATION, SPECIAL, WHITE_SPACE, WORDS, bert_text, call_options,
                   scalars, split_text, vocabularies)
