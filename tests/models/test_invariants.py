"""Laws of the model that hold whatever the implementation (properties N1 to N32).

Exact laws are compared bit by bit; the others within rounding, in float64.
"""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import numbert
from common import B, SMALL, T, assert_near, config, ids, stressed

MODEL = stressed(numbert.BertModel)
BOUND = 1e-12


def test_defaults_are_what_they_say():                                       # N6
    x = ids()
    explicit = MODEL(x, np.ones_like(x), np.zeros_like(x), np.arange(T)[None])
    for k in ("last_hidden_state", "pooler_output"):
        assert np.array_equal(MODEL(x)[k], explicit[k])


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 6), st.integers(0, 3), st.integers(0, 9))
def test_padding_changes_nothing(length, extra, seed):                       # N1, N2
    x = ids((B, length), rng=seed)
    padded = np.concatenate([x, np.zeros((B, extra), int)], 1)
    mask = np.arange(length + extra) < np.full((B, 1), length)
    out = MODEL(padded, mask).last_hidden_state
    assert_near(out[:, :length], MODEL(x).last_hidden_state, BOUND)
    padded[:, length:] = 7                                   # other masked content:
    assert np.array_equal(MODEL(padded, mask).last_hidden_state[:, :length],
                          out[:, :length])                   # not one bit differs


def test_left_padding_with_positions():
    x = ids((B, 4))
    padded = np.concatenate([np.zeros((B, 2), int), x], 1)
    out = MODEL(padded, padded > 0, position_ids=[0, 0, 0, 1, 2, 3]).last_hidden_state
    assert_near(out[:, 2:], MODEL(x).last_hidden_state, BOUND)


def test_rows_of_a_batch_are_independent():                                  # N3, N4
    x = ids((4, T))
    whole = MODEL(x).last_hidden_state
    for i in range(4):
        assert_near(MODEL(x[i:i + 1]).last_hidden_state[0], whole[i], BOUND)
    assert_near(MODEL(x[::-1]).last_hidden_state, whole[::-1], BOUND)


def test_tokens_know_their_place_only_by_position_ids():                     # N5
    x, order = ids(), np.random.default_rng(0).permutation(T)
    moved = MODEL(x[:, order], position_ids=np.arange(T)[None, order])
    assert_near(moved.last_hidden_state, MODEL(x).last_hidden_state[:, order], BOUND)


def permuted(model, name, axis, order):
    model.params[name] = np.take(model.params[name], order, axis)


def test_heads_may_change_places():                                          # N7
    model, order = stressed(numbert.BertModel), np.arange(12).reshape(3, 4)
    order = order[[2, 0, 1]].ravel()
    prefix = "encoder.layer.1.attention"
    for part in ("query", "key", "value"):
        permuted(model, f"{prefix}.self.{part}.weight", 0, order)
        permuted(model, f"{prefix}.self.{part}.bias", 0, order)
    permuted(model, f"{prefix}.output.dense.weight", 1, order)
    assert_near(model(ids()).last_hidden_state, MODEL(ids()).last_hidden_state, BOUND)
    # Moving channels across heads is another model.
    permuted(model, f"{prefix}.self.query.weight", 0, np.roll(np.arange(12), 1))
    assert np.abs(model(ids()).last_hidden_state
                  - MODEL(ids()).last_hidden_state).max() > 0.1


def test_hidden_units_may_change_places():                                   # N8
    model = stressed(numbert.BertModel)
    order = np.random.default_rng(1).permutation(SMALL["intermediate_size"])
    permuted(model, "encoder.layer.0.intermediate.dense.weight", 0, order)
    permuted(model, "encoder.layer.0.intermediate.dense.bias", 0, order)
    permuted(model, "encoder.layer.0.output.dense.weight", 1, order)
    assert_near(model(ids()).last_hidden_state, MODEL(ids()).last_hidden_state, BOUND)


def test_the_key_bias_does_nothing():                                        # N9
    model = stressed(numbert.BertModel)
    name = "encoder.layer.0.attention.self.key.bias"
    model.params[name] = model.params[name] + 3
    out, saved = model.forward(ids())
    assert_near(out.last_hidden_state, MODEL(ids()).last_hidden_state, BOUND)
    grads = model.backward(saved, last_hidden_state=np.cos(out.last_hidden_state))
    assert np.abs(grads[name]).max() < 1e-13 < np.abs(
        grads[name.replace("key", "query")]).max()


def test_powers_of_two_move_between_weights_bit_by_bit():                    # N12
    model, layer = stressed(numbert.BertModel), "encoder.layer.0.attention"
    for name, factor in (("self.query", 4), ("self.key", 0.25), ("self.value", 8)):
        for kind in ("weight", "bias"):
            full = f"{layer}.{name}.{kind}"
            model.params[full] = model.params[full] * factor
    name = f"{layer}.output.dense.weight"
    model.params[name] = model.params[name] / 8
    assert np.array_equal(model(ids()).last_hidden_state,
                          MODEL(ids()).last_hidden_state)


def test_dropout_only_with_a_generator():                                    # N13
    x = ids()
    plain = MODEL(x).last_hidden_state
    assert np.array_equal(MODEL(x).last_hidden_state, plain)
    noisy = [MODEL(x, rng=np.random.default_rng(seed)).last_hidden_state
             for seed in (0, 0, 1)]
    assert np.array_equal(noisy[0], noisy[1])
    assert np.array_equal(noisy[0], MODEL(x, rng=0).last_hidden_state)      # a seed
    assert not np.allclose(noisy[0], noisy[2]) and not np.allclose(noisy[0], plain)
    quiet = stressed(numbert.BertModel, config(hidden_dropout_prob=0.0,
                                               attention_probs_dropout_prob=0.0))
    still = quiet(x, rng=np.random.default_rng(0)).last_hidden_state
    assert np.array_equal(still, plain)


