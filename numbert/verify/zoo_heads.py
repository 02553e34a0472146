"""The zoo, second part: the bugs of heads, losses and backward passes; see zoo."""

from __future__ import annotations


import numpy as np

from .mutants import Mutant
from .zoo_changes import each, layers, no_dense

# ------------------------------------------------------- D. heads, weights, checkpoints

LM, LM_BACK = "bert.heads.lm_head", "bert.heads.lm_head_backward"
POOLER, POOLER_BACK = "bert.encoder.pooler", "bert.encoder.pooler_backward"
FIRST, FIRST_BACK = ("p.run.ops.first_token(x)",
                     "g.run.ops.first_token_backward(dfirst, first_saved)")
SQUARE = {"query": r"attention\.self\.query", "key": r"attention\.self\.key",
          "value": r"attention\.self\.value", "output": r"attention\.output\.dense",
          "pooler": r"pooler\.dense", "transform": r"transform\.dense"}
BIASES = {"intermediate": r"intermediate\.dense", "output": r"\d\.output\.dense",
          "pooler": r"pooler\.dense", "transform": r"transform\.dense",
          "classifier": r"classifier", "order": r"cls\.seq_relationship",
          "span": r"qa_outputs"}


def pooled(name: str, title: str, op: str) -> Mutant:
    """Use another activation in the pooler."""
    return Mutant(f"D6-{name}", title, module=r"pooler\.out", edits=(
        (POOLER, "p.run.ops.tanh(h)", f"p.run.ops.{op}(h)"),
        (POOLER_BACK, "tanh_backward", f"{op}_backward")))


