"""Tools for testing an implementation of BERT: numbert's own, or anybody's.

Start with gradcheck, which compares backward passes with finite differences.  Then
strategies, which draws texts and vocabularies that tokenizers get wrong, stateful,
which looks for a sequence of operations that breaks a KV cache, and masking_report,
which judges data for pre-training.  This room may import verify, models, tokenization,
training, bert and system.
"""

from importlib import import_module

MODULES = ("gradcheck", "masking_report", "stateful", "strategies")


def __getattr__(name):
    """Import a module of this room on first use: they need optional packages."""
    if name not in MODULES:
        raise AttributeError(f"module 'numbert.testing' has no attribute {name!r}")
    return import_module(f".{name}", __name__)


def __dir__():
    return sorted({*globals(), *MODULES})