def test_a_tied_table_gets_both_gradients_and_padding_idx_one():             # N14
    x = np.where(np.arange(T) == 2, 0, ids())                # [PAD] is looked up
    labels = {"labels": ids(rng=4)}
    tied = stressed(numbert.BertForMaskedLM)
    untied = numbert.BertForMaskedLM(config(tie_word_embeddings=False), dtype="float64")
    table, bias = "bert.embeddings.word_embeddings.weight", "cls.predictions.bias"
    untied.params = {**untied.params, **tied.params,
                     "cls.predictions.decoder.weight": tied.params[table],
                     "cls.predictions.decoder.bias": tied.params[bias]}
    together, apart = (m.backward(m.forward(x, **labels)[1]) for m in (tied, untied))
    assert_near(together[table],
                apart[table] + apart["cls.predictions.decoder.weight"], 1e-14)
    assert np.all(apart[table][0] == 0) and np.any(together[table][0] != 0)
    assert np.all(apart[bias] == 0)


def test_ignored_labels_have_no_part():                                      # N15
    model, x = stressed(numbert.BertForTokenClassification), ids()
    labels = np.where(np.arange(T) < 2, x % 2, -100)
    backward = numbert.Trace("classifier.out")
    out, saved = model.forward(x, labels=labels)
    model.backward(saved, trace=backward)
    gradient = backward["grad:classifier.out"]
    assert np.all(gradient[:, 2:] == 0) and np.all(gradient[:, :2] != 0)     # exactly


def test_answers_outside_the_text_are_ignored():                             # N17
    model, x = stressed(numbert.BertForQuestionAnswering), ids()

    def loss(start, end):
        return model(x, start_positions=start, end_positions=end).loss

    assert loss([1, T], [2, T]) == loss([1, T + 50], [2, 1000])
    assert loss([0, 1], [2, 3]) == loss([-5, 1], [2, 3])     # HF: clamped to the first
    assert np.isnan(loss([T, T], [1, 2]))


def test_choices_are_scored_one_by_one():                                    # N21
    model, x = stressed(numbert.BertForMultipleChoice), ids((B, 3, T))
    scores = model(x).logits
    assert_near(model(x[:, [2, 0, 1]]).logits, scores[:, [2, 0, 1]], BOUND)
    for i in range(3):
        assert_near(model(x[:, i:i + 1]).logits[:, 0], scores[:, i], BOUND)


def test_a_classifier_reads_the_first_token_only():                          # N22
    model = stressed(numbert.BertForSequenceClassification)
    out = model(ids(), output_hidden_states=True)
    bare = numbert.BertModel(model.config, dtype="float64", params={
        name.removeprefix("bert."): value for name, value in model.params.items()
        if name.startswith("bert.")})
    pooled = bare(ids()).pooler_output
    weight, bias = (model.params[f"classifier.{kind}"] for kind in ("weight", "bias"))
    want = pooled @ weight.T + bias
    assert_near(out.logits, want, 1e-14)


def test_hidden_states():                                                    # N24
    out = MODEL(ids(), output_hidden_states=True)
    assert len(out.hidden_states) == SMALL["num_hidden_layers"] + 1
    assert out.hidden_states[-1] is out.last_hidden_state


def test_backward_is_linear_in_the_gradient():                               # N26
    out, saved = MODEL.forward(ids())
    d = np.cos(np.arange(out.last_hidden_state.size)).reshape(B, T, 12)
    once, twice = (MODEL.backward(saved, last_hidden_state=k * d) for k in (1, 4))
    assert all(np.array_equal(4 * once[k], twice[k]) for k in once)
    both = MODEL.backward(saved, last_hidden_state=d, pooler_output=out.pooler_output)
    pooled = MODEL.backward(saved, pooler_output=out.pooler_output)
    for k in both:
        assert_near(both[k], once[k] + pooled[k], 1e-11, k)


def test_a_renamed_vocabulary_is_the_same_model():                           # N31
    model, x = stressed(numbert.BertForMaskedLM, config(pad_token_id=None)), ids()
    order = np.random.default_rng(2).permutation(SMALL["vocab_size"])
    renamed = stressed(numbert.BertForMaskedLM, config(pad_token_id=None))
    permuted(renamed, "bert.embeddings.word_embeddings.weight", 0, order)
    permuted(renamed, "cls.predictions.bias", 0, order)
    new_id = np.argsort(order)
    loss = renamed(new_id[x], labels=new_id[x]).loss
    assert_near(loss, model(x, labels=x).loss, BOUND)


@pytest.mark.parametrize("length", [1, 2, 3, 5, 8, 11])
def test_causality_to_the_bit(length):                                       # N18
    model = stressed(numbert.BertLMHeadModel, config(is_decoder=True))
    x = ids((B, length))
    before = model(x).logits
    for t in range(1, length):
        changed = x.copy()
        changed[:, t:] = (x[:, t:] + 7) % 37
        assert np.array_equal(model(changed).logits[:, :t], before[:, :t])
        assert not np.array_equal(model(changed).logits[:, t], before[:, t])


def test_two_forwards_before_a_backward():
    model = stressed(numbert.BertForMaskedLM)
    x, labels = ids(), ids(rng=3)
    _, first = model.forward(x, labels=labels)
    want = model.backward(first)
    _, again = model.forward(x, labels=labels)
    model.forward(ids(rng=8), labels=labels)
    got = model.backward(again)
    assert all(np.array_equal(got[k], want[k]) for k in want)
    assert all(np.array_equal(model.backward(again)[k], want[k]) for k in want)
