"""The data collators, against their definition and against transformers."""

import numpy as np
import pytest
import tokenizer_cases as cases

import numbert
from numbert import (BertTokenizer, BertTokenizerLegacy,
                     DataCollatorForLanguageModeling, DataCollatorWithPadding)

TEXTS = ["Hello world!", "a", "unaffable naïve worlds, hello 3.14 abc"]
SPECIAL = [0, 1, 2, 3, 4]


def tokenizer(kind=BertTokenizer, **settings):
    return kind(dict(cases.VOCAB), **settings)


def features(t, **options):
    return [dict(t(text, **options)) for text in TEXTS]


@pytest.fixture(scope="module")
def transformers():
    return pytest.importorskip("transformers")


def equal(ours, theirs):
    assert set(ours) == set(theirs)
    for name in ours:
        assert np.array_equal(ours[name], theirs[name]), name
        assert np.asarray(ours[name]).dtype == np.asarray(theirs[name]).dtype, name


# --------------------------------------------------------------------------- padding

def test_padding():
    t = tokenizer()
    batch = DataCollatorWithPadding(t)([{**row, "label": i}
                                        for i, row in enumerate(features(t))])
    assert batch["input_ids"].shape == batch["attention_mask"].shape == (3, 16)
    assert batch["input_ids"][1].tolist() == [2, 5, 3] + [0] * 13
    assert batch["labels"].tolist() == [0, 1, 2] and "label" not in batch


@pytest.mark.parametrize("name", ["label", "label_ids", "labels"])
@pytest.mark.parametrize("options", [
    {}, {"pad_to_multiple_of": 7}, {"padding": "max_length", "max_length": 23}])
@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_is_as_in_transformers(transformers, name, options, side):
    ours = tokenizer(padding_side=side)
    theirs = transformers.BertTokenizer(dict(cases.VOCAB), padding_side=side)
    batches = [collator(t, **options, return_tensors="np")(
        [{**row, name: 1} for row in features(t)]) for collator, t in (
            (DataCollatorWithPadding, ours),
            (transformers.DataCollatorWithPadding, theirs))]
    equal(*batches)


def test_tensors():
    torch = pytest.importorskip("torch")
    t = tokenizer()
    for collator in (DataCollatorWithPadding(t, return_tensors="pt"),
                     DataCollatorForLanguageModeling(t, return_tensors="pt")):
        batch = collator(features(t))
        assert {value.dtype for value in batch.values()} == {torch.int64}
    assert isinstance(collator(features(t), return_tensors="np")["labels"], np.ndarray)


# ------------------------------------------------------------------ language modelling

@pytest.mark.parametrize("kind", [BertTokenizer, BertTokenizerLegacy])
def test_causal_labels_are_the_text(kind):
    t = tokenizer(kind)
    batch = DataCollatorForLanguageModeling(t, mlm=False)(features(t))
    assert np.array_equal(batch["labels"] == -100, batch["attention_mask"] == 0)
    text = batch["attention_mask"] == 1
    assert np.array_equal(batch["labels"][text], batch["input_ids"][text])


@pytest.mark.parametrize("options", [
    {"mlm": False}, {"mlm_probability": 0}, {"pad_to_multiple_of": 5, "mlm": False},
    {"mlm_probability": 1, "mask_replace_prob": 1, "random_replace_prob": 0},
    {"mlm_probability": 1, "mask_replace_prob": 0, "random_replace_prob": 0}])
@pytest.mark.parametrize("more", [{}, {"return_special_tokens_mask": True}, None])
def test_what_is_certain_is_as_in_transformers(transformers, options, more):
    theirs = transformers.BertTokenizer(dict(cases.VOCAB))
    batches = []
    for collator, t in ((DataCollatorForLanguageModeling, tokenizer()),
                        (transformers.DataCollatorForLanguageModeling, theirs)):
        rows = features(t, **(more or {}))
        rows = [row["input_ids"] for row in rows] if more is None else rows
        batches.append(collator(t, **options, return_tensors="np")(rows))
    equal(*batches)


def counts(batch, ids):
    """How many of the picked pieces became [MASK], stayed, or changed otherwise."""
    new, picked = batch["input_ids"], batch["labels"] != -100
    assert np.array_equal(new[~picked], ids[~picked])
    assert np.array_equal(batch["labels"][picked], ids[picked])
    assert not np.isin(ids[picked], SPECIAL).any()
    return np.array([picked.sum(), (new[picked] == 4).sum(),
                     (new[picked] == ids[picked]).sum()])


