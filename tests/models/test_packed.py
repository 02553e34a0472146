"""A packed call gives what a padded one gives, wherever there is a token."""

import numpy as np
import pytest

import numbert
from cases import labels_for
from common import CLASSES, assert_near, bound, config, ids, stressed
from numbert.models import base

SHAPE = (5, 7)
RAGGED = np.arange(7) < np.array([4, 7, 1, 4, 6])[:, None]
HOLES = np.array([[1, 0, 1, 1, 0, 1, 0], [1, 1, 1, 1, 1, 1, 1], [1, 0, 0, 0, 0, 0, 1],
                  [1, 1, 0, 1, 0, 0, 1], [1, 0, 0, 0, 0, 0, 0]], bool)
MASKS = {"ragged": RAGGED, "holes": HOLES}


def inputs_of(cls, mask, cfg=None):
    """Arguments of forward, of which the mask hides some; labels lie at tokens only."""
    cfg = cfg or config()
    inputs = {"input_ids": ids(SHAPE), "attention_mask": mask.astype(int),
              "token_type_ids": ids(SHAPE, 2, rng=1) % 2,
              "position_ids": np.argsort(ids(SHAPE, 99, rng=2), axis=1)}
    labels = labels_for(cls, cfg, (*SHAPE[:1], 3, SHAPE[1])
                        if cls is numbert.BertForMultipleChoice else SHAPE)
    if cls is numbert.BertForMultipleChoice:
        inputs = {name: np.stack([x, np.roll(x, 1, 0), x[::-1]], 1)
                  for name, x in inputs.items()}
    if cls is numbert.BertForQuestionAnswering:
        return inputs
    if labels.get("labels", np.empty(0)).shape == SHAPE:
        # The target at t of a BertLMHeadModel is the label at t + 1.
        hidden = ~mask if cls is not numbert.BertLMHeadModel else \
            np.roll(~mask, 1, 1) | ~mask
        labels["labels"] = np.where(hidden, -100, labels["labels"])
    return inputs | labels


@pytest.fixture
def packs(monkeypatch):
    """The plans of the calls of a test."""
    plans, plan_of = [], base.plan_of
    monkeypatch.setattr(base, "plan_of", lambda *args: plans.append(plan_of(*args))
                        or plans[-1])
    return plans


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("cls, causal", [
    *((cls, False) for cls in CLASSES), (numbert.BertModel, True),
    (numbert.BertLMHeadModel, True)])
def test_outputs_and_gradients_are_those_of_the_padded_batch(cls, causal, mask, packs):
    model = stressed(cls, config(is_decoder=causal, use_cache=False))
    mask = MASKS[mask]
    inputs = inputs_of(cls, mask)
    want, saved = model.forward(**inputs)
    got, packed = model.forward(**inputs, packed=True)
    assert len(packs) == 1 and len(packs[0].groups) > 1
    starts = {}
    for name, x in want.items():
        tokens = mask if x.shape[:2] == SHAPE else np.ones(x.shape[:1], bool)
        assert_near(got[name][tokens] if x.ndim else got[name],
                    x[tokens] if x.ndim else x, 2e-13, name)
        if x.ndim:
            starts[name] = np.cos(np.arange(x.size)).reshape(x.shape)
            starts[name][~tokens] = 0
    for start in ({}, starts) if "loss" in want else (starts,):
        # No output at padding is read, so none of it may leave a trace.
        a, b = model.backward(saved, **start), model.backward(packed, **start)
        assert list(a) == list(b)
        for name in a:
            assert_near(b[name], a[name],
                        bound("float64", 400, 1 + np.abs(a[name]).max()), name)


def test_hidden_states_at_padding_are_zero(packs):
    model = stressed(numbert.BertModel)
    states = model(ids(SHAPE), RAGGED, packed=True).last_hidden_state
    assert not states[~RAGGED].any() and states[RAGGED].all() and packs


def test_vectors_in_place_of_words(packs):
    model = stressed(numbert.BertModel)
    vectors = np.random.default_rng(3).standard_normal((*SHAPE, 12))
    d = np.where(RAGGED[..., None], np.random.default_rng(4).standard_normal(
        vectors.shape), 0)
    a, b = (model.backward(model.forward(
        inputs_embeds=vectors, attention_mask=RAGGED, packed=packed)[1],
        last_hidden_state=d)["inputs_embeds"] for packed in (False, True))
    assert_near(b, a, bound("float64", 400, 1 + np.abs(a).max()))
    assert not b[~RAGGED].any() and len(packs) == 1


