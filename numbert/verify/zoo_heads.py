"""The zoo, third part: the bugs of heads, losses and backward passes; see zoo."""

from __future__ import annotations


import numpy as np

from .mutants import Mutant
from .zoo_attention import BIASES as ATTENTION_BIASES
from .zoo_changes import (affine, each, layers, no_dense, one_shift, other_layout,
                          swapped_choices)

# ------------------------------------------------------- D. heads, weights, checkpoints

LM, LM_BACK = "bert.heads.lm_head", "bert.heads.lm_head_backward"
POOLER, POOLER_BACK = "bert.encoder.pooler", "bert.encoder.pooler_backward"
FIRST, FIRST_BACK = ("p.run.ops.first_token(x)",
                     "g.run.ops.first_token_backward(dfirst, first_saved)")
SQUARE = {"query": r"attention\.self\.query", "key": r"attention\.self\.key",
          "value": r"attention\.self\.value", "output": r"attention\.output\.dense",
          "pooler": r"pooler\.dense", "transform": r"transform\.dense"}
TEXTS = "models.classes.BertForSequenceClassification."
TOKENS = "models.classes.BertForTokenClassification.forward"
BIASES = {"intermediate": r"intermediate\.dense", "output": r"\d\.output\.dense",
          "pooler": r"pooler\.dense", "transform": r"transform\.dense",
          "classifier": r"classifier", "order": r"cls\.seq_relationship",
          "span": r"qa_outputs"}


def pooled(name: str, title: str, op: str) -> Mutant:
    """Use another activation in the pooler."""
    return Mutant(f"D6-{name}", title, module=r"pooler\.out", edits=(
        (POOLER, "p.run.ops.tanh(h)", f"p.run.ops.{op}(h)"),
        (POOLER_BACK, "tanh_backward", f"{op}_backward")))


def picked(name: str, title: str, weights: str) -> Mutant:
    """Pool tokens by weights (B, T), made of the tokens that are real."""
    return Mutant(f"D6-{name}", title, module=r"pooler\.dense", edits=(
        ("bert.encoder.backbone", 'pooler(p.at("pooler"), x)',
         'pooler(p.at("pooler"), x, mask)'),
        (POOLER, "def pooler(p, x)", "def pooler(p, x, mask)"),
        (POOLER, f"first, first_saved = {FIRST}",
         "real = x[..., 0] * 0 + (1 if mask is None else mask[:, 0, 0])\n    "
         f"first_saved = ({weights})[..., None]\n    first = (first_saved * x).sum(1)"),
        (POOLER_BACK, FIRST_BACK, "dfirst[:, None] * first_saved")))


