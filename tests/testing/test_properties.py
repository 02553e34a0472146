"""The laws: right programs keep them, wrong ones break them, and all are in the table.
"""

import numpy as np
import pytest
from hypothesis import find, settings

import broken_laws
import numbert
from common import config, of_today, stressed, twin
from cache_cases import decoder
from model_bugs import models, with_inputs
from numbert.testing.properties import laws, targets
from numbert.testing.properties.rows import padding_fills_up
from numbert.testing.properties.table import PROPERTIES, applying, check
from numbert.testing.properties.tokenizer import texts_side_by_side
from numbert.tokenization import BertTokenizer
from numbert.verify.mutants import patched
from numbert.verify.zoo import MUTANTS
from property_bugs import HUNT, LOOK, TOKENIZER_BUGS, catches
from readable_tokenizer import VOCAB, target

LAWS = {entry.law.id: entry for entry in PROPERTIES}
ALWAYS = settings(derandomize=True, database=None)
OPERATIONS = targets.numbert_operations()
CONTINUES = np.arange(60) > 40


def at(level):
    """The ids of a level's laws."""
    return [name for name, entry in LAWS.items() if entry.law.level == level]


def ours(lowercase=True):
    return targets.numbert_tokenizer(BertTokenizer(VOCAB, do_lower_case=lowercase))


# ------------------------------------------------------------ numbert keeps them all

@pytest.mark.parametrize("name", at("tokenizer"))
def test_numberts_tokenizer(name):
    check(LAWS[name], ours(), max_examples=15, options=ALWAYS)


@pytest.mark.parametrize("name", ["T8", "T11", "T13", "T15", "T27"])
def test_numberts_cased_tokenizer(name):
    check(LAWS[name], ours(lowercase=False), max_examples=15, options=ALWAYS)


@pytest.mark.parametrize("name", at("tokenizer"))
def test_the_readable_tokenizer_that_bugs_are_put_into(name):
    """Without a bug it keeps every law, so what a bug breaks is the bug's fault."""
    check(LAWS[name], target(), max_examples=15, options=ALWAYS)


@pytest.mark.parametrize("whole_word", [False, True])
@pytest.mark.parametrize("rule", ["exact", "bernoulli"])
def test_numberts_masking(rule, whole_word):
    made = targets.numbert_masking(rule, whole_word, continues=CONTINUES)
    for entry in applying("masking", made):
        check(entry, made, max_examples=15, options=ALWAYS)


@pytest.mark.parametrize("name", at("operation") + at("training"))
def test_numberts_operations(name):
    check(LAWS[name], OPERATIONS, max_examples=15, options=ALWAYS)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("level", ["forward", "backward", "generation"])
def test_numberts_models(level, dtype):
    for model, made in models(dtype).items():
        for entry in applying(level, made, model):
            check(entry, made, max_examples=6, options=ALWAYS)


# -------------------------------------------------------------- transformers, as well

@pytest.mark.parametrize("name", at("tokenizer"))
def test_transformers_tokenizer(name):
    transformers = pytest.importorskip("transformers")
    of_today()
    theirs = targets.of_tokenizer(transformers.BertTokenizer(vocab=VOCAB))
    check(LAWS[name], theirs, max_examples=10, options=ALWAYS)


def theirs(cls, **changes):
    """A target of a model of transformers with stress weights."""
    return targets.torch_model(twin(stressed(cls, config(**changes))))


@pytest.mark.parametrize("level", ["forward", "backward", "generation"])
def test_transformers_models(level):
    pytest.importorskip("transformers")
    of_today()
    made = {cls.__name__: theirs(cls) for cls in (
        numbert.BertModel, numbert.BertForMultipleChoice, numbert.BertForMaskedLM,
        numbert.BertForSequenceClassification, numbert.BertForQuestionAnswering)}
    made["BertLMHeadModel"] = targets.torch_model(twin(decoder()))
    for model, one in made.items():
        for entry in applying(level, one, model):
            check(entry, one, max_examples=3, options=ALWAYS)


# ------------------------------------------------------------------- wrong programs

@pytest.mark.parametrize("kind", LOOK)
def test_the_laws_of_a_kind_of_bug_see_one(kind):
    bug = next(bug for bug in TOKENIZER_BUGS if bug.kind == kind)
    assert any(catches(LAWS[name], bug.make(), 60) for name in LOOK[kind].split())