@pytest.mark.parametrize("cls", CLASSES)
def test_gradients_with_dropout(cls, packs):
    """The same seed draws the same masks, so a nudge shows the slope."""
    model = stressed(cls, config(hidden_dropout_prob=.3,
                                 attention_probs_dropout_prob=.2))
    inputs = inputs_of(cls, RAGGED)

    def value():
        out, saved = model.forward(**inputs, rng=5, packed=True)
        outputs = {name: np.cos(np.arange(x.size)).reshape(x.shape)
                   for name, x in out.items() if x.ndim}
        return sum(np.sum(out[name] * d) for name, d in outputs.items()), saved, outputs

    _, saved, outputs = value()
    grads = model.backward(saved, **outputs)
    assert packs and packs[0].groups
    plain, step = dict(model.params), 1e-5
    direction = {name: np.random.default_rng(i).standard_normal(x.shape)
                 for i, (name, x) in enumerate(plain.items())}
    nudged = []
    for sign in (1, -1):
        model.params = {name: x + sign * step * direction[name]
                        for name, x in plain.items()}
        nudged.append(value()[0])
    slope = (nudged[0] - nudged[1]) / (2 * step)
    assert_near(sum(np.sum(grads[name] * direction[name]) for name in plain), slope,
                1e-6 * (1 + abs(slope)))


@pytest.mark.parametrize("change", [
    {"attention_mask": np.ones(SHAPE)}, {"attention_mask": None},
    {"attention_mask": RAGGED[:, ::-1]}, {"output_hidden_states": True},
    {"attention_mask": np.broadcast_to(RAGGED[:, None], (5, 7, 7))},
    {"output_attentions": True}, {"trace": numbert.Trace()}], ids=str)
def test_a_call_whose_padding_counts_is_computed_as_usual(change, packs):
    model = stressed(numbert.BertModel)
    inputs = {"input_ids": ids(SHAPE), "attention_mask": RAGGED, **change}
    got, want = (model(**inputs, packed=packed) for packed in (True, False))
    assert np.array_equal(got[0], want[0]) and not packs


def test_a_loss_that_reads_padding_is_computed_as_usual(packs):
    for cls in (numbert.BertForQuestionAnswering, numbert.BertForTokenClassification,
                numbert.BertLMHeadModel):
        model, inputs = stressed(cls), inputs_of(cls, RAGGED)
        inputs |= labels_for(cls, config(), SHAPE)          # at padding, too
        if cls is numbert.BertForQuestionAnswering:
            inputs |= {"start_positions": np.zeros(5, int),
                       "end_positions": np.zeros(5, int)}
        got, want = (model(**inputs, packed=packed) for packed in (True, False))
        assert np.array_equal(got.loss, want.loss) and not packs, cls


def test_a_cache_or_a_source_is_computed_as_usual(packs):
    model = stressed(numbert.BertModel, config(is_decoder=True, use_cache=True,
                                               add_cross_attention=True))
    source = np.random.default_rng(0).standard_normal((5, 3, 12))
    model(ids(SHAPE), RAGGED, packed=True)
    model(ids(SHAPE), RAGGED, use_cache=False, encoder_hidden_states=source,
          packed=True)
    assert not packs


def test_an_encoder_decoder_packs_its_source(packs):
    encoder = stressed(numbert.BertModel)
    decoder = stressed(numbert.BertLMHeadModel, config(
        is_decoder=True, add_cross_attention=True))
    joint = numbert.EncoderDecoderModel(encoder=encoder, decoder=decoder)
    joint.config.decoder_start_token_id, joint.config.pad_token_id = 1, 0
    inputs = {"input_ids": ids(SHAPE), "attention_mask": RAGGED,
              "labels": ids((5, 4), rng=3)}
    want, saved = joint.forward(**inputs)
    got, packed = joint.forward(**inputs, packed=True)
    assert len(packs) == 1
    assert_near(got.logits, want.logits, 2e-13)
    for (name, a), b in zip(joint.backward(saved).items(),
                            joint.backward(packed).values()):
        assert_near(b, a, bound("float64", 400, 1 + np.abs(a).max()), name)
