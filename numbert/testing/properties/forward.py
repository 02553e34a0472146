"""Laws N1 to N9, N12, N13, N21 to N24, N27, N28, N31, N32 of a model's forward pass.

See `targets.ModelTarget` for what `model` is.  `inputs` is {name: array} as
`strategies.encoded_batches` draws it, and `rng` a seed for what a law draws itself.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from .laws import APPROXIMATE, EXACT, Words, law, near, require, same, same_bits

MODELS = ("last_hidden_state", "logits", "start_logits", "pooler_output", "loss")


def size_of(model) -> dict:
    """Return the `terms` and `steps` of a model, for the bound of its rounding."""
    config = model.config
    return {"terms": max(config.hidden_size, config.intermediate_size),
            "steps": 4 * (config.num_hidden_layers + 1)}


def output(model, inputs) -> np.ndarray:
    """Return the first output of a model: its hidden states, or its logits."""
    out = model.forward(inputs)
    return next(np.asarray(out[name]) for name in MODELS if name in out)


def alike(model, got, expected, what: str) -> float:
    """Raise Broken unless two outputs differ by rounding only."""
    return near(got, expected, what, **size_of(model))


def attended(inputs) -> np.ndarray:
    """Return where the tokens are that are not padding, (B, T) booleans."""
    mask = inputs.get("attention_mask")
    return np.ones(np.shape(inputs["input_ids"]), bool) if mask is None else mask != 0


def names(model, end: str) -> list[str]:
    """Return the names of the parameters that end in this way."""
    found = [name for name in model.params if name.endswith(end)]
    require(bool(found), "the parameters", got=list(model.params)[:4],
            expected=Words(f"a name that ends in {end!r}"))
    return found


def changed(model, change: dict):
    """Return the model with other parameters: {name: array -> array}."""
    return model.replaced({name: change.get(name, lambda x: x)(value)
                           for name, value in model.params.items()})


# ------------------------------------------------------------------- padding, batches

@law("N1", "forward", APPROXIMATE,
     catches="a mask that is not applied, is inverted, added as 0 and 1, or "
             "multiplied with the scores (B1, B2, B3, B4, D7)")
def padding_changes_nothing(model, inputs, pad):
    """Padding on the right does not change what the tokens become."""
    extra = {name: np.pad(x, ((0, 0), (0, pad))) for name, x in inputs.items()}
    real = attended(inputs)
    extra["attention_mask"] = np.pad(real, ((0, 0), (0, pad))).astype(np.int64)
    got, want = output(model, extra), output(model, inputs)
    if got.ndim == 3 and got.shape[1] == extra["input_ids"].shape[1]:
        got, want = got[:, :real.shape[1]][real], want[real]
    return alike(model, got, want, f"the output with {pad} tokens of padding more")


@law("N2", "forward", EXACT,
     catches="masked tokens with a small weight: a mask that is multiplied, or "
             "is too small a number beside large scores (B3, B4, B5, A6)")
def masked_ids_do_not_matter(model, inputs, rng):
    """Other ids under the padding change no bit of the other tokens' output."""
    real, rng = attended(inputs), np.random.default_rng(rng)
    other = rng.integers(0, model.config.vocab_size, real.shape)
    swapped = {**inputs, "input_ids": np.where(real, inputs["input_ids"], other)}
    got, want = output(model, swapped), output(model, inputs)
    if got.shape[:2] == real.shape:
        got, want = got[real], want[real]
    same_bits(got, want, "the output with other ids under the padding")


@law("N3", "forward", APPROXIMATE,
     catches="rows mixed up: a wrong reshape or transpose of the batch, "
             "normalisation over the batch (B10, D8)")
def rows_may_change_places(model, inputs, rng):
    """Rows in another order give outputs in that order."""
    order = np.random.default_rng(rng).permutation(len(inputs["input_ids"]))
    moved = {name: x[order] for name, x in inputs.items()}
    return alike(model, output(model, moved), output(model, inputs)[order],
                 "the output for rows in another order")