def test_a_message_says_what_came_what_was_expected_and_what_it_may_be():
    wrong = target(cut=lambda word, vocab: [("[UNK]", 0, len(word))] * 2)
    with pytest.raises(AssertionError) as caught:
        padding_fills_up(wrong._replace(encode_batch=lambda texts, **_: [
            wrong.encode(text) for text in texts]), ["\xe9", "a b"], 1, "left")
    message = str(caught.value)
    assert message.isascii()
    assert "tokens:\n  got      ['[CLS]', '[UNK]'" in message
    assert "\n  expected ['[PAD]', '[PAD]', '[CLS]'" in message
    assert "padded on the left" in message and "'\\xe9'" in message
    assert message.endswith("or that hide a [PAD] of the text (H12)")
    assert "T17 (exact), padding_fills_up, catches: " in message


# -------------------------------------------------------------------------- the table

def test_every_law_of_the_list_has_a_property():
    statistical = {"M4", "M5", "M15", "M16"}        # counts, not single examples
    expected = {f"T{n}" for n in range(1, 27)} | {f"M{n}" for n in range(1, 17)} \
        | {f"N{n}" for n in range(1, 33)}
    assert expected - set(LAWS) == statistical
    assert len(LAWS) == len(PROPERTIES)             # no id twice


@pytest.mark.parametrize("entry", PROPERTIES, ids=lambda entry: entry.name)
def test_a_property_says_what_it_states_and_what_it_catches(entry):
    text = entry.function.__doc__
    assert entry.law.level in laws.LEVELS and f"Law {entry.law.id}, " in text
    assert entry.law.kind in (laws.EXACT, laws.APPROXIMATE, laws.DIALECT)
    assert entry.law.catches in text
    if entry.law.kind == laws.DIALECT:
        assert "ialect" in text or "exceptions" in text.lower()


def test_a_law_is_left_out_where_the_target_lacks_what_it_needs():
    some = {entry.law.id for entry in applying(
        "tokenizer", ours()._replace(offsets=None, decode=None))}
    assert "T7" in some and not some & {"T15", "T14", "T28"}
    with pytest.raises(ValueError, match="expected one of tokenizer"):
        next(applying("tokeniser", ours()))


def test_rounding_is_forgiven_and_more_is_not():
    x = np.ones(100)
    assert 0 < laws.near(x * (1 + 4e-16), x, "x", terms=4) < 1
    with pytest.raises(AssertionError, match=r"x, at \[3\]"):
        laws.near(np.where(np.arange(100) == 3, 1 + 1e-12, x), x, "x", terms=4)
    with pytest.raises(AssertionError, match="the shape of x"):
        laws.near(x[:3], x, "x", terms=4)
    with pytest.raises(AssertionError, match="to the bit"):
        laws.same_bits(x * (1 + 4e-16), x, "x")
    assert laws.near(np.array([np.nan]), np.array([np.nan]), "x", terms=1) == 0
    with pytest.raises(AssertionError):
        laws.near(np.array([np.nan]), np.array([1.0]), "x", terms=1)


def test_a_bug_shrinks_to_a_short_word():
    buggy = target(words=lambda chars: [chars] if chars else [])    # spaces stay

    def breaks(drawn):
        try:
            texts_side_by_side(buggy, **drawn)
        except AssertionError:
            return True
        return False

    smallest = find(LAWS["T7"].arguments(buggy), breaks,
                    settings=settings(HUNT, phases=settings().phases))
    assert smallest == {"a": "", "b": ""}


# ------------------------------------------------------------------- wrong programs

@pytest.mark.parametrize("name", at("tokenizer"))
def test_a_wrong_tokenizer_breaks_the_law(name):
    assert catches(LAWS[name], broken_laws.tokenizers()[name], 300)


@pytest.mark.parametrize("name", at("masking"))
def test_a_wrong_masking_breaks_the_law(name):
    assert catches(LAWS[name], broken_laws.MASKING[name], 200)


@pytest.mark.parametrize("name", at("operation") + at("training"))
def test_a_wrong_operation_breaks_the_law(name):
    assert catches(LAWS[name], broken_laws.OPERATIONS[name], 100)


@pytest.mark.parametrize("name", at("forward") + at("backward") + at("generation"))
def test_a_wrong_model_breaks_the_law(name):
    entry = LAWS[name]
    made = models()[entry.law.model]
    bug = broken_laws.MUTANTS.get(name)
    if bug is None:
        assert catches(entry, broken_laws.wrong_model(name, made), 20)
    else:
        mutant, = (m for m in MUTANTS if m.id == bug)
        if mutant.inputs is not None:
            made = with_inputs(made, mutant.inputs)
        with patched(mutant):
            assert catches(entry, made, 20)
