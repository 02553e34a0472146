"""The tokenizers of transformers, for the tests of the deviations."""

import os
from types import SimpleNamespace

import pytest
from tokenizer_cases import VOCAB


@pytest.fixture(scope="module")
def vocab_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("vocab") / "vocab.txt"
    path.write_text("\n".join(VOCAB), encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def hf(vocab_file):
    """transformers' tokenizers, or None if it is not installed."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    try:
        import transformers
        from transformers.models.bert.tokenization_bert_legacy import (
            BertTokenizerLegacy as Legacy)
    except ImportError:
        return None
    transformers.logging.set_verbosity(100)
    return SimpleNamespace(
        make=lambda **named: transformers.BertTokenizer(dict(VOCAB), **named),
        legacy=lambda **named: Legacy(vocab_file, **named),
        BertTokenizer=transformers.BertTokenizer, Legacy=Legacy,
        AddedToken=transformers.AddedToken,
        DataCollator=transformers.DataCollatorForLanguageModeling)