HEADS = [
    *(Mutant(f"D1-{name}", f"the weight of the {name} layer is not transposed",
             kind="weights", params=each(pattern + r"\.weight", np.transpose),
             module=pattern) for name, pattern in SQUARE.items()),
    Mutant("D1-all", "no square weight is transposed", kind="weights",
           params=each(r"self\.\w+\.weight|(attention\.output|pooler|transform)\.dense"
                       r"\.weight", np.transpose), module=r"self\.query"),
    Mutant("D1-reshape", "weights are reshaped, where they should be transposed",
           kind="weights", params=each(
               r"(intermediate|\d\.output)\.dense\.weight",
               lambda x: x.T.reshape(x.shape)), module=r"intermediate\.dense"),
    Mutant("D2", "the bias of the LM head's decoder is dropped", kind="weights",
           params=each(r"cls\.predictions\.bias", np.zeros_like),
           module=r"predictions\.out"),
    Mutant("D3", "the bias of the LM head's decoder is added twice", module="ns.out",
           edits=((LM, "linear(h, table, bias)", "linear(h, table, bias + bias)"),)),
    Mutant("D4", "the decoder is not tied: its table stayed as it was made",
           module=r"predictions\.out", kind="random", edits=(
               ("bert.heads.word_head", "p[table], p[bias]",
                "p[table] * 0 + __import__('numpy').random.default_rng(0).normal("
                "0, 0.02, p[table].shape), p[bias]"),)),
    Mutant("D5-dense", "the LM head has no dense layer before its LayerNorm",
           kind="weights", params=no_dense(r"transform\.dense"),
           module=r"transform\.dense"),
    Mutant("D5-act", "the LM head has no activation", module=r"transform\.act", edits=(
        (LM, "activation(p, h)", "p.run.ops.identity(h)"),
        (LM_BACK, "activation_backward(dh, activation_saved, g)", "dh"))),
    Mutant("D5-norm", "the LM head has no LayerNorm", module=r"transform\.out", edits=(
        (LM, 'norm(t.at("LayerNorm"), h)', "h * 1, None"),
        (LM_BACK, 'norm_backward(dh, norm_saved, t.at("LayerNorm"))', "dh"))),
    Mutant("D5-order", "the LM head normalises before its activation", edits=(
        (LM, "h, activation_saved = activation(p, h)",
         'h, norm_saved = norm(t.at("LayerNorm"), h * 1)'),
        (LM, 'h, norm_saved = norm(t.at("LayerNorm"), h)',
         "h, activation_saved = activation(p, h)"),
        (LM_BACK, "activation_backward(dh, activation_saved, g)",
         'norm_backward(dh * 1, norm_saved, t.at("LayerNorm"))'),
        (LM_BACK, 'norm_backward(dh, norm_saved, t.at("LayerNorm"))',
         "activation_backward(dh, activation_saved, g)")), module=r"transform\.act"),
    Mutant("D5-all", "the LM head has no transform at all", module=r"transform\.dense",
           edits=((LM, 'dense(t.at("dense"), x)', "x * 1, None"),
                  (LM, "activation(p, h)", "p.run.ops.identity(h)"),
                  (LM, 'norm(t.at("LayerNorm"), h)', "h * 1, None"),
                  (LM_BACK, "activation_backward(dh, activation_saved, g)", "dh"),
                  (LM_BACK, 'norm_backward(dh, norm_saved, t.at("LayerNorm"))', "dh"),
                  (LM_BACK, 'dense_backward(dh, dense_saved, t.at("dense"))', "dh"))),
    pooled("none", "the pooler has no tanh", "identity"),
    pooled("gelu", "the pooler has GELU for tanh", "gelu"),
    pooled("sigmoid", "the pooler has a sigmoid for tanh", "sigmoid"),
    Mutant("D6-mean", "the pooler takes the mean of all tokens", edits=(
        (POOLER, FIRST, "x.mean(1), x.shape"),
        (POOLER_BACK, FIRST_BACK,
         "(dfirst[:, None] / first_saved[1]).repeat(first_saved[1], 1)")),
        module=r"pooler\.dense"),
    Mutant("D6-last", "the pooler takes the last token", edits=(
        (POOLER, FIRST, "x[:, -1], x.shape"),
        (POOLER_BACK, FIRST_BACK, FIRST_BACK + "[:, ::-1]")), module=r"pooler\.dense"),
    Mutant("D6-second", "the pooler takes the token after [CLS]", edits=(
        (POOLER, FIRST, "x[:, 1], x.shape"),
        (POOLER_BACK, FIRST_BACK,
         f"__import__('numpy').roll({FIRST_BACK}, 1, 1)")), module=r"pooler\.dense"),
    Mutant("D6-left-out", "heads read [CLS] itself, without the pooler", edits=(
        (POOLER, "return out, p.saved(", "out = first\n    return out, p.saved("),),
        module=r"seq_relationship|classifier"),
    Mutant("D8", "scores of choices are reshaped as (choices, questions)", edits=(
        ("models.classes.BertForMultipleChoice.forward", "scores.reshape(shape[:2])",
         "scores.reshape(shape[1], shape[0]).T"),
        ("models.classes.BertForMultipleChoice.head_backward",
         "dlogits.reshape(-1, 1)", "dlogits.T.reshape(-1, 1)")), module="^loss"),
    Mutant("D9-order", "the two classes of next sentence prediction are swapped",
           kind="weights", params=each("cls.seq_relationship", lambda x: x[::-1]),
           module="seq_relationship"),
    Mutant("D9-span", "scores of start and end are swapped", kind="weights",
           params=each("qa_outputs", lambda x: x[::-1]), module="qa_outputs"),
    Mutant("D10-first", "all layers have the weights of the first", kind="weights",
           params=layers(lambda i, count: 0), module=r"layer\.1"),
    Mutant("D10-reversed", "layers are loaded in reverse", kind="weights",
           params=layers(lambda i, count: count - 1 - i), module=r"layer\.0"),
    Mutant("D10-fewer", "the last layer is left out", module="pooler|transform|layer",
           edits=(("bert.encoder.stack", "range(p.run.config.num_hidden_layers)",
                   "range(max(1, p.run.config.num_hidden_layers - 1))"),)),
    *(Mutant(f"D11-{name}", f"the bias of the {name} layer is dropped", kind="weights",
             params=each(rf"{pattern}\.bias", np.zeros_like), module=pattern)
      for name, pattern in BIASES.items()),
]

# ----------------------------------------------------------------------- E. losses

CE, CE_BACK = "bert.losses.cross_entropy", "bert.losses.cross_entropy_backward"
USED = "used = labels != ignore_index"
COUNT = "int(used.sum()) if weights is None"
TOTAL, GRADIENTS = "models.targets.total_loss", "models.targets.output_gradients"
SHIFT = "following[:, :-1] = labels[:, 1:]"
ENDS = "labels < length, np.maximum(labels, 0), IGNORE_INDEX"


