"""The table of all properties, each with the strategy that draws its arguments.

    for entry in PROPERTIES:
        if entry.law.level == "tokenizer":
            check(entry, my_tokenizer_target)

`check` runs one property under Hypothesis and `check_level` all of a level.  A target
for each level is described in `targets`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import hypothesis.strategies as st
import numpy as np
from hypothesis import HealthCheck, given, note, settings
from hypothesis import target as towards

from ..strategies.models import (attention_masks, documents, encoded_batches, framed,
                                 mlm_batches)
from ..strategies.text import LONG, WORDS, bert_text
from . import backward, forward, generation, masking, operations, rows, spans, tokenizer
from .laws import APPROXIMATE, LEVELS, Law, missing, shown

MODULES = (tokenizer, spans, rows, masking, operations, forward, backward, generation)
SEEDS = st.integers(0, 2 ** 32 - 1)
SIDES = st.sampled_from(("right", "left"))


class Property(NamedTuple):
    """A property and the strategy of what it is given besides the target."""

    law: Law
    function: Any
    arguments: Callable[[Any], st.SearchStrategy]   # target -> {argument: value}

    @property
    def name(self) -> str:
        """The name of the function."""
        return self.function.__name__


# ------------------------------------------------------------------------- tokenizers

def texts(target, *, special=False, parts=8):
    """Draw text out of the target's vocabulary, with or without special tokens."""
    words = tuple(word for word in target.vocab if word not in target.special)
    drawn = bert_text(vocab=words, max_parts=parts)
    return drawn if special else drawn.map(
        lambda text: text.replace("[", "").replace("]", ""))


def near_words(target):
    """Draw ASCII words that the vocabulary has pieces for, or nearly."""
    stems = sorted({tokenizer.bare(word, False) for word in target.vocab
                    if word not in target.special and word.isascii()})
    parts = st.sampled_from([w for w in stems if w.isalnum()] or list("ab"))
    joined = st.lists(parts, min_size=1, max_size=5).map("".join)
    long = st.sampled_from([w for w in LONG if w.isascii()] + ["b" * 101])
    cut = st.builds(lambda word, n: word[:max(1, len(word) - n)], parts,
                    st.integers(0, 3))
    return st.one_of(joined, cut, st.sampled_from(WORDS).filter(str.isalnum),
                     st.text("abcdez", min_size=1, max_size=6), long)


def printable(text):
    """Return the printable ASCII characters of a text."""
    return "".join(c for c in text if c.isascii() and c.isprintable())


def tokenizer_arguments(target) -> dict:
    """Return {function: {argument: strategy}} of all laws of a tokenizer."""
    return {**piece_arguments(target), **row_arguments(target)}


def piece_arguments(target) -> dict:
    """Return the arguments of the laws of texts and their pieces."""
    plain, full, word = texts(target), texts(target, special=True), near_words(target)
    letters = st.text("ab\u0391\u03b1\u042f\u00c4", min_size=1, max_size=3)
    cased = st.one_of(word.map(str.title), word.map(str.upper), letters, plain)
    around = {"before": texts(target, parts=3), "after": texts(target, parts=3)}
    gap = st.lists(st.sampled_from(tokenizer.SPACES), min_size=1, max_size=2)
    alone, t = {"word": word}, tokenizer
    ideographs = st.sampled_from(t.IDEOGRAPHS + t.NOT_IDEOGRAPHS)
    return {
        t.never_raises: {"text": full, "pair": full},
        t.keeps_no_state: {"text": full, "between": full},
        t.ids_are_in_the_vocabulary: {"text": full},
        t.white_space_only_separates: {
            "words": st.lists(word, min_size=2, max_size=3),
            "gaps": st.lists(gap.map("".join), min_size=4, max_size=4)},
        t.texts_side_by_side: {"a": plain, "b": plain},
        t.what_follows_changes_nothing_before: {
            "text": plain, "more": st.sampled_from(("x", "hello!", "\u4e2d", "a b c"))},
        t.cleaning_twice_changes_nothing: {"text": full},
        t.composition_does_not_matter: {"text": plain},
        t.case_does_not_matter: {"text": cased},
        t.control_characters_are_nothing: {
            "text": plain, "place": st.integers(0, 9),
            "char": st.sampled_from(t.NOTHING)},
        t.accents_vanish_exactly_in_uncased_mode: {
            "word": st.sampled_from("aebcinosuz") | word.filter(lambda w: len(w) < 9),
            "accent": st.sampled_from(t.ACCENTS)},
        t.lookalikes_stay_apart: st.sampled_from(t.APART).map(
            lambda both: dict(zip(("char", "plain"), both))),
        t.sigma_is_lowered_by_the_dialect: {"word": st.text("\u03b1\u03b2\u03b7\u03bf",
                                                            min_size=1, max_size=3)},
        t.ideographs_stand_alone: {**around, "char": ideographs},
        t.punctuation_stands_alone: {
            "before": word | around["before"], "after": word | around["after"],
            "char": st.sampled_from(t.PUNCTUATION)},
        t.special_tokens_are_whole: {**around,
                                     "special": st.sampled_from(list(target.special))},
        t.pieces_make_up_the_word_and_are_the_longest: alone,
        t.unknown_exactly_when_the_cut_fails: alone,
        t.words_of_the_vocabulary_are_themselves: {
            "word": st.sampled_from([w for w in target.vocab if w.isalnum()] or ["a"])},
        t.the_cut_is_greedy: {"words": st.lists(word, max_size=5)},
    }