HEADS = [
    *(Mutant(f"D1-{name}", f"the weight of the {name} layer is not transposed",
             kind="weights", params=each(pattern + r"\.weight", other_layout),
             module=pattern) for name, pattern in {**BIASES, **SQUARE}.items()),
    Mutant("D1-feed-forward", "the second feed-forward weight is not transposed",
           kind="weights", params=each(r"\d\.output\.dense\.weight", other_layout),
           module=r"\d\.output\.dense"),
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
    *(Mutant(f"D3-{name}", f"the bias of the attention's {name} is added twice",
             kind="weights", params=each(f"{pattern}bias", lambda x: 2 * x),
             module=pattern[:-2]) for name, pattern in ATTENTION_BIASES.items()),
    *(Mutant(f"D3-{name}", f"the bias of the {name} layer is added twice",
             kind="weights", params=each(rf"{pattern}\.bias", lambda x: 2 * x),
             module=pattern) for name, pattern in BIASES.items() if name != "output"),
    Mutant("D2-other", "the bias of the LM head is not that of the checkpoint",
           module=r"predictions\.out", kind="random", match=one_shift, edits=(
               ("bert.heads.word_head", "p[table], p[bias]", "p[table], p[bias] * 0 + "
                "__import__('numpy').random.default_rng(0).normal(0, 0.02, "
                "p[bias].shape)"),)),
    Mutant("D4", "the decoder is not tied: its table stayed as it was made",
           module=r"predictions\.out", kind="random", match=affine, edits=(
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
    pooled("linear", "the pooler has no tanh", "identity"),
    pooled("gelu", "the pooler has GELU for tanh", "gelu"),
    pooled("relu", "the pooler has ReLU for tanh", "relu"),
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
    picked("real", "the pooler takes the mean of the real tokens",
           "real / real.sum(1, keepdims=True)"),
    picked("first-real", "the pooler takes the first real token",
           "real * (real.cumsum(1) == 1)"),
    picked("last-real", "the pooler takes the last real token",
           "(real[:, ::-1] * (real[:, ::-1].cumsum(1) == 1))[:, ::-1]"),
    Mutant("D6-none", "the pooler gives [CLS] itself: no dense layer, no tanh",
           module=r"pooler\.out", edits=(
               (POOLER, "out, tanh_saved = p.run.ops.tanh(h)",
                "out, tanh_saved = first * 1, None"),
               (POOLER_BACK, "g.run.ops.tanh_backward(dout, tanh_saved)", "0 * dout"),
               (POOLER_BACK, "dfirst = dense", "dfirst = dout + dense"))),
    Mutant("D6-unpooled", "a text is classified by [CLS] itself, without the pooler",
           module="classifier", edits=(
               (TEXTS + "forward", "classifier(call.p, states.pooled)",
                "classifier(call.p, states.sequence[:, 0])\n    "
                "saved = saved, states.sequence"),
               (TEXTS + "head_backward", "return None, classifier_backward(dlogits, "
                "saved, g)", "saved, x = saved\n    dx = 0 * x\n    dx[:, 0] = "
                "classifier_backward(dlogits, saved, g)\n    return dx, None"))),
    Mutant("D6-left-out", "heads read [CLS] itself, without the pooler", edits=(
        (POOLER, "return out, p.saved(", "out = first\n    return out, p.saved("),),
        module=r"seq_relationship|classifier"),
    Mutant("D8-inputs", "choices are read as (choices, questions)", kind="inputs",
           inputs=swapped_choices, module="word_emb"),
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

BCE, BCE_BACK = "bert.losses.bce_with_logits", "bert.losses.bce_with_logits_backward"
CE, CE_BACK = "bert.losses.cross_entropy", "bert.losses.cross_entropy_backward"
USED = "used = labels != ignore_index"
COUNT = "int(used.sum()) if count is None"
TOTAL, GRADIENTS = "models.targets.total_loss", "models.targets.output_gradients"
SHIFT = "xp.concat([labels[:, 1:], ends], axis=1)"
ENDS = "labels < length, labels.clip(0), IGNORE_INDEX"


def loss(name: str, title: str, *edits, kind="loss", module=r"^\w*loss") -> Mutant:
    """Return a bug of a loss; its gradient follows, as what the loss saved is used."""
    return Mutant(name, title, edits=edits, kind=kind, module=module)


def copied(name: str) -> tuple:
    """Return an edit: labels that are ignored become the ids, where they are read."""
    return (f"models.classes.{name}.forward", " labels=labels",
            " labels=np.where((np.asarray(labels) == -100) & "
            "(np.asarray(attention_mask) == 1), input_ids, labels)")


def weighed(name: str, title: str, weight: str) -> Mutant:
    """Weigh the terms of a loss by other numbers."""
    return loss(name, title, (TOTAL, "part if term.weight == 1 else term.weight * part",
                              f"({weight}) * part"),
                (GRADIENTS, "float(dloss) * term.weight", f"float(dloss) * ({weight})"))


LOSSES = [
    loss("E1", "labels of -100 are not ignored but count as class 0",
         (CE, USED, "labels = np.where(labels == ignore_index, 0, labels)\n"
          "    used = labels == labels")),
    loss("E1-minus-one", "-1 is ignored, and -100 counts like any number",
         (CE, USED, "used = labels != -1"),
         (CE, "np.where(used, labels, 0)", "labels % logits.shape[-1]")),
    loss("E1-tokens", "ignored tokens count as class 0",
         (TOKENS, "labels=labels)", "labels=np.maximum(labels, 0))")),
    loss("E1-padding", "tokens of padding count as class 0",
         (TOKENS, "labels=labels)", "labels=np.where(np.asarray(attention_mask) == 0, "
          "0, labels))")),
    loss("E1-copied", "words that are not to be predicted count too",
         copied("BertForMaskedLM"), copied("BertForPreTraining")),
    loss("E2", "labels of class 0 are ignored too",
         (CE, USED, f"{USED}\n    used &= labels != 0")),
    loss("E3-all", "the loss is a mean over ignored labels too",
         (CE, COUNT, "labels.size if count is None")),
    loss("E3-sum", "the loss is a sum, not a mean",
         (CE, COUNT, "1 if count is None")),
    loss("E3-texts", "the loss is a mean of the means of the texts",
         (CE, 'loss = total / count if count else total * float("nan")',
          "each = used.reshape(logits.shape[:-1])\n    "
          "each = (np.maximum(each.sum(-1, keepdims=True), 1)\n            "
          "* (len(each) if each.ndim > 1 else 1) + 0 * each)\n    "
          "count = each.reshape(-1, 1)\n    "
          "loss = (losses / count[:, 0]).sum(where=used)"),
         (CE_BACK, "(count or 1)", "count")),
    loss("E8-argmax", "several labels are taken as one: the largest",
         ("models.targets.class_targets", "shapes = [", 'if kind.startswith("multi"):\n'
          '        return Targets("cross_entropy", np.argmax(labels, -1))\n    '
          "shapes = [")),
    loss("E8-positives", "several labels: those that are 0 do not count",
         (BCE, "np.maximum(logits, 0) - logits * targets + np.log1p(tail)",
          "targets * (np.maximum(-logits, 0) + np.log1p(tail))"),
         (BCE_BACK, "(s - targets)", "targets * (s - 1)")),
    loss("E8-epsilon", "several labels: 1e-6 is added to probabilities",
         (BCE, "np.maximum(logits, 0) - logits * targets + np.log1p(tail)",
          "-targets * np.log(sigmoid(logits)[0] + 1e-6) "
          "- (1 - targets) * np.log(sigmoid(-logits)[0] + 1e-6)"),
         (BCE_BACK, "(s - targets)", "s * (1 - s) * ((1 - targets) / (1 - s + 1e-6) "
          "- targets / (s + 1e-6))")),
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
          "labels < length, labels.clip(0), length - 1")),
    loss("E9-zero", "a position beyond the text counts as its first token",
         ("models.targets.position_targets", ENDS,
          "labels < length, labels.clip(0), 0")),
    weighed("E9-start", "only the start of an answer has a loss",
            '{"start_loss": 1, "end_loss": 0}.get(term.tap, term.weight)'),
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
    loss("E12-epsilon", "1e-6 is added to probabilities before their logarithm",
         (CE, "log_softmax(rows(logits))",
          "np.log(np.exp(log_softmax(rows(logits))) + 1e-6)"),
         (CE_BACK, "np.exp(logp) ", "np.exp(logp) - 1e-6 "),
         (CE_BACK, "dlogits *= dloss", "dlogits *= (1 - 1e-6 / np.exp(logp[np.arange("
          "len(logp)), safe]))[:, None] * dloss")),
    *(loss(f"E13-{name}", title, ("models.targets.next_word_targets", SHIFT, new))
      for name, title, new in (
          ("none", "a causal loss compares with the same token, not the next",
           "labels"),
          ("twice", "a causal loss compares with the token after the next",
           "xp.concat([labels[:, 2:], ends, ends], axis=1)"),
          ("back", "a causal loss compares with the token before",
           "xp.concat([ends, labels[:, :-1]], axis=1)"))),
    weighed("E14-mean", "the two losses of pre-training are averaged",
            '0.5 if term.tap in ("mlm_loss", "nsp_loss") else term.weight'),
    weighed("E14-words", "next sentence prediction has no part in the loss",
            '0 if term.tap == "nsp_loss" else term.weight'),
    weighed("E14-pairs", "masked words have no part in the loss",
            '0 if term.tap == "mlm_loss" else term.weight'),
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
          "safe] -= 0.9\n    dlogits -= 0.1 / len(logp[0])")),
    loss("E17", "the loss is in bits: a logarithm to the base 2",
         (CE, "-logp[np.arange(len(logp)), safe]",
          "-logp[np.arange(len(logp)), safe] / np.log(2)"),
         (CE_BACK, "dlogits *= dloss", "dlogits *= dloss / np.log(2)")),
    loss("E18", "a softmax before a loss that has its own",
         (CE, "log_softmax(rows(logits))",
          "log_softmax(np.exp(log_softmax(rows(logits))))")),
]