def loss(name: str, title: str, *edits, kind="loss", module=r"^\w*loss") -> Mutant:
    """Return a bug of a loss; its gradient follows, as what the loss saved is used."""
    return Mutant(name, title, edits=edits, kind=kind, module=module)


def weighed(name: str, title: str, weight: str) -> Mutant:
    """Weigh the terms of a loss by other numbers."""
    return loss(name, title, (TOTAL, "part if term.weight == 1 else term.weight * part",
                              f"({weight}) * part"),
                (GRADIENTS, "float(dloss) * term.weight", f"float(dloss) * ({weight})"))


LOSSES = [
    loss("E1", "labels of -100 are not ignored but count as class 0",
         (CE, USED, "labels = np.where(labels == ignore_index, 0, labels)\n"
          "    used = labels == labels")),
    loss("E2", "labels of class 0 are ignored too",
         (CE, USED, f"{USED}\n    used &= labels != 0")),
    loss("E3-all", "the loss is a mean over ignored labels too",
         (CE, COUNT, "labels.size if weights is None")),
    loss("E3-sum", "the loss is a sum, not a mean",
         (CE, COUNT, "1 if weights is None")),
    loss("E8-squares", "labels of several classes are compared by squared errors",
         ("models.targets.class_targets", '"mse" if kind == "regression" else '
          '"bce_with_logits"', '"mse"')),
    loss("E8-logistic", "regression uses the loss of several labels", (
        "models.targets.class_targets",
        '"mse" if kind == "regression" else "bce_with_logits"', '"bce_with_logits"')),
    loss("E8-sum", "the loss of several labels adds up over the classes",
         ("bert.losses.bce_with_logits", "losses.size if", "len(losses) if")),
    loss("E8-twice", "several labels: a sigmoid before a loss that has its own",
         ("bert.losses.bce_with_logits", "tail =",
          "logits, _ = sigmoid(logits)\n    tail =")),
    loss("E9-negative", "a negative position of an answer is ignored",
         ("models.targets.position_targets", ENDS,
          "(0 <= labels) & (labels < length), labels, IGNORE_INDEX")),
    loss("E9-beyond", "a position beyond the text counts as its last token",
         ("models.targets.position_targets", ENDS,
          "labels < length, np.maximum(labels, 0), length - 1")),
    Mutant("E9-swapped", "positions of start and end are swapped", kind="inputs",
           inputs=lambda x: {**x, "start_positions": x["end_positions"],
                             "end_positions": x["start_positions"]}
           if "end_positions" in x else x, module="start_loss"),
    weighed("E9-sum", "the losses of start and end are added, not averaged",
            "1 if term.weight == 0.5 else term.weight"),
    loss("E11", "the loss is computed in float32",
         (CE, "log_softmax(rows(logits))",
          'log_softmax(rows(logits)).astype("float32")'), kind="variant"),
    loss("E12", "log_softmax does not subtract the maximum", (
        "bert.losses.log_softmax", "x = x - x.max(-1, keepdims=True)", "x = x - 0"),
        kind="equivalent", module=""),
    *(loss(f"E13-{name}", title, ("models.targets.next_word_targets", SHIFT, new))
      for name, title, new in (
          ("none", "a causal loss compares with the same token, not the next",
           "following[:] = labels"),
          ("twice", "a causal loss compares with the token after the next",
           "following[:, :-2] = labels[:, 2:]"),
          ("back", "a causal loss compares with the token before",
           "following[:, 1:] = labels[:, :-1]"))),
    weighed("E14-mean", "the two losses of pre-training are averaged",
            '0.5 if term.tap in ("mlm_loss", "nsp_loss") else term.weight'),
    weighed("E14-words", "next sentence prediction has no part in the loss",
            '0 if term.tap == "nsp_loss" else term.weight'),
    Mutant("E14-flipped", "labels of next sentence prediction are flipped",
           kind="loss", module=r"^\w*loss", edits=(
               ("models.targets.order_targets", "name, labels, 2, (batch,)",
                "name, 1 - array(name, labels), 2, (batch,)"),)),
    loss("E15-sum", "squared errors are added up, not averaged",
         ("bert.losses.mse", "difference.size if", "1 if")),
    loss("E15-half", "squared errors are halved",
         ("bert.losses.mse", "(difference * difference)",
          "0.5 * (difference * difference)"),
         ("bert.losses.mse_backward", "(2 * dloss", "(dloss")),
    loss("E15-absolute", "errors are absolute, not squared",
         ("bert.losses.mse", "(difference * difference)", "np.abs(difference)"),
         ("bert.losses.mse_backward", "difference * (2 *", "np.sign(difference) * (")),
    loss("E16", "the labels are smoothed by 0.1",
         (CE, "total = losses.sum", "losses = 0.9 * losses - 0.1 * logp.mean(-1)\n"
          "    total = losses.sum"),
         (CE_BACK, "safe] -= 1",
          "safe] -= 0.9\n        dlogits -= 0.1 / len(logp[0])")),
    loss("E17", "the loss is in bits: a logarithm to the base 2",
         (CE, "-logp[np.arange(len(logp)), safe]",
          "-logp[np.arange(len(logp)), safe] / np.log(2)"),
         (CE_BACK, "dlogits *= dloss", "dlogits *= dloss / np.log(2)")),
    loss("E18", "a softmax before a loss that has its own",
         (CE, "log_softmax(rows(logits))",
          "log_softmax(np.exp(log_softmax(rows(logits))))")),
]