def row_arguments(target) -> dict:
    """Return the arguments of the laws of offsets and of whole inputs."""
    plain, full, word = texts(target), texts(target, special=True), near_words(target)
    some = st.lists(plain, min_size=1, max_size=4)
    wordy = st.builds(lambda gap, words, last: gap[1:] + gap.join([*words, last]),
                      st.sampled_from((" ", "  ")),
                      st.lists(word, min_size=1, max_size=4), full)
    named = st.sampled_from(list(target.special)).map(lambda token: f"a {token} b")
    both, at = {"text": full, "pair": full}, rows
    many = " ".join(f"word {i}" for i in range(9))
    return {
        spans.offsets_point_into_the_text: {"text": full | wordy},
        spans.offsets_cover_the_text: {"text": wordy.map(printable)},
        spans.word_ids_number_the_words: {"text": wordy, "pair": st.none() | wordy},
        spans.decoding_and_encoding_again: {
            "text": st.lists(word, max_size=4).map(" ".join) | plain},
        spans.saving_and_loading: {"text": full},
        at.special_tokens_frame_the_texts: {"text": full, "pair": st.none() | full},
        at.type_ids_tell_the_texts_apart: both,
        at.truncation_keeps_the_frame: {
            "text": full, "pair": st.none() | full, "max_length": st.integers(4, 16),
            "side": SIDES},
        at.on_a_tie_one_text_keeps_more: {"words": st.lists(word, max_size=4)},
        at.only_the_named_text_is_cut: {
            **both, "which": st.integers(0, 1), "excess": st.integers(1, 4)},
        at.windows_cover_the_text: {
            "text": plain | st.just(many), "max_length": st.integers(8, 12),
            "stride": st.integers(0, 5), "side": SIDES},
        at.padding_fills_up: {
            "texts": st.lists(named | full, min_size=1, max_size=4),
            "multiple": st.sampled_from((1, 4, 7)), "side": SIDES},
        at.a_batch_is_its_rows: {"texts": some, "pairs": st.none(),
                                 "max_length": st.none() | st.integers(4, 12)},
    }


# ---------------------------------------------------------------------------- masking

@st.composite
def masking_rows(draw, target):
    """Draw one row of ids: [CLS] words [SEP], perhaps a second text, and padding."""
    words = st.integers(5, target.vocab_size - 1)
    a = draw(st.lists(words, max_size=12))
    b = draw(st.none() | st.lists(words, min_size=1, max_size=5))
    if draw(st.booleans()):
        a = a * 12                              # long enough for laws of many words
    return np.array(framed(a, b)[0] + [0] * draw(st.integers(0, 3)), np.int64)


def masking_arguments(target) -> dict:
    """Return {function: {argument: strategy}} of all laws of masking."""
    m, ids = masking, {"ids": masking_rows(target), "seed": SEEDS}
    pairs = {"documents": documents(), "seed": SEEDS,
             "max_length": st.integers(5, 16)}
    return {function: pairs if "pairs" in function.law.needs else ids
            for function in laws_of(m)}


# --------------------------------------------------------------------------- operations

def arrays(shape, low=-4.0, high=4.0):
    """Draw a float64 array of short numbers, or of random ones."""
    size = int(np.prod(shape))
    short = st.integers(int(low * 4), int(high * 4)).map(lambda n: n / 4)
    lists = st.lists(short, min_size=size, max_size=size).map(np.array)
    noise = SEEDS.map(lambda s: np.random.default_rng(s).uniform(low, high, size))
    return (noise | lists).map(lambda x: x.reshape(shape).astype(np.float64))


