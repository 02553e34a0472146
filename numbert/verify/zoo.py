"""The zoo: the bugs that people make when they write BERT, a line or two for each.

See mutants for what a line means, and bugs for what each bug is and how to fix it.
`module` matches the names of the tensors at which a bug first shows.  Most bugs of a
forward pass are put into its backward too: programs that find gradients by themselves
have both.
"""

from __future__ import annotations

import re

import numpy as np

from .mutants import Mutant
from .zoo_changes import (dropped, each, exchanged, interleaved, no_dense, norms,
                          one_head, positions_of_mask, swapped_norms, without)
from .zoo_heads import BACKWARD, HEADS, LOSSES
from .zoo_probed import PROBED


# ------------------------------------------------------ lines that are much alike

def scale(name: str, title: str, new: str) -> Mutant:
    """Multiply attention scores by another number."""
    old = "(1 / math.sqrt(q.shape[-1]))"
    return Mutant(f"B13-{name}", title, module=r"\.scores", edits=(
        ("bert.ops.attention_scores", old, f"({new})"),
        ("bert.ops.attention_scores_backward", old, f"({new})")))


def mask(name: str, title: str, new: str, kind="forward") -> Mutant:
    """Treat hidden keys in another way."""
    return Mutant(name, title, kind=kind, module=r"\.probs", edits=(
        ("bert.ops.mask_scores", "np.where(mask, scores, np.finfo(scores.dtype).min)",
         new),))


def activation(name: str, title: str, op: str, only=None, head=False) -> Mutant:
    """Use another activation, in the layers or in the LM head.

    only: where the configuration asks for this one; everywhere by default.
    """
    start = "bert.heads.lm_head" if head else "bert.encoder.feed_forward"
    test = "" if only is None else f' if p.run.config.hidden_act == "{only}" else ' \
        "activation(p, h)"
    back = test.replace("p.run", "g.run").replace(
        "activation(p, h)", "activation_backward(dh, activation_saved, g)")
    return Mutant(
        name, title, module=r"transform\.act" if head else r"intermediate\.out", edits=(
            (start, "activation(p, h)", f"p.run.ops.{op}(h){test}"),
            (f"{start}_backward", "activation_backward(dh, activation_saved, g)",
             f"g.run.ops.{op}_backward(dh, activation_saved){back}")))


def epsilon(eps: str) -> Mutant:
    """Fix the epsilon of all LayerNorms."""
    return Mutant(f"C3-{eps}", f"layer_norm_eps is {eps}, whatever the configuration",
                  edits=(("bert.blocks.norm", "p.run.config.layer_norm_eps", eps),),
                  module=r"embeddings\.out")


def only_norm(name: str, where: str, function: str, scope: str, module: str) -> Mutant:
    """Fix the epsilon of one LayerNorm."""
    return Mutant(f"C3-{name}", f"layer_norm_eps is 1e-5 in {where}, right elsewhere",
                  module=module, edits=(
                      (function, f'norm({scope}.at("LayerNorm"), h)',
                       f'{scope}.run.ops.layer_norm(h, {scope}["LayerNorm.weight"], '
                       f'{scope}["LayerNorm.bias"], 1e-5)'),))


def no_norm(name: str, where: str, test: str, module: str) -> Mutant:
    """Leave the LayerNorm of one half of a layer out."""
    return Mutant(f"C7-{name}", f"no LayerNorm after {where}", module=module, edits=(
        ("bert.attention.add_norm", 'norm(p.at("LayerNorm"), h)',
         f'(h * 1, None) if {test} else norm(p.at("LayerNorm"), h)'),
        ("bert.attention.add_norm_backward",
         'norm_backward(dout, norm_saved, g.at("LayerNorm"))',
         'dout if norm_saved is None else '
         'norm_backward(dout, norm_saved, g.at("LayerNorm"))')))


