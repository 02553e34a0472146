"""Tools for testing an implementation of BERT: numbert's own, or anybody's.

Start with gradcheck, which compares backward passes with finite differences.  Go on to
strategies (what is hard to get right), properties (laws that must hold), vectors (cases
with their outputs), conformance (all of these, for your adapter), stateful and
masking_report; USAGE, below, shows how.
This room may import verify, backends, tasks, models, tokenization, training,
checkpoints, bert and system.
"""

from importlib import import_module

USAGE = """\
From nothing to a failing property of your own tokenizer:

    pip install numbert hypothesis pytest

Save this as test_mine.py.  `encode` calls your code; here it is a wrong one, which
takes white space for all that separates words.

    import pytest
    from numbert.testing.properties.table import PROPERTIES, check
    from numbert.testing.properties.targets import TokenizerTarget

    VOCAB = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4,
             "the": 5, "a": 6, "##b": 7, "b": 8, ",": 9, "'": 10}

    def encode(text, pair=None, *, add_special_tokens=True, **options):
        tokens = [word if word in VOCAB else "[UNK]" for word in text.lower().split()]
        return {"tokens": tokens, "ids": [VOCAB[token] for token in tokens]}

    MINE = TokenizerTarget(encode, VOCAB)
    WANTED = ["white_space_only_separates", "texts_side_by_side",
              "punctuation_stands_alone", "the_cut_is_greedy"]

    @pytest.mark.parametrize("law", [p for p in PROPERTIES if p.name in WANTED],
                             ids=lambda law: law.name)
    def test_my_tokenizer(law):
        check(law, MINE)

Run `pytest test_mine.py`.  It ends with the smallest text that breaks a law, what came,
what was expected, and which bugs break this law:

    the tokens of a text: got ['[UNK]'], expected ...
    T22 (exact), punctuation_stands_alone, catches: punctuation that stays with its ...

The whole suite, for a model too: copy numbert/testing/conformance/template.py, and

    pytest -p numbert.testing.conformance.plugin \\
        --pyargs numbert.testing.conformance --target my_adapter --level tokenizer

To go on: fill in more of TokenizerTarget, then take all the laws,
`applying("tokenizer", MINE)`.  `help(targets)` tells what a target is, for masking,
models and operations too.  A law is a plain function that needs no Hypothesis:

    from numbert.testing.properties.tokenizer import texts_side_by_side
    texts_side_by_side(MINE, a="the", b="a")
"""
MODULES = ("conformance", "gradcheck", "lessons", "masking_report", "properties",
           "stateful", "strategies", "vectors")


def __getattr__(name):
    """Import a module of this room on first use: they need optional packages."""
    if name not in MODULES:
        raise AttributeError(f"module 'numbert.testing' has no attribute {name!r}")
    return import_module(f".{name}", __name__)


def __dir__():
    return sorted({*globals(), *MODULES})