@st.composite
def layer_norm_arguments(draw, backward_too=False):
    """Draw what LayerNorm reads; rows are not constant."""
    shape = draw(st.tuples(st.integers(1, 3), st.integers(2, 7)))
    x = draw(arrays(shape))
    x[:, 0] += np.where(x.std(-1) < 0.1, 1.0, 0.0)
    out = {"x": x, "w": draw(arrays(shape[1:])), "b": draw(arrays(shape[1:])),
           "eps": draw(st.sampled_from((1e-12, 1e-5, 0.1)))}
    other = {"dout": draw(arrays(shape))} if backward_too else \
        {"shift": draw(st.sampled_from((1.0, -3.0, 100.0)))}
    return {**out, **other}


@st.composite
def scores(draw):
    """Draw scores with some keys masked by -inf, but never all; some are huge."""
    shape = draw(st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 5)))
    x = draw(arrays(shape)) * draw(st.sampled_from((1.0, 1000.0)))
    hidden = draw(st.lists(st.booleans(), min_size=x.size, max_size=x.size))
    mask = np.array(hidden).reshape(shape)
    mask[..., 0] = False
    return np.where(mask, -np.inf, x)


@st.composite
def labelled(draw, ignored):
    """Draw logits (N, K) and labels (N,)."""
    n, k = draw(st.integers(1, 4)), draw(st.integers(2, 5))
    labels = np.array(draw(st.lists(st.integers(0, k - 1), min_size=n, max_size=n)))
    out = {"logits": draw(arrays((n, k))), "labels": labels}
    if not ignored:
        return {**out, "shift": draw(st.sampled_from((1.0, 1000.0, -1e4)))}
    labels[1:][np.array(draw(st.lists(st.booleans(), min_size=n - 1, max_size=n - 1)),
                        bool)] = -100
    return {**out, "other": draw(arrays((n, k)))}


def operation_arguments(target) -> dict:
    """Return {function: strategy of arguments} of all laws of operations."""
    o, steps = operations, {"p": arrays((3,)), "g": arrays((3,)).map(
        lambda g: np.where(np.abs(g) < 1e-3, 0.5, g)), "lr": st.just(1e-2)}
    return {
        o.softmax_rows_sum_to_1: {"scores": scores()},
        o.layer_norm_ignores_shift: layer_norm_arguments(),
        o.layer_norm_gradient_has_no_shift: layer_norm_arguments(backward_too=True),
        o.ignored_labels_have_no_part: labelled(True),
        o.cross_entropy_ignores_shift: labelled(False),
        o.adams_first_step_is_known: steps,
    }


# ------------------------------------------------------------------------------- models

def batches(target, **options):
    """Draw batches that fit a model."""
    config = target.config
    return encoded_batches(vocab_size=config.vocab_size, max_length=min(
        8, config.max_position_embeddings - 3), **{"padding": "right", **options})


@st.composite
def ids_of(draw, target, *more, least=1):
    """Draw random ids (B, *more, T), not special, without padding."""
    shape = (draw(st.integers(1, 2)), *more, draw(st.integers(least, 8)))
    rng = np.random.default_rng(draw(SEEDS))
    return rng.integers(1, target.config.vocab_size, shape)


@st.composite
def future(draw, target):
    """Draw ids and the place from which on they will change."""
    ids = draw(ids_of(target, least=2))
    return {"ids": ids, "place": draw(st.integers(1, ids.shape[1] - 1)),
            "rng": draw(SEEDS)}


@st.composite
def chunked(draw, target):
    """Draw ids and the places where chunks end."""
    ids = draw(ids_of(target, least=2))
    cuts = draw(st.sets(st.integers(1, ids.shape[1] - 1), min_size=1))
    return {"ids": ids, "cuts": sorted(cuts)}


@st.composite
def crossed(draw, target):
    """Draw ids, and a source with its mask."""
    ids, length = draw(ids_of(target)), draw(st.integers(2, 4))
    rng = np.random.default_rng(draw(SEEDS))
    some = next(iter(target.params.values()))
    source = rng.standard_normal((len(ids), length, target.config.hidden_size))
    mask = draw(attention_masks(len(ids), length, ndims=(2,)))
    whole = np.broadcast_to(mask, (len(ids), length)).astype(np.int64)
    return {"ids": ids, "source": source.astype(some.dtype), "source_mask": whole,
            "rng": draw(SEEDS)}