def no_residual(name: str, where: str, test: str, module: str) -> Mutant:
    """Leave the residual of one half of a layer out."""
    return Mutant(f"C8-{name}", f"no residual around {where}", module=module, edits=(
        ("bert.attention.add_norm", "h + residual",
         f"h + (0 if {test} else 1) * residual"),
        ("bert.attention.add_norm_backward", 'g.at("dense")), dsum',
         f'g.at("dense")), dsum * (0 if {test.replace("p.", "g.")} else 1)')))


ATTENTION, OUTPUT = '"attention" in p.prefix', '"attention" not in p.prefix'
SELF, CROSS = r"attention\.self\.", r"crossattention\."

# ------------------------------------------------------------------- A. embeddings

EMBEDDINGS = [
    Mutant("A1-ignored", "token types are ignored: every token is of type 0",
           inputs=without("token_type_ids"), kind="inputs", module="token_type_emb"),
    Mutant("A1-ones", "every token is of type 1", kind="inputs",
           inputs=lambda x: {**x, "token_type_ids": np.ones_like(x["token_type_ids"])},
           module="token_type_emb"),
    Mutant("A1-flipped", "the two token types are swapped", kind="weights",
           params=each("token_type_embeddings", lambda x: x[::-1]),
           module="token_type_emb"),
    Mutant("A1-left-out", "token type embeddings are not added", edits=(
        ("bert.embeddings.embeddings", "word + kind + place", "word + place"),
        ("bert.embeddings.embeddings_backward",
         'g.add("token_type_embeddings.weight", look_up_backward(dsum, kind_saved))',
         "pass")), module=r"embeddings\.sum"),
    Mutant("A2", "attention_mask and token_type_ids are swapped", kind="inputs",
           inputs=lambda x: {**x, "attention_mask": x["token_type_ids"],
                             "token_type_ids": x["attention_mask"]},
           module="token_type_emb"),
    *(Mutant(f"A3-{word}", f"positions start at {i}, as RoBERTa's do", edits=(
        ("bert.embeddings.embeddings", "look_up(position_ids,",
         f'look_up((position_ids + {i}) % len(p["position_embeddings.weight"]),'),),
        module="position_emb") for i, word in ((1, "one"), (2, "two"))),
    Mutant("A4-mask", "positions count only the real tokens", kind="inputs",
           inputs=positions_of_mask, module="position_emb"),
    Mutant("A4-ignored", "position_ids are ignored", kind="inputs",
           inputs=without("position_ids"), module="position_emb"),
    Mutant("A4-first", "all texts get the positions of the first", kind="inputs",
           inputs=lambda x: {**x, "position_ids": x["position_ids"][:1]}
           if "position_ids" in x else x, module="position_emb"),
    Mutant("A4-left-out", "position embeddings are not added", edits=(
        ("bert.embeddings.embeddings", "word + kind + place", "word + kind"),
        ("bert.embeddings.embeddings_backward",
         'g.add("position_embeddings.weight", look_up_backward(dplace, place_saved))',
         "pass")), module=r"embeddings\.sum"),
    Mutant("A5", "token ids are off by one", kind="weights",
           params=each("word_embeddings", lambda x: np.roll(x, 1, 0)),
           module="word_embeddings"),
    Mutant("A6-zero", "the embedding of [PAD] is taken to be zero", kind="weights",
           params=each("word_embeddings", lambda x: np.concatenate([0 * x[:1], x[1:]])),
           module="word_embeddings"),
    Mutant("A7-left-out", "no LayerNorm after the embeddings", edits=(
        ("bert.embeddings.embeddings", 'norm(p.at("LayerNorm"), h)', "h * 1, None"),
        ("bert.embeddings.embeddings_backward",
         'norm_backward(dh, norm_saved, g.at("LayerNorm"))', "dh")),
        module=r"embeddings\.out"),
    Mutant("A7-early", "positions are added after the LayerNorm", edits=(
        ("bert.embeddings.embeddings", "word + kind + place", "word + kind"),
        ("bert.embeddings.embeddings", 'p.tap("LayerNorm", h)',
         'h = h + place\n    p.tap("LayerNorm", h)')), module=r"embeddings\.sum"),
    Mutant("A9", "word embeddings are multiplied by sqrt(C)", edits=(
        ("bert.embeddings.embeddings", "word + kind + place",
         "word * word.shape[-1] ** 0.5 + kind + place"),), module=r"embeddings\.sum"),
]

