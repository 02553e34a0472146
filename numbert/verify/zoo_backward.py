"""The zoo, fourth part: bugs of backward passes, whose forward is right; see zoo."""

from __future__ import annotations

from .mutants import Mutant
from .zoo_heads import CE_BACK, GRADIENTS

# -------------------------------------------------------------- G. backward passes

LN_BACK, ATT_BACK = "bert.ops.layer_norm_backward", "bert.attention.attention_backward"
EMB_BACK = "bert.embeddings.embeddings_backward"
WORD_BACK = "bert.ops.word_embedding_backward"

ADD_BACK = "bert.attention.add_norm_backward"
DENSE_BACK = 'dense_backward(dh, dense_saved, g.at("dense"))'
VALUES_BACK = 'return dx, dsource + dense_backward(dv, v_saved, g.at("value"))'
ATTENTION, OUTPUT = '"attention" in g.prefix', '"attention" not in g.prefix'


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
          'g.add("word_embeddings.weight",\n'
          "              g.run.ops.word_embedding_backward(dsum, word_saved))", "pass",
          r"dparam:.*word_emb"),
    wrong("10-pad", "looking up [PAD] has a gradient", WORD_BACK,
          "dtable[padding_idx] = 0", "pass", r"dparam:.*word_emb"),
    wrong("10-repeated", "a word that occurs twice gets the last gradient, not the sum",
          "bert.ops.embedding_backward",
          "np.add.reduceat(rows(dout)[order], first)",
          "rows(dout)[order][np.append(first[1:], len(order)) - 1]",
          r"dparam:.*word_emb|grad:"),
    wrong("10-positions", "gradients of positions are averaged over the batch",
          EMB_BACK, "dsum.sum(0, keepdims=True)", "dsum.mean(0, keepdims=True)",
          "position_emb"),
    wrong("10-types", "gradients of token types are averaged over the batch", EMB_BACK,
          "look_up_backward(dsum, kind_saved)",
          "look_up_backward(dsum, kind_saved) / len(dsum)", r"dparam:.*token_type"),
    wrong("10-places", "the gradient of positions is divided by their rows",
          EMB_BACK, "look_up_backward(dplace, place_saved)",
          "look_up_backward(dplace, place_saved) / len(place_saved[0])",
          r"dparam:.*position_emb"),
    wrong("10-tied", "[PAD] has no gradient from the decoder either",
          "bert.heads.word_head_backward", "g.add(table, dtable)",
          "dtable[g.run.config.pad_token_id] = 0\n    g.add(table, dtable)",
          r"dparam:.*word_emb"),
    wrong("10-words", "a word that occurs twice gets the last gradient that is not 0",
          WORD_BACK, "dtable = embedding_backward(dout, saved) ",
          "dtable = embedding_backward(dout, saved)\n    "
          "for i, row in zip(saved[0].reshape(-1), rows(dout)):\n        "
          "dtable[i] = row if row.any() else dtable[i]\n    #", r"dparam:.*word_emb"),
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
    wrong("11-gamma", "LayerNorm's weight gets the gradient of its bias",
          LN_BACK, "rows(dout * norm)", "rows(dout)", r"dparam:.*LayerNorm"),
    wrong("11-beta", "LayerNorm's bias gets the mean over the texts, not the sum",
          LN_BACK, "rows(dout).sum(0)", "rows(dout).sum(0) / len(dout)",
          r"dparam:.*LayerNorm"),
    Mutant("G12-straight", "the softmax passes its gradient through", edits=(
        ("bert.ops.softmax_backward", "probs * (dout - mean)", "dout"),
        ("bert.ops.mask_scores", ".min), None", ".min), mask"),
        ("bert.ops.mask_scores_backward", "return dout",
         "return dout if saved is None else dout * saved")), kind="backward",
        module=r"grad:.*scores"),
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
    Mutant("G13-both", "the gradients of queries and keys are not divided by sqrt(D)",
           edits=(("bert.ops.attention_scores_backward",
                   "(1 / math.sqrt(q.shape[-1]))", "1"),
                  ("bert.ops.attention_scores_backward", "dout.swapaxes(-1, -2) @ q",
                   "dout.swapaxes(-1, -2) @ q * math.sqrt(q.shape[-1])")),
           kind="backward", module=r"grad:.*(query|key)"),
    *(wrong(f"14-{name}", f"the gradient of the residual {words}", ADD_BACK,
            'g.at("dense")), dsum', 'g.at("dense")), dsum * '
            f'({times} if {test} else 1)', "grad:")
      for name, words, times, test in (
          ("attention", "around attention is lost", 0, ATTENTION),
          ("output", "around the feed-forward half is lost", 0, OUTPUT),
          ("double", "around the feed-forward half is doubled", 2, OUTPUT))),
    wrong("14-residual", "the gradient of the residual is lost",
          "bert.attention.add_norm_backward", 'g.at("dense")), dsum',
          'g.at("dense")), 0 * dsum', "grad:"),
    wrong("14-dense", "only the residual passes a gradient through the second half",
          "bert.encoder.feed_forward_backward",
          'dx + dense_backward(dh, dense_saved, g.at("intermediate.dense"))',
          'dx + 0 * dense_backward(dh, dense_saved, g.at("intermediate.dense"))',
          "grad:"),
    *(Mutant(f"G15-{name}", title, kind="backward", module="grad:", edits=(
        ("bert.ops.gelu_backward", "(cdf + x * pdf)", new),
        ("bert.ops.gelu_tanh_backward",
         "(0.5 * (1 + t) + 0.5 * x * (1 - t * t) * du)", new)))
      for name, title, new in (
          ("straight", "GELU passes its gradient through", "1"),
          ("relu", "GELU's gradient is that of ReLU", "(x > 0)"))),
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
    wrong("16-straight", "tanh passes its gradient through", "bert.ops.tanh_backward",
          "(1 - saved * saved)", "1", r"grad:.*pooler\.dense"),
    wrong("16-transposed", "a dense layer's gradient is multiplied by w^T, not by w",
          "bert.ops.linear_backward", "(dy @ w)",
          "(dy @ (w.T if w.shape[0] == w.shape[1] else w))", "grad:"),
    wrong("16-transposed-output", "only after attention the gradient is times w^T",
          ADD_BACK, f"return {DENSE_BACK}, dsum", f"dx = {DENSE_BACK}\n    "
          f"return (dh @ dense_saved[1].T if {ATTENTION} else dx), dsum", "grad:"),
    wrong("16-turned", "the gradient of a square weight is transposed",
          "bert.ops.linear_backward", "dy.T @ rows(x)",
          "(rows(x).T @ dy if w.shape[0] == w.shape[1] else dy.T @ rows(x))",
          r"dparam:.*weight"),
    wrong("16-turned-value", "the gradient of the value weight is transposed",
          "bert.attention.multi_head_backward", VALUES_BACK,
          VALUES_BACK.replace("return", "dsource =")
          .replace("dx, ", "") + "\n    name = g.prefix + 'value.weight'\n    "
          "g.arrays[name] = g.arrays[name].T\n    return dx, dsource",
          r"dparam:.*value\.weight"),
    *(wrong(f"16-{name}", f"the gradient of the {what} is divided by the texts",
            function, old, f"{old}\n    {array} /= len(dout)", module)
      for name, what, function, old, array, module in (
          ("pooler", "pooler's bias", "bert.encoder.pooler_backward",
           f"dfirst = {DENSE_BACK}", 'g.arrays[g.prefix + "dense.bias"]',
           r"dparam:.*pooler\.dense\.bias"),
          ("words", "LM head's bias", "bert.heads.word_head_backward",
           "g.add(table, dtable)", "dbias", r"dparam:.*predictions\.bias"))),
    wrong("16-feed-forward", "the second feed-forward weight has a mean over the texts",
          ADD_BACK, f"return {DENSE_BACK}, dsum", f"dx = {DENSE_BACK}\n    "
          f"if {OUTPUT}:\n        "
          'g.arrays[g.prefix + "dense.weight"] /= len(dout)\n    return dx, dsum',
          r"dparam:.*\d\.output\.dense\.weight"),
    wrong("17-all", "the loss's gradient is divided by the number of all labels",
          CE_BACK, "dloss / (count or 1)", "dloss / len(used)", "grad:"),
    wrong("17-silent", "ignored labels have the gradient of the softmax alone",
          CE_BACK, "dlogits[~used] = 0",
          "dlogits[~used] = np.exp(logp[~used]) / shape[0]", "grad:"),
    wrong("17-half", "the gradient of several labels lacks a sigmoid: 1/2 - label",
          "bert.losses.bce_with_logits_backward", "(s - targets)", "(0.5 - targets)",
          "grad:"),
    *(wrong(f"17-{name}", f"the loss of {what} has no gradient", GRADIENTS,
            "float(dloss) * term.weight",
            f'float(dloss) * (0 if term.tap == "{tap}" else term.weight)', "grad:")
      for name, what, tap in (("end", "ends of answers", "end_loss"),
                              ("pairs", "next sentences", "nsp_loss"))),
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
    wrong("18-source", "keys send no gradient to the source of cross-attention",
          "bert.attention.multi_head_backward", "return dx, dsource + dense",
          "return dx, dsource * (dsource.shape == dx.shape) + dense",
          r"dparam:encoder"),
    wrong("18-keys", "the gradient of keys is lost",
          "bert.attention.multi_head_backward", "dq = merge_heads(dq)",
          "dk = 0 * dk\n    dq = merge_heads(dq)", r"grad:.*key"),
    wrong("18-heads", "the gradient of heads is split without a transpose",
          "bert.attention.multi_head_backward", "split_heads(dout, heads)",
          "dout.reshape(len(dout), heads, dout.shape[1], -1)", "grad:"),
    wrong("18-turned", "the gradient of values is by transposed probabilities",
          "bert.ops.weighted_sum_backward", "probs.swapaxes(-1, -2) @ dout",
          "(probs if probs.shape[-1] == probs.shape[-2] else "
          "probs.swapaxes(-1, -2)) @ dout", r"grad:.*value"),
    wrong("18-query", "the gradient through the queries is lost", ATT_BACK,
          "dx = dx + dquery", "dx = dx + 0 * dquery", "grad:"),
    wrong("18-detached", "attention probabilities are constants for the gradient",
          "bert.attention.attend_backward",
          "ops.softmax_backward(dprobs, softmax_saved)", "0 * dprobs",
          r"grad:.*scores"),
    wrong("19-pooler", "the pooler's gradient takes the place of the sequence's",
          "bert.encoder.backbone_backward", "part if dx is None else dx + part", "part",
          "grad:"),
    wrong("19-detached", "the pooler sends no gradient back",
          "bert.encoder.backbone_backward", "part if dx is None else dx + part",
          "0 * part if dx is None else dx", "grad:"),
    wrong("19-tokens", "the pooler's gradient goes to every token",
          "bert.ops.first_token_backward", "dx[:, 0] = dout", "dx[:] = dout[:, None]",
          "grad:"),
]