# -------------------------------------------------------------- G. backward passes

LN_BACK, ATT_BACK = "bert.ops.layer_norm_backward", "bert.attention.attention_backward"
EMB_BACK = "bert.embeddings.embeddings_backward"


def wrong(name: str, title: str, function: str, old: str, new: str,
          module: str) -> Mutant:
    """Return a bug of a backward pass, whose forward pass is right."""
    return Mutant(f"G{name}", title, edits=((function, old, new),), kind="backward",
                  module=module)


BACKWARD = [
    wrong("8-decoder", "a tied table gets no gradient from the decoder",
          "bert.heads.word_head_backward", "g.add(table, dtable)", "pass",
          r"dparam:.*word_emb"),
    wrong("8-look-up", "a tied table gets no gradient from the look-up", EMB_BACK,
          'g.add("word_embeddings.weight", dtable)', "pass", r"dparam:.*word_emb"),
    wrong("10-pad", "looking up [PAD] has a gradient", EMB_BACK,
          "dtable[g.run.config.pad_token_id] = 0", "pass", r"dparam:.*word_emb"),
    wrong("10-repeated", "a word that occurs twice gets the last gradient, not the sum",
          "bert.ops.embedding_backward",
          "np.add.reduceat(rows(dout)[order], first)",
          "rows(dout)[order][np.append(first[1:], len(order)) - 1]",
          r"dparam:.*word_emb|grad:"),
    wrong("10-positions", "gradients of positions are averaged over the batch",
          EMB_BACK, "dsum.sum(0, keepdims=True)", "dsum.mean(0, keepdims=True)",
          "position_emb"),
    wrong("11-shift", "LayerNorm's gradient lacks the mean of the gradient", LN_BACK,
          "dnorm - shift - norm", "dnorm - norm", "grad:"),
    wrong("11-stretch", "LayerNorm's gradient lacks the term of the variance", LN_BACK,
          "dnorm - shift - norm * stretch", "dnorm - shift", "grad:"),
    wrong("11-weight", "LayerNorm's gradient is not multiplied by its weight", LN_BACK,
          "dnorm = dout * w", "dnorm = dout * (w - w + 1)", "grad:"),
    wrong("11-scale", "LayerNorm's gradient is not divided by the deviation", LN_BACK,
          "rstd * (dnorm", "(dnorm", "grad:"),
    wrong("11-parameters", "LayerNorm's weight gets the gradient of its input",
          LN_BACK, "rows(dout * norm)", "rows(dnorm * norm)", r"dparam:.*LayerNorm"),
    wrong("12-mean", "softmax's gradient lacks the mean: p dp alone",
          "bert.ops.softmax_backward", "(dout - mean)", "(dout - 0 * mean)",
          r"grad:.*scores"),
    wrong("12-slope", "softmax's gradient is that of a sigmoid, p (1 - p)",
          "bert.ops.softmax_backward", "probs * (dout - mean)",
          "probs * (1 - probs) * dout", r"grad:.*scores"),
    wrong("13-query", "the gradient of queries is not divided by sqrt(D)",
          "bert.ops.attention_scores_backward", "(1 / math.sqrt(q.shape[-1]))", "1",
          r"grad:.*query"),
    wrong("13-key", "the gradient of keys is not divided by sqrt(D)",
          "bert.ops.attention_scores_backward", "dout.swapaxes(-1, -2) @ q",
          "dout.swapaxes(-1, -2) @ q * math.sqrt(q.shape[-1])", r"grad:.*key"),
    wrong("14-residual", "the gradient of the residual is lost",
          "bert.attention.add_norm_backward", 'g.at("dense")), dsum',
          'g.at("dense")), 0 * dsum', "grad:"),
    wrong("14-dense", "only the residual passes a gradient through the second half",
          "bert.encoder.feed_forward_backward",
          'dx + dense_backward(dh, dense_saved, g.at("intermediate.dense"))',
          'dx + 0 * dense_backward(dh, dense_saved, g.at("intermediate.dense"))',
          "grad:"),
    wrong("15-density", "GELU's gradient is Phi(x), without x phi(x)",
          "bert.ops.gelu_backward", "(cdf + x * pdf)", "cdf", "grad:"),
    wrong("15-tanh-form", "GELU's gradient is that of its tanh form",
          "bert.ops.gelu_backward", "x, cdf = saved",
          "x, cdf = saved\n    return gelu_tanh_backward(dout, gelu_tanh(x)[1])",
          "grad:"),
    wrong("15-root", "GELU's density lacks 1 / sqrt(2 pi)", "bert.ops.gelu_backward",
          " * (1 / math.sqrt(2 * math.pi))", "", "grad:"),
    wrong("16-tanh", "tanh's gradient is 1 - tanh, without the square",
          "bert.ops.tanh_backward", "(1 - saved * saved)", "(1 - saved)",
          r"grad:.*pooler\.dense"),
    wrong("16-dense", "a bias gets the mean of the gradients, not the sum",
          "bert.ops.linear_backward", "dy.sum(0)", "dy.mean(0)", r"dparam:.*bias"),
    wrong("16-weight", "a dense weight gets the mean of the gradients, not the sum",
          "bert.ops.linear_backward", "dy.T @ rows(x)", "dy.T @ rows(x) / len(dy)",
          r"dparam:.*weight"),
    wrong("17-ignored", "ignored labels have a gradient", CE_BACK,
          "dlogits[~used] = 0", "pass", "grad:"),
    wrong("17-count", "the loss's gradient is not divided by the number of labels",
          CE_BACK, "dloss / (count or 1)", "dloss", "grad:"),
    wrong("17-one", "the gradient of a loss lacks the -1 at the label", CE_BACK,
          "safe] -= 1", "safe] -= 0", "grad:"),
    wrong("17-square", "the gradient of a squared error lacks the 2",
          "bert.losses.mse_backward", "(2 * dloss", "(dloss", "grad:"),
    wrong("18-layers", "a source gets its gradient from the first layer only",
          "bert.encoder.stack_backward", "dsource + part", "part", r"dparam:encoder"),
    wrong("18-values", "a source gets its gradient as values only",
          "bert.attention.multi_head_backward",
          'dsource + dense_backward(dv, v_saved, g.at("value"))',
          '0 * dsource + dense_backward(dv, v_saved, g.at("value"))', "grad:|dparam:"),
    wrong("18-query", "the gradient through the queries is lost", ATT_BACK,
          "dx = dx + dquery", "dx = dx + 0 * dquery", "grad:"),
    wrong("18-detached", "attention probabilities are constants for the gradient",
          "bert.attention.attend_backward",
          "ops.softmax_backward(dprobs, softmax_saved)", "0 * dprobs",
          r"grad:.*scores"),
    wrong("19-pooler", "the pooler's gradient takes the place of the sequence's",
          "bert.encoder.backbone_backward", "part if dx is None else dx + part", "part",
          "grad:"),
    wrong("19-tokens", "the pooler's gradient goes to every token",
          "bert.ops.first_token_backward", "dx[:, 0] = dout", "dx[:] = dout[:, None]",
          "grad:"),
]