# -------------------------------------------------------------------- B. attention

SPLIT = "x.reshape(*x.shape[:-1], heads, -1).swapaxes(-2, -3)"
MULTI, BACK = "bert.attention.multi_head", "bert.attention.multi_head_backward"
ATTEND, ATTEND_BACK = "bert.attention.attend", "bert.attention.attend_backward"
BIASES = {"query": r"query\.", "key": r"key\.", "value": r"value\.",
          "output": r"attention\.output\.dense\."}

ATTENTIONS = [
    Mutant("B1-ignored", "attention_mask is ignored", kind="inputs",
           inputs=without("attention_mask"), module=r"\.probs"),
    Mutant("B1-first", "attention_mask is used in the first layer only", edits=(
        ("bert.encoder.stack", "x, mask, source, source_mask,",
         "x, mask if i == 0 else None, source, source_mask,"),),
        module=r"layer\.1\.attention\.self\.probs"),
    Mutant("B2", "the mask is inverted: 1 hides a token", kind="inputs",
           inputs=lambda x: {**x, "attention_mask": 1 - x["attention_mask"]},
           module=r"\.probs"),
    mask("B3", "the mask of zeros and ones is added to the scores", "scores + mask"),
    mask("B4", "scores are multiplied by the mask", "scores * mask"),
    mask("B5-100", "hidden keys get -100 added, which large scores beat",
         "scores - 100 * ~mask"),
    mask("B5-10000", "hidden keys get -10000 added, which large scores beat",
         "scores - 10000.0 * ~mask"),
    mask("B7-nan", "a text without any token gets nan", "np.where(mask, scores, "
         "-np.inf)", "variant"),
    Mutant("B7-zero", "a text without any token attends to nothing: zeros",
           kind="variant", module=r"\.probs", edits=(
               (ATTEND, 'p.tap("softmax", probs)', "if mask is not None:\n        "
                "probs = probs * mask.any(-1, keepdims=True)\n    "
                'p.tap("softmax", probs)'),)),
    *(Mutant(f"B9-{name}", f"the softmax of attention runs over the {name}", edits=(
        (ATTEND, "ops.softmax(scores)", f"ops.softmax(scores.swapaxes(-1, {axis}))\n"
         f"    probs = probs.swapaxes(-1, {axis})"),
        (ATTEND_BACK, "ops.softmax_backward(dprobs, softmax_saved)",
         f"ops.softmax_backward(dprobs.swapaxes(-1, {axis}), softmax_saved)"
         f".swapaxes(-1, {axis})")), module=r"\.probs")
      for name, axis in (("queries", -2), ("heads", -3))),
    Mutant("B10-merge", "heads are merged by a reshape, without a transpose", edits=(
        (MULTI, "merge_heads(context)", "context.reshape(x.shape)"),
        (BACK, "split_heads(dout, heads)",
         "dout.reshape(len(dout), heads, dout.shape[1], -1)")), module=r"\.context"),
    Mutant("B10-split", "heads are split by a reshape, without a transpose", edits=(
        (MULTI, "split_heads(q, heads)", "q.reshape(len(q), heads, q.shape[1], -1)"),
        (MULTI, "split_heads(k, heads), split_heads(v, heads)",
         "(y.reshape(len(y), heads, y.shape[1], -1) for y in (k, v))"),
        (BACK, "merge_heads(dq)", "dq.reshape(dout.shape)"),
        (BACK, "merge_heads(dk[..., -new:, :]), merge_heads(dv[..., -new:, :])",
         "(y.reshape(len(y), new, -1) for y in (dk, dv))")), module=r"\.scores"),
    Mutant("B11", "heads take every N-th channel, not a run of channels", edits=(
        ("bert.attention.split_heads", SPLIT,
         "np.moveaxis(x.reshape(*x.shape[:-1], -1, heads), -1, -3)"),
        ("bert.attention.merge_heads", "x.swapaxes(-2, -3)", "np.moveaxis(x, -3, -1)")),
        module=r"\.scores"),
    Mutant("B12", "attention probabilities are transposed", edits=(
        (ATTEND, "ops.weighted_sum(probs, v)", "ops.weighted_sum(probs.swapaxes(-1, -2)"
         " if probs.shape[-1] == probs.shape[-2] else probs, v)"),),
        module=r"\.context"),
    scale("hidden", "scores are divided by sqrt(C), not sqrt(D)",
          "(q.shape[-1] * q.shape[-3]) ** -0.5"),
    scale("none", "scores are not divided by anything", "1.0"),
    scale("square", "scores are divided by D, not sqrt(D)", "1 / q.shape[-1]"),
    scale("heads", "scores are divided by sqrt(N), not sqrt(D)",
          "q.shape[-3] ** -0.5"),
    scale("inverse", "scores are multiplied by sqrt(D)", "q.shape[-1] ** 0.5"),
    Mutant("B14-order", "a fused projection is read as key, value, query",
           kind="weights", params=exchanged(query="key", key="value", value="query"),
           module=r"self\.query"),
    Mutant("B14-heads", "a fused projection is read head by head", kind="weights",
           params=interleaved, module=r"self\.query"),
    Mutant("B15-qk", "query and key weights are swapped", kind="weights",
           params=exchanged(query="key", key="query"), module=r"self\.query"),
    Mutant("B15-kv", "key and value weights are swapped", kind="weights",
           params=exchanged(key="value", value="key"), module=r"self\.key"),
    *(Mutant(f"B16-{name}", f"the bias of the attention's {name} is dropped",
             kind="weights", params=each(f"{pattern}bias", np.zeros_like),
             module=pattern[:-2]) for name, pattern in BIASES.items()),
    Mutant("B17", "all heads share the first head's projections", kind="weights",
           params=each(r"self\.(query|key|value)", one_head), module=r"self\.query"),
    Mutant("B18-lost", "a decoder sees later tokens: the causal mask is lost", edits=(
        ("models.inputs.attention_mask", "return causal_mask(queries, keys) if causal "
         "else None", "return None"),
        ("models.inputs.attention_mask", "mask & causal_mask(queries, keys) if causal "
         "else mask", "mask")), module=r"\.probs"),
    *(Mutant(f"B18-{name}", title, module=r"\.probs", edits=(
        ("bert.attention.causal_mask",
         "np.tri(queries, keys, keys - queries, dtype=bool)", new),))
      for name, title, new in (
          ("strict", "a token of a decoder does not see itself",
           "np.tri(queries, keys, keys - queries - 1, dtype=bool)"),
          ("ahead", "a token of a decoder sees the next one",
           "np.tri(queries, keys, keys - queries + 1, dtype=bool)"),
          ("turned", "the causal mask is transposed: only later tokens are seen",
           "np.tri(queries, keys, keys - queries, dtype=bool).T"))),
    Mutant("B21-no-mask", "cross-attention ignores encoder_attention_mask", edits=(
        ("bert.encoder.layer", "h, source_mask,", "h, None,"),),
        module=CROSS + r"self\.probs"),
    Mutant("B21-own-mask", "cross-attention uses the decoder's own mask", edits=(
        ("bert.encoder.layer", "h, source_mask,", "h, mask[..., :source.shape[1]],"),),
        module=CROSS + r"self\.probs"),
    Mutant("B21-own-text", "cross-attention reads the decoder's own states", edits=(
        ("bert.encoder.layer", "h, source_mask,", "h, mask,"),
        ("bert.encoder.layer", "source, cross_past)", "None, cross_past)")),
        module=CROSS + r"self\.key"),
    Mutant("B21-left-out", "cross-attention is left out", edits=(
        ("bert.encoder.layer", "if source is not None:", "if False:"),),
        module=CROSS + r"|layer\.0\.intermediate\.dense"),
    Mutant("B21-weights", "cross-attention uses the weights of self-attention",
           kind="weights", params=lambda params: {
               name: params[name.replace("crossattention", "attention")]
               for name in params}, module=CROSS),
    Mutant("B23", "the mask is applied after the softmax", edits=(
        (ATTEND, "ops.mask_scores(scores, mask)", "scores, None"),
        (ATTEND, 'p.tap("softmax", probs)', "if mask is not None:\n        "
         'probs = probs * mask\n    p.tap("softmax", probs)')), module=r"\.probs"),
    Mutant("B24", "attention has no output projection", kind="weights",
           params=no_dense(r"attention\.output\.dense"),
           module=r"attention\.output\.dense"),
]