@law("N4", "forward", APPROXIMATE,
     catches="rows that see each other: attention or normalisation across the "
             "batch, one mask for all rows (B9)")
def a_row_alone_is_the_same(model, inputs):
    """A row alone gives what it gives in its batch."""
    whole, worst = output(model, inputs), 0.0
    for i in range(len(whole)):
        alone = output(model, {name: x[i:i + 1] for name, x in inputs.items()})
        worst = max(worst, alike(model, alone, whole[i:i + 1], f"row {i} alone"))
    return worst


@law("N28", "forward", APPROXIMATE,
     catches="padding that counts: means or norms over padded positions, masks "
             "of the longest row for all (D7)")
def padding_to_a_multiple_changes_nothing(model, inputs, multiple):
    """Padding to a multiple of a number does not change what the tokens become."""
    length = inputs["input_ids"].shape[1]
    pad = -length % multiple
    if length + pad <= model.config.max_position_embeddings:
        return padding_changes_nothing.__wrapped__(model, inputs, pad)
    return 0.0


# ------------------------------------------------------------------- inputs, positions

@law("N5", "forward", APPROXIMATE,
     catches="an order of tokens that comes from elsewhere than their "
             "positions: a causal mask, positions ignored (A4)")
def tokens_know_their_place_by_position_ids(model, inputs, rng):
    """Tokens in another order, with their positions, give outputs in that order."""
    length = inputs["input_ids"].shape[1]
    order = np.random.default_rng(rng).permutation(length)
    moved = {name: x[:, order] for name, x in inputs.items()}
    moved["position_ids"] = order[None]
    return alike(model, output(model, moved), output(model, inputs)[:, order],
                 "the output for tokens in another order")


@law("N6", "forward", EXACT,
     catches="wrong defaults: token type 1 or none, positions from 1 or from "
             "padding_idx + 1, arguments in the wrong order (A1, A2, A3)")
def defaults_are_zeros_ones_and_counting(model, ids):
    """Without them, types are 0, everything is attended and positions are 0, 1, ..."""
    explicit = {"input_ids": ids, "token_type_ids": np.zeros_like(ids),
                "attention_mask": np.ones_like(ids),
                "position_ids": np.arange(ids.shape[1])[None]}
    same_bits(output(model, {"input_ids": ids}), output(model, explicit),
              "the output without optional inputs")


@law("N31", "forward", EXACT,
     catches="a row of the embeddings that is special: padding set to zero, "
             "ids shifted by one (A6)")
def a_renamed_vocabulary_is_the_same_model(model, inputs, rng):
    """Ids and rows of the word embeddings, permuted together, change no bit."""
    table, = names(model, "word_embeddings.weight")
    order = np.random.default_rng(rng).permutation(len(model.params[table]))
    renamed = changed(model, {table: lambda x: x[order]})
    new = np.argsort(order)[inputs["input_ids"]]
    same_bits(output(renamed, {**inputs, "input_ids": new}), output(model, inputs),
              "the output under a permuted vocabulary")


# ------------------------------------------------------------------------ weights

def heads_of(model) -> np.ndarray:
    """Return the channels of each head, (N, D)."""
    config = model.config
    return np.arange(config.hidden_size).reshape(config.num_attention_heads, -1)


def within(model, layer: int, part: str) -> str:
    """Return the full name of a parameter of a layer."""
    return names(model, f"encoder.layer.{layer}.{part}")[0]


@law("N7", "forward", APPROXIMATE,
     catches="heads that are merged without a transpose, split by "
             "interleaving, or share a projection (B10, B14, B17)")
def heads_may_change_places(model, inputs, layer, rng):
    """Heads in another order, in all four projections, change nothing."""
    order = np.random.default_rng(rng).permutation(len(heads_of(model)))
    channels = heads_of(model)[order].ravel()
    change = {within(model, layer, f"attention.self.{part}.{kind}"):
              lambda x: x[channels] for part in ("query", "key", "value")
              for kind in ("weight", "bias")}
    change[within(model, layer, "attention.output.dense.weight")] = \
        lambda x: x[:, channels]
    return alike(model, output(changed(model, change), inputs), output(model, inputs),
                 f"the output with heads in the order {order.tolist()}")