@st.composite
def answered(draw, target):
    """Draw ids of two rows or more, and where the answers start and end."""
    ids = np.concatenate([draw(ids_of(target))] * 2)
    at = st.integers(0, ids.shape[1] - 1)
    return {"ids": ids, "start": draw(at), "end": draw(at)}


def model_arguments(target) -> dict:
    """Return {function: {argument: strategy}} of all laws of models."""
    layers = st.integers(0, target.config.num_hidden_layers - 1)
    common = {
        "inputs": batches(target), "rng": SEEDS, "layer": layers,
        "pad": st.integers(1, 3), "multiple": st.sampled_from((4, 8)),
        "shift": st.sampled_from((1.0, -0.5)), "power": st.sampled_from((1, 3, -2)),
        "head": st.integers(0, target.config.num_attention_heads - 1),
        "ids": ids_of(target),
        "batch": mlm_batches(vocab_size=target.config.vocab_size, padding="right"),
    }
    f, g, b = forward, generation, backward
    own = {
        f.choices_are_scored_one_by_one: {"ids": ids_of(target, 3), "rng": SEEDS},
        f.answers_outside_the_text_are_ignored: answered(target),
        b.a_tied_table_gets_both_gradients: {"batch": mlm_batches(
            vocab_size=target.config.vocab_size, padding="none").filter(
                lambda batch: (batch["input_ids"] != 0).all())},
        g.the_future_changes_nothing: future(target),
        g.chunks_are_one_pass: chunked(target),
        g.the_order_of_the_source_does_not_matter: crossed(target),
    }
    return {function: own[function] if function in own else
            {name: common[name] for name in parameters(function)}
            for module in (forward, backward, generation)
            for function in laws_of(module)}


# -------------------------------------------------------------------------- the table

def laws_of(module) -> list[Any]:
    """Return the properties that a module defines, in its order."""
    return [value for value in vars(module).values()
            if hasattr(value, "law") and value.__module__ == module.__name__]


def parameters(function) -> list[str]:
    """Return the names of a property's arguments, without the target."""
    code = function.__wrapped__.__code__
    return list(code.co_varnames[1:code.co_argcount])


def arguments_of(function) -> Callable[[Any], st.SearchStrategy]:
    """Return the function that makes a property's strategy for a target."""
    level = function.law.level
    table = {"tokenizer": tokenizer_arguments, "masking": masking_arguments,
             "operation": operation_arguments, "training": operation_arguments
             }.get(level, model_arguments)

    def strategy(target):
        found = table(target)[function]
        return st.fixed_dictionaries(found) if isinstance(found, dict) else found

    return strategy


PROPERTIES = tuple(Property(function.law, function, arguments_of(function))
                   for module in MODULES for function in laws_of(module))


def applying(level: str, target, model: str | None = None) -> Iterator[Property]:
    """Yield the properties of a level for which a target has all that they need.

    model: only those about this class of model.
    """
    if level not in LEVELS:
        raise ValueError(f"level is {level!r}, expected one of {', '.join(LEVELS)}: "
                         "a law is of one level")
    for entry in PROPERTIES:
        if entry.law.level == level and model in (None, entry.law.model) and \
                not missing(target, entry.law.needs):
            yield entry


def check(entry: Property, target, *, max_examples: int = 100,
          options: settings | None = None) -> None:
    """Run a property under Hypothesis; raise what it raises for the smallest example.

    The search climbs towards the largest rounding errors where there are any.

    Args:
        max_examples: how many examples to try.
        options: Hypothesis's settings to start from; they are random by default.
    """
    @settings(options, max_examples=max_examples, deadline=None,
              suppress_health_check=list(HealthCheck))
    @given(entry.arguments(target))
    def run(drawn):
        note(f"{entry.name}({', '.join(f'{k}={shown(v)}' for k, v in drawn.items())})")
        ratio = entry.function(target, **drawn)
        if entry.law.kind == APPROXIMATE and ratio:
            towards(float(ratio), label="error over its bound")

    run()


def check_level(level: str, target, *, model: str | None = None,
                max_examples: int = 100) -> dict[str, AssertionError | None]:
    """Run all properties of a level: {name: None, or what was raised}."""
    found: dict[str, AssertionError | None] = {}
    for entry in applying(level, target, model):
        try:
            check(entry, target, max_examples=max_examples)
            found[entry.name] = None
        except AssertionError as error:
            found[entry.name] = error
    return found