# --------------------------------------- C. LayerNorm, activation, residual, dropout

NORM, NORM_BACK = "bert.ops.layer_norm", "bert.ops.layer_norm_backward"
HIDDEN = "p.run.config.hidden_dropout_prob"
SQUARES = "np.vecdot(centred, centred)[..., None] / x.shape[-1]"
PRE = ('p.run.ops.layer_norm(x, p["output.LayerNorm.weight"], '
       'p["output.LayerNorm.bias"], p.run.config.layer_norm_eps)[0]')

LAYERS = [
    activation("C1-layer", "GELU by tanh in the layers, where erf is asked for",
               "gelu_tanh", "gelu"),
    activation("C1-head", "GELU by tanh in the LM head, where erf is asked for",
               "gelu_tanh", "gelu", head=True),
    activation("C1-erf", "GELU by erf, where gelu_new asks for tanh", "gelu",
               "gelu_new"),
    activation("C2-quick", "QuickGELU, x sigmoid(1.702 x), for GELU", "quick_gelu"),
    activation("C2-quick-head", "QuickGELU for GELU in the LM head", "quick_gelu",
               head=True),
    activation("C2-relu", "ReLU for GELU", "relu"),
    activation("C2-relu-head", "ReLU for GELU in the LM head", "relu", head=True),
    activation("C2-silu", "SiLU for GELU", "silu"),
    activation("C2-none", "no activation in the layers", "identity"),
    *map(epsilon, ("1e-3", "1e-5", "1e-6", "1e-7", "1e-12")),
    only_norm("embeddings", "the embeddings", "bert.embeddings.embeddings", "p",
              r"embeddings\.out"),
    only_norm("layers", "the layers", "bert.attention.add_norm", "p",
              r"attention\.output\.out"),
    only_norm("head", "the LM head", "bert.heads.lm_head", "t", r"transform\.out"),
    Mutant("C4-outside", "eps is added outside the square root",
           edits=((NORM, "np.sqrt(var + eps)", "(np.sqrt(var) + eps)"),),
           module=r"embeddings\.out"),
    Mutant("C4-unbiased", "the variance is divided by C - 1, not C",
           edits=((NORM, "/ x.shape[-1]", "/ (x.shape[-1] - 1)"),),
           module=r"embeddings\.out"),
    Mutant("C4-no-mean", "LayerNorm does not subtract the mean", edits=(
        (NORM, "x.mean(-1, keepdims=True)", "0"),
        (NORM_BACK, "dnorm - shift - norm", "dnorm - norm")),
        module=r"embeddings\.out"),
    Mutant("C4-no-root", "LayerNorm divides by the variance, not by its root",
           edits=((NORM, "np.sqrt(var + eps)", "(var + eps)"),),
           module=r"embeddings\.out"),
    Mutant("C5", "the variance is computed as E[x^2] - E[x]^2", kind="equivalent",
           edits=((NORM, SQUARES, "(x * x).mean(-1, keepdims=True) "
                   "- x.mean(-1, keepdims=True) ** 2"),)),
    Mutant("C7-pre", "LayerNorm before each half of a layer, not after it", edits=(
        ("bert.attention.attention",
         "multi_head(p.at(\"self\"), x, source, mask, past)",
         f"multi_head(p.at(\"self\"), y := {PRE}, y if source is x else source, mask, "
         "past)"),
        ("bert.encoder.feed_forward", 'dense(p.at("intermediate.dense"), x)',
         f'dense(p.at("intermediate.dense"), {PRE})'),
        ("bert.attention.add_norm", 'norm(p.at("LayerNorm"), h)', "h * 1, None"),
        ("bert.attention.add_norm_backward",
         'norm_backward(dout, norm_saved, g.at("LayerNorm"))', "dout")),
        module=r"self\.query"),
    Mutant("C7-final", "one more LayerNorm after the last layer", edits=(
        ("bert.encoder.stack", "return x, p.saved(*saved)",
         "x, _ = p.run.ops.layer_norm(x, 1.0, 0.0, p.run.config.layer_norm_eps)\n    "
         "return x, p.saved(*saved)"),), module="pooler|transform|classifier|qa_out"),
    no_norm("attention", "attention", ATTENTION, r"attention\.output\.out"),
    no_norm("output", "the feed-forward half", OUTPUT, r"\d\.output\.out"),
    no_residual("attention", "attention", ATTENTION, r"attention\.output\.sum"),
    no_residual("output", "the feed-forward half", OUTPUT, r"\d\.output\.sum"),
    Mutant("C8-after", "the residual is added after the LayerNorm", edits=(
        ("bert.attention.add_norm", "h + residual", "h + 0 * residual"),
        ("bert.attention.add_norm", 'p.tap("out", out)',
         'out = out + residual\n    p.tap("out", out)')), module=r"output\.sum"),
    Mutant("C8-double", "the residual is added twice", edits=(
        ("bert.attention.add_norm", "h + residual", "h + 2 * residual"),
        ("bert.attention.add_norm_backward", 'g.at("dense")), dsum',
         'g.at("dense")), 2 * dsum')), module=r"output\.sum"),
    Mutant("C9-swapped", "the two LayerNorms of a layer are swapped", kind="weights",
           params=swapped_norms, module=r"attention\.output\.out"),
    Mutant("C9-twice", "attention's LayerNorm is used for both halves of a layer",
           kind="weights", params=lambda params: {name: params[re.sub(
               r"(\d)\.output\.L", r"\1.attention.output.L", name)]
               for name in params}, module=r"\d\.output\.out"),
    Mutant("C10-all", "LayerNorm's weights and biases stay at 1 and 0", kind="weights",
           params=norms("LayerNorm"), module=r"embeddings\.out"),
    Mutant("C10-weight", "LayerNorm's weights stay at 1", kind="weights",
           params=norms("LayerNorm", bias=False), module=r"embeddings\.out"),
    Mutant("C10-bias", "LayerNorm's biases stay at 0", kind="weights",
           params=norms("LayerNorm", weight=False), module=r"embeddings\.out"),
    Mutant("C10-head", "the LM head's LayerNorm stays at 1 and 0", kind="weights",
           params=norms(r"transform\.LayerNorm"), module=r"transform\.out"),
    Mutant("C13-probs", "dropout of attention is left on", kind="random", edits=(
        (ATTEND, "dropout(p, probs, p.run.config.attention_probs_dropout_prob)",
         "p.run.ops.dropout(probs, p.run.config.attention_probs_dropout_prob, "
         "np.random.default_rng(0))"),), module=r"\.probs", match=dropped(0.1)),
    Mutant("C13-hidden", "dropout of hidden states is left on", kind="random",
           edits=tuple(
               (name, f"dropout(p, h, {HIDDEN})", f"p.run.ops.dropout(h, {HIDDEN}, "
                "__import__('numpy').random.default_rng(0))")
               for name in ("bert.embeddings.embeddings", "bert.attention.add_norm")),
           module=r"embeddings\.out", match=dropped(0.1)),
]
MUTANTS = EMBEDDINGS + ATTENTIONS + LAYERS + HEADS + LOSSES + BACKWARD + PROBED


def visible() -> list[Mutant]:
    """Return the bugs that a pack can show: they change what numbert computes."""
    return [mutant for mutant in MUTANTS
            if mutant.probe is None and mutant.kind not in ("equivalent", "variant")]