@law("N8", "forward", APPROXIMATE,
     catches="a feed-forward block that is cut or joined wrongly, weights that "
             "are not transposed (D1)")
def hidden_units_may_change_places(model, inputs, layer, rng):
    """The hidden units of the feed-forward block may be in any order."""
    order = np.random.default_rng(rng).permutation(model.config.intermediate_size)
    change = {within(model, layer, f"intermediate.dense.{kind}"): lambda x: x[order]
              for kind in ("weight", "bias")}
    # Not attention.output.dense, which ends alike.
    change[within(model, layer, "output.dense.weight")] = lambda x: x[:, order]
    return alike(model, output(changed(model, change), inputs), output(model, inputs),
                 "the output with hidden units in another order")


@law("N9", "forward", APPROXIMATE,
     catches="softmax over a wrong axis, keys and queries or keys and values "
             "swapped (B9, B15)")
def the_key_bias_does_nothing(model, inputs, layer, shift):
    """A bias of the keys shifts all scores of a query alike, so nothing changes."""
    name = within(model, layer, "attention.self.key.bias")
    shifted = changed(model, {name: lambda x: x + x.dtype.type(shift)})
    return alike(model, output(shifted, inputs), output(model, inputs),
                 f"the output with {shift} added to the key bias")


@law("N12", "forward", EXACT,
     catches="a bias that is missing, projections in the wrong order, scores "
             "with another scale than the weights give (B14, B15)")
def powers_of_two_move_between_weights(model, inputs, layer, power):
    """Queries times 2^k and keys over 2^k change no bit; nor do values and output."""
    def times(by, x):
        return x * x.dtype.type(by)

    factor = 2.0 ** power
    change = {}
    for part, by in (("query", factor), ("key", 1 / factor), ("value", factor)):
        for kind in ("weight", "bias"):
            change[within(model, layer, f"attention.self.{part}.{kind}")] = \
                partial(times, by)
    dense = within(model, layer, "attention.output.dense.weight")
    change[dense] = partial(times, 1 / factor)
    same_bits(output(changed(model, change), inputs), output(model, inputs),
              f"the output after 2^{power} was moved between the weights")


@law("N23", "forward", APPROXIMATE,
     catches="a head that reads or writes channels of another: a wrong split "
             "or merge, an axis swapped (B10, B14, B22)")
def a_head_without_values_is_no_head(model, inputs, layer, head):
    """A head whose values are 0 is as good as one whose output is not read."""
    channels = heads_of(model)[head % len(heads_of(model))]

    def without(x):
        x = x.copy()
        x[channels] = 0
        return x

    silent = {within(model, layer, f"attention.self.value.{kind}"): without
              for kind in ("weight", "bias")}
    unread = {within(model, layer, "attention.output.dense.weight"):
              lambda x: without(x.T).T}
    return alike(model, output(changed(model, silent), inputs),
                 output(changed(model, unread), inputs), "the output without a head")


@law("N32", "forward", EXACT,
     catches="a LayerNorm that is missing or stands elsewhere, weight and bias "
             "swapped, 1 + weight for weight (C7, C9, C10)")
def a_layer_norm_of_weight_0_gives_its_bias(model, inputs):
    """If the last LayerNorm's weight is 0, every hidden state is its bias."""
    last = model.config.num_hidden_layers - 1
    dense, = (n for n in names(model, f"layer.{last}.output.LayerNorm.weight"))
    bias = model.params[dense.replace("weight", "bias")]
    got = output(changed(model, {dense: np.zeros_like}), inputs)
    same_bits(got, np.broadcast_to(bias, got.shape), "the hidden states")


@law("N33", "forward", APPROXIMATE,
     catches="a LayerNorm that is missing, stands before the sum, or leaves "
             "the mean in (C4, C7)")
