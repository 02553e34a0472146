"""Every public name and argument of transformers' BERT is here, or has a reason.

This walks what transformers 5.24 offers for BERT: classes, their attributes and
methods, and the arguments of each.  All are in numbert too, or in system/absent.py.
"""

import inspect

import pytest

import numbert
from numbert.system.absent import ABSENT

from common import CLASSES

KEYWORDS = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
PLAIN = [cls.__name__ for cls in CLASSES] + [
    "EncoderDecoderModel", "EncoderDecoderConfig", "BertConfig", "BertTokenizer",
    "BertTokenizerFast", "BertTokenizerLegacy", "BatchEncoding", "GenerationConfig",
    "DynamicCache", "EncoderDecoderCache", "AddedToken"]

# {a function with **: what it takes there}
PASSED_ON = {
    "BertLMHeadModel.generate": {*inspect.signature(numbert.generate).parameters}}
# What an object has and its class doesn't show.
OWN = {"EncoderDecoderCache": {"update"},              # fails in transformers
       "BertConfig": {"id2label", "label2id"}, "AddedToken": {"content"},
       "EncoderDecoderConfig": {"encoder", "decoder", "decoder_start_token_id",
                                *vars(numbert.BertConfig())}}


def theirs(name):
    """A public class of transformers."""
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("torch")
    if name == "BertTokenizerLegacy":
        from transformers.models.bert.tokenization_bert_legacy import (
            BertTokenizerLegacy)
        return BertTokenizerLegacy
    return getattr(transformers, name)


def arguments(function) -> set[str]:
    """The names of a function's arguments that can be given by keyword."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):         # written in C or Rust
        return set()
    return {p.name for p in parameters if p.kind in KEYWORDS} - {"self", "cls"}


def accepted(function) -> set[str]:
    """The names of the keyword arguments that a function of numbert takes.

    Some hand their ** on; PASSED_ON says to what.
    """
    return arguments(function) | PASSED_ON.get(function.__qualname__, set())


def public(kind) -> list[str]:
    """The public attributes of a class."""
    return [name for name in dir(kind) if not name.startswith("_")]


@pytest.mark.parametrize("name", PLAIN)
def test_every_attribute_is_here_or_has_a_reason(name):
    ours = getattr(numbert, name)
    missing = [x for x in public(theirs(name))
               if not hasattr(ours, x) and x not in OWN.get(name, ())]
    assert [x for x in missing if not {x, f"{ours.__name__}.{x}"} & set(ABSENT)] == []


@pytest.mark.parametrize("name", PLAIN)
def test_every_argument_is_here_or_has_a_reason(name):
    kind, ours, lost = theirs(name), getattr(numbert, name), {}
    of_torch = {*dir(pytest.importorskip("torch").nn.Module)} - {"forward"}
    for method in ["__init__", "__call__", *{*public(kind)} - of_torch]:
        function = getattr(ours, method, None)
        if callable(getattr(kind, method, None)) and callable(function) and \
                not isinstance(function, type):
            own = accepted(ours if method == "__init__" else function)
            gone = [x for x in arguments(getattr(kind, method)) - own
                    if not {x, f"{ours.__name__}.{x}"} & set(ABSENT)]
            if gone:
                lost[method] = sorted(gone)
    assert lost == {}