def test_the_shares_are_those_asked_for():
    """Each count lies within 5 standard deviations of its binomial mean."""
    t = tokenizer()
    rows = features(t) * 2000
    ids = DataCollatorWithPadding(t)(rows)["input_ids"]
    total = (~np.isin(ids, SPECIAL)).sum()
    collator = DataCollatorForLanguageModeling(
        t, mlm_probability=.3, mask_replace_prob=.5, random_replace_prob=.2, seed=1)
    picked, masked, same = counts(collator(rows), ids)
    v = len(t)
    for count, of, share in ((picked, total, .3), (masked, picked, .5 + .2 / v),
                             (same, picked, .3 + .2 / v)):
        assert abs(count - of * share) < 5 * np.sqrt(of * share * (1 - share))


def test_whole_words():
    t = tokenizer()
    rows = [dict(t("unaffable worlds a", return_offsets_mapping=True))] * 300
    collator = DataCollatorForLanguageModeling(t, whole_word_mask=True, seed=0,
                                               mlm_probability=.5)
    batch = collator(rows)
    assert "offset_mapping" not in batch
    picked = batch["labels"] != -100
    words = {tuple(row[1:-1]) for row in picked.astype(int).tolist()}
    assert words == {(*[a] * 3, *[b] * 2, c) for a in (0, 1) for b in (0, 1)
                     for c in (0, 1)}
    assert (batch["input_ids"][picked] == 4).all()


def test_the_seed_and_the_generator():
    t = tokenizer()
    rows = features(t) * 50

    def draw(seed=None, rng=None):
        collator = DataCollatorForLanguageModeling(t, seed=seed)
        return [collator(rows, rng)["labels"].tolist() for _ in range(2)]

    assert draw(3) == draw(3) != draw(4)
    assert draw(3)[0] != draw(3)[1] and draw() != draw()
    assert draw(rng=np.random.default_rng(3)) == draw(3)


def test_train_takes_them():
    t = tokenizer()
    config = numbert.BertConfig(
        vocab_size=len(t), hidden_size=12, num_hidden_layers=1, num_attention_heads=3,
        intermediate_size=19, max_position_embeddings=32)
    model = numbert.BertForMaskedLM(config, rng=0)
    before = model.params["bert.embeddings.position_embeddings.weight"].copy()
    numbert.train(model, features(t), collate=DataCollatorForLanguageModeling(
        t, mlm_probability=.5), lr=.1, epochs=1,
        batch_size=3, warmup=0)
    after = model.params["bert.embeddings.position_embeddings.weight"]
    assert not np.array_equal(before, after)


def test_tokens_added_later_can_be_drawn():
    t = tokenizer()
    collator = DataCollatorForLanguageModeling(
        t, mlm_probability=1, mask_replace_prob=0, random_replace_prob=1, seed=0)
    t.add_tokens(["later"])
    batch = collator([{"input_ids": [2] + [5] * 2000 + [3]}])
    assert batch["input_ids"].max() == len(t) - 1


@pytest.mark.parametrize("options, message", [
    ({"mlm_probability": 1.5}, "mlm_probability is 1.5, expected 0 to 1"),
    ({"mask_replace_prob": .8, "random_replace_prob": .3}, "mask_replace_prob + rand"),
    ({"mask_replace_prob": -.1}, "mask_replace_prob is -0.1, expected 0 to 1"),
    ({"mlm": False, "whole_word_mask": True}, "mlm is False, expected True"),
    ({"whole_word_mask": True, "mask_replace_prob": .5}, "are (0.5, 0.1), expected")])
def test_bad_settings(options, message):
    with pytest.raises(ValueError) as error:
        DataCollatorForLanguageModeling(tokenizer(), **options)
    assert message in str(error.value)
    with pytest.raises(ValueError, match="mask_token is None"):
        DataCollatorForLanguageModeling(tokenizer(mask_token=None))
    with pytest.raises(TypeError, match="rng is 'np', expected a numpy.random.Gen"):
        DataCollatorForLanguageModeling(tokenizer())(features(tokenizer()), "np")


def test_there_is_no_global_seed():
    with pytest.raises(AttributeError, match="numbert has no set_seed, on purpose: "):
        numbert.set_seed
    with pytest.raises(ImportError):
        from numbert import set_seed  # noqa: F401


@pytest.mark.parametrize("seed", [-1, 1.5, "x", True, [1]], ids=str)
def test_a_seed_of_the_collator_is_a_whole_number(seed):
    with pytest.raises(ValueError, match="seed is .*, expected a whole number >= 0: "):
        DataCollatorForLanguageModeling(tokenizer(), seed=seed)