def layer_norms_take_the_mean_out(model, inputs, layer, shift):
    """A number added to all of a bias before a LayerNorm changes nothing."""
    change = {within(model, layer, f"{part}output.dense.bias"):
              lambda x: x + x.dtype.type(shift) for part in ("attention.", "")}
    change[names(model, "position_embeddings.weight")[0]] = \
        lambda x: x + x.dtype.type(shift)
    return alike(model, output(changed(model, change), inputs), output(model, inputs),
                 f"the output with {shift} added before each LayerNorm")


# --------------------------------------------------------------------- runs and files

@law("N13", "forward", EXACT,
     catches="dropout that is left on, or not off under rate 0 (C13)")
def evaluation_is_deterministic(model, inputs, rng):
    """Twice the same inputs, the same bits; with dropout, for the same seed."""
    first = model.forward(inputs)
    for name, value in model.forward(inputs).items():
        if not isinstance(value, tuple):
            same_bits(value, first[name], f"{name} of a second run")
    if model.train is not None:
        noisy, again = model.train(inputs, rng), model.train(inputs, rng)
        name = next(name for name in MODELS if name in first)
        same_bits(again[name], noisy[name], f"{name} under the same seed")
        rates = (model.config.hidden_dropout_prob,
                 model.config.attention_probs_dropout_prob)
        require(np.array_equal(noisy[name], first[name]) == (rates == (0, 0)),
                f"whether dropout at the rates {rates} changes {name}",
                got=not np.array_equal(noisy[name], first[name]),
                expected=rates != (0, 0))


@law("N24", "forward", EXACT,
     catches="hidden states that are missing, doubled, or taken before the "
             "LayerNorm; a final LayerNorm too many (C7)")
def hidden_states_are_all_there(model, inputs):
    """L + 1 hidden states; the last is the output, and the first the embeddings."""
    out, layers = model.forward(inputs), model.config.num_hidden_layers
    states = out["hidden_states"]
    same(len(states), layers + 1, "the number of hidden states")
    same_bits(states[-1], out["last_hidden_state"], "the last of the hidden states")
    places = np.arange(inputs["input_ids"].shape[1])
    tables = [model.params[names(model, f"{kind}_embeddings.weight")[0]]
              for kind in ("word", "position", "token_type")]
    total = tables[0][inputs["input_ids"]] + tables[1][places] + \
        tables[2][inputs["token_type_ids"]]
    centred = total - total.mean(-1, keepdims=True)
    norm = centred / np.sqrt((centred ** 2).mean(-1, keepdims=True)
                             + model.config.layer_norm_eps)
    weight, bias = (model.params[names(model, f"embeddings.LayerNorm.{kind}")[0]]
                    for kind in ("weight", "bias"))
    near(states[0], (norm * weight + bias).astype(states[0].dtype), "the embeddings",
         **size_of(model))


@law("N34", "forward", APPROXIMATE,
     catches="softmax over a wrong axis, masked keys with a weight, the wrong "
             "axis of the mask (B1, B2, B4, B9)")
def attention_probabilities_sum_to_1(model, inputs):
    """Each query's probabilities sum to 1, and masked keys have exactly 0."""
    real, worst = attended(inputs), 0.0
    for probs in model.forward(inputs)["attentions"]:
        sums, length = probs.sum(-1), probs.shape[-1]
        worst = max(worst, near(sums, np.ones_like(sums), "the sums over the keys",
                                terms=length, scale=1.0))
        hidden = np.broadcast_to(~real[:, None, None, :], probs.shape)
        same_bits(probs[hidden], np.zeros(hidden.sum(), probs.dtype),
                  "the weights of masked keys")
    return worst


@law("N27", "forward", EXACT, needs=["reload"],
     catches="weights that are not saved, are loaded under other names or "
             "transposed, or newly initialised (C10, D1, D12)")
def saving_and_loading(model, inputs):
    """A model that was saved and loaded gives the same bits."""
    same_bits(output(model.reload(), inputs), output(model, inputs),
              "the output of the loaded model")


# ------------------------------------------------------------------------------ heads

@law("N21", "forward", APPROXIMATE, model="BertForMultipleChoice",
     catches="choices mixed with rows by a wrong reshape (D8)")
def choices_are_scored_one_by_one(model, ids, rng):
    """Choices in another order have their scores in that order; alone they have the
    same.

    ids (B, M, T)
    """
    scores = output(model, {"input_ids": ids})
    same(scores.shape, ids.shape[:2], "the shape of the scores")
    order = np.random.default_rng(rng).permutation(ids.shape[1])
    worst = alike(model, output(model, {"input_ids": ids[:, order]}), scores[:, order],
                  "the scores of choices in another order")
    for i in range(ids.shape[1]):
        alike(model, output(model, {"input_ids": ids[:, i:i + 1]}), scores[:, i:i + 1],
              f"the score of choice {i} alone")
    return worst


@law("N22", "forward", APPROXIMATE, model="BertForSequenceClassification",
     catches="pooling of another token or of all, a pooler without tanh (D6, "
             "D7)")
def a_classifier_reads_the_first_token(model, inputs):
    """The logits come from the first token alone, through the pooler."""
    out, params = model.forward(inputs), model.params
    first = out["hidden_states"][-1][:, 0]
    weight, bias = (params[names(model, f"pooler.dense.{k}")[0]] for k in
                    ("weight", "bias"))
    pooled = np.tanh(first @ weight.T + bias)
    want = pooled @ params["classifier.weight"].T + params["classifier.bias"]
    return alike(model, out["logits"], want, "the logits")


@law("N17", "forward", EXACT, model="BertForQuestionAnswering",
     catches="positions outside the text that are clamped to the last token or "
             "crash (E9)")
def answers_outside_the_text_are_ignored(model, ids, start, end):
    """A position at or beyond the length is ignored, however far it is."""
    length = ids.shape[1]

    def loss(first, last):
        rows = np.arange(len(ids))
        return model.forward({
            "input_ids": ids, "start_positions": np.where(rows, start, first),
            "end_positions": np.where(rows, end, last)})["loss"]

    same_bits(loss(length + 50, 1000), loss(length, length), "the loss")
    logits = model.forward({"input_ids": ids})
    counted = [mean_loss(logits[name][1:], np.full(len(ids) - 1, at)) for name, at in
               (("start_logits", start), ("end_logits", end))]
    alike(model, loss(length, length), np.asarray(sum(counted) / 2, logits[
        "start_logits"].dtype), "the loss, beside that of the other rows")


def mean_loss(logits, labels):
    """Return the cross-entropy, a mean over labels that are not -100, the slow way."""
    logits, labels = logits.reshape(-1, logits.shape[-1]), labels.ravel()
    top = logits.max(-1, keepdims=True)
    logp = logits - top - np.log(np.exp(logits - top).sum(-1, keepdims=True))
    used = labels != -100
    return -logp[used, labels[used]].mean()


@law("N35", "forward", APPROXIMATE, model="BertForMaskedLM",
     catches="a loss over all tokens, over padding, with another ignore_index, "
             "or a mean of means (E1, E7, E10)")
def the_loss_is_a_mean_over_counted_labels(model, batch):
    """The loss is the mean over labels that are not -100, so batches add up."""
    out = model.forward(batch)
    near(out["loss"], np.asarray(mean_loss(out["logits"], batch["labels"]),
                                 out["loss"].dtype), "the loss", **size_of(model),
         scale=float(np.abs(out["logits"]).max()) + 1)
    counts, losses = [], []
    for i in range(len(batch["labels"])):
        row = {name: x[i:i + 1] for name, x in batch.items()}
        if (row["labels"] != -100).any():
            counts.append((row["labels"] != -100).sum())
            losses.append(float(model.forward(row)["loss"]))
    return near(out["loss"], np.asarray(np.average(losses, weights=counts),
                                        out["loss"].dtype),
                "the loss, beside the mean of its rows'", **size_of(model),
                scale=float(np.abs(out["logits"]).max()) + 1)
